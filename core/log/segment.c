/*
 * segment.c: segment files as files.
 *
 * How: a file is made with one write of its head, zeros in pieces, one sync. Real zeros are written, not
 * a hole or fallocate: only then does a later overwrite leave the file's metadata alone.
 */
#include "log/segment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ZERO_PIECE_BYTES = 16 << 10 };

int tl_path_join(const char *dir, const char *name, char out[TL_PATH_BYTES_MAX]) {
    int n = snprintf(out, TL_PATH_BYTES_MAX, "%s/%s", dir, name);
    return n >= 0 && n < TL_PATH_BYTES_MAX ? 0 : ENAMETOOLONG;
}

int tl_segment_path(const char *dir, uint32_t segment, char out[TL_PATH_BYTES_MAX]) {
    char name[32];
    (void)snprintf(name, sizeof name, "segment-%08u.log", segment);
    return tl_path_join(dir, name, out);
}

/* Digits at *p, moved over; 0 when there are none, or too many. */
static uint32_t take_number(const char **p) {
    uint64_t value = 0;
    const char *s = *p;
    while (*s >= '0' && *s <= '9') {
        value = value * 10 + (uint64_t)(*s++ - '0');
        if (value > UINT32_MAX) {
            return 0;
        }
    }
    *p = s;
    return (uint32_t)value;
}

uint32_t tl_segment_number(const char *name) {
    static const char prefix[] = "segment-";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    const char *p = name + sizeof prefix - 1;
    uint32_t number = take_number(&p);
    char again[32];
    (void)snprintf(again, sizeof again, "segment-%08u.log", number);
    return strcmp(again, name) == 0 ? number : 0;
}

uint32_t tl_torn_number(const char *name) {
    static const char prefix[] = "torn-";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    const char *p = name + sizeof prefix - 1;
    for (int i = 0; i < 2; i++) {
        (void)take_number(&p);
        if (*p != '-') {
            return 0;
        }
        p++;
    }
    uint32_t number = take_number(&p);
    return strcmp(p, ".bin") == 0 ? number : 0;
}

int tl_write_zeros(tl_file *file, uint64_t from, uint64_t to) {
    static const uint8_t zeros[ZERO_PIECE_BYTES];
    int rc = 0;
    while (from < to && rc == 0) {
        size_t piece = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        rc = file->ops->pwrite(file, zeros, piece, from);
        from += piece;
    }
    return rc;
}

int tl_segment_make(tl_io *io, const char *path, const uint8_t *head, size_t head_len,
                    uint32_t space, tl_file **out_file) {
    assert(head_len <= space);
    assert(space % TL_SECTOR_BYTES == 0);
    tl_file *file = NULL;
    int rc = io->ops->unlink(io, path);
    if (rc != 0 && rc != ENOENT) {
        return rc;
    }
    rc = io->ops->open(io, path, TL_OPEN_WRITE | TL_OPEN_CREATE, &file);
    if (rc != 0) {
        return rc;
    }
    rc = file->ops->pwrite(file, head, head_len, 0);
    if (rc == 0) {
        rc = tl_write_zeros(file, head_len, space);
    }
    if (rc == 0) {
        rc = file->ops->sync(file);
    }
    if (rc != 0) {
        file->ops->close(file);
        (void)io->ops->unlink(io, path); /* else the next attempt, or the next opening, does */
        return rc;
    }
    *out_file = file;
    return 0;
}

int tl_random_salt(tl_io *io, uint32_t *out_salt) {
    uint8_t bytes[4];
    int rc = io->ops->random(io, bytes, sizeof bytes);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = bytes[i] ? bytes[i] : (uint8_t)(0x5A + i);
    }
    *out_salt = tl_get_u32(bytes);
    return 0;
}

uint32_t tl_stretch_bytes(uint64_t log_bytes) {
    if (log_bytes < TL_STRETCH_BYTES_MIN) {
        return TL_STRETCH_BYTES_MIN;
    }
    if (log_bytes > TL_STRETCH_BYTES_MAX) {
        return TL_STRETCH_BYTES_MAX;
    }
    return (uint32_t)(log_bytes / TL_SECTOR_BYTES * TL_SECTOR_BYTES);
}

/* ---- Words ------------------------------------------------------------------------------------ */

void tl_defect_set(tl_defect *defect, uint32_t segment, uint64_t offset, const char *format, ...) {
    va_list args;
    defect->segment = segment;
    defect->offset = offset;
    va_start(args, format);
    (void)vsnprintf(defect->words, sizeof defect->words, format, args);
    va_end(args);
}

talea_code tl_defect_error(const tl_defect *defect, talea_text book, talea_error *err) {
    return tl_error(err, TALEA_CORRUPT, "book \"%.*s\", segment %u, offset %llu: %s", (int)book.len,
                    book.data, defect->segment, (unsigned long long)defect->offset, defect->words);
}

talea_code tl_segment_error(talea_error *err, int rc, talea_text book, uint32_t segment,
                            const char *what) {
    assert(rc != 0);
    return tl_error_os(err, rc, "book \"%.*s\", segment %u: %s", (int)book.len, book.data, segment,
                       what);
}
