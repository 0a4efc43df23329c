/*
 * Judging: under the stage lock, each draft in order against everything staged before it, then encoding into the open group.
 *
 * INV-C5: a refused unit takes back what it staged, last first. A draft that is staged has, in this
 * order: its totals, its key, its frame, its seq; undo_op mirrors that.
 */
#include "engine/unit.h"

#include <assert.h>

static const uint32_t UNRESOLVED = UINT32_MAX;

typedef struct stager {
    tl_book *book;
    talea_unit *unit;
    tl_group *group;
    size_t unit_events;
    tl_legs legs;   /* scratch: an op's legs with their real numbers */
    tl_legs stored; /* scratch: a stored draft's legs */
    talea_error *err;
} stager;

void tl_op_refuse(talea_unit *unit, tl_op *op, const talea_error *err) {
    op->status = TALEA_STATUS_REJECTED;
    op->error = err->code;
    talea_text copy = {NULL, 0};
    (void)tl_arena_text(&unit->arena, (talea_text){err->message, strlen(err->message)}, &copy);
    op->message = copy.data ? copy.data : "";
}

talea_code tl_name_draft(talea_text key, talea_error *err) {
    char words[TALEA_MESSAGE_BYTES];
    memcpy(words, err->message, sizeof words);
    return tl_error(err, err->code, "draft \"%.*s\": %.200s", (int)key.len, key.data, words);
}

static void accept(tl_op *op, talea_status status, uint64_t seq, int64_t at) {
    op->status = status;
    op->seq = seq;
    op->at = at;
    op->error = TALEA_OK;
    op->message = NULL;
}

/* ---- Verifying a key's candidates ---- */

/* The body of a transaction that is pending or committed. *out_at is 0 when it is not decided yet.
 */
static talea_code stored_body(stager *s, uint64_t seq, const uint8_t **out_body, size_t *out_len,
                              int64_t *out_at) {
    tl_group *open = s->group;
    for (tl_group *group = s->book->pending_first;; group = group->next) {
        tl_group *g = group ? group : open; /* the open group may not be in the list yet */
        if (seq >= g->first_seq && seq - g->first_seq < g->event_count) {
            const uint8_t *frame = g->writer.buf.data + g->offsets[seq - g->first_seq];
            tl_frame stored = tl_frame_peek(frame, 0);
            *out_body = stored.body;
            *out_len = stored.body_bytes;
            *out_at = 0;
            return TALEA_OK;
        }
        if (!group) {
            break;
        }
    }
    talea_code code = tl_block_load(s->book, s->book->stage_block, seq, s->err);
    if (code == TALEA_OK) {
        const tl_block_event *event =
            &s->book->stage_block->events[seq - s->book->stage_block->first_seq];
        *out_body = event->body;
        *out_len = event->body_bytes;
        *out_at = event->at;
    }
    return code;
}

static int compare_legs(const void *a, const void *b) {
    const talea_posting *x = a;
    const talea_posting *y = b;
    if (x->account != y->account) {
        return x->account < y->account ? -1 : 1;
    }
    if (x->side != y->side) {
        return x->side < y->side ? -1 : 1;
    }
    return x->amount < y->amount ? -1 : x->amount > y->amount;
}

