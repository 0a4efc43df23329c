/*
 * Failing writes, failing syncs, a full disk: everyone who waits is told, nothing more is
 * acknowledged, reads stay, and recovery in place finds everything that was acknowledged. Swept
 * over every write and every sync of a scripted life.
 */
/* ctest: tsan */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ledger.h"

enum { WAITERS = 10 };

static void begin(ledger *l) {
    talea_error err;
    ledger_init(l);
    l->options.segment_bytes_max = 65536;
    l->wrap.victim = "/main/";
    ledger_start(l);
    assert_int_equal(furnish_book(&l->handle, "main", &err), TALEA_OK);
    assert_int_equal(furnish_book(&l->handle, "other", &err), TALEA_OK);
    assert_int_equal(post(&l->handle, "main", "before", "cash", "rev", 1).code, TALEA_OK);
}

typedef struct waiter {
    pthread_t thread;
    talea_ledger *handle;
    int number;
    told out;
} waiter;

static void *run_waiter(void *arg) {
    waiter *w = arg;
    char key[32];
    (void)snprintf(key, sizeof key, "w%d", w->number);
    w->out = post(w->handle, "main", key, "cash", "rev", 10);
    return NULL;
}

static uint32_t pending_units(ledger *l) {
    tl_book *book = NULL;
    talea_error err;
    tl_slot *slot = tl_engine_find_slot(l->handle.engine, text("main"));
    assert_int_equal(tl_slot_book(slot, false, &book, &err), TALEA_OK);
    tl_mutex_lock(&book->stage_lock);
    uint32_t pending = book->pending_units;
    tl_mutex_unlock(&book->stage_lock);
    tl_book_unref(book);
    return pending;
}

/* One group in the held sync, the rest behind it. */
static void start_waiters(ledger *l, waiter *waiters) {
    wrap_hold(&l->wrap, true);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){.handle = &l->handle, .number = i};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, run_waiter, &waiters[i]), 0);
        if (i == 0) {
            wrap_await_held(&l->wrap);
        }
    }
    while (pending_units(l) < WAITERS) {
        usleep(500);
    }
}

static void join_waiters(waiter *waiters) {
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
    }
}

/* What a failed book is like. */
static void check_failed(ledger *l, uint64_t seq) {
    talea_book_stats stats;
    talea_error err;
    told t = post(&l->handle, "main", "later", "cash", "rev", 1);
    assert_int_equal(t.code, TALEA_IO);
    assert_true(strlen(t.err.message) > 0);
    assert_int_equal(talea_stats(&l->handle, text("main"), &stats, &err), TALEA_OK);
    assert_int_equal(stats.state, TALEA_BOOK_FAILED);
    assert_int_equal(stats.error.code, TALEA_IO);
    assert_int_equal(stats.last_seq, seq);
    assert_int_equal(watermark(&l->handle, "main"), seq);
    assert_int_equal(seq_of_key(&l->handle, "main", "before"), FURNITURE + 1);
    /* Another book of the ledger goes on. */
    static int n;
    char key[32];
    (void)snprintf(key, sizeof key, "other%d", n++);
    assert_int_equal(post(&l->handle, "other", key, "cash", "rev", 1).code, TALEA_OK);
}

/* Recovery in place; then every key can be tried again, and each is there exactly once. */
static void check_revived(ledger *l, const waiter *waiters) {
    tl_engine_revive(l->handle.engine);
    uint64_t found = watermark(&l->handle, "main");
    uint64_t kept = 0;
    for (int i = 0; i < WAITERS; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "w%d", i);
        uint64_t seq = seq_of_key(&l->handle, "main", key);
        kept += seq != 0;
        assert_true(waiters[i].out.code != TALEA_OK || seq == waiters[i].out.seq);
        told t = post(&l->handle, "main", key, "cash", "rev", 10);
        assert_int_equal(t.code, TALEA_OK);
        assert_int_equal(t.status, seq ? TALEA_STATUS_DEDUPLICATED : TALEA_STATUS_COMMITTED);
    }
    assert_int_equal(found, FURNITURE + 1 + kept);
    int64_t cash = 0;
    assert_true(balance_of(&l->handle, "main", "cash", &cash));
    assert_int_equal(cash, 1 + 10 * WAITERS);
    assert_int_equal(verify_book(&l->handle, "main").problems, 0);
}

