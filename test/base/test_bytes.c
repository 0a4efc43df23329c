/*
 * Bytes. Oracles: arithmetic by division for integers and varints, a decoder by bit masks that
 * re-encodes what it read for UTF-8, a byte loop for the order of texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "rng.h"

static const tl_u128 u128_max = ~(tl_u128)0;
static const talea_i128 i128_max = (talea_i128)(~(tl_u128)0 >> 1);

/* ---- Fixed width ----------------------------------------------------------------------------- */

static void little_endian(void **state) {
    rng r = {5};
    for (int round = 0; round < 10000; round++) {
        uint64_t v = rng_next(&r) >> rng_below(&r, 64);
        uint8_t expected[8];
        uint64_t rest = v;
        for (int i = 0; i < 8; i++) {
            expected[i] = (uint8_t)(rest % 256);
            rest /= 256;
        }
        uint8_t p[8];
        tl_put_u64(p, v);
        assert_memory_equal(p, expected, 8);
        assert_int_equal(tl_get_u64(p), v);
        tl_put_u32(p, (uint32_t)v);
        assert_memory_equal(p, expected, 4);
        assert_int_equal(tl_get_u32(p), (uint32_t)v);
        tl_put_u16(p, (uint16_t)v);
        assert_memory_equal(p, expected, 2);
        assert_int_equal(tl_get_u16(p), (uint16_t)v);
    }
}

/* ---- Varints --------------------------------------------------------------------------------- */

static size_t naive_varint(tl_u128 v, uint8_t *out) {
    size_t n = 0;
    do {
        out[n] = (uint8_t)(v % 128);
        v /= 128;
        n++;
    } while (v != 0);
    for (size_t i = 0; i + 1 < n; i++) {
        out[i] += 128;
    }
    return n;
}

static void check_varint(tl_u128 v) {
    uint8_t expected[32];
    uint8_t p[TL_VARINT_BYTES_MAX + 1];
    size_t len = naive_varint(v, expected);
    assert_true(len <= TL_VARINT_BYTES_MAX);
    assert_int_equal(tl_put_varint(p, v), len);
    assert_memory_equal(p, expected, len);

    p[len] = 0x7F; /* what follows is left alone */
    tl_span s = tl_span_of(p, len + 1);
    assert_true(tl_span_varint(&s) == v);
    assert_false(s.bad);
    assert_int_equal(tl_span_left(&s), 1);

    for (size_t cut = 0; cut < len; cut++) {
        s = tl_span_of(p, cut);
        assert_true(tl_span_varint(&s) == 0);
        assert_true(s.bad);
    }
}

static void varint_borders_and_random(void **state) {
    for (int bit = 0; bit < 128; bit++) {
        tl_u128 power = (tl_u128)1 << bit;
        check_varint(power - 1);
        check_varint(power);
        check_varint(power + 1);
    }
    check_varint(u128_max);
    rng r = {6};
    for (int round = 0; round < 20000; round++) {
        tl_u128 v = (tl_u128)rng_next(&r) << 64 | rng_next(&r);
        check_varint(v >> rng_below(&r, 128));
    }
}

static void varint_bad(const uint8_t *p, size_t len) {
    tl_span s = tl_span_of(p, len);
    assert_true(tl_span_varint(&s) == 0);
    assert_true(s.bad);
    assert_true(tl_span_varint(&s) == 0); /* and stays bad */
    assert_int_equal(tl_span_u8(&s), 0);
    assert_int_equal(tl_span_u64(&s), 0);
    assert_null(tl_span_bytes(&s, 0));
}

static void varint_over_long_and_overflow(void **state) {
    /* Over-long: any number with a last group of zero. */
    for (size_t len = 2; len <= TL_VARINT_BYTES_MAX; len++) {
        uint8_t p[TL_VARINT_BYTES_MAX];
        memset(p, 0x81, len);
        p[len - 1] = 0;
        varint_bad(p, len);
    }
    /* In the 19th byte only the two lowest bits are left, and it must be the last. */
    for (int last = 0; last < 256; last++) {
        uint8_t p[TL_VARINT_BYTES_MAX + 2];
        memset(p, 0xFF, sizeof p);
        p[TL_VARINT_BYTES_MAX - 1] = (uint8_t)last;
        p[TL_VARINT_BYTES_MAX] = 0x01;
        if (last >= 1 && last <= 3) {
            tl_span s = tl_span_of(p, sizeof p);
            assert_true(tl_span_varint(&s) == u128_max >> (last == 1 ? 1 : 0) ||
                        (last == 2 && s.at == p + TL_VARINT_BYTES_MAX));
            assert_false(s.bad);
        } else {
            varint_bad(p, sizeof p);
        }
    }
}

