/*
 * rotate.c: from one segment to the next.
 *
 * How: the spare was made in the background and its name is durable. The writer writes the seal to the old
 * segment without waiting for it, then link and first group to the spare, and syncs
 * that: one sync, as for any group. The old segment is synced and cut in the background,
 * afterwards. A crash in between leaves one of the states that FORMAT.md ("Which segment is final")
 * tells apart.
 *
 * INV-D8 to INV-D11: this file.
 *
 * Tried and left: syncing the seal first. It doubles the latency of one append in a segment and proves
 * nothing that the link's hash does not prove.
 */
#include <errno.h>
#include <string.h>

#include "log/internal.h"

/* ---- The spare -------------------------------------------------------------------------------- */

static uint32_t spare_space(const tl_log *log, uint32_t space_min) {
    uint32_t space = tl_stretch_bytes(log->base + atomic_load(&log->space_end));
    if (space > log->segment_cap) {
        space = log->segment_cap;
    }
    return space > space_min ? space : space_min;
}

/* Under its name, and the name durable (INV-D8). */
static int publish_spare(tl_log *log, const char *temp) {
    char path[TL_PATH_BYTES_MAX];
    int rc = tl_segment_path(log->dir, log->segment + 1, path);
    if (rc == 0) {
        rc = log->io->ops->rename(log->io, temp, path);
    }
    return rc != 0 ? rc : log->io->ops->sync_dir(log->io, log->dir);
}

