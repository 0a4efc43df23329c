/*
 * memtree.c: a tree of directories and files in memory.
 *
 * How: a directory keeps its children sorted by name, because ten thousand books make ten thousand
 * entries; a file is a row of chunks. A chunk that nobody wrote is absent and reads as zeros, so
 * holes cost nothing, and a growing file is never copied. Bytes of a chunk past the end of the file
 * are always zero, so that a later, larger size shows zeros. Whatever needs memory takes it before
 * anything is changed.
 *
 * Paths are read from the root, with or without a leading '/'; "" between slashes and "." are
 * skipped;
 * ".." is refused (EINVAL), for nobody here has a use for it.
 */
#include "base/memtree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum {
    CHUNK_BYTES = 16 << 10,
    NAME_BYTES_MAX = 255, /* as NAME_MAX of the usual file systems */
};

static const uint64_t file_bytes_max = (uint64_t)1 << 36; /* far past any segment; EFBIG beyond */

/* ---- Nodes --------------------------------------------------------------------------------- */

static void drop_chunks(tl_node *node, size_t keep) {
    for (size_t i = keep; i < node->chunk_count; i++) {
        free(node->chunks[i]);
    }
    if (keep < node->chunk_count) {
        node->chunk_count = keep;
    }
}

static void free_node(tl_node *node) {
    drop_chunks(node, 0);
    free(node->chunks);
    free(node->children);
    free(node->name);
    free(node);
}

void tl_memtree_release(tl_node *node) {
    assert(node->name);
    if (!node->parent && node->opens == 0) {
        assert(node->child_count == 0);
        free_node(node);
    }
}

void tl_memtree_clear(tl_node *root) {
    for (size_t i = 0; i < root->child_count; i++) {
        tl_memtree_clear(root->children[i]); /* as deep as a path has names */
        free_node(root->children[i]);
    }
    free(root->children);
    root->children = NULL;
    root->child_count = 0;
    root->child_cap = 0;
}

static char *copy_name(const char *name, size_t len) {
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, name, len);
        copy[len] = '\0';
    }
    return copy;
}

/* Where `name` is among the children, or would go. */
static size_t child_position(const tl_node *dir, const char *name, size_t len, bool *out_found) {
    size_t low = 0;
    size_t high = dir->child_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *other = dir->children[middle]->name;
        int order = strncmp(other, name, len);
        if (order == 0 && other[len] == '\0') {
            *out_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out_found = false;
    return low;
}

static bool reserve_child(tl_node *dir) {
    if (dir->child_count < dir->child_cap) {
        return true;
    }
    size_t cap = dir->child_cap ? dir->child_cap * 2 : 8;
    tl_node **children = realloc(dir->children, cap * sizeof *children);
    if (!children) {
        return false;
    }
    dir->children = children;
    dir->child_cap = cap;
    return true;
}

/* Room must have been reserved. */
static void insert_child(tl_node *dir, tl_node *child) {
    assert(dir->child_count < dir->child_cap);
    bool found;
    size_t at = child_position(dir, child->name, strlen(child->name), &found);
    assert(!found);
    size_t behind = dir->child_count - at;
    memmove(dir->children + at + 1, dir->children + at, behind * sizeof *dir->children);
    dir->children[at] = child;
    dir->child_count++;
    child->parent = dir;
}

static void remove_child(tl_node *child) {
    tl_node *dir = child->parent;
    bool found;
    size_t at = child_position(dir, child->name, strlen(child->name), &found);
    assert(found);
    dir->child_count--;
    size_t behind = dir->child_count - at;
    memmove(dir->children + at, dir->children + at + 1, behind * sizeof *dir->children);
    child->parent = NULL;
}

/* ---- Paths --------------------------------------------------------------------------------- */

/* The next name of a path; len 0 at its end. */
static const char *next_name(const char *p, size_t *out_len) {
    for (;;) {
        p += strspn(p, "/");
        size_t len = strcspn(p, "/");
        if (len != 1 || p[0] != '.') {
            *out_len = len;
            return p;
        }
        p++;
    }
}

int tl_memtree_find(tl_node *root, const char *path, tl_place *out_place) {
    if (path[0] == '\0') {
        return ENOENT;
    }
    if (strlen(path) >= TL_PATH_BYTES_MAX) {
        return ENAMETOOLONG;
    }
    tl_place found = {.node = root};
    size_t len = 0;
    for (const char *p = next_name(path, &len); len > 0; p = next_name(p + len, &len)) {
        tl_node *dir = found.node;
        if (!dir) {
            return ENOENT;
        }
        if (!dir->is_dir) {
            return ENOTDIR;
        }
        if (len > NAME_BYTES_MAX) {
            return ENAMETOOLONG;
        }
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            return EINVAL;
        }
        bool there;
        size_t at = child_position(dir, p, len, &there);
        tl_node *node = there ? dir->children[at] : NULL;
        found = (tl_place){.dir = dir, .name = p, .name_len = len, .at = at, .node = node};
    }
    *out_place = found;
    return 0;
}

