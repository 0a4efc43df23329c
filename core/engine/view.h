/*
 * view.h: the inside of a talea_view: the books it has pinned.
 *
 * Purpose:    shared by view.c (pins, accounts), events.c (cursors), lookup.c (keys, txids, times).
 * Owns:       a reference to each book touched, one block for lookups, the list of names.
 * Threads:    a view belongs to one thread at a time.
 */
#ifndef TL_ENGINE_VIEW_H
#define TL_ENGINE_VIEW_H

#include "engine/engine.h"

struct talea_book_view {
    talea_book_view *next;
    tl_book *book;      /* referenced */
    uint64_t watermark; /* INV-C7: nothing above is looked at */
    int64_t last_at;
    uint32_t accounts;
    uint32_t assets;
    tl_block *block; /* for lookups; made when needed */
};

struct talea_view {
    tl_engine *engine;
    talea_book_view *books; /* the last one touched first */
    talea_text *names;
    size_t name_count;
};

#endif
