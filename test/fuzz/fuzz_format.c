/*
 * core/format: every decoder, on any bytes.
 *
 * Oracle: decode(x) accepted => encode(decode(x)) == x, so that two byte strings never mean the same
 * thing; and a value in range comes back from its bytes as it was. What reads out of bounds is for
 * the sanitizers to see.
 *
 * Input: one byte that chooses the decoder, then what it is given. Checksums are put right first
 * where the high bit of that byte says so; without that a fuzzer never gets past them.
 */
#include "base/crc32c.h"
#include "format/format.h"
#include "fuzz.h"

/* ---- Bodies of events ------------------------------------------------------------------------- */

static tl_legs legs; /* keeps its memory, as everywhere else */

static void check_bytes(const uint8_t *encoded, size_t encoded_len, size_t bytes_max,
                        const fuzz_input *in) {
    must(encoded_len <= bytes_max);
    must(encoded_len == fuzz_left(in));
    must(memcmp(encoded, in->at, encoded_len) == 0);
}

static void transaction_body(const fuzz_input *in) {
    tl_transaction tx;
    bool nomem = false;
    if (!tl_transaction_decode(in->at, fuzz_left(in), &legs, &tx, &nomem)) {
        must(!nomem);
        return;
    }
    must(tx.key.len >= 1 && tx.leg_count >= 2);
    for (uint32_t i = 0; i < tx.leg_count; i++) {
        must(tx.legs[i].amount > 0);
    }
    uint8_t *out = fuzz_alloc(tl_transaction_bytes_max(&tx));
    check_bytes(out, tl_transaction_encode(&tx, out), tl_transaction_bytes_max(&tx), in);
    free(out);
}

static void account_body(const fuzz_input *in) {
    talea_account_def def;
    if (tl_account_decode(in->at, fuzz_left(in), &def)) {
        uint8_t *out = fuzz_alloc(tl_account_bytes_max(&def));
        check_bytes(out, tl_account_encode(&def, out), tl_account_bytes_max(&def), in);
        free(out);
    }
}

static void asset_body(const fuzz_input *in) {
    talea_asset_def def;
    if (tl_asset_decode(in->at, fuzz_left(in), &def)) {
        uint8_t *out = fuzz_alloc(tl_asset_bytes_max(&def));
        check_bytes(out, tl_asset_encode(&def, out), tl_asset_bytes_max(&def), in);
        free(out);
    }
}

/* ---- Values ----------------------------------------------------------------------------------- */

static talea_i128 take_i128(fuzz_input *in) {
    tl_u128 high = fuzz_uint(in, 8);
    return (talea_i128)(high << 64 | fuzz_uint(in, 8)) >> fuzz_below(in, 128);
}

static talea_text take_text(fuzz_input *in, size_t bytes_min, size_t bytes_max) {
    static const char filling[] = "x";
    size_t len = 0;
    size_t want = fuzz_uint(in, 2) % (bytes_max + 1);
    const char *data = (const char *)fuzz_bytes(in, want, &len);
    return len < bytes_min ? (talea_text){filling, 1} : (talea_text){data, len};
}

static bool same_text(talea_text a, talea_text b) {
    return (a.data != NULL) == (b.data != NULL) && tl_text_equal(a, b);
}

static void transaction_value(fuzz_input *in) {
    enum { LEGS_MAX = 40 };
    talea_posting given[LEGS_MAX];
    uint8_t flags = fuzz_u8(in);
    tl_transaction tx = {.key = take_text(in, 1, TL_KEY_BYTES_MAX),
                         .has_occurred_at = flags & 1,
                         .legs = given,
                         .leg_count = 2 + fuzz_below(in, LEGS_MAX - 1)};
    tx.occurred_at = flags & 1 ? (int64_t)fuzz_uint(in, 8) : 0;
    for (uint32_t i = 0; i < tx.leg_count; i++) {
        talea_i128 amount = take_i128(in);
        given[i].account = (uint32_t)fuzz_uint(in, 4);
        given[i].side = amount & 1 ? TALEA_SIDE_DEBIT : TALEA_SIDE_CREDIT;
        given[i].amount = amount > 0 ? amount : 1;
    }
    if (flags & 2) {
        tx.external_refs = take_text(in, 0, 300);
    }
    if (flags & 4) {
        tx.metadata = take_text(in, 0, 300);
    }
    uint8_t *out = fuzz_alloc(tl_transaction_bytes_max(&tx));
    size_t len = tl_transaction_encode(&tx, out);
    tl_transaction back;
    bool nomem = false;
    must(len <= tl_transaction_bytes_max(&tx));
    must(tl_transaction_decode(out, len, &legs, &back, &nomem));
    must(same_text(back.key, tx.key) && same_text(back.metadata, tx.metadata));
    must(same_text(back.external_refs, tx.external_refs));
    must(back.has_occurred_at == tx.has_occurred_at);
    must(!tx.has_occurred_at || back.occurred_at == tx.occurred_at);
    must(back.leg_count == tx.leg_count);
    for (uint32_t i = 0; i < tx.leg_count; i++) {
        must(back.legs[i].account == given[i].account && back.legs[i].side == given[i].side);
        must(back.legs[i].amount == given[i].amount);
    }
    free(out);
}

