/*
 * fuzz.h: what every fuzz target needs: its entry, its input taken apart, and how it gives up.
 *
 * Purpose:    a target reads its input through fuzz_input, and calls must() on what has to be true.
 * Owns:       nothing.
 * Threads:    one.
 * Errors:     a broken promise is printed and aborts: libFuzzer then keeps the input.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The bytes that are left. Past the end everything is 0, so that no input is too short. */
typedef struct fuzz_input {
    const uint8_t *at;
    const uint8_t *end;
} fuzz_input;

static inline fuzz_input fuzz_begin(const uint8_t *data, size_t size) {
    static const uint8_t nothing[1];
    const uint8_t *at = data ? data : nothing;
    return (fuzz_input){at, at + size};
}

static inline size_t fuzz_left(const fuzz_input *in) {
    return (size_t)(in->end - in->at);
}

/* `bytes` (1..8) of them, little-endian. */
static inline uint64_t fuzz_uint(fuzz_input *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && in->at < in->end; i++) {
        value |= (uint64_t)*in->at++ << 8 * i;
    }
    return value;
}

static inline uint8_t fuzz_u8(fuzz_input *in) {
    return (uint8_t)fuzz_uint(in, 1);
}

/* 0..n - 1, from one byte (n <= 256). */
static inline unsigned fuzz_below(fuzz_input *in, unsigned n) {
    return fuzz_u8(in) % n;
}

/* The next `want` bytes, or as many as there are. They lie in the input itself. */
static inline const uint8_t *fuzz_bytes(fuzz_input *in, size_t want, size_t *out_len) {
    const uint8_t *at = in->at;
    *out_len = want < fuzz_left(in) ? want : fuzz_left(in);
    in->at += *out_len;
    return at;
}

static inline void *fuzz_alloc(size_t bytes) {
    void *memory = malloc(bytes > 0 ? bytes : 1);
    must(memory != NULL);
    return memory;
}

#endif
