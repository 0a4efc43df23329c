/*
 * CRC-32C. Oracles: the vectors of RFC 3720 B.4, the check value of the catalogue of CRCs, and the
 * definition, one bit at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "rng.h"

typedef uint32_t crc_fn(uint32_t crc, const void *data, size_t len);

static crc_fn *const both[] = {tl_crc32c, tl_crc32c_portable};

enum { BOTH = 2 };

static uint32_t by_bit(uint32_t crc, const uint8_t *p, size_t len) {
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78U : crc >> 1;
        }
    }
    return ~crc;
}

static void published_vectors(void **state) {
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t up[32];
    uint8_t down[32];
    memset(ones, 0xFF, sizeof ones);
    for (int i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    static const uint8_t read_pdu[48] = {0x01, 0xC0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                         0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                         0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                         0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};
    for (int i = 0; i < BOTH; i++) {
        assert_int_equal(both[i](0, zeros, 32), 0x8A9136AAU);
        assert_int_equal(both[i](0, ones, 32), 0x62A8AB43U);
        assert_int_equal(both[i](0, up, 32), 0x46DD794EU);
        assert_int_equal(both[i](0, down, 32), 0x113FDB5CU);
        assert_int_equal(both[i](0, read_pdu, 48), 0xD9963A56U);
        assert_int_equal(both[i](0, "123456789", 9), 0xE3069283U);
        assert_int_equal(both[i](0, "", 0), 0);
        assert_int_equal(both[i](0, NULL, 0), 0);
        assert_int_equal(both[i](0x12345678U, NULL, 0), 0x12345678U);
    }
}

static uint8_t data[1 << 14];

static void fill_random(rng *r) {
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)rng_next(r);
    }
}

/* Every length around the borders of the words and of the three interleaved blocks (3 x 512 bytes).
 */
static void every_length_and_alignment(void **state) {
    rng r = {1};
    fill_random(&r);
    static const size_t around[] = {0, 1536, 3072, 4608};
    for (size_t a = 0; a < sizeof around / sizeof around[0]; a++) {
        for (size_t len = around[a] > 40 ? around[a] - 40 : 0; len < around[a] + 40; len++) {
            for (size_t shift = 0; shift < 9; shift += a == 0 ? 1 : 3) {
                uint32_t expected = by_bit(0, data + shift, len);
                for (int i = 0; i < BOTH; i++) {
                    assert_int_equal(both[i](0, data + shift, len), expected);
                }
            }
        }
    }
}

static void random_pieces(void **state) {
    rng r = {2};
    fill_random(&r);
    for (int round = 0; round < 200; round++) {
        size_t offset = rng_below(&r, 64);
        size_t len = rng_below(&r, round % 10 == 0 ? sizeof data - 64 : 600);
        uint32_t start = (uint32_t)rng_next(&r);
        uint32_t expected = by_bit(start, data + offset, len);
        for (int i = 0; i < BOTH; i++) {
            uint32_t crc = start;
            for (size_t done = 0; done < len;) { /* extended piece by piece */
                size_t part = 1 + rng_below(&r, len - done);
                crc = both[i](crc, data + offset + done, part);
                done += part;
            }
            assert_int_equal(crc, expected);
        }
    }
}

/* Every bit of the register reaches the answer through every interleaved block. */
static void single_bits(void **state) {
    memset(data, 0, 2048);
    uint32_t zeros = by_bit(0, data, 2048);
    for (size_t bit = 0; bit < (size_t)2048 * 8; bit += 37) {
        data[bit / 8] = (uint8_t)(1U << bit % 8);
        uint32_t expected = by_bit(0, data, 2048);
        assert_int_not_equal(expected, zeros);
        for (int i = 0; i < BOTH; i++) {
            assert_int_equal(both[i](0, data, 2048), expected);
        }
        data[bit / 8] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(every_length_and_alignment),
        cmocka_unit_test(random_pieces),
        cmocka_unit_test(single_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
