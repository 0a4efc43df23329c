/*
 * The Nth allocation fails, for every N, in both file systems, buffers and hashers. Oracle: the
 * answer is ENOMEM (or false, or NULL), nothing that can be seen has changed, and the next try
 * succeeds.
 *
 * The allocator is replaced for the whole program, which glibc allows and sanitizers do not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/io.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAVE_FAILING_MALLOC 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef HAVE_FAILING_MALLOC
#endif
#endif

#ifdef HAVE_FAILING_MALLOC

static uint64_t countdown; /* 0: no allocation fails */
static uint64_t failures;
static int64_t live; /* allocations not freed yet: what fails must not leak */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void __libc_free(void *block);

static bool fails(void) {
    if (countdown == 0 || --countdown > 0) {
        return false;
    }
    failures++;
    return true;
}

static void *counted(void *block) {
    live += block != NULL;
    return block;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *old, size_t bytes) {
    if (fails()) {
        return NULL;
    }
    void *block = __libc_realloc(old, bytes);
    return old ? block : counted(block);
}

void free(void *block) {
    live -= block != NULL;
    __libc_free(block);
}

/* ---- File systems ------------------------------------------------------------------------------ */

static char root[100];

static const char *at(const char *name) {
    static char paths[2][200];
    static unsigned next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static int count_one(void *context, const char *name) {
    ++*(int *)context;
    return 0;
}

static int entries(tl_io *io, int *out_count) {
    *out_count = 0;
    return io->ops->list(io, at("d"), count_one, out_count);
}

/* Does it, again when memory was short; then a failed try must have left everything as it was. */
#define DO(call)                                                                                   \
    do {                                                                                           \
        uint64_t failures_before = failures;                                                       \
        int rc = (call);                                                                           \
        if (rc != 0) {                                                                             \
            assert_int_equal(rc, ENOMEM);                                                          \
            assert_int_equal(failures, failures_before + 1);                                       \
            assert_int_equal((call), 0);                                                           \
        }                                                                                          \
    } while (0)

static void work(tl_io *io) {
    const tl_io_ops *ops = io->ops;
    static uint8_t data[100000];
    static uint8_t back[100000];
    memset(data, 0x5A, sizeof data);
    tl_file *file = NULL;
    tl_file *other = NULL;
    tl_file *lock = NULL;
    int64_t pid = 0;
    size_t got = 0;
    int count = 0;

    DO(ops->mkdir(io, at("d")));
    DO(ops->lock(io, at("LOCK"), &lock, &pid));
    DO(ops->open(io, at("d/a"), TL_OPEN_WRITE | TL_OPEN_CREATE, &file));
    DO(ops->pwrite(file, data, sizeof data, 50000));
    DO(ops->truncate(file, 1 << 20));
    DO(ops->open(io, at("d/b"), TL_OPEN_WRITE | TL_OPEN_CREATE, &other));
    for (int i = 0; i < 20; i++) {
        char name[20];
        snprintf(name, sizeof name, "d/%d", i);
        DO(ops->mkdir(io, at(name)));
    }
    DO(entries(io, &count));
    assert_int_equal(count, 22);
    DO(ops->rename(io, at("d/a"), at("d/b"))); /* over one that is open */
    DO(ops->rename(io, at("d/b"), at("a")));
    for (int i = 0; i < 20; i++) {
        char name[20];
        snprintf(name, sizeof name, "d/%d", i);
        DO(ops->rmdir(io, at(name)));
    }
    DO(entries(io, &count));
    assert_int_equal(count, 0);
    DO(ops->pread(file, back, sizeof back, 50000, &got));
    assert_int_equal(got, sizeof back);
    assert_memory_equal(back, data, sizeof back);
    file->ops->close(file);
    other->ops->close(other);
    DO(ops->unlink(io, at("a")));
    DO(ops->rmdir(io, at("d")));
    lock->ops->close(lock);
    DO(ops->unlink(io, at("LOCK")));
}

/* Returns how many allocations there were to fail. */
static uint64_t sweep(tl_io *(*make)(void), void (*unmake)(tl_io *)) {
    for (uint64_t nth = 1;; nth++) {
        int64_t live_before = live;
        failures = 0;
        countdown = nth;
        tl_io *io = make();
        if (!io) {
            assert_int_equal(failures, 1);
            assert_int_equal(live, live_before);
            continue;
        }
        work(io);
        countdown = 0;
        unmake(io);
        assert_int_equal(live, live_before);
        if (failures == 0) {
            return nth - 1;
        }
    }
}

static void leave(tl_io *io) {
    (void)io;
}

static void in_memory(void **state) {
    root[0] = '\0';
    assert_true(sweep(tl_io_memory_new, tl_io_memory_free) > 50);
}

static void on_the_file_system(void **state) {
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/talea-nomem-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(root));
    tl_io *io = tl_io_posix();
    work(io); /* the fork handlers are registered once and stay */
    assert_true(sweep(tl_io_posix, leave) >= 3);
    assert_int_equal(io->ops->rmdir(io, root), 0); /* nothing was left behind */
}

/* ---- Buffers and hashers ------------------------------------------------------------------------- */

static void buffers(void **state) {
    static const uint8_t data[1000] = {1, 2, 3};
    for (uint64_t nth = 1;; nth++) {
        tl_buf buf = {0};
        failures = 0;
        countdown = nth;
        for (size_t i = 1; i <= 50; i++) {
            if (!tl_buf_append(&buf, data, sizeof data)) {
                assert_int_equal(buf.len, (i - 1) * sizeof data);
                assert_true(tl_buf_append(&buf, data, sizeof data));
            }
            assert_int_equal(buf.len, i * sizeof data);
            assert_memory_equal(buf.data + buf.len - sizeof data, data, sizeof data);
        }
        countdown = 0;
        tl_buf_free(&buf);
        if (failures == 0) {
            assert_true(nth > 3);
            return;
        }
    }
}

static void hashers(void **state) {
    int64_t live_before = live;
    countdown = 1;
    assert_null(tl_hasher_new());
    countdown = 0;
    tl_hasher *hasher = tl_hasher_new();
    assert_non_null(hasher);
    assert_int_equal(live, live_before + 1);
    tl_hasher_free(hasher);
    assert_int_equal(live, live_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(on_the_file_system),
        cmocka_unit_test(buffers),
        cmocka_unit_test(hashers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
    printf("skipped: this needs glibc's allocator\n");
    return 0;
}

#endif
