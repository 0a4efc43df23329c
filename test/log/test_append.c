/*
 * Appending, proving, rotating, reopening. INV-D1, INV-D2, INV-D7, INV-D9, INV-D11. Oracle:
 * logbook, which computes each event from its seq, and faulty_io, which counts what reaches the
 * files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "faulty_io.h"
#include "logbook.h"

static talea_error err;

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        talea_code code_ = (call);                                                                 \
        if (code_ != TALEA_OK) {                                                                   \
            print_error("%s: %s\n", talea_code_name(code_), err.message);                          \
        }                                                                                          \
        assert_int_equal(code_, TALEA_OK);                                                         \
    } while (0)

static void assert_recovered(logbook *book) {
    assert_ok(logbook_open(book, &err));
    assert_int_equal(book->delivered, book->next_seq - 1);
    assert_int_equal(tl_log_next_seq(book->log), book->next_seq);
    assert_int_equal(tl_log_last_at(book->log), book->group_count ? book->at : 0);
}

static void no_problem(void *context, uint32_t segment, uint64_t offset, const char *words) {
    print_error("segment %u, offset %llu: %s\n", segment, (unsigned long long)offset, words);
    fail();
}

static void assert_verified(logbook *book) {
    book->delivered = 0;
    assert_ok(tl_log_verify(book->log, book->next_seq - 1, logbook_check_event, no_problem, NULL,
                            book, &err));
    assert_int_equal(book->delivered, book->next_seq - 1);
}

static void test_empty(void **state) {
    tl_io *io = tl_io_memory_new();
    faulty_io faulty;
    logbook book;
    faulty_init(&faulty, io);
    logbook_init(&book, &faulty.io, 1 << 16, false);
    assert_ok(logbook_create(&book, &err));
    for (int i = 0; i < 3; i++) {
        assert_recovered(&book);
        assert_int_equal(tl_log_segments(book.log), 1);
        assert_int_equal(tl_log_bytes(book.log), TL_FIRST_GROUP + TL_LINK_GROUP_BYTES);
        assert_verified(&book);
        assert_ok(logbook_close(&book, &err));
        /* Nothing to prove: the link of segment 1 is proven by the directory's name. */
        assert_int_equal(faulty.count[FAULTY_PWRITE], i == 0 ? faulty.count[FAULTY_PWRITE] : 0);
        faulty_reset_counts(&faulty);
    }
    logbook_done(&book);
    faulty_done(&faulty);
    tl_io_memory_free(io);
}

/* Five sessions of a hundred groups, closed or killed, over many segments. */
static void sessions(tl_io *io, uint32_t segment_bytes_max, bool inline_work, bool kill) {
    logbook book;
    logbook_init(&book, io, segment_bytes_max, inline_work);
    assert_ok(logbook_create(&book, &err));
    for (int session = 0; session < 5; session++) {
        assert_recovered(&book);
        for (unsigned i = 0; i < 100; i++) {
            assert_ok(logbook_append(&book, 1 + i % 3, 1 + i % 4, &err));
            if (i % 17 == 5) {
                assert_ok(tl_log_prove(book.log, &err));
            }
            if (book.works > 0 && i % 5 == 0) {
                book.works = 0;
                tl_log_prepare(book.log);
            }
        }
        assert_verified(&book);
        if (kill) {
            logbook_kill(&book);
        } else {
            assert_ok(logbook_close(&book, &err));
        }
    }
    assert_recovered(&book);
    logbook_done(&book);
}

static void test_sessions_memory(void **state) {
    static const uint32_t sizes[] = {4096, 8192, 1 << 16, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int mode = 0; mode < 4; mode++) {
            tl_io *io = tl_io_memory_new();
            sessions(io, sizes[i], mode & 1, mode & 2);
            tl_io_memory_free(io);
        }
    }
}

/* The same on real files. The logbook's paths are absolute: they are moved below a directory of our
 * own. */
typedef struct moved_io {
    tl_io io;
    char root[64];
} moved_io;

static const char *moved(tl_io *io, const char *path, char out[512]) {
    (void)snprintf(out, 512, "%s%s", ((moved_io *)io)->root, path);
    return out;
}

