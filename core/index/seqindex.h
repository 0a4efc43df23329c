/*
 * seqindex.h: where in the log a seq or a time is, sparsely: one entry each
 * TL_SEQ_INDEX_STRIDE_BYTES.
 *
 * Purpose:    seq -> place and time -> seq by binary search plus one short read of the log; memory
 *             grows with log bytes / 4 KiB.
 * Owns:       its entries. A zeroed tl_seqindex is empty.
 * Threads:    none of its own; the engine's read lock guards it.
 * Errors:     memory only: false, and nothing has changed.
 */
#ifndef TL_INDEX_SEQINDEX_H
#define TL_INDEX_SEQINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An event frame from which reading can start, and the rest of its group. */
typedef struct tl_seq_entry {
    uint64_t seq;
    int64_t at;
    uint32_t segment;
    uint32_t offset;    /* of the event's frame in the segment file */
    uint32_t group_end; /* where its group ends */
} tl_seq_entry;

typedef struct tl_seqindex {
    tl_seq_entry *entries;
    size_t count;
    size_t cap;
} tl_seqindex;

void tl_seqindex_free(tl_seqindex *index); /* leaves an empty one */
/* Offers an event; it is kept when it is the first, the first of a segment, or a stride past the
 * last kept one. Seqs ascend, times never decrease. */
bool tl_seqindex_offer(tl_seqindex *index, const tl_seq_entry *entry);
/* Position of the last entry with seq <= `seq` (count must be > 0 and seq >= entries[0].seq). */
size_t tl_seqindex_floor(const tl_seqindex *index, uint64_t seq);
/* Position of the last entry with at <= `at`; (size_t)-1 when all are later, or there is none. */
size_t tl_seqindex_floor_at(const tl_seqindex *index, int64_t at);

#endif
