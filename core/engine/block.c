/*
 * Reading events back: the seq index leads to an event frame at most a stride before the wanted one; from
 * there the block runs to the next entry (or to the last applied group), or over several for who
 * reads on. Every frame's checksum is checked on the way.
 *
 * A block borrows the reader's buffer: loading the next one invalidates the events of the last.
 */
#include "engine/engine.h"

#include <assert.h>

tl_block *tl_block_new(tl_book *book) {
    tl_block *block = calloc(1, sizeof *block);
    if (!block) {
        return NULL;
    }
    block->reader = tl_log_reader_new(book->log);
    if (!block->reader) {
        free(block);
        return NULL;
    }
    return block;
}

void tl_block_free(tl_block *block) {
    if (block) {
        tl_log_reader_free(block->reader);
        free(block->events);
        free(block);
    }
}

/* Stretches (TL_SEQ_INDEX_STRIDE_BYTES) that a reader gets at once when it reads on. */
enum { BLOCK_RUN_MAX = 16 };

/* What the index says about a block. */
typedef struct extent {
    tl_seq_entry from;
    uint32_t end;      /* offset in the segment */
    uint64_t next_seq; /* of the first event behind it */
} extent;

/* Is entry i + 1 part of the same stretch of readable log as entry i? [read] */
static bool continues(const tl_book *book, size_t i) {
    const tl_seq_entry *entries = book->seqs.entries;
    return i + 1 < book->seqs.count && entries[i + 1].seq <= book->watermark &&
           entries[i + 1].segment == entries[i].segment;
}

/* The stretch that holds `seq`, and up to `run` - 1 more behind it (before it: `backward`). */
static void find_extent(tl_book *book, uint64_t seq, unsigned run, bool backward, extent *out) {
    tl_book_lock_to_read(book);
    assert(seq >= 1);
    assert(seq <= book->watermark);
    const tl_seq_entry *entries = book->seqs.entries;
    size_t first = tl_seqindex_floor(&book->seqs, seq);
    size_t last = first;
    for (unsigned i = 1; i < run; i++) {
        if (backward && first > 0 && continues(book, first - 1)) {
            first--;
        } else if (!backward && continues(book, last)) {
            last++;
        }
    }
    out->from = entries[first];
    bool newest = last + 1 == book->seqs.count || entries[last + 1].seq > book->watermark;
    out->next_seq = newest ? book->watermark + 1 : entries[last + 1].seq;
    out->end = continues(book, last) ? entries[last + 1].offset
                                     : book->segment_ends[out->from.segment - 1];
    tl_mutex_unlock(&book->read_lock);
}

static talea_code damaged(const tl_book *book, uint32_t segment, uint32_t offset,
                          talea_error *err) {
    return tl_error(
        err, TALEA_CORRUPT,
        "book \"%.*s\", segment %u, offset %u: an event read back does not match its checksum",
        (int)book->slot->name.len, book->slot->name.data, segment, offset);
}

static bool add_event(tl_block *block, const tl_frame *frame, uint32_t offset, int64_t at) {
    if (block->count == block->cap) {
        size_t cap = block->cap ? block->cap * 2 : 64;
        tl_block_event *events = realloc(block->events, cap * sizeof *events);
        if (!events) {
            return false;
        }
        block->events = events;
        block->cap = cap;
    }
    block->events[block->count++] = (tl_block_event){.offset = offset,
                                                     .body_bytes = frame->body_bytes,
                                                     .body = frame->body,
                                                     .at = at,
                                                     .kind = frame->kind};
    return true;
}

/* The events of one group's frames, up to the end of the block. Links and seals stand outside of
 * what a block spans. */
static talea_code take_frames(tl_book *book, tl_block *block, tl_frames *frames, uint32_t base,
                              int64_t at, uint64_t wanted, talea_error *err) {
    tl_frame frame;
    while (block->count < wanted) {
        switch (tl_frames_next(frames, &frame)) {
        case TL_FRAMES_EVENT:
            if (!add_event(block, &frame, base + frame.offset, at)) {
                return tl_error_nomem(err);
            }
            break;
        case TL_FRAMES_UNIT: break;
        case TL_FRAMES_END: return TALEA_OK;
        case TL_FRAMES_BAD: return damaged(book, block->segment, base + frames->at, err);
        }
    }
    return TALEA_OK;
}

/* Marks stand at multiples of 8 in the file; so frames are walked from one. */
static uint32_t aligned(uint32_t offset) {
    return offset / TL_GROUP_ALIGN * TL_GROUP_ALIGN;
}

static talea_code parse(tl_book *book, tl_block *block, const extent *span, const uint8_t *data,
                        talea_error *err) {
    uint64_t wanted = span->next_seq - span->from.seq;
    uint32_t salt = tl_log_salt(book->log, span->from.segment);
    uint32_t seed = tl_frame_seed(book->uid);
    uint32_t start = aligned(span->from.offset);
    tl_frames frames;

    uint32_t group_end = span->from.group_end < span->end ? span->from.group_end : span->end;
    tl_frames_begin_at(&frames, data, group_end - start, span->from.offset - start, seed);
    talea_code code = take_frames(book, block, &frames, start, span->from.at, wanted, err);
    uint32_t at = group_end;
    while (code == TALEA_OK && block->count < wanted) {
        tl_group_header header;
        if (at > span->end || !tl_group_header_find(data + (at - start), span->end - at,
                                                    span->from.segment, salt, &at, &header)) {
            return damaged(book, span->from.segment, at, err);
        }
        at += TL_GROUP_HEADER_BYTES;
        uint32_t body_bytes =
            header.body_bytes < span->end - at ? header.body_bytes : span->end - at;
        if (header.body_bytes > 0) {
            /* The last group of a block may be cut by the block's end; only whole frames before it
             * are asked for. */
            tl_frames_begin_at(&frames, data + (at - start), body_bytes, 0, seed);
            code = take_frames(book, block, &frames, at, header.at, wanted, err);
        }
        at += header.body_bytes;
    }
    return code;
}

talea_code tl_block_load(tl_book *book, tl_block *block, uint64_t seq, talea_error *err) {
    if (block->first_seq != 0 && seq >= block->first_seq && seq - block->first_seq < block->count) {
        return TALEA_OK;
    }
    /* Whoever reads on gets more at a time: one stretch, two, four ... */
    bool forward = block->first_seq != 0 && seq == block->first_seq + block->count;
    bool backward = block->first_seq != 0 && seq + 1 == block->first_seq;
    block->run = !forward && !backward        ? 1
                 : block->run < BLOCK_RUN_MAX ? block->run * 2
                                              : block->run;
    extent span;
    find_extent(book, seq, block->run, backward, &span);
    block->first_seq = 0;
    block->count = 0;
    block->segment = span.from.segment;
    const uint8_t *data = NULL;
    uint32_t start = aligned(span.from.offset);
    talea_code code =
        tl_log_read(block->reader, span.from.segment, start, span.end - start, &data, err);
    if (code == TALEA_OK) {
        code = parse(book, block, &span, data, err);
    }
    if (code == TALEA_OK) {
        block->first_seq = span.from.seq;
        assert(seq - block->first_seq < block->count);
    }
    return code;
}
