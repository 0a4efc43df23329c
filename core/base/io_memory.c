/*
 * io_memory.c: a file system in memory, with the manners and the errno of the real one.
 *
 * How: the tree is memtree.c; here are its mutex, one for everything including contents, and the
 * handles. A file that is open survives its unlink. Sync has nothing to do: this is memory, whose
 * life ends with the process.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memtree.h"
#include "base/thread.h"

enum { PID_TEXT_BYTES = 32 };

typedef struct memory_io {
    tl_io io;
    tl_mutex mutex;
    tl_node root;   /* [mutex] with everything under it */
    uint32_t opens; /* [mutex] handles of this file system */
} memory_io;

typedef struct memory_file {
    tl_file file;
    memory_io *fs;
    tl_node *node; /* [mutex] what it points to */
    bool writable;
    bool locks;
} memory_file;

static const tl_io_ops memory_ops;

static memory_io *memory_of(tl_io *io) {
    assert(io->ops == &memory_ops);
    return (memory_io *)io;
}

static memory_file *file_of(tl_file *file) {
    assert(file->ops == &memory_ops);
    return (memory_file *)file;
}

/* ---- Opening and closing ------------------------------------------------------------------- */

/* The node of a regular file, created when `create` allows it; `exclusive`: it must not be there.
 */
static int node_to_open_locked(memory_io *fs, const char *path, bool create, bool exclusive,
                               tl_node **out_node) {
    assert(tl_mutex_held(&fs->mutex));
    tl_place where;
    int rc = tl_memtree_find(&fs->root, path, &where);
    if (rc != 0) {
        return rc;
    }
    if (!where.node) {
        return create ? tl_memtree_create(&where, false, out_node) : ENOENT;
    }
    if (exclusive) {
        return EEXIST;
    }
    if (where.node->is_dir) {
        return EINVAL;
    }
    *out_node = where.node;
    return 0;
}

static memory_file *new_file(memory_io *fs, bool writable) {
    memory_file *file = calloc(1, sizeof *file);
    if (file) {
        file->file.ops = &memory_ops;
        file->fs = fs;
        file->writable = writable;
    }
    return file;
}

static void attach_locked(memory_file *file, tl_node *node) {
    assert(tl_mutex_held(&file->fs->mutex));
    file->node = node;
    node->opens++;
    file->fs->opens++;
}

static int memory_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    memory_io *fs = memory_of(io);
    memory_file *file = new_file(fs, (flags & TL_OPEN_WRITE) != 0);
    if (!file) {
        return ENOMEM;
    }
    bool create = (flags & TL_OPEN_CREATE) != 0;
    tl_node *node = NULL;
    tl_mutex_lock(&fs->mutex);
    int rc = node_to_open_locked(fs, path, create, create, &node);
    if (rc == 0) {
        attach_locked(file, node);
    }
    tl_mutex_unlock(&fs->mutex);
    if (rc != 0) {
        free(file);
        return rc;
    }
    *out_file = &file->file;
    return 0;
}

static void memory_close(tl_file *base) {
    memory_file *file = file_of(base);
    memory_io *fs = file->fs;
    tl_mutex_lock(&fs->mutex);
    assert(file->node->opens > 0);
    if (file->locks) {
        file->node->locked = false;
    }
    file->node->opens--;
    fs->opens--;
    tl_memtree_release(file->node);
    tl_mutex_unlock(&fs->mutex);
    free(file);
}

/* The holder is always this process, and the file says so, as it does on disk. */
static int lock_locked(memory_io *fs, const char *path, memory_file *file, int64_t *out_pid) {
    tl_node *node = NULL;
    int rc = node_to_open_locked(fs, path, true, false, &node);
    if (rc != 0) {
        return rc;
    }
    if (node->locked) {
        *out_pid = getpid();
        return EWOULDBLOCK;
    }
    char text[PID_TEXT_BYTES];
    int len = snprintf(text, sizeof text, "%lld\n", (long long)getpid());
    rc = tl_memtree_truncate(node, 0);
    if (rc == 0) {
        rc = tl_memtree_write(node, text, (size_t)len, 0);
    }
    if (rc == 0) {
        node->locked = true;
        file->locks = true;
        attach_locked(file, node);
    }
    return rc;
}

