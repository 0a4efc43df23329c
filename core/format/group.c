/*
 * group.c: units inside a group's body: frames closed by marks.
 *
 * How: an event is encoded by the caller in its final place, behind the 8 bytes of its frame header; the
 * header follows when the length is known. The unit's crc runs along over the frame headers, so
 * that a mark costs the same however large its unit is.
 *
 *   +--------+-----+--------+-----+ - - - +--------+
 *   | header | ev  | header | ev  | 0..7  |  mark  |      a unit; the mark at a multiple of 8
 *   +--------+-----+--------+-----+ zeros +--------+
 *
 * Tried and left: the kind in the high byte of the length. At an unaligned place "zeros, then a mark" and
 * "a frame whose low length bytes are zero" then look alike; with the kind first, a zero byte
 * decides.
 */
#include "format/format.h"

#include <string.h>

#include "base/crc32c.h"

#define COUNT_MAX 0xFFFFFF

static_assert(TL_EVENT_BYTES_MAX <= COUNT_MAX, "a length and a count have 24 bits");

uint32_t tl_frame_seed(tl_uid uid) {
    uint8_t bytes[16];
    tl_put_u64(bytes, uid.u0);
    tl_put_u64(bytes + 8, uid.u1);
    return tl_crc32c(0, bytes, sizeof bytes);
}

static void put_frame_header(uint8_t *p, tl_frame_kind kind, size_t body_bytes, uint32_t seed) {
    assert(body_bytes >= 1 && body_bytes <= COUNT_MAX);
    tl_put_u32(p, (uint32_t)kind | (uint32_t)body_bytes << 8);
    uint32_t crc = tl_crc32c(seed, p, 4);
    tl_put_u32(p + 4, tl_crc32c(crc, p + TL_FRAME_HEADER_BYTES, body_bytes));
}

static void put_mark(uint8_t *p, uint32_t events, uint32_t unit_crc) {
    assert(events <= COUNT_MAX);
    tl_put_u32(p, (uint32_t)TL_FRAME_MARK | events << 8);
    tl_put_u32(p + 4, tl_crc32c(unit_crc, p, 4));
}

/* ---- Writing --------------------------------------------------------------------------------- */

bool tl_group_begin(tl_group_writer *writer, tl_uid uid) {
    writer->buf.len = 0;
    if (!tl_buf_reserve(&writer->buf, TL_GROUP_HEADER_BYTES)) {
        return false;
    }
    memset(writer->buf.data, 0, TL_GROUP_HEADER_BYTES);
    writer->buf.len = TL_GROUP_HEADER_BYTES;
    writer->frame_seed = tl_frame_seed(uid);
    writer->unit_crc = writer->frame_seed;
    writer->unit_events = 0;
    writer->unit_start = writer->buf.len;
    return true;
}

void tl_unit_begin(tl_group_writer *writer) {
    assert(writer->buf.len >= TL_GROUP_HEADER_BYTES);
    assert(writer->buf.len % TL_GROUP_ALIGN == 0); /* the one before was closed */
    writer->unit_start = writer->buf.len;
    writer->unit_crc = writer->frame_seed;
    writer->unit_events = 0;
}

uint8_t *tl_event_begin(tl_group_writer *writer, size_t bytes_max) {
    assert(writer->buf.len >= writer->unit_start);
    if (writer->unit_events == COUNT_MAX ||
        !tl_buf_reserve(&writer->buf, TL_FRAME_HEADER_BYTES + bytes_max)) {
        return NULL;
    }
    return writer->buf.data + writer->buf.len + TL_FRAME_HEADER_BYTES;
}

void tl_event_end(tl_group_writer *writer, tl_frame_kind kind, size_t body_bytes) {
    assert(body_bytes >= 1 && body_bytes <= TL_EVENT_BYTES_MAX);
    assert(writer->buf.cap - writer->buf.len >= TL_FRAME_HEADER_BYTES + body_bytes);
    uint8_t *p = writer->buf.data + writer->buf.len;
    put_frame_header(p, kind, body_bytes, writer->frame_seed);
    writer->unit_crc = tl_crc32c(writer->unit_crc, p, TL_FRAME_HEADER_BYTES);
    writer->unit_events++;
    writer->buf.len += TL_FRAME_HEADER_BYTES + body_bytes;
}

