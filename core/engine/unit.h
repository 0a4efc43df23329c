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
            tl_transaction tx; /* legs belong to the arena */
            tl_hash128 key_hash;
            uint32_t more; /* a line: the operation of the draft's next line, 0: none */
            uint32_t last; /* a draft's first line: its last one so far */
        } draft;
        struct {
            talea_text book;
            talea_text key;
        } refused;
    } u;
    /* The outcome, set at commit. */
    talea_status status;
    talea_code error;
    const char *message;
    uint64_t seq;
    int64_t at;  /* 0: that of the group */
    bool staged; /* took effect in the staged state (undo) */
} tl_op;

enum { TL_NAME_CACHE = 256 };

struct talea_unit {
    tl_engine *engine;
    bool read_only;
    tl_slot *slot;        /* the user book; NULL: none yet */
    tl_book *book;        /* referenced; NULL: not made yet */
    tl_book *system_book; /* referenced; NULL: not looked up, or none yet */
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
    tl_keymap *names; /* hash of a name staged here -> operation index + 1; made when needed */
    struct {
        const talea_account_def *def; /* of the book; NULL: empty */
        uint32_t ordinal;
    } cache[TL_NAME_CACHE];
    /* After commit. */
    bool committed;
    uint32_t *drafts; /* operation index of each outcome */
    size_t draft_count;
};

/* Judges the unit's operations of one book draft by draft and encodes them into the book's open
 * group. On success *out_group, referenced, is what the unit has to wait for; NULL: nothing.
 * `drafts` are the operations concerned. On failure nothing is staged; the draft at fault has its
 * outcome. `dry_run`: judge only, leave nothing behind. */
talea_code tl_stage_unit(tl_book *book, talea_unit *unit, const uint32_t *drafts,
                         size_t draft_count, bool dry_run, tl_group **out_group, talea_error *err);

/* Do the legs (numbers or local ones) balance per asset? UNBALANCED names asset and totals. unit.c
 */
talea_code tl_unit_check_balance(const talea_unit *unit, const talea_posting *legs, uint32_t count,
                                 talea_error *err);

/* Puts the draft's key before the words of `err`; returns its code. stage.c */
talea_code tl_name_draft(talea_text key, talea_error *err);

/* Refuses an operation with the words in `err`. */
void tl_op_refuse(talea_unit *unit, tl_op *op, const talea_error *err);

#endif
