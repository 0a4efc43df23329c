/*
 * log.h: one book's log: a sequence of segments, written by one thread, read by many.
 *
 * Purpose:    create, open (recover and classify), append a group with one sync, prove, rotate, prepare space, read back.
 * Owns:       the segment files of one book directory.
 * Threads:    tl_log_append, tl_log_prove, tl_log_close: one thread at a time (the book's writer). tl_log_prepare: one
 *             background thread, beside the writer. tl_log_end and the reader: any thread.
 * Errors:     a failed write or sync is sticky (INV-D5): every later append fails with the same error, nothing is retried.
 *             TALEA_FULL is not sticky: nothing was written.
 * Durability: tl_log_append returned TALEA_OK => the group is on the device.
 */
#ifndef TL_LOG_LOG_H
#define TL_LOG_LOG_H

#include "base/error.h"
#include "base/io.h"
#include "format/format.h"

typedef struct tl_log tl_log;

typedef struct tl_log_config {
    tl_io *io;
    const char *dir; /* the book's directory; copied */
    talea_text name; /* the book's name, for messages and to be checked against the headers; data
                        NULL: take it from the header (a hashed directory name does not tell it) */
    uint32_t segment_bytes_max;
    bool read_only; /* no cutting, no rewriting, no proof */
    /* read_only, and no writer lives: sync and read from the device, so that all that is valid
     * counts as durable. */
    bool settle;
    /* Called on the writer's thread when background work has come up (space runs low, a segment
     * waits to be sealed): the owner then has tl_log_prepare called from another thread. NULL:
     * everything is done inline. */
    void (*on_work)(void *context);
    void *context;
} tl_log_config;

/* Every event of the log, in order, while opening. */
typedef struct tl_log_event {
    uint64_t seq;
    int64_t at;
    uint32_t segment;
    uint32_t offset;    /* of its frame in the segment file */
    uint32_t group_end; /* where its group ends in the segment file */
    tl_frame frame;
} tl_log_event;

typedef talea_code tl_log_event_fn(void *context, const tl_log_event *event, talea_error *err);

/* Makes `final_dir` (under `books_dir`) appear by rename, with segment 1 holding header, link and
 * the first stretch of space. EEXIST-like races do not happen: the ledger's lock is held. */
talea_code tl_log_create(const tl_log_config *config, const char *books_dir, talea_error *err);

/* Removes what an interrupted tl_log_create left in `temp_dir` (".new-..."): segments, then the
 * directory. An errno: something else is in it. */
int tl_log_remove_unfinished(tl_io *io, const char *temp_dir);

/* Opens the log: syncs and re-reads the final segment, checks everything from segment 1 on, calls on_event for each event, classifies a defect,
 * cuts a torn tail (bytes saved aside first), rewrites and syncs the tail that no later group
 * proves, leaves a proof.
 * Errors: CORRUPT naming book, segment and offset; IO; FULL; NOMEM; what on_event returns. */
talea_code tl_log_open(const tl_log_config *config, tl_log_event_fn *on_event, void *context,
                       tl_log **out_log, talea_error *err);

/* A read-only log goes on from where it stopped and delivers what a living writer has added.
 * CORRUPT also when the log does not continue what was read any more (its writer crashed and a torn
 * end was cut): the owner then opens it anew. One thread at a time. */
talea_code tl_log_follow(tl_log *log, tl_log_event_fn *on_event, void *context, talea_error *err);
/* The last seq that is provably durable. A writable log: all of it. A read-only one: what a later
 * group proves (INV-D3); at most the last group is missing. Between two calls of tl_log_follow. */
uint64_t tl_log_proven_seq(const tl_log *log);

/* Writes the group whose body the writer holds (units closed) and syncs. `at` is the group's time;
 * the caller keeps it growing. `events` is how many it holds. Fills where the group landed. Rotates
 * first when the segment is full. */
typedef struct tl_log_place {
    uint32_t segment;
    uint32_t offset; /* of the group's header; its body is TL_GROUP_HEADER_BYTES further */
    uint32_t group_end;
    uint64_t sync_us; /* what the sync took */
} tl_log_place;

talea_code tl_log_append(tl_log *log, tl_group_writer *group, uint64_t first_seq, uint64_t events,
                         int64_t at, tl_log_place *out_place, talea_error *err);

/* Writes and syncs a proof when the last group is not proven yet. */
talea_code tl_log_prove(tl_log *log, talea_error *err);

/* Background work: pre-writes the next stretch, makes the spare segment, seals the one before. Errors are kept and met by the next append. */
void tl_log_prepare(tl_log *log);

/* Did a write or sync fail (INV-D5)? An append that was refused while the log has not failed wrote
 * nothing. Any thread. */
bool tl_log_has_failed(const tl_log *log);
/* Gives the descriptors back until the next append, so that a quiet book holds none. Writer's
 * thread. */
void tl_log_rest(tl_log *log);
/* Waits for background work under way; of a failed log, none begins any more. Before its files are
 * opened anew. */
void tl_log_quiesce(tl_log *log);
/* The owner gives up: the log counts as failed, and nothing is written any more, by close or background work either. Writer's thread. */
void tl_log_abandon(tl_log *log);

/* Proves (unless the log has failed or is read-only) and closes. Whatever goes wrong, the memory is
 * released. */
talea_code tl_log_close(tl_log *log, talea_error *err);

uint32_t tl_log_salt(tl_log *log, uint32_t segment); /* of a segment in use; any thread */
tl_uid tl_log_uid(const tl_log *log);
talea_text tl_log_name(const tl_log *log);
uint64_t tl_log_next_seq(const tl_log *log);
int64_t tl_log_last_at(const tl_log *log);
uint32_t tl_log_segments(const tl_log *log); /* any thread */
uint64_t tl_log_bytes(const tl_log *log);    /* any thread: headers, groups and seals */
/* The position in the whole log of a place in a segment: unique and growing. Any thread. */
uint64_t tl_log_position(tl_log *log, uint32_t segment, uint32_t offset);

/* ---- Reading back ranges that are known to be durable: any thread, no locks held while reading ---- */

/* A reader keeps the last segment's descriptor open, and a buffer. */
typedef struct tl_log_reader tl_log_reader;

tl_log_reader *tl_log_reader_new(tl_log *log); /* NULL: no memory. The log must outlive it. */
void tl_log_reader_free(tl_log_reader *reader);
void tl_log_reader_rest(tl_log_reader *reader); /* closes its descriptor until the next read */
/* Bytes [offset, offset + len) of the segment; *out_data valid until the next call. A short file is
 * CORRUPT. To walk from a group's end to the next group's header use tl_group_header_find: a proof
 * may stand behind a gap. */
talea_code tl_log_read(tl_log_reader *reader, uint32_t segment, uint32_t offset, uint32_t len,
                       const uint8_t **out_data, talea_error *err);

/* Reads the whole log again, checks every byte (frames, chains, hashes, seals) up to and including
 * `last_seq`. on_problem gets segment, offset and words; on_event as in opening. `on_progress` is
 * asked between groups; false stops with TALEA_OK. */
typedef bool tl_log_progress_fn(void *context);
typedef void tl_log_problem_fn(void *context, uint32_t segment, uint64_t offset, const char *words);
talea_code tl_log_verify(tl_log *log, uint64_t last_seq, tl_log_event_fn *on_event,
                         tl_log_problem_fn *on_problem, tl_log_progress_fn *on_progress,
                         void *context, talea_error *err);

#endif
