/*
 * thread.c: mutexes, conditions and threads over pthreads; the gate over a futex.
 *
 * How the gate loses no wake-up, on Linux. The word and the number of sleepers are the two halves
 * of one 64-bit atomic, so every change to either falls into one order:
 *
 *   waiter                                  opener
 *   1. sleepers += 1, reads the word        A. stores the word, reads sleepers, in one step
 *   2. word still `seen`: futex wait        B. sleepers were > 0: futex wake, all of them
 *   3. sleepers -= 1
 *
 *   1 before A: the opener sees the sleeper and makes the call B. The kernel compares the word and
 *     queues the waiter under one lock that B takes too: either the waiter is queued before B and
 * is woken by it, or it compares after B, thus after A, and does not sleep. A before 1: the waiter
 * reads the new word in step 1 and does not sleep.
 *
 * How the opener leaves no trace. A is its last access to the gate: B gives the kernel an address,
 * and a private futex wake does not look at what is there. Should a waiter have freed the gate in
 * between, B wakes at worst somebody else's futex at that address once too often, which every user
 * of futexes must bear (the semaphores and mutexes of glibc do the same, and for the same reason).
 *
 * Tried on paper and left: two separate atomics (needs the full fence between store and load on both
 * sides, which TSan does not model, and the opener then reads `sleepers` after the store, in memory
 * that may be gone); a flag instead of a number (saves step 3, but loses a wake-up when the word
 * goes back to an earlier value while a waiter stands between 1 and 2).
 *
 * Failures of pthread_mutex_lock and its like can only be our own misuse, so they are asserted.
 */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <time.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* A release build drops the assertion, not the call. */
static void must(int rc) {
    assert(rc == 0);
    (void)rc;
}

enum { MS_PER_SECOND = 1000, NS_PER_MS = 1000000, NS_PER_SECOND = 1000000000 };

/* Longer waits are cut to this, some thirty years, so that deadlines cannot overflow. */
static const int64_t wait_ms_max = (int64_t)1000000000 * MS_PER_SECOND;

static struct timespec duration(int64_t timeout_ms) {
    int64_t ms = timeout_ms < 0 ? 0 : timeout_ms > wait_ms_max ? wait_ms_max : timeout_ms;
    return (struct timespec){.tv_sec = (time_t)(ms / MS_PER_SECOND),
                             .tv_nsec = (long)(ms % MS_PER_SECOND) * NS_PER_MS};
}

int64_t tl_monotonic_us(void) {
    struct timespec now;
    must(clock_gettime(CLOCK_MONOTONIC, &now));
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- Mutex --------------------------------------------------------------------------------- */

#ifndef NDEBUG
/* No thread's id is 0 where we run: it is a pointer to the thread's own block. */
static uintptr_t self(void) {
    return (uintptr_t)pthread_self();
}
#endif

static void set_holder(tl_mutex *mutex) {
#ifndef NDEBUG
    atomic_store_explicit(&mutex->holder, self(), memory_order_relaxed);
#else
    (void)mutex;
#endif
}

static void clear_holder(tl_mutex *mutex) {
#ifndef NDEBUG
    assert(tl_mutex_held(mutex));
    atomic_store_explicit(&mutex->holder, 0, memory_order_relaxed);
#else
    (void)mutex;
#endif
}

void tl_mutex_init(tl_mutex *mutex) {
    must(pthread_mutex_init(&mutex->mutex, NULL));
#ifndef NDEBUG
    atomic_init(&mutex->holder, 0);
#endif
}

void tl_mutex_destroy(tl_mutex *mutex) {
    must(pthread_mutex_destroy(&mutex->mutex));
}

void tl_mutex_lock(tl_mutex *mutex) {
#ifndef NDEBUG
    assert(!tl_mutex_held(mutex)); /* it would wait for itself */
#endif
    must(pthread_mutex_lock(&mutex->mutex));
    set_holder(mutex);
}

bool tl_mutex_try(tl_mutex *mutex) {
#ifndef NDEBUG
    assert(!tl_mutex_held(mutex));
#endif
    int rc = pthread_mutex_trylock(&mutex->mutex);
    assert(rc == 0 || rc == EBUSY);
    if (rc == 0) {
        set_holder(mutex);
    }
    return rc == 0;
}

void tl_mutex_unlock(tl_mutex *mutex) {
    clear_holder(mutex);
    must(pthread_mutex_unlock(&mutex->mutex));
}

/* Relaxed is enough: a thread sees its own last store, and no other thread stores this thread's id. */
bool tl_mutex_held(const tl_mutex *mutex) {
#ifndef NDEBUG
    return atomic_load_explicit(&mutex->holder, memory_order_relaxed) == self();
#else
    (void)mutex;
    return true;
#endif
}

/* ---- Condition ------------------------------------------------------------------------------- */

static void cond_init_monotonic(pthread_cond_t *cond) {
#ifdef __APPLE__
    must(pthread_cond_init(cond, NULL)); /* waits by a relative time instead */
#else
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_cond_init(cond, &attr));
    must(pthread_condattr_destroy(&attr));
#endif
}

