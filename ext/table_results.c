/*
 * table_results.c: `results`: what became of each draft of this connection's last SQL transaction.
 */
#include "column_text.h"
#include "columns.h"
#include "insert.h"
#include "scan.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_spec plan_spec = {.rows = 100, .row_cost = 1};

typedef struct results_cursor {
    tlx_cursor base;
    size_t index; /* of the current row */
    talea_outcome outcome;
} results_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(results_cursor), out_cursor);
}

/* Shows the row at `index`, or ends. */
static void show(results_cursor *cursor, size_t index) {
    const tlx_binding *binding = cursor->base.table->binding;
    cursor->index = index;
    cursor->base.eof = index >= tlx_result_count(binding);
    if (!cursor->base.eof) {
        tlx_result(binding, index, &cursor->outcome);
    }
}

static int next(sqlite3_vtab_cursor *base) {
    results_cursor *cursor = (results_cursor *)base;
    show(cursor, cursor->index + 1);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    results_cursor *cursor = (results_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc == SQLITE_OK) {
        show(cursor, 0); /* there may be refusals before there is a ledger */
    }
    return rc;
}

static const char *status_name(talea_status status) {
    switch (status) {
    case TALEA_STATUS_COMMITTED: return "committed";
    case TALEA_STATUS_DEDUPLICATED: return "deduplicated";
    case TALEA_STATUS_REJECTED: return "rejected";
    case TALEA_STATUS_UNKNOWN: break;
    }
    return NULL;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const results_cursor *cursor = (const results_cursor *)base;
    const talea_outcome *outcome = &cursor->outcome;
    switch (number) {
    case RESULTS_N: sqlite3_result_int64(context, (sqlite3_int64)cursor->index + 1); break;
    case RESULTS_BOOK: tlx_result_text(context, outcome->book); break;
    case RESULTS_KEY: tlx_result_text(context, outcome->key); break;
    case RESULTS_STATUS: /* NULL after `io`: nobody knows */
        sqlite3_result_text(context, status_name(outcome->status), -1, SQLITE_STATIC);
        break;
    case RESULTS_SEQ:
        if (outcome->seq != 0) {
            sqlite3_result_int64(context, (sqlite3_int64)outcome->seq);
        }
        break;
    case RESULTS_TXID:
        if (outcome->has_txid) {
            tlx_result_txid(context, outcome->txid);
        }
        break;
    case RESULTS_AT:
        if (outcome->at != 0) {
            tlx_result_time(context, outcome->at);
        }
        break;
    case RESULTS_ERROR:
        if (outcome->error != TALEA_OK) {
            sqlite3_result_text(context, talea_code_name(outcome->error), -1, SQLITE_STATIC);
        }
        break;
    case RESULTS_MESSAGE:
        if (outcome->error != TALEA_OK) {
            tlx_result_error_text(context, outcome->error, outcome->message);
        }
        break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    *out_rowid = (sqlite3_int64)((results_cursor *)base)->index + 1;
    return SQLITE_OK;
}

const sqlite3_module tlx_module_results = TLX_MODULE(
    best_index, open_cursor, tlx_cursor_close, filter, next, column, rowid, tlx_insert_refused);
