/*
 * namemap.h: names to ordinals.
 *
 * Purpose:    finds accounts and assets by name; 8 bytes a slot, names stay with their objects.
 * Owns:       its slots. A zeroed tl_namemap is empty.
 * Threads:    none of its own; each map is guarded by one lock of the engine (see state.c).
 * Errors:     memory only: tl_namemap_reserve returns false; the rest cannot fail.
 */
#ifndef TL_STATE_NAMEMAP_H
#define TL_STATE_NAMEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "talea.h"

typedef struct tl_namemap {
    uint64_t *slots; /* hash << 32 | ordinal + 1; 0: empty */
    size_t cap;      /* a power of two, or 0 */
    size_t count;
} tl_namemap;

/* The name of an object that is in the map. */
typedef talea_text tl_name_of(const void *context, uint32_t ordinal);

void tl_namemap_free(tl_namemap *map); /* leaves an empty one */
bool tl_namemap_find(const tl_namemap *map, uint32_t hash, talea_text name, tl_name_of *name_of,
                     const void *context, uint32_t *out_ordinal);
/* Makes room for one more. */
bool tl_namemap_reserve(tl_namemap *map);
/* After tl_namemap_reserve. The caller knows that the name is not there. */
void tl_namemap_insert(tl_namemap *map, uint32_t hash, uint32_t ordinal);
/* It is there. */
void tl_namemap_remove(tl_namemap *map, uint32_t hash, uint32_t ordinal);

#endif
