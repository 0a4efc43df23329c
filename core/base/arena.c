/* Blocks in a list, newest first; each at least as large as what it was made for. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES_MIN = 4 << 10, ARENA_BLOCK_BYTES_MAX = 1 << 20, ARENA_ALIGN = 16 };

struct tl_arena_block {
    tl_arena_block *before;
    size_t used;
    size_t cap;
    alignas(ARENA_ALIGN) uint8_t data[];
};

static tl_arena_block *block_new(tl_arena_block *before, size_t bytes) {
    size_t cap = before ? before->cap * 2 : ARENA_BLOCK_BYTES_MIN;
    if (cap > ARENA_BLOCK_BYTES_MAX) {
        cap = ARENA_BLOCK_BYTES_MAX;
    }
    if (cap < bytes) {
        cap = bytes;
    }
    tl_arena_block *block = aligned_alloc(ARENA_ALIGN, (sizeof *block + cap + ARENA_ALIGN - 1) &
                                                           ~(size_t)(ARENA_ALIGN - 1));
    if (block) {
        *block = (tl_arena_block){.before = before, .cap = cap};
    }
    return block;
}

void *tl_arena_alloc(tl_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!arena->last || arena->last->cap - arena->last->used < bytes) {
        tl_arena_block *block = block_new(arena->last, bytes);
        if (!block) {
            return NULL;
        }
        arena->last = block;
    }
    void *p = arena->last->data + arena->last->used;
    arena->last->used += bytes;
    return p;
}

bool tl_arena_text(tl_arena *arena, talea_text text, talea_text *out_copy) {
    if (!text.data) {
        *out_copy = (talea_text){NULL, 0};
        return true;
    }
    char *copy = tl_arena_alloc(arena, text.len + 1);
    if (!copy) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out_copy = (talea_text){copy, text.len};
    return true;
}

tl_arena_mark tl_arena_here(const tl_arena *arena) {
    return (tl_arena_mark){arena->last, arena->last ? arena->last->used : 0};
}

void tl_arena_back(tl_arena *arena, tl_arena_mark mark) {
    while (arena->last != mark.block) {
        assert(arena->last); /* a mark of this arena */
        tl_arena_block *before = arena->last->before;
        free(arena->last);
        arena->last = before;
    }
    if (arena->last) {
        assert(mark.used <= arena->last->used);
        arena->last->used = mark.used;
    }
}

void tl_arena_free(tl_arena *arena) {
    tl_arena_back(arena, (tl_arena_mark){NULL, 0});
}
