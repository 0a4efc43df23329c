/*
 * Judging: under the stage lock, each draft in order against everything staged before it, then encoding into the open group.
 *
 * INV-C5: a refused unit takes back what it staged, last first. A draft that is staged has, in this
 * order: its totals, its key, its frame, its seq; undo_draft mirrors that.
 */
#include "engine/keys.h"
#include "engine/unit.h"

#include <assert.h>

static const uint32_t UNRESOLVED = UINT32_MAX;

typedef struct stager {
    tl_book *book;
    talea_unit *unit;
    tl_group *group;
    size_t unit_events;
    tl_legs legs; /* scratch: a draft's legs with their real numbers */
    tl_key_search keys;
    talea_error *err;
} stager;

void tl_draft_refuse(talea_unit *unit, tl_draft *draft, const talea_error *err) {
    talea_text copy = {NULL, 0};
    (void)tl_arena_text(&unit->verdicts, (talea_text){err->message, strlen(err->message)}, &copy);
    draft->status = TALEA_STATUS_REJECTED;
    draft->error = err->code;
    draft->message = copy.data ? copy.data : "";
    draft->seq = 0;
    draft->at = 0;
}

talea_code tl_name_draft(talea_text key, talea_error *err) {
    char words[TALEA_MESSAGE_BYTES];
    memcpy(words, err->message, sizeof words);
    return tl_error(err, err->code, "draft \"%.*s\": %.200s", (int)key.len, key.data, words);
}

static void accept(tl_draft *draft, talea_status status, uint64_t seq, int64_t at) {
    draft->status = status;
    draft->seq = seq;
    draft->at = at;
    draft->error = TALEA_OK;
    draft->message = NULL;
}

/* ---- Staging one draft ---- */

static bool note_event(tl_group *group, size_t offset) {
    if (group->event_count == group->event_cap) {
        size_t cap = group->event_cap ? group->event_cap * 2 : 64;
        uint32_t *offsets = realloc(group->offsets, cap * sizeof *offsets);
        if (!offsets) {
            return false;
        }
        group->offsets = offsets;
        group->event_cap = cap;
    }
    group->offsets[group->event_count++] = (uint32_t)offset;
    return true;
}

/* Room for one more event; `offset` is noted, the frame begun. */
static talea_code begin_event(stager *s, size_t bytes_max, uint8_t **out_body) {
    tl_group_writer *writer = &s->group->writer;
    size_t offset = writer->buf.len;
    if (bytes_max > TL_EVENT_BYTES_MAX ||
        offset - writer->unit_start + bytes_max > TL_UNIT_BYTES_MAX ||
        s->unit_events + 1 >= 1U << 24) {
        return tl_error(s->err, TALEA_TOO_LARGE,
                        "one SQL transaction would write more than %d bytes of log",
                        TL_UNIT_BYTES_MAX);
    }
    uint8_t *body = tl_event_begin(writer, bytes_max);
    if (!body || !note_event(s->group, offset)) {
        return tl_error_nomem(s->err);
    }
    *out_body = body;
    return TALEA_OK;
}

static void end_event(stager *s, tl_draft *draft, tl_frame_kind kind, size_t bytes) {
    tl_event_end(&s->group->writer, kind, bytes);
    accept(draft, TALEA_STATUS_COMMITTED, s->book->next_seq++, 0);
    draft->staged = true;
    s->unit_events++;
}

/* The legs with the unit's own accounts replaced by their numbers; NULL: an account was refused, or
 * memory is short. */
