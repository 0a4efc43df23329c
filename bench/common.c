/*
 * common.c: see common.h.
 */
#include "common.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t bench_now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void bench_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

uint64_t bench_random(uint64_t *state) { /* SplitMix64 */
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* ---- Places ---- */

const char *bench_dir(void) {
    static char dir[1024];
    if (!dir[0]) {
        const char *given = getenv("TALEA_BENCH_DIR");
        (void)snprintf(dir, sizeof dir, "%s/talea-bench-XXXXXX", given ? given : ".");
        if (!mkdtemp(dir)) {
            bench_die("no directory %s", dir);
        }
    }
    return dir;
}

void bench_remove_dir(void) {
    char command[1100];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", bench_dir());
    if (system(command) != 0) {
        bench_die("removing %s", bench_dir());
    }
}

const char *bench_path(const char *name) {
    static _Thread_local char paths[4][1200];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", bench_dir(), name);
    return path;
}

/* ---- SQLite ---- */

sqlite3 *bench_open(const char *name) {
    sqlite3 *db = NULL;
    if (sqlite3_open(bench_path(name), &db) != SQLITE_OK) {
        bench_die("%s: %s", name, sqlite3_errmsg(db));
    }
    sqlite3_busy_timeout(db, 60000);
    return db;
}

sqlite3 *bench_open_talea(const char *name) {
    sqlite3 *db = bench_open(name);
    char *words = NULL;
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, TALEA_SO, NULL, &words) != SQLITE_OK) {
        bench_die("%s: %s", TALEA_SO, words);
    }
    return db;
}

void bench_exec(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    }
}

sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    }
    return stmt;
}

int64_t bench_int(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    }
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void step_done(const bench_posting *p, sqlite3_stmt *stmt) {
    if (sqlite3_step(stmt) != SQLITE_DONE || sqlite3_reset(stmt) != SQLITE_OK) {
        bench_die("%s: %s", sqlite3_sql(stmt), sqlite3_errmsg(p->db));
    }
}

/* ---- Definitions ---- */

static void define_sqlite(const char *name) {
    sqlite3 *db = bench_open(name);
    bench_exec(db, "PRAGMA journal_mode = WAL");
    bench_exec(
        db,
        "CREATE TABLE accounts(account TEXT PRIMARY KEY, balance INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE transactions(seq INTEGER PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE,"
        " at TEXT NOT NULL);"
        "CREATE TABLE postings(seq INTEGER NOT NULL, idx INTEGER NOT NULL, account TEXT NOT NULL,"
        " amount INTEGER NOT NULL, PRIMARY KEY(seq, idx)) WITHOUT ROWID;"
        "BEGIN");
    for (unsigned i = 0; i < BENCH_ACCOUNTS; i++) {
        char *sql = sqlite3_mprintf("INSERT INTO accounts VALUES('a%u', 0)", i);
        bench_exec(db, sql);
        sqlite3_free(sql);
    }
    bench_exec(db, "COMMIT");
    sqlite3_close(db);
}

static void define_talea(const char *name, unsigned books) {
    sqlite3 *db = bench_open_talea(name);
    bench_exec(db, "INSERT INTO talea.assets(asset, class, precision) VALUES('EUR', 'fiat', 2)");
    for (unsigned b = 0; b < books; b++) {
        bench_exec(db, "BEGIN");
        for (unsigned i = 0; i < BENCH_ACCOUNTS; i++) {
            char *sql = sqlite3_mprintf("INSERT INTO talea.accounts(book, account, asset, kind) "
                                        "VALUES('book%u', 'a%u', 'EUR', 'asset')",
                                        b, i);
            bench_exec(db, sql);
            sqlite3_free(sql);
        }
        bench_exec(db, "COMMIT");
    }
    sqlite3_close(db);
}

void bench_define(bench_kind kind, const char *name, unsigned books) {
    if (kind == BENCH_TALEA) {
        define_talea(name, books);
    } else {
        define_sqlite(name);
    }
}

/* ---- Posting ---- */

