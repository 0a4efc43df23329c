/*
 * The state by hand: each rule once, with the words that a user would see. Random sequences against a
 * model are in test_model.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "state/fixture.h"

static tl_account *stage(tl_state *state, talea_account_def def) {
    talea_error err;
    tl_account *account = NULL;
    assert_int_equal(tl_state_stage_account(state, &def, &account, &err), TALEA_OK);
    assert_non_null(account);
    return account;
}

static void publish(tl_state *state, const tl_account *account, uint64_t seq) {
    talea_error err;
    assert_int_equal(apply_account_event(state, &account->def, seq, (int64_t)seq * 10, false, &err),
                     TALEA_OK);
}

static talea_code post(tl_state *state, const talea_posting *legs, uint32_t count,
                       talea_error *err) {
    return tl_state_stage_transaction(state, legs, count, err);
}

static talea_code apply(tl_state *state, const talea_posting *legs, uint32_t count, uint64_t seq,
                        bool replay, talea_error *err) {
    tl_transaction transaction = {.key = text("k"), .legs = legs, .leg_count = count};
    return apply_transaction_event(state, &transaction, seq, replay, err);
}

static void staging_and_publishing(void **unused) {
    tl_state *state = tl_state_new();
    char name[] = "cash";
    tl_account *cash = stage(state, account_def(name, "EUR", TALEA_KIND_ASSET));
    name[0] = 'X'; /* the state has its own copy */
    assert_int_equal(cash->ordinal, 0);
    assert_true(cash->opened_seq == 0);
    assert_string_equal(cash->def.account.data, "cash");
    assert_string_equal(cash->def.asset.data, "EUR");
    assert_ptr_equal(tl_state_resolve_account(state, text("cash")), cash);
    assert_null(tl_state_find_account(state, text("cash")));
    assert_int_equal(tl_state_account_count(state), 0);
    assert_int_equal(staged_account_count(state), 1);

    publish(state, cash, 3);
    assert_true(cash->opened_seq == 3);
    assert_true(cash->updated_seq == 3);
    assert_true(cash->opened_at == 30);
    assert_ptr_equal(tl_state_resolve_account(state, text("cash")), cash);
    assert_ptr_equal(tl_state_find_account(state, text("cash")), cash);
    assert_ptr_equal(tl_state_account(state, 0), cash);
    assert_int_equal(tl_state_account_count(state), 1);

    talea_error err;
    tl_account *again = NULL;
    talea_account_def def = account_def("cash", "EUR", TALEA_KIND_ASSET);
    assert_int_equal(tl_state_stage_account(state, &def, &again, &err), TALEA_ALREADY_EXISTS);
    assert_null(again);
    tl_account *rent = stage(state, account_def("rent", "USD", TALEA_KIND_EXPENSE));
    def = account_def("rent", "EUR", TALEA_KIND_EXPENSE);
    assert_int_equal(tl_state_stage_account(state, &def, &again, &err), TALEA_ALREADY_EXISTS);
    assert_string_equal(err.message, "account \"rent\" is already open");
    assert_int_not_equal(rent->asset_id, cash->asset_id);
    tl_state_unstage_account(state);
    assert_null(tl_state_resolve_account(state, text("rent")));
    assert_int_equal(staged_account_count(state), 1);
    rent = stage(state, def);
    assert_int_equal(rent->ordinal, 1);
    assert_int_equal(rent->asset_id, cash->asset_id);
    tl_state_free(state); /* with something staged */
}

