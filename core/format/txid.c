/*
 * txid.c: transaction ids that are computed, not stored.
 *
 * How: RFC 9562 UUIDv7: 48 bits of milliseconds, 4 of version, 12 of fraction (section 6.2, method 3), 2 of
 * variant, and 62 bits that hold the seq under a small Feistel network keyed by the book's uid. The
 * network scatters, it does not hide: what counts is that it is a permutation and can be undone.
 */
#include "format/format.h"

enum { HALF_BITS = 31, ROUNDS = 4 };

#define HALF_MASK ((UINT64_C(1) << HALF_BITS) - 1)
#define SEQ_LIMIT (UINT64_C(1) << 2 * HALF_BITS)

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014) applied to x xor k. */
static uint64_t mix(uint64_t x, uint64_t k) {
    uint64_t z = x ^ k;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t round_of(tl_uid uid, uint64_t half, uint64_t r) {
    return mix(half + (r << 32) + uid.u0, uid.u1) & HALF_MASK;
}

static uint64_t permute(tl_uid uid, uint64_t seq) {
    uint64_t left = seq >> HALF_BITS;
    uint64_t right = seq & HALF_MASK;
    for (uint64_t r = 0; r < ROUNDS; r++) {
        uint64_t next = left ^ round_of(uid, right, r);
        left = right;
        right = next;
    }
    return left << HALF_BITS | right;
}

static uint64_t unpermute(tl_uid uid, uint64_t value) {
    uint64_t left = value >> HALF_BITS;
    uint64_t right = value & HALF_MASK;
    for (uint64_t r = ROUNDS; r-- > 0;) {
        uint64_t before = right ^ round_of(uid, left, r);
        right = left;
        left = before;
    }
    return left << HALF_BITS | right;
}

static void put_big_u64(uint8_t *p, uint64_t v) {
    for (int i = 7; i >= 0; i--) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

static uint64_t get_big_u64(const uint8_t *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

void tl_txid_make(tl_uid uid, int64_t at, uint64_t seq, uint8_t out[16]) {
    assert(at >= 0);
    assert(seq < SEQ_LIMIT);
    uint64_t ms = (uint64_t)at / 1000;
    uint64_t fraction = (uint64_t)at % 1000 * 4096 / 1000;
    put_big_u64(out, ms << 16 | UINT64_C(7) << 12 | fraction);
    put_big_u64(out + 8, UINT64_C(2) << 62 | permute(uid, seq));
}

uint64_t tl_txid_seq(tl_uid uid, const uint8_t txid[16]) {
    uint64_t low = get_big_u64(txid + 8);
    if (txid[6] >> 4 != 7 || low >> 62 != 2) {
        return 0;
    }
    return unpermute(uid, low & (SEQ_LIMIT - 1));
}
