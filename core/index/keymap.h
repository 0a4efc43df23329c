/*
 * keymap.h: idempotency keys in memory: hash -> seq.
 *
 * Purpose:    finds the candidates for a key; the caller verifies each against the log, so that a
 *             collision can never swallow a payment.
 * Owns:       its tables. Sharded by hash, so that growing one shard never stalls a commit for long;
 *             small while it holds little.
 * Threads:    none of its own; the engine's stage lock guards reading and writing.
 * Errors:     memory only: false, and nothing has changed.
 */
#ifndef TL_INDEX_KEYMAP_H
#define TL_INDEX_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

typedef struct tl_keymap tl_keymap;

tl_keymap *tl_keymap_new(void);      /* NULL: no memory */
void tl_keymap_free(tl_keymap *map); /* NULL is fine */
uint64_t tl_keymap_count(const tl_keymap *map);

/* Candidates one after another: start with *cursor = 0; returns the next seq whose hash is equal (as
 * far as it is kept: hash.lo), 0 when there is no more. The map must not change in between. */
uint64_t tl_keymap_find(const tl_keymap *map, tl_hash128 hash, uint64_t *cursor);
/* seq > 0; duplicates of a hash are kept side by side. */
bool tl_keymap_insert(tl_keymap *map, tl_hash128 hash, uint64_t seq);
/* Removes one such pair; false: was not there. */
bool tl_keymap_remove(tl_keymap *map, tl_hash128 hash, uint64_t seq);

#endif
