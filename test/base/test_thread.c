/*
 * Mutexes, conditions, threads and the gate. Oracles: counters that only mutual exclusion keeps
 * right, the kernel's own view of a signal mask, and for wake-ups a deadline: every wait that must
 * end is given ten seconds, and running into them is a lost wake-up.
 */
/* ctest: tsan */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/thread.h"
#include "rng.h"

enum { PATIENCE_MS = 10000 };

static void start(pthread_t *thread, void *(*run)(void *), void *arg) {
    assert_int_equal(tl_thread_start(thread, run, arg), 0);
}

/* What a thread found wrong, for the main thread to report: cmocka's assertions belong to that one.
 */
static void *join(pthread_t thread) {
    void *result = NULL;
    assert_int_equal(pthread_join(thread, &result), 0);
    return result;
}

/* ---- Mutex and condition --------------------------------------------------------------------- */

typedef struct shared {
    tl_mutex mutex;
    tl_cond cond;
    int64_t count; /* [mutex] */
    bool held_elsewhere;
} shared;

static void *add_many(void *arg) {
    shared *s = arg;
    for (int i = 0; i < 20000; i++) {
        tl_mutex_lock(&s->mutex);
        s->count++;
        tl_mutex_unlock(&s->mutex);
    }
    return NULL;
}

static void mutex_excludes(void **state) {
    shared s = {0};
    tl_mutex_init(&s.mutex);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        start(&threads[i], add_many, &s);
    }
    for (int i = 0; i < 4; i++) {
        join(threads[i]);
    }
    assert_int_equal(s.count, 4 * 20000);
    tl_mutex_destroy(&s.mutex);
}

static void *ask_whether_held(void *arg) {
    shared *s = arg;
    s->held_elsewhere = tl_mutex_held(&s->mutex);
    return NULL;
}

static void mutex_knows_its_holder(void **state) {
#ifdef NDEBUG
    skip();
#endif
    static tl_mutex unborn = TL_MUTEX_INIT;
    tl_mutex_lock(&unborn);
    assert_true(tl_mutex_held(&unborn));
    tl_mutex_unlock(&unborn);
    assert_false(tl_mutex_held(&unborn));

    shared s = {0};
    tl_mutex_init(&s.mutex);
    tl_cond_init(&s.cond);
    assert_false(tl_mutex_held(&s.mutex));
    tl_mutex_lock(&s.mutex);
    assert_true(tl_mutex_held(&s.mutex));
    pthread_t thread;
    start(&thread, ask_whether_held, &s);
    join(thread);
    assert_false(s.held_elsewhere);
    assert_false(tl_cond_wait_ms(&s.cond, &s.mutex, 1));
    assert_true(tl_mutex_held(&s.mutex)); /* again, after the wait */
    tl_mutex_unlock(&s.mutex);
    assert_false(tl_mutex_held(&s.mutex));
    tl_cond_destroy(&s.cond);
    tl_mutex_destroy(&s.mutex);
}

static void *hand_over(void *arg) {
    shared *s = arg;
    tl_mutex_lock(&s->mutex);
    for (int i = 0; i < 500; i++) {
        while (s->count % 2 == 0) {
            (void)tl_cond_wait_ms(&s->cond, &s->mutex, PATIENCE_MS);
        }
        s->count++;
        tl_cond_signal(&s->cond);
    }
    tl_mutex_unlock(&s->mutex);
    return NULL;
}

static void condition_hands_over(void **state) {
    shared s = {0};
    tl_mutex_init(&s.mutex);
    tl_cond_init(&s.cond);
    pthread_t thread;
    start(&thread, hand_over, &s);
    tl_mutex_lock(&s.mutex);
    for (int i = 0; i < 500; i++) {
        s.count++;
        tl_cond_broadcast(&s.cond);
        while (s.count % 2 == 1) {
            assert_true(tl_cond_wait_ms(&s.cond, &s.mutex, PATIENCE_MS));
        }
    }
    tl_mutex_unlock(&s.mutex);
    join(thread);
    assert_int_equal(s.count, 1000);
    tl_cond_destroy(&s.cond);
    tl_mutex_destroy(&s.mutex);
}

