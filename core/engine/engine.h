/*
 * engine.h: the inside of a ledger: engine, books, pending groups. Private to core/engine.
 *
 * Purpose:    the structures that unit.c, stage.c, writer.c, book.c, ledger.c, view.c share, each field with its guard.
 * Owns:       an engine owns its slots; a slot and every view, unit and keeper job hold references to a book; a book owns log, state, indexes.
 * Threads:    lock order in docs/CONCURRENCY.md: registry > slot->load_lock > engine->lock > stage_lock > read_lock.
 * Errors:     talea_code with words.
 * Durability: INV-C1..C6.
 */
#ifndef TL_ENGINE_ENGINE_H
#define TL_ENGINE_ENGINE_H

#include "base/thread.h"
#include "engine/histogram.h"
#include "index/keymap.h"
#include "index/seqindex.h"
#include "log/log.h"
#include "state/state.h"

typedef struct tl_engine tl_engine;
typedef struct tl_book tl_book;
typedef struct tl_slot tl_slot;

/* ---- Pending groups ------------------------------------------------------------------------ */

typedef struct tl_group {
    struct tl_group *next; /* [stage] the pending list, oldest first */
    tl_group_writer writer;
    uint64_t first_seq;
    uint32_t *offsets; /* per event: of its frame in writer.buf */
    size_t event_count;
    size_t event_cap;
    uint32_t unit_count;
    bool taken; /* by the writer: no further unit may join */
    /* Set by the writer before the gate opens. */
    int64_t at;
    talea_error error;      /* code OK: acknowledged */
    _Atomic(uint32_t) refs; /* waiters and the pending list */
    tl_gate gate;           /* 0 pending, 1 decided */
} tl_group;

/* How far the log was replayed. At most the last group of a read-only book is not proven durable,
 * so two ends are remembered. */
typedef struct tl_replay {
    tl_legs legs; /* scratch */
    uint64_t last_seq;
    int64_t last_at;
    uint64_t before_seq; /* the end of the group before the last */
    int64_t before_at;
} tl_replay;

/* ---- One incarnation of a book ---------------------------------------------------------------- */

struct tl_book {
    tl_engine *engine;
    tl_slot *slot; /* lives as long as the engine */
    _Atomic(uint32_t) refs;
    tl_log *log;
    tl_uid uid;
    bool read_only;

    tl_mutex stage_lock;
    tl_cond room;                 /* signalled when the pending list shrinks */
    tl_keymap *keys;              /* [stage] */
    uint64_t next_seq;            /* [stage] */
    tl_group *pending_first;      /* [stage] */
    tl_group *pending_last;       /* [stage] */
    uint32_t pending_units;       /* [stage] */
    bool failed;                  /* [stage] the writer is dead */
    bool closing;                 /* [stage] */
    bool writer_running;          /* [stage] */
    bool writer_joinable;         /* [stage] a retired writer's thread still has to be joined */
    pthread_t writer;             /* [stage] */
    talea_error failure;          /* [stage] when failed */
    struct tl_block *stage_block; /* [stage] for verifying key hits */
    _Atomic(tl_group *) spare;    /* one group kept for its memory */
    tl_gate work;                 /* rung at every unit; the word only counts */

    tl_mutex read_lock;
    tl_state *state;          /* committed part [read], staged part [stage] */
    tl_seqindex seqs;         /* [read] */
    uint32_t *segment_ends;   /* [read] by segment - 1: where the last applied group ends */
    size_t segment_end_count; /* [read] */
    size_t segment_end_cap;   /* [read] */
    _Atomic(uint32_t) readers_waiting; /* for read_lock */
    uint64_t watermark;                /* [read] */
    int64_t last_at;                   /* [read] of the last event; 0: none */
    uint32_t visible_accounts;         /* [read] opened at or before the watermark */
    uint32_t visible_assets;           /* [read] */
    uint64_t groups;                   /* [read] synced by this process */
    uint64_t units;                    /* [read] */
    tl_histogram sync_us;              /* [read] */
    tl_gate advance;                   /* changes with the watermark */
    tl_replay replay; /* [stage] where replay stands; read-only books go on from it */

    struct tl_book *next_job; /* [engine->lock] the keeper's list */
    bool job_queued;          /* [engine->lock] */
};

/* ---- A place for a book in the ledger: stable, whatever happens to the book ---------------------- */

struct tl_slot {
    tl_engine *engine;
    talea_text name; /* owned; for a directory whose name is hashed, taken from its first segment */
    char dir_name[TL_DIR_NAME_BYTES];
    uint32_t ordinal;
    tl_mutex load_lock;
    tl_book *book; /* [load_lock to change, engine->lock to read or change] NULL: not opened */
    bool on_disk;  /* [engine->lock] the directory exists */
    bool settle;   /* [load_lock] read-only: the next opening syncs what it finds */
    talea_error refused; /* [load_lock] code != OK: why it would not open */
};

struct tl_engine {
    tl_engine *next;      /* [registry] */
    uint32_t handles;     /* [registry] */
    tl_identity identity; /* immutable from here ... */
    uint32_t fork_generation;
    tl_io *io;
    bool owns_io;
    bool read_only;
    bool in_memory;
    char *path;
    char *books_dir;
    uint64_t key_seed;
    talea_options options; /* ... to here */
    tl_file *lock_file;

    tl_mutex lock;
    tl_slot **slots;     /* [lock] by ordinal; slots never move */
    uint32_t slot_count; /* [lock] */
    uint32_t slot_cap;   /* [lock] */
    uint32_t *slot_map;  /* [lock] open addressing by name: ordinal + 1 */
    uint32_t slot_map_cap;

