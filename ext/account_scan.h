/*
 * account_scan.h: accounts of the books that a filter lets through, in the order (book, opening),
 * at one instant.
 *
 * Purpose:    the one loop behind accounts, balances and trial_balance.
 * Owns:       the ordinals of an IN list.
 * Threads:    the connection's own thread.
 * Errors:     talea_code: CORRUPT, IO, NOMEM.
 */
#ifndef TLX_ACCOUNT_SCAN_H
#define TLX_ACCOUNT_SCAN_H

#include "scan.h"

typedef struct tlx_account_scan {
    tlx_book_walk books; /* books.book: of the current row; NULL at the end */
    const tlx_filter *filter;
    uint64_t instant; /* the seq at which the current book is looked at */
    uint32_t next;    /* ordinal, or index in `ordinals` */
    uint32_t end;
    uint32_t *ordinals; /* of an IN list; NULL: all from next to end */
    uint32_t ordinal;   /* of the current row */
    talea_account account;
} tlx_account_scan;

talea_code tlx_account_scan_start(tlx_account_scan *scan, talea_view *view,
                                  const tlx_filter *filter, talea_error *err);
/* To the next book (books.book is NULL at the end), then to the next account in it that was open at
 * the instant; false at its end. */
talea_code tlx_account_scan_next_book(tlx_account_scan *scan, talea_error *err);
bool tlx_account_scan_next_account(tlx_account_scan *scan);
void tlx_account_scan_close(tlx_account_scan *scan);

/* The cursor of accounts and balances, whole but for the columns. */
typedef struct tlx_account_cursor {
    tlx_cursor base;
    tlx_account_scan scan;
} tlx_account_cursor;

int tlx_account_cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor);
int tlx_account_cursor_close(sqlite3_vtab_cursor *base);
int tlx_account_cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                              sqlite3_value **argv);
int tlx_account_cursor_next(sqlite3_vtab_cursor *base);
/* Differs between instants, see tlx_rowid_at. */
int tlx_account_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid);

#endif
