/*
 * Accounts and assets: staging makes them, applying their events publishes them.
 *
 *   tl_state_stage_account      tl_state_apply_event
 *   [stage] --------------> staged --------------> published [read]
 *                             |
 *                             +--> gone (unstage_account, unstage_all)
 *
 * The thread that stages holds only the stage lock, the one that applies only the read lock, and
 * both run at once. What makes that safe:
 *
 * - Each side has its own name map. The staging side's map holds every account, committed or
 *   staged, and so never has to be told that one was published; the applying side's map holds
 *   the committed ones. Eight bytes an account more than one shared map, and no hand-over.
 * - Ordinals are given in staging order, which is the order of the events, so that "published" is
 *   one atomic count: ordinal < published_accounts. It is advanced with a release store as the
 *   last step of publishing. The stage side reads it only for asserts; it never reads opened_seq.
 * - Pointers live in tl_table, whose chunks never move.
 * - An account's definition is complete before its pointer is stored; its staged totals belong to
 *   the one side, its committed totals and history to the other.
 * - Applying allocates for itself (a history chunk, a slot of the committed map) and changes
 *   nothing when it cannot.
 *
 * Currencies are the names of the assets that accounts hold, numbered as they turn up, so that
 * drafts compare numbers. One that came with an account that was unstaged again stays: there are
 * no more of them than registered assets.
 */
#include "state/state.h"

#include <assert.h>
#include <inttypes.h>

#include "base/hash.h"
#include "state/internal.h"

/* ---- Helpers ---- */

/* Copies `text` and a NUL to *at and advances it. Absent stays absent. */
static talea_text copy_text(char **at, talea_text text) {
    if (!text.data) {
        return text;
    }
    char *copy = *at;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *at += text.len + 1;
    return (talea_text){copy, text.len};
}

static uint32_t hash_name(const tl_state *state, talea_text name) {
    return (uint32_t)tl_hash64(name.data, name.len, state->hash_seed);
}

static tl_account *account_at(const tl_state *state, uint32_t ordinal) {
    return tl_table_get(&state->accounts, ordinal);
}

static talea_asset_def *asset_at(const tl_state *state, uint32_t ordinal) {
    return tl_table_get(&state->assets, ordinal);
}

static talea_text name_of_account(const void *context, uint32_t ordinal) {
    return account_at(context, ordinal)->def.account;
}

static talea_text name_of_asset(const void *context, uint32_t ordinal) {
    return asset_at(context, ordinal)->asset;
}

static talea_text name_of_currency(const void *context, uint32_t id) {
    return ((const tl_state *)context)->currencies[id].name;
}

static uint32_t published(const _Atomic(uint32_t) *count) {
    return atomic_load_explicit(count, memory_order_acquire);
}

talea_code tl_state_replay_error(talea_code code, talea_error *err) {
    if (code != TALEA_NOMEM) {
        err->code = code = TALEA_CORRUPT;
    }
    return code;
}

/* ---- Life ---- */

tl_state *tl_state_new(void) {
    tl_state *state = calloc(1, sizeof *state);
    if (state) {
        /* Names come from outside; nobody can prepare some that collide under a random address. */
        state->hash_seed = (uint64_t)(uintptr_t)state;
    }
    return state;
}

static void account_free(tl_account *account) {
    tl_history_free(&account->history);
    free(account);
}

void tl_state_free(tl_state *state) {
    if (!state) {
        return;
    }
    for (uint32_t i = 0; i < state->account_count; i++) {
        account_free(account_at(state, i));
    }
    for (uint32_t i = 0; i < state->asset_count; i++) {
        free(asset_at(state, i));
    }
    for (uint32_t i = 0; i < state->currency_count; i++) {
        free((char *)state->currencies[i].name.data);
    }
    free(state->currencies);
    free(state->leg_accounts);
    free(state->leg_keys);
    tl_table_free(&state->accounts);
    tl_table_free(&state->assets);
    tl_namemap_free(&state->account_names);
    tl_namemap_free(&state->asset_names);
    tl_namemap_free(&state->currency_names);
    tl_namemap_free(&state->committed_account_names);
    tl_namemap_free(&state->committed_asset_names);
    free(state);
}

/* ---- Looking up ---- */

uint32_t tl_state_account_count(const tl_state *state) {
    return published(&state->published_accounts);
}

tl_account *tl_state_account(const tl_state *state, uint32_t ordinal) {
    tl_account *account = account_at(state, ordinal);
    assert(account);
    assert(account->ordinal == ordinal);
    return account;
}

tl_account *tl_state_find_account(const tl_state *state, talea_text name) {
    uint32_t ordinal = 0;
    return tl_namemap_find(&state->committed_account_names, hash_name(state, name), name,
                           name_of_account, state, &ordinal)
               ? account_at(state, ordinal)
               : NULL;
}

tl_account *tl_state_resolve_account(const tl_state *state, talea_text name) {
    uint32_t ordinal = 0;
    return tl_namemap_find(&state->account_names, hash_name(state, name), name, name_of_account,
                           state, &ordinal)
               ? account_at(state, ordinal)
               : NULL;
}