static const talea_posting *resolve_legs(stager *s, const tl_transaction *tx) {
    uint32_t i = 0;
    while (i < tx->leg_count && !(tx->legs[i].account & TL_LOCAL_ACCOUNT)) {
        i++;
    }
    if (i == tx->leg_count) {
        return tx->legs;
    }
    talea_posting *legs = tl_legs_copy(&s->legs, tx->legs, tx->leg_count);
    if (!legs) {
        (void)tl_error_nomem(s->err);
        return NULL;
    }
    for (; i < tx->leg_count; i++) {
        if (!(legs[i].account & TL_LOCAL_ACCOUNT)) {
            continue;
        }
        uint32_t local = legs[i].account & ~TL_LOCAL_ACCOUNT;
        legs[i].account = s->unit->local_ordinals[local];
        if (legs[i].account == UNRESOLVED) {
            talea_text name = s->unit->ops[s->unit->locals[local]].u.account.def.account;
            (void)tl_error(s->err, TALEA_UNKNOWN_ACCOUNT,
                           "account \"%.*s\" was refused earlier in this transaction",
                           (int)name.len, name.data);
            return NULL;
        }
    }
    return legs;
}

/* Key, frame and seq of a draft whose totals are staged. On failure neither key nor frame is left.
 */
static talea_code record_transaction(stager *s, tl_draft *draft, const tl_transaction *tx) {
    uint8_t *body = NULL;
    uint64_t seq = s->book->next_seq;
    if (!tl_keymap_insert(s->book->keys, draft->key_hash, seq)) {
        return tl_error_nomem(s->err);
    }
    talea_code code = begin_event(s, tl_transaction_bytes_max(tx), &body);
    if (code == TALEA_OK) {
        end_event(s, draft, TL_FRAME_TRANSACTION, tl_transaction_encode(tx, body));
    } else {
        (void)tl_keymap_remove(s->book->keys, draft->key_hash, seq);
    }
    return code;
}

static talea_code stage_transaction(stager *s, tl_draft *draft) {
    tl_transaction tx = draft->tx;
    uint64_t earlier = 0;
    int64_t at = 0;
    tx.legs = resolve_legs(s, &tx);
    if (!tx.legs) {
        return s->err->code;
    }
    talea_code code = tl_key_find_earlier(&s->keys, draft->key_hash, &tx, &earlier, &at, s->err);
    if (code != TALEA_OK) {
        draft->seq = earlier; /* for the conflict's outcome */
        bool own = earlier >= s->book->next_seq - s->unit_events;
        if (code == TALEA_IDEMPOTENCY_CONFLICT && own && !draft->optional) {
            draft->seq = 0; /* a number that this refusal takes back */
            code =
                tl_error(s->err, code,
                         "key \"%.*s\" is used twice in this transaction, with different content",
                         (int)tx.key.len, tx.key.data);
        }
        return code;
    }
    if (earlier != 0) {
        accept(draft, TALEA_STATUS_DEDUPLICATED, earlier, at);
        return TALEA_OK;
    }
    code = tl_state_stage_transaction(s->book->state, tx.legs, tx.leg_count, s->err);
    if (code != TALEA_OK) {
        return tl_name_draft(tx.key, s->err);
    }
    code = record_transaction(s, draft, &tx);
    if (code != TALEA_OK) {
        tl_state_unstage_transaction(s->book->state, tx.legs, tx.leg_count);
    }
    return code;
}

static talea_code stage_new_account(stager *s, tl_draft *draft, const talea_account_def *def,
                                    tl_account **out_account) {
    uint8_t *body = NULL;
    talea_code code = tl_state_stage_account(s->book->state, def, out_account, s->err);
    if (code != TALEA_OK) {
        return code;
    }
    code = begin_event(s, tl_account_bytes_max(def), &body);
    if (code == TALEA_OK) {
        end_event(s, draft, TL_FRAME_ACCOUNT, tl_account_encode(def, body));
    } else {
        tl_state_unstage_account(s->book->state);
    }
    return code;
}

static talea_code stage_account(stager *s, tl_draft *draft) {
    const talea_account_def *def = &draft->op->u.account.def;
    tl_account *account = tl_state_resolve_account(s->book->state, def->account);
    talea_code code = TALEA_OK;
    if (!account) {
        code = stage_new_account(s, draft, def, &account);
    } else if (tl_account_same(&account->def, def)) {
        accept(draft, TALEA_STATUS_DEDUPLICATED, 0, 0); /* seq and time: after the wait */
    } else {
        code = tl_account_exists(def->account, s->book->slot->name, s->err);
    }
    if (code == TALEA_OK && draft->op->u.account.local != UNRESOLVED) {
        s->unit->local_ordinals[draft->op->u.account.local] = account->ordinal;
    }
    return code;
}

