/*
 * Input and output, what only the real file system has: modes, links, descriptors, other processes.
 * Oracles: stat and fcntl, and child processes that live, fork and are killed.
 */
/* ctest: tsan */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "io_sides.h"

/* ---- Modes and kinds ---------------------------------------------------------------------------- */

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
    bool has_socket = mknod(at(s, "socket"), S_IFSOCK | 0600, 0) == 0; /* macOS asks for root */
    for (int flags = TL_OPEN_READ; flags <= TL_OPEN_WRITE; flags++) {
        assert_int_equal(open_rc(s, "link", flags), ELOOP);
        assert_int_equal(open_rc(s, "fifo", flags), EINVAL);
        assert_int_equal(open_rc(s, "socket", flags), has_socket ? EINVAL : ENOENT);
    }
    assert_int_equal(open_rc(s, "link", CREATE), EEXIST);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "link"), &file, &pid), ELOOP);
    assert_int_equal(s->io->ops->lock(s->io, at(s, "fifo"), &file, &pid), EINVAL);
    assert_null(file);
}

/* ---- Descriptors ------------------------------------------------------------------------------- */

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

/* ---- Locks and processes ------------------------------------------------------------------------ */

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

int main(void) {
    const struct CMUnitTest tests[] = {
        POSIX_SIDE(identity_through_links),       POSIX_SIDE(modes_whatever_the_umask),
        POSIX_SIDE(only_regular_files),           POSIX_SIDE(never_the_standard_descriptors),
        POSIX_SIDE(descriptors_close_on_exec),    POSIX_SIDE(another_process_is_kept_out),
        POSIX_SIDE(a_forked_child_keeps_no_lock), POSIX_SIDE(a_child_may_close_what_it_inherited),
        POSIX_SIDE(the_kernel_releases_it),       POSIX_SIDE(an_orphan_keeps_no_lock),
        POSIX_SIDE(forks_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
