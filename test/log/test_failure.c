/*
 * Failing I/O: the Nth operation for every N, once and for ever; syncs that lose their data; a full
 * disk. INV-D5, INV-D6, INV-D13.
 *
 * Oracle: what was acknowledged is delivered by the next opening on a healthy disk. A failed log keeps giving the same
 * error and changes nothing any more; a full one works again when there is space.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faulty_io.h"
#include "logbook.h"

static talea_error err;

static void assert_ok(talea_code code) {
    if (code != TALEA_OK) {
        fail_msg("%s: %s", talea_code_name(code), err.message);
    }
}

typedef struct bench {
    tl_io *below;
    faulty_io faulty;
    logbook book;
} bench;

static void bench_begin(bench *b, uint32_t segment_bytes_max, bool inline_work) {
    b->below = tl_io_memory_new();
    faulty_init(&b->faulty, b->below);
    logbook_init(&b->book, &b->faulty.io, segment_bytes_max, inline_work);
}

static void bench_end(bench *b) {
    logbook_done(&b->book);
    faulty_done(&b->faulty);
    tl_io_memory_free(b->below);
}

/* On a healthy disk: everything acknowledged is there, at most one group more, and the log goes on. */
static void assert_recovers(bench *b, uint64_t group_events_max) {
    logbook *book = &b->book;
    uint64_t acked = book->next_seq - 1;
    faulty_heal(&b->faulty);
    talea_code code = logbook_open(book, &err);
    if (code != TALEA_OK && acked == 0 && strstr(err.message, "cannot list")) {
        return; /* creation failed: there is no book */
    }
    assert_ok(code);
    assert_in_range(book->delivered, acked, acked + group_events_max);
    logbook_resume(book);
    book->at += 1000;
    for (int i = 0; i < 5; i++) {
        assert_ok(logbook_append(book, 1, 2, &err));
    }
    assert_ok(logbook_close(book, &err));
    assert_ok(logbook_open(book, &err));
    assert_int_equal(book->delivered, book->next_seq - 1);
}

/* A failed log: the same words for ever, and nothing reaches the disk, even when it is healthy again. */
static void assert_sticky(bench *b) {
    logbook *book = &b->book;
    char words[TALEA_MESSAGE_BYTES];
    memcpy(words, err.message, sizeof words);
    faulty_heal(&b->faulty);
    image before = image_take(b->below, LOGBOOK_DIR);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(logbook_append(book, 1, 1, &err), TALEA_IO);
        assert_string_equal(err.message, words);
    }
    assert_int_equal(tl_log_prove(book->log, &err), TALEA_IO);
    tl_log_prepare(book->log);
    (void)logbook_close(book, &err);
    image after = image_take(b->below, LOGBOOK_DIR);
    assert_true(image_same(&before, &after));
    image_free(&before);
    image_free(&after);
}

/* Creates, opens, appends over some rotations, proves, closes. The first failure ends it. */
static talea_code session(bench *b, unsigned groups) {
    logbook *book = &b->book;
    talea_code code = logbook_create(book, &err);
    if (code == TALEA_OK) {
        code = logbook_open(book, &err);
    }
    for (unsigned i = 0; i < groups && code == TALEA_OK; i++) {
        code = logbook_append(book, 1, 1 + i % 3, &err);
        if (code == TALEA_OK && i % 6 == 5) {
            code = tl_log_prove(book->log, &err);
        }
        if (code == TALEA_OK && book->works > 0 && i % 3 == 0) {
            book->works = 0;
            tl_log_prepare(book->log);
        }
    }
    if (code != TALEA_OK && book->log) {
        if (code == TALEA_IO && strstr(err.message, "cannot open") == NULL) {
            assert_sticky(b);
        } else {
            (void)logbook_close(book, &err);
        }
    } else if (book->log) {
        code = logbook_close(book, &err);
    }
    return code;
}

