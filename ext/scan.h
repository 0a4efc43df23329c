/*
 * scan.h: what the cursors of all tables share: the pinned instant, the decoded plan, the walk over
 * books.
 *
 * Purpose:    one cursor base, one way to go from book to book, one rule for rowids.
 * Owns:       the pin of a cursor, from xOpen to xClose; its filter.
 * Threads:    the connection's own thread.
 * Errors:     a talea_code inside; SQLite results, with the words on the table, from tlx_cursor_
 *             functions.
 */
#ifndef TLX_SCAN_H
#define TLX_SCAN_H

#include "connection.h"
#include "filter.h"

/* ---- Cursors --------------------------------------------------------------------------------- */

/* Every cursor begins like this. */
typedef struct tlx_cursor {
    sqlite3_vtab_cursor base;
    tlx_table *table;
    tlx_pin *pin; /* NULL: no ledger yet, the table is empty */
    tlx_filter filter;
    bool eof;
} tlx_cursor;

/* The body of xOpen: a cursor of `bytes`, zeroed behind its base, with its pin. From malloc, because
 * an __int128 needs more alignment than SQLite's own allocator promises. */
int tlx_cursor_open(sqlite3_vtab *vtab, size_t bytes, sqlite3_vtab_cursor **out_cursor);
/* The end of xClose. */
int tlx_cursor_close(sqlite3_vtab_cursor *base);
int tlx_cursor_eof(sqlite3_vtab_cursor *base);
/* The beginning of xFilter: decodes the arguments. Sets eof when there is nothing to look for. */
int tlx_cursor_filter(tlx_cursor *cursor, int plan, int argc, sqlite3_value **argv);
/* SQLITE_OK for TALEA_OK; else the words of `err` on the table. */
int tlx_cursor_result(tlx_cursor *cursor, talea_code code, const talea_error *err);

/* A hidden column: what was asked for, NULL when nothing was. */
void tlx_result_given(sqlite3_context *context, sqlite3_value *given);

/* ---- The books that a filter lets through, in byte order of their names ---------------------- */

typedef struct tlx_book_walk {
    talea_view *view;
    const tlx_name_filter *filter;
    const talea_text *names; /* candidates: all, those of an IN, or the one */
    size_t count;
    size_t done;
    bool descending;
    talea_text name;       /* the current one, after tlx_book_walk_name */
    talea_book_view *book; /* the current one, after tlx_book_walk_next; NULL at the end */
} tlx_book_walk;

/* Errors: INVALID_BOOK when `book = NUMBER` fits several names and rows were promised in one order;
 * IO, CORRUPT, NOMEM. */
talea_code tlx_book_walk_start(tlx_book_walk *walk, talea_view *view, const tlx_filter *filter,
                               talea_error *err);
/* The next name, whether there is such a book or not; false at the end. */
bool tlx_book_walk_name(tlx_book_walk *walk);
/* The next book that exists. Fails when it refuses to open. */
talea_code tlx_book_walk_next(tlx_book_walk *walk, talea_error *err);

/* The index of a book among talea_view_books; *out_found false when there is none. */
talea_code tlx_book_index(talea_view *view, talea_text name, bool *out_found, size_t *out_index,
                          talea_error *err);

/* ---- Rowids ---------------------------------------------------------------------------------- */

/* The same row has the same rowid whatever plan finds it, since SQLite unites the terms of an OR by
 * rowid. */
enum { TLX_ROWID_SEQ_BITS = 44, TLX_ROWID_ORDINAL_BITS = 32 };

sqlite3_int64 tlx_rowid(uint32_t book_ordinal, int bits, uint64_t number);
/* Rows of a past instant are other rows than those of now: mixes in what the hidden arguments asked
 * for. */
sqlite3_int64 tlx_rowid_at(const tlx_filter *filter, sqlite3_int64 rowid);

#endif
