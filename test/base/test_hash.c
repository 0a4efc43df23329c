/*
 * XXH3. Oracle: values computed by the shared library libxxhash 0.8.1, which was checked against
 * the test vectors that xxHash publishes; and for the streaming form, the one-shot form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "rng.h"

typedef struct vector {
    size_t len;
    uint64_t hash64;
    uint64_t hash64_seeded; /* with `seed` */
    uint64_t low128;
    uint64_t high128;
} vector;

static const uint64_t seed = 0x9E3779B97F4A7C15U;

/* One on each side of every border between XXH3's methods: 3, 8, 16, 128, 240 bytes, 1024 a block.
 */
static const vector vectors[] = {
    {0, 0x2D06800538D394C2U, 0x602B0E2CD6662C8BU, 0x6001C324468D497FU, 0x99AA06D3014798D8U},
    {1, 0x4C5CCA45D0F4811FU, 0x2F3ACD3805F81DE3U, 0x4C5CCA45D0F4811FU, 0x495B62073EF70CA4U},
    {3, 0x6E3E2670E61106ACU, 0xBC74611D87F659E0U, 0x6E3E2670E61106ACU, 0x390CDC5B4A895DD7U},
    {4, 0x5C4C63133443D03FU, 0x6C3753177C607DE4U, 0x3D668AF6F2A44D77U, 0xAA6E2F274640A3F4U},
    {8, 0xF9FD4DD0B04D78F5U, 0xBC72D0531396303FU, 0x61DDBE7F31A6100DU, 0x6A86A3BDA6AF4E3DU},
    {9, 0x7C20DF9712C26EDFU, 0x93C5AA006102DAF5U, 0x8C7B67FD458A936BU, 0x664C7CA18AFD6255U},
    {16, 0x86ABF6BACCEA0858U, 0x69D001B16ECF450AU, 0xE2CE54A7C19C730DU, 0x7F9A218B0425449AU},
    {17, 0xB58BF5DC5022D071U, 0xB7C99D19BE27EB69U, 0x8D96EF110FCDEBB4U, 0x66FC23F6439DBD77U},
    {128, 0x10D17F72C0CCBA41U, 0x49B81C6E0ABB9305U, 0xFF361DEC1385710AU, 0xAEC730751478556CU},
    {129, 0x1648BDC3DB49D1A2U, 0x5E3831B221810B00U, 0x4545B3A09738E31AU, 0x98CD36CCBB557926U},
    {240, 0xB6CFAF343FAB81E6U, 0x76A73EC26433F82CU, 0x3F2C53E72293711FU, 0x5293E17BF553903DU},
    {241, 0x956CAE592C67279EU, 0x2BE236BA3BACF75CU, 0x956CAE592C67279EU, 0xB53840FE3FEDF161U},
    {512, 0x304495C2D7CF0B22U, 0x9CDCB21A9DF9E22DU, 0x304495C2D7CF0B22U, 0xD4640D40AF9107C3U},
    {1024, 0xEA76DDA06D735AC5U, 0x882C04E81F05AB27U, 0xEA76DDA06D735AC5U, 0xDF45C3BD75ACEC8CU},
    {1025, 0xBADEB1907FB9A31EU, 0xDC24CBCF2F36CE0DU, 0xBADEB1907FB9A31EU, 0xAA3E7BD7062A0570U},
    {4096, 0x3460AF104D0739AAU, 0xB81FD3DB2BB672D1U, 0x3460AF104D0739AAU, 0x564B7E0F58679B7DU},
    {4999, 0xB5C5723F24885C54U, 0x788C11E1A40F7ABEU, 0xB5C5723F24885C54U, 0x74C4478B50623F6BU},
};

enum { VECTORS = sizeof vectors / sizeof vectors[0], DATA_BYTES = 5000 };

static uint8_t data[DATA_BYTES];

static int fill(void **state) {
    for (size_t i = 0; i < DATA_BYTES; i++) {
        data[i] = (uint8_t)(i * 131 + 7 + (i >> 8));
    }
    return 0;
}

static void same(tl_hash128 hash, const vector *v) {
    assert_int_equal(hash.lo, v->low128);
    assert_int_equal(hash.hi, v->high128);
}

static void one_shot(void **state) {
    for (size_t i = 0; i < VECTORS; i++) {
        assert_int_equal(tl_hash64(data, vectors[i].len, 0), vectors[i].hash64);
        assert_int_equal(tl_hash64(data, vectors[i].len, seed), vectors[i].hash64_seeded);
        same(tl_hash128_of(data, vectors[i].len), &vectors[i]);
    }
    same(tl_hash128_of(NULL, 0), &vectors[0]);
}

static void streamed_in_random_pieces(void **state) {
    rng r = {3};
    tl_hasher *hasher = tl_hasher_new();
    assert_non_null(hasher);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < VECTORS; i++) {
            for (size_t done = 0; done < vectors[i].len;) {
                size_t part = rng_below(&r, vectors[i].len - done + 1);
                tl_hasher_update(hasher, data + done, part);
                done += part;
            }
            same(tl_hasher_digest(hasher), &vectors[i]);
            same(tl_hasher_digest(hasher), &vectors[i]); /* asking changes nothing */
            tl_hasher_reset(hasher);
        }
    }
    tl_hasher_free(hasher);
}

/* A digest in the middle does not disturb what follows. */
static void digest_at_every_step(void **state) {
    tl_hasher *hasher = tl_hasher_new();
    assert_non_null(hasher);
    tl_hasher_update(hasher, NULL, 0);
    for (size_t len = 0; len < 1500; len++) {
        tl_hash128 expected = tl_hash128_of(data, len);
        tl_hash128 hash = tl_hasher_digest(hasher);
        assert_int_equal(hash.lo, expected.lo);
        assert_int_equal(hash.hi, expected.hi);
        tl_hasher_update(hasher, data + len, 1);
    }
    tl_hasher_free(hasher);
    tl_hasher_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_shot),
        cmocka_unit_test(streamed_in_random_pieces),
        cmocka_unit_test(digest_at_every_step),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