static void failing_sync(void **state) {
    ledger l;
    waiter waiters[WAITERS];
    begin(&l);
    start_waiters(&l, waiters);
    wrap_fail(&l.wrap, EIO, 0);
    wrap_hold(&l.wrap, false);
    join_waiters(waiters);
    wrap_fail(&l.wrap, 0, 0);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(waiters[i].out.code, TALEA_IO);
        assert_int_equal(waiters[i].out.status, TALEA_STATUS_UNKNOWN);
        assert_int_equal(waiters[i].out.err.os_errno, EIO);
    }
    check_failed(&l, FURNITURE + 1);
    check_failed(&l, FURNITURE + 1);
    check_revived(&l, waiters);
    ledger_free(&l);
}

static void failing_write(void **state) {
    ledger l;
    waiter waiters[WAITERS];
    begin(&l);
    start_waiters(&l, waiters);
    wrap_fail(&l.wrap, 0, EIO); /* the first group is written already: its sync succeeds */
    wrap_hold(&l.wrap, false);
    join_waiters(waiters);
    wrap_fail(&l.wrap, 0, 0);
    int ok = 0;
    for (int i = 0; i < WAITERS; i++) {
        ok += waiters[i].out.code == TALEA_OK;
        assert_true(waiters[i].out.code == TALEA_OK || waiters[i].out.code == TALEA_IO);
    }
    assert_int_equal(ok, 1);
    check_failed(&l, FURNITURE + 2);
    check_revived(&l, waiters);
    ledger_free(&l);
}

/* A view that was open over the failure and the recovery keeps showing what it showed. */
static void views_outlive_the_failure(void **state) {
    ledger l;
    talea_error err;
    talea_view *view = NULL;
    talea_book_view *book = NULL;
    talea_events *events = NULL;
    const talea_event *event = NULL;
    begin(&l);
    assert_int_equal(talea_view_open(&l.handle, &view, &err), TALEA_OK);
    assert_int_equal(talea_view_book(view, text("main"), &book, &err), TALEA_OK);
    wrap_fail(&l.wrap, EIO, 0);
    assert_int_equal(post(&l.handle, "main", "lost", "cash", "rev", 1).code, TALEA_IO);
    wrap_fail(&l.wrap, 0, 0);
    for (int revived = 0; revived < 2; revived++) {
        uint64_t seq = 0;
        assert_int_equal(talea_events_open(book, &events, &err), TALEA_OK);
        do {
            assert_int_equal(talea_events_next(events, &event, &err), TALEA_OK);
            seq += event != NULL;
        } while (event);
        assert_int_equal(seq, FURNITURE + 1);
        talea_events_close(events);
        tl_engine_revive(l.handle.engine);
        assert_int_equal(post(&l.handle, "main", "new", "cash", "rev", 1).code, TALEA_OK);
    }
    talea_view_close(view);
    assert_int_equal(verify_book(&l.handle, "main").problems, 0);
    ledger_free(&l);
}

/* The units of a failed incarnation answer io as long as they live; new ones go through after the
 * recovery. */
