/*
 * running.h: running balances of a scan's accounts, from leg to leg.
 *
 * Purpose:    the `balance` of postings, in log order or against it, starting anywhere.
 * Owns:       one total for each account of the largest book it saw.
 * Threads:    the connection's own thread.
 * Errors:     TALEA_NOMEM; TALEA_CORRUPT for a leg of an account that the book does not have.
 */
#ifndef TLX_RUNNING_H
#define TLX_RUNNING_H

#include "talea.h"

typedef struct tlx_running {
    talea_book_view *book;
    bool descending;
    uint64_t seq;      /* of the last leg */
    uint32_t count;    /* accounts of `book` */
    uint32_t capacity; /* of both arrays */
    uint32_t epoch;    /* a total is good when its epoch is this one */
    uint32_t *epochs;
    talea_i128 *nets; /* debits - credits */
} tlx_running;

/* Forgets everything: the next leg begins a new scan. Keeps the memory. */
void tlx_running_reset(tlx_running *running);
/* The account's debits - credits after this leg. Legs of an event come all, in log order or all in
 * the opposite one; events may be left out. */
talea_code tlx_running_leg(tlx_running *running, talea_book_view *book, bool descending,
                           uint64_t seq, const talea_posting *leg, talea_i128 *out_net,
                           talea_error *err);
void tlx_running_close(tlx_running *running);

#endif
