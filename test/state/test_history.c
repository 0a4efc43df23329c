/*
 * Histories against a plain array of the same legs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/rng.h"
#include "state/history.h"

#define I128_MAX ((talea_i128)(~(tl_u128)0 >> 1))

enum { LEGS_MAX = 1500 };

typedef struct model {
    talea_history_entry legs[LEGS_MAX];
    uint32_t count;
    talea_i128 debits;
    talea_i128 credits;
} model;

static void add(tl_history *history, model *m, uint64_t seq, talea_side side, talea_i128 amount) {
    assert_true(m->count < LEGS_MAX);
    assert_true(tl_history_append(history, seq, side, amount, m->debits, m->credits));
    if (side == TALEA_SIDE_DEBIT) {
        m->debits += amount;
    } else {
        m->credits += amount;
    }
    m->legs[m->count++] = (talea_history_entry){seq, side, amount, m->debits, m->credits};
}

static void pop(tl_history *history, model *m) {
    tl_history_pop(history);
    m->count--;
    m->debits = m->count ? m->legs[m->count - 1].debits : 0;
    m->credits = m->count ? m->legs[m->count - 1].credits : 0;
}

static uint64_t naive_lower_bound(const model *m, uint64_t seq) {
    uint64_t i = 0;
    while (i < m->count && m->legs[i].seq < seq) {
        i++;
    }
    return i;
}

static void compare(const tl_history *history, const model *m) {
    assert_int_equal(history->count, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        const talea_history_entry *want = &m->legs[i];
        talea_history_entry got;
        tl_history_get(history, i, &got);
        assert_true(got.seq == want->seq);
        assert_int_equal(got.side, want->side);
        assert_true(got.amount == want->amount);
        assert_true(got.debits == want->debits);
        assert_true(got.credits == want->credits);
        if (i % 7 == 0) {
            for (uint64_t seq = want->seq - 1; seq <= want->seq + 1; seq++) {
                assert_true(tl_history_lower_bound(history, seq) == naive_lower_bound(m, seq));
            }
        }
    }
    assert_true(tl_history_lower_bound(history, 0) == 0);
    assert_true(tl_history_lower_bound(history, UINT64_MAX) == m->count);
}

/* Amounts of at most `bits` bits, seqs that stand still, step and sometimes leap. */
static void run_random(uint64_t number, unsigned bits, uint32_t legs, bool leaps) {
    rng seed = {number};
    model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    tl_history history = {0};
    uint64_t seq = 1;
    for (uint32_t i = 0; i < legs; i++) {
        unsigned wanted = 1 + rng_below(&seed, bits);
        tl_u128 amount = (tl_u128)rng_next(&seed) << 64 | rng_next(&seed);
        amount = (amount >> (128 - wanted)) | (tl_u128)1 << (wanted - 1);
        talea_side side = rng_next(&seed) & 1 ? TALEA_SIDE_DEBIT : TALEA_SIDE_CREDIT;
        talea_i128 total = side == TALEA_SIDE_DEBIT ? m->debits : m->credits;
        if ((talea_i128)amount > I128_MAX - total) {
            amount = 1;
        }
        seq += rng_below(&seed, 3);
        if (leaps && rng_below(&seed, 50) == 0) {
            seq += rng_next(&seed) >> 24;
        }
        add(&history, m, seq, side, (talea_i128)amount);
        if (rng_below(&seed, 16) == 0) {
            for (uint32_t back = rng_below(&seed, 70); back > 0 && m->count > 0; back--) {
                pop(&history, m);
            }
            seq = m->count ? m->legs[m->count - 1].seq : 1;
        }
        if (i < 200 || i % 97 == 0) {
            compare(&history, m);
        }
    }
    compare(&history, m);
    tl_history_free(&history);
    assert_int_equal(history.count, 0);
    tl_history_free(&history);
    free(m);
}

static void random_legs(void **state) {
    static const unsigned bits[] = {3, 31, 32, 40, 63, 64, 100, 120, 127};
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        run_random(i, bits[i], LEGS_MAX, false);
        run_random(100 + i, bits[i], 600, true);
    }
}

/* One unusual leg at every place of the first two chunks, among small ones: each change of form,
 * and each border of a form. */
static void borders_everywhere(void **state) {
    const talea_i128 amounts[] = {((talea_i128)1 << 31) - 1, (talea_i128)1 << 31,
                                  ((talea_i128)1 << 63) - 1, (talea_i128)1 << 63, I128_MAX - 1000};
    model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (size_t a = 0; a < sizeof amounts / sizeof amounts[0]; a++) {
        for (uint32_t place = 0; place < 2 * TL_HISTORY_CHUNK + 2; place++) {
            tl_history history = {0};
            *m = (model){.count = 0};
            for (uint32_t i = 0; i < 2 * TL_HISTORY_CHUNK + 2; i++) {
                talea_side side = i % 3 ? TALEA_SIDE_DEBIT : TALEA_SIDE_CREDIT;
                add(&history, m, i + 1, side, i == place ? amounts[a] : i % 5 + 1);
            }
            compare(&history, m);
            tl_history_free(&history);
        }
    }
    free(m);
}

/* Both sides at their very limit in one chunk: the sums must not run into each other. */
static void both_totals_full(void **state) {
    model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    tl_history history = {0};
    add(&history, m, 1, TALEA_SIDE_DEBIT, I128_MAX);
    add(&history, m, 1, TALEA_SIDE_CREDIT, I128_MAX);
    compare(&history, m);
    tl_history_free(&history);
    free(m);
}

/* Seqs that are more than 32 bits apart inside one chunk. */
static void far_seqs(void **state) {
    model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    tl_history history = {0};
    const uint64_t seqs[] = {1, 1 + (uint64_t)UINT32_MAX, 2 + (uint64_t)UINT32_MAX,
                             3 + (uint64_t)UINT32_MAX, UINT64_C(1) << 61};
    for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
        add(&history, m, seqs[i], TALEA_SIDE_DEBIT, 1);
        compare(&history, m);
    }
    tl_history_free(&history);
    free(m);
}

static void empty(void **state) {
    tl_history history = {0};
    assert_true(tl_history_lower_bound(&history, 0) == 0);
    assert_true(tl_history_lower_bound(&history, 17) == 0);
    tl_history_free(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(random_legs),
        cmocka_unit_test(borders_everywhere),
        cmocka_unit_test(both_totals_full),
        cmocka_unit_test(far_seqs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
