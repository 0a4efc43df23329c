/*
 * internal.h: the log as its own files see it.
 *
 * Purpose:    one struct, and the border between append.c, space.c, rotate.c, recover.c and reader.c.
 * Owns:       see each field.
 * Threads:    [writer] is touched by the writer's thread (and by opening and closing) alone; [work] and [table] say which mutex
 *             guards a field; the rest is constant after opening, or atomic.
 * Errors:     functions that write fail the log themselves when the failure is final (INV-D5).
 *
 * Lock order: work before table.
 */
#ifndef TL_LOG_INTERNAL_H
#define TL_LOG_INTERNAL_H

#include <stdatomic.h>

#include "base/thread.h"
#include "log/log.h"
#include "log/segment.h"

/* What readers need to know of a segment in use. */
typedef struct tl_segment_info {
    uint64_t base; /* log bytes in all earlier segments */
    uint32_t salt;
} tl_segment_info;

struct tl_log {
    tl_io *io;
    char *dir;
    char name_bytes[TL_NAME_BYTES_MAX];
    size_t name_len;
    tl_uid uid;
    uint32_t segment_cap; /* segment_bytes_max, a whole number of sectors */
    bool read_only;
    void (*on_work)(void *context);
    void *context;

    /* [writer] the final segment */
    tl_file *file;
    uint32_t segment;
    uint32_t salt;
    uint64_t base;
    uint32_t end;    /* of the last group */
    bool has_events; /* in this segment */
    bool unproven;   /* the last group needs a proof */
    uint32_t prev_crc;
    uint64_t next_seq;
    int64_t last_at;
    tl_hasher *hasher; /* of the file from 0 to end */

    _Atomic(uint32_t) segments;  /* in use */
    _Atomic(uint64_t) bytes;     /* base + end */
    _Atomic(uint32_t) space_end; /* of the final segment: zeros, synced, from end to here (INV-D4)
                                  */
    _Atomic(bool) spare_ready;
    _Atomic(bool) seal_waits;
    _Atomic(bool) work_asked; /* on_work was called, and tl_log_prepare has not begun yet */
    _Atomic(bool) refused;    /* memory or disk ran out in the background: not tried again until an
                                 append needs it */
    _Atomic(bool) failed;

    /* Guards the spare and the segment that waits for its sealing, and whoever makes space. */
    tl_mutex work;
    tl_file *spare;                                /* [work] NULL: none */
    uint32_t spare_salt;                           /* [work] */
    uint32_t spare_space;                          /* [work] zeros, synced, up to here */
    uint8_t spare_header[TL_SEGMENT_HEADER_BYTES]; /* [work] for the hash */
    tl_file *old; /* [work] the predecessor, when it is not cut to its seal yet; NULL: none waits */
    uint32_t old_segment; /* [work] */
    uint32_t old_end;     /* [work] of its seal */

    /* Guards what any thread may ask for. */
    tl_mutex table;
    tl_segment_info *infos; /* [table] of segments 1.. */
    size_t info_count;      /* [table] */
    size_t info_cap;        /* [table] */
    talea_error failure;    /* [table] why the log failed */

    struct tl_follow *follow; /* read_only: the walk that goes on */
};

/* ---- append.c ---- */

/* INV-D5: remembers the failure (the first one counts) as TALEA_IO. */
talea_code tl_log_fail(tl_log *log, int rc, uint32_t segment, const char *what, talea_error *err);
talea_code tl_log_failure(tl_log *log, talea_error *err);
/* A call that failed while getting ready, before anything of a group was written. INV-D6: out of
 * space, memory or descriptors passes; anything else fails the log. */
talea_code tl_log_refuse(tl_log *log, int rc, uint32_t segment, const char *what, talea_error *err);
/* [writer] The bytes that were just synced at log->end belong to the log now. */
void tl_log_advance(tl_log *log, const uint8_t *data, size_t len);
/* Room for one more segment's entry in the table. */
bool tl_log_reserve_info(tl_log *log);
void tl_log_add_info(tl_log *log, uint64_t base, uint32_t salt);
/* Writes the proof whatever is unproven (INV-D12). */
talea_code tl_log_write_proof(tl_log *log, talea_error *err);
void tl_log_free(tl_log *log);

/* ---- follow.c ---- */

void tl_follow_free(struct tl_follow *follow); /* NULL is fine */

/* ---- space.c ---- */

/* Makes [space, to) of a segment file zeros, synced, through a descriptor of its own (INV-D7). */
talea_code tl_space_extend(tl_log *log, uint32_t segment, uint32_t space, uint32_t to,
                           talea_error *err);
/* [writer] Makes sure that a group ending at `end` fits the prepared space. */
talea_code tl_space_ensure(tl_log *log, uint64_t end, talea_error *err);
/* Is space or a spare worth preparing when the last group ends at `end`? */
bool tl_space_is_low(const tl_log *log, uint32_t end, uint64_t base);
bool tl_spare_is_due(const tl_log *log, uint32_t end, uint64_t base);

/* ---- rotate.c ---- */

/* [writer] Writes the group into the next segment, behind its link; fills header->crc. */
talea_code tl_log_rotate(tl_log *log, tl_group_writer *group, tl_group_header *header,
                         tl_log_place *out_place, talea_error *err);
talea_code tl_spare_make(tl_log *log, uint32_t space_min, talea_error *err);
/* Syncs, cuts and closes the segment that waits for it (INV-D10). */
talea_code tl_seal_finish(tl_log *log, talea_error *err);

static inline talea_text tl_log_book(const tl_log *log) {
    return (talea_text){log->name_bytes, log->name_len};
}

#endif
