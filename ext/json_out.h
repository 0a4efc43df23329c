/*
 * json_out.h: writes JSON text into a buffer that is used again and again.
 *
 * Purpose:    the postings and definition columns of events.
 * Owns:       the buffer.
 * Threads:    one writer, one thread.
 * Errors:     memory that runs out is remembered in `failed`; every call after it does nothing.
 */
#ifndef TLX_JSON_OUT_H
#define TLX_JSON_OUT_H

#include "talea.h"

typedef struct tlx_json {
    char *data; /* not NUL-terminated */
    size_t len;
    size_t capacity;
    bool failed;
} tlx_json;

void tlx_json_start(tlx_json *json); /* empties it, keeps the memory; a zeroed one is fine */
void tlx_json_free(tlx_json *json);

/* Text as it is: brackets, commas, keys ("\"debit\":"). NUL-terminated. */
void tlx_json_raw(tlx_json *json, const char *text);
/* A quoted string; `null` when the data is NULL. */
void tlx_json_string(tlx_json *json, talea_text text);
/* An integer of any size, without quotes. */
void tlx_json_amount(tlx_json *json, talea_i128 value);

#endif
