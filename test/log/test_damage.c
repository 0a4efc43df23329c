/*
 * Damage sweeps over small logs, closed and killed: flip every bit, overwrite every byte, zero
 * every sector, cut and extend every file at every length, lose and swap files. INV-D3, INV-D4,
 * INV-D10, INV-D11, INV-D12, INV-D14.
 *
 * Oracle: every group was acknowledged. Whatever was done to the files, either all of their events are delivered, each
 * as logbook computes it, or the opening is refused as TALEA_CORRUPT by book, segment and offset.
 * One exception: a whole sector of the last group of a killed log zeroed, which nothing on earth
 * can tell from a torn write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/segment.h"
#include "logbook.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BIT_STEP = 13 }; /* a sample there, all of them elsewhere */
#else
enum { BIT_STEP = 1 };
#endif

static talea_error err;

typedef struct victim {
    const char *name;
    logbook book; /* the record of what was acknowledged */
    image image;
} victim;

static uint32_t final_segment(const victim *v) {
    return v->book.groups[v->book.group_count - 1].place.segment;
}

typedef enum ending { CLOSED, KILLED, KILLED_ROTATED, ENDINGS } ending;

/* A log of a few segments, with proofs here and there. */
static void make_victim(victim *v, ending end) {
    static const char *const names[] = {"closed", "killed", "killed behind a rotation"};
    tl_io *io = tl_io_memory_new();
    v->name = names[end];
    logbook_init(&v->book, io, 4096, end != KILLED_ROTATED);
    assert_int_equal(logbook_create(&v->book, &err), TALEA_OK);
    assert_int_equal(logbook_open(&v->book, &err), TALEA_OK);
    uint32_t segments_wanted = 3;
    for (unsigned i = 0; tl_log_segments(v->book.log) < segments_wanted || i % 9 != 7; i++) {
        v->book.payload = 20;
        assert_int_equal(logbook_append(&v->book, 1 + i % 2, 1 + i % 3, &err), TALEA_OK);
        if (i % 7 == 3) {
            assert_int_equal(tl_log_prove(v->book.log, &err), TALEA_OK);
        }
        if (end == KILLED_ROTATED && tl_log_segments(v->book.log) == segments_wanted) {
            break; /* the predecessor is not cut yet */
        }
    }
    if (end != KILLED_ROTATED) { /* the last group reaches over a sector's border */
        assert_int_equal(logbook_append(&v->book, 1, 7, &err), TALEA_OK);
    }
    if (end == CLOSED) {
        assert_int_equal(logbook_close(&v->book, &err), TALEA_OK);
    } else {
        logbook_kill(&v->book);
    }
    v->image = image_take(io, LOGBOOK_DIR);
    tl_io_memory_free(io);
}

static void free_victim(victim *v) {
    image_free(&v->image);
    logbook_done(&v->book);
}

/* ---- Judging an outcome ------------------------------------------------------------------------ */

typedef struct tally {
    uint64_t cases;
    uint64_t opened;
    uint64_t refused;
    uint64_t cut; /* lost acknowledged groups: allowed for some */
} tally;

typedef enum outcome { OPENED, REFUSED, LOST } outcome;

/* Opens an image; what is delivered is checked event by event. */
static outcome try_open(victim *v, const image *damaged, bool read_only) {
    tl_io *io = image_mount(damaged);
    logbook trial = {.io = io, .config = v->book.config, .payload = v->book.payload};
    outcome result = OPENED;
    trial.config.io = io;
    trial.config.on_work = NULL;
    trial.config.read_only = read_only;
    talea_code code = logbook_open(&trial, &err);
    if (code == TALEA_OK) {
        result = trial.delivered >= v->book.next_seq - 1 ? OPENED : LOST;
        assert_int_equal(logbook_close(&trial, &err), TALEA_OK);
    } else {
        unsigned segment = 0;
        unsigned long long offset = 0;
        assert_int_equal(code, TALEA_CORRUPT);
        assert_int_equal(
            sscanf(err.message, "book \"main\", segment %u, offset %llu: ", &segment, &offset), 2);
        assert_in_range(segment, 1, 99);
        result = REFUSED;
    }
    tl_buf_free(&trial.writer.buf);
    tl_io_memory_free(io);
    return result;
}

