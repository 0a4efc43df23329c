/*
 * insert.c: xUpdate of the tables whose rows have columns for everything (all but `events`).
 *
 * How: the shape of a row is checked before a ledger is looked for, so that nonsense creates no
 * directory. Texts are handed to the core as they lie in SQLite's values: it copies what it stages.
 *
 * What becomes of a row that is refused, by its conflict clause:
 *
 *     (none)       the statement fails. In autocommit, `results` shows the draft
 *     OR IGNORE    the row is skipped, and `results` shows it in its place, when the draft is at
 *                  fault (SQLITE_CONSTRAINT). A ledger that cannot be written fails the statement
 *     OR FAIL      the statement fails, the rows before it stay; `results` shows it in its place
 *     OR ROLLBACK  the SQL transaction is gone; `results` shows the draft
 *     OR REPLACE   append_only, as are UPDATE and DELETE, whatever the clause
 */
#include "insert.h"

#include "binding.h"
#include "columns.h"
#include "error.h"
#include "row.h"
#include "tables.h"
#include "value.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Reading a row --------------------------------------------------------------------------- */

bool tlx_row_refuse(tlx_row *row, talea_code code, const char *format, ...) {
    char words[TALEA_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    tlx_error_set(&row->err, code, "%s", words);
    return false;
}

static bool is_null(const tlx_row *row, int column) {
    return sqlite3_value_type(row->columns[column]) == SQLITE_NULL;
}

bool tlx_row_unassigned(tlx_row *row, const tlx_assigned *columns) {
    for (; columns->name; columns++) {
        if (!is_null(row, columns->column)) {
            return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                                  "%s is assigned by the ledger; leave it out", columns->name);
        }
    }
    return true;
}

bool tlx_row_text(tlx_row *row, int column, const char *name, bool required, talea_text *out_text) {
    if (tlx_value_text(row->columns[column], name, out_text, &row->err) != TALEA_OK) {
        return false;
    }
    if (required && !out_text->data) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT, "%s is required", name);
    }
    return true;
}

bool tlx_row_book(tlx_row *row, int column) {
    if (tlx_row_text(row, column, "book", true, &row->book)) {
        return true;
    }
    if (row->err.code == TALEA_INVALID_DRAFT) {
        row->err.code = TALEA_INVALID_BOOK;
    }
    return false;
}

bool tlx_row_key(tlx_row *row, int column) {
    return tlx_row_text(row, column, "idempotency_key", true, &row->key);
}

/* Greater than 0. */
static bool amount_of(tlx_row *row, int column, const char *name, talea_i128 *out_amount) {
    if (is_null(row, column)) {
        return tlx_row_refuse(row, TALEA_INVALID_AMOUNT, "%s is required", name);
    }
    if (tlx_value_amount(row->columns[column], name, false, out_amount, &row->err) != TALEA_OK) {
        return false;
    }
    if (*out_amount == 0) {
        return tlx_row_refuse(row, TALEA_INVALID_AMOUNT, "%s: 0 is not greater than 0", name);
    }
    return true;
}

bool tlx_row_time(tlx_row *row, int column, const char *name, bool *out_given,
                  int64_t *out_micros) {
    *out_given = !is_null(row, column);
    return !*out_given || tlx_value_time(tlx_table_db(row->table), row->columns[column], name,
                                         out_micros, &row->err) == TALEA_OK;
}

/* ---- The frame of every INSERT --------------------------------------------------------------- */

static tlx_undone undone_by(sqlite3 *db, int mode, bool constraint) {
    if (constraint && (mode == SQLITE_IGNORE || mode == SQLITE_FAIL)) {
        return TLX_UNDONE_NOTHING;
    }
    if (sqlite3_get_autocommit(db) || (constraint && mode == SQLITE_ROLLBACK)) {
        return TLX_UNDONE_TRANSACTION;
    }
    return TLX_UNDONE_STATEMENT;
}

