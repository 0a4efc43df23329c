/*
 * Input and output. One suite runs against the real file system, in a directory of its own, and
 * against the one in memory. Oracles: a plain array for contents; for names, the kernel, which is
 * asked the same random questions as the memory; for locks and forks, real child processes.
 */
/* ctest: tsan */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/thread.h"
#include "rng.h"

enum { PATH_BYTES = 256 };

/* One side under test: where it may work, and by which functions. */
typedef struct side {
    tl_io *io;
    char root[PATH_BYTES];
} side;

static const char *at(const side *s, const char *name) {
    static _Thread_local char paths[4][PATH_BYTES]; /* a rename needs two at once */
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_BYTES, "%.100s/%.100s", s->root, name);
    return path;
}

static int set_up_posix(void **state) {
    static side s;
    const char *tmp = getenv("TMPDIR");
    s.io = tl_io_posix();
    snprintf(s.root, sizeof s.root, "%s/talea-io-XXXXXX", tmp ? tmp : "/tmp");
    *state = &s;
    return mkdtemp(s.root) ? 0 : -1;
}

static int set_up_memory(void **state) {
    static side s;
    s.io = tl_io_memory_new();
    s.root[0] = '\0'; /* "" + "/name" */
    *state = &s;
    return s.io ? 0 : -1;
}

static int remove_tree(tl_io *io, const char *path);

typedef struct sweep {
    tl_io *io;
    const char *dir;
} sweep;

static int remove_entry(void *context, const char *name) {
    const sweep *s = context;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.120s/%.120s", s->dir, name);
    int rc = s->io->ops->rmdir(s->io, path);
    if (rc == ENOTDIR) {
        return s->io->ops->unlink(s->io, path);
    }
    return rc == 0 ? 0 : remove_tree(s->io, path);
}

static int remove_tree(tl_io *io, const char *path) {
    sweep s = {io, path};
    int rc = io->ops->list(io, path, remove_entry, &s);
    return rc != 0 ? rc : io->ops->rmdir(io, path);
}

static int tear_down_posix(void **state) {
    side *s = *state;
    return remove_tree(s->io, s->root);
}

static int tear_down_memory(void **state) {
    side *s = *state;
    tl_io_memory_free(s->io);
    return 0;
}

static tl_file *opened(const side *s, const char *name, int flags) {
    tl_file *file = NULL;
    assert_int_equal(s->io->ops->open(s->io, at(s, name), flags, &file), 0);
    assert_non_null(file);
    return file;
}

static int open_rc(const side *s, const char *name, int flags) {
    tl_file *file = NULL;
    int rc = s->io->ops->open(s->io, at(s, name), flags, &file);
    assert_int_equal(rc == 0, file != NULL);
    if (file) {
        file->ops->close(file);
    }
    return rc;
}

enum { CREATE = TL_OPEN_WRITE | TL_OPEN_CREATE };

static void touch(const side *s, const char *name) {
    assert_int_equal(open_rc(s, name, CREATE), 0);
}

/* ---- Files: both sides ------------------------------------------------------------------------- */

static void open_and_create(void **state) {
    const side *s = *state;
    assert_int_equal(open_rc(s, "none", TL_OPEN_READ), ENOENT);
    assert_int_equal(open_rc(s, "none", TL_OPEN_WRITE), ENOENT);
    assert_int_equal(open_rc(s, "no/file", CREATE), ENOENT);
    assert_int_equal(open_rc(s, "file", CREATE), 0);
    assert_int_equal(open_rc(s, "file", CREATE), EEXIST);
    assert_int_equal(open_rc(s, "file", TL_OPEN_READ), 0);
    assert_int_equal(open_rc(s, "file/x", TL_OPEN_READ), ENOTDIR);
    assert_int_equal(open_rc(s, "file/x", CREATE), ENOTDIR);
    assert_int_equal(s->io->ops->mkdir(s->io, at(s, "dir")), 0);
    assert_int_equal(open_rc(s, "dir", TL_OPEN_READ), EINVAL);
    assert_int_equal(open_rc(s, "dir", TL_OPEN_WRITE), EINVAL);
    assert_int_equal(open_rc(s, "dir", CREATE), EEXIST);
    char name[300] = "";
    memset(name, 'n', sizeof name - 1);
    tl_file *file = NULL;
    char path[PATH_BYTES + sizeof name];
    snprintf(path, sizeof path, "%s/%s", s->root, name);
    assert_int_equal(s->io->ops->open(s->io, path, CREATE, &file), ENAMETOOLONG);
    assert_int_equal(s->io->ops->open(s->io, "", CREATE, &file), ENOENT);
}

