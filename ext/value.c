/*
 * value.c: conversions between sqlite3_value and the ledger's types.
 *
 * How: SQLite applies no affinity to what is inserted into a virtual table, so a value arrives here
 * as the caller wrote it, and can be refused as such. Only TEXT is a name, only INTEGER and TEXT
 * are amounts; nothing is converted silently (sqlite3_value_int64 would turn "12abc" into 12).
 */
#include "value.h"

#include "error.h"

#include <assert.h>
#include <string.h>

/* ---- Results --------------------------------------------------------------------------------- */

void tlx_result_amount(sqlite3_context *context, talea_i128 value) {
    if (value >= INT64_MIN && value <= INT64_MAX) {
        sqlite3_result_int64(context, (sqlite3_int64)value);
        return;
    }
    char text[TALEA_AMOUNT_TEXT_BYTES];
    size_t len = talea_amount_format(value, text);
    sqlite3_result_text(context, text, (int)len, SQLITE_TRANSIENT);
}

void tlx_result_text(sqlite3_context *context, talea_text text) {
    if (text.data) {
        sqlite3_result_text64(context, text.data, text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
        sqlite3_result_null(context);
    }
}

void tlx_result_time(sqlite3_context *context, int64_t micros) {
    char text[TALEA_TIME_TEXT_BYTES];
    size_t len = talea_time_format(micros, text);
    sqlite3_result_text(context, text, (int)len, SQLITE_TRANSIENT);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static const char *type_name(sqlite3_value *value) {
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: return "INTEGER";
    case SQLITE_FLOAT: return "REAL";
    case SQLITE_TEXT: return "TEXT";
    case SQLITE_BLOB: return "BLOB";
    default: return "NULL";
    }
}

/* The value as a message shows it. */
static talea_text rendered(sqlite3_value *value) {
    talea_text text = {(const char *)sqlite3_value_text(value), 0};
    if (!text.data) {
        text.data = "";
    } else {
        text.len = strnlen(text.data, (size_t)sqlite3_value_bytes(value));
    }
    return text;
}

talea_code tlx_value_amount(sqlite3_value *value, const char *column, bool may_be_negative,
                            talea_i128 *out_amount, talea_error *err) {
    talea_i128 amount = 0;
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: amount = sqlite3_value_int64(value); break;
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_value_text(value);
        if (!text) {
            return tlx_error_nomem(err);
        }
        size_t len = (size_t)sqlite3_value_bytes(value);
        if (!talea_amount_parse(text, len, &amount)) {
            talea_text shown = rendered(value);
            return tlx_error_set(err, TALEA_INVALID_AMOUNT,
                                 "%s: '%.*s' is not an integer of minor units within 128 bits",
                                 column, tlx_shown(shown), shown.data);
        }
        break;
    }
    case SQLITE_FLOAT: {
        talea_text shown = rendered(value);
        return tlx_error_set(err, TALEA_INVALID_AMOUNT,
                             "%s: %.*s is REAL; amounts are INTEGER minor units, or TEXT of digits",
                             column, tlx_shown(shown), shown.data);
    }
    default:
        return tlx_error_set(err, TALEA_INVALID_AMOUNT,
                             "%s: %s; amounts are INTEGER minor units, or TEXT of digits", column,
                             type_name(value));
    }
    if (amount < 0 && !may_be_negative) {
        talea_text shown = rendered(value);
        return tlx_error_set(err, TALEA_INVALID_AMOUNT, "%s: %.*s is negative", column,
                             tlx_shown(shown), shown.data);
    }
    *out_amount = amount;
    return TALEA_OK;
}

