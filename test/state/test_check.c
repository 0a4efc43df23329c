/*
 * Shapes of definitions and drafts: each case says what is wrong with an otherwise good one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "state/fixture.h"

static char long_text[2 << 20];

/* `bytes` bytes of "a". */
static talea_text filled(size_t bytes) {
    memset(long_text, 'a', sizeof long_text);
    return (talea_text){long_text, bytes};
}

#define ASSERT_REFUSED(call, want_code, words)                                                     \
    do {                                                                                           \
        talea_error err = {0};                                                                     \
        talea_code got_code = (call);                                                              \
        if (got_code != (want_code) || !strstr(err.message, words)) {                              \
            print_message("%s: %s\n", talea_code_name(got_code), err.message);                     \
        }                                                                                          \
        assert_int_equal(got_code, want_code);                                                     \
        assert_int_equal(err.code, want_code);                                                     \
        assert_non_null(strstr(err.message, words));                                               \
    } while (0)

#define ASSERT_FINE(call)                                                                          \
    do {                                                                                           \
        talea_error err = {0};                                                                     \
        talea_code got_code = (call);                                                              \
        if (got_code != TALEA_OK) {                                                                \
            print_message("%s: %s\n", talea_code_name(got_code), err.message);                     \
        }                                                                                          \
        assert_int_equal(got_code, TALEA_OK);                                                      \
    } while (0)

/* What no name may be. */
static const char *const bad_names[] = {"",         "a\nb",     "tab\t",        "\x7f",
                                        "\xC2\x85", "\xC0\x80", "\xED\xA0\x80", "a\xFF"};

static void asset_names(void **state) {
    talea_asset_def def = fiat("EUR");
    ASSERT_FINE(tl_asset_check(&def, &err));
    def.asset = text(NULL);
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "asset");
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        def = fiat(bad_names[i]);
        ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "asset");
        def = fiat("EUR");
        def.name = text(bad_names[i]);
        ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "name");
    }
    def.name = text(NULL);
    def.asset = filled(128);
    ASSERT_FINE(tl_asset_check(&def, &err));
    def.asset = filled(129);
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "asset");
    def.asset = (talea_text){"A\0B", 3};
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "asset");
    def = fiat("\xE2\x82\xAC");
    ASSERT_FINE(tl_asset_check(&def, &err));
}

static void asset_classes(void **state) {
    talea_asset_def def = fiat("EUR");
    def.network = text("eth");
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "network");
    def = fiat("EUR");
    def.native_id = text("x");
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "native_id");
    def.asset_class = TALEA_CLASS_CRYPTO;
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "network");
    def.network = text("ethereum");
    ASSERT_FINE(tl_asset_check(&def, &err));
    def.native_id = text(NULL);
    ASSERT_FINE(tl_asset_check(&def, &err));
    def.native_id = filled(512);
    ASSERT_FINE(tl_asset_check(&def, &err));
    def.native_id = filled(513);
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "native_id");
    def = fiat("EUR");
    def.asset_class = (talea_asset_class)0;
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "class");
    def = fiat("EUR");
    def.precision = 38;
    ASSERT_FINE(tl_asset_check(&def, &err));
    def.precision = 39;
    ASSERT_REFUSED(tl_asset_check(&def, &err), TALEA_INVALID_DRAFT, "precision");
}

static void accounts(void **state) {
    talea_account_def def = account_def("cash", "EUR", TALEA_KIND_ASSET);
    ASSERT_FINE(tl_account_check(&def, &err));
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        def = account_def(bad_names[i], "EUR", TALEA_KIND_ASSET);
        ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT, "account");
        def = account_def("cash", bad_names[i], TALEA_KIND_ASSET);
        ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT, "asset");
    }
    def = account_def(NULL, "EUR", TALEA_KIND_ASSET);
    ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT, "account is required");
    def = account_def("cash", NULL, TALEA_KIND_ASSET);
    ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT, "asset is required");
    for (int kind = 0; kind <= 7; kind++) {
        def = account_def("cash", "EUR", (talea_kind)kind);
        if (kind >= 1 && kind <= 6) {
            ASSERT_FINE(tl_account_check(&def, &err));
        } else {
            ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT, "kind");
        }
    }
    def = account_def("cash", "EUR", TALEA_KIND_ASSET);
    def.side = (talea_side)3;
    ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT, "normal_side");
    def = account_def("cash", "EUR", TALEA_KIND_ASSET);
    def.has_min = def.has_max = true;
    def.min_balance = def.max_balance = -5;
    ASSERT_FINE(tl_account_check(&def, &err));
    def.max_balance = -6;
    ASSERT_REFUSED(tl_account_check(&def, &err), TALEA_INVALID_DRAFT,
                   "min_balance -5 is above max_balance -6");
    def.has_max = false;
    ASSERT_FINE(tl_account_check(&def, &err));
}

static void sameness(void **state) {
    talea_asset_def a = fiat("EUR");
    talea_asset_def b = fiat("EUR");
    assert_true(tl_asset_same(&a, &b));
    b.name = text("Euro");
    assert_false(tl_asset_same(&a, &b));
    a.name = text("Euro");
    assert_true(tl_asset_same(&a, &b));
    b.precision = 3;
    assert_false(tl_asset_same(&a, &b));
    b = a;
    b.asset_class = TALEA_CLASS_CRYPTO;
    assert_false(tl_asset_same(&a, &b));
    b = a;
    b.network = text("n");
    assert_false(tl_asset_same(&a, &b));
    b = a;
    b.native_id = text("n");
    assert_false(tl_asset_same(&a, &b));

    talea_account_def c = account_def("cash", "EUR", TALEA_KIND_ASSET);
    talea_account_def d = c;
    d.precision = 9;
    d.min_balance = 4; /* not given: not looked at */
    assert_true(tl_account_same(&c, &d));
    d.has_min = true;
    assert_false(tl_account_same(&c, &d));
    c.has_min = true;
    assert_false(tl_account_same(&c, &d));
    c.min_balance = 4;
    assert_true(tl_account_same(&c, &d));
    d.has_max = true;
    assert_false(tl_account_same(&c, &d));
    d = c;
    d.side = TALEA_SIDE_CREDIT;
    assert_false(tl_account_same(&c, &d));
    d = c;
    d.kind = TALEA_KIND_EXPENSE;
    assert_false(tl_account_same(&c, &d));
    d = c;
    d.asset = text("USD");
    assert_false(tl_account_same(&c, &d));
}

