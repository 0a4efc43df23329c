/*
 * The Nth allocation fails, for every N, in creating, opening, appending, rotating, reading and
 * verifying. Oracle: the answer is TALEA_NOMEM (or the operation did without), everything
 * acknowledged is there afterwards, and the next try succeeds.
 *
 * The allocator is replaced for the whole program, which glibc allows and sanitizers do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "logbook.h"

static talea_error err;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAVE_FAILING_MALLOC 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef HAVE_FAILING_MALLOC
#endif
#endif

static uint64_t countdown; /* 0: no allocation fails */
static uint64_t failures;

#ifdef HAVE_FAILING_MALLOC
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static bool fails(void) {
    if (countdown == 0 || --countdown > 0) {
        return false;
    }
    failures++;
    return true;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
    return fails() ? NULL : __libc_realloc(old, bytes);
}
#endif

static void arm(uint64_t nth) {
    countdown = nth;
    failures = 0;
}

/* Did the armed failure happen? */
static bool disarm(void) {
    countdown = 0;
    return failures > 0;
}

static void assert_ok(talea_code code) {
    if (code != TALEA_OK) {
        fail_msg("%s: %s", talea_code_name(code), err.message);
    }
}

static void need_failing_malloc(void) {
#ifndef HAVE_FAILING_MALLOC
    skip();
#endif
}

static talea_code no_check(void *context, const tl_log_event *event, talea_error *e) {
    (void)event;
    (void)e;
    ++*(uint64_t *)context;
    return TALEA_OK;
}

static void no_problem(void *context, uint32_t segment, uint64_t offset, const char *words) {
    (void)context;
    (void)segment;
    (void)offset;
    (void)words;
    fail();
}

static void begin(logbook *book, tl_io *io, uint32_t segment_bytes_max) {
    logbook_init(book, io, segment_bytes_max, true);
    assert_ok(logbook_create(book, &err));
    assert_ok(logbook_open(book, &err));
}

/* Opens with the nth allocation failing, for every n. */
static void sweep_open(logbook *book) {
    for (uint64_t nth = 1;; nth++) {
        uint64_t events = 0;
        tl_log *log = NULL;
        arm(nth);
        talea_code code = tl_log_open(&book->config, no_check, &events, &log, &err);
        bool failed = disarm();
        if (code == TALEA_OK) {
            assert_int_equal(events, book->next_seq - 1);
            tl_log_abandon(log);
            (void)tl_log_close(log, &err);
        } else {
            assert_true(failed);
            assert_true(code == TALEA_NOMEM || code == TALEA_IO);
            assert_null(log);
        }
        if (!failed) {
            return;
        }
    }
}

static void test_create(void **state) {
    need_failing_malloc();
    tl_io *io = tl_io_memory_new();
    logbook book;
    logbook_init(&book, io, 4096, true);
    assert_int_equal(io->ops->mkdir(io, LOGBOOK_BOOKS), 0);
    for (uint64_t nth = 1;; nth++) {
        arm(nth);
        talea_code code = tl_log_create(&book.config, LOGBOOK_BOOKS, &err);
        if (!disarm()) {
            assert_ok(code);
            break;
        }
        assert_true(code == TALEA_OK || code == TALEA_NOMEM);
        if (code == TALEA_OK) {
            break; /* the memory file system did without */
        }
    }
    sweep_open(&book);
    logbook_done(&book);
    tl_io_memory_free(io);
}

static void test_open(void **state) {
    need_failing_malloc();
    tl_io *io = tl_io_memory_new();
    logbook book;
    begin(&book, io, 4096);
    for (unsigned i = 0; i < 60; i++) {
        assert_ok(logbook_append(&book, 1, 1 + i % 3, &err));
    }
    logbook_kill(&book);
    sweep_open(&book);
    assert_ok(logbook_open(&book, &err));
    assert_int_equal(book.delivered, book.next_seq - 1);
    logbook_done(&book);
    tl_io_memory_free(io);
}

/* Each append with each of its allocations failing: refused, or the log has failed for good and is reopened. */
static void test_append(void **state) {
    need_failing_malloc();
    tl_io *io = tl_io_memory_new();
    logbook book;
    uint64_t refused = 0;
    begin(&book, io, 4096);
    for (unsigned i = 0; i < 60; i++) {
        logbook_encode(&book, 1, 1 + i % 3); /* so that its own allocations are not counted */
        for (uint64_t nth = 1;; nth++) {
            tl_log_place place;
            uint64_t events = 1 + i % 3;
            arm(nth);
            talea_code code = tl_log_append(book.log, &book.writer, book.next_seq, events,
                                            book.at + 10, &place, &err);
            bool failed = disarm();
            if (code == TALEA_OK) {
                book.next_seq += events;
                book.at += 10;
                break;
            }
            assert_true(failed);
            refused++;
            if (code == TALEA_IO) { /* the memory file system could not take the group: as a failed
                                       write */
                logbook_kill(&book);
                assert_ok(logbook_open(&book, &err));
                assert_int_equal(book.delivered, book.next_seq - 1);
            } else {
                assert_int_equal(code, TALEA_NOMEM);
            }
        }
    }
    assert_true(refused > 10);
    assert_ok(logbook_close(&book, &err));
    assert_ok(logbook_open(&book, &err));
    assert_int_equal(book.delivered, book.next_seq - 1);
    logbook_done(&book);
    tl_io_memory_free(io);
}

static void test_read_and_verify(void **state) {
    need_failing_malloc();
    tl_io *io = tl_io_memory_new();
    logbook book;
    begin(&book, io, 4096);
    for (unsigned i = 0; i < 60; i++) {
        assert_ok(logbook_append(&book, 1, 1 + i % 3, &err));
    }
    for (uint64_t nth = 1;; nth++) {
        const uint8_t *data = NULL;
        arm(nth);
        tl_log_reader *reader = tl_log_reader_new(book.log);
        talea_code code = reader ? tl_log_read(reader, 1, 0, 4000, &data, &err) : TALEA_NOMEM;
        if (code == TALEA_CORRUPT) {
            code = tl_log_read(reader, 1, 0, 2000, &data, &err); /* the segment is cut to its seal
                                                                  */
        }
        tl_log_reader_free(reader);
        if (!disarm()) {
            assert_ok(code);
            break;
        }
        assert_int_equal(code, TALEA_NOMEM);
    }
    for (uint64_t nth = 1;; nth++) {
        uint64_t events = 0;
        arm(nth);
        talea_code code =
            tl_log_verify(book.log, book.next_seq - 1, no_check, no_problem, NULL, &events, &err);
        if (!disarm()) {
            assert_ok(code);
            assert_int_equal(events, book.next_seq - 1);
            break;
        }
        assert_int_equal(code, TALEA_NOMEM);
    }
    logbook_done(&book);
    tl_io_memory_free(io);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_read_and_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
