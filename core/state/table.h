/*
 * table.h: objects by ordinal, in an array of pointers that never moves.
 *
 * Purpose:    lets one thread add objects while others, without a lock, reach those they know of.
 * Owns:       its chunks; the objects belong to the caller.
 * Threads:    tl_table_get from any thread for an ordinal that it learned under some lock;
 *             tl_table_put from one thread at a time.
 * Errors:     memory only: false.
 *
 * Chunk k has room for 64 << k pointers; ordinal + 64, less its top bit, is the place inside the
 * chunk that the top bit tells.
 */
#ifndef TL_STATE_TABLE_H
#define TL_STATE_TABLE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TL_TABLE_FIRST_BITS = 6, TL_TABLE_CHUNKS = 26 };

/* How many ordinals there are: 0 .. TL_TABLE_MAX - 1. */
#define TL_TABLE_MAX (UINT32_MAX - 63)

typedef _Atomic(void *) tl_table_slot;

typedef struct tl_table {
    _Atomic(tl_table_slot *) chunks[TL_TABLE_CHUNKS];
} tl_table;

static_assert(TL_TABLE_MAX == (uint64_t)((1U << TL_TABLE_CHUNKS) - 1) << TL_TABLE_FIRST_BITS,
              "the chunks hold TL_TABLE_MAX ordinals");

static inline void tl_table_locate(uint32_t ordinal, uint32_t *out_chunk, uint32_t *out_place) {
    assert(ordinal < TL_TABLE_MAX);
    uint32_t shifted = ordinal + (1U << TL_TABLE_FIRST_BITS);
    uint32_t top = 31 - (uint32_t)__builtin_clz(shifted);
    *out_chunk = top - TL_TABLE_FIRST_BITS;
    *out_place = shifted - (1U << top);
}

/* NULL when nothing was put there. */
static inline void *tl_table_get(const tl_table *table, uint32_t ordinal) {
    uint32_t chunk = 0;
    uint32_t place = 0;
    tl_table_locate(ordinal, &chunk, &place);
    tl_table_slot *slots = atomic_load_explicit(&table->chunks[chunk], memory_order_acquire);
    return slots ? atomic_load_explicit(&slots[place], memory_order_acquire) : NULL;
}

/* `object` may be NULL, where one was put before: nothing is there any more (this cannot fail). */
bool tl_table_put(tl_table *table, uint32_t ordinal, void *object);
void tl_table_free(tl_table *table);

#endif
