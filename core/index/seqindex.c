/*
 * A sorted array that doubles. Events of one group share their time, so that several entries may
 * have the same `at`; floor_at finds the last of them.
 */
#include "index/seqindex.h"

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"

enum { FIRST_CAP = 4 };

void tl_seqindex_free(tl_seqindex *index) {
    free(index->entries);
    *index = (tl_seqindex){0};
}

static bool wanted(const tl_seqindex *index, const tl_seq_entry *entry) {
    if (index->count == 0) {
        return true;
    }
    const tl_seq_entry *last = &index->entries[index->count - 1];
    assert(entry->seq > last->seq);
    assert(entry->at >= last->at);
    assert(entry->segment > last->segment ||
           (entry->segment == last->segment && entry->offset > last->offset));
    return entry->segment != last->segment ||
           entry->offset - last->offset >= TL_SEQ_INDEX_STRIDE_BYTES;
}

bool tl_seqindex_offer(tl_seqindex *index, const tl_seq_entry *entry) {
    if (!wanted(index, entry)) {
        return true;
    }
    if (index->count == index->cap) {
        size_t cap = index->cap ? index->cap * 2 : FIRST_CAP;
        if (cap > SIZE_MAX / sizeof(tl_seq_entry)) {
            return false;
        }
        tl_seq_entry *entries = realloc(index->entries, cap * sizeof *entries);
        if (!entries) {
            return false;
        }
        index->entries = entries;
        index->cap = cap;
    }
    index->entries[index->count++] = *entry;
    return true;
}

size_t tl_seqindex_floor(const tl_seqindex *index, uint64_t seq) {
    assert(index->count > 0);
    assert(index->entries[0].seq <= seq);
    size_t low = 0;
    size_t high = index->count - 1;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (index->entries[middle].seq <= seq) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

size_t tl_seqindex_floor_at(const tl_seqindex *index, int64_t at) {
    size_t low = 0; /* entries before `low` are not later, those from `high` on are */
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entries[middle].at <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1; /* (size_t)-1 when low is 0 */
}