bool tl_unit_end(tl_group_writer *writer) {
    assert(writer->unit_events > 0);
    size_t gap = (size_t)-writer->buf.len % TL_GROUP_ALIGN;
    if (!tl_buf_reserve(&writer->buf, gap + TL_MARK_BYTES)) {
        return false;
    }
    uint8_t *p = writer->buf.data + writer->buf.len;
    memset(p, 0, gap);
    put_mark(p + gap, writer->unit_events, writer->unit_crc);
    writer->buf.len += gap + TL_MARK_BYTES;
    assert(writer->buf.len % TL_GROUP_ALIGN == 0);
    return true;
}

void tl_unit_abandon(tl_group_writer *writer) {
    assert(writer->unit_start <= writer->buf.len);
    writer->buf.len = writer->unit_start;
    writer->unit_crc = writer->frame_seed;
    writer->unit_events = 0;
}

/* ---- Walking --------------------------------------------------------------------------------- */

void tl_frames_begin(tl_frames *frames, const uint8_t *body, uint32_t body_bytes,
                     uint32_t frame_seed, bool check) {
    *frames = (tl_frames){.body = body,
                          .body_bytes = body_bytes,
                          .frame_seed = frame_seed,
                          .unit_crc = frame_seed,
                          .check = check,
                          .marks = check};
}

void tl_frames_begin_at(tl_frames *frames, const uint8_t *body, uint32_t body_bytes, uint32_t at,
                        uint32_t frame_seed) {
    assert(at < body_bytes);
    tl_frames_begin(frames, body, body_bytes, frame_seed, true);
    frames->marks = false;
    frames->at = at;
    frames->open = true;
}

static bool is_event(uint32_t kind) {
    return kind == TL_FRAME_ASSET || kind == TL_FRAME_ACCOUNT || kind == TL_FRAME_TRANSACTION;
}

/* The mark, or the gap before it, at frames->at. */
static tl_frames_result next_mark(tl_frames *frames) {
    uint32_t at = (frames->at + TL_GROUP_ALIGN - 1) / TL_GROUP_ALIGN * TL_GROUP_ALIGN;
    if (at > frames->body_bytes || frames->body_bytes - at < TL_MARK_BYTES) {
        return TL_FRAMES_BAD;
    }
    const uint8_t *p = frames->body + at;
    if (p[0] != TL_FRAME_MARK || !frames->open) {
        return TL_FRAMES_BAD;
    }
    if (frames->marks) {
        for (uint32_t i = frames->at; i < at; i++) {
            if (frames->body[i] != 0) {
                return TL_FRAMES_BAD;
            }
        }
        uint32_t events = tl_get_u32(p) >> 8;
        if (events != frames->unit_events || (events == 0) != frames->sole ||
            tl_get_u32(p + 4) != tl_crc32c(frames->unit_crc, p, 4)) {
            return TL_FRAMES_BAD;
        }
    }
    frames->at = at + TL_MARK_BYTES;
    frames->unit_crc = frames->frame_seed;
    frames->unit_events = 0;
    frames->open = false;
    return TL_FRAMES_UNIT;
}

tl_frames_result tl_frames_next(tl_frames *frames, tl_frame *out_frame) {
    uint32_t at = frames->at;
    assert(at <= frames->body_bytes);
    uint32_t left = frames->body_bytes - at;
    if (left == 0) {
        return at > 0 && !frames->open ? TL_FRAMES_END : TL_FRAMES_BAD;
    }
    const uint8_t *p = frames->body + at;
    if (p[0] == 0 || p[0] == TL_FRAME_MARK) {
        return next_mark(frames);
    }
    if (left < TL_FRAME_HEADER_BYTES) {
        return TL_FRAMES_BAD;
    }
    uint32_t word = tl_get_u32(p);
    uint32_t kind = word & 0xFF;
    uint32_t body_bytes = word >> 8;
    bool special = (kind == TL_FRAME_LINK || kind == TL_FRAME_SEAL) && at == 0;
    if ((!is_event(kind) && !special) || frames->sole || body_bytes == 0 ||
        body_bytes > left - TL_FRAME_HEADER_BYTES) {
        return TL_FRAMES_BAD;
    }
    if (frames->check) {
        uint32_t crc = tl_crc32c(frames->frame_seed, p, 4);
        if (tl_get_u32(p + 4) != tl_crc32c(crc, p + TL_FRAME_HEADER_BYTES, body_bytes)) {
            return TL_FRAMES_BAD;
        }
        frames->unit_crc = tl_crc32c(frames->unit_crc, p, TL_FRAME_HEADER_BYTES);
    }
    if (special) {
        frames->sole = true;
    } else {
        frames->unit_events++;
    }
    frames->open = true;
    frames->at = at + TL_FRAME_HEADER_BYTES + body_bytes;
    *out_frame = (tl_frame){.kind = (tl_frame_kind)kind,
                            .body = p + TL_FRAME_HEADER_BYTES,
                            .body_bytes = body_bytes,
                            .offset = at};
    return TL_FRAMES_EVENT;
}

