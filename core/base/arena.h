/*
 * arena.h: memory that is given back all at once, or back to a mark.
 *
 * Purpose:    the texts and legs of a unit: many small pieces with one life.
 * Owns:       its blocks, until tl_arena_free.
 * Threads:    one at a time.
 * Errors:     NULL when memory is short.
 */
#ifndef TL_BASE_ARENA_H
#define TL_BASE_ARENA_H

#include <stddef.h>

#include "talea.h"

typedef struct tl_arena_block tl_arena_block;

typedef struct tl_arena {
    tl_arena_block *last;
} tl_arena;

typedef struct tl_arena_mark {
    tl_arena_block *block;
    size_t used;
} tl_arena_mark;

/* Aligned to 16 bytes; a size of 0 gives a valid pointer. */
void *tl_arena_alloc(tl_arena *arena, size_t bytes);
/* A copy with a NUL behind it. NULL data stays NULL (and counts as success); false: no memory. */
bool tl_arena_text(tl_arena *arena, talea_text text, talea_text *out_copy);
tl_arena_mark tl_arena_here(const tl_arena *arena);
void tl_arena_back(tl_arena *arena, tl_arena_mark mark);
void tl_arena_free(tl_arena *arena);

#endif