static talea_draft good_draft(talea_leg legs[2]) {
    legs[0] = (talea_leg){text("cash"), text(NULL), TALEA_SIDE_DEBIT, 5};
    legs[1] = (talea_leg){text("rev"), text("EUR"), TALEA_SIDE_CREDIT, 5};
    return (talea_draft){.key = text("k-1"), .legs = legs, .leg_count = 2};
}

static void draft_keys(void **state) {
    talea_leg legs[2];
    talea_draft draft = good_draft(legs);
    ASSERT_FINE(tl_draft_check(&draft, &err));
    draft.key = text(NULL);
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "idempotency_key");
    draft.key = text("");
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "idempotency_key");
    draft.key = filled(255);
    ASSERT_FINE(tl_draft_check(&draft, &err));
    draft.key = filled(256);
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "256 bytes");
    draft.key = (talea_text){"a\0b", 3};
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "NUL");
    draft.key = text("\xFF");
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "UTF-8");
    draft.key = text("tab\tand\nline");
    ASSERT_FINE(tl_draft_check(&draft, &err));
}

static void draft_legs(void **state) {
    talea_leg legs[2];
    talea_draft draft = good_draft(legs);
    draft.leg_count = 1;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_UNBALANCED, "two postings");
    draft.leg_count = 0;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "two postings");
    draft = good_draft(legs);
    legs[1].amount = 0;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_AMOUNT, "\"rev\"");
    legs[1].amount = -7;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_AMOUNT, "-7");
    draft = good_draft(legs);
    legs[0].side = TALEA_SIDE_NONE;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "debit or a credit");
    draft = good_draft(legs);
    legs[0].account = text(NULL);
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "account is required");
    legs[0].account = text("a\nb");
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "account");
    draft = good_draft(legs);
    legs[0].asset = text("a\nb");
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "asset");

    talea_leg *many = calloc(65536, sizeof *many);
    assert_non_null(many);
    for (size_t i = 0; i < 65536; i++) {
        many[i] = legs[1];
    }
    draft.legs = many;
    draft.leg_count = 65535;
    ASSERT_FINE(tl_draft_check(&draft, &err));
    draft.leg_count = 65536;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_TOO_LARGE, "65536");
    free(many);
}

static void draft_sizes_and_times(void **state) {
    talea_leg legs[2];
    talea_draft draft = good_draft(legs);
    draft.metadata = filled(1 << 20);
    draft.external_refs = filled(1 << 20);
    ASSERT_FINE(tl_draft_check(&draft, &err));
    draft.metadata.len++;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_TOO_LARGE, "metadata");
    draft.external_refs.len++;
    ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_TOO_LARGE, "external_refs");

    static const char *const borders[] = {"0000-01-01T00:00:00.000000Z",
                                          "9999-12-31T23:59:59.999999Z"};
    for (int i = 0; i < 2; i++) {
        draft = good_draft(legs);
        draft.has_occurred_at = true;
        assert_true(talea_time_parse(borders[i], strlen(borders[i]), &draft.occurred_at));
        ASSERT_FINE(tl_draft_check(&draft, &err));
        draft.occurred_at += i ? 1 : -1;
        ASSERT_REFUSED(tl_draft_check(&draft, &err), TALEA_INVALID_DRAFT, "occurred_at");
    }
}

static void sides_and_balances(void **state) {
    assert_int_equal(talea_kind_normal_side(TALEA_KIND_ASSET), TALEA_SIDE_DEBIT);
    assert_int_equal(talea_kind_normal_side(TALEA_KIND_LIABILITY), TALEA_SIDE_CREDIT);
    assert_int_equal(talea_kind_normal_side(TALEA_KIND_INCOME), TALEA_SIDE_CREDIT);
    assert_int_equal(talea_kind_normal_side(TALEA_KIND_EXPENSE), TALEA_SIDE_DEBIT);
    assert_int_equal(talea_kind_normal_side(TALEA_KIND_EQUITY), TALEA_SIDE_CREDIT);
    assert_int_equal(talea_kind_normal_side(TALEA_KIND_CLEARING), TALEA_SIDE_NONE);
    assert_true(talea_balance(TALEA_SIDE_DEBIT, 7, 10) == -3);
    assert_true(talea_balance(TALEA_SIDE_CREDIT, 7, 10) == 3);
    assert_true(talea_balance(TALEA_SIDE_NONE, 7, 10) == -3);
    assert_true(talea_balance(TALEA_SIDE_CREDIT, I128_MAX, 0) == -I128_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asset_names),
        cmocka_unit_test(asset_classes),
        cmocka_unit_test(accounts),
        cmocka_unit_test(sameness),
        cmocka_unit_test(draft_keys),
        cmocka_unit_test(draft_legs),
        cmocka_unit_test(draft_sizes_and_times),
        cmocka_unit_test(sides_and_balances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
