/*
 * format.h: the layout of docs/FORMAT.md as constants, sizes and plain structs. Change both.
 *
 * Purpose:    what header.c, group.c and event.c encode and decode.
 * Owns:       nothing.
 * Threads:    constants and plain data.
 */
#ifndef TL_FORMAT_FORMAT_H
#define TL_FORMAT_FORMAT_H

#include <assert.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/limits.h"

enum {
    TL_SECTOR_BYTES = 512,
    TL_SEGMENT_HEADER_BYTES = 512,
    TL_GROUP_HEADER_BYTES = 40,
    TL_FRAME_HEADER_BYTES = 8,
    TL_MARK_BYTES = 8,
    TL_GROUP_ALIGN = 8,
    TL_FIRST_GROUP = TL_SEGMENT_HEADER_BYTES, /* where the link stands */
    TL_LINK_BODY_BYTES = 24,
    TL_SEAL_BODY_BYTES = 16,
    TL_LINK_GROUP_BYTES =
        TL_GROUP_HEADER_BYTES + TL_FRAME_HEADER_BYTES + TL_LINK_BODY_BYTES + TL_MARK_BYTES,
    TL_SEAL_GROUP_BYTES =
        TL_GROUP_HEADER_BYTES + TL_FRAME_HEADER_BYTES + TL_SEAL_BODY_BYTES + TL_MARK_BYTES,
    /* A group takes units until it is past the soft bound; a little more for its marks. */
    TL_GROUP_BYTES_MAX = TL_UNIT_BYTES_MAX + TL_GROUP_BYTES_SOFT + (64 << 10),
};

static_assert(TL_GROUP_HEADER_BYTES % TL_GROUP_ALIGN == 0, "a body starts aligned");
static_assert(TL_LINK_GROUP_BYTES % TL_GROUP_ALIGN == 0, "what follows a link starts aligned");
static_assert(TL_SEAL_GROUP_BYTES % TL_GROUP_ALIGN == 0, "a seal ends aligned");
static_assert(TL_FIRST_GROUP % TL_SECTOR_BYTES == 0 &&
                  TL_LINK_GROUP_BYTES + TL_GROUP_HEADER_BYTES <= TL_SECTOR_BYTES,
              "INV-D9: a link and the header behind it share a sector");
static_assert(TL_SECTOR_BYTES % TL_GROUP_ALIGN == 0, "no mark straddles a sector border");

typedef enum tl_frame_kind {
    TL_FRAME_ASSET = 1,
    TL_FRAME_ACCOUNT = 2,
    TL_FRAME_TRANSACTION = 3,
    TL_FRAME_LINK = 0x7C,
    TL_FRAME_SEAL = 0x7D,
    TL_FRAME_MARK = 0x7E
} tl_frame_kind;

typedef struct tl_uid {
    uint64_t u0;
    uint64_t u1;
} tl_uid;

typedef struct tl_segment_header {
    uint32_t segment;
    uint32_t salt;
    tl_uid uid;
    int64_t created_at;
    uint32_t space; /* how long the file was when it got its name */
    uint8_t name_len;
    char name[TL_NAME_BYTES_MAX];
} tl_segment_header;

typedef struct tl_group_header {
    uint32_t crc; /* set by decode, and by encode for the next group's prev_crc */
    uint32_t body_bytes;
    uint32_t durable_upto;
    uint32_t space_end;
    uint32_t prev_crc;
    uint64_t first_seq;
    int64_t at;
} tl_group_header;

/* The space_end that a group ending at `end` needs at least: the header of whatever follows lies
 * before it. */
static inline uint64_t tl_space_needed(uint64_t end) {
    return ((end + TL_SECTOR_BYTES - 1) / TL_SECTOR_BYTES + 1) * TL_SECTOR_BYTES;
}

/* Where a proof stands that follows a group ending at `end`. */
static inline uint64_t tl_proof_offset(uint64_t end) {
    return (end + TL_SECTOR_BYTES - 1) / TL_SECTOR_BYTES * TL_SECTOR_BYTES;
}

/* ---- header.c: segment headers, group headers, book directory names ---- */

void tl_segment_header_encode(const tl_segment_header *header,
                              uint8_t out[TL_SEGMENT_HEADER_BYTES]);
