/*
 * walk.c: from group to group through one segment.
 *
 * How: the bytes of a group are asked for as one range (with the gap before a proof), checked, delivered and
 * hashed, so that a segment is read once. Checks come in this order: the header by its own crc;
 * that it continues the group before; that all of it is there; its frames. Only the first and the
 * last two can be a torn write; a header that is valid and does not fit is damage under any rule
 * (TL_WALK_CORRUPT).
 *
 * verify_first costs a second pass over a group's frames, without checksums. It is for the segments
 * whose last group may turn out torn; anywhere else a bad group makes the whole opening void.
 */
#include "log/walk.h"

#include <stdio.h>
#include <string.h>

#include "log/segment.h"

talea_code tl_walk_init(tl_walk *walk, const tl_log_config *config, tl_log_event_fn *on_event,
                        void *context, talea_error *err) {
    *walk = (tl_walk){.on_event = on_event, .context = context};
    walk->chain.next_seq = 1;
    walk->proven_next = 1;
    if (config->name.data) {
        assert(config->name.len >= 1 && config->name.len <= TL_NAME_BYTES_MAX);
        memcpy(walk->name_bytes, config->name.data, config->name.len);
        walk->name = (talea_text){walk->name_bytes, config->name.len};
    }
    walk->hasher = tl_hasher_new();
    return walk->hasher ? TALEA_OK : tl_error_nomem(err);
}

void tl_walk_free(tl_walk *walk) {
    tl_scan_free(&walk->scan);
    if (walk->hasher) {
        tl_hasher_free(walk->hasher);
        walk->hasher = NULL;
    }
}

static tl_walk_result failed(tl_walk *walk, int rc, talea_error *err) {
    (void)tl_segment_error(err, rc, walk->name, walk->segment, "cannot read");
    return TL_WALK_FAILED;
}

#define corrupt(walk, offset, ...)                                                                 \
    (tl_defect_set(&(walk)->defect, (walk)->segment, offset, __VA_ARGS__), TL_WALK_CORRUPT)
#define stop(walk, offset, ...)                                                                    \
    (tl_defect_set(&(walk)->defect, (walk)->segment, offset, __VA_ARGS__), TL_WALK_STOP)

/* ---- The segment header ----------------------------------------------------------------------- */

static tl_walk_result check_header(tl_walk *walk, const uint8_t *data, size_t len) {
    tl_segment_header h;
    if (len < TL_SEGMENT_HEADER_BYTES) {
        return corrupt(walk, len, "the file ends inside its header");
    }
    if (!tl_segment_header_decode(data, &h)) {
        return corrupt(walk, 0, "the segment header is damaged");
    }
    if (h.space < tl_space_needed(TL_FIRST_GROUP + TL_LINK_GROUP_BYTES)) {
        return corrupt(walk, 0, "the header names %u bytes of space, too few for a link", h.space);
    }
    if (h.segment != walk->segment) {
        return corrupt(walk, 0, "this is segment %u of book \"%.*s\"", h.segment, (int)h.name_len,
                       h.name);
    }
    if (h.segment == 1) {
        walk->chain.uid = h.uid;
        walk->chain.frame_seed = tl_frame_seed(h.uid);
        if (!walk->name.data) {
            memcpy(walk->name_bytes, h.name, h.name_len);
            walk->name = (talea_text){walk->name_bytes, h.name_len};
        }
    }
    if (!tl_text_equal(walk->name, (talea_text){h.name, h.name_len}) ||
        h.uid.u0 != walk->chain.uid.u0 || h.uid.u1 != walk->chain.uid.u1) {
        return corrupt(walk, 0, "this file belongs to another book, \"%.*s\"", (int)h.name_len,
                       h.name);
    }
    walk->header = h;
    return TL_WALK_OK;
}

