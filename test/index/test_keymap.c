/*
 * The key map against a list, with hashes that collide in every way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "index/keymap.h"

typedef struct pair {
    tl_hash128 hash;
    uint64_t seq;
} pair;

typedef struct model {
    pair *pairs;
    size_t count;
    size_t cap;
} model;

static void model_add(model *m, tl_hash128 hash, uint64_t seq) {
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
        m->pairs = realloc(m->pairs, m->cap * sizeof *m->pairs);
        assert_non_null(m->pairs);
    }
    m->pairs[m->count++] = (pair){hash, seq};
}

/* Every candidate of the list comes out of the map exactly once, and nothing else does. */
static void compare_hash(const tl_keymap *map, const model *m, tl_hash128 hash) {
    uint64_t want_sum = 0;
    uint64_t want_count = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (m->pairs[i].hash.lo == hash.lo) {
            want_sum += m->pairs[i].seq * m->pairs[i].seq;
            want_count++;
        }
    }
    uint64_t cursor = 0;
    uint64_t got_sum = 0;
    uint64_t got_count = 0;
    for (uint64_t seq; (seq = tl_keymap_find(map, hash, &cursor)) != 0;) {
        got_sum += seq * seq;
        got_count++;
        assert_true(got_count <= want_count);
    }
    assert_true(got_count == want_count);
    assert_true(got_sum == want_sum);
    assert_true(tl_keymap_find(map, hash, &cursor) == 0);
}

/* Which hashes collide: few values, few slots, one shard, or hardly ever. */
static tl_hash128 make_hash(rng *seed, unsigned style) {
    uint64_t r = rng_next(seed);
    switch (style) {
    case 0: return (tl_hash128){r % 20, 0};
    case 1: return (tl_hash128){(r % 500) << 48 | (r >> 60), 0};
    case 2: return (tl_hash128){(UINT64_C(7) << 56) | (r % 3000), r};
    case 3: return (tl_hash128){UINT64_MAX - r % 9, 0}; /* clusters that wrap around */
    default: return (tl_hash128){r, r};
    }
}

static void run_random(unsigned style, uint32_t steps, uint32_t removals_in_100) {
    rng seed = {style + 1};
    model m = {0};
    tl_keymap *map = tl_keymap_new();
    assert_non_null(map);
    for (uint32_t i = 1; i <= steps; i++) {
        tl_hash128 hash = make_hash(&seed, style);
        if (rng_below(&seed, 100) < removals_in_100 && m.count > 0) {
            size_t victim = rng_below(&seed, (uint32_t)m.count);
            hash = m.pairs[victim].hash;
            assert_false(tl_keymap_remove(map, hash, UINT64_MAX));
            assert_true(tl_keymap_remove(map, hash, m.pairs[victim].seq));
            m.pairs[victim] = m.pairs[--m.count];
        } else {
            assert_true(tl_keymap_insert(map, hash, i));
            model_add(&m, hash, i);
        }
        assert_true(tl_keymap_count(map) == m.count);
        if (i < 300 || i % 50 == 0) {
            compare_hash(map, &m, hash);
            compare_hash(map, &m, make_hash(&seed, style));
        }
    }
    for (size_t i = 0; i < m.count; i += 1 + m.count / 300) {
        compare_hash(map, &m, m.pairs[i].hash);
    }
    while (m.count > 0) {
        m.count--;
        assert_true(tl_keymap_remove(map, m.pairs[m.count].hash, m.pairs[m.count].seq));
        assert_false(tl_keymap_remove(map, m.pairs[m.count].hash, m.pairs[m.count].seq));
        if (m.count < 100) {
            compare_hash(map, &m, m.pairs[m.count / 2].hash);
        }
    }
    assert_true(tl_keymap_count(map) == 0);
    tl_keymap_free(map);
    free(m.pairs);
}

static void random_operations(void **state) {
    for (unsigned style = 0; style < 5; style++) {
        run_random(style, style == 0 || style == 3 ? 600 : 12000, 20);
        run_random(style, 600, 50);
    }
}

/* The same (hash, seq) twice is two entries: removing one leaves the other. */
static void duplicates(void **state) {
    tl_keymap *map = tl_keymap_new();
    assert_non_null(map);
    tl_hash128 hash = {42, 43};
    assert_true(tl_keymap_insert(map, hash, 7));
    assert_true(tl_keymap_insert(map, hash, 7));
    assert_true(tl_keymap_remove(map, hash, 7));
    uint64_t cursor = 0;
    assert_true(tl_keymap_find(map, hash, &cursor) == 7);
    assert_true(tl_keymap_find(map, hash, &cursor) == 0);
    assert_true(tl_keymap_remove(map, hash, 7));
    cursor = 0;
    assert_true(tl_keymap_find(map, hash, &cursor) == 0);
    tl_keymap_free(map);
}

static void empty(void **state) {
    tl_keymap *map = tl_keymap_new();
    assert_non_null(map);
    uint64_t cursor = 0;
    assert_true(tl_keymap_find(map, (tl_hash128){0, 0}, &cursor) == 0);
    assert_false(tl_keymap_remove(map, (tl_hash128){0, 0}, 1));
    tl_keymap_free(map);
    tl_keymap_free(NULL);
}

/* Everything inserted is found again while the map divides and grows. */
static void grows(void **state) {
    tl_keymap *map = tl_keymap_new();
    assert_non_null(map);
    enum { KEYS = 200000 };
    for (uint64_t seq = 1; seq <= KEYS; seq++) {
        assert_true(tl_keymap_insert(map, tl_hash128_of(&seq, sizeof seq), seq));
    }
    for (uint64_t seq = 1; seq <= KEYS; seq++) {
        uint64_t cursor = 0;
        assert_true(tl_keymap_find(map, tl_hash128_of(&seq, sizeof seq), &cursor) == seq);
    }
    for (uint64_t seq = KEYS + 1; seq <= KEYS + 1000; seq++) {
        uint64_t cursor = 0;
        assert_true(tl_keymap_find(map, tl_hash128_of(&seq, sizeof seq), &cursor) == 0);
    }
    tl_keymap_free(map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(random_operations),
        cmocka_unit_test(grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
