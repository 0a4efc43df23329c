/*
 * What `books` shows, and waiting for the watermark.
 */
#include "engine/view.h"

#include <assert.h>

static void fill_stats(const talea_book_view *view, talea_book_stats *out) {
    tl_book *book = view->book;
    tl_mutex_lock(&book->stage_lock);
    out->state = book->failed           ? TALEA_BOOK_FAILED
                 : book->writer_running ? TALEA_BOOK_OPEN
                                        : TALEA_BOOK_IDLE;
    if (book->failed) {
        out->error = book->failure;
    }
    tl_mutex_unlock(&book->stage_lock);
    tl_book_lock_to_read(book);
    out->groups = book->groups;
    out->units = book->units;
    out->sync_p50_us = tl_histogram_percentile(&book->sync_us, 50);
    out->sync_p99_us = tl_histogram_percentile(&book->sync_us, 99);
    tl_mutex_unlock(&book->read_lock);
    out->last_seq = view->watermark;
    out->last_at = view->last_at;
    out->accounts = view->accounts;
    out->transactions = view->watermark - view->accounts - view->assets; /* there are no other
                                                                            events */
    out->segments = tl_log_segments(book->log);
    out->log_bytes = tl_log_bytes(book->log);
}

talea_code talea_view_stats(talea_view *view, talea_text book, talea_book_stats *out_stats,
                            talea_error *err) {
    talea_book_view *pinned = NULL;
    memset(out_stats, 0, sizeof *out_stats);
    talea_code code = talea_view_book(view, book, &pinned, err);
    if (code == TALEA_CORRUPT || code == TALEA_IO) {
        out_stats->state = TALEA_BOOK_FAILED;
        out_stats->error = *err;
        return TALEA_OK;
    }
    if (code == TALEA_OK && pinned) {
        fill_stats(pinned, out_stats);
    }
    return code;
}

talea_code talea_stats(talea_ledger *ledger, talea_text book, talea_book_stats *out_stats,
                       talea_error *err) {
    talea_view *view = NULL;
    talea_code code = talea_view_open(ledger, &view, err);
    if (code == TALEA_OK) {
        code = talea_view_stats(view, book, out_stats, err);
        talea_view_close(view);
    }
    return code;
}

/* How often a waiter looks whether the book has appeared, failed, or been recovered under it; and
 * whether a writer in another process, which cannot wake it, has gone on. */
enum { WAIT_STEP_MS = 100, WAIT_STEP_ABROAD_MS = 10 };
/* A thousand years: what is longer overflows as microseconds. */
#define WAIT_MS_MAX (INT64_C(1000) * 366 * 86400 * 1000)

talea_code talea_wait(talea_ledger *ledger, talea_text book_name, uint64_t after_seq,
                      int64_t timeout_ms, uint64_t *out_watermark, talea_error *err) {
    if (timeout_ms > WAIT_MS_MAX) {
        timeout_ms = WAIT_MS_MAX;
    }
    int64_t deadline_us = tl_monotonic_us() + timeout_ms * 1000;
    for (;;) {
        talea_code code = tl_engine_check(ledger->engine, err);
        tl_book *book = NULL;
        if (code == TALEA_OK) {
            code = tl_engine_current_book(ledger->engine, book_name, &book, err);
        }
        if (code != TALEA_OK) {
            return code;
        }
        uint32_t seen = book ? tl_gate_load(&book->advance) : 0;
        uint64_t watermark = book ? tl_book_watermark(book) : 0;
        int64_t left_ms = (deadline_us - tl_monotonic_us() + 999) / 1000;
        if (watermark > after_seq || left_ms <= 0) {
            tl_book_unref(book);
            *out_watermark = watermark;
            return TALEA_OK;
        }
        int64_t step_ms = ledger->engine->read_only ? WAIT_STEP_ABROAD_MS : WAIT_STEP_MS;
        step_ms = left_ms < step_ms ? left_ms : step_ms;
        if (book) {
            (void)tl_gate_wait(&book->advance, seen, step_ms);
            tl_book_unref(book);
        } else {
            tl_gate absent; /* nobody opens it: a plain sleep */
            tl_gate_init(&absent, 0);
            (void)tl_gate_wait(&absent, 0, step_ms);
            tl_gate_destroy(&absent);
        }
    }
}