static void account_value(fuzz_input *in) {
    uint8_t flags = fuzz_u8(in);
    talea_account_def def = {.kind = (talea_kind)(1 + fuzz_below(in, 6)),
                             .side = (talea_side)fuzz_below(in, 3),
                             .precision = fuzz_below(in, TL_PRECISION_MAX + 1),
                             .has_min = flags & 1,
                             .has_max = (flags & 2) != 0,
                             .account = take_text(in, 1, TL_NAME_BYTES_MAX),
                             .asset = take_text(in, 1, TL_NAME_BYTES_MAX)};
    def.min_balance = take_i128(in);
    def.max_balance = take_i128(in);
    uint8_t *out = fuzz_alloc(tl_account_bytes_max(&def));
    size_t len = tl_account_encode(&def, out);
    talea_account_def back;
    must(len <= tl_account_bytes_max(&def));
    must(tl_account_decode(out, len, &back));
    must(same_text(back.account, def.account) && same_text(back.asset, def.asset));
    must(back.kind == def.kind && back.side == def.side && back.precision == def.precision);
    must(back.has_min == def.has_min && (!def.has_min || back.min_balance == def.min_balance));
    must(back.has_max == def.has_max && (!def.has_max || back.max_balance == def.max_balance));
    free(out);
}

static void varint_value(fuzz_input *in) {
    uint8_t bytes[TL_VARINT_BYTES_MAX];
    talea_i128 value = take_i128(in);
    must(tl_unzigzag(tl_zigzag(value)) == value);
    size_t len = tl_put_varint(bytes, (tl_u128)value);
    tl_span span = tl_span_of(bytes, len);
    must(tl_span_varint(&span) == (tl_u128)value && !span.bad && span.at == span.end);

    span = tl_span_of(in->at, fuzz_left(in)); /* and what is accepted is the shortest form */
    tl_u128 got = tl_span_varint(&span);
    if (!span.bad) {
        len = tl_put_varint(bytes, got);
        must(len == (size_t)(span.at - in->at) && memcmp(bytes, in->at, len) == 0);
    }
}

/* ---- Headers ---------------------------------------------------------------------------------- */

static void segment_header(fuzz_input *in, bool mend) {
    uint8_t bytes[TL_SEGMENT_HEADER_BYTES] = {0};
    size_t len = 0;
    const uint8_t *given = fuzz_bytes(in, sizeof bytes, &len);
    memcpy(bytes, given, len);
    if (mend) {
        tl_put_u32(bytes + 12, 0);
        tl_put_u32(bytes + 12, tl_crc32c(0, bytes, sizeof bytes));
    }
    tl_segment_header header;
    if (tl_segment_header_decode(bytes, &header)) {
        uint8_t again[TL_SEGMENT_HEADER_BYTES];
        tl_segment_header_encode(&header, again);
        must(memcmp(bytes, again, sizeof again) == 0);
    }
}

/* FORMAT.md: over segment number, offset, bytes 0..3 and 8..39. */
static uint32_t group_crc(const uint8_t *header, uint32_t segment, uint32_t offset) {
    uint8_t place[8];
    tl_put_u32(place, segment);
    tl_put_u32(place + 4, offset);
    uint32_t crc = tl_crc32c(0, place, sizeof place);
    crc = tl_crc32c(crc, header, 4);
    return tl_crc32c(crc, header + 8, TL_GROUP_HEADER_BYTES - 8);
}

static void group_header(fuzz_input *in, bool mend) {
    uint8_t bytes[TL_GROUP_HEADER_BYTES] = {0};
    size_t len = 0;
    uint32_t segment = (uint32_t)fuzz_uint(in, 2);
    uint32_t offset = (uint32_t)fuzz_uint(in, 4);
    const uint8_t *given = fuzz_bytes(in, sizeof bytes, &len);
    memcpy(bytes, given, len);
    uint32_t salt = tl_get_u32(bytes);
    if (mend) {
        tl_put_u32(bytes + 4, group_crc(bytes, segment, offset));
    }
    tl_group_header header;
    if (tl_group_header_decode(bytes, segment, salt, offset, &header)) {
        uint8_t again[TL_GROUP_HEADER_BYTES];
        uint32_t crc = header.crc;
        tl_group_header_encode(&header, segment, salt, offset, again);
        must(header.crc == crc);
        must(memcmp(bytes, again, sizeof again) == 0);
        must(!tl_group_header_decode(bytes, segment, salt, offset + 8, &header));
        must(!tl_group_header_decode(bytes, segment + 1, salt, offset, &header));
    }
}

