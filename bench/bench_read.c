/*
 * Reading: the balance of one account against a primary-key lookup in a plain table; full scans of `events` and `postings`; replay
 * at opening; and what a scan without pause does to the commits of another connection.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"

enum {
    BATCHES = 10,
    BATCH_DRAFTS = 100000,
    LOOKUPS = 200000,
    ROUNDS = 7,
    COMMITS = 4000,
    PAIRS = 3
};

static const char talea_db[] = "talea.db";
static const char sqlite_db[] = "sqlite.db";

static void fill(void) {
    bench_posting p;
    bench_define(BENCH_TALEA, talea_db, 1);
    bench_define(BENCH_SQLITE, sqlite_db, 1);
    bench_posting_open(&p, BENCH_TALEA, talea_db, "book0", 1);
    for (unsigned i = 0; i < BATCHES; i++) {
        bench_post_batch(&p, BATCH_DRAFTS);
    }
    bench_posting_close(&p);
}

/* ---- One balance ---- */

static double lookups(sqlite3 *db, const char *sql, uint64_t seed) {
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    int64_t sum = 0;
    int64_t from = bench_now_us();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        char account[8];
        (void)snprintf(account, sizeof account, "a%u",
                       (unsigned)(bench_random(&seed) % BENCH_ACCOUNTS));
        sqlite3_bind_text(stmt, 1, account, -1, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_ROW) {
            bench_die("%s: %s", sql, sqlite3_errmsg(db));
        }
        sum += sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    }
    double rate = LOOKUPS * 1e6 / (double)(bench_now_us() - from);
    sqlite3_finalize(stmt);
    return sum == 42 ? rate + 1e-9 : rate; /* the sum is used */
}

static void one_balance(void) {
    double ratios[ROUNDS];
    double rates[2][ROUNDS];
    sqlite3 *plain = bench_open(sqlite_db);
    sqlite3 *talea = bench_open_talea(talea_db);
    for (unsigned r = 0; r < ROUNDS; r++) {
        rates[0][r] = lookups(plain, "SELECT balance FROM accounts WHERE account = ?1", r);
        rates[1][r] = lookups(
            talea, "SELECT balance FROM talea.balances WHERE book = 'book0' AND account = ?1", r);
        ratios[r] = rates[1][r] / rates[0][r];
    }
    (void)printf("balance of one account, prepared: SQLite %.0f/s, talea %.0f/s, ratio %.2f\n",
                 bench_median(rates[0], ROUNDS), bench_median(rates[1], ROUNDS),
                 bench_median(ratios, ROUNDS));
    sqlite3_close(plain);
    sqlite3_close(talea);
}

/* ---- Scans ---- */

/* Every row stepped to, every column fetched. */
static void scan(sqlite3 *db, const char *name, const char *sql) {
    double rates[ROUNDS];
    unsigned long rows = 0;
    for (unsigned r = 0; r < ROUNDS; r++) {
        sqlite3_stmt *stmt = bench_prepare(db, sql);
        int columns = sqlite3_column_count(stmt);
        size_t bytes = 0;
        int64_t from = bench_now_us();
        rows = 0;
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            for (int i = 0; i < columns; i++) {
                if (sqlite3_column_type(stmt, i) == SQLITE_INTEGER) {
                    bytes += (size_t)sqlite3_column_int64(stmt, i) & 1;
                } else {
                    bytes +=
                        sqlite3_column_text(stmt, i) ? (size_t)sqlite3_column_bytes(stmt, i) : 0;
                }
            }
            rows++;
        }
        rates[r] = (double)rows * 1e6 / (double)(bench_now_us() - from) + (bytes == 0 ? 1e-9 : 0);
        sqlite3_finalize(stmt);
    }
    (void)printf("scan of %s: %lu rows, %.0f rows/s\n", name, rows, bench_median(rates, ROUNDS));
}

/* ---- Replay ---- */

