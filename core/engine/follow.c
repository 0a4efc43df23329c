/*
 * Read-only books: following a writer in another process without a lock.
 *
 * Each statement that touches a book first looks whether its log has grown (two short reads when it
 * has not), replays what has come, and shows what is proven durable (INV-D3): all but, at most, the
 * last group, whose proof follows within TL_QUIET_MS of silence. When the writer is gone or
 * stopped and has left an unproven end, the book is opened anew with that end synced by us.
 */
#include "engine/engine.h"

#include <stdio.h>

bool tl_engine_has_writer(const tl_engine *engine) {
    char path[TL_PATH_BYTES_MAX];
    int n = snprintf(path, sizeof path, "%s/LOCK", engine->path);
    return n > 0 && (size_t)n < sizeof path && engine->io->ops->lock_holder(engine->io, path) != 0;
}

talea_code tl_book_follow(tl_book *book, talea_error *err) {
    tl_mutex_lock(&book->stage_lock);
    tl_mutex_lock(&book->read_lock);
    uint64_t before = book->watermark;
    talea_code code = tl_log_follow(book->log, tl_book_replay, book, err);
    if (code == TALEA_OK) {
        tl_book_show_proven(book);
    }
    bool moved = book->watermark != before;
    tl_mutex_unlock(&book->read_lock);
    tl_mutex_unlock(&book->stage_lock);
    if (moved) {
        tl_gate_ring(&book->advance);
    }
    return code;
}

/* How long a reader waits for a proof before it makes the end durable itself. */
enum { PROOF_WAIT_MS = 10 * TL_QUIET_MS };

static uint64_t last_replayed(tl_book *book) {
    tl_book_lock_to_read(book);
    uint64_t seq = book->replay.last_seq;
    tl_mutex_unlock(&book->read_lock);
    return seq;
}

static bool has_unproven_end(tl_book *book) {
    return tl_book_watermark(book) < last_replayed(book);
}

/* Brings the book up to date; *out_anew when its files have to be opened again for that. */
static talea_code catch_up(tl_book *book, bool *out_anew, talea_error *err) {
    talea_code code = tl_book_follow(book, err);
    *out_anew = code == TALEA_CORRUPT ||
                (code == TALEA_OK && has_unproven_end(book) && !tl_engine_has_writer(book->engine));
    return code;
}

/* What was acknowledged before a statement begins must show in it: so its last group's proof is waited for, which comes
 * with the next group, or TL_QUIET_MS after this one. Whatever is added meanwhile is not waited
 * for. When no proof comes (the writer is stopped, or its book has failed), *out_anew: we sync the
 * end ourselves. */
static talea_code wait_for_proof(tl_book *book, uint64_t seq, bool *out_anew, talea_error *err) {
    tl_gate nobody;
    tl_gate_init(&nobody, 0);
    talea_code code = TALEA_OK;
    for (int i = 0; i < PROOF_WAIT_MS && code == TALEA_OK && !*out_anew; i++) {
        if (tl_book_watermark(book) >= seq) {
            break;
        }
        (void)tl_gate_wait(&nobody, 0, 1);
        code = catch_up(book, out_anew, err);
    }
    tl_gate_destroy(&nobody);
    *out_anew = *out_anew || (code == TALEA_OK && tl_book_watermark(book) < seq);
    return code;
}

static talea_code follow_slot(tl_slot *slot, tl_book **out_book, talea_error *err) {
    tl_book *book = NULL;
    talea_code code = tl_slot_book(slot, false, &book, err);
    if (code != TALEA_OK || !book || !book->read_only) {
        *out_book = book;
        return code;
    }
    bool anew = false;
    code = catch_up(book, &anew, err);
    if (code == TALEA_OK && !anew) {
        code = wait_for_proof(book, last_replayed(book), &anew, err);
    }
    if (anew) {
        tl_mutex_lock(&slot->load_lock);
        slot->settle = true;
        tl_slot_drop_locked(slot, book);
        tl_mutex_unlock(&slot->load_lock);
        tl_book_unref(book);
        book = NULL;
        code = tl_slot_book(slot, false, &book, err);
    }
    if (code == TALEA_OK) {
        *out_book = book;
    } else {
        tl_book_unref(book);
    }
    return code;
}

talea_code tl_engine_current_book(tl_engine *engine, talea_text name, tl_book **out_book,
                                  talea_error *err) {
    tl_slot *slot = tl_engine_find_slot(engine, name);
    if (engine->read_only && (!slot || !tl_slot_is_open(slot))) {
        talea_code code = tl_engine_refresh(engine, err);
        if (code != TALEA_OK) {
            return code;
        }
        slot = tl_engine_find_slot(engine, name);
    }
    *out_book = NULL;
    return slot ? follow_slot(slot, out_book, err) : TALEA_OK;
}
