/*
 * Adding operations to a unit: shape, names, room. What the writer's order decides (keys, limits) is judged in stage.c.
 */
#include "engine/unit.h"

#include <assert.h>

static const uint32_t NO_LOCAL = UINT32_MAX;

talea_code talea_unit_new(talea_ledger *ledger, talea_unit **out_unit, talea_error *err) {
    talea_code code = tl_engine_check(ledger->engine, err);
    if (code != TALEA_OK) {
        return code;
    }
    talea_unit *unit = calloc(1, sizeof *unit);
    if (!unit) {
        return tl_error_nomem(err);
    }
    unit->engine = ledger->engine;
    unit->read_only = ledger->read_only;
    *out_unit = unit;
    return TALEA_OK;
}

void talea_unit_free(talea_unit *unit) {
    if (unit) {
        tl_book_unref(unit->book);
        tl_book_unref(unit->system_book);
        tl_arena_free(&unit->arena);
        tl_arena_free(&unit->verdicts);
        free(unit->cache);
        tl_keymap_free(unit->names);
        free(unit->locals);
        free(unit->local_ordinals);
        free(unit->drafts);
        free(unit->ops);
        free(unit);
    }
}

size_t talea_unit_count(const talea_unit *unit) {
    return unit->op_count;
}

talea_text talea_unit_book(const talea_unit *unit) {
    return tl_unit_book_name(unit);
}

/* ---- Names staged in this unit ---- */

static tl_hash128 name_hash(tl_op_type type, talea_text name) {
    tl_hash128 hash = tl_hash128_of(name.data, name.len);
    hash.lo ^= (uint64_t)type * 0x9E3779B97F4A7C15ULL; /* assets and accounts share the map */
    return hash;
}

static talea_text op_name(const tl_op *op) {
    return op->type == TL_OP_ASSET     ? op->u.asset.asset
           : op->type == TL_OP_ACCOUNT ? op->u.account.def.account
                                       : op->u.draft.tx.key;
}

/* The operation of this type and name; NULL: none. Lines are found by their draft's first. */
static tl_op *find_op(const talea_unit *unit, tl_op_type type, talea_text name, size_t *out_index) {
    uint64_t cursor = 0;
    uint64_t found;
    if (!unit->names) {
        return NULL;
    }
    while ((found = tl_keymap_find(unit->names, name_hash(type, name), &cursor)) != 0) {
        tl_op *op = &unit->ops[found - 1];
        if (op->type == type && tl_text_equal(op_name(op), name)) {
            *out_index = found - 1;
            return op;
        }
    }
    return NULL;
}

static bool remember_op(talea_unit *unit, tl_op_type type, talea_text name, size_t index) {
    if (!unit->names) {
        unit->names = tl_keymap_new();
    }
    return unit->names && tl_keymap_insert(unit->names, name_hash(type, name), index + 1);
}

/* ---- Operations ---- */

static talea_code check_writable(const talea_unit *unit, talea_error *err) {
    if (unit->read_only) {
        return tl_error(err, TALEA_READ_ONLY, "the ledger was opened with mode=ro");
    }
    assert(!unit->committed);
    return tl_engine_check(unit->engine, err);
}

/* A new operation, not counted yet: op_count grows when it is complete. */
static tl_op *push_op(talea_unit *unit, tl_op_type type, bool optional, tl_arena_mark mark) {
    if (unit->op_count == unit->op_cap) {
        size_t cap = unit->op_cap ? unit->op_cap * 2 : 4;
        if (cap >= UINT32_MAX) {
            return NULL;
        }
        tl_op *ops = realloc(unit->ops, cap * sizeof *ops);
        if (!ops) {
            return NULL;
        }
        unit->ops = ops;
        unit->op_cap = cap;
    }
    tl_op *op = &unit->ops[unit->op_count];
    memset(op, 0, sizeof *op);
    op->type = type;
    op->optional = optional;
    op->mark = mark;
    return op;
}

static talea_code out_of_memory(talea_unit *unit, tl_arena_mark mark, talea_error *err) {
    tl_arena_back(&unit->arena, mark);
    return tl_error_nomem(err);
}

static bool concerns_book(const tl_op *op) {
    return op->type == TL_OP_ACCOUNT || op->type == TL_OP_DRAFT || op->type == TL_OP_LINE;
}

/* The operation that push_op made is complete. */
static void count_op(talea_unit *unit) {
    unit->book_op_count += concerns_book(&unit->ops[unit->op_count]);
    unit->op_count++;
}