uint32_t tl_state_asset_count(const tl_state *state) {
    return published(&state->published_assets);
}

const talea_asset_def *tl_state_asset(const tl_state *state, uint32_t ordinal) {
    const talea_asset_def *asset = asset_at(state, ordinal);
    assert(asset);
    return asset;
}

bool tl_state_find_asset(const tl_state *state, talea_text asset, uint32_t *out_ordinal) {
    return tl_namemap_find(&state->committed_asset_names, hash_name(state, asset), asset,
                           name_of_asset, state, out_ordinal);
}

const talea_asset_def *tl_state_resolve_asset(const tl_state *state, talea_text asset) {
    uint32_t ordinal = 0;
    return tl_namemap_find(&state->asset_names, hash_name(state, asset), asset, name_of_asset,
                           state, &ordinal)
               ? asset_at(state, ordinal)
               : NULL;
}

/* ---- Staging accounts ---- */

/* The number of an asset's name, a new one when it has none yet; false: no memory. */
static bool intern_currency(tl_state *state, talea_text name, uint32_t *out_id) {
    uint32_t hash = hash_name(state, name);
    if (tl_namemap_find(&state->currency_names, hash, name, name_of_currency, state, out_id)) {
        return true;
    }
    if (state->currency_count == state->currency_cap) {
        uint32_t cap = state->currency_cap ? state->currency_cap * 2 : 2;
        tl_currency *currencies = realloc(state->currencies, cap * sizeof *currencies);
        if (!currencies) {
            return false;
        }
        state->currencies = currencies;
        state->currency_cap = cap;
    }
    char *copy = malloc(name.len + 1);
    if (!copy || !tl_namemap_reserve(&state->currency_names)) {
        free(copy);
        return false;
    }
    *out_id = state->currency_count++;
    state->currencies[*out_id] = (tl_currency){.name = copy_text(&copy, name)};
    tl_namemap_insert(&state->currency_names, hash, *out_id);
    return true;
}

/* One block: the account, then its name. The asset's name is its currency's. */
static tl_account *account_new(const talea_account_def *def, uint32_t ordinal, uint32_t asset_id,
                               const tl_currency *currency) {
    tl_account *account = malloc(sizeof *account + def->account.len + 1);
    if (account) {
        *account = (tl_account){.def = *def, .ordinal = ordinal, .asset_id = asset_id};
        char *at = (char *)(account + 1);
        account->def.account = copy_text(&at, def->account);
        account->def.asset = currency->name;
    }
    return account;
}

talea_code tl_state_stage_account(tl_state *state, const talea_account_def *def,
                                  tl_account **out_account, talea_error *err) {
    assert(def->account.len > 0);
    assert(def->asset.len > 0);
    if (tl_state_resolve_account(state, def->account)) {
        return tl_error(err, TALEA_ALREADY_EXISTS, "account \"%.*s\" is already open",
                        (int)def->account.len, def->account.data);
    }
    if (state->account_count == TL_TABLE_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "the book already has %" PRIu32 " accounts",
                        state->account_count);
    }
    uint32_t asset_id = 0;
    if (!intern_currency(state, def->asset, &asset_id) ||
        !tl_namemap_reserve(&state->account_names)) {
        return tl_error_nomem(err);
    }
    uint32_t ordinal = state->account_count;
    tl_account *account = account_new(def, ordinal, asset_id, &state->currencies[asset_id]);
    if (!account || !tl_table_put(&state->accounts, ordinal, account)) {
        free(account);
        return tl_error_nomem(err);
    }
    tl_namemap_insert(&state->account_names, hash_name(state, account->def.account), ordinal);
    state->account_count++;
    *out_account = account;
    return TALEA_OK;
}

void tl_state_unstage_account(tl_state *state) {
    assert(state->account_count > published(&state->published_accounts));
    tl_account *account = account_at(state, --state->account_count);
    assert(account->staged_debits == 0);
    assert(account->staged_credits == 0);
    tl_namemap_remove(&state->account_names, hash_name(state, account->def.account),
                      account->ordinal);
    tl_table_put(&state->accounts, account->ordinal, NULL);
    account_free(account);
}

/* ---- Staging assets ---- */

static talea_asset_def *asset_new(const talea_asset_def *def) {
    size_t bytes = def->asset.len + def->network.len + def->native_id.len + def->name.len + 4;
    talea_asset_def *asset = malloc(sizeof *asset + bytes);
    if (asset) {
        char *at = (char *)(asset + 1);
        *asset = *def;
        asset->asset = copy_text(&at, def->asset);
        asset->network = copy_text(&at, def->network);
        asset->native_id = copy_text(&at, def->native_id);
        asset->name = copy_text(&at, def->name);
    }
    return asset;
}

