/*
 * A history is an array of slots, each leading to a chunk of TL_HISTORY_CHUNK entries (only the
 * last one may hold fewer):
 *
 *   slots   [ base_seq, chunk ][ base_seq, chunk ] ...
 *   chunk   debits, credits before its first entry | coded amounts | seqs minus base_seq
 *
 * A coded amount is amount * 2 + (1 for credit), as in the log. A chunk has one of three forms, the
 * smallest that holds all of its entries, and is written anew when an entry does not fit:
 *
 *   FORM_4   u32 amounts, u32 seqs    what nearly every account ever needs
 *   FORM_8   u64 amounts, u32 seqs
 *   FORM_16  u128 amounts, u64 seqs
 *
 * An account's first chunk has room for 4, then 16, then TL_HISTORY_CHUNK entries, so that an
 * account with a handful of legs is small.
 *
 * Totals after an entry are summed up from the checkpoint. Storing them with each entry was left:
 * it doubles the memory, which is what histories are short of, to save at most 63 additions in
 * consecutive memory (15 ns on average, a fraction of the cache miss that leads to the chunk).
 */
#include "state/history.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/limits.h"

typedef enum chunk_form { FORM_4, FORM_8, FORM_16 } chunk_form;

enum { FIRST_CHUNK_CAP = 4, CHUNK_GROWTH = 4 };

struct tl_history_chunk {
    talea_i128 debits; /* before the first entry */
    talea_i128 credits;
    uint8_t form;
    uint8_t cap;
    _Alignas(16) unsigned char data[]; /* cap amounts, then cap seqs */
};

static_assert((int)TL_HISTORY_CHUNK >= (int)FIRST_CHUNK_CAP, "the first chunk is the smallest");
static_assert(TL_HISTORY_CHUNK <= UINT8_MAX, "a chunk's cap fits its field");
static_assert(sizeof(tl_history_chunk) % 16 == 0, "amounts behind the head are aligned");

static const uint8_t entry_bytes[] = {[FORM_4] = 8, [FORM_8] = 12, [FORM_16] = 24};

/* ---- One chunk ------------------------------------------------------------------------------ */

static chunk_form form_for(tl_u128 coded, uint64_t delta) {
    if (coded > UINT64_MAX || delta > UINT32_MAX) {
        return FORM_16;
    }
    return coded > UINT32_MAX ? FORM_8 : FORM_4;
}

static uint32_t *amounts4(const tl_history_chunk *chunk) {
    return (uint32_t *)(void *)chunk->data;
}

static uint64_t *amounts8(const tl_history_chunk *chunk) {
    return (uint64_t *)(void *)chunk->data;
}

static tl_u128 *amounts16(const tl_history_chunk *chunk) {
    return (tl_u128 *)(void *)chunk->data;
}

static uint32_t *deltas4(const tl_history_chunk *chunk) {
    assert(chunk->form != FORM_16);
    return chunk->form == FORM_4 ? amounts4(chunk) + chunk->cap
                                 : (uint32_t *)(void *)(amounts8(chunk) + chunk->cap);
}

static uint64_t *deltas8(const tl_history_chunk *chunk) {
    assert(chunk->form == FORM_16);
    return (uint64_t *)(void *)(amounts16(chunk) + chunk->cap);
}

static tl_u128 get_coded(const tl_history_chunk *chunk, uint32_t i) {
    switch (chunk->form) {
    case FORM_4: return amounts4(chunk)[i];
    case FORM_8: return amounts8(chunk)[i];
    default: return amounts16(chunk)[i];
    }
}

static uint64_t get_delta(const tl_history_chunk *chunk, uint32_t i) {
    return chunk->form == FORM_16 ? deltas8(chunk)[i] : deltas4(chunk)[i];
}