static void old_units_stay_failed(void **state) {
    ledger l;
    talea_error err;
    talea_unit *unit = NULL;
    begin(&l);
    assert_int_equal(talea_unit_new(&l.handle, &unit, &err), TALEA_OK);
    assert_int_equal(add_post(unit, "main", "old", "cash", "rev", 1, false, &err), TALEA_OK);
    wrap_fail(&l.wrap, EIO, 0);
    assert_int_equal(post(&l.handle, "main", "lost", "cash", "rev", 1).code, TALEA_IO);
    wrap_fail(&l.wrap, 0, 0);
    tl_engine_revive(l.handle.engine);
    assert_int_equal(post(&l.handle, "main", "new", "cash", "rev", 1).code, TALEA_OK);
    talea_code code = talea_unit_commit(unit, &err);
    talea_unit_free(unit);
    uint64_t seq = seq_of_key(&l.handle, "main", "old");
    assert_true(code == TALEA_IO ? seq == 0 : code == TALEA_OK && seq != 0);
    assert_int_equal(post(&l.handle, "main", "old", "cash", "rev", 1).code, TALEA_OK);
    assert_int_equal(verify_book(&l.handle, "main").problems, 0);
    ledger_free(&l);
}

/* ---- A full disk ---- */

/* Posts large units until one is refused; *out_count are acknowledged. Returns the refusal's code.
 */
static talea_code post_until_refused(ledger *l, const char *prefix, unsigned *out_count) {
    static char note[2048];
    memset(note, '1', sizeof note);
    for (unsigned i = 0; i < 500; i++) {
        char key[32];
        talea_error err;
        talea_unit *unit = NULL;
        (void)snprintf(key, sizeof key, "%s%u", prefix, i);
        talea_leg legs[2] = {{.account = text("cash"), .side = TALEA_SIDE_DEBIT, .amount = 1},
                             {.account = text("rev"), .side = TALEA_SIDE_CREDIT, .amount = 1}};
        talea_draft draft = {
            .key = text(key), .legs = legs, .leg_count = 2, .metadata = {note, sizeof note}};
        assert_int_equal(talea_unit_new(&l->handle, &unit, &err), TALEA_OK);
        assert_int_equal(talea_unit_add_draft(unit, text("main"), &draft, false, &err), TALEA_OK);
        talea_code code = talea_unit_commit(unit, &err);
        talea_unit_free(unit);
        if (code != TALEA_OK) {
            return code;
        }
        ++*out_count;
    }
    return TALEA_OK;
}

static void full_disk(void **state) {
    ledger l;
    talea_error err;
    talea_book_stats stats;
    begin(&l);
    for (int round = 0; round < 3; round++) {
        char prefix[8];
        unsigned count = 0;
        (void)snprintf(prefix, sizeof prefix, "r%d-", round);
        uint64_t seq = watermark(&l.handle, "main");
        wrap_fill(&l.wrap, true);
        assert_int_equal(post_until_refused(&l, prefix, &count), TALEA_FULL);
        unsigned acknowledged = count;
        assert_int_equal(watermark(&l.handle, "main"), seq + count);
        assert_int_equal(talea_stats(&l.handle, text("main"), &stats, &err), TALEA_OK);
        assert_int_not_equal(stats.state, TALEA_BOOK_FAILED);
        assert_int_equal(post_until_refused(&l, "again", &count), TALEA_FULL); /* still */
        assert_int_equal(seq_of_key(&l.handle, "main", "again0"), 0);
        /* A new book cannot be made. */
        assert_int_equal(furnish_book(&l.handle, "brand-new", &err), TALEA_FULL);
        wrap_fill(&l.wrap, false);
        count = 0;
        int64_t before = 0;
        int64_t after = 0;
        assert_true(balance_of(&l.handle, "main", "cash", &before));
        /* The refused keys again: they were never used. */
        assert_int_equal(post_until_refused(&l, prefix, &count), TALEA_OK);
        assert_int_equal(count, 500);
        assert_true(balance_of(&l.handle, "main", "cash", &after));
        assert_int_equal(after - before, 500 - (int64_t)acknowledged);
        assert_int_equal(verify_book(&l.handle, "main").problems, 0);
    }
    assert_int_equal(furnish_book(&l.handle, "brand-new", &err), TALEA_OK);
    uint64_t seq = watermark(&l.handle, "main");
    ledger_stop(&l);
    ledger_start(&l);
    assert_int_equal(watermark(&l.handle, "main"), seq);
    assert_int_equal(verify_book(&l.handle, "main").problems, 0);
    ledger_free(&l);
}

