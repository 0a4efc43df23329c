/*
 * insert.h: INSERT into each writable table: checks the shape of the row, stages it in the
 * connection's unit.
 *
 * Purpose:    xUpdate of assets, accounts, transfers, postings, events.
 * Owns:       nothing; stages into the binding's unit.
 * Threads:    the connection's own thread.
 * Errors:     UPDATE, DELETE and REPLACE are `append_only`; the rest by the contract's codes.
 */
#ifndef TLX_INSERT_H
#define TLX_INSERT_H

#include "connection.h"

int tlx_insert_asset(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
int tlx_insert_account(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
int tlx_insert_transfer(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
int tlx_insert_posting(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
int tlx_insert_event(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
/* For the tables that take no INSERT: append_only with words that say so. */
int tlx_insert_refused(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);

#endif
