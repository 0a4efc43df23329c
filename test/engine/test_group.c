/*
 * Groups: units that wait together share a sync; a full queue refuses; no answer leaves before what it rests on is durable.
 * Syncs are held back by the io, so that every order of events is forced, not hoped for.
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

static void begin(ledger *l, uint32_t queue_depth, uint32_t group_max) {
    talea_error err;
    ledger_init(l);
    l->options.queue_depth = queue_depth;
    l->options.group_max = group_max;
    ledger_start(l);
    assert_int_equal(furnish_book(&l->handle, "main", &err), TALEA_OK);
}

/* ---- Posting from other threads ---- */

typedef struct poster {
    pthread_t thread;
    talea_ledger *handle;
    char key[32];
    const char *debit;
    int64_t amount;
    told out;
    _Atomic(bool) done;
} poster;

static void *run_poster(void *arg) {
    poster *p = arg;
    p->out = post(p->handle, "main", p->key, p->debit, "rev", p->amount);
    atomic_store(&p->done, true);
    return NULL;
}

static void start_poster(poster *p, ledger *l, const char *key, const char *debit, int64_t amount) {
    *p = (poster){.handle = &l->handle, .debit = debit, .amount = amount};
    (void)snprintf(p->key, sizeof p->key, "%s", key);
    assert_int_equal(pthread_create(&p->thread, NULL, run_poster, p), 0);
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

static void await_pending(ledger *l, uint32_t count) {
    while (pending_units(l) != count) {
        usleep(500);
    }
}

static void join(poster *p) {
    assert_int_equal(pthread_join(p->thread, NULL), 0);
}

/* ---- Tests ---- */

enum { COMPANY = 20 };

/* One unit holds the sync up; those that come meanwhile need one more sync between them. */
static void waiting_units_share_a_sync(void **state) {
    ledger l;
    poster first;
    poster rest[COMPANY];
    talea_book_stats before;
    talea_book_stats after;
    talea_error err;
    begin(&l, 0, 0);
    assert_int_equal(talea_stats(&l.handle, text("main"), &before, &err), TALEA_OK);
    wrap_hold(&l.wrap, true);
    start_poster(&first, &l, "first", "cash", 1);
    wrap_await_held(&l.wrap);
    for (int i = 0; i < COMPANY; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        start_poster(&rest[i], &l, key, i == 7 ? "nobody" : "cash", 1);
    }
    await_pending(&l, COMPANY); /* the first, and all but the seventh */
    for (int i = 0; i < COMPANY; i++) {
        assert_int_equal(atomic_load(&rest[i].done), i == 7 && rest[i].done);
    }
    assert_int_equal(watermark(&l.handle, "main"), FURNITURE); /* nothing is shown before it is
                                                                  durable */
    assert_int_equal(seq_of_key(&l.handle, "main", "first"), 0);
    wrap_hold(&l.wrap, false);
    join(&first);
    assert_int_equal(first.out.code, TALEA_OK);
    uint64_t seqs = 0;
    for (int i = 0; i < COMPANY; i++) {
        join(&rest[i]);
        assert_int_equal(rest[i].out.code, i == 7 ? TALEA_UNKNOWN_ACCOUNT : TALEA_OK);
        if (i != 7) {
            assert_true(rest[i].out.seq > first.out.seq);
            seqs += rest[i].out.seq - first.out.seq;
        }
    }
    assert_int_equal(seqs, COMPANY * (COMPANY - 1) / 2); /* 1..19, each once */
    assert_int_equal(talea_stats(&l.handle, text("main"), &after, &err), TALEA_OK);
    assert_int_equal(after.groups - before.groups, 2);
    assert_int_equal(after.units - before.units, COMPANY);
    assert_int_equal(verify_book(&l.handle, "main").problems, 0);
    ledger_free(&l);
}

static void group_max_is_kept(void **state) {
    ledger l;
    poster posters[9];
    talea_book_stats before;
    talea_book_stats after;
    talea_error err;
    begin(&l, 0, 4);
    assert_int_equal(talea_stats(&l.handle, text("main"), &before, &err), TALEA_OK);
    wrap_hold(&l.wrap, true);
    for (uint32_t i = 0; i < 9; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%u", i);
        start_poster(&posters[i], &l, key, "cash", 1);
        if (i == 0) {
            wrap_await_held(&l.wrap);
        }
    }
    await_pending(&l, 9);
    wrap_hold(&l.wrap, false);
    for (int i = 0; i < 9; i++) {
        join(&posters[i]);
        assert_int_equal(posters[i].out.code, TALEA_OK);
    }
    assert_int_equal(talea_stats(&l.handle, text("main"), &after, &err), TALEA_OK);
    assert_int_equal(after.groups - before.groups, 3); /* 1 + 4 + 4 */
    ledger_free(&l);
}

/* The queue is full: the next one waits, then hears of it; its unit is intact and goes through when there is room. */
static void overloaded(void **state) {
    ledger l;
    poster posters[3];
    talea_error err;
    begin(&l, 3, 0);
    wrap_hold(&l.wrap, true);
    for (int i = 0; i < 3; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        start_poster(&posters[i], &l, key, "cash", 1);
    }
    wrap_await_held(&l.wrap);
    await_pending(&l, 3);
    talea_unit *unit = NULL;
    assert_int_equal(talea_unit_new(&l.handle, &unit, &err), TALEA_OK);
    assert_int_equal(add_post(unit, "main", "late", "cash", "rev", 5, false, &err), TALEA_OK);
    assert_int_equal(add_post(unit, "main", "later", "cash", "rev", 6, false, &err), TALEA_OK);
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_OVERLOADED);
    assert_int_equal(talea_unit_outcome_count(unit), 0);
    assert_int_equal(talea_unit_count(unit), 2);
    wrap_hold(&l.wrap, false);
    for (int i = 0; i < 3; i++) {
        join(&posters[i]);
        assert_int_equal(posters[i].out.code, TALEA_OK);
    }
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_OK);
    assert_int_equal(talea_unit_outcome_count(unit), 2);
    talea_unit_free(unit);
    int64_t cash = 0;
    assert_true(balance_of(&l.handle, "main", "cash", &cash));
    assert_int_equal(cash, 14);
    ledger_free(&l);
}

