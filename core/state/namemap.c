/*
 * Open addressing, linear probing, at most three quarters full, deletion by shifting back. A slot
 * keeps 32 bits of the hash: enough to grow without touching any object, and to compare a name only
 * where it nearly surely is the one.
 */
#include "state/namemap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"

enum { FIRST_CAP = 8 };

void tl_namemap_free(tl_namemap *map) {
    free(map->slots);
    *map = (tl_namemap){0};
}

static uint32_t hash_in(uint64_t slot) {
    return (uint32_t)(slot >> 32);
}

bool tl_namemap_find(const tl_namemap *map, uint32_t hash, talea_text name, tl_name_of *name_of,
                     const void *context, uint32_t *out_ordinal) {
    if (map->cap == 0) {
        return false;
    }
    size_t mask = map->cap - 1;
    for (size_t i = hash & mask; map->slots[i] != 0; i = (i + 1) & mask) {
        uint32_t ordinal = (uint32_t)map->slots[i] - 1;
        if (hash_in(map->slots[i]) == hash && tl_text_equal(name_of(context, ordinal), name)) {
            *out_ordinal = ordinal;
            return true;
        }
    }
    return false;
}

static void put_slot(tl_namemap *map, uint64_t slot) {
    size_t mask = map->cap - 1;
    size_t i = hash_in(slot) & mask;
    while (map->slots[i] != 0) {
        i = (i + 1) & mask;
    }
    map->slots[i] = slot;
    map->count++;
}

bool tl_namemap_reserve(tl_namemap *map) {
    if (map->count < map->cap - map->cap / 4) {
        return true;
    }
    size_t cap = map->cap ? map->cap * 2 : FIRST_CAP;
    if (cap > SIZE_MAX / sizeof(uint64_t)) {
        return false;
    }
    tl_namemap grown = {calloc(cap, sizeof(uint64_t)), cap, 0};
    if (!grown.slots) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i] != 0) {
            put_slot(&grown, map->slots[i]);
        }
    }
    assert(grown.count == map->count);
    free(map->slots);
    *map = grown;
    return true;
}

void tl_namemap_insert(tl_namemap *map, uint32_t hash, uint32_t ordinal) {
    assert(map->count < map->cap - map->cap / 4);
    assert(ordinal < UINT32_MAX);
    put_slot(map, (uint64_t)hash << 32 | (ordinal + 1));
}

void tl_namemap_remove(tl_namemap *map, uint32_t hash, uint32_t ordinal) {
    assert(map->count > 0);
    size_t mask = map->cap - 1;
    uint64_t slot = (uint64_t)hash << 32 | (ordinal + 1);
    size_t gap = hash & mask;
    while (map->slots[gap] != slot) {
        assert(map->slots[gap] != 0);
        gap = (gap + 1) & mask;
    }
    /* Whatever a search would no longer find beyond the gap moves back into it. */
    for (size_t j = (gap + 1) & mask; map->slots[j] != 0; j = (j + 1) & mask) {
        size_t home = hash_in(map->slots[j]) & mask;
        if (((j - home) & mask) >= ((j - gap) & mask)) {
            map->slots[gap] = map->slots[j];
            gap = j;
        }
    }
    map->slots[gap] = 0;
    map->count--;
}
