/*
 * space.c: prepared space, and the background work as a whole.
 *
 * How: zeros are written past the known end of the final segment and synced, then space_end is published
 * with one atomic store; the writer takes the mutex only when it needs space that is not there yet.
 * A stretch is as long as the log so far (16 KiB to 8 MiB), so a small book stays small and a large
 * one is seldom extended.
 *
 * INV-D4, INV-D6, INV-D7: this file.
 */
#include <errno.h>

#include "log/internal.h"

static uint32_t whole_sectors_up(uint64_t bytes) {
    return (uint32_t)((bytes + TL_SECTOR_BYTES - 1) / TL_SECTOR_BYTES * TL_SECTOR_BYTES);
}

talea_code tl_space_extend(tl_log *log, uint32_t segment, uint32_t space, uint32_t to,
                           talea_error *err) {
    assert(tl_mutex_held(&log->work));
    assert(space % TL_SECTOR_BYTES == 0 && to % TL_SECTOR_BYTES == 0 && space < to);
    char path[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    int rc = tl_segment_path(log->dir, segment, path);
    if (rc == 0) {
        rc = log->io->ops->open(log->io, path, TL_OPEN_WRITE, &file); /* INV-D7 */
    }
    if (rc != 0) {
        return tl_log_refuse(log, rc, segment, "cannot open it to prepare space", err);
    }
    rc = tl_write_zeros(file, space, to);
    if (rc == 0) {
        rc = file->ops->sync(file);
    }
    file->ops->close(file);
    return rc == 0 ? TALEA_OK : tl_log_refuse(log, rc, segment, "cannot prepare space", err);
}

/* Where the next stretch ends: within segment_cap, unless `need` lies beyond. */
static uint32_t next_space(const tl_log *log, uint32_t space, uint64_t need) {
    uint64_t to = (uint64_t)space + tl_stretch_bytes(log->base + space);
    if (to > log->segment_cap) {
        to = log->segment_cap;
    }
    return whole_sectors_up(to > need ? to : need);
}

static talea_code grow(tl_log *log, uint64_t need, talea_error *err) {
    assert(tl_mutex_held(&log->work));
    uint32_t space = atomic_load(&log->space_end);
    uint32_t to = next_space(log, space, need);
    if (to <= space) {
        return TALEA_OK;
    }
    talea_code code = tl_space_extend(log, log->segment, space, to, err);
    if (code == TALEA_OK) {
        atomic_store(&log->space_end, to); /* INV-D4: after the sync */
        atomic_store(&log->refused, false);
    }
    return code;
}

talea_code tl_space_ensure(tl_log *log, uint64_t end, talea_error *err) {
    uint64_t need = tl_space_needed(end);
    talea_code code = TALEA_OK;
    if (need <= atomic_load(&log->space_end)) {
        return TALEA_OK;
    }
    tl_mutex_lock(&log->work); /* waits for the background, which may be making just this space */
    if (need > atomic_load(&log->space_end)) {
        code = grow(log, need, err);
    }
    tl_mutex_unlock(&log->work);
    return code;
}

bool tl_space_is_low(const tl_log *log, uint32_t end, uint64_t base) {
    uint32_t space = atomic_load(&log->space_end);
    assert(end <= space);
    return space < log->segment_cap && space - end < tl_stretch_bytes(base + space) / 2 &&
           !atomic_load(&log->refused);
}

bool tl_spare_is_due(const tl_log *log, uint32_t end, uint64_t base) {
    if (atomic_load(&log->spare_ready) || atomic_load(&log->refused)) {
        return false;
    }
    uint32_t cap = log->segment_cap;
    return end >= cap || cap - end < 2 * (uint64_t)tl_stretch_bytes(base + end);
}

/* ---- In the background ------------------------------------------------------------------------ */

/* Where the log ends: the writer moves it while we look, and only forward. */
static uint32_t end_seen(const tl_log *log) {
    assert(tl_mutex_held(&log->work));
    return (uint32_t)(atomic_load(&log->bytes) - log->base);
}

static talea_code prepare_space(tl_log *log, talea_error *err) {
    return tl_space_is_low(log, end_seen(log), log->base) ? grow(log, 0, err) : TALEA_OK;
}

static talea_code prepare_spare(tl_log *log, talea_error *err) {
    return tl_spare_is_due(log, end_seen(log), log->base) ? tl_spare_make(log, 0, err) : TALEA_OK;
}

void tl_log_prepare(tl_log *log) {
    /* Between two of these the writer may get the mutex. */
    static talea_code (*const steps[])(tl_log * log, talea_error * err) = {
        prepare_space,
        tl_seal_finish,
        prepare_spare,
    };
    atomic_store(&log->work_asked, false);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        talea_error err; /* what is final was kept by tl_log_fail; what is not is met again inline
                          */
        talea_code code = TALEA_OK;
        tl_mutex_lock(&log->work);
        if (!atomic_load(&log->failed) && !log->read_only) {
            code = steps[i](log, &err);
        }
        tl_mutex_unlock(&log->work);
        if (code != TALEA_OK) {
            atomic_store(&log->refused, true);
        }
    }
}