static talea_code stage_asset(stager *s, tl_draft *draft) {
    const talea_asset_def *def = &draft->op->u.asset;
    uint8_t *body = NULL;
    const talea_asset_def *known = tl_state_resolve_asset(s->book->state, def->asset);
    if (known) {
        accept(draft, TALEA_STATUS_DEDUPLICATED, 0, 0);
        return tl_asset_same(known, def) ? TALEA_OK : tl_asset_exists(def->asset, s->err);
    }
    talea_code code = tl_state_stage_asset(s->book->state, def, s->err);
    if (code != TALEA_OK) {
        return code;
    }
    code = begin_event(s, tl_asset_bytes_max(def), &body);
    if (code == TALEA_OK) {
        end_event(s, draft, TL_FRAME_ASSET, tl_asset_encode(def, body));
    } else {
        tl_state_unstage_asset(s->book->state);
    }
    return code;
}

static void undo_draft(stager *s, tl_draft *draft) {
    assert(draft->staged);
    draft->staged = false;
    s->book->next_seq--;
    if (draft->op->type == TL_OP_ACCOUNT) {
        tl_state_unstage_account(s->book->state);
    } else if (draft->op->type == TL_OP_ASSET) {
        tl_state_unstage_asset(s->book->state);
    } else {
        bool removed = tl_keymap_remove(s->book->keys, draft->key_hash, draft->seq);
        assert(removed);
        (void)removed;
        const talea_posting *legs = resolve_legs(s, &draft->tx);
        assert(legs); /* the scratch it needs was there when it was staged */
        tl_state_unstage_transaction(s->book->state, legs, draft->tx.leg_count);
    }
}

static void undo_unit(stager *s, tl_draft *const *drafts, size_t count) {
    size_t undone = 0;
    while (count-- > 0) {
        if (drafts[count]->staged) {
            undo_draft(s, drafts[count]);
            undone++;
        }
    }
    s->group->event_count -= undone;
    tl_unit_abandon(&s->group->writer);
}

static talea_code stage_draft(stager *s, tl_draft *draft) {
    switch (draft->op->type) {
    case TL_OP_ACCOUNT: return stage_account(s, draft);
    case TL_OP_ASSET: return stage_asset(s, draft);
    case TL_OP_DRAFT:
    case TL_OP_LINE: return stage_transaction(s, draft);
    case TL_OP_REFUSED: break;
    }
    assert(false);
    return TALEA_OK;
}

static talea_code stage_all(stager *s, tl_draft *const *drafts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        tl_draft *draft = drafts[i];
        draft->staged = false;
        talea_code code = stage_draft(s, draft);
        if (code == TALEA_OK) {
            continue;
        }
        uint64_t earlier = code == TALEA_IDEMPOTENCY_CONFLICT ? draft->seq : 0;
        tl_draft_refuse(s->unit, draft, s->err);
        draft->seq = earlier;
        if (!draft->optional || !tl_is_refusal(code)) {
            undo_unit(s, drafts, i + 1);
            return code;
        }
    }
    return TALEA_OK;
}

/* ---- The open group ---- */

static talea_code wait_for_room_locked(tl_book *book, talea_error *err) {
    int64_t deadline_us = tl_monotonic_us() + (int64_t)TL_QUEUE_WAIT_MS * 1000;
    while (!book->failed && book->pending_units >= book->engine->options.queue_depth) {
        int64_t left_ms = (deadline_us - tl_monotonic_us()) / 1000;
        if (left_ms <= 0) {
            return tl_error(err, TALEA_OVERLOADED,
                            "book \"%.*s\" has %u transactions waiting (queue_depth)",
                            (int)book->slot->name.len, book->slot->name.data, book->pending_units);
        }
        (void)tl_cond_wait_ms(&book->room, &book->stage_lock, left_ms);
    }
    if (book->failed) {
        *err = book->failure;
        return err->code;
    }
    return TALEA_OK;
}

