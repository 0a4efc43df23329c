/*
 * recover.c: opening a log.
 *
 * How: forward, segment by segment. A segment that ends with its seal is done; one that does not is the final
 * one, or (its successor begins with a valid link) the predecessor of the final one, whose seal had
 * not arrived. All judging happens before anything is written (mend.c), so a refused log is left
 * exactly as it was found.
 *
 * Deciding forward and not from the highest number down lets a reader of a live log (read_only)
 * follow a rotation that happens under its eyes.
 *
 * INV-D13, INV-D17: this file.
 */
#include "log/recovery.h"

#include <errno.h>
#include <string.h>

enum { SETTLED_SEGMENTS = 3, LIVE_ATTEMPTS_MAX = 16 };

/* ---- Words ------------------------------------------------------------------------------------ */

/* The book, also before its first header could be read. */
static talea_text book_of(const tl_recovery *r) {
    if (r->walk.name.data) {
        return r->walk.name;
    }
    const char *slash = strrchr(r->config->dir, '/');
    const char *base = slash ? slash + 1 : r->config->dir;
    return (talea_text){base, strlen(base)};
}

static talea_code corrupt(const tl_recovery *r, const tl_defect *defect, talea_error *err) {
    return tl_defect_error(defect, book_of(r), err);
}

static talea_code corrupt_at(const tl_recovery *r, uint32_t segment, uint64_t offset,
                             const char *words, talea_error *err) {
    tl_defect defect;
    tl_defect_set(&defect, segment, offset, "%s", words);
    return corrupt(r, &defect, err);
}

static talea_code missing(const tl_recovery *r, uint32_t segment, talea_error *err) {
    return corrupt_at(r, segment, 0, "the file is missing", err);
}

static talea_code failed(const tl_recovery *r, int rc, uint32_t segment, const char *what,
                         talea_error *err) {
    return tl_segment_error(err, rc, book_of(r), segment, what);
}

/* ---- The directory ---------------------------------------------------------------------------- */

typedef struct listing {
    uint32_t highest;
    uint32_t count;
    uint32_t torn_number;
    bool temp;
} listing;

static int note_name(void *context, const char *name) {
    listing *l = context;
    uint32_t segment = tl_segment_number(name);
    uint32_t torn = tl_torn_number(name);
    l->count += segment != 0;
    l->highest = segment > l->highest ? segment : l->highest;
    l->torn_number = torn > l->torn_number ? torn : l->torn_number;
    l->temp = l->temp || strcmp(name, TL_SPARE_TEMP_NAME) == 0;
    return 0;
}

static int open_segment(const tl_recovery *r, uint32_t segment, int flags, tl_file **out_file) {
    char path[TL_PATH_BYTES_MAX];
    int rc = tl_segment_path(r->log->dir, segment, path);
    return rc == 0 ? r->log->io->ops->open(r->log->io, path, flags, out_file) : rc;
}

/* The first number of 1..highest that has no file. */
static talea_code find_gap(const tl_recovery *r, talea_error *err) {
    for (uint32_t segment = 1; segment <= r->highest; segment++) {
        tl_file *file = NULL;
        int rc = open_segment(r, segment, TL_OPEN_READ, &file);
        if (rc == ENOENT) {
            return missing(r, segment, err);
        }
        if (rc == 0) {
            file->ops->close(file);
        }
    }
    return TALEA_OK; /* it came back: the walk will see */
}

static talea_code list_segments(tl_recovery *r, talea_error *err) {
    tl_io *io = r->log->io;
    listing l = {0};
    char path[TL_PATH_BYTES_MAX];
    int rc = io->ops->list(io, r->log->dir, note_name, &l);
    if (rc == 0 && l.temp && !r->log->read_only) {
        rc = tl_path_join(r->log->dir, TL_SPARE_TEMP_NAME, path);
        rc = rc == 0 ? io->ops->unlink(io, path) : rc;
    }
    if (rc != 0) {
        return failed(r, rc, 1, "cannot list the book's directory", err);
    }
    r->highest = l.highest;
    r->torn_number = l.torn_number;
    if (l.highest == 0) {
        return missing(r, 1, err);
    }
    return l.count < l.highest ? find_gap(r, err) : TALEA_OK;
}