static void condition_times_out(void **state) {
    shared s = {0};
    tl_mutex_init(&s.mutex);
    tl_cond_init(&s.cond);
    tl_mutex_lock(&s.mutex);
    static const int64_t waits_ms[] = {-5, 0, 1, 30};
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        int64_t before = tl_monotonic_us();
        while (tl_cond_wait_ms(&s.cond, &s.mutex, waits_ms[i])) {
        }
        assert_true(tl_monotonic_us() - before >= waits_ms[i] * 1000);
    }
    tl_mutex_unlock(&s.mutex);
    tl_cond_destroy(&s.cond);
    tl_mutex_destroy(&s.mutex);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void *report_mask(void *arg) {
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return arg;
}

static void threads_block_signals(void **state) {
    sigset_t before;
    sigset_t after;
    sigset_t inside;
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &some, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    pthread_t thread;
    start(&thread, report_mask, &inside);
    assert_ptr_equal(join(thread), &inside);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < 32; signal++) {
        assert_int_equal(sigismember(&after, signal), sigismember(&before, signal));
        bool can_be_blocked = signal != SIGKILL && signal != SIGSTOP;
        assert_int_equal(sigismember(&inside, signal), can_be_blocked);
    }
    sigemptyset(&some);
    pthread_sigmask(SIG_SETMASK, &some, NULL);
}

/* ---- The gate ---------------------------------------------------------------------------------- */

static void gate_looks_first(void **state) {
    tl_gate gate;
    tl_gate_init(&gate, UINT32_MAX);
    assert_int_equal(tl_gate_load(&gate), UINT32_MAX);
    assert_true(tl_gate_wait(&gate, 0, -1)); /* the word is another one: no sleep */
    assert_true(tl_gate_wait(&gate, UINT32_MAX - 1, PATIENCE_MS));
    tl_gate_open(&gate, 7);
    assert_int_equal(tl_gate_load(&gate), 7);
    tl_gate_open(&gate, 0);
    assert_int_equal(tl_gate_load(&gate), 0);
    static const int64_t waits_ms[] = {0, 1, 30};
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        int64_t before = tl_monotonic_us();
        while (tl_gate_wait(&gate, 0, waits_ms[i])) {
        }
        assert_true(tl_monotonic_us() - before >= waits_ms[i] * 1000);
    }
    tl_gate_destroy(&gate);
}

/* Waits until the word is `word`; false when the patience ran out. */
static bool await_word(tl_gate *gate, uint32_t word) {
    for (uint32_t seen = tl_gate_load(gate); seen != word; seen = tl_gate_load(gate)) {
        if (!tl_gate_wait(gate, seen, PATIENCE_MS)) {
            return false;
        }
    }
    return true;
}

enum { CROWD = 8, ROUNDS = 300 };

typedef struct arena {
    tl_gate round;
    tl_gate arrived;
    _Atomic(uint32_t) arrivals;
    uint64_t payload; /* written before the round opens, read after it: TSan looks at this */
} arena;

static void *crowd_member(void *arg) {
    arena *a = arg;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        if (!await_word(&a->round, round) || a->payload != round * 3) {
            return arg;
        }
        if (atomic_fetch_add(&a->arrivals, 1) + 1 == CROWD) {
            tl_gate_open(&a->arrived, round);
        }
    }
    return NULL;
}

/* One opener, many sleepers, and back through a second gate with one sleeper and changing openers.
 */
static void gate_wakes_everybody(void **state) {
    arena a = {0};
    tl_gate_init(&a.round, 0);
    tl_gate_init(&a.arrived, 0);
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++) {
        start(&threads[i], crowd_member, &a);
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        a.payload = round * 3;
        atomic_store(&a.arrivals, 0);
        tl_gate_open(&a.round, round);
        assert_true(await_word(&a.arrived, round));
    }
    for (int i = 0; i < CROWD; i++) {
        assert_null(join(threads[i]));
    }
    tl_gate_destroy(&a.round);
    tl_gate_destroy(&a.arrived);
}

typedef struct pair {
    tl_gate ping;
    tl_gate pong;
    rng delays;
} pair;

enum { STROKES = 20000 };

