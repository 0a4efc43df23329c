/*
 * Units: what is staged, judged, refused, deduplicated; nothing is left of what was refused or taken back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ledger.h"

static int setup(void **state) {
    ledger *l = calloc(1, sizeof *l);
    talea_error err;
    ledger_init(l);
    ledger_start(l);
    *state = l;
    return furnish_book(&l->handle, "main", &err) == TALEA_OK ? 0 : -1;
}

static int teardown(void **state) {
    ledger *l = *state;
    findings f = verify_book(&l->handle, "main");
    if (f.problems > 0) {
        (void)fprintf(stderr, "verify: %s\n", f.first);
    }
    ledger_free(l);
    free(l);
    return f.problems > 0;
}

static talea_unit *unit_of(ledger *l) {
    talea_unit *unit = NULL;
    talea_error err;
    assert_int_equal(talea_unit_new(&l->handle, &unit, &err), TALEA_OK);
    return unit;
}

static void commits(talea_unit *unit) {
    talea_error err = {.message = ""};
    talea_code code = talea_unit_commit(unit, &err);
    if (code != TALEA_OK) {
        fail_msg("%s: %s", talea_code_name(code), err.message);
    }
}

static void adds(talea_unit *unit, const char *key, const char *debit, const char *credit,
                 int64_t amount) {
    talea_error err = {.message = ""};
    talea_code code = add_post(unit, "main", key, debit, credit, amount, false, &err);
    if (code != TALEA_OK) {
        fail_msg("%s: %s", talea_code_name(code), err.message);
    }
}

static void has_balance(ledger *l, const char *account, int64_t want) {
    int64_t got = 0;
    assert_true(balance_of(&l->handle, "main", account, &got));
    assert_int_equal(got, want);
}

static void committed_and_read_back(void **state) {
    ledger *l = *state;
    told t = post(&l->handle, "main", "k1", "cash", "rev", 100);
    assert_int_equal(t.code, TALEA_OK);
    assert_int_equal(t.status, TALEA_STATUS_COMMITTED);
    assert_int_equal(t.seq, FURNITURE + 1);
    assert_true(t.at > 0);
    has_balance(l, "cash", 100);
    has_balance(l, "rev", 100);
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE + 1);
}

static void same_key_same_content(void **state) {
    ledger *l = *state;
    told first = post(&l->handle, "main", "k1", "cash", "rev", 100);
    for (int reopened = 0; reopened < 2; reopened++) {
        told again = post(&l->handle, "main", "k1", "cash", "rev", 100);
        assert_int_equal(again.code, TALEA_OK);
        assert_int_equal(again.status, TALEA_STATUS_DEDUPLICATED);
        assert_int_equal(again.seq, first.seq);
        assert_int_equal(again.at, first.at);
        assert_memory_equal(again.txid, first.txid, 16);
        has_balance(l, "cash", 100);
        ledger_stop(l);
        ledger_start(l);
    }
}

static void same_key_other_content(void **state) {
    ledger *l = *state;
    told first = post(&l->handle, "main", "k1", "cash", "rev", 100);
    for (int reopened = 0; reopened < 2; reopened++) {
        told other = post(&l->handle, "main", "k1", "cash", "rev", 101);
        assert_int_equal(other.code, TALEA_IDEMPOTENCY_CONFLICT);
        assert_int_equal(other.status, TALEA_STATUS_REJECTED);
        assert_int_equal(other.seq, first.seq);
        char words[32];
        (void)snprintf(words, sizeof words, "%llu", (unsigned long long)first.seq);
        assert_non_null(strstr(other.err.message, words));
        other = post(&l->handle, "main", "k1", "rev", "cash", 100);
        assert_int_equal(other.code, TALEA_IDEMPOTENCY_CONFLICT);
        has_balance(l, "cash", 100);
        ledger_stop(l);
        ledger_start(l);
    }
}

/* Legs in another order are the same payment; another time, reference or note is not. */
static void what_content_is(void **state) {
    ledger *l = *state;
    talea_error err;
    talea_leg legs[4] = {{.account = text("cash"), .side = TALEA_SIDE_DEBIT, .amount = 3},
                         {.account = text("bank"), .side = TALEA_SIDE_DEBIT, .amount = 4},
                         {.account = text("rev"), .side = TALEA_SIDE_CREDIT, .amount = 7}};
    talea_leg turned[4] = {legs[2], legs[0], legs[1]};
    talea_draft base = {
        .key = text("k"), .legs = legs, .leg_count = 3, .metadata = text("{\"a\":1}")};
    talea_draft variants[6] = {base, base, base, base, base, base};
    variants[1].legs = turned;
    variants[2].metadata = text("{\"a\":2}");
    variants[3].metadata = (talea_text){NULL, 0};
    variants[4].has_occurred_at = true;
    variants[5].external_refs = text("1");
    const talea_code want[6] = {TALEA_OK,
                                TALEA_OK,
                                TALEA_IDEMPOTENCY_CONFLICT,
                                TALEA_IDEMPOTENCY_CONFLICT,
                                TALEA_IDEMPOTENCY_CONFLICT,
                                TALEA_IDEMPOTENCY_CONFLICT};
    for (int i = 0; i < 6; i++) {
        talea_unit *unit = unit_of(l);
        assert_int_equal(talea_unit_add_draft(unit, text("main"), &variants[i], false, &err),
                         TALEA_OK);
        assert_int_equal(talea_unit_commit(unit, &err), want[i]);
        talea_unit_free(unit);
    }
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE + 1);
}

