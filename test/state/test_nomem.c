/*
 * Each operation of core/state with each of its allocations failing: it says so, nothing has
 * changed, and the next try does what the first should have done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Compiled into this program, so that their allocator can be replaced. */
#include "state/failing.h"

#include "../../core/state/check.c"
#include "../../core/state/history.c"
#include "../../core/state/namemap.c"
#include "../../core/state/postings.c"
#include "../../core/state/state.c"
#include "../../core/state/table.c"
#include "../../core/state/transaction.c"

#include "state/fixture.h"

/* ---- Everything that can be seen of a state, in one number ---- */

static void mix(uint64_t *print, const void *data, size_t len) {
    *print = tl_hash64(data, len, *print);
}

static uint64_t fingerprint(const tl_state *state) {
    uint64_t print = 0;
    uint32_t counts[] = {tl_state_account_count(state), staged_account_count(state),
                         tl_state_asset_count(state), state->asset_count};
    mix(&print, counts, sizeof counts);
    for (uint32_t i = 0; i < counts[1]; i++) {
        tl_account *account = tl_state_account(state, i);
        talea_i128 totals[] = {account->staged_debits, account->staged_credits, account->debits,
                               account->credits, state->currencies[account->asset_id].turnover};
        uint64_t seqs[] = {account->opened_seq, account->updated_seq, account->history.count};
        mix(&print, totals, sizeof totals);
        mix(&print, seqs, sizeof seqs);
        for (uint64_t p = 0; p < account->history.count; p++) {
            talea_history_entry entry;
            memset(&entry, 0, sizeof entry);
            tl_history_get(&account->history, p, &entry);
            mix(&print, &entry, sizeof entry);
        }
        assert_ptr_equal(tl_state_resolve_account(state, account->def.account), account);
        assert_ptr_equal(tl_state_find_account(state, account->def.account),
                         i < counts[0] ? account : NULL);
    }
    return print;
}

/* ---- Operations ---- */

enum { ACCOUNTS = 70, LEGS = 140, FEW = 16 };

typedef struct operation {
    enum { STAGE_ACCOUNT, APPLY_ACCOUNT, STAGE_ASSET, APPLY_ASSET, STAGE_DRAFT, APPLY_DRAFT } type;
    talea_account_def account;
    talea_asset_def asset;
    tl_transaction transaction;
    uint64_t seq;
    bool replay;
} operation;

static talea_code run(tl_state *state, const operation *op, talea_error *err) {
    tl_account *account = NULL;
    switch (op->type) {
    case STAGE_ACCOUNT: return tl_state_stage_account(state, &op->account, &account, err);
    case APPLY_ACCOUNT:
        return apply_account_event(state, &op->account, op->seq, 1, op->replay, err);
    case STAGE_ASSET: return tl_state_stage_asset(state, &op->asset, err);
    case APPLY_ASSET: return apply_asset_event(state, &op->asset, op->replay, err);
    case STAGE_DRAFT:
        return tl_state_stage_transaction(state, op->transaction.legs, op->transaction.leg_count,
                                          err);
    default: return apply_transaction_event(state, &op->transaction, op->seq, op->replay, err);
    }
}

/* Fails the first allocation, then the second, ... until the operation needs no further one.
 * Returns how often it failed. */
static uint64_t sweep(tl_state *state, const operation *op) {
    uint64_t before = fingerprint(state);
    for (uint64_t nth = 1;; nth++) {
        talea_error err = {0};
        arm(nth);
        talea_code code = run(state, op, &err);
        if (!disarm()) {
            assert_int_equal(code, TALEA_OK);
            assert_true(fingerprint(state) != before);
            return nth - 1;
        }
        assert_int_equal(code, TALEA_NOMEM);
        assert_int_equal(err.code, TALEA_NOMEM);
        assert_true(fingerprint(state) == before);
    }
}

static operation account_operation(int type, uint32_t number, uint64_t seq, bool replay) {
    static char names[ACCOUNTS][16];
    static const char *const assets[] = {"EUR", "USD", "XAU"};
    snprintf(names[number], sizeof names[number], "acc%u", number);
    operation op = {.type = type, .seq = seq, .replay = replay};
    op.account = account_def(names[number], assets[number % 3], TALEA_KIND_CLEARING);
    return op;
}

/* `count` legs over few accounts of `assets` assets; the last pair has a large amount. */
static operation draft(talea_posting legs[LEGS], uint32_t count, uint32_t assets, uint64_t seq) {
    for (uint32_t i = 0; i < count; i += 2) {
        talea_i128 amount = i + 2 < count ? 5 : (talea_i128)1 << 90;
        uint32_t asset = i / 2 % assets;
        legs[i] = debit(asset + 3 * (i % 4), amount);
        legs[i + 1] = credit(asset + 3 * ((i + 1) % 5), amount);
    }
    return (operation){
        .type = STAGE_DRAFT, .seq = seq, .transaction = {.legs = legs, .leg_count = count}};
}

static void run_all(bool replay) {
    tl_state *state = NULL;
    for (uint64_t nth = 1; !state; nth++) {
        arm(nth);
        state = tl_state_new();
        assert_true(disarm() == !state);
    }
    uint64_t seq = 0;
    uint64_t failed = 0;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        operation op = account_operation(STAGE_ACCOUNT, i, ++seq, replay);
        if (!replay) {
            failed += sweep(state, &op);
        }
        op.type = APPLY_ACCOUNT;
        failed += sweep(state, &op);
    }
    assert_true(failed > ACCOUNTS);
    static const struct {
        uint32_t legs;
        uint32_t assets;
    } drafts[] = {{2, 1}, {20, 1}, {LEGS, 3}, {4, 2}, {60, 3}, {LEGS, 1}, {2, 1}};
    talea_posting legs[LEGS];
    failed = 0;
    for (size_t i = 0; i < sizeof drafts / sizeof drafts[0]; i++) {
        operation op = draft(legs, drafts[i].legs, drafts[i].assets, ++seq);
        op.replay = replay;
        if (!replay) {
            failed += sweep(state, &op);
        }
        op.type = APPLY_DRAFT;
        failed += sweep(state, &op);
    }
    assert_true(failed > 30);
    static const char *const names[] = {"A", "B", "C", "D", "E", "F", "G", "H", "I"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        operation op = {.type = STAGE_ASSET, .asset = fiat(names[i]), .replay = replay};
        if (!replay) {
            sweep(state, &op);
        }
        op.type = APPLY_ASSET;
        sweep(state, &op);
    }
    tl_state_free(state);
}

static void staging_and_applying(void **unused) {
    run_all(false);
}

static void replaying(void **unused) {
    run_all(true);
}

/* The same one layer down, where an append can be looked at alone. */
static void histories(void **unused) {
    tl_history history = {0};
    talea_i128 total = 0;
    uint64_t failed = 0;
    for (uint64_t i = 0; i < 400; i++) {
        talea_i128 amount = i % 90 == 70 ? (talea_i128)1 << 100 : i % 40 == 20 ? 1LL << 40 : 1;
        for (uint64_t nth = 1;; nth++) {
            arm(nth);
            bool ok = tl_history_append(&history, i + 1, TALEA_SIDE_DEBIT, amount, total, 0);
            if (!disarm()) {
                assert_true(ok);
                break;
            }
            assert_false(ok);
            assert_true(history.count == i);
            failed++;
        }
        total += amount;
        talea_history_entry last;
        tl_history_get(&history, i, &last);
        assert_true(last.debits == total);
    }
    assert_true(failed > 15);
    tl_history_free(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staging_and_applying),
        cmocka_unit_test(replaying),
        cmocka_unit_test(histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
