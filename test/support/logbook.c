#include "logbook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"

/* ---- The book --------------------------------------------------------------------------------- */

static void count_work(void *context) {
    logbook *book = context;
    book->works++;
}

void logbook_init(logbook *book, tl_io *io, uint32_t segment_bytes_max, bool inline_work) {
    *book = (logbook){.io = io, .next_seq = 1, .at = 1000000, .payload = 20};
    book->config = (tl_log_config){.io = io,
                                   .dir = LOGBOOK_DIR,
                                   .name = {"main", 4},
                                   .segment_bytes_max = segment_bytes_max,
                                   .on_work = inline_work ? NULL : count_work,
                                   .context = book};
    book->groups = calloc(LOGBOOK_GROUPS_MAX, sizeof *book->groups);
    assert_non_null(book->groups);
}

void logbook_done(logbook *book) {
    talea_error err;
    if (book->log) {
        (void)tl_log_close(book->log, &err);
    }
    tl_buf_free(&book->writer.buf);
    free(book->groups);
    *book = (logbook){0};
}

talea_code logbook_create(logbook *book, talea_error *err) {
    (void)book->io->ops->mkdir(book->io, LOGBOOK_BOOKS);
    return tl_log_create(&book->config, LOGBOOK_BOOKS, err);
}

talea_code logbook_open(logbook *book, talea_error *err) {
    assert_null(book->log);
    book->delivered = 0;
    return tl_log_open(&book->config, logbook_check_event, book, &book->log, err);
}

talea_code logbook_close(logbook *book, talea_error *err) {
    tl_log *log = book->log;
    book->log = NULL;
    return tl_log_close(log, err);
}

void logbook_kill(logbook *book) {
    talea_error err;
    tl_log_abandon(book->log);
    (void)tl_log_close(book->log, &err);
    book->log = NULL;
}

size_t logbook_body(const logbook *book, uint64_t seq, uint8_t *out, size_t out_bytes) {
    char key[32];
    char metadata[8192];
    size_t len = (size_t)(book->payload + seq % 7);
    assert_true(len < sizeof metadata);
    int key_len = snprintf(key, sizeof key, "key-%llu", (unsigned long long)seq);
    for (size_t i = 0; i < len; i++) {
        metadata[i] = (char)('a' + (seq * 31 + i) % 26);
    }
    talea_posting legs[2] = {{(uint32_t)(seq % 5), TALEA_SIDE_DEBIT, (talea_i128)seq},
                             {(uint32_t)(seq % 3), TALEA_SIDE_CREDIT, (talea_i128)seq}};
    tl_transaction t = {.key = {key, (size_t)key_len},
                        .has_occurred_at = seq % 2 == 0,
                        .occurred_at = -(int64_t)seq,
                        .legs = legs,
                        .leg_count = 2,
                        .metadata = {metadata, len}};
    assert_true(tl_transaction_bytes_max(&t) <= out_bytes);
    return tl_transaction_encode(&t, out);
}

talea_code logbook_check_event(void *context, const tl_log_event *event, talea_error *err) {
    logbook *book = context;
    uint8_t due[16384];
    (void)err;
    size_t len = logbook_body(book, event->seq, due, sizeof due);
    assert_int_equal(event->seq, book->delivered + 1);
    assert_int_equal(event->frame.kind, TL_FRAME_TRANSACTION);
    assert_int_equal(event->frame.body_bytes, len);
    assert_memory_equal(event->frame.body, due, len);
    book->delivered = event->seq;
    return TALEA_OK;
}

void logbook_encode(logbook *book, unsigned units, unsigned events) {
    tl_group_writer *writer = &book->writer;
    uint64_t seq = book->next_seq;
    assert_true(tl_group_begin(writer, tl_log_uid(book->log)));
    for (unsigned u = 0; u < units; u++) {
        tl_unit_begin(writer);
        for (unsigned e = 0; e < events; e++) {
            enum { ROOM = 16384 };
            uint8_t *body = tl_event_begin(writer, ROOM);
            assert_non_null(body);
            tl_event_end(writer, TL_FRAME_TRANSACTION, logbook_body(book, seq++, body, ROOM));
        }
        assert_true(tl_unit_end(writer));
    }
}

