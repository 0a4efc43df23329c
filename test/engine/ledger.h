/*
 * ledger.h: a small ledger for tests of the C API: two assets, some accounts, posting in one call.
 *
 * Purpose:    what every test of this folder needs.
 * Owns:       a `ledger` owns its engine and its io.
 * Threads:    `post` and friends may be called from any thread; they report, they do not assert.
 */
#ifndef TEST_ENGINE_LEDGER_H
#define TEST_ENGINE_LEDGER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/wrap_io.h"
#include "talea.h"

static inline talea_text text(const char *words) {
    return (talea_text){words, words ? strlen(words) : 0};
}

static inline bool text_is(talea_text got, const char *want) {
    return got.data && got.len == strlen(want) && memcmp(got.data, want, got.len) == 0;
}

/* An engine on a file system in memory, behind a wrap_io, outside the registry of the process. */
typedef struct ledger {
    wrap_io wrap;
    tl_io *memory;
    talea_options options;
    talea_ledger handle;
} ledger;

static inline void ledger_start(ledger *l) {
    talea_error err;
    tl_engine *engine = NULL;
    if (tl_engine_open(&l->wrap.io, "/ledger", &l->options, &engine, &err) != TALEA_OK) {
        (void)fprintf(stderr, "opening: %s: %s\n", talea_code_name(err.code), err.message);
        abort();
    }
    l->handle = (talea_ledger){.engine = engine};
}

static inline void ledger_init(ledger *l) {
    talea_options_default(&l->options);
    l->memory = tl_io_memory_new();
    if (!l->memory) {
        abort();
    }
    wrap_init(&l->wrap, l->memory);
    (void)l->memory->ops->mkdir(l->memory, "/ledger");
}

static inline void ledger_stop(ledger *l) {
    tl_engine_close(l->handle.engine);
    l->handle.engine = NULL;
}

static inline void ledger_free(ledger *l) {
    if (l->handle.engine) {
        ledger_stop(l);
    }
    tl_io_memory_free(l->memory);
    wrap_destroy(&l->wrap);
}

/* ---- Units ---- */

typedef struct told {
    talea_code code;
    talea_status status;
    uint64_t seq;
    int64_t at;
    uint8_t txid[16];
    talea_error err;
} told;

static inline void told_of(const talea_unit *unit, size_t index, told *out) {
    talea_outcome outcome;
    talea_unit_outcome(unit, index, &outcome);
    out->status = outcome.status;
    out->seq = outcome.seq;
    out->at = outcome.at;
    memcpy(out->txid, outcome.txid, sizeof out->txid);
}

static inline talea_code add_post(talea_unit *unit, const char *book, const char *key,
                                  const char *debit, const char *credit, int64_t amount,
                                  bool optional, talea_error *err) {
    talea_leg legs[2] = {{.account = text(debit), .side = TALEA_SIDE_DEBIT, .amount = amount},
                         {.account = text(credit), .side = TALEA_SIDE_CREDIT, .amount = amount}};
    talea_draft draft = {.key = text(key), .legs = legs, .leg_count = 2};
    return talea_unit_add_draft(unit, text(book), &draft, optional, err);
}

static inline talea_code add_account(talea_unit *unit, const char *book, const char *name,
                                     const char *asset, talea_kind kind, const int64_t *min,
                                     talea_error *err) {
    talea_account_def def = {.account = text(name),
                             .asset = text(asset),
                             .kind = kind,
                             .side = talea_kind_normal_side(kind),
                             .has_min = min != NULL,
                             .min_balance = min ? *min : 0};
    return talea_unit_add_account(unit, text(book), &def, false, err);
}

static inline talea_code add_asset(talea_unit *unit, const char *name, unsigned precision,
                                   talea_error *err) {
    talea_asset_def def = {
        .asset = text(name), .asset_class = TALEA_CLASS_FIAT, .precision = precision};
    return talea_unit_add_asset(unit, &def, false, err);
}

/* One draft, one unit. */
static inline told post(talea_ledger *handle, const char *book, const char *key, const char *debit,
                        const char *credit, int64_t amount) {
    told out = {.code = TALEA_OK};
    talea_unit *unit = NULL;
    out.code = talea_unit_new(handle, &unit, &out.err);
    if (out.code == TALEA_OK) {
        out.code = add_post(unit, book, key, debit, credit, amount, false, &out.err);
        if (out.code == TALEA_OK) {
            out.code = talea_unit_commit(unit, &out.err);
        }
        if (talea_unit_outcome_count(unit) == 1) {
            told_of(unit, 0, &out);
        }
        talea_unit_free(unit);
    }
    return out;
}