static int memory_lock(tl_io *io, const char *path, tl_file **out_file, int64_t *out_pid) {
    memory_io *fs = memory_of(io);
    memory_file *file = new_file(fs, true);
    if (!file) {
        return ENOMEM;
    }
    tl_mutex_lock(&fs->mutex);
    int rc = lock_locked(fs, path, file, out_pid);
    tl_mutex_unlock(&fs->mutex);
    if (rc != 0) {
        free(file);
        return rc;
    }
    *out_file = &file->file;
    return 0;
}

static int64_t memory_lock_holder(tl_io *io, const char *path) {
    (void)io;
    (void)path;
    return 0; /* nobody outside this process can hold it */
}

/* ---- Files --------------------------------------------------------------------------------- */

/* As off_t has it. */
static bool range_valid(size_t len, uint64_t offset) {
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static int memory_pread(tl_file *base, void *data, size_t len, uint64_t offset, size_t *out_len) {
    memory_file *file = file_of(base);
    if (!range_valid(len, offset)) {
        return EINVAL;
    }
    tl_mutex_lock(&file->fs->mutex);
    *out_len = tl_memtree_read(file->node, data, len, offset);
    tl_mutex_unlock(&file->fs->mutex);
    return 0;
}

static int memory_pwrite(tl_file *base, const void *data, size_t len, uint64_t offset) {
    memory_file *file = file_of(base);
    if (!range_valid(len, offset)) {
        return EINVAL;
    }
    if (!file->writable) {
        return EBADF;
    }
    tl_mutex_lock(&file->fs->mutex);
    int rc = tl_memtree_write(file->node, data, len, offset);
    tl_mutex_unlock(&file->fs->mutex);
    return rc;
}

static int memory_truncate(tl_file *base, uint64_t bytes) {
    memory_file *file = file_of(base);
    if (!range_valid(0, bytes) || !file->writable) {
        return EINVAL; /* both are what ftruncate says */
    }
    tl_mutex_lock(&file->fs->mutex);
    int rc = tl_memtree_truncate(file->node, bytes);
    tl_mutex_unlock(&file->fs->mutex);
    return rc;
}

static int memory_size(tl_file *base, uint64_t *out_bytes) {
    memory_file *file = file_of(base);
    tl_mutex_lock(&file->fs->mutex);
    *out_bytes = file->node->size_bytes;
    tl_mutex_unlock(&file->fs->mutex);
    return 0;
}

static int memory_sync(tl_file *base) {
    (void)file_of(base);
    return 0;
}

static int memory_drop_cache(tl_file *base) {
    (void)file_of(base);
    return 0;
}

/* ---- Names --------------------------------------------------------------------------------- */

static int memory_mkdir(tl_io *io, const char *path) {
    memory_io *fs = memory_of(io);
    tl_place where;
    tl_mutex_lock(&fs->mutex);
    int rc = tl_memtree_find(&fs->root, path, &where);
    if (rc == 0) {
        tl_node *node = NULL;
        rc = where.node ? EEXIST : tl_memtree_create(&where, true, &node);
    }
    tl_mutex_unlock(&fs->mutex);
    return rc;
}

static int memory_rename(tl_io *io, const char *from, const char *to) {
    memory_io *fs = memory_of(io);
    tl_mutex_lock(&fs->mutex);
    int rc = tl_memtree_rename(&fs->root, from, to);
    tl_mutex_unlock(&fs->mutex);
    return rc;
}

static int memory_remove(tl_io *io, const char *path, bool is_dir) {
    memory_io *fs = memory_of(io);
    tl_mutex_lock(&fs->mutex);
    int rc = tl_memtree_remove(&fs->root, path, is_dir);
    tl_mutex_unlock(&fs->mutex);
    return rc;
}

static int memory_unlink(tl_io *io, const char *path) {
    return memory_remove(io, path, false);
}

static int memory_rmdir(tl_io *io, const char *path) {
    return memory_remove(io, path, true);
}

/* Addresses, which are nobody else's as long as the directory is there. */
static int memory_identity(tl_io *io, const char *path, tl_identity *out_identity) {
    memory_io *fs = memory_of(io);
    tl_node *dir = NULL;
    tl_mutex_lock(&fs->mutex);
    int rc = tl_memtree_find_dir(&fs->root, path, &dir);
    tl_mutex_unlock(&fs->mutex);
    if (rc == 0) {
        *out_identity = (tl_identity){.device = (uintptr_t)fs, .inode = (uintptr_t)dir};
    }
    return rc;
}

static int memory_sync_dir(tl_io *io, const char *path) {
    tl_identity ignored;
    return memory_identity(io, path, &ignored); /* it is there, or not */
}

/* The names of a directory, each with its NUL, one behind the other. */
static int copy_names_locked(const tl_node *dir, char **out_names, size_t *out_count) {
    size_t bytes = 1;
    for (size_t i = 0; i < dir->child_count; i++) {
        bytes += strlen(dir->children[i]->name) + 1;
    }
    char *names = malloc(bytes);
    if (!names) {
        return ENOMEM;
    }
    char *p = names;
    for (size_t i = 0; i < dir->child_count; i++) {
        size_t len = strlen(dir->children[i]->name) + 1;
        memcpy(p, dir->children[i]->name, len);
        p += len;
    }
    *out_names = names;
    *out_count = dir->child_count;
    return 0;
}

/* Over a copy: `each` may call back into this file system. */
static int memory_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    memory_io *fs = memory_of(io);
    tl_node *dir = NULL;
    char *names = NULL;
    size_t count = 0;
    tl_mutex_lock(&fs->mutex);
    int rc = tl_memtree_find_dir(&fs->root, path, &dir);
    if (rc == 0) {
        rc = copy_names_locked(dir, &names, &count);
    }
    tl_mutex_unlock(&fs->mutex);
    const char *name = names;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = each(context, name);
        name += strlen(name) + 1;
    }
    free(names);
    return rc;
}

