/*
 * still_io.h: the file system in memory, its clock stopped and its random numbers all the same.
 *
 * Purpose:    the same input makes the same files, byte for byte.
 * Owns:       a still_io owns the memory below it.
 * Threads:    any.
 */
#ifndef TEST_FUZZ_STILL_IO_H
#define TEST_FUZZ_STILL_IO_H

#include "base/io.h"
#include "fuzz.h"

typedef struct still_io {
    tl_io io;
    tl_io *memory;
} still_io;

static tl_io *below(tl_io *io) {
    return ((still_io *)io)->memory;
}

static int still_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    return below(io)->ops->open(below(io), path, flags, out_file);
}

static int still_mkdir(tl_io *io, const char *path) {
    return below(io)->ops->mkdir(below(io), path);
}

static int still_rename(tl_io *io, const char *from, const char *to) {
    return below(io)->ops->rename(below(io), from, to);
}

static int still_unlink(tl_io *io, const char *path) {
    return below(io)->ops->unlink(below(io), path);
}

static int still_rmdir(tl_io *io, const char *path) {
    return below(io)->ops->rmdir(below(io), path);
}

static int still_sync_dir(tl_io *io, const char *path) {
    return below(io)->ops->sync_dir(below(io), path);
}

static int still_identity(tl_io *io, const char *path, tl_identity *out_identity) {
    return below(io)->ops->identity(below(io), path, out_identity);
}

static int still_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    return below(io)->ops->list(below(io), path, each, context);
}

static int still_lock(tl_io *io, const char *path, tl_file **out_file, int64_t *out_pid) {
    return below(io)->ops->lock(below(io), path, out_file, out_pid);
}

static int64_t still_lock_holder(tl_io *io, const char *path) {
    return below(io)->ops->lock_holder(below(io), path);
}

static int64_t still_now_us(tl_io *io) {
    (void)io;
    return 1000000;
}

static int still_random(tl_io *io, void *data, size_t len) {
    (void)io;
    memset(data, 0x5A, len);
    return 0;
}

/* A file that was opened is the memory's own, and brings its functions along. */
static const tl_io_ops still_ops = {
    .open = still_open,
    .mkdir = still_mkdir,
    .rename = still_rename,
    .unlink = still_unlink,
    .rmdir = still_rmdir,
    .sync_dir = still_sync_dir,
    .identity = still_identity,
    .list = still_list,
    .lock = still_lock,
    .lock_holder = still_lock_holder,
    .now_us = still_now_us,
    .random = still_random,
};

static tl_io *still_new(void) {
    still_io *still = fuzz_alloc(sizeof *still);
    still->io.ops = &still_ops;
    still->memory = tl_io_memory_new();
    must(still->memory != NULL);
    return &still->io;
}

static void still_free(tl_io *io) {
    tl_io_memory_free(below(io));
    free(io);
}

#endif