static void read_only_files_are(void **state) {
    const side *s = *state;
    tl_file *file = opened(s, "file", CREATE);
    assert_int_equal(file->ops->pwrite(file, "abc", 3, 0), 0);
    file->ops->close(file);
    file = opened(s, "file", TL_OPEN_READ);
    assert_int_equal(file->ops->pwrite(file, "x", 1, 0), EBADF);
    assert_int_equal(file->ops->truncate(file, 0), EINVAL);
    uint64_t bytes = 0;
    assert_int_equal(file->ops->size(file, &bytes), 0);
    assert_int_equal(bytes, 3);
    file->ops->close(file);
}

static void check_contents(tl_file *file, const uint8_t *expected, size_t expected_len, rng *r) {
    static uint8_t data[1 << 18];
    uint64_t bytes = 0;
    assert_int_equal(file->ops->size(file, &bytes), 0);
    assert_int_equal(bytes, expected_len);
    for (int i = 0; i < 3; i++) {
        uint64_t offset = rng_below(r, expected_len + 100);
        size_t len = rng_below(r, sizeof data / 2);
        size_t there = offset < expected_len ? expected_len - offset : 0;
        size_t got = 12345678;
        assert_int_equal(file->ops->pread(file, data, len, offset, &got), 0);
        assert_int_equal(got, len < there ? len : there);
        assert_true(got == 0 || memcmp(data, expected + offset, got) == 0);
    }
}

/* Random writes (over the end too), truncations and reads, against an array. */
static void contents_as_an_array(void **state) {
    const side *s = *state;
    enum { BYTES_MAX = 200000 };
    static uint8_t expected[BYTES_MAX];
    static uint8_t piece[60000];
    memset(expected, 0, sizeof expected);
    size_t len = 0;
    rng r = {20};
    tl_file *file = opened(s, "file", CREATE);
    for (int round = 0; round < 400; round++) {
        if (rng_below(&r, 4) == 0) {
            size_t bytes = rng_below(&r, BYTES_MAX);
            assert_int_equal(file->ops->truncate(file, bytes), 0);
            if (bytes < len) {
                memset(expected + bytes, 0, len - bytes);
            }
            len = bytes;
        } else {
            size_t n = rng_below(&r, rng_below(&r, 3) ? 300 : sizeof piece);
            size_t offset = rng_below(&r, BYTES_MAX - n);
            for (size_t i = 0; i < n; i++) {
                piece[i] = (uint8_t)rng_next(&r);
            }
            assert_int_equal(file->ops->pwrite(file, piece, n, offset), 0);
            memcpy(expected + offset, piece, n);
            if (n > 0 && offset + n > len) {
                len = offset + n;
            }
        }
        check_contents(file, expected, len, &r);
    }
    assert_int_equal(file->ops->sync(file), 0);
    assert_int_equal(file->ops->drop_cache(file), 0);
    check_contents(file, expected, len, &r);
    file->ops->close(file);
    file = opened(s, "file", TL_OPEN_READ);
    check_contents(file, expected, len, &r);
    file->ops->close(file);
}