tl_walk_result tl_walk_begin(tl_walk *walk, tl_file *file, talea_error *err) {
    const uint8_t *data = NULL;
    size_t len = 0;
    walk->segment++;
    int rc = tl_scan_begin(&walk->scan, file);
    if (rc == 0) {
        rc = tl_scan_get(&walk->scan, 0, TL_SEGMENT_HEADER_BYTES, &data, &len);
    }
    if (rc != 0) {
        return failed(walk, rc, err);
    }
    tl_walk_result result = check_header(walk, data, len);
    if (result == TL_WALK_OK) {
        tl_hasher_reset(walk->hasher);
        tl_hasher_update(walk->hasher, data, TL_SEGMENT_HEADER_BYTES);
        walk->end = TL_FIRST_GROUP;
        walk->space = walk->header.space;
        walk->has_events = false;
        walk->sealed = false;
        walk->unproven_from = walk->end;
    }
    return result;
}

/* ---- One group -------------------------------------------------------------------------------- */

typedef struct group_seen {
    const uint8_t *data; /* from walk->end on: the gap, the header, the body */
    tl_group_header header;
    uint32_t offset;
    uint32_t end;
    tl_group_kind kind;
    uint64_t events;
    tl_frame frame; /* of a link or seal */
} group_seen;

static const uint8_t *body_of(const tl_walk *walk, const group_seen *g) {
    return g->data + (g->offset - walk->end) + TL_GROUP_HEADER_BYTES;
}

/* Does a valid header continue what precedes it? */
static tl_walk_result check_continues(tl_walk *walk, const group_seen *g) {
    const tl_group_header *h = &g->header;
    if (walk->resync) {
        walk->chain.prev_crc = h->prev_crc;
        walk->chain.next_seq = h->first_seq;
        walk->chain.last_at = h->at;
    }
    if (h->prev_crc != walk->chain.prev_crc) {
        return corrupt(walk, g->offset, "the group does not continue the one before");
    }
    if (h->first_seq != walk->chain.next_seq) {
        return corrupt(walk, g->offset, "the group begins with seq %llu where %llu is due",
                       (unsigned long long)h->first_seq, (unsigned long long)walk->chain.next_seq);
    }
    bool with_link = walk->last_kind == TL_GROUP_LINK && h->durable_upto == TL_FIRST_GROUP;
    if (h->durable_upto != g->offset && !with_link) {
        return corrupt(walk, g->offset, "the group was written before %u bytes were synced",
                       g->offset);
    }
    return TL_WALK_OK;
}

/* Kind, time and space, which depend on what is in the body. */
static tl_walk_result check_place(tl_walk *walk, const group_seen *g) {
    const tl_group_header *h = &g->header;
    bool events = g->kind == TL_GROUP_EVENTS;
    if ((g->kind == TL_GROUP_LINK) != (g->offset == TL_FIRST_GROUP)) {
        return corrupt(walk, g->offset, "a segment begins with a link, and has no other");
    }
    if (events ? h->at <= walk->chain.last_at : h->at != walk->chain.last_at) {
        return corrupt(walk, g->offset, "the group's time %lld does not follow %lld",
                       (long long)h->at, (long long)walk->chain.last_at);
    }
    uint64_t least = g->kind == TL_GROUP_SEAL ? g->end : tl_space_needed(g->end);
    if (h->space_end < least || (g->kind == TL_GROUP_SEAL && h->space_end != least)) {
        return corrupt(walk, g->offset, "the group's space ends at %u, not past %llu", h->space_end,
                       (unsigned long long)least);
    }
    return TL_WALK_OK;
}

static tl_group_kind kind_of(const tl_walk *walk, const group_seen *g) {
    if (g->header.body_bytes == 0) {
        return TL_GROUP_PROOF;
    }
    switch (body_of(walk, g)[0]) {
    case TL_FRAME_LINK: return TL_GROUP_LINK;
    case TL_FRAME_SEAL: return TL_GROUP_SEAL;
    default: return TL_GROUP_EVENTS;
    }
}

static tl_walk_result deliver(tl_walk *walk, group_seen *g, const tl_frame *frame,
                              talea_error *err) {
    tl_log_event event = {.seq = g->header.first_seq + g->events,
                          .at = g->header.at,
                          .segment = walk->segment,
                          .offset = g->offset + TL_GROUP_HEADER_BYTES + frame->offset,
                          .group_end = g->end,
                          .frame = *frame};
    return walk->on_event(walk->context, &event, err) == TALEA_OK ? TL_WALK_OK : TL_WALK_FAILED;
}

