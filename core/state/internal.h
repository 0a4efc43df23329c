/*
 * internal.h: the inside of a tl_state. Private to core/state.
 *
 * Purpose:    shared by state.c (accounts, assets), transaction.c and postings.c; each field with its
 *             guard.
 * Owns:       see state.h.
 * Threads:    the part [stage] is touched under the stage lock only, the part [read] under the read
 *             lock only, so that a thread that stages and one that applies never meet.
 */
#ifndef TL_STATE_INTERNAL_H
#define TL_STATE_INTERNAL_H

#include <stdatomic.h>

#include "state/namemap.h"
#include "state/state.h"
#include "state/table.h"

struct tl_state {
    uint64_t hash_seed; /* [any] immutable */
    tl_table accounts;  /* [any] tl_account by ordinal; filled in [stage] */
    tl_table assets;    /* [any] talea_asset_def by ordinal; filled in [stage] */
    /* [any] How many of them are published; advanced [read] */
    _Atomic(uint32_t) published_accounts;
    _Atomic(uint32_t) published_assets;

    /* [stage] */
    uint32_t account_count; /* committed and staged */
    uint32_t asset_count;
    tl_namemap account_names; /* committed and staged */
    tl_namemap asset_names;
    tl_currency *currencies; /* by asset_id; each owns its name */
    uint32_t currency_count;
    uint32_t currency_cap;
    tl_namemap currency_names;
    tl_account **leg_accounts; /* scratch, for drafts of many legs */
    uint64_t *leg_keys;
    uint32_t leg_cap; /* of both */

    char cache_line[64]; /* keeps the two threads' fields apart */

    /* [read] */
    tl_namemap committed_account_names;
    tl_namemap committed_asset_names;
};

/* INVALID_DRAFT for none, UNBALANCED for one, TOO_LARGE for more than TL_LEGS_MAX. */
talea_code tl_postings_count_check(size_t leg_count, talea_error *err);

/* INVALID_AMOUNT, for a posting whose amount is not greater than 0. */
talea_code tl_amount_refuse(talea_text account, talea_i128 amount, talea_error *err);

/* One kind of tl_state_apply_event. transaction.c */
talea_code tl_state_apply_transaction(tl_state *state, const tl_transaction *transaction,
                                      uint64_t seq, bool replay, talea_error *err);

/* What would be a refusal is corruption in an event of the log: the words stay. NOMEM stays NOMEM. */
talea_code tl_state_replay_error(talea_code code, talea_error *err);

#endif
