/*
 * Each operation of core/index with each of its allocations failing: it says so, nothing has
 * changed, and the next try does what the first should have done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Compiled into this program, so that their allocator can be replaced. */
#include "state/failing.h"

#include "../../core/index/keymap.c"
#include "../../core/index/seqindex.c"

static void keymaps(void **state) {
    enum { KEYS = SPLIT_COUNT + 3000 };
    tl_keymap *map = NULL;
    for (uint64_t nth = 1; !map; nth++) {
        arm(nth);
        map = tl_keymap_new();
        assert_true(disarm() == !map);
    }
    uint64_t failed = 0;
    for (uint64_t seq = 1; seq <= KEYS; seq++) {
        tl_hash128 hash = tl_hash128_of(&seq, sizeof seq);
        for (uint64_t nth = 1;; nth++) {
            arm(nth);
            bool ok = tl_keymap_insert(map, hash, seq);
            if (!disarm()) {
                assert_true(ok);
                break;
            }
            failed++;
            uint64_t cursor = 0;
            assert_false(ok);
            assert_true(tl_keymap_count(map) == seq - 1);
            assert_true(tl_keymap_find(map, hash, &cursor) == 0);
        }
    }
    assert_true(failed > SHARDS);
    for (uint64_t seq = 1; seq <= KEYS; seq++) {
        uint64_t cursor = 0;
        assert_true(tl_keymap_find(map, tl_hash128_of(&seq, sizeof seq), &cursor) == seq);
    }
    tl_keymap_free(map);
}

static void seqindexes(void **state) {
    tl_seqindex index = {0};
    uint64_t failed = 0;
    for (uint32_t i = 0; i < 100; i++) {
        tl_seq_entry entry = {.seq = i + 1, .segment = 1, .offset = i * TL_SEQ_INDEX_STRIDE_BYTES};
        for (uint64_t nth = 1;; nth++) {
            arm(nth);
            bool ok = tl_seqindex_offer(&index, &entry);
            if (!disarm()) {
                assert_true(ok);
                break;
            }
            assert_false(ok);
            assert_int_equal(index.count, i);
            failed++;
        }
        assert_int_equal(tl_seqindex_floor(&index, i + 1), i);
    }
    assert_true(failed > 4);
    tl_seqindex_free(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keymaps),
        cmocka_unit_test(seqindexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
