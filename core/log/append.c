/*
 * append.c: one group, one write, one sync; proofs; closing.
 *
 * How: the group's header goes into the 40 bytes that the writer left free, and the buffer is written as it
 * stands. Space was made before (space.c), so the write changes no metadata; the next segment was
 * made before (rotate.c), so a rotation costs no further sync.
 *
 * INV-D1, INV-D2, INV-D3: this file. The writer is one thread, so one sync is in flight by
 * construction.
 */
#include <errno.h>
#include <string.h>

#include "log/internal.h"

/* ---- Failing ---------------------------------------------------------------------------------- */

/* INV-D5. The first failure counts: what comes later follows from it. */
talea_code tl_log_fail(tl_log *log, int rc, uint32_t segment, const char *what, talea_error *err) {
    talea_error failure;
    (void)tl_segment_error(&failure, rc, tl_log_book(log), segment, what);
    failure.code = TALEA_IO; /* also when the system says ENOSPC: something may have been written */
    tl_mutex_lock(&log->table);
    if (!atomic_load(&log->failed)) {
        log->failure = failure;
        atomic_store(&log->failed, true);
    }
    *err = log->failure;
    tl_mutex_unlock(&log->table);
    return TALEA_IO;
}

talea_code tl_log_failure(tl_log *log, talea_error *err) {
    assert(atomic_load(&log->failed));
    tl_mutex_lock(&log->table);
    *err = log->failure;
    tl_mutex_unlock(&log->table);
    return err->code;
}

talea_code tl_log_refuse(tl_log *log, int rc, uint32_t segment, const char *what,
                         talea_error *err) {
    talea_code code = tl_segment_error(err, rc, tl_log_book(log), segment, what);
    bool passing = code == TALEA_FULL || code == TALEA_NOMEM || rc == EMFILE || rc == ENFILE;
    return passing ? code : tl_log_fail(log, rc, segment, what, err);
}

void tl_log_abandon(tl_log *log) {
    talea_error err;
    (void)tl_log_fail(log, ECANCELED, log->segment, "given up", &err);
}

bool tl_log_has_failed(const tl_log *log) {
    return atomic_load(&log->failed);
}

void tl_log_quiesce(tl_log *log) {
    tl_mutex_lock(&log->work);
    tl_mutex_unlock(&log->work);
}

/* ---- Descriptors ------------------------------------------------------------------------------ */

static void close_file(tl_file **file) {
    if (*file) {
        (*file)->ops->close(*file);
        *file = NULL;
    }
}

void tl_log_rest(tl_log *log) {
    close_file(&log->file);
    tl_mutex_lock(&log->work);
    close_file(&log->spare); /* spare_ready stays: get_ready opens it again */
    tl_mutex_unlock(&log->work);
}

/* Everything written through the closed descriptor was synced through it, so nothing is lost with
 * it. */
static talea_code wake(tl_log *log, talea_error *err) {
    char path[TL_PATH_BYTES_MAX];
    if (log->file) {
        return TALEA_OK;
    }
    int rc = tl_segment_path(log->dir, log->segment, path);
    if (rc == 0) {
        rc = log->io->ops->open(log->io, path, TL_OPEN_WRITE, &log->file);
    }
    return rc == 0 ? TALEA_OK : tl_log_refuse(log, rc, log->segment, "cannot open it", err);
}

/* ---- The table of segments -------------------------------------------------------------------- */

bool tl_log_reserve_info(tl_log *log) {
    bool done = true;
    tl_mutex_lock(&log->table);
    if (log->info_count == log->info_cap) {
        size_t cap = log->info_cap ? 2 * log->info_cap : 4;
        tl_segment_info *infos = realloc(log->infos, cap * sizeof *infos);
        if (infos) {
            log->infos = infos;
            log->info_cap = cap;
        } else {
            done = false;
        }
    }
    tl_mutex_unlock(&log->table);
    return done;
}

void tl_log_add_info(tl_log *log, uint64_t base, uint32_t salt) {
    tl_mutex_lock(&log->table);
    assert(log->info_count < log->info_cap);
    log->infos[log->info_count++] = (tl_segment_info){.base = base, .salt = salt};
    tl_mutex_unlock(&log->table);
}

