/*
 * schema.c: attaching a schema and creating its tables.
 *
 * How: plain SQL. All tables are created under one savepoint, so that it is one SQL transaction and
 * not ten.
 *
 * Not inside a SQL transaction: ATTACH cannot be rolled back but CREATE can, so a ROLLBACK would
 * leave a schema without tables. Worse, a table takes part in the transaction that it is created in
 * without xBegin, and a ROLLBACK TO takes the table but does not tell us: drafts would be posted
 * that were rolled back.
 */
#include "schema.h"

#include "error.h"
#include "tables.h"

#include <assert.h>

/* ---- What is there --------------------------------------------------------------------------- */

bool tlx_schema_exists(sqlite3 *db, const char *schema) {
    return sqlite3_stricmp(schema, "temp") == 0 || sqlite3_db_filename(db, schema) != NULL;
}

static bool has_all_tables(sqlite3 *db, const char *schema) {
    for (int id = 0; id < TLX_TABLE_COUNT; id++) {
        if (sqlite3_table_column_metadata(db, schema, tlx_table_names[id], NULL, NULL, NULL, NULL,
                                          NULL, NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

/* ---- Making it ------------------------------------------------------------------------------- */

static talea_code code_of(int rc) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return TALEA_LOCKED;
    case SQLITE_READONLY: return TALEA_READ_ONLY;
    case SQLITE_NOMEM: return TALEA_NOMEM;
    default: return TALEA_BAD_OPTION;
    }
}

/* Runs a statement made by sqlite3_mprintf, and frees it. */
static int run(sqlite3 *db, char *sql, char **out_message) {
    if (!sql) {
        return SQLITE_NOMEM;
    }
    char *words = NULL;
    int rc = sqlite3_exec(db, sql, NULL, NULL, &words);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) {
        *out_message = tlx_error_format(code_of(rc), "%s", words ? words : sqlite3_errstr(rc));
    }
    sqlite3_free(words);
    return rc;
}

static char *create_sql(const char *schema) {
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "SAVEPOINT talea_schema;");
    for (int id = 0; id < TLX_TABLE_COUNT; id++) {
        sqlite3_str_appendf(sql, "CREATE VIRTUAL TABLE IF NOT EXISTS \"%w\".%s USING talea_%s;",
                            schema, tlx_table_names[id], tlx_table_names[id]);
    }
    sqlite3_str_appendall(sql, "RELEASE talea_schema;");
    return sqlite3_str_finish(sql);
}

static int create_tables(sqlite3 *db, const char *schema, char **out_message) {
    int rc = run(db, create_sql(schema), out_message);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "ROLLBACK TO talea_schema; RELEASE talea_schema", NULL, NULL, NULL);
    }
    return rc;
}

/* A connection that was opened read-only attaches ":memory:" read-only, too; a URI lets it say
 * otherwise. Not always a URI: where they are switched off, it would name a file. */
static int attach(sqlite3 *db, const char *schema, char **out_message) {
    int rc = run(db, sqlite3_mprintf("ATTACH ':memory:' AS \"%w\"", schema), out_message);
    if (rc == SQLITE_OK && sqlite3_db_readonly(db, schema) == 1 && tlx_schema_detach(db, schema)) {
        rc = run(db, sqlite3_mprintf("ATTACH 'file:talea?mode=memory' AS \"%w\"", schema),
                 out_message);
    }
    return rc;
}

int tlx_schema_ensure(sqlite3 *db, const char *schema, bool *out_attached, char **out_message) {
    *out_attached = false;
    const char *file = sqlite3_db_filename(db, schema);
    if (file && *file) {
        *out_message = tlx_error_format(TALEA_BAD_OPTION,
                                        "schema %s is an attached database, not ours", schema);
        return SQLITE_ERROR;
    }
    if (file && has_all_tables(db, schema)) {
        return SQLITE_OK;
    }
    if (!sqlite3_get_autocommit(db)) {
        *out_message = tlx_error_format(
            TALEA_BAD_OPTION,
            "schema %s cannot be attached inside a SQL transaction; COMMIT or ROLLBACK first",
            schema);
        return SQLITE_ERROR;
    }
    int rc = SQLITE_OK;
    if (!file) {
        rc = attach(db, schema, out_message);
        *out_attached = rc == SQLITE_OK;
    }
    if (rc == SQLITE_OK) {
        rc = create_tables(db, schema, out_message);
    }
    if (rc != SQLITE_OK && *out_attached) {
        (void)tlx_schema_detach(db, schema);
        *out_attached = false;
    }
    return rc;
}

/* ---- Unmaking it ----------------------------------------------------------------------------- */

bool tlx_schema_detach(sqlite3 *db, const char *schema) {
    char *sql = sqlite3_mprintf("DETACH \"%w\"", schema);
    int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return rc == SQLITE_OK;
}
