/*
 * scan.c: a window that moves over a file.
 *
 * How: one buffer; a range that is not in it is read together with what follows it, the part already there is
 * moved to the front. Sequential walks so read every byte once.
 */
#include "log/scan.h"

#include <errno.h>

enum { WINDOW_BYTES = 1 << 20 };

int tl_scan_begin(tl_scan *scan, tl_file *file) {
    scan->file = file;
    return tl_scan_refresh(scan);
}

int tl_scan_refresh(tl_scan *scan) {
    scan->start = 0;
    scan->len = 0;
    return scan->file->ops->size(scan->file, &scan->size);
}

void tl_scan_free(tl_scan *scan) {
    free(scan->data);
    *scan = (tl_scan){0};
}

/* A buffer for at least len bytes; a small file gets a small one. What it holds stays. */
static int reserve(tl_scan *scan, size_t len) {
    size_t cap = scan->size < WINDOW_BYTES ? (size_t)scan->size : WINDOW_BYTES;
    if (cap < len) {
        cap = len;
    }
    if (cap <= scan->cap) {
        return 0;
    }
    uint8_t *data = realloc(scan->data, cap);
    if (!data) {
        return ENOMEM;
    }
    scan->data = data;
    scan->cap = cap;
    return 0;
}

int tl_scan_get(tl_scan *scan, uint64_t offset, size_t len, const uint8_t **out_data,
                size_t *out_len) {
    if (offset >= scan->size) {
        *out_data = scan->data;
        *out_len = 0;
        return 0;
    }
    if (len > scan->size - offset) {
        len = (size_t)(scan->size - offset);
    }
    if (offset < scan->start || offset + len > scan->start + scan->len) {
        int rc = reserve(scan, len);
        if (rc != 0) {
            return rc;
        }
        size_t kept = 0;
        if (offset >= scan->start && offset < scan->start + scan->len) {
            kept = (size_t)(scan->start + scan->len - offset);
            memmove(scan->data, scan->data + (offset - scan->start), kept);
        }
        scan->start = offset;
        scan->len = kept;
        size_t more = scan->cap - kept;
        if (more > scan->size - offset - kept) {
            more = (size_t)(scan->size - offset - kept);
        }
        size_t got = 0;
        rc = scan->file->ops->pread(scan->file, scan->data + kept, more, offset + kept, &got);
        if (rc != 0) {
            return rc;
        }
        scan->len = kept + got; /* less than asked for when the file was cut meanwhile */
    }
    size_t held = (size_t)(scan->start + scan->len - offset);
    *out_data = scan->data + (offset - scan->start);
    *out_len = len < held ? len : held;
    return 0;
}

/* Comparing with itself one byte further is as fast as memcmp. */
static bool all_zero(const uint8_t *p, size_t len) {
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

int tl_scan_first_nonzero(tl_scan *scan, uint64_t from, uint64_t to, uint64_t *out_offset) {
    while (from < to) {
        const uint8_t *data = NULL;
        size_t len = 0;
        size_t want = to - from < TL_STRETCH_BYTES_MIN ? (size_t)(to - from) : TL_STRETCH_BYTES_MIN;
        int rc = tl_scan_get(scan, from, want, &data, &len);
        if (rc != 0) {
            return rc;
        }
        if (!all_zero(data, len)) {
            size_t i = 0;
            while (data[i] == 0) {
                i++;
            }
            *out_offset = from + i;
            return 0;
        }
        if (len == 0) {
            break;
        }
        from += len;
    }
    *out_offset = to;
    return 0;
}

int tl_scan_nonzero_end(tl_scan *scan, uint64_t from, uint64_t *out_end) {
    uint64_t end = from;
    while (from < scan->size) {
        const uint8_t *data = NULL;
        size_t len = 0;
        int rc = tl_scan_get(scan, from, TL_STRETCH_BYTES_MIN, &data, &len);
        if (rc != 0) {
            return rc;
        }
        if (len == 0) {
            break;
        }
        if (!all_zero(data, len)) {
            size_t i = len;
            while (data[i - 1] == 0) {
                i--;
            }
            end = from + i;
        }
        from += len;
    }
    *out_end = end;
    return 0;
}
