/*
 * failing.h: an allocator whose Nth allocation fails, for the .c files included after it.
 *
 * Purpose:    sweeps: for every N, an operation whose Nth allocation fails says so and changes nothing.
 * Owns:       nothing; two counters of the test program.
 * Threads:    one.
 */
#ifndef TEST_STATE_FAILING_H
#define TEST_STATE_FAILING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t fail_at; /* the allocation, counted from 1, that fails; 0: none */
static uint64_t allocations;

static bool fails(void) {
    return ++allocations == fail_at;
}

static inline void *failing_malloc(size_t bytes) {
    return fails() ? NULL : malloc(bytes);
}

static inline void *failing_calloc(size_t count, size_t bytes) {
    return fails() ? NULL : calloc(count, bytes);
}

static inline void *failing_realloc(void *old, size_t bytes) {
    return fails() ? NULL : realloc(old, bytes);
}

/* The next operation's nth allocation fails. */
static inline void arm(uint64_t nth) {
    fail_at = nth;
    allocations = 0;
}

/* Allocates without failing again; did one fail since arm? */
static inline bool disarm(void) {
    bool failed = fail_at != 0 && allocations >= fail_at;
    fail_at = 0;
    return failed;
}

#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc

#endif