static void replay(void) {
    double rates[ROUNDS];
    int64_t events = 0;
    double ms[ROUNDS];
    for (unsigned r = 0; r < ROUNDS; r++) {
        sqlite3 *db = bench_open_talea(talea_db); /* the only connection: the ledger is opened anew
                                                   */
        int64_t from = bench_now_us();
        events = bench_int(db, "SELECT last_seq FROM talea.books WHERE book = 'book0'");
        int64_t us = bench_now_us() - from;
        rates[r] = (double)events * 1e6 / (double)us;
        ms[r] = (double)us / 1e3;
        sqlite3_close(db);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    (void)printf(
        "opening with %lld events: %.0f ms, %.0f events/s (the files are in the page cache); "
        "at most %ld MiB resident so far\n",
        (long long)events, bench_median(ms, ROUNDS), bench_median(rates, ROUNDS),
        usage.ru_maxrss / 1024);
}

/* ---- Commits beside a scan ---- */

static _Atomic(bool) stop;

static void *scan_on(void *arg) {
    sqlite3 *db = bench_open_talea(talea_db);
    sqlite3_stmt *stmt =
        bench_prepare(db, "SELECT seq, at, txid FROM talea.events WHERE book = 'book0'");
    (void)arg;
    while (!atomic_load(&stop)) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE) {
            sqlite3_reset(stmt);
        } else if (rc != SQLITE_ROW) {
            bench_die("scanning: %s", sqlite3_errmsg(db));
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return NULL;
}

/* Microseconds: the 99th of a hundred commits. */
static double commit_p99(bool beside_a_scan, uint64_t seed, double *out_median) {
    static double us[COMMITS];
    bench_posting p;
    pthread_t scanner;
    atomic_store(&stop, false);
    bench_posting_open(&p, BENCH_TALEA, talea_db, "book0", seed);
    bench_post(&p);
    if (beside_a_scan && pthread_create(&scanner, NULL, scan_on, NULL) != 0) {
        bench_die("no thread");
    }
    for (unsigned i = 0; i < COMMITS; i++) {
        int64_t from = bench_now_us();
        bench_post(&p);
        us[i] = (double)(bench_now_us() - from);
    }
    atomic_store(&stop, true);
    if (beside_a_scan) {
        pthread_join(scanner, NULL);
    }
    bench_posting_close(&p);
    *out_median = bench_median(us, COMMITS); /* sorts */
    return us[COMMITS * 99 / 100];
}

static void commits_beside_scans(void) {
    double alone[PAIRS];
    double beside[PAIRS];
    double ratios[PAIRS];
    double medians[2][PAIRS];
    sqlite3 *held = bench_open_talea(talea_db); /* so that the ledger stays open between the runs */
    (void)bench_int(held, "SELECT count(*) FROM talea.books");
    for (unsigned r = 0; r < PAIRS; r++) {
        alone[r] = commit_p99(false, 2 * r + 1000, &medians[0][r]);
        beside[r] = commit_p99(true, 2 * r + 1001, &medians[1][r]);
        ratios[r] = beside[r] / alone[r];
    }
    sqlite3_close(held);
    (void)printf("commit of one connection: p50 %.0f us, p99 %.0f us; beside a scan without pause: "
                 "p50 %.0f us, "
                 "p99 %.0f us; ratio of p99 %.2f\n",
                 bench_median(medians[0], PAIRS), bench_median(alone, PAIRS),
                 bench_median(medians[1], PAIRS), bench_median(beside, PAIRS),
                 bench_median(ratios, PAIRS));
}

int main(void) {
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    fill();
    one_balance();
    sqlite3 *db = bench_open_talea(talea_db);
    scan(db, "events (seq, at, txid)",
         "SELECT seq, at, txid FROM talea.events WHERE book = 'book0'");
    scan(db, "postings (seq, account, debit, credit)",
         "SELECT seq, account, coalesce(debit, 0), coalesce(credit, 0) FROM talea.postings WHERE "
         "book = 'book0'");
    scan(db, "balances (account, balance)",
         "SELECT account, balance FROM talea.balances WHERE book = 'book0'");
    sqlite3_close(db);
    replay();
    commits_beside_scans();
    bench_verify(talea_db);
    (void)printf("verify: no problem\n");
    bench_remove_dir();
    return 0;
}
