/*
 * wrap_io.h: an io that passes everything on to another one, and counts, holds or fails what it is
 * told to.
 *
 * Purpose:    tests of the engine under syncs that hang, writes and syncs that fail, and a full disk.
 * Owns:       its files; the io behind it belongs to the caller.
 * Threads:    any; the switches may be turned while the engine runs.
 *
 * Faults:     failing syncs and writes have no effect below; "full" refuses whatever would need more space: creating,
 *             making directories, writing past a file's end. Only segments (spares in the making
 * included) are counted, held and failed.
 */
#ifndef TEST_ENGINE_WRAP_IO_H
#define TEST_ENGINE_WRAP_IO_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

typedef struct wrap_io {
    tl_io io;
    tl_io *inner;
    const char *victim; /* part of the path of what is counted, held and failed; NULL: every segment
                         */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* with mutex */
    /* [mutex] from here on */
    bool hold_syncs;
    unsigned held;  /* threads that sleep in a sync */
    int fail_syncs; /* errno for every sync from now on, 0: none */
    int fail_writes;
    bool full;
    long fail_sync_in;  /* the n-th from now on fails once with EIO, 0: none */
    long fail_write_in; /* likewise; with the number of bytes below written all the same */
    unsigned long syncs;
    unsigned long writes;
    unsigned long opens;
} wrap_io;

typedef struct wrap_file {
    tl_file file;
    tl_file *inner;
    wrap_io *wrap;
    bool counts; /* a segment */
} wrap_file;

static inline wrap_io *wrap_of(tl_io *io) {
    return (wrap_io *)io;
}

static inline wrap_file *wrapped(tl_file *file) {
    return (wrap_file *)file;
}

extern const tl_io_ops wrap_ops;

static int wrap_adopt(wrap_io *wrap, tl_file *inner, const char *path, tl_file **out_file) {
    wrap_file *file = calloc(1, sizeof *file);
    if (!file) {
        inner->ops->close(inner);
        return ENOMEM;
    }
    const char *slash = strrchr(path, '/');
    file->file.ops = &wrap_ops;
    file->inner = inner;
    file->wrap = wrap;
    const char *name = slash ? slash + 1 : path;
    file->counts = (strncmp(name, "segment-", 8) == 0 || strcmp(name, ".new-segment.log") == 0) &&
                   (!wrap->victim || strstr(path, wrap->victim));
    *out_file = &file->file;
    return 0;
}

static bool wrap_is_full(wrap_io *wrap) {
    pthread_mutex_lock(&wrap->mutex);
    bool full = wrap->full;
    pthread_mutex_unlock(&wrap->mutex);
    return full;
}

static int wrap_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    wrap_io *wrap = wrap_of(io);
    tl_file *inner = NULL;
    if ((flags & TL_OPEN_CREATE) && wrap_is_full(wrap)) {
        return ENOSPC;
    }
    int rc = wrap->inner->ops->open(wrap->inner, path, flags, &inner);
    return rc != 0 ? rc : wrap_adopt(wrap, inner, path, out_file);
}

static void wrap_close(tl_file *file) {
    wrapped(file)->inner->ops->close(wrapped(file)->inner);
    free(file);
}

static int wrap_pread(tl_file *file, void *data, size_t len, uint64_t offset, size_t *out_len) {
    tl_file *inner = wrapped(file)->inner;
    return inner->ops->pread(inner, data, len, offset, out_len);
}

/* Counts down; true when it is this one's turn. */
static bool wrap_turn(long *countdown) {
    return *countdown > 0 && --*countdown == 0;
}

static int wrap_pwrite(tl_file *base, const void *data, size_t len, uint64_t offset) {
    wrap_file *file = wrapped(base);
    uint64_t size = 0;
    int rc = file->inner->ops->size(file->inner, &size);
    pthread_mutex_lock(&file->wrap->mutex);
    if (rc == 0 && file->wrap->full && offset + len > size) {
        rc = ENOSPC;
    }
    if (rc == 0 && file->counts) {
        file->wrap->writes++;
        rc = wrap_turn(&file->wrap->fail_write_in) ? EIO : file->wrap->fail_writes;
    }
    pthread_mutex_unlock(&file->wrap->mutex);
    return rc != 0 ? rc : file->inner->ops->pwrite(file->inner, data, len, offset);
}

static int wrap_sync(tl_file *base) {
    wrap_file *file = wrapped(base);
    wrap_io *wrap = file->wrap;
    int rc = 0;
    pthread_mutex_lock(&wrap->mutex);
    if (file->counts) {
        wrap->syncs++;
        while (wrap->hold_syncs) {
            wrap->held++;
            pthread_cond_broadcast(&wrap->changed);
            pthread_cond_wait(&wrap->changed, &wrap->mutex);
            wrap->held--;
        }
        rc = wrap_turn(&wrap->fail_sync_in) ? EIO : wrap->fail_syncs;
    }
    pthread_mutex_unlock(&wrap->mutex);
    return rc != 0 ? rc : file->inner->ops->sync(file->inner);
}

static int wrap_size(tl_file *file, uint64_t *out_bytes) {
    return wrapped(file)->inner->ops->size(wrapped(file)->inner, out_bytes);
}

static int wrap_truncate(tl_file *file, uint64_t bytes) {
    uint64_t size = 0;
    int rc = wrap_size(file, &size);
    if (rc == 0 && bytes > size && wrap_is_full(wrapped(file)->wrap)) {
        rc = ENOSPC;
    }
    return rc != 0 ? rc : wrapped(file)->inner->ops->truncate(wrapped(file)->inner, bytes);
}

