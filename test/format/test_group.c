/*
 * Units inside a group. Oracle: golden.h; that no single flipped bit passes; that a walk gives back
 * what was put in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/format.h"
#include "format/golden.h"

static const tl_uid uid = {0x0123456789ABCDEF, 0xFEDCBA9876543210};
enum { SALT = 0x44332211 };

static void put(tl_group_writer *w, tl_frame_kind kind, const uint8_t *body, size_t len) {
    uint8_t *p = tl_event_begin(w, len + 3);
    assert_non_null(p);
    memcpy(p, body, len);
    tl_event_end(w, kind, len);
}

static void put_golden(tl_group_writer *w) {
    assert_true(tl_group_begin(w, uid));
    tl_unit_begin(w);
    put(w, TL_FRAME_TRANSACTION, golden_simple, sizeof golden_simple);
    assert_true(tl_unit_end(w));
    tl_unit_begin(w);
    put(w, TL_FRAME_ACCOUNT, golden_account, sizeof golden_account);
    put(w, TL_FRAME_ASSET, golden_fiat, sizeof golden_fiat);
    put(w, TL_FRAME_TRANSACTION, golden_full, sizeof golden_full);
    assert_true(tl_unit_end(w));
}

static void test_golden_group(void **state) {
    tl_group_writer w = {0};
    put_golden(&w);
    tl_group_header h = {.body_bytes = (uint32_t)w.buf.len - TL_GROUP_HEADER_BYTES,
                         .durable_upto = 512,
                         .space_end = 16384,
                         .prev_crc = 0xCAFEBABE,
                         .first_seq = 41,
                         .at = 1700000000123457};
    tl_group_header_encode(&h, 7, SALT, 592, w.buf.data);
    assert_int_equal(w.buf.len, sizeof golden_group);
    assert_memory_equal(w.buf.data, golden_group, sizeof golden_group);
    tl_buf_free(&w.buf);
}

static void test_golden_link_seal(void **state) {
    uint8_t link[TL_LINK_GROUP_BYTES];
    uint8_t seal[TL_SEAL_GROUP_BYTES];
    tl_hash128 hash = {0x1111222233334444, 0x5555666677778888};
    tl_hash128 got;
    uint64_t base = 0;
    tl_frames frames;
    tl_frame frame;
    tl_group_header h = {.durable_upto = 512,
                         .space_end = 16384,
                         .prev_crc = 0xDEADBEEF,
                         .first_seq = 41,
                         .at = 1700000000123450};
    assert_int_equal(sizeof golden_link, sizeof link);
    tl_link_encode(&h, 7, SALT, 512, uid, hash, 123456789, link);
    assert_memory_equal(link, golden_link, sizeof link);
    tl_frames_begin(&frames, link + TL_GROUP_HEADER_BYTES, h.body_bytes, tl_frame_seed(uid), true);
    assert_int_equal(tl_frames_next(&frames, &frame), TL_FRAMES_EVENT);
    assert_true(tl_link_decode(&frame, &got, &base));
    assert_true(got.lo == hash.lo && got.hi == hash.hi && base == 123456789);
    assert_false(tl_seal_decode(&frame, &got));
    assert_int_equal(tl_frames_next(&frames, &frame), TL_FRAMES_UNIT);
    assert_int_equal(tl_frames_next(&frames, &frame), TL_FRAMES_END);

    hash = (tl_hash128){0x9999AAAABBBBCCCC, 0xDDDDEEEEFFFF0000};
    h = (tl_group_header){.durable_upto = 4096,
                          .space_end = 4096 + TL_SEAL_GROUP_BYTES,
                          .prev_crc = 0x01020304,
                          .first_seq = 44,
                          .at = 1700000000123457};
    assert_int_equal(sizeof golden_seal, sizeof seal);
    tl_seal_encode(&h, 7, SALT, 4096, uid, hash, seal);
    assert_memory_equal(seal, golden_seal, sizeof seal);
    tl_frames_begin(&frames, seal + TL_GROUP_HEADER_BYTES, h.body_bytes, tl_frame_seed(uid), true);
    assert_int_equal(tl_frames_next(&frames, &frame), TL_FRAMES_EVENT);
    assert_true(tl_seal_decode(&frame, &got));
    assert_true(got.lo == hash.lo && got.hi == hash.hi);
    assert_false(tl_link_decode(&frame, &got, &base));
}

/* Walks a body to its end or to what is bad; counts events and units. */
static bool walk(const uint8_t *body, uint32_t len, bool check, unsigned *events, unsigned *units) {
    tl_frames frames;
    tl_frame frame;
    *events = 0;
    *units = 0;
    tl_frames_begin(&frames, body, len, tl_frame_seed(uid), check);
    for (;;) {
        switch (tl_frames_next(&frames, &frame)) {
        case TL_FRAMES_EVENT:
            assert_true(frame.body >= body && frame.body + frame.body_bytes <= body + len);
            assert_true(body + frame.offset + TL_FRAME_HEADER_BYTES == frame.body);
            ++*events;
            break;
        case TL_FRAMES_UNIT: ++*units; break;
        case TL_FRAMES_END: return true;
        case TL_FRAMES_BAD: return false;
        }
    }
}

