/*
 * Durable commits a second: limit(c), SQLite by hand, talea through SQL, in turn, several rounds in one run; medians, and
 * medians of the ratios of each round. What the three are: common.h, limit.h.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "limit.h"

enum {
    THREADS_MAX = 128,
    ROUNDS = 5,
    BULK_ROUNDS = 3,
    BULK_DRAFTS = 100000,
    RUN_US = 500000,
    BOOKS_MAX = 16
};

typedef struct worker {
    pthread_t thread;
    limit *limit; /* NULL: posting */
    bench_posting posting;
    unsigned long count;
} worker;

static worker workers[THREADS_MAX];
enum { GET_READY, GO, STOP };

static _Atomic(int) stage;
static _Atomic(unsigned) ready;

static void *work(void *arg) {
    worker *w = arg;
    char record[LIMIT_RECORD_BYTES];
    memset(record, 'r', sizeof record);
    if (!w->limit) {
        bench_post(&w->posting); /* statements are compiled, the writer runs */
    }
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&stage) == GET_READY) {
        usleep(100);
    }
    while (atomic_load_explicit(&stage, memory_order_relaxed) == GO) {
        if (w->limit) {
            limit_put(w->limit, record);
        } else {
            bench_post(&w->posting);
        }
        w->count++;
    }
    return NULL;
}

/* Durable records a second. */
static double run_workers(unsigned threads) {
    atomic_store(&stage, GET_READY);
    atomic_store(&ready, 0);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].count = 0;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            bench_die("no thread");
        }
    }
    while (atomic_load(&ready) < threads) {
        usleep(100);
    }
    int64_t from = bench_now_us();
    atomic_store(&stage, GO);
    usleep(RUN_US);
    atomic_store(&stage, STOP);
    int64_t us = bench_now_us() - from;
    unsigned long count = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        count += workers[i].count;
    }
    return (double)count * 1e6 / (double)us;
}

static double run_limit(unsigned threads, unsigned files) {
    limit *limits[BOOKS_MAX];
    for (unsigned i = 0; i < files; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "limit-%u", i);
        limits[i] = limit_open(bench_path(name));
    }
    for (unsigned i = 0; i < threads; i++) {
        workers[i].limit = limits[i % files];
    }
    double rate = run_workers(threads);
    for (unsigned i = 0; i < files; i++) {
        limit_close(limits[i]);
    }
    return rate;
}

static const char *const databases[] = {[BENCH_SQLITE] = "sqlite.db", [BENCH_TALEA] = "talea.db"};

static void open_postings(bench_kind kind, unsigned threads, unsigned books) {
    static uint64_t seed;
    for (unsigned i = 0; i < threads; i++) {
        char book[32];
        (void)snprintf(book, sizeof book, "book%u", i % books);
        workers[i].limit = NULL;
        bench_posting_open(&workers[i].posting, kind, databases[kind], book, ++seed * 1000003);
    }
}

static void close_postings(unsigned threads) {
    for (unsigned i = 0; i < threads; i++) {
        bench_posting_close(&workers[i].posting);
    }
}

/* What `books` adds up to. */
typedef struct counters {
    int64_t groups;
    int64_t units;
    int64_t bytes;
    int64_t drafts;
} counters;

static counters read_counters(sqlite3 *db) {
    return (counters){.groups = bench_int(db, "SELECT sum(groups) FROM talea.books"),
                      .units = bench_int(db, "SELECT sum(units) FROM talea.books"),
                      .bytes = bench_int(db, "SELECT sum(log_bytes) FROM talea.books"),
                      .drafts = bench_int(db, "SELECT sum(transactions) FROM talea.books")};
}

typedef struct talea_run {
    double rate;
    double syncs; /* a second */
    double group; /* units a sync */
    double bytes; /* a draft */
} talea_run;

static talea_run run_talea(unsigned threads, unsigned books) {
    talea_run run;
    open_postings(BENCH_TALEA, threads, books);
    sqlite3 *db = bench_open_talea(databases[BENCH_TALEA]);
    counters before = read_counters(db);
    int64_t from = bench_now_us();
    run.rate = run_workers(threads);
    double seconds = (double)(bench_now_us() - from) / 1e6;
    counters after = read_counters(db);
    sqlite3_close(db);
    close_postings(threads);
    run.syncs = (double)(after.groups - before.groups) / seconds;
    run.group = (double)(after.units - before.units) / (double)(after.groups - before.groups);
    run.bytes = (double)(after.bytes - before.bytes) / (double)(after.drafts - before.drafts);
    return run;
}

