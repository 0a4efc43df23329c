/*
 * sqlite_api.h: the one door to SQLite: sqlite3ext.h when loadable, sqlite3.h when linked in
 * statically.
 *
 * Purpose:    keeps the choice out of every other file.
 * Owns:       nothing.
 * Threads:    -
 */
#ifndef TLX_SQLITE_API_H
#define TLX_SQLITE_API_H

#ifdef TALEA_STATIC
#include <sqlite3.h>
#else
#include <sqlite3ext.h>
extern const sqlite3_api_routines *sqlite3_api;
#endif

#endif
