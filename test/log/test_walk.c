/*
 * Segments put together by hand, one thing wrong with each: valid checksums everywhere, and yet not
 * a log. FORMAT.md's rules that no random damage reaches, one by one. Oracle: each case says what
 * must be answered, and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logbook.h"

enum { SPACE = 16384, SALT = 0x11223344 };

static const tl_uid uid = {11, 22};
static talea_error err;

/* A segment as it grows. What a test wants wrong it changes in `next` before add. */
typedef struct builder {
    uint8_t bytes[SPACE];
    uint32_t segment;
    uint32_t end;
    uint64_t next_seq;
    int64_t at;
    uint32_t prev_crc;
    uint32_t last; /* offset of the last group */
} builder;

static void put_header(builder *b, uint32_t segment) {
    tl_segment_header h = {.segment = segment,
                           .salt = SALT,
                           .uid = uid,
                           .created_at = 1,
                           .space = SPACE,
                           .name_len = 4,
                           .name = "main"};
    tl_segment_header_encode(&h, b->bytes);
}

static tl_group_header next(const builder *b) {
    return (tl_group_header){.durable_upto = b->end,
                             .space_end = SPACE,
                             .prev_crc = b->prev_crc,
                             .first_seq = b->next_seq,
                             .at = b->at};
}

static void take(builder *b, const tl_group_header *h, uint32_t offset) {
    b->prev_crc = h->crc;
    b->last = offset;
    b->end = offset + TL_GROUP_HEADER_BYTES + h->body_bytes;
}

static void add_link(builder *b, tl_group_header h, tl_hash128 hash, uint64_t base) {
    tl_link_encode(&h, b->segment, SALT, b->end, uid, hash, base, b->bytes + b->end);
    take(b, &h, b->end);
}

static void begin(builder *b) {
    memset(b, 0, sizeof *b);
    b->segment = 1;
    b->end = TL_FIRST_GROUP;
    b->next_seq = 1;
    put_header(b, 1);
    add_link(b, next(b), (tl_hash128){0, 0}, 0);
}

/* A group of one event of about `bytes`. */
static void add_events(builder *b, tl_group_header h, size_t bytes) {
    tl_group_writer w = {0};
    static char metadata[8192];
    memset(metadata, 'm', sizeof metadata);
    talea_posting legs[2] = {{0, TALEA_SIDE_DEBIT, 1}, {1, TALEA_SIDE_CREDIT, 1}};
    tl_transaction t = {
        .key = {"k", 1}, .legs = legs, .leg_count = 2, .metadata = {metadata, bytes}};
    assert_true(tl_group_begin(&w, uid));
    tl_unit_begin(&w);
    uint8_t *body = tl_event_begin(&w, tl_transaction_bytes_max(&t));
    tl_event_end(&w, TL_FRAME_TRANSACTION, tl_transaction_encode(&t, body));
    assert_true(tl_unit_end(&w));
    h.body_bytes = (uint32_t)w.buf.len - TL_GROUP_HEADER_BYTES;
    tl_group_header_encode(&h, b->segment, SALT, b->end, w.buf.data);
    assert_true(b->end + w.buf.len <= SPACE);
    memcpy(b->bytes + b->end, w.buf.data, w.buf.len);
    take(b, &h, b->end);
    b->next_seq++;
    tl_buf_free(&w.buf);
}

/* The usual one. */
static void add_group(builder *b, size_t bytes) {
    tl_group_header h = next(b);
    h.at = b->at += 10;
    add_events(b, h, bytes);
}

static void add_proof(builder *b, tl_group_header h) {
    uint32_t offset = (uint32_t)tl_proof_offset(b->end);
    tl_put_filler(b->bytes + b->end, offset - b->end, SALT);
    h.durable_upto = offset;
    tl_group_header_encode(&h, b->segment, SALT, offset, b->bytes + offset);
    take(b, &h, offset);
}

static void add_seal(builder *b, tl_hash128 hash) {
    tl_group_header h = next(b);
    h.space_end = b->end + TL_SEAL_GROUP_BYTES;
    tl_seal_encode(&h, b->segment, SALT, b->end, uid, hash, b->bytes + b->end);
    take(b, &h, b->end);
}