static uint64_t sweep(faulty_op op, int os_errno, bool for_ever, bool lose, bool inline_work) {
    uint64_t nth = 1;
    for (bool clean = false; !clean; nth++) {
        bench b;
        bench_begin(&b, 4096, inline_work);
        faulty_lose(&b.faulty, lose);
        faulty_fail(&b.faulty, op, nth, os_errno, for_ever);
        clean = session(&b, 40) == TALEA_OK && b.faulty.fail_in > 0;
        assert_recovers(&b, 3);
        bench_end(&b);
        assert_true(nth < 100000);
    }
    return nth - 1;
}

/* A sync fails and loses what it should have written; the book is opened again in the same process,
 * and then the power goes.
 * What an opening has delivered stays: INV-D13 (the cache is dropped), and INV-D15 where it cannot be. */
static void test_lost_pages(void **state) {
    uint64_t cases = 0;
    uint64_t survivors = 0;
    for (int mode = 0; mode < 8; mode++) {
        bool clean = false;
        for (uint64_t nth = 1; !clean; nth++, cases++) {
            bench b;
            bench_begin(&b, mode & 4 ? 1 << 16 : 4096, mode & 1);
            logbook *book = &b.book;
            book->payload = mode & 4 ? 600 : 20; /* files that grow; or segments that change */
            b.faulty.lose = true;
            b.faulty.deaf_drop = mode & 2;
            assert_ok(logbook_create(book, &err));
            assert_ok(logbook_open(book, &err));
            faulty_fail(&b.faulty, FAULTY_SYNC, nth, EIO, false);
            talea_code code = TALEA_OK;
            for (unsigned i = 0; i < 40 && code == TALEA_OK; i++) {
                code = logbook_append(book, 1, 1 + i % 3, &err);
                if (book->works > 0) {
                    book->works = 0;
                    tl_log_prepare(book->log);
                }
            }
            clean = code == TALEA_OK;
            logbook_kill(book);
            faulty_heal(&b.faulty);
            assert_ok(logbook_open(book, &err));
            uint64_t delivered = book->delivered;
            assert_true(delivered >= book->next_seq - 1);
            survivors += delivered > book->next_seq - 1;
            if (!b.faulty.deaf_drop) {
                logbook_resume(book);
                book->at += 1000;
                for (int i = 0; i < 4; i++) {
                    assert_ok(logbook_append(book, 1, 2, &err));
                }
                delivered = book->next_seq - 1;
            }
            logbook_kill(book);
            faulty_cut_power(&b.faulty);
            assert_ok(logbook_open(book, &err));
            assert_true(book->delivered >= delivered);
            bench_end(&b);
        }
    }
    print_message("syncs that lost pages: %llu, unacknowledged groups that came back: %llu\n",
                  (unsigned long long)cases, (unsigned long long)survivors);
    assert_true(survivors > 0);
}

static void test_every_operation(void **state) {
    uint64_t cases = 0;
    for (int mode = 0; mode < 8; mode++) {
        cases += sweep(FAULTY_ANY, EIO, mode & 1, mode & 2, mode & 4);
    }
    print_message("operations failed: %llu\n", (unsigned long long)cases);
}

static void test_every_write_and_sync(void **state) {
    static const int errnos[] = {EIO, ENOSPC, ENOMEM};
    uint64_t cases = 0;
    for (size_t e = 0; e < sizeof errnos / sizeof errnos[0]; e++) {
        for (int mode = 0; mode < 4; mode++) {
            cases += sweep(FAULTY_PWRITE, errnos[e], mode & 1, false, mode & 2);
            cases += sweep(FAULTY_SYNC, errnos[e], mode & 1, true, mode & 2);
            cases += sweep(FAULTY_SYNC_DIR, errnos[e], mode & 1, false, mode & 2);
        }
    }
    print_message("writes and syncs failed: %llu\n", (unsigned long long)cases);
}