static int moved_open(tl_io *io, const char *path, int flags, tl_file **out_file) {
    char full[512];
    return tl_io_posix()->ops->open(tl_io_posix(), moved(io, path, full), flags, out_file);
}

static int moved_mkdir(tl_io *io, const char *path) {
    char full[512];
    return tl_io_posix()->ops->mkdir(tl_io_posix(), moved(io, path, full));
}

static int moved_rename(tl_io *io, const char *from, const char *to) {
    char full_from[512];
    char full_to[512];
    return tl_io_posix()->ops->rename(tl_io_posix(), moved(io, from, full_from),
                                      moved(io, to, full_to));
}

static int moved_unlink(tl_io *io, const char *path) {
    char full[512];
    return tl_io_posix()->ops->unlink(tl_io_posix(), moved(io, path, full));
}

static int moved_rmdir(tl_io *io, const char *path) {
    char full[512];
    return tl_io_posix()->ops->rmdir(tl_io_posix(), moved(io, path, full));
}

static int moved_sync_dir(tl_io *io, const char *path) {
    char full[512];
    return tl_io_posix()->ops->sync_dir(tl_io_posix(), moved(io, path, full));
}

static int moved_list(tl_io *io, const char *path, tl_list_fn *each, void *context) {
    char full[512];
    return tl_io_posix()->ops->list(tl_io_posix(), moved(io, path, full), each, context);
}

static int remove_name(void *context, const char *name) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)context, name);
    return unlink(path);
}

static void test_sessions_posix(void **state) {
    moved_io io = {.root = "/tmp/talea-log-XXXXXX"};
    tl_io_ops ops = *tl_io_posix()->ops;
    char path[128];
    ops.open = moved_open;
    ops.mkdir = moved_mkdir;
    ops.rename = moved_rename;
    ops.unlink = moved_unlink;
    ops.rmdir = moved_rmdir;
    ops.sync_dir = moved_sync_dir;
    ops.list = moved_list;
    io.io.ops = &ops;
    assert_non_null(mkdtemp(io.root));
    sessions(&io.io, 1 << 16, false, false);
    (void)snprintf(path, sizeof path, "%s%s", io.root, LOGBOOK_DIR);
    assert_int_equal(tl_io_posix()->ops->list(tl_io_posix(), path, remove_name, path), 0);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s%s", io.root, LOGBOOK_BOOKS);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(io.root), 0);
}

static uint64_t file_bytes(tl_io *io, uint32_t segment) {
    char path[64];
    tl_file *file = NULL;
    uint64_t bytes = 0;
    (void)snprintf(path, sizeof path, LOGBOOK_DIR "/segment-%08u.log", segment);
    assert_int_equal(io->ops->open(io, path, TL_OPEN_READ, &file), 0);
    assert_int_equal(file->ops->size(file, &bytes), 0);
    file->ops->close(file);
    return bytes;
}

static void assert_durable_upto(logbook *book, uint32_t due) {
    const tl_log_place *place = &book->groups[book->group_count - 1].place;
    tl_group_header header;
    assert_true(tl_group_header_decode(book->writer.buf.data, place->segment,
                                       tl_log_salt(book->log, place->segment), place->offset,
                                       &header));
    assert_int_equal(header.durable_upto, due);
}

/* INV-D1, INV-D7, INV-D9: with background work done in time, one write and one sync a group, no
 * file grows, and a rotation is no exception but for the seal's write; and background work never
 * syncs the writer's descriptor. */