/* Assets EUR and USD; in `book`: cash, bank (assets), rev (income), dollars (asset in USD), debt
 * (liability), wallet (liability that is never overdrawn). */
static inline talea_code furnish_book(talea_ledger *handle, const char *book, talea_error *err) {
    static const int64_t zero = 0;
    talea_unit *unit = NULL;
    talea_code code = talea_unit_new(handle, &unit, err);
    code = code ? code : add_asset(unit, "EUR", 2, err);
    code = code ? code : add_asset(unit, "USD", 2, err);
    code = code ? code : add_account(unit, book, "cash", "EUR", TALEA_KIND_ASSET, NULL, err);
    code = code ? code : add_account(unit, book, "bank", "EUR", TALEA_KIND_ASSET, NULL, err);
    code = code ? code : add_account(unit, book, "rev", "EUR", TALEA_KIND_INCOME, NULL, err);
    code = code ? code : add_account(unit, book, "dollars", "USD", TALEA_KIND_ASSET, NULL, err);
    code = code ? code : add_account(unit, book, "debt", "EUR", TALEA_KIND_LIABILITY, NULL, err);
    code = code ? code : add_account(unit, book, "wallet", "EUR", TALEA_KIND_LIABILITY, &zero, err);
    code = code ? code : talea_unit_commit(unit, err);
    talea_unit_free(unit);
    return code;
}

enum { FURNITURE = 6 }; /* events that furnish_book leaves in the book */

/* ---- Reading ---- */

/* The watermark; 0 when the book is not there. */
static inline uint64_t watermark(talea_ledger *handle, const char *book) {
    talea_view *view = NULL;
    talea_book_view *pinned = NULL;
    talea_error err;
    uint64_t seq = 0;
    if (talea_view_open(handle, &view, &err) == TALEA_OK) {
        if (talea_view_book(view, text(book), &pinned, &err) == TALEA_OK && pinned) {
            seq = talea_book_last_seq(pinned);
        }
        talea_view_close(view);
    }
    return seq;
}

/* The seq of the key, 0: not there. UINT64_MAX: an error. */
static inline uint64_t seq_of_key(talea_ledger *handle, const char *book, const char *key) {
    talea_view *view = NULL;
    talea_book_view *pinned = NULL;
    talea_error err;
    uint64_t seq = UINT64_MAX;
    if (talea_view_open(handle, &view, &err) == TALEA_OK) {
        if (talea_view_book(view, text(book), &pinned, &err) == TALEA_OK && pinned) {
            (void)talea_book_find_key(pinned, text(key), &seq, &err);
        }
        talea_view_close(view);
    }
    return seq;
}

static inline bool balance_of(talea_ledger *handle, const char *book, const char *account,
                              int64_t *out) {
    talea_view *view = NULL;
    talea_book_view *pinned = NULL;
    talea_error err;
    uint32_t ordinal = 0;
    talea_account found;
    bool ok = talea_view_open(handle, &view, &err) == TALEA_OK &&
              talea_view_book(view, text(book), &pinned, &err) == TALEA_OK && pinned &&
              talea_book_find_account(pinned, text(account), &ordinal) &&
              talea_book_account(pinned, ordinal, talea_book_last_seq(pinned), &found);
    if (ok) {
        *out = (int64_t)talea_balance(found.def.side, found.debits, found.credits);
    }
    talea_view_close(view);
    return ok;
}

typedef struct findings {
    unsigned problems;
    uint64_t checked;
    char first[256];
} findings;

static inline bool note_finding(void *context, const talea_finding *finding) {
    findings *f = context;
    f->checked = finding->checked;
    if (finding->problem && f->problems++ == 0) {
        (void)snprintf(f->first, sizeof f->first, "%.60s: %.180s", finding->problem,
                       finding->detail);
    }
    return true;
}

static inline findings verify_book(talea_ledger *handle, const char *book) {
    findings f = {.problems = 0};
    talea_error err;
    talea_code code = talea_verify(handle, text(book), note_finding, NULL, &f, &err);
    if (code != TALEA_OK) {
        f.problems++;
        (void)snprintf(f.first, sizeof f.first, "verify itself: %s", talea_code_name(code));
    }
    return f;
}

#endif
