/*
 * One thread stages under the stage lock, one applies under the read lock, one reads under the read
 * lock, all at once: what ThreadSanitizer has to say about it, and whether a reader ever sees a
 * trial balance that does not balance.
 */
/* ctest: tsan */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/thread.h"
#include "state/fixture.h"

enum { EVENTS = 20000, LEGS = 4 };

typedef struct event {
    bool opens;
    talea_account_def def;
    char name[16];
    talea_posting legs[LEGS];
    uint32_t leg_count;
} event;

typedef struct shared {
    tl_mutex stage_lock;
    tl_mutex read_lock;
    tl_state *state;
    event *events;
    uint32_t staged;  /* [stage] events[0 .. staged - 1] may be applied */
    uint32_t applied; /* [read] */
    _Atomic(bool) done;
} shared;

/* cmocka's assertions belong to the main thread. */
static void need(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void make_account(shared *s, event *e, uint32_t number) {
    talea_error err;
    snprintf(e->name, sizeof e->name, "acc%u", number);
    e->opens = true;
    e->def = account_def(e->name, number % 3 ? "EUR" : "USD", TALEA_KIND_CLEARING);
    tl_account *account = NULL;
    need(!tl_state_resolve_account(s->state, e->def.account), "a new name is taken");
    need(tl_state_stage_account(s->state, &e->def, &account, &err) == TALEA_OK, err.message);
    need(tl_state_resolve_account(s->state, e->def.account) == account, "not staged");
}

static void make_draft(shared *s, event *e, rng *seed) {
    talea_error err;
    uint32_t count = staged_account_count(s->state);
    e->opens = false;
    e->leg_count = rng_below(seed, 4) ? 2 : 4;
    for (uint32_t i = 0; i < e->leg_count; i += 2) {
        uint32_t a = rng_below(seed, count);
        uint32_t b = rng_below(seed, count);
        if (tl_state_account(s->state, a)->asset_id != tl_state_account(s->state, b)->asset_id) {
            b = a;
        }
        talea_i128 amount = 1 + rng_below(seed, 1000);
        e->legs[i] = debit(a, amount);
        e->legs[i + 1] = credit(b, amount);
    }
    need(tl_state_stage_transaction(s->state, e->legs, e->leg_count, &err) == TALEA_OK,
         err.message);
}

static void *stage_events(void *arg) {
    shared *s = arg;
    rng seed = {11};
    uint32_t accounts = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        tl_mutex_lock(&s->stage_lock);
        event *e = &s->events[i];
        if (i < 8 || i % 20 == 0) {
            make_account(s, e, accounts++);
        } else {
            make_draft(s, e, &seed);
        }
        if (i % 7 == 0) { /* a unit that is refused and comes again */
            if (e->opens) {
                tl_state_unstage_account(s->state);
                make_account(s, e, accounts - 1);
            } else {
                tl_state_unstage_transaction(s->state, e->legs, e->leg_count);
                make_draft(s, e, &seed);
            }
        }
        s->staged = i + 1;
        tl_mutex_unlock(&s->stage_lock);
    }
    return NULL;
}

static void *apply_events(void *arg) {
    shared *s = arg;
    talea_error err;
    for (uint32_t applied = 0; applied < EVENTS;) {
        tl_mutex_lock(&s->stage_lock);
        uint32_t upto = s->staged;
        tl_mutex_unlock(&s->stage_lock);
        tl_mutex_lock(&s->read_lock);
        for (; applied < upto; applied++) {
            const event *e = &s->events[applied];
            uint64_t seq = applied + 1;
            talea_code code = TALEA_OK;
            if (e->opens) {
                code = apply_account_event(s->state, &e->def, seq, (int64_t)seq, false, &err);
            } else {
                tl_transaction transaction = {.legs = e->legs, .leg_count = e->leg_count};
                code = apply_transaction_event(s->state, &transaction, seq, false, &err);
            }
            need(code == TALEA_OK, "applying failed");
        }
        s->applied = applied;
        tl_mutex_unlock(&s->read_lock);
    }
    s->done = true;
    return NULL;
}

static void look(shared *s) {
    uint32_t count = tl_state_account_count(s->state);
    talea_i128 difference = 0;
    for (uint32_t i = 0; i < count; i++) {
        const tl_account *account = tl_state_account(s->state, i);
        need(account->opened_seq > 0, "a visible account is not opened");
        need(tl_state_find_account(s->state, account->def.account) == account, "not found");
        difference += account->debits - account->credits;
        if (account->history.count > 0) {
            talea_history_entry last;
            tl_history_get(&account->history, account->history.count - 1, &last);
            need(last.debits == account->debits && last.credits == account->credits,
                 "history and totals differ");
            need(last.seq == account->updated_seq, "updated_seq is not the last leg's");
        }
    }
    need(difference == 0, "the trial balance does not balance");
}

static void *read_state(void *arg) {
    shared *s = arg;
    uint64_t rounds = 0;
    while (!s->done || rounds == 0) {
        tl_mutex_lock(&s->read_lock);
        look(s);
        uint32_t count = tl_state_account_count(s->state);
        tl_mutex_unlock(&s->read_lock);
        for (uint32_t i = 0; i < count; i++) { /* definitions: no lock */
            need(tl_state_account(s->state, i)->def.account.len > 0, "a nameless account");
        }
        rounds++;
    }
    return NULL;
}

static void staging_beside_applying(void **unused) {
    shared s = {.state = tl_state_new(), .events = calloc(EVENTS, sizeof(event))};
    assert_non_null(s.state);
    assert_non_null(s.events);
    tl_mutex_init(&s.stage_lock);
    tl_mutex_init(&s.read_lock);
    void *(*const mains[])(void *) = {stage_events, apply_events, read_state};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tl_thread_start(&threads[i], mains[i], &s), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(s.applied, EVENTS);
    assert_int_equal(tl_state_account_count(s.state), staged_account_count(s.state));
    for (uint32_t i = 0; i < tl_state_account_count(s.state); i++) {
        const tl_account *account = tl_state_account(s.state, i);
        assert_true(account->staged_debits == account->debits);
        assert_true(account->staged_credits == account->credits);
    }
    tl_state_free(s.state);
    tl_mutex_destroy(&s.read_lock);
    tl_mutex_destroy(&s.stage_lock);
    free(s.events);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staging_beside_applying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
