/*
 * crash_disk.h: an io that records what is done to it, and builds the disks that a power cut may
 * leave.
 *
 * Purpose:    crash at every operation, with any subset of what was not synced.
 * Owns:       the record; the io below belongs to the caller. The disks it builds belong to the caller.
 * Threads:    one.
 *
 * Fault model: a synced write stays. Of what was not synced each 512-byte sector shows a version of its own: as it was, or after
 *             the first, the second ... write that touched it. A truncation or an extension that
 * was not synced happens or not. Names (files created, renamed, removed) become durable with
 * sync_dir of their directory; those that are not keep their order: some first ones of them
 * happened.
 */
#ifndef TEST_LOG_CRASH_DISK_H
#define TEST_LOG_CRASH_DISK_H

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

enum {
    DISK_SECTOR = 512,
    DISK_SECTORS_MAX = 4096,
    DISK_FILES_MAX = 256,
    DISK_NAMES_MAX = 128,
    DISK_IS_DIR = -1
};

typedef enum disk_kind {
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_CREATE,
    DISK_MKDIR,
    DISK_RENAME,
    DISK_UNLINK, /* and rmdir */
    DISK_SYNC_DIR
} disk_kind;

typedef struct disk_op {
    disk_kind kind;
    int file;
    uint64_t offset; /* or the size */
    size_t len;
    uint8_t *data;
    char path[96];
    char to[96];
} disk_op;

typedef struct disk_name {
    char path[96];
    int file; /* or DISK_IS_DIR */
} disk_name;

typedef struct crash_disk {
    tl_io io;
    tl_io *below;
    disk_op *ops;
    size_t count;
    size_t cap;
    disk_name names[DISK_NAMES_MAX]; /* as they are now */
    size_t name_count;
    int file_count;
    /* What was there when recording began, as contents by file number. */
    uint8_t *first_data[DISK_FILES_MAX];
    size_t first_len[DISK_FILES_MAX];
    disk_name first_names[DISK_NAMES_MAX];
    size_t first_name_count;
} crash_disk;

typedef struct crash_file {
    tl_file file;
    tl_file *below;
    crash_disk *disk;
    int number;
} crash_file;

/* ---- Recording --------------------------------------------------------------------------------- */

static inline disk_op *disk_record(crash_disk *d, disk_kind kind, const char *path) {
    if (d->count == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 64;
        d->ops = realloc(d->ops, d->cap * sizeof *d->ops);
        assert(d->ops);
    }
    disk_op *op = &d->ops[d->count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    (void)snprintf(op->path, sizeof op->path, "%s", path);
    return op;
}

static inline disk_name *disk_find(disk_name *names, size_t count, const char *path) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].path, path) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static inline void disk_remove(disk_name *names, size_t *count, const char *path) {
    disk_name *name = disk_find(names, *count, path);
    if (name) {
        *name = names[--*count];
    }
}

/* What an operation does to names. */
static inline void disk_apply_name(disk_name *names, size_t *count, const disk_op *op) {
    size_t from_len = strlen(op->path);
    switch (op->kind) {
    case DISK_CREATE:
    case DISK_MKDIR:
        assert(*count < DISK_NAMES_MAX);
        disk_remove(names, count, op->path);
        (void)snprintf(names[*count].path, sizeof names->path, "%s", op->path);
        names[(*count)++].file = op->file;
        break;
    case DISK_UNLINK: disk_remove(names, count, op->path); break;
    case DISK_RENAME:
        if (disk_find(names, *count, op->path)) {
            disk_remove(names, count, op->to);
        }
        for (size_t i = 0; i < *count; i++) { /* itself, and what lies below it */
            if (strncmp(names[i].path, op->path, from_len) == 0 &&
                (names[i].path[from_len] == '\0' || names[i].path[from_len] == '/')) {
                char moved[200];
                (void)snprintf(moved, sizeof moved, "%s%s", op->to, names[i].path + from_len);
                assert(strlen(moved) < sizeof names->path);
                memcpy(names[i].path, moved, strlen(moved) + 1);
            }
        }
        break;
    default: break;
    }
}

static inline int disk_adopt(crash_disk *d, tl_file *below, int number, tl_file **out) {
    crash_file *f = calloc(1, sizeof *f);
    assert(f);
    f->file.ops = d->io.ops;
    f->below = below;
    f->disk = d;
    f->number = number;
    *out = &f->file;
    return 0;
}

