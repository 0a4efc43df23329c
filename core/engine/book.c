/*
 * One incarnation of a book: opening (replay), the projections' one path of application, shutting, references.
 */
#include "engine/engine.h"

#include <assert.h>

bool tl_book_note_end(tl_book *book, uint32_t segment, uint32_t group_end) {
    assert(segment >= 1);
    if (segment > book->segment_end_cap) {
        size_t cap = book->segment_end_cap ? book->segment_end_cap * 2 : 4;
        while (cap < segment) {
            cap *= 2;
        }
        uint32_t *ends = realloc(book->segment_ends, cap * sizeof *ends);
        if (!ends) {
            return false;
        }
        book->segment_ends = ends;
        book->segment_end_cap = cap;
    }
    while (book->segment_end_count < segment) {
        book->segment_ends[book->segment_end_count++] = 0;
    }
    book->segment_ends[segment - 1] = group_end;
    return true;
}

static talea_code undecodable(const tl_book *book, const tl_log_event *event, talea_error *err) {
    return tl_error(err, TALEA_CORRUPT,
                    "book \"%.*s\", segment %u, offset %u: event %llu is not a valid event",
                    (int)book->slot->name.len, book->slot->name.data, event->segment, event->offset,
                    (unsigned long long)event->seq);
}

talea_code tl_book_apply(tl_book *book, const tl_log_event *event, tl_legs *legs, bool replay,
                         talea_error *err) {
    const tl_frame *frame = &event->frame;
    tl_event said;
    bool nomem = false;
    if (!tl_event_decode(frame->kind, frame->body, frame->body_bytes, legs, &said, &nomem)) {
        return nomem ? tl_error_nomem(err) : undecodable(book, event, err);
    }
    talea_code code = tl_state_apply_event(book->state, &said, event->seq, event->at, replay, err);
    if (code == TALEA_OK && replay && said.kind == TALEA_EVENT_TRANSACTION_POSTED &&
        !tl_keymap_insert(book->keys, tl_book_key_hash(book, said.u.transaction.key), event->seq)) {
        return tl_error_nomem(err);
    }
    tl_seq_entry entry = {event->seq, event->at, event->segment, event->offset, event->group_end};
    if (code == TALEA_OK && !tl_seqindex_offer(&book->seqs, &entry)) {
        code = tl_error_nomem(err);
    }
    return code;
}

/* ---- Replay ---- */

talea_code tl_book_replay(void *context, const tl_log_event *event, talea_error *err) {
    tl_book *book = context;
    tl_replay *replay = &book->replay;
    talea_code code = tl_book_apply(book, event, &replay->legs, true, err);
    if (code == TALEA_CORRUPT && strncmp(err->message, "book \"", 6) != 0) {
        char words[TALEA_MESSAGE_BYTES];
        memcpy(words, err->message, sizeof words);
        return tl_error(err, TALEA_CORRUPT,
                        "book \"%.*s\", segment %u, offset %u: event %llu: %.300s",
                        (int)book->slot->name.len, book->slot->name.data, event->segment,
                        event->offset, (unsigned long long)event->seq, words);
    }
    if (code == TALEA_OK && !tl_book_note_end(book, event->segment, event->group_end)) {
        return tl_error_nomem(err);
    }
    if (event->at != replay->last_at) { /* every group has a time of its own */
        replay->before_seq = replay->last_seq;
        replay->before_at = replay->last_at;
    }
    replay->last_seq = event->seq;
    replay->last_at = event->at;
    return code;
}

void tl_book_show_proven(tl_book *book) {
    uint64_t proven = tl_log_proven_seq(book->log);
    bool all = proven >= book->replay.last_seq;
    book->watermark = all ? book->replay.last_seq : book->replay.before_seq;
    book->last_at = all ? book->replay.last_at : book->replay.before_at;
    assert(book->watermark <= proven);
    uint32_t accounts = tl_state_account_count(book->state);
    while (accounts > 0 &&
           tl_state_account(book->state, accounts - 1)->opened_seq > book->watermark) {
        accounts--;
    }
    uint32_t assets = tl_state_asset_count(book->state);
    while (assets > book->watermark) { /* _system: event n is asset n */
        assets--;
    }
    book->visible_accounts = accounts;
    book->visible_assets = assets;
}

static void on_work(void *context) {
    tl_book *book = context;
    if (!tl_keeper_submit(book)) {
        tl_log_prepare(book->log); /* no thread to be had: in the writer's time, then */
    }
}