/* INV-D13: what is read from here on comes from the device. */
static talea_code settle(tl_recovery *r, talea_error *err) {
    uint32_t first = r->highest > SETTLED_SEGMENTS ? r->highest - SETTLED_SEGMENTS + 1 : 1;
    int rc = 0;
    for (uint32_t segment = first; segment <= r->highest; segment++) {
        tl_file *file = NULL;
        rc = open_segment(r, segment, r->log->read_only ? TL_OPEN_READ : TL_OPEN_WRITE, &file);
        if (rc == EINVAL || rc == ELOOP) {
            return corrupt_at(r, segment, 0, "not a regular file", err);
        }
        if (rc == 0) {
            rc = file->ops->sync(file);
            if (rc == 0) {
                rc = file->ops->drop_cache(file);
            }
            file->ops->close(file);
        }
        if (rc != 0) {
            return failed(r, rc, segment, "cannot sync it before reading", err);
        }
    }
    rc = r->log->io->ops->sync_dir(r->log->io, r->log->dir);
    return rc == 0 ? TALEA_OK : failed(r, rc, r->highest, "cannot sync the book's directory", err);
}

static talea_code peek_link(const tl_recovery *r, uint32_t segment, bool *out_exists,
                            bool *out_linked, talea_error *err) {
    tl_file *file = NULL;
    *out_exists = false;
    *out_linked = false;
    int rc = open_segment(r, segment, TL_OPEN_READ, &file);
    if (rc == ENOENT) {
        return TALEA_OK;
    }
    if (rc == 0) {
        *out_exists = true;
        rc = tl_segment_is_linked(file, &r->walk.chain, segment, out_linked);
        file->ops->close(file);
    }
    return rc == 0 ? TALEA_OK : failed(r, rc, segment, "cannot read", err);
}

/* ---- Walking ---------------------------------------------------------------------------------- */

static void close_current(tl_recovery *r) {
    if (r->file) {
        r->file->ops->close(r->file);
        r->file = NULL;
    }
}

/* The walk's verdict as an error; OK for OK and STOP. */
static talea_code check_walk(const tl_recovery *r, tl_walk_result result, talea_error *err) {
    if (result == TL_WALK_CORRUPT) {
        return corrupt(r, &r->walk.defect, err);
    }
    return result == TL_WALK_FAILED ? err->code : TALEA_OK;
}

/* Opens the next segment and checks its header. */
static talea_code begin_segment(tl_recovery *r, talea_error *err) {
    tl_walk *walk = &r->walk;
    uint32_t segment = walk->segment + 1;
    uint64_t base = walk->chain.base;
    int flags = r->log->read_only ? TL_OPEN_READ : TL_OPEN_WRITE;
    int rc = open_segment(r, segment, flags, &r->file);
    if (rc == ENOENT) {
        return missing(r, segment, err);
    }
    if (rc == EINVAL || rc == ELOOP) {
        return corrupt_at(r, segment, 0, "not a regular file", err);
    }
    if (rc != 0) {
        return failed(r, rc, segment, "cannot open it", err);
    }
    walk->verify_first = segment + 1 >= r->highest || r->log->read_only;
    talea_code code = check_walk(r, tl_walk_begin(walk, r->file, err), err);
    if (code == TALEA_OK) {
        if (!tl_log_reserve_info(r->log)) {
            return tl_error_nomem(err);
        }
        tl_log_add_info(r->log, base, walk->header.salt);
    }
    return code;
}

/* A directory that does not encode the name that its files give it is foreign. */
static talea_code check_directory(const tl_recovery *r, talea_error *err) {
    char encoded[TL_DIR_NAME_BYTES];
    const char *slash = strrchr(r->config->dir, '/');
    tl_book_dir_name(r->walk.name, encoded);
    if (r->config->name.data || strcmp(slash ? slash + 1 : r->config->dir, encoded) == 0) {
        return TALEA_OK;
    }
    return corrupt_at(r, 1, 0, "the directory has not the name of this book", err);
}

