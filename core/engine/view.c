/*
 * Views: pinning books, and what is read under the read lock: accounts, histories, assets.
 *
 * INV-C7: an account's totals are taken as they are when it was last touched at or before the seq
 * asked for, from its history otherwise; so the writer may apply the next group at any moment.
 */
#include "engine/view.h"

#include <assert.h>

talea_code talea_view_open(talea_ledger *ledger, talea_view **out_view, talea_error *err) {
    talea_code code = tl_engine_check(ledger->engine, err);
    if (code != TALEA_OK) {
        return code;
    }
    talea_view *view = calloc(1, sizeof *view);
    if (!view) {
        return tl_error_nomem(err);
    }
    view->engine = ledger->engine;
    *out_view = view;
    return TALEA_OK;
}

void talea_view_close(talea_view *view) {
    if (!view) {
        return;
    }
    while (view->books) {
        talea_book_view *book = view->books;
        view->books = book->next;
        tl_block_free(book->block);
        tl_book_unref(book->book);
        free(book);
    }
    free(view->names);
    free(view);
}

static int compare_names(const void *a, const void *b) {
    return tl_text_compare(*(const talea_text *)a, *(const talea_text *)b);
}

/* A slot whose book turned out to hold nothing (its first transaction was refused) is no book yet.
 */
static bool is_empty(tl_slot *slot) {
    bool empty = false;
    if (slot->book) {
        tl_book_lock_to_read(slot->book);
        empty = slot->book->watermark == 0;
        tl_mutex_unlock(&slot->book->read_lock);
    }
    return empty || !slot->on_disk;
}

talea_code talea_view_books(talea_view *view, const talea_text **out_names, size_t *out_count,
                            talea_error *err) {
    tl_engine *engine = view->engine;
    if (!view->names) {
        talea_code code = tl_engine_refresh(engine, err);
        if (code != TALEA_OK) {
            return code;
        }
        tl_mutex_lock(&engine->lock);
        view->names = malloc((engine->slot_count + 1) * sizeof *view->names);
        for (uint32_t i = 0; view->names && i < engine->slot_count; i++) {
            if (!is_empty(engine->slots[i])) {
                view->names[view->name_count++] = engine->slots[i]->name;
            }
        }
        tl_mutex_unlock(&engine->lock);
        if (!view->names) {
            return tl_error_nomem(err);
        }
        qsort(view->names, view->name_count, sizeof *view->names, compare_names);
    }
    *out_names = view->names;
    *out_count = view->name_count;
    return TALEA_OK;
}