talea_code logbook_append(logbook *book, unsigned units, unsigned events, talea_error *err) {
    logbook_encode(book, units, events);
    logbook_group group = {
        .first_seq = book->next_seq, .events = (uint64_t)units * events, .at = book->at + 10};
    talea_code code = tl_log_append(book->log, &book->writer, group.first_seq, group.events,
                                    group.at, &group.place, err);
    if (code == TALEA_OK) {
        assert_true(book->group_count < LOGBOOK_GROUPS_MAX);
        book->groups[book->group_count++] = group;
        book->next_seq += group.events;
        book->at = group.at;
    }
    return code;
}

void logbook_resume(logbook *book) {
    while (book->group_count > 0 &&
           book->groups[book->group_count - 1].first_seq >= tl_log_next_seq(book->log)) {
        book->group_count--;
    }
    book->next_seq = tl_log_next_seq(book->log);
    book->at = tl_log_last_at(book->log) > book->at ? tl_log_last_at(book->log) : book->at;
}

/* ---- Images ----------------------------------------------------------------------------------- */

static int count_name(void *context, const char *name) {
    image *to = context;
    image_file *files = realloc(to->files, (to->count + 1) * sizeof *files);
    assert_non_null(files);
    to->files = files;
    files[to->count] = (image_file){0};
    (void)snprintf(files[to->count].name, sizeof files->name, "%s", name);
    to->count++;
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const image_file *)a)->name, ((const image_file *)b)->name);
}

image image_take(tl_io *io, const char *dir) {
    image taken = {0};
    assert_int_equal(io->ops->list(io, dir, count_name, &taken), 0);
    if (taken.count > 0) {
        qsort(taken.files, taken.count, sizeof *taken.files, by_name);
    }
    for (size_t i = 0; i < taken.count; i++) {
        image_file *f = &taken.files[i];
        char path[256];
        tl_file *file = NULL;
        uint64_t size = 0;
        (void)snprintf(path, sizeof path, "%s/%s", dir, f->name);
        assert_int_equal(io->ops->open(io, path, TL_OPEN_READ, &file), 0);
        assert_int_equal(file->ops->size(file, &size), 0);
        f->data = malloc((size_t)size + 1);
        assert_non_null(f->data);
        assert_int_equal(file->ops->pread(file, f->data, (size_t)size, 0, &f->len), 0);
        assert_int_equal(f->len, size);
        file->ops->close(file);
    }
    return taken;
}

void image_free(image *of) {
    for (size_t i = 0; i < of->count; i++) {
        free(of->files[i].data);
    }
    free(of->files);
    of->files = NULL;
    of->count = 0;
}

tl_io *image_mount(const image *of) {
    tl_io *io = tl_io_memory_new();
    assert_non_null(io);
    assert_int_equal(io->ops->mkdir(io, LOGBOOK_BOOKS), 0);
    assert_int_equal(io->ops->mkdir(io, LOGBOOK_DIR), 0);
    for (size_t i = 0; i < of->count; i++) {
        const image_file *f = &of->files[i];
        char path[256];
        tl_file *file = NULL;
        (void)snprintf(path, sizeof path, "%s/%s", LOGBOOK_DIR, f->name);
        assert_int_equal(io->ops->open(io, path, TL_OPEN_WRITE | TL_OPEN_CREATE, &file), 0);
        assert_int_equal(file->ops->pwrite(file, f->data, f->len, 0), 0);
        file->ops->close(file);
    }
    return io;
}

image_file *image_find(const image *of, const char *name) {
    for (size_t i = 0; i < of->count; i++) {
        if (strcmp(of->files[i].name, name) == 0) {
            return &of->files[i];
        }
    }
    return NULL;
}

image image_copy(const image *from) {
    image to = {.files = calloc(from->count + 1, sizeof *to.files), .count = from->count};
    assert_non_null(to.files);
    for (size_t i = 0; i < from->count; i++) {
        to.files[i] = from->files[i];
        to.files[i].data = malloc(from->files[i].len + 1);
        assert_non_null(to.files[i].data);
        memcpy(to.files[i].data, from->files[i].data, from->files[i].len);
    }
    return to;
}

bool image_same(const image *a, const image *b) {
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->files[i].name, b->files[i].name) != 0 || a->files[i].len != b->files[i].len ||
            memcmp(a->files[i].data, b->files[i].data, a->files[i].len) != 0) {
            return false;
        }
    }
    return true;
}