/* false when any byte of the 512 is not as encode would write it. out_header is written only on
 * success. */
bool tl_segment_header_decode(const uint8_t in[TL_SEGMENT_HEADER_BYTES],
                              tl_segment_header *out_header);

/* `offset` is the group's place in the file. Sets header->crc. */
void tl_group_header_encode(tl_group_header *header, uint32_t segment, uint32_t salt,
                            uint32_t offset, uint8_t out[TL_GROUP_HEADER_BYTES]);
/* Checks salt, crc, alignment of body_bytes and that durable_upto <= offset, space_end >= the
 * group's end. */
bool tl_group_header_decode(const uint8_t in[TL_GROUP_HEADER_BYTES], uint32_t segment,
                            uint32_t salt, uint32_t offset, tl_group_header *out_header);

/* What stands between a group's end and the proof behind it: the salt, over and over. */
void tl_put_filler(uint8_t *out, size_t len, uint32_t salt);
bool tl_is_filler(const uint8_t *data, size_t len, uint32_t salt);

/* The group that follows one ending at *offset: there, or (a proof) at the next multiple of 512
 * behind filler. `data` are the `len` bytes of the file from *offset on. Moves *offset to the
 * header found. */
bool tl_group_header_find(const uint8_t *data, size_t len, uint32_t segment, uint32_t salt,
                          uint32_t *offset, tl_group_header *out_header);

enum { TL_DIR_NAME_BYTES = 204 }; /* with the NUL */
void tl_book_dir_name(talea_text name, char out[TL_DIR_NAME_BYTES]);

/* ---- group.c: units inside a group's body ---- */

/* Encodes a group's body unit by unit into a buffer that has the header's 40 bytes free in front.
 */
typedef struct tl_group_writer {
    tl_buf buf;          /* header space, then frames */
    uint32_t frame_seed; /* crc state after the book uid */
    uint32_t unit_crc;   /* of the unit being written */
    uint32_t unit_events;
    size_t unit_start; /* offset in buf where the open unit began */
} tl_group_writer;

uint32_t tl_frame_seed(tl_uid uid);
bool tl_group_begin(tl_group_writer *writer, tl_uid uid); /* keeps the buffer's memory; false: no
                                                             memory */
void tl_unit_begin(tl_group_writer *writer);
/* Where the event's body must be put (at least `bytes_max` bytes of room), or NULL when memory is
 * short. Call tl_event_end with the bytes used. */
uint8_t *tl_event_begin(tl_group_writer *writer, size_t bytes_max);
void tl_event_end(tl_group_writer *writer, tl_frame_kind kind, size_t body_bytes);
/* Closes the unit with its mark; false: no memory (the unit is then still open). */
bool tl_unit_end(tl_group_writer *writer);
/* Drops everything since tl_unit_begin. */
void tl_unit_abandon(tl_group_writer *writer);

/* Walks a body whose group header was valid. */
typedef struct tl_frame {
    tl_frame_kind kind;
    const uint8_t *body;
    uint32_t body_bytes;
    uint32_t offset; /* of the frame header in the body given to tl_frames_begin */
} tl_frame;

/* The event frame at `p`, which this process has encoded or checked before. */
static inline tl_frame tl_frame_peek(const uint8_t *p, uint32_t offset) {
    uint32_t word = tl_get_u32(p);
    return (tl_frame){.kind = (tl_frame_kind)(word & 0xFF),
                      .body = p + TL_FRAME_HEADER_BYTES,
                      .body_bytes = word >> 8,
                      .offset = offset};
}

typedef struct tl_frames {
    const uint8_t *body;
    uint32_t body_bytes;
    uint32_t at;
    uint32_t frame_seed;
    uint32_t unit_crc;
    uint32_t unit_events;
    bool check; /* verify checksums; not when the range has just been verified */
    bool marks; /* the marks' as well: not when the walk began in the middle of a unit */
    bool open;  /* a unit has begun whose mark has not come yet */
    bool sole;  /* a link or seal frame was met: only its mark and the end may follow */
} tl_frames;

void tl_frames_begin(tl_frames *frames, const uint8_t *body, uint32_t body_bytes,
                     uint32_t frame_seed, bool check);