talea_code tl_spare_make(tl_log *log, uint32_t space_min, talea_error *err) {
    assert(tl_mutex_held(&log->work));
    assert(!log->spare);
    static const char words[] = "cannot make the next segment";
    tl_segment_header header = {.segment = log->segment + 1,
                                .uid = log->uid,
                                .created_at = log->io->ops->now_us(log->io),
                                .space = spare_space(log, space_min),
                                .name_len = (uint8_t)log->name_len};
    memcpy(header.name, log->name_bytes, log->name_len);
    char temp[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    int rc = tl_random_salt(log->io, &header.salt);
    if (rc == 0) {
        rc = tl_path_join(log->dir, TL_SPARE_TEMP_NAME, temp);
    }
    if (rc != 0) {
        return tl_log_refuse(log, rc, header.segment, words, err);
    }
    tl_segment_header_encode(&header, log->spare_header);
    rc = tl_segment_make(log->io, temp, log->spare_header, TL_SEGMENT_HEADER_BYTES, header.space,
                         &file);
    if (rc != 0) {
        return tl_log_refuse(log, rc, header.segment, words, err);
    }
    rc = publish_spare(log, temp);
    if (rc != 0) {
        file->ops->close(file);
        return tl_log_refuse(log, rc, header.segment, words, err);
    }
    log->spare = file;
    log->spare_salt = header.salt;
    log->spare_space = header.space;
    atomic_store(&log->spare_ready, true);
    return TALEA_OK;
}

/* ---- The predecessor -------------------------------------------------------------------------- */

talea_code tl_seal_finish(tl_log *log, talea_error *err) {
    assert(tl_mutex_held(&log->work));
    if (!log->old) {
        return TALEA_OK;
    }
    tl_file *old = log->old;
    int rc = old->ops->sync(old);
    if (rc == 0) {
        rc = old->ops->truncate(old, log->old_end);
    }
    if (rc == 0) {
        rc = old->ops->sync(old);
    }
    if (rc != 0) {
        return tl_log_fail(log, rc, log->old_segment, "cannot seal it", err);
    }
    old->ops->close(old);
    log->old = NULL;
    atomic_store(&log->seal_waits, false);
    return TALEA_OK;
}

/* ---- Rotating --------------------------------------------------------------------------------- */

/* It was closed while the book was quiet. */
static talea_code reopen_spare(tl_log *log, talea_error *err) {
    char path[TL_PATH_BYTES_MAX];
    int rc = tl_segment_path(log->dir, log->segment + 1, path);
    if (rc == 0) {
        rc = log->io->ops->open(log->io, path, TL_OPEN_WRITE, &log->spare);
    }
    return rc == 0 ? TALEA_OK : tl_log_refuse(log, rc, log->segment + 1, "cannot open it", err);
}

/* Everything that may be refused (INV-D6): a finished predecessor (INV-D11), a spare, its space,
 * memory. */
static talea_code get_ready(tl_log *log, tl_group_writer *group, talea_error *err) {
    assert(tl_mutex_held(&log->work));
    uint64_t end = (uint64_t)TL_FIRST_GROUP + TL_LINK_GROUP_BYTES + group->buf.len;
    uint32_t space_min = (uint32_t)tl_space_needed(end);
    talea_code code = tl_seal_finish(log, err);
    if (code == TALEA_OK && !log->spare) {
        code = atomic_load(&log->spare_ready) ? reopen_spare(log, err)
                                              : tl_spare_make(log, space_min, err);
    }
    if (code == TALEA_OK && log->spare_space < space_min) {
        code = tl_space_extend(log, log->segment + 1, log->spare_space, space_min, err);
        log->spare_space = code == TALEA_OK ? space_min : log->spare_space;
    }
    if (code == TALEA_OK && !tl_log_reserve_info(log)) {
        code = tl_error_nomem(err);
    }
    return code;
}

/* The seal is written and not synced (INV-D9). Returns what the link must know of this segment. */
static talea_code write_seal(tl_log *log, tl_hash128 *out_hash, uint32_t *out_crc,
                             talea_error *err) {
    uint8_t out[TL_SEAL_GROUP_BYTES];
    tl_group_header seal = {.durable_upto = log->end,
                            .space_end = log->end + TL_SEAL_GROUP_BYTES,
                            .prev_crc = log->prev_crc,
                            .first_seq = log->next_seq,
                            .at = log->last_at};
    assert(log->end + TL_SEAL_GROUP_BYTES < atomic_load(&log->space_end)); /* INV-D4 */
    *out_hash = tl_hasher_digest(log->hasher);
    tl_seal_encode(&seal, log->segment, log->salt, log->end, log->uid, *out_hash, out);
    *out_crc = seal.crc;
    int rc = log->file->ops->pwrite(log->file, out, sizeof out, log->end);
    return rc == 0 ? TALEA_OK : tl_log_fail(log, rc, log->segment, "cannot write the seal", err);
}

/* Link and group, two writes and one sync. The group stays where it is: callers read it while it is
 * being written (to verify keys), and nothing is promised before the sync, so the link needs no
 * place in front of it. */
static talea_code write_first(tl_log *log, tl_group_writer *group, tl_group_header *header,
                              tl_hash128 hash, uint64_t base, tl_log_place *out_place,
                              talea_error *err) {
    uint8_t *data = group->buf.data;
    size_t len = group->buf.len;
    uint32_t offset = TL_FIRST_GROUP + TL_LINK_GROUP_BYTES;
    tl_group_header link = {.durable_upto = TL_FIRST_GROUP,
                            .space_end = log->spare_space,
                            .prev_crc = header->prev_crc,
                            .first_seq = header->first_seq,
                            .at = log->last_at};
    uint8_t first[TL_LINK_GROUP_BYTES];
    tl_link_encode(&link, log->segment + 1, log->spare_salt, TL_FIRST_GROUP, log->uid, hash, base,
                   first);
    header->durable_upto = TL_FIRST_GROUP; /* INV-D3: the link is not synced yet */
    header->space_end = log->spare_space;
    header->prev_crc = link.crc;
    tl_group_header_encode(header, log->segment + 1, log->spare_salt, offset, data);
    int rc = log->spare->ops->pwrite(log->spare, first, sizeof first, TL_FIRST_GROUP);
    if (rc == 0) {
        rc = log->spare->ops->pwrite(log->spare, data, len, offset);
    }
    int64_t begun = tl_monotonic_us();
    if (rc == 0) {
        rc = log->spare->ops->sync(log->spare);
    }
    int64_t ended = tl_monotonic_us();
    if (rc == 0) {
        tl_hasher_reset(log->hasher);
        tl_hasher_update(log->hasher, log->spare_header, TL_SEGMENT_HEADER_BYTES);
        tl_hasher_update(log->hasher, first, sizeof first);
        tl_hasher_update(log->hasher, data, len);
        *out_place = (tl_log_place){.segment = log->segment + 1,
                                    .offset = offset,
                                    .group_end = offset + (uint32_t)len,
                                    .sync_us = (uint64_t)(ended - begun)};
    }
    return rc == 0 ? TALEA_OK
                   : tl_log_fail(log, rc, log->segment + 1, "cannot write its first group", err);
}

/* The spare is the final segment now; its predecessor waits for its sealing. */
static void take_over(tl_log *log, uint64_t base, uint32_t end) {
    assert(!log->old);
    log->old = log->file;
    log->old_segment = log->segment;
    log->old_end = log->end + TL_SEAL_GROUP_BYTES;
    log->file = log->spare;
    log->spare = NULL;
    log->segment++;
    log->salt = log->spare_salt;
    log->base = base;
    log->end = end;
    tl_log_add_info(log, base, log->salt);
    atomic_store(&log->space_end, log->spare_space);
    atomic_store(&log->bytes, base + end);
    atomic_store(&log->spare_ready, false);
    atomic_store(&log->seal_waits, true);
    atomic_store(&log->refused, false);
    atomic_store(&log->segments, log->segment);
}

talea_code tl_log_rotate(tl_log *log, tl_group_writer *group, tl_group_header *header,
                         tl_log_place *out_place, talea_error *err) {
    tl_hash128 hash;
    tl_mutex_lock(&log->work);
    uint64_t base = log->base + log->end + TL_SEAL_GROUP_BYTES;
    talea_code code = get_ready(log, group, err);
    if (code == TALEA_OK) {
        code = write_seal(log, &hash, &header->prev_crc, err);
    }
    if (code == TALEA_OK) {
        code = write_first(log, group, header, hash, base, out_place, err);
    }
    if (code == TALEA_OK) {
        take_over(log, base, out_place->group_end);
    }
    tl_mutex_unlock(&log->work);
    return code;
}