static inline crash_disk *disk_of(tl_io *io) {
    return (crash_disk *)io;
}

static int disk_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    crash_disk *d = disk_of(io);
    tl_file *below = NULL;
    int rc = d->below->ops->open(d->below, path, flags, &below);
    if (rc != 0) {
        return rc;
    }
    if (flags & TL_OPEN_CREATE) {
        assert(d->file_count < DISK_FILES_MAX);
        disk_op *op = disk_record(d, DISK_CREATE, path);
        op->file = d->file_count++;
        disk_apply_name(d->names, &d->name_count, op);
    }
    return disk_adopt(d, below, disk_find(d->names, d->name_count, path)->file, out_file);
}

static void disk_close(tl_file *file) {
    crash_file *f = (crash_file *)file;
    f->below->ops->close(f->below);
    free(f);
}

static int disk_pread(tl_file *file, void *data, size_t len, uint64_t offset, size_t *out_len) {
    crash_file *f = (crash_file *)file;
    return f->below->ops->pread(f->below, data, len, offset, out_len);
}

static int disk_pwrite(tl_file *file, const void *data, size_t len, uint64_t offset) {
    crash_file *f = (crash_file *)file;
    disk_op *op = disk_record(f->disk, DISK_WRITE, "");
    op->file = f->number;
    op->offset = offset;
    op->len = len;
    op->data = malloc(len);
    assert(op->data);
    memcpy(op->data, data, len);
    return f->below->ops->pwrite(f->below, data, len, offset);
}

static int disk_sync(tl_file *file) {
    crash_file *f = (crash_file *)file;
    disk_record(f->disk, DISK_SYNC, "")->file = f->number;
    return f->below->ops->sync(f->below);
}

static int disk_size(tl_file *file, uint64_t *out_bytes) {
    crash_file *f = (crash_file *)file;
    return f->below->ops->size(f->below, out_bytes);
}

static int disk_truncate(tl_file *file, uint64_t bytes) {
    crash_file *f = (crash_file *)file;
    disk_op *op = disk_record(f->disk, DISK_TRUNCATE, "");
    op->file = f->number;
    op->offset = bytes;
    return f->below->ops->truncate(f->below, bytes);
}

static int disk_drop_cache(tl_file *file) {
    (void)file;
    return 0;
}

static int disk_mkdir(tl_io *io, const char *path) {
    crash_disk *d = disk_of(io);
    int rc = d->below->ops->mkdir(d->below, path);
    if (rc == 0) {
        disk_op *op = disk_record(d, DISK_MKDIR, path);
        op->file = DISK_IS_DIR;
        disk_apply_name(d->names, &d->name_count, op);
    }
    return rc;
}

static int disk_rename(tl_io *io, const char *from, const char *to) {
    crash_disk *d = disk_of(io);
    int rc = d->below->ops->rename(d->below, from, to);
    if (rc == 0) {
        disk_op *op = disk_record(d, DISK_RENAME, from);
        (void)snprintf(op->to, sizeof op->to, "%s", to);
        disk_apply_name(d->names, &d->name_count, op);
    }
    return rc;
}

static int disk_unlink(tl_io *io, const char *path) {
    crash_disk *d = disk_of(io);
    int rc = d->below->ops->unlink(d->below, path);
    if (rc == 0) {
        disk_apply_name(d->names, &d->name_count, disk_record(d, DISK_UNLINK, path));
    }
    return rc;
}

static int disk_rmdir(tl_io *io, const char *path) {
    crash_disk *d = disk_of(io);
    int rc = d->below->ops->rmdir(d->below, path);
    if (rc == 0) {
        disk_apply_name(d->names, &d->name_count, disk_record(d, DISK_UNLINK, path));
    }
    return rc;
}

static int disk_sync_dir(tl_io *io, const char *path) {
    crash_disk *d = disk_of(io);
    (void)disk_record(d, DISK_SYNC_DIR, path);
    return d->below->ops->sync_dir(d->below, path);
}

static int disk_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    crash_disk *d = disk_of(io);
    return d->below->ops->list(d->below, path, each, context);
}

static int64_t disk_now_us(tl_io *io) {
    crash_disk *d = disk_of(io);
    return d->below->ops->now_us(d->below);
}