static void keys_within_one_unit(void **state) {
    ledger *l = *state;
    talea_error err;
    told t;
    talea_unit *unit = unit_of(l);
    adds(unit, "a", "cash", "rev", 1);
    adds(unit, "a", "cash", "rev", 1);
    adds(unit, "b", "cash", "rev", 2);
    commits(unit);
    assert_int_equal(talea_unit_outcome_count(unit), 3);
    told_of(unit, 1, &t);
    assert_int_equal(t.status, TALEA_STATUS_DEDUPLICATED);
    assert_int_equal(t.seq, FURNITURE + 1);
    assert_true(t.at > 0);
    told_of(unit, 2, &t);
    assert_int_equal(t.seq, FURNITURE + 2);
    talea_unit_free(unit);
    unit = unit_of(l);
    adds(unit, "c", "cash", "rev", 1);
    adds(unit, "c", "cash", "rev", 2);
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_IDEMPOTENCY_CONFLICT);
    talea_unit_free(unit);
    assert_int_equal(seq_of_key(&l->handle, "main", "c"), 0);
    has_balance(l, "cash", 3);
}

/* An overdraft followed by its cover is still refused; nothing of the unit stays, no seq is burnt.
 */
static void refused_whole(void **state) {
    ledger *l = *state;
    talea_error err;
    told t;
    talea_unit *unit = unit_of(l);
    adds(unit, "a", "cash", "rev", 5);
    adds(unit, "b", "wallet", "cash", 1);
    adds(unit, "c", "cash", "wallet", 1);
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_CONSTRAINT_VIOLATION);
    assert_non_null(strstr(err.message, "wallet"));
    assert_int_equal(talea_unit_outcome_count(unit), 3);
    for (size_t i = 0; i < 3; i++) {
        told_of(unit, i, &t);
        assert_int_equal(t.status, TALEA_STATUS_REJECTED);
        assert_int_equal(t.seq, 0);
    }
    talea_unit_free(unit);
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE);
    has_balance(l, "cash", 0);
    assert_int_equal(post(&l->handle, "main", "a", "cash", "rev", 6).seq, FURNITURE + 1);
    /* The other way round it is fine. */
    unit = unit_of(l);
    adds(unit, "c", "cash", "wallet", 1);
    adds(unit, "b", "wallet", "cash", 1);
    commits(unit);
    talea_unit_free(unit);
}

