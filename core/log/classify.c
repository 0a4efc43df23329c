/*
 * classify.c: torn or rotten?
 *
 * How: p is where the next group is due. A write that was cut off has reached some of its sectors (or, when the
 * system gave up in the middle, some of its first bytes) and not the others, and the others still
 * show the zeros that were there before. So a tear is recognized by what is zero where a written
 * group shows something (FORMAT.md), and damage by its absence. What does not even begin like a
 * group was none, and a proof holds no history.
 *
 * The scan for later headers (rule 2) looks at every multiple of 8, past zeros and past lengths
 * that cannot be trusted. The salt makes nearly every candidate fail at its first four bytes.
 */
#include "log/classify.h"

#include <string.h>

/* What is known about the group at p. */
typedef struct suspect {
    uint32_t p;
    bool valid;   /* its header */
    uint64_t end; /* of the group when it is, else of the header */
    tl_group_header header;
} suspect;

static int look_at(tl_walk *walk, suspect *out) {
    const uint8_t *data = NULL;
    size_t len = 0;
    uint32_t p = walk->end;
    *out = (suspect){.p = p, .end = (uint64_t)p + TL_GROUP_HEADER_BYTES};
    int rc = tl_scan_get(&walk->scan, p, TL_GROUP_HEADER_BYTES, &data, &len);
    if (rc == 0 && len == TL_GROUP_HEADER_BYTES &&
        tl_group_header_decode(data, walk->segment, walk->header.salt, p, &out->header)) {
        out->valid = true;
        out->end += out->header.body_bytes;
    }
    return rc;
}

/* Rule 2: the first valid header at or after `from`; the file's size when there is none. */
static int find_header(tl_walk *walk, uint64_t from, uint64_t *out_offset) {
    tl_scan *scan = &walk->scan;
    *out_offset = scan->size;
    uint64_t at = from;
    while (at + TL_GROUP_HEADER_BYTES <= scan->size) {
        const uint8_t *data = NULL;
        size_t len = 0;
        int rc = tl_scan_get(scan, at, TL_STRETCH_BYTES_MIN, &data, &len);
        if (rc != 0 || len < TL_GROUP_HEADER_BYTES) {
            return rc;
        }
        for (size_t i = 0; i + TL_GROUP_HEADER_BYTES <= len; i += TL_GROUP_ALIGN) {
            tl_group_header header;
            if (tl_group_header_decode(data + i, walk->segment, walk->header.salt,
                                       (uint32_t)(at + i), &header)) {
                *out_offset = at + i;
                return 0;
            }
        }
        at += (len - TL_GROUP_HEADER_BYTES) / TL_GROUP_ALIGN * TL_GROUP_ALIGN + TL_GROUP_ALIGN;
    }
    return 0;
}

/* Is [from, to) there, and all zero? */
static int is_zero(tl_scan *scan, uint64_t from, uint64_t to, bool *out_zero) {
    uint64_t found = to;
    int rc = tl_scan_first_nonzero(scan, from, to, &found);
    *out_zero = rc == 0 && found == to && to <= scan->size;
    return rc;
}

static uint64_t sector_end(uint64_t offset) {
    return (offset / TL_SECTOR_BYTES + 1) * TL_SECTOR_BYTES;
}

/* Rule 4, the header is valid: a sector of the group's extent is missing, or its end is; and
 * nothing lies behind. */
static int torn_body(tl_walk *walk, const suspect *s, bool *out_torn) {
    bool missing = false;
    int rc = s->end > s->p + TL_GROUP_HEADER_BYTES
                 ? is_zero(&walk->scan, s->end - TL_MARK_BYTES, s->end, &missing)
                 : 0;
    for (uint64_t at = s->p; at < s->end && !missing && rc == 0; at = sector_end(at)) {
        uint64_t to = sector_end(at) < s->end ? sector_end(at) : s->end;
        rc = is_zero(&walk->scan, at, to, &missing);
    }
    if (rc == 0 && missing) {
        return is_zero(&walk->scan, s->end, walk->scan.size, out_torn);
    }
    *out_torn = false;
    return rc;
}

/* Fewer than three bytes of the salt: not the beginning of a group with one byte damaged. */
static bool lacks_salt(const tl_walk *walk, const uint8_t *header) {
    uint8_t salt[4];
    int same = 0;
    tl_put_u32(salt, walk->header.salt);
    for (int i = 0; i < 4; i++) {
        same += header[i] == salt[i];
    }
    return same < 3;
}

/* No body, the seq that is due, the time of the group before (its upper two bytes say nothing): a
 * proof, whatever is wrong with it. A group with events differs from that in two bytes at least. */