static int disk_random(tl_io *io, void *data, size_t len) {
    crash_disk *d = disk_of(io);
    return d->below->ops->random(d->below, data, len);
}

static const tl_io_ops disk_ops = {
    .open = disk_open,
    .close = disk_close,
    .pread = disk_pread,
    .pwrite = disk_pwrite,
    .sync = disk_sync,
    .size = disk_size,
    .truncate = disk_truncate,
    .drop_cache = disk_drop_cache,
    .mkdir = disk_mkdir,
    .rename = disk_rename,
    .unlink = disk_unlink,
    .rmdir = disk_rmdir,
    .sync_dir = disk_sync_dir,
    .list = disk_list,
    .now_us = disk_now_us,
    .random = disk_random,
};

typedef struct disk_listing {
    crash_disk *disk;
    const char *dir;
} disk_listing;

static int disk_note_first(void *context, const char *name) {
    const disk_listing *l = context;
    crash_disk *d = l->disk;
    disk_name *entry = &d->names[d->name_count++];
    tl_file *file = NULL;
    uint64_t size = 0;
    (void)snprintf(entry->path, sizeof entry->path, "%s/%s", l->dir, name);
    entry->file = d->file_count;
    int rc = d->below->ops->open(d->below, entry->path, TL_OPEN_READ, &file);
    assert(rc == 0);
    rc = file->ops->size(file, &size);
    assert(rc == 0);
    d->first_data[d->file_count] = malloc((size_t)size + 1);
    rc = file->ops->pread(file, d->first_data[d->file_count], (size_t)size, 0,
                          &d->first_len[d->file_count]);
    assert(rc == 0);
    (void)rc;
    file->ops->close(file);
    d->file_count++;
    return 0;
}

/* Begins to record over an io in which `parent` and (unless NULL) its subdirectory `dir` are there,
 * durable. */
static inline void disk_begin(crash_disk *d, tl_io *below, const char *parent, const char *dir) {
    memset(d, 0, sizeof *d);
    d->io.ops = &disk_ops;
    d->below = below;
    d->names[0].file = DISK_IS_DIR;
    (void)snprintf(d->names[0].path, sizeof d->names[0].path, "%s", parent);
    d->name_count = 1;
    if (dir) {
        d->names[1].file = DISK_IS_DIR;
        (void)snprintf(d->names[1].path, sizeof d->names[1].path, "%s", dir);
        d->name_count = 2;
        disk_listing l = {d, dir};
        int rc = below->ops->list(below, dir, disk_note_first, &l);
        assert(rc == 0);
        (void)rc;
    }
    memcpy(d->first_names, d->names, sizeof d->names);
    d->first_name_count = d->name_count;
}

static inline void disk_end(crash_disk *d) {
    for (size_t i = 0; i < d->count; i++) {
        free(d->ops[i].data);
    }
    for (int i = 0; i < d->file_count; i++) {
        free(d->first_data[i]);
    }
    free(d->ops);
    memset(d, 0, sizeof *d);
}

/* ---- Power cut --------------------------------------------------------------------------------- */

typedef enum disk_policy { DISK_KEEP_NONE, DISK_KEEP_ALL, DISK_KEEP_SOME } disk_policy;

typedef struct disk_build {
    uint64_t random; /* splitmix64 */
    disk_policy policy;
    uint8_t *data[DISK_FILES_MAX];
    size_t len[DISK_FILES_MAX];
    uint8_t *frozen[DISK_FILES_MAX]; /* by sector: a write to it was lost, and so are all later ones
                                      */
    disk_name names[DISK_NAMES_MAX];
    size_t name_count;
} disk_build;

static inline bool disk_keeps(disk_build *b) {
    uint64_t z = b->random += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    z ^= z >> 31;
    return b->policy == DISK_KEEP_ALL || (b->policy == DISK_KEEP_SOME && z % 2 == 0);
}

static inline void disk_resize(disk_build *b, int file, size_t len) {
    uint8_t *data = realloc(b->data[file], len + 1);
    assert(data);
    if (len > b->len[file]) {
        memset(data + b->len[file], 0, len - b->len[file]);
    }
    b->data[file] = data;
    b->len[file] = len;
}

