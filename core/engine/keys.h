/*
 * keys.h: has a draft's idempotency key been used before, and for the same content?
 *
 * Purpose:    what stage.c asks of every draft before it stages it. (Readers look keys up in lookup.c.)
 * Owns:       a tl_key_search owns its scratch memory.
 * Threads:    under the book's stage lock.
 * Errors:     IDEMPOTENCY_CONFLICT; CORRUPT and IO (an earlier draft cannot be read back), NOMEM.
 */
#ifndef TL_ENGINE_KEYS_H
#define TL_ENGINE_KEYS_H

#include "engine/engine.h"

typedef struct tl_key_search {
    tl_book *book;
    const tl_group *open; /* being filled; need not be in the pending list yet */
    tl_legs stored;       /* scratch: an earlier draft's legs */
    tl_legs sorted;       /* scratch: the given ones, to compare */
} tl_key_search;

/* Looks for an earlier draft with this key, committed or pending; `hash` is the key's
 * (tl_book_key_hash). *out_seq is 0 when there is none; *out_at is 0 while the earlier one is
 * pending. When its content differs: IDEMPOTENCY_CONFLICT, and *out_seq all the same. */
talea_code tl_key_find_earlier(tl_key_search *search, tl_hash128 hash, const tl_transaction *tx,
                               uint64_t *out_seq, int64_t *out_at, talea_error *err);
void tl_key_search_free(tl_key_search *search);

#endif