static void test_damage(const uint8_t *group, size_t bytes) {
    uint8_t copy[1024];
    unsigned events;
    unsigned units;
    size_t len = bytes - TL_GROUP_HEADER_BYTES;
    assert_true(len <= sizeof copy);
    memcpy(copy, group + TL_GROUP_HEADER_BYTES, len);
    assert_true(walk(copy, (uint32_t)len, true, &events, &units));
    for (size_t bit = 0; bit < 8 * len; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(walk(copy, (uint32_t)len, true, &events, &units));
        (void)walk(copy, (uint32_t)len, false, &events, &units); /* may end well, must stay inside
                                                                  */
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) { /* heap memory, so that a sanitizer sees a step too far
                                              */
        uint8_t *shorter = malloc(cut + 1);
        assert_non_null(shorter);
        memcpy(shorter, copy, cut);
        bool whole = walk(shorter, (uint32_t)cut, true, &events, &units);
        assert_true(whole == (units > 0 && cut % 8 == 0 && whole)); /* only just behind a mark */
        assert_false(whole && cut > 0 && shorter[cut - 8] != TL_FRAME_MARK);
        (void)walk(shorter, (uint32_t)cut, false, &events, &units);
        free(shorter);
    }
}

static void test_damage_group(void **state) {
    test_damage(golden_group, sizeof golden_group);
}

static void test_damage_link_seal(void **state) {
    test_damage(golden_link, sizeof golden_link);
    test_damage(golden_seal, sizeof golden_seal);
}

/* Every alignment of a unit's end, with bodies that look like gaps and marks. */
static void test_round_trip(void **state) {
    tl_group_writer w = {0};
    uint8_t body[300];
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? TL_FRAME_MARK : (uint8_t)i;
    }
    for (size_t first = 1; first < 270; first++) {
        assert_true(tl_group_begin(&w, uid));
        for (size_t unit = 0; unit < 3; unit++) {
            tl_unit_begin(&w);
            for (size_t e = 0; e <= unit; e++) {
                put(&w, TL_FRAME_TRANSACTION, body, first + e);
            }
            assert_true(tl_unit_end(&w));
        }
        for (int check = 0; check < 2; check++) {
            unsigned events;
            unsigned units;
            assert_true(walk(w.buf.data + TL_GROUP_HEADER_BYTES,
                             (uint32_t)w.buf.len - TL_GROUP_HEADER_BYTES, check, &events, &units));
            assert_int_equal(events, 6);
            assert_int_equal(units, 3);
        }
        /* From any event on. */
        tl_frames frames;
        tl_frame frame;
        uint32_t at = (uint32_t)(TL_FRAME_HEADER_BYTES + first + TL_MARK_BYTES + 7) / 8 * 8;
        tl_frames_begin_at(&frames, w.buf.data + TL_GROUP_HEADER_BYTES,
                           (uint32_t)w.buf.len - TL_GROUP_HEADER_BYTES,
                           at + TL_FRAME_HEADER_BYTES + (uint32_t)first, tl_frame_seed(uid));
        static const tl_frames_result due[] = {TL_FRAMES_EVENT, TL_FRAMES_UNIT,  TL_FRAMES_EVENT,
                                               TL_FRAMES_EVENT, TL_FRAMES_EVENT, TL_FRAMES_UNIT,
                                               TL_FRAMES_END};
        for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
            assert_int_equal(tl_frames_next(&frames, &frame), due[i]);
        }
    }
    tl_buf_free(&w.buf);
}