static void far_offsets(void **state) {
    const side *s = *state;
    tl_file *file = opened(s, "file", CREATE);
    uint64_t far = (uint64_t)5 << 30;
    uint8_t data[20] = {0};
    size_t got = 0;
    assert_int_equal(file->ops->pwrite(file, "far", 3, far), 0); /* a hole before it */
    assert_int_equal(file->ops->pread(file, data, sizeof data, far - 5, &got), 0);
    assert_int_equal(got, 8);
    assert_memory_equal(data, "\0\0\0\0\0far", 8);
    assert_int_equal(file->ops->truncate(file, 2), 0);
    assert_int_equal(file->ops->truncate(file, far + 3), 0);
    assert_int_equal(file->ops->pread(file, data, 3, far, &got), 0);
    assert_memory_equal(data, "\0\0\0", 3); /* nothing comes back */

    static const uint64_t beyond[] = {(uint64_t)INT64_MAX, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        got = 77;
        assert_int_equal(file->ops->pread(file, data, 2, beyond[i], &got), EINVAL);
        assert_int_equal(got, 77);
        assert_int_equal(file->ops->pwrite(file, data, 2, beyond[i]), EINVAL);
    }
    assert_int_equal(file->ops->truncate(file, (uint64_t)1 << 63), EINVAL);
    assert_int_equal(file->ops->truncate(file, INT64_MAX), EFBIG);
    assert_int_equal(file->ops->pread(file, data, 2, (uint64_t)1 << 60, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(file->ops->pread(file, NULL, 0, 0, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(file->ops->pwrite(file, NULL, 0, 0), 0);
    file->ops->close(file);
}

static void survives_its_unlink(void **state) {
    const side *s = *state;
    tl_file *file = opened(s, "file", CREATE);
    assert_int_equal(file->ops->pwrite(file, "old", 3, 0), 0);
    assert_int_equal(s->io->ops->unlink(s->io, at(s, "file")), 0);
    assert_int_equal(open_rc(s, "file", TL_OPEN_READ), ENOENT);
    tl_file *other = opened(s, "file", CREATE); /* a new one under the same name */
    assert_int_equal(other->ops->pwrite(other, "newer", 5, 0), 0);
    char data[8] = "";
    size_t got = 0;
    assert_int_equal(file->ops->pread(file, data, sizeof data, 0, &got), 0);
    assert_int_equal(got, 3);
    assert_memory_equal(data, "old", 3);

    /* The same when a rename puts another file in its place. */
    touch(s, "third");
    assert_int_equal(s->io->ops->rename(s->io, at(s, "third"), at(s, "file")), 0);
    assert_int_equal(other->ops->pread(other, data, sizeof data, 0, &got), 0);
    assert_int_equal(got, 5);
    other->ops->close(other);
    file->ops->close(file);
}

/* ---- Names: both sides ------------------------------------------------------------------------- */

static int count_name(void *context, const char *name) {
    int *counts = context;
    int number = -1;
    if (sscanf(name, "n%d", &number) != 1 || number < 0 || number >= 300) {
        return EILSEQ;
    }
    counts[number]++;
    return 0;
}

static int stop_at_once(void *context, const char *name) {
    ++*(int *)context;
    return 4711;
}

static void lists(void **state) {
    const side *s = *state;
    assert_int_equal(s->io->ops->mkdir(s->io, at(s, "dir")), 0);
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "dir/n%d", (i * 7) % 300);
        if (i % 3 == 0) {
            assert_int_equal(s->io->ops->mkdir(s->io, at(s, name)), 0);
        } else {
            touch(s, name);
        }
    }
    int counts[300] = {0};
    assert_int_equal(s->io->ops->list(s->io, at(s, "dir"), count_name, counts), 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(counts[i], 1);
    }
    int calls = 0;
    assert_int_equal(s->io->ops->list(s->io, at(s, "dir"), stop_at_once, &calls), 4711);
    assert_int_equal(calls, 1);
    assert_int_equal(s->io->ops->list(s->io, at(s, "none"), stop_at_once, &calls), ENOENT);
    assert_int_equal(s->io->ops->list(s->io, at(s, "dir/n1"), stop_at_once, &calls), ENOTDIR);
    assert_int_equal(calls, 1);
    assert_int_equal(s->io->ops->sync_dir(s->io, at(s, "dir")), 0);
    assert_int_equal(s->io->ops->sync_dir(s->io, at(s, "none")), ENOENT);
    assert_int_equal(s->io->ops->sync_dir(s->io, at(s, "dir/n1")), ENOTDIR);
}

static void names_and_errors(void **state) {
    const side *s = *state;
    const tl_io_ops *ops = s->io->ops;
    assert_int_equal(ops->mkdir(s->io, at(s, "dir")), 0);
    assert_int_equal(ops->mkdir(s->io, at(s, "dir")), EEXIST);
    assert_int_equal(ops->mkdir(s->io, at(s, "no/dir")), ENOENT);
    touch(s, "dir/file");
    assert_int_equal(ops->mkdir(s->io, at(s, "dir/file")), EEXIST);
    assert_int_equal(ops->mkdir(s->io, at(s, "dir/file/dir")), ENOTDIR);
    assert_int_equal(ops->rmdir(s->io, at(s, "dir")), ENOTEMPTY);
    assert_int_equal(ops->rmdir(s->io, at(s, "dir/file")), ENOTDIR);
    assert_int_equal(ops->rmdir(s->io, at(s, "none")), ENOENT);
    assert_int_equal(ops->unlink(s->io, at(s, "none")), ENOENT);
    assert_int_not_equal(ops->unlink(s->io, at(s, "dir")), 0); /* EISDIR, or POSIX's EPERM */
    assert_int_equal(ops->rename(s->io, at(s, "none"), at(s, "dir/none")), ENOENT);
    assert_int_equal(ops->rename(s->io, at(s, "dir"), at(s, "dir/file/x")), ENOTDIR);
    assert_int_equal(ops->rename(s->io, at(s, "dir"), at(s, "dir/x")), EINVAL);
    assert_int_equal(ops->rename(s->io, at(s, "dir/file"), at(s, "dir/file")), 0);
    assert_int_equal(ops->rename(s->io, at(s, "dir//./file"), at(s, "file")), 0);
    assert_int_equal(open_rc(s, "file", TL_OPEN_READ), 0);
    assert_int_equal(ops->rename(s->io, at(s, "file"), at(s, "dir")), EISDIR);
    assert_int_equal(ops->rename(s->io, at(s, "dir"), at(s, "file")), ENOTDIR);
    assert_int_equal(ops->unlink(s->io, at(s, "file")), 0);
    assert_int_equal(ops->rmdir(s->io, at(s, "dir")), 0);
}

static bool same_directory(const side *s, const char *a, const char *b) {
    tl_identity x = {0};
    tl_identity y = {0};
    assert_int_equal(s->io->ops->identity(s->io, at(s, a), &x), 0);
    assert_int_equal(s->io->ops->identity(s->io, at(s, b), &y), 0);
    return x.device == y.device && x.inode == y.inode;
}

static void identity_of_directories(void **state) {
    const side *s = *state;
    const tl_io_ops *ops = s->io->ops;
    tl_identity identity = {77, 77};
    assert_int_equal(ops->mkdir(s->io, at(s, "a")), 0);
    assert_int_equal(ops->mkdir(s->io, at(s, "b")), 0);
    touch(s, "a/file");
    assert_true(same_directory(s, "a", "./a//."));
    assert_false(same_directory(s, "a", "b"));
    assert_int_equal(ops->identity(s->io, at(s, "none"), &identity), ENOENT);
    assert_int_equal(ops->identity(s->io, at(s, "a/file"), &identity), ENOTDIR);
    assert_int_equal(identity.device, 77);
    assert_int_equal(ops->identity(s->io, at(s, "a"), &identity), 0);
    assert_int_equal(ops->rename(s->io, at(s, "a"), at(s, "c")), 0);
    tl_identity moved = {0};
    assert_int_equal(ops->identity(s->io, at(s, "c"), &moved), 0);
    assert_int_equal(moved.device, identity.device); /* the directory, not its name */
    assert_int_equal(moved.inode, identity.inode);
}

static void clock_and_randomness(void **state) {
    const side *s = *state;
    int64_t now = s->io->ops->now_us(s->io);
    int64_t seconds = (int64_t)time(NULL);
    assert_true(now / 1000000 >= seconds - 2 && now / 1000000 <= seconds + 2);

    /* 4096 fair bits of each place: off by more than 6 standard deviations once in half a billion.
     */
    static uint8_t data[4096];
    assert_int_equal(s->io->ops->random(s->io, data, sizeof data), 0);
    for (int bit = 0; bit < 8; bit++) {
        int ones = 0;
        for (size_t i = 0; i < sizeof data; i++) {
            ones += data[i] >> bit & 1;
        }
        assert_true(ones > 2048 - 192 && ones < 2048 + 192);
    }
    assert_int_equal(s->io->ops->random(s->io, NULL, 0), 0);
}

/* ---- Locks: both sides --------------------------------------------------------------------------- */

static void locks_exclude(void **state) {
    const side *s = *state;
    tl_file *first = NULL;
    tl_file *second = NULL;
    int64_t pid = -1;
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &first, &pid), 0);
    assert_int_equal(pid, -1);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &second, &pid), EWOULDBLOCK);
    assert_null(second);
    assert_int_equal(pid, getpid());
    char text[32] = "";
    char expected[32];
    size_t len = 0;
    int expected_len = snprintf(expected, sizeof expected, "%d\n", (int)getpid());
    assert_int_equal(first->ops->pread(first, text, sizeof text, 0, &len), 0);
    assert_int_equal(len, expected_len);
    assert_memory_equal(text, expected, len);

    tl_file *elsewhere = NULL; /* another path is another lock */
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK2"), &elsewhere, &pid), 0);
    /* Opening and closing the file does not drop the lock, as it would with fcntl(). */
    assert_int_equal(open_rc(s, "LOCK", TL_OPEN_WRITE), 0);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &second, &pid), EWOULDBLOCK);
    first->ops->close(first);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &second, &pid), 0);
    elsewhere->ops->close(elsewhere);
    second->ops->close(second);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "none/LOCK"), &second, &pid), ENOENT);
    assert_int_equal(s->io->ops->mkdir(s->io, at(s, "dir")), 0);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "dir"), &second, &pid), EINVAL);
}