static double run_sqlite(unsigned threads) {
    open_postings(BENCH_SQLITE, threads, 1);
    double rate = run_workers(threads);
    close_postings(threads);
    return rate;
}

/* ---- Tables ---- */

enum { LIMIT, SQLITE, TALEA, TO_LIMIT, TO_SQLITE, SYNCS, GROUP, BYTES, COLUMNS };

static void connections(unsigned threads) {
    double values[COLUMNS][ROUNDS];
    for (unsigned r = 0; r < ROUNDS; r++) {
        values[LIMIT][r] = run_limit(threads, 1);
        values[SQLITE][r] = run_sqlite(threads);
        talea_run run = run_talea(threads, 1);
        values[TALEA][r] = run.rate;
        values[TO_LIMIT][r] = run.rate / values[LIMIT][r];
        values[TO_SQLITE][r] = run.rate / values[SQLITE][r];
        values[SYNCS][r] = run.syncs;
        values[GROUP][r] = run.group;
        values[BYTES][r] = run.bytes;
    }
    double m[COLUMNS];
    for (unsigned i = 0; i < COLUMNS; i++) {
        m[i] = bench_median(values[i], ROUNDS);
    }
    (void)printf("%11u %10.0f %10.0f %10.0f %12.2f %13.2f %9.0f %8.1f %12.1f\n", threads, m[LIMIT],
                 m[SQLITE], m[TALEA], m[TO_LIMIT], m[TO_SQLITE], m[SYNCS], m[GROUP], m[BYTES]);
    (void)fflush(stdout);
}

static void many_books(void) {
    double limits[BULK_ROUNDS];
    double rates[BULK_ROUNDS];
    double ratios[BULK_ROUNDS];
    for (unsigned r = 0; r < BULK_ROUNDS; r++) {
        limits[r] = run_limit(64, BOOKS_MAX);
        rates[r] = run_talea(64, BOOKS_MAX).rate;
        ratios[r] = rates[r] / limits[r];
    }
    (void)printf("\n%u books, 64 connections: limit over %u files %.0f, talea %.0f, ratio %.2f\n",
                 BOOKS_MAX, BOOKS_MAX, bench_median(limits, BULK_ROUNDS),
                 bench_median(rates, BULK_ROUNDS), bench_median(ratios, BULK_ROUNDS));
}

static double run_bulk(bench_kind kind) {
    bench_posting p;
    static uint64_t seed = 77;
    bench_posting_open(&p, kind, databases[kind], "book0", ++seed << 32);
    int64_t from = bench_now_us();
    bench_post_batch(&p, BULK_DRAFTS);
    double rate = BULK_DRAFTS * 1e6 / (double)(bench_now_us() - from);
    bench_posting_close(&p);
    return rate;
}

static void bulk(void) {
    double rates[2][BULK_ROUNDS];
    double ratios[BULK_ROUNDS];
    for (unsigned r = 0; r < BULK_ROUNDS; r++) {
        rates[BENCH_SQLITE][r] = run_bulk(BENCH_SQLITE);
        sqlite3 *held = bench_open_talea(databases[BENCH_TALEA]); /* so that opening is not part of
                                                                     it */
        (void)bench_int(held, "SELECT count(*) FROM talea.books");
        rates[BENCH_TALEA][r] = run_bulk(BENCH_TALEA);
        sqlite3_close(held);
        ratios[r] = rates[BENCH_TALEA][r] / rates[BENCH_SQLITE][r];
    }
    (void)printf("bulk, %u drafts a transaction: SQLite %.0f drafts/s, talea %.0f, ratio %.1f\n",
                 BULK_DRAFTS, bench_median(rates[BENCH_SQLITE], BULK_ROUNDS),
                 bench_median(rates[BENCH_TALEA], BULK_ROUNDS), bench_median(ratios, BULK_ROUNDS));
}

int main(void) {
    static const unsigned counts[] = {1, 8, 64, 128};
    bench_define(BENCH_SQLITE, databases[BENCH_SQLITE], 1);
    bench_define(BENCH_TALEA, databases[BENCH_TALEA], BOOKS_MAX);
    (void)printf("durable commits a second, one draft each; medians of %u rounds of %.1f s\n\n",
                 ROUNDS, RUN_US / 1e6);
    (void)printf("%11s %10s %10s %10s %12s %13s %9s %8s %12s\n", "connections", "limit", "SQLite",
                 "talea", "talea/limit", "talea/SQLite", "syncs/s", "group", "bytes/draft");
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        connections(counts[i]);
    }
    many_books();
    bulk();
    bench_verify(databases[BENCH_TALEA]);
    (void)printf("verify: no problem\n");
    bench_remove_dir();
    return 0;
}
