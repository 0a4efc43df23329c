/*
 * Posts until it is killed: POSTERS threads, each with its own SQLite connection on one ledger.
 *
 *   tool_poster URI LEDGER N0,N1,...    the next unit of each thread (units.h)
 *
 * Prints to standard output, one write() a line:
 *   opening             before the ledger is touched
 *   THREAD NUMBER SEQ   after the COMMIT of that unit had returned; SEQ is that of its last draft
 * Whatever goes wrong ends it with status 1 and words on standard error.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "crash/units.h"

typedef struct poster {
    pthread_t thread;
    unsigned number;
    unsigned next;
} poster;

static const char *uri;
static uint64_t ledger;
static poster posters[POSTERS];

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    _exit(1);
}

static void say(const char *line) {
    size_t len = strlen(line);
    if (write(STDOUT_FILENO, line, len) != (ssize_t)len) {
        _exit(1);
    }
}

static void run(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        give_up("%s: %s", sql, sqlite3_errmsg(db));
    }
}

static sqlite3 *connect_to_ledger(void) {
    sqlite3 *db = NULL;
    char *words = NULL;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
        give_up("cannot open SQLite");
    }
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, TALEA_SO, NULL, &words) != SQLITE_OK) {
        give_up("%s", words);
    }
    char *sql = sqlite3_mprintf("SELECT talea_open(%Q)", uri);
    run(db, sql);
    sqlite3_free(sql);
    return db;
}

static void post_unit(sqlite3 *db, sqlite3_stmt *insert, const poster *p) {
    unsigned size = unit_size(ledger, p->number, p->next);
    if (size > 1) {
        run(db, "BEGIN");
    }
    for (unsigned i = 0; i < size; i++) {
        unit_draft draft;
        char debit[16];
        char credit[16];
        unit_fill(ledger, p->number, p->next, i, &draft);
        (void)snprintf(debit, sizeof debit, "a%u", draft.debit);
        (void)snprintf(credit, sizeof credit, "a%u", draft.credit);
        sqlite3_bind_text(insert, 1, poster_books[unit_book(p->number)], -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 2, draft.key, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, debit, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 4, credit, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 5, draft.amount);
        sqlite3_bind_text(insert, 6, draft.note[0] ? draft.note : NULL, -1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert) != SQLITE_OK) {
            give_up("posting: %s", sqlite3_errmsg(db));
        }
    }
    if (size > 1) {
        run(db, "COMMIT");
    }
}

static void *post_on(void *arg) {
    poster *p = arg;
    sqlite3 *db = connect_to_ledger();
    sqlite3_stmt *insert = NULL;
    if (sqlite3_prepare_v2(
            db,
            "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount, metadata)"
            " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            -1, &insert, NULL) != SQLITE_OK) {
        give_up("%s", sqlite3_errmsg(db));
    }
    for (;; p->next++) {
        char line[64];
        post_unit(db, insert, p);
        (void)snprintf(line, sizeof line, "%u %u %lld\n", p->number, p->next,
                       (long long)sqlite3_last_insert_rowid(db));
        say(line);
    }
}

/* The same in every life: identical definitions are fine. */
static void define(sqlite3 *db) {
    run(db, "INSERT INTO talea.assets(asset, class, precision) VALUES('EUR', 'fiat', 2)");
    for (unsigned b = 0; b < POSTER_BOOKS; b++) {
        run(db, "BEGIN");
        for (unsigned i = 0; i < POSTER_ACCOUNTS; i++) {
            char *sql = sqlite3_mprintf("INSERT INTO talea.accounts(book, account, asset, kind) "
                                        "VALUES(%Q, 'a%u', 'EUR', %Q)",
                                        poster_books[b], i, i % 2 ? "asset" : "liability");
            run(db, sql);
            sqlite3_free(sql);
        }
        run(db, "COMMIT");
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        give_up("usage: tool_poster URI LEDGER N0,N1,...");
    }
    uri = argv[1];
    ledger = strtoull(argv[2], NULL, 10);
    char *at = argv[3];
    say("opening\n");
    sqlite3 *db = connect_to_ledger();
    define(db);
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (poster){.number = i, .next = (unsigned)strtoul(at, &at, 10)};
        at += *at == ',';
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        if (pthread_create(&posters[i].thread, NULL, post_on, &posters[i]) != 0) {
            give_up("no thread");
        }
    }
    for (;;) {
        pause();
    }
}