static void a_long_old_pid_is_replaced(void **state) {
    const side *s = *state;
    static const char old[] = "99999999999999999999999999999 and more\n";
    tl_file *file = opened(s, "LOCK", CREATE);
    assert_int_equal(file->ops->pwrite(file, old, sizeof old, 0), 0);
    file->ops->close(file);
    int64_t pid = -1;
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &file, &pid), 0);
    uint64_t bytes = 0;
    assert_int_equal(file->ops->size(file, &bytes), 0);
    assert_true(bytes < 12);
    file->ops->close(file);
}

/* ---- Threads: both sides ------------------------------------------------------------------------- */

typedef struct stripe {
    tl_file *file;
    uint8_t mark;
    int wrong;
} stripe;

enum { STRIPES = 4, STRIPE_BYTES = 1000 };

static void *work_on_stripe(void *arg) {
    stripe *s = arg;
    uint8_t data[STRIPE_BYTES];
    for (int i = 0; i < 100; i++) {
        uint64_t offset = ((uint64_t)i * STRIPES + s->mark) * STRIPE_BYTES;
        size_t got = 0;
        memset(data, s->mark + 1, sizeof data);
        s->wrong += s->file->ops->pwrite(s->file, data, sizeof data, offset) != 0;
        memset(data, 0, sizeof data);
        s->wrong += s->file->ops->pread(s->file, data, sizeof data, offset, &got) != 0;
        s->wrong +=
            got != sizeof data || data[0] != s->mark + 1 || data[STRIPE_BYTES - 1] != s->mark + 1;
    }
    return NULL;
}