static void test_one_sync(void **state) {
    tl_io *io = tl_io_memory_new();
    faulty_io faulty;
    logbook book;
    unsigned rotations = 0;
    const void *writers_file = NULL;
    faulty_init(&faulty, io);
    logbook_init(&book, &faulty.io, 1 << 16, false);
    assert_ok(logbook_create(&book, &err));
    assert_recovered(&book);
    assert_ok(logbook_append(&book, 1, 1, &err)); /* opens the file again */
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t segment = tl_log_segments(book.log);
        uint64_t bytes = file_bytes(io, segment);
        faulty_reset_counts(&faulty);
        assert_ok(logbook_append(&book, 1 + i % 2, 1 + i % 3, &err));
        bool rotated = tl_log_segments(book.log) != segment;
        assert_int_equal(faulty.count[FAULTY_SYNC], 1);
        assert_int_equal(faulty.count[FAULTY_SYNC_DIR], 0);
        assert_int_equal(faulty.count[FAULTY_PWRITE], rotated ? 3 : 1); /* seal, link, group */
        assert_int_equal(faulty.total, rotated ? 4 : 2);
        assert_int_equal(file_bytes(io, segment), bytes);
        if (!rotated && writers_file) {
            assert_ptr_equal(faulty.last_synced, writers_file);
        }
        writers_file = faulty.last_synced;
        rotations += rotated;
        if (rotated) {
            assert_durable_upto(&book, TL_FIRST_GROUP); /* INV-D3: link and group share a sync */
        } else {
            assert_durable_upto(&book, book.groups[book.group_count - 1].place.offset);
        }
        if (book.works > 0) {
            assert_int_equal(book.works, 1); /* asked once until it is done */
            book.works = 0;
            tl_log_prepare(book.log);
            assert_ptr_not_equal(faulty.last_synced, writers_file);
        }
        if (i % 100 == 50) {
            assert_ok(tl_log_prove(book.log, &err));
            faulty_reset_counts(&faulty);
            assert_ok(tl_log_prove(book.log, &err)); /* nothing left to prove */
            assert_int_equal(faulty.total, 0);
        }
    }
    assert_true(rotations >= 4);
    print_message("rotations: %u\n", rotations);
    assert_verified(&book);
    logbook_done(&book);
    faulty_done(&faulty);
    tl_io_memory_free(io);
}

/* INV-D11: without any background work every rotation finishes the one before. */
static void test_no_background(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    logbook_init(&book, io, 4096, false);
    assert_ok(logbook_create(&book, &err));
    assert_recovered(&book);
    for (unsigned i = 0; i < 300; i++) {
        assert_ok(logbook_append(&book, 1, 3, &err));
        uint32_t segments = tl_log_segments(book.log);
        if (segments > 2) {
            assert_true(file_bytes(io, segments - 2) < 4096); /* cut to its seal */
        }
    }
    assert_true(tl_log_segments(book.log) > 20);
    assert_int_equal(book.works, 1);
    logbook_kill(&book);
    assert_recovered(&book);
    assert_verified(&book);
    logbook_done(&book);
    tl_io_memory_free(io);
}

/* A group larger than segment_bytes_max goes alone into a segment that outgrows it. */
static void test_outgrown(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    logbook_init(&book, io, 1 << 16, true);
    book.payload = 4000;
    assert_ok(logbook_create(&book, &err));
    assert_recovered(&book);
    static const unsigned events[] = {1, 40, 1, 1, 3, 500, 1, 17, 17, 1};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        assert_ok(logbook_append(&book, 1, events[i], &err));
    }
    logbook_group *large = &book.groups[5];
    assert_true(large->place.group_end > 500 * 4000);
    assert_int_equal(large->place.offset, TL_FIRST_GROUP + TL_LINK_GROUP_BYTES);
    assert_true(book.groups[6].place.segment == large->place.segment + 1);
    assert_verified(&book);
    assert_ok(logbook_close(&book, &err));
    assert_recovered(&book);
    logbook_done(&book);
    tl_io_memory_free(io);
}

