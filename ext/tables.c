/*
 * tables.c: names, declarations and modules, side by side.
 */
#include "tables.h"

#include "columns.h"

#include <string.h>

const char *const tlx_table_names[TLX_TABLE_COUNT] = {
    [TLX_ASSETS] = "assets",
    [TLX_ACCOUNTS] = "accounts",
    [TLX_TRANSFERS] = "transfers",
    [TLX_POSTINGS] = "postings",
    [TLX_EVENTS] = "events",
    [TLX_BALANCES] = "balances",
    [TLX_TRIAL_BALANCE] = "trial_balance",
    [TLX_BOOKS] = "books",
    [TLX_RESULTS] = "results",
    [TLX_VERIFY] = "verify",
};

static const char *const declarations[TLX_TABLE_COUNT] = {
    [TLX_ASSETS] = TLX_ASSETS_SQL,
    [TLX_ACCOUNTS] = TLX_ACCOUNTS_SQL,
    [TLX_TRANSFERS] = TLX_TRANSFERS_SQL,
    [TLX_POSTINGS] = TLX_POSTINGS_SQL,
    [TLX_EVENTS] = TLX_EVENTS_SQL,
    [TLX_BALANCES] = TLX_BALANCES_SQL,
    [TLX_TRIAL_BALANCE] = TLX_TRIAL_BALANCE_SQL,
    [TLX_BOOKS] = TLX_BOOKS_SQL,
    [TLX_RESULTS] = TLX_RESULTS_SQL,
    [TLX_VERIFY] = TLX_VERIFY_SQL,
};

static const sqlite3_module *const modules[TLX_TABLE_COUNT] = {
    [TLX_ASSETS] = &tlx_module_assets,
    [TLX_ACCOUNTS] = &tlx_module_accounts,
    [TLX_TRANSFERS] = &tlx_module_transfers,
    [TLX_POSTINGS] = &tlx_module_postings,
    [TLX_EVENTS] = &tlx_module_events,
    [TLX_BALANCES] = &tlx_module_balances,
    [TLX_TRIAL_BALANCE] = &tlx_module_trial_balance,
    [TLX_BOOKS] = &tlx_module_books,
    [TLX_RESULTS] = &tlx_module_results,
    [TLX_VERIFY] = &tlx_module_verify,
};

static const char prefix[] = "talea_";
enum { PREFIX_LEN = sizeof prefix - 1, MODULE_NAME_BYTES = 32 };

/* argv[0] is the module's name, in the case that CREATE VIRTUAL TABLE used. */
static int connect_by_name(sqlite3 *db, void *aux, int argc, const char *const *argv,
                           sqlite3_vtab **out_table, char **out_message) {
    const char *name = strlen(argv[0]) > PREFIX_LEN ? argv[0] + PREFIX_LEN : "";
    for (int id = 0; id < TLX_TABLE_COUNT; id++) {
        if (sqlite3_stricmp(name, tlx_table_names[id]) == 0) {
            return tlx_table_connect(db, aux, argc, argv, (tlx_table_id)id, declarations[id],
                                     out_table, out_message);
        }
    }
    return SQLITE_INTERNAL;
}

int tlx_table_create(sqlite3 *db, void *aux, int argc, const char *const *argv,
                     sqlite3_vtab **out_table, char **out_message) {
    return connect_by_name(db, aux, argc, argv, out_table, out_message);
}

/* The same, and on purpose not the same function: see tables.h. */
int tlx_table_attach(sqlite3 *db, void *aux, int argc, const char *const *argv,
                     sqlite3_vtab **out_table, char **out_message) {
    return connect_by_name(db, aux, argc, argv, out_table, out_message);
}

/* Without a connection the module goes. */
static int set_module(sqlite3 *db, int id, tlx_connection *connection) {
    char name[MODULE_NAME_BYTES];
    sqlite3_snprintf(sizeof name, name, "%s%s", prefix, tlx_table_names[id]);
    if (!connection) {
        return sqlite3_create_module_v2(db, name, NULL, NULL, NULL);
    }
    tlx_connection_ref(connection);
    return sqlite3_create_module_v2(db, name, modules[id], connection, tlx_connection_unref);
}

int tlx_modules_register(sqlite3 *db, tlx_connection *connection) {
    int rc = SQLITE_OK;
    for (int id = 0; id < TLX_TABLE_COUNT && rc == SQLITE_OK; id++) {
        rc = set_module(db, id, connection);
    }
    return rc;
}

void tlx_modules_unregister(sqlite3 *db) {
    for (int id = 0; id < TLX_TABLE_COUNT; id++) {
        (void)set_module(db, id, NULL);
    }
}
