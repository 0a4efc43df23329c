/*
 * Committing a unit: fold journal lines into drafts, make assets durable, hand the rest to the book's writer, wait, read the outcomes.
 */
#include "engine/unit.h"

#include <assert.h>

/* ---- Folding ---- */

/* Makes the first line of a draft carry all its legs. A draft that cannot be (one leg, unbalanced,
 * two times) is refused. */
static talea_code fold_lines(talea_unit *unit, tl_op *head, talea_error *err) {
    talea_draft draft = {.key = head->u.draft.tx.key};
    uint32_t count = 0;
    tl_transaction *tx = &head->u.draft.tx;
    for (tl_op *line = head;; line = &unit->ops[line->u.draft.more]) {
        count++;
        if (!line->u.draft.more) {
            break;
        }
    }
    if (count > TL_LEGS_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "draft \"%.*s\" has more than %d postings",
                        (int)draft.key.len, draft.key.data, TL_LEGS_MAX);
    }
    talea_posting *legs = tl_arena_alloc(&unit->arena, count * sizeof *legs);
    if (!legs) {
        return tl_error_nomem(err);
    }
    count = 0;
    for (tl_op *line = head;; line = &unit->ops[line->u.draft.more]) {
        const tl_transaction *part = &line->u.draft.tx;
        legs[count++] = part->legs[0];
        head->optional = head->optional && line->optional;
        if (part->has_occurred_at) {
            if (tx->has_occurred_at && tx->occurred_at != part->occurred_at) {
                return tl_error(err, TALEA_INVALID_DRAFT,
                                "the lines of draft \"%.*s\" give two different occurred_at",
                                (int)draft.key.len, draft.key.data);
            }
            tx->has_occurred_at = true;
            tx->occurred_at = part->occurred_at;
        }
        if (!line->u.draft.more) {
            break;
        }
    }
    tx->legs = legs;
    tx->leg_count = count;
    if (count < 2) {
        return tl_error(err, TALEA_UNBALANCED, "draft \"%.*s\" has only one journal line",
                        (int)draft.key.len, draft.key.data);
    }
    talea_code code = tl_unit_check_balance(unit, legs, count, err);
    return code == TALEA_OK ? code : tl_name_draft(draft.key, err);
}

/* Lists the drafts in order. The lines behind a draft's first are not listed. */
static talea_code list_drafts(talea_unit *unit, talea_error *err) {
    bool *follows = unit->line_count ? calloc(unit->op_count, sizeof *follows) : NULL;
    free(unit->drafts);
    unit->draft_count = 0;
    unit->drafts = malloc(unit->op_count * sizeof *unit->drafts);
    if (!unit->drafts || (unit->line_count && !follows)) {
        free(follows);
        return tl_error_nomem(err);
    }
    for (uint32_t i = 0; i < unit->op_count; i++) {
        if (follows && follows[i]) {
            continue;
        }
        unit->drafts[unit->draft_count++] = i;
        for (uint32_t at = i;
             follows && unit->ops[at].type == TL_OP_LINE && unit->ops[at].u.draft.more;) {
            at = unit->ops[at].u.draft.more;
            follows[at] = true;
        }
    }
    free(follows);
    return TALEA_OK;
}

/* ---- Outcomes ---- */

/* The unit as a whole failed: what was not refused by itself is refused with it. */
static void refuse_rest(talea_unit *unit, const talea_error *why) {
    talea_error err;
    size_t culprit = unit->draft_count;
    for (size_t i = 0; i < unit->draft_count && culprit == unit->draft_count; i++) {
        const tl_op *op = &unit->ops[unit->drafts[i]];
        if (op->status == TALEA_STATUS_REJECTED && !op->optional) {
            culprit = i;
        }
    }
    if (culprit < unit->draft_count) {
        (void)tl_error(&err, why->code,
                       "rolled back, because draft %zu of the transaction was refused",
                       culprit + 1);
    } else {
        err = *why;
    }
    for (size_t i = 0; i < unit->draft_count; i++) {
        tl_op *op = &unit->ops[unit->drafts[i]];
        bool durable = op->type == TL_OP_ASSET && op->at != 0; /* rode ahead */
        if (op->status != TALEA_STATUS_REJECTED && !durable) {
            op->seq = 0;
            tl_op_refuse(unit, op, &err);
        }
    }
}

/* Seq and time of a definition that was there already, time of a draft whose first commit was still
 * pending. */
static talea_code complete_outcome(tl_book *book, tl_op *op, int64_t group_at, tl_block **block,
                                   talea_error *err) {
    if (op->status == TALEA_STATUS_REJECTED || op->at != 0) {
        return TALEA_OK;
    }
    if (op->status == TALEA_STATUS_COMMITTED) {
        op->at = group_at;
        return TALEA_OK;
    }
    tl_mutex_lock(&book->read_lock);
    if (op->type == TL_OP_ACCOUNT) {
        const tl_account *account = tl_state_find_account(book->state, op->u.account.def.account);
        op->seq = account ? account->opened_seq : 0;
    } else if (op->type == TL_OP_ASSET) {
        uint32_t ordinal = 0; /* _system holds registrations only: the n-th asset is event n */
        op->seq = tl_state_find_asset(book->state, op->u.asset.asset, &ordinal) ? ordinal + 1 : 0;
    }
    bool durable = op->seq != 0 && op->seq <= book->watermark;
    tl_mutex_unlock(&book->read_lock);
    if (!durable) {
        return TALEA_OK; /* the book failed in between; the caller hears of that anyway */
    }
    if (!*block) {
        *block = tl_block_new(book);
        if (!*block) {
            return tl_error_nomem(err);
        }
    }
    talea_code code = tl_block_load(book, *block, op->seq, err);
    if (code == TALEA_OK) {
        op->at = (*block)->events[op->seq - (*block)->first_seq].at;
    }
    return code;
}

