/*
 * io.h: all input and output, the clock and randomness behind one small table of functions.
 *
 * Purpose:    the engine runs unchanged on the real file system (io_posix.c), in memory
 *             (io_memory.c), and on whatever a test puts in between.
 * Owns:       a tl_file is owned by who opened it. The tl_io outlives its files.
 * Threads:    every function may be called from any thread; two threads may use one tl_file for
 *             disjoint ranges.
 * Errors:     0 or a positive errno. EINTR and short transfers are dealt with inside.
 * Durability: only what `sync` (file contents and size) and `sync_dir` (names) returned 0 for.
 */
#ifndef TL_BASE_IO_H
#define TL_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tl_io tl_io;
typedef struct tl_file tl_file;

typedef enum tl_open_flags {
    TL_OPEN_READ = 0,
    TL_OPEN_WRITE = 1,  /* and read */
    TL_OPEN_CREATE = 2, /* must not exist: O_CREAT | O_EXCL */
} tl_open_flags;

/* Return nonzero to stop the listing (that value is returned by `list`). */
typedef int tl_list_fn(void *context, const char *name);

/* What makes a directory the same one however it is spelled. */
typedef struct tl_identity {
    uint64_t device;
    uint64_t inode;
} tl_identity;

typedef struct tl_io_ops {
    /* Regular files only: anything else that stands under the name is EINVAL; symbolic links are not
     * followed (ELOOP). Mode 0600, close-on-exec. */
    int (*open)(tl_io *io, const char *path, int flags, tl_file **out_file);
    void (*close)(tl_file *file);
    /* Reads up to len bytes; *out_len < len only at the end of the file. */
    int (*pread)(tl_file *file, void *data, size_t len, uint64_t offset, size_t *out_len);
    int (*pwrite)(tl_file *file, const void *data, size_t len, uint64_t offset);
    int (*sync)(tl_file *file);
    int (*size)(tl_file *file, uint64_t *out_bytes);
    int (*truncate)(tl_file *file, uint64_t bytes);
    /* Makes the next reads come from the device, as far as the system allows. */
    int (*drop_cache)(tl_file *file);

    int (*mkdir)(tl_io *io, const char *path); /* 0700; EEXIST when there */
    int (*rename)(tl_io *io, const char *from, const char *to);
    int (*unlink)(tl_io *io, const char *path);
    int (*rmdir)(tl_io *io, const char *path);
    int (*sync_dir)(tl_io *io, const char *path);
    int (*identity)(tl_io *io, const char *path, tl_identity *out_identity); /* ENOENT, ENOTDIR */
    /* Every name but "." and "..", in no order. A symbolic link is not followed (ELOOP, or
     * ENOTDIR). */
    int (*list)(tl_io *io, const char *path, tl_list_fn *each, void *context);
    /* An exclusive advisory lock on a file that is created when missing; it holds the pid as text.
     * The kernel releases it however the process ends; a forked child does not keep it. EWOULDBLOCK
     * when another holds it, and *out_pid is then its pid (0 when unknown). */
    int (*lock)(tl_io *io, const char *path, tl_file **out_file, int64_t *out_pid);

    /* The pid that the lock file names, if a process of that number lives; 0: none. Takes no lock,
     * and proves nothing: numbers are used again. */
    int64_t (*lock_holder)(tl_io *io, const char *path);

    int64_t (*now_us)(tl_io *io); /* wall clock, microseconds since 1970 */
    int (*random)(tl_io *io, void *data, size_t len);
} tl_io_ops;

struct tl_io {
    const tl_io_ops *ops;
};

struct tl_file {
    const tl_io_ops *ops;
};

/* The one real file system. Never freed. */
tl_io *tl_io_posix(void);
/* A fresh, empty file system in memory with a root "/" ; NULL when memory is short. */
tl_io *tl_io_memory_new(void);
void tl_io_memory_free(tl_io *io);

#endif