/* Takes the line off its draft's chain. The first line, and only that, is found by name. */
static void unchain_line(talea_unit *unit, size_t index) {
    tl_op *op = &unit->ops[index];
    size_t first = index;
    unit->line_count--;
    if (tl_keymap_remove(unit->names, name_hash(TL_OP_LINE, op_name(op)), index + 1)) {
        return;
    }
    unit->ops[op->u.draft.before].u.draft.after = 0;
    tl_op *head = find_op(unit, TL_OP_LINE, op_name(op), &first);
    assert(head);
    head->u.draft.before = op->u.draft.before;
}

static void pop_op(talea_unit *unit) {
    size_t index = unit->op_count - 1;
    tl_op *op = &unit->ops[index];
    unit->book_op_count -= concerns_book(op);
    if (op->type == TL_OP_ASSET) {
        (void)tl_keymap_remove(unit->names, name_hash(TL_OP_ASSET, op_name(op)), index + 1);
    } else if (op->type == TL_OP_ACCOUNT && op->u.account.local != NO_LOCAL) {
        unit->local_count--;
        (void)tl_keymap_remove(unit->names, name_hash(TL_OP_ACCOUNT, op_name(op)), index + 1);
    } else if (op->type == TL_OP_LINE) {
        unchain_line(unit, index);
    }
    tl_arena_back(&unit->arena, op->mark);
    unit->op_count--;
}

/* Nothing concerns the user book (any more): the next draft may go to any. */
static void unbind_unused(talea_unit *unit) {
    if (unit->book_op_count == 0) {
        tl_book_unref(unit->book);
        unit->book = NULL;
        unit->book_name_len = 0;
        free(unit->cache);
        unit->cache = NULL;
        unit->lookups = 0;
    }
}

void talea_unit_truncate(talea_unit *unit, size_t count) {
    assert(!unit->committed);
    while (unit->op_count > count) {
        pop_op(unit);
    }
    unbind_unused(unit);
}

/* ---- The user book ---- */

static talea_code check_book_name(talea_text book, talea_error *err) {
    if (!tl_name_valid(book, TL_NAME_BYTES_MAX)) {
        return tl_error(err, TALEA_INVALID_BOOK,
                        "a book's name is 1 to %d bytes of UTF-8 without control characters; this "
                        "one has %zu bytes",
                        TL_NAME_BYTES_MAX, book.len);
    }
    if (book.data[0] == '_') {
        return tl_error(err, TALEA_INVALID_BOOK,
                        "book \"%.*s\": names that begin with _ are the ledger's own",
                        (int)book.len, book.data);
    }
    return TALEA_OK;
}

/* The book as it is now: another connection may have made it since. NULL: there is none. */
static talea_code find_book(talea_unit *unit, talea_error *err) {
    tl_slot *slot = unit->book ? NULL : tl_engine_find_slot(unit->engine, tl_unit_book_name(unit));
    return slot ? tl_slot_book(slot, false, &unit->book, err) : TALEA_OK;
}

