/*
 * memtree.h: a tree of directories and files in memory. Private to io_memory.c, which adds locks
 * and handles.
 *
 * Purpose:    names, places and contents, with the errno of a real file system.
 * Owns:       a node owns its name, its children and its contents.
 * Threads:    none of its own; the caller's mutex guards a whole tree.
 * Errors:     0 or a positive errno; what fails changes nothing that can be seen.
 */
#ifndef TL_BASE_MEMTREE_H
#define TL_BASE_MEMTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A node lives while it is in the tree or `opens` says that somebody holds it. */
typedef struct tl_node {
    bool is_dir;
    bool locked;            /* the caller's: somebody holds the lock of this file */
    uint32_t opens;         /* the caller's: how many handles there are */
    char *name;             /* NULL: the root */
    struct tl_node *parent; /* NULL: the root, or no longer in the tree */
    /* A directory's. */
    struct tl_node **children; /* sorted by name */
    size_t child_count;
    size_t child_cap;
    /* A file's. */
    uint8_t **chunks; /* NULL entries: zeros */
    size_t chunk_count;
    size_t chunk_cap;
    uint64_t size_bytes; /* <= chunk_count chunks */
} tl_node;

/* What a path leads to: a directory, a name in it, and the node of that name if there is one. */
typedef struct tl_place {
    tl_node *dir; /* NULL: the path is the root */
    const char *name;
    size_t name_len;
    size_t at; /* position of the node in dir, or where it would go */
    tl_node *node;
} tl_place;

/* Fails as the kernel does for what lies before the last name: ENOENT, ENOTDIR, ENAMETOOLONG. */
int tl_memtree_find(tl_node *root, const char *path, tl_place *out_place);
/* A directory that must be there. */
int tl_memtree_find_dir(tl_node *root, const char *path, tl_node **out_dir);
/* Puts a new node where `where` says that there is none. */
int tl_memtree_create(const tl_place *where, bool is_dir, tl_node **out_node);
int tl_memtree_rename(tl_node *root, const char *from, const char *to);
/* Takes a file, or an empty directory (`is_dir`), out of the tree. */
int tl_memtree_remove(tl_node *root, const char *path, bool is_dir);
/* Frees a node that is neither in the tree nor open. */
void tl_memtree_release(tl_node *node);
/* Frees everything under the root, not the root itself. */
void tl_memtree_clear(tl_node *root);

/* Returns how many bytes there were. */
size_t tl_memtree_read(const tl_node *file, void *data, size_t len, uint64_t offset);
int tl_memtree_write(tl_node *file, const void *data, size_t len, uint64_t offset);
int tl_memtree_truncate(tl_node *file, uint64_t bytes);

#endif
