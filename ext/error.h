/*
 * error.h: from a talea_error to what SQLite shows: "talea: CODE: words" and the contract's result
 * code.
 *
 * Purpose:    the one place where codes are mapped and messages get their prefix.
 * Owns:       nothing.
 * Threads:    pure, except that the vtab or context belongs to the caller's connection.
 */
#ifndef TLX_ERROR_H
#define TLX_ERROR_H

#include "sqlite_api.h"
#include "talea.h"

int tlx_error_result(talea_code code); /* SQLITE_CONSTRAINT, SQLITE_BUSY, ... */
/* Fills `err` from a format; returns `code`. */
talea_code tlx_error_set(talea_error *err, talea_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
talea_code tlx_error_nomem(talea_error *err);
/* "talea: CODE: words", to be freed with sqlite3_free; NULL when out of memory. */
char *tlx_error_words(talea_code code, const char *words);
char *tlx_error_format(talea_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets the vtab's message (freeing the old one) and returns the SQLite result. */
int tlx_fail(sqlite3_vtab *table, const talea_error *err);
/* Sets the function's error and its code. */
void tlx_fail_function(sqlite3_context *context, const talea_error *err);

/* How many bytes of a caller's text a message shows, for "%.*s": the whole of it, or whole
 * characters up to the bound. */
enum { TLX_SHOWN_BYTES_MAX = 80 };
int tlx_shown(talea_text text);

#endif