static int refused(tlx_row *row, int mode) {
    tlx_table *table = row->table;
    bool constraint = tlx_error_result(row->err.code) == SQLITE_CONSTRAINT;
    tlx_undone undone = undone_by(tlx_table_db(table), mode, constraint);
    talea_error err;
    talea_code code = tlx_stage_refused(table, row->book, row->key, mode == SQLITE_IGNORE,
                                        &row->err, undone, &err);
    if (!constraint || mode != SQLITE_IGNORE) {
        return tlx_fail(&table->base, &row->err);
    }
    if (code != TALEA_OK) {
        return tlx_fail(&table->base, &err); /* skipped without a trace would be worse */
    }
    return SQLITE_CONSTRAINT; /* SQLite goes on with the next row, and no message may stay behind */
}

/* What no row could ever do. Under OR IGNORE SQLite would swallow SQLITE_CONSTRAINT. */
static int never(tlx_table *table, const char *words) {
    talea_error err;
    tlx_error_set(&err, TALEA_APPEND_ONLY, "%s: %s", tlx_table_names[table->id], words);
    int rc = tlx_fail(&table->base, &err);
    return sqlite3_vtab_on_conflict(tlx_table_db(table)) == SQLITE_IGNORE ? SQLITE_ERROR : rc;
}

static int change_refused(tlx_table *table) {
    return never(table, "no UPDATE and no DELETE; a correction is a new posting");
}

static bool is_change(int argc, sqlite3_value **argv) {
    return argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL;
}

int tlx_insert_row(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid,
                   tlx_stage_fn *stage) {
    tlx_row row;
    row.table = (tlx_table *)vtab;
    if (is_change(argc, argv)) {
        return change_refused(row.table);
    }
    sqlite3 *db = tlx_table_db(row.table);
    int mode = sqlite3_vtab_on_conflict(db);
    row.columns = argv + 2;
    row.optional = mode == SQLITE_IGNORE;
    row.book = (talea_text){NULL, 0};
    row.key = (talea_text){NULL, 0};
    bool good = false;
    if (mode == SQLITE_REPLACE) {
        tlx_row_refuse(&row, TALEA_APPEND_ONLY, "%s: no REPLACE; a correction is a new posting",
                       tlx_table_names[row.table->id]);
    } else if (sqlite3_value_type(argv[1]) != SQLITE_NULL) {
        tlx_row_refuse(&row, TALEA_INVALID_DRAFT, "rowid is assigned by the ledger; leave it out");
    } else {
        good = stage(&row);
    }
    if (!good) {
        return refused(&row, mode);
    }
    tlx_stage_done(row.table);
    *rowid = sqlite3_last_insert_rowid(db); /* the seq is not known before COMMIT: nothing changes
                                               yet */
    return SQLITE_OK;
}

int tlx_insert_refused(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
    tlx_table *table = (tlx_table *)vtab;
    (void)rowid;
    if (is_change(argc, argv)) {
        return change_refused(table);
    }
    return never(table, "only shows; INSERT INTO assets, accounts, transfers, postings or events");
}

/* ---- Assets ---------------------------------------------------------------------------------- */

static bool asset_class(tlx_row *row, talea_asset_class *out_class) {
    talea_text text;
    if (!tlx_row_text(row, ASSETS_CLASS, "class", true, &text)) {
        return false;
    }
    if (tlx_text_is(text, "fiat")) {
        *out_class = TALEA_CLASS_FIAT;
        return true;
    }
    if (tlx_text_is(text, "crypto")) {
        *out_class = TALEA_CLASS_CRYPTO;
        return true;
    }
    return tlx_row_refuse(row, TALEA_INVALID_DRAFT, "class: '%.*s' is neither fiat nor crypto",
                          tlx_shown(text), text.data);
}

static bool precision(tlx_row *row, unsigned *out_precision) {
    sqlite3_value *value = row->columns[ASSETS_PRECISION];
    if (sqlite3_value_type(value) != SQLITE_INTEGER) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT, "precision must be an INTEGER from 0 to %d",
                              TALEA_PRECISION_MAX);
    }
    sqlite3_int64 given = sqlite3_value_int64(value);
    if (given < 0 || given > TALEA_PRECISION_MAX) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              "precision must be an INTEGER from 0 to %d, not %lld",
                              TALEA_PRECISION_MAX, (long long)given);
    }
    *out_precision = (unsigned)given;
    return true;
}