static void disjoint_ranges_by_threads(void **state) {
    const side *s = *state;
    tl_file *file = opened(s, "file", CREATE);
    stripe stripes[STRIPES];
    pthread_t threads[STRIPES];
    for (int i = 0; i < STRIPES; i++) {
        stripes[i] = (stripe){file, (uint8_t)i, 0};
        assert_int_equal(tl_thread_start(&threads[i], work_on_stripe, &stripes[i]), 0);
    }
    for (int i = 0; i < STRIPES; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(stripes[i].wrong, 0);
    }
    file->ops->close(file);
}

/* ---- The memory against the kernel ------------------------------------------------------------- */

static uint64_t name_hash(const char *name) {
    uint64_t hash = 14695981039346656037U;
    for (; *name; name++) {
        hash = (hash ^ (uint8_t)*name) * 1099511628211U;
    }
    return hash;
}

static int sum_names(void *context, const char *name) {
    *(uint64_t *)context += name_hash(name); /* the order does not matter */
    return 0;
}

/* One question to one side; the answer is an errno. */
static int ask(const side *s, unsigned op, const char *a, const char *b, uint64_t *out_sum) {
    const tl_io_ops *ops = s->io->ops;
    switch (op) {
    case 0: return ops->mkdir(s->io, at(s, a));
    case 1: return open_rc(s, a, CREATE);
    case 2: return open_rc(s, a, TL_OPEN_READ);
    case 3: return ops->unlink(s->io, at(s, a));
    case 4: return ops->rmdir(s->io, at(s, a));
    case 5: return ops->list(s->io, at(s, a), sum_names, out_sum);
    case 6: return ops->sync_dir(s->io, at(s, a));
    default: return ops->rename(s->io, at(s, a), at(s, b));
    }
}

static void memory_answers_as_the_kernel(void **state) {
    static const char *const names[] = {"a",   "b",     "c",     "a/a",   "a/b",     "b/a",
                                        "b/b", "a/a/a", "a/b/a", "b/a/b", "a/a/a/a", "./a//b"};
    enum { NAMES = sizeof names / sizeof names[0] };
    const side *kernel = *state;
    side memory = {.io = tl_io_memory_new(), .root = ""};
    assert_non_null(memory.io);
    rng r = {21};
    int answers[256] = {0};
    for (int round = 0; round < 20000; round++) {
        unsigned op = (unsigned)rng_below(&r, 12);
        const char *a = names[rng_below(&r, NAMES)];
        const char *b = names[rng_below(&r, NAMES)];
        if (op == 6 && round % 50 != 0) {
            continue; /* a real sync is slow */
        }
        uint64_t sums[2] = {0, 0};
        int expected = ask(kernel, op, a, b, &sums[0]);
        int answer = ask(&memory, op, a, b, &sums[1]);
        if (answer != expected || sums[0] != sums[1]) {
            fail_msg("round %d, op %u, %s, %s: %s, the kernel says %s", round, op, a, b,
                     strerror(answer), strerror(expected));
        }
        answers[expected & 255]++;
    }
    /* The questions were good ones: each of these answers came up. */
    static const int all[] = {0, EEXIST, ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(answers[all[i]] > 20);
    }
    tl_io_memory_free(memory.io);
}