static tl_book *book_new(tl_slot *slot) {
    tl_book *book = calloc(1, sizeof *book);
    if (!book) {
        return NULL;
    }
    book->engine = slot->engine;
    book->slot = slot;
    book->read_only = slot->engine->read_only;
    atomic_store(&book->refs, 1);
    tl_mutex_init(&book->stage_lock);
    tl_mutex_init(&book->read_lock);
    tl_cond_init(&book->room);
    tl_gate_init(&book->work, 0);
    tl_gate_init(&book->advance, 0);
    book->keys = tl_keymap_new();
    book->state = tl_state_new();
    if (!book->keys || !book->state) {
        tl_book_unref(book);
        return NULL;
    }
    return book;
}

talea_code tl_book_open(tl_slot *slot, const char *dir, tl_book **out_book, talea_error *err) {
    tl_book *book = book_new(slot);
    if (!book) {
        return tl_error_nomem(err);
    }
    tl_log_config config = {
        .io = slot->engine->io,
        .dir = dir,
        .name = slot->name,
        .segment_bytes_max = (uint32_t)slot->engine->options.segment_bytes_max,
        .read_only = book->read_only,
        .settle = book->read_only && (slot->settle || !tl_engine_has_writer(slot->engine)),
        .on_work = on_work,
        .context = book,
    };
    talea_code code = tl_log_open(&config, tl_book_replay, book, &book->log, err);
    if (code == TALEA_OK) {
        book->uid = tl_log_uid(book->log);
        book->stage_block = tl_block_new(book);
        code = book->stage_block ? TALEA_OK : tl_error_nomem(err);
    }
    if (code != TALEA_OK) {
        tl_book_unref(book);
        return code;
    }
    tl_book_show_proven(book);
    book->next_seq = book->replay.last_seq + 1;
    assert(book->next_seq == tl_log_next_seq(book->log));
    *out_book = book;
    return TALEA_OK;
}

void tl_book_ref(tl_book *book) {
    atomic_fetch_add(&book->refs, 1);
}

void tl_book_unref(tl_book *book) {
    if (!book || atomic_fetch_sub(&book->refs, 1) != 1) {
        return;
    }
    assert(!book->writer_running);
    tl_block_free(book->stage_block);
    if (book->log) {
        talea_error ignored; /* shut has already proven what there was to prove */
        (void)tl_log_close(book->log, &ignored);
    }
    tl_group_free(atomic_load(&book->spare));
    tl_keymap_free(book->keys);
    tl_state_free(book->state);
    tl_seqindex_free(&book->seqs);
    free(book->segment_ends);
    tl_legs_free(&book->replay.legs);
    tl_gate_destroy(&book->advance);
    tl_gate_destroy(&book->work);
    tl_cond_destroy(&book->room);
    tl_mutex_destroy(&book->read_lock);
    tl_mutex_destroy(&book->stage_lock);
    free(book);
}

void tl_book_shut(tl_book *book) {
    tl_mutex_lock(&book->stage_lock);
    book->closing = true;
    bool join = book->writer_joinable;
    book->writer_joinable = false;
    pthread_t writer = book->writer;
    bool prove = !book->failed && !book->read_only;
    tl_mutex_unlock(&book->stage_lock);
    if (join) {
        tl_gate_ring(&book->work);
        pthread_join(writer, NULL);
    }
    talea_error ignored; /* a proof that cannot be written costs a rewrite of the tail at the next
                            opening, nothing else */
    if (prove) {
        (void)tl_log_prove(book->log, &ignored);
    }
}

void tl_book_lock_to_read(tl_book *book) {
    atomic_fetch_add(&book->readers_waiting, 1);
    tl_mutex_lock(&book->read_lock);
    atomic_fetch_sub(&book->readers_waiting, 1);
}

uint64_t tl_book_watermark(tl_book *book) {
    tl_book_lock_to_read(book);
    uint64_t watermark = book->watermark;
    tl_mutex_unlock(&book->read_lock);
    return watermark;
}

tl_hash128 tl_book_key_hash(const tl_book *book, talea_text key) {
    return tl_hash128_seeded(key.data, key.len, book->engine->key_seed);
}

bool tl_book_is_failed(tl_book *book, talea_error *out_failure) {
    tl_mutex_lock(&book->stage_lock);
    bool failed = book->failed;
    if (failed) {
        *out_failure = book->failure;
    }
    tl_mutex_unlock(&book->stage_lock);
    return failed;
}
