/*
 * header.c: segment headers, group headers, and the directory names of books.
 *
 * How: a segment header is decoded by checking every byte that encode determines: magic, version, crc,
 * and zeros behind the name. A group header's crc also covers where the group stands (segment and
 * offset), which are not stored: a header that was copied to another place is not valid there.
 */
#include "format/format.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"

enum {
    AT_VERSION = 8,
    AT_CRC = 12,
    AT_SEGMENT = 16,
    AT_SALT = 20,
    AT_UID = 24,
    AT_CREATED = 40,
    AT_NAME_LEN = 48,
    AT_NAME = 49,
    AT_RESERVED = 177,
    AT_SPACE = 180,
    AT_RESERVED_2 = 184,
    FORMAT_VERSION = 1,
};

static_assert(AT_NAME + TL_NAME_BYTES_MAX == AT_RESERVED, "the longest name fits");
static_assert((int)AT_RESERVED_2 < (int)TL_SEGMENT_HEADER_BYTES, "all fields lie in the header");

static const char magic[8] = {'T', 'A', 'L', 'E', 'A', 'S', 'E', 'G'};

static bool salt_valid(uint32_t salt) {
    return (salt & 0xFF) && (salt & 0xFF00) && (salt & 0xFF0000) && (salt & 0xFF000000);
}

