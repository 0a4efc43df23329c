/*
 * tl_log_verify: every damaged byte of a log in use is reported, in its segment; nothing else is.
 * Oracle: we know which byte was damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/segment.h"
#include "logbook.h"

static talea_error err;

typedef struct findings {
    logbook *book; /* first: logbook_check_event gets it */
    unsigned problems;
    uint32_t segment; /* of the first */
    uint64_t offset;
    uint64_t events;
    unsigned patience; /* asks of on_progress until it says stop; 0: never */
} findings;

static talea_code on_event(void *context, const tl_log_event *event, talea_error *e) {
    findings *f = context;
    (void)e;
    assert_int_equal(event->seq, f->events + 1);
    f->events++;
    return TALEA_OK;
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, const char *words) {
    findings *f = context;
    assert_true(strlen(words) > 0);
    if (f->problems++ == 0) {
        f->segment = segment;
        f->offset = offset;
    }
}

static bool on_progress(void *context) {
    findings *f = context;
    return f->patience == 0 || --f->patience > 0;
}

static findings verify(logbook *book, uint64_t last_seq, unsigned patience) {
    findings f = {.book = book, .patience = patience};
    assert_int_equal(
        tl_log_verify(book->log, last_seq, on_event, on_problem, on_progress, &f, &err), TALEA_OK);
    return f;
}

static void begin(logbook *book, tl_io *io) {
    logbook_init(book, io, 4096, true);
    assert_int_equal(logbook_create(book, &err), TALEA_OK);
    assert_int_equal(logbook_open(book, &err), TALEA_OK);
    for (unsigned i = 0; tl_log_segments(book->log) < 3 || i % 10 != 8; i++) {
        assert_int_equal(logbook_append(book, 1 + i % 2, 1 + i % 3, &err), TALEA_OK);
        if (i % 5 == 2) {
            assert_int_equal(tl_log_prove(book->log, &err), TALEA_OK);
        }
    }
}

static tl_file *open_segment(tl_io *io, uint32_t segment, uint64_t *out_bytes) {
    char path[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    assert_int_equal(tl_segment_path(LOGBOOK_DIR, segment, path), 0);
    assert_int_equal(io->ops->open(io, path, TL_OPEN_WRITE, &file), 0);
    assert_int_equal(file->ops->size(file, out_bytes), 0);
    return file;
}

static void test_every_byte(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    uint64_t cases = 0;
    begin(&book, io);
    findings f = verify(&book, book.next_seq - 1, 0);
    assert_int_equal(f.problems, 0);
    assert_int_equal(f.events, book.next_seq - 1);
    const logbook_group *last = &book.groups[book.group_count - 1];
    for (uint32_t segment = 1; segment <= last->place.segment; segment++) {
        uint64_t end = 0;
        tl_file *file = open_segment(io, segment, &end);
        if (segment == last->place.segment) {
            end = last->place.group_end;
        }
        for (uint64_t at = 0; at < end; at++) {
            uint8_t byte = 0;
            size_t got = 0;
            assert_int_equal(file->ops->pread(file, &byte, 1, at, &got), 0);
            byte ^= (uint8_t)(1 << at % 8);
            assert_int_equal(file->ops->pwrite(file, &byte, 1, at), 0);
            f = verify(&book, book.next_seq - 1, 0);
            if (f.problems != 1 || f.segment != segment) {
                fail_msg("segment %u, offset %llu: %u problems, in segment %u", segment,
                         (unsigned long long)at, f.problems, f.segment);
            }
            byte ^= (uint8_t)(1 << at % 8);
            assert_int_equal(file->ops->pwrite(file, &byte, 1, at), 0);
            cases++;
        }
        file->ops->close(file);
    }
    assert_int_equal(verify(&book, book.next_seq - 1, 0).problems, 0);
    print_message("damaged bytes found: %llu\n", (unsigned long long)cases);
    logbook_done(&book);
    tl_io_memory_free(io);
}

/* Two damaged segments are two problems; a missing one is one, and its neighbours are looked at. */
static void test_several(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    begin(&book, io);
    uint8_t garbage = 0xA5;
    uint64_t bytes = 0;
    for (uint32_t segment = 1; segment <= 3; segment++) {
        tl_file *file = open_segment(io, segment, &bytes);
        assert_int_equal(file->ops->pwrite(file, &garbage, 1, 700), 0);
        file->ops->close(file);
    }
    findings f = verify(&book, book.next_seq - 1, 0);
    assert_int_equal(f.problems, 3);
    assert_int_equal(f.segment, 1);
    char path[TL_PATH_BYTES_MAX];
    assert_int_equal(tl_segment_path(LOGBOOK_DIR, 2, path), 0);
    assert_int_equal(io->ops->unlink(io, path), 0);
    assert_int_equal(verify(&book, book.next_seq - 1, 0).problems, 3);
    logbook_done(&book);
    tl_io_memory_free(io);
}

/* Events past last_seq are not delivered; a stop is a stop. */
static void test_bounds(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    begin(&book, io);
    for (size_t g = 0; g < book.group_count; g++) {
        findings f = verify(&book, book.groups[g].first_seq - 1, 0);
        assert_int_equal(f.problems, 0);
        assert_int_equal(f.events, book.groups[g].first_seq - 1);
    }
    for (unsigned patience = 1; patience < 20; patience++) {
        findings f = verify(&book, book.next_seq - 1, patience);
        assert_int_equal(f.problems, 0);
        assert_true(f.events < book.next_seq - 1);
    }
    /* More is expected than there is. */
    findings f = verify(&book, book.next_seq, 0);
    assert_int_equal(f.problems, 1);
    assert_int_equal(f.segment, tl_log_segments(book.log));
    logbook_done(&book);
    tl_io_memory_free(io);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