static bool stage_asset(tlx_row *row) {
    talea_asset_def def;
    talea_unit *unit = NULL;
    row->book = (talea_text){"_system", strlen("_system")};
    return tlx_row_text(row, ASSETS_ASSET, "asset", true, &def.asset) &&
           asset_class(row, &def.asset_class) &&
           tlx_row_text(row, ASSETS_NETWORK, "network", false, &def.network) &&
           tlx_row_text(row, ASSETS_NATIVE_ID, "native_id", false, &def.native_id) &&
           precision(row, &def.precision) &&
           tlx_row_text(row, ASSETS_NAME, "name", false, &def.name) &&
           tlx_stage_begin(row->table, row->book, &unit, &row->err) == TALEA_OK &&
           talea_unit_add_asset(unit, &def, row->optional, &row->err) == TALEA_OK;
}

int tlx_insert_asset(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
    return tlx_insert_row(vtab, argc, argv, rowid, stage_asset);
}

/* ---- Accounts -------------------------------------------------------------------------------- */

static bool kind(tlx_row *row, talea_kind *out_kind) {
    talea_text text;
    if (!tlx_row_text(row, ACCOUNTS_KIND, "kind", true, &text)) {
        return false;
    }
    if (!tlx_kind_parse(text, out_kind)) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              "kind: '%.*s' is none of asset, liability, income, expense, equity, "
                              "clearing",
                              tlx_shown(text), text.data);
    }
    return true;
}

static bool normal_side(tlx_row *row, talea_kind of_kind, talea_side *out_side) {
    talea_text text;
    if (!tlx_row_text(row, ACCOUNTS_NORMAL_SIDE, "normal_side", false, &text)) {
        return false;
    }
    if (!text.data) {
        *out_side = talea_kind_normal_side(of_kind);
        return true;
    }
    if (!tlx_side_parse(text, out_side)) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              "normal_side: '%.*s' is none of debit, credit, none", tlx_shown(text),
                              text.data);
    }
    return true;
}

static bool limit(tlx_row *row, int column, const char *name, bool *out_given,
                  talea_i128 *out_limit) {
    *out_given = !is_null(row, column);
    return !*out_given ||
           tlx_value_amount(row->columns[column], name, true, out_limit, &row->err) == TALEA_OK;
}

static bool stage_account(tlx_row *row) {
    static const tlx_assigned assigned[] = {
        {ACCOUNTS_OPENED_SEQ, "opened_seq"}, {ACCOUNTS_OPENED_AT, "opened_at"}, {0, NULL}};
    talea_account_def def = {.precision = 0};
    talea_unit *unit = NULL;
    return tlx_row_book(row, ACCOUNTS_BOOK) && tlx_row_unassigned(row, assigned) &&
           tlx_row_text(row, ACCOUNTS_ACCOUNT, "account", true, &def.account) &&
           tlx_row_text(row, ACCOUNTS_ASSET, "asset", true, &def.asset) && kind(row, &def.kind) &&
           normal_side(row, def.kind, &def.side) &&
           limit(row, ACCOUNTS_MIN_BALANCE, "min_balance", &def.has_min, &def.min_balance) &&
           limit(row, ACCOUNTS_MAX_BALANCE, "max_balance", &def.has_max, &def.max_balance) &&
           tlx_stage_begin(row->table, row->book, &unit, &row->err) == TALEA_OK &&
           talea_unit_add_account(unit, row->book, &def, row->optional, &row->err) == TALEA_OK;
}

int tlx_insert_account(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
    return tlx_insert_row(vtab, argc, argv, rowid, stage_account);
}

/* ---- Transfers ------------------------------------------------------------------------------- */

bool tlx_row_post(tlx_row *row, talea_draft *draft) {
    tlx_json *json = &row->table->binding->connection->json;
    talea_unit *unit = NULL;
    if (tlx_json_minify(json, tlx_table_db(row->table), draft, &row->err) != TALEA_OK) {
        return false;
    }
    talea_code code = tlx_stage_begin(row->table, row->book, &unit, &row->err);
    if (code == TALEA_OK) {
        code = talea_unit_add_draft(unit, row->book, draft, row->optional, &row->err);
    }
    if (draft->external_refs.data || draft->metadata.data) {
        tlx_json_release(json);
    }
    return code == TALEA_OK;
}

