/*
 * units.h: what the poster posts, as a function of its numbers, so that the checker knows it
 * without being told.
 *
 * Purpose:    thread and number of a unit determine its drafts: keys, accounts, amounts, notes.
 * Owns:       nothing.
 * Threads:    pure.
 *
 * A thread posts its units in order, each after the one before was acknowledged. After a kill the
 * next poster begins with the first unit that was not acknowledged: the same drafts again, whether
 * they had become durable or not.
 */
#ifndef TEST_CRASH_UNITS_H
#define TEST_CRASH_UNITS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    POSTERS = 6,
    POSTER_BOOKS = 2,
    POSTER_ACCOUNTS = 8,
    UNIT_DRAFTS_MAX = 12,
    NOTE_BYTES_MAX = 400
};

static const char *const poster_books[POSTER_BOOKS] = {"main", "side book"};

typedef struct unit_draft {
    char key[48];
    unsigned debit; /* accounts are named a0, a1, ... */
    unsigned credit;
    int64_t amount;
    char note[NOTE_BYTES_MAX + 3]; /* a JSON string, "": none */
} unit_draft;

static inline uint64_t unit_hash(uint64_t ledger, unsigned thread, unsigned number,
                                 unsigned index) {
    uint64_t z = ledger * UINT64_C(0x9E3779B97F4A7C15) + ((uint64_t)thread << 48) +
                 ((uint64_t)number << 8) + index;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline unsigned unit_book(unsigned thread) {
    return thread % POSTER_BOOKS;
}

/* Most units hold one draft. */
static inline unsigned unit_size(uint64_t ledger, unsigned thread, unsigned number) {
    uint64_t h = unit_hash(ledger, thread, number, 255);
    return h % 3 ? 1 : 1 + (unsigned)(h >> 8) % UNIT_DRAFTS_MAX;
}

static inline void unit_fill(uint64_t ledger, unsigned thread, unsigned number, unsigned index,
                             unit_draft *out) {
    uint64_t h = unit_hash(ledger, thread, number, index);
    (void)snprintf(out->key, sizeof out->key, "u.%u.%u.%u", thread, number, index);
    out->debit = (unsigned)(h % POSTER_ACCOUNTS);
    out->credit = (unsigned)((h >> 8) % POSTER_ACCOUNTS);
    out->amount = 1 + (int64_t)((h >> 16) % 1000);
    size_t note = (h >> 32) % 4 ? 0 : (h >> 34) % NOTE_BYTES_MAX;
    out->note[0] = '\0';
    if (note > 0) {
        memset(out->note, 'n', note + 2);
        out->note[0] = '"';
        out->note[note + 1] = '"';
        out->note[note + 2] = '\0';
    }
}

#endif
