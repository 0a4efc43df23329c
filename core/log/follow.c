/*
 * follow.c: a read-only log goes on.
 *
 * How: opening read-only leaves its walk standing where the log ended. Following looks at the few bytes where the next
 * group (or proof) would begin, and only when something stands there walks on: group by group, each
 * verified whole before its events are delivered, from segment to segment when a seal and the next
 * link have arrived. A group that is only half there, or damaged, ends the log for now (INV-D17).
 *
 * What is delivered is valid, but its writer may still be waiting for its sync; tl_log_proven_seq
 * says how far a later group (or a proof, TL_QUIET_MS after the last one) vouches.
 */
#include <errno.h>

#include "log/recovery.h"

struct tl_follow {
    tl_walk walk;
    tl_file *file; /* of the segment that the walk is in */
    uint64_t settled_next;
};

void tl_follow_free(struct tl_follow *follow) {
    if (follow) {
        if (follow->file) {
            follow->file->ops->close(follow->file);
        }
        tl_walk_free(&follow->walk);
        free(follow);
    }
}

talea_code tl_recovery_keep_walk(tl_recovery *r, talea_error *err) {
    struct tl_follow *follow = malloc(sizeof *follow);
    if (!follow) {
        return tl_error_nomem(err);
    }
    *follow = (struct tl_follow){.walk = r->walk, .file = r->file};
    if (r->config->settle) {
        /* Once more: what was walked over may have been added after the file was synced. */
        int rc = r->file->ops->sync(r->file);
        if (rc != 0) {
            free(follow);
            return tl_segment_error(err, rc, r->walk.name, r->walk.segment, "cannot sync");
        }
        follow->settled_next = r->walk.chain.next_seq;
    }
    if (r->walk.name.data == r->walk.name_bytes) {
        follow->walk.name.data = follow->walk.name_bytes;
    }
    r->log->follow = follow;
    r->file = NULL;
    r->walk.hasher = NULL;
    r->walk.scan = (tl_scan){0};
    return TALEA_OK;
}

uint64_t tl_log_proven_seq(const tl_log *log) {
    if (!log->follow) {
        return log->next_seq - 1;
    }
    uint64_t proven = log->follow->walk.proven_next;
    return (proven > log->follow->settled_next ? proven : log->follow->settled_next) - 1;
}

/* Does anything stand where the next group, or the next proof, would? */
static int look_ahead(const struct tl_follow *follow, bool *out_more) {
    const tl_walk *walk = &follow->walk;
    uint8_t ahead[TL_SECTOR_BYTES + TL_GROUP_ALIGN];
    uint64_t proof = tl_proof_offset(walk->end);
    size_t len = (size_t)(proof - walk->end) + TL_GROUP_ALIGN;
    size_t got = 0;
    assert(len <= sizeof ahead);
    int rc = follow->file->ops->pread(follow->file, ahead, len, walk->end, &got);
    *out_more = false;
    for (size_t i = 0; i < got && rc == 0; i++) {
        *out_more = *out_more || ahead[i] != 0;
    }
    return rc;
}

static talea_code read_failed(const tl_log *log, int rc, talea_error *err) {
    return tl_segment_error(err, rc, tl_log_book(log), log->follow->walk.segment, "cannot read");
}

/* To the end of what is valid in this segment. */
static talea_code walk_on(tl_log *log, talea_error *err) {
    struct tl_follow *follow = log->follow;
    bool more = false;
    int rc = follow->walk.sealed ? 0 : look_ahead(follow, &more);
    if (rc == 0 && more) {
        rc = tl_scan_refresh(&follow->walk.scan);
    }
    if (rc != 0) {
        return read_failed(log, rc, err);
    }
    if (!more) {
        return TALEA_OK;
    }
    switch (tl_walk_run(&follow->walk, err)) {
    case TL_WALK_CORRUPT: return tl_defect_error(&follow->walk.defect, tl_log_book(log), err);
    case TL_WALK_FAILED: return err->code;
    case TL_WALK_OK:
    case TL_WALK_STOP: break;
    }
    return TALEA_OK;
}

/* Behind a seal: into the next segment, as soon as it is linked. */
static talea_code enter_next(tl_log *log, bool *out_entered, talea_error *err) {
    struct tl_follow *follow = log->follow;
    char path[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    bool linked = false;
    uint64_t base = follow->walk.chain.base;
    *out_entered = false;
    int rc = tl_segment_path(log->dir, follow->walk.segment + 1, path);
    if (rc == 0) {
        rc = log->io->ops->open(log->io, path, TL_OPEN_READ, &file);
    }
    if (rc == ENOENT) {
        return TALEA_OK; /* the spare comes before the seal, so this is a passing state at most */
    }
    if (rc == 0) {
        rc = tl_segment_is_linked(file, &follow->walk.chain, follow->walk.segment + 1, &linked);
    }
    if (rc != 0 || !linked || !tl_log_reserve_info(log)) {
        if (file) {
            file->ops->close(file);
        }
        return rc != 0 ? read_failed(log, rc, err) : linked ? tl_error_nomem(err) : TALEA_OK;
    }
    follow->file->ops->close(follow->file);
    follow->file = file;
    tl_walk_result result = tl_walk_begin(&follow->walk, file, err);
    if (result != TL_WALK_OK) {
        return result == TL_WALK_CORRUPT
                   ? tl_defect_error(&follow->walk.defect, tl_log_book(log), err)
                   : err->code;
    }
    tl_log_add_info(log, base, follow->walk.header.salt);
    atomic_store(&log->segments, follow->walk.segment);
    *out_entered = true;
    return TALEA_OK;
}

talea_code tl_log_follow(tl_log *log, tl_log_event_fn *on_event, void *context, talea_error *err) {
    struct tl_follow *follow = log->follow;
    assert(log->read_only && follow);
    follow->walk.on_event = on_event;
    follow->walk.context = context;
    follow->walk.verify_first = true;
    bool entered = true;
    talea_code code = TALEA_OK;
    while (code == TALEA_OK && entered) {
        code = walk_on(log, err);
        entered = false;
        if (code == TALEA_OK && follow->walk.sealed) {
            code = enter_next(log, &entered, err);
        }
    }
    log->next_seq = follow->walk.chain.next_seq;
    log->last_at = follow->walk.chain.last_at;
    atomic_store(&log->bytes, follow->walk.sealed ? follow->walk.chain.base
                                                  : follow->walk.chain.base + follow->walk.end);
    return code;
}
