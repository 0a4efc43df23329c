/*
 * error.c: how a talea_error becomes a SQLite error.
 *
 * How: a primary result code only, never an extended one: SQLite compares the primary code when it
 * decides about OR IGNORE and about a COMMIT that may be tried again.
 */
#include "error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const int results[] = {
    [TALEA_OK] = SQLITE_OK,
    [TALEA_INVALID_DRAFT] = SQLITE_CONSTRAINT,
    [TALEA_INVALID_AMOUNT] = SQLITE_CONSTRAINT,
    [TALEA_INVALID_BOOK] = SQLITE_CONSTRAINT,
    [TALEA_UNBALANCED] = SQLITE_CONSTRAINT,
    [TALEA_UNKNOWN_ASSET] = SQLITE_CONSTRAINT,
    [TALEA_UNKNOWN_ACCOUNT] = SQLITE_CONSTRAINT,
    [TALEA_ASSET_MISMATCH] = SQLITE_CONSTRAINT,
    [TALEA_ALREADY_EXISTS] = SQLITE_CONSTRAINT,
    [TALEA_CONSTRAINT_VIOLATION] = SQLITE_CONSTRAINT,
    [TALEA_IDEMPOTENCY_CONFLICT] = SQLITE_CONSTRAINT,
    [TALEA_MIXED_BOOKS] = SQLITE_CONSTRAINT,
    [TALEA_APPEND_ONLY] = SQLITE_CONSTRAINT,
    [TALEA_TOO_LARGE] = SQLITE_CONSTRAINT,
    [TALEA_OVERLOADED] = SQLITE_BUSY,
    [TALEA_LOCKED] = SQLITE_BUSY,
    [TALEA_READ_ONLY] = SQLITE_READONLY,
    [TALEA_NO_LEDGER] = SQLITE_ERROR,
    [TALEA_BAD_OPTION] = SQLITE_ERROR,
    [TALEA_FULL] = SQLITE_FULL,
    [TALEA_IO] = SQLITE_IOERR,
    [TALEA_CORRUPT] = SQLITE_CORRUPT,
    [TALEA_NOMEM] = SQLITE_NOMEM,
};

static_assert(sizeof results / sizeof results[0] == TALEA_CODE_COUNT, "every code has a result");

int tlx_error_result(talea_code code) {
    return (unsigned)code < TALEA_CODE_COUNT ? results[code] : SQLITE_ERROR;
}

/* Words end up as SQL text: what does not fit is cut between characters. */
static size_t cut(const char *text, size_t len) {
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

static void fill(talea_error *err, talea_code code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void fill(talea_error *err, talea_code code, const char *format, va_list args) {
    char words[TALEA_MESSAGE_BYTES + 1]; /* one more, so that the first byte cut off can be seen */
    int len = vsnprintf(words, sizeof words, format, args);
    size_t kept = len < 0 ? 0 : (size_t)len;
    if (kept >= sizeof err->message) {
        kept = cut(words, sizeof err->message - 1);
    }
    memcpy(err->message, words, kept);
    err->message[kept] = '\0';
    err->code = code;
    err->os_errno = 0;
}

talea_code tlx_error_set(talea_error *err, talea_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    return code;
}

char *tlx_error_format(talea_code code, const char *format, ...) {
    talea_error err;
    va_list args;
    va_start(args, format);
    fill(&err, code, format, args);
    va_end(args);
    return tlx_error_words(code, err.message);
}

talea_code tlx_error_nomem(talea_error *err) {
    return tlx_error_set(err, TALEA_NOMEM, "out of memory");
}

int tlx_shown(talea_text text) {
    return (int)(text.len <= TLX_SHOWN_BYTES_MAX ? text.len : cut(text.data, TLX_SHOWN_BYTES_MAX));
}

char *tlx_error_words(talea_code code, const char *words) {
    return sqlite3_mprintf("talea: %s: %s", talea_code_name(code), words);
}

int tlx_fail(sqlite3_vtab *table, const talea_error *err) {
    assert(err->code != TALEA_OK);
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = tlx_error_words(err->code, err->message);
    return tlx_error_result(err->code);
}

void tlx_fail_function(sqlite3_context *context, const talea_error *err) {
    assert(err->code != TALEA_OK);
    char *words = tlx_error_words(err->code, err->message);
    if (!words || err->code == TALEA_NOMEM) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_error(context, words, -1);
        sqlite3_result_error_code(context, tlx_error_result(err->code));
    }
    sqlite3_free(words);
}
