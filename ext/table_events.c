/*
 * table_events.c: `events`: the log itself, every event of every book, _system's included.
 *
 * The two JSON columns are written only when a row's column is read, into a buffer of the cursor.
 */
#include "column_text.h"
#include "columns.h"
#include "event_scan.h"
#include "insert.h"
#include "json_out.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {EVENTS_BOOK, TLX_ROLE_BOOK, "book"},
    {EVENTS_SEQ, TLX_ROLE_SEQ, "seq"},
    {EVENTS_AT, TLX_ROLE_AT, "at"},
    {EVENTS_TXID, TLX_ROLE_TXID, "txid"},
    {EVENTS_KEY, TLX_ROLE_KEY, "idempotency_key"},
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

typedef struct events_cursor {
    tlx_cursor base;
    tlx_event_scan scan;
    tlx_time_text at;
    tlx_json json;
} events_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(events_cursor), out_cursor);
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    events_cursor *cursor = (events_cursor *)base;
    tlx_event_scan_close(&cursor->scan);
    tlx_json_free(&cursor->json);
    return tlx_cursor_close(base);
}

static int next(sqlite3_vtab_cursor *base) {
    events_cursor *cursor = (events_cursor *)base;
    talea_error err;
    talea_code code = tlx_event_scan_next(&cursor->scan, &err);
    cursor->base.eof = cursor->scan.event == NULL;
    return tlx_cursor_result(&cursor->base, code, &err);
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    events_cursor *cursor = (events_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    talea_error err;
    talea_code code = tlx_event_scan_start(&cursor->scan, tlx_pin_view(cursor->base.pin),
                                           &cursor->base.filter, &err);
    return code == TALEA_OK ? next(base) : tlx_cursor_result(&cursor->base, code, &err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void result_json(sqlite3_context *context, const tlx_json *json) {
    if (json->failed) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_text64(context, json->data, json->len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
}

static void write_postings(tlx_json *json, talea_book_view *book, const talea_event *event) {
    tlx_json_raw(json, "[");
    for (size_t i = 0; i < event->posting_count; i++) {
        const talea_posting *posting = &event->postings[i];
        const talea_account_def *def = talea_book_account_def(book, posting->account);
        tlx_json_raw(json, i == 0 ? "{\"account\":" : ",{\"account\":");
        tlx_json_string(json, def->account);
        tlx_json_raw(json, ",\"asset\":");
        tlx_json_string(json, def->asset);
        tlx_json_raw(json, posting->side == TALEA_SIDE_DEBIT ? ",\"debit\":" : ",\"credit\":");
        tlx_json_amount(json, posting->amount);
        tlx_json_raw(json, "}");
    }
    tlx_json_raw(json, "]");
}

static void write_word(tlx_json *json, const char *key, const char *word) {
    tlx_json_raw(json, key);
    tlx_json_raw(json, "\"");
    tlx_json_raw(json, word);
    tlx_json_raw(json, "\"");
}

static void write_limit(tlx_json *json, const char *key, bool given, talea_i128 limit) {
    tlx_json_raw(json, key);
    if (given) {
        tlx_json_amount(json, limit);
    } else {
        tlx_json_raw(json, "null");
    }
}

/* Keys are the columns of `assets`. */
static void write_asset(tlx_json *json, const talea_asset_def *def) {
    tlx_json_raw(json, "{\"asset\":");
    tlx_json_string(json, def->asset);
    write_word(json, ",\"class\":", def->asset_class == TALEA_CLASS_FIAT ? "fiat" : "crypto");
    tlx_json_raw(json, ",\"network\":");
    tlx_json_string(json, def->network);
    tlx_json_raw(json, ",\"native_id\":");
    tlx_json_string(json, def->native_id);
    tlx_json_raw(json, ",\"precision\":");
    tlx_json_amount(json, def->precision);
    tlx_json_raw(json, ",\"name\":");
    tlx_json_string(json, def->name);
    tlx_json_raw(json, "}");
}

/* Keys are the columns of `accounts` that the definition fixes; book, seq and at are the event's
 * own. */
static void write_account(tlx_json *json, const talea_account_def *def) {
    tlx_json_raw(json, "{\"account\":");
    tlx_json_string(json, def->account);
    tlx_json_raw(json, ",\"asset\":");
    tlx_json_string(json, def->asset);
    write_word(json, ",\"kind\":", tlx_kind_name(def->kind));
    write_word(json, ",\"normal_side\":", tlx_side_name(def->side));
    write_limit(json, ",\"min_balance\":", def->has_min, def->min_balance);
    write_limit(json, ",\"max_balance\":", def->has_max, def->max_balance);
    tlx_json_raw(json, "}");
}

static void result_definition(sqlite3_context *context, tlx_json *json, const talea_event *event) {
    tlx_json_start(json);
    if (event->kind == TALEA_EVENT_ASSET_REGISTERED) {
        write_asset(json, &event->asset);
    } else {
        write_account(json, &event->account);
    }
    result_json(context, json);
}

/* ---- Columns --------------------------------------------------------------------------------- */

static void transaction_column(events_cursor *cursor, sqlite3_context *context, int number) {
    const talea_event *event = cursor->scan.event;
    switch (number) {
    case EVENTS_TXID: tlx_result_txid(context, event->txid); break;
    case EVENTS_KEY: tlx_result_text(context, event->key); break;
    case EVENTS_OCCURRED_AT:
        if (event->has_occurred_at) {
            tlx_result_time(context, event->occurred_at);
        }
        break;
    case EVENTS_POSTINGS:
        tlx_json_start(&cursor->json);
        write_postings(&cursor->json, cursor->scan.books.book, event);
        result_json(context, &cursor->json);
        break;
    case EVENTS_EXTERNAL_REFS: tlx_result_text(context, event->external_refs); break;
    case EVENTS_METADATA: tlx_result_text(context, event->metadata); break;
    }
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    events_cursor *cursor = (events_cursor *)base;
    const talea_event *event = cursor->scan.event;
    switch (number) {
    case EVENTS_BOOK: tlx_result_text(context, talea_book_name(cursor->scan.books.book)); break;
    case EVENTS_SEQ: sqlite3_result_int64(context, (sqlite3_int64)event->seq); break;
    case EVENTS_AT: tlx_result_cached_time(context, &cursor->at, event->at); break;
    case EVENTS_KIND: tlx_result_event_kind(context, event->kind); break;
    case EVENTS_DEFINITION:
        if (event->kind != TALEA_EVENT_TRANSACTION_POSTED) {
            result_definition(context, &cursor->json, event);
        }
        break;
    default:
        if (event->kind == TALEA_EVENT_TRANSACTION_POSTED) {
            transaction_column(cursor, context, number);
        }
        break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    const tlx_event_scan *scan = &((events_cursor *)base)->scan;
    *out_rowid =
        tlx_rowid(talea_book_ordinal(scan->books.book), TLX_ROWID_SEQ_BITS, scan->event->seq);
    return SQLITE_OK;
}

const sqlite3_module tlx_module_events = TLX_MODULE(best_index, open_cursor, close_cursor, filter,
                                                    next, column, rowid, tlx_insert_event);
