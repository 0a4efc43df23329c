/*
 * connection.h: what the extension keeps for one SQLite connection, and for each schema of it that
 * is bound to a ledger.
 *
 * Purpose:    bindings (schema -> ledger), the connection's one open unit, the instants that its
 *             statements read.
 * Owns:       every talea_ledger handle, talea_unit and talea_view that SQL reaches.
 * Threads:    called only from the thread that is inside the SQLite connection; no locks here.
 * Errors:     SQLite result codes; the words go to the vtab (error.h).
 * Durability: a binding's unit is handed to the writer in xSync, once, whichever table's xSync
 *             comes first.
 */
#ifndef TLX_CONNECTION_H
#define TLX_CONNECTION_H

#include "sqlite_api.h"
#include "talea.h"

typedef struct tlx_connection tlx_connection;
typedef struct tlx_binding tlx_binding;

typedef enum tlx_table_id {
    TLX_ASSETS,
    TLX_ACCOUNTS,
    TLX_TRANSFERS,
    TLX_POSTINGS,
    TLX_EVENTS,
    TLX_BALANCES,
    TLX_TRIAL_BALANCE,
    TLX_BOOKS,
    TLX_RESULTS,
    TLX_VERIFY,
    TLX_TABLE_COUNT
} tlx_table_id;

/* Every virtual table object of ours begins like this. */
typedef struct tlx_table {
    sqlite3_vtab base;
    tlx_binding *binding;
    tlx_table_id id;
    void *spare_cursor; /* memory of the last cursor that was closed, for the next (scan.c) */
    bool writing;       /* takes part in the SQL transaction that is open (transaction.c) */
} tlx_table;

/* The connection lives as long as anything that refers to it: each module, function and table holds
 * one reference. A module is registered with tlx_connection_ref before and tlx_connection_unref as
 * its destructor (which SQLite calls also when the registration fails). */
void tlx_connection_ref(tlx_connection *connection);
void tlx_connection_unref(void *object);

sqlite3 *tlx_table_db(const tlx_table *table);

/* ---- Virtual table life cycle, the same for every table -------------------------------------- */

/* The body of xCreate and xConnect: declares `declaration` ("CREATE TABLE x(...)"), binds the table
 * to the schema argv[1]. `aux` is the tlx_connection. */
int tlx_table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, tlx_table_id id,
                      const char *declaration, sqlite3_vtab **out_table, char **out_message);
/* xDisconnect and xDestroy: never touches the ledger's files. SQLITE_LOCKED for a table that holds
 * staged drafts (a DROP TABLE in the middle of a SQL transaction). */
int tlx_table_disconnect(sqlite3_vtab *vtab);

/* The transaction methods of every writable module (idempotent per connection, see transaction.c).
 */
int tlx_begin(sqlite3_vtab *vtab);
int tlx_sync(sqlite3_vtab *vtab);
int tlx_commit(sqlite3_vtab *vtab);
int tlx_rollback(sqlite3_vtab *vtab);
int tlx_savepoint(sqlite3_vtab *vtab, int n);
int tlx_release(sqlite3_vtab *vtab, int n);
int tlx_rollback_to(sqlite3_vtab *vtab, int n);

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct tlx_pin tlx_pin;

/* Pins (or joins) the instant of the statement that is opening a cursor now. *out_pin is NULL, and
 * the result SQLITE_OK, when there is no ledger directory yet: the tables are empty then. Fails
 * with no_ledger, io, ... on `table`. */
int tlx_pin_acquire(tlx_table *table, tlx_pin **out_pin);
void tlx_pin_release(tlx_pin *pin); /* NULL is fine */
talea_view *tlx_pin_view(tlx_pin *pin);
/* The ledger behind a pin (for talea_stats and talea_verify). */
talea_ledger *tlx_pin_ledger(tlx_pin *pin);

/* The outcomes of the connection's last SQL transaction on this binding; index 0..count-1. A text
 * of an outcome is valid until the next SQL transaction on the binding ends. An index past the end,
 * which that may have moved, reads as a rejected draft without texts. */
size_t tlx_result_count(const tlx_binding *binding);
void tlx_result(const tlx_binding *binding, size_t index, talea_outcome *out_outcome);

#endif