/* ---- Links and seals ------------------------------------------------------------------------- */

/* A group of one frame and a mark counting 0. The frame's body is in its place already. */
static void finish_sole(tl_group_header *header, uint32_t segment, uint32_t salt, uint32_t offset,
                        tl_uid uid, tl_frame_kind kind, uint32_t frame_bytes, uint8_t *out) {
    uint32_t seed = tl_frame_seed(uid);
    uint8_t *p = out + TL_GROUP_HEADER_BYTES;
    put_frame_header(p, kind, frame_bytes, seed);
    uint32_t unit_crc = tl_crc32c(seed, p, TL_FRAME_HEADER_BYTES);
    put_mark(p + TL_FRAME_HEADER_BYTES + frame_bytes, 0, unit_crc);
    header->body_bytes = TL_FRAME_HEADER_BYTES + frame_bytes + TL_MARK_BYTES;
    tl_group_header_encode(header, segment, salt, offset, out);
}

static_assert(TL_LINK_BODY_BYTES % TL_GROUP_ALIGN == 0, "no gap before a link's mark");
static_assert(TL_SEAL_BODY_BYTES % TL_GROUP_ALIGN == 0, "no gap before a seal's mark");

void tl_link_encode(tl_group_header *header, uint32_t segment, uint32_t salt, uint32_t offset,
                    tl_uid uid, tl_hash128 prev_hash, uint64_t base_position,
                    uint8_t out[TL_LINK_GROUP_BYTES]) {
    uint8_t *body = out + TL_GROUP_HEADER_BYTES + TL_FRAME_HEADER_BYTES;
    tl_put_u64(body, prev_hash.lo);
    tl_put_u64(body + 8, prev_hash.hi);
    tl_put_u64(body + 16, base_position);
    finish_sole(header, segment, salt, offset, uid, TL_FRAME_LINK, TL_LINK_BODY_BYTES, out);
}

void tl_seal_encode(tl_group_header *header, uint32_t segment, uint32_t salt, uint32_t offset,
                    tl_uid uid, tl_hash128 file_hash, uint8_t out[TL_SEAL_GROUP_BYTES]) {
    uint8_t *body = out + TL_GROUP_HEADER_BYTES + TL_FRAME_HEADER_BYTES;
    tl_put_u64(body, file_hash.lo);
    tl_put_u64(body + 8, file_hash.hi);
    finish_sole(header, segment, salt, offset, uid, TL_FRAME_SEAL, TL_SEAL_BODY_BYTES, out);
}

bool tl_link_decode(const tl_frame *frame, tl_hash128 *out_prev_hash, uint64_t *out_base_position) {
    if (frame->kind != TL_FRAME_LINK || frame->body_bytes != TL_LINK_BODY_BYTES) {
        return false;
    }
    *out_prev_hash = (tl_hash128){.lo = tl_get_u64(frame->body), .hi = tl_get_u64(frame->body + 8)};
    *out_base_position = tl_get_u64(frame->body + 16);
    return true;
}

bool tl_seal_decode(const tl_frame *frame, tl_hash128 *out_file_hash) {
    if (frame->kind != TL_FRAME_SEAL || frame->body_bytes != TL_SEAL_BODY_BYTES) {
        return false;
    }
    *out_file_hash = (tl_hash128){.lo = tl_get_u64(frame->body), .hi = tl_get_u64(frame->body + 8)};
    return true;
}