static bool legs_equal(const talea_posting *a, const talea_posting *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (compare_legs(&a[i], &b[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The same postings in any order. Sorts `stored`, and a copy of `given`. */
static bool same_legs(const talea_posting *given, talea_posting *stored, uint32_t count) {
    if (legs_equal(given, stored, count)) {
        return true;
    }
    talea_posting *sorted = malloc(count * sizeof *sorted);
    if (!sorted) {
        return false; /* a conflict is the safe answer: nothing is posted, nothing is lost */
    }
    memcpy(sorted, given, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_legs);
    qsort(stored, count, sizeof *stored, compare_legs);
    bool same = legs_equal(sorted, stored, count);
    free(sorted);
    return same;
}

static bool same_content(const tl_transaction *given, const tl_transaction *stored) {
    return given->leg_count == stored->leg_count &&
           given->has_occurred_at == stored->has_occurred_at &&
           (!given->has_occurred_at || given->occurred_at == stored->occurred_at) &&
           tl_text_equal(given->external_refs, stored->external_refs) &&
           (given->external_refs.data != NULL) == (stored->external_refs.data != NULL) &&
           tl_text_equal(given->metadata, stored->metadata) &&
           (given->metadata.data != NULL) == (stored->metadata.data != NULL) &&
           same_legs(given->legs, (talea_posting *)stored->legs, given->leg_count);
}

/* Looks for an earlier draft with this key. *out_seq is 0 when there is none; IDEMPOTENCY_CONFLICT
 * when it differs. */
static talea_code find_earlier(stager *s, const tl_op *op, const tl_transaction *tx,
                               uint64_t *out_seq, int64_t *out_at) {
    uint64_t cursor = 0;
    uint64_t seq;
    *out_seq = 0;
    while ((seq = tl_keymap_find(s->book->keys, op->u.draft.key_hash, &cursor)) != 0) {
        const uint8_t *body = NULL;
        size_t len = 0;
        tl_transaction stored;
        bool nomem = false;
        talea_code code = stored_body(s, seq, &body, &len, out_at);
        if (code != TALEA_OK) {
            return code;
        }
        if (!tl_transaction_decode(body, len, &s->stored, &stored, &nomem)) {
            return nomem ? tl_error_nomem(s->err)
                         : tl_error(s->err, TALEA_CORRUPT,
                                    "book \"%.*s\": event %llu read back is not a transaction",
                                    (int)s->book->slot->name.len, s->book->slot->name.data,
                                    (unsigned long long)seq);
        }
        if (!tl_text_equal(stored.key, tx->key)) {
            continue; /* two keys, one hash */
        }
        *out_seq = seq;
        if (!same_content(tx, &stored)) {
            return tl_error(
                s->err, TALEA_IDEMPOTENCY_CONFLICT,
                "key \"%.*s\" was first used, with different content, by seq %llu of book \"%.*s\"",
                (int)tx->key.len, tx->key.data, (unsigned long long)seq,
                (int)s->book->slot->name.len, s->book->slot->name.data);
        }
        return TALEA_OK;
    }
    return TALEA_OK;
}

/* ---- Staging one operation ---- */

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

static void end_event(stager *s, tl_op *op, tl_frame_kind kind, size_t bytes) {
    tl_event_end(&s->group->writer, kind, bytes);
    accept(op, TALEA_STATUS_COMMITTED, s->book->next_seq++, 0);
    op->staged = true;
    s->unit_events++;
}

/* The op's legs with local accounts replaced by their numbers; NULL: an account was refused, or
 * memory is short. */
static const talea_posting *resolve_legs(stager *s, const tl_transaction *tx) {
    uint32_t i = 0;
    while (i < tx->leg_count && !(tx->legs[i].account & TL_LOCAL_ACCOUNT)) {
        i++;
    }
    if (i == tx->leg_count) {
        return tx->legs;
    }
    if (s->legs.cap < tx->leg_count) {
        talea_posting *legs = realloc(s->legs.data, tx->leg_count * sizeof *legs);
        if (!legs) {
            (void)tl_error_nomem(s->err);
            return NULL;
        }
        s->legs.data = legs;
        s->legs.cap = tx->leg_count;
    }
    memcpy(s->legs.data, tx->legs, tx->leg_count * sizeof *tx->legs);
    for (; i < tx->leg_count; i++) {
        uint32_t *account = &s->legs.data[i].account;
        if (*account & TL_LOCAL_ACCOUNT) {
            uint32_t local = *account & ~TL_LOCAL_ACCOUNT;
            const tl_op *opening = &s->unit->ops[s->unit->locals[local]];
            *account = s->unit->local_ordinals[local];
            if (*account == UNRESOLVED) {
                (void)tl_error(s->err, TALEA_UNKNOWN_ACCOUNT,
                               "account \"%.*s\" was refused earlier in this transaction",
                               (int)opening->u.account.def.account.len,
                               opening->u.account.def.account.data);
                return NULL;
            }
        }
    }
    return s->legs.data;
}

static talea_code stage_draft(stager *s, tl_op *op) {
    tl_transaction tx = op->u.draft.tx;
    uint64_t seq = 0;
    int64_t at = 0;
    uint8_t *body = NULL;

    tx.legs = resolve_legs(s, &tx);
    if (!tx.legs) {
        return s->err->code;
    }
    talea_code code = find_earlier(s, op, &tx, &seq, &at);
    if (code == TALEA_IDEMPOTENCY_CONFLICT) {
        op->seq = seq;
    }
    if (code != TALEA_OK) {
        return code;
    }
    if (seq != 0) {
        accept(op, TALEA_STATUS_DEDUPLICATED, seq, at);
        return TALEA_OK;
    }
    code = tl_state_stage_transaction(s->book->state, tx.legs, tx.leg_count, s->err);
    if (code != TALEA_OK) {
        return tl_name_draft(tx.key, s->err);
    }
    if (!tl_keymap_insert(s->book->keys, op->u.draft.key_hash, s->book->next_seq)) {
        code = tl_error_nomem(s->err);
        goto unstage;
    }
    code = begin_event(s, tl_transaction_bytes_max(&tx), &body);
    if (code != TALEA_OK) {
        (void)tl_keymap_remove(s->book->keys, op->u.draft.key_hash, s->book->next_seq);
        goto unstage;
    }
    end_event(s, op, TL_FRAME_TRANSACTION, tl_transaction_encode(&tx, body));
    return TALEA_OK;
unstage:
    tl_state_unstage_transaction(s->book->state, tx.legs, tx.leg_count);
    return code;
}

static talea_code stage_account(stager *s, tl_op *op) {
    const talea_account_def *def = &op->u.account.def;
    tl_account *account = tl_state_resolve_account(s->book->state, def->account);
    uint8_t *body = NULL;
    talea_code code = TALEA_OK;
    if (account) {
        if (!tl_account_same(&account->def, def)) {
            return tl_error(s->err, TALEA_ALREADY_EXISTS,
                            "account \"%.*s\" is open in book \"%.*s\" with a different definition",
                            (int)def->account.len, def->account.data, (int)s->book->slot->name.len,
                            s->book->slot->name.data);
        }
        accept(op, TALEA_STATUS_DEDUPLICATED, 0, 0); /* seq and time are filled in after the wait */
    } else {
        code = tl_state_stage_account(s->book->state, def, &account, s->err);
        if (code == TALEA_OK) {
            code = begin_event(s, tl_account_bytes_max(def), &body);
            if (code != TALEA_OK) {
                tl_state_unstage_account(s->book->state);
            }
        }
        if (code == TALEA_OK) {
            end_event(s, op, TL_FRAME_ACCOUNT, tl_account_encode(def, body));
        }
    }
    if (code == TALEA_OK && op->u.account.local != UNRESOLVED) {
        s->unit->local_ordinals[op->u.account.local] = account->ordinal;
    }
    return code;
}

static talea_code stage_asset(stager *s, tl_op *op) {
    const talea_asset_def *def = &op->u.asset;
    uint8_t *body = NULL;
    const talea_asset_def *known = tl_state_resolve_asset(s->book->state, def->asset);
    if (known) {
        if (!tl_asset_same(known, def)) {
            return tl_error(s->err, TALEA_ALREADY_EXISTS,
                            "asset \"%.*s\" is registered with a different definition",
                            (int)def->asset.len, def->asset.data);
        }
        accept(op, TALEA_STATUS_DEDUPLICATED, 0, 0);
        return TALEA_OK;
    }
    talea_code code = tl_state_stage_asset(s->book->state, def, s->err);
    if (code != TALEA_OK) {
        return code;
    }
    code = begin_event(s, tl_asset_bytes_max(def), &body);
    if (code != TALEA_OK) {
        tl_state_unstage_asset(s->book->state);
        return code;
    }
    end_event(s, op, TL_FRAME_ASSET, tl_asset_encode(def, body));
    return TALEA_OK;
}

static void undo_op(stager *s, tl_op *op) {
    assert(op->staged);
    op->staged = false;
    s->book->next_seq--;
    if (op->type == TL_OP_ACCOUNT) {
        tl_state_unstage_account(s->book->state);
    } else if (op->type == TL_OP_ASSET) {
        tl_state_unstage_asset(s->book->state);
    } else {
        bool removed = tl_keymap_remove(s->book->keys, op->u.draft.key_hash, op->seq);
        assert(removed);
        (void)removed;
        const talea_posting *legs = resolve_legs(s, &op->u.draft.tx);
        assert(legs); /* it was resolved when it was staged */
        tl_state_unstage_transaction(s->book->state, legs, op->u.draft.tx.leg_count);
    }
}

static void undo_unit(stager *s, const uint32_t *drafts, size_t count) {
    size_t undone = 0;
    while (count-- > 0) {
        tl_op *op = &s->unit->ops[drafts[count]];
        if (op->staged) {
            undo_op(s, op);
            undone++;
        }
    }
    s->group->event_count -= undone;
    tl_unit_abandon(&s->group->writer);
}

static talea_code stage_all(stager *s, const uint32_t *drafts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        tl_op *op = &s->unit->ops[drafts[i]];
        talea_code code = TALEA_OK;
        op->staged = false;
        if (op->type == TL_OP_REFUSED ||
            (op->type == TL_OP_LINE && op->status == TALEA_STATUS_REJECTED)) {
            continue;
        }
        code = op->type == TL_OP_ACCOUNT ? stage_account(s, op)
               : op->type == TL_OP_ASSET ? stage_asset(s, op)
                                         : stage_draft(s, op);
        if (code == TALEA_OK) {
            continue;
        }
        tl_op_refuse(s->unit, op, s->err);
        bool callers_fault = code < TALEA_OVERLOADED;
        if (!op->optional || !callers_fault) {
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

static talea_code stage_locked(stager *s, const uint32_t *drafts, size_t count, bool dry_run,
                               tl_group **out_group) {
    tl_book *book = s->book;
    talea_code code = wait_for_room_locked(book, s->err);
    if (code != TALEA_OK) {
        return code;
    }
    code = tl_writer_start_locked(book, s->err);
    if (code != TALEA_OK) {
        return code;
    }
    s->group = open_group_locked(book);
    if (!s->group) {
        return tl_error_nomem(s->err);
    }
    bool fresh = book->pending_last != s->group;
    tl_unit_begin(&s->group->writer);
    code = stage_all(s, drafts, count);
    if (code == TALEA_OK && s->unit_events > 0 && !dry_run) {
        if (tl_unit_end(&s->group->writer)) {
            publish_group_locked(book, s->group);
            atomic_fetch_add(&s->group->refs, 1);
            *out_group = s->group;
            return TALEA_OK;
        }
        code = tl_error_nomem(s->err);
        undo_unit(s, drafts, count);
    } else if (code == TALEA_OK) {
        undo_unit(s, drafts, count);
        if (book->pending_last && !dry_run) { /* INV-C3: the answer rests on what is pending */
            *out_group = book->pending_last;
            atomic_fetch_add(&book->pending_last->refs, 1);
        }
    }
    if (fresh) {
        tl_group_unref(book, s->group);
    }
    return code;
}

talea_code tl_stage_unit(tl_book *book, talea_unit *unit, const uint32_t *drafts,
                         size_t draft_count, bool dry_run, tl_group **out_group, talea_error *err) {
    stager s = {.book = book, .unit = unit, .err = err};
    for (uint32_t i = 0; i < unit->local_count; i++) {
        unit->local_ordinals[i] = UNRESOLVED;
    }
    *out_group = NULL;
    tl_mutex_lock(&book->stage_lock);
    talea_code code = stage_locked(&s, drafts, draft_count, dry_run, out_group);
    tl_mutex_unlock(&book->stage_lock);
    tl_legs_free(&s.legs);
    tl_legs_free(&s.stored);
    if (*out_group) {
        tl_gate_open(&book->work, tl_gate_load(&book->work) + 1);
    }
    return code;
}
