/*
 * Balance per asset, against sums that are added up asset by asset; the same verdict with a state
 * and without one.
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

/* Account n holds asset n % assets, and an asset's number is that of its first account. */
static tl_state *make_accounts(uint32_t count, uint32_t assets) {
    tl_state *state = tl_state_new();
    talea_error err;
    assert_non_null(state);
    for (uint32_t i = 0; i < count; i++) {
        char name[24];
        char asset[16];
        snprintf(name, sizeof name, "account%u", i);
        snprintf(asset, sizeof asset, "A%u", i % assets);
        talea_account_def def = account_def(name, asset, TALEA_KIND_CLEARING);
        tl_account *account = NULL;
        assert_int_equal(tl_state_stage_account(state, &def, &account, &err), TALEA_OK);
        assert_int_equal(account->asset_id, i % assets);
    }
    return state;
}

/* What staging says; nothing stays staged. */
static talea_code check(tl_state *state, const talea_posting *legs, uint32_t count,
                        talea_error *err) {
    talea_code code = tl_state_stage_transaction(state, legs, count, err);
    if (code == TALEA_OK) {
        tl_state_unstage_transaction(state, legs, count);
    }
    return code;
}

/* What somebody is told who has no state, and numbers the assets himself: last first. */
static talea_code judge(const talea_posting *legs, uint32_t count, uint32_t assets,
                        talea_error *err) {
    char(*names)[16] = calloc(assets, sizeof *names);
    tl_currency *currencies = calloc(assets, sizeof *currencies);
    uint64_t *keys = calloc(count, sizeof *keys);
    assert_non_null(names);
    assert_non_null(currencies);
    assert_non_null(keys);
    for (uint32_t asset = 0; asset < assets; asset++) {
        snprintf(names[asset], sizeof names[asset], "A%u", asset);
        currencies[assets - 1 - asset].name = text(names[asset]);
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = tl_leg_key(assets - 1 - legs[i].account % assets, i);
    }
    talea_code code = tl_postings_judge(legs, keys, count, currencies, err);
    free(keys);
    free(currencies);
    free(names);
    return code;
}

/* The same code and words from both. */
static void expect(tl_state *state, uint32_t assets, const talea_posting *legs, uint32_t count,
                   talea_code code, const char *words) {
    talea_error err;
    assert_int_equal(check(state, legs, count, &err), code);
    assert_true(code == TALEA_OK || strcmp(err.message, words) == 0);
    assert_int_equal(judge(legs, count, assets, &err), code);
    assert_true(code == TALEA_OK || strcmp(err.message, words) == 0);
}

static talea_code naive(const talea_posting *legs, uint32_t count, uint32_t assets) {
    for (uint32_t asset = 0; asset < assets; asset++) {
        talea_i128 difference = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (legs[i].account % assets == asset) {
                difference += legs[i].side == TALEA_SIDE_DEBIT ? legs[i].amount : -legs[i].amount;
            }
        }
        if (difference != 0) {
            return TALEA_UNBALANCED;
        }
    }
    return TALEA_OK;
}

static void random_drafts(void **unused) {
    enum { LEGS = 150, ASSETS = 12 };
    rng seed = {5};
    tl_state *state = make_accounts(ASSETS * 3, ASSETS);
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
                legs[i] = debit(account, 1 + rng_below(&seed, 5));
            } else {
                uint32_t account = legs[i - 1].account % ASSETS + ASSETS * rng_below(&seed, 3);
                legs[i] = credit(account, legs[i - 1].amount);
            }
        }
        for (uint32_t i = count - 1; i > 0; i--) {
            uint32_t j = rng_below(&seed, i + 1);
            talea_posting leg = legs[i];
            legs[i] = legs[j];
            legs[j] = leg;
        }
        if (rng_below(&seed, 4) == 0) {
            legs[rng_below(&seed, count)].amount += 1;
        }
        if (rng_below(&seed, 4) == 0) {
            legs[rng_below(&seed, count)].account = rng_below(&seed, ASSETS);
        }
        talea_error err;
        talea_code want = naive(legs, count, ASSETS);
        assert_int_equal(check(state, legs, count, &err), want);
        assert_int_equal(judge(legs, count, ASSETS, &err), want);
        balanced += want == TALEA_OK;
    }
    assert_in_range(balanced, 2000, 18000);
    tl_state_free(state);
}

static void words(void **unused) {
    tl_state *state = make_accounts(4, 2);
    talea_error err;
    talea_posting legs[] = {debit(0, 100), credit(1, 100)};
    assert_int_equal(check(state, legs, 2, &err), TALEA_UNBALANCED);
    assert_string_equal(err.message, "asset \"A0\": debits 100, credits 0");
    legs[1] = credit(2, 90);
    expect(state, 2, legs, 2, TALEA_UNBALANCED, "asset \"A0\": debits 100, credits 90");
    legs[1].amount = 0;
    assert_int_equal(check(state, legs, 2, &err), TALEA_INVALID_AMOUNT);
    legs[1].amount = -100;
    assert_int_equal(check(state, legs, 2, &err), TALEA_INVALID_AMOUNT);
    assert_string_equal(err.message,
                        "account \"account2\": amount must be greater than 0, not -100");
    assert_int_equal(check(state, legs, 1, &err), TALEA_UNBALANCED);
    assert_int_equal(check(state, legs, 0, &err), TALEA_INVALID_DRAFT);
    assert_int_equal(check(state, legs, 65536, &err), TALEA_TOO_LARGE);
    tl_state_free(state);
}

/* Sums of a draft reach 127 bits, and not one further. */
static void overflow(void **unused) {
    static const char over[] = "asset \"A0\": the draft's postings would exceed 127 bits";
    tl_state *state = make_accounts(4, 1);
    talea_posting legs[] = {debit(0, I128_MAX), credit(1, I128_MAX - 1), credit(2, 1),
                            credit(3, 1)};
    expect(state, 1, legs, 3, TALEA_OK, NULL);
    expect(state, 1, legs, 4, TALEA_CONSTRAINT_VIOLATION, over);
    /* Modulo 2^128 these two sides would be equal. */
    talea_posting wrap[] = {debit(0, I128_MAX), debit(1, I128_MAX), debit(2, 3), credit(3, 1)};
    expect(state, 1, wrap, 4, TALEA_CONSTRAINT_VIOLATION, over);
    tl_state_free(state);
}

/* The largest draft, each pair of legs in an asset of its own: neither quadratic nor refused. */
static void many_assets(void **unused) {
    enum { LEGS = TL_LEGS_MAX - 1 };
    tl_state *state = make_accounts(LEGS, LEGS / 2);
    talea_posting *legs = calloc(LEGS, sizeof *legs);
    assert_non_null(legs);
    for (uint32_t i = 0; i < LEGS; i++) {
        legs[i] = i < LEGS / 2 ? debit(i, 7) : credit(i, 7);
    }
    int64_t before = tl_monotonic_us();
    for (int i = 0; i < 10; i++) {
        expect(state, LEGS / 2, legs, LEGS, TALEA_OK, NULL);
    }
    assert_true(tl_monotonic_us() - before < 5000000);
    legs[LEGS - 1].amount = 8;
    expect(state, LEGS / 2, legs, LEGS, TALEA_UNBALANCED, "asset \"A32766\": debits 7, credits 8");
    free(legs);
    tl_state_free(state);
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