static void assets(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    talea_asset_def coin = {.asset = text("BTC"),
                            .asset_class = TALEA_CLASS_CRYPTO,
                            .network = text("bitcoin"),
                            .name = text("Bitcoin"),
                            .precision = 8};
    talea_asset_def euro = fiat("EUR");
    assert_int_equal(tl_state_stage_asset(state, &coin, &err), TALEA_OK);
    assert_int_equal(tl_state_stage_asset(state, &coin, &err), TALEA_ALREADY_EXISTS);
    assert_int_equal(tl_state_stage_asset(state, &euro, &err), TALEA_OK);
    assert_true(tl_asset_same(tl_state_resolve_asset(state, text("BTC")), &coin));
    assert_int_equal(tl_state_asset_count(state), 0);
    uint32_t ordinal = 99;
    assert_false(tl_state_find_asset(state, text("BTC"), &ordinal));
    assert_int_equal(ordinal, 99);

    assert_int_equal(apply_asset_event(state, &coin, false, &err), TALEA_OK);
    assert_non_null(tl_state_resolve_asset(state, text("BTC")));
    assert_non_null(tl_state_resolve_asset(state, text("EUR")));
    assert_true(tl_state_find_asset(state, text("BTC"), &ordinal));
    assert_int_equal(ordinal, 0);
    assert_int_equal(tl_state_asset_count(state), 1);
    const talea_asset_def *got = tl_state_asset(state, 0);
    assert_string_equal(got->asset.data, "BTC");
    assert_string_equal(got->network.data, "bitcoin");
    assert_string_equal(got->name.data, "Bitcoin");
    assert_null(got->native_id.data);

    tl_state_unstage_asset(state);
    assert_null(tl_state_resolve_asset(state, text("EUR")));
    assert_int_equal(apply_asset_event(state, &euro, true, &err), TALEA_OK);
    assert_int_equal(apply_asset_event(state, &euro, true, &err), TALEA_CORRUPT);
    assert_string_equal(err.message, "asset \"EUR\" is already registered");
    euro.precision = 40;
    euro.asset = text("XXX");
    assert_int_equal(apply_asset_event(state, &euro, true, &err), TALEA_CORRUPT);
    assert_int_equal(tl_state_asset_count(state), 2);
    tl_state_free(state);
}

static void refusals(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    stage(state, account_def("cash", "EUR", TALEA_KIND_ASSET));
    stage(state, account_def("rev", "EUR", TALEA_KIND_INCOME));
    tl_account *usd = stage(state, account_def("usd", "USD", TALEA_KIND_ASSET));
    talea_posting legs[] = {debit(0, 10), credit(3, 10)};
    assert_int_equal(post(state, legs, 2, &err), TALEA_UNKNOWN_ACCOUNT);
    legs[1] = credit(1, 9);
    assert_int_equal(post(state, legs, 2, &err), TALEA_UNBALANCED);
    assert_string_equal(err.message, "asset \"EUR\": debits 10, credits 9");
    legs[1] = credit(1, 0);
    assert_int_equal(post(state, legs, 2, &err), TALEA_INVALID_AMOUNT);
    legs[1] = credit(2, 10);
    assert_int_equal(post(state, legs, 2, &err), TALEA_UNBALANCED);
    assert_int_equal(post(state, legs, 1, &err), TALEA_UNBALANCED);
    assert_int_equal(post(state, legs, 65536, &err), TALEA_TOO_LARGE);
    talea_posting swap[] = {debit(0, 10), credit(1, 10), debit(2, 7), credit(2, 7)};
    assert_int_equal(post(state, swap, 4, &err), TALEA_OK);
    assert_true(usd->staged_debits == 7);
    assert_true(usd->staged_credits == 7);
    tl_state_free(state);
}

