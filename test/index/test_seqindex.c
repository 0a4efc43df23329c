/*
 * The seq index against a linear search over every event that was offered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/rng.h"
#include "index/seqindex.h"

enum { EVENTS_MAX = 20000 };

/* Which of the offered events the contract keeps. */
static size_t keep(const tl_seq_entry *events, size_t count, tl_seq_entry *out_kept) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || events[i].segment != out_kept[kept - 1].segment ||
            events[i].offset >= out_kept[kept - 1].offset + TL_SEQ_INDEX_STRIDE_BYTES) {
            out_kept[kept++] = events[i];
        }
    }
    return kept;
}

static void compare(const tl_seqindex *index, const tl_seq_entry *kept, size_t count) {
    assert_int_equal(index->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(index->entries[i].seq == kept[i].seq);
        assert_true(index->entries[i].at == kept[i].at);
        assert_int_equal(index->entries[i].segment, kept[i].segment);
        assert_int_equal(index->entries[i].offset, kept[i].offset);
        assert_int_equal(index->entries[i].group_end, kept[i].group_end);
    }
}

static void compare_floors(const tl_seqindex *index, uint64_t seq, int64_t at) {
    size_t by_seq = (size_t)-1;
    size_t by_at = (size_t)-1;
    for (size_t i = 0; i < index->count; i++) {
        by_seq = index->entries[i].seq <= seq ? i : by_seq;
        by_at = index->entries[i].at <= at ? i : by_at;
    }
    if (by_seq != (size_t)-1) {
        assert_int_equal(tl_seqindex_floor(index, seq), by_seq);
    }
    assert_int_equal(tl_seqindex_floor_at(index, at), by_at);
}

static void run_random(uint64_t number, size_t events_count, uint32_t step_max) {
    rng seed = {number};
    tl_seq_entry *events = calloc(events_count, sizeof *events);
    tl_seq_entry *kept = calloc(events_count, sizeof *kept);
    assert_non_null(events);
    assert_non_null(kept);
    tl_seqindex index = {0};
    tl_seq_entry at_hand = {.seq = 1, .at = -500, .segment = 1, .offset = 600, .group_end = 700};
    for (size_t i = 0; i < events_count; i++) {
        events[i] = at_hand;
        assert_true(tl_seqindex_offer(&index, &at_hand));
        at_hand.seq++;
        at_hand.at += rng_below(&seed, 3) ? 0 : rng_below(&seed, 1000);
        at_hand.offset += 8 + rng_below(&seed, step_max);
        if (rng_below(&seed, 1000) == 0) {
            at_hand.segment++;
            at_hand.offset = 600;
        }
        at_hand.group_end = at_hand.offset + 64;
    }
    size_t kept_count = keep(events, events_count, kept);
    compare(&index, kept, kept_count);
    for (size_t i = 0; i < kept_count; i += 1 + kept_count / 500) {
        for (int d = -1; d <= 1; d++) {
            compare_floors(&index, kept[i].seq + (uint64_t)(int64_t)d, kept[i].at + d);
        }
    }
    for (int i = 0; i < 500; i++) {
        const tl_seq_entry *any = &events[rng_below(&seed, (uint32_t)events_count)];
        compare_floors(&index, any->seq, any->at);
    }
    compare_floors(&index, UINT64_MAX, INT64_MAX);
    compare_floors(&index, 1, INT64_MIN);
    tl_seqindex_free(&index);
    assert_int_equal(index.count, 0);
    free(events);
    free(kept);
}

static void random_logs(void **state) {
    run_random(1, 1, 100);
    run_random(2, 2, 100000);
    run_random(3, EVENTS_MAX, 200);
    run_random(4, EVENTS_MAX, 40000);
    run_random(5, 5000, 3 * TL_SEQ_INDEX_STRIDE_BYTES);
}

static void empty(void **state) {
    tl_seqindex index = {0};
    assert_int_equal(tl_seqindex_floor_at(&index, 0), (size_t)-1);
    tl_seqindex_free(&index);
}

/* Exactly a stride away is kept, a byte less is not. */
static void stride(void **state) {
    tl_seqindex index = {0};
    tl_seq_entry entry = {.seq = 1, .segment = 1, .offset = 552};
    assert_true(tl_seqindex_offer(&index, &entry));
    entry.seq = 2;
    entry.offset = 552 + TL_SEQ_INDEX_STRIDE_BYTES - 1;
    assert_true(tl_seqindex_offer(&index, &entry));
    assert_int_equal(index.count, 1);
    entry.seq = 3;
    entry.offset = 552 + TL_SEQ_INDEX_STRIDE_BYTES;
    assert_true(tl_seqindex_offer(&index, &entry));
    assert_int_equal(index.count, 2);
    tl_seqindex_free(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(stride),
        cmocka_unit_test(random_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
