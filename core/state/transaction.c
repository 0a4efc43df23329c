/*
 * Drafts against totals: staging judges and adds, applying adds to what readers see and writes the
 * histories. The two hot paths: nothing is hashed, nothing allocated but a history chunk now and
 * then.
 *
 * Staging adds a draft leg by leg and looks at the limits afterwards, so that an account that
 * occurs in several legs needs no table to collect them: while the stage lock is held nobody sees
 * the steps between. What is refused then is subtracted again. No addition can overflow: each
 * asset's turnover, which no total exceeds, was judged first (tl_postings_judge).
 *
 * Replay stages each event before it applies it: the log is judged by the very code that judged the
 * drafts, and staged totals need no settling afterwards.
 */
#include <assert.h>

#include "state/internal.h"

enum { FEW_LEGS = 16 };

static void add_staged(tl_state *state, tl_account *account, const talea_posting *leg) {
    if (leg->side == TALEA_SIDE_DEBIT) {
        account->staged_debits += leg->amount;
        state->currencies[account->asset_id].turnover += leg->amount;
    } else {
        account->staged_credits += leg->amount;
    }
}

static void subtract_staged(tl_state *state, tl_account *account, const talea_posting *leg) {
    if (leg->side == TALEA_SIDE_DEBIT) {
        account->staged_debits -= leg->amount;
        state->currencies[account->asset_id].turnover -= leg->amount;
        assert(state->currencies[account->asset_id].turnover >= 0);
    } else {
        account->staged_credits -= leg->amount;
    }
    assert(account->staged_debits >= 0);
    assert(account->staged_credits >= 0);
}

static talea_code limit_error(const tl_account *account, talea_i128 balance, bool below,
                              talea_error *err) {
    char is[TALEA_AMOUNT_TEXT_BYTES];
    char limit[TALEA_AMOUNT_TEXT_BYTES];
    talea_amount_format(balance, is);
    talea_amount_format(below ? account->def.min_balance : account->def.max_balance, limit);
    return tl_error(err, TALEA_CONSTRAINT_VIOLATION, "account \"%s\": balance %s would be %s %s",
                    account->def.account.data, is,
                    below ? "below min_balance" : "above max_balance", limit);
}

static talea_code check_limits(const tl_account *account, talea_error *err) {
    const talea_account_def *def = &account->def;
    if (!def->has_min && !def->has_max) {
        return TALEA_OK;
    }
    talea_i128 balance = talea_balance(def->side, account->staged_debits, account->staged_credits);
    if (def->has_min && balance < def->min_balance) {
        return limit_error(account, balance, true, err);
    }
    if (def->has_max && balance > def->max_balance) {
        return limit_error(account, balance, false, err);
    }
    return TALEA_OK;
}

/* Scratch for a draft of many legs; false: no memory. */
static bool reserve_legs(tl_state *state, uint32_t leg_count) {
    if (leg_count <= state->leg_cap) {
        return true;
    }
    free(state->leg_accounts);
    free(state->leg_keys);
    state->leg_accounts = malloc(leg_count * sizeof(tl_account *));
    state->leg_keys = malloc(leg_count * sizeof *state->leg_keys);
    state->leg_cap = state->leg_accounts && state->leg_keys ? leg_count : 0;
    return state->leg_cap > 0;
}

/* A balanced draft onto the staged totals, unless it breaks a limit. */
static talea_code add_draft(tl_state *state, tl_account *const *accounts, const talea_posting *legs,
                            uint32_t leg_count, talea_error *err) {
    talea_code code = TALEA_OK;
    for (uint32_t i = 0; i < leg_count; i++) {
        add_staged(state, accounts[i], &legs[i]);
    }
    for (uint32_t i = 0; i < leg_count && code == TALEA_OK; i++) {
        code = check_limits(accounts[i], err);
    }
    if (code != TALEA_OK) {
        tl_state_unstage_transaction(state, legs, leg_count);
    }
    return code;
}

