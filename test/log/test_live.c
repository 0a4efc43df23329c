/* ctest: tsan
 *
 * One writer, one background thread, readers, a verifier and read-only openings, all at once.
 * INV-D2, INV-D17.
 *
 * Oracle: the writer publishes what was acknowledged; a reader finds exactly those bytes there, a read-only opening and a
 * verify at least those events, and nobody ever sees damage although writes become visible piece by
 * piece.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faulty_io.h"
#include "logbook.h"

enum { GROUPS = 2500 };

typedef struct live {
    tl_io *below;
    faulty_io faulty;
    logbook book;
    _Atomic(size_t) published; /* groups in book.groups that are acknowledged */
    _Atomic(bool) work;
    _Atomic(bool) over;
    _Atomic(uint64_t) failures;
    _Atomic(uint64_t) openings;
    _Atomic(uint64_t) reads;
    _Atomic(uint64_t) verified;
} live;

static void on_work(void *context) {
    live *l = context;
    atomic_store(&l->work, true);
}

/* cmocka's assertions jump, which only its own thread may do. */
static void check(live *l, bool fine, const char *what, const char *words) {
    if (!fine && atomic_fetch_add(&l->failures, 1) < 5) {
        print_error("%s: %s\n", what, words);
    }
}

static void *run_background(void *arg) {
    live *l = arg;
    while (!atomic_load(&l->over)) {
        if (atomic_exchange(&l->work, false)) {
            tl_log_prepare(l->book.log);
        }
    }
    return NULL;
}

static void *run_reader(void *arg) {
    live *l = arg;
    tl_log_reader *reader = tl_log_reader_new(l->book.log);
    talea_error err = {0};
    uint64_t z = 5;
    while (!atomic_load(&l->over)) {
        size_t published = atomic_load(&l->published);
        if (published == 0) {
            continue;
        }
        z = z * 6364136223846793005U + 1442695040888963407U;
        size_t back = (size_t)(z >> 40) % 50;
        const logbook_group *g = &l->book.groups[back < published ? published - 1 - back : 0];
        const uint8_t *data = NULL;
        uint8_t due[1024];
        talea_code code = tl_log_read(reader, g->place.segment, g->place.offset,
                                      g->place.group_end - g->place.offset, &data, &err);
        check(l, code == TALEA_OK, "read", err.message);
        if (code == TALEA_OK) {
            size_t len = logbook_body(&l->book, g->first_seq, due, sizeof due);
            check(l, memcmp(data + TL_GROUP_HEADER_BYTES + TL_FRAME_HEADER_BYTES, due, len) == 0,
                  "read", "other bytes");
            check(l,
                  tl_log_position(l->book.log, g->place.segment, g->place.group_end) <=
                      tl_log_bytes(l->book.log),
                  "position", "past the end");
            check(l, tl_log_segments(l->book.log) >= g->place.segment, "segments", "too few");
        }
        atomic_fetch_add(&l->reads, 1);
    }
    tl_log_reader_free(reader);
    return NULL;
}

typedef struct counting {
    uint64_t events;
    live *live;
} counting;

static talea_code count_event(void *context, const tl_log_event *event, talea_error *err) {
    counting *c = context;
    (void)err;
    check(c->live, event->seq == c->events + 1, "event", "out of order");
    c->events = event->seq;
    return TALEA_OK;
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, const char *words) {
    counting *c = context;
    char text[300];
    (void)snprintf(text, sizeof text, "segment %u, offset %llu: %s", segment,
                   (unsigned long long)offset, words);
    check(c->live, false, "verify", text);
}

static uint64_t acknowledged(live *l) {
    size_t published = atomic_load(&l->published);
    const logbook_group *g = published > 0 ? &l->book.groups[published - 1] : NULL;
    return g ? g->first_seq + g->events - 1 : 0;
}

static void *run_verifier(void *arg) {
    live *l = arg;
    talea_error err = {0};
    while (!atomic_load(&l->over)) {
        uint64_t least = acknowledged(l);
        counting c = {.live = l};
        talea_code code =
            tl_log_verify(l->book.log, least, count_event, on_problem, NULL, &c, &err);
        check(l, code == TALEA_OK, "verify", err.message);
        check(l, c.events == least, "verify", "other events");
        atomic_fetch_add(&l->verified, 1);
    }
    return NULL;
}

/* As another process would: it shares nothing but the files. */
static void *run_opener(void *arg) {
    live *l = arg;
    talea_error err = {0};
    tl_log_config config = {
        .io = &l->faulty.io, .dir = LOGBOOK_DIR, .name = {"main", 4}, .read_only = true};
    while (!atomic_load(&l->over)) {
        uint64_t least = acknowledged(l);
        counting c = {.live = l};
        tl_log *log = NULL;
        talea_code code = tl_log_open(&config, count_event, &c, &log, &err);
        check(l, code == TALEA_OK, "read-only opening", err.message);
        if (code == TALEA_OK) {
            check(l, c.events >= least, "read-only opening", "lost events");
            (void)tl_log_close(log, &err);
        }
        atomic_fetch_add(&l->openings, 1);
    }
    return NULL;
}

static void run(uint32_t segment_bytes_max, size_t split) {
    static live l; /* large */
    talea_error err;
    pthread_t threads[4];
    void *(*const runs[4])(void *) = {run_background, run_reader, run_verifier, run_opener};
    memset(&l, 0, sizeof l);
    l.below = tl_io_memory_new();
    faulty_init(&l.faulty, l.below);
    l.faulty.split = split;
    logbook_init(&l.book, &l.faulty.io, segment_bytes_max, true);
    l.book.config.on_work = on_work;
    l.book.config.context = &l;
    assert_int_equal(logbook_create(&l.book, &err), TALEA_OK);
    assert_int_equal(logbook_open(&l.book, &err), TALEA_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &l), 0);
    }
    for (unsigned i = 0; i < GROUPS && atomic_load(&l.failures) == 0; i++) {
        assert_int_equal(logbook_append(&l.book, 1 + i % 2, 1 + i % 5, &err), TALEA_OK);
        atomic_store(&l.published, l.book.group_count);
        if (i % 50 == 49) {
            assert_int_equal(tl_log_prove(l.book.log, &err), TALEA_OK);
        }
    }
    atomic_store(&l.over, true);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&l.failures), 0);
    print_message("segments %u, reads %llu, verified %llu, opened read-only %llu\n",
                  tl_log_segments(l.book.log), (unsigned long long)l.reads,
                  (unsigned long long)l.verified, (unsigned long long)l.openings);
    logbook_kill(&l.book);
    assert_int_equal(logbook_open(&l.book, &err), TALEA_OK);
    assert_int_equal(l.book.delivered, l.book.next_seq - 1);
    logbook_done(&l.book);
    faulty_done(&l.faulty);
    tl_io_memory_free(l.below);
}

static void test_small_segments(void **state) {
    run(4096, 0);
    run(8192, 24);
}

static void test_one_segment(void **state) {
    run(1 << 20, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_segments),
        cmocka_unit_test(test_one_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
