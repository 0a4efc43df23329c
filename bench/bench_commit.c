/*
 * Durable commits a second: limit(c), SQLite by hand, talea through SQL, in turn, several rounds in one run; medians, and
 * medians of the ratios of each round. What the three are: docs/... of the targets, common.h, limit.h.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "limit.h"

enum { THREADS_MAX = 128, ROUNDS = 5, BULK_ROUNDS = 3, BULK_DRAFTS = 100000, RUN_US = 500000, BOOKS_MAX = 16 };

typedef struct worker {
    pthread_t thread;
    limit *limit; /* NULL: posting */
    bench_posting posting;
    unsigned long count;
} worker;

static worker workers[THREADS_MAX];
static _Atomic(int) stage; /* 0 get ready, 1 go, 2 stop */
static _Atomic(unsigned) ready;

static void *work(void *arg) {
    worker *w = arg;
    char record[LIMIT_RECORD_BYTES];
    memset(record, 'r', sizeof record);
    unsigned long count = 0;
    if (!w->limit) {
        bench_post(&w->posting); /* statements are compiled, the writer runs */
    }
    atomic_fetch_add(&ready, 1);
    while (atomic_load_explicit(&stage, memory_order_relaxed) == 0) {
        bench_now_us();
        pthread_testcancel();
        struct timespec_pause;
    }
    while (atomic_load_explicit(&stage, memory_order_relaxed) == 1) {
        if (w->limit) {
            limit_put(w->limit, record);
        } else {
            bench_post(&w->posting);
        }
        count++;
    }
    w->count = count;
    return NULL;
}
