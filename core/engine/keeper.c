/*
 * The keeper: one thread a ledger for what must not be done in anybody's waiting time: pre-writing space, making spare segments,
 * sealing old ones. Starts with the first job, retires when there is none.
 */
#include "engine/engine.h"

#include <assert.h>

enum { KEEPER_IDLE_MS = 3000 };

static tl_book *next_job_locked(tl_engine *engine) {
    assert(tl_mutex_held(&engine->lock));
    tl_book *book = engine->jobs_first;
    if (book) {
        engine->jobs_first = book->next_job;
        if (!engine->jobs_first) {
            engine->jobs_last = NULL;
        }
        book->next_job = NULL;
        book->job_queued = false;
    }
    return book;
}

static void *keeper_main(void *arg) {
    tl_engine *engine = arg;
    tl_mutex_lock(&engine->lock);
    for (;;) {
        tl_book *book = next_job_locked(engine);
        if (book) {
            tl_mutex_unlock(&engine->lock);
            tl_log_prepare(book->log);
            tl_book_unref(book);
            tl_mutex_lock(&engine->lock);
        } else if (engine->closing ||
                   (!tl_cond_wait_ms(&engine->keeper_wake, &engine->lock, KEEPER_IDLE_MS) &&
                    !engine->jobs_first)) {
            break;
        }
    }
    engine->keeper_running = false;
    tl_mutex_unlock(&engine->lock);
    return NULL;
}

/* [engine->lock] */
static bool start_locked(tl_engine *engine) {
    if (!engine->keeper_running) {
        if (engine->keeper_joinable) {
            pthread_join(engine->keeper, NULL); /* it left its loop: only its return is waited for
                                                 */
        }
        engine->keeper_running = tl_thread_start(&engine->keeper, keeper_main, engine) == 0;
        engine->keeper_joinable = engine->keeper_running;
    }
    return engine->keeper_running;
}

bool tl_keeper_submit(tl_book *book) {
    tl_engine *engine = book->engine;
    tl_mutex_lock(&engine->lock);
    bool taken = book->job_queued;
    if (!taken && !engine->closing && start_locked(engine)) {
        taken = true;
        book->job_queued = true;
        tl_book_ref(book);
        if (engine->jobs_last) {
            engine->jobs_last->next_job = book;
        } else {
            engine->jobs_first = book;
        }
        engine->jobs_last = book;
        tl_cond_signal(&engine->keeper_wake);
    }
    tl_mutex_unlock(&engine->lock);
    return taken;
}

void tl_keeper_stop(tl_engine *engine) {
    tl_mutex_lock(&engine->lock);
    engine->closing = true;
    bool join = engine->keeper_joinable;
    engine->keeper_joinable = false;
    tl_cond_broadcast(&engine->keeper_wake);
    tl_mutex_unlock(&engine->lock);
    if (join) {
        pthread_join(engine->keeper, NULL);
    }
}