static bool stage_transfer(tlx_row *row) {
    static const tlx_assigned assigned[] = {
        {TRANSFERS_SEQ, "seq"}, {TRANSFERS_AT, "at"}, {TRANSFERS_TXID, "txid"}, {0, NULL}};
    talea_leg legs[2];
    talea_draft draft;
    bool good =
        tlx_row_book(row, TRANSFERS_BOOK) && tlx_row_key(row, TRANSFERS_KEY) &&
        tlx_row_unassigned(row, assigned) &&
        tlx_row_text(row, TRANSFERS_DEBIT, "debit", true, &legs[0].account) &&
        tlx_row_text(row, TRANSFERS_CREDIT, "credit", true, &legs[1].account) &&
        tlx_row_text(row, TRANSFERS_ASSET, "asset", false, &legs[0].asset) &&
        amount_of(row, TRANSFERS_AMOUNT, "amount", &legs[0].amount) &&
        tlx_row_time(row, TRANSFERS_OCCURRED_AT, "occurred_at", &draft.has_occurred_at,
                     &draft.occurred_at) &&
        tlx_row_text(row, TRANSFERS_EXTERNAL_REFS, "external_refs", false, &draft.external_refs) &&
        tlx_row_text(row, TRANSFERS_METADATA, "metadata", false, &draft.metadata);
    if (!good) {
        return false;
    }
    legs[0].side = TALEA_SIDE_DEBIT;
    legs[1].side = TALEA_SIDE_CREDIT;
    legs[1].asset = legs[0].asset;
    legs[1].amount = legs[0].amount;
    draft.key = row->key;
    draft.legs = legs;
    draft.leg_count = 2;
    return tlx_row_post(row, &draft);
}

int tlx_insert_transfer(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
    return tlx_insert_row(vtab, argc, argv, rowid, stage_transfer);
}

/* ---- Postings -------------------------------------------------------------------------------- */

static bool line_amount(tlx_row *row, talea_leg *leg) {
    bool debit = !is_null(row, POSTINGS_DEBIT);
    bool credit = !is_null(row, POSTINGS_CREDIT);
    if ((debit && !amount_of(row, POSTINGS_DEBIT, "debit", &leg->amount)) ||
        (credit && !amount_of(row, POSTINGS_CREDIT, "credit", &leg->amount))) {
        return false;
    }
    if (debit == credit) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              debit ? "a line takes one of debit and credit, not both"
                                    : "a line takes debit or credit");
    }
    leg->side = debit ? TALEA_SIDE_DEBIT : TALEA_SIDE_CREDIT;
    return true;
}

static bool stage_posting(tlx_row *row) {
    static const tlx_assigned assigned[] = {{POSTINGS_SEQ, "seq"},         {POSTINGS_IDX, "idx"},
                                            {POSTINGS_AT, "at"},           {POSTINGS_TXID, "txid"},
                                            {POSTINGS_BALANCE, "balance"}, {0, NULL}};
    talea_leg leg;
    talea_unit *unit = NULL;
    bool has_time = false;
    int64_t time = 0;
    return tlx_row_book(row, POSTINGS_BOOK) && tlx_row_key(row, POSTINGS_KEY) &&
           tlx_row_unassigned(row, assigned) &&
           tlx_row_text(row, POSTINGS_ACCOUNT, "account", true, &leg.account) &&
           tlx_row_text(row, POSTINGS_ASSET, "asset", false, &leg.asset) &&
           line_amount(row, &leg) &&
           tlx_row_time(row, POSTINGS_OCCURRED_AT, "occurred_at", &has_time, &time) &&
           tlx_stage_begin(row->table, row->book, &unit, &row->err) == TALEA_OK &&
           talea_unit_add_line(unit, row->book, row->key, &leg, has_time, time, row->optional,
                               &row->err) == TALEA_OK;
}

int tlx_insert_posting(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
    return tlx_insert_row(vtab, argc, argv, rowid, stage_posting);
}
