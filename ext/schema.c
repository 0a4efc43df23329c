/*
 * schema.c: attaching a schema and creating its tables.
 *
 * How: plain SQL where that does, a SQL transaction a table. Not one for all: when memory runs out
 * inside a statement, as it may in SELECT load_extension(...), SQLite runs nothing more before that
 * statement has ended, and our transaction would stay open under the host's feet.
 *
 * It does not do inside a SQL transaction: a ROLLBACK takes away what CREATE made, and leaves what
 * ATTACH made, a schema without tables. Worse, a table takes part in the transaction that it is
 * created in without xBegin, and a ROLLBACK TO takes the table without a word to us: drafts would
 * be posted that were rolled back. And it does not do on a connection that was opened read-only,
 * which attaches ":memory:" read-only, too. In both cases the schema is loaded as an image that has
 * the tables in it already (schema_image.c). Not always: images are newer, and can be compiled out.
 */
#include "schema.h"

#include "error.h"
#include "schema_image.h"
#include "tables.h"

#include <string.h>

/* What SQLite calls the file of an image. */
#define IMAGE_FILE "x"

/* ---- What is there --------------------------------------------------------------------------- */

bool tlx_schema_exists(sqlite3 *db, const char *schema) {
    return sqlite3_stricmp(schema, "temp") == 0 || sqlite3_db_filename(db, schema) != NULL;
}

static bool is_in_memory(const char *file) {
    return *file == '\0' || strcmp(file, IMAGE_FILE) == 0;
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
    for (int id = 0; id < TLX_TABLE_COUNT; id++) {
        sqlite3_str_appendf(sql, "CREATE VIRTUAL TABLE IF NOT EXISTS \"%w\".%s USING talea_%s;",
                            schema, tlx_table_names[id], tlx_table_names[id]);
    }
    return sqlite3_str_finish(sql);
}

static int create_tables(sqlite3 *db, const char *schema, char **out_message) {
    return run(db, create_sql(schema), out_message);
}

static bool find_encoding(sqlite3 *db, tlx_encoding *out_encoding) {
    sqlite3_stmt *stmt = NULL;
    bool found = false;
    if (sqlite3_prepare_v2(db, "PRAGMA main.encoding", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        found = name != NULL;
        *out_encoding = !name || sqlite3_stricmp(name, "UTF-8") == 0 ? TLX_UTF8
                        : sqlite3_stricmp(name, "UTF-16be") == 0     ? TLX_UTF16BE
                                                                     : TLX_UTF16LE;
    }
    sqlite3_finalize(stmt);
    return found;
}

static bool can_load_images(void) {
#ifdef TALEA_STATIC
    return true;
#else
    return sqlite3_api->deserialize != NULL;
#endif
}

/* Replaces the empty schema by one that comes with its tables. */
static int load_image(sqlite3 *db, const char *schema, char **out_message) {
    if (!can_load_images()) {
        *out_message = tlx_error_format(
            TALEA_BAD_OPTION,
            "schema %s cannot be attached inside a SQL transaction, nor read-only", schema);
        return SQLITE_ERROR;
    }
    tlx_encoding encoding = TLX_UTF8;
    unsigned char *image = find_encoding(db, &encoding) ? tlx_schema_image(encoding) : NULL;
    if (!image) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_deserialize(db, schema, image, TLX_IMAGE_BYTES, TLX_IMAGE_BYTES,
                                 SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
    if (rc != SQLITE_OK) {
        *out_message =
            tlx_error_format(TALEA_BAD_OPTION, "schema %s: %s", schema, sqlite3_errstr(rc));
    }
    return rc;
}

static int attach(sqlite3 *db, const char *schema, char **out_message) {
    int rc = run(db, sqlite3_mprintf("ATTACH ':memory:' AS \"%w\"", schema), out_message);
    if (rc != SQLITE_OK) {
        return rc;
    }
    bool plain = sqlite3_get_autocommit(db) && sqlite3_db_readonly(db, schema) == 0;
    rc = plain ? create_tables(db, schema, out_message) : load_image(db, schema, out_message);
    if (rc != SQLITE_OK) {
        (void)tlx_schema_detach(db, schema);
    }
    return rc;
}

int tlx_schema_ensure(sqlite3 *db, const char *schema, char **out_message) {
    const char *file = sqlite3_db_filename(db, schema);
    if (!file) {
        return attach(db, schema, out_message);
    }
    if (has_all_tables(db, schema)) {
        return SQLITE_OK;
    }
    if (!is_in_memory(file)) {
        *out_message = tlx_error_format(TALEA_BAD_OPTION,
                                        "schema %s is an attached database, not ours", schema);
        return SQLITE_ERROR;
    }
    if (!sqlite3_get_autocommit(db)) {
        *out_message = tlx_error_format(
            TALEA_BAD_OPTION,
            "schema %s lacks tables, and they cannot be created inside a SQL transaction", schema);
        return SQLITE_ERROR;
    }
    return create_tables(db, schema, out_message);
}

/* ---- Unmaking it ----------------------------------------------------------------------------- */

bool tlx_schema_may_detach(sqlite3 *db) {
    int running = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
        running += sqlite3_stmt_busy(s) != 0;
    }
    return running <= 1;
}

bool tlx_schema_detach(sqlite3 *db, const char *schema) {
    char *sql = sqlite3_mprintf("DETACH \"%w\"", schema);
    int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return rc == SQLITE_OK;
}

/* In memory, and nothing in it but tables of ours. */
static bool is_leftover(sqlite3 *db, const char *schema) {
    if (!is_in_memory(sqlite3_db_filename(db, schema))) {
        return false;
    }
    char *sql =
        sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema"
                        " WHERE sql IS NULL OR sql NOT LIKE '%% USING talea!_%%' ESCAPE '!'",
                        schema);
    sqlite3_stmt *stmt = NULL;
    int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
    bool leftover = rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return leftover;
}

bool tlx_schema_clear(sqlite3 *db, const char *schema) {
    if (!tlx_schema_exists(db, schema)) {
        return true;
    }
    return is_leftover(db, schema) && tlx_schema_may_detach(db) && tlx_schema_detach(db, schema);
}
