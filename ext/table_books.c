/*
 * table_books.c: `books`: one row a book, with the state of its writer. A book that refuses to open
 * has its row too: it says why.
 */
#include "column_text.h"
#include "columns.h"
#include "insert.h"
#include "scan.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {BOOKS_BOOK, TLX_ROLE_BOOK, "book"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .keys = {TLX_ARG_BIT(TLX_ARG_BOOK)},
    .rows = 10,
    .row_cost = 100,
};

typedef struct books_cursor {
    tlx_cursor base;
    tlx_book_walk books;
    size_t index; /* among all books */
    talea_book_stats stats;
} books_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(books_cursor), out_cursor);
}

static int next(sqlite3_vtab_cursor *base) {
    books_cursor *cursor = (books_cursor *)base;
    talea_view *view = tlx_pin_view(cursor->base.pin);
    talea_error err;
    while (tlx_book_walk_name(&cursor->books)) {
        bool found = false;
        talea_code code = tlx_book_index(view, cursor->books.name, &found, &cursor->index, &err);
        if (code == TALEA_OK && found) {
            code = talea_view_stats(view, cursor->books.name, &cursor->stats, &err);
        }
        if (code != TALEA_OK || found) {
            return tlx_cursor_result(&cursor->base, code, &err);
        }
    }
    cursor->base.eof = true;
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    books_cursor *cursor = (books_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    talea_error err;
    talea_code code = tlx_book_walk_start(&cursor->books, tlx_pin_view(cursor->base.pin),
                                          &cursor->base.filter, &err);
    return code == TALEA_OK ? next(base) : tlx_cursor_result(&cursor->base, code, &err);
}

static const char *state_name(talea_book_state state) {
    switch (state) {
    case TALEA_BOOK_OPEN: return "open";
    case TALEA_BOOK_FAILED: return "failed";
    default: return "idle";
    }
}

/* What a number of the statistics is, for the columns that are plain numbers. */
static uint64_t count_of(const talea_book_stats *stats, int number) {
    switch (number) {
    case BOOKS_LAST_SEQ: return stats->last_seq;
    case BOOKS_ACCOUNTS: return stats->accounts;
    case BOOKS_TRANSACTIONS: return stats->transactions;
    case BOOKS_SEGMENTS: return stats->segments;
    case BOOKS_LOG_BYTES: return stats->log_bytes;
    case BOOKS_SNAPSHOT_SEQ: return stats->snapshot_seq;
    case BOOKS_GROUPS: return stats->groups;
    case BOOKS_UNITS: return stats->units;
    case BOOKS_SYNC_P50_US: return stats->sync_p50_us;
    default: return stats->sync_p99_us;
    }
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const books_cursor *cursor = (const books_cursor *)base;
    const talea_book_stats *stats = &cursor->stats;
    switch (number) {
    case BOOKS_BOOK: tlx_result_text(context, cursor->books.name); break;
    case BOOKS_LAST_AT:
        if (stats->last_at != 0) {
            tlx_result_time(context, stats->last_at);
        }
        break;
    case BOOKS_STATE:
        sqlite3_result_text(context, state_name(stats->state), -1, SQLITE_STATIC);
        break;
    case BOOKS_ERROR:
        if (stats->state == TALEA_BOOK_FAILED) {
            tlx_result_error_text(context, stats->error.code, stats->error.message);
        }
        break;
    default: sqlite3_result_int64(context, (sqlite3_int64)count_of(stats, number)); break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    *out_rowid = (sqlite3_int64)((books_cursor *)base)->index;
    return SQLITE_OK;
}

const sqlite3_module tlx_module_books = TLX_MODULE(best_index, open_cursor, tlx_cursor_close,
                                                   filter, next, column, rowid, tlx_insert_refused);