/* What a link that does not fit says about a predecessor that had no seal to check. */
static talea_code explain_link(const tl_recovery *r, talea_error *err) {
    const tl_log *log = r->log;
    if (r->seal_missing && r->walk.defect.segment == log->old_segment + 1 &&
        r->walk.defect.offset == TL_FIRST_GROUP) {
        return corrupt_at(r, log->old_segment, log->old_end - TL_SEAL_GROUP_BYTES,
                          "what is before this is not what the next segment's link names", err);
    }
    return corrupt(r, &r->walk.defect, err);
}

static talea_code run_segment(tl_recovery *r, talea_error *err) {
    tl_walk_result result = tl_walk_run(&r->walk, err);
    if (result == TL_WALK_STOP && r->log->read_only && !r->walk.sealed) {
        /* A live log may have grown since its first bytes were read. */
        int rc = tl_scan_refresh(&r->walk.scan);
        if (rc != 0) {
            return failed(r, rc, r->walk.segment, "cannot read", err);
        }
        result = tl_walk_run(&r->walk, err);
    }
    if (result == TL_WALK_CORRUPT) {
        return explain_link(r, err);
    }
    return check_walk(r, result, err);
}

/* ---- Which segment is final ------------------------------------------------------------------- */

/* The segment just walked waits for its sealing: INV-D11, it must be the final one's predecessor. */
static void keep_as_old(tl_recovery *r) {
    tl_log *log = r->log;
    assert(!log->old);
    log->old = r->file;
    log->old_segment = r->walk.segment;
    log->old_end = r->walk.end;
    r->file = NULL;
}

static talea_code refuse_second_old(const tl_recovery *r, talea_error *err) {
    return corrupt_at(r, r->log->old_segment, r->log->old_end,
                      r->seal_missing
                          ? "its seal is missing, though its successor is sealed"
                          : "it was not cut to its seal, though its successor is sealed",
                      err);
}

/* The tail of the final segment, or of what has not become one. A reader of a live log looks again.
 */
static talea_code judge(tl_recovery *r, tl_walk *walk, tl_judgement *out, talea_error *err) {
    for (int attempt = 0;; attempt++) {
        int rc = tl_classify(walk, out);
        if (rc != 0) {
            return failed(r, rc, walk->segment, "cannot read", err);
        }
        if (!r->log->read_only || out->verdict == TL_VERDICT_END ||
            out->verdict == TL_VERDICT_TORN) {
            break;
        }
        if (out->verdict == TL_VERDICT_ROTTEN) { /* half written, perhaps: INV-D17 */
            out->verdict = TL_VERDICT_TORN;
            break;
        }
        uint32_t end = walk->end;
        rc = tl_scan_refresh(&walk->scan);
        if (rc != 0) {
            return failed(r, rc, walk->segment, "cannot read", err);
        }
        talea_code code = check_walk(r, tl_walk_run(walk, err), err);
        if (code != TALEA_OK || walk->sealed) {
            return code;
        }
        if (walk->end == end && attempt >= LIVE_ATTEMPTS_MAX) {
            break;
        }
    }
    bool fine = out->verdict == TL_VERDICT_END || out->verdict == TL_VERDICT_TORN;
    bool cut_to_seal = out->verdict == TL_VERDICT_SHORT && walk->segment < r->highest &&
                       walk->defect.segment == walk->segment;
    /* A sealed segment is shorter than its space was: there the damage itself is the news. */
    return fine ? TALEA_OK : corrupt(r, cut_to_seal ? &walk->defect : &out->defect, err);
}

/* A segment behind a sealed one that has no valid link: its first write never came to an end. */
static talea_code take_unlinked(tl_recovery *r, bool cut, talea_error *err) {
    talea_code code = begin_segment(r, err);
    uint32_t segment = r->walk.segment;
    if (code == TALEA_OK && cut) { /* INV-D10 */
        return corrupt_at(r, segment, TL_FIRST_GROUP,
                          "its link is gone: the segment before was cut when it was there", err);
    }
    if (code == TALEA_OK && r->highest > segment) {
        return corrupt_at(r, segment, TL_FIRST_GROUP, "it has no link, and is not the last one",
                          err);
    }
    if (code == TALEA_OK) {
        code = judge(r, &r->walk, &r->judgement, err);
    }
    r->needs_link = code == TALEA_OK;
    return code;
}