static bool all_zero(const uint8_t *p, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The crc of the 512 bytes with the crc field taken as zero. */
static uint32_t segment_header_crc(const uint8_t *header) {
    static const uint8_t zero[4] = {0};
    uint32_t crc = tl_crc32c(0, header, AT_CRC);
    crc = tl_crc32c(crc, zero, sizeof zero);
    return tl_crc32c(crc, header + AT_SEGMENT, TL_SEGMENT_HEADER_BYTES - AT_SEGMENT);
}

void tl_segment_header_encode(const tl_segment_header *header,
                              uint8_t out[TL_SEGMENT_HEADER_BYTES]) {
    assert(header->name_len >= 1 && header->name_len <= TL_NAME_BYTES_MAX);
    assert(salt_valid(header->salt));
    memset(out, 0, TL_SEGMENT_HEADER_BYTES);
    memcpy(out, magic, sizeof magic);
    tl_put_u32(out + AT_VERSION, FORMAT_VERSION);
    tl_put_u32(out + AT_SEGMENT, header->segment);
    tl_put_u32(out + AT_SALT, header->salt);
    tl_put_u64(out + AT_UID, header->uid.u0);
    tl_put_u64(out + AT_UID + 8, header->uid.u1);
    tl_put_u64(out + AT_CREATED, (uint64_t)header->created_at);
    out[AT_NAME_LEN] = header->name_len;
    memcpy(out + AT_NAME, header->name, header->name_len);
    tl_put_u32(out + AT_SPACE, header->space);
    tl_put_u32(out + AT_CRC, segment_header_crc(out));
}

bool tl_segment_header_decode(const uint8_t in[TL_SEGMENT_HEADER_BYTES],
                              tl_segment_header *out_header) {
    tl_segment_header h = {0};
    h.segment = tl_get_u32(in + AT_SEGMENT);
    h.salt = tl_get_u32(in + AT_SALT);
    h.uid.u0 = tl_get_u64(in + AT_UID);
    h.uid.u1 = tl_get_u64(in + AT_UID + 8);
    h.created_at = (int64_t)tl_get_u64(in + AT_CREATED);
    h.space = tl_get_u32(in + AT_SPACE);
    h.name_len = in[AT_NAME_LEN];
    if (memcmp(in, magic, sizeof magic) != 0 || tl_get_u32(in + AT_VERSION) != FORMAT_VERSION ||
        tl_get_u32(in + AT_CRC) != segment_header_crc(in)) {
        return false;
    }
    if (h.segment == 0 || !salt_valid(h.salt) || h.name_len < 1 || h.name_len > TL_NAME_BYTES_MAX) {
        return false;
    }
    if (!all_zero(in + AT_NAME + h.name_len, (size_t)TL_NAME_BYTES_MAX - h.name_len) ||
        !all_zero(in + AT_RESERVED, AT_SPACE - AT_RESERVED) ||
        !all_zero(in + AT_RESERVED_2, TL_SEGMENT_HEADER_BYTES - AT_RESERVED_2)) {
        return false;
    }
    memcpy(h.name, in + AT_NAME, h.name_len);
    *out_header = h;
    return true;
}

/* ---- Group headers --------------------------------------------------------------------------- */

static uint32_t group_header_crc(const uint8_t *in, uint32_t segment, uint32_t offset) {
    uint8_t covered[8 + TL_GROUP_HEADER_BYTES - 4];
    tl_put_u32(covered, segment);
    tl_put_u32(covered + 4, offset);
    memcpy(covered + 8, in, 4);
    memcpy(covered + 12, in + 8, TL_GROUP_HEADER_BYTES - 8);
    return tl_crc32c(0, covered, sizeof covered);
}

void tl_group_header_encode(tl_group_header *header, uint32_t segment, uint32_t salt,
                            uint32_t offset, uint8_t out[TL_GROUP_HEADER_BYTES]) {
    assert(offset % TL_GROUP_ALIGN == 0);
    assert(header->body_bytes % TL_GROUP_ALIGN == 0);
    assert(header->durable_upto <= offset);
    assert(header->space_end >= (uint64_t)offset + TL_GROUP_HEADER_BYTES + header->body_bytes);
    tl_put_u32(out, salt);
    tl_put_u32(out + 8, header->body_bytes);
    tl_put_u32(out + 12, header->durable_upto);
    tl_put_u32(out + 16, header->space_end);
    tl_put_u32(out + 20, header->prev_crc);
    tl_put_u64(out + 24, header->first_seq);
    tl_put_u64(out + 32, (uint64_t)header->at);
    header->crc = group_header_crc(out, segment, offset);
    tl_put_u32(out + 4, header->crc);
}

bool tl_group_header_decode(const uint8_t in[TL_GROUP_HEADER_BYTES], uint32_t segment,
                            uint32_t salt, uint32_t offset, tl_group_header *out_header) {
    if (tl_get_u32(in) != salt) {
        return false; /* nearly every candidate of a scan ends here */
    }
    tl_group_header h = {.crc = tl_get_u32(in + 4),
                         .body_bytes = tl_get_u32(in + 8),
                         .durable_upto = tl_get_u32(in + 12),
                         .space_end = tl_get_u32(in + 16),
                         .prev_crc = tl_get_u32(in + 20),
                         .first_seq = tl_get_u64(in + 24),
                         .at = (int64_t)tl_get_u64(in + 32)};
    if (h.crc != group_header_crc(in, segment, offset)) {
        return false;
    }
    uint64_t end = (uint64_t)offset + TL_GROUP_HEADER_BYTES + h.body_bytes;
    if (offset % TL_GROUP_ALIGN != 0 || h.body_bytes % TL_GROUP_ALIGN != 0 ||
        h.durable_upto > offset || h.space_end < end) {
        return false;
    }
    *out_header = h;
    return true;
}

void tl_put_filler(uint8_t *out, size_t len, uint32_t salt) {
    assert(len % TL_GROUP_ALIGN == 0);
    for (size_t i = 0; i < len; i += 4) {
        tl_put_u32(out + i, salt);
    }
}

bool tl_is_filler(const uint8_t *data, size_t len, uint32_t salt) {
    assert(len % TL_GROUP_ALIGN == 0);
    for (size_t i = 0; i < len; i += 4) {
        if (tl_get_u32(data + i) != salt) {
            return false;
        }
    }
    return true;
}

bool tl_group_header_find(const uint8_t *data, size_t len, uint32_t segment, uint32_t salt,
                          uint32_t *offset, tl_group_header *out_header) {
    if (len < TL_GROUP_HEADER_BYTES) {
        return false;
    }
    if (tl_group_header_decode(data, segment, salt, *offset, out_header)) {
        return out_header->body_bytes > 0 || *offset % TL_SECTOR_BYTES == 0;
    }
    uint64_t proof = tl_proof_offset(*offset);
    uint64_t gap = proof - *offset;
    tl_group_header header;
    if (gap == 0 || len < gap + TL_GROUP_HEADER_BYTES ||
        !(tl_is_filler(data, (size_t)gap, salt) || all_zero(data, (size_t)gap)) ||
        !tl_group_header_decode(data + gap, segment, salt, (uint32_t)proof, &header) ||
        header.body_bytes != 0) {
        return false;
    }
    *offset = (uint32_t)proof;
    *out_header = header;
    return true;
}

/* ---- Directory names ------------------------------------------------------------------------- */

enum { DIR_BYTES_MAX = 200, DIR_KEPT_BYTES = 160 };

static_assert((int)DIR_BYTES_MAX < (int)TL_DIR_NAME_BYTES,
              "the longest name as it stands, and the NUL");
static_assert((int)DIR_KEPT_BYTES + 1 + 32 < (int)TL_DIR_NAME_BYTES,
              "the hashed form, and the NUL");

static bool stands_for_itself(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void tl_book_dir_name(talea_text name, char out[TL_DIR_NAME_BYTES]) {
    static const char hex[] = "0123456789abcdef";
    assert(name.len >= 1 && name.len <= TL_NAME_BYTES_MAX);
    char encoded[3 * TL_NAME_BYTES_MAX + 1];
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = (uint8_t)name.data[i];
        if (stands_for_itself(c)) {
            encoded[len++] = (char)c;
        } else {
            encoded[len++] = '%';
            encoded[len++] = hex[c >> 4];
            encoded[len++] = hex[c & 15];
        }
    }
    encoded[len] = '\0';
    if (len <= DIR_BYTES_MAX) {
        memcpy(out, encoded, len + 1);
        return;
    }
    tl_hash128 hash = tl_hash128_of(name.data, name.len);
    memcpy(out, encoded, DIR_KEPT_BYTES);
    int n = snprintf(out + DIR_KEPT_BYTES, TL_DIR_NAME_BYTES - DIR_KEPT_BYTES, "~%016llx%016llx",
                     (unsigned long long)hash.hi, (unsigned long long)hash.lo);
    assert(n == 33);
    (void)n;
}