static void dawdle(rng *delays) {
    for (volatile uint64_t i = rng_below(delays, 60); i > 0; i--) {
    }
}

static void *player(void *arg) {
    pair *p = arg;
    rng delays = {99};
    for (uint32_t i = 1; i <= STROKES; i++) {
        if (!await_word(&p->ping, i)) {
            return arg;
        }
        dawdle(&delays);
        tl_gate_open(&p->pong, i);
    }
    return NULL;
}

/* Each side opens just as the other is about to sleep, with small random delays to move the moment.
 */
static void gate_ping_pong(void **state) {
    pair p = {.delays = {98}};
    tl_gate_init(&p.ping, 0);
    tl_gate_init(&p.pong, 0);
    pthread_t thread;
    start(&thread, player, &p);
    for (uint32_t i = 1; i <= STROKES; i++) {
        dawdle(&p.delays);
        tl_gate_open(&p.ping, i);
        assert_true(await_word(&p.pong, i));
    }
    assert_null(join(thread));
    tl_gate_destroy(&p.ping);
    tl_gate_destroy(&p.pong);
}

typedef struct toggle {
    tl_gate gate;
    _Atomic(bool) done;
} toggle;

static void *toggle_waiter(void *arg) {
    toggle *t = arg;
    while (!atomic_load(&t->done)) {
        uint32_t seen = tl_gate_load(&t->gate);
        if (!atomic_load(&t->done) && !tl_gate_wait(&t->gate, seen, PATIENCE_MS)) {
            return arg;
        }
    }
    return NULL;
}

/* The word goes back and forth between two values: nobody may be forgotten because the word is the
 * old one again. The last change comes after `done`, so that whoever still sleeps is woken by it.
 */
static void gate_survives_old_words(void **state) {
    toggle t = {.done = false};
    tl_gate_init(&t.gate, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        start(&threads[i], toggle_waiter, &t);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        tl_gate_open(&t.gate, i & 1);
    }
    atomic_store(&t.done, true);
    tl_gate_open(&t.gate, 2);
    for (int i = 0; i < 4; i++) {
        assert_null(join(threads[i]));
    }
    tl_gate_destroy(&t.gate);
}

typedef struct relay {
    _Atomic(tl_gate *) gate; /* NULL: none yet */
} relay;

enum { SHORT_LIVES = 3000 };

static void *opener(void *arg) {
    relay *r = arg;
    for (int i = 0; i < SHORT_LIVES;) {
        tl_gate *gate = atomic_exchange(&r->gate, NULL);
        if (gate) {
            tl_gate_open(gate, 1);
            i++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

/* The waiter frees the gate as soon as it sees the new word, though tl_gate_open may not have
 * returned: AddressSanitizer and TSan see it when the opener touches the gate again. */
static void gate_may_be_freed_by_its_waiter(void **state) {
    relay r = {.gate = NULL};
    pthread_t thread;
    start(&thread, opener, &r);
    rng delays = {97};
    for (int i = 0; i < SHORT_LIVES; i++) {
        tl_gate *gate = malloc(sizeof *gate);
        assert_non_null(gate);
        tl_gate_init(gate, 0);
        atomic_store(&r.gate, gate);
        dawdle(&delays);
        assert_true(await_word(gate, 1));
        tl_gate_destroy(gate);
        free(gate);
    }
    assert_null(join(thread));
}

static void monotonic_clock(void **state) {
    int64_t last = tl_monotonic_us();
    for (int i = 0; i < 10000; i++) {
        int64_t now = tl_monotonic_us();
        assert_true(now >= last);
        last = now;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex_excludes),
        cmocka_unit_test(mutex_knows_its_holder),
        cmocka_unit_test(condition_hands_over),
        cmocka_unit_test(condition_times_out),
        cmocka_unit_test(threads_block_signals),
        cmocka_unit_test(gate_looks_first),
        cmocka_unit_test(gate_wakes_everybody),
        cmocka_unit_test(gate_ping_pong),
        cmocka_unit_test(gate_survives_old_words),
        cmocka_unit_test(gate_may_be_freed_by_its_waiter),
        cmocka_unit_test(monotonic_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
