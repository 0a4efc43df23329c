/*
 * Torn writes: every subset of the sectors of the last write, the others as they were before. INV-D9, INV-D14, INV-D15,
 * INV-D16.
 *
 * Oracle: everything acknowledged before that write is delivered; the write's own events all or not at all, and all
 * when nothing was torn. What was cut is found, byte for byte, in a torn- file. Opening again
 * changes nothing. Then the log goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faulty_io.h"
#include "log/segment.h"
#include "logbook.h"

static talea_error err;
static uint64_t cases;
static uint64_t cut;

/* One write to one file, as before and after images of its sectors. */
typedef struct torn_write {
    const char *name;
    size_t first; /* sector */
    size_t count;
} torn_write;

static torn_write difference(const image *before, const image *after, const char *name) {
    const image_file *b = image_find(before, name);
    const image_file *a = image_find(after, name);
    torn_write w = {.name = name};
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->len, b->len); /* INV-D1 */
    for (size_t at = 0; at < a->len; at += TL_SECTOR_BYTES) {
        size_t len = a->len - at < TL_SECTOR_BYTES ? a->len - at : TL_SECTOR_BYTES;
        if (memcmp(a->data + at, b->data + at, len) != 0) {
            if (w.count == 0) {
                w.first = at / TL_SECTOR_BYTES;
            }
            w.count = at / TL_SECTOR_BYTES - w.first + 1;
        }
    }
    return w;
}

/* The sectors of `mask` as after the write, the others as before. */
static void apply(image *to, const image *after, const torn_write *w, unsigned mask) {
    image_file *t = image_find(to, w->name);
    const image_file *a = image_find(after, w->name);
    for (size_t i = 0; i < w->count; i++) {
        size_t at = (w->first + i) * TL_SECTOR_BYTES;
        size_t len = a->len - at < TL_SECTOR_BYTES ? a->len - at : TL_SECTOR_BYTES;
        if (mask & 1U << i) {
            memcpy(t->data + at, a->data + at, len);
        }
    }
}

static void assert_ok(talea_code code) {
    if (code != TALEA_OK) {
        fail_msg("%s: %s", talea_code_name(code), err.message);
    }
}

/* What was cut stands in the torn file, and the segment shows zeros there. */
static void check_saved(const image *torn, const image *mended) {
    for (size_t i = 0; i < mended->count; i++) {
        const image_file *saved = &mended->files[i];
        unsigned segment = 0;
        unsigned long long from = 0;
        char name[32];
        if (sscanf(saved->name, "torn-%u-%llu-", &segment, &from) != 2) {
            continue;
        }
        (void)snprintf(name, sizeof name, "segment-%08u.log", segment);
        const image_file *was = image_find(torn, name);
        assert_true(saved->len > 0 && from + saved->len <= was->len);
        assert_memory_equal(saved->data, was->data + from, saved->len);
        cut++;
    }
}

/* Opens a torn image; `acked` events must be there, and nothing beyond `written`. */
static void check_torn(const logbook *book, const image *torn, uint64_t acked, uint64_t written,
                       bool whole) {
    tl_io *io = image_mount(torn);
    faulty_io faulty;
    logbook trial;
    faulty_init(&faulty, io);
    logbook_init(&trial, &faulty.io, book->config.segment_bytes_max, true);
    trial.payload = book->payload;
    trial.config.read_only = true; /* a reader is content with what is valid */
    assert_ok(logbook_open(&trial, &err));
    assert_true(trial.delivered == acked || trial.delivered == written);
    assert_ok(logbook_close(&trial, &err));
    assert_int_equal(faulty.changes, 0);

    trial.config.read_only = false;
    assert_ok(logbook_open(&trial, &err));
    assert_true(trial.delivered == acked || trial.delivered == written);
    assert_true(trial.delivered == written || !whole);
    image mended = image_take(io, LOGBOOK_DIR);
    check_saved(torn, &mended);
    logbook_kill(&trial);

    faulty_reset_counts(&faulty);
    assert_ok(logbook_open(&trial, &err)); /* INV-D15 */
    assert_int_equal(faulty.count[FAULTY_PWRITE] + faulty.count[FAULTY_TRUNCATE], 0);
    image again = image_take(io, LOGBOOK_DIR);
    assert_true(image_same(&mended, &again));
    logbook_resume(&trial);
    trial.at = book->at + 1000;
    for (int i = 0; i < 3; i++) {
        assert_ok(logbook_append(&trial, 1, 2, &err));
    }
    logbook_kill(&trial);
    assert_ok(logbook_open(&trial, &err));
    assert_int_equal(trial.delivered, trial.next_seq - 1);
    image_free(&mended);
    image_free(&again);
    logbook_done(&trial);
    faulty_done(&faulty);
    tl_io_memory_free(io);
    cases++;
}