static bool cond_wait_for(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t timeout_ms) {
    struct timespec time = duration(timeout_ms);
#ifdef __APPLE__
    int rc = pthread_cond_timedwait_relative_np(cond, mutex, &time);
#else
    struct timespec now;
    must(clock_gettime(CLOCK_MONOTONIC, &now));
    time.tv_sec += now.tv_sec;
    time.tv_nsec += now.tv_nsec;
    if (time.tv_nsec >= NS_PER_SECOND) {
        time.tv_nsec -= NS_PER_SECOND;
        time.tv_sec += 1;
    }
    int rc = pthread_cond_timedwait(cond, mutex, &time);
#endif
    assert(rc == 0 || rc == ETIMEDOUT);
    return rc != ETIMEDOUT;
}

void tl_cond_init(tl_cond *cond) {
    cond_init_monotonic(&cond->cond);
}

void tl_cond_destroy(tl_cond *cond) {
    must(pthread_cond_destroy(&cond->cond));
}

bool tl_cond_wait_ms(tl_cond *cond, tl_mutex *mutex, int64_t timeout_ms) {
    clear_holder(mutex);
    bool in_time = cond_wait_for(&cond->cond, &mutex->mutex, timeout_ms);
    set_holder(mutex);
    return in_time;
}

void tl_cond_signal(tl_cond *cond) {
    must(pthread_cond_signal(&cond->cond));
}

void tl_cond_broadcast(tl_cond *cond) {
    must(pthread_cond_broadcast(&cond->cond));
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* The new thread inherits the mask, so there is no moment in which a signal of the host's could
 * land on it. What fails here is short of memory or threads, not misused. */
int tl_thread_start(pthread_t *out_thread, void *(*run)(void *), void *arg) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc != 0) {
        return rc;
    }
    pthread_t thread;
    rc = pthread_create(&thread, NULL, run, arg);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL));
    if (rc == 0) {
        *out_thread = thread;
    }
    return rc;
}

/* ---- Gate ------------------------------------------------------------------------------------ */

#ifdef __linux__

static const uint64_t one_sleeper = (uint64_t)1 << 32;

static uint32_t word_of(uint64_t state) {
    return (uint32_t)state;
}

static uint64_t sleepers_of(uint64_t state) {
    return state >> 32;
}

/* Where the kernel finds the low half. Passed to it, and never followed here. */
static const void *futex_address(tl_gate *gate) {
    const char *address = (const char *)&gate->word;
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? address : address + sizeof(uint32_t);
}

void tl_gate_init(tl_gate *gate, uint32_t word) {
    atomic_init(&gate->word, word);
}

void tl_gate_destroy(tl_gate *gate) {
    assert(sleepers_of(atomic_load_explicit(&gate->word, memory_order_relaxed)) == 0);
    (void)gate;
}

