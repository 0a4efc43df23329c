/*
 * host.h: a program that embeds SQLite and loads the module, as tests of the extension see it.
 *
 * Purpose:    scratch directories, connections, statements in one line, values as text.
 * Owns:       one scratch directory a test, removed by host_teardown.
 * Threads:    scratch is set up by one thread; everything else is the caller's own connection.
 * Errors:     whatever is not expected fails the test, with SQL and message.
 */
#ifndef TEST_EXT_HOST_H
#define TEST_EXT_HOST_H

#include <assert.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>
#include <cmocka.h>

enum { HOST_PATH_BYTES = 512, HOST_TEXT_BYTES = 4096 };

static char host_dir[HOST_PATH_BYTES];

static inline int host_remove_entry(const char *path, const struct stat *st, int type,
                                    struct FTW *where) {
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void host_remove(void) {
    if (host_dir[0] != '\0') {
        (void)nftw(host_dir, host_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        host_dir[0] = '\0';
    }
}

static inline int host_setup(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(host_dir, sizeof host_dir, "%s/talea-ext-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    (void)unsetenv("TALEA_DIR");
    return mkdtemp(host_dir) ? 0 : -1;
}

static inline int host_teardown(void **state) {
    (void)state;
    host_remove();
    return 0;
}

/* A path in the scratch directory; one static buffer for each of the last four calls. */
static inline const char *host_path(const char *name) {
    static _Thread_local char paths[4][HOST_PATH_BYTES * 2];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", host_dir, name);
    return path;
}

/* abort rather than assert: cmocka's asserts jump, which a thread other than the test's must not.
 */
static inline void host_die(sqlite3 *db, const char *sql, int rc) {
    (void)fprintf(stderr, "%s\n-> %d %s\n", sql, rc, db ? sqlite3_errmsg(db) : "");
    abort();
}

static inline void host_load(sqlite3 *db) {
    char *message = NULL;
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    int rc = sqlite3_load_extension(db, TALEA_SO, NULL, &message);
    if (rc != SQLITE_OK) {
        host_die(db, message ? message : "load", rc);
    }
}

static inline sqlite3 *host_open_flags(const char *path, int flags) {
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, flags, NULL);
    if (rc != SQLITE_OK) {
        host_die(db, path, rc);
    }
    host_load(db);
    return db;
}

static inline sqlite3 *host_open(const char *path) {
    return host_open_flags(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

static inline void host_close(sqlite3 *db) {
    int rc = sqlite3_close(db);
    if (rc != SQLITE_OK) {
        host_die(db, "sqlite3_close", rc);
    }
}

static inline int host_try(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static inline void host_exec(sqlite3 *db, const char *sql) {
    int rc = host_try(db, sql);
    if (rc != SQLITE_OK) {
        host_die(db, sql, rc);
    }
}

static inline void host_execf(sqlite3 *db, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    host_exec(db, sql);
    sqlite3_free(sql);
}

/* Fails with this result code, and these words in the message. */
static inline void host_refused(sqlite3 *db, const char *sql, int code, const char *words) {
    int rc = host_try(db, sql);
    if ((rc & 0xff) != code || !strstr(sqlite3_errmsg(db), words)) {
        (void)fprintf(stderr, "wanted %d '%s' from\n", code, words);
        host_die(db, sql, rc);
    }
}

static inline sqlite3_stmt *host_prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        host_die(db, sql, rc);
    }
    return stmt;
}

/* All rows: columns apart by '|', rows by a newline, without one at the end. */
static inline const char *host_rows(sqlite3 *db, const char *sql) {
    static _Thread_local char text[HOST_TEXT_BYTES];
    size_t len = 0;
    sqlite3_stmt *stmt = host_prepare(db, sql);
    int rc = SQLITE_ROW;
    text[0] = '\0';
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt) && len < sizeof text; i++) {
            const char *value = (const char *)sqlite3_column_text(stmt, i);
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
                                    i > 0 ? "|" : (len > 0 ? "\n" : ""), value ? value : "");
        }
    }
    if (rc != SQLITE_DONE) {
        host_die(db, sql, rc);
    }
    sqlite3_finalize(stmt);
    return text;
}

static inline sqlite3_int64 host_int(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = host_prepare(db, sql);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        host_die(db, sql, rc);
    }
    sqlite3_int64 value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

/* One asset, two accounts of book main without limits: the next seq is 3. */
static inline void host_ledger(sqlite3 *db) {
    host_exec(db, "INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);"
                  "INSERT INTO accounts(book, account, asset, kind) VALUES"
                  " ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income')");
}

static inline sqlite3_stmt *host_transfer(sqlite3 *db) {
    return host_prepare(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                            " VALUES ('main', ?1, 'cash', 'rev', ?2)");
}

/* Posts through a prepared statement of host_transfer; the result of the step. */
static inline int host_post(sqlite3_stmt *stmt, const char *key, sqlite3_int64 amount) {
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 2, amount);
    (void)sqlite3_step(stmt);
    return sqlite3_reset(stmt);
}

#endif
