/*
 * state.h: the projections of one book: assets, accounts, totals, histories.
 *
 * Purpose:    what drafts are judged against (staged) and what readers see (committed); both follow
 *             from the log alone.
 * Owns:       every account and asset, and their histories. An account's or asset's address is stable
 *             until it is unstaged or tl_state_free.
 * Threads:    pure: no locks, no I/O. The engine guards it with two locks; each function says which
 *             of them it needs: [stage] the stage lock, [read] the read lock, [both], [any] none.
 *             A thread that stages and one that applies may run at the same time.
 * Errors:     a talea_code with words; on error nothing has changed.
 *
 * Applying allocates (history chunks, slots of the committed name map), because staging may not
 * touch what readers see and so cannot reserve it. NOMEM while applying a synced group leaves that
 * event unapplied as a whole; the engine then has to fail the book: its log is durable, reopening
 * replays it.
 */
#ifndef TL_STATE_STATE_H
#define TL_STATE_STATE_H

#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"
#include "state/history.h"

typedef struct tl_account {
    /* immutable once staged [any] */
    talea_account_def def; /* texts owned by the state, each NUL-terminated as well */
    uint32_t ordinal;
    uint32_t asset_id; /* equal exactly when the assets of two accounts of the book are */
    /* [stage]: totals with everything staged so far */
    talea_i128 staged_debits;
    talea_i128 staged_credits;
    /* [read] */
    uint64_t opened_seq; /* 0: staged, not committed */
    int64_t opened_at;
    talea_i128 debits;
    talea_i128 credits;
    uint64_t updated_seq; /* of the last posting, else opened_seq */
    tl_history history;
} tl_account;

typedef struct tl_state tl_state;

tl_state *tl_state_new(void);        /* NULL: no memory */
void tl_state_free(tl_state *state); /* NULL is fine */

/* ---- What is committed ---- */

uint32_t tl_state_account_count(const tl_state *state); /* [any] never decreases */
/* [any] for an ordinal that the caller learned under a lock: pointers live in chunks that never
 * move. */
tl_account *tl_state_account(const tl_state *state, uint32_t ordinal);
/* [read] NULL: none. */
tl_account *tl_state_find_account(const tl_state *state, talea_text name);
uint32_t tl_state_asset_count(const tl_state *state); /* [any] */
/* [any], as accounts */
const talea_asset_def *tl_state_asset(const tl_state *state, uint32_t ordinal);
/* [read] */
bool tl_state_find_asset(const tl_state *state, talea_text asset, uint32_t *out_ordinal);

/* Applies one event. The same path after a sync, where what was staged is published [read], and in
 * replay, where it is staged first, so that everything is checked again (definitions well-formed
 * and names unique, accounts open, amounts > 0, postings balance per asset, totals in range, limits
 * kept) [both]. Errors: CORRUPT with words (replay only), NOMEM. */
talea_code tl_state_apply_event(tl_state *state, const tl_event *event, uint64_t seq, int64_t at,
                                bool replay, talea_error *err);

/* ---- What is staged ---- */

/* Makes an account that will be published by its event. Its ordinal is the next one. *out_account
 * belongs to the state. Errors: ALREADY_EXISTS (whatever its definition), TOO_LARGE, NOMEM. [stage]
 */
talea_code tl_state_stage_account(tl_state *state, const talea_account_def *def,
                                  tl_account **out_account, talea_error *err);
/* Takes back the account that was staged last; it is not published and no staged draft touches it.
 * [stage] */
void tl_state_unstage_account(tl_state *state);
/* An account by name, committed or staged; NULL: none. [stage] */
tl_account *tl_state_resolve_account(const tl_state *state, talea_text name);
/* The same for assets (only in _system). */
talea_code tl_state_stage_asset(tl_state *state, const talea_asset_def *def, talea_error *err);
void tl_state_unstage_asset(tl_state *state);
const talea_asset_def *tl_state_resolve_asset(const tl_state *state, talea_text asset);

/* Judges and stages one draft: at least two legs, accounts exist, amounts > 0, balanced per asset, the
 * total of all debits of an asset in the book within 127 bits (and so every total and balance),
 * limits of every touched account kept after the whole draft. On refusal (UNBALANCED,
 * CONSTRAINT_VIOLATION naming account, balance and limit, ...) nothing has changed. [stage] */
talea_code tl_state_stage_transaction(tl_state *state, const talea_posting *legs,
                                      uint32_t leg_count, talea_error *err);
/* Takes a staged draft back. Any order. [stage] */
void tl_state_unstage_transaction(tl_state *state, const talea_posting *legs, uint32_t leg_count);
/* Drops everything staged: totals back to the committed ones, staged accounts and assets gone. [both] */
void tl_state_unstage_all(tl_state *state);

/* ---- Do postings balance? ---- */

/* An asset as those know it who hold or move it: by its name alone. */
typedef struct tl_currency {
    talea_text name;
    talea_i128 turnover; /* all staged debits of the book's accounts in it, their credits are the
                            same; 0 where legs are judged by themselves */
} tl_currency;

/* Says which currency a leg is in. */
static inline uint64_t tl_leg_key(uint32_t currency, uint32_t leg) {
    return (uint64_t)currency << 32 | leg;
}

/* Does each currency balance, and does its turnover with these legs stay within 127 bits? `keys`
 * has one for every leg, and is sorted. 2 to TL_LEGS_MAX legs, amounts > 0. Pure. Errors:
 * UNBALANCED naming asset, debits and credits; CONSTRAINT_VIOLATION (a sum leaves 127 bits). */
talea_code tl_postings_judge(const talea_posting *legs, uint64_t *keys, uint32_t leg_count,
                             const tl_currency *currencies, talea_error *err);

/* ---- Definitions: shape, and comparing two of them ---- */

/* Refusals are INVALID_DRAFT, naming the column. An account's precision is the asset's: not looked
 * at. */
talea_code tl_asset_check(const talea_asset_def *def, talea_error *err);
talea_code tl_account_check(const talea_account_def *def, talea_error *err);
/* Key, legs, amounts, sizes, occurred_at; not whether accounts exist, not balance. INVALID_DRAFT,
 * INVALID_AMOUNT, TOO_LARGE. */
talea_code tl_draft_check(const talea_draft *draft, talea_error *err);
/* ALREADY_EXISTS, for a name that is there with another definition. */
talea_code tl_asset_exists(talea_text asset, talea_error *err);
talea_code tl_account_exists(talea_text account, talea_text book, talea_error *err);
bool tl_asset_same(const talea_asset_def *a, const talea_asset_def *b);
bool tl_account_same(const talea_account_def *a, const talea_account_def *b);

#endif
