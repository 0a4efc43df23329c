/*
 * column_text.h: text that columns of several tables show.
 *
 * Purpose:    times, transaction ids, kinds of events, refusals.
 * Owns:       nothing; a cache belongs to its cursor.
 * Threads:    the connection's own thread.
 */
#ifndef TLX_COLUMN_TEXT_H
#define TLX_COLUMN_TEXT_H

#include "sqlite_api.h"
#include "talea.h"

/* The last time shown; zeroed is empty. */
typedef struct tlx_time_text {
    bool filled;
    int64_t micros;
    char text[TALEA_TIME_TEXT_BYTES];
} tlx_time_text;

/* Sets the time as the result. Most events share the second of the one before: then only the
 * fraction is rendered. */
void tlx_result_cached_time(sqlite3_context *context, tlx_time_text *cache, int64_t micros);
void tlx_result_txid(sqlite3_context *context, const uint8_t txid[16]);
/* The contract's word for a kind of event. */
void tlx_result_event_kind(sqlite3_context *context, talea_event_kind kind);
/* "talea: CODE: words", as an error would read. */
void tlx_result_error_text(sqlite3_context *context, talea_code code, const char *words);

#endif
