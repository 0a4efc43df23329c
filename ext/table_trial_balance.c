/*
 * table_trial_balance.c: `trial_balance`: all debit and all credit postings of each asset, in each
 * book, at an instant.
 *
 * A book is summed when the cursor enters it. Assets are told apart by their name as the accounts
 * carry it, not by the registry: _system may be pinned at an earlier instant than the book, and
 * lack an asset that an account of the book already holds.
 */
#include "account_scan.h"
#include "columns.h"
#include "error.h"
#include "insert.h"
#include "tables.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

static const tlx_plan_column plan_columns[] = {
    {TRIAL_BOOK, TLX_ROLE_BOOK, "book"},
    {TRIAL_ASSET, TLX_ROLE_ASSET, "asset"},
    {TRIAL_AS_OF, TLX_ROLE_AS_OF, "as_of"},
    {TRIAL_AS_OF_SEQ, TLX_ROLE_AS_OF_SEQ, "as_of_seq"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .keys = {TLX_ARG_BIT(TLX_ARG_BOOK) | TLX_ARG_BIT(TLX_ARG_ASSET)},
    .rows = 20,
    .row_cost = 50, /* accounts a row */
};

typedef struct asset_sum {
    talea_text asset; /* as the first account has it: lives as long as the pin */
    uint32_t account; /* ordinal of that account */
    talea_i128 debits;
    talea_i128 credits;
} asset_sum;

typedef struct trial_cursor {
    tlx_cursor base;
    tlx_account_scan scan;
    asset_sum *sums; /* of the current book, in the order in which its assets first appear */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* open addressing over sums: index + 1, 0 is free; slot_count is a power of
                        two */
    size_t slot_count;
    size_t current;
} trial_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(trial_cursor), out_cursor);
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    trial_cursor *cursor = (trial_cursor *)base;
    tlx_account_scan_close(&cursor->scan);
    free(cursor->sums);
    free(cursor->slots);
    return tlx_cursor_close(base);
}

/* ---- The assets of a book -------------------------------------------------------------------- */

/* FNV-1a. */
static size_t hash_text(talea_text text) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)hash;
}

/* The slot that holds the asset, or the free one where it belongs. */
static size_t slot_of(const trial_cursor *cursor, talea_text asset) {
    size_t slot = hash_text(asset) & (cursor->slot_count - 1);
    while (cursor->slots[slot] != 0 &&
           tlx_text_compare(cursor->sums[cursor->slots[slot] - 1].asset, asset) != 0) {
        slot = (slot + 1) & (cursor->slot_count - 1);
    }
    return slot;
}

/* Twice the room, and slots for half again as much. */
static bool grow(trial_cursor *cursor) {
    size_t capacity = cursor->capacity == 0 ? 16 : cursor->capacity * 2;
    asset_sum *sums = realloc(cursor->sums, capacity * sizeof *sums);
    if (sums == NULL) {
        return false;
    }
    cursor->sums = sums;
    uint32_t *slots = calloc(capacity * 2, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(cursor->slots);
    cursor->slots = slots;
    cursor->slot_count = capacity * 2;
    cursor->capacity = capacity;
    for (size_t i = 0; i < cursor->count; i++) {
        cursor->slots[slot_of(cursor, cursor->sums[i].asset)] = (uint32_t)i + 1;
    }
    return true;
}

/* The sum of the current account's asset; NULL when memory ran out. */
static asset_sum *sum_of(trial_cursor *cursor) {
    talea_text asset = cursor->scan.account.def.asset;
    if (cursor->count > 0 && cursor->sums[cursor->count - 1].asset.data == asset.data) {
        return &cursor->sums[cursor->count - 1]; /* names are shared: often the same pointer */
    }
    if (cursor->count == cursor->capacity && !grow(cursor)) {
        return NULL;
    }
    size_t slot = slot_of(cursor, asset);
    if (cursor->slots[slot] == 0) {
        cursor->sums[cursor->count] = (asset_sum){.asset = asset, .account = cursor->scan.ordinal};
        cursor->slots[slot] = (uint32_t)++cursor->count;
    }
    return &cursor->sums[cursor->slots[slot] - 1];
}

static talea_code add_account(trial_cursor *cursor, talea_error *err) {
    asset_sum *sum = sum_of(cursor);
    if (sum == NULL) {
        return tlx_error_nomem(err);
    }
    const talea_account *account = &cursor->scan.account;
    if (__builtin_add_overflow(sum->debits, account->debits, &sum->debits) ||
        __builtin_add_overflow(sum->credits, account->credits, &sum->credits)) {
        return tlx_error_set(err, TALEA_CORRUPT,
                             "book '%.*s': the postings of asset '%.*s' exceed 128 bits",
                             (int)cursor->scan.books.name.len, cursor->scan.books.name.data,
                             (int)sum->asset.len, sum->asset.data);
    }
    return TALEA_OK;
}

static talea_code sum_book(trial_cursor *cursor, talea_error *err) {
    if (cursor->count > 0) {
        memset(cursor->slots, 0, cursor->slot_count * sizeof *cursor->slots);
        cursor->count = 0;
    }
    while (tlx_account_scan_next_account(&cursor->scan)) {
        talea_code code = add_account(cursor, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    return TALEA_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static int next(sqlite3_vtab_cursor *base) {
    trial_cursor *cursor = (trial_cursor *)base;
    talea_error err;
    cursor->current++;
    while (cursor->scan.books.book == NULL || cursor->current >= cursor->count) {
        talea_code code = tlx_account_scan_next_book(&cursor->scan, &err);
        if (code == TALEA_OK && cursor->scan.books.book == NULL) {
            cursor->base.eof = true;
            return SQLITE_OK;
        }
        if (code == TALEA_OK) {
            code = sum_book(cursor, &err);
        }
        if (code != TALEA_OK) {
            return tlx_cursor_result(&cursor->base, code, &err);
        }
        cursor->current = 0;
    }
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    trial_cursor *cursor = (trial_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    talea_error err;
    talea_code code = tlx_account_scan_start(&cursor->scan, tlx_pin_view(cursor->base.pin),
                                             &cursor->base.filter, &err);
    return code == TALEA_OK ? next(base) : tlx_cursor_result(&cursor->base, code, &err);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const trial_cursor *cursor = (const trial_cursor *)base;
    const asset_sum *sum = &cursor->sums[cursor->current];
    switch (number) {
    case TRIAL_BOOK: tlx_result_text(context, talea_book_name(cursor->scan.books.book)); break;
    case TRIAL_ASSET: tlx_result_text(context, sum->asset); break;
    case TRIAL_DEBITS: tlx_result_amount(context, sum->debits); break;
    case TRIAL_CREDITS: tlx_result_amount(context, sum->credits); break;
    case TRIAL_AS_OF: tlx_result_given(context, cursor->base.filter.as_of_value); break;
    case TRIAL_AS_OF_SEQ: tlx_result_given(context, cursor->base.filter.as_of_seq_value); break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    const trial_cursor *cursor = (const trial_cursor *)base;
    sqlite3_int64 now = tlx_rowid(talea_book_ordinal(cursor->scan.books.book),
                                  TLX_ROWID_ORDINAL_BITS, cursor->sums[cursor->current].account);
    *out_rowid = tlx_rowid_at(&cursor->base.filter, now);
    return SQLITE_OK;
}

const sqlite3_module tlx_module_trial_balance = TLX_MODULE(
    best_index, open_cursor, close_cursor, filter, next, column, rowid, tlx_insert_refused);