talea_code tlx_value_text(sqlite3_value *value, const char *column, talea_text *out_text,
                          talea_error *err) {
    switch (sqlite3_value_type(value)) {
    case SQLITE_NULL: *out_text = (talea_text){NULL, 0}; return TALEA_OK;
    case SQLITE_TEXT: break;
    default:
        return tlx_error_set(err, TALEA_INVALID_DRAFT, "%s: must be TEXT, not %s", column,
                             type_name(value));
    }
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text) {
        return tlx_error_nomem(err);
    }
    size_t len = (size_t)sqlite3_value_bytes(value);
    if (memchr(text, '\0', len)) {
        return tlx_error_set(err, TALEA_INVALID_DRAFT, "%s: '%s...' contains a NUL character",
                             column, text);
    }
    *out_text = (talea_text){text, len};
    return TALEA_OK;
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* Asks SQLite's own date functions, which keep milliseconds. false: it does not know the form,
 * either. */
static talea_code ask_sqlite(sqlite3 *db, sqlite3_value *value, bool *out_found,
                             int64_t *out_micros, talea_error *err) {
    sqlite3_stmt *stmt = NULL;
    *out_found = false;
    int rc = sqlite3_prepare_v3(db, "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1)", -1,
                                SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_value(stmt, 1, value);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        size_t len = (size_t)sqlite3_column_bytes(stmt, 0);
        *out_found = text && talea_time_parse(text, len, out_micros);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_NOMEM ? tlx_error_nomem(err) : TALEA_OK;
}

talea_code tlx_value_time(sqlite3 *db, sqlite3_value *value, const char *column,
                          int64_t *out_micros, talea_error *err) {
    int type = sqlite3_value_type(value);
    const char *name = type_name(value); /* reading a BLOB as text turns it into one */
    bool found = false;
    if (type == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(value);
        if (!text) {
            return tlx_error_nomem(err);
        }
        size_t len = (size_t)sqlite3_value_bytes(value);
        found = talea_time_parse(text, len, out_micros);
        if (!found && memchr(text, '\0', len)) {
            type = SQLITE_BLOB; /* SQLite would read up to the NUL */
        }
    }
    if (!found && type != SQLITE_BLOB && type != SQLITE_NULL) {
        talea_code code = ask_sqlite(db, value, &found, out_micros, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    if (!found) {
        talea_text shown = rendered(value);
        return tlx_error_set(err, TALEA_INVALID_DRAFT,
                             "%s: %s '%.*s' is no time that SQLite's date functions know", column,
                             name, tlx_shown(shown), shown.data);
    }
    return TALEA_OK;
}

/* ---- Enumerations ---------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [TALEA_KIND_ASSET] = "asset",   [TALEA_KIND_LIABILITY] = "liability",
    [TALEA_KIND_INCOME] = "income", [TALEA_KIND_EXPENSE] = "expense",
    [TALEA_KIND_EQUITY] = "equity", [TALEA_KIND_CLEARING] = "clearing",
};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

static const char *const side_names[] = {
    [TALEA_SIDE_NONE] = "none",
    [TALEA_SIDE_DEBIT] = "debit",
    [TALEA_SIDE_CREDIT] = "credit",
};
enum { SIDE_COUNT = sizeof side_names / sizeof side_names[0] };

bool tlx_text_is(talea_text text, const char *word) {
    return text.data && strlen(word) == text.len && memcmp(text.data, word, text.len) == 0;
}

const char *tlx_kind_name(talea_kind kind) {
    assert(kind >= TALEA_KIND_ASSET);
    assert((int)kind < KIND_COUNT);
    return kind_names[kind];
}

const char *tlx_side_name(talea_side side) {
    assert((unsigned)side < SIDE_COUNT);
    return side_names[side];
}

bool tlx_kind_parse(talea_text text, talea_kind *out_kind) {
    for (int kind = TALEA_KIND_ASSET; kind < KIND_COUNT; kind++) {
        if (tlx_text_is(text, kind_names[kind])) {
            *out_kind = (talea_kind)kind;
            return true;
        }
    }
    return false;
}

bool tlx_side_parse(talea_text text, talea_side *out_side) {
    for (int side = TALEA_SIDE_NONE; side < SIDE_COUNT; side++) {
        if (tlx_text_is(text, side_names[side])) {
            *out_side = (talea_side)side;
            return true;
        }
    }
    return false;
}
