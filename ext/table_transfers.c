/*
 * table_transfers.c: `transfers`: the transactions of one debit and one credit, whatever form of
 * INSERT posted them.
 *
 * `debit =` and `credit =` are answered from the account's history, as far as that is shorter than
 * the log.
 */
#include "column_text.h"
#include "columns.h"
#include "event_scan.h"
#include "insert.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {TRANSFERS_BOOK, TLX_ROLE_BOOK, "book"},
    {TRANSFERS_SEQ, TLX_ROLE_SEQ, "seq"},
    {TRANSFERS_AT, TLX_ROLE_AT, "at"},
    {TRANSFERS_TXID, TLX_ROLE_TXID, "txid"},
    {TRANSFERS_KEY, TLX_ROLE_KEY, "idempotency_key"},
    {TRANSFERS_DEBIT, TLX_ROLE_ACCOUNT, "debit"},
    {TRANSFERS_CREDIT, TLX_ROLE_ACCOUNT, "credit"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .keys = {TLX_ARG_BIT(TLX_ARG_BOOK) | TLX_ARG_BIT(TLX_ARG_SEQ),
             TLX_ARG_BIT(TLX_ARG_BOOK) | TLX_ARG_BIT(TLX_ARG_KEY),
             TLX_ARG_BIT(TLX_ARG_BOOK) | TLX_ARG_BIT(TLX_ARG_TXID)},
    .rows = 1e6,
    .row_cost = 1,
};

typedef struct transfers_cursor {
    tlx_cursor base;
    tlx_event_scan scan;
    tlx_time_text at;
    const talea_posting *debit; /* legs of the current event */
    const talea_posting *credit;
} transfers_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(transfers_cursor), out_cursor);
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    tlx_event_scan_close(&((transfers_cursor *)base)->scan);
    return tlx_cursor_close(base);
}

/* Two legs balance only as one debit and one credit of one asset. */
static bool take_legs(transfers_cursor *cursor) {
    const talea_event *event = cursor->scan.event;
    if (event->kind != TALEA_EVENT_TRANSACTION_POSTED || event->posting_count != 2) {
        return false;
    }
    bool debit_first = event->postings[0].side == TALEA_SIDE_DEBIT;
    cursor->debit = &event->postings[debit_first ? 0 : 1];
    cursor->credit = &event->postings[debit_first ? 1 : 0];
    return true;
}

static int next(sqlite3_vtab_cursor *base) {
    transfers_cursor *cursor = (transfers_cursor *)base;
    talea_error err;
    talea_code code = TALEA_OK;
    do {
        code = tlx_event_scan_next(&cursor->scan, &err);
        cursor->base.eof = cursor->scan.event == NULL;
    } while (code == TALEA_OK && !cursor->base.eof && !take_legs(cursor));
    return tlx_cursor_result(&cursor->base, code, &err);
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    transfers_cursor *cursor = (transfers_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    talea_error err;
    talea_code code = tlx_event_scan_start(&cursor->scan, tlx_pin_view(cursor->base.pin),
                                           &cursor->base.filter, &err);
    return code == TALEA_OK ? next(base) : tlx_cursor_result(&cursor->base, code, &err);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    transfers_cursor *cursor = (transfers_cursor *)base;
    const talea_event *event = cursor->scan.event;
    talea_book_view *book = cursor->scan.books.book;
    switch (number) {
    case TRANSFERS_BOOK: tlx_result_text(context, talea_book_name(book)); break;
    case TRANSFERS_SEQ: sqlite3_result_int64(context, (sqlite3_int64)event->seq); break;
    case TRANSFERS_AT: tlx_result_cached_time(context, &cursor->at, event->at); break;
    case TRANSFERS_TXID: tlx_result_txid(context, event->txid); break;
    case TRANSFERS_KEY: tlx_result_text(context, event->key); break;
    case TRANSFERS_DEBIT:
        tlx_result_text(context, talea_book_account_def(book, cursor->debit->account)->account);
        break;
    case TRANSFERS_CREDIT:
        tlx_result_text(context, talea_book_account_def(book, cursor->credit->account)->account);
        break;
    case TRANSFERS_ASSET:
        tlx_result_text(context, talea_book_account_def(book, cursor->debit->account)->asset);
        break;
    case TRANSFERS_AMOUNT: tlx_result_amount(context, cursor->debit->amount); break;
    case TRANSFERS_OCCURRED_AT:
        if (event->has_occurred_at) {
            tlx_result_time(context, event->occurred_at);
        }
        break;
    case TRANSFERS_EXTERNAL_REFS: tlx_result_text(context, event->external_refs); break;
    case TRANSFERS_METADATA: tlx_result_text(context, event->metadata); break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    const tlx_event_scan *scan = &((transfers_cursor *)base)->scan;
    *out_rowid =
        tlx_rowid(talea_book_ordinal(scan->books.book), TLX_ROWID_SEQ_BITS, scan->event->seq);
    return SQLITE_OK;
}

const sqlite3_module tlx_module_transfers = TLX_MODULE(
    best_index, open_cursor, close_cursor, filter, next, column, rowid, tlx_insert_transfer);
