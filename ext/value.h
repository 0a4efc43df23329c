/*
 * value.h: between SQLite's values and the ledger's: amounts, times, names, enumerations.
 *
 * Purpose:    every conversion in one place, refused rather than rounded.
 * Owns:       nothing.
 * Threads:    the connection's own thread.
 * Errors:     a talea_code with the column's name in the words.
 */
#ifndef TLX_VALUE_H
#define TLX_VALUE_H

#include "sqlite_api.h"
#include "talea.h"

/* INTEGER when it fits in 64 bits, else decimal TEXT. */
void tlx_result_amount(sqlite3_context *context, talea_i128 value);
void tlx_result_text(sqlite3_context *context, talea_text text); /* NULL data -> NULL; copied */
void tlx_result_time(sqlite3_context *context, int64_t micros);

/* INTEGER or decimal TEXT; REAL, BLOB, "1e3" are invalid_amount. `value` must not be NULL. */
talea_code tlx_value_amount(sqlite3_value *value, const char *column, bool may_be_negative,
                            talea_i128 *out_amount, talea_error *err);
/* TEXT only (an embedded NUL, or a BLOB, is invalid_draft); SQL NULL gives data NULL. The text
 * lives as long as the value. */
talea_code tlx_value_text(sqlite3_value *value, const char *column, talea_text *out_text,
                          talea_error *err);
/* What SQLite's date functions accept, to microseconds where the text has them. `db` is asked for
 * the forms that talea_time_parse does not know ("now", julian days). NULL is an error here. */
talea_code tlx_value_time(sqlite3 *db, sqlite3_value *value, const char *column,
                          int64_t *out_micros, talea_error *err);

bool tlx_text_is(talea_text text, const char *word); /* exactly; false for "not given" */

const char *tlx_kind_name(talea_kind kind);
const char *tlx_side_name(talea_side side);
bool tlx_kind_parse(talea_text text, talea_kind *out_kind);
bool tlx_side_parse(talea_text text, talea_side *out_side);

#endif