static talea_code after_seal(tl_recovery *r, bool *out_done, talea_error *err) {
    tl_walk *walk = &r->walk;
    uint64_t nonzero = 0;
    bool exists;
    bool linked;
    if (r->log->old) {
        return refuse_second_old(r, err);
    }
    int rc = tl_scan_first_nonzero(&walk->scan, walk->end, walk->scan.size, &nonzero);
    if (rc != 0) {
        return failed(r, rc, walk->segment, "cannot read", err);
    }
    if (nonzero < walk->scan.size) {
        return corrupt_at(r, walk->segment, nonzero, "something stands behind the seal", err);
    }
    bool cut = walk->scan.size == walk->end;
    talea_code code = peek_link(r, walk->segment + 1, &exists, &linked, err);
    if (code == TALEA_OK && !exists) {
        code = missing(r, walk->segment + 1, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    if (!cut && !r->log->read_only) {
        const uint8_t *seal = NULL;
        size_t len = 0;
        rc = tl_scan_get(&walk->scan, walk->end - TL_SEAL_GROUP_BYTES, sizeof r->seal, &seal, &len);
        if (rc != 0 || len < sizeof r->seal) {
            return failed(r, rc ? rc : EIO, walk->segment, "cannot read", err);
        }
        memcpy(r->seal, seal, sizeof r->seal);
        keep_as_old(r);
    }
    close_current(r);
    if (!linked) {
        *out_done = true;
        code = take_unlinked(r, cut && !r->log->read_only, err);
    }
    return code;
}

/* The walked segment has no seal, but its successor is in use. */
static talea_code take_unsealed(tl_recovery *r, talea_error *err) {
    tl_walk *walk = &r->walk;
    tl_judgement j;
    talea_code code = judge(r, walk, &j, err);
    if (code != TALEA_OK || walk->sealed) {
        return code;
    }
    if (r->log->old) {
        return refuse_second_old(r, err);
    }
    if (!walk->has_events ||
        (j.verdict == TL_VERDICT_TORN && j.to > (uint64_t)walk->end + TL_SEAL_GROUP_BYTES)) {
        return corrupt_at(r, walk->segment, walk->end, "damage where the seal should stand", err);
    }
    tl_walk_assume_seal(walk, r->seal);
    keep_as_old(r);
    r->seal_missing = true;
    return TALEA_OK;
}

/* The spare, if there is one. It is checked and judged apart from the walk, which stays where the
 * log ends. */
static talea_code take_spare(tl_recovery *r, talea_error *err) {
    tl_log *log = r->log;
    tl_walk walk;
    uint32_t segment = r->walk.segment + 1;
    talea_code code = tl_walk_init(&walk, r->config, NULL, NULL, err);
    if (code == TALEA_OK) {
        walk.name = r->walk.name;
        walk.chain = r->walk.chain;
        walk.segment = r->walk.segment;
        int rc = open_segment(r, segment, TL_OPEN_WRITE, &log->spare);
        if (rc == EINVAL || rc == ELOOP) {
            code = corrupt_at(r, segment, 0, "not a regular file", err);
        } else if (rc != 0) {
            code = failed(r, rc, segment, "cannot open it", err);
        }
    }
    if (code == TALEA_OK) {
        tl_walk_result result = tl_walk_begin(&walk, log->spare, err);
        code = result == TL_WALK_CORRUPT ? corrupt(r, &walk.defect, err)
               : result == TL_WALK_OK    ? TALEA_OK
                                         : err->code;
    }
    if (code == TALEA_OK) {
        code = judge(r, &walk, &r->spare_judgement, err);
    }
    if (code == TALEA_OK) {
        log->spare_salt = walk.header.salt;
        log->spare_space = walk.header.space;
        tl_segment_header_encode(&walk.header, log->spare_header);
        atomic_store(&log->spare_ready, true);
    }
    tl_walk_free(&walk);
    return code;
}

static talea_code after_stop(tl_recovery *r, bool *out_done, talea_error *err) {
    bool exists;
    bool linked;
    uint32_t next = r->walk.segment + 1;
    talea_code code = peek_link(r, next, &exists, &linked, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (r->walk.end == TL_FIRST_GROUP) {
        return corrupt(r, &r->walk.defect, err); /* segment 1 without its link; others were peeked
                                                    at */
    }
    if (linked) {
        if (r->log->read_only) { /* rotated under our eyes? */
            code = run_segment(r, err);
            if (code != TALEA_OK || r->walk.sealed) {
                return code;
            }
        }
        return take_unsealed(r, err);
    }
    if (r->highest > next) {
        return corrupt(r, &r->walk.defect, err);
    }
    code = judge(r, &r->walk, &r->judgement, err);
    *out_done = !r->walk.sealed; /* unless a live log was rotated meanwhile */
    if (code == TALEA_OK && exists && !r->log->read_only) {
        code = take_spare(r, err);
    }
    return code;
}

static talea_code walk_all(tl_recovery *r, talea_error *err) {
    bool done = false;
    talea_code code = TALEA_OK;
    while (code == TALEA_OK && !done) {
        close_current(r);
        code = begin_segment(r, err);
        if (code == TALEA_OK && r->walk.segment == 1) {
            code = check_directory(r, err);
        }
        if (code == TALEA_OK) {
            code = run_segment(r, err);
        }
        if (code == TALEA_OK && !r->walk.sealed) {
            code = after_stop(r, &done, err);
        }
        if (code == TALEA_OK && r->walk.sealed && r->file) {
            code = after_seal(r, &done, err);
        }
    }
    return code;
}

/* ---- The log ---------------------------------------------------------------------------------- */

static tl_log *new_log(const tl_log_config *config) {
    tl_log *log = calloc(1, sizeof *log);
    if (!log) {
        return NULL;
    }
    tl_mutex_init(&log->work);
    tl_mutex_init(&log->table);
    log->io = config->io;
    log->read_only = config->read_only;
    log->on_work = config->on_work;
    log->context = config->context;
    log->segment_cap = tl_segment_cap(config->segment_bytes_max);
    log->dir = malloc(strlen(config->dir) + 1);
    if (!log->dir) {
        tl_log_free(log);
        return NULL;
    }
    memcpy(log->dir, config->dir, strlen(config->dir) + 1);
    return log;
}

/* What the walk knows about the end becomes the writer's state. */
static void adopt(tl_recovery *r) {
    tl_log *log = r->log;
    tl_walk *walk = &r->walk;
    memcpy(log->name_bytes, walk->name.data, walk->name.len);
    log->name_len = walk->name.len;
    log->uid = walk->chain.uid;
    log->segment = walk->segment;
    log->salt = walk->header.salt;
    log->base = walk->chain.base;
    log->end = walk->end;
    log->has_events = walk->has_events;
    log->unproven = walk->unproven_from < walk->end;
    log->prev_crc = walk->chain.prev_crc;
    log->next_seq = walk->chain.next_seq;
    log->last_at = walk->chain.last_at;
    if (!log->read_only) {
        log->file = r->file;
        r->file = NULL;
        log->hasher = walk->hasher;
        walk->hasher = NULL;
    }
    atomic_store(&log->segments, log->segment);
    atomic_store(&log->bytes, log->base + log->end);
    atomic_store(&log->space_end, walk->space); /* INV-D4: synced by what the groups say; not the
                                                   file's size */
    atomic_store(&log->seal_waits, log->old != NULL);
}

talea_code tl_log_open(const tl_log_config *config, tl_log_event_fn *on_event, void *context,
                       tl_log **out_log, talea_error *err) {
    tl_recovery r = {.config = config, .log = new_log(config)};
    if (!r.log) {
        return tl_error_nomem(err);
    }
    talea_code code = tl_walk_init(&r.walk, config, on_event, context, err);
    if (code == TALEA_OK) {
        code = list_segments(&r, err);
    }
    if (code == TALEA_OK && (!r.log->read_only || config->settle)) {
        code = settle(&r, err);
    }
    if (code == TALEA_OK) {
        code = walk_all(&r, err);
    }
    if (code == TALEA_OK) {
        adopt(&r);
        code = r.log->read_only ? tl_recovery_keep_walk(&r, err) : tl_recovery_mend(&r, err);
    }
    close_current(&r);
    tl_walk_free(&r.walk);
    if (code != TALEA_OK) {
        tl_log_free(r.log);
        return code;
    }
    tl_log_rest(r.log); /* a book that is only read holds no descriptor */
    *out_log = r.log;
    return TALEA_OK;
}