static void optional_drafts(void **state) {
    ledger *l = *state;
    talea_error err;
    told t;
    talea_unit *unit = unit_of(l);
    assert_int_equal(add_post(unit, "main", "a", "wallet", "cash", 1, true, &err), TALEA_OK);
    assert_int_equal(add_post(unit, "main", "b", "cash", "rev", 2, true, &err), TALEA_OK);
    assert_int_equal(add_post(unit, "main", "b", "cash", "rev", 3, true, &err), TALEA_OK);
    talea_error why = {.code = TALEA_UNKNOWN_ACCOUNT, .message = "nobody"};
    assert_int_equal(talea_unit_add_refused(unit, text("main"), text("x"), &why, &err), TALEA_OK);
    adds(unit, "c", "cash", "rev", 4);
    commits(unit);
    const talea_status want[] = {TALEA_STATUS_REJECTED, TALEA_STATUS_COMMITTED,
                                 TALEA_STATUS_REJECTED, TALEA_STATUS_REJECTED,
                                 TALEA_STATUS_COMMITTED};
    const talea_code codes[] = {TALEA_CONSTRAINT_VIOLATION, TALEA_OK, TALEA_IDEMPOTENCY_CONFLICT,
                                TALEA_UNKNOWN_ACCOUNT, TALEA_OK};
    assert_int_equal(talea_unit_outcome_count(unit), 5);
    for (size_t i = 0; i < 5; i++) {
        talea_outcome outcome;
        talea_unit_outcome(unit, i, &outcome);
        assert_int_equal(outcome.status, want[i]);
        assert_int_equal(outcome.error, codes[i]);
    }
    told_of(unit, 4, &t);
    assert_int_equal(t.seq, FURNITURE + 2);
    talea_unit_free(unit);
    has_balance(l, "cash", 6);
    /* Nothing but optional refusals: nothing is written, and that is fine. */
    unit = unit_of(l);
    assert_int_equal(add_post(unit, "main", "d", "wallet", "cash", 1, true, &err), TALEA_OK);
    commits(unit);
    talea_unit_free(unit);
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE + 2);
}

static void shape_and_names(void **state) {
    ledger *l = *state;
    const struct {
        talea_code want;
        const char *book, *key, *debit, *credit;
        int64_t amount;
    } cases[] = {
        {TALEA_UNKNOWN_ACCOUNT, "main", "k", "cash", "nobody", 1},
        {TALEA_UNKNOWN_ACCOUNT, "main", "k", "nobody", "cash", 1},
        {TALEA_UNKNOWN_ACCOUNT, "elsewhere", "k", "cash", "rev", 1},
        {TALEA_INVALID_AMOUNT, "main", "k", "cash", "rev", 0},
        {TALEA_INVALID_AMOUNT, "main", "k", "cash", "rev", -1},
        {TALEA_INVALID_BOOK, "_system", "k", "cash", "rev", 1},
        {TALEA_INVALID_BOOK, "_mine", "k", "cash", "rev", 1},
        {TALEA_INVALID_BOOK, "", "k", "cash", "rev", 1},
        {TALEA_INVALID_BOOK, "a\nb", "k", "cash", "rev", 1},
        {TALEA_INVALID_BOOK, "\xff", "k", "cash", "rev", 1},
        {TALEA_INVALID_DRAFT, "main", "", "cash", "rev", 1},
        {TALEA_UNBALANCED, "main", "k", "cash", "dollars", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        told t = post(&l->handle, cases[i].book, cases[i].key, cases[i].debit, cases[i].credit,
                      cases[i].amount);
        if (t.code != cases[i].want) {
            fail_msg("case %zu: %s: %s", i, talea_code_name(t.code), t.err.message);
        }
        assert_true(strlen(t.err.message) > 0);
    }
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE);
    assert_int_equal(watermark(&l->handle, "elsewhere"), 0);
}

/* A refused add leaves the unit as it was, the book it may write to included. */
static void refused_add_leaves_no_trace(void **state) {
    ledger *l = *state;
    talea_error err;
    talea_unit *unit = unit_of(l);
    assert_int_equal(add_post(unit, "other", "k", "cash", "rev", 1, false, &err),
                     TALEA_UNKNOWN_ACCOUNT);
    assert_null(talea_unit_book(unit).data);
    adds(unit, "k", "cash", "rev", 1);
    assert_int_equal(add_post(unit, "other", "k", "cash", "rev", 1, false, &err),
                     TALEA_MIXED_BOOKS);
    assert_int_equal(add_post(unit, "main", "l", "nobody", "rev", 1, false, &err),
                     TALEA_UNKNOWN_ACCOUNT);
    assert_int_equal(talea_unit_count(unit), 1);
    commits(unit);
    talea_unit_free(unit);
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE + 1);
}