static talea_code bind_book(talea_unit *unit, talea_text book, talea_error *err) {
    if (unit->book_name_len > 0 && tl_text_equal(tl_unit_book_name(unit), book)) {
        return find_book(unit, err);
    }
    talea_code code = check_book_name(book, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (unit->book_name_len > 0) {
        return tl_error(err, TALEA_MIXED_BOOKS,
                        "this transaction writes to book \"%.*s\"; it cannot write to \"%.*s\" too",
                        (int)unit->book_name_len, unit->book_name, (int)book.len, book.data);
    }
    memcpy(unit->book_name, book.data, book.len);
    unit->book_name_len = book.len;
    code = find_book(unit, err);
    if (code == TALEA_OK && unit->book && tl_book_is_failed(unit->book, err)) {
        code = err->code;
    }
    if (code != TALEA_OK) {
        unbind_unused(unit);
    }
    return code;
}

/* ---- Assets ---- */

/* The definition of a durable asset, or of one staged here. */
static talea_code find_asset(talea_unit *unit, talea_text name, const talea_asset_def **out_def,
                             talea_error *err) {
    size_t index = 0;
    tl_op *op = find_op(unit, TL_OP_ASSET, name, &index);
    if (op) {
        *out_def = &op->u.asset;
        return TALEA_OK;
    }
    *out_def = NULL;
    if (!unit->system_book) {
        tl_slot *slot = tl_engine_find_slot(unit->engine, tl_system_book);
        talea_code code = slot ? tl_slot_book(slot, false, &unit->system_book, err) : TALEA_OK;
        if (code != TALEA_OK) {
            return code;
        }
    }
    if (unit->system_book) {
        uint32_t ordinal = 0;
        tl_book_lock_to_read(unit->system_book);
        if (tl_state_find_asset(unit->system_book->state, name, &ordinal)) {
            *out_def = tl_state_asset(unit->system_book->state, ordinal);
        }
        tl_mutex_unlock(&unit->system_book->read_lock);
    }
    return TALEA_OK;
}

talea_code talea_unit_add_asset(talea_unit *unit, const talea_asset_def *def, bool optional,
                                talea_error *err) {
    const talea_asset_def *known = NULL;
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    talea_code code = check_writable(unit, err);
    if (code == TALEA_OK) {
        code = tl_asset_check(def, err);
    }
    if (code == TALEA_OK) {
        code = find_asset(unit, def->asset, &known, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    if (known && !tl_asset_same(known, def)) {
        return tl_asset_exists(def->asset, err);
    }
    tl_op *op = push_op(unit, TL_OP_ASSET, optional, mark);
    if (!op) {
        return tl_error_nomem(err);
    }
    op->u.asset = *def;
    if (!tl_arena_text(&unit->arena, def->asset, &op->u.asset.asset) ||
        !tl_arena_text(&unit->arena, def->network, &op->u.asset.network) ||
        !tl_arena_text(&unit->arena, def->native_id, &op->u.asset.native_id) ||
        !tl_arena_text(&unit->arena, def->name, &op->u.asset.name) ||
        !remember_op(unit, TL_OP_ASSET, op->u.asset.asset, unit->op_count)) {
        return out_of_memory(unit, mark, err);
    }
    count_op(unit);
    return TALEA_OK;
}

/* ---- Accounts ---- */

/* Where a name is remembered; NULL while so few were looked up that it does not pay. */
static tl_name_cached *cached(talea_unit *unit, talea_text name) {
    if (!unit->cache && ++unit->lookups > TL_NAME_CACHE / 32) {
        unit->cache = calloc(TL_NAME_CACHE, sizeof *unit->cache); /* without it: slower */
    }
    return unit->cache ? &unit->cache[tl_hash64(name.data, name.len, 0) % TL_NAME_CACHE] : NULL;
}

static const talea_account_def *find_durable(talea_unit *unit, talea_text name,
                                             uint32_t *out_ordinal) {
    if (!unit->book) {
        return NULL;
    }
    tl_name_cached *known = cached(unit, name);
    if (known && known->def && tl_text_equal(known->def->account, name)) {
        *out_ordinal = known->ordinal;
        return known->def;
    }
    tl_book_lock_to_read(unit->book);
    tl_account *account = tl_state_find_account(unit->book->state, name);
    tl_mutex_unlock(&unit->book->read_lock);
    if (!account) {
        return NULL;
    }
    if (known) {
        *known = (tl_name_cached){&account->def, account->ordinal};
    }
    *out_ordinal = account->ordinal;
    return &account->def;
}

/* An account of the unit's book, durable or staged here; NULL: neither. */
static const talea_account_def *find_account(talea_unit *unit, talea_text name, uint32_t *out_ref) {
    const talea_account_def *def = find_durable(unit, name, out_ref);
    if (!def) {
        size_t index = 0;
        tl_op *op = find_op(unit, TL_OP_ACCOUNT, name, &index);
        if (op) {
            *out_ref = op->u.account.local | TL_LOCAL_ACCOUNT;
            def = &op->u.account.def;
        }
    }
    return def;
}

static bool grow_locals(talea_unit *unit) {
    if (unit->local_count < unit->local_cap) {
        return true;
    }
    uint32_t cap = unit->local_cap ? unit->local_cap * 2 : 8;
    uint32_t *locals = realloc(unit->locals, cap * sizeof *locals);
    if (!locals) {
        return false;
    }
    unit->locals = locals;
    uint32_t *ordinals = realloc(unit->local_ordinals, cap * sizeof *ordinals);
    if (!ordinals) {
        return false;
    }
    unit->local_ordinals = ordinals;
    unit->local_cap = cap;
    return true;
}

static talea_code push_account(talea_unit *unit, const talea_account_def *def, bool known,
                               bool optional, talea_error *err) {
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    tl_op *op = push_op(unit, TL_OP_ACCOUNT, optional, mark);
    if (!op) {
        return tl_error_nomem(err);
    }
    op->u.account.def = *def;
    op->u.account.local = NO_LOCAL;
    if (!tl_arena_text(&unit->arena, def->account, &op->u.account.def.account) ||
        !tl_arena_text(&unit->arena, def->asset, &op->u.account.def.asset)) {
        return out_of_memory(unit, mark, err);
    }
    if (!known) {
        if (!grow_locals(unit) ||
            !remember_op(unit, TL_OP_ACCOUNT, op->u.account.def.account, unit->op_count)) {
            return out_of_memory(unit, mark, err);
        }
        op->u.account.local = unit->local_count;
        unit->locals[unit->local_count++] = (uint32_t)unit->op_count;
    }
    count_op(unit);
    return TALEA_OK;
}

static talea_code add_account(talea_unit *unit, const talea_account_def *given, bool optional,
                              talea_error *err) {
    const talea_asset_def *asset = NULL;
    uint32_t ref = 0;
    talea_account_def def = *given;
    talea_code code = tl_account_check(&def, err);
    if (code == TALEA_OK) {
        code = find_asset(unit, def.asset, &asset, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    if (!asset) {
        return tl_error(err, TALEA_UNKNOWN_ASSET, "asset \"%.*s\" is not registered",
                        (int)def.asset.len, def.asset.data);
    }
    def.precision = asset->precision;
    const talea_account_def *known = find_account(unit, def.account, &ref);
    if (known && !tl_account_same(known, &def)) {
        return tl_account_exists(def.account, tl_unit_book_name(unit), err);
    }
    return push_account(unit, &def, known != NULL, optional, err);
}

talea_code talea_unit_add_account(talea_unit *unit, talea_text book, const talea_account_def *def,
                                  bool optional, talea_error *err) {
    talea_code code = check_writable(unit, err);
    if (code == TALEA_OK) {
        code = bind_book(unit, book, err);
    }
    if (code == TALEA_OK) {
        code = add_account(unit, def, optional, err);
        unbind_unused(unit);
    }
    return code;
}

/* ---- Drafts ---- */

static const talea_account_def *account_of(const talea_unit *unit, uint32_t ref) {
    return ref & TL_LOCAL_ACCOUNT ? &unit->ops[unit->locals[ref & ~TL_LOCAL_ACCOUNT]].u.account.def
                                  : &tl_state_account(unit->book->state, ref)->def;
}

typedef struct named_leg {
    talea_text asset;
    uint32_t leg;
} named_leg;

static int compare_named(const void *a, const void *b) {
    const named_leg *x = a;
    const named_leg *y = b;
    int order = tl_text_compare(x->asset, y->asset);
    return order != 0 ? order : (x->leg > y->leg) - (x->leg < y->leg);
}

/* An asset that comes with the unit has no number in the book yet. So the legs' assets are numbered
 * here, in the order of their names. */
static void number_assets(named_leg *named, uint32_t count, uint64_t *keys,
                          tl_currency *currencies) {
    for (uint32_t i = 1; i < count; i++) {
        if (!tl_text_equal(named[i - 1].asset, named[i].asset)) {
            qsort(named, count, sizeof *named, compare_named);
            break;
        }
    }
    uint32_t number = 0;
    currencies[0] = (tl_currency){.name = named[0].asset};
    for (uint32_t i = 0; i < count; i++) {
        if (!tl_text_equal(named[i].asset, currencies[number].name)) {
            currencies[++number] = (tl_currency){.name = named[i].asset};
        }
        keys[i] = tl_leg_key(number, named[i].leg);
    }
}

/* What nearly every draft is: it needs no sums. */
static bool is_transfer(const talea_unit *unit, const talea_posting *legs, uint32_t count) {
    return count == 2 && legs[0].amount == legs[1].amount && legs[0].side != legs[1].side &&
           tl_text_equal(account_of(unit, legs[0].account)->asset,
                         account_of(unit, legs[1].account)->asset);
}

/* It is judged once more when the draft is staged; here it fails the statement. */
talea_code tl_unit_check_balance(talea_unit *unit, const talea_posting *legs, uint32_t count,
                                 talea_error *err) {
    if (is_transfer(unit, legs, count)) {
        return TALEA_OK;
    }
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    named_leg *named = tl_arena_alloc(&unit->arena, count * sizeof *named);
    uint64_t *keys = tl_arena_alloc(&unit->arena, count * sizeof *keys);
    tl_currency *currencies = tl_arena_alloc(&unit->arena, count * sizeof *currencies);
    if (!named || !keys || !currencies) {
        return out_of_memory(unit, mark, err);
    }
    for (uint32_t i = 0; i < count; i++) {
        named[i] = (named_leg){.asset = account_of(unit, legs[i].account)->asset, .leg = i};
    }
    number_assets(named, count, keys, currencies);
    talea_code code = tl_postings_judge(legs, keys, count, currencies, err);
    tl_arena_back(&unit->arena, mark);
    return code;
}

static talea_code resolve_leg(talea_unit *unit, const talea_leg *leg, talea_posting *out,
                              talea_error *err) {
    uint32_t ref = 0;
    const talea_account_def *def = find_account(unit, leg->account, &ref);
    if (!def) {
        return tl_error(err, TALEA_UNKNOWN_ACCOUNT, "account \"%.*s\" is not open in book \"%.*s\"",
                        (int)leg->account.len, leg->account.data ? leg->account.data : "",
                        (int)unit->book_name_len, unit->book_name);
    }
    if (leg->asset.data && !tl_text_equal(leg->asset, def->asset)) {
        return tl_error(err, TALEA_ASSET_MISMATCH, "account \"%.*s\" holds \"%.*s\", not \"%.*s\"",
                        (int)leg->account.len, leg->account.data, (int)def->asset.len,
                        def->asset.data, (int)leg->asset.len, leg->asset.data);
    }
    *out = (talea_posting){.account = ref, .side = leg->side, .amount = leg->amount};
    return TALEA_OK;
}

static talea_code fill_draft(talea_unit *unit, const talea_draft *draft, tl_op *op,
                             talea_error *err) {
    tl_transaction *tx = &op->u.draft.tx;
    talea_posting *legs = tl_arena_alloc(&unit->arena, draft->leg_count * sizeof *legs);
    if (!legs) {
        return tl_error_nomem(err);
    }
    for (size_t i = 0; i < draft->leg_count; i++) {
        talea_code code = resolve_leg(unit, &draft->legs[i], &legs[i], err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    tx->legs = legs;
    tx->leg_count = (uint32_t)draft->leg_count;
    tx->has_occurred_at = draft->has_occurred_at;
    tx->occurred_at = draft->has_occurred_at ? draft->occurred_at : 0;
    if (!tl_arena_text(&unit->arena, draft->key, &tx->key) ||
        !tl_arena_text(&unit->arena, draft->external_refs, &tx->external_refs) ||
        !tl_arena_text(&unit->arena, draft->metadata, &tx->metadata)) {
        return tl_error_nomem(err);
    }
    talea_code code = tl_unit_check_balance(unit, legs, tx->leg_count, err);
    return code == TALEA_OK ? code : tl_name_draft(tx->key, err);
}

static talea_code add_draft(talea_unit *unit, const talea_draft *draft, bool optional,
                            talea_error *err) {
    talea_code code = tl_draft_check(draft, err);
    if (code != TALEA_OK) {
        return code;
    }
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    tl_op *op = push_op(unit, TL_OP_DRAFT, optional, mark);
    if (!op) {
        return tl_error_nomem(err);
    }
    code = fill_draft(unit, draft, op, err);
    if (code != TALEA_OK) {
        tl_arena_back(&unit->arena, mark);
        return code;
    }
    count_op(unit);
    return TALEA_OK;
}

talea_code talea_unit_add_draft(talea_unit *unit, talea_text book, const talea_draft *draft,
                                bool optional, talea_error *err) {
    talea_code code = check_writable(unit, err);
    if (code == TALEA_OK) {
        code = bind_book(unit, book, err);
    }
    if (code == TALEA_OK) {
        code = add_draft(unit, draft, optional, err);
        unbind_unused(unit);
    }
    return code;
}

/* ---- Journal lines ---- */

/* Begins a line's operation. It may move the operations. */
static tl_op *push_line(talea_unit *unit, talea_text key, bool optional) {
    tl_op *op = push_op(unit, TL_OP_LINE, optional, tl_arena_here(&unit->arena));
    return op && tl_arena_text(&unit->arena, key, &op->u.draft.tx.key) ? op : NULL;
}

/* The operation that push_line began is complete: it joins the lines of its key. */
static bool chain_line(talea_unit *unit) {
    uint32_t index = (uint32_t)unit->op_count;
    tl_op *op = &unit->ops[index];
    size_t first = index;
    tl_op *head = find_op(unit, TL_OP_LINE, op_name(op), &first);
    op->u.draft.before = index; /* a draft of one line is its own last */
    if (!head) {
        if (!remember_op(unit, TL_OP_LINE, op_name(op), index)) {
            return false;
        }
    } else {
        op->u.draft.before = head->u.draft.before;
        unit->ops[head->u.draft.before].u.draft.after = index;
        head->u.draft.before = index;
    }
    count_op(unit);
    unit->line_count++;
    return true;
}

static talea_code add_line(talea_unit *unit, talea_text key, const talea_leg *leg,
                           bool has_occurred_at, int64_t occurred_at, bool optional,
                           talea_error *err) {
    /* A line is checked like a draft whose other leg is itself. */
    talea_leg pair[2] = {*leg, *leg};
    talea_draft shape = {.key = key,
                         .legs = pair,
                         .leg_count = 2,
                         .has_occurred_at = has_occurred_at,
                         .occurred_at = occurred_at};
    talea_code code = tl_draft_check(&shape, err);
    if (code != TALEA_OK) {
        return code;
    }
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    tl_op *op = push_line(unit, key, optional);
    talea_posting *posting = tl_arena_alloc(&unit->arena, sizeof *posting);
    if (!op || !posting) {
        return out_of_memory(unit, mark, err);
    }
    code = resolve_leg(unit, leg, posting, err);
    if (code != TALEA_OK) {
        tl_arena_back(&unit->arena, mark);
        return code;
    }
    op->u.draft.tx.legs = posting;
    op->u.draft.tx.leg_count = 1;
    op->u.draft.tx.has_occurred_at = has_occurred_at;
    op->u.draft.tx.occurred_at = has_occurred_at ? occurred_at : 0;
    return chain_line(unit) ? TALEA_OK : out_of_memory(unit, mark, err);
}

static talea_code add_refused_line(talea_unit *unit, talea_text key, bool optional,
                                   const talea_error *why, talea_error *err) {
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    talea_text words = {why->message, strlen(why->message)};
    tl_op *op = push_line(unit, key, optional);
    if (!op || !tl_arena_text(&unit->arena, words, &words)) {
        return out_of_memory(unit, mark, err);
    }
    op->u.draft.refused = why->code;
    op->u.draft.refusal = words.data;
    return chain_line(unit) ? TALEA_OK : out_of_memory(unit, mark, err);
}

talea_code talea_unit_refuse_line(talea_unit *unit, talea_text book, talea_text key, bool optional,
                                  const talea_error *why, talea_error *err) {
    if (key.len == 0 || key.len > TL_KEY_BYTES_MAX || bind_book(unit, book, err) != TALEA_OK) {
        return talea_unit_add_refused(unit, book, key, why, err); /* it could join no draft */
    }
    return add_refused_line(unit, key, optional, why, err);
}

talea_code talea_unit_add_line(talea_unit *unit, talea_text book, talea_text key,
                               const talea_leg *leg, bool has_occurred_at, int64_t occurred_at,
                               bool optional, talea_error *err) {
    talea_code code = check_writable(unit, err);
    if (code == TALEA_OK) {
        code = bind_book(unit, book, err);
    }
    if (code == TALEA_OK) {
        code = add_line(unit, key, leg, has_occurred_at, occurred_at, optional, err);
        unbind_unused(unit);
    }
    return code;
}

talea_code talea_unit_add_refused(talea_unit *unit, talea_text book, talea_text key,
                                  const talea_error *why, talea_error *err) {
    tl_arena_mark mark = tl_arena_here(&unit->arena);
    tl_op *op = push_op(unit, TL_OP_REFUSED, true, mark);
    talea_text words = {why->message, strlen(why->message)};
    if (!op || !tl_arena_text(&unit->arena, book, &op->u.refused.book) ||
        !tl_arena_text(&unit->arena, key, &op->u.refused.key) ||
        !tl_arena_text(&unit->arena, words, &words)) {
        return out_of_memory(unit, mark, err);
    }
    op->u.refused.code = why->code;
    op->u.refused.message = words.data;
    count_op(unit);
    return TALEA_OK;
}
