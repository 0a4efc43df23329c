/*
 * scan.c: cursors, books and rowids; scan.h says what.
 */
#include "scan.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

/* ---- Cursors --------------------------------------------------------------------------------- */

int tlx_cursor_open(sqlite3_vtab *vtab, size_t bytes, sqlite3_vtab_cursor **out_cursor) {
    tlx_table *table = (tlx_table *)vtab;
    tlx_cursor *cursor = table->spare_cursor != NULL ? table->spare_cursor : malloc(bytes);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    table->spare_cursor = NULL;
    memset((char *)cursor + sizeof *cursor, 0, bytes - sizeof *cursor);
    cursor->table = table;
    cursor->eof = false;
    tlx_filter_init(&cursor->filter);
    int rc = tlx_pin_acquire(table, &cursor->pin);
    if (rc != SQLITE_OK) {
        free(cursor);
        return rc;
    }
    *out_cursor = &cursor->base;
    return SQLITE_OK;
}

int tlx_cursor_close(sqlite3_vtab_cursor *base) {
    tlx_cursor *cursor = (tlx_cursor *)base;
    tlx_filter_clear(&cursor->filter);
    tlx_pin_release(cursor->pin);
    free(cursor->table->spare_cursor);
    cursor->table->spare_cursor = cursor;
    return SQLITE_OK;
}

int tlx_cursor_eof(sqlite3_vtab_cursor *base) {
    return ((tlx_cursor *)base)->eof;
}

int tlx_cursor_filter(tlx_cursor *cursor, int plan, int argc, sqlite3_value **argv) {
    tlx_filter_clear(&cursor->filter);
    talea_error err;
    talea_code code =
        tlx_filter_decode(&cursor->filter, plan, argc, argv, tlx_table_db(cursor->table), &err);
    if (code != TALEA_OK) {
        return tlx_fail(cursor->base.pVtab, &err);
    }
    cursor->eof = cursor->pin == NULL || cursor->filter.nothing;
    return SQLITE_OK;
}

int tlx_cursor_result(tlx_cursor *cursor, talea_code code, const talea_error *err) {
    return code == TALEA_OK ? SQLITE_OK : tlx_fail(cursor->base.pVtab, err);
}

void tlx_result_given(sqlite3_context *context, sqlite3_value *given) {
    if (given != NULL) {
        sqlite3_result_value(context, given);
    }
}

/* ---- Books ----------------------------------------------------------------------------------- */

/* A number in place of a name may fit several books ('5' and '05'); then rows cannot come in the
 * one order that was promised for one book. Refused: it takes a column of numbers joined to names
 * to get here. */
static talea_code check_one_book(const tlx_book_walk *walk, const tlx_filter *filter,
                                 talea_error *err) {
    if (walk->filter->match != TLX_MATCH_NUMBER || (filter->plan & TLX_PLAN_ONE_BOOK) == 0) {
        return TALEA_OK;
    }
    size_t fits = 0;
    for (size_t i = 0; i < walk->count; i++) {
        fits += tlx_name_matches(walk->filter, walk->names[i]);
    }
    if (fits > 1) {
        return tlx_error_set(err, TALEA_INVALID_BOOK,
                             "the number %.*s stands for %zu books: compare book with text",
                             (int)walk->filter->text.len, walk->filter->text.data, fits);
    }
    return TALEA_OK;
}

talea_code tlx_book_walk_start(tlx_book_walk *walk, talea_view *view, const tlx_filter *filter,
                               talea_error *err) {
    walk->view = view;
    walk->filter = &filter->book;
    walk->done = 0;
    walk->descending = (filter->plan & TLX_PLAN_BOOK_DESC) != 0;
    walk->book = NULL;
    if (filter->book.match == TLX_MATCH_ONE) {
        walk->names = &filter->book.text;
        walk->count = 1;
        return TALEA_OK;
    }
    if (filter->book.match == TLX_MATCH_LIST) {
        walk->names = filter->book.list;
        walk->count = filter->book.count;
        return TALEA_OK;
    }
    talea_code code = talea_view_books(view, &walk->names, &walk->count, err);
    return code == TALEA_OK ? check_one_book(walk, filter, err) : code;
}

bool tlx_book_walk_name(tlx_book_walk *walk) {
    while (walk->done < walk->count) {
        size_t index = walk->descending ? walk->count - 1 - walk->done : walk->done;
        walk->done++;
        walk->name = walk->names[index];
        if (walk->filter->match != TLX_MATCH_NUMBER || tlx_name_matches(walk->filter, walk->name)) {
            return true;
        }
    }
    return false;
}

talea_code tlx_book_walk_next(tlx_book_walk *walk, talea_error *err) {
    walk->book = NULL;
    while (walk->book == NULL && tlx_book_walk_name(walk)) {
        talea_code code = talea_view_book(walk->view, walk->name, &walk->book, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    return TALEA_OK;
}

talea_code tlx_book_index(talea_view *view, talea_text name, bool *out_found, size_t *out_index,
                          talea_error *err) {
    const talea_text *names = NULL;
    size_t count = 0;
    talea_code code = talea_view_books(view, &names, &count, err);
    if (code != TALEA_OK) {
        return code;
    }
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tlx_text_compare(names[middle], name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out_found = low < count && tlx_text_compare(names[low], name) == 0;
    *out_index = low;
    return TALEA_OK;
}

/* ---- Rowids ---------------------------------------------------------------------------------- */

sqlite3_int64 tlx_rowid(uint32_t book_ordinal, int bits, uint64_t number) {
    return (sqlite3_int64)(((uint64_t)book_ordinal << bits | number) & INT64_MAX);
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

sqlite3_int64 tlx_rowid_at(const tlx_filter *filter, sqlite3_int64 rowid) {
    uint64_t mixed = (uint64_t)rowid;
    if (filter->has_as_of) {
        mixed = mix(mixed ^ mix((uint64_t)filter->as_of + 1));
    }
    if (filter->as_of_seq != UINT64_MAX) {
        mixed = mix(mixed + mix(filter->as_of_seq + 2));
    }
    return (sqlite3_int64)(mixed & INT64_MAX);
}
