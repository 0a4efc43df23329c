/*
 * logbook.h: one book's log with everything a test needs to know about it.
 *
 * Purpose:    writes groups of events whose contents follow from their seq, remembers which were acknowledged, and checks
 *             what an opening delivers against that; takes a directory apart into images of its
 * files and back.
 * Owns:       the log while it is open, and the record of what was written; the io belongs to the caller.
 * Threads:    one.
 *
 * Oracle:     logbook_check_event computes an event's body from its seq alone.
 */
#ifndef TEST_SUPPORT_LOGBOOK_H
#define TEST_SUPPORT_LOGBOOK_H

#include "log/log.h"

enum { LOGBOOK_GROUPS_MAX = 20000 };

typedef struct logbook_group {
    uint64_t first_seq;
    uint64_t events;
    int64_t at;
    tl_log_place place;
} logbook_group;

typedef struct logbook {
    tl_io *io;
    tl_log_config config;
    tl_log *log; /* NULL: closed, or left behind */
    tl_group_writer writer;
    logbook_group *groups; /* acknowledged */
    size_t group_count;
    uint64_t next_seq; /* of what was acknowledged */
    int64_t at;
    unsigned works;     /* calls of on_work */
    uint64_t delivered; /* events, by the last opening or verify */
    uint64_t payload;   /* bytes of metadata in each event, more or less */
} logbook;

#define LOGBOOK_BOOKS "/books"
#define LOGBOOK_DIR "/books/main"

/* `inline_work`: no on_work, everything is prepared inline. */
void logbook_init(logbook *book, tl_io *io, uint32_t segment_bytes_max, bool inline_work);
void logbook_done(logbook *book); /* closes or leaves the log, forgets the record */

talea_code logbook_create(logbook *book, talea_error *err);
/* Opens, and checks every event delivered. */
talea_code logbook_open(logbook *book, talea_error *err);
talea_code logbook_close(logbook *book, talea_error *err);
/* As a process that is killed: nothing is written any more, the memory is released. */
void logbook_kill(logbook *book);

/* Appends a group of `units` units of `events` events each. Records it when it was acknowledged. */
talea_code logbook_append(logbook *book, unsigned units, unsigned events, talea_error *err);
/* The group's bytes, without appending it, in book->writer. */
void logbook_encode(logbook *book, unsigned units, unsigned events);

/* The body that event `seq` must have. Returns its length. */
size_t logbook_body(const logbook *book, uint64_t seq, uint8_t *out, size_t out_bytes);
talea_code logbook_check_event(void *context, const tl_log_event *event, talea_error *err);

/* Forgets acknowledged groups beyond what the log holds, or takes over more that it recovered. */
void logbook_resume(logbook *book);

/* ---- Files as bytes ---- */

typedef struct image_file {
    char name[64];
    uint8_t *data;
    size_t len;
} image_file;

typedef struct image {
    image_file *files;
    size_t count;
} image;

/* Every file of a directory, by name. */
image image_take(tl_io *io, const char *dir);
void image_free(image *of);
/* A fresh io in memory with exactly these files in LOGBOOK_DIR. */
tl_io *image_mount(const image *of);
image_file *image_find(const image *of, const char *name);
/* A deep copy of one image. */
image image_copy(const image *from);
bool image_same(const image *a, const image *b);

#endif
