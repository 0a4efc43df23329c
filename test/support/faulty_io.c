#include "faulty_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a write replaced, until that write is on the device. */
struct faulty_undo {
    faulty_undo *next;
    bool lost; /* a sync of it has failed */
    char *path;
    uint64_t offset;
    uint64_t size; /* of the file before */
    size_t len;
    uint8_t old[];
};

typedef struct faulty_file {
    tl_file file;
    tl_file *below;
    faulty_io *owner;
    char *path;
} faulty_file;

static const tl_io_ops faulty_ops;

static faulty_io *owner_of(tl_io *io) {
    return (faulty_io *)io;
}

static faulty_file *file_of(tl_file *file) {
    return (faulty_file *)file;
}

static char *copy_text(const char *text) {
    size_t len = strlen(text) + 1;
    char *copy = malloc(len);
    if (copy) {
        memcpy(copy, text, len);
    }
    return copy;
}

/* ---- Control ---------------------------------------------------------------------------------- */

void faulty_init(faulty_io *faulty, tl_io *below) {
    *faulty = (faulty_io){.io = {&faulty_ops}, .below = below};
    pthread_mutex_init(&faulty->mutex, NULL);
}

/* Forgets what is pending (and, when `lost`, lost) for a file, or all files. */
static void forget(faulty_io *faulty, const char *path, bool lost) {
    for (faulty_undo **at = &faulty->undo; *at;) {
        faulty_undo *undo = *at;
        if ((!path || strcmp(undo->path, path) == 0) && (lost || !undo->lost)) {
            *at = undo->next;
            free(undo->path);
            free(undo);
        } else {
            at = &undo->next;
        }
    }
}

void faulty_done(faulty_io *faulty) {
    forget(faulty, NULL, true);
    pthread_mutex_destroy(&faulty->mutex);
}

void faulty_reset_counts(faulty_io *faulty) {
    pthread_mutex_lock(&faulty->mutex);
    memset(faulty->count, 0, sizeof faulty->count);
    faulty->total = 0;
    faulty->changes = 0;
    faulty->grows = 0;
    pthread_mutex_unlock(&faulty->mutex);
}

void faulty_fail(faulty_io *faulty, faulty_op op, uint64_t nth, int os_errno, bool for_ever) {
    pthread_mutex_lock(&faulty->mutex);
    faulty->fail_op = op;
    faulty->fail_in = nth;
    faulty->fail_errno = os_errno;
    faulty->fail_on = for_ever;
    pthread_mutex_unlock(&faulty->mutex);
}

void faulty_lose(faulty_io *faulty, bool lose) {
    pthread_mutex_lock(&faulty->mutex);
    faulty->lose = lose;
    pthread_mutex_unlock(&faulty->mutex);
}

void faulty_heal(faulty_io *faulty) {
    faulty_fail(faulty, FAULTY_ANY, 0, 0, false);
    faulty_set_full(faulty, false);
}

void faulty_set_full(faulty_io *faulty, bool full) {
    pthread_mutex_lock(&faulty->mutex);
    faulty->full = full;
    pthread_mutex_unlock(&faulty->mutex);
}

/* Counts an operation; the errno it fails with, or 0. */
static int ask_locked(faulty_io *faulty, faulty_op op) {
    faulty->count[op]++;
    faulty->total++;
    bool changes = op == FAULTY_PWRITE || op == FAULTY_SYNC || op == FAULTY_TRUNCATE ||
                   (op >= FAULTY_MKDIR && op <= FAULTY_SYNC_DIR);
    faulty->changes += changes;
    if (faulty->fail_in == 0 || (faulty->fail_op != FAULTY_ANY && faulty->fail_op != op)) {
        return 0;
    }
    if (faulty->fail_in > 1) {
        faulty->fail_in--;
        return 0;
    }
    if (!faulty->fail_on) {
        faulty->fail_in = 0;
    }
    return faulty->fail_errno;
}

static int ask(faulty_io *faulty, faulty_op op) {
    pthread_mutex_lock(&faulty->mutex);
    int rc = ask_locked(faulty, op);
    pthread_mutex_unlock(&faulty->mutex);
    return rc;
}

/* As ask, for what needs space. */
static int ask_space(faulty_io *faulty, faulty_op op) {
    pthread_mutex_lock(&faulty->mutex);
    int rc = ask_locked(faulty, op);
    if (rc == 0 && faulty->full) {
        rc = ENOSPC;
    }
    pthread_mutex_unlock(&faulty->mutex);
    return rc;
}

/* ---- Files ------------------------------------------------------------------------------------ */

static int adopt(faulty_io *faulty, tl_file *below, const char *path, tl_file **out_file) {
    faulty_file *file = calloc(1, sizeof *file);
    char *copy = copy_text(path);
    if (!file || !copy) {
        free(file);
        free(copy);
        below->ops->close(below);
        return ENOMEM;
    }
    file->file.ops = &faulty_ops;
    file->below = below;
    file->owner = faulty;
    file->path = copy;
    *out_file = &file->file;
    return 0;
}

