/*
 * table_postings.c: `postings`: every leg of every transaction, as lines of a journal.
 *
 * Two ways through them. By event: the log is read once, each event gives its legs, and running
 * balances are kept only when a query asks for them (PLAN_BALANCE). By account (`account =`): the
 * account's history gives the legs with their totals, and the event behind one is read only for a
 * column that the history lacks. Both come in the order (book, seq, idx), up or down, and name a
 * row by the same rowid.
 */
#include "column_text.h"
#include "columns.h"
#include "error.h"
#include "event_scan.h"
#include "insert.h"
#include "running.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {POSTINGS_BOOK, TLX_ROLE_BOOK, "book"},
    {POSTINGS_SEQ, TLX_ROLE_SEQ, "seq"},
    {POSTINGS_IDX, TLX_ROLE_IDX, "idx"},
    {POSTINGS_AT, TLX_ROLE_AT, "at"},
    {POSTINGS_TXID, TLX_ROLE_TXID, "txid"},
    {POSTINGS_KEY, TLX_ROLE_KEY, "idempotency_key"},
    {POSTINGS_ACCOUNT, TLX_ROLE_ACCOUNT, "account"},
    {POSTINGS_BALANCE, TLX_ROLE_BALANCE, "balance"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .rows = 2e6,
    .row_cost = 1,
};

typedef struct postings_cursor {
    tlx_cursor base;
    tlx_event_scan scan;
    size_t legs_left; /* by event: of the current one, after the current row */
    size_t idx;       /* by event: of the current row */
    uint32_t account; /* of the current row, these four */
    talea_side side;
    talea_i128 amount;
    talea_i128 net; /* debits - credits after it; by event only with PLAN_BALANCE */
    tlx_running running;
    tlx_time_text at;
} postings_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(postings_cursor), out_cursor);
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    postings_cursor *cursor = (postings_cursor *)base;
    tlx_event_scan_close(&cursor->scan);
    tlx_running_close(&cursor->running);
    return tlx_cursor_close(base);
}

/* ---- Going on -------------------------------------------------------------------------------- */

static talea_code next_by_account(postings_cursor *cursor, talea_error *err) {
    talea_code code = tlx_event_scan_next_leg(&cursor->scan, err);
    cursor->base.eof = cursor->scan.books.book == NULL;
    if (code != TALEA_OK || cursor->base.eof) {
        return code;
    }
    const talea_history_entry *entry = &cursor->scan.entry;
    cursor->account = cursor->scan.tracks->account;
    cursor->side = entry->side;
    cursor->amount = entry->amount;
    cursor->net = talea_balance(TALEA_SIDE_NONE, entry->debits, entry->credits);
    return TALEA_OK;
}

static talea_code next_by_event(postings_cursor *cursor, talea_error *err) {
    tlx_event_scan *scan = &cursor->scan;
    while (cursor->legs_left == 0) { /* definitions have none */
        talea_code code = tlx_event_scan_next(scan, err);
        cursor->base.eof = scan->event == NULL;
        if (code != TALEA_OK || cursor->base.eof) {
            return code;
        }
        bool posted = scan->event->kind == TALEA_EVENT_TRANSACTION_POSTED;
        cursor->legs_left = posted ? scan->event->posting_count : 0;
    }
    cursor->legs_left--;
    cursor->idx =
        scan->descending ? cursor->legs_left : scan->event->posting_count - 1 - cursor->legs_left;
    const talea_posting *posting = &scan->event->postings[cursor->idx];
    cursor->account = posting->account;
    cursor->side = posting->side;
    cursor->amount = posting->amount;
    if ((cursor->base.filter.plan & TLX_PLAN_BALANCE) == 0) {
        return TALEA_OK;
    }
    return tlx_running_leg(&cursor->running, scan->books.book, scan->descending, scan->event->seq,
                           posting, &cursor->net, err);
}

