/*
 * Power cut before every operation of a session (creation, rotations, proofs, background work),
 * with none, all, or some of what was not synced; and again before every operation of the recovery.
 * INV-D2, INV-D8 to INV-D11, INV-D15, INV-D16.
 *
 * Oracle: what had been acknowledged when the power went is delivered, in order and to the byte; nothing that was never
 * written is; no state that a power cut can leave is ever refused. When an opening has come to its
 * end, what it delivered counts as acknowledged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crash_disk.h"
#include "logbook.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { ROUNDS = 4, RECOVERY_ROUNDS = 1, STEP = 4 }; /* a sample there, all of them elsewhere */
#else
enum { ROUNDS = 6, RECOVERY_ROUNDS = 2, STEP = 1 };
#endif

static talea_error err;
static uint64_t crashes;
static uint64_t recovery_crashes;
static uint64_t torn_tails;

static void assert_ok(talea_code code) {
    if (code != TALEA_OK) {
        fail_msg("%s: %s", talea_code_name(code), err.message);
    }
}

static disk_policy policy_of(unsigned round) {
    return round == 0 ? DISK_KEEP_NONE : round == 1 ? DISK_KEEP_ALL : DISK_KEEP_SOME;
}

static int no_leftover(void *context, const char *name) {
    assert_null(strstr(name, ".new"));
    return 0;
}

static int count_torn(void *context, const char *name) {
    *(uint64_t *)context += strncmp(name, "torn-", 5) == 0;
    return 0;
}

/* Opens what a crash left; `acked` must be there. Returns how much is, or 0 when there is no book
 * and need not be. With `going_on`, which records it, one small group more is appended, after
 * *out_opened operations. */
static uint64_t open_crashed(tl_io *io, const logbook *was, uint64_t acked, uint64_t written,
                             const crash_disk *going_on, size_t *out_opened) {
    logbook trial;
    logbook_init(&trial, io, was->config.segment_bytes_max, true);
    trial.payload = was->payload;
    talea_code code = logbook_open(&trial, &err);
    if (code == TALEA_IO && acked == 0 && strstr(err.message, "cannot list")) {
        logbook_done(&trial);
        return 0;
    }
    assert_ok(code);
    assert_in_range(trial.delivered, acked, written);
    assert_int_equal(io->ops->list(io, LOGBOOK_DIR, no_leftover, NULL), 0);
    uint64_t delivered = trial.delivered;
    if (going_on) {
        logbook_resume(&trial);
        trial.at = was->at + 1000;
        *out_opened = going_on->count;
        assert_ok(logbook_append(&trial, 1, 1, &err));
    }
    logbook_kill(&trial);
    logbook_done(&trial);
    return delivered;
}

/* The recovery itself is cut off before each of its operations. */
static void crash_recovery(tl_io *crashed, const logbook *was, uint64_t acked, uint64_t written) {
    crash_disk disk;
    disk_begin(&disk, crashed, LOGBOOK_BOOKS, LOGBOOK_DIR);
    size_t opened = 0;
    uint64_t delivered = open_crashed(&disk.io, was, acked, written, &disk, &opened);
    for (size_t k = 0; k <= disk.count; k++) {
        for (unsigned round = 0; round < 2 + RECOVERY_ROUNDS; round++) {
            tl_io *again = disk_crash(&disk, k, policy_of(round), 77 * k + round);
            uint64_t least = k == disk.count ? delivered + 1 : k >= opened ? delivered : acked;
            uint64_t most = k > opened ? delivered + 1 : written;
            (void)open_crashed(again, was, least, most, NULL, NULL);
            recovery_crashes++;
            tl_io_memory_free(again);
        }
    }
    disk_end(&disk);
}

typedef struct mark {
    size_t op;
    uint64_t acked;
    uint64_t written;
} mark;

typedef struct history {
    mark marks[4096];
    size_t count;
} history;

