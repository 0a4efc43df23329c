/*
 * history.h: the legs of one account in log order, with running totals, compactly.
 *
 * Purpose:    balances at any past seq in logarithmic time; statements of account in either
 *             direction.
 * Owns:       its chunks. A zeroed tl_history is empty.
 * Threads:    pure; the engine's read lock guards it.
 * Errors:     only memory: false, and nothing has changed.
 *
 * TL_HISTORY_CHUNK entries share one checkpoint of the totals before them. An entry takes 8, 12
 * or 24 bytes, whatever the largest amount of its chunk asks for (below 2^31, below 2^63, any). The
 * interface is by position, so that older chunks can move to files beside sealed segments without
 * touching its callers.
 */
#ifndef TL_STATE_HISTORY_H
#define TL_STATE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "talea.h"

typedef struct tl_history_chunk tl_history_chunk;

typedef struct tl_history_slot {
    uint64_t base_seq; /* of the chunk's first entry; kept here, so that a search stays in one array
                        */
    tl_history_chunk *chunk;
} tl_history_slot;

typedef struct tl_history {
    tl_history_slot *slots;
    uint64_t count; /* entries */
    uint32_t chunk_count;
    uint32_t chunk_cap;
} tl_history;

void tl_history_free(tl_history *history); /* leaves an empty one */
/* `debits` and `credits` are the totals before this leg; they and `amount` (> 0) stay within 127
 * bits when added. Seqs never decrease. */
bool tl_history_append(tl_history *history, uint64_t seq, talea_side side, talea_i128 amount,
                       talea_i128 debits, talea_i128 credits);
/* Takes the last entry back; count must be > 0. */
void tl_history_pop(tl_history *history);
/* The first position with seq >= `seq`; count when none. */
uint64_t tl_history_lower_bound(const tl_history *history, uint64_t seq);
/* `position` must be < count. */
void tl_history_get(const tl_history *history, uint64_t position, talea_history_entry *out_entry);

#endif
