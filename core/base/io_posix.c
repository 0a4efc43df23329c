/*
 * io_posix.c: the real file system.
 *
 * How: one descriptor a file, positioned reads and writes, so that threads never share an offset.
 * What is less usual:
 *
 * - Descriptors 0, 1 and 2 are never used. In a host that closed its standard streams they would be
 *   handed out next, and the host's next message would land in a log segment.
 * - Files are opened without blocking and looked at afterwards, so that a FIFO that somebody put
 *   under our name does not stop the process, and nothing can be exchanged between look and open.
 * - Locks are flock(), not fcntl(): the latter is dropped when any code in the process closes any
 *   descriptor of the file. A flock is inherited by fork(), and would outlive the parent in a child
 *   that never calls exec. So a child closes the lock descriptors before fork() returns in it, by a
 *   pthread_atfork handler over a list of them. That list is the one piece of global state here; a
 *   fork handler has no argument by which it could reach anything else.
 * - A failed sync is only reported. That it must never be tried again is the caller's rule; only
 *   EINTR, where nothing has failed yet, is repeated (as PostgreSQL does).
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/thread.h"

typedef struct posix_file {
    tl_file file;
    int fd;                  /* -1: a lock that this process lost by being forked */
    bool locks;              /* in the list below */
    struct posix_file *next; /* [locks_mutex] */
} posix_file;

enum {
    FILE_MODE = 0600,
    DIR_MODE = 0700,
    PID_TEXT_BYTES = 32,
    TRANSFER_BYTES_MAX = 1 << 30, /* of one call; some systems refuse more than INT_MAX */
};

static const tl_io_ops posix_ops;

static posix_file *posix_of(tl_file *file) {
    assert(file->ops == &posix_ops);
    return (posix_file *)file;
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static int open_retrying(const char *path, int flags, int *out_fd) {
    int fd;
    do {
        fd = open(path, flags, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return errno;
    }
    if (fd <= STDERR_FILENO) {
        int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        int rc = higher < 0 ? errno : 0;
        close(fd);
        if (rc != 0) {
            return rc;
        }
        fd = higher;
    }
    *out_fd = fd;
    return 0;
}

/* Only a regular file passes, and from here on its reads and writes may block. */
static int check_regular(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return EINVAL;
    }
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ? errno : 0;
}

static int open_regular(const char *path, int flags, int *out_fd) {
    int fd = -1;
    int rc = open_retrying(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, &fd);
    if (rc == EISDIR || rc == ENXIO) { /* a directory opened to write; a socket */
        return EINVAL;
    }
#if defined(__FreeBSD__)
    if (rc == EMLINK) { /* its word for a symbolic link */
        return ELOOP;
    }
#endif
    if (rc != 0) {
        return rc;
    }
    rc = check_regular(fd);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

static int posix_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    (void)io;
    posix_file *file = calloc(1, sizeof *file);
    if (!file) {
        return ENOMEM;
    }
    int mode = (flags & TL_OPEN_WRITE ? O_RDWR : O_RDONLY) |
               (flags & TL_OPEN_CREATE ? O_CREAT | O_EXCL : 0);
    int rc = open_regular(path, mode, &file->fd);
    if (rc != 0) {
        free(file);
        return rc;
    }
    file->file.ops = &posix_ops;
    *out_file = &file->file;
    return 0;
}

/* ---- Locks and fork ------------------------------------------------------------------------ */

/* Guards `locks`, and is held across fork(), so that the child finds the list whole: a descriptor
 * is in the list from before it is locked until after it is closed. */
static tl_mutex locks_mutex = TL_MUTEX_INIT;
static posix_file *locks; /* [locks_mutex] */

/* Guards `watching`. Not locks_mutex: while pthread_atfork holds the C library's lock on its
 * handlers, a fork in another thread may hold the same one and wait for locks_mutex. */
static tl_mutex watching_mutex = TL_MUTEX_INIT;
static bool watching; /* [watching_mutex] */

static void before_fork(void) {
    tl_mutex_lock(&locks_mutex);
}

static void after_fork_in_parent(void) {
    tl_mutex_unlock(&locks_mutex);
}

/* Only async-signal-safe calls, and the unlock of what this very thread locked. Not LOCK_UN: that
 * would take the lock from the parent too. fd becomes -1 because the number may soon be somebody
 * else's. */
static void after_fork_in_child(void) {
    for (posix_file *file = locks; file; file = file->next) {
        close(file->fd);
        file->fd = -1;
    }
    locks = NULL;
    tl_mutex_unlock(&locks_mutex);
}

static int watch_forks(void) {
    tl_mutex_lock(&watching_mutex);
    int rc = 0;
    if (!watching) {
        rc = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        watching = rc == 0;
    }
    tl_mutex_unlock(&watching_mutex);
    return rc;
}

static void forget_lock_locked(const posix_file *file) {
    assert(tl_mutex_held(&locks_mutex));
    for (posix_file **link = &locks; *link; link = &(*link)->next) {
        if (*link == file) {
            *link = file->next;
            return;
        }
    }
}

/* A lock is given back expressly, because a child that was forked just now may not have come to
 * closing its copy yet. close() is not repeated after EINTR: on Linux the descriptor is gone by
 * then, and its number may be in use again. */
static void posix_close(tl_file *base) {
    posix_file *file = posix_of(base);
    if (file->locks) {
        tl_mutex_lock(&locks_mutex);
        forget_lock_locked(file);
        if (file->fd >= 0) {
            (void)flock(file->fd, LOCK_UN);
            close(file->fd);
        }
        tl_mutex_unlock(&locks_mutex);
    } else {
        close(file->fd);
    }
    free(file);
}

static int lock_exclusively(int fd) {
    int rc;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    } while (rc == EINTR);
    return rc;
}