talea_code talea_view_book(talea_view *view, talea_text name, talea_book_view **out_book,
                           talea_error *err) {
    talea_code code = tl_engine_check(view->engine, err);
    if (code != TALEA_OK) {
        return code;
    }
    for (talea_book_view *b = view->books; b; b = b->next) {
        if (tl_text_equal(b->book->slot->name, name)) {
            *out_book = b;
            return TALEA_OK;
        }
    }
    tl_book *book = NULL;
    code = tl_engine_current_book(view->engine, name, &book, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (!book) {
        *out_book = NULL;
        return TALEA_OK;
    }
    talea_book_view *pinned = calloc(1, sizeof *pinned);
    if (!pinned) {
        tl_book_unref(book);
        return tl_error_nomem(err);
    }
    pinned->book = book;
    tl_book_lock_to_read(book);
    pinned->watermark = book->watermark;
    pinned->last_at = book->last_at;
    pinned->accounts = book->visible_accounts;
    pinned->assets = book->visible_assets;
    tl_mutex_unlock(&book->read_lock);
    pinned->next = view->books;
    view->books = pinned;
    *out_book = pinned;
    return TALEA_OK;
}

talea_text talea_book_name(const talea_book_view *book) {
    return book->book->slot->name;
}

uint32_t talea_book_ordinal(const talea_book_view *book) {
    return book->book->slot->ordinal;
}

uint64_t talea_book_last_seq(const talea_book_view *book) {
    return book->watermark;
}

int64_t talea_book_last_at(const talea_book_view *book) {
    return book->last_at;
}

/* ---- Accounts ---- */

uint32_t talea_book_account_count(const talea_book_view *book) {
    return book->accounts;
}

bool talea_book_find_account(talea_book_view *book, talea_text name, uint32_t *out_ordinal) {
    tl_book_lock_to_read(book->book);
    const tl_account *account = tl_state_find_account(book->book->state, name);
    tl_mutex_unlock(&book->book->read_lock);
    if (!account || account->ordinal >= book->accounts) {
        return false;
    }
    *out_ordinal = account->ordinal;
    return true;
}

const talea_account_def *talea_book_account_def(talea_book_view *book, uint32_t ordinal) {
    assert(ordinal < book->accounts);
    return &tl_state_account(book->book->state, ordinal)->def;
}

/* Totals and last seq of the account as of `seq`. [read] */
static void totals_at(const tl_account *account, uint64_t seq, talea_account *out) {
    if (account->updated_seq <= seq) {
        out->debits = account->debits;
        out->credits = account->credits;
        out->updated_seq = account->updated_seq;
        return;
    }
    uint64_t after = tl_history_lower_bound(&account->history, seq + 1);
    if (after == 0) {
        out->debits = 0;
        out->credits = 0;
        out->updated_seq = account->opened_seq;
        return;
    }
    talea_history_entry entry;
    tl_history_get(&account->history, after - 1, &entry);
    out->debits = entry.debits;
    out->credits = entry.credits;
    out->updated_seq = entry.seq;
}

bool talea_book_account(talea_book_view *book, uint32_t ordinal, uint64_t seq,
                        talea_account *out_account) {
    assert(ordinal < book->accounts);
    assert(seq <= book->watermark);
    const tl_account *account = tl_state_account(book->book->state, ordinal);
    tl_book_lock_to_read(book->book);
    bool open = account->opened_seq <= seq;
    if (open) {
        out_account->def = account->def;
        out_account->opened_seq = account->opened_seq;
        out_account->opened_at = account->opened_at;
        totals_at(account, seq, out_account);
    }
    tl_mutex_unlock(&book->book->read_lock);
    return open;
}

/* ---- Histories ---- */

uint64_t talea_history_lower_bound(talea_book_view *book, uint32_t ordinal, uint64_t seq) {
    assert(ordinal < book->accounts);
    const tl_account *account = tl_state_account(book->book->state, ordinal);
    uint64_t bound = seq > book->watermark ? book->watermark + 1 : seq; /* what is newer is not
                                                                           there for this view */
    tl_book_lock_to_read(book->book);
    uint64_t position = tl_history_lower_bound(&account->history, bound);
    tl_mutex_unlock(&book->book->read_lock);
    return position;
}

uint64_t talea_history_count(talea_book_view *book, uint32_t ordinal) {
    return talea_history_lower_bound(book, ordinal, book->watermark + 1);
}

void talea_history_get(talea_book_view *book, uint32_t ordinal, uint64_t position,
                       talea_history_entry *out_entry) {
    assert(ordinal < book->accounts);
    const tl_account *account = tl_state_account(book->book->state, ordinal);
    tl_book_lock_to_read(book->book);
    tl_history_get(&account->history, position, out_entry);
    tl_mutex_unlock(&book->book->read_lock);
    assert(out_entry->seq <= book->watermark);
}

/* ---- Assets ---- */

static talea_code pin_system(talea_view *view, talea_book_view **out_book, talea_error *err) {
    return talea_view_book(view, tl_system_book, out_book, err);
}

talea_code talea_view_asset_count(talea_view *view, uint32_t *out_count, talea_error *err) {
    talea_book_view *system = NULL;
    talea_code code = pin_system(view, &system, err);
    if (code == TALEA_OK) {
        *out_count = system ? system->assets : 0;
    }
    return code;
}

/* After talea_view_asset_count: the book is pinned, this cannot fail. */
static talea_book_view *pinned_system(talea_view *view) {
    talea_book_view *system = NULL;
    talea_error err;
    talea_code code = pin_system(view, &system, &err);
    return code == TALEA_OK ? system : NULL;
}

const talea_asset_def *talea_view_asset(talea_view *view, uint32_t ordinal) {
    talea_book_view *system = pinned_system(view);
    assert(system && ordinal < system->assets);
    return tl_state_asset(system->book->state, ordinal);
}

bool talea_view_find_asset(talea_view *view, talea_text asset, uint32_t *out_ordinal) {
    talea_book_view *system = pinned_system(view);
    uint32_t ordinal = 0;
    if (!system) {
        return false;
    }
    tl_book_lock_to_read(system->book);
    bool found = tl_state_find_asset(system->book->state, asset, &ordinal);
    tl_mutex_unlock(&system->book->read_lock);
    if (!found || ordinal >= system->assets) {
        return false;
    }
    *out_ordinal = ordinal;
    return true;
}
