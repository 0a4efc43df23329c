/*
 * row.h: a row that is being inserted: its columns read and checked one by one.
 *
 * Purpose:    what insert.c and insert_event.c share.
 * Owns:       nothing.
 * Threads:    the connection's own thread.
 * Errors:     a function that reads returns false when it refuses, with the reason in row->err.
 */
#ifndef TLX_ROW_H
#define TLX_ROW_H

#include "connection.h"

typedef struct tlx_row {
    tlx_table *table;
    sqlite3_value **columns;
    bool optional;   /* OR IGNORE */
    talea_text book; /* as soon as they are known: `results` names a refused draft by them */
    talea_text key;
    talea_error err;
} tlx_row;

/* Reads the row and stages it. */
typedef bool tlx_stage_fn(tlx_row *row);

/* The body of every xUpdate that takes INSERT: refuses anything else, stages, and sees to what
 * becomes of a row that is refused. */
int tlx_insert_row(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid,
                   tlx_stage_fn *stage);

bool tlx_row_refuse(tlx_row *row, talea_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Columns that the ledger fills, up to one without a name. */
typedef struct tlx_assigned {
    int column;
    const char *name;
} tlx_assigned;
bool tlx_row_unassigned(tlx_row *row, const tlx_assigned *columns);

bool tlx_row_book(tlx_row *row, int column);
bool tlx_row_key(tlx_row *row, int column);
bool tlx_row_text(tlx_row *row, int column, const char *name, bool required, talea_text *out_text);
bool tlx_row_time(tlx_row *row, int column, const char *name, bool *out_given, int64_t *out_micros);

/* Makes the draft's JSON canonical and stages it. */
bool tlx_row_post(tlx_row *row, talea_draft *draft);

#endif