talea_code tl_state_stage_asset(tl_state *state, const talea_asset_def *def, talea_error *err) {
    assert(def->asset.len > 0);
    if (tl_state_resolve_asset(state, def->asset)) {
        return tl_error(err, TALEA_ALREADY_EXISTS, "asset \"%.*s\" is already registered",
                        (int)def->asset.len, def->asset.data);
    }
    if (state->asset_count == TL_TABLE_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "there are already %" PRIu32 " assets",
                        state->asset_count);
    }
    talea_asset_def *asset = tl_namemap_reserve(&state->asset_names) ? asset_new(def) : NULL;
    if (!asset || !tl_table_put(&state->assets, state->asset_count, asset)) {
        free(asset);
        return tl_error_nomem(err);
    }
    tl_namemap_insert(&state->asset_names, hash_name(state, asset->asset), state->asset_count);
    state->asset_count++;
    return TALEA_OK;
}

void tl_state_unstage_asset(tl_state *state) {
    assert(state->asset_count > published(&state->published_assets));
    uint32_t ordinal = --state->asset_count;
    talea_asset_def *asset = asset_at(state, ordinal);
    tl_namemap_remove(&state->asset_names, hash_name(state, asset->asset), ordinal);
    tl_table_put(&state->assets, ordinal, NULL);
    free(asset);
}

/* ---- Applying: what was staged is published ---- */

/* In replay: what a caller's definition was checked for, and what its event adds. */
static talea_code replay_account(tl_state *state, const talea_account_def *def, talea_error *err) {
    talea_code code = tl_account_check(def, err);
    if (code == TALEA_OK && def->precision > TL_PRECISION_MAX) {
        code = tl_error(err, TALEA_CORRUPT, "account \"%.*s\" has precision %u",
                        (int)def->account.len, def->account.data, def->precision);
    }
    tl_account *account = NULL;
    return code == TALEA_OK ? tl_state_stage_account(state, def, &account, err) : code;
}

static talea_code apply_account(tl_state *state, const talea_account_def *def, uint64_t seq,
                                int64_t at, bool replay, talea_error *err) {
    assert(seq > 0);
    if (!tl_namemap_reserve(&state->committed_account_names)) {
        return tl_error_nomem(err);
    }
    if (replay) {
        talea_code code = replay_account(state, def, err);
        if (code != TALEA_OK) {
            return tl_state_replay_error(code, err);
        }
    }
    uint32_t ordinal = atomic_load_explicit(&state->published_accounts, memory_order_relaxed);
    tl_account *account = tl_state_account(state, ordinal);
    assert(tl_account_same(&account->def, def));
    account->opened_seq = seq;
    account->opened_at = at;
    account->updated_seq = seq;
    tl_namemap_insert(&state->committed_account_names, hash_name(state, account->def.account),
                      ordinal);
    atomic_store_explicit(&state->published_accounts, ordinal + 1, memory_order_release);
    return TALEA_OK;
}

static talea_code apply_asset(tl_state *state, const talea_asset_def *def, bool replay,
                              talea_error *err) {
    if (!tl_namemap_reserve(&state->committed_asset_names)) {
        return tl_error_nomem(err);
    }
    if (replay) {
        talea_code code = tl_asset_check(def, err);
        if (code == TALEA_OK) {
            code = tl_state_stage_asset(state, def, err);
        }
        if (code != TALEA_OK) {
            return tl_state_replay_error(code, err);
        }
    }
    uint32_t ordinal = atomic_load_explicit(&state->published_assets, memory_order_relaxed);
    const talea_asset_def *staged = tl_state_asset(state, ordinal);
    assert(tl_asset_same(staged, def));
    tl_namemap_insert(&state->committed_asset_names, hash_name(state, staged->asset), ordinal);
    atomic_store_explicit(&state->published_assets, ordinal + 1, memory_order_release);
    return TALEA_OK;
}

talea_code tl_state_apply_event(tl_state *state, const tl_event *event, uint64_t seq, int64_t at,
                                bool replay, talea_error *err) {
    switch (event->kind) {
    case TALEA_EVENT_ASSET_REGISTERED: return apply_asset(state, &event->u.asset, replay, err);
    case TALEA_EVENT_ACCOUNT_OPENED:
        return apply_account(state, &event->u.account, seq, at, replay, err);
    case TALEA_EVENT_TRANSACTION_POSTED:
        return tl_state_apply_transaction(state, &event->u.transaction, seq, replay, err);
    }
    assert(false);
    return TALEA_OK;
}

/* ---- Staged and committed made the same ---- */

/* Nothing is staged any more but totals. */
static void settle_totals(tl_state *state) {
    assert(state->account_count == published(&state->published_accounts));
    for (uint32_t i = 0; i < state->currency_count; i++) {
        state->currencies[i].turnover = 0;
    }
    for (uint32_t i = 0; i < state->account_count; i++) {
        tl_account *account = tl_state_account(state, i);
        account->staged_debits = account->debits;
        account->staged_credits = account->credits;
        state->currencies[account->asset_id].turnover += account->debits;
    }
}

void tl_state_unstage_all(tl_state *state) {
    while (state->account_count > published(&state->published_accounts)) {
        tl_account *last = tl_state_account(state, state->account_count - 1);
        last->staged_debits = 0;
        last->staged_credits = 0;
        tl_state_unstage_account(state);
    }
    while (state->asset_count > published(&state->published_assets)) {
        tl_state_unstage_asset(state);
    }
    settle_totals(state);
}
