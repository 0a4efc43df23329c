/*
 * faulty_io.h: an io that fails what it is told to, and counts everything.
 *
 * Purpose:    sweeps over the Nth operation, full disks, syncs that lose what they should have written.
 * Owns:       its own files; the io below belongs to the caller.
 * Threads:    any.
 *
 * Faults:     a failing operation has no effect below, but for two things. With `lose`, a failing sync loses every write to
 *             the file since its last successful sync, as a page cache does that marks the pages
 * clean: they can be read until the cache is dropped (unless `deaf_drop`, for systems that cannot)
 * or the power is cut. Only writing them again brings them back. And `full`: what needs space is
 * refused (new files, directories, writes past a file's end), half of such a write's bytes written
 * first.
 */
#ifndef TEST_SUPPORT_FAULTY_IO_H
#define TEST_SUPPORT_FAULTY_IO_H

#include <pthread.h>

#include "base/io.h"

typedef enum faulty_op {
    FAULTY_OPEN,
    FAULTY_PREAD,
    FAULTY_PWRITE,
    FAULTY_SYNC,
    FAULTY_SIZE,
    FAULTY_TRUNCATE,
    FAULTY_DROP_CACHE,
    FAULTY_MKDIR,
    FAULTY_RENAME,
    FAULTY_UNLINK,
    FAULTY_RMDIR,
    FAULTY_SYNC_DIR,
    FAULTY_LIST,
    FAULTY_RANDOM,
    FAULTY_OP_COUNT,
    FAULTY_ANY = FAULTY_OP_COUNT /* for faulty_fail: whichever operation comes */
} faulty_op;

typedef struct faulty_undo faulty_undo;

typedef struct faulty_io {
    tl_io io;
    tl_io *below;
    pthread_mutex_t mutex;           /* guards the rest */
    uint64_t count[FAULTY_OP_COUNT]; /* operations asked for, failed ones included */
    uint64_t total;
    uint64_t changes;        /* operations that change the file system, or make a change durable */
    uint64_t grows;          /* writes that made a file longer */
    const void *last_synced; /* the file */
    faulty_op fail_op;
    uint64_t fail_in; /* fail when this counts down to 0; 0: never */
    int fail_errno;
    bool fail_on; /* for ever from then on */
    bool lose;
    bool deaf_drop;
    bool full;
    size_t split;      /* writes are done in pieces of so many bytes, for others to see; 0: whole */
    faulty_undo *undo; /* of what is not on the device, newest first */
} faulty_io;

void faulty_init(faulty_io *faulty, tl_io *below);
void faulty_done(faulty_io *faulty);
void faulty_reset_counts(faulty_io *faulty);
/* The nth (from 1) operation `op` from now on fails with `os_errno`; all later ones of that kind
 * too when `for_ever`. */
void faulty_fail(faulty_io *faulty, faulty_op op, uint64_t nth, int os_errno, bool for_ever);
void faulty_lose(faulty_io *faulty, bool lose);
/* Everything that is not on the device goes. With `lose` only. */
void faulty_cut_power(faulty_io *faulty);
void faulty_heal(faulty_io *faulty);
void faulty_set_full(faulty_io *faulty, bool full);

#endif