/* One operation on contents, whole when it was synced, else by sectors. */
static inline void disk_apply_data(disk_build *b, const disk_op *op, bool synced) {
    if (op->kind == DISK_TRUNCATE) {
        if (synced || disk_keeps(b)) {
            disk_resize(b, op->file, (size_t)op->offset);
        }
        return;
    }
    size_t end = (size_t)op->offset + op->len;
    assert(end <= (size_t)DISK_SECTORS_MAX * DISK_SECTOR);
    if (end > b->len[op->file] && (synced || disk_keeps(b))) {
        disk_resize(b, op->file, end); /* the size came, the sectors perhaps not */
    }
    for (size_t at = (size_t)op->offset; at < end;) {
        size_t to = (at / DISK_SECTOR + 1) * DISK_SECTOR;
        to = to < end ? to : end;
        uint8_t *frozen = &b->frozen[op->file][at / DISK_SECTOR];
        *frozen = *frozen || (!synced && !disk_keeps(b));
        if (!*frozen) {
            if (to > b->len[op->file]) {
                disk_resize(b, op->file, to);
            }
            memcpy(b->data[op->file] + at, op->data + (at - (size_t)op->offset), to - at);
        }
        at = to;
    }
}

static inline bool disk_is_synced(const crash_disk *d, size_t i, size_t k) {
    for (size_t j = i + 1; j < k; j++) {
        if (d->ops[j].kind == DISK_SYNC && d->ops[j].file == d->ops[i].file) {
            return true;
        }
    }
    return false;
}

static inline bool disk_in_dir(const char *path, const char *dir) {
    const char *slash = strrchr(path, '/');
    size_t len = (size_t)(slash - path);
    return strlen(dir) == len && strncmp(path, dir, len) == 0;
}

static inline bool disk_name_is_synced(const crash_disk *d, size_t i, size_t k) {
    for (size_t j = i + 1; j < k; j++) {
        if (d->ops[j].kind == DISK_SYNC_DIR && disk_in_dir(d->ops[i].path, d->ops[j].path)) {
            return true;
        }
    }
    return false;
}

/* A fresh io in memory as a power cut before operation k may leave the disk. */
static inline tl_io *disk_crash(const crash_disk *d, size_t k, disk_policy policy, uint64_t seed) {
    disk_build b = {.random = seed, .policy = policy, .name_count = d->first_name_count};
    memcpy(b.names, d->first_names, sizeof b.names);
    for (int i = 0; i < d->file_count; i++) {
        disk_resize(&b, i, d->first_len[i]);
        b.frozen[i] = calloc(1, DISK_SECTORS_MAX);
        assert(b.frozen[i]);
        if (d->first_data[i]) {
            memcpy(b.data[i], d->first_data[i], d->first_len[i]);
        }
    }
    bool names_end = false;
    for (size_t i = 0; i < k; i++) {
        const disk_op *op = &d->ops[i];
        if (op->kind <= DISK_TRUNCATE) {
            disk_apply_data(&b, op, disk_is_synced(d, i, k));
        } else if (op->kind >= DISK_CREATE && op->kind <= DISK_UNLINK) {
            bool synced = disk_name_is_synced(d, i, k);
            names_end = names_end || (!synced && !disk_keeps(&b));
            if (synced || !names_end) {
                disk_apply_name(b.names, &b.name_count, op);
            }
        }
    }
    tl_io *io = tl_io_memory_new();
    assert(io);
    for (bool progress = true; progress;) { /* parents first; what has no parent is not there */
        progress = false;
        for (size_t i = 0; i < b.name_count; i++) {
            disk_name *n = &b.names[i];
            tl_file *file = NULL;
            int rc = n->path[0] == '\0' ? EEXIST
                     : n->file == DISK_IS_DIR
                         ? io->ops->mkdir(io, n->path)
                         : io->ops->open(io, n->path, TL_OPEN_WRITE | TL_OPEN_CREATE, &file);
            if (rc == 0) {
                if (file) {
                    rc = file->ops->pwrite(file, b.data[n->file], b.len[n->file], 0);
                    assert(rc == 0);
                    file->ops->close(file);
                }
                n->path[0] = '\0';
                progress = true;
            }
        }
    }
    for (int i = 0; i < d->file_count; i++) {
        free(b.data[i]);
        free(b.frozen[i]);
    }
    return io;
}

#endif
