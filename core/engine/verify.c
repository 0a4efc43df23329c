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
    tl_state *state;
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
    talea_view *view = NULL;
    talea_book_view *pinned = NULL;
    talea_code code = talea_view_open(ledger, &view, err);
    if (code != TALEA_OK) {
        return code;
    }
    code = talea_view_book(view, book, &pinned, err);
    if (code == TALEA_OK && pinned) {
        code = verify_pinned(&v, pinned, err);
    }
    if (code == TALEA_CORRUPT || code == TALEA_IO) { /* it would not even open, or be read: that is
                                                        a finding */
        report(&v, talea_code_name(code), err->message);
        code = TALEA_OK;
    }
    if (code == TALEA_OK && pinned && v.problems == 0) {
        report(&v, NULL,
               v.stopped ? "interrupted" : "every byte read, every projection recomputed");
    }
    tl_legs_free(&v.legs);
    tl_state_free(v.state);
    talea_view_close(view);
    return code;
}