/* What was appended is read back at the place that append told, in any order; positions grow. */
static void test_reader(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    logbook_init(&book, io, 8192, true);
    assert_ok(logbook_create(&book, &err));
    assert_recovered(&book);
    for (unsigned i = 0; i < 200; i++) {
        assert_ok(logbook_append(&book, 1 + i % 2, 1 + i % 3, &err));
    }
    tl_log_reader *reader = tl_log_reader_new(book.log);
    uint64_t position = 0;
    for (size_t n = 0; n < book.group_count; n++) {
        logbook_group *g = &book.groups[n];
        uint64_t here = tl_log_position(book.log, g->place.segment, g->place.offset);
        assert_true(n == 0 || here > position);
        position = here;
    }
    for (size_t n = 0; n < 1000; n++) {
        logbook_group *g = &book.groups[n * 7919 % book.group_count];
        const uint8_t *data = NULL;
        assert_ok(tl_log_read(reader, g->place.segment, g->place.offset,
                              g->place.group_end - g->place.offset, &data, &err));
        tl_group_header header;
        assert_true(tl_group_header_decode(data, g->place.segment,
                                           tl_log_salt(book.log, g->place.segment), g->place.offset,
                                           &header));
        assert_int_equal(header.first_seq, g->first_seq);
        assert_int_equal(header.at, g->at);
        uint8_t due[1024];
        size_t len = logbook_body(&book, g->first_seq, due, sizeof due);
        assert_memory_equal(data + TL_GROUP_HEADER_BYTES + TL_FRAME_HEADER_BYTES, due, len);
    }
    const uint8_t *data = NULL;
    assert_int_equal(tl_log_read(reader, tl_log_segments(book.log), 1 << 20, 8, &data, &err),
                     TALEA_CORRUPT);
    assert_non_null(strstr(err.message, "book \"main\", segment "));
    tl_log_reader_free(reader);
    logbook_done(&book);
    tl_io_memory_free(io);
}

static void test_read_only(void **state) {
    tl_io *io = tl_io_memory_new();
    faulty_io faulty;
    logbook book;
    logbook_init(&book, io, 8192, true);
    assert_ok(logbook_create(&book, &err));
    assert_recovered(&book);
    for (unsigned i = 0; i < 60; i++) {
        assert_ok(logbook_append(&book, 1, 1 + i % 3, &err));
        faulty_init(&faulty, io);
        logbook reader;
        logbook_init(&reader, &faulty.io, 8192, true);
        reader.config.read_only = true;
        assert_ok(logbook_open(&reader, &err)); /* while the writer has it open, and unproven */
        assert_int_equal(reader.delivered, book.next_seq - 1);
        reader.next_seq = book.next_seq;
        reader.at = book.at;
        assert_int_equal(logbook_append(&reader, 1, 1, &err), TALEA_READ_ONLY);
        assert_int_equal(tl_log_prove(reader.log, &err), TALEA_OK);
        tl_log_prepare(reader.log);
        assert_ok(logbook_close(&reader, &err));
        assert_int_equal(faulty.changes, 0); /* INV-D17 */
        logbook_done(&reader);
        faulty_done(&faulty);
    }
    logbook_done(&book);
    tl_io_memory_free(io);
}

static void test_names(void **state) {
    tl_io *io = tl_io_memory_new();
    logbook book;
    logbook_init(&book, io, 1 << 16, false);
    assert_ok(logbook_create(&book, &err));
    book.config.name = (talea_text){NULL, 0};
    assert_recovered(&book); /* the name comes from the header */
    assert_int_equal(tl_log_name(book.log).len, 4);
    assert_memory_equal(tl_log_name(book.log).data, "main", 4);
    assert_ok(logbook_close(&book, &err));
    book.config.name = (talea_text){"other", 5};
    assert_int_equal(logbook_open(&book, &err), TALEA_CORRUPT);
    assert_string_equal(err.message, "book \"other\", segment 1, offset 0: this file belongs to "
                                     "another book, \"main\"");
    assert_int_equal(io->ops->rename(io, LOGBOOK_DIR, "/books/elsewhere"), 0);
    book.config.name = (talea_text){NULL, 0};
    book.config.dir = "/books/elsewhere";
    assert_int_equal(logbook_open(&book, &err), TALEA_CORRUPT);
    assert_non_null(strstr(err.message, "has not the name of this book"));
    logbook_done(&book);
    tl_io_memory_free(io);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_sessions_memory),
        cmocka_unit_test(test_sessions_posix), cmocka_unit_test(test_one_sync),
        cmocka_unit_test(test_no_background),  cmocka_unit_test(test_outgrown),
        cmocka_unit_test(test_reader),         cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