int tl_memtree_find_dir(tl_node *root, const char *path, tl_node **out_dir) {
    tl_place where;
    int rc = tl_memtree_find(root, path, &where);
    if (rc != 0) {
        return rc;
    }
    if (!where.node) {
        return ENOENT;
    }
    if (!where.node->is_dir) {
        return ENOTDIR;
    }
    *out_dir = where.node;
    return 0;
}

int tl_memtree_create(const tl_place *where, bool is_dir, tl_node **out_node) {
    assert(where->dir);
    assert(!where->node);
    tl_node *node = calloc(1, sizeof *node);
    char *name = copy_name(where->name, where->name_len);
    if (!node || !name || !reserve_child(where->dir)) {
        free(node);
        free(name);
        return ENOMEM;
    }
    node->is_dir = is_dir;
    node->name = name;
    insert_child(where->dir, node);
    *out_node = node;
    return 0;
}

static bool lies_within(const tl_node *node, const tl_node *dir) {
    while (node && node != dir) {
        node = node->parent;
    }
    return node != NULL;
}

/* May what is at `from` be put in the place of what stands at `to`? In the order in which Linux
 * asks. */
static int check_rename(const tl_place *from, const tl_place *to) {
    if (!from->dir || !to->dir) {
        return EBUSY; /* the root */
    }
    if (!from->node) {
        return ENOENT;
    }
    if (lies_within(to->dir, from->node)) {
        return EINVAL; /* into itself */
    }
    if (!to->node) {
        return 0;
    }
    if (lies_within(from->dir, to->node)) {
        return ENOTEMPTY; /* `from` is in it */
    }
    if (from->node->is_dir != to->node->is_dir) {
        return to->node->is_dir ? EISDIR : ENOTDIR;
    }
    return to->node->child_count > 0 && to->node != from->node ? ENOTEMPTY : 0;
}

int tl_memtree_rename(tl_node *root, const char *from_path, const char *to_path) {
    tl_place from;
    tl_place to;
    int rc = tl_memtree_find(root, from_path, &from);
    if (rc == 0) {
        rc = tl_memtree_find(root, to_path, &to);
    }
    if (rc == 0) {
        rc = check_rename(&from, &to);
    }
    if (rc != 0 || from.node == to.node) {
        return rc;
    }
    char *name = copy_name(to.name, to.name_len);
    if (!name || !reserve_child(to.dir)) {
        free(name);
        return ENOMEM;
    }
    if (to.node) {
        remove_child(to.node);
        tl_memtree_release(to.node);
    }
    remove_child(from.node);
    free(from.node->name);
    from.node->name = name;
    insert_child(to.dir, from.node);
    return 0;
}

