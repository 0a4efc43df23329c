/*
 * bytes.c: what of bytes.h is too long to inline.
 *
 * How: UTF-8 is checked by the table of RFC 3629 section 4 (each lead byte has its range for the
 * second byte, which is what excludes over-long forms, surrogates and everything past U+10FFFF); a
 * stretch of printable ASCII goes eight bytes at a time, because every key of every draft passes
 * here.
 */
#include "base/bytes.h"

#include <assert.h>

tl_u128 tl_span_varint_slow(tl_span *s) {
    if (s->bad) {
        return 0;
    }
    const uint8_t *p = s->at;
    size_t left = tl_span_left(s);
    size_t bytes_max = left < TL_VARINT_BYTES_MAX ? left : TL_VARINT_BYTES_MAX;
    tl_u128 value = 0;
    uint64_t low = 0; /* the first nine groups, 63 bits: nearly every number ends in there */
    for (size_t i = 0; i < bytes_max; i++) {
        uint64_t group = p[i] & 0x7F;
        if (i < 9) {
            low |= group << (7 * i);
            value = low;
        } else {
            value |= (tl_u128)group << (7 * i);
        }
        if (p[i] < 0x80) {
            bool over_long = i > 0 && p[i] == 0;
            bool overflow = i == TL_VARINT_BYTES_MAX - 1 && p[i] > 0x03; /* bits 126 and 127 are
                                                                            left */
            if (over_long || overflow) {
                break;
            }
            s->at += i + 1;
            return value;
        }
    }
    s->bad = true;
    return 0;
}

enum { BUF_BYTES_MIN = 64 };

bool tl_buf_reserve(tl_buf *buf, size_t more) {
    assert(buf->len <= buf->cap);
    if (more <= buf->cap - buf->len) {
        return true;
    }
    if (more > SIZE_MAX / 2 - buf->len) {
        return false; /* so that doubling cannot overflow */
    }
    size_t need = buf->len + more;
    size_t cap = buf->cap < BUF_BYTES_MIN ? BUF_BYTES_MIN : buf->cap;
    while (cap < need) {
        cap *= 2;
    }
    uint8_t *data = realloc(buf->data, cap);
    if (!data) {
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool tl_buf_append(tl_buf *buf, const void *data, size_t len) {
    if (!tl_buf_reserve(buf, len)) {
        return false;
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
    return true;
}

void tl_buf_free(tl_buf *buf) {
    free(buf->data);
    *buf = (tl_buf){0};
}

int tl_text_compare(talea_text a, talea_text b) {
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0;
    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* Are the eight bytes at p all in 0x20..0x7E? With every top bit clear, no addition carries over.
 */
static bool printable8(const uint8_t *p) {
    uint64_t w;
    memcpy(&w, p, sizeof w);
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t tops = ones * 0x80;
    if (w & tops) {
        return false;
    }
    return ((w + ones * 0x60) & tops) == tops /* every byte >= 0x20 */
           && ((w + ones) & tops) == 0;       /* none is 0x7F */
}

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

/* The length of the multi-byte character at p, 0 when it is ill-formed or cut off by `end`. */
static size_t multibyte_len(const uint8_t *p, const uint8_t *end) {
    uint8_t lead = p[0];
    size_t left = (size_t)(end - p);
    if (lead >= 0xC2 && lead <= 0xDF) {
        return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        uint8_t low = lead == 0xE0 ? 0xA0 : 0x80;  /* E0 80..9F would be over-long */
        uint8_t high = lead == 0xED ? 0x9F : 0xBF; /* ED A0..BF are the surrogates */
        return left >= 3 && p[1] >= low && p[1] <= high && is_continuation(p[2]) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        uint8_t low = lead == 0xF0 ? 0x90 : 0x80;  /* F0 80..8F would be over-long */
        uint8_t high = lead == 0xF4 ? 0x8F : 0xBF; /* F4 90.. is past U+10FFFF */
        return left >= 4 && p[1] >= low && p[1] <= high && is_continuation(p[2]) &&
                       is_continuation(p[3])
                   ? 4
                   : 0;
    }
    return 0;
}

static bool utf8_valid(talea_text text, bool controls_allowed) {
    const uint8_t *p = (const uint8_t *)text.data;
    const uint8_t *end = p + text.len;
    while (p < end) {
        if (end - p >= 8 && printable8(p)) {
            p += 8;
            continue;
        }
        if (*p < 0x80) {
            if (!controls_allowed && (*p < 0x20 || *p == 0x7F)) {
                return false;
            }
            p++;
            continue;
        }
        size_t len = multibyte_len(p, end);
        if (len == 0) {
            return false;
        }
        if (!controls_allowed && p[0] == 0xC2 && p[1] < 0xA0) { /* U+0080..U+009F */
            return false;
        }
        p += len;
    }
    return true;
}

bool tl_name_valid(talea_text name, size_t bytes_max) {
    return name.len >= 1 && name.len <= bytes_max && utf8_valid(name, false);
}

bool tl_utf8_valid(talea_text text) {
    return text.len == 0 || utf8_valid(text, true);
}
