/*
 * The writer of a book: one thread, one group at a time.
 *
 *                 unit staged
 *   (no thread) ---------------> waiting <-------------------+
 *        ^                        |   |  group pending        |
 *        |  3 s of silence        |   +--------> committing --+  acknowledged (or `full`: refused)
 *        +------------------------+                |
 *        |  50 ms of silence: prove                | write or sync failed
 *        |                                         v
 *        +------------------------------------- failed (for ever)
 *
 * INV-C1, C2, C4, C6 and C9 are upheld here.
 */
#include "engine/engine.h"

#include <assert.h>
#include <sched.h>

/* How many events are applied before readers get their turn at the read lock. */
enum { APPLY_RUN_EVENTS = 512, READER_TURNS_MAX = 64 };

static tl_log_event event_of(const tl_group *group, const tl_log_place *place, size_t i) {
    uint32_t offset = group->offsets[i];
    return (tl_log_event){
        .seq = group->first_seq + i,
        .at = group->at,
        .segment = place->segment,
        .offset = place->offset + offset,
        .group_end = place->group_end,
        .frame = tl_frame_peek(group->writer.buf.data + offset, offset - TL_GROUP_HEADER_BYTES),
    };
}

/* Unlocking alone lets nobody in: this thread would be back first. */
static void let_readers_in(tl_book *book) {
    tl_mutex_unlock(&book->read_lock);
    for (int i = 0; i < READER_TURNS_MAX && atomic_load(&book->readers_waiting) > 0; i++) {
        sched_yield();
    }
    tl_mutex_lock(&book->read_lock);
}

/* INV-C1: called after the sync; the watermark moves last. */
static talea_code apply_group(tl_book *book, const tl_group *group, const tl_log_place *place,
                              tl_legs *legs, talea_error *err) {
    talea_code code = TALEA_OK;
    tl_mutex_lock(&book->read_lock);
    for (size_t i = 0; i < group->event_count && code == TALEA_OK; i++) {
        if (i > 0 && i % APPLY_RUN_EVENTS == 0) {
            let_readers_in(book);
        }
        tl_log_event event = event_of(group, place, i);
        code = tl_book_apply(book, &event, legs, false, err);
    }
    if (code == TALEA_OK && !tl_book_note_end(book, place->segment, place->group_end)) {
        code = tl_error_nomem(err);
    }
    if (code == TALEA_OK) {
        assert(group->first_seq == book->watermark + 1);
        book->watermark += group->event_count;
        book->last_at = group->at;
        book->visible_accounts = tl_state_account_count(book->state);
        book->visible_assets = tl_state_asset_count(book->state);
        book->groups++;
        book->units += group->unit_count;
        tl_histogram_add(&book->sync_us, place->sync_us);
    }
    tl_mutex_unlock(&book->read_lock);
    return code;
}

/* Takes the whole pending list off the book, this group and those behind it. [stage] */
static tl_group *detach_pending_locked(tl_book *book) {
    assert(tl_mutex_held(&book->stage_lock));
    tl_group *first = book->pending_first;
    book->pending_first = NULL;
    book->pending_last = NULL;
    book->pending_units = 0;
    return first;
}

static void decide(tl_book *book, tl_group *group, const talea_error *error) {
    if (error) {
        group->error = *error;
    }
    tl_gate_open(&group->gate, 1);
    tl_group_unref(book, group);
}

static void remove_keys_locked(tl_book *book, const tl_group *group) {
    assert(tl_mutex_held(&book->stage_lock));
    static const tl_log_place nowhere;
    for (size_t i = 0; i < group->event_count; i++) {
        tl_log_event event = event_of(group, &nowhere, i);
        talea_text key;
        if (event.frame.kind == TL_FRAME_TRANSACTION &&
            tl_transaction_key(event.frame.body, event.frame.body_bytes, &key)) {
            (void)tl_keymap_remove(book->keys, tl_book_key_hash(book, key), event.seq);
        }
    }
}

/* Nothing of the pending groups was written (INV-C9) or nothing will be (INV-C6): tell everyone. */
static void refuse_pending(tl_book *book, const talea_error *error, bool fatal) {
    tl_mutex_lock(&book->stage_lock);
    tl_group *group = detach_pending_locked(book);
    if (fatal) {
        tl_log_abandon(book->log);
        book->failed = true;
        book->failure = *error;
    } else {
        for (tl_group *g = group; g; g = g->next) {
            remove_keys_locked(book, g);
        }
        tl_mutex_lock(&book->read_lock);
        tl_state_unstage_all(book->state);
        book->next_seq = book->watermark + 1;
        tl_mutex_unlock(&book->read_lock);
    }
    tl_cond_broadcast(&book->room);
    tl_mutex_unlock(&book->stage_lock);
    while (group) {
        tl_group *next = group->next;
        decide(book, group, error);
        group = next;
    }
}