static void test_abandon(void **state) {
    tl_group_writer w = {0};
    tl_group_writer twin = {0};
    uint8_t body[9] = "abcdefgh";
    put_golden(&twin);
    assert_true(tl_group_begin(&w, uid));
    tl_unit_begin(&w);
    put(&w, TL_FRAME_TRANSACTION, golden_simple, sizeof golden_simple);
    assert_true(tl_unit_end(&w));
    size_t before = w.buf.len;
    for (size_t n = 0; n < 4; n++) {
        tl_unit_begin(&w);
        for (size_t i = 0; i < n; i++) {
            put(&w, TL_FRAME_TRANSACTION, body, sizeof body);
        }
        tl_unit_abandon(&w);
        assert_int_equal(w.buf.len, before);
    }
    tl_unit_begin(&w);
    put(&w, TL_FRAME_ACCOUNT, golden_account, sizeof golden_account);
    put(&w, TL_FRAME_ASSET, golden_fiat, sizeof golden_fiat);
    put(&w, TL_FRAME_TRANSACTION, golden_full, sizeof golden_full);
    assert_true(tl_unit_end(&w));
    assert_int_equal(w.buf.len, twin.buf.len);
    assert_memory_equal(w.buf.data, twin.buf.data, w.buf.len);
    tl_buf_free(&w.buf);
    tl_buf_free(&twin.buf);
}

/* Links and seals stand alone; units are not empty; events of another book are not ours. */
static void test_refused(void **state) {
    uint8_t body[200] = {0};
    unsigned events;
    unsigned units;
    uint32_t link_bytes = TL_LINK_GROUP_BYTES - TL_GROUP_HEADER_BYTES;
    memcpy(body, golden_link + TL_GROUP_HEADER_BYTES, link_bytes);
    memcpy(body + link_bytes, golden_link + TL_GROUP_HEADER_BYTES, link_bytes);
    assert_true(walk(body, link_bytes, true, &events, &units));
    assert_false(walk(body, 2 * link_bytes, true, &events, &units)); /* a link behind a link */
    assert_false(walk(body, 2 * link_bytes, false, &events, &units));
    memcpy(body + link_bytes, golden_link + sizeof golden_link - TL_MARK_BYTES, TL_MARK_BYTES);
    assert_false(walk(body, link_bytes + TL_MARK_BYTES, true, &events, &units)); /* two marks */
    assert_false(walk(body, 0, true, &events, &units));
    memset(body, 0, sizeof body);
    assert_false(walk(body, 64, true, &events, &units));
    assert_false(walk(body, 64, false, &events, &units));
    tl_put_u32(body, TL_FRAME_MARK); /* a unit without events, its crc right */
    tl_frames frames;
    tl_frame frame;
    tl_frames_begin(&frames, golden_group + TL_GROUP_HEADER_BYTES,
                    sizeof golden_group - TL_GROUP_HEADER_BYTES,
                    tl_frame_seed((tl_uid){uid.u0, uid.u1 + 1}), true);
    assert_int_equal(tl_frames_next(&frames, &frame), TL_FRAMES_BAD);
    tl_put_u32(body + 4, 0);
    assert_false(walk(body, 8, true, &events, &units));
    assert_false(walk(body, 8, false, &events, &units));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_group), cmocka_unit_test(test_golden_link_seal),
        cmocka_unit_test(test_damage_group), cmocka_unit_test(test_damage_link_seal),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
