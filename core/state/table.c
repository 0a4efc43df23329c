/*
 * Chunks double and are published with release stores, so that a get needs two acquire loads and no
 * lock. One growing array was left: it would have to be kept, or counted, for readers of the old
 * one.
 */
#include "state/table.h"

#include <stdlib.h>

bool tl_table_put(tl_table *table, uint32_t ordinal, void *object) {
    uint32_t chunk = 0;
    uint32_t place = 0;
    tl_table_locate(ordinal, &chunk, &place);
    tl_table_slot *slots = atomic_load_explicit(&table->chunks[chunk], memory_order_relaxed);
    if (!slots) {
        slots = calloc((size_t)1 << (TL_TABLE_FIRST_BITS + chunk), sizeof *slots);
        if (!slots) {
            return false;
        }
        atomic_store_explicit(&table->chunks[chunk], slots, memory_order_release);
    }
    atomic_store_explicit(&slots[place], object, memory_order_release);
    return true;
}

void tl_table_free(tl_table *table) {
    for (uint32_t i = 0; i < TL_TABLE_CHUNKS; i++) {
        free(atomic_load_explicit(&table->chunks[i], memory_order_relaxed));
        atomic_store_explicit(&table->chunks[i], NULL, memory_order_relaxed);
    }
}
