/*
 * Input and output, what both sides promise: one suite runs against the real file system, in a
 * directory of its own, and against the one in memory. Oracles: a plain array for contents; for
 * names, the kernel, which is asked the same random questions as the memory.
 */
/* ctest: tsan */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "io_sides.h"
#include "rng.h"

/* ---- Files ------------------------------------------------------------------------- */

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

/* ---- Names ------------------------------------------------------------------------- */

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

/* ---- Locks --------------------------------------------------------------------------- */

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

/* ---- Threads ------------------------------------------------------------------------- */

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
        if (op == 6 && round % 500 != 0) {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