static void memory_root_and_odd_paths(void **state) {
    tl_io *io = tl_io_memory_new();
    const tl_io_ops *ops = io->ops;
    assert_int_equal(ops->mkdir(io, "/"), EEXIST);
    assert_int_equal(ops->rmdir(io, "/"), EBUSY);
    assert_int_equal(ops->unlink(io, "/"), EISDIR);
    assert_int_equal(ops->rename(io, "/", "/x"), EBUSY);
    assert_int_equal(ops->mkdir(io, "d"), 0); /* no leading slash: the same root */
    assert_int_equal(ops->mkdir(io, "/d/"), EEXIST);
    assert_int_equal(ops->rename(io, "/d", "/"), EBUSY);
    assert_int_equal(ops->mkdir(io, "/d/../e"), EINVAL);
    uint64_t sum = 0;
    assert_int_equal(ops->list(io, "/", sum_names, &sum), 0);
    assert_int_equal(sum, name_hash("d"));
    tl_io_memory_free(io);
    tl_io_memory_free(NULL);
}

/* ---- The real file system only ----------------------------------------------------------------- */

static void identity_through_links(void **state) {
    const side *s = *state;
    assert_int_equal(s->io->ops->mkdir(s->io, at(s, "dir")), 0);
    assert_int_equal(symlink("dir", at(s, "link")), 0);
    assert_int_equal(symlink("nowhere", at(s, "dangling")), 0);
    assert_true(same_directory(s, "dir", "link"));
    assert_true(same_directory(s, "dir", "dir/../link/."));
    tl_identity identity;
    assert_int_equal(s->io->ops->identity(s->io, at(s, "dangling"), &identity), ENOENT);
}

static void modes_whatever_the_umask(void **state) {
    const side *s = *state;
    mode_t before = umask(0);
    tl_file *lock = NULL;
    int64_t pid = 0;
    touch(s, "file");
    assert_int_equal(s->io->ops->mkdir(s->io, at(s, "dir")), 0);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), 0);
    umask(before);
    struct stat st;
    assert_int_equal(stat(at(s, "file"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(at(s, "LOCK"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(at(s, "dir"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    lock->ops->close(lock);
}

static void only_regular_files(void **state) {
    const side *s = *state;
    tl_file *file = NULL;
    int64_t pid = 0;
    touch(s, "file");
    assert_int_equal(symlink(at(s, "file"), at(s, "link")), 0);
    assert_int_equal(mkfifo(at(s, "fifo"), 0600), 0); /* nobody at the other end: must not block */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", at(s, "socket"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    for (int flags = TL_OPEN_READ; flags <= TL_OPEN_WRITE; flags++) {
        assert_int_equal(open_rc(s, "link", flags), ELOOP);
        assert_int_equal(open_rc(s, "fifo", flags), EINVAL);
        assert_int_equal(open_rc(s, "socket", flags), EINVAL);
    }
    assert_int_equal(open_rc(s, "link", CREATE), EEXIST);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "link"), &file, &pid), ELOOP);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "fifo"), &file, &pid), EINVAL);
    assert_null(file);
}

/* Runs `body` in a child process; its result is the child's exit status. */
static int in_child(int (*body)(const side *), const side *s) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(body(s));
    }
    assert_true(pid > 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int missing_fd; /* which of the standard descriptors the host has closed */

static int open_without_stdio(const side *s) {
    close(missing_fd);
    tl_file *file = NULL;
    tl_file *lock = NULL;
    int64_t pid = 0;
    if (s->io->ops->open(s->io, at(s, "file"), CREATE, &file) != 0 ||
        s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid) != 0) {
        return 10;
    }
    if (fcntl(missing_fd, F_GETFD) != -1) {
        return 20; /* the host's next printf would land in it */
    }
    if (file->ops->pwrite(file, "ok", 2, 0) != 0 || s->io->ops->unlink(s->io, at(s, "file")) != 0) {
        return 30;
    }
    file->ops->close(file);
    lock->ops->close(lock);
    return 0;
}

static void never_the_standard_descriptors(void **state) {
    for (missing_fd = 0; missing_fd <= 2; missing_fd++) {
        assert_int_equal(in_child(open_without_stdio, *state), 0);
    }
}

/* The flags of every descriptor of this process that is open on `name`; returns how many there are.
 */
static int check_descriptors(const side *s, const char *name) {
    struct stat wanted;
    struct stat st;
    int count = 0;
    assert_int_equal(stat(at(s, name), &wanted), 0);
    for (int fd = 0; fd < 256; fd++) {
        if (fstat(fd, &st) == 0 && st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino) {
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
            count++;
        }
    }
    return count;
}

static int count_own_descriptors(void *context, const char *name) {
    const side *s = context;
    assert_int_equal(check_descriptors(s, "."), 1); /* that of the listing itself */
    return 1;
}