static tl_walk_result walk_frames(tl_walk *walk, group_seen *g, bool check, bool delivering,
                                  talea_error *err) {
    tl_frames frames;
    tl_frames_result got;
    tl_frame frame;
    g->events = 0;
    tl_frames_begin(&frames, body_of(walk, g), g->header.body_bytes, walk->chain.frame_seed, check);
    while ((got = tl_frames_next(&frames, &frame)) != TL_FRAMES_END) {
        if (got == TL_FRAMES_BAD) {
            return stop(walk, (uint64_t)g->offset + TL_GROUP_HEADER_BYTES + frames.at,
                        "a damaged event in the group at offset %u", g->offset);
        }
        if (got == TL_FRAMES_UNIT) {
            continue;
        }
        if (frame.kind == TL_FRAME_LINK || frame.kind == TL_FRAME_SEAL) {
            g->frame = frame;
            continue;
        }
        if (delivering && deliver(walk, g, &frame, err) != TL_WALK_OK) {
            return TL_WALK_FAILED;
        }
        g->events++;
    }
    return TL_WALK_OK;
}

static bool same_hash(tl_hash128 a, tl_hash128 b) {
    return a.lo == b.lo && a.hi == b.hi;
}

static tl_walk_result check_link(tl_walk *walk, const group_seen *g) {
    tl_hash128 hash;
    uint64_t base;
    bool whole = tl_link_decode(&g->frame, &hash, &base);
    if (whole && walk->resync) {
        walk->chain.hash = hash;
        walk->chain.base = base;
        walk->resync = false;
    }
    if (!whole || !same_hash(hash, walk->chain.hash) || base != walk->chain.base) {
        return corrupt(walk, g->offset, "the link names another segment %u", walk->segment - 1);
    }
    return TL_WALK_OK;
}

void tl_walk_assume_seal(tl_walk *walk, uint8_t out[TL_SEAL_GROUP_BYTES]) {
    assert(!walk->sealed);
    assert(walk->end > TL_FIRST_GROUP);
    tl_chain *chain = &walk->chain;
    tl_group_header h = {.durable_upto = walk->end,
                         .space_end = walk->end + TL_SEAL_GROUP_BYTES,
                         .prev_crc = chain->prev_crc,
                         .first_seq = chain->next_seq,
                         .at = chain->last_at};
    chain->hash = tl_hasher_digest(walk->hasher);
    tl_seal_encode(&h, walk->segment, walk->header.salt, walk->end, chain->uid, chain->hash, out);
    chain->prev_crc = h.crc;
    walk->end += TL_SEAL_GROUP_BYTES;
    chain->base += walk->end;
    walk->unproven_from = walk->end;
    walk->proven_next = chain->next_seq;
    walk->sealed = true;
    walk->last_kind = TL_GROUP_SEAL;
}

/* The seal that stands there must be, to the bit, the one that belongs there. */
static tl_walk_result take_seal(tl_walk *walk, const group_seen *g) {
    if (!walk->has_events) {
        return corrupt(walk, g->offset, "a segment without events is sealed");
    }
    uint8_t due[TL_SEAL_GROUP_BYTES];
    tl_chain before = walk->chain;
    tl_walk_assume_seal(walk, due);
    if (g->end != walk->end || memcmp(g->data, due, sizeof due) != 0) {
        walk->chain = before;
        return corrupt(walk, g->offset, "the seal does not match the segment's contents");
    }
    return TL_WALK_OK;
}

/* A group that is valid in every respect. */
static void take_group(tl_walk *walk, const group_seen *g) {
    const tl_group_header *h = &g->header;
    tl_hasher_update(walk->hasher, g->data, g->end - walk->end);
    walk->proven_next = h->first_seq; /* INV-D3: all before this group */
    walk->chain.prev_crc = h->crc;
    walk->chain.next_seq += g->events;
    walk->chain.last_at = h->at;
    walk->has_events = walk->has_events || g->kind == TL_GROUP_EVENTS;
    walk->last_kind = g->kind;
    walk->end = g->end;
    walk->space = h->space_end > walk->space ? h->space_end : walk->space;
    walk->unproven_from = h->durable_upto;
    if (g->kind == TL_GROUP_PROOF || (g->kind == TL_GROUP_LINK && walk->segment == 1)) {
        walk->unproven_from = walk->end; /* nothing in it, or proven by the directory's name */
    }
}