/* Every subset of one write's sectors, and of a second file's if there is one. */
static void check_subsets(const logbook *book, const image *before, const image *after,
                          const torn_write *writes, size_t write_count, uint64_t acked,
                          uint64_t written) {
    size_t sectors = 0;
    for (size_t i = 0; i < write_count; i++) {
        sectors += writes[i].count;
    }
    assert_in_range(sectors, 1, 12);
    for (unsigned mask = 0; mask < 1U << sectors; mask++) {
        image torn = image_copy(before);
        unsigned rest = mask;
        for (size_t i = 0; i < write_count; i++) {
            apply(&torn, after, &writes[i], rest);
            rest >>= writes[i].count;
        }
        check_torn(book, &torn, acked, written, mask == (1U << sectors) - 1);
        image_free(&torn);
    }
}

static void begin(logbook *book, tl_io *io, uint32_t segment_bytes_max) {
    logbook_init(book, io, segment_bytes_max, false);
    assert_ok(logbook_create(book, &err));
    assert_ok(logbook_open(book, &err));
}

/* A group of up to eight sectors, behind groups that end at all kinds of places in a sector. */
static void test_group(void **state) {
    for (unsigned shift = 0; shift < 24; shift++) {
        tl_io *io = tl_io_memory_new();
        logbook book;
        begin(&book, io, 1 << 16);
        book.payload = 20 + shift * 21;
        assert_ok(logbook_append(&book, 1, 1, &err));
        assert_ok(logbook_append(&book, 1, 1, &err));
        if (shift % 3 == 0) {
            assert_ok(tl_log_prove(book.log, &err));
        }
        image before = image_take(io, LOGBOOK_DIR);
        uint64_t acked = book.next_seq - 1;
        assert_ok(logbook_append(&book, 1 + shift % 2, 1 + shift % 4, &err));
        image after = image_take(io, LOGBOOK_DIR);
        torn_write w = difference(&before, &after, "segment-00000001.log");
        check_subsets(&book, &before, &after, &w, 1, acked, book.next_seq - 1);
        image_free(&before);
        image_free(&after);
        logbook_done(&book);
        tl_io_memory_free(io);
    }
    print_message("groups: %llu torn states, %llu saved tails\n", (unsigned long long)cases,
                  (unsigned long long)cut);
    assert_true(cut > 0);
}

static void test_proof(void **state) {
    uint64_t cases_before = cases;
    for (unsigned shift = 0; shift < 128; shift++) {
        tl_io *io = tl_io_memory_new();
        logbook book;
        begin(&book, io, 1 << 16);
        book.payload = 20 + shift * 5;
        assert_ok(logbook_append(&book, 1, 1, &err));
        image before = image_take(io, LOGBOOK_DIR);
        assert_ok(tl_log_prove(book.log, &err));
        image after = image_take(io, LOGBOOK_DIR);
        torn_write w = difference(&before, &after, "segment-00000001.log");
        check_subsets(&book, &before, &after, &w, 1, book.next_seq - 1, book.next_seq - 1);
        image_free(&before);
        image_free(&after);
        logbook_done(&book);
        tl_io_memory_free(io);
    }
    print_message("proofs: %llu torn states\n", (unsigned long long)(cases - cases_before));
}

/* The seal in one file, link and first group in the next: all subsets of both. */
static void test_rotation(void **state) {
    uint64_t cases_before = cases;
    for (unsigned shift = 0; shift < 40; shift++) {
        tl_io *io = tl_io_memory_new();
        logbook book;
        begin(&book, io, 4096);
        book.payload = 20 + shift * 13;
        uint64_t acked = 0;
        image before = {0};
        while (tl_log_segments(book.log) < 3) {
            image_free(&before);
            tl_log_prepare(book.log);
            before = image_take(io, LOGBOOK_DIR);
            acked = book.next_seq - 1;
            assert_ok(logbook_append(&book, 1, 1 + shift % 3, &err));
        }
        image after = image_take(io, LOGBOOK_DIR);
        torn_write writes[2] = {difference(&before, &after, "segment-00000002.log"),
                                difference(&before, &after, "segment-00000003.log")};
        check_subsets(&book, &before, &after, writes, 2, acked, book.next_seq - 1);
        image_free(&before);
        image_free(&after);
        logbook_done(&book);
        tl_io_memory_free(io);
    }
    print_message("rotations: %llu torn states\n", (unsigned long long)(cases - cases_before));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