static void put(tl_history_chunk *chunk, uint32_t i, tl_u128 coded, uint64_t delta) {
    assert(i < chunk->cap);
    assert(form_for(coded, delta) <= (chunk_form)chunk->form);
    switch (chunk->form) {
    case FORM_4: amounts4(chunk)[i] = (uint32_t)coded; break;
    case FORM_8: amounts8(chunk)[i] = (uint64_t)coded; break;
    default: amounts16(chunk)[i] = coded; break;
    }
    if (chunk->form == FORM_16) {
        deltas8(chunk)[i] = delta;
    } else {
        deltas4(chunk)[i] = (uint32_t)delta;
    }
}

static tl_history_chunk *chunk_new(chunk_form form, uint32_t cap, talea_i128 debits,
                                   talea_i128 credits) {
    tl_history_chunk *chunk = malloc(sizeof *chunk + (size_t)cap * entry_bytes[form]);
    if (chunk) {
        chunk->debits = debits;
        chunk->credits = credits;
        chunk->form = (uint8_t)form;
        chunk->cap = (uint8_t)cap;
    }
    return chunk;
}

/* A copy of the first `used` entries with another form or room for more. */
static tl_history_chunk *chunk_remade(const tl_history_chunk *old, uint32_t used, chunk_form form,
                                      uint32_t cap) {
    tl_history_chunk *chunk = chunk_new(form, cap, old->debits, old->credits);
    if (chunk) {
        for (uint32_t i = 0; i < used; i++) {
            put(chunk, i, get_coded(old, i), get_delta(old, i));
        }
    }
    return chunk;
}

/* Adds up the first `n` entries. The narrow form's sums fit 64 bits (64 * 2^31), and a loop without
 * branches lets the compiler use vectors. */
static void sum_entries(const tl_history_chunk *chunk, uint32_t n, tl_u128 *out_debits,
                        tl_u128 *out_credits) {
    tl_u128 all = 0;
    tl_u128 credits = 0;
    if (chunk->form == FORM_4) {
        const uint32_t *amounts = amounts4(chunk);
        uint64_t narrow_all = 0;
        uint64_t narrow_credits = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t amount = amounts[i] >> 1;
            narrow_all += amount;
            narrow_credits += amount & (0 - (uint64_t)(amounts[i] & 1));
        }
        all = narrow_all;
        credits = narrow_credits;
    } else {
        for (uint32_t i = 0; i < n; i++) {
            tl_u128 coded = get_coded(chunk, i);
            all += coded >> 1;
            credits += (coded >> 1) & (0 - (coded & 1));
        }
    }
    *out_debits = all - credits;
    *out_credits = credits;
}