/* The same when something that belongs to no user book was staged before. */
static void refused_add_behind_an_asset(void **state) {
    ledger *l = *state;
    talea_error err;
    talea_unit *unit = unit_of(l);
    assert_int_equal(add_asset(unit, "CHF", 2, &err), TALEA_OK);
    assert_int_equal(add_post(unit, "other", "k", "cash", "rev", 1, false, &err),
                     TALEA_UNKNOWN_ACCOUNT);
    bool bound = talea_unit_book(unit).data != NULL;
    talea_code code = add_post(unit, "main", "k", "cash", "rev", 1, false, &err);
    code = code ? code : talea_unit_commit(unit, &err);
    talea_unit_free(unit);
    assert_false(bound);
    assert_int_equal(code, TALEA_OK);
}

static void truncated(void **state) {
    ledger *l = *state;
    talea_error err;
    talea_unit *unit = unit_of(l);
    adds(unit, "a", "cash", "rev", 1);
    size_t mark = talea_unit_count(unit);
    adds(unit, "b", "cash", "rev", 2);
    assert_int_equal(add_account(unit, "main", "new", "EUR", TALEA_KIND_ASSET, NULL, &err),
                     TALEA_OK);
    adds(unit, "c", "new", "rev", 4);
    talea_unit_truncate(unit, mark);
    assert_int_equal(add_post(unit, "main", "d", "new", "rev", 8, false, &err),
                     TALEA_UNKNOWN_ACCOUNT);
    adds(unit, "e", "cash", "rev", 16);
    commits(unit);
    assert_int_equal(talea_unit_outcome_count(unit), 2);
    talea_unit_free(unit);
    has_balance(l, "cash", 17);
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE + 2);
    /* Back to nothing: another book may be written to. */
    unit = unit_of(l);
    adds(unit, "f", "cash", "rev", 1);
    talea_unit_truncate(unit, 0);
    assert_int_equal(add_account(unit, "second", "x", "EUR", TALEA_KIND_ASSET, NULL, &err),
                     TALEA_OK);
    commits(unit);
    talea_unit_free(unit);
    assert_int_equal(watermark(&l->handle, "second"), 1);
}

static talea_code line(talea_unit *unit, const char *key, const char *account, talea_side side,
                       int64_t amount, bool optional) {
    talea_error err;
    talea_leg leg = {.account = text(account), .side = side, .amount = amount};
    return talea_unit_add_line(unit, text("main"), text(key), &leg, false, 0, optional, &err);
}

/* Lines with the same key form one draft in the place of its first line. */
static void journal_lines(void **state) {
    ledger *l = *state;
    talea_error err;
    told t;
    talea_unit *unit = unit_of(l);
    assert_int_equal(line(unit, "a", "cash", TALEA_SIDE_DEBIT, 10, false), TALEA_OK);
    adds(unit, "b", "bank", "rev", 1);
    assert_int_equal(line(unit, "c", "cash", TALEA_SIDE_DEBIT, 5, false), TALEA_OK);
    assert_int_equal(line(unit, "a", "rev", TALEA_SIDE_CREDIT, 6, false), TALEA_OK);
    assert_int_equal(line(unit, "c", "rev", TALEA_SIDE_CREDIT, 5, false), TALEA_OK);
    size_t mark = talea_unit_count(unit);
    assert_int_equal(line(unit, "a", "bank", TALEA_SIDE_CREDIT, 7, false), TALEA_OK);
    talea_unit_truncate(unit, mark);
    assert_int_equal(line(unit, "a", "bank", TALEA_SIDE_CREDIT, 4, false), TALEA_OK);
    commits(unit);
    assert_int_equal(talea_unit_outcome_count(unit), 3);
    for (size_t i = 0; i < 3; i++) {
        told_of(unit, i, &t);
        assert_int_equal(t.seq, FURNITURE + 1 + i);
    }
    talea_unit_free(unit);
    assert_int_equal(seq_of_key(&l->handle, "main", "a"), FURNITURE + 1);
    has_balance(l, "cash", 15);
    has_balance(l, "bank", -3);
    unit = unit_of(l);
    assert_int_equal(line(unit, "d", "cash", TALEA_SIDE_DEBIT, 10, false), TALEA_OK);
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_UNBALANCED);
    talea_unit_free(unit);
    unit = unit_of(l);
    assert_int_equal(line(unit, "d", "cash", TALEA_SIDE_DEBIT, 10, true), TALEA_OK);
    assert_int_equal(line(unit, "d", "rev", TALEA_SIDE_CREDIT, 11, true), TALEA_OK);
    adds(unit, "e", "cash", "rev", 1);
    commits(unit);
    told_of(unit, 0, &t);
    assert_int_equal(t.status, TALEA_STATUS_REJECTED);
    talea_unit_free(unit);
    assert_int_equal(seq_of_key(&l->handle, "main", "d"), 0);
}

