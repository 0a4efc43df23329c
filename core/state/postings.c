/*
 * Do a draft's postings balance, currency by currency?
 *
 * Nearly every draft has one currency, and the keys come in order: one pass, two sums. Others are
 * sorted (n log n, whatever a hostile caller sends; a table by currency was left, it would have to
 * be cleared or grown for a case that hardly occurs), so that a currency's legs are side by side.
 */
#include <assert.h>

#include "state/internal.h"

typedef struct sums {
    talea_i128 debits;
    talea_i128 credits;
} sums;

static talea_code range_error(const tl_currency *currency, const char *what, talea_error *err) {
    return tl_error(err, TALEA_CONSTRAINT_VIOLATION, "asset \"%.*s\": %s would exceed 127 bits",
                    (int)currency->name.len, currency->name.data, what);
}

static inline talea_code add_leg(sums *sum, const tl_currency *currency, const talea_posting *leg,
                                 talea_error *err) {
    assert(leg->side == TALEA_SIDE_DEBIT || leg->side == TALEA_SIDE_CREDIT);
    assert(leg->amount > 0);
    talea_i128 *total = leg->side == TALEA_SIDE_DEBIT ? &sum->debits : &sum->credits;
    if (__builtin_add_overflow(*total, leg->amount, total)) {
        return range_error(currency, "the draft's postings", err);
    }
    return TALEA_OK;
}

/* A currency's sums are complete. */
static inline talea_code judge_sums(const sums *sum, const tl_currency *currency,
                                    talea_error *err) {
    if (sum->debits != sum->credits) {
        char debits[TALEA_AMOUNT_TEXT_BYTES];
        char credits[TALEA_AMOUNT_TEXT_BYTES];
        talea_amount_format(sum->debits, debits);
        talea_amount_format(sum->credits, credits);
        return tl_error(err, TALEA_UNBALANCED, "asset \"%.*s\": debits %s, credits %s",
                        (int)currency->name.len, currency->name.data, debits, credits);
    }
    talea_i128 turnover = 0;
    if (__builtin_add_overflow(currency->turnover, sum->debits, &turnover)) {
        return range_error(currency, "the book's total of debits", err);
    }
    return TALEA_OK;
}

static int compare_keys(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort_keys(uint64_t *keys, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        if (keys[i - 1] > keys[i]) {
            qsort(keys, count, sizeof *keys, compare_keys);
            return;
        }
    }
}

talea_code tl_postings_count_check(size_t leg_count, talea_error *err) {
    if (leg_count < 2) {
        return tl_error(err, leg_count == 0 ? TALEA_INVALID_DRAFT : TALEA_UNBALANCED,
                        "a draft needs at least two postings, not %zu", leg_count);
    }
    if (leg_count > TL_LEGS_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "a draft has at most %d postings, not %zu",
                        TL_LEGS_MAX, leg_count);
    }
    return TALEA_OK;
}

talea_code tl_postings_judge(const talea_posting *legs, uint64_t *keys, uint32_t leg_count,
                             const tl_currency *currencies, talea_error *err) {
    assert(leg_count >= 2);
    assert(leg_count <= TL_LEGS_MAX);
    sort_keys(keys, leg_count);
    sums sum = {0, 0};
    for (uint32_t i = 0; i < leg_count; i++) {
        const tl_currency *currency = &currencies[keys[i] >> 32];
        talea_code code = add_leg(&sum, currency, &legs[(uint32_t)keys[i]], err);
        if (code == TALEA_OK && (i + 1 == leg_count || keys[i] >> 32 != keys[i + 1] >> 32)) {
            code = judge_sums(&sum, currency, err);
            sum = (sums){0, 0};
        }
        if (code != TALEA_OK) {
            return code;
        }
    }
    return TALEA_OK;
}