/* A header that is found stands where it is said to, and a proof behind its gap. */
static void find_group_header(fuzz_input *in, bool mend) {
    uint32_t segment = 1 + fuzz_below(in, 3);
    uint32_t salt = (uint32_t)fuzz_uint(in, 4);
    uint32_t start = (uint32_t)fuzz_uint(in, 2) * TL_GROUP_ALIGN;
    size_t len = fuzz_left(in);
    uint8_t *data = fuzz_alloc(len);
    memcpy(data, in->at, len);
    uint64_t gap = tl_proof_offset(start) - start;
    if (mend && len >= TL_GROUP_HEADER_BYTES) {
        if (len >= gap + TL_GROUP_HEADER_BYTES) {
            tl_put_filler(data, (size_t)gap, salt);
        } else {
            gap = 0;
        }
        tl_put_u32(data + gap, salt);
        tl_put_u32(data + gap + 4, group_crc(data + gap, segment, start + (uint32_t)gap));
    }
    uint32_t offset = start;
    tl_group_header header;
    if (tl_group_header_find(data, len, segment, salt, &offset, &header)) {
        must(offset == start || (offset == tl_proof_offset(start) && header.body_bytes == 0));
        must(offset - start + TL_GROUP_HEADER_BYTES <= len);
        must(tl_group_header_decode(data + (offset - start), segment, salt, offset, &header));
    } else {
        must(offset == start);
    }
    free(data);
}

/* ---- Frames ----------------------------------------------------------------------------------- */

/* Puts every checksum right that can be found by walking over the lengths; a mark's count, too. */
static void mend_frames(uint8_t *body, size_t len, uint32_t seed) {
    uint32_t unit_crc = seed;
    uint32_t events = 0;
    for (size_t at = 0; at + TL_FRAME_HEADER_BYTES <= len;) {
        uint8_t *p = body + at;
        if (p[0] == 0) {
            at = at / TL_GROUP_ALIGN * TL_GROUP_ALIGN + (at % TL_GROUP_ALIGN ? TL_GROUP_ALIGN : 0);
            if (at + TL_MARK_BYTES > len || body[at] == 0) {
                return;
            }
            continue;
        }
        size_t body_bytes = tl_get_u32(p) >> 8;
        if (p[0] == TL_FRAME_MARK) {
            tl_put_u32(p, (uint32_t)TL_FRAME_MARK | events << 8);
            tl_put_u32(p + 4, tl_crc32c(unit_crc, p, 4));
            unit_crc = seed;
            events = 0;
            at += TL_MARK_BYTES;
        } else if (body_bytes <= len - at - TL_FRAME_HEADER_BYTES) {
            uint32_t crc = tl_crc32c(seed, p, 4);
            tl_put_u32(p + 4, tl_crc32c(crc, p + TL_FRAME_HEADER_BYTES, body_bytes));
            unit_crc = tl_crc32c(unit_crc, p, TL_FRAME_HEADER_BYTES);
            events += p[0] != TL_FRAME_LINK && p[0] != TL_FRAME_SEAL;
            at += TL_FRAME_HEADER_BYTES + body_bytes;
        } else {
            return;
        }
    }
}

static void encode_special(const tl_frame *frame, tl_uid uid, const uint8_t *body, size_t len) {
    tl_hash128 hash;
    uint64_t base = 0;
    uint8_t out[TL_LINK_GROUP_BYTES];
    tl_group_header header = {.space_end = 1 << 20};
    if (tl_link_decode(frame, &hash, &base)) {
        must(len == TL_LINK_GROUP_BYTES - TL_GROUP_HEADER_BYTES);
        tl_link_encode(&header, 1, 0x01010101, TL_FIRST_GROUP, uid, hash, base, out);
    } else if (tl_seal_decode(frame, &hash)) {
        must(len == TL_SEAL_GROUP_BYTES - TL_GROUP_HEADER_BYTES);
        tl_seal_encode(&header, 1, 0x01010101, TL_FIRST_GROUP, uid, hash, out);
    } else {
        return; /* of another length: the log refuses it */
    }
    must(memcmp(out + TL_GROUP_HEADER_BYTES, body, len) == 0);
}

