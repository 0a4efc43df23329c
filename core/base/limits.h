/*
 * limits.h: every bound of the ledger, by name, and the relations between them.
 *
 * Purpose:    one place to look up how large anything may become.
 * Owns:       nothing.
 * Threads:    constants.
 */
#ifndef TL_BASE_LIMITS_H
#define TL_BASE_LIMITS_H

#include <assert.h>
#include <stdint.h>

enum {
    TL_NAME_BYTES_MAX = 128,     /* book, account, asset, network */
    TL_LABEL_BYTES_MAX = 512,    /* an asset's native_id and display name */
    TL_KEY_BYTES_MAX = 255,      /* idempotency key */
    TL_LEGS_MAX = 65535,         /* postings of one draft */
    TL_BLOB_BYTES_MAX = 1 << 20, /* external_refs, metadata: each */
    TL_PRECISION_MAX = 38,
    TL_PATH_BYTES_MAX = 4096,

    TL_EVENT_BYTES_MAX = 8 << 20,   /* body of one event; fits the frame's 24-bit length */
    TL_UNIT_BYTES_MAX = 256 << 20,  /* encoded bytes of one unit */
    TL_GROUP_BYTES_SOFT = 16 << 20, /* a group takes no further unit past this */

    TL_SEGMENT_BYTES_MIN = 1 << 16,
    TL_SEGMENT_BYTES_MAX = 1 << 30,
    TL_SEGMENT_BYTES_DEFAULT = 128 << 20,
    TL_STRETCH_BYTES_MIN = 16 << 10, /* pre-written space grows by doubling between these */
    TL_STRETCH_BYTES_MAX = 8 << 20,

    TL_QUEUE_DEPTH_DEFAULT = 4096, /* units */
    TL_QUEUE_DEPTH_MAX = 1 << 20,
    TL_GROUP_MAX_DEFAULT = 1024, /* units */
    TL_QUEUE_WAIT_MS = 5000,     /* how long a full queue is waited for */

    TL_QUIET_MS = 20,         /* silence after which the quiet mark is written */
    TL_WRITER_IDLE_MS = 3000, /* silence after which a writer thread retires */

    TL_SEQ_INDEX_STRIDE_BYTES = 4 << 10, /* log bytes between two entries of the seq index */
    TL_HISTORY_CHUNK = 64, /* entries between two checkpoints of an account's history */
};

static_assert(TL_EVENT_BYTES_MAX < 1 << 24, "an event's length is stored in 24 bits");
static_assert(2 * TL_BLOB_BYTES_MAX + TL_LEGS_MAX * 24 + TL_KEY_BYTES_MAX + 64 < TL_EVENT_BYTES_MAX,
              "the largest draft fits an event");
static_assert(TL_UNIT_BYTES_MAX > TL_EVENT_BYTES_MAX, "a unit holds at least one event");
static_assert((int64_t)TL_UNIT_BYTES_MAX + TL_GROUP_BYTES_SOFT + TL_SEGMENT_BYTES_MAX < INT32_MAX,
              "offsets inside a segment fit 31 bits, even when a group outgrows segment_max");

#endif