talea_code tl_state_stage_transaction(tl_state *state, const talea_posting *legs,
                                      uint32_t leg_count, talea_error *err) {
    talea_code code = tl_postings_count_check(leg_count, err);
    if (code != TALEA_OK) {
        return code;
    }
    tl_account *few_accounts[FEW_LEGS] = {NULL};
    uint64_t few_keys[FEW_LEGS];
    bool few = leg_count <= FEW_LEGS;
    if (!few && !reserve_legs(state, leg_count)) {
        return tl_error_nomem(err);
    }
    tl_account **accounts = few ? few_accounts : state->leg_accounts;
    uint64_t *keys = few ? few_keys : state->leg_keys;
    for (uint32_t i = 0; i < leg_count; i++) {
        if (legs[i].account >= state->account_count) {
            return tl_error(err, TALEA_UNKNOWN_ACCOUNT, "there is no account number %u",
                            (unsigned)legs[i].account);
        }
        accounts[i] = tl_state_account(state, legs[i].account);
        keys[i] = tl_leg_key(accounts[i]->asset_id, i);
        if (legs[i].amount <= 0) {
            return tl_amount_refuse(accounts[i]->def.account, legs[i].amount, err);
        }
    }
    code = tl_postings_judge(legs, keys, leg_count, state->currencies, err);
    return code != TALEA_OK ? code : add_draft(state, accounts, legs, leg_count, err);
}

void tl_state_unstage_transaction(tl_state *state, const talea_posting *legs, uint32_t leg_count) {
    for (uint32_t i = 0; i < leg_count; i++) {
        subtract_staged(state, tl_state_account(state, legs[i].account), &legs[i]);
    }
}

/* ---- Applying ---- */

static bool apply_leg(tl_account *account, const talea_posting *leg, uint64_t seq) {
    assert(account->opened_seq != 0);
    assert(account->updated_seq <= seq);
    if (!tl_history_append(&account->history, seq, leg->side, leg->amount, account->debits,
                           account->credits)) {
        return false;
    }
    if (leg->side == TALEA_SIDE_DEBIT) {
        account->debits += leg->amount;
    } else {
        account->credits += leg->amount;
    }
    assert(account->debits >= 0);
    assert(account->credits >= 0);
    account->updated_seq = seq;
    return true;
}

/* The last leg of this account, back to how it was before. */
static void unapply_leg(tl_account *account, const talea_posting *leg) {
    tl_history_pop(&account->history);
    if (leg->side == TALEA_SIDE_DEBIT) {
        account->debits -= leg->amount;
    } else {
        account->credits -= leg->amount;
    }
    account->updated_seq = account->opened_seq;
    if (account->history.count > 0) {
        talea_history_entry last;
        tl_history_get(&account->history, account->history.count - 1, &last);
        account->updated_seq = last.seq;
    }
}

static bool apply_legs(tl_state *state, const tl_transaction *transaction, uint64_t seq) {
    for (uint32_t i = 0; i < transaction->leg_count; i++) {
        const talea_posting *leg = &transaction->legs[i];
        if (!apply_leg(tl_state_account(state, leg->account), leg, seq)) {
            while (i-- > 0) {
                leg = &transaction->legs[i];
                unapply_leg(tl_state_account(state, leg->account), leg);
            }
            return false;
        }
    }
    return true;
}

talea_code tl_state_apply_transaction(tl_state *state, const tl_transaction *transaction,
                                      uint64_t seq, bool replay, talea_error *err) {
    assert(seq > 0);
    assert(transaction->leg_count >= 2);
    if (replay) {
        talea_code code =
            tl_state_stage_transaction(state, transaction->legs, transaction->leg_count, err);
        if (code != TALEA_OK) {
            return tl_state_replay_error(code, err);
        }
    }
    if (!apply_legs(state, transaction, seq)) {
        if (replay) {
            tl_state_unstage_transaction(state, transaction->legs, transaction->leg_count);
        }
        return tl_error_nomem(err);
    }
    return TALEA_OK;
}