static void varint_with_a_bound(void **state) {
    uint8_t p[TL_VARINT_BYTES_MAX];
    static const uint64_t bounds[] = {0, 1, 127, 128, 65535, UINT32_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        tl_span s = tl_span_of(p, tl_put_varint(p, bounds[i]));
        assert_int_equal(tl_span_varint_max(&s, bounds[i]), bounds[i]);
        assert_false(s.bad);
        s = tl_span_of(p, tl_put_varint(p, (tl_u128)bounds[i] + 1));
        assert_int_equal(tl_span_varint_max(&s, bounds[i]), 0);
        assert_true(s.bad);
    }
    tl_span s = tl_span_of(p, tl_put_varint(p, (tl_u128)1 << 64));
    assert_int_equal(tl_span_varint_max(&s, UINT64_MAX), 0);
    assert_true(s.bad);
}

static void zigzag(void **state) {
    /* The definition: 0, -1, 1, -2, 2 ... are 0, 1, 2, 3, 4 ... */
    for (int v = 0; v < 1000; v++) {
        assert_true(tl_zigzag(v) == (tl_u128)v * 2);
        assert_true(tl_zigzag(-v - 1) == (tl_u128)v * 2 + 1);
    }
    assert_true(tl_zigzag(i128_max) == u128_max - 1);
    assert_true(tl_zigzag(-i128_max - 1) == u128_max);
    rng r = {7};
    for (int round = 0; round < 10000; round++) {
        tl_u128 v = ((tl_u128)rng_next(&r) << 64 | rng_next(&r)) >> rng_below(&r, 128);
        assert_true(tl_zigzag(tl_unzigzag(v)) == v);
    }
}

/* ---- Spans and buffers ----------------------------------------------------------------------- */

static void spans(void **state) {
    static const uint8_t p[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    tl_span s = tl_span_of(p, sizeof p);
    assert_int_equal(tl_span_u8(&s), 1);
    assert_int_equal(tl_span_u64(&s), 0x0908070605040302U);
    assert_ptr_equal(tl_span_bytes(&s, 1), p + 9);
    assert_non_null(tl_span_bytes(&s, 0)); /* nothing is left, and nothing is asked for */
    assert_false(s.bad);
    assert_null(tl_span_bytes(&s, 1));
    assert_true(s.bad);

    s = tl_span_of(p, 7);
    assert_int_equal(tl_span_u64(&s), 0);
    assert_true(s.bad);

    s = tl_span_of(NULL, 0);
    assert_int_equal(tl_span_left(&s), 0);
    assert_non_null(tl_span_bytes(&s, 0));
    assert_false(s.bad);
    assert_int_equal(tl_span_u8(&s), 0);
    assert_true(s.bad);
}

static void buffers(void **state) {
    tl_buf buf = {0};
    static uint8_t expected[1 << 16];
    size_t len = 0;
    rng r = {8};
    assert_true(tl_buf_append(&buf, NULL, 0));
    while (len < sizeof expected - 1000) {
        uint8_t piece[1000];
        size_t n = rng_below(&r, sizeof piece + 1);
        for (size_t i = 0; i < n; i++) {
            piece[i] = (uint8_t)rng_next(&r);
        }
        memcpy(expected + len, piece, n);
        len += n;
        assert_true(tl_buf_append(&buf, piece, n));
        assert_int_equal(buf.len, len);
        assert_true(buf.cap >= len);
    }
    assert_memory_equal(buf.data, expected, len);

    /* What cannot be had leaves the buffer as it was. */
    const uint8_t *data = buf.data;
    assert_false(tl_buf_reserve(&buf, SIZE_MAX));
    assert_false(tl_buf_reserve(&buf, SIZE_MAX - buf.len));
    assert_false(tl_buf_reserve(&buf, SIZE_MAX / 2));
    assert_ptr_equal(buf.data, data);
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.data, expected, len);

    assert_true(tl_buf_reserve(&buf, 1 << 20));
    assert_true(buf.cap - buf.len >= 1 << 20);
    assert_int_equal(buf.len, len);
    tl_buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.cap, 0);
    tl_buf_free(&buf);
}

/* ---- Text ------------------------------------------------------------------------------------ */

static int naive_compare(talea_text a, talea_text b) {
    for (size_t i = 0;; i++) {
        int x = i < a.len ? (uint8_t)a.data[i] : -1; /* the end sorts before every byte */
        int y = i < b.len ? (uint8_t)b.data[i] : -1;
        if (x != y) {
            return x < y ? -1 : 1;
        }
        if (x < 0) {
            return 0;
        }
    }
}

static void text_order(void **state) {
    rng r = {9};
    static const char alphabet[] = {0, 'a', 'b', (char)0x80, (char)0xFF};
    for (int round = 0; round < 50000; round++) {
        char x[4];
        char y[4];
        for (int i = 0; i < 4; i++) {
            x[i] = alphabet[rng_below(&r, sizeof alphabet)];
            y[i] = alphabet[rng_below(&r, sizeof alphabet)];
        }
        talea_text a = {x, rng_below(&r, 5)};
        talea_text b = {y, rng_below(&r, 5)};
        int expected = naive_compare(a, b);
        assert_int_equal(tl_text_compare(a, b), expected);
        assert_int_equal(tl_text_compare(b, a), -expected);
        assert_int_equal(tl_text_equal(a, b), expected == 0);
    }
    talea_text none = {NULL, 0};
    talea_text one = {"a", 1};
    assert_int_equal(tl_text_compare(none, none), 0);
    assert_int_equal(tl_text_compare(none, one), -1);
    assert_true(tl_text_equal(none, none));
}

