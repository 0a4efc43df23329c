/*
 * verify.c: the whole log, read again while it is in use.
 *
 * How: the same walk as opening, over files of its own. The writer only adds behind what is checked: everything up to
 * last_seq was durable before this began. Behind a problem the rest of that segment cannot be
 * trusted; the next one is entered by believing its link, so that every segment is looked at.
 * Events are delivered up to the first problem only, since what follows would contradict whatever
 * the caller adds up.
 */
#include <errno.h>

#include "log/internal.h"
#include "log/walk.h"

typedef struct verification {
    tl_log *log;
    tl_walk walk;
    uint64_t last_seq;
    uint32_t segments; /* in use when this began */
    tl_log_event_fn *on_event;
    tl_log_problem_fn *on_problem;
    tl_log_progress_fn *on_progress;
    void *context;
    bool stopped; /* on request */
} verification;

static void report(verification *v, const tl_defect *defect) {
    v->on_problem(v->context, defect->segment, defect->offset, defect->words);
    v->walk.on_event = NULL;
    v->walk.resync = true;
}

static void report_at(verification *v, uint32_t segment, uint64_t offset, const char *words) {
    tl_defect defect;
    tl_defect_set(&defect, segment, offset, "%s", words);
    report(v, &defect);
}

/* A segment that was in use when this began is looked at whole, also where it goes past last_seq.
 */
static talea_code pass_on(void *context, const tl_log_event *event, talea_error *err) {
    const verification *v = context;
    return event->seq <= v->last_seq ? v->on_event(v->context, event, err) : TALEA_OK;
}

/* The link of segment 1 is always looked at, also in an empty book. */
static bool wants_more(const verification *v) {
    return v->walk.segment < v->segments || v->walk.chain.next_seq <= v->last_seq ||
           v->walk.end == TL_FIRST_GROUP;
}

static talea_code check_behind_seal(verification *v, talea_error *err) {
    tl_walk *walk = &v->walk;
    uint64_t nonzero = 0;
    int rc = tl_scan_first_nonzero(&walk->scan, walk->end, walk->scan.size, &nonzero);
    if (rc != 0) {
        return tl_segment_error(err, rc, walk->name, walk->segment, "cannot read");
    }
    /* INV-D11: only the last sealed one may wait to be cut. */
    if (nonzero < walk->scan.size ||
        (walk->scan.size > walk->end && walk->segment + 1 < v->segments)) {
        report_at(v, walk->segment, walk->end, "something stands behind the seal");
    }
    return TALEA_OK;
}

/* INV-D11: only the final segment's predecessor can, and only a reader finds it so: a writer has
 * mended it. Whether the contents are what they should be, the next link says. */
static bool lacks_seal_only(const verification *v) {
    return v->log->read_only && v->walk.segment + 1 == v->segments && v->walk.has_events;
}

/* A reader met a rotation half way: the last segment is there, and its link is not yet. */
static bool awaits_link(const verification *v) {
    return v->log->read_only && v->walk.segment == v->segments && v->walk.end == TL_FIRST_GROUP &&
           v->walk.chain.next_seq > v->last_seq;
}

/* Group by group to the seal, or in the last segment to last_seq. */
static talea_code verify_groups(verification *v, talea_error *err) {
    tl_walk *walk = &v->walk;
    while (wants_more(v) && !walk->sealed) {
        if (v->on_progress && !v->on_progress(v->context)) {
            v->stopped = true;
            return TALEA_OK;
        }
        tl_walk_result result = tl_walk_step(walk, err);
        if (result == TL_WALK_FAILED) {
            return err->code;
        }
        if (result == TL_WALK_STOP && lacks_seal_only(v)) {
            uint8_t seal[TL_SEAL_GROUP_BYTES];
            tl_walk_assume_seal(walk, seal);
            return TALEA_OK;
        }
        if (result == TL_WALK_STOP && awaits_link(v)) {
            return TALEA_OK;
        }
        if (result != TL_WALK_OK) {
            report(v, &walk->defect);
            return TALEA_OK;
        }
    }
    return walk->sealed ? check_behind_seal(v, err) : TALEA_OK;
}

static talea_code verify_segment(verification *v, talea_error *err) {
    char path[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    tl_walk *walk = &v->walk;
    uint32_t segment = walk->segment + 1;
    int rc = tl_segment_path(v->log->dir, segment, path);
    if (rc == 0) {
        rc = v->log->io->ops->open(v->log->io, path, TL_OPEN_READ, &file);
    }
    if (rc == ENOENT || rc == EINVAL || rc == ELOOP) {
        walk->segment = segment;
        report_at(v, segment, 0, rc == ENOENT ? "the file is missing" : "not a regular file");
        return TALEA_OK;
    }
    if (rc != 0) {
        return tl_segment_error(err, rc, walk->name, segment, "cannot open it");
    }
    tl_walk_result result = tl_walk_begin(walk, file, err);
    talea_code code = TALEA_OK;
    if (result == TL_WALK_OK) {
        code = verify_groups(v, err);
    } else if (result == TL_WALK_FAILED) {
        code = err->code;
    } else {
        report(v, &walk->defect);
    }
    file->ops->close(file);
    return code;
}

talea_code tl_log_verify(tl_log *log, uint64_t last_seq, tl_log_event_fn *on_event,
                         tl_log_problem_fn *on_problem, tl_log_progress_fn *on_progress,
                         void *context, talea_error *err) {
    tl_log_config config = {.name = tl_log_book(log)};
    verification v = {.log = log,
                      .last_seq = last_seq,
                      .segments = tl_log_segments(log),
                      .on_event = on_event,
                      .on_problem = on_problem,
                      .on_progress = on_progress,
                      .context = context};
    talea_code code = tl_walk_init(&v.walk, &config, on_event ? pass_on : NULL, &v, err);
    v.walk.verify_first = true;
    v.walk.chain.uid = log->uid; /* also when segment 1 is not there to tell */
    v.walk.chain.frame_seed = tl_frame_seed(log->uid);
    while (code == TALEA_OK && !v.stopped && v.walk.segment < v.segments) {
        code = verify_segment(&v, err);
    }
    tl_walk_free(&v.walk);
    return code;
}