/* The number in the file, 0 when there is none that could be a process. */
static int64_t read_pid(tl_file *file) {
    char text[PID_TEXT_BYTES];
    size_t len = 0;
    if (file->ops->pread(file, text, sizeof text, 0, &len) != 0) {
        return 0;
    }
    int64_t pid = 0;
    for (size_t i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        if (pid > INT32_MAX) {
            return 0;
        }
        pid = pid * 10 + (text[i] - '0');
    }
    return pid;
}

/* Errors are of no consequence: the lock is what counts and is held; a full disk must not keep a ledger
 * from being opened; and the reader of an empty file says that the pid is unknown. */
static void write_pid(tl_file *file) {
    char text[PID_TEXT_BYTES];
    int len = snprintf(text, sizeof text, "%lld\n", (long long)getpid());
    if (file->ops->truncate(file, 0) == 0) {
        (void)file->ops->pwrite(file, text, (size_t)len, 0);
    }
}

/* Opens and locks under locks_mutex, so that no fork falls in between. */
static int open_and_lock(posix_file *file, const char *path) {
    tl_mutex_lock(&locks_mutex);
    int rc = open_regular(path, O_RDWR | O_CREAT, &file->fd);
    if (rc == 0) {
        rc = lock_exclusively(file->fd);
        if (rc == 0) {
            file->locks = true;
            file->next = locks;
            locks = file;
        }
    }
    tl_mutex_unlock(&locks_mutex);
    return rc;
}

