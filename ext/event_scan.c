/*
 * event_scan.c: where the next event comes from.
 *
 * In each book the filter gives a window of seqs. Without anything else, one talea_events cursor
 * reads it through; it is never asked for more than the window holds, so a lookup by seq, key or
 * txid reads one event. Lists and histories name the seqs themselves, and seek for each. Several
 * histories are merged: few enough that the least of their heads is found by looking at each.
 */
#include "event_scan.h"

#include "error.h"

#include <assert.h>
#include <stdlib.h>

enum {
    TRACKS_MAX = 64
}; /* with more accounts in a list, reading the log through is the better plan */

static tlx_event_source source_of(const tlx_filter *filter) {
    if (filter->seqs != NULL || filter->key.match == TLX_MATCH_LIST ||
        filter->txid.match == TLX_MATCH_LIST) {
        return TLX_SOURCE_LIST;
    }
    const tlx_name_filter *account = &filter->account;
    if (account->match == TLX_MATCH_ONE ||
        (account->match == TLX_MATCH_LIST && account->count <= TRACKS_MAX)) {
        return TLX_SOURCE_TRACKS;
    }
    return TLX_SOURCE_WINDOW;
}

talea_code tlx_event_scan_start(tlx_event_scan *scan, talea_view *view, const tlx_filter *filter,
                                talea_error *err) {
    scan->filter = filter;
    scan->descending = (filter->plan & TLX_PLAN_SEQ_DESC) != 0;
    scan->source = source_of(filter);
    scan->event = NULL;
    return tlx_book_walk_start(&scan->books, view, filter, err);
}

static void close_events(tlx_event_scan *scan) {
    talea_events_close(scan->events);
    scan->events = NULL;
    scan->events_book = NULL;
}

void tlx_event_scan_close(tlx_event_scan *scan) {
    close_events(scan);
    free(scan->seqs);
    free(scan->tracks);
}