static int faulty_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    faulty_io *faulty = owner_of(io);
    tl_file *below = NULL;
    int rc = flags & TL_OPEN_CREATE ? ask_space(faulty, FAULTY_OPEN) : ask(faulty, FAULTY_OPEN);
    if (rc == 0) {
        rc = faulty->below->ops->open(faulty->below, path, flags, &below);
    }
    if (rc == 0 && (flags & TL_OPEN_CREATE)) {
        pthread_mutex_lock(&faulty->mutex);
        faulty->changes++;
        pthread_mutex_unlock(&faulty->mutex);
    }
    return rc == 0 ? adopt(faulty, below, path, out_file) : rc;
}

static void faulty_close(tl_file *file) {
    faulty_file *f = file_of(file);
    f->below->ops->close(f->below);
    free(f->path);
    free(f);
}

static int faulty_pread(tl_file *file, void *data, size_t len, uint64_t offset, size_t *out_len) {
    faulty_file *f = file_of(file);
    int rc = ask(f->owner, FAULTY_PREAD);
    return rc == 0 ? f->below->ops->pread(f->below, data, len, offset, out_len) : rc;
}

/* Remembers what a write is about to replace. */
static int remember_locked(faulty_file *f, uint64_t size, size_t len, uint64_t offset) {
    faulty_undo *undo = calloc(1, sizeof *undo + len);
    if (!undo) {
        return ENOMEM;
    }
    undo->path = copy_text(f->path);
    undo->offset = offset;
    undo->size = size;
    int rc = f->below->ops->pread(f->below, undo->old, len, offset, &undo->len);
    if (rc != 0 || !undo->path) {
        free(undo->path);
        free(undo);
        return rc != 0 ? rc : ENOMEM;
    }
    undo->next = f->owner->undo;
    f->owner->undo = undo;
    return 0;
}

/* What is written again is no longer lost, if it can be synced. */
static void revive_locked(const faulty_file *f, size_t len, uint64_t offset) {
    for (faulty_undo *undo = f->owner->undo; undo; undo = undo->next) {
        if (undo->lost && strcmp(undo->path, f->path) == 0 && undo->offset >= offset &&
            undo->offset + undo->len <= offset + len) {
            undo->lost = false;
        }
    }
}

static int faulty_pwrite(tl_file *file, const void *data, size_t len, uint64_t offset) {
    faulty_file *f = file_of(file);
    faulty_io *faulty = f->owner;
    uint64_t size = 0;
    pthread_mutex_lock(&faulty->mutex);
    int rc = ask_locked(faulty, FAULTY_PWRITE);
    if (rc == 0) {
        rc = f->below->ops->size(f->below, &size);
    }
    if (rc == 0 && faulty->lose) {
        revive_locked(f, len, offset);
        rc = remember_locked(f, size, len, offset);
    }
    bool grows = offset + len > size;
    if (rc == 0 && grows && faulty->full) {
        (void)f->below->ops->pwrite(f->below, data, len / 2, offset);
        rc = ENOSPC;
    }
    faulty->grows += rc == 0 && grows;
    size_t split = faulty->split ? faulty->split : len;
    pthread_mutex_unlock(&faulty->mutex);
    for (size_t at = 0; at < len && rc == 0; at += split) {
        size_t piece = len - at < split ? len - at : split;
        rc = f->below->ops->pwrite(f->below, (const uint8_t *)data + at, piece, offset + at);
    }
    return rc;
}

/* Puts the old bytes back, newest write first: those lost for one file, or all. */
static void undo_locked(faulty_io *faulty, const char *path) {
    for (faulty_undo *undo = faulty->undo; undo; undo = undo->next) {
        tl_file *file = NULL;
        if (path && (!undo->lost || strcmp(undo->path, path) != 0)) {
            continue;
        }
        if (faulty->below->ops->open(faulty->below, undo->path, TL_OPEN_WRITE, &file) == 0) {
            (void)file->ops->pwrite(file, undo->old, undo->len, undo->offset);
            (void)file->ops->truncate(file, undo->size);
            file->ops->close(file);
        }
        undo->lost = true;
    }
    for (faulty_undo **at = &faulty->undo; *at;) {
        faulty_undo *undo = *at;
        if (!path || (undo->lost && strcmp(undo->path, path) == 0)) {
            *at = undo->next;
            free(undo->path);
            free(undo);
        } else {
            at = &undo->next;
        }
    }
}

void faulty_cut_power(faulty_io *faulty) {
    pthread_mutex_lock(&faulty->mutex);
    undo_locked(faulty, NULL);
    pthread_mutex_unlock(&faulty->mutex);
}

static void lose_locked(faulty_file *f) {
    for (faulty_undo *undo = f->owner->undo; undo; undo = undo->next) {
        undo->lost = undo->lost || strcmp(undo->path, f->path) == 0;
    }
}