static size_t encode(uint32_t cp, uint8_t out[4]) {
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xC0 + cp / 64);
        out[1] = (uint8_t)(0x80 + cp % 64);
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xE0 + cp / 4096);
        out[1] = (uint8_t)(0x80 + cp / 64 % 64);
        out[2] = (uint8_t)(0x80 + cp % 64);
        return 3;
    }
    out[0] = (uint8_t)(0xF0 + cp / 262144);
    out[1] = (uint8_t)(0x80 + cp / 4096 % 64);
    out[2] = (uint8_t)(0x80 + cp / 64 % 64);
    out[3] = (uint8_t)(0x80 + cp % 64);
    return 4;
}

/* Is the whole text well-formed? Reads each character by the mask of its lead byte and accepts it
 * when encoding gives the same bytes again. */
static bool naive_utf8(const uint8_t *p, size_t len) {
    while (len > 0) {
        size_t n = p[0] < 0x80                   ? 1
                   : p[0] >= 0xC0 && p[0] < 0xE0 ? 2
                   : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                                                 : 4;
        if (n > len || (n == 4 && (p[0] < 0xF0 || p[0] >= 0xF8))) {
            return false;
        }
        uint32_t cp = n == 1 ? p[0] : p[0] & (0xFFU >> (n + 1));
        for (size_t i = 1; i < n; i++) {
            cp = cp * 64 + (p[i] & 63);
        }
        uint8_t again[4];
        if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF) || encode(cp, again) != n ||
            memcmp(p, again, n) != 0) {
            return false;
        }
        p += n;
        len -= n;
    }
    return true;
}

static void check_utf8(const uint8_t *p, size_t len) {
    talea_text text = {(const char *)p, len};
    if (tl_utf8_valid(text) != naive_utf8(p, len)) {
        fail_msg("%zu bytes: %02X %02X %02X %02X", len, p[0], p[1], p[2], p[3]);
    }
}

static void utf8_exhaustive_borders(void **state) {
    static const uint8_t borders[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                      0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xF4, 0xFF};
    enum { BORDERS = sizeof borders };
    uint8_t p[4] = {0};
    for (int a = 0; a < 256; a++) {
        p[0] = (uint8_t)a;
        check_utf8(p, 1);
        for (int b = 0; b < 256; b++) {
            p[1] = (uint8_t)b;
            check_utf8(p, 2);
            for (int c = 0; c < BORDERS; c++) {
                p[2] = borders[c];
                check_utf8(p, 3);
                for (int d = 0; a >= 0xE0 && d < BORDERS; d++) {
                    p[3] = borders[d];
                    check_utf8(p, 4);
                }
            }
        }
    }
    assert_true(tl_utf8_valid((talea_text){NULL, 0}));
}

/* Every code point there is: well-formed unless a surrogate, and a name unless a control character. */
static void every_code_point(void **state) {
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        uint8_t p[4];
        talea_text text = {(const char *)p, encode(cp, p)};
        bool surrogate = cp >= 0xD800 && cp <= 0xDFFF;
        bool control = cp < 0x20 || (cp >= 0x7F && cp <= 0x9F);
        if (tl_utf8_valid(text) != !surrogate ||
            tl_name_valid(text, 128) != (!surrogate && !control)) {
            fail_msg("U+%04X", cp);
        }
    }
    uint8_t past[4];
    talea_text text = {(const char *)past, encode(0x110000, past)};
    assert_false(tl_utf8_valid(text));
}

/* One odd byte in every place of a longer text, where eight bytes are looked at together. */
static void every_byte_in_every_place(void **state) {
    for (size_t len = 1; len <= 33; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                char p[33];
                memset(p, '~', sizeof p);
                p[at] = (char)c;
                talea_text text = {p, len};
                assert_int_equal(tl_utf8_valid(text), c < 0x80);
                assert_int_equal(tl_name_valid(text, 33), c >= 0x20 && c < 0x7F);
            }
        }
    }
}

static void name_lengths(void **state) {
    char p[300];
    memset(p, 'n', sizeof p);
    assert_false(tl_name_valid((talea_text){NULL, 0}, 128));
    assert_false(tl_name_valid((talea_text){p, 0}, 128));
    for (size_t len = 1; len <= sizeof p; len++) {
        assert_int_equal(tl_name_valid((talea_text){p, len}, 128), len <= 128);
        assert_int_equal(tl_name_valid((talea_text){p, len}, 255), len <= 255);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian),
        cmocka_unit_test(varint_borders_and_random),
        cmocka_unit_test(varint_over_long_and_overflow),
        cmocka_unit_test(varint_with_a_bound),
        cmocka_unit_test(zigzag),
        cmocka_unit_test(spans),
        cmocka_unit_test(buffers),
        cmocka_unit_test(text_order),
        cmocka_unit_test(utf8_exhaustive_borders),
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_byte_in_every_place),
        cmocka_unit_test(name_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
