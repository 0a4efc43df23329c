/*
 * schema.h: the schemas of the connection that hold our tables.
 *
 * Purpose:    attaches a private in-memory schema and creates the ten tables in it; detaches it.
 * Owns:       nothing.
 * Threads:    the connection's own thread.
 * Errors:     SQLite results, with a complete message ("talea: CODE: words") for sqlite3_free.
 */
#ifndef TLX_SCHEMA_H
#define TLX_SCHEMA_H

#include "sqlite_api.h"

#include <stdbool.h>

/* Makes sure that `schema` is attached and has all tables, for which the modules must be registered
 * and the binding be there. When it fails, a schema that was not attached before is not attached
 * after. */
int tlx_schema_ensure(sqlite3 *db, const char *schema, char **out_message);

/* Whether a schema of this name is attached, ours or not. */
bool tlx_schema_exists(sqlite3 *db, const char *schema);

/* Detaches `schema` if it is what a load that failed inside a statement had to leave behind; true
 * when nothing of that name is attached any more. */
bool tlx_schema_clear(sqlite3 *db, const char *schema);

/* DETACH, when SQLite lets us; whether it did. */
bool tlx_schema_detach(sqlite3 *db, const char *schema);
/* Whether a schema that is not the last one may be detached: that moves the schemas behind it, under
 * the feet of any statement that is running but our own. */
bool tlx_schema_may_detach(sqlite3 *db);

#endif
