/*
 * error.c: filling a talea_error, and the names of the codes.
 *
 * How: the words are put together in a local buffer first, so that a caller may pass the old message
 * of the same error as an argument ("while opening: %s"), and are cut between UTF-8 characters,
 * because they end up as SQL text.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* settles which strerror_r glibc gives us */
#endif

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
    [TALEA_OK] = "ok",
    [TALEA_INVALID_DRAFT] = "invalid_draft",
    [TALEA_INVALID_AMOUNT] = "invalid_amount",
    [TALEA_INVALID_BOOK] = "invalid_book",
    [TALEA_UNBALANCED] = "unbalanced",
    [TALEA_UNKNOWN_ASSET] = "unknown_asset",
    [TALEA_UNKNOWN_ACCOUNT] = "unknown_account",
    [TALEA_ASSET_MISMATCH] = "asset_mismatch",
    [TALEA_ALREADY_EXISTS] = "already_exists",
    [TALEA_CONSTRAINT_VIOLATION] = "constraint_violation",
    [TALEA_IDEMPOTENCY_CONFLICT] = "idempotency_conflict",
    [TALEA_MIXED_BOOKS] = "mixed_books",
    [TALEA_APPEND_ONLY] = "append_only",
    [TALEA_TOO_LARGE] = "too_large",
    [TALEA_OVERLOADED] = "overloaded",
    [TALEA_LOCKED] = "locked",
    [TALEA_READ_ONLY] = "read_only",
    [TALEA_NO_LEDGER] = "no_ledger",
    [TALEA_BAD_OPTION] = "bad_option",
    [TALEA_FULL] = "full",
    [TALEA_IO] = "io",
    [TALEA_CORRUPT] = "corrupt",
    [TALEA_NOMEM] = "nomem",
};

static_assert(sizeof code_names / sizeof code_names[0] == TALEA_CODE_COUNT,
              "every code has a name");

const char *talea_code_name(talea_code code) {
    return (unsigned)code < TALEA_CODE_COUNT ? code_names[code] : "unknown";
}

/* One byte more than a message has room for, so that the first byte cut off can be looked at. */
typedef struct words {
    char text[TALEA_MESSAGE_BYTES + 1];
    size_t len;
} words;

static void words_format(words *w, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void words_format(words *w, const char *format, va_list args) {
    int n = vsnprintf(w->text, sizeof w->text, format, args);
    w->len = n < 0 ? 0 : (size_t)n < sizeof w->text ? (size_t)n : sizeof w->text - 1;
}

/* Keeps at most bytes_max bytes, and no half character. */
static void words_cut(words *w, size_t bytes_max) {
    if (w->len <= bytes_max) {
        return;
    }
    w->len = bytes_max;
    while (w->len > 0 && ((unsigned char)w->text[w->len] & 0xC0) == 0x80) {
        w->len--;
    }
}

static void fill(talea_error *err, talea_code code, int os_errno, words *w, const char *suffix) {
    size_t suffix_len = strlen(suffix);
    assert(suffix_len < TALEA_MESSAGE_BYTES);
    words_cut(w, TALEA_MESSAGE_BYTES - 1 - suffix_len);
    err->code = code;
    err->os_errno = os_errno;
    memcpy(err->message, w->text, w->len);
    memcpy(err->message + w->len, suffix, suffix_len + 1);
}

talea_code tl_error(talea_error *err, talea_code code, const char *format, ...) {
    assert(err);
    words w;
    va_list args;
    va_start(args, format);
    words_format(&w, format, args);
    va_end(args);
    fill(err, code, 0, &w, "");
    return code;
}

static talea_code code_of_errno(int os_errno) {
    switch (os_errno) {
    case ENOSPC:
#ifdef EDQUOT
    case EDQUOT:
#endif
    case EFBIG:
    case EMFILE:
    case ENFILE: return TALEA_FULL; /* something has run out, and may be there again later */
    case ENOMEM: return TALEA_NOMEM;
    default: return TALEA_IO;
    }
}

talea_code tl_error_os(talea_error *err, int os_errno, const char *format, ...) {
    assert(err);
    words w;
    va_list args;
    va_start(args, format);
    words_format(&w, format, args);
    va_end(args);

    char buffer[128] = "";
#ifdef __GLIBC__
    const char *reason = strerror_r(os_errno, buffer, sizeof buffer);
#else
    const char *reason =
        strerror_r(os_errno, buffer, sizeof buffer) == 0 ? buffer : "unknown error";
#endif
    char suffix[160];
    snprintf(suffix, sizeof suffix, ": %.128s (errno %d)", reason, os_errno);

    talea_code code = code_of_errno(os_errno);
    fill(err, code, os_errno, &w, suffix);
    return code;
}

talea_code tl_error_nomem(talea_error *err) {
    return tl_error(err, TALEA_NOMEM, "out of memory");
}