static void descriptors_close_on_exec(void **state) {
    side *s = *state;
    tl_file *lock = NULL;
    int64_t pid = 0;
    tl_file *file = opened(s, "file", CREATE);
    tl_file *second = opened(s, "file", TL_OPEN_READ);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), 0);
    assert_int_equal(check_descriptors(s, "file"), 2);
    assert_int_equal(check_descriptors(s, "LOCK"), 1);
    assert_int_equal(s->io->ops->list(s->io, at(s, "."), count_own_descriptors, s), 1);
    file->ops->close(file);
    second->ops->close(second);
    lock->ops->close(lock);
    assert_int_equal(s->io->ops->sync_dir(s->io, at(s, ".")), 0);
    /* And nothing is left open, by failures either. */
    assert_int_equal(open_rc(s, "file", CREATE), EEXIST);
    assert_int_equal(mkfifo(at(s, "fifo"), 0600), 0);
    assert_int_equal(open_rc(s, "fifo", TL_OPEN_WRITE), EINVAL);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "fifo"), &file, &pid), EINVAL);
    static const char *const all[] = {"file", "LOCK", ".", "fifo"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(check_descriptors(s, all[i]), 0);
    }
}

/* 0: taken. Otherwise the errno, or 200 when the pid told is not the parent's. */
static int lock_as_child(const side *s) {
    tl_file *file = NULL;
    int64_t pid = -1;
    int rc = s->io->ops->lock(s->io, at(s, "LOCK"), &file, &pid);
    return rc == EWOULDBLOCK && pid != getppid() ? 200 : rc;
}

static void another_process_is_kept_out(void **state) {
    const side *s = *state;
    tl_file *lock = NULL;
    int64_t pid = 0;
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), 0);
    assert_int_equal(in_child(lock_as_child, s), EWOULDBLOCK);
    /* The child closed its copy of the descriptor, and the lock is still ours. */
    assert_int_equal(in_child(lock_as_child, s), EWOULDBLOCK);
    lock->ops->close(lock);
    assert_int_equal(in_child(lock_as_child, s), 0);
}

enum { CHILD_SECONDS = 20 }; /* the life of one that a failed test forgot */

typedef struct child {
    pid_t pid;
    int to;   /* a byte lets it go on */
    int from; /* a byte says that it is there */
} child;

/* A child that runs `body`, says so, and lives until told otherwise. */
static child start_child(void (*body)(void *), void *context) {
    int to[2];
    int from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 'x';
        alarm(CHILD_SECONDS);
        close(to[1]);
        body(context);
        if (write(from[1], &byte, 1) != 1 || read(to[0], &byte, 1) < 0) {
            _exit(1);
        }
        _exit(0);
    }
    assert_true(pid > 0);
    close(to[0]);
    close(from[1]);
    char byte;
    assert_int_equal(read(from[0], &byte, 1), 1);
    return (child){pid, to[1], from[0]};
}

static void end_child(child c, bool by_force) {
    int status = 0;
    if (by_force) {
        kill(c.pid, SIGKILL);
    } else { /* not by closing: children forked later hold copies of this end */
        assert_int_equal(write(c.to, "x", 1), 1);
    }
    close(c.to);
    close(c.from);
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_true(by_force ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void nothing(void *context) {
    (void)context;
}

static void a_forked_child_keeps_no_lock(void **state) {
    const side *s = *state;
    tl_file *locks[3];
    static const char *const names[] = {"LOCK", "LOCK1", "LOCK2"};
    int64_t pid = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(s->io->ops->lock(s->io, at(s, names[i]), &locks[i], &pid), 0);
    }
    child c = start_child(nothing, NULL);
    for (int i = 0; i < 3; i++) {
        locks[i]->ops->close(locks[i]);
    }
    for (int i = 0; i < 3; i++) { /* the child lives, and does not stand in the way */
        assert_int_equal(s->io->ops->lock(s->io, at(s, names[i]), &locks[i], &pid), 0);
        locks[i]->ops->close(locks[i]);
    }
    end_child(c, false);
}

static void close_inherited(void *context) {
    tl_file *lock = context;
    int fd = open("/dev/null", O_RDONLY); /* gets the lock's old number */
    char byte;
    size_t got;
    if (lock->ops->pread(lock, &byte, 1, 0, &got) != EBADF) {
        _exit(3);
    }
    lock->ops->close(lock); /* must not close somebody else's descriptor */
    if (fcntl(fd, F_GETFD) == -1) {
        _exit(2);
    }
}

static void a_child_may_close_what_it_inherited(void **state) {
    const side *s = *state;
    tl_file *lock = NULL;
    int64_t pid = 0;
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), 0);
    child c = start_child(close_inherited, lock);
    tl_file *second = NULL;
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &second, &pid), EWOULDBLOCK);
    end_child(c, false);
    lock->ops->close(lock);
}