static void note(history *h, const crash_disk *disk, uint64_t acked, uint64_t written) {
    assert_true(h->count < sizeof h->marks / sizeof h->marks[0]);
    h->marks[h->count++] = (mark){disk->count, acked, written};
}

/* What was acknowledged before operation k, and what may have been written. */
static mark at_crash(const history *h, size_t k) {
    mark m = {0};
    for (size_t i = 0; i < h->count && h->marks[i].op <= k; i++) {
        m = h->marks[i];
    }
    for (size_t i = 0; i < h->count; i++) { /* a group in flight counts from before its first
                                               operation */
        if (h->marks[i].op <= k && h->marks[i].written > m.written) {
            m.written = h->marks[i].written;
        }
    }
    return m;
}

static void crash_everywhere(const crash_disk *disk, const history *h, const logbook *book) {
    for (size_t k = 0; k <= disk->count; k += STEP) {
        mark m = at_crash(h, k);
        for (unsigned round = 0; round < 2 + ROUNDS; round++) {
            tl_io *crashed = disk_crash(disk, k, policy_of(round), 1000 * k + round);
            uint64_t delivered = open_crashed(crashed, book, m.acked, m.written, NULL, NULL);
            (void)crashed->ops->list(crashed, LOGBOOK_DIR, count_torn, &torn_tails);
            tl_io_memory_free(crashed);
            crashes++;
            if ((delivered > 0 || m.acked > 0) && round % 3 == 2) {
                crashed = disk_crash(disk, k, policy_of(round), 1000 * k + round);
                crash_recovery(crashed, book, m.acked, m.written);
                tl_io_memory_free(crashed);
            }
        }
    }
}

/* `work_every`: how many appends the background is late; 0: everything inline. */
static void session(unsigned groups, unsigned work_every, uint64_t payload, unsigned prove_every) {
    tl_io *below = tl_io_memory_new();
    crash_disk disk;
    history *h = calloc(1, sizeof *h);
    logbook book;
    assert_int_equal(below->ops->mkdir(below, LOGBOOK_BOOKS), 0);
    disk_begin(&disk, below, LOGBOOK_BOOKS, NULL);
    logbook_init(&book, &disk.io, 4096, work_every == 0);
    book.payload = payload;
    assert_ok(tl_log_create(&book.config, LOGBOOK_BOOKS, &err));
    assert_ok(logbook_open(&book, &err));
    for (unsigned i = 0; i < groups; i++) {
        unsigned events = 4 - i % 4;
        note(h, &disk, book.next_seq - 1, book.next_seq - 1 + events);
        assert_ok(logbook_append(&book, 1, events, &err));
        note(h, &disk, book.next_seq - 1, book.next_seq - 1);
        if (i % prove_every == prove_every - 1) {
            assert_ok(tl_log_prove(book.log, &err));
        }
        if (work_every > 0 && book.works > 0 && i % work_every == 0) {
            book.works = 0;
            tl_log_prepare(book.log);
        }
        if (i == groups / 2) { /* closed and opened in between */
            assert_ok(logbook_close(&book, &err));
            assert_ok(logbook_open(&book, &err));
        }
    }
    assert_ok(logbook_close(&book, &err));
    crash_everywhere(&disk, h, &book);
    logbook_done(&book);
    disk_end(&disk);
    free(h);
    tl_io_memory_free(below);
}

static void test_inline(void **state) {
    session(34, 0, 20, 7);
}

static void test_background(void **state) {
    session(34, 1, 20, 7);
    session(34, 3, 60, 7);
}

static void test_background_never_in_time(void **state) {
    session(34, 1000, 20, 7);
}

static void test_large_groups(void **state) {
    session(14, 1, 700, 5);
    session(12, 1, 700, 1);
    print_message("power cuts: %llu, in recoveries: %llu, tails cut: %llu\n",
                  (unsigned long long)crashes, (unsigned long long)recovery_crashes,
                  (unsigned long long)torn_tails);
    assert_true(torn_tails > 100 / STEP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_background_never_in_time),
        cmocka_unit_test(test_large_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
