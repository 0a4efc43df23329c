/*
 * walk.h: from group to group through one segment, everything checked that a valid log fulfils.
 *
 * Purpose:    opening and verify see a segment the same way.
 * Owns:       the window and the running hash; the file stays the caller's.
 * Threads:    one at a time.
 * Errors:     a tl_walk_result; see there.
 */
#ifndef TL_LOG_WALK_H
#define TL_LOG_WALK_H

#include "log/log.h"
#include "log/scan.h"
#include "log/segment.h"

/* What one segment hands to the next. */
typedef struct tl_chain {
    tl_uid uid; /* known from segment 1 on */
    uint32_t frame_seed;
    uint32_t prev_crc; /* of the last group */
    uint64_t next_seq;
    int64_t last_at;
    uint64_t base;   /* log bytes in all earlier segments */
    tl_hash128 hash; /* of the segment before: what its successor's link must name */
} tl_chain;

typedef enum tl_group_kind {
    TL_GROUP_EVENTS,
    TL_GROUP_LINK,
    TL_GROUP_SEAL,
    TL_GROUP_PROOF
} tl_group_kind;

typedef struct tl_walk {
    tl_scan scan;
    tl_hasher *hasher;
    tl_chain chain;
    talea_text name; /* of the book; set from segment 1 when the caller does not know it */
    char name_bytes[TL_NAME_BYTES_MAX];
    uint32_t segment;
    tl_segment_header header;
    uint32_t end;         /* of the last valid group; 512 before the link */
    uint32_t space;       /* how long the valid groups say that the file was */
    uint64_t proven_next; /* events before this seq are proven durable by a later group */
    bool has_events;
    bool sealed;
    tl_group_kind last_kind;
    uint32_t unproven_from; /* the first group whose end is not proven; == end: all are */
    tl_defect defect;       /* filled with TL_WALK_STOP and TL_WALK_CORRUPT */

    tl_log_event_fn *on_event;
    void *context;
    bool resync;       /* the next link is believed, because what it should continue is damaged */
    bool verify_first; /* a group's events are delivered only when the whole group is valid */
} tl_walk;

typedef enum tl_walk_result {
    TL_WALK_OK,      /* one more group */
    TL_WALK_STOP,    /* no valid group at walk->end: its end, or a defect to be judged */
    TL_WALK_CORRUPT, /* bytes that are valid and yet wrong here: damage under any rule; see
                        walk->defect */
    TL_WALK_FAILED   /* err is filled: I/O, memory, or what on_event returned */
} tl_walk_result;

/* `config->name` may be without data. */
talea_code tl_walk_init(tl_walk *walk, const tl_log_config *config, tl_log_event_fn *on_event,
                        void *context, talea_error *err);
void tl_walk_free(tl_walk *walk);

/* Reads and checks the header of the next segment (walk->segment + 1). */
tl_walk_result tl_walk_begin(tl_walk *walk, tl_file *file, talea_error *err);
/* The next group. */
tl_walk_result tl_walk_step(tl_walk *walk, talea_error *err);
/* To the seal (then STOP with walk->sealed) or to where no valid group is. */
tl_walk_result tl_walk_run(tl_walk *walk, talea_error *err);
/* For a segment that ends at walk->end without its seal: encodes the one that belongs there, and
 * goes on as if it had been met. */
void tl_walk_assume_seal(tl_walk *walk, uint8_t out[TL_SEAL_GROUP_BYTES]);

/* Does a valid link stand at the beginning of the file, of that book and segment? What it says is
 * checked when it is walked over. */
int tl_segment_is_linked(tl_file *file, const tl_chain *chain, uint32_t segment, bool *out_linked);

#endif
