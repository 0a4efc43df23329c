/*
 * bytes.h: explicit little-endian get and put, LEB128 varints, a growable byte buffer.
 *
 * Purpose:    structs never reach the disk by cast; this is the way they do.
 * Owns:       tl_buf owns its memory.
 * Threads:    pure.
 */
#ifndef TL_BASE_BYTES_H
#define TL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "talea.h"

__extension__ typedef unsigned __int128 tl_u128;

/* Fixed width, little-endian. */
static inline void tl_put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void tl_put_u32(uint8_t *p, uint32_t v) {
    tl_put_u16(p, (uint16_t)v);
    tl_put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void tl_put_u64(uint8_t *p, uint64_t v) {
    tl_put_u32(p, (uint32_t)v);
    tl_put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t tl_get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t tl_get_u32(const uint8_t *p) {
    return (uint32_t)tl_get_u16(p) | (uint32_t)tl_get_u16(p + 2) << 16;
}

static inline uint64_t tl_get_u64(const uint8_t *p) {
    return (uint64_t)tl_get_u32(p) | (uint64_t)tl_get_u32(p + 4) << 32;
}

/* LEB128, least significant group first, shortest form only. */
enum { TL_VARINT_BYTES_MAX = 19 }; /* 128 bits / 7 */

/* Writes at most TL_VARINT_BYTES_MAX bytes; returns how many. */
static inline size_t tl_put_varint(uint8_t *p, tl_u128 v) {
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

static inline tl_u128 tl_zigzag(talea_i128 v) {
    return ((tl_u128)v << 1) ^ (tl_u128)(v >> 127);
}

static inline talea_i128 tl_unzigzag(tl_u128 v) {
    return (talea_i128)(v >> 1) ^ -(talea_i128)(v & 1);
}

/* A reader over bytes that somebody else owns. Once anything fails, `bad` stays set and every get
 * returns 0. */
typedef struct tl_span {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
} tl_span;

/* NULL with len 0 is an empty span (over "", because C allows no arithmetic on NULL, and so that
 * taking 0 bytes of it does not look like a failure). */
static inline tl_span tl_span_of(const void *data, size_t len) {
    const uint8_t *at = data ? (const uint8_t *)data : (const uint8_t *)"";
    return (tl_span){at, at + len, false};
}

static inline size_t tl_span_left(const tl_span *s) {
    return (size_t)(s->end - s->at);
}

/* The next n bytes, or NULL (and bad). */
static inline const uint8_t *tl_span_bytes(tl_span *s, size_t n) {
    if (s->bad || tl_span_left(s) < n) {
        s->bad = true;
        return NULL;
    }
    const uint8_t *p = s->at;
    s->at += n;
    return p;
}

static inline uint8_t tl_span_u8(tl_span *s) {
    const uint8_t *p = tl_span_bytes(s, 1);
    return p ? p[0] : 0;
}

static inline uint64_t tl_span_u64(tl_span *s) {
    const uint8_t *p = tl_span_bytes(s, 8);
    return p ? tl_get_u64(p) : 0;
}

tl_u128 tl_span_varint_slow(tl_span *s);

/* A varint of up to 128 bits; over-long and overflowing forms are bad. */
static inline tl_u128 tl_span_varint(tl_span *s) {
    if (!s->bad && s->at < s->end && *s->at < 0x80) {
        return *s->at++;
    }
    return tl_span_varint_slow(s);
}

/* A varint that must be <= max, else bad. */
static inline uint64_t tl_span_varint_max(tl_span *s, uint64_t max) {
    tl_u128 v = tl_span_varint(s);
    if (v > max) {
        s->bad = true;
        return 0;
    }
    return (uint64_t)v;
}

typedef struct tl_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
} tl_buf;

/* Makes room for `more` bytes behind len; false when memory is short (the buffer is as it was). */
bool tl_buf_reserve(tl_buf *buf, size_t more);
bool tl_buf_append(tl_buf *buf, const void *data, size_t len);
void tl_buf_free(tl_buf *buf); /* leaves an empty buffer */

static inline bool tl_text_equal(talea_text a, talea_text b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Byte order, a shorter prefix first. */
int tl_text_compare(talea_text a, talea_text b);

/* 1..max bytes of well-formed UTF-8 (RFC 3629: no surrogates, no over-long forms) without control
 * characters (U+0000..U+001F, U+007F..U+009F). */
bool tl_name_valid(talea_text name, size_t bytes_max);
bool tl_utf8_valid(talea_text text);

#endif
