/*
 * hash.c: XXH3, compiled in whole from the xxhash header, so that nothing is linked or exported.
 *
 * How: tl_hasher is xxhash's own state under an opaque name; only xxhash ever looks inside. The state
 * wants 64-byte alignment, which its own allocator (over malloc) sees to.
 */
#include "base/hash.h"

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

static XXH3_state_t *state_of(tl_hasher *hasher) {
    return (XXH3_state_t *)(void *)hasher;
}

uint64_t tl_hash64(const void *data, size_t len, uint64_t seed) {
    return XXH3_64bits_withSeed(data, len, seed);
}

static tl_hash128 from_xxh(XXH128_hash_t hash) {
    return (tl_hash128){.lo = hash.low64, .hi = hash.high64};
}

tl_hash128 tl_hash128_of(const void *data, size_t len) {
    return from_xxh(XXH3_128bits(data, len));
}

tl_hash128 tl_hash128_seeded(const void *data, size_t len, uint64_t seed) {
    return from_xxh(XXH3_128bits_withSeed(data, len, seed));
}

tl_hasher *tl_hasher_new(void) {
    XXH3_state_t *state = XXH3_createState();
    if (state) {
        (void)XXH3_128bits_reset(state);
    }
    return (tl_hasher *)(void *)state;
}

void tl_hasher_free(tl_hasher *hasher) {
    (void)XXH3_freeState(state_of(hasher));
}

/* Reset and update report only a NULL state. */
void tl_hasher_reset(tl_hasher *hasher) {
    (void)XXH3_128bits_reset(state_of(hasher));
}

void tl_hasher_update(tl_hasher *hasher, const void *data, size_t len) {
    if (len > 0) {
        (void)XXH3_128bits_update(state_of(hasher), data, len);
    }
}

tl_hash128 tl_hasher_digest(const tl_hasher *hasher) {
    return from_xxh(XXH3_128bits_digest((const XXH3_state_t *)(const void *)hasher));
}
