/*
 * table_balances.c: `balances`: accounts with their totals, now or at a past instant.
 *
 * The lookup of one account is the query that an application repeats most: book and account go from
 * the arguments straight to the engine's two tables of names; nothing is allocated but the cursor.
 */
#include "account_scan.h"
#include "columns.h"
#include "insert.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {BALANCES_BOOK, TLX_ROLE_BOOK, "book"},
    {BALANCES_ACCOUNT, TLX_ROLE_ACCOUNT, "account"},
    {BALANCES_ASSET, TLX_ROLE_ASSET, "asset"},
    {BALANCES_AS_OF, TLX_ROLE_AS_OF, "as_of"},
    {BALANCES_AS_OF_SEQ, TLX_ROLE_AS_OF_SEQ, "as_of_seq"},
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

static talea_i128 balance_of(const talea_account *account) {
    return talea_balance(account->def.side, account->debits, account->credits);
}

static void result_display(sqlite3_context *context, const talea_account *account) {
    char text[TALEA_DECIMAL_TEXT_BYTES];
    size_t len = talea_decimal_format(balance_of(account), account->def.precision, text);
    sqlite3_result_text(context, text, (int)len, SQLITE_TRANSIENT);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const tlx_account_cursor *cursor = (const tlx_account_cursor *)base;
    const talea_account *account = &cursor->scan.account;
    switch (number) {
    case BALANCES_BOOK: tlx_result_text(context, talea_book_name(cursor->scan.books.book)); break;
    case BALANCES_ACCOUNT: tlx_result_text(context, account->def.account); break;
    case BALANCES_ASSET: tlx_result_text(context, account->def.asset); break;
    case BALANCES_KIND:
        sqlite3_result_text(context, tlx_kind_name(account->def.kind), -1, SQLITE_STATIC);
        break;
    case BALANCES_BALANCE: tlx_result_amount(context, balance_of(account)); break;
    case BALANCES_DEBITS: tlx_result_amount(context, account->debits); break;
    case BALANCES_CREDITS: tlx_result_amount(context, account->credits); break;
    case BALANCES_UPDATED_SEQ:
        sqlite3_result_int64(context, (sqlite3_int64)account->updated_seq);
        break;
    case BALANCES_DISPLAY: result_display(context, account); break;
    case BALANCES_AS_OF: tlx_result_given(context, cursor->base.filter.as_of_value); break;
    case BALANCES_AS_OF_SEQ: tlx_result_given(context, cursor->base.filter.as_of_seq_value); break;
    }
    return SQLITE_OK;
}

const sqlite3_module tlx_module_balances = TLX_MODULE(
    best_index, tlx_account_cursor_open, tlx_account_cursor_close, tlx_account_cursor_filter,
    tlx_account_cursor_next, column, tlx_account_cursor_rowid, tlx_insert_refused);
