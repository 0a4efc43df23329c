/*
 * connection.c: the connection object, and the life cycle that all virtual tables share.
 *
 * How: reference counts, because SQLite takes things down in an order of its own: a table can
 * outlive its schema (DETACH moves it to a list that is emptied later), a module its name
 * (registering over it), and a connection in use its sqlite3_close_v2.
 *
 * A prepared statement of ours would make sqlite3_close fail, so they go when the last table is
 * disconnected, which sqlite3_close does before it looks; they come back when they are needed.
 *
 * Tables are neither INNOCUOUS nor DIRECTONLY. Writing from a TEMP trigger on the application's own
 * tables is a legitimate use, and the schema of a foreign database file cannot reach ours anyway:
 * what is stored in `main` resolves names in `main` only. A host that sets trusted_schema=OFF shuts
 * triggers and views out.
 */
#include "binding.h"

#include "error.h"

#include <assert.h>
#include <stdlib.h>

/* ---- The connection -------------------------------------------------------------------------- */

tlx_connection *tlx_connection_new(sqlite3 *db) {
    tlx_connection *connection = sqlite3_malloc(sizeof *connection);
    if (connection) {
        *connection = (tlx_connection){.db = db, .refs = 1};
    }
    return connection;
}

void tlx_connection_ref(tlx_connection *connection) {
    assert(connection->refs > 0);
    connection->refs++;
}

void tlx_connection_unref(void *object) {
    tlx_connection *connection = object;
    if (--connection->refs > 0) {
        return;
    }
    assert(connection->tables == 0);
    while (connection->bindings) {
        tlx_binding_drop(connection->bindings);
    }
    tlx_json_close(&connection->json);
    sqlite3_free(connection);
}

sqlite3 *tlx_table_db(const tlx_table *table) {
    return table->binding->connection->db;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

int tlx_table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, tlx_table_id id,
                      const char *declaration, sqlite3_vtab **out_table, char **out_message) {
    tlx_connection *connection = aux;
    const char *schema = argv[1];
    tlx_binding *binding = tlx_binding_find(connection, schema);
    if (!binding || argc > 3) {
        sqlite3_free(*out_message);
        *out_message = tlx_error_format(
            TALEA_BAD_OPTION,
            "%s cannot be created by hand: SELECT talea_open('DIR', 'SCHEMA') attaches a schema "
            "with the tables of a ledger",
            argv[0]);
        return SQLITE_ERROR;
    }
    int rc = sqlite3_declare_vtab(db, declaration);
    if (rc == SQLITE_OK) {
        rc = sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    tlx_table *table = sqlite3_malloc(sizeof *table);
    if (!table) {
        return SQLITE_NOMEM;
    }
    *table = (tlx_table){.binding = binding, .id = id};
    tlx_connection_ref(connection);
    connection->tables++;
    tlx_binding_count_table(binding, 1);
    *out_table = &table->base;
    return SQLITE_OK;
}

int tlx_table_disconnect(sqlite3_vtab *vtab) {
    tlx_table *table = (tlx_table *)vtab;
    tlx_connection *connection = table->binding->connection;
    if (table->writing && tlx_staged(table->binding)) {
        /* xDestroy: SQLite never disconnects a table inside its SQL transaction. Without the table
         * no xSync would come, and COMMIT would leave the drafts out without a word. */
        return SQLITE_LOCKED;
    }
    tlx_binding_count_table(table->binding, -1);
    free(table->spare_cursor);
    sqlite3_free(table);
    connection->tables--;
    assert(connection->tables >= 0);
    if (connection->tables == 0) {
        tlx_json_close(&connection->json);
    }
    tlx_connection_unref(connection);
    return SQLITE_OK;
}
