/*
 * thread.h: mutexes that know their holder, threads that block every signal, and the gate, a
 * broadcast wake in one system call.
 *
 * Purpose:    the only file that sees pthread and futex.
 * Owns:       what *_init makes, until *_destroy.
 * Threads:    that is what it is for.
 */
#ifndef TL_BASE_THREAD_H
#define TL_BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct tl_mutex {
    pthread_mutex_t mutex;
#ifndef NDEBUG
    _Atomic(uintptr_t) holder; /* so that _locked functions can assert tl_mutex_held */
#endif
} tl_mutex;

/* For a mutex with static storage; one of these is never destroyed. */
#define TL_MUTEX_INIT                                                                              \
    { .mutex = PTHREAD_MUTEX_INITIALIZER }

void tl_mutex_init(tl_mutex *mutex);
void tl_mutex_destroy(tl_mutex *mutex);
void tl_mutex_lock(tl_mutex *mutex);
void tl_mutex_unlock(tl_mutex *mutex);
/* false: somebody holds it. */
bool tl_mutex_try(tl_mutex *mutex);
/* Debug builds: does the calling thread hold it? Release builds: true. For assertions only. */
bool tl_mutex_held(const tl_mutex *mutex);

typedef struct tl_cond {
    pthread_cond_t cond;
} tl_cond;

void tl_cond_init(tl_cond *cond); /* CLOCK_MONOTONIC where the system lets one choose */
void tl_cond_destroy(tl_cond *cond);
/* false when `timeout_ms` (<= 0: now) passed first. May wake early; the caller looks again. */
bool tl_cond_wait_ms(tl_cond *cond, tl_mutex *mutex, int64_t timeout_ms);
void tl_cond_signal(tl_cond *cond);
void tl_cond_broadcast(tl_cond *cond);

/* Starts a joinable thread with every signal blocked. Returns 0 or an errno. */
int tl_thread_start(pthread_t *out_thread, void *(*run)(void *), void *arg);

/* A gate is a 32-bit word that waiters sleep on until it changes. On Linux a futex: one system call
 * wakes every waiter, and none of them takes a lock on the way out; elsewhere a mutex and a
 * condition.
 *
 * Lifetime: tl_gate_open touches nothing of the gate once a waiter can see the new word. So whoever
 * has seen it may destroy and free the gate, though tl_gate_open has not returned yet, provided
 * that no other thread is, or will be, in a call on this gate (with several waiters: the last one
 * out). */
typedef struct tl_gate {
    _Atomic(uint64_t) word; /* low half: the word itself; high half: how many sleep, or are about to
                             */
#ifndef __linux__
    pthread_mutex_t mutex;
    pthread_cond_t cond;
#endif
} tl_gate;

void tl_gate_init(tl_gate *gate, uint32_t word);
void tl_gate_destroy(tl_gate *gate);
uint32_t tl_gate_load(tl_gate *gate); /* acquire */
/* Sleeps while the word is `seen`; timeout_ms < 0: for ever. May return early; the caller looks
 * again. false when the time is up. */
bool tl_gate_wait(tl_gate *gate, uint32_t seen, int64_t timeout_ms);
/* Stores `word` (release) and wakes every sleeper. Costs no system call when nobody sleeps. */
void tl_gate_open(tl_gate *gate, uint32_t word);

/* As tl_gate_open with a word that is one more: for gates whose word only counts, and that many ring at once. */
void tl_gate_ring(tl_gate *gate);

int64_t tl_monotonic_us(void);

#endif
