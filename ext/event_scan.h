/*
 * event_scan.h: events of the books that a filter lets through, in the order (book, seq), up or
 * down.
 *
 * Purpose:    the one loop behind events, transfers and postings, whatever names the seqs to visit.
 * Owns:       one talea_events cursor, kept from one xFilter to the next while the book stays the
 *             same; the lists of a book.
 * Threads:    the connection's own thread.
 * Errors:     talea_code: CORRUPT, IO, NOMEM.
 */
#ifndef TLX_EVENT_SCAN_H
#define TLX_EVENT_SCAN_H

#include "scan.h"

typedef enum tlx_event_source {
    TLX_SOURCE_WINDOW, /* every seq from low to high: the log is read through */
    TLX_SOURCE_LIST,   /* the seqs of an IN over seq, idempotency_key or txid */
    TLX_SOURCE_TRACKS  /* the seqs at which one of a few accounts was posted to */
} tlx_event_source;

/* What is left to visit of one account's history: positions low .. high - 1. */
typedef struct tlx_track {
    uint32_t account;
    uint64_t low;
    uint64_t high;
    uint64_t seq; /* of the position that comes next; means nothing when none is left */
} tlx_track;

typedef struct tlx_event_scan {
    tlx_book_walk books; /* books.book: of the current row; NULL at the end */
    const tlx_filter *filter;
    bool descending;
    tlx_event_source source;

    uint64_t low; /* what is left of the window of seqs; low > high: nothing */
    uint64_t high;
    uint64_t *seqs; /* LIST: of the current book, rising */
    size_t seq_low; /* what is left of them: indexes seq_low .. seq_high - 1 */
    size_t seq_high;
    tlx_track *tracks; /* TRACKS: of the current book */
    size_t track_count;

    uint64_t position; /* after tlx_event_scan_next_leg: of the leg in the account's history */
    talea_history_entry entry;

    uint64_t seq;             /* of the current row */
    const talea_event *event; /* of the current row; NULL while it is not loaded */
    talea_events *events;
    talea_book_view *events_book;
} tlx_event_scan;

/* Begins in xFilter. */
talea_code tlx_event_scan_start(tlx_event_scan *scan, talea_view *view, const tlx_filter *filter,
                                talea_error *err);
/* Goes to the next event and loads it: `event` is NULL at the end. */
talea_code tlx_event_scan_next(tlx_event_scan *scan, talea_error *err);
void tlx_event_scan_close(tlx_event_scan *scan);

/* One account in the filter, and no list of seqs: then its legs can be visited without their
 * events. */
bool tlx_event_scan_has_legs(const tlx_event_scan *scan);
/* Goes to the next leg of the account (`entry`, `position`, `seq`) and loads nothing; books.book is
 * NULL at the end. */
talea_code tlx_event_scan_next_leg(tlx_event_scan *scan, talea_error *err);
/* Loads the event of the current leg, once. */
talea_code tlx_event_scan_load(tlx_event_scan *scan, talea_error *err);

#endif
