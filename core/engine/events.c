/*
 * Cursors over events: a block at a time, either direction, no lock held while reading.
 */
#include "engine/view.h"

#include <assert.h>

struct talea_events {
    talea_book_view *view;
    tl_block *block;
    tl_legs legs;
    uint64_t next_seq; /* 0, or past the watermark: at the end */
    bool descending;
    talea_event event;
};

talea_code talea_events_open(talea_book_view *book, talea_events **out_events, talea_error *err) {
    talea_events *events = calloc(1, sizeof *events);
    if (!events) {
        return tl_error_nomem(err);
    }
    events->view = book;
    events->next_seq = 1;
    events->block = tl_block_new(book->book);
    if (!events->block) {
        free(events);
        return tl_error_nomem(err);
    }
    *out_events = events;
    return TALEA_OK;
}

void talea_events_close(talea_events *events) {
    if (events) {
        tl_block_free(events->block);
        tl_legs_free(&events->legs);
        free(events);
    }
}

void talea_events_seek(talea_events *events, uint64_t seq, bool descending) {
    events->descending = descending;
    if (descending && seq > events->view->watermark) {
        seq = events->view->watermark;
    } else if (!descending && seq == 0) {
        seq = 1;
    }
    events->next_seq = seq;
}

static void show_transaction(talea_events *events, const tl_transaction *tx) {
    talea_event *event = &events->event;
    event->key = tx->key;
    event->has_occurred_at = tx->has_occurred_at;
    event->occurred_at = tx->occurred_at;
    event->postings = tx->legs;
    event->posting_count = tx->leg_count;
    event->external_refs = tx->external_refs;
    event->metadata = tx->metadata;
    tl_txid_make(events->view->book->uid, event->at, event->seq, event->txid);
}

static bool decode(talea_events *events, const tl_block_event *stored, bool *out_nomem) {
    tl_event said;
    if (!tl_event_decode(stored->kind, stored->body, stored->body_bytes, &events->legs, &said,
                         out_nomem)) {
        return false;
    }
    events->event.kind = said.kind;
    switch (said.kind) {
    case TALEA_EVENT_ASSET_REGISTERED: events->event.asset = said.u.asset; break;
    case TALEA_EVENT_ACCOUNT_OPENED: events->event.account = said.u.account; break;
    case TALEA_EVENT_TRANSACTION_POSTED: show_transaction(events, &said.u.transaction); break;
    }
    return true;
}

talea_code talea_events_next(talea_events *events, const talea_event **out_event,
                             talea_error *err) {
    uint64_t seq = events->next_seq;
    if (seq == 0 || seq > events->view->watermark) {
        *out_event = NULL;
        return TALEA_OK;
    }
    tl_book *book = events->view->book;
    talea_code code = tl_block_load(book, events->block, seq, err);
    if (code != TALEA_OK) {
        return code;
    }
    const tl_block_event *stored = &events->block->events[seq - events->block->first_seq];
    bool nomem = false;
    events->event = (talea_event){
        .seq = seq,
        .at = stored->at,
        .position = tl_log_position(book->log, events->block->segment, stored->offset)};
    if (!decode(events, stored, &nomem)) {
        return nomem ? tl_error_nomem(err)
                     : tl_error(
                           err, TALEA_CORRUPT,
                           "book \"%.*s\", segment %u, offset %u: event %llu is not a valid event",
                           (int)book->slot->name.len, book->slot->name.data, events->block->segment,
                           stored->offset, (unsigned long long)seq);
    }
    events->next_seq = events->descending ? seq - 1 : seq + 1;
    *out_event = &events->event;
    return TALEA_OK;
}