static talea_code open_events(tlx_event_scan *scan, talea_error *err) {
    if (scan->events_book == scan->books.book) {
        return TALEA_OK;
    }
    close_events(scan);
    talea_code code = talea_events_open(scan->books.book, &scan->events, err);
    if (code == TALEA_OK) {
        scan->events_book = scan->books.book;
    }
    return code;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void add_seq(tlx_event_scan *scan, uint64_t seq) {
    if (seq >= scan->low && seq <= scan->high) {
        scan->seqs[scan->seq_high++] = seq;
    }
}

/* The seqs of an IN over keys or txids; of several INs one is enough, SQLite checks the others. */
static talea_code find_keys(tlx_event_scan *scan, tlx_arg arg, const tlx_name_filter *keys,
                            talea_error *err) {
    for (size_t i = 0; i < keys->count; i++) {
        uint64_t seq = 0;
        talea_code code = tlx_filter_key_seq(scan->books.book, arg, keys->list[i], &seq, err);
        if (code != TALEA_OK) {
            return code;
        }
        add_seq(scan, seq);
    }
    qsort(scan->seqs, scan->seq_high, sizeof *scan->seqs, tlx_seq_compare);
    return TALEA_OK;
}

static talea_code enter_list(tlx_event_scan *scan, talea_error *err) {
    const tlx_filter *filter = scan->filter;
    bool by_key = filter->key.match == TLX_MATCH_LIST;
    const tlx_name_filter *keys = by_key ? &filter->key : &filter->txid;
    bool named = keys->match == TLX_MATCH_LIST;
    size_t count = named ? keys->count : filter->seq_count;
    free(scan->seqs);
    scan->seqs = malloc((count + 1) * sizeof *scan->seqs);
    scan->seq_low = 0;
    scan->seq_high = 0;
    if (scan->seqs == NULL) {
        return tlx_error_nomem(err);
    }
    if (scan->low > scan->high) {
        return TALEA_OK;
    }
    if (named) {
        return find_keys(scan, by_key ? TLX_ARG_KEY : TLX_ARG_TXID, keys, err);
    }
    for (size_t i = 0; i < count; i++) {
        add_seq(scan, filter->seqs[i]);
    }
    return TALEA_OK;
}

/* ---- Histories ------------------------------------------------------------------------------- */

static bool track_is_done(const tlx_track *track) {
    return track->low >= track->high;
}

static uint64_t track_head(const tlx_event_scan *scan, const tlx_track *track) {
    return scan->descending ? track->high - 1 : track->low;
}

static void read_head(const tlx_event_scan *scan, tlx_track *track) {
    if (!track_is_done(track)) {
        talea_history_entry entry;
        talea_history_get(scan->books.book, track->account, track_head(scan, track), &entry);
        track->seq = entry.seq;
    }
}

static void drop_head(const tlx_event_scan *scan, tlx_track *track) {
    if (scan->descending) {
        track->high--;
    } else {
        track->low++;
    }
}

static talea_code enter_tracks(tlx_event_scan *scan, talea_error *err) {
    const tlx_name_filter *accounts = &scan->filter->account;
    bool one = accounts->match == TLX_MATCH_ONE;
    size_t count = one ? 1 : accounts->count;
    if (scan->tracks == NULL) {
        scan->tracks = malloc(TRACKS_MAX * sizeof *scan->tracks);
    }
    scan->track_count = 0;
    if (scan->tracks == NULL) {
        return tlx_error_nomem(err);
    }
    for (size_t i = 0; i < count && scan->low <= scan->high; i++) {
        tlx_track *track = &scan->tracks[scan->track_count];
        talea_book_view *book = scan->books.book;
        talea_text name = one ? accounts->text : accounts->list[i];
        if (talea_book_find_account(book, name, &track->account)) {
            track->low = talea_history_lower_bound(book, track->account, scan->low);
            track->high = talea_history_lower_bound(book, track->account, scan->high + 1);
            read_head(scan, track);
            scan->track_count++;
        }
    }
    return TALEA_OK;
}

/* The next seq at which an account of the list was posted to; false when there is none. */
static bool next_in_tracks(tlx_event_scan *scan, uint64_t *out_seq) {
    bool found = false;
    uint64_t seq = 0;
    for (size_t i = 0; i < scan->track_count; i++) {
        const tlx_track *track = &scan->tracks[i];
        if (!track_is_done(track) &&
            (!found || (scan->descending ? track->seq > seq : track->seq < seq))) {
            seq = track->seq;
            found = true;
        }
    }
    for (size_t i = 0; found && i < scan->track_count; i++) {
        tlx_track *track = &scan->tracks[i];
        while (!track_is_done(track) && track->seq == seq) {
            drop_head(scan, track);
            read_head(scan, track);
        }
    }
    *out_seq = seq;
    return found;
}

/* ---- From event to event --------------------------------------------------------------------- */

/* Goes to the next book and finds what there is to read in it; books.book is NULL at the end. */
static talea_code enter_next_book(tlx_event_scan *scan, talea_error *err) {
    talea_code code = tlx_book_walk_next(&scan->books, err);
    if (code != TALEA_OK || scan->books.book == NULL) {
        return code;
    }
    code = tlx_filter_window(scan->filter, scan->books.book, &scan->low, &scan->high, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (scan->source == TLX_SOURCE_LIST) {
        return enter_list(scan, err);
    }
    if (scan->source == TLX_SOURCE_TRACKS) {
        return enter_tracks(scan, err);
    }
    if (scan->low <= scan->high) {
        code = open_events(scan, err);
        if (code == TALEA_OK) {
            talea_events_seek(scan->events, scan->descending ? scan->high : scan->low,
                              scan->descending);
        }
    }
    return code;
}

static talea_code next_in_window(tlx_event_scan *scan, talea_error *err) {
    if (scan->low > scan->high) {
        return TALEA_OK;
    }
    const talea_event *event = NULL;
    talea_code code = talea_events_next(scan->events, &event, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (event == NULL || event->seq < scan->low || event->seq > scan->high) {
        scan->low = 1;
        scan->high = 0;
        return TALEA_OK;
    }
    if (scan->descending) {
        scan->high = event->seq - 1;
    } else {
        scan->low = event->seq + 1;
    }
    scan->seq = event->seq;
    scan->event = event;
    return TALEA_OK;
}

talea_code tlx_event_scan_load(tlx_event_scan *scan, talea_error *err) {
    if (scan->event != NULL) {
        return TALEA_OK;
    }
    talea_code code = open_events(scan, err);
    if (code != TALEA_OK) {
        return code;
    }
    const talea_event *event = NULL;
    talea_events_seek(scan->events, scan->seq, false);
    code = talea_events_next(scan->events, &event, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (event == NULL || event->seq != scan->seq) {
        return tlx_error_set(err, TALEA_CORRUPT, "book '%.*s' has no event %llu",
                             tlx_shown(scan->books.name), scan->books.name.data,
                             (unsigned long long)scan->seq);
    }
    scan->event = event;
    return TALEA_OK;
}

/* Loads the next event of the current book; `event` stays NULL when there is none left. */
static talea_code next_in_book(tlx_event_scan *scan, talea_error *err) {
    switch (scan->source) {
    case TLX_SOURCE_LIST:
        if (scan->seq_low >= scan->seq_high) {
            return TALEA_OK;
        }
        scan->seq = scan->seqs[scan->descending ? --scan->seq_high : scan->seq_low++];
        return tlx_event_scan_load(scan, err);
    case TLX_SOURCE_TRACKS:
        if (!next_in_tracks(scan, &scan->seq)) {
            return TALEA_OK;
        }
        return tlx_event_scan_load(scan, err);
    default: return next_in_window(scan, err);
    }
}

talea_code tlx_event_scan_next(tlx_event_scan *scan, talea_error *err) {
    scan->event = NULL;
    talea_code code = TALEA_OK;
    for (;;) {
        if (scan->books.book != NULL) {
            code = next_in_book(scan, err);
            if (code != TALEA_OK || scan->event != NULL) {
                return code;
            }
        }
        code = enter_next_book(scan, err);
        if (code != TALEA_OK || scan->books.book == NULL) {
            return code;
        }
    }
}

/* ---- From leg to leg ------------------------------------------------------------------------- */

bool tlx_event_scan_has_legs(const tlx_event_scan *scan) {
    return scan->source == TLX_SOURCE_TRACKS && scan->filter->account.match == TLX_MATCH_ONE;
}

talea_code tlx_event_scan_next_leg(tlx_event_scan *scan, talea_error *err) {
    assert(tlx_event_scan_has_legs(scan));
    uint64_t last = scan->seq;
    while (scan->books.book == NULL || scan->track_count == 0 || track_is_done(scan->tracks)) {
        talea_code code = enter_next_book(scan, err);
        if (code != TALEA_OK || scan->books.book == NULL) {
            return code;
        }
        scan->event = NULL;
    }
    tlx_track *track = scan->tracks;
    scan->position = track_head(scan, track);
    talea_history_get(scan->books.book, track->account, scan->position, &scan->entry);
    drop_head(scan, track);
    scan->seq = scan->entry.seq;
    if (scan->seq != last) {
        scan->event = NULL; /* another leg of the same event keeps it */
    }
    return TALEA_OK;
}
