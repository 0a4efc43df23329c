/*
 * error.h: filling a talea_error.
 *
 * Purpose:    one way to say what went wrong, without allocation.
 * Owns:       nothing; the caller owns the error.
 * Threads:    pure.
 */
#ifndef TL_BASE_ERROR_H
#define TL_BASE_ERROR_H

#include "talea.h"

/* Fills `err` and returns `code`. Over-long messages are cut at TALEA_MESSAGE_BYTES. */
talea_code tl_error(talea_error *err, talea_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As tl_error, for a failed system call: ENOSPC and EDQUOT become TALEA_FULL, ENOMEM TALEA_NOMEM,
 * everything else TALEA_IO;
 * ": strerror (errno N)" is appended to the words. */
talea_code tl_error_os(talea_error *err, int os_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Is it a verdict on the caller's draft, rather than a trouble of the ledger's? Nothing was written
 * then. */
static inline bool tl_is_refusal(talea_code code) {
    return code > TALEA_OK && code < TALEA_OVERLOADED;
}

talea_code tl_error_nomem(talea_error *err);

#endif
