/*
 * Writes until it is killed, as tool_poster does, and makes a new book in each life.
 *
 *   tool_writer URI LEDGER LIFE N0,N1,...    the next unit of each thread (crash/units.h)
 *   tool_writer URI LEDGER LIFE once         makes its book, closes everything, and ends
 *
 * Every third life is calm: pauses between units leave the book silent long enough for its writer to
 * prove what it wrote last.
 *
 * Prints to standard output, one write() a line:
 *   o                     the ledger is open and what it needs is defined
 *   u THREAD NUMBER SEQ   after the COMMIT of that unit had returned; SEQ is that of its last draft
 *   b LIFE SEQ            book "life LIFE" has SEQ events
 * Whatever goes wrong ends it with status 1 and words on standard error.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
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
static unsigned life;
static poster posters[POSTERS];

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    _exit(1);
}

/* Shorter than PIPE_BUF: a line is there whole or not at all. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[64];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (write(STDOUT_FILENO, line, (size_t)len) != len) {
        _exit(1);
    }
}

static void run(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        give_up("%s: %s", sql, sqlite3_errmsg(db));
    }
}

__attribute__((format(printf, 2, 3))) static void runf(sqlite3 *db, const char *format, ...) {
    char sql[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    run(db, sql);
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
    runf(db, "SELECT talea_open('%s')", uri);
    return db;
}

/* The same in every life: identical definitions are fine. */
static void define(sqlite3 *db) {
    run(db, "INSERT INTO talea.assets(asset, class, precision) VALUES('EUR', 'fiat', 2)");
    for (unsigned b = 0; b < POSTER_BOOKS; b++) {
        run(db, "BEGIN");
        for (unsigned i = 0; i < POSTER_ACCOUNTS; i++) {
            runf(db,
                 "INSERT INTO talea.accounts(book, account, asset, kind)"
                 " VALUES('%s', 'a%u', 'EUR', '%s')",
                 poster_books[b], i, i % 2 ? "asset" : "liability");
        }
        run(db, "COMMIT");
    }
}

static void make_book(sqlite3 *db) {
    runf(db,
         "INSERT INTO talea.accounts(book, account, asset, kind) VALUES"
         " ('life %u', 'a0', 'EUR', 'asset'), ('life %u', 'a1', 'EUR', 'asset')",
         life, life);
    say("b %u 2\n", life);
    runf(db,
         "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount)"
         " VALUES('life %u', 'first', 'a0', 'a1', %u)",
         life, life + 1);
    say("b %u 3\n", life);
}

static void post_unit(sqlite3 *db, sqlite3_stmt *insert, const poster *p) {
    unsigned size = unit_size(ledger, p->number, p->next);
    if (size > 1) {
        run(db, "BEGIN");
    }
    for (unsigned i = 0; i < size; i++) {
        unit_draft draft;
        char names[2][16];
        unit_fill(ledger, p->number, p->next, i, &draft);
        (void)snprintf(names[0], sizeof names[0], "a%u", draft.debit);
        (void)snprintf(names[1], sizeof names[1], "a%u", draft.credit);
        sqlite3_bind_text(insert, 1, poster_books[unit_book(p->number)], -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 2, draft.key, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, names[0], -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 4, names[1], -1, SQLITE_STATIC);
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
        post_unit(db, insert, p);
        say("u %u %u %lld\n", p->number, p->next, (long long)sqlite3_last_insert_rowid(db));
        if (life % 3 == 2) {
            uint64_t h = unit_hash(ledger, p->number, p->next, 254);
            struct timespec pause = {.tv_nsec = (long)(h % 80) * 1000000};
            nanosleep(&pause, NULL);
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 5) {
        give_up("usage: tool_writer URI LEDGER LIFE N0,N1,...|once");
    }
    uri = argv[1];
    ledger = strtoull(argv[2], NULL, 10);
    life = (unsigned)strtoul(argv[3], NULL, 10);
    char *at = argv[4];
    sqlite3 *db = connect_to_ledger();
    define(db);
    say("o\n");
    if (strcmp(at, "once") == 0) {
        make_book(db);
        return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (poster){.number = i, .next = (unsigned)strtoul(at, &at, 10)};
        at += *at == ',';
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        if (pthread_create(&posters[i].thread, NULL, post_on, &posters[i]) != 0) {
            give_up("no thread");
        }
    }
    make_book(db);
    for (;;) {
        pause();
    }
}