/* ---- Clock and randomness: the real ones ------------------------------------------------------- */

static int64_t memory_now_us(tl_io *io) {
    (void)memory_of(io);
    tl_io *posix = tl_io_posix();
    return posix->ops->now_us(posix);
}

static int memory_random(tl_io *io, void *data, size_t len) {
    (void)memory_of(io);
    tl_io *posix = tl_io_posix();
    return posix->ops->random(posix, data, len);
}

static const tl_io_ops memory_ops = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .pwrite = memory_pwrite,
    .sync = memory_sync,
    .size = memory_size,
    .truncate = memory_truncate,
    .drop_cache = memory_drop_cache,
    .mkdir = memory_mkdir,
    .rename = memory_rename,
    .unlink = memory_unlink,
    .rmdir = memory_rmdir,
    .sync_dir = memory_sync_dir,
    .identity = memory_identity,
    .list = memory_list,
    .lock = memory_lock,
    .lock_holder = memory_lock_holder,
    .now_us = memory_now_us,
    .random = memory_random,
};

tl_io *tl_io_memory_new(void) {
    memory_io *fs = calloc(1, sizeof *fs);
    if (!fs) {
        return NULL;
    }
    fs->io.ops = &memory_ops;
    fs->root.is_dir = true;
    tl_mutex_init(&fs->mutex);
    return &fs->io;
}

/* Every file of it has been closed. */
void tl_io_memory_free(tl_io *io) {
    if (!io) {
        return;
    }
    memory_io *fs = memory_of(io);
    assert(fs->opens == 0);
    tl_memtree_clear(&fs->root);
    tl_mutex_destroy(&fs->mutex);
    free(fs);
}
