/*
 * What `books` shows, and waiting for the watermark.
 */
#include "engine/engine.h"

#include <assert.h>

static void fill_stats(tl_book *book, talea_book_stats *out) {
    tl_mutex_lock(&book->stage_lock);
    out->state = book->failed           ? TALEA_BOOK_FAILED
                 : book->writer_running ? TALEA_BOOK_OPEN
                                        : TALEA_BOOK_IDLE;
    if (book->failed) {
        out->error = book->failure;
    }
    tl_mutex_unlock(&book->stage_lock);
    tl_mutex_lock(&book->read_lock);
    out->last_seq = book->watermark;
    out->last_at = book->last_at;
    out->accounts = book->visible_accounts;
    out->transactions = book->visible_transactions;
    out->groups = book->groups;
    out->units = book->units;
    out->sync_p50_us = tl_histogram_percentile(&book->sync_us, 50);
    out->sync_p99_us = tl_histogram_percentile(&book->sync_us, 99);
    tl_mutex_unlock(&book->read_lock);
    out->segments = tl_log_segments(book->log);
    out->log_bytes = tl_log_bytes(book->log);
}

talea_code talea_stats(talea_ledger *ledger, talea_text book_name, talea_book_stats *out_stats,
                       talea_error *err) {
    talea_code code = tl_engine_check(ledger->engine, err);
    if (code != TALEA_OK) {
        return code;
    }
    memset(out_stats, 0, sizeof *out_stats);
    tl_book *book = NULL;
    code = tl_engine_current_book(ledger->engine, book_name, &book, err);
    if (code == TALEA_CORRUPT || code == TALEA_IO) {
        out_stats->state = TALEA_BOOK_FAILED;
        out_stats->error = *err;
        return TALEA_OK;
    }
    if (code == TALEA_OK && book) {
        fill_stats(book, out_stats);
        tl_book_unref(book);
    }
    return code;
}

static uint64_t watermark_of(tl_book *book) {
    tl_mutex_lock(&book->read_lock);
    uint64_t watermark = book->watermark;
    tl_mutex_unlock(&book->read_lock);
    return watermark;
}

/* How often a waiter looks whether the book has appeared, failed, or been recovered under it; and
 * whether a writer in another process, which cannot wake it, has gone on. */
enum { WAIT_STEP_MS = 100, WAIT_STEP_ABROAD_MS = 10 };

talea_code talea_wait(talea_ledger *ledger, talea_text book_name, uint64_t after_seq,
                      int64_t timeout_ms, uint64_t *out_watermark, talea_error *err) {
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
        uint64_t watermark = book ? watermark_of(book) : 0;
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