/* ---- Every write and every sync, in turn ---- */

enum { SCRIPT_POSTS = 60 };

/* A life with growing space, rotations, two books. Notes what was acknowledged; stops at the first
 * failure. */
static void live(ledger *l, bool acknowledged[SCRIPT_POSTS]) {
    static char note[4096];
    memset(note, '7', sizeof note);
    for (int i = 0; i < SCRIPT_POSTS; i++) {
        char key[32];
        talea_error err;
        talea_unit *unit = NULL;
        (void)snprintf(key, sizeof key, "s%d", i);
        talea_leg legs[2] = {{.account = text("cash"), .side = TALEA_SIDE_DEBIT, .amount = 1},
                             {.account = text("rev"), .side = TALEA_SIDE_CREDIT, .amount = 1}};
        talea_draft draft = {
            .key = text(key), .legs = legs, .leg_count = 2, .metadata = {note, sizeof note}};
        assert_int_equal(talea_unit_new(&l->handle, &unit, &err), TALEA_OK);
        talea_code code = talea_unit_add_draft(unit, text("main"), &draft, false, &err);
        code = code ? code : talea_unit_commit(unit, &err);
        acknowledged[i] = code == TALEA_OK;
        talea_unit_free(unit);
        if (code != TALEA_OK) {
            assert_int_equal(code, TALEA_IO);
            return;
        }
    }
}

/* The n-th write or sync of the life fails. false: the life has fewer. */
static bool sweep_one(long sync_in, long write_in) {
    ledger l;
    bool acknowledged[SCRIPT_POSTS] = {false};
    begin(&l);
    wrap_countdown(&l.wrap, sync_in, write_in);
    live(&l, acknowledged);
    bool happened = !wrap_pending(&l.wrap);
    wrap_countdown(&l.wrap, 0, 0);
    for (int how = 0; how < 2; how++) { /* in place, then from the files */
        if (how == 0) {
            tl_engine_revive(l.handle.engine);
        } else {
            ledger_stop(&l);
            ledger_start(&l);
        }
        for (int i = 0; i < SCRIPT_POSTS; i++) {
            char key[32];
            (void)snprintf(key, sizeof key, "s%d", i);
            if (acknowledged[i] &&
                seq_of_key(&l.handle, "main", key) != (uint64_t)FURNITURE + 2 + (uint64_t)i) {
                fail_msg("sync %ld, write %ld: %s was acknowledged, and is lost", sync_in, write_in,
                         key);
            }
        }
        findings f = verify_book(&l.handle, "main");
        if (f.problems > 0) {
            fail_msg("sync %ld, write %ld: %s", sync_in, write_in, f.first);
        }
        char key[32];
        (void)snprintf(key, sizeof key, "after%d", how);
        assert_int_equal(post(&l.handle, "main", key, "cash", "rev", 1).code, TALEA_OK);
    }
    ledger_free(&l);
    return happened;
}

static void every_sync_fails_once(void **state) {
    long n = 1;
    while (sweep_one(n, 0)) {
        n++;
    }
    print_message("%ld syncs failed in turn\n", n - 1);
    assert_true(n > SCRIPT_POSTS);
}

static void every_write_fails_once(void **state) {
    long n = 1;
    while (sweep_one(0, n)) {
        n++;
    }
    print_message("%ld writes failed in turn\n", n - 1);
    assert_true(n > SCRIPT_POSTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_sync),
        cmocka_unit_test(failing_write),
        cmocka_unit_test(views_outlive_the_failure),
        cmocka_unit_test(old_units_stay_failed),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(every_sync_fails_once),
        cmocka_unit_test(every_write_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
