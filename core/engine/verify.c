/*
 * verify: the log read again byte by byte, every projection recomputed from its first event, and
 * compared with what readers are shown.
 */
#include "engine/view.h"

#include <assert.h>
#include <stdio.h>

typedef struct verifier {
    talea_text name;
    talea_finding_fn *on_finding;
    talea_progress_fn *on_progress;
    void *context;
    talea_view *view;        /* what readers are shown */
    talea_book_view *pinned; /* of this book */
    tl_state *state;         /* what the log says */
    tl_legs legs;
    uint64_t checked;
    uint64_t problems;
    bool stopped;
} verifier;

static void report(verifier *v, const char *problem, const char *detail) {
    talea_finding finding = {
        .book = v->name, .checked = v->checked, .problem = problem, .detail = detail};
    v->problems += problem != NULL;
    if (!v->stopped && !v->on_finding(v->context, &finding)) {
        v->stopped = true;
    }
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, const char *words) {
    char detail[TALEA_MESSAGE_BYTES];
    (void)snprintf(detail, sizeof detail, "segment %u, offset %llu: %.300s", segment,
                   (unsigned long long)offset, words);
    report(context, "corrupt", detail);
}

static bool on_log_progress(void *context) {
    verifier *v = context;
    if (!v->stopped && v->on_progress && !v->on_progress(v->context)) {
        v->stopped = true;
    }
    return !v->stopped;
}

static void event_problem(verifier *v, const tl_log_event *event, const char *problem,
                          const char *words) {
    char detail[TALEA_MESSAGE_BYTES];
    (void)snprintf(detail, sizeof detail, "segment %u, offset %u: event %llu: %.300s",
                   event->segment, event->offset, (unsigned long long)event->seq, words);
    report(v, problem, detail);
}

/* The key must lead to this event and to no other. */
static void check_key(verifier *v, const tl_log_event *event, talea_text key) {
    uint64_t seq = event->seq;
    talea_error ignored; /* what cannot be read back was reported where it stands */
    if (talea_book_find_key(v->pinned, key, &seq, &ignored) == TALEA_OK && seq != event->seq) {
        event_problem(v, event, "projection",
                      seq == 0 ? "its key is not found" : "its key leads to another event");
    }
}

static talea_code on_event(void *context, const tl_log_event *event, talea_error *err) {
    verifier *v = context;
    const tl_frame *frame = &event->frame;
    tl_event said;
    bool nomem = false;
    talea_code code = TALEA_OK;
    bool valid =
        tl_event_decode(frame->kind, frame->body, frame->body_bytes, &v->legs, &said, &nomem);
    if (valid) {
        code = tl_state_apply_event(v->state, &said, event->seq, event->at, true, err);
    }
    if (nomem || code == TALEA_NOMEM) {
        return tl_error_nomem(err);
    }
    if (!valid) {
        event_problem(v, event, "corrupt", "not a valid event");
    } else if (code != TALEA_OK) {
        event_problem(v, event, "invalid", err->message);
    } else if (said.kind == TALEA_EVENT_TRANSACTION_POSTED) {
        check_key(v, event, said.u.transaction.key);
    }
    v->checked++;
    return TALEA_OK;
}

static void compare_account(verifier *v, talea_book_view *view, uint32_t ordinal) {
    talea_account live;
    char detail[TALEA_MESSAGE_BYTES];
    const tl_account *recomputed = tl_state_account(v->state, ordinal);
    if (!talea_book_account(view, ordinal, view->watermark, &live) ||
        !tl_account_same(&live.def, &recomputed->def) ||
        live.opened_seq != recomputed->opened_seq) {
        (void)snprintf(detail, sizeof detail,
                       "account \"%.*s\" differs from its opening in the log",
                       (int)recomputed->def.account.len, recomputed->def.account.data);
        report(v, "projection", detail);
    } else if (live.debits != recomputed->debits || live.credits != recomputed->credits ||
               live.updated_seq != recomputed->updated_seq ||
               talea_history_count(view, ordinal) != recomputed->history.count) {
        (void)snprintf(detail, sizeof detail,
                       "the totals of account \"%.*s\" differ from those of the log",
                       (int)recomputed->def.account.len, recomputed->def.account.data);
        report(v, "projection", detail);
    }
}

/* An account repeats its asset's precision, so that a book can be read by itself. */
static void check_asset(verifier *v, uint32_t ordinal) {
    const talea_account_def *def = &tl_state_account(v->state, ordinal)->def;
    uint32_t asset = 0;
    char detail[TALEA_MESSAGE_BYTES];
    if (!talea_view_find_asset(v->view, def->asset, &asset) ||
        talea_view_asset(v->view, asset)->precision != def->precision) {
        (void)snprintf(detail, sizeof detail,
                       "the asset \"%.*s\" of account \"%.*s\" is not registered, or with another "
                       "precision",
                       (int)def->asset.len, def->asset.data, (int)def->account.len,
                       def->account.data);
        report(v, "projection", detail);
    }
}

static void compare_with_live(verifier *v, talea_book_view *view) {
    char detail[TALEA_MESSAGE_BYTES];
    uint32_t count = tl_state_account_count(v->state);
    if (v->checked != view->watermark || count != view->accounts ||
        tl_state_asset_count(v->state) != view->assets) {
        (void)snprintf(detail, sizeof detail, "the log holds %llu events, readers are shown %llu",
                       (unsigned long long)v->checked, (unsigned long long)view->watermark);
        report(v, "projection", detail);
        return;
    }
    for (uint32_t i = 0; i < count && on_log_progress(v); i++) {
        compare_account(v, view, i);
        check_asset(v, i);
    }
}

static talea_code verify_pinned(verifier *v, talea_book_view *view, talea_error *err) {
    v->state = tl_state_new();
    if (!v->state) {
        return tl_error_nomem(err);
    }
    talea_code code = tl_log_verify(view->book->log, view->watermark, on_event, on_problem,
                                    on_log_progress, v, err);
    if (code == TALEA_OK && v->problems == 0 && !v->stopped) {
        compare_with_live(v, view);
    }
    return code;
}

talea_code talea_verify(talea_ledger *ledger, talea_text book, talea_finding_fn *on_finding,
                        talea_progress_fn *on_progress, void *context, talea_error *err) {
    verifier v = {
        .name = book, .on_finding = on_finding, .on_progress = on_progress, .context = context};
    talea_code code = talea_view_open(ledger, &v.view, err);
    if (code != TALEA_OK) {
        return code;
    }
    code = talea_view_book(v.view, book, &v.pinned, err);
    if (code == TALEA_OK && v.pinned) {
        code = verify_pinned(&v, v.pinned, err);
    }
    if (code == TALEA_CORRUPT || code == TALEA_IO) { /* it would not even open, or be read: that is
                                                        a finding */
        report(&v, talea_code_name(code), err->message);
        code = TALEA_OK;
    }
    if (code == TALEA_OK && v.pinned && v.problems == 0) {
        report(&v, NULL,
               v.stopped ? "interrupted" : "every byte read, every projection recomputed");
    }
    tl_legs_free(&v.legs);
    tl_state_free(v.state);
    talea_view_close(v.view);
    return code;
}
