/*
 * mend.h: segments whose bytes were changed, made to look whole again, as far as asked for.
 *
 * Purpose:    brings a fuzzer past checksums, chains and places, each or all; what is wrong after that is meant.
 * Owns:       nothing.
 * Threads:    pure.
 *
 * Written from docs/FORMAT.md, not with the encoders of core/format, which refuse what does not
 * make sense.
 */
#ifndef TEST_FUZZ_MEND_H
#define TEST_FUZZ_MEND_H

#include "base/crc32c.h"
#include "format/format.h"
#include "fuzz.h"

enum {
    MEND_CRCS = 1,   /* of headers, groups, frames and marks */
    MEND_CHAIN = 2,  /* prev_crc, what links and seals name */
    MEND_PLACES = 4, /* durable_upto, space_end, first_seq, at, counts in marks */
};

typedef struct mending {
    unsigned what;
    uint8_t *data;
    size_t len;
    uint32_t segment;
    uint32_t salt;
    uint32_t frame_seed;
    uint32_t prev_crc;
    uint64_t next_seq;
    int64_t at;
    uint64_t base;
    tl_hash128 hash;
} mending;

/* Frames and marks of one body; returns how many events there are. */
static uint32_t mend_body(mending *m, uint8_t *body, size_t len) {
    uint32_t unit_crc = m->frame_seed;
    uint32_t in_unit = 0;
    uint32_t events = 0;
    for (size_t at = 0; at + TL_FRAME_HEADER_BYTES <= len;) {
        uint8_t *p = body + at;
        size_t body_bytes = tl_get_u32(p) >> 8;
        if (p[0] == 0 && at % TL_GROUP_ALIGN != 0) {
            at = (at / TL_GROUP_ALIGN + 1) * TL_GROUP_ALIGN;
        } else if (p[0] == TL_FRAME_MARK) {
            if (m->what & MEND_PLACES) {
                tl_put_u32(p, (uint32_t)TL_FRAME_MARK | in_unit << 8);
            }
            tl_put_u32(p + 4, tl_crc32c(unit_crc, p, 4));
            unit_crc = m->frame_seed;
            in_unit = 0;
            at += TL_MARK_BYTES;
        } else if (p[0] != 0 && body_bytes <= len - at - TL_FRAME_HEADER_BYTES) {
            uint32_t crc = tl_crc32c(m->frame_seed, p, 4);
            tl_put_u32(p + 4, tl_crc32c(crc, p + TL_FRAME_HEADER_BYTES, body_bytes));
            unit_crc = tl_crc32c(unit_crc, p, TL_FRAME_HEADER_BYTES);
            if (p[0] != TL_FRAME_LINK && p[0] != TL_FRAME_SEAL) {
                in_unit++;
                events++;
            }
            at += TL_FRAME_HEADER_BYTES + body_bytes;
        } else {
            break;
        }
    }
    return events;
}

static void put_hash(uint8_t *p, tl_hash128 hash) {
    tl_put_u64(p, hash.lo);
    tl_put_u64(p + 8, hash.hi);
}

static void mend_places(mending *m, uint8_t *header, size_t p, size_t end, bool has_events) {
    bool seal = header[TL_GROUP_HEADER_BYTES] == TL_FRAME_SEAL && end - p > TL_GROUP_HEADER_BYTES;
    uint64_t needed = seal ? end : tl_space_needed(end);
    bool with_link =
        p == TL_FIRST_GROUP + TL_LINK_GROUP_BYTES && tl_get_u32(header + 12) == TL_FIRST_GROUP;
    if (!with_link) {
        tl_put_u32(header + 12, (uint32_t)p);
    }
    if (seal || tl_get_u32(header + 16) < needed || tl_get_u32(header + 16) > m->len) {
        tl_put_u32(header + 16, (uint32_t)needed);
    }
    tl_put_u64(header + 24, m->next_seq);
    if (!has_events) {
        tl_put_u64(header + 32, (uint64_t)m->at);
    } else if ((int64_t)tl_get_u64(header + 32) <= m->at && m->at < INT64_MAX) {
        tl_put_u64(header + 32, (uint64_t)m->at + 1);
    }
}

/* The group at p; returns where it ends, 0 when none is there. */
static size_t mend_group(mending *m, size_t p) {
    if (p + TL_GROUP_HEADER_BYTES > m->len || tl_get_u32(m->data + p) != m->salt) {
        return 0;
    }
    uint8_t *header = m->data + p;
    uint8_t *body = header + TL_GROUP_HEADER_BYTES;
    size_t body_bytes = tl_get_u32(header + 8);
    if (body_bytes % TL_GROUP_ALIGN != 0 || body_bytes > m->len - p - TL_GROUP_HEADER_BYTES) {
        return 0;
    }
    size_t end = p + TL_GROUP_HEADER_BYTES + body_bytes;
    bool link =
        body_bytes >= TL_FRAME_HEADER_BYTES + TL_LINK_BODY_BYTES && body[0] == TL_FRAME_LINK;
    bool seal =
        body_bytes >= TL_FRAME_HEADER_BYTES + TL_SEAL_BODY_BYTES && body[0] == TL_FRAME_SEAL;
    if ((m->what & MEND_CHAIN) && link) {
        put_hash(body + TL_FRAME_HEADER_BYTES, m->hash);
        tl_put_u64(body + TL_FRAME_HEADER_BYTES + 16, m->base);
    }
    if ((m->what & MEND_CHAIN) && seal) {
        put_hash(body + TL_FRAME_HEADER_BYTES, tl_hash128_of(m->data, p));
    }
    uint32_t events = mend_body(m, body, body_bytes);
    if (m->what & MEND_PLACES) {
        mend_places(m, header, p, end, events > 0);
    }
    if (m->what & MEND_CHAIN) {
        tl_put_u32(header + 20, m->prev_crc);
    }
    uint8_t place[8];
    tl_put_u32(place, m->segment);
    tl_put_u32(place + 4, (uint32_t)p);
    uint32_t crc = tl_crc32c(tl_crc32c(0, place, sizeof place), header, 4);
    m->prev_crc = tl_crc32c(crc, header + 8, TL_GROUP_HEADER_BYTES - 8);
    tl_put_u32(header + 4, m->prev_crc);
    m->next_seq += events;
    m->at = (int64_t)tl_get_u64(header + 32);
    m->hash = tl_hash128_of(m->data, p);
    return end;
}

static void mend_segment(mending *m) {
    if (m->len < TL_SEGMENT_HEADER_BYTES) {
        return;
    }
    m->salt = tl_get_u32(m->data + 20);
    m->frame_seed = tl_crc32c(0, m->data + 24, 16);
    tl_put_u32(m->data + 12, 0);
    tl_put_u32(m->data + 12, tl_crc32c(0, m->data, TL_SEGMENT_HEADER_BYTES));
    size_t end = TL_FIRST_GROUP;
    for (size_t next = end; next != 0;) {
        end = next;
        next = mend_group(m, end);
        if (next == 0 || next == end + TL_GROUP_HEADER_BYTES) {
            next = mend_group(m, (size_t)tl_proof_offset(end));
        }
    }
    m->base += end;
}

#endif
