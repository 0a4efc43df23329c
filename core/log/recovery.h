/*
 * recovery.h: what one opening has found out so far.
 *
 * Purpose:    the border between recover.c (reading and judging) and mend.c (writing).
 * Owns:       the files in it, until they are handed to the log.
 * Threads:    one.
 * Errors:     talea_code and err.
 */
#ifndef TL_LOG_RECOVERY_H
#define TL_LOG_RECOVERY_H

#include "log/classify.h"
#include "log/internal.h"

typedef struct tl_recovery {
    const tl_log_config *config;
    tl_log *log; /* filled as things become known */
    tl_walk walk;
    uint32_t highest;     /* segment number in the directory */
    uint32_t torn_number; /* highest of the saved tails */

    tl_file *file;          /* of the segment that the walk is in */
    tl_judgement judgement; /* of the final segment's tail: END or TORN */
    bool needs_link;        /* the final segment has none yet */

    /* The final segment's predecessor, when it is not cut to its seal: log->old. */
    bool seal_missing;
    uint8_t seal[TL_SEAL_GROUP_BYTES]; /* the one that belongs there */

    /* The spare, when there is one: log->spare. */
    tl_judgement spare_judgement;
} tl_recovery;

/* Everything that opening writes, in this order: see docs/DURABILITY.md, steps 5 to 8. */
talea_code tl_recovery_mend(tl_recovery *r, talea_error *err);

/* follow.c: the walk and its file stay with a read-only log. */
talea_code tl_recovery_keep_walk(tl_recovery *r, talea_error *err);

#endif
