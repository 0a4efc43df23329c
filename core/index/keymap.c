/*
 * Open addressing with linear probing, at most three quarters full, deletion by shifting back: no
 * tombstones, so that a map that forgets as much as it learns never degrades.
 *
 * An entry is 16 bytes: 64 bits of the hash, and the seq. Since every candidate is verified against
 * the log, the other 64 bits would only save that look for a false candidate, and among n keys one
 * lookup meets one with probability n / 2^64: once in 18 million million lookups at a million keys.
 * Fewer bits were left: with 32 of them, one lookup in four would read the log for nothing at a
 * billion keys.
 *
 * The hash's top 8 bits choose the shard, its low bits the slot. Up to SPLIT_COUNT entries there is
 * one shard, so that a book with few keys, or a unit's own little map, costs a few hundred bytes;
 * then it is divided into SHARDS, once. A million keys later the table that a single insert may
 * have to double is 64 KiB.
 */
#include "index/keymap.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    SHARD_BITS = 8,
    SHARDS = 1 << SHARD_BITS,
    SPLIT_COUNT = 4096,
    SHARD_FIRST_CAP = 8,
};

typedef struct key_entry {
    uint64_t hash;
    uint64_t seq; /* 0: empty */
} key_entry;

static_assert(sizeof(key_entry) == 16, "an entry is two words");

typedef struct shard {
    key_entry *entries; /* NULL while the shard has never held anything */
    size_t cap;         /* a power of two, or 0 */
    size_t count;
} shard;

struct tl_keymap {
    shard *shards;
    uint32_t shard_count; /* 1 or SHARDS */
    uint64_t count;
    shard first; /* the one shard, until the map is split */
};

tl_keymap *tl_keymap_new(void) {
    tl_keymap *map = calloc(1, sizeof *map);
    if (map) {
        map->shards = &map->first;
        map->shard_count = 1;
    }
    return map;
}

static void free_shards(shard *shards, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        free(shards[i].entries);
    }
}

void tl_keymap_free(tl_keymap *map) {
    if (map) {
        free_shards(map->shards, map->shard_count);
        if (map->shards != &map->first) {
            free(map->shards);
        }
        free(map);
    }
}

uint64_t tl_keymap_count(const tl_keymap *map) {
    return map->count;
}

static shard *shard_of(const tl_keymap *map, uint64_t hash) {
    return &map->shards[map->shard_count == 1 ? 0 : hash >> (64 - SHARD_BITS)];
}

/* ---- One shard ------------------------------------------------------------------------------ */

/* There is room. */
static void shard_put(shard *s, uint64_t hash, uint64_t seq) {
    assert(s->count < s->cap);
    size_t i = (size_t)hash & (s->cap - 1);
    while (s->entries[i].seq != 0) {
        i = (i + 1) & (s->cap - 1);
    }
    s->entries[i] = (key_entry){hash, seq};
    s->count++;
}

static bool shard_reserve(shard *s) {
    if (s->count < s->cap - s->cap / 4) {
        return true;
    }
    size_t cap = s->cap ? s->cap * 2 : SHARD_FIRST_CAP;
    if (cap > SIZE_MAX / sizeof(key_entry)) {
        return false;
    }
    shard grown = {calloc(cap, sizeof(key_entry)), cap, 0};
    if (!grown.entries) {
        return false;
    }
    for (size_t i = 0; i < s->cap; i++) {
        if (s->entries[i].seq != 0) {
            shard_put(&grown, s->entries[i].hash, s->entries[i].seq);
        }
    }
    free(s->entries);
    *s = grown;
    return true;
}

/* Empties slot i and moves back whatever a search would no longer find beyond the gap. */
static void shard_erase(shard *s, size_t i) {
    size_t mask = s->cap - 1;
    size_t gap = i;
    for (size_t j = (i + 1) & mask; s->entries[j].seq != 0; j = (j + 1) & mask) {
        size_t home = (size_t)s->entries[j].hash & mask;
        if (((j - home) & mask) >= ((j - gap) & mask)) {
            s->entries[gap] = s->entries[j];
            gap = j;
        }
    }
    s->entries[gap] = (key_entry){0, 0};
    s->count--;
}

/* ---- The map -------------------------------------------------------------------------------- */

static bool split(tl_keymap *map) {
    shard *shards = calloc(SHARDS, sizeof *shards);
    if (!shards) {
        return false;
    }
    const shard *old = &map->first;
    for (size_t i = 0; i < old->cap; i++) {
        const key_entry *e = &old->entries[i];
        if (e->seq != 0) {
            shard *s = &shards[e->hash >> (64 - SHARD_BITS)];
            if (!shard_reserve(s)) {
                free_shards(shards, SHARDS);
                free(shards);
                return false;
            }
            shard_put(s, e->hash, e->seq);
        }
    }
    free(map->first.entries);
    map->first = (shard){0};
    map->shards = shards;
    map->shard_count = SHARDS;
    return true;
}

bool tl_keymap_insert(tl_keymap *map, tl_hash128 hash, uint64_t seq) {
    assert(seq > 0);
    if (map->shard_count == 1 && map->count >= SPLIT_COUNT && !split(map)) {
        return false;
    }
    shard *s = shard_of(map, hash.lo);
    if (!shard_reserve(s)) {
        return false;
    }
    shard_put(s, hash.lo, seq);
    map->count++;
    return true;
}

uint64_t tl_keymap_find(const tl_keymap *map, tl_hash128 hash, uint64_t *cursor) {
    const shard *s = shard_of(map, hash.lo);
    if (s->cap == 0) {
        return 0;
    }
    size_t mask = s->cap - 1;
    for (uint64_t step = *cursor;; step++) {
        const key_entry *e = &s->entries[((size_t)hash.lo + (size_t)step) & mask];
        if (e->seq == 0) {
            *cursor = step;
            return 0;
        }
        if (e->hash == hash.lo) {
            *cursor = step + 1;
            return e->seq;
        }
    }
}

bool tl_keymap_remove(tl_keymap *map, tl_hash128 hash, uint64_t seq) {
    assert(seq > 0);
    shard *s = shard_of(map, hash.lo);
    if (s->cap == 0) {
        return false;
    }
    size_t mask = s->cap - 1;
    for (size_t i = (size_t)hash.lo & mask; s->entries[i].seq != 0; i = (i + 1) & mask) {
        if (s->entries[i].hash == hash.lo && s->entries[i].seq == seq) {
            shard_erase(s, i);
            map->count--;
            return true;
        }
    }
    return false;
}
