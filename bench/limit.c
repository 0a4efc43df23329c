/*
 * limit.c: two batches in turn: while one is written and synced, the other gathers.
 *
 * The wake is one system call for a whole batch (on Linux), each parity has a word of its own so
 * that nobody is woken for somebody else's batch: a slower handover would make the limit smaller
 * and every ratio prettier.
 */
#include "limit.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "common.h"

enum { FILE_BYTES = 64 << 20, BATCH_RECORDS_MAX = 4096 };

typedef struct word {
    _Atomic(uint32_t) value;
#ifndef __linux__
    pthread_mutex_t mutex;
    pthread_cond_t cond;
#endif
} word;

struct limit {
    int fd;
    off_t at;
    pthread_t writer;
    pthread_mutex_t mutex;
    uint32_t generation; /* [mutex] of the batch that gathers, from 1 */
    unsigned count;      /* [mutex] in it */
    bool closing;        /* [mutex] */
    char *batches[2];    /* by parity of the generation */
    word work;
    word done[2]; /* the last generation of that parity that is durable */
};

#ifdef __linux__
static void word_init(word *w) {
    atomic_store(&w->value, 0);
}

static void word_wait(word *w, uint32_t seen) {
    syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void word_set(word *w, uint32_t value) {
    atomic_store(&w->value, value);
    syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
static void word_init(word *w) {
    atomic_store(&w->value, 0);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->cond, NULL);
}

static void word_wait(word *w, uint32_t seen) {
    pthread_mutex_lock(&w->mutex);
    while (atomic_load(&w->value) == seen) {
        pthread_cond_wait(&w->cond, &w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
}

static void word_set(word *w, uint32_t value) {
    pthread_mutex_lock(&w->mutex);
    atomic_store(&w->value, value);
    pthread_cond_broadcast(&w->cond);
    pthread_mutex_unlock(&w->mutex);
}
#endif

static void sync_file(int fd) {
#ifdef __APPLE__
    int rc = fcntl(fd, F_FULLFSYNC);
#else
    int rc = fdatasync(fd);
#endif
    if (rc != 0) {
        bench_die("syncing failed");
    }
}

static void write_batch(limit *l, uint32_t generation, unsigned count) {
    size_t bytes = (size_t)count * LIMIT_RECORD_BYTES;
    if (l->at + (off_t)bytes > FILE_BYTES) {
        l->at = 0;
    }
    if (pwrite(l->fd, l->batches[generation & 1], bytes, l->at) != (ssize_t)bytes) {
        bench_die("writing failed");
    }
    l->at += (off_t)bytes;
    sync_file(l->fd);
    word_set(&l->done[generation & 1], generation);
}

static void *write_on(void *arg) {
    limit *l = arg;
    for (;;) {
        uint32_t seen = atomic_load(&l->work.value);
        pthread_mutex_lock(&l->mutex);
        uint32_t generation = l->generation;
        unsigned count = l->count;
        bool closing = l->closing;
        if (count > 0) {
            l->generation++;
            l->count = 0;
        }
        pthread_mutex_unlock(&l->mutex);
        if (count > 0) {
            write_batch(l, generation, count);
        } else if (closing) {
            return NULL;
        } else {
            word_wait(&l->work, seen);
        }
    }
}

limit *limit_open(const char *path) {
    limit *l = calloc(1, sizeof *l);
    static const char zeros[1 << 20];
    l->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (off_t at = 0; l->fd >= 0 && at < FILE_BYTES; at += (off_t)sizeof zeros) {
        if (pwrite(l->fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros) {
            bench_die("pre-writing %s failed", path);
        }
    }
    l->batches[0] = malloc((size_t)BATCH_RECORDS_MAX * LIMIT_RECORD_BYTES);
    l->batches[1] = malloc((size_t)BATCH_RECORDS_MAX * LIMIT_RECORD_BYTES);
    if (l->fd < 0 || fsync(l->fd) != 0 || !l->batches[0] || !l->batches[1]) {
        bench_die("preparing %s failed", path);
    }
    l->generation = 1;
    pthread_mutex_init(&l->mutex, NULL);
    word_init(&l->work);
    word_init(&l->done[0]);
    word_init(&l->done[1]);
    if (pthread_create(&l->writer, NULL, write_on, l) != 0) {
        bench_die("no thread");
    }
    return l;
}

void limit_put(limit *l, const char record[LIMIT_RECORD_BYTES]) {
    pthread_mutex_lock(&l->mutex);
    uint32_t generation = l->generation;
    if (l->count == BATCH_RECORDS_MAX) {
        bench_die("more threads than a batch has room");
    }
    memcpy(l->batches[generation & 1] + (size_t)l->count * LIMIT_RECORD_BYTES, record,
           LIMIT_RECORD_BYTES);
    bool first = l->count++ == 0;
    pthread_mutex_unlock(&l->mutex);
    if (first) {
        word_set(&l->work, generation);
    }
    for (uint32_t seen; (seen = atomic_load(&l->done[generation & 1].value)) < generation;) {
        word_wait(&l->done[generation & 1], seen);
    }
}

void limit_close(limit *l) {
    pthread_mutex_lock(&l->mutex);
    l->closing = true;
    pthread_mutex_unlock(&l->mutex);
    word_set(&l->work, atomic_load(&l->work.value) + 1);
    pthread_join(l->writer, NULL);
    close(l->fd);
    free(l->batches[0]);
    free(l->batches[1]);
    free(l);
}