/* To start in the middle of a group, at an event frame: events are checked, marks are only stepped
 * over. */
void tl_frames_begin_at(tl_frames *frames, const uint8_t *body, uint32_t body_bytes, uint32_t at,
                        uint32_t frame_seed);

typedef enum tl_frames_result {
    TL_FRAMES_EVENT, /* out_frame is an event, link or seal frame */
    TL_FRAMES_UNIT,  /* a unit ended */
    TL_FRAMES_END,   /* the body ended, just behind a mark */
    TL_FRAMES_BAD    /* at frames->at */
} tl_frames_result;

tl_frames_result tl_frames_next(tl_frames *frames, tl_frame *out_frame);

/* Whole link and seal groups, header included, ready to be written at `offset`. header->body_bytes
 * is set. */
void tl_link_encode(tl_group_header *header, uint32_t segment, uint32_t salt, uint32_t offset,
                    tl_uid uid, tl_hash128 prev_hash, uint64_t base_position,
                    uint8_t out[TL_LINK_GROUP_BYTES]);
void tl_seal_encode(tl_group_header *header, uint32_t segment, uint32_t salt, uint32_t offset,
                    tl_uid uid, tl_hash128 file_hash, uint8_t out[TL_SEAL_GROUP_BYTES]);
bool tl_link_decode(const tl_frame *frame, tl_hash128 *out_prev_hash, uint64_t *out_base_position);
bool tl_seal_decode(const tl_frame *frame, tl_hash128 *out_file_hash);

/* ---- event.c: bodies of events ---- */

typedef struct tl_transaction {
    talea_text key;
    bool has_occurred_at;
    int64_t occurred_at;
    const talea_posting *legs;
    uint32_t leg_count;
    talea_text external_refs; /* data NULL: absent */
    talea_text metadata;
} tl_transaction;

/* An upper bound of the encoded size, and the encoding itself (returns the bytes written). */
size_t tl_transaction_bytes_max(const tl_transaction *transaction);
size_t tl_transaction_encode(const tl_transaction *transaction, uint8_t *out);
size_t tl_account_bytes_max(const talea_account_def *def);
size_t tl_account_encode(const talea_account_def *def, uint8_t *out);
size_t tl_asset_bytes_max(const talea_asset_def *def);
size_t tl_asset_encode(const talea_asset_def *def, uint8_t *out);

/* Decoding: false when the bytes are not exactly what encode would have written for some valid value (ranges, flags, lengths,
 * amounts > 0, at least two legs, no trailing bytes). Texts point into `body`. Legs go to an array
 * that the caller owns and that grows as needed (false also when memory is short: *out_nomem). */
typedef struct tl_legs {
    talea_posting *data;
    size_t cap;
} tl_legs;

bool tl_transaction_decode(const uint8_t *body, size_t len, tl_legs *legs, tl_transaction *out,
                           bool *out_nomem);
/* A copy of `count` legs there; NULL: no memory. */
talea_posting *tl_legs_copy(tl_legs *legs, const talea_posting *from, uint32_t count);
void tl_legs_free(tl_legs *legs);
/* The key alone, of a body that was valid once; points into it. */
bool tl_transaction_key(const uint8_t *body, size_t len, talea_text *out_key);
bool tl_account_decode(const uint8_t *body, size_t len, talea_account_def *out);
bool tl_asset_decode(const uint8_t *body, size_t len, talea_asset_def *out);

typedef struct tl_event {
    talea_event_kind kind;
    union {
        talea_asset_def asset;
        talea_account_def account;
        tl_transaction transaction;
    } u;
} tl_event;

/* Whichever of the three a frame holds; false also when it is none of them. */
bool tl_event_decode(tl_frame_kind kind, const uint8_t *body, size_t len, tl_legs *legs,
                     tl_event *out, bool *out_nomem);

/* ---- txid.c ---- */

void tl_txid_make(tl_uid uid, int64_t at, uint64_t seq, uint8_t out[16]);
/* The only seq that could carry this txid in the book; 0 when it is none of ours (version,
 * variant). The caller compares the event found. */
uint64_t tl_txid_seq(tl_uid uid, const uint8_t txid[16]);

#endif