static int wrap_drop_cache(tl_file *file) {
    return wrapped(file)->inner->ops->drop_cache(wrapped(file)->inner);
}

static int wrap_mkdir(tl_io *io, const char *path) {
    return wrap_is_full(wrap_of(io)) ? ENOSPC
                                     : wrap_of(io)->inner->ops->mkdir(wrap_of(io)->inner, path);
}

static int wrap_rename(tl_io *io, const char *from, const char *to) {
    return wrap_of(io)->inner->ops->rename(wrap_of(io)->inner, from, to);
}

static int wrap_unlink(tl_io *io, const char *path) {
    return wrap_of(io)->inner->ops->unlink(wrap_of(io)->inner, path);
}

static int wrap_rmdir(tl_io *io, const char *path) {
    return wrap_of(io)->inner->ops->rmdir(wrap_of(io)->inner, path);
}

static int wrap_sync_dir(tl_io *io, const char *path) {
    return wrap_of(io)->inner->ops->sync_dir(wrap_of(io)->inner, path);
}

static int wrap_identity(tl_io *io, const char *path, tl_identity *out_identity) {
    return wrap_of(io)->inner->ops->identity(wrap_of(io)->inner, path, out_identity);
}

static int wrap_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    return wrap_of(io)->inner->ops->list(wrap_of(io)->inner, path, each, context);
}

static int wrap_lock(tl_io *io, const char *path, tl_file **out_file, int64_t *out_pid) {
    tl_file *inner = NULL;
    int rc = wrap_of(io)->inner->ops->lock(wrap_of(io)->inner, path, &inner, out_pid);
    return rc != 0 ? rc : wrap_adopt(wrap_of(io), inner, path, out_file);
}

static int64_t wrap_now_us(tl_io *io) {
    return wrap_of(io)->inner->ops->now_us(wrap_of(io)->inner);
}

static int wrap_random(tl_io *io, void *data, size_t len) {
    return wrap_of(io)->inner->ops->random(wrap_of(io)->inner, data, len);
}

const tl_io_ops wrap_ops = {
    .open = wrap_open,
    .close = wrap_close,
    .pread = wrap_pread,
    .pwrite = wrap_pwrite,
    .sync = wrap_sync,
    .size = wrap_size,
    .truncate = wrap_truncate,
    .drop_cache = wrap_drop_cache,
    .mkdir = wrap_mkdir,
    .rename = wrap_rename,
    .unlink = wrap_unlink,
    .rmdir = wrap_rmdir,
    .sync_dir = wrap_sync_dir,
    .identity = wrap_identity,
    .list = wrap_list,
    .lock = wrap_lock,
    .now_us = wrap_now_us,
    .random = wrap_random,
};

static inline void wrap_init(wrap_io *wrap, tl_io *inner) {
    memset(wrap, 0, sizeof *wrap);
    wrap->io.ops = &wrap_ops;
    wrap->inner = inner;
    pthread_mutex_init(&wrap->mutex, NULL);
    pthread_cond_init(&wrap->changed, NULL);
}

static inline void wrap_destroy(wrap_io *wrap) {
    pthread_cond_destroy(&wrap->changed);
    pthread_mutex_destroy(&wrap->mutex);
}

/* From now on syncs sleep (true) or go on (false). */
static inline void wrap_hold(wrap_io *wrap, bool hold) {
    pthread_mutex_lock(&wrap->mutex);
    wrap->hold_syncs = hold;
    pthread_cond_broadcast(&wrap->changed);
    pthread_mutex_unlock(&wrap->mutex);
}

/* Returns when a thread sleeps in a sync. */
static inline void wrap_await_held(wrap_io *wrap) {
    pthread_mutex_lock(&wrap->mutex);
    while (wrap->held == 0) {
        pthread_cond_wait(&wrap->changed, &wrap->mutex);
    }
    pthread_mutex_unlock(&wrap->mutex);
}

static inline void wrap_fail(wrap_io *wrap, int fail_syncs, int fail_writes) {
    pthread_mutex_lock(&wrap->mutex);
    wrap->fail_syncs = fail_syncs;
    wrap->fail_writes = fail_writes;
    pthread_mutex_unlock(&wrap->mutex);
}

static inline void wrap_fill(wrap_io *wrap, bool full) {
    pthread_mutex_lock(&wrap->mutex);
    wrap->full = full;
    pthread_mutex_unlock(&wrap->mutex);
}

static inline void wrap_countdown(wrap_io *wrap, long sync_in, long write_in) {
    pthread_mutex_lock(&wrap->mutex);
    wrap->fail_sync_in = sync_in;
    wrap->fail_write_in = write_in;
    pthread_mutex_unlock(&wrap->mutex);
}

/* True when the fault of wrap_countdown has not happened. */
static inline bool wrap_pending(wrap_io *wrap) {
    pthread_mutex_lock(&wrap->mutex);
    bool pending = wrap->fail_sync_in > 0 || wrap->fail_write_in > 0;
    pthread_mutex_unlock(&wrap->mutex);
    return pending;
}

static inline unsigned long wrap_syncs(wrap_io *wrap) {
    pthread_mutex_lock(&wrap->mutex);
    unsigned long syncs = wrap->syncs;
    pthread_mutex_unlock(&wrap->mutex);
    return syncs;
}

#endif