static void describe_failure(talea_error *err) {
    char words[TALEA_MESSAGE_BYTES];
    memcpy(words, err->message, sizeof words);
    int os_errno = err->os_errno;
    (void)tl_error(err, TALEA_IO,
                   "%.300s; the outcome of the drafts in flight is unknown, and the "
                   "same key is safe to "
                   "retry after talea_open has recovered the book",
                   words);
    err->os_errno = os_errno;
}

/* Writes, syncs, applies and acknowledges one group. false: the writer is dead. */
static bool commit_group(tl_book *book, tl_group *group, tl_legs *legs) {
    talea_error err = {.code = TALEA_OK};
    tl_log_place place;
    int64_t now = book->engine->io->ops->now_us(book->engine->io);
    group->at = now > book->last_at ? now : book->last_at + 1; /* only this thread moves last_at */
    talea_code code = tl_log_append(book->log, &group->writer, group->first_seq, group->event_count,
                                    group->at, &place, &err);
    if (code != TALEA_OK && !tl_log_has_failed(book->log)) {
        if (code == TALEA_IO) {
            err.code = TALEA_FULL; /* out of descriptors: like a full disk, it passes */
        }
        refuse_pending(book, &err, false);
        return true;
    }
    if (code == TALEA_OK) {
        code = apply_group(book, group, &place, legs, &err);
    }
    if (code != TALEA_OK) {
        describe_failure(&err);
        refuse_pending(book, &err, true);
        return false;
    }
    tl_mutex_lock(&book->stage_lock);
    assert(book->pending_first == group);
    book->pending_first = group->next;
    if (!book->pending_first) {
        book->pending_last = NULL;
    }
    book->pending_units -= group->unit_count;
    tl_cond_broadcast(&book->room);
    tl_mutex_unlock(&book->stage_lock);
    tl_gate_ring(&book->advance);
    decide(book, group, NULL); /* INV-C2 */
    return true;
}

/* The oldest pending group, from now on closed to further units; NULL: none. */
static tl_group *take_group(tl_book *book) {
    tl_mutex_lock(&book->stage_lock);
    tl_group *group = book->pending_first;
    if (group) {
        group->taken = true;
    }
    tl_mutex_unlock(&book->stage_lock);
    return group;
}

/* true: the thread is to end (nothing is pending, and no unit can slip in unseen). */
static bool retire(tl_book *book) {
    tl_mutex_lock(&book->stage_lock);
    bool done = !book->pending_first;
    if (done) {
        book->writer_running = false;
        tl_log_reader_rest(book->stage_block->reader);
    }
    tl_mutex_unlock(&book->stage_lock);
    return done;
}

static void die(tl_book *book) {
    tl_mutex_lock(&book->stage_lock);
    book->writer_running = false;
    tl_mutex_unlock(&book->stage_lock);
}

static bool is_closing(tl_book *book) {
    tl_mutex_lock(&book->stage_lock);
    bool closing = book->closing;
    tl_mutex_unlock(&book->stage_lock);
    return closing;
}

/* INV-D: what was synced last becomes provable, outside anybody's waiting time. */
static bool prove(tl_book *book) {
    talea_error err;
    if (tl_log_prove(book->log, &err) != TALEA_OK && tl_log_has_failed(book->log)) {
        describe_failure(&err);
        refuse_pending(book, &err, true);
        return false;
    }
    return true;
}

void *tl_writer_main(void *arg) {
    tl_book *book = arg;
    tl_legs legs = {0};
    bool proven = false;
    for (;;) {
        uint32_t seen = tl_gate_load(&book->work);
        tl_group *group = take_group(book);
        if (group) {
            proven = false;
            if (!commit_group(book, group, &legs)) {
                die(book);
                break;
            }
            continue;
        }
        if (is_closing(book)) {
            if (retire(book)) {
                break;
            }
            continue;
        }
        bool rung = tl_gate_wait(&book->work, seen, proven ? TL_WRITER_IDLE_MS : TL_QUIET_MS);
        if (rung || tl_gate_load(&book->work) != seen) {
            continue;
        }
        if (proven) {
            tl_log_rest(book->log);
            if (retire(book)) {
                break;
            }
            continue;
        }
        if (!prove(book)) {
            die(book);
            break;
        }
        proven = true;
    }
    tl_legs_free(&legs);
    return NULL;
}

talea_code tl_writer_start_locked(tl_book *book, talea_error *err) {
    assert(tl_mutex_held(&book->stage_lock));
    if (book->writer_running) {
        return TALEA_OK;
    }
    if (book->writer_joinable) { /* retired: it holds no lock any more and is about to return */
        pthread_join(book->writer, NULL);
        book->writer_joinable = false;
    }
    int rc = tl_thread_start(&book->writer, tl_writer_main, book);
    if (rc != 0) {
        return tl_error_os(err, rc, "the writer's thread cannot be started");
    }
    book->writer_running = true;
    book->writer_joinable = true;
    return TALEA_OK;
}
