/*
 * json.h: JSON that is inserted: the postings of an event, and documents that are kept as they are.
 *
 * Purpose:    turns JSON into legs, and into canonical text, with SQLite's own parser.
 * Owns:       two prepared statements, and memory that is used again for every row.
 * Threads:    the connection's own thread.
 * Errors:     invalid_draft and invalid_amount, with the index of the posting; nomem.
 */
#ifndef TLX_JSON_H
#define TLX_JSON_H

#include "sqlite_api.h"
#include "talea.h"

/* All zero is a good start. */
typedef struct tlx_json {
    sqlite3_stmt *walk;
    sqlite3_stmt *minify;
    talea_leg *legs;
    size_t leg_cap;
    char *text; /* the strings that legs point into */
    size_t text_cap;
} tlx_json;

void tlx_json_close(tlx_json *json); /* can be used again */

/* An array of {"account","debit"|"credit"[,"asset"]} or
 * {"account","amount":{"minor"[,"asset"]},"direction":"debit"|"credit"}. A member that is null
 * counts as absent. The legs are valid until the next call. */
talea_code tlx_json_legs(tlx_json *json, sqlite3 *db, talea_text postings,
                         const talea_leg **out_legs, size_t *out_count, talea_error *err);

/* Makes the draft's external_refs and metadata canonical: any JSON, without blanks. The texts are
 * valid until tlx_json_release, which has to be called when this succeeded. */
talea_code tlx_json_minify(tlx_json *json, sqlite3 *db, talea_draft *draft, talea_error *err);
void tlx_json_release(tlx_json *json);

#endif
