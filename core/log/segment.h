/*
 * segment.h: segment files as files: names, making them whole, zeros, words for what is wrong.
 *
 * Purpose:    what creation, rotation, recovery and readers have in common below the level of groups.
 * Owns:       nothing; callers own the files that are handed out.
 * Threads:    pure, but for the I/O.
 * Errors:     errno values; 0 is success.
 * Durability: tl_segment_make returned 0 => the contents are synced, the name is not yet.
 */
#ifndef TL_LOG_SEGMENT_H
#define TL_LOG_SEGMENT_H

#include "base/error.h"
#include "base/io.h"
#include "format/format.h"

#define TL_SPARE_TEMP_NAME ".new-segment.log"

/* DIR/segment-00000001.log. ENAMETOOLONG when it does not fit. */
int tl_segment_path(const char *dir, uint32_t segment, char out[TL_PATH_BYTES_MAX]);
int tl_path_join(const char *dir, const char *name, char out[TL_PATH_BYTES_MAX]);
/* The number in a segment's name; 0 when it is not exactly one. */
uint32_t tl_segment_number(const char *name);
/* "torn-00000002-00012345-7.bin" -> 7; 0 when it is not one. */
uint32_t tl_torn_number(const char *name);

int tl_write_zeros(tl_file *file, uint64_t from, uint64_t to);

/* A fresh file: `head`, then zeros up to `space`; synced. Whatever stood under the name is replaced. */
int tl_segment_make(tl_io *io, const char *path, const uint8_t *head, size_t head_len,
                    uint32_t space, tl_file **out_file);

/* Four random bytes, none of them zero. */
int tl_random_salt(tl_io *io, uint32_t *out_salt);

/* segment_bytes_max as a whole number of sectors, and not absurdly small. */
static inline uint32_t tl_segment_cap(uint32_t segment_bytes_max) {
    enum { CAP_BYTES_MIN = 8 * TL_SECTOR_BYTES };
    uint32_t cap = segment_bytes_max / TL_SECTOR_BYTES * TL_SECTOR_BYTES;
    return cap > CAP_BYTES_MIN ? cap : CAP_BYTES_MIN;
}

/* How much space to prepare next, for a log of `log_bytes`: it grows with use. */
uint32_t tl_stretch_bytes(uint64_t log_bytes);

/* Where and what: becomes a TALEA_CORRUPT that names book, segment and offset, or a finding of verify. */
enum { TL_WORDS_BYTES = 200 };
typedef struct tl_defect {
    uint32_t segment;
    uint64_t offset;
    char words[TL_WORDS_BYTES];
} tl_defect;

void tl_defect_set(tl_defect *defect, uint32_t segment, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
talea_code tl_defect_error(const tl_defect *defect, talea_text book, talea_error *err);

/* A failed call on a segment, with the book and segment named. */
talea_code tl_segment_error(talea_error *err, int rc, talea_text book, uint32_t segment,
                            const char *what);

#endif