/* The walk without checksums, and one from this event on, see the same. */
static void walk_again(const tl_frame *frame, const uint8_t *body, uint32_t len, uint32_t seed) {
    tl_frames frames;
    tl_frame again;
    tl_frames_begin_at(&frames, body, len, frame->offset, seed);
    must(tl_frames_next(&frames, &again) == TL_FRAMES_EVENT);
    must(again.kind == frame->kind && again.body == frame->body);
    must(again.body_bytes == frame->body_bytes && again.offset == frame->offset);
    again = tl_frame_peek(body + frame->offset, frame->offset);
    must(again.kind == frame->kind && again.body == frame->body);
}

static bool is_event(const tl_frame *frame) {
    return frame->kind != TL_FRAME_LINK && frame->kind != TL_FRAME_SEAL;
}

static void group_body(fuzz_input *in, bool mend) {
    tl_uid uid = {fuzz_u8(in), fuzz_u8(in)};
    uint32_t seed = tl_frame_seed(uid);
    size_t len = fuzz_left(in);
    uint8_t *body = fuzz_alloc(len);
    memcpy(body, in->at, len);
    if (mend) {
        mend_frames(body, len, seed);
    }

    static tl_group_writer writer; /* keeps its memory */
    tl_frames frames;
    tl_frame frame;
    tl_frame special = {.body_bytes = 0};
    tl_frames_result got;
    bool open = false;
    must(tl_group_begin(&writer, uid));
    tl_frames_begin(&frames, body, (uint32_t)len, seed, true);
    while ((got = tl_frames_next(&frames, &frame)) == TL_FRAMES_EVENT || got == TL_FRAMES_UNIT) {
        if (got == TL_FRAMES_UNIT) {
            must(!open || tl_unit_end(&writer));
            open = false;
        } else if (is_event(&frame)) {
            walk_again(&frame, body, (uint32_t)len, seed);
            if (!open) {
                tl_unit_begin(&writer);
            }
            open = true;
            uint8_t *out = tl_event_begin(&writer, frame.body_bytes);
            must(out != NULL);
            memcpy(out, frame.body, frame.body_bytes);
            tl_event_end(&writer, frame.kind, frame.body_bytes);
        } else {
            special = frame;
        }
    }
    if (got == TL_FRAMES_END && special.body_bytes > 0) {
        encode_special(&special, uid, body, len);
    } else if (got == TL_FRAMES_END) {
        must(!open && writer.buf.len == TL_GROUP_HEADER_BYTES + len);
        must(memcmp(writer.buf.data + TL_GROUP_HEADER_BYTES, body, len) == 0);
    } else {
        must(frames.at <= len);
    }
    tl_frames_begin(&frames, body, (uint32_t)len, seed, false); /* whatever it says, in bounds */
    do {
        got = tl_frames_next(&frames, &frame);
    } while (got == TL_FRAMES_EVENT || got == TL_FRAMES_UNIT);
    free(body);
}

/* ---- Transaction ids -------------------------------------------------------------------------- */

static void txid(fuzz_input *in) {
    tl_uid uid = {fuzz_uint(in, 8), fuzz_uint(in, 8)};
    uint64_t seq = fuzz_uint(in, 8) >> 2;
    int64_t at = (int64_t)(fuzz_uint(in, 8) >> 8);
    uint8_t id[16];
    uint8_t back[16] = {0};
    char text[TALEA_TXID_TEXT_BYTES];
    tl_txid_make(uid, at, seq, id);
    must(tl_txid_seq(uid, id) == seq);
    must(talea_txid_format(id, text) == TALEA_TXID_TEXT_BYTES - 1);
    must(talea_txid_parse(text, strlen(text), back) && memcmp(id, back, sizeof id) == 0);

    size_t len = 0;
    const uint8_t *given = fuzz_bytes(in, sizeof back, &len);
    memset(back, 0, sizeof back);
    memcpy(back, given, len);
    must(tl_txid_seq(uid, back) < UINT64_C(1) << 62);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = fuzz_begin(data, size);
    uint8_t choice = fuzz_u8(&in);
    bool mend = choice & 0x80;
    switch (choice & 15) {
    case 0: transaction_body(&in); break;
    case 1: account_body(&in); break;
    case 2: asset_body(&in); break;
    case 3: transaction_value(&in); break;
    case 4: account_value(&in); break;
    case 5: varint_value(&in); break;
    case 6: segment_header(&in, mend); break;
    case 7: group_header(&in, mend); break;
    case 8: find_group_header(&in, mend); break;
    case 9: group_body(&in, mend); break;
    case 10: txid(&in); break;
    default: break;
    }
    return 0;
}