/* The first of `used` entries with delta >= `delta`; `used` when none. */
static uint32_t chunk_lower_bound(const tl_history_chunk *chunk, uint32_t used, uint64_t delta) {
    uint32_t low = 0;
    uint32_t high = used;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (get_delta(chunk, middle) < delta) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- The history ---------------------------------------------------------------------------- */

void tl_history_free(tl_history *history) {
    for (uint32_t i = 0; i < history->chunk_count; i++) {
        free(history->slots[i].chunk);
    }
    free(history->slots);
    *history = (tl_history){0};
}

static bool push_chunk(tl_history *history, uint64_t seq, chunk_form form, talea_i128 debits,
                       talea_i128 credits) {
    if (history->chunk_count == history->chunk_cap) {
        if (history->chunk_cap > UINT32_MAX / 2) {
            return false;
        }
        uint32_t cap = history->chunk_cap ? history->chunk_cap * 2 : 1;
        tl_history_slot *slots = realloc(history->slots, cap * sizeof *slots);
        if (!slots) {
            return false;
        }
        history->slots = slots;
        history->chunk_cap = cap;
    }
    uint32_t cap = history->chunk_count ? TL_HISTORY_CHUNK : FIRST_CHUNK_CAP;
    tl_history_chunk *chunk = chunk_new(form, cap, debits, credits);
    if (!chunk) {
        return false;
    }
    history->slots[history->chunk_count++] = (tl_history_slot){seq, chunk};
    return true;
}

/* Makes the last chunk fit one more entry of this form. */
static bool widen_chunk(tl_history_slot *slot, uint32_t used, chunk_form form) {
    tl_history_chunk *old = slot->chunk;
    uint32_t cap = old->cap;
    if (used == cap) {
        cap = cap * CHUNK_GROWTH < TL_HISTORY_CHUNK ? cap * CHUNK_GROWTH : TL_HISTORY_CHUNK;
    }
    if (form < (chunk_form)old->form) {
        form = (chunk_form)old->form;
    }
    tl_history_chunk *chunk = chunk_remade(old, used, form, cap);
    if (!chunk) {
        return false;
    }
    slot->chunk = chunk;
    free(old);
    return true;
}

bool tl_history_append(tl_history *history, uint64_t seq, talea_side side, talea_i128 amount,
                       talea_i128 debits, talea_i128 credits) {
    assert(amount > 0);
    assert(side == TALEA_SIDE_DEBIT || side == TALEA_SIDE_CREDIT);
    tl_u128 coded = (tl_u128)amount << 1 | (side == TALEA_SIDE_CREDIT);
    uint32_t used = (uint32_t)(history->count % TL_HISTORY_CHUNK);
    if (used == 0) {
        assert(history->chunk_count == history->count / TL_HISTORY_CHUNK);
        if (!push_chunk(history, seq, form_for(coded, 0), debits, credits)) {
            return false;
        }
    }
    tl_history_slot *slot = &history->slots[history->chunk_count - 1];
    assert(seq >= slot->base_seq);
    uint64_t delta = seq - slot->base_seq;
    assert(used == 0 || get_delta(slot->chunk, used - 1) <= delta);
    chunk_form form = form_for(coded, delta);
    if ((form > (chunk_form)slot->chunk->form || used == slot->chunk->cap) &&
        !widen_chunk(slot, used, form)) {
        return false;
    }
    put(slot->chunk, used, coded, delta);
    history->count++;
    return true;
}

void tl_history_pop(tl_history *history) {
    assert(history->count > 0);
    history->count--;
    if (history->count % TL_HISTORY_CHUNK == 0) {
        free(history->slots[--history->chunk_count].chunk);
    }
}

static uint32_t used_of(const tl_history *history, uint32_t chunk) {
    uint64_t before = (uint64_t)chunk * TL_HISTORY_CHUNK;
    uint64_t left = history->count - before;
    return left < TL_HISTORY_CHUNK ? (uint32_t)left : TL_HISTORY_CHUNK;
}

uint64_t tl_history_lower_bound(const tl_history *history, uint64_t seq) {
    if (history->count == 0 || seq <= history->slots[0].base_seq) {
        return 0;
    }
    /* The last chunk that begins before `seq`: the bound is inside it, or just behind it. Recent
     * instants are what is asked for most, so the last chunk is tried first. */
    uint32_t low = 0;
    uint32_t high = history->chunk_count - 1;
    if (history->slots[high].base_seq < seq) {
        low = high;
    }
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (history->slots[middle].base_seq < seq) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    const tl_history_slot *slot = &history->slots[low];
    return (uint64_t)low * TL_HISTORY_CHUNK +
           chunk_lower_bound(slot->chunk, used_of(history, low), seq - slot->base_seq);
}

void tl_history_get(const tl_history *history, uint64_t position, talea_history_entry *out_entry) {
    assert(position < history->count);
    const tl_history_slot *slot = &history->slots[position / TL_HISTORY_CHUNK];
    uint32_t i = (uint32_t)(position % TL_HISTORY_CHUNK);
    tl_u128 coded = get_coded(slot->chunk, i);
    tl_u128 debits = 0;
    tl_u128 credits = 0;
    sum_entries(slot->chunk, i + 1, &debits, &credits);
    out_entry->seq = slot->base_seq + get_delta(slot->chunk, i);
    out_entry->side = coded & 1 ? TALEA_SIDE_CREDIT : TALEA_SIDE_DEBIT;
    out_entry->amount = (talea_i128)(coded >> 1);
    out_entry->debits = slot->chunk->debits + (talea_i128)debits;
    out_entry->credits = slot->chunk->credits + (talea_i128)credits;
}