int tl_memtree_remove(tl_node *root, const char *path, bool is_dir) {
    tl_place where;
    int rc = tl_memtree_find(root, path, &where);
    if (rc != 0) {
        return rc;
    }
    if (!where.dir) {
        return is_dir ? EBUSY : EISDIR; /* the root */
    }
    if (!where.node) {
        return ENOENT;
    }
    if (where.node->is_dir != is_dir) {
        return is_dir ? ENOTDIR : EISDIR;
    }
    if (where.node->child_count > 0) {
        return ENOTEMPTY;
    }
    remove_child(where.node);
    tl_memtree_release(where.node);
    return 0;
}

/* ---- Contents ------------------------------------------------------------------------------ */

static size_t chunks_for(uint64_t bytes) {
    return (size_t)(bytes / CHUNK_BYTES + (bytes % CHUNK_BYTES != 0));
}

/* Makes the row long enough for `bytes`; the new chunks are absent. */
static bool reserve_row(tl_node *file, uint64_t bytes) {
    size_t need = chunks_for(bytes);
    if (need > file->chunk_cap) {
        size_t cap = need > 2 * file->chunk_cap ? need : 2 * file->chunk_cap;
        uint8_t **chunks = realloc(file->chunks, cap * sizeof *chunks);
        if (!chunks) {
            return false;
        }
        file->chunks = chunks;
        file->chunk_cap = cap;
    }
    for (; file->chunk_count < need; file->chunk_count++) {
        file->chunks[file->chunk_count] = NULL;
    }
    return true;
}

/* One step of a copy: the part of [offset, offset + len) that lies in one chunk. */
static size_t part_bytes(uint64_t offset, size_t len) {
    size_t room = CHUNK_BYTES - (size_t)(offset % CHUNK_BYTES);
    return len < room ? len : room;
}

size_t tl_memtree_read(const tl_node *file, void *data, size_t len, uint64_t offset) {
    uint64_t there = offset < file->size_bytes ? file->size_bytes - offset : 0;
    size_t total = len < there ? len : (size_t)there;
    uint8_t *to = data;
    for (size_t left = total; left > 0;) {
        size_t part = part_bytes(offset, left);
        const uint8_t *chunk = file->chunks[offset / CHUNK_BYTES];
        if (chunk) {
            memcpy(to, chunk + offset % CHUNK_BYTES, part);
        } else {
            memset(to, 0, part);
        }
        to += part;
        offset += part;
        left -= part;
    }
    return total;
}

int tl_memtree_write(tl_node *file, const void *data, size_t len, uint64_t offset) {
    if (len == 0) {
        return 0;
    }
    if (offset > file_bytes_max || len > file_bytes_max - offset) {
        return EFBIG;
    }
    uint64_t end = offset + len;
    if (!reserve_row(file, end)) {
        return ENOMEM;
    }
    for (size_t i = (size_t)(offset / CHUNK_BYTES); i < chunks_for(end); i++) {
        if (!file->chunks[i]) {
            file->chunks[i] = calloc(1, CHUNK_BYTES);
            if (!file->chunks[i]) {
                return ENOMEM;
            }
        }
    }
    const uint8_t *from = data;
    while (len > 0) {
        size_t part = part_bytes(offset, len);
        memcpy(file->chunks[offset / CHUNK_BYTES] + offset % CHUNK_BYTES, from, part);
        from += part;
        offset += part;
        len -= part;
    }
    if (end > file->size_bytes) {
        file->size_bytes = end;
    }
    return 0;
}

int tl_memtree_truncate(tl_node *file, uint64_t bytes) {
    if (bytes > file_bytes_max) {
        return EFBIG;
    }
    if (!reserve_row(file, bytes)) {
        return ENOMEM;
    }
    if (bytes < file->size_bytes) {
        drop_chunks(file, chunks_for(bytes));
        size_t used = (size_t)(bytes % CHUNK_BYTES);
        uint8_t *last = used > 0 ? file->chunks[bytes / CHUNK_BYTES] : NULL;
        if (last) {
            memset(last + used, 0, CHUNK_BYTES - used);
        }
    }
    file->size_bytes = bytes;
    return 0;
}
