/*
 * Segment headers, group headers, directory names. Oracle: golden.h; and that no single flipped bit
 * passes.
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

static tl_segment_header sample(void) {
    tl_segment_header h = {.segment = 7,
                           .salt = SALT,
                           .uid = uid,
                           .created_at = 1700000000123456,
                           .space = 16384,
                           .name_len = 9};
    memcpy(h.name,
           "b\xC3\xBC"
           "cher 1",
           9);
    return h;
}

static void test_segment_header(void **state) {
    tl_segment_header in = sample();
    tl_segment_header out;
    uint8_t bytes[TL_SEGMENT_HEADER_BYTES];
    tl_segment_header_encode(&in, bytes);
    assert_memory_equal(bytes, golden_segment_header, sizeof bytes);
    assert_true(tl_segment_header_decode(golden_segment_header, &out));
    assert_int_equal(out.segment, in.segment);
    assert_int_equal(out.salt, in.salt);
    assert_true(out.uid.u0 == in.uid.u0 && out.uid.u1 == in.uid.u1);
    assert_int_equal(out.created_at, in.created_at);
    assert_int_equal(out.space, in.space);
    assert_int_equal(out.name_len, in.name_len);
    assert_memory_equal(out.name, in.name, in.name_len);
}

static void test_segment_header_bits(void **state) {
    uint8_t bytes[TL_SEGMENT_HEADER_BYTES];
    tl_segment_header out;
    memcpy(bytes, golden_segment_header, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(tl_segment_header_decode(bytes, &out));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(tl_segment_header_decode(bytes, &out));
}

/* A right crc does not help a header that encode would not write. */
static void test_segment_header_strict(void **state) {
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {
        {8, 2},    /* version */
        {20, 0},   /* a zero byte in the salt */
        {48, 0},   /* no name */
        {48, 129}, /* too long */
        {48, 8},   /* something behind the name */
        {177, 1},  /* reserved */
        {184, 1},  {511, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[TL_SEGMENT_HEADER_BYTES];
        tl_segment_header out;
        memcpy(bytes, golden_segment_header, sizeof bytes);
        bytes[bad[i].at] = bad[i].value;
        memset(bytes + 12, 0, 4);
        /* The crc by its definition, bit by bit. */
        uint32_t crc = 0xFFFFFFFF;
        for (size_t n = 0; n < sizeof bytes; n++) {
            crc ^= bytes[n];
            for (int b = 0; b < 8; b++) {
                crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
            }
        }
        tl_put_u32(bytes + 12, ~crc);
        assert_false(tl_segment_header_decode(bytes, &out));
    }
}

static void test_group_header(void **state) {
    tl_group_header in = {.durable_upto = 1024,
                          .space_end = 16384,
                          .prev_crc = 0x0BADF00D,
                          .first_seq = 44,
                          .at = 1700000000123457};
    tl_group_header out = {0};
    uint8_t bytes[TL_GROUP_HEADER_BYTES];
    tl_group_header_encode(&in, 7, SALT, 1024, bytes);
    assert_memory_equal(bytes, golden_proof, sizeof bytes);
    assert_true(tl_group_header_decode(bytes, 7, SALT, 1024, &out));
    assert_true(out.crc == in.crc && out.body_bytes == in.body_bytes &&
                out.durable_upto == in.durable_upto && out.space_end == in.space_end &&
                out.prev_crc == in.prev_crc && out.first_seq == in.first_seq && out.at == in.at);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(tl_group_header_decode(bytes, 7, SALT, 1024, &out));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* Valid in its own place only. */
    assert_false(tl_group_header_decode(bytes, 8, SALT, 1024, &out));
    assert_false(tl_group_header_decode(bytes, 7, SALT, 1032, &out));
    assert_false(tl_group_header_decode(bytes, 7, SALT + 1, 1024, &out));
}

/* What follows a group: at its end, or a proof at the next multiple of 512 behind filler, or behind zeros. */
static void test_header_find(void **state) {
    uint8_t bytes[600];
    tl_group_header h;
    for (uint32_t end = 520; end <= 1024; end += 8) {
        size_t gap = 1024 - end;
        uint32_t offset = end;
        tl_put_filler(bytes, gap, SALT);
        memcpy(bytes + gap, golden_proof, TL_GROUP_HEADER_BYTES);
        assert_true(tl_group_header_find(bytes, gap + 40, 7, SALT, &offset, &h));
        assert_int_equal(offset, 1024);
        assert_int_equal(h.first_seq, 44);
        offset = end;
        assert_false(tl_group_header_find(bytes, gap + 39, 7, SALT, &offset, &h));
        assert_int_equal(offset, end);
        memset(bytes, 0, gap);
        assert_true(tl_group_header_find(bytes, gap + 40, 7, SALT, &offset, &h));
        for (size_t i = 0; i < gap; i++) {
            offset = end;
            bytes[i] = 0x11;
            assert_false(tl_group_header_find(bytes, gap + 40, 7, SALT, &offset, &h));
            bytes[i] = 0;
        }
    }
    /* A group with a body does not stand behind a gap, and a proof not in the middle of a sector.
     */
    uint32_t offset = 592 - 8;
    memset(bytes, 0, 8);
    memcpy(bytes + 8, golden_group, TL_GROUP_HEADER_BYTES);
    assert_false(tl_group_header_find(bytes, 48, 7, SALT, &offset, &h));
    tl_group_header proof = {.durable_upto = 600, .space_end = 16384, .first_seq = 1};
    tl_group_header_encode(&proof, 7, SALT, 600, bytes);
    offset = 600;
    assert_false(tl_group_header_find(bytes, 40, 7, SALT, &offset, &h));
    memcpy(bytes, golden_group, TL_GROUP_HEADER_BYTES);
    offset = 592;
    assert_true(tl_group_header_find(bytes, 40, 7, SALT, &offset, &h));
}

static void test_spacing(void **state) {
    assert_int_equal(tl_proof_offset(512), 512);
    assert_int_equal(tl_proof_offset(520), 1024);
    assert_int_equal(tl_space_needed(1024), 1536);
    assert_int_equal(tl_space_needed(1032), 2048);
    for (uint64_t end = 512; end < 4096; end += 8) {
        assert_true(tl_space_needed(end) >= end + TL_GROUP_HEADER_BYTES);
        assert_true(tl_space_needed(end) >= tl_proof_offset(end) + TL_GROUP_HEADER_BYTES);
    }
}

static void assert_dir(const char *name, size_t len, const char *due) {
    char out[TL_DIR_NAME_BYTES];
    tl_book_dir_name((talea_text){name, len}, out);
    assert_string_equal(out, due);
}

static void test_dir_names(void **state) {
    char name[TL_NAME_BYTES_MAX];
    char due[TL_DIR_NAME_BYTES];
    assert_dir("main", 4, "main");
    assert_dir("_system", 7, "_system");
    assert_dir("Main", 4, "%4dain");
    assert_dir("a.b/c d-1_", 10, "a%2eb%2fc%20d-1_");
    assert_dir("..", 2, "%2e%2e");
    assert_dir("%41", 3, "%2541");
    assert_dir("\xC3\xBC", 2, "%c3%bc");
    /* The longest that stands as it is: 66 escaped and 2 plain bytes make 200. */
    memset(name, 'A', 66);
    memcpy(name + 66, "zz", 2);
    for (size_t i = 0; i < 66; i++) {
        memcpy(due + 3 * i, "%41", 3);
    }
    memcpy(due + 198, "zz", 3);
    assert_dir(name, 68, due);
    /* One more is hashed (libxxhash 0.8.1: XXH3_128bits of 128 times "A", hi and lo). */
    memset(name, 'A', sizeof name);
    for (size_t i = 0; i < 54; i++) {
        memcpy(due + 3 * i, "%41", 3);
    }
    memcpy(due + 160, "~c9c82ec2aa833714aac56b89d919889d", 34);
    assert_dir(name, sizeof name, due);
    for (size_t i = 0; i < 64; i++) {
        memcpy(name + 2 * i, "\xC3\xBC", 2);
    }
    for (size_t i = 0; i < 27; i++) {
        memcpy(due + 6 * i, "%c3%bc", 6);
    }
    memcpy(due + 160, "~1b5f23ca7cb4dd56d893e37b8819ab54", 34);
    assert_dir(name, sizeof name, due);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_header),
        cmocka_unit_test(test_segment_header_bits),
        cmocka_unit_test(test_segment_header_strict),
        cmocka_unit_test(test_group_header),
        cmocka_unit_test(test_header_find),
        cmocka_unit_test(test_spacing),
        cmocka_unit_test(test_dir_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
