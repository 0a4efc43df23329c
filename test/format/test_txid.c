/*
 * Transaction ids. Oracle: golden.h; RFC 9562's fields read by hand; and that distinct seqs give
 * distinct ids that lead back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/format.h"
#include "format/golden.h"

static const tl_uid uid = {0x0123456789ABCDEF, 0xFEDCBA9876543210};

static void test_golden(void **state) {
    static const struct {
        int64_t at;
        uint64_t seq;
        const uint8_t *due;
    } cases[] = {
        {1700000000123456, 1, golden_txid_0},
        {1700000000999999, 2, golden_txid_1},
        {0, (UINT64_C(1) << 62) - 1, golden_txid_2},
        {1700000000000000, UINT64_C(1) << 31, golden_txid_3},
        {253402300799999999, 12345678901, golden_txid_4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[16];
        tl_txid_make(uid, cases[i].at, cases[i].seq, out);
        assert_memory_equal(out, cases[i].due, sizeof out);
        assert_int_equal(tl_txid_seq(uid, out), cases[i].seq);
    }
}

/* RFC 9562, section 5.7: 48 bits of Unix milliseconds, version 7, variant 10. */
static void test_fields(void **state) {
    uint64_t z = 7;
    for (int i = 0; i < 100000; i++) {
        uint8_t id[16];
        z = z * 6364136223846793005U + 1442695040888963407U;
        int64_t at = (int64_t)(z >> 12) % 253402300800000000;
        uint64_t seq = z >> 2 >> (z >> 57) % 60;
        uint64_t ms = 0;
        tl_txid_make(uid, at, seq, id);
        for (int b = 0; b < 6; b++) {
            ms = ms << 8 | id[b];
        }
        assert_int_equal(ms, at / 1000);
        assert_int_equal(id[6] >> 4, 7);
        assert_int_equal(id[8] >> 6, 2);
        assert_int_equal((uint64_t)(id[6] & 15) << 8 | id[7], (uint64_t)(at % 1000) * 4096 / 1000);
        assert_int_equal(tl_txid_seq(uid, id), seq);
    }
}

/* Ids of one millisecond's fractions sort by time. */
static void test_order(void **state) {
    uint8_t before[16];
    uint8_t after[16];
    tl_txid_make(uid, 1700000000000000, 1, before);
    for (int64_t us = 1; us < 3000; us++) {
        tl_txid_make(uid, 1700000000000000 + us, (uint64_t)us + 1, after);
        assert_true(memcmp(before, after, 8) < 0);
        memcpy(before, after, sizeof before);
    }
}

/* All of 2^16 seqs around each border of the permutation's halves are distinct, and scattered. */
static void test_permutation(void **state) {
    static const uint64_t starts[] = {0, (UINT64_C(1) << 31) - 32768, (UINT64_C(1) << 62) - 65536};
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        unsigned high[256] = {0};
        for (uint64_t i = 0; i < 65536; i++) {
            uint8_t id[16];
            tl_txid_make(uid, 0, starts[s] + i, id);
            assert_int_equal(tl_txid_seq(uid, id), starts[s] + i); /* injective, therefore */
            high[id[9]]++;
        }
        for (int i = 0; i < 256; i++) {
            assert_in_range(high[i], 256 - 100, 256 + 100);
        }
    }
}

static void test_foreign(void **state) {
    uint8_t id[16];
    tl_txid_make(uid, 1700000000123456, 5, id);
    for (unsigned v = 0; v < 16; v++) {
        uint8_t other[16];
        memcpy(other, id, sizeof other);
        other[6] = (uint8_t)(v << 4 | (id[6] & 15));
        assert_int_equal(tl_txid_seq(uid, other), v == 7 ? 5 : 0);
    }
    for (unsigned v = 0; v < 4; v++) {
        uint8_t other[16];
        memcpy(other, id, sizeof other);
        other[8] = (uint8_t)(v << 6 | (id[8] & 63));
        assert_int_equal(tl_txid_seq(uid, other), v == 2 ? 5 : 0);
    }
    tl_uid elsewhere = {uid.u0 + 1, uid.u1};
    assert_int_not_equal(tl_txid_seq(elsewhere, id), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),  cmocka_unit_test(test_fields),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
