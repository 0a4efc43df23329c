/*
 * Committing a unit: fold journal lines into drafts, make assets durable, hand the rest to the book's writer, wait, read
 * the outcomes.
 *
 * An attempt that ends with OVERLOADED can be repeated, also after savepoints have taken operations
 * back. So what an attempt makes (the drafts, their legs, their verdicts) lives in unit->drafts and
 * unit->verdicts, which the next attempt throws away; the operations are only read.
 */
#include "engine/unit.h"

#include <assert.h>

/* ---- From operations to drafts ---- */

static const tl_op *next_line(const talea_unit *unit, const tl_op *line) {
    return line->u.draft.after ? &unit->ops[line->u.draft.after] : NULL;
}

/* occurred_at may come on any line; where it comes twice it must agree. */
static talea_code fold_time(const tl_op *line, tl_draft *draft, talea_error *err) {
    const tl_transaction *part = &line->u.draft.tx;
    if (!part->has_occurred_at) {
        return TALEA_OK;
    }
    if (draft->tx.has_occurred_at && draft->tx.occurred_at != part->occurred_at) {
        return tl_error(err, TALEA_INVALID_DRAFT,
                        "the lines of draft \"%.*s\" give two different occurred_at",
                        (int)part->key.len, part->key.data);
    }
    draft->tx.has_occurred_at = true;
    draft->tx.occurred_at = part->occurred_at;
    return TALEA_OK;
}

