/*
 * account_scan.c: a range of ordinals for each book; one of length one for `account =`.
 */
#include "account_scan.h"

#include "error.h"

#include <stdlib.h>

talea_code tlx_account_scan_start(tlx_account_scan *scan, talea_view *view,
                                  const tlx_filter *filter, talea_error *err) {
    scan->filter = filter;
    scan->next = 0;
    scan->end = 0;
    return tlx_book_walk_start(&scan->books, view, filter, err);
}

void tlx_account_scan_close(tlx_account_scan *scan) {
    free(scan->ordinals);
    scan->ordinals = NULL;
}

static int compare_ordinals(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static talea_code enter_list(tlx_account_scan *scan, talea_error *err) {
    const tlx_name_filter *names = &scan->filter->account;
    free(scan->ordinals);
    scan->ordinals = malloc((names->count + 1) * sizeof *scan->ordinals);
    if (scan->ordinals == NULL) {
        return tlx_error_nomem(err);
    }
    uint32_t found = 0;
    for (size_t i = 0; i < names->count; i++) {
        found += talea_book_find_account(scan->books.book, names->list[i], &scan->ordinals[found]);
    }
    qsort(scan->ordinals, found, sizeof *scan->ordinals, compare_ordinals);
    scan->next = 0;
    scan->end = found;
    return TALEA_OK;
}

talea_code tlx_account_scan_next_book(tlx_account_scan *scan, talea_error *err) {
    talea_code code = tlx_book_walk_next(&scan->books, err);
    talea_book_view *book = scan->books.book;
    if (code != TALEA_OK || book == NULL) {
        return code;
    }
    code = tlx_filter_instant(scan->filter, book, &scan->instant, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (scan->filter->account.match == TLX_MATCH_LIST) {
        return enter_list(scan, err);
    }
    scan->next = 0;
    scan->end = talea_book_account_count(book);
    if (scan->filter->account.match == TLX_MATCH_ONE) {
        bool found = talea_book_find_account(book, scan->filter->account.text, &scan->next);
        scan->end = found ? scan->next + 1 : scan->next;
    }
    return TALEA_OK;
}

/* Whether the definition alone rules the account out. */
static bool passes(const tlx_account_scan *scan, uint32_t ordinal) {
    const tlx_filter *filter = scan->filter;
    if (filter->asset.match == TLX_MATCH_ANY && filter->account.match != TLX_MATCH_NUMBER) {
        return true;
    }
    const talea_account_def *def = talea_book_account_def(scan->books.book, ordinal);
    return tlx_name_matches(&filter->asset, def->asset) &&
           (filter->account.match != TLX_MATCH_NUMBER ||
            tlx_name_matches(&filter->account, def->account));
}

bool tlx_account_scan_next_account(tlx_account_scan *scan) {
    while (scan->next < scan->end) {
        scan->ordinal =
            scan->filter->account.match == TLX_MATCH_LIST ? scan->ordinals[scan->next] : scan->next;
        scan->next++;
        if (passes(scan, scan->ordinal) &&
            talea_book_account(scan->books.book, scan->ordinal, scan->instant, &scan->account)) {
            return true;
        }
    }
    return false;
}

/* Goes to the next account of any book; books.book is NULL at the end. */
static talea_code next_account(tlx_account_scan *scan, talea_error *err) {
    while (scan->books.book == NULL || !tlx_account_scan_next_account(scan)) {
        talea_code code = tlx_account_scan_next_book(scan, err);
        if (code != TALEA_OK || scan->books.book == NULL) {
            return code;
        }
    }
    return TALEA_OK;
}

/* ---- The cursor ------------------------------------------------------------------------------ */

int tlx_account_cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(tlx_account_cursor), out_cursor);
}

int tlx_account_cursor_close(sqlite3_vtab_cursor *base) {
    tlx_account_scan_close(&((tlx_account_cursor *)base)->scan);
    return tlx_cursor_close(base);
}

int tlx_account_cursor_next(sqlite3_vtab_cursor *base) {
    tlx_account_cursor *cursor = (tlx_account_cursor *)base;
    talea_error err;
    talea_code code = next_account(&cursor->scan, &err);
    cursor->base.eof = cursor->scan.books.book == NULL;
    return tlx_cursor_result(&cursor->base, code, &err);
}

int tlx_account_cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                              sqlite3_value **argv) {
    (void)plan_text;
    tlx_account_cursor *cursor = (tlx_account_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    talea_error err;
    talea_code code = tlx_account_scan_start(&cursor->scan, tlx_pin_view(cursor->base.pin),
                                             &cursor->base.filter, &err);
    return code == TALEA_OK ? tlx_account_cursor_next(base)
                            : tlx_cursor_result(&cursor->base, code, &err);
}

int tlx_account_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    const tlx_account_cursor *cursor = (const tlx_account_cursor *)base;
    sqlite3_int64 now = tlx_rowid(talea_book_ordinal(cursor->scan.books.book),
                                  TLX_ROWID_ORDINAL_BITS, cursor->scan.ordinal);
    *out_rowid = tlx_rowid_at(&cursor->base.filter, now);
    return SQLITE_OK;
}