static outcome count(tally *t, outcome result) {
    t->cases++;
    t->opened += result == OPENED;
    t->refused += result == REFUSED;
    t->cut += result == LOST;
    return result;
}

static void must_not_lose(victim *v, tally *t, const image *damaged, const char *what,
                          const image_file *file, size_t at) {
    if (count(t, try_open(v, damaged, false)) == LOST) {
        fail_msg("silent loss: %s log, %s, %s at %zu", v->name, what, file->name, at);
    }
}

static void report(const victim *v, const char *what, const tally *t) {
    print_message("%-26s %-22s %7llu cases: %7llu opened whole, %7llu refused, %llu cut\n", v->name,
                  what, (unsigned long long)t->cases, (unsigned long long)t->opened,
                  (unsigned long long)t->refused, (unsigned long long)t->cut);
}

/* ---- The sweeps -------------------------------------------------------------------------------- */

static void flip_bits(victim *v) {
    tally t = {0};
    for (size_t f = 0; f < v->image.count; f++) {
        image_file *file = &v->image.files[f];
        for (size_t bit = 0; bit < 8 * file->len; bit += BIT_STEP) {
            file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            must_not_lose(v, &t, &v->image, "bit flipped", file, bit / 8);
            file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    report(v, "bits flipped", &t);
}

static void overwrite_bytes(victim *v) {
    static const uint8_t patterns[] = {0x00, 0xFF, 0x7E};
    tally t = {0};
    for (size_t f = 0; f < v->image.count; f++) {
        image_file *file = &v->image.files[f];
        for (size_t at = 0; at < file->len; at += (BIT_STEP + 7) / 8) {
            for (size_t p = 0; p < sizeof patterns; p++) {
                uint8_t before = file->data[at];
                if (before != patterns[p]) {
                    file->data[at] = patterns[p];
                    must_not_lose(v, &t, &v->image, "byte overwritten", file, at);
                    file->data[at] = before;
                }
            }
        }
    }
    report(v, "bytes overwritten", &t);
}

/* Does the sector hold a part of the last group, which nothing proves? */
static bool holds_last_group(const victim *v, const image_file *file, size_t at) {
    const logbook_group *last = &v->book.groups[v->book.group_count - 1];
    return tl_segment_number(file->name) == last->place.segment && at < last->place.group_end &&
           at + TL_SECTOR_BYTES > last->place.offset;
}

static void zero_sectors(victim *v, bool closed) {
    tally t = {0};
    for (size_t f = 0; f < v->image.count; f++) {
        image_file *file = &v->image.files[f];
        for (size_t at = 0; at < file->len; at += TL_SECTOR_BYTES) {
            uint8_t before[TL_SECTOR_BYTES];
            size_t len = file->len - at < sizeof before ? file->len - at : sizeof before;
            memcpy(before, file->data + at, len);
            memset(file->data + at, 0, len);
            if (!closed && holds_last_group(v, file, at)) {
                (void)count(&t, try_open(v, &v->image, false));
            } else {
                must_not_lose(v, &t, &v->image, "sector zeroed", file, at);
            }
            memcpy(file->data + at, before, len);
        }
    }
    if (closed) {
        assert_int_equal(t.cut, 0); /* INV-D12 */
    }
    report(v, "sectors zeroed", &t);
}

/* Sectors overwritten with garbage: two of them, in every pair of neighbours, closed or not. */
static void garble_sectors(victim *v) {
    tally t = {0};
    for (size_t f = 0; f < v->image.count; f++) {
        image_file *file = &v->image.files[f];
        for (size_t at = 0; at < file->len; at += TL_SECTOR_BYTES) {
            uint8_t before[2 * TL_SECTOR_BYTES];
            size_t len = file->len - at < sizeof before ? file->len - at : sizeof before;
            memcpy(before, file->data + at, len);
            for (size_t i = 0; i < len; i++) {
                file->data[at + i] = (uint8_t)(0x41 + i * 7 % 100);
            }
            must_not_lose(v, &t, &v->image, "sectors garbled", file, at);
            memcpy(file->data + at, before, len);
        }
    }
    report(v, "sectors garbled", &t);
}

static void cut_files(victim *v) {
    tally t = {0};
    for (size_t f = 0; f < v->image.count; f++) {
        image_file *file = &v->image.files[f];
        size_t whole = file->len;
        for (file->len = 0; file->len < whole; file->len++) {
            must_not_lose(v, &t, &v->image, "file cut", file, file->len);
        }
        file->len = whole;
    }
    report(v, "files cut", &t);
}

static void extend_files(victim *v) {
    tally t = {0};
    for (size_t f = 0; f < v->image.count; f++) {
        image damaged = image_copy(&v->image);
        image_file *file = &damaged.files[f];
        size_t whole = file->len;
        file->data = realloc(file->data, whole + 2000);
        assert_non_null(file->data);
        memset(file->data + whole, 0, 2000);
        for (size_t more = 1; more < 2000; more += 37) {
            file->len = whole + more;
            must_not_lose(v, &t, &damaged, "file longer by zeros", file, more);
            file->data[whole + more - 1] = 0xA5;
            must_not_lose(v, &t, &damaged, "file longer by garbage", file, more);
            file->data[whole + more - 1] = 0;
        }
        image_free(&damaged);
    }
    report(v, "files extended", &t);
}

static void sweep(ending end) {
    victim v;
    make_victim(&v, end);
    assert_int_equal(try_open(&v, &v.image, false), OPENED); /* undamaged */
    assert_int_equal(try_open(&v, &v.image, true), OPENED);
    flip_bits(&v);
    overwrite_bytes(&v);
    zero_sectors(&v, end == CLOSED);
    garble_sectors(&v);
    cut_files(&v);
    extend_files(&v);
    free_victim(&v);
}

static void test_closed(void **state) {
    sweep(CLOSED);
}

static void test_killed(void **state) {
    sweep(KILLED);
}

static void test_killed_rotated(void **state) {
    sweep(KILLED_ROTATED);
}

/* ---- Whole files ------------------------------------------------------------------------------- */

static void assert_refused(victim *v, const image *damaged, uint32_t segment, const char *words) {
    char due[64];
    assert_int_equal(try_open(v, damaged, false), REFUSED);
    (void)snprintf(due, sizeof due, "book \"main\", segment %u, offset ", segment);
    if (!strstr(err.message, due) || !strstr(err.message, words)) {
        fail_msg("wanted \"%s...%s\", got \"%s\"", due, words, err.message);
    }
}

static void remove_file(image *from, size_t f) {
    free(from->files[f].data);
    memmove(&from->files[f], &from->files[f + 1], (from->count - f - 1) * sizeof from->files[0]);
    from->count--;
}

static void test_files_lost(void **state) {
    for (int end = 0; end < ENDINGS; end++) {
        victim v;
        make_victim(&v, (ending)end);
        for (size_t f = 0; f < v.image.count; f++) {
            image damaged = image_copy(&v.image);
            uint32_t segment = tl_segment_number(damaged.files[f].name);
            remove_file(&damaged, f);
            if (segment > final_segment(&v)) {
                assert_int_equal(try_open(&v, &damaged, false), OPENED); /* only the spare */
            } else if (end == KILLED_ROTATED && segment == final_segment(&v)) {
                assert_refused(&v, &damaged, segment, "missing"); /* its predecessor's seal says so
                                                                   */
            } else {
                assert_refused(&v, &damaged, segment, "missing");
            }
            image_free(&damaged);
        }
        free_victim(&v);
    }
}

static void test_files_swapped(void **state) {
    victim v;
    make_victim(&v, CLOSED);
    for (size_t a = 0; a < v.image.count; a++) {
        for (size_t b = a + 1; b < v.image.count; b++) {
            image damaged = image_copy(&v.image);
            image_file file = damaged.files[a];
            damaged.files[a].data = damaged.files[b].data;
            damaged.files[a].len = damaged.files[b].len;
            damaged.files[b].data = file.data;
            damaged.files[b].len = file.len;
            assert_refused(&v, &damaged, tl_segment_number(file.name), "this is segment ");
            image_free(&damaged);
        }
    }
    free_victim(&v);
}

/* Files of another book, of the same name and shape. */
static void test_files_foreign(void **state) {
    victim v;
    victim other;
    make_victim(&v, CLOSED);
    make_victim(&other, CLOSED);
    assert_int_equal(v.image.count, other.image.count);
    for (size_t f = 0; f < v.image.count; f++) {
        image damaged = image_copy(&v.image);
        image_file file = damaged.files[f];
        damaged.files[f] = other.image.files[f];
        /* A foreign segment 1 makes all others look foreign. */
        uint32_t segment = tl_segment_number(file.name);
        assert_refused(&v, &damaged, segment == 1 ? 2 : segment, "another book");
        damaged.files[f] = file;
        image_free(&damaged);
    }
    free_victim(&v);
    free_victim(&other);
}

/* An older state of one segment, put back: of a sealed log's last but one, and of the final one
 * behind a sealed. */
static void test_files_old(void **state) {
    victim v;
    make_victim(&v, CLOSED);
    image damaged = image_copy(&v.image);
    image_file *file = image_find(&damaged, "segment-00000002.log");
    const logbook_group *g = NULL;
    for (size_t i = 0; i < v.book.group_count; i++) {
        if (v.book.groups[i].place.segment == 2) {
            g = &v.book.groups[i]; /* the last of it */
        }
    }
    /* As it was before its last group: zeros from there, and as long as it then was. */
    file->data = realloc(file->data, 4096);
    assert_non_null(file->data);
    memset(file->data + g->place.offset, 0, 4096 - g->place.offset);
    file->len = 4096;
    assert_refused(&v, &damaged, 2, "the next segment's link");
    image_free(&damaged);

    /* The final segment as it was when it was the spare. */
    damaged = image_copy(&v.image);
    file = image_find(&damaged, "segment-00000003.log");
    memset(file->data + TL_FIRST_GROUP, 0, file->len - TL_FIRST_GROUP);
    assert_refused(&v, &damaged, 3, "its link is gone"); /* INV-D10 */
    image_free(&damaged);
    free_victim(&v);
}

/* Several faults at once: the first seal gone and the file as long as it was, the second link gone. */
static void test_several_faults(void **state) {
    victim v;
    make_victim(&v, KILLED);
    image damaged = image_copy(&v.image);
    image_file *file = image_find(&damaged, "segment-00000001.log");
    size_t seal = file->len - TL_SEAL_GROUP_BYTES;
    file->data = realloc(file->data, 4096);
    assert_non_null(file->data);
    memset(file->data + seal, 0, 4096 - seal);
    file->len = 4096;
    assert_refused(&v, &damaged, 1, "seal"); /* only the final one's predecessor may lack it */
    file = image_find(&damaged, "segment-00000002.log");
    memset(file->data + TL_FIRST_GROUP, 0, file->len - TL_FIRST_GROUP);
    assert_refused(&v, &damaged, 1, "no valid group");
    image_free(&damaged);
    free_victim(&v);
}

/* Names that are none of ours are left alone. */
static void test_foreign_names(void **state) {
    static const char *const names[] = {"segment-1.log",
                                        "segment-00000000.log",
                                        "segment-0000000x.log",
                                        "segment-000000001.log",
                                        "readme",
                                        "torn-1.bin"};
    victim v;
    make_victim(&v, CLOSED);
    image more = image_copy(&v.image);
    size_t ours = more.count;
    more.files = realloc(more.files, (ours + 8) * sizeof *more.files);
    assert_non_null(more.files);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        image_file *file = &more.files[more.count++];
        (void)snprintf(file->name, sizeof file->name, "%s", names[i]);
        file->len = 5;
        file->data = calloc(1, 5);
    }
    assert_int_equal(try_open(&v, &more, false), OPENED);
    image_free(&more);
    free_victim(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed),         cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_rotated), cmocka_unit_test(test_files_lost),
        cmocka_unit_test(test_files_swapped),  cmocka_unit_test(test_files_foreign),
        cmocka_unit_test(test_files_old),      cmocka_unit_test(test_foreign_names),
        cmocka_unit_test(test_several_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