static void definitions(void **state) {
    ledger *l = *state;
    talea_error err;
    told t;
    talea_unit *unit = unit_of(l);
    assert_int_equal(add_asset(unit, "EUR", 3, &err), TALEA_ALREADY_EXISTS);
    assert_int_equal(add_asset(unit, "EUR", 2, &err), TALEA_OK);
    assert_int_equal(add_account(unit, "main", "cash", "USD", TALEA_KIND_ASSET, NULL, &err),
                     TALEA_ALREADY_EXISTS);
    assert_int_equal(add_account(unit, "main", "cash", "EUR", TALEA_KIND_ASSET, NULL, &err),
                     TALEA_OK);
    assert_int_equal(add_account(unit, "main", "x", "XXX", TALEA_KIND_ASSET, NULL, &err),
                     TALEA_UNKNOWN_ASSET);
    commits(unit);
    assert_int_equal(talea_unit_outcome_count(unit), 2);
    for (size_t i = 0; i < 2; i++) {
        told_of(unit, i, &t);
        assert_int_equal(t.status, TALEA_STATUS_DEDUPLICATED);
        assert_int_equal(t.seq, 1);
        assert_true(t.at > 0);
    }
    talea_unit_free(unit);
    assert_int_equal(watermark(&l->handle, "_system"), 2);
    assert_int_equal(watermark(&l->handle, "main"), FURNITURE);
}

/* Amounts at the edge of 128 bits: refused before a total could wrap round. */
static void huge_amounts(void **state) {
    ledger *l = *state;
    talea_error err;
    const talea_i128 max = (((talea_i128)1 << 126) - 1) * 2 + 1;
    for (int i = 0; i < 3; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "h%d", i);
        talea_leg legs[2] = {{.account = text("cash"), .side = TALEA_SIDE_DEBIT, .amount = max},
                             {.account = text("rev"), .side = TALEA_SIDE_CREDIT, .amount = max}};
        talea_draft draft = {.key = text(key), .legs = legs, .leg_count = 2};
        talea_unit *unit = unit_of(l);
        assert_int_equal(talea_unit_add_draft(unit, text("main"), &draft, false, &err), TALEA_OK);
        assert_int_equal(talea_unit_commit(unit, &err),
                         i == 0 ? TALEA_OK : TALEA_CONSTRAINT_VIOLATION);
        talea_unit_free(unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(committed_and_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(same_key_same_content, setup, teardown),
        cmocka_unit_test_setup_teardown(same_key_other_content, setup, teardown),
        cmocka_unit_test_setup_teardown(what_content_is, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_within_one_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(optional_drafts, setup, teardown),
        cmocka_unit_test_setup_teardown(shape_and_names, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_add_leaves_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_add_behind_an_asset, setup, teardown),
        cmocka_unit_test_setup_teardown(truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(journal_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(definitions, setup, teardown),
        cmocka_unit_test_setup_teardown(huge_amounts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