static bool looks_like_proof(const tl_walk *walk, const uint8_t *header) {
    uint8_t due[16];
    tl_put_u64(due, walk->chain.next_seq);
    tl_put_u64(due + 8, (uint64_t)walk->chain.last_at);
    return tl_get_u32(header + 8) == 0 && memcmp(header + 24, due, 14) == 0;
}

/* What stands where a header is due, and behind it: was it written whole, and by us? */
static int torn_at(tl_walk *walk, uint64_t at, bool *out_torn) {
    const uint8_t *header = NULL;
    size_t len = 0;
    int rc = is_zero(&walk->scan, at + TL_GROUP_HEADER_BYTES, walk->scan.size, out_torn);
    if (rc == 0 && !*out_torn) {
        rc = tl_scan_get(&walk->scan, at, TL_GROUP_HEADER_BYTES, &header, &len);
        *out_torn = rc == 0 && len == TL_GROUP_HEADER_BYTES &&
                    (looks_like_proof(walk, header) ||
                     (walk->last_kind == TL_GROUP_PROOF && lacks_salt(walk, header)));
    }
    return rc;
}

/* Rule 4, the header is not valid. It is due at p, or behind filler at the next sector. */
static int torn_header(tl_walk *walk, const suspect *s, bool *out_torn) {
    const uint8_t *data = NULL;
    size_t len = 0;
    uint64_t first_end = sector_end(s->p);
    int rc = is_zero(&walk->scan, s->p, first_end, out_torn);
    if (rc == 0 && !*out_torn) {
        rc = tl_scan_get(&walk->scan, s->p, (size_t)(first_end - s->p), &data, &len);
    }
    if (rc != 0 || *out_torn) {
        return rc;
    }
    bool filler = len == first_end - s->p && tl_is_filler(data, len, walk->header.salt);
    if (filler || s->end > first_end) {
        rc = is_zero(&walk->scan, first_end, first_end + TL_SECTOR_BYTES, out_torn);
    }
    return rc == 0 && !*out_torn ? torn_at(walk, filler ? first_end : s->p, out_torn) : rc;
}

/* Rules 2 to 4, when something that is not zero lies at `first` and nowhere before it. */
static int judge_bytes(tl_walk *walk, const suspect *s, uint64_t first, tl_judgement *j) {
    uint64_t later = 0;
    int rc = find_header(walk, s->valid ? s->end : (uint64_t)s->p + TL_GROUP_ALIGN, &later);
    if (rc == 0 && later < walk->scan.size) {
        j->verdict = TL_VERDICT_PROVEN;
        tl_defect_set(&j->defect, walk->segment, walk->end,
                      "damage before the valid group at offset %llu", (unsigned long long)later);
        return 0;
    }
    bool torn = false;
    if (rc == 0) {
        rc = s->valid ? torn_body(walk, s, &torn) : torn_header(walk, s, &torn);
    }
    if (rc == 0 && torn) {
        j->verdict = TL_VERDICT_TORN;
        j->from = first;
        rc = tl_scan_nonzero_end(&walk->scan, first, &j->to);
    }
    return rc;
}

int tl_classify(tl_walk *walk, tl_judgement *out_judgement) {
    assert(!walk->sealed);
    assert(walk->end >= TL_FIRST_GROUP);
    suspect s;
    tl_judgement j = {.verdict = TL_VERDICT_ROTTEN, .defect = walk->defect};
    int rc = look_at(walk, &s);
    if (rc != 0) {
        return rc;
    }
    uint64_t space = walk->space;
    if (s.valid && s.header.space_end > space) {
        space = s.header.space_end;
    }
    if (walk->scan.size < space) {
        j.verdict = TL_VERDICT_SHORT;
        tl_defect_set(&j.defect, walk->segment, walk->scan.size,
                      "the file ends here, and was %llu bytes long", (unsigned long long)space);
        *out_judgement = j;
        return 0;
    }
    uint64_t first = 0;
    rc = tl_scan_first_nonzero(&walk->scan, s.p, walk->scan.size, &first);
    if (rc == 0 && first == walk->scan.size) {
        j.verdict = TL_VERDICT_END;
    } else if (rc == 0) {
        if (walk->defect.segment != walk->segment) { /* the walk did not get as far as to stop */
            tl_defect_set(&j.defect, walk->segment, first, "damage where there should be zeros");
        }
        rc = judge_bytes(walk, &s, first, &j);
    }
    if (rc == 0) {
        *out_judgement = j;
    }
    return rc;
}
