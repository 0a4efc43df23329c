/*
 * Verifying a key's candidates: the key map holds hashes, so every seq it names is looked at: in
 * the pending groups' buffers, or read back from the log.
 *
 * Content is the same when everything a caller gave is: legs in any order, absent told from empty.
 */
#include "engine/keys.h"

#include <assert.h>

void tl_key_search_free(tl_key_search *search) {
    tl_legs_free(&search->stored);
    tl_legs_free(&search->sorted);
}

/* ---- The earlier draft ---- */

typedef struct stored_draft {
    const uint8_t *body;
    size_t len;
    int64_t at; /* 0: not decided yet */
} stored_draft;

static bool holds(const tl_group *group, uint64_t seq) {
    return seq >= group->first_seq && seq - group->first_seq < group->event_count;
}

/* The group that still has the event in memory; NULL: it is in the log. */
static const tl_group *group_of(const tl_key_search *search, uint64_t seq) {
    for (const tl_group *group = search->book->pending_first; group; group = group->next) {
        if (holds(group, seq)) {
            return group;
        }
    }
    return holds(search->open, seq) ? search->open : NULL;
}

static talea_code find_stored(const tl_key_search *search, uint64_t seq, stored_draft *out,
                              talea_error *err) {
    const tl_group *group = group_of(search, seq);
    if (group) {
        tl_frame frame =
            tl_frame_peek(group->writer.buf.data + group->offsets[seq - group->first_seq], 0);
        *out = (stored_draft){frame.body, frame.body_bytes, 0};
        return TALEA_OK;
    }
    tl_block *block = search->book->stage_block;
    talea_code code = tl_block_load(search->book, block, seq, err);
    if (code == TALEA_OK) {
        const tl_block_event *event = &block->events[seq - block->first_seq];
        *out = (stored_draft){event->body, event->body_bytes, event->at};
    }
    return code;
}

/* ---- Comparing ---- */

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

/* The same postings in any order? Sorts search->stored. */
static talea_code same_legs(tl_key_search *search, const talea_posting *given, uint32_t count,
                            bool *out_same, talea_error *err) {
    talea_posting *stored = search->stored.data;
    *out_same = legs_equal(given, stored, count);
    if (*out_same) {
        return TALEA_OK;
    }
    talea_posting *sorted = tl_legs_copy(&search->sorted, given, count);
    if (!sorted) {
        return tl_error_nomem(err);
    }
    qsort(sorted, count, sizeof *sorted, compare_legs);
    qsort(stored, count, sizeof *stored, compare_legs);
    *out_same = legs_equal(sorted, stored, count);
    return TALEA_OK;
}

/* Absent and empty are not the same. */
static bool same_text(talea_text a, talea_text b) {
    return a.data && b.data ? tl_text_equal(a, b) : a.data == b.data;
}

/* The stored draft's legs are in search->stored. */
static talea_code same_content(tl_key_search *search, const tl_transaction *given,
                               const tl_transaction *stored, bool *out_same, talea_error *err) {
    *out_same = given->leg_count == stored->leg_count &&
                given->has_occurred_at == stored->has_occurred_at &&
                (!given->has_occurred_at || given->occurred_at == stored->occurred_at) &&
                same_text(given->external_refs, stored->external_refs) &&
                same_text(given->metadata, stored->metadata);
    return *out_same ? same_legs(search, given->legs, given->leg_count, out_same, err) : TALEA_OK;
}

/* ---- Looking up ---- */

static talea_code conflict(const tl_book *book, talea_text key, uint64_t seq, talea_error *err) {
    return tl_error(
        err, TALEA_IDEMPOTENCY_CONFLICT,
        "key \"%.*s\" was first used, with different content, by seq %llu of book \"%.*s\"",
        (int)key.len, key.data, (unsigned long long)seq, (int)book->slot->name.len,
        book->slot->name.data);
}

static talea_code undecodable(const tl_book *book, uint64_t seq, talea_error *err) {
    return tl_error(err, TALEA_CORRUPT, "book \"%.*s\": event %llu read back is not a transaction",
                    (int)book->slot->name.len, book->slot->name.data, (unsigned long long)seq);
}

talea_code tl_key_find_earlier(tl_key_search *search, tl_hash128 hash, const tl_transaction *tx,
                               uint64_t *out_seq, int64_t *out_at, talea_error *err) {
    tl_book *book = search->book;
    uint64_t cursor = 0;
    uint64_t seq;
    assert(tl_mutex_held(&book->stage_lock));
    *out_seq = 0;
    while ((seq = tl_keymap_find(book->keys, hash, &cursor)) != 0) {
        stored_draft found;
        talea_text key;
        tl_transaction stored;
        bool nomem = false;
        bool same = false;
        talea_code code = find_stored(search, seq, &found, err);
        if (code != TALEA_OK) {
            return code;
        }
        if (tl_transaction_key(found.body, found.len, &key) && !tl_text_equal(key, tx->key)) {
            continue; /* two keys, one hash */
        }
        if (!tl_transaction_decode(found.body, found.len, &search->stored, &stored, &nomem)) {
            return nomem ? tl_error_nomem(err) : undecodable(book, seq, err);
        }
        *out_seq = seq;
        *out_at = found.at;
        code = same_content(search, tx, &stored, &same, err);
        return code != TALEA_OK || same ? code : conflict(book, tx->key, seq, err);
    }
    return TALEA_OK;
}