static void complete_outcomes(talea_unit *unit, tl_book *book, const uint32_t *drafts, size_t count,
                              int64_t group_at) {
    tl_block *block = NULL;
    talea_error ignored; /* the drafts are durable; only a time of an outcome would be missing */
    for (size_t i = 0; i < count; i++) {
        if (complete_outcome(book, &unit->ops[drafts[i]], group_at, &block, &ignored) != TALEA_OK) {
            break;
        }
    }
    tl_block_free(block);
}

/* ---- Handing over ---- */

static void wait_for_group(tl_group *group) {
    while (tl_gate_load(&group->gate) == 0) {
        (void)tl_gate_wait(&group->gate, 0, -1);
    }
}

static talea_code commit_to(talea_unit *unit, tl_book *book, const uint32_t *drafts, size_t count,
                            talea_error *err) {
    tl_group *group = NULL;
    talea_code code = tl_stage_unit(book, unit, drafts, count, false, &group, err);
    if (code != TALEA_OK) {
        return code;
    }
    int64_t at = 0;
    if (group) {
        wait_for_group(group);
        at = group->at;
        code = group->error.code;
        if (code != TALEA_OK) {
            *err = group->error;
        }
        tl_group_unref(book, group);
    }
    if (code == TALEA_OK) {
        complete_outcomes(unit, book, drafts, count, at);
    }
    return code;
}

/* The asset registrations first, durable before anything names them. */
static talea_code commit_assets(talea_unit *unit, const uint32_t *drafts, size_t count,
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

static talea_code commit_user(talea_unit *unit, const uint32_t *drafts, size_t count,
                              talea_error *err) {
    if (!unit->book) {
        talea_code code = tl_slot_book(unit->slot, true, &unit->book, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    return commit_to(unit, unit->book, drafts, count, err);
}

static talea_code commit_parts(talea_unit *unit, uint32_t *assets, uint32_t *others,
                               talea_error *err) {
    size_t asset_count = 0;
    size_t other_count = 0;
    for (size_t i = 0; i < unit->draft_count; i++) {
        tl_op *op = &unit->ops[unit->drafts[i]];
        if (op->type == TL_OP_ASSET) {
            assets[asset_count++] = unit->drafts[i];
        } else if (op->type != TL_OP_REFUSED) {
            others[other_count++] = unit->drafts[i];
        }
    }
    for (size_t i = 0; i < other_count && unit->line_count; i++) {
        tl_op *op = &unit->ops[others[i]];
        talea_code code = op->type == TL_OP_LINE ? fold_lines(unit, op, err) : TALEA_OK;
        if (code != TALEA_OK) {
            tl_op_refuse(unit, op, err);
            if (!op->optional || code >= TALEA_OVERLOADED) {
                return code;
            }
        }
    }
    if (asset_count > 0) {
        tl_group *none = NULL;
        talea_code code = TALEA_OK;
        if (other_count > 0 && unit->book) { /* so that a refusal, as a rule, comes before the
                                                registrations are durable */
            code = tl_stage_unit(unit->book, unit, others, other_count, true, &none, err);
        }
        if (code == TALEA_OK) {
            code = commit_assets(unit, assets, asset_count, err);
        }
        if (code != TALEA_OK) {
            return code;
        }
    }
    return other_count > 0 ? commit_user(unit, others, other_count, err) : TALEA_OK;
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
    uint32_t *split = malloc(2 * unit->draft_count * sizeof *split);
    if (!split) {
        return tl_error_nomem(err);
    }
    code = commit_parts(unit, split, split + unit->draft_count, err);
    free(split);
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
    const tl_op *op = &unit->ops[unit->drafts[index]];
    talea_outcome out = {.status = op->status,
                         .seq = op->seq,
                         .at = op->at,
                         .error = op->error,
                         .message = op->message};
    out.book = op->type == TL_OP_ASSET     ? tl_system_book
               : op->type == TL_OP_REFUSED ? op->u.refused.book
                                           : unit->slot->name;
    if (op->type == TL_OP_REFUSED) {
        out.key = op->u.refused.key;
    } else if (op->type == TL_OP_DRAFT || op->type == TL_OP_LINE) {
        out.key = op->u.draft.tx.key;
        out.has_txid = op->status != TALEA_STATUS_REJECTED && op->at != 0;
        if (out.has_txid) {
            tl_txid_make(unit->book->uid, op->at, op->seq, out.txid);
        }
    }
    *out_outcome = out;
}
