/*
 * io_sides.h: the two sides of core/base/io.h, each with a place of its own to work in.
 *
 * Purpose:    one suite of tests runs against the real file system and against the one in memory.
 * Owns:       the directory or memory, from set-up to tear-down.
 * Threads:    `at` may be used by any; the rest by the test's own thread.
 */
#ifndef TL_TEST_IO_SIDES_H
#define TL_TEST_IO_SIDES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/io.h"

enum { PATH_BYTES = 1024 };

/* One side under test: where it may work, and by which functions. */
typedef struct side {
    tl_io *io;
    char root[PATH_BYTES];
} side;

static inline const char *at(const side *s, const char *name) {
    static _Thread_local char paths[4][PATH_BYTES]; /* a rename needs two at once */
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_BYTES, "%.700s/%.200s", s->root, name);
    return path;
}

static inline int set_up_posix(void **state) {
    static side s;
    const char *tmp = getenv("TMPDIR");
    s.io = tl_io_posix();
    snprintf(s.root, sizeof s.root, "%s/talea-io-XXXXXX", tmp ? tmp : "/tmp");
    *state = &s;
    return mkdtemp(s.root) ? 0 : -1;
}

static inline int set_up_memory(void **state) {
    static side s;
    s.io = tl_io_memory_new();
    s.root[0] = '\0'; /* "" + "/name" */
    *state = &s;
    return s.io ? 0 : -1;
}

static inline int remove_tree(tl_io *io, const char *path);

typedef struct sweep {
    tl_io *io;
    const char *dir;
} sweep;

static inline int remove_entry(void *context, const char *name) {
    const sweep *s = context;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.700s/%.200s", s->dir, name);
    int rc = s->io->ops->rmdir(s->io, path);
    if (rc == ENOTDIR) {
        return s->io->ops->unlink(s->io, path);
    }
    return rc == 0 ? 0 : remove_tree(s->io, path);
}

static inline int remove_tree(tl_io *io, const char *path) {
    sweep s = {io, path};
    int rc = io->ops->list(io, path, remove_entry, &s);
    return rc != 0 ? rc : io->ops->rmdir(io, path);
}

static inline int tear_down_posix(void **state) {
    side *s = *state;
    return remove_tree(s->io, s->root);
}

static inline int tear_down_memory(void **state) {
    side *s = *state;
    tl_io_memory_free(s->io);
    return 0;
}

static inline tl_file *opened(const side *s, const char *name, int flags) {
    tl_file *file = NULL;
    assert_int_equal(s->io->ops->open(s->io, at(s, name), flags, &file), 0);
    assert_non_null(file);
    return file;
}

static inline int open_rc(const side *s, const char *name, int flags) {
    tl_file *file = NULL;
    int rc = s->io->ops->open(s->io, at(s, name), flags, &file);
    assert_int_equal(rc == 0, file != NULL);
    if (file) {
        file->ops->close(file);
    }
    return rc;
}

enum { CREATE = TL_OPEN_WRITE | TL_OPEN_CREATE };

static inline void touch(const side *s, const char *name) {
    assert_int_equal(open_rc(s, name, CREATE), 0);
}

static inline bool same_directory(const side *s, const char *a, const char *b) {
    tl_identity x = {0};
    tl_identity y = {0};
    assert_int_equal(s->io->ops->identity(s->io, at(s, a), &x), 0);
    assert_int_equal(s->io->ops->identity(s->io, at(s, b), &y), 0);
    return x.device == y.device && x.inode == y.inode;
}

/* For the table of tests. */
#define BOTH_SIDES(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, set_up_posix, tear_down_posix),                          \
        cmocka_unit_test_setup_teardown(test, set_up_memory, tear_down_memory)
#define POSIX_SIDE(test) cmocka_unit_test_setup_teardown(test, set_up_posix, tear_down_posix)

#endif
