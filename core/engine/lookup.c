/*
 * Lookups that end in the log: by key (every candidate verified), by txid (computed, then verified), by time.
 */
#include "engine/view.h"

#include <assert.h>

/* The stored event, through the view's own block. */
static talea_code fetch(talea_book_view *view, uint64_t seq, const tl_block_event **out_event,
                        talea_error *err) {
    if (!view->block) {
        view->block = tl_block_new(view->book);
        if (!view->block) {
            return tl_error_nomem(err);
        }
    }
    talea_code code = tl_block_load(view->book, view->block, seq, err);
    if (code == TALEA_OK) {
        *out_event = &view->block->events[seq - view->block->first_seq];
    }
    return code;
}

/* The key of a stored transaction begins behind flags and length: docs/FORMAT.md. */
static bool key_equal(const tl_block_event *event, talea_text key) {
    return event->kind == TL_FRAME_TRANSACTION && event->body_bytes >= 2 + key.len &&
           event->body[1] == key.len && memcmp(event->body + 2, key.data, key.len) == 0;
}

talea_code talea_book_find_key(talea_book_view *book, talea_text key, uint64_t *out_seq,
                               talea_error *err) {
    uint64_t cursor = 0;
    uint64_t found = 0;
    tl_hash128 hash = tl_hash128_of(key.data, key.len);
    while (key.len > 0) {
        tl_mutex_lock(&book->book->stage_lock);
        uint64_t seq = tl_keymap_find(book->book->keys, hash, &cursor);
        tl_mutex_unlock(&book->book->stage_lock);
        if (seq == 0) {
            break;
        }
        if (seq > book->watermark) {
            continue; /* pending, or newer than this view */
        }
        const tl_block_event *event = NULL;
        talea_code code = fetch(book, seq, &event, err);
        if (code != TALEA_OK) {
            return code;
        }
        if (key_equal(event, key)) {
            found = seq;
            break;
        }
    }
    *out_seq = found;
    return TALEA_OK;
}

talea_code talea_book_find_txid(talea_book_view *book, const uint8_t txid[16], uint64_t *out_seq,
                                talea_error *err) {
    uint64_t seq = tl_txid_seq(book->book->uid, txid);
    uint64_t found = 0;
    if (seq != 0 && seq <= book->watermark) {
        const tl_block_event *event = NULL;
        talea_code code = fetch(book, seq, &event, err);
        if (code != TALEA_OK) {
            return code;
        }
        uint8_t made[16];
        tl_txid_make(book->book->uid, event->at, seq, made);
        found =
            event->kind == TL_FRAME_TRANSACTION && memcmp(made, txid, sizeof made) == 0 ? seq : 0;
    }
    *out_seq = found;
    return TALEA_OK;
}

talea_code talea_book_seq_at(talea_book_view *book, int64_t at, uint64_t *out_seq,
                             talea_error *err) {
    if (at >= book->last_at) {
        *out_seq = book->watermark;
        return TALEA_OK;
    }
    tl_mutex_lock(&book->book->read_lock);
    size_t i = tl_seqindex_floor_at(&book->book->seqs, at);
    uint64_t seq = i == (size_t)-1 ? 0 : book->book->seqs.entries[i].seq;
    tl_mutex_unlock(&book->book->read_lock);
    /* Within the stride behind the entry: step until a later event shows. at < last_at, so there is one. */
    while (seq > 0 && seq < book->watermark) {
        const tl_block_event *event = NULL;
        talea_code code = fetch(book, seq + 1, &event, err);
        if (code != TALEA_OK) {
            return code;
        }
        if (event->at > at) {
            break;
        }
        seq++;
    }
    *out_seq = seq;
    return TALEA_OK;
}