static tl_segment_info info_of(tl_log *log, uint32_t segment) {
    tl_mutex_lock(&log->table);
    assert(segment >= 1 && segment <= log->info_count);
    tl_segment_info info = log->infos[segment - 1];
    tl_mutex_unlock(&log->table);
    return info;
}

uint64_t tl_log_position(tl_log *log, uint32_t segment, uint32_t offset) {
    return info_of(log, segment).base + offset;
}

uint32_t tl_log_salt(tl_log *log, uint32_t segment) {
    return info_of(log, segment).salt;
}

tl_uid tl_log_uid(const tl_log *log) {
    return log->uid;
}

talea_text tl_log_name(const tl_log *log) {
    return tl_log_book(log);
}

uint64_t tl_log_next_seq(const tl_log *log) {
    return log->next_seq;
}

int64_t tl_log_last_at(const tl_log *log) {
    return log->last_at;
}

uint32_t tl_log_segments(const tl_log *log) {
    return atomic_load(&log->segments);
}

uint64_t tl_log_bytes(const tl_log *log) {
    return atomic_load(&log->bytes);
}

/* ---- Appending -------------------------------------------------------------------------------- */

void tl_log_advance(tl_log *log, const uint8_t *data, size_t len) {
    tl_hasher_update(log->hasher, data, len);
    log->end += (uint32_t)len;
    atomic_store(&log->bytes, log->base + log->end);
}

/* INV-D1: into prepared space; INV-D2: back only when it is synced. */
static talea_code write_synced(tl_log *log, const uint8_t *data, size_t len, uint32_t offset,
                               uint64_t *out_sync_us, talea_error *err) {
    assert(offset % TL_GROUP_ALIGN == 0);
    assert(tl_space_needed((uint64_t)offset + len) <= atomic_load(&log->space_end));
    int rc = log->file->ops->pwrite(log->file, data, len, offset);
    if (rc != 0) {
        return tl_log_fail(log, rc, log->segment, "cannot write a group", err);
    }
    int64_t begun = tl_monotonic_us();
    rc = log->file->ops->sync(log->file);
    if (rc != 0) {
        return tl_log_fail(log, rc, log->segment, "cannot sync a group", err);
    }
    *out_sync_us = (uint64_t)(tl_monotonic_us() - begun);
    return TALEA_OK;
}

/* May a group of `len` bytes still go into this segment, with a proof and the seal behind it? */
static bool fits(const tl_log *log, size_t len) {
    uint64_t proof_end = tl_proof_offset((uint64_t)log->end + len) + TL_GROUP_HEADER_BYTES;
    return !log->has_events || tl_space_needed(proof_end) <= log->segment_cap;
}

static void ask_for_work(tl_log *log) {
    bool wanted = atomic_load(&log->seal_waits) || tl_space_is_low(log, log->end, log->base) ||
                  tl_spare_is_due(log, log->end, log->base);
    if (!wanted) {
        return;
    }
    if (!log->on_work) {
        tl_log_prepare(log);
    } else if (!atomic_exchange(&log->work_asked, true)) {
        log->on_work(log->context);
    }
}

static talea_code append_here(tl_log *log, tl_group_writer *group, tl_group_header *header,
                              tl_log_place *out_place, talea_error *err) {
    size_t len = group->buf.len;
    uint64_t sync_us = 0;
    talea_code code = tl_space_ensure(log, (uint64_t)log->end + len, err);
    if (code != TALEA_OK) {
        return code;
    }
    header->durable_upto = log->end;
    header->space_end = atomic_load(&log->space_end);
    tl_group_header_encode(header, log->segment, log->salt, log->end, group->buf.data);
    code = write_synced(log, group->buf.data, len, log->end, &sync_us, err);
    if (code != TALEA_OK) {
        return code;
    }
    *out_place = (tl_log_place){.segment = log->segment,
                                .offset = log->end,
                                .group_end = log->end + (uint32_t)len,
                                .sync_us = sync_us};
    tl_log_advance(log, group->buf.data, len);
    return TALEA_OK;
}

