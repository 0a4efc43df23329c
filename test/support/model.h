/*
 * model.h: a ledger as one would explain it on paper: arrays, linear search, replay from the start.
 *
 * Purpose:    the oracle of test/model and test/crash: events in order, balances, limits, idempotency, as-of.
 * Owns:       everything reached through a model; model_free releases it.
 * Threads:    none; one model, one thread.
 * Errors:     the contract's name of the error ("unbalanced"), NULL when all is well. Memory that runs out ends the test.
 *
 * It shares no line with core/ and does not include it.
 */
#ifndef TEST_SUPPORT_MODEL_H
#define TEST_SUPPORT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 model_amount;

enum { MODEL_NAME_BYTES = 64, MODEL_TEXT_BYTES = 48, MODEL_LEGS_MAX = 8 };

typedef enum model_side { MODEL_NONE, MODEL_DEBIT, MODEL_CREDIT } model_side;

typedef struct model_account {
    char name[MODEL_NAME_BYTES];
    char asset[MODEL_NAME_BYTES];
    char kind[16];
    model_side side;
    bool has_min;
    bool has_max;
    model_amount min;
    model_amount max;
    uint64_t opened_seq;
    model_amount debits;
    model_amount credits;
    uint64_t updated_seq;
} model_account;

typedef struct model_leg {
    char account[MODEL_NAME_BYTES];
    model_side side;
    model_amount amount;
} model_leg;

typedef struct model_draft {
    char key[MODEL_NAME_BYTES];
    model_leg legs[MODEL_LEGS_MAX];
    size_t leg_count;
    char occurred_at[MODEL_TEXT_BYTES]; /* "": none; the others likewise */
    char external_refs[MODEL_TEXT_BYTES];
    char metadata[MODEL_TEXT_BYTES];
} model_draft;

typedef enum model_kind { MODEL_OPENED, MODEL_POSTED } model_kind;

typedef struct model_event {
    model_kind kind;
    model_account account; /* OPENED: as it was opened */
    model_draft draft;     /* POSTED */
    char txid[MODEL_TEXT_BYTES];
    char at[MODEL_TEXT_BYTES];
} model_event;

typedef struct model_book {
    char name[MODEL_NAME_BYTES];
    model_account *accounts;
    size_t account_count;
    model_event *events; /* events[seq - 1] */
    size_t event_count;
} model_book;

typedef struct model {
    char (*assets)[MODEL_NAME_BYTES];
    size_t asset_count;
    model_book *books;
    size_t book_count;
} model;

model *model_new(void);
void model_free(model *m); /* NULL is fine */

void model_add_asset(model *m, const char *asset);
bool model_has_asset(const model *m, const char *asset);
model_book *model_find_book(model *m, const char *name);
model_book *model_make_book(model *m, const char *name); /* finds or makes */
model_account *model_find_account(const model_book *book, const char *name);
/* The seq of the transaction with this key; 0: none. */
uint64_t model_find_key(const model_book *book, const char *key);
bool model_same_content(const model_draft *a, const model_draft *b);
model_amount model_balance(const model_account *account);

/* Appends what a log holds, whatever it is worth, and says what is wrong with it (words), NULL when
 * it is a legal next event: accounts open, same assets balance, limits kept, key new, amounts > 0.
 */
const char *model_append(model_book *book, const model_event *event);

/* The accounts as they were after event `seq`, found by replaying events 1..seq. The caller frees
 * the array (NULL when it is empty). */
model_account *model_replay(const model_book *book, uint64_t seq, size_t *out_count);

/* ---- Predicting units ------------------------------------------------------------------------- */

typedef enum model_status { MODEL_COMMITTED = 1, MODEL_DEDUPLICATED, MODEL_REJECTED } model_status;

typedef struct model_op {
    bool optional;
    bool is_account;
    const char *refused; /* refused when it was added (OR IGNORE): the error's name */
    model_account account;
    model_draft draft;
    /* after commit */
    model_status status;
    const char *error;
    uint64_t seq;
} model_op;

typedef struct model_unit {
    char book[MODEL_NAME_BYTES]; /* "": none yet */
    model_op *ops;
    size_t count;
    bool failed; /* the commit failed */
} model_unit;

void model_unit_clear(model_unit *unit);
void model_unit_truncate(model_unit *unit, size_t count);

/* The statement's result: shape, names (durable or staged in this unit), balance. On NULL the
 * operation is staged. An optional one that is refused is staged as refused, and NULL is returned.
 */
const char *model_unit_open(model *m, model_unit *unit, const char *book,
                            const model_account *account, bool optional);
const char *model_unit_post(model *m, model_unit *unit, const char *book, const model_draft *draft,
                            bool optional);
/* Judges draft by draft, applies all or nothing, fills in the outcomes. NULL: committed. */
const char *model_unit_commit(model *m, model_unit *unit);

/* ---- Text ------------------------------------------------------------------------------------- */

model_amount model_parse(const char *text);
/* NUL-terminated decimal digits; returns `out`. */
const char *model_format(model_amount value, char out[48]);

#endif