/* Opening a killed log with its Nth operation failing leaves it as good as before. */
static void test_recovery_fails(void **state) {
    uint64_t cases = 0;
    for (int mode = 0; mode < 4; mode++) {
        bool clean = false;
        for (uint64_t nth = 1; !clean; nth++) {
            bench b;
            bench_begin(&b, 4096, false);
            assert_ok(logbook_create(&b.book, &err));
            assert_ok(logbook_open(&b.book, &err));
            for (unsigned i = 0; tl_log_segments(b.book.log) < 3; i++) {
                assert_ok(logbook_append(&b.book, 1, 1 + i % 3, &err));
            }
            logbook_kill(&b.book); /* the predecessor is not cut, the tail not proven */
            faulty_lose(&b.faulty, mode & 2);
            faulty_fail(&b.faulty, FAULTY_ANY, nth, EIO, mode & 1);
            talea_code code = logbook_open(&b.book, &err);
            clean = code == TALEA_OK && b.faulty.fail_in > 0;
            if (code == TALEA_OK) {
                logbook_kill(&b.book);
            }
            assert_recovers(&b, 0);
            bench_end(&b);
            cases++;
        }
    }
    print_message("openings failed: %llu\n", (unsigned long long)cases);
}

/* The disk fills up at any point: refused, nothing lost, nothing sticky. */
static void test_full(void **state) {
    uint64_t refused = 0;
    for (int inline_work = 0; inline_work < 2; inline_work++) {
        for (unsigned full_at = 0; full_at < 60; full_at++) {
            bench b;
            bench_begin(&b, 1 << 16, inline_work);
            b.book.payload = 900;
            assert_ok(logbook_create(&b.book, &err));
            assert_ok(logbook_open(&b.book, &err));
            for (unsigned i = 0; i < full_at; i++) {
                assert_ok(logbook_append(&b.book, 1, 1 + i % 4, &err));
            }
            faulty_set_full(&b.faulty, true);
            talea_code code = TALEA_OK;
            for (unsigned i = 0; code == TALEA_OK && i < 300; i++) {
                code = logbook_append(&b.book, 1, 1 + i % 4, &err);
            }
            assert_int_equal(code, TALEA_FULL);
            assert_int_equal(logbook_append(&b.book, 1, 40, &err), TALEA_FULL);
            uint64_t works = b.book.works;
            code = tl_log_prove(b.book.log, &err); /* may need space, too */
            assert_true(code == TALEA_OK || code == TALEA_FULL);
            tl_log_prepare(b.book.log);
            refused += 2;
            if (full_at % 2 == 0) { /* even opening works, but for what needs space */
                logbook_kill(&b.book);
                assert_ok(logbook_open(&b.book, &err));
                assert_int_equal(b.book.delivered, b.book.next_seq - 1);
                assert_int_equal(logbook_append(&b.book, 1, 40, &err), TALEA_FULL);
            }
            faulty_set_full(&b.faulty, false);
            for (unsigned i = 0; i < 100; i++) {
                assert_ok(logbook_append(&b.book, 1, 1 + i % 4, &err));
            }
            assert_true(inline_work || b.book.works > works); /* background work is asked for again
                                                               */
            assert_ok(logbook_close(&b.book, &err));
            assert_recovers(&b, 0);
            bench_end(&b);
        }
    }
    print_message("refused when full: %llu\n", (unsigned long long)refused);
}

/* Creating a book on a full disk leaves nothing that the next attempt trips over. */
static void test_create_fails(void **state) {
    uint64_t nth = 1;
    for (bool clean = false; !clean; nth++) {
        bench b;
        bench_begin(&b, 4096, true);
        (void)b.below->ops->mkdir(b.below, LOGBOOK_BOOKS);
        faulty_fail(&b.faulty, FAULTY_ANY, nth, ENOSPC, nth % 2);
        talea_code code = tl_log_create(&b.book.config, LOGBOOK_BOOKS, &err);
        clean = code == TALEA_OK && b.faulty.fail_in > 0;
        assert_true(code == TALEA_OK || code == TALEA_FULL);
        faulty_heal(&b.faulty);
        code = logbook_open(&b.book, &err);
        if (code != TALEA_OK) { /* not there, and not half there */
            assert_int_equal(code, TALEA_IO);
            assert_ok(logbook_create(&b.book, &err));
            assert_ok(logbook_open(&b.book, &err));
        }
        assert_ok(logbook_append(&b.book, 1, 1, &err));
        bench_end(&b);
    }
    print_message("creations failed: %llu\n", (unsigned long long)(nth - 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_every_write_and_sync),
        cmocka_unit_test(test_lost_pages),
        cmocka_unit_test(test_recovery_fails),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_create_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
