/*
 * Balance per asset, against sums that are added up asset by asset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/rng.h"
#include "base/thread.h"
#include "state/fixture.h"

/* Accounts as far as tl_postings_check looks at them. */
static tl_account *make_accounts(uint32_t count, uint32_t assets) {
    static char names[TL_LEGS_MAX][16];
    tl_account *accounts = calloc(count, sizeof *accounts);
    assert_non_null(accounts);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t asset = i % assets;
        snprintf(names[asset], sizeof names[asset], "A%u", asset);
        accounts[i].def = account_def("account", names[asset], TALEA_KIND_ASSET);
        accounts[i].ordinal = i;
        accounts[i].asset_id = asset;
    }
    return accounts;
}

static talea_code naive(tl_account *const *accounts, const talea_posting *legs, uint32_t count,
                        uint32_t assets) {
    for (uint32_t asset = 0; asset < assets; asset++) {
        talea_i128 difference = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (accounts[i]->asset_id == asset) {
                difference += legs[i].side == TALEA_SIDE_DEBIT ? legs[i].amount : -legs[i].amount;
            }
        }
        if (difference != 0) {
            return TALEA_UNBALANCED;
        }
    }
    return TALEA_OK;
}

static void random_drafts(void **state) {
    enum { LEGS = 150, ASSETS = 12 };
    rng seed = {5};
    tl_account *accounts = make_accounts(ASSETS * 3, ASSETS);
    tl_account *chosen[LEGS];
    talea_posting legs[LEGS];
    uint32_t balanced = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t assets = 1 + rng_below(&seed, rng_below(&seed, 2) ? ASSETS : 2);
        uint32_t count = 2 + rng_below(&seed, rng_below(&seed, 10) ? 8 : LEGS - 2);
        count -= rng_below(&seed, 4) ? count % 2 : 0;
        /* Pairs that balance, shuffled; then now and then one amount off, or one leg elsewhere. */
        for (uint32_t i = 0; i < count; i++) {
            if (i % 2 == 0 || i == count) {
                uint32_t account = rng_below(&seed, 3) * ASSETS + rng_below(&seed, assets);
                chosen[i] = &accounts[account];
                legs[i] = debit(account, 1 + rng_below(&seed, 5));
            } else {
                uint32_t account = chosen[i - 1]->asset_id + ASSETS * rng_below(&seed, 3);
                chosen[i] = &accounts[account];
                legs[i] = credit(account, legs[i - 1].amount);
            }
        }
        for (uint32_t i = count - 1; i > 0; i--) {
            uint32_t j = rng_below(&seed, i + 1);
            tl_account *account = chosen[i];
            talea_posting leg = legs[i];
            chosen[i] = chosen[j];
            legs[i] = legs[j];
            chosen[j] = account;
            legs[j] = leg;
        }
        if (rng_below(&seed, 4) == 0) {
            legs[rng_below(&seed, count)].amount += 1;
        }
        if (rng_below(&seed, 4) == 0) {
            uint32_t i = rng_below(&seed, count);
            chosen[i] = &accounts[rng_below(&seed, ASSETS)];
        }
        talea_error err;
        talea_code want = naive(chosen, legs, count, ASSETS);
        assert_int_equal(tl_postings_check(chosen, legs, count, &err), want);
        balanced += want == TALEA_OK;
    }
    assert_in_range(balanced, 2000, 18000);
    free(accounts);
}

static void words(void **state) {
    tl_account *accounts = make_accounts(4, 2);
    tl_account *two[] = {&accounts[0], &accounts[1]};
    talea_error err;
    talea_posting legs[] = {debit(0, 100), credit(1, 100)};
    assert_int_equal(tl_postings_check(two, legs, 2, &err), TALEA_UNBALANCED);
    assert_string_equal(err.message, "asset \"A0\": debits 100, credits 0");
    tl_account *same[] = {&accounts[0], &accounts[2]};
    legs[1].amount = 90;
    assert_int_equal(tl_postings_check(same, legs, 2, &err), TALEA_UNBALANCED);
    assert_string_equal(err.message, "asset \"A0\": debits 100, credits 90");
    legs[1].amount = 0;
    assert_int_equal(tl_postings_check(same, legs, 2, &err), TALEA_INVALID_AMOUNT);
    legs[1].amount = -100;
    assert_int_equal(tl_postings_check(same, legs, 2, &err), TALEA_INVALID_AMOUNT);
    assert_int_equal(tl_postings_check(same, legs, 1, &err), TALEA_UNBALANCED);
    assert_int_equal(tl_postings_check(same, legs, 0, &err), TALEA_INVALID_DRAFT);
    assert_int_equal(tl_postings_check(same, legs, 65536, &err), TALEA_TOO_LARGE);
    free(accounts);
}

/* Sums of a draft reach 127 bits, and not one further. */
static void overflow(void **state) {
    tl_account *accounts = make_accounts(4, 1);
    tl_account *four[] = {&accounts[0], &accounts[1], &accounts[2], &accounts[3]};
    talea_error err;
    talea_posting legs[] = {debit(0, I128_MAX), credit(1, I128_MAX - 1), credit(2, 1),
                            credit(3, 1)};
    assert_int_equal(tl_postings_check(four, legs, 3, &err), TALEA_OK);
    assert_int_equal(tl_postings_check(four, legs, 4, &err), TALEA_CONSTRAINT_VIOLATION);
    assert_non_null(strstr(err.message, "127 bits"));
    /* Modulo 2^128 these two sides would be equal. */
    talea_posting wrap[] = {debit(0, I128_MAX), debit(1, I128_MAX), debit(2, 3), credit(3, 1)};
    assert_int_equal(tl_postings_check(four, wrap, 4, &err), TALEA_CONSTRAINT_VIOLATION);
    free(accounts);
}

/* The largest draft, each pair of legs in an asset of its own: neither quadratic nor refused. */
static void many_assets(void **state) {
    enum { LEGS = TL_LEGS_MAX - 1 };
    tl_account *accounts = make_accounts(LEGS, LEGS / 2);
    tl_account **chosen = calloc(LEGS, sizeof(tl_account *));
    talea_posting *legs = calloc(LEGS, sizeof *legs);
    assert_non_null(chosen);
    assert_non_null(legs);
    for (uint32_t i = 0; i < LEGS; i++) {
        chosen[i] = &accounts[i];
        legs[i] = i < LEGS / 2 ? debit(i, 7) : credit(i, 7);
    }
    talea_error err;
    int64_t before = tl_monotonic_us();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tl_postings_check(chosen, legs, LEGS, &err), TALEA_OK);
    }
    assert_true(tl_monotonic_us() - before < 5000000);
    legs[LEGS - 1].amount = 8;
    assert_int_equal(tl_postings_check(chosen, legs, LEGS, &err), TALEA_UNBALANCED);
    assert_string_equal(err.message, "asset \"A32766\": debits 7, credits 8");
    free(legs);
    free(chosen);
    free(accounts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(overflow),
        cmocka_unit_test(random_drafts),
        cmocka_unit_test(many_assets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
