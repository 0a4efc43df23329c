/*
 * table_accounts.c: `accounts`: definitions, in the order (book, opening).
 */
#include "account_scan.h"
#include "columns.h"
#include "insert.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {ACCOUNTS_BOOK, TLX_ROLE_BOOK, "book"},
    {ACCOUNTS_ACCOUNT, TLX_ROLE_ACCOUNT, "account"},
    {ACCOUNTS_ASSET, TLX_ROLE_ASSET, "asset"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .keys = {TLX_ARG_BIT(TLX_ARG_BOOK) | TLX_ARG_BIT(TLX_ARG_ACCOUNT)},
    .rows = 1000,
    .row_cost = 1,
};

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const tlx_account_scan *scan = &((tlx_account_cursor *)base)->scan;
    const talea_account_def *def = &scan->account.def;
    switch (number) {
    case ACCOUNTS_BOOK: tlx_result_text(context, talea_book_name(scan->books.book)); break;
    case ACCOUNTS_ACCOUNT: tlx_result_text(context, def->account); break;
    case ACCOUNTS_ASSET: tlx_result_text(context, def->asset); break;
    case ACCOUNTS_KIND:
        sqlite3_result_text(context, tlx_kind_name(def->kind), -1, SQLITE_STATIC);
        break;
    case ACCOUNTS_NORMAL_SIDE:
        sqlite3_result_text(context, tlx_side_name(def->side), -1, SQLITE_STATIC);
        break;
    case ACCOUNTS_MIN_BALANCE:
        if (def->has_min) {
            tlx_result_amount(context, def->min_balance);
        }
        break;
    case ACCOUNTS_MAX_BALANCE:
        if (def->has_max) {
            tlx_result_amount(context, def->max_balance);
        }
        break;
    case ACCOUNTS_OPENED_SEQ:
        sqlite3_result_int64(context, (sqlite3_int64)scan->account.opened_seq);
        break;
    case ACCOUNTS_OPENED_AT: tlx_result_time(context, scan->account.opened_at); break;
    }
    return SQLITE_OK;
}

const sqlite3_module tlx_module_accounts = TLX_MODULE(
    best_index, tlx_account_cursor_open, tlx_account_cursor_close, tlx_account_cursor_filter,
    tlx_account_cursor_next, column, tlx_account_cursor_rowid, tlx_insert_account);