static void take_lock(void *context) {
    const side *s = context;
    tl_file *lock = NULL;
    int64_t pid = 0;
    if (s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid) != 0) {
        _exit(2);
    }
}

static void the_kernel_releases_it(void **state) {
    side *s = *state;
    tl_file *lock = NULL;
    int64_t pid = 0;
    child c = start_child(take_lock, s);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), EWOULDBLOCK);
    assert_int_equal(pid, c.pid);
    end_child(c, true);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), 0);
    lock->ops->close(lock);
}

static int orphan_pipe[2];

/* Takes the lock and forks, as a program with a library of its own underneath would. */
static void take_lock_and_fork(void *context) {
    take_lock(context);
    int ready[2];
    char byte = 'x';
    if (pipe(ready) != 0) {
        _exit(3);
    }
    if (fork() == 0) { /* lives until it is told to go */
        alarm(CHILD_SECONDS);
        if (write(ready[1], &byte, 1) != 1 || read(orphan_pipe[0], &byte, 1) < 0) {
            _exit(1);
        }
        _exit(0);
    }
    if (read(ready[0], &byte, 1) != 1) {
        _exit(4);
    }
}

/* The holder is killed while a child that it forked lives on. */
static void an_orphan_keeps_no_lock(void **state) {
    side *s = *state;
    tl_file *lock = NULL;
    int64_t pid = 0;
    assert_int_equal(pipe(orphan_pipe), 0);
    child c = start_child(take_lock_and_fork, s);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), EWOULDBLOCK);
    end_child(c, true);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "LOCK"), &lock, &pid), 0);
    lock->ops->close(lock);
    assert_int_equal(write(orphan_pipe[1], "x", 1), 1); /* the orphan may go */
    close(orphan_pipe[0]);
    close(orphan_pipe[1]);
}

typedef struct churn {
    const side *side;
    _Atomic(bool) done;
    int wrong;
} churn;

static void *lock_and_close(void *arg) {
    churn *c = arg;
    while (!atomic_load(&c->done)) {
        tl_file *lock = NULL;
        int64_t pid = 0;
        int rc = c->side->io->ops->lock(c->side->io, at(c->side, "CHURN"), &lock, &pid);
        if (rc == 0) {
            lock->ops->close(lock);
        } else {
            c->wrong++; /* a child that got the descriptor would show here */
        }
    }
    return NULL;
}

/* Forks at any moment of taking and releasing a lock: no child ever has it, not even for the moment
 * before its fork handler ran. */
static void forks_at_any_moment(void **state) {
    const side *s = *state;
    churn c = {.side = s};
    pthread_t thread;
    assert_int_equal(tl_thread_start(&thread, lock_and_close, &c), 0);
    child children[30];
    for (int i = 0; i < 30; i++) {
        children[i] = start_child(nothing, NULL);
    }
    atomic_store(&c.done, true);
    pthread_join(thread, NULL);
    for (int i = 0; i < 30; i++) {
        end_child(children[i], false);
    }
    assert_int_equal(c.wrong, 0);
}

#define BOTH_SIDES(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, set_up_posix, tear_down_posix),                          \
        cmocka_unit_test_setup_teardown(test, set_up_memory, tear_down_memory)
#define POSIX_SIDE(test) cmocka_unit_test_setup_teardown(test, set_up_posix, tear_down_posix)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH_SIDES(open_and_create),
        BOTH_SIDES(read_only_files_are),
        BOTH_SIDES(contents_as_an_array),
        BOTH_SIDES(far_offsets),
        BOTH_SIDES(survives_its_unlink),
        BOTH_SIDES(lists),
        BOTH_SIDES(names_and_errors),
        BOTH_SIDES(identity_of_directories),
        BOTH_SIDES(clock_and_randomness),
        BOTH_SIDES(locks_exclude),
        BOTH_SIDES(a_long_old_pid_is_replaced),
        BOTH_SIDES(disjoint_ranges_by_threads),
        POSIX_SIDE(memory_answers_as_the_kernel),
        cmocka_unit_test(memory_root_and_odd_paths),
        POSIX_SIDE(identity_through_links),
        POSIX_SIDE(modes_whatever_the_umask),
        POSIX_SIDE(only_regular_files),
        POSIX_SIDE(never_the_standard_descriptors),
        POSIX_SIDE(descriptors_close_on_exec),
        POSIX_SIDE(another_process_is_kept_out),
        POSIX_SIDE(a_forked_child_keeps_no_lock),
        POSIX_SIDE(a_child_may_close_what_it_inherited),
        POSIX_SIDE(the_kernel_releases_it),
        POSIX_SIDE(an_orphan_keeps_no_lock),
        POSIX_SIDE(forks_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
