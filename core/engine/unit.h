/*
 * unit.h: the inside of a talea_unit: staged operations, and the drafts that they fold into at
 * commit.
 *
 * Purpose:    shared by unit.c (adding, committing) and stage.c (judging and encoding).
 * Owns:       operations, their texts, a reference to the book.
 * Threads:    a unit belongs to one thread at a time.
 */
#ifndef TL_ENGINE_UNIT_H
#define TL_ENGINE_UNIT_H

#include "base/arena.h"
#include "engine/engine.h"

typedef enum tl_op_type {
    TL_OP_ASSET,
    TL_OP_ACCOUNT,
    TL_OP_DRAFT,
    TL_OP_LINE,
    TL_OP_REFUSED
} tl_op_type;

/* A leg that names an account staged in this same unit carries this bit and the account's number
 * among the unit's own. */
#define TL_LOCAL_ACCOUNT 0x80000000U

/* One thing that the caller asked for. It does not change when the unit is judged, so that a commit
 * can be tried again. */
typedef struct tl_op {
    tl_op_type type;
    bool optional;
    tl_arena_mark mark; /* of the arena before this operation */
    union {
        talea_asset_def asset;
        struct {
            talea_account_def def;
            uint32_t local; /* among the unit's own accounts */
        } account;
        struct {
            tl_transaction tx; /* legs belong to the arena; of a line: one leg */
            uint32_t before;   /* a line: the operation of the draft's line before it; of the first:
                                  its last */
            uint32_t after;    /* a line: the operation of the draft's next line, 0: none */
            talea_code refused; /* a line that stands for one that was refused, and takes its draft
                                   with it */
            const char *refusal;
        } draft;
        struct {
            talea_text book;
            talea_text key;
            talea_code code;
            const char *message;
        } refused;
    } u;
} tl_op;

/* One thing that is judged: an operation, or the lines of a key together. Made anew by each attempt to commit. */
typedef struct tl_draft {
    const tl_op *op; /* a line: the draft's first */
    tl_transaction tx;
    tl_hash128 key_hash;
    bool optional;
    bool staged; /* took effect in the staged state (undo) */
    /* The outcome. */
    talea_status status;
    talea_code error;
    const char *message;
    uint64_t seq;
    int64_t at; /* 0: not known yet */
} tl_draft;

enum { TL_NAME_CACHE = 256 };

typedef struct tl_name_cached {
    const talea_account_def *def; /* of the book; NULL: empty */
    uint32_t ordinal;
} tl_name_cached;

struct talea_unit {
    tl_engine *engine;
    bool read_only;
    char book_name[TL_NAME_BYTES_MAX]; /* the user book */
    size_t book_name_len;              /* 0: none yet */
    tl_book *book;                     /* referenced; NULL: there is no such book yet */
    tl_book *system_book;              /* referenced; NULL: not looked up, or none yet */
    tl_arena arena;
    tl_op *ops;
    size_t op_count;
    size_t op_cap;
    size_t book_op_count; /* how many operations concern the user book */
    size_t line_count;
    uint32_t *locals; /* operation index of each account staged in this unit */
    uint32_t local_count;
    uint32_t local_cap;
    uint32_t *local_ordinals; /* while staging: their numbers in the book */
    tl_keymap *names;      /* hash of a name staged here -> operation index + 1; made when needed */
    tl_name_cached *cache; /* TL_NAME_CACHE of them, made at the second look-up; NULL: none */
    size_t lookups;
    /* Of the last attempt to commit. */
    bool committed;    /* it was the last one */
    tl_arena verdicts; /* folded legs, messages */
    tl_draft *drafts;
    size_t draft_count;
};

/* Judges drafts of one book one by one, in order, and encodes them into the book's open group. On
 * success *out_group, referenced, is what the unit has to wait for; NULL: nothing. On failure
 * nothing is staged, and the draft at fault has its outcome; *out_group may then be what the
 * refusal rests on, to be waited for before it is told (INV-C3). `dry_run`: judge only, leave
 * nothing behind. */
talea_code tl_stage_unit(tl_book *book, talea_unit *unit, tl_draft *const *drafts,
                         size_t draft_count, bool dry_run, tl_group **out_group, talea_error *err);

/* Do the legs (numbers or local ones; at least two) balance per asset? Errors as tl_postings_judge,
 * NOMEM. unit.c */
talea_code tl_unit_check_balance(talea_unit *unit, const talea_posting *legs, uint32_t count,
                                 talea_error *err);

/* Puts the draft's key before the words of `err`; returns its code. stage.c */
talea_code tl_name_draft(talea_text key, talea_error *err);

/* Refuses a draft with the words in `err`. stage.c */
void tl_draft_refuse(talea_unit *unit, tl_draft *draft, const talea_error *err);

static inline talea_text tl_unit_book_name(const talea_unit *unit) {
    return (talea_text){unit->book_name_len ? unit->book_name : NULL, unit->book_name_len};
}

#endif
