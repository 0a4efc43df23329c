/*
 * hash.h: XXH3, 64 and 128 bits, and its streaming form for whole files.
 *
 * Purpose:    the only file that sees xxhash.h.
 * Owns:       tl_hasher owns its state.
 * Threads:    pure.
 */
#ifndef TL_BASE_HASH_H
#define TL_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tl_hash128 {
    uint64_t lo;
    uint64_t hi;
} tl_hash128;

uint64_t tl_hash64(const void *data, size_t len, uint64_t seed);
tl_hash128 tl_hash128_of(const void *data, size_t len);
tl_hash128 tl_hash128_seeded(const void *data, size_t len, uint64_t seed);

typedef struct tl_hasher tl_hasher;

tl_hasher *tl_hasher_new(void); /* NULL when memory is short */
void tl_hasher_free(tl_hasher *hasher);
void tl_hasher_reset(tl_hasher *hasher);
void tl_hasher_update(tl_hasher *hasher, const void *data, size_t len);
tl_hash128 tl_hasher_digest(const tl_hasher *hasher); /* may be asked at any time, and again later
                                                       */

#endif