static uint64_t events_seen;

static talea_code count_event(void *context, const tl_log_event *event, talea_error *e) {
    (void)context;
    (void)e;
    events_seen++;
    assert_int_equal(event->seq, events_seen);
    return TALEA_OK;
}

static talea_code open_bytes(const uint8_t *bytes, size_t len) {
    uint8_t *data = malloc(len);
    assert_non_null(data);
    memcpy(data, bytes, len);
    image_file file = {.name = "segment-00000001.log", .data = data, .len = len};
    image files = {.files = &file, .count = 1};
    tl_io *io = image_mount(&files);
    tl_log_config config = {
        .io = io, .dir = LOGBOOK_DIR, .name = {"main", 4}, .segment_bytes_max = 1 << 16};
    tl_log *log = NULL;
    events_seen = 0;
    talea_code code = tl_log_open(&config, count_event, NULL, &log, &err);
    if (code == TALEA_OK) {
        talea_error ignored;
        assert_int_equal(tl_log_next_seq(log), events_seen + 1);
        assert_int_equal(tl_log_close(log, &ignored), TALEA_OK);
    }
    tl_io_memory_free(io);
    free(data);
    return code;
}

static void assert_opens(const builder *b, uint64_t events) {
    if (open_bytes(b->bytes, SPACE) != TALEA_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(events_seen, events);
}

static void assert_refused_len(const builder *b, size_t len, uint32_t offset, const char *words) {
    char due[256];
    assert_int_equal(open_bytes(b->bytes, len), TALEA_CORRUPT);
    (void)snprintf(due, sizeof due, "book \"main\", segment 1, offset %u: %s", offset, words);
    if (strncmp(err.message, due, strlen(due)) != 0) {
        fail_msg("wanted \"%s\", got \"%s\"", due, err.message);
    }
}

static void assert_refused(const builder *b, uint32_t offset, const char *words) {
    assert_refused_len(b, SPACE, offset, words);
}

static void test_good(void **state) {
    builder b;
    begin(&b);
    assert_opens(&b, 0);
    add_group(&b, 10);
    assert_opens(&b, 1);
    add_group(&b, 1000);
    add_proof(&b, next(&b));
    assert_opens(&b, 2);
    add_group(&b, 1000);
    assert_opens(&b, 3);
}

/* Every field of a group's header that must continue the one before. */
static void test_chain(void **state) {
    static const char continues[] = "the group does not continue the one before";
    builder b;
    builder before;
    tl_group_header h;
    begin(&b);
    add_group(&b, 10);
    before = b;

    h = next(&b);
    h.at += 10;
    h.prev_crc ^= 1;
    add_events(&b, h, 10);
    assert_refused(&b, b.last, continues);

    b = before;
    h = next(&b);
    h.at += 10;
    h.first_seq++;
    add_events(&b, h, 10);
    assert_refused(&b, b.last, "the group begins with seq 3 where 2 is due");

    b = before;
    add_events(&b, next(&b), 10); /* the same time again */
    assert_refused(&b, b.last, "the group's time 10 does not follow 10");

    b = before;
    h = next(&b);
    h.at++;
    add_proof(&b, h);
    assert_refused(&b, b.last, "the group's time 11 does not follow 10");

    b = before;
    h = next(&b);
    h.at += 10;
    h.durable_upto -= 8;
    add_events(&b, h, 10);
    assert_refused(&b, b.last, "the group was written before");

    b = before;
    h = next(&b);
    h.at += 10;
    h.space_end = b.end + 512; /* does not reach past the next sector */
    add_events(&b, h, 10);
    assert_refused(&b, b.last, "the group's space ends at");

    b = before;
    h = next(&b);
    h.prev_crc++;
    add_proof(&b, h);
    assert_refused(&b, b.last, continues);
}

static void test_kinds(void **state) {
    builder b;
    begin(&b);
    add_group(&b, 10);
    add_link(&b, next(&b), (tl_hash128){0, 0}, 0);
    assert_refused(&b, b.last, "a segment begins with a link, and has no other");

    begin(&b); /* no link */
    b.end = TL_FIRST_GROUP;
    b.prev_crc = 0;
    memset(b.bytes + b.end, 0, SPACE - b.end);
    assert_refused(&b, TL_FIRST_GROUP, "no valid group where one is due");
    add_group(&b, 10);
    assert_refused(&b, TL_FIRST_GROUP, "a segment begins with a link, and has no other");

    begin(&b); /* a first link that names somebody */
    b.end = TL_FIRST_GROUP;
    b.prev_crc = 0;
    add_link(&b, next(&b), (tl_hash128){1, 0}, 0);
    assert_refused(&b, TL_FIRST_GROUP, "the link names another segment 0");

    begin(&b); /* a seal of something else */
    add_group(&b, 10);
    add_seal(&b, (tl_hash128){1, 2});
    assert_refused(&b, b.last, "the seal does not match the segment's contents");

    begin(&b); /* sealed too early, and with nothing behind */
    builder sealed = b;
    add_seal(&b, tl_hash128_of(sealed.bytes, sealed.end));
    assert_refused(&b, b.last, "a segment without events is sealed");
    begin(&b);
    add_group(&b, 10);
    sealed = b;
    add_seal(&b, tl_hash128_of(sealed.bytes, sealed.end));
    assert_int_equal(open_bytes(b.bytes, SPACE), TALEA_CORRUPT);
    assert_string_equal(err.message, "book \"main\", segment 2, offset 0: the file is missing");
    uint32_t behind = b.end;
    b.bytes[behind + 100] = 1;
    assert_refused(&b, behind + 100, "something stands behind the seal");
}

/* A defect at the last group, by the number of the rule. */
static void test_rules(void **state) {
    builder b;
    builder torn;
    tl_group_header h;
    begin(&b);
    add_group(&b, 10);
    add_group(&b, 2000);
    uint32_t sector = (b.last / 512 + 2) * 512; /* one in the middle of the group */
    uint32_t last = b.last;
    torn = b;
    memset(torn.bytes + sector, 0, 512);
    assert_opens(&torn, 1); /* rule 4: torn */

    builder bad = torn; /* not quite zero */
    bad.bytes[sector + 511] = 1;
    assert_int_equal(open_bytes(bad.bytes, SPACE), TALEA_CORRUPT);

    bad = torn; /* rule 4 needs zeros behind the group */
    bad.bytes[SPACE - 1] = 1;
    assert_int_equal(open_bytes(bad.bytes, SPACE), TALEA_CORRUPT);

    bad = torn; /* rule 2: a proof behind it */
    bad.end = b.end;
    bad.prev_crc = b.prev_crc;
    add_proof(&bad, next(&bad));
    assert_refused(&bad, last, "damage before the valid group at offset");

    begin(&b); /* rule 1: what the group before says, and what the group at p says */
    h = next(&b);
    h.at = b.at = 10;
    h.space_end = 4096;
    put_header(&b, 1);
    tl_segment_header header;
    assert_true(tl_segment_header_decode(b.bytes, &header));
    header.space = 4096;
    tl_segment_header_encode(&header, b.bytes);
    b.end = TL_FIRST_GROUP;
    b.prev_crc = 0;
    b.next_seq = 1;
    tl_group_header link = next(&b);
    link.at = 0;
    link.space_end = 4096;
    add_link(&b, link, (tl_hash128){0, 0}, 0);
    h.prev_crc = b.prev_crc;
    h.durable_upto = b.end;
    add_events(&b, h, 10);
    assert_int_equal(open_bytes(b.bytes, 4096), TALEA_OK);
    assert_refused_len(&b, 4095, 4095, "the file ends here, and was 4096 bytes long");
    h = next(&b);
    h.at = b.at += 10;
    h.space_end = 8192;
    add_events(&b, h, 2000);
    sector = (b.last / 512 + 2) * 512;
    memset(b.bytes + sector, 0, 512);
    assert_int_equal(open_bytes(b.bytes, 8192), TALEA_OK); /* torn */
    assert_refused_len(&b, 8191, 8191, "the file ends here, and was 8192 bytes long");
    assert_refused_len(&b, 4096, 4096, "the file ends here, and was 8192 bytes long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