static tl_walk_result check_body(tl_walk *walk, group_seen *g, talea_error *err) {
    g->kind = kind_of(walk, g);
    tl_walk_result result = TL_WALK_OK;
    bool events = g->kind == TL_GROUP_EVENTS;
    if (g->kind != TL_GROUP_PROOF && (walk->verify_first || !events)) {
        result = walk_frames(walk, g, true, false, err);
    }
    if (result == TL_WALK_OK) {
        result = check_place(walk, g);
    }
    if (result == TL_WALK_OK && events) {
        result = walk_frames(walk, g, !walk->verify_first, walk->on_event != NULL, err);
    }
    return result;
}

tl_walk_result tl_walk_step(tl_walk *walk, talea_error *err) {
    assert(!walk->sealed);
    assert(walk->end % TL_GROUP_ALIGN == 0);
    group_seen g = {.offset = walk->end};
    size_t len = 0;
    int rc =
        tl_scan_get(&walk->scan, walk->end, TL_SECTOR_BYTES + TL_GROUP_HEADER_BYTES, &g.data, &len);
    if (rc != 0) {
        return failed(walk, rc, err);
    }
    if (!tl_group_header_find(g.data, len, walk->segment, walk->header.salt, &g.offset,
                              &g.header)) {
        return stop(walk, walk->end, "no valid group where one is due");
    }
    tl_walk_result result = check_continues(walk, &g);
    if (result != TL_WALK_OK) {
        return result;
    }
    uint64_t end = (uint64_t)g.offset + TL_GROUP_HEADER_BYTES + g.header.body_bytes;
    if (end - g.offset > TL_GROUP_BYTES_MAX) {
        return corrupt(walk, g.offset, "a group of %u bytes", g.header.body_bytes);
    }
    g.end = (uint32_t)end;
    rc = tl_scan_get(&walk->scan, walk->end, g.end - walk->end, &g.data, &len);
    if (rc != 0) {
        return failed(walk, rc, err);
    }
    if (len < g.end - walk->end) {
        return stop(walk, g.offset, "the file ends inside a group");
    }
    result = check_body(walk, &g, err);
    if (result == TL_WALK_OK && g.kind == TL_GROUP_LINK) {
        result = check_link(walk, &g);
    }
    if (result == TL_WALK_OK && g.kind == TL_GROUP_SEAL) {
        return take_seal(walk, &g);
    }
    if (result == TL_WALK_OK) {
        take_group(walk, &g);
    }
    return result;
}

tl_walk_result tl_walk_run(tl_walk *walk, talea_error *err) {
    tl_walk_result result = TL_WALK_OK;
    while (result == TL_WALK_OK && !walk->sealed) {
        result = tl_walk_step(walk, err);
    }
    return result == TL_WALK_OK ? TL_WALK_STOP : result;
}

int tl_segment_is_linked(tl_file *file, const tl_chain *chain, uint32_t segment, bool *out_linked) {
    uint8_t data[TL_FIRST_GROUP + TL_LINK_GROUP_BYTES];
    size_t len = 0;
    tl_segment_header h;
    tl_group_header group;
    tl_frames frames;
    tl_frame frame;
    int rc = file->ops->pread(file, data, sizeof data, 0, &len);
    if (rc != 0) {
        return rc;
    }
    *out_linked = false;
    if (len < sizeof data || !tl_segment_header_decode(data, &h) ||
        !tl_group_header_decode(data + TL_FIRST_GROUP, segment, h.salt, TL_FIRST_GROUP, &group) ||
        group.body_bytes != TL_LINK_GROUP_BYTES - TL_GROUP_HEADER_BYTES) {
        return 0;
    }
    tl_frames_begin(&frames, data + TL_FIRST_GROUP + TL_GROUP_HEADER_BYTES, group.body_bytes,
                    chain->frame_seed, true);
    *out_linked = tl_frames_next(&frames, &frame) == TL_FRAMES_EVENT &&
                  frame.kind == TL_FRAME_LINK &&
                  tl_frames_next(&frames, &frame) == TL_FRAMES_UNIT &&
                  tl_frames_next(&frames, &frame) == TL_FRAMES_END;
    return 0;
}
