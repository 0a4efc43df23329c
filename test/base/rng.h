/*
 * rng.h: reproducible random numbers for the tests of core/base.
 *
 * Purpose:    random cases that fail the same way twice (splitmix64, Steele, Lea and Flood 2014).
 * Owns:       nothing; the state is the caller's.
 * Threads:    one state a thread.
 */
#ifndef TL_TEST_RNG_H
#define TL_TEST_RNG_H

#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r) {
    uint64_t z = r->state += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

/* 0..below-1 */
static inline uint64_t rng_below(rng *r, uint64_t below) {
    return rng_next(r) % below;
}

#endif