static int next(sqlite3_vtab_cursor *base) {
    postings_cursor *cursor = (postings_cursor *)base;
    talea_error err;
    talea_code code = tlx_event_scan_has_legs(&cursor->scan) ? next_by_account(cursor, &err)
                                                             : next_by_event(cursor, &err);
    return tlx_cursor_result(&cursor->base, code, &err);
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    postings_cursor *cursor = (postings_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    cursor->legs_left = 0;
    tlx_running_reset(&cursor->running);
    talea_error err;
    talea_code code = tlx_event_scan_start(&cursor->scan, tlx_pin_view(cursor->base.pin),
                                           &cursor->base.filter, &err);
    return code == TALEA_OK ? next(base) : tlx_cursor_result(&cursor->base, code, &err);
}

/* ---- The event behind a leg ------------------------------------------------------------------ */

/* The leg's index in its (loaded) event. By account: an account's legs of one event follow each
 * other in its history as they do in the event, so the n-th there is the n-th here. */
static size_t idx_of(const postings_cursor *cursor) {
    const tlx_event_scan *scan = &cursor->scan;
    if (!tlx_event_scan_has_legs(scan)) {
        return cursor->idx;
    }
    uint64_t first = talea_history_lower_bound(scan->books.book, cursor->account, scan->seq);
    uint64_t before = scan->position - first; /* legs of this account */
    for (size_t i = 0; i < scan->event->posting_count; i++) {
        if (scan->event->postings[i].account == cursor->account && before-- == 0) {
            return i;
        }
    }
    return scan->event->posting_count; /* history and log disagree: `verify` tells */
}

static int load_event(postings_cursor *cursor) {
    talea_error err;
    talea_code code = tlx_event_scan_load(&cursor->scan, &err);
    return tlx_cursor_result(&cursor->base, code, &err);
}

static int event_column(postings_cursor *cursor, sqlite3_context *context, int number) {
    int rc = load_event(cursor);
    if (rc != SQLITE_OK) {
        return rc;
    }
    const talea_event *event = cursor->scan.event;
    switch (number) {
    case POSTINGS_IDX: sqlite3_result_int64(context, (sqlite3_int64)idx_of(cursor)); break;
    case POSTINGS_AT: tlx_result_cached_time(context, &cursor->at, event->at); break;
    case POSTINGS_TXID: tlx_result_txid(context, event->txid); break;
    case POSTINGS_KEY: tlx_result_text(context, event->key); break;
    case POSTINGS_OCCURRED_AT:
        if (event->has_occurred_at) {
            tlx_result_time(context, event->occurred_at);
        }
        break;
    }
    return SQLITE_OK;
}

/* ---- Columns --------------------------------------------------------------------------------- */

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    postings_cursor *cursor = (postings_cursor *)base;
    talea_book_view *book = cursor->scan.books.book;
    switch (number) {
    case POSTINGS_BOOK: tlx_result_text(context, talea_book_name(book)); break;
    case POSTINGS_SEQ: sqlite3_result_int64(context, (sqlite3_int64)cursor->scan.seq); break;
    case POSTINGS_ACCOUNT:
        tlx_result_text(context, talea_book_account_def(book, cursor->account)->account);
        break;
    case POSTINGS_ASSET:
        tlx_result_text(context, talea_book_account_def(book, cursor->account)->asset);
        break;
    case POSTINGS_DEBIT:
        if (cursor->side == TALEA_SIDE_DEBIT) {
            tlx_result_amount(context, cursor->amount);
        }
        break;
    case POSTINGS_CREDIT:
        if (cursor->side == TALEA_SIDE_CREDIT) {
            tlx_result_amount(context, cursor->amount);
        }
        break;
    case POSTINGS_BALANCE: {
        talea_side side = talea_book_account_def(book, cursor->account)->side;
        tlx_result_amount(context, talea_balance(side, cursor->net, 0));
        break;
    }
    default: return event_column(cursor, context, number);
    }
    return SQLITE_OK;
}

/* Found in the event for both ways through: `account = .. OR seq = ..` tells rows apart by it. */
static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    postings_cursor *cursor = (postings_cursor *)base;
    int rc = load_event(cursor);
    if (rc == SQLITE_OK) {
        *out_rowid = tlx_rowid(talea_book_ordinal(cursor->scan.books.book), TLX_ROWID_SEQ_BITS,
                               cursor->scan.event->position + idx_of(cursor));
    }
    return rc;
}

const sqlite3_module tlx_module_postings = TLX_MODULE(best_index, open_cursor, close_cursor, filter,
                                                      next, column, rowid, tlx_insert_posting);
