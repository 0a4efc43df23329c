/*
 * filter.h: what the arguments of xFilter say, as types of the ledger.
 *
 * Purpose:    decodes a plan (plan.h) and its values into names, bounds and instants.
 * Owns:       copies of everything it needs after xFilter has returned, until tlx_filter_clear.
 * Threads:    the connection's own thread.
 * Errors:     a talea_code; a value that cannot match anything is no error, it sets `nothing`.
 *
 * A filter may let through more than was asked for, never less: see plan.c.
 */
#ifndef TLX_FILTER_H
#define TLX_FILTER_H

#include "name_filter.h"
#include "plan.h"
#include "talea.h"

typedef struct tlx_filter {
    unsigned plan; /* idxNum */
    bool nothing;  /* no row can match */
    tlx_name_filter book;
    tlx_name_filter account;
    tlx_name_filter asset;
    tlx_name_filter key;
    tlx_name_filter txid; /* ONE and LIST: text as it was given */
    uint64_t seq_low;     /* inclusive, as all bounds here */
    uint64_t seq_high;
    uint64_t *seqs; /* SEQ_LIST: rising, without repetition; else NULL */
    size_t seq_count;
    bool has_at;
    int64_t at_low; /* microseconds */
    int64_t at_high;
    bool has_as_of;
    int64_t as_of;              /* microseconds */
    uint64_t as_of_seq;         /* UINT64_MAX: not given */
    sqlite3_value *as_of_value; /* what was asked for, shown by the hidden columns; NULL: not given
                                 */
    sqlite3_value *as_of_seq_value;
} tlx_filter;

void tlx_filter_init(tlx_filter *filter);
/* Releases what a decode took, and leaves the filter as tlx_filter_init does. */
void tlx_filter_clear(tlx_filter *filter);

/* Decodes argv as `plan` says, into a filter fresh from init or clear. `db` reads times such as
 * 'now'.
 * Errors: INVALID_DRAFT (as_of, as_of_seq), NOMEM. */
talea_code tlx_filter_decode(tlx_filter *filter, int plan, int argc, sqlite3_value **argv,
                             sqlite3 *db, talea_error *err);

/* The seq of an idempotency key (TLX_ARG_KEY) or of a txid as the tables show it (TLX_ARG_TXID), 0
 * when there is none. */
talea_code tlx_filter_key_seq(talea_book_view *book, tlx_arg arg, talea_text text,
                              uint64_t *out_seq, talea_error *err);

/* The seqs of `book` that the filter lets through lie in *out_low..*out_high; low > high when there
 * are none. */
talea_code tlx_filter_window(const tlx_filter *filter, talea_book_view *book, uint64_t *out_low,
                             uint64_t *out_high, talea_error *err);

int tlx_seq_compare(const void *a, const void *b); /* of two uint64_t, for qsort */

/* The seq at which `book` is looked at: the earlier of as_of and as_of_seq, else the watermark; 0:
 * before everything. */
talea_code tlx_filter_instant(const tlx_filter *filter, talea_book_view *book, uint64_t *out_seq,
                              talea_error *err);

#endif