static int posix_lock(tl_io *io, const char *path, tl_file **out_file, int64_t *out_pid) {
    (void)io;
    int rc = watch_forks();
    if (rc != 0) {
        return rc;
    }
    posix_file *file = calloc(1, sizeof *file);
    if (!file) {
        return ENOMEM;
    }
    file->file.ops = &posix_ops;
    file->fd = -1;
    rc = open_and_lock(file, path);
    if (rc == 0) {
        write_pid(&file->file);
        *out_file = &file->file;
        return 0;
    }
    if (rc == EWOULDBLOCK) {
        *out_pid = read_pid(&file->file);
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    free(file);
    return rc;
}

static int64_t posix_lock_holder(tl_io *io, const char *path) {
    tl_file *file = NULL;
    if (io->ops->open(io, path, TL_OPEN_READ, &file) != 0) {
        return 0;
    }
    int64_t pid = read_pid(file);
    file->ops->close(file);
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

/* ---- Files --------------------------------------------------------------------------------- */

static bool range_valid(size_t len, uint64_t offset) {
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static int posix_pread(tl_file *base, void *data, size_t len, uint64_t offset, size_t *out_len) {
    int fd = posix_of(base)->fd;
    if (!range_valid(len, offset)) {
        return EINVAL;
    }
    size_t done = 0;
    while (done < len) {
        size_t part = len - done < TRANSFER_BYTES_MAX ? len - done : TRANSFER_BYTES_MAX;
        ssize_t n = pread(fd, (char *)data + done, part, (off_t)(offset + done));
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *out_len = done;
    return 0;
}

static int posix_pwrite(tl_file *base, const void *data, size_t len, uint64_t offset) {
    int fd = posix_of(base)->fd;
    if (!range_valid(len, offset)) {
        return EINVAL;
    }
    size_t done = 0;
    while (done < len) {
        size_t part = len - done < TRANSFER_BYTES_MAX ? len - done : TRANSFER_BYTES_MAX;
        ssize_t n = pwrite(fd, (const char *)data + done, part, (off_t)(offset + done));
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        if (n == 0) { /* POSIX does not let it; going round for ever would be worse than EIO */
            return EIO;
        }
        done += (size_t)n;
    }
    return 0;
}

static int sync_fd(int fd, bool directory) {
    int rc;
    do {
#if defined(__APPLE__)
        /* fsync there leaves the data in the drive's cache; file systems without the stronger call
         * refuse it. */
        (void)directory;
        rc = fcntl(fd, F_FULLFSYNC);
        if (rc != 0 && (errno == ENOTSUP || errno == ENOTTY || errno == EINVAL)) {
            rc = fsync(fd);
        }
#else
        rc = directory ? fsync(fd) : fdatasync(fd);
#endif
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

static int posix_sync(tl_file *base) {
    return sync_fd(posix_of(base)->fd, false);
}

static int posix_size(tl_file *base, uint64_t *out_bytes) {
    struct stat st;
    if (fstat(posix_of(base)->fd, &st) != 0) {
        return errno;
    }
    *out_bytes = (uint64_t)st.st_size;
    return 0;
}

static int posix_truncate(tl_file *base, uint64_t bytes) {
    if (!range_valid(0, bytes)) {
        return EINVAL;
    }
    int rc;
    do {
        rc = ftruncate(posix_of(base)->fd, (off_t)bytes);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

/* Only clean pages can be dropped, so the caller syncs first. */
static int posix_drop_cache(tl_file *base) {
    int fd = posix_of(base)->fd;
#if defined(POSIX_FADV_DONTNEED)
    return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
#else
    (void)fd;
    return 0; /* macOS cannot drop what is cached; F_FULLFSYNC leaves less to doubt */
#endif
}

/* ---- Names --------------------------------------------------------------------------------- */

static int posix_mkdir(tl_io *io, const char *path) {
    (void)io;
    return mkdir(path, DIR_MODE) == 0 ? 0 : errno;
}

static int posix_rename(tl_io *io, const char *from, const char *to) {
    (void)io;
    return rename(from, to) == 0 ? 0 : errno;
}

static int posix_unlink(tl_io *io, const char *path) {
    (void)io;
    return unlink(path) == 0 ? 0 : errno;
}

static int posix_rmdir(tl_io *io, const char *path) {
    (void)io;
    return rmdir(path) == 0 ? 0 : errno;
}

static int posix_sync_dir(tl_io *io, const char *path) {
    (void)io;
    int fd = -1;
    int rc = open_retrying(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, &fd);
    if (rc == 0) {
        rc = sync_fd(fd, true);
        close(fd);
    }
    return rc;
}

/* Follows symbolic links: that is the point. */
static int posix_identity(tl_io *io, const char *path, tl_identity *out_identity) {
    (void)io;
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno;
    }
    if (!S_ISDIR(st.st_mode)) {
        return ENOTDIR;
    }
    out_identity->device = (uint64_t)st.st_dev;
    out_identity->inode = (uint64_t)st.st_ino;
    return 0;
}

static int posix_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    (void)io;
    int fd = -1;
    int rc = open_retrying(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, &fd);
    if (rc != 0) {
        return rc;
    }
    DIR *dir = fdopendir(fd);
    if (!dir) {
        rc = errno;
        close(fd);
        return rc;
    }
    while (rc == 0) {
        errno = 0; /* tells the end from an error */
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            rc = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            rc = each(context, entry->d_name);
        }
    }
    closedir(dir);
    return rc;
}

/* ---- Clock and randomness -------------------------------------------------------------------- */

static int64_t posix_now_us(tl_io *io) {
    (void)io;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        assert(!"CLOCK_REALTIME is always there");
        return 0;
    }
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int posix_random(tl_io *io, void *data, size_t len) {
    (void)io;
    size_t done = 0;
    while (done < len) {
        char *at = (char *)data + done;
#if defined(__linux__)
        ssize_t n = getrandom(at, len - done, 0);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        done += (size_t)n;
#else
        size_t part = len - done < 256 ? len - done : 256; /* its limit a call */
        if (getentropy(at, part) != 0) {
            return errno;
        }
        done += part;
#endif
    }
    return 0;
}

static const tl_io_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwrite = posix_pwrite,
    .sync = posix_sync,
    .size = posix_size,
    .truncate = posix_truncate,
    .drop_cache = posix_drop_cache,
    .mkdir = posix_mkdir,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .rmdir = posix_rmdir,
    .sync_dir = posix_sync_dir,
    .identity = posix_identity,
    .list = posix_list,
    .lock = posix_lock,
    .lock_holder = posix_lock_holder,
    .now_us = posix_now_us,
    .random = posix_random,
};

tl_io *tl_io_posix(void) {
    static tl_io io = {.ops = &posix_ops};
    return &io;
}