static int faulty_sync(tl_file *file) {
    faulty_file *f = file_of(file);
    pthread_mutex_lock(&f->owner->mutex);
    int rc = ask_locked(f->owner, FAULTY_SYNC);
    f->owner->last_synced = file;
    if (rc == 0) {
        forget(f->owner, f->path, false);
    } else if (f->owner->lose) {
        lose_locked(f);
    }
    pthread_mutex_unlock(&f->owner->mutex);
    return rc == 0 ? f->below->ops->sync(f->below) : rc;
}

static int faulty_size(tl_file *file, uint64_t *out_bytes) {
    faulty_file *f = file_of(file);
    int rc = ask(f->owner, FAULTY_SIZE);
    return rc == 0 ? f->below->ops->size(f->below, out_bytes) : rc;
}

static int faulty_truncate(tl_file *file, uint64_t bytes) {
    faulty_file *f = file_of(file);
    int rc = ask(f->owner, FAULTY_TRUNCATE);
    return rc == 0 ? f->below->ops->truncate(f->below, bytes) : rc;
}

static int faulty_drop_cache(tl_file *file) {
    faulty_file *f = file_of(file);
    int rc = ask(f->owner, FAULTY_DROP_CACHE);
    pthread_mutex_lock(&f->owner->mutex);
    if (rc == 0 && !f->owner->deaf_drop) {
        undo_locked(f->owner, f->path);
    }
    pthread_mutex_unlock(&f->owner->mutex);
    return rc == 0 ? f->below->ops->drop_cache(f->below) : rc;
}

/* ---- Names ------------------------------------------------------------------------------------ */

static int faulty_mkdir(tl_io *io, const char *path) {
    int rc = ask_space(owner_of(io), FAULTY_MKDIR);
    tl_io *below = owner_of(io)->below;
    return rc == 0 ? below->ops->mkdir(below, path) : rc;
}

static int faulty_rename(tl_io *io, const char *from, const char *to) {
    int rc = ask(owner_of(io), FAULTY_RENAME);
    tl_io *below = owner_of(io)->below;
    rc = rc == 0 ? below->ops->rename(below, from, to) : rc;
    pthread_mutex_lock(&owner_of(io)->mutex);
    for (faulty_undo *undo = owner_of(io)->undo; undo && rc == 0; undo = undo->next) {
        char *moved = strcmp(undo->path, from) == 0 ? copy_text(to) : NULL;
        if (moved) {
            free(undo->path);
            undo->path = moved;
        }
    }
    pthread_mutex_unlock(&owner_of(io)->mutex);
    return rc;
}

static int faulty_unlink(tl_io *io, const char *path) {
    int rc = ask(owner_of(io), FAULTY_UNLINK);
    tl_io *below = owner_of(io)->below;
    return rc == 0 ? below->ops->unlink(below, path) : rc;
}

static int faulty_rmdir(tl_io *io, const char *path) {
    int rc = ask(owner_of(io), FAULTY_RMDIR);
    tl_io *below = owner_of(io)->below;
    return rc == 0 ? below->ops->rmdir(below, path) : rc;
}

static int faulty_sync_dir(tl_io *io, const char *path) {
    int rc = ask(owner_of(io), FAULTY_SYNC_DIR);
    tl_io *below = owner_of(io)->below;
    return rc == 0 ? below->ops->sync_dir(below, path) : rc;
}

static int faulty_identity(tl_io *io, const char *path, tl_identity *out_identity) {
    tl_io *below = owner_of(io)->below;
    return below->ops->identity(below, path, out_identity);
}

static int faulty_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    int rc = ask(owner_of(io), FAULTY_LIST);
    tl_io *below = owner_of(io)->below;
    return rc == 0 ? below->ops->list(below, path, each, context) : rc;
}

static int faulty_lock(tl_io *io, const char *path, tl_file **out_file, int64_t *out_pid) {
    tl_io *below = owner_of(io)->below;
    tl_file *file = NULL;
    int rc = below->ops->lock(below, path, &file, out_pid);
    return rc == 0 ? adopt(owner_of(io), file, path, out_file) : rc;
}

static int64_t faulty_now_us(tl_io *io) {
    tl_io *below = owner_of(io)->below;
    return below->ops->now_us(below);
}

static int faulty_random(tl_io *io, void *data, size_t len) {
    int rc = ask(owner_of(io), FAULTY_RANDOM);
    tl_io *below = owner_of(io)->below;
    return rc == 0 ? below->ops->random(below, data, len) : rc;
}

static const tl_io_ops faulty_ops = {
    .open = faulty_open,
    .close = faulty_close,
    .pread = faulty_pread,
    .pwrite = faulty_pwrite,
    .sync = faulty_sync,
    .size = faulty_size,
    .truncate = faulty_truncate,
    .drop_cache = faulty_drop_cache,
    .mkdir = faulty_mkdir,
    .rename = faulty_rename,
    .unlink = faulty_unlink,
    .rmdir = faulty_rmdir,
    .sync_dir = faulty_sync_dir,
    .identity = faulty_identity,
    .list = faulty_list,
    .lock = faulty_lock,
    .now_us = faulty_now_us,
    .random = faulty_random,
};