    tl_cond keeper_wake;  /* with lock */
    tl_book *jobs_first;  /* [lock] */
    tl_book *jobs_last;   /* [lock] */
    bool keeper_running;  /* [lock] */
    bool keeper_joinable; /* [lock] */
    bool closing;         /* [lock] */
    pthread_t keeper;     /* [lock] */
};

struct talea_ledger {
    tl_engine *engine;
    bool read_only;
};

extern const talea_text tl_system_book; /* "_system" */

/* ---- ledger.c, slots.c ---- */

/* A ledger on any io, outside the registry: for tests, and for what talea_ledger_open does inside.
 */
talea_code tl_engine_open(tl_io *io, const char *dir, const talea_options *options,
                          tl_engine **out_engine, talea_error *err);
void tl_engine_close(tl_engine *engine);
/* OK unless the process has forked since the engine was opened. */
talea_code tl_engine_check(const tl_engine *engine, talea_error *err);

/* Makes a slot for every book in the directory. */
talea_code tl_engine_scan(tl_engine *engine, talea_error *err);
/* A read-only engine looks for books that the writer has made since. */
talea_code tl_engine_refresh(tl_engine *engine, talea_error *err);
tl_slot *tl_engine_find_slot(tl_engine *engine, talea_text name); /* NULL: none */
/* Finds the slot or makes one (nothing on disk changes). */
talea_code tl_engine_slot(tl_engine *engine, talea_text name, tl_slot **out_slot, talea_error *err);
/* The slot's book, opened when needed, with a reference for the caller. *out_book is NULL when the
 * book does not exist and `create` is false. */
talea_code tl_slot_book(tl_slot *slot, bool create, tl_book **out_book, talea_error *err);
/* Lets go of an incarnation, if it is still the slot's: the next use opens the book from its files.
 * [load_lock] */
void tl_slot_drop_locked(tl_slot *slot, tl_book *book);
bool tl_slot_is_open(tl_slot *slot);
/* Recovers failed books in place, forgets refusals. */
void tl_engine_revive(tl_engine *engine);

/* keeper.c */
/* Has the book's background work done soon; false: it cannot be. */
bool tl_keeper_submit(tl_book *book);
void tl_keeper_stop(tl_engine *engine);

/* ---- book.c ---- */

talea_code tl_book_open(tl_slot *slot, const char *dir, tl_book **out_book, talea_error *err);
void tl_book_ref(tl_book *book);
void tl_book_unref(tl_book *book);
/* Stops the writer, leaves the closing proof. Readers may still hold references. */
void tl_book_shut(tl_book *book);
/* Applies an event to the projections: the one path for replay and for a synced group. */
talea_code tl_book_apply(tl_book *book, const tl_log_event *event, tl_legs *legs, bool replay,
                         talea_error *err);
/* Where the last applied group ends, so that readers know how far a segment holds events. [read] */
bool tl_book_note_end(tl_book *book, uint32_t segment, uint32_t group_end);
bool tl_book_is_failed(tl_book *book, talea_error *out_failure);
/* For readers: the writer, when it applies a long group, lets them in between. */
void tl_book_lock_to_read(tl_book *book);
uint64_t tl_book_watermark(tl_book *book);
/* With a random seed of this engine, so that nobody outside can make keys collide. */
tl_hash128 tl_book_key_hash(const tl_book *book, talea_text key);

/* One event of the log into the book's projections; `context` is the book. [both, or nobody else
 * sees it yet] */
talea_code tl_book_replay(void *context, const tl_log_event *event, talea_error *err);
/* Shows readers everything up to what is proven durable. [both, or nobody else sees it yet] */
void tl_book_show_proven(tl_book *book);

/* ---- follow.c: read-only books ---- */

/* Brings a read-only book up to what its writer, in another process, has made durable. CORRUPT also
 * when the log has to be opened anew. */
talea_code tl_book_follow(tl_book *book, talea_error *err);
/* The book for a reader: opened when needed, brought up to date when another process writes it. With a reference; NULL and OK: no such book. */
talea_code tl_engine_current_book(tl_engine *engine, talea_text name, tl_book **out_book,
                                  talea_error *err);
/* Does a process live that may be writing this ledger? */
bool tl_engine_has_writer(const tl_engine *engine);

/* ---- group.c ---- */

tl_group *tl_group_new(tl_book *book);
void tl_group_unref(tl_book *book, tl_group *group);
void tl_group_free(tl_group *group);

/* ---- writer.c ---- */

/* Makes sure that a writer runs. [stage] */
talea_code tl_writer_start_locked(tl_book *book, talea_error *err);
void *tl_writer_main(void *arg); /* the book */

/* ---- block.c: a short run of consecutive events read back from the log ---- */

typedef struct tl_block_event {
    uint32_t offset; /* of the frame in the segment file */
    uint32_t body_bytes;
    const uint8_t *body;
    int64_t at;
    tl_frame_kind kind;
} tl_block_event;

typedef struct tl_block {
    tl_log_reader *reader;
    tl_block_event *events;
    size_t count;
    size_t cap;
    uint64_t first_seq; /* of events[0]; 0: nothing loaded */
    uint32_t segment;
    unsigned run; /* how many stretches were read at once */
} tl_block;

tl_block *tl_block_new(tl_book *book); /* NULL: no memory */
void tl_block_free(tl_block *block);
/* Makes `seq` (1..watermark) available: events[seq - first_seq]. Keeps what is loaded when it
 * serves. */
talea_code tl_block_load(tl_book *book, tl_block *block, uint64_t seq, talea_error *err);

#endif