/* The group that a unit may join, or a new one that is not in the list yet. */
static tl_group *open_group_locked(tl_book *book) {
    tl_group *last = book->pending_last;
    if (last && !last->taken && last->unit_count < book->engine->options.group_max &&
        last->writer.buf.len < TL_GROUP_BYTES_SOFT) {
        return last;
    }
    tl_group *group = tl_group_new(book);
    if (group) {
        group->first_seq = book->next_seq;
    }
    return group;
}

static void publish_group_locked(tl_book *book, tl_group *group) {
    if (book->pending_last != group) {
        if (book->pending_last) {
            book->pending_last->next = group;
        } else {
            book->pending_first = group;
        }
        book->pending_last = group;
    }
    group->unit_count++;
    book->pending_units++;
}

static tl_group *referenced(tl_group *group) {
    if (group) {
        atomic_fetch_add(&group->refs, 1);
    }
    return group;
}

/* The unit's events into the group, or none of them. */
static talea_code fill_group(stager *s, tl_draft *const *drafts, size_t count, bool dry_run,
                             bool *out_joined) {
    *out_joined = false;
    tl_unit_begin(&s->group->writer);
    talea_code code = stage_all(s, drafts, count);
    if (code != TALEA_OK) {
        return code;
    }
    if (s->unit_events == 0 || dry_run) {
        undo_unit(s, drafts, count);
        return TALEA_OK;
    }
    if (!tl_unit_end(&s->group->writer)) {
        undo_unit(s, drafts, count);
        return tl_error_nomem(s->err);
    }
    *out_joined = true;
    return TALEA_OK;
}

static talea_code stage_locked(stager *s, tl_draft *const *drafts, size_t count, bool dry_run,
                               tl_group **out_group) {
    tl_book *book = s->book;
    talea_code code = wait_for_room_locked(book, s->err);
    if (code == TALEA_OK) {
        code = tl_writer_start_locked(book, s->err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    s->group = open_group_locked(book);
    if (!s->group) {
        return tl_error_nomem(s->err);
    }
    s->keys.open = s->group;
    bool fresh = book->pending_last != s->group;
    bool joined = false;
    code = fill_group(s, drafts, count, dry_run, &joined);
    if (joined) {
        publish_group_locked(book, s->group);
        *out_group = referenced(s->group);
        return TALEA_OK;
    }
    if (fresh) {
        tl_group_unref(book, s->group);
    }
    if (code == TALEA_OK ? !dry_run : tl_is_refusal(code)) {
        *out_group = referenced(book->pending_last); /* INV-C3: the answer rests on it */
    }
    return code;
}

talea_code tl_stage_unit(tl_book *book, talea_unit *unit, tl_draft *const *drafts,
                         size_t draft_count, bool dry_run, tl_group **out_group, talea_error *err) {
    stager s = {.book = book, .unit = unit, .keys.book = book, .err = err};
    for (uint32_t i = 0; i < unit->local_count; i++) {
        unit->local_ordinals[i] = UNRESOLVED;
    }
    for (size_t i = 0; i < draft_count; i++) {
        talea_text key = drafts[i]->tx.key;
        if (key.data) {
            drafts[i]->key_hash = tl_book_key_hash(book, key);
        }
    }
    *out_group = NULL;
    tl_mutex_lock(&book->stage_lock);
    talea_code code = stage_locked(&s, drafts, draft_count, dry_run, out_group);
    tl_mutex_unlock(&book->stage_lock);
    tl_legs_free(&s.legs);
    tl_key_search_free(&s.keys);
    if (code == TALEA_OK && *out_group) {
        tl_gate_ring(&book->work);
    }
    return code;
}
