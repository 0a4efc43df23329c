/*
 * Lookups that end in the log: by key (every candidate verified), by txid (computed, then verified), by time.
 */
#include "engine/view.h"

#include <assert.h>

/* The stored event, through the view's own block. */
static talea_code fetch(talea_book_view *view, uint64_t seq, tl_block_event *out_event,
                        talea_error *err) {
    if (!view->block) {
        view->block = tl_block_new(view->book);
        if (!view->block) {
            return tl_error_nomem(err);
        }
    }
    talea_code code = tl_block_load(view->book, view->block, seq, err);
    if (code == TALEA_OK) {
        *out_event = view->block->events[seq - view->block->first_seq];
    }
    return code;
}

/* Seqs that may carry the key, and no more than fit: what is beyond them was never made by accident
 * (the hash has 64 bits, and a random seed), so it is no key of this book. */
enum { CANDIDATES_MAX = 16 };

static size_t candidates(talea_book_view *book, talea_text key, uint64_t out[CANDIDATES_MAX]) {
    uint64_t cursor = 0;
    uint64_t seq = 0;
    size_t count = 0;
    tl_hash128 hash = tl_book_key_hash(book->book, key);
    tl_mutex_lock(&book->book->stage_lock);
    while (count < CANDIDATES_MAX && (seq = tl_keymap_find(book->book->keys, hash, &cursor)) != 0) {
        if (seq <= book->watermark) { /* else pending, or newer than this view */
            out[count++] = seq;
        }
    }
    tl_mutex_unlock(&book->book->stage_lock);
    return count;
}

talea_code talea_book_find_key(talea_book_view *book, talea_text key, uint64_t *out_seq,
                               talea_error *err) {
    uint64_t seqs[CANDIDATES_MAX];
    size_t count = candidates(book, key, seqs);
    uint64_t found = 0;
    for (size_t i = 0; i < count && found == 0; i++) {
        tl_block_event event = {0};
        talea_text stored;
        talea_code code = fetch(book, seqs[i], &event, err);
        if (code != TALEA_OK) {
            return code;
        }
        if (tl_transaction_key(event.body, event.body_bytes, &stored) &&
            tl_text_equal(stored, key)) {
            found = seqs[i];
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
        tl_block_event event = {0};
        talea_code code = fetch(book, seq, &event, err);
        if (code != TALEA_OK) {
            return code;
        }
        uint8_t made[16];
        tl_txid_make(book->book->uid, event.at, seq, made);
        found =
            event.kind == TL_FRAME_TRANSACTION && memcmp(made, txid, sizeof made) == 0 ? seq : 0;
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
    tl_book_lock_to_read(book->book);
    size_t i = tl_seqindex_floor_at(&book->book->seqs, at);
    uint64_t seq = i == (size_t)-1 ? 0 : book->book->seqs.entries[i].seq;
    tl_mutex_unlock(&book->book->read_lock);
    /* Within the stride behind the entry: step until a later event shows. at < last_at, so there is one. */
    while (seq > 0 && seq < book->watermark) {
        tl_block_event event = {0};
        talea_code code = fetch(book, seq + 1, &event, err);
        if (code != TALEA_OK) {
            return code;
        }
        if (event.at > at) {
            break;
        }
        seq++;
    }
    *out_seq = seq;
    return TALEA_OK;
}
