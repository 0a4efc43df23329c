/*
 * mend.c: what opening writes.
 *
 * How: when a log was closed cleanly, nothing. Otherwise, in an order that can be interrupted anywhere (INV-D16):
 * torn bytes are saved, then zeroed; a missing link is written; the unproven tail is written over
 * itself, synced and proven; last the predecessor gets its seal and is cut to it.
 *
 * INV-D14, INV-D15, INV-D16: this file.
 */
#include <errno.h>
#include <stdio.h>

#include "log/recovery.h"

static talea_code failed(const tl_recovery *r, int rc, uint32_t segment, const char *what,
                         talea_error *err) {
    return tl_segment_error(err, rc, r->walk.name, segment, what);
}

/* ---- A torn tail ------------------------------------------------------------------------------ */

static int copy_range(tl_file *from, tl_file *to, uint64_t begin, uint64_t end) {
    uint8_t piece[4096];
    int rc = 0;
    for (uint64_t at = begin; at < end && rc == 0;) {
        size_t want = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        size_t got = 0;
        rc = from->ops->pread(from, piece, want, at, &got);
        if (rc == 0 && got < want) {
            rc = EIO; /* it was there when it was judged */
        }
        if (rc == 0) {
            rc = to->ops->pwrite(to, piece, want, at - begin);
        }
        at += want;
    }
    return rc == 0 ? to->ops->sync(to) : rc;
}

/* INV-D14: the bytes are safe, name and all, when this returns 0. */
static int save_aside(tl_recovery *r, tl_file *file, uint32_t segment, const tl_judgement *j) {
    tl_io *io = r->log->io;
    char name[64];
    char path[TL_PATH_BYTES_MAX];
    tl_file *copy = NULL;
    (void)snprintf(name, sizeof name, "torn-%08u-%08llu-%u.bin", segment,
                   (unsigned long long)j->from, r->torn_number + 1);
    int rc = tl_path_join(r->log->dir, name, path);
    if (rc == 0) {
        rc = io->ops->open(io, path, TL_OPEN_WRITE | TL_OPEN_CREATE, &copy);
    }
    if (rc != 0) {
        return rc;
    }
    rc = copy_range(file, copy, j->from, j->to);
    copy->ops->close(copy);
    if (rc != 0) {
        (void)io->ops->unlink(io, path);
        return rc;
    }
    r->torn_number++;
    return io->ops->sync_dir(io, r->log->dir);
}

static talea_code cut_torn(tl_recovery *r, tl_file *file, uint32_t segment, const tl_judgement *j,
                           talea_error *err) {
    assert(j->verdict == TL_VERDICT_TORN);
    assert(j->from < j->to);
    int rc = save_aside(r, file, segment, j);
    if (rc != 0) {
        return failed(r, rc, segment, "cannot save its torn end", err);
    }
    rc = tl_write_zeros(file, j->from, j->to);
    if (rc == 0) {
        rc = file->ops->sync(file);
    }
    return rc == 0 ? TALEA_OK : failed(r, rc, segment, "cannot clear its torn end", err);
}

/* ---- The final segment ------------------------------------------------------------------------ */

/* Step 6. Whether the predecessor's seal is on the device yet does not matter: a link without it is
 * a state like any other. */
static talea_code write_link(tl_recovery *r, talea_error *err) {
    tl_log *log = r->log;
    uint8_t out[TL_LINK_GROUP_BYTES];
    tl_group_header link = {.durable_upto = TL_FIRST_GROUP,
                            .space_end = atomic_load(&log->space_end),
                            .prev_crc = log->prev_crc,
                            .first_seq = log->next_seq,
                            .at = log->last_at};
    assert(log->end == TL_FIRST_GROUP);
    assert(log->old);
    tl_link_encode(&link, log->segment, log->salt, TL_FIRST_GROUP, log->uid, r->walk.chain.hash,
                   log->base, out);
    int rc = log->file->ops->pwrite(log->file, out, sizeof out, TL_FIRST_GROUP);
    if (rc == 0) {
        rc = log->file->ops->sync(log->file);
    }
    if (rc != 0) {
        return failed(r, rc, log->segment, "cannot write its link", err);
    }
    log->prev_crc = link.crc;
    tl_log_advance(log, out, sizeof out);
    return TALEA_OK;
}

/* Step 7: the same bytes over themselves, from memory, which a page cache may not have brought to
 * the device. */
static talea_code rewrite_unproven(tl_recovery *r, talea_error *err) {
    tl_log *log = r->log;
    const uint8_t *data = NULL;
    size_t len = 0;
    uint32_t from = r->walk.unproven_from;
    assert(from < log->end);
    int rc = tl_scan_get(&r->walk.scan, from, log->end - from, &data, &len);
    if (rc == 0 && len < log->end - from) {
        rc = EIO;
    }
    if (rc == 0) {
        rc = log->file->ops->pwrite(log->file, data, len, from);
    }
    if (rc == 0) {
        rc = log->file->ops->sync(log->file);
    }
    return rc == 0 ? TALEA_OK : failed(r, rc, log->segment, "cannot write its end again", err);
}

/* Step 8. The seal is written again also where it was found: it must be on the device before the
 * file is cut to it. */
static talea_code finish_predecessor(tl_recovery *r, talea_error *err) {
    tl_log *log = r->log;
    if (!log->old) {
        return TALEA_OK;
    }
    uint64_t at = log->old_end - TL_SEAL_GROUP_BYTES;
    int rc = log->old->ops->pwrite(log->old, r->seal, sizeof r->seal, at);
    if (rc != 0) {
        return failed(r, rc, log->old_segment, "cannot seal it", err);
    }
    tl_mutex_lock(&log->work);
    talea_code code = tl_seal_finish(log, err);
    tl_mutex_unlock(&log->work);
    return code;
}

talea_code tl_recovery_mend(tl_recovery *r, talea_error *err) {
    tl_log *log = r->log;
    assert(!log->read_only);
    bool unproven = r->walk.unproven_from < r->walk.end;
    talea_code code = TALEA_OK;
    if (r->judgement.verdict == TL_VERDICT_TORN) {
        code = cut_torn(r, log->file, log->segment, &r->judgement, err);
    }
    if (code == TALEA_OK && log->spare && r->spare_judgement.verdict == TL_VERDICT_TORN) {
        code = cut_torn(r, log->spare, log->segment + 1, &r->spare_judgement, err);
    }
    if (code == TALEA_OK && r->needs_link) {
        code = write_link(r, err);
    } else if (code == TALEA_OK && unproven) {
        code = rewrite_unproven(r, err);
    }
    if (code == TALEA_OK && (r->needs_link || unproven)) {
        log->unproven = true;
        code = tl_log_write_proof(log, err);
        if (code == TALEA_FULL) {
            code = TALEA_OK; /* a full disk refuses drafts, not reading; the proof comes when there
                                is space */
        }
    }
    if (code == TALEA_OK) {
        code = finish_predecessor(r, err);
    }
    return code;
}
