/*
 * fixture.h: short ways to say definitions and drafts in the tests of core/state.
 *
 * Purpose:    text, accounts, legs and amounts without ceremony.
 * Owns:       nothing: texts point to the caller's strings.
 * Threads:    pure.
 */
#ifndef TEST_STATE_FIXTURE_H
#define TEST_STATE_FIXTURE_H

#include <string.h>

#include "state/internal.h"

#define I128_MAX ((talea_i128)(~(tl_u128)0 >> 1))

static inline talea_text text(const char *s) {
    return (talea_text){s, s ? strlen(s) : 0};
}

static inline talea_account_def account_def(const char *name, const char *asset, talea_kind kind) {
    return (talea_account_def){.account = text(name),
                               .asset = text(asset),
                               .kind = kind,
                               .side = talea_kind_normal_side(kind),
                               .precision = 2};
}

static inline talea_posting debit(uint32_t account, talea_i128 amount) {
    return (talea_posting){account, TALEA_SIDE_DEBIT, amount};
}

static inline talea_posting credit(uint32_t account, talea_i128 amount) {
    return (talea_posting){account, TALEA_SIDE_CREDIT, amount};
}

static inline talea_asset_def fiat(const char *name) {
    return (talea_asset_def){.asset = text(name), .asset_class = TALEA_CLASS_FIAT, .precision = 2};
}

static inline talea_code apply_asset_event(tl_state *state, const talea_asset_def *def, bool replay,
                                           talea_error *err) {
    tl_event event = {.kind = TALEA_EVENT_ASSET_REGISTERED, .u.asset = *def};
    return tl_state_apply_event(state, &event, 1, 1, replay, err);
}

static inline talea_code apply_account_event(tl_state *state, const talea_account_def *def,
                                             uint64_t seq, int64_t at, bool replay,
                                             talea_error *err) {
    tl_event event = {.kind = TALEA_EVENT_ACCOUNT_OPENED, .u.account = *def};
    return tl_state_apply_event(state, &event, seq, at, replay, err);
}

static inline talea_code apply_transaction_event(tl_state *state, const tl_transaction *transaction,
                                                 uint64_t seq, bool replay, talea_error *err) {
    tl_event event = {.kind = TALEA_EVENT_TRANSACTION_POSTED, .u.transaction = *transaction};
    return tl_state_apply_event(state, &event, seq, (int64_t)seq, replay, err);
}

/* Committed and staged together. [stage] */
static inline uint32_t staged_account_count(const tl_state *state) {
    return state->account_count;
}

#endif