/* A waiter for room gets it as soon as there is some. */
static void room_is_handed_on(void **state) {
    ledger l;
    poster posters[12];
    begin(&l, 2, 1);
    wrap_hold(&l.wrap, true);
    for (int i = 0; i < 12; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        start_poster(&posters[i], &l, key, "cash", 1);
    }
    await_pending(&l, 2);
    wrap_hold(&l.wrap, false);
    for (int i = 0; i < 12; i++) {
        join(&posters[i]);
        assert_int_equal(posters[i].out.code, TALEA_OK);
    }
    assert_int_equal(watermark(&l.handle, "main"), FURNITURE + 12);
    ledger_free(&l);
}

/* INV-C3: "deduplicated" and "conflict" rest on a draft whose sync is still out. */
static void answers_wait_for_what_they_rest_on(void **state) {
    ledger l;
    poster first;
    poster again;
    begin(&l, 0, 0);
    wrap_hold(&l.wrap, true);
    start_poster(&first, &l, "k", "cash", 1);
    wrap_await_held(&l.wrap);
    start_poster(&again, &l, "k", "cash", 1);
    usleep(50000);
    assert_false(atomic_load(&again.done));
    wrap_hold(&l.wrap, false);
    join(&first);
    join(&again);
    assert_int_equal(first.out.status, TALEA_STATUS_COMMITTED);
    assert_int_equal(again.out.code, TALEA_OK);
    assert_int_equal(again.out.status, TALEA_STATUS_DEDUPLICATED);
    assert_int_equal(again.out.seq, first.out.seq);
    assert_int_equal(again.out.at, first.out.at);
    assert_memory_equal(again.out.txid, first.out.txid, 16);
    ledger_free(&l);
}

/* What is pending counts when the next is judged, in order; a refusal leaves its company in the
 * group alone, and is not told before what it rests on is durable. */
