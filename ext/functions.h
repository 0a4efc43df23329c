/*
 * functions.h: the SQL functions that act on a connection's bindings.
 *
 * Purpose:    talea_open, talea_close, talea_wait, talea_version.
 * Owns:       nothing; each function holds a reference to the connection.
 * Threads:    the connection's own thread.
 * Errors:     SQLite results; the functions' own errors are the contract's.
 */
#ifndef TLX_FUNCTIONS_H
#define TLX_FUNCTIONS_H

#include "connection.h"

int tlx_functions_register(sqlite3 *db, tlx_connection *connection);
/* Takes them off the connection again, when loading fails half-way. */
void tlx_functions_unregister(sqlite3 *db);

#endif
