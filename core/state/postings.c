/*
 * Do a draft's postings balance, asset by asset?
 *
 * Nearly every draft has one asset: one pass, two sums. Others are sorted by asset number (n log n,
 * whatever a hostile caller sends; a table by asset was left, it would have to be cleared or grown
 * for a case that hardly occurs) and swept.
 */
#include <assert.h>

#include "state/internal.h"

enum { FEW_KEYS = 64 };

typedef struct sums {
    talea_i128 debits;
    talea_i128 credits;
} sums;

static talea_code range_error(const tl_account *account, const char *what, talea_error *err) {
    return tl_error(err, TALEA_CONSTRAINT_VIOLATION, "asset \"%.*s\": %s would exceed 127 bits",
                    (int)account->def.asset.len, account->def.asset.data, what);
}

/* Adds one leg to its asset's sums. */
static inline talea_code add_leg(sums *sum, const tl_account *account, const talea_posting *leg,
                                 talea_error *err) {
    assert(leg->side == TALEA_SIDE_DEBIT || leg->side == TALEA_SIDE_CREDIT);
    if (leg->amount <= 0) {
        char amount[TALEA_AMOUNT_TEXT_BYTES];
        talea_amount_format(leg->amount, amount);
        return tl_error(err, TALEA_INVALID_AMOUNT,
                        "account \"%.*s\": amount must be greater than 0, not %s",
                        (int)account->def.account.len, account->def.account.data, amount);
    }
    talea_i128 *total = leg->side == TALEA_SIDE_DEBIT ? &sum->debits : &sum->credits;
    if (__builtin_add_overflow(*total, leg->amount, total)) {
        return range_error(account, "the draft's postings", err);
    }
    return TALEA_OK;
}

/* An asset's sums are complete. `account` is any that holds it. */
static talea_code judge_sums(const sums *sum, const tl_account *account,
                             const tl_currency *currencies, talea_error *err) {
    if (sum->debits != sum->credits) {
        char debits[TALEA_AMOUNT_TEXT_BYTES];
        char credits[TALEA_AMOUNT_TEXT_BYTES];
        talea_amount_format(sum->debits, debits);
        talea_amount_format(sum->credits, credits);
        return tl_error(err, TALEA_UNBALANCED, "asset \"%.*s\": debits %s, credits %s",
                        (int)account->def.asset.len, account->def.asset.data, debits, credits);
    }
    talea_i128 turnover = 0;
    if (currencies &&
        __builtin_add_overflow(currencies[account->asset_id].turnover, sum->debits, &turnover)) {
        return range_error(account, "the book's total of debits", err);
    }
    return TALEA_OK;
}

static bool one_asset(tl_account *const *accounts, uint32_t leg_count) {
    for (uint32_t i = 1; i < leg_count; i++) {
        if (accounts[i]->asset_id != accounts[0]->asset_id) {
            return false;
        }
    }
    return true;
}

static talea_code judge_one_asset(tl_account *const *accounts, const talea_posting *legs,
                                  uint32_t leg_count, const tl_currency *currencies,
                                  talea_error *err) {
    sums sum = {0, 0};
    for (uint32_t i = 0; i < leg_count; i++) {
        talea_code code = add_leg(&sum, accounts[i], &legs[i], err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    return judge_sums(&sum, accounts[0], currencies, err);
}

static int compare_keys(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A key is asset number << 32 | leg: sorted, an asset's legs are side by side and in their order.
 */
static talea_code judge_sorted(uint64_t *keys, tl_account *const *accounts,
                               const talea_posting *legs, uint32_t leg_count,
                               const tl_currency *currencies, talea_error *err) {
    for (uint32_t i = 0; i < leg_count; i++) {
        keys[i] = (uint64_t)accounts[i]->asset_id << 32 | i;
    }
    qsort(keys, leg_count, sizeof *keys, compare_keys);
    sums sum = {0, 0};
    for (uint32_t i = 0; i < leg_count; i++) {
        uint32_t leg = (uint32_t)keys[i];
        talea_code code = add_leg(&sum, accounts[leg], &legs[leg], err);
        if (code == TALEA_OK && (i + 1 == leg_count || keys[i] >> 32 != keys[i + 1] >> 32)) {
            code = judge_sums(&sum, accounts[leg], currencies, err);
            sum = (sums){0, 0};
        }
        if (code != TALEA_OK) {
            return code;
        }
    }
    return TALEA_OK;
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

talea_code tl_postings_judge(tl_account *const *accounts, const talea_posting *legs,
                             uint32_t leg_count, const tl_currency *currencies, talea_error *err) {
    assert(leg_count >= 2);
    assert(leg_count <= TL_LEGS_MAX);
    if (one_asset(accounts, leg_count)) {
        return judge_one_asset(accounts, legs, leg_count, currencies, err);
    }
    uint64_t few[FEW_KEYS];
    uint64_t *keys = leg_count <= FEW_KEYS ? few : malloc(leg_count * sizeof *keys);
    if (!keys) {
        return tl_error_nomem(err);
    }
    talea_code code = judge_sorted(keys, accounts, legs, leg_count, currencies, err);
    if (keys != few) {
        free(keys);
    }
    return code;
}

talea_code tl_postings_check(tl_account *const *accounts, const talea_posting *legs,
                             uint32_t leg_count, talea_error *err) {
    talea_code code = tl_postings_count_check(leg_count, err);
    return code != TALEA_OK ? code : tl_postings_judge(accounts, legs, leg_count, NULL, err);
}
