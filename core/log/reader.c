/*
 * reader.c: ranges of durable bytes, read back.
 *
 * How: one pread into a buffer that the reader keeps, through a descriptor that it keeps while it stays in one
 * segment. Nothing is verified: the range was synced by this process or checked when the log was
 * opened.
 */
#include "log/internal.h"

struct tl_log_reader {
    tl_log *log;
    tl_file *file;
    uint32_t segment; /* of file; 0: none */
    tl_buf buf;
};

tl_log_reader *tl_log_reader_new(tl_log *log) {
    tl_log_reader *reader = calloc(1, sizeof *reader);
    if (reader) {
        reader->log = log;
    }
    return reader;
}

static void leave_segment(tl_log_reader *reader) {
    if (reader->segment != 0) {
        reader->file->ops->close(reader->file);
        reader->segment = 0;
    }
}

void tl_log_reader_rest(tl_log_reader *reader) {
    leave_segment(reader);
}

void tl_log_reader_free(tl_log_reader *reader) {
    if (reader) {
        leave_segment(reader);
        tl_buf_free(&reader->buf);
        free(reader);
    }
}

static int enter_segment(tl_log_reader *reader, uint32_t segment) {
    char path[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    if (reader->segment == segment) {
        return 0;
    }
    int rc = tl_segment_path(reader->log->dir, segment, path);
    if (rc == 0) {
        rc = reader->log->io->ops->open(reader->log->io, path, TL_OPEN_READ, &file);
    }
    if (rc == 0) {
        leave_segment(reader);
        reader->file = file;
        reader->segment = segment;
    }
    return rc;
}

talea_code tl_log_read(tl_log_reader *reader, uint32_t segment, uint32_t offset, uint32_t len,
                       const uint8_t **out_data, talea_error *err) {
    assert(segment >= 1 && segment <= tl_log_segments(reader->log));
    talea_text book = tl_log_book(reader->log);
    size_t got = 0;
    int rc = enter_segment(reader, segment);
    if (rc != 0) {
        return tl_segment_error(err, rc, book, segment, "cannot open it to read");
    }
    reader->buf.len = 0;
    if (!tl_buf_reserve(&reader->buf, len)) {
        return tl_error_nomem(err);
    }
    rc = reader->file->ops->pread(reader->file, reader->buf.data, len, offset, &got);
    if (rc != 0) {
        return tl_segment_error(err, rc, book, segment, "cannot read");
    }
    if (got < len) {
        tl_defect defect;
        tl_defect_set(&defect, segment, (uint64_t)offset + got, "the file ends here");
        return tl_defect_error(&defect, book, err);
    }
    *out_data = reader->buf.data;
    return TALEA_OK;
}
