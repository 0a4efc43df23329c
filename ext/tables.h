/*
 * tables.h: the ten virtual tables and how they are registered.
 *
 * Purpose:    one sqlite3_module a table, from one file a table; what is common is TLX_MODULE.
 * Owns:       nothing: the modules are constants.
 * Threads:    registered and used from the connection's own thread.
 * Errors:     SQLite results.
 */
#ifndef TLX_TABLES_H
#define TLX_TABLES_H

#include "connection.h"

/* "assets", ... in the order of tlx_table_id; the module of each is called "talea_" and the name.
 */
extern const char *const tlx_table_names[TLX_TABLE_COUNT];

/* Registers the modules; each holds a reference to `connection`, its aux. */
int tlx_modules_register(sqlite3 *db, tlx_connection *connection);
void tlx_modules_unregister(sqlite3 *db);

/* xCreate and xConnect of every module: two functions, because SQLite makes a table of a module
 * whose two are one eponymous, and those live in main (where writers exclude each other). */
int tlx_table_create(sqlite3 *db, void *aux, int argc, const char *const *argv,
                     sqlite3_vtab **out_table, char **out_message);
int tlx_table_attach(sqlite3 *db, void *aux, int argc, const char *const *argv,
                     sqlite3_vtab **out_table, char **out_message);

/* A module from its own functions; the rest is the same for all. No xRename: the names are the
 * contract. */
#define TLX_MODULE(best_index_, open_, close_, filter_, next_, column_, rowid_, update_)           \
    {                                                                                              \
        .iVersion = 2, .xCreate = tlx_table_create, .xConnect = tlx_table_attach,                  \
        .xBestIndex = (best_index_), .xDisconnect = tlx_table_disconnect,                          \
        .xDestroy = tlx_table_disconnect, .xOpen = (open_), .xClose = (close_),                    \
        .xFilter = (filter_), .xNext = (next_), .xEof = tlx_cursor_eof, .xColumn = (column_),      \
        .xRowid = (rowid_), .xUpdate = (update_), .xBegin = tlx_begin, .xSync = tlx_sync,          \
        .xCommit = tlx_commit, .xRollback = tlx_rollback, .xSavepoint = tlx_savepoint,             \
        .xRelease = tlx_release, .xRollbackTo = tlx_rollback_to                                    \
    }

extern const sqlite3_module tlx_module_assets;
extern const sqlite3_module tlx_module_accounts;
extern const sqlite3_module tlx_module_transfers;
extern const sqlite3_module tlx_module_postings;
extern const sqlite3_module tlx_module_events;
extern const sqlite3_module tlx_module_balances;
extern const sqlite3_module tlx_module_trial_balance;
extern const sqlite3_module tlx_module_books;
extern const sqlite3_module tlx_module_results;
extern const sqlite3_module tlx_module_verify;

#endif