uint32_t tl_gate_load(tl_gate *gate) {
    return word_of(atomic_load_explicit(&gate->word, memory_order_acquire));
}

bool tl_gate_wait(tl_gate *gate, uint32_t seen, int64_t timeout_ms) {
    if (tl_gate_load(gate) != seen) {
        return true;
    }
    bool in_time = true;
    uint64_t state = atomic_fetch_add_explicit(&gate->word, one_sleeper, memory_order_acq_rel);
    if (word_of(state) == seen) {
        struct timespec time = duration(timeout_ms);
        long rc = syscall(SYS_futex, futex_address(gate), FUTEX_WAIT_PRIVATE, seen,
                          timeout_ms < 0 ? NULL : &time, NULL, 0);
        /* EAGAIN: the word is another one. EINTR: the caller looks again, as after any wake. */
        in_time = rc == 0 || errno != ETIMEDOUT;
    }
    atomic_fetch_sub_explicit(&gate->word, one_sleeper, memory_order_acq_rel);
    return in_time;
}

/* From the exchange on the gate may be gone. */
static void change(tl_gate *gate, uint32_t word, bool count) {
    const void *address = futex_address(gate);
    uint64_t state = atomic_load_explicit(&gate->word, memory_order_relaxed);
    uint64_t next;
    do {
        next = (state & ~(uint64_t)UINT32_MAX) | (count ? word_of(state) + 1 : word);
    } while (!atomic_compare_exchange_weak_explicit(&gate->word, &state, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (sleepers_of(state) > 0) {
        (void)syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
}

void tl_gate_open(tl_gate *gate, uint32_t word) {
    change(gate, word, false);
}

void tl_gate_ring(tl_gate *gate) {
    change(gate, 0, true);
}

#else

/* The same promise with a mutex: a waiter sees the new word only under the mutex, that is, after the
 * opener's unlock, and POSIX lets a mutex be destroyed as soon as another thread has unlocked it.
 * The high half of the state stays 0. */

void tl_gate_init(tl_gate *gate, uint32_t word) {
    atomic_init(&gate->word, word);
    must(pthread_mutex_init(&gate->mutex, NULL));
    cond_init_monotonic(&gate->cond);
}

void tl_gate_destroy(tl_gate *gate) {
    must(pthread_cond_destroy(&gate->cond));
    must(pthread_mutex_destroy(&gate->mutex));
}

static uint32_t load_locked(tl_gate *gate) {
    return (uint32_t)atomic_load_explicit(&gate->word, memory_order_relaxed);
}

uint32_t tl_gate_load(tl_gate *gate) {
    must(pthread_mutex_lock(&gate->mutex));
    uint32_t word = load_locked(gate);
    must(pthread_mutex_unlock(&gate->mutex));
    return word;
}

bool tl_gate_wait(tl_gate *gate, uint32_t seen, int64_t timeout_ms) {
    bool in_time = true;
    must(pthread_mutex_lock(&gate->mutex));
    if (load_locked(gate) == seen) {
        if (timeout_ms < 0) {
            must(pthread_cond_wait(&gate->cond, &gate->mutex));
        } else {
            in_time = cond_wait_for(&gate->cond, &gate->mutex, timeout_ms);
        }
    }
    must(pthread_mutex_unlock(&gate->mutex));
    return in_time;
}

static void change(tl_gate *gate, uint32_t word, bool count) {
    must(pthread_mutex_lock(&gate->mutex));
    word = count ? load_locked(gate) + 1 : word;
    atomic_store_explicit(&gate->word, word, memory_order_relaxed);
    must(pthread_cond_broadcast(&gate->cond));
    must(pthread_mutex_unlock(&gate->mutex));
}

void tl_gate_open(tl_gate *gate, uint32_t word) {
    change(gate, word, false);
}

void tl_gate_ring(tl_gate *gate) {
    change(gate, 0, true);
}

#endif
