/*
 * entry.c: the entry points, and what loading does to a connection.
 *
 * How: whatever can fail in practice (attaching, creating) comes before the functions, because
 * SQLite refuses to take functions back while a statement is running, as it is in SELECT
 * load_extension(...). After a failed load SQLite unmaps the file, so nothing that points into it
 * may stay behind. Functions or a schema that stay all the same are replaced by the next load.
 *
 * A connection that has our modules has been here before, perhaps by way of the other entry point;
 * then only what is missing of the schema is put back. Modules tell that best: they are listed in a
 * few microseconds, where listing functions took a quarter of the whole load, and a failed load
 * takes them back whatever is running.
 */
#include "binding.h"
#include "error.h"
#include "functions.h"
#include "functions_pure.h"
#include "schema.h"
#include "tables.h"

#include <sched.h>

#define TLX_EXPORT __attribute__((visibility("default")))

/* sqlite3_vtab_in, sqlite3_vtab_distinct and the operator -> came with this version. */
enum { SQLITE_VERSION_MIN = 3038000 };
#if SQLITE_VERSION_NUMBER < 3038000
#error "talea needs the headers of SQLite 3.38 or later"
#endif

TLX_EXPORT int sqlite3_talea_init(sqlite3 *db, char **out_message, const sqlite3_api_routines *api);
TLX_EXPORT int sqlite3_talea_static_init(sqlite3 *db, char **out_message,
                                         const sqlite3_api_routines *api);

/* ---- The way to SQLite ----------------------------------------------------------------------- */

#ifdef TALEA_STATIC

static bool find_sqlite(const sqlite3_api_routines *api, char **out_message) {
    (void)api;
    (void)out_message;
    return true;
}

#else

const sqlite3_api_routines *sqlite3_api = NULL;

/* One file has one pointer to SQLite's functions, read by every thread without ceremony. So it is
 * written once, by whichever thread loads first; and a second copy of SQLite in the process is
 * refused: objects of one must not reach the functions of the other. */
static bool find_sqlite(const sqlite3_api_routines *api, char **out_message) {
    enum { UNKNOWN, BEING_WRITTEN, KNOWN };
    static int state = UNKNOWN;
    int expected = UNKNOWN;
    if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != KNOWN &&
        __atomic_compare_exchange_n(&state, &expected, BEING_WRITTEN, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        sqlite3_api = api;
        __atomic_store_n(&state, KNOWN, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != KNOWN) {
        sched_yield();
    }
    if (sqlite3_api != api && out_message) {
        *out_message = api->mprintf("talea: bad_option: this file serves another copy of SQLite in "
                                    "this process already");
    }
    return sqlite3_api == api;
}

#endif

/* ---- What is there already ------------------------------------------------------------------- */

/* Whether the connection has our modules; the prefix is ours. A SQLite without introspection tells
 * nothing: then whatever has our names is replaced. */
static int look_around(sqlite3 *db, bool *out_loaded) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA module_list", -1, &stmt, NULL);
    *out_loaded = false;
    while (rc == SQLITE_OK && !*out_loaded && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        *out_loaded = name && sqlite3_stricmp(name, "talea_assets") == 0;
        rc = name ? SQLITE_OK : SQLITE_NOMEM;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_NOMEM ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---- Loading --------------------------------------------------------------------------------- */

static void unload(sqlite3 *db) {
    tlx_functions_unregister(db);
    tlx_functions_unregister_pure(db);
    (void)tlx_schema_detach(db, "talea");
    sqlite3_exec(db, "SELECT 1", NULL, NULL, NULL); /* disconnects the tables of the schema */
    tlx_modules_unregister(db);
}

static int install(sqlite3 *db, tlx_connection *connection, char **out_message) {
    if (!tlx_binding_add(connection, "talea")) {
        return SQLITE_NOMEM;
    }
    int rc = tlx_modules_register(db, connection);
    if (rc == SQLITE_OK) {
        rc = tlx_schema_ensure(db, "talea", out_message);
    }
    if (rc == SQLITE_OK) {
        rc = tlx_functions_register_pure(db);
    }
    if (rc == SQLITE_OK) {
        rc = tlx_functions_register(db, connection);
    }
    if (rc != SQLITE_OK) {
        unload(db);
    }
    return rc;
}

static int load(sqlite3 *db, char **out_message) {
    if (sqlite3_libversion_number() < SQLITE_VERSION_MIN) {
        *out_message = tlx_error_format(
            TALEA_BAD_OPTION, "SQLite 3.38 or later is needed, this is %s", sqlite3_libversion());
        return SQLITE_ERROR;
    }
    bool loaded = false;
    int rc = look_around(db, &loaded);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (loaded) {
        return tlx_schema_ensure(db, "talea", out_message);
    }
    if (!tlx_schema_clear(db, "talea")) {
        *out_message = tlx_error_format(
            TALEA_BAD_OPTION, "the connection has a schema talea already, which is not ours");
        return SQLITE_ERROR;
    }
    tlx_connection *connection = tlx_connection_new(db);
    if (!connection) {
        return SQLITE_NOMEM;
    }
    rc = install(db, connection, out_message);
    tlx_connection_unref(connection);
    return rc;
}

static int enter(sqlite3 *db, char **out_message, const sqlite3_api_routines *api) {
    if (!find_sqlite(api, out_message)) {
        return SQLITE_ERROR;
    }
    char *message = NULL;
    int rc = load(db, &message);
    if (out_message && message) {
        *out_message = message;
    } else {
        sqlite3_free(message);
    }
    return rc;
}

/* Threads of ours outlive the connection: the file must stay mapped. */
int sqlite3_talea_init(sqlite3 *db, char **out_message, const sqlite3_api_routines *api) {
    int rc = enter(db, out_message, api);
    return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}

/* For static linking and sqlite3_auto_extension, which takes every code but SQLITE_OK for a
 * failure. */
int sqlite3_talea_static_init(sqlite3 *db, char **out_message, const sqlite3_api_routines *api) {
    return enter(db, out_message, api);
}