/* "Never overdrawn" for every kind, on either side, and for contra accounts. */
static void limits(void **unused) {
    static const struct {
        talea_kind kind;
        talea_side side;
        bool debit_raises;
    } cases[] = {
        {TALEA_KIND_ASSET, TALEA_SIDE_DEBIT, true},
        {TALEA_KIND_LIABILITY, TALEA_SIDE_CREDIT, false},
        {TALEA_KIND_INCOME, TALEA_SIDE_CREDIT, false},
        {TALEA_KIND_EXPENSE, TALEA_SIDE_DEBIT, true},
        {TALEA_KIND_EQUITY, TALEA_SIDE_CREDIT, false},
        {TALEA_KIND_CLEARING, TALEA_SIDE_NONE, true},
        {TALEA_KIND_ASSET, TALEA_SIDE_CREDIT, false}, /* accumulated depreciation */
        {TALEA_KIND_INCOME, TALEA_SIDE_DEBIT, true},  /* discounts given */
        {TALEA_KIND_LIABILITY, TALEA_SIDE_NONE, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tl_state *state = tl_state_new();
        talea_error err;
        talea_account_def def = account_def("x", "EUR", cases[i].kind);
        def.side = cases[i].side;
        def.has_min = def.has_max = true;
        def.min_balance = 0;
        def.max_balance = 100;
        tl_account *x = stage(state, def);
        stage(state, account_def("other", "EUR", TALEA_KIND_CLEARING));
        bool raise_debits = cases[i].debit_raises;
        talea_posting raise[] = {raise_debits ? debit(0, 60) : credit(0, 60),
                                 raise_debits ? credit(1, 60) : debit(1, 60)};
        talea_posting lower[] = {raise_debits ? credit(0, 5) : debit(0, 5),
                                 raise_debits ? debit(1, 5) : credit(1, 5)};
        assert_int_equal(post(state, lower, 2, &err), TALEA_CONSTRAINT_VIOLATION);
        assert_string_equal(err.message, "account \"x\": balance -5 would be below min_balance 0");
        assert_int_equal(post(state, raise, 2, &err), TALEA_OK);
        assert_int_equal(post(state, raise, 2, &err), TALEA_CONSTRAINT_VIOLATION);
        assert_string_equal(err.message,
                            "account \"x\": balance 120 would be above max_balance 100");
        assert_int_equal(post(state, lower, 2, &err), TALEA_OK);
        assert_true(talea_balance(x->def.side, x->staged_debits, x->staged_credits) == 55);
        tl_state_free(state);
    }
}

/* The limits hold after the whole draft, not after each leg; and a credit line may be negative. */
static void limits_after_whole_draft(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    talea_account_def def = account_def("card", "EUR", TALEA_KIND_ASSET);
    def.has_min = true;
    def.min_balance = -50;
    stage(state, def);
    stage(state, account_def("shop", "EUR", TALEA_KIND_INCOME));
    talea_posting through[] = {credit(0, 500), debit(1, 500), debit(0, 450), credit(1, 450)};
    assert_int_equal(post(state, through, 4, &err), TALEA_OK);
    talea_posting more[] = {credit(0, 1), debit(1, 1)};
    assert_int_equal(post(state, more, 2, &err), TALEA_CONSTRAINT_VIOLATION);
    assert_string_equal(err.message,
                        "account \"card\": balance -51 would be below min_balance -50");
    tl_state_unstage_transaction(state, through, 4);
    assert_int_equal(post(state, more, 2, &err), TALEA_OK);
    /* A draft that changes nothing in sum is judged as well. */
    talea_posting same[] = {debit(0, 3), credit(0, 3)};
    assert_int_equal(post(state, same, 2, &err), TALEA_OK);
    tl_state_free(state);
}

/* The debits of an asset's accounts together stay within 127 bits, so that a trial balance does. */
static void totals_in_range(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    for (uint32_t i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%u", i);
        stage(state, account_def(name, "EUR", TALEA_KIND_CLEARING));
    }
    stage(state, account_def("u0", "USD", TALEA_KIND_CLEARING));
    stage(state, account_def("u1", "USD", TALEA_KIND_CLEARING));
    talea_posting most[] = {debit(0, I128_MAX - 1), credit(1, I128_MAX - 1)};
    talea_posting one[] = {debit(2, 1), credit(3, 1)};
    talea_posting other[] = {debit(4, I128_MAX), credit(5, I128_MAX)};
    assert_int_equal(post(state, most, 2, &err), TALEA_OK);
    assert_int_equal(post(state, one, 2, &err), TALEA_OK);
    assert_int_equal(post(state, one, 2, &err), TALEA_CONSTRAINT_VIOLATION);
    assert_string_equal(err.message,
                        "asset \"EUR\": the book's total of debits would exceed 127 bits");
    assert_int_equal(post(state, other, 2, &err), TALEA_OK);
    assert_true(tl_state_account(state, 2)->staged_debits == 1);
    tl_state_unstage_transaction(state, one, 2);
    talea_posting back[] = {debit(1, 1), credit(0, 1)};
    assert_int_equal(post(state, back, 2, &err), TALEA_OK);
    assert_int_equal(post(state, back, 2, &err), TALEA_CONSTRAINT_VIOLATION);
    tl_state_free(state);
}

static void applying(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    tl_account *cash = stage(state, account_def("cash", "EUR", TALEA_KIND_ASSET));
    tl_account *rev = stage(state, account_def("rev", "EUR", TALEA_KIND_INCOME));
    publish(state, cash, 1);
    publish(state, rev, 2);
    talea_posting legs[] = {debit(0, 10), debit(0, 5), credit(1, 15)};
    assert_int_equal(post(state, legs, 3, &err), TALEA_OK);
    assert_true(cash->staged_debits == 15);
    assert_true(cash->debits == 0);
    assert_int_equal(apply(state, legs, 3, 3, false, &err), TALEA_OK);
    assert_true(cash->debits == 15);
    assert_true(rev->credits == 15);
    assert_true(cash->updated_seq == 3);
    assert_true(cash->history.count == 2);
    talea_history_entry entry;
    tl_history_get(&cash->history, 0, &entry);
    assert_true(entry.seq == 3 && entry.amount == 10 && entry.debits == 10);
    tl_history_get(&cash->history, 1, &entry);
    assert_true(entry.seq == 3 && entry.amount == 5 && entry.debits == 15);
    tl_state_free(state);
}

static void unstage_all(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    tl_account *cash = stage(state, account_def("cash", "EUR", TALEA_KIND_ASSET));
    tl_account *rev = stage(state, account_def("rev", "EUR", TALEA_KIND_INCOME));
    publish(state, cash, 1);
    publish(state, rev, 2);
    talea_posting legs[] = {debit(0, I128_MAX - 7), credit(1, I128_MAX - 7)};
    assert_int_equal(post(state, legs, 2, &err), TALEA_OK);
    assert_int_equal(apply(state, legs, 2, 3, false, &err), TALEA_OK);
    stage(state, account_def("late", "USD", TALEA_KIND_ASSET));
    stage(state, account_def("later", "EUR", TALEA_KIND_ASSET));
    talea_posting more[] = {debit(3, 7), credit(1, 7)};
    assert_int_equal(post(state, more, 2, &err), TALEA_OK);
    talea_asset_def usd = fiat("USD");
    assert_int_equal(tl_state_stage_asset(state, &usd, &err), TALEA_OK);

    tl_state_unstage_all(state);
    assert_true(cash->staged_debits == I128_MAX - 7);
    assert_true(rev->staged_credits == I128_MAX - 7);
    assert_int_equal(staged_account_count(state), 2);
    assert_null(tl_state_resolve_account(state, text("late")));
    assert_null(tl_state_resolve_account(state, text("later")));
    assert_null(tl_state_resolve_asset(state, text("USD")));
    /* What is left of the range is known again. */
    talea_posting eight[] = {debit(0, 8), credit(1, 8)};
    talea_posting seven[] = {debit(0, 7), credit(1, 7)};
    assert_int_equal(post(state, eight, 2, &err), TALEA_CONSTRAINT_VIOLATION);
    assert_int_equal(post(state, seven, 2, &err), TALEA_OK);
    tl_state_free(state);
}

/* Replay trusts nothing: whatever could not have been committed is corruption. */
static void replay_refuses(void **unused) {
    tl_state *state = tl_state_new();
    talea_error err;
    talea_account_def cash = account_def("cash", "EUR", TALEA_KIND_ASSET);
    cash.has_min = true;
    talea_account_def rev = account_def("rev", "EUR", TALEA_KIND_INCOME);
    talea_account_def usd = account_def("usd", "USD", TALEA_KIND_ASSET);
    assert_int_equal(apply_account_event(state, &cash, 1, 1, true, &err), TALEA_OK);
    assert_int_equal(apply_account_event(state, &rev, 2, 2, true, &err), TALEA_OK);
    assert_int_equal(apply_account_event(state, &usd, 3, 3, true, &err), TALEA_OK);
    assert_int_equal(apply_account_event(state, &rev, 4, 4, true, &err), TALEA_CORRUPT);
    assert_string_equal(err.message, "account \"rev\" is already open");
    talea_account_def bad = account_def("bad\n", "EUR", TALEA_KIND_ASSET);
    assert_int_equal(apply_account_event(state, &bad, 4, 4, true, &err), TALEA_CORRUPT);
    bad = account_def("bad", "EUR", TALEA_KIND_ASSET);
    bad.precision = 39;
    assert_int_equal(apply_account_event(state, &bad, 4, 4, true, &err), TALEA_CORRUPT);
    assert_int_equal(tl_state_account_count(state), 3);
    assert_int_equal(staged_account_count(state), 3);

    const talea_posting wrong[][2] = {
        {debit(0, 5), credit(1, 4)}, /* unbalanced */
        {debit(0, 5), credit(2, 5)}, /* another asset */
        {debit(0, 5), credit(3, 5)}, /* no such account */
        {debit(0, 0), credit(1, 0)}, /* amounts */
        {debit(1, 5), credit(0, 5)}, /* limit */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(apply(state, wrong[i], 2, 4, true, &err), TALEA_CORRUPT);
        assert_int_equal(err.code, TALEA_CORRUPT);
    }
    for (uint32_t i = 0; i < 3; i++) {
        const tl_account *account = tl_state_account(state, i);
        assert_true(account->staged_debits == 0 && account->staged_credits == 0);
        assert_true(account->debits == 0 && account->credits == 0);
        assert_true(account->history.count == 0);
    }
    talea_posting fine[] = {debit(0, 5), credit(1, 5)};
    assert_int_equal(apply(state, fine, 2, 4, true, &err), TALEA_OK);
    assert_true(tl_state_account(state, 0)->staged_debits == 5);
    tl_state_unstage_all(state);
    assert_true(tl_state_account(state, 0)->staged_debits == 5);
    tl_state_free(state);
}

/* Many accounts: every chunk of the table, every growth of the maps; addresses stay. */
static void many_accounts(void **unused) {
    enum { COUNT = 20000 };
    tl_state *state = tl_state_new();
    tl_account **all = calloc(COUNT, sizeof(tl_account *));
    assert_non_null(all);
    char name[32];
    char asset[32];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "account-%u", i);
        snprintf(asset, sizeof asset, "asset-%u", i % 300);
        all[i] = stage(state, account_def(name, asset, TALEA_KIND_ASSET));
        assert_int_equal(all[i]->ordinal, i);
        assert_int_equal(all[i]->asset_id, i % 300);
        if (i % 2) {
            publish(state, all[i / 2], i);
        }
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "account-%u", i);
        assert_ptr_equal(tl_state_account(state, i), all[i]);
        assert_ptr_equal(tl_state_resolve_account(state, text(name)), all[i]);
        assert_ptr_equal(tl_state_find_account(state, text(name)), i < COUNT / 2 ? all[i] : NULL);
    }
    for (uint32_t i = COUNT; i-- > COUNT / 2;) {
        tl_state_unstage_account(state);
        snprintf(name, sizeof name, "account-%u", i);
        assert_null(tl_state_resolve_account(state, text(name)));
        snprintf(name, sizeof name, "account-%u", i - 1);
        assert_ptr_equal(tl_state_resolve_account(state, text(name)), all[i - 1]);
    }
    tl_state_free(state);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staging_and_publishing),
        cmocka_unit_test(assets),
        cmocka_unit_test(refusals),
        cmocka_unit_test(limits),
        cmocka_unit_test(limits_after_whole_draft),
        cmocka_unit_test(totals_in_range),
        cmocka_unit_test(applying),
        cmocka_unit_test(unstage_all),
        cmocka_unit_test(replay_refuses),
        cmocka_unit_test(many_accounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