static talea_code fold_legs(talea_unit *unit, tl_draft *draft, talea_error *err) {
    size_t count = 0;
    const tl_op *refused = NULL;
    for (const tl_op *line = draft->op; line; line = next_line(unit, line)) {
        count++;
        draft->optional = draft->optional && line->optional;
        refused = refused == NULL && line->u.draft.refusal ? line : refused;
    }
    if (refused) {
        return tl_error(err, refused->u.draft.refused, "%s", refused->u.draft.refusal);
    }
    if (count > TL_LEGS_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "draft \"%.*s\" has more than %d postings",
                        (int)draft->tx.key.len, draft->tx.key.data, TL_LEGS_MAX);
    }
    talea_posting *legs = tl_arena_alloc(&unit->verdicts, count * sizeof *legs);
    if (!legs) {
        return tl_error_nomem(err);
    }
    count = 0;
    for (const tl_op *line = draft->op; line; line = next_line(unit, line)) {
        legs[count++] = line->u.draft.tx.legs[0];
        talea_code code = fold_time(line, draft, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    draft->tx.legs = legs;
    draft->tx.leg_count = (uint32_t)count;
    return TALEA_OK;
}

/* Makes the draft of a first line carry all its legs, and judges what can be judged only now. */
static talea_code fold_lines(talea_unit *unit, tl_draft *draft, talea_error *err) {
    talea_code code = fold_legs(unit, draft, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (draft->tx.leg_count < 2) {
        return tl_error(err, TALEA_UNBALANCED, "draft \"%.*s\" has only one journal line",
                        (int)draft->tx.key.len, draft->tx.key.data);
    }
    code = tl_unit_check_balance(unit, draft->tx.legs, draft->tx.leg_count, err);
    return code == TALEA_OK ? code : tl_name_draft(draft->tx.key, err);
}

static tl_draft draft_of(const tl_op *op) {
    tl_draft draft = {.op = op, .optional = op->optional};
    if (op->type == TL_OP_DRAFT || op->type == TL_OP_LINE) {
        draft.tx = op->u.draft.tx;
    } else if (op->type == TL_OP_REFUSED) {
        draft.status = TALEA_STATUS_REJECTED;
        draft.error = op->u.refused.code;
        draft.message = op->u.refused.message;
    }
    return draft;
}

/* Is this line one behind its draft's first? A first line's `before` is the draft's last line, at
 * or behind it. */
static bool follows(const talea_unit *unit, const tl_op *op) {
    return op->type == TL_OP_LINE && &unit->ops[op->u.draft.before] < op;
}

/* Lists the drafts in order; the lines of a key stand where the first one does. */
static talea_code list_drafts(talea_unit *unit, talea_error *err) {
    tl_arena_free(&unit->verdicts);
    free(unit->drafts);
    unit->draft_count = 0;
    unit->drafts = malloc(unit->op_count * sizeof *unit->drafts);
    if (!unit->drafts) {
        return tl_error_nomem(err);
    }
    for (size_t i = 0; i < unit->op_count; i++) {
        if (!follows(unit, &unit->ops[i])) {
            unit->drafts[unit->draft_count++] = draft_of(&unit->ops[i]);
        }
    }
    return TALEA_OK;
}

static talea_code fold_all(talea_unit *unit, talea_error *err) {
    for (size_t i = 0; i < unit->draft_count && unit->line_count > 0; i++) {
        tl_draft *draft = &unit->drafts[i];
        talea_code code = draft->op->type == TL_OP_LINE ? fold_lines(unit, draft, err) : TALEA_OK;
        if (code != TALEA_OK) {
            tl_draft_refuse(unit, draft, err);
            if (!draft->optional || !tl_is_refusal(code)) {
                return code;
            }
        }
    }
    return TALEA_OK;
}

/* ---- Outcomes ---- */

/* The unit as a whole failed: what was not refused by itself is refused with it. */
static void refuse_rest(talea_unit *unit, const talea_error *why) {
    talea_error err = *why;
    for (size_t i = 0; i < unit->draft_count; i++) {
        if (unit->drafts[i].status == TALEA_STATUS_REJECTED && !unit->drafts[i].optional) {
            (void)tl_error(&err, why->code,
                           "rolled back, because draft %zu of the transaction was refused", i + 1);
            break;
        }
    }
    for (size_t i = 0; i < unit->draft_count; i++) {
        tl_draft *draft = &unit->drafts[i];
        bool durable = draft->op->type == TL_OP_ASSET && draft->at != 0; /* rode ahead */
        if (draft->status != TALEA_STATUS_REJECTED && !durable) {
            tl_draft_refuse(unit, draft, &err);
            if (why->code == TALEA_IO) {
                draft->status = TALEA_STATUS_UNKNOWN; /* "rejected" would invite a second payment */
            }
        }
    }
}

/* The seq of a definition that was there already. */
static uint64_t definition_seq(tl_book *book, const tl_op *op) {
    uint64_t seq = 0;
    uint32_t ordinal = 0;
    tl_book_lock_to_read(book);
    if (op->type == TL_OP_ACCOUNT) {
        const tl_account *account = tl_state_find_account(book->state, op->u.account.def.account);
        seq = account ? account->opened_seq : 0;
    } else if (tl_state_find_asset(book->state, op->u.asset.asset, &ordinal)) {
        seq = ordinal + 1; /* _system holds registrations only: the n-th asset is event n */
    }
    tl_mutex_unlock(&book->read_lock);
    return seq;
}

/* The time of a draft whose first commit was still pending when it was judged. */
static talea_code complete_outcome(tl_book *book, tl_draft *draft, int64_t group_at,
                                   tl_block **block, talea_error *err) {
    if (draft->status == TALEA_STATUS_REJECTED || draft->at != 0) {
        return TALEA_OK;
    }
    if (draft->status == TALEA_STATUS_COMMITTED) {
        draft->at = group_at;
        return TALEA_OK;
    }
    if (draft->op->type == TL_OP_ACCOUNT || draft->op->type == TL_OP_ASSET) {
        draft->seq = definition_seq(book, draft->op);
    }
    if (draft->seq == 0) {
        return TALEA_OK;
    }
    if (!*block) {
        *block = tl_block_new(book);
        if (!*block) {
            return tl_error_nomem(err);
        }
    }
    talea_code code = tl_block_load(book, *block, draft->seq, err);
    if (code == TALEA_OK) {
        draft->at = (*block)->events[draft->seq - (*block)->first_seq].at;
    }
    return code;
}

static void complete_outcomes(tl_book *book, tl_draft *const *drafts, size_t count,
                              int64_t group_at) {
    tl_block *block = NULL;
    talea_error ignored; /* the drafts are durable; only a time of an outcome would be missing */
    for (size_t i = 0; i < count; i++) {
        if (complete_outcome(book, drafts[i], group_at, &block, &ignored) != TALEA_OK) {
            break;
        }
    }
    tl_block_free(block);
}

/* ---- Handing over ---- */

/* Returns the group's verdict, and lets go of it. */
static talea_code wait_for_group(tl_book *book, tl_group *group, int64_t *out_at,
                                 talea_error *err) {
    while (tl_gate_load(&group->gate) == 0) {
        (void)tl_gate_wait(&group->gate, 0, -1);
    }
    talea_code code = group->error.code;
    if (code != TALEA_OK) {
        *err = group->error;
    }
    *out_at = group->at;
    tl_group_unref(book, group);
    return code;
}

static talea_code commit_to(talea_unit *unit, tl_book *book, tl_draft *const *drafts, size_t count,
                            talea_error *err) {
    tl_group *group = NULL;
    talea_error refusal;
    int64_t at = 0;
    talea_code code = tl_stage_unit(book, unit, drafts, count, false, &group, &refusal);
    if (code != TALEA_OK) {
        *err = refusal;
    }
    if (group) { /* also for a refusal: what it rests on may yet fail, and is then the answer */
        talea_code verdict = wait_for_group(book, group, &at, err);
        code = verdict != TALEA_OK ? verdict : code;
    }
    if (code == TALEA_OK) {
        complete_outcomes(book, drafts, count, at);
    }
    return code;
}

/* The asset registrations first, durable before anything names them. */
static talea_code commit_assets(talea_unit *unit, tl_draft *const *drafts, size_t count,
                                talea_error *err) {
    if (!unit->system_book) {
        tl_slot *slot = NULL;
        talea_code code = tl_engine_slot(unit->engine, tl_system_book, &slot, err);
        if (code == TALEA_OK) {
            code = tl_slot_book(slot, true, &unit->system_book, err);
        }
        if (code != TALEA_OK) {
            return code;
        }
    }
    return commit_to(unit, unit->system_book, drafts, count, err);
}

/* An account takes the precision of the asset that became durable, which need not be the one that
 * this unit would have registered: another connection may have been first. */
static talea_code settle_precision(talea_unit *unit, const tl_draft *draft, talea_error *err) {
    talea_account_def *def = &unit->ops[draft->op - unit->ops].u.account.def;
    uint32_t ordinal = 0;
    tl_book *system = unit->system_book;
    tl_book_lock_to_read(system);
    const talea_asset_def *asset = tl_state_find_asset(system->state, def->asset, &ordinal)
                                       ? tl_state_asset(system->state, ordinal)
                                       : NULL;
    tl_mutex_unlock(&system->read_lock);
    if (!asset) {
        return tl_error(err, TALEA_UNKNOWN_ASSET, "asset \"%.*s\" is not registered",
                        (int)def->asset.len, def->asset.data);
    }
    def->precision = asset->precision;
    return TALEA_OK;
}

static talea_code settle_accounts(talea_unit *unit, talea_error *err) {
    for (size_t i = 0; i < unit->draft_count; i++) {
        tl_draft *draft = &unit->drafts[i];
        talea_code code =
            draft->op->type == TL_OP_ACCOUNT ? settle_precision(unit, draft, err) : TALEA_OK;
        if (code != TALEA_OK) {
            tl_draft_refuse(unit, draft, err);
            if (!draft->optional) {
                return code;
            }
        }
    }
    return TALEA_OK;
}

static talea_code commit_user(talea_unit *unit, tl_draft *const *drafts, size_t count,
                              talea_error *err) {
    if (!unit->book) {
        tl_slot *slot = NULL;
        talea_code code = tl_engine_slot(unit->engine, tl_unit_book_name(unit), &slot, err);
        if (code == TALEA_OK) {
            code = tl_slot_book(slot, true, &unit->book, err);
        }
        if (code != TALEA_OK) {
            return code;
        }
    }
    return commit_to(unit, unit->book, drafts, count, err);
}

/* The drafts that are still to be judged: the asset registrations, or the others. */
static size_t select_drafts(talea_unit *unit, bool assets, tl_draft **out) {
    size_t count = 0;
    for (size_t i = 0; i < unit->draft_count; i++) {
        tl_draft *draft = &unit->drafts[i];
        if ((draft->op->type == TL_OP_ASSET) == assets && draft->status != TALEA_STATUS_REJECTED) {
            out[count++] = draft;
        }
    }
    return count;
}

/* So that a refusal, as a rule, comes before the registrations are durable. */
static talea_code judge_first(talea_unit *unit, tl_draft **selected, talea_error *err) {
    size_t count = select_drafts(unit, false, selected);
    tl_group *group = NULL;
    talea_error refusal;
    int64_t at = 0;
    if (count == 0 || !unit->book) {
        return TALEA_OK;
    }
    talea_code code = tl_stage_unit(unit->book, unit, selected, count, true, &group, &refusal);
    if (code != TALEA_OK) {
        *err = refusal;
    }
    talea_code verdict = group ? wait_for_group(unit->book, group, &at, err) : TALEA_OK;
    return verdict != TALEA_OK ? verdict : code;
}

static talea_code commit_parts(talea_unit *unit, tl_draft **selected, talea_error *err) {
    talea_code code = fold_all(unit, err);
    if (code == TALEA_OK && select_drafts(unit, true, selected) > 0) {
        code = judge_first(unit, selected, err);
        if (code == TALEA_OK) {
            code = commit_assets(unit, selected, select_drafts(unit, true, selected), err);
        }
        if (code == TALEA_OK) {
            code = settle_accounts(unit, err);
        }
    }
    size_t count = select_drafts(unit, false, selected);
    return code == TALEA_OK && count > 0 ? commit_user(unit, selected, count, err) : code;
}

talea_code talea_unit_commit(talea_unit *unit, talea_error *err) {
    assert(!unit->committed);
    talea_code code = tl_engine_check(unit->engine, err);
    if (code == TALEA_OK && unit->op_count > 0) {
        code = list_drafts(unit, err);
    }
    if (code != TALEA_OK || unit->op_count == 0) {
        return code;
    }
    assert(unit->draft_count > 0);
    tl_draft **selected = malloc(unit->draft_count * sizeof *selected);
    if (!selected) {
        return tl_error_nomem(err);
    }
    code = commit_parts(unit, selected, err);
    free(selected);
    if (code == TALEA_OVERLOADED) {
        return code; /* intact: may be committed again */
    }
    unit->committed = true;
    if (code != TALEA_OK) {
        refuse_rest(unit, err);
    }
    return code;
}

size_t talea_unit_outcome_count(const talea_unit *unit) {
    return unit->committed ? unit->draft_count : 0;
}

void talea_unit_outcome(const talea_unit *unit, size_t index, talea_outcome *out_outcome) {
    assert(index < unit->draft_count);
    const tl_draft *draft = &unit->drafts[index];
    const tl_op *op = draft->op;
    talea_outcome out = {.status = draft->status,
                         .seq = draft->seq,
                         .at = draft->at,
                         .error = draft->error,
                         .message = draft->message};
    out.book = op->type == TL_OP_ASSET     ? tl_system_book
               : op->type == TL_OP_REFUSED ? op->u.refused.book
                                           : tl_unit_book_name(unit);
    out.key = op->type == TL_OP_REFUSED ? op->u.refused.key : draft->tx.key;
    out.has_txid = draft->tx.key.data && draft->seq != 0 && draft->at != 0;
    if (out.has_txid) {
        tl_txid_make(unit->book->uid, draft->at, draft->seq, out.txid);
    }
    *out_outcome = out;
}