talea_code tl_log_append(tl_log *log, tl_group_writer *group, uint64_t first_seq, uint64_t events,
                         int64_t at, tl_log_place *out_place, talea_error *err) {
    size_t len = group->buf.len;
    assert(first_seq == log->next_seq && events > 0);
    assert(at > log->last_at);
    assert(len > TL_GROUP_HEADER_BYTES && len % TL_GROUP_ALIGN == 0);
    if (log->read_only) {
        return tl_error(err, TALEA_READ_ONLY, "book \"%.*s\" is opened read-only",
                        (int)log->name_len, log->name_bytes);
    }
    if (atomic_load(&log->failed)) {
        return tl_log_failure(log, err);
    }
    if (len > TL_GROUP_BYTES_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "a group of %zu bytes; at most %d", len,
                        TL_GROUP_BYTES_MAX);
    }
    tl_group_header header = {.body_bytes = (uint32_t)(len - TL_GROUP_HEADER_BYTES),
                              .prev_crc = log->prev_crc,
                              .first_seq = first_seq,
                              .at = at};
    talea_code code = wake(log, err);
    if (code == TALEA_OK) {
        code = fits(log, len) ? append_here(log, group, &header, out_place, err)
                              : tl_log_rotate(log, group, &header, out_place, err);
    }
    if (code == TALEA_OK) {
        log->prev_crc = header.crc;
        log->next_seq += events;
        log->last_at = at;
        log->has_events = true;
        log->unproven = true;
        ask_for_work(log);
    }
    return code;
}

/* ---- Proving and closing ---------------------------------------------------------------------- */

talea_code tl_log_write_proof(tl_log *log, talea_error *err) {
    assert(!log->read_only);
    uint8_t out[TL_SECTOR_BYTES + TL_GROUP_HEADER_BYTES];
    uint64_t sync_us = 0;
    uint32_t offset = (uint32_t)tl_proof_offset(log->end); /* INV-D12 */
    size_t gap = offset - log->end;
    talea_code code = wake(log, err);
    if (code == TALEA_OK) {
        code = tl_space_ensure(log, (uint64_t)offset + TL_GROUP_HEADER_BYTES, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    tl_group_header header = {.durable_upto = offset,
                              .space_end = atomic_load(&log->space_end),
                              .prev_crc = log->prev_crc,
                              .first_seq = log->next_seq,
                              .at = log->last_at};
    tl_put_filler(out, gap, log->salt);
    tl_group_header_encode(&header, log->segment, log->salt, offset, out + gap);
    code = write_synced(log, out, gap + TL_GROUP_HEADER_BYTES, log->end, &sync_us, err);
    if (code == TALEA_OK) {
        log->prev_crc = header.crc;
        log->unproven = false;
        tl_log_advance(log, out, gap + TL_GROUP_HEADER_BYTES);
    }
    return code;
}

talea_code tl_log_prove(tl_log *log, talea_error *err) {
    if (log->read_only) {
        return TALEA_OK;
    }
    if (atomic_load(&log->failed)) {
        return tl_log_failure(log, err);
    }
    return log->unproven ? tl_log_write_proof(log, err) : TALEA_OK;
}

void tl_log_free(tl_log *log) {
    tl_follow_free(log->follow);
    close_file(&log->file);
    close_file(&log->spare);
    close_file(&log->old);
    if (log->hasher) {
        tl_hasher_free(log->hasher);
    }
    tl_mutex_destroy(&log->work);
    tl_mutex_destroy(&log->table);
    free(log->infos);
    free(log->dir);
    free(log);
}

talea_code tl_log_close(tl_log *log, talea_error *err) {
    talea_error later;
    talea_code code = tl_log_prove(log, err);
    if (!log->read_only && !atomic_load(&log->failed)) {
        tl_mutex_lock(&log->work);
        talea_code sealing = tl_seal_finish(log, &later);
        tl_mutex_unlock(&log->work);
        if (code == TALEA_OK && sealing != TALEA_OK) {
            code = sealing;
            *err = later;
        }
    }
    tl_log_free(log);
    return code;
}