static void judged_in_order_within_a_group(void **state) {
    ledger l;
    poster hold;
    poster refused;
    poster cover;
    poster draw[2];
    begin(&l, 0, 0);
    assert_int_equal(post(&l.handle, "main", "seed", "cash", "rev", 100).code, TALEA_OK);
    wrap_hold(&l.wrap, true);
    start_poster(&hold, &l, "hold", "cash", 1);
    wrap_await_held(&l.wrap);
    start_poster(&refused, &l, "overdraft", "wallet", 5); /* never below zero, and nothing is in it
                                                           */
    start_poster(&cover, &l, "cover", "cash", 1);
    await_pending(&l, 2);
    for (int i = 0; i < 2; i++) { /* the same key, other content: one of the two */
        start_poster(&draw[i], &l, "draw", "bank", 1 + i);
    }
    await_pending(&l, 3);
    usleep(20000);
    assert_false(atomic_load(&refused.done));
    assert_false(atomic_load(&draw[0].done) || atomic_load(&draw[1].done));
    wrap_hold(&l.wrap, false);
    join(&hold);
    join(&refused);
    join(&cover);
    join(&draw[0]);
    join(&draw[1]);
    assert_int_equal(hold.out.code, TALEA_OK);
    assert_int_equal(refused.out.code, TALEA_CONSTRAINT_VIOLATION);
    assert_int_equal(cover.out.code, TALEA_OK);
    assert_true((draw[0].out.code == TALEA_OK) != (draw[1].out.code == TALEA_OK));
    assert_int_equal(draw[0].out.code + draw[1].out.code, TALEA_IDEMPOTENCY_CONFLICT);
    assert_int_equal(watermark(&l.handle, "main"), FURNITURE + 4);
    assert_int_equal(verify_book(&l.handle, "main").problems, 0);
    ledger_free(&l);
}

/* A lone unit pays one sync; so does one of a thousand drafts. (Background work syncs as well; the
 * space is there already.) */
static void one_unit_one_sync(void **state) {
    ledger l;
    talea_error err;
    talea_book_stats before;
    talea_book_stats after;
    begin(&l, 0, 0);
    assert_int_equal(talea_stats(&l.handle, text("main"), &before, &err), TALEA_OK);
    talea_unit *unit = NULL;
    assert_int_equal(talea_unit_new(&l.handle, &unit, &err), TALEA_OK);
    for (int i = 0; i < 1000; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(add_post(unit, "main", key, "cash", "rev", 1, false, &err), TALEA_OK);
    }
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_OK);
    talea_unit_free(unit);
    assert_int_equal(talea_stats(&l.handle, text("main"), &after, &err), TALEA_OK);
    assert_int_equal(after.groups - before.groups, 1);
    usleep(200000); /* proof and background work are over; more may come up at any post */
    unsigned lone = 0;
    for (int i = 0; i < 20; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "lone%d", i);
        unsigned long syncs = wrap_syncs(&l.wrap);
        assert_int_equal(post(&l.handle, "main", key, "cash", "rev", 1).code, TALEA_OK);
        assert_true(wrap_syncs(&l.wrap) > syncs);
        lone += wrap_syncs(&l.wrap) == syncs + 1;
    }
    assert_true(lone >= 10);
    ledger_free(&l);
}

/* After 3 s of silence no writer is left; the next unit starts one. */
static void idle_writer_retires(void **state) {
    ledger l;
    talea_error err;
    talea_book_stats stats;
    begin(&l, 0, 0);
    for (int round = 0; round < 2; round++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", round);
        assert_int_equal(post(&l.handle, "main", key, "cash", "rev", 1).code, TALEA_OK);
        assert_int_equal(talea_stats(&l.handle, text("main"), &stats, &err), TALEA_OK);
        assert_int_equal(stats.state, TALEA_BOOK_OPEN);
        for (int i = 0; i < 100 && stats.state == TALEA_BOOK_OPEN; i++) {
            usleep(100000);
            assert_int_equal(talea_stats(&l.handle, text("main"), &stats, &err), TALEA_OK);
        }
        assert_int_equal(stats.state, TALEA_BOOK_IDLE);
    }
    ledger_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_units_share_a_sync),
        cmocka_unit_test(group_max_is_kept),
        cmocka_unit_test(overloaded),
        cmocka_unit_test(room_is_handed_on),
        cmocka_unit_test(answers_wait_for_what_they_rest_on),
        cmocka_unit_test(judged_in_order_within_a_group),
        cmocka_unit_test(one_unit_one_sync),
        cmocka_unit_test(idle_writer_retires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