void bench_posting_open(bench_posting *p, bench_kind kind, const char *name, const char *book,
                        uint64_t seed) {
    *p = (bench_posting){.kind = kind, .random = seed};
    (void)snprintf(p->book, sizeof p->book, "%s", book);
    p->db = kind == BENCH_TALEA ? bench_open_talea(name) : bench_open(name);
    p->begin = bench_prepare(p->db, kind == BENCH_TALEA ? "BEGIN" : "BEGIN IMMEDIATE");
    p->commit = bench_prepare(p->db, "COMMIT");
    if (kind == BENCH_TALEA) {
        p->insert = bench_prepare(
            p->db, "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount)"
                   " VALUES(?1, ?2, ?3, ?4, ?5)");
        sqlite3_bind_text(p->insert, 1, p->book, -1, SQLITE_STATIC);
    } else {
        bench_exec(p->db, "PRAGMA synchronous = FULL");
        p->insert = bench_prepare(p->db, "INSERT INTO transactions(idempotency_key, at)"
                                         " VALUES(?1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))");
        p->leg = bench_prepare(
            p->db, "INSERT INTO postings(seq, idx, account, amount) VALUES(?1, ?2, ?3, ?4)");
        p->adjust =
            bench_prepare(p->db, "UPDATE accounts SET balance = balance + ?1 WHERE account = ?2");
    }
}

void bench_posting_close(bench_posting *p) {
    sqlite3_finalize(p->begin);
    sqlite3_finalize(p->commit);
    sqlite3_finalize(p->insert);
    sqlite3_finalize(p->leg);
    sqlite3_finalize(p->adjust);
    sqlite3_close(p->db);
}

typedef struct draft {
    char key[25]; /* 24 bytes */
    char accounts[2][8];
    int64_t amount;
} draft;

static void make_draft(bench_posting *p, draft *d) {
    uint64_t high = bench_random(&p->random);
    uint64_t low = bench_random(&p->random);
    unsigned debit = (unsigned)(low >> 32) % BENCH_ACCOUNTS;
    unsigned credit = (debit + 1 + (unsigned)(low >> 48) % (BENCH_ACCOUNTS - 1)) % BENCH_ACCOUNTS;
    (void)snprintf(d->key, sizeof d->key, "%016llx%08x", (unsigned long long)high, (unsigned)low);
    (void)snprintf(d->accounts[0], sizeof d->accounts[0], "a%u", debit);
    (void)snprintf(d->accounts[1], sizeof d->accounts[1], "a%u", credit);
    d->amount = 1 + (int64_t)(high % 10000);
}

static void post_sqlite(const bench_posting *p, const draft *d) {
    sqlite3_bind_text(p->insert, 1, d->key, -1, SQLITE_STATIC);
    step_done(p, p->insert);
    sqlite3_int64 seq = sqlite3_last_insert_rowid(p->db);
    for (int i = 0; i < 2; i++) {
        int64_t amount = i == 0 ? d->amount : -d->amount;
        sqlite3_bind_int64(p->leg, 1, seq);
        sqlite3_bind_int(p->leg, 2, i);
        sqlite3_bind_text(p->leg, 3, d->accounts[i], -1, SQLITE_STATIC);
        sqlite3_bind_int64(p->leg, 4, amount);
        step_done(p, p->leg);
        sqlite3_bind_int64(p->adjust, 1, amount);
        sqlite3_bind_text(p->adjust, 2, d->accounts[i], -1, SQLITE_STATIC);
        step_done(p, p->adjust);
    }
}

static void post_talea(const bench_posting *p, const draft *d) {
    sqlite3_bind_text(p->insert, 2, d->key, -1, SQLITE_STATIC);
    sqlite3_bind_text(p->insert, 3, d->accounts[0], -1, SQLITE_STATIC);
    sqlite3_bind_text(p->insert, 4, d->accounts[1], -1, SQLITE_STATIC);
    sqlite3_bind_int64(p->insert, 5, d->amount);
    step_done(p, p->insert);
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* SQLite's one writer at a time */

void bench_post(bench_posting *p) {
    draft d;
    make_draft(p, &d);
    if (p->kind == BENCH_TALEA) {
        post_talea(p, &d);
        return;
    }
    pthread_mutex_lock(&turn);
    step_done(p, p->begin);
    post_sqlite(p, &d);
    step_done(p, p->commit);
    pthread_mutex_unlock(&turn);
}

void bench_post_batch(bench_posting *p, unsigned count) {
    step_done(p, p->begin);
    for (unsigned i = 0; i < count; i++) {
        draft d;
        make_draft(p, &d);
        if (p->kind == BENCH_TALEA) {
            post_talea(p, &d);
        } else {
            post_sqlite(p, &d);
        }
    }
    step_done(p, p->commit);
}

void bench_verify(const char *name) {
    sqlite3 *db = bench_open_talea(name);
    sqlite3_stmt *row = bench_prepare(
        db, "SELECT book, problem, detail FROM talea.verify WHERE problem IS NOT NULL");
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        bench_die("verify: %s: %s: %s", sqlite3_column_text(row, 0), sqlite3_column_text(row, 1),
                  sqlite3_column_text(row, 2));
    }
    if (rc != SQLITE_DONE) {
        bench_die("verify: %s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}
