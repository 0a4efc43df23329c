/*
 * scan.h: a window that moves over a file.
 *
 * Purpose:    recovery and verify look at a segment's bytes without holding the segment in memory.
 * Owns:       its buffer, which grows to the largest range asked for; the file stays the caller's.
 * Threads:    one at a time.
 * Errors:     an errno; ENOMEM when memory is short.
 */
#ifndef TL_LOG_SCAN_H
#define TL_LOG_SCAN_H

#include "base/io.h"
#include "format/format.h"

typedef struct tl_scan {
    tl_file *file;
    uint64_t size; /* of the file, when it was last asked */
    uint8_t *data;
    size_t cap;
    uint64_t start; /* what data holds: [start, start + len) */
    size_t len;
} tl_scan;

/* Begins with another file; the buffer is kept. */
int tl_scan_begin(tl_scan *scan, tl_file *file);
/* Forgets what was read and asks for the size again. */
int tl_scan_refresh(tl_scan *scan);
void tl_scan_free(tl_scan *scan);

/* The bytes [offset, offset + len), or as many of them as the file has. *out_data is valid until
 * the next call. */
int tl_scan_get(tl_scan *scan, uint64_t offset, size_t len, const uint8_t **out_data,
                size_t *out_len);

/* Where the first (last) byte that is not zero lies at or after `from`; `to` (from) when there is
 * none. *out_end is one past the last. */
int tl_scan_first_nonzero(tl_scan *scan, uint64_t from, uint64_t to, uint64_t *out_offset);
int tl_scan_nonzero_end(tl_scan *scan, uint64_t from, uint64_t *out_end);

#endif
