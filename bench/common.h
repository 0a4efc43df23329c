/*
 * common.h: what the benchmarks share: a clock, medians, connections, the two ways of posting.
 *
 * Purpose:    the same double-entry post through talea and by hand in plain SQLite tables, so that only that differs.
 * Owns:       a `posting` owns its connection and its statements.
 * Threads:    one posting, one thread. SQLite's writers take turns through one mutex of the program: without it they
 *             would find each other out by sleeping in the busy handler, and be slower.
 * Errors:     anything unexpected ends the program with words.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

enum { BENCH_ACCOUNTS = 1000, BENCH_ROUNDS_MAX = 15 };

int64_t bench_now_us(void);
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
/* Sorts. */
double bench_median(double *values, size_t count);
uint64_t bench_random(uint64_t *state);

/* A fresh directory below TALEA_BENCH_DIR (the current directory). The devices under them decide
 * the figures. */
const char *bench_dir(void);
void bench_remove_dir(void);
/* "DIR/name"; four of them are valid at a time. */
const char *bench_path(const char *name);

sqlite3 *bench_open(const char *name);
sqlite3 *bench_open_talea(const char *name); /* with the module loaded; the ledger lies beside it */
void bench_exec(sqlite3 *db, const char *sql);
sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql);
int64_t bench_int(sqlite3 *db, const char *sql); /* of the first row */

/* ---- Posting ---- */

typedef enum bench_kind { BENCH_SQLITE, BENCH_TALEA } bench_kind;

typedef struct bench_posting {
    bench_kind kind;
    sqlite3 *db;
    char book[32];
    uint64_t random;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *insert; /* talea: the transfer; SQLite: the transaction */
    sqlite3_stmt *leg;    /* SQLite */
    sqlite3_stmt *adjust; /* SQLite */
} bench_posting;

/* Tables, accounts: a0 .. a999 in each of `books` books (talea) or in the one set of tables
 * (SQLite). */
void bench_define(bench_kind kind, const char *name, unsigned books);
void bench_posting_open(bench_posting *p, bench_kind kind, const char *name, const char *book,
                        uint64_t seed);
void bench_posting_close(bench_posting *p);
/* One draft in a transaction of its own; returns when it is durable. */
void bench_post(bench_posting *p);
/* `count` drafts in one transaction. */
void bench_post_batch(bench_posting *p, unsigned count);

/* `verify` finds no problem, or the program ends. */
void bench_verify(const char *name);

#endif
