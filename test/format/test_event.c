/*
 * Bodies of events. Oracle: golden.h; and that decode accepts exactly what encode writes: whatever
 * it accepts is encoded again to the same bytes, for every truncation, every flipped bit, and
 * random bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/format.h"
#include "format/golden.h"

static tl_legs legs;

static talea_text text(const char *s) {
    return (talea_text){s, s ? strlen(s) : 0};
}

#define ONE ((talea_i128)1)

static const talea_posting simple_legs[] = {{0, TALEA_SIDE_DEBIT, 100},
                                            {1, TALEA_SIDE_CREDIT, 100}};

static tl_transaction simple(void) {
    return (tl_transaction){.key = text("k-1"), .legs = simple_legs, .leg_count = 2};
}

static tl_transaction full(void) {
    static talea_posting three[3];
    three[0] = (talea_posting){0, TALEA_SIDE_DEBIT, 5};
    three[1] = (talea_posting){300, TALEA_SIDE_DEBIT, ONE << 126};
    three[2] = (talea_posting){70000, TALEA_SIDE_CREDIT, (ONE << 126) + 5};
    return (tl_transaction){.key = text("\xC3\xBC"
                                        "ber"),
                            .has_occurred_at = true,
                            .occurred_at = -1,
                            .legs = three,
                            .leg_count = 3,
                            .external_refs = text("[]"),
                            .metadata = text("{\"a\":\"b\"}")};
}

static talea_account_def account(void) {
    return (talea_account_def){.account = text("cash"),
                               .asset = text("EUR"),
                               .kind = TALEA_KIND_ASSET,
                               .side = TALEA_SIDE_DEBIT,
                               .precision = 2};
}

static talea_account_def limited(void) {
    talea_i128 max = (talea_i128)(~(tl_u128)0 >> 1);
    return (talea_account_def){.account = text("credit line"),
                               .asset = text("EUR"),
                               .kind = TALEA_KIND_LIABILITY,
                               .side = TALEA_SIDE_CREDIT,
                               .precision = 2,
                               .has_min = true,
                               .has_max = true,
                               .min_balance = -max - 1,
                               .max_balance = max};
}

static talea_asset_def fiat(void) {
    return (talea_asset_def){.asset = text("EUR"), .asset_class = TALEA_CLASS_FIAT, .precision = 2};
}

static talea_asset_def crypto(void) {
    return (talea_asset_def){.asset = text("USDC"),
                             .asset_class = TALEA_CLASS_CRYPTO,
                             .network = text("ethereum"),
                             .native_id = text("0xA0b8"),
                             .name = text("USD Coin"),
                             .precision = 6};
}

static void test_golden(void **state) {
    uint8_t out[512];
    tl_transaction t = simple();
    assert_int_equal(tl_transaction_encode(&t, out), sizeof golden_simple);
    assert_memory_equal(out, golden_simple, sizeof golden_simple);
    t = full();
    assert_int_equal(tl_transaction_encode(&t, out), sizeof golden_full);
    assert_memory_equal(out, golden_full, sizeof golden_full);
    assert_true(tl_transaction_bytes_max(&t) >= sizeof golden_full);
    talea_account_def a = account();
    assert_int_equal(tl_account_encode(&a, out), sizeof golden_account);
    assert_memory_equal(out, golden_account, sizeof golden_account);
    a = limited();
    assert_int_equal(tl_account_encode(&a, out), sizeof golden_limited);
    assert_memory_equal(out, golden_limited, sizeof golden_limited);
    assert_true(tl_account_bytes_max(&a) >= sizeof golden_limited);
    talea_asset_def s = fiat();
    assert_int_equal(tl_asset_encode(&s, out), sizeof golden_fiat);
    assert_memory_equal(out, golden_fiat, sizeof golden_fiat);
    s = crypto();
    assert_int_equal(tl_asset_encode(&s, out), sizeof golden_crypto);
    assert_memory_equal(out, golden_crypto, sizeof golden_crypto);
    assert_true(tl_asset_bytes_max(&s) >= sizeof golden_crypto);
}

static void assert_text(talea_text got, talea_text due) {
    assert_int_equal(got.len, due.len);
    assert_int_equal(got.data == NULL, due.data == NULL);
    assert_memory_equal(due.data ? got.data : "", due.data ? due.data : "", due.len);
}

static void test_decode(void **state) {
    bool nomem;
    tl_transaction t;
    tl_transaction due = full();
    assert_true(tl_transaction_decode(golden_full, sizeof golden_full, &legs, &t, &nomem));
    assert_text(t.key, due.key);
    assert_text(t.external_refs, due.external_refs);
    assert_text(t.metadata, due.metadata);
    assert_true(t.has_occurred_at && t.occurred_at == -1);
    assert_int_equal(t.leg_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(t.legs[i].account, due.legs[i].account);
        assert_int_equal(t.legs[i].side, due.legs[i].side);
        assert_true(t.legs[i].amount == due.legs[i].amount);
    }
    talea_account_def a;
    talea_account_def due_a = limited();
    assert_true(tl_account_decode(golden_limited, sizeof golden_limited, &a));
    assert_text(a.account, due_a.account);
    assert_text(a.asset, due_a.asset);
    assert_true(a.kind == due_a.kind && a.side == due_a.side && a.precision == due_a.precision);
    assert_true(a.has_min && a.has_max && a.min_balance == due_a.min_balance &&
                a.max_balance == due_a.max_balance);
    talea_asset_def s;
    talea_asset_def due_s = crypto();
    assert_true(tl_asset_decode(golden_crypto, sizeof golden_crypto, &s));
    assert_text(s.asset, due_s.asset);
    assert_text(s.network, due_s.network);
    assert_text(s.native_id, due_s.native_id);
    assert_text(s.name, due_s.name);
    assert_true(s.asset_class == due_s.asset_class && s.precision == due_s.precision);
}

/* Each kind is read as itself, and as none of the others. */
static void test_any_kind(void **state) {
    static const struct {
        tl_frame_kind frame;
        talea_event_kind event;
        const uint8_t *body;
        size_t len;
    } cases[] = {
        {TL_FRAME_ASSET, TALEA_EVENT_ASSET_REGISTERED, golden_crypto, sizeof golden_crypto},
        {TL_FRAME_ACCOUNT, TALEA_EVENT_ACCOUNT_OPENED, golden_limited, sizeof golden_limited},
        {TL_FRAME_TRANSACTION, TALEA_EVENT_TRANSACTION_POSTED, golden_full, sizeof golden_full},
    };
    static const tl_frame_kind kinds[] = {TL_FRAME_ASSET, TL_FRAME_ACCOUNT, TL_FRAME_TRANSACTION,
                                          TL_FRAME_LINK,  TL_FRAME_SEAL,    TL_FRAME_MARK};
    tl_event event;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            bool nomem = true;
            bool is_it = kinds[k] == cases[i].frame;
            assert_int_equal(
                tl_event_decode(kinds[k], cases[i].body, cases[i].len, &legs, &event, &nomem),
                is_it);
            assert_false(nomem);
            assert_true(!is_it || event.kind == cases[i].event);
        }
    }
    bool nomem = false;
    assert_true(tl_event_decode(TL_FRAME_ASSET, golden_crypto, sizeof golden_crypto, &legs, &event,
                                &nomem));
    assert_text(event.u.asset.network, crypto().network);
    assert_true(tl_event_decode(TL_FRAME_ACCOUNT, golden_limited, sizeof golden_limited, &legs,
                                &event, &nomem));
    assert_text(event.u.account.account, limited().account);
    assert_true(tl_event_decode(TL_FRAME_TRANSACTION, golden_full, sizeof golden_full, &legs,
                                &event, &nomem));
    assert_text(event.u.transaction.key, full().key);
    assert_ptr_equal(event.u.transaction.legs, legs.data);
}

/* ---- decode accepts exactly what encode writes -------------------------------------------------- */

typedef enum what { TRANSACTION, ACCOUNT, ASSET } what;

/* Copies to the heap, so that a sanitizer sees a byte too far; true when accepted. */
static bool accepts(what kind, const uint8_t *bytes, size_t len) {
    uint8_t *body = malloc(len + 1);
    uint8_t again[4096];
    size_t n = 0;
    bool nomem = true;
    bool ok = false;
    assert_non_null(body);
    memcpy(body, bytes, len);
    body = realloc(body, len ? len : 1);
    assert_non_null(body);
    if (kind == TRANSACTION) {
        tl_transaction t;
        ok = tl_transaction_decode(body, len, &legs, &t, &nomem);
        assert_false(nomem);
        if (ok) {
            assert_true(tl_transaction_bytes_max(&t) <= sizeof again);
            n = tl_transaction_encode(&t, again);
        }
    } else if (kind == ACCOUNT) {
        talea_account_def a;
        ok = tl_account_decode(body, len, &a);
        n = ok ? tl_account_encode(&a, again) : 0;
    } else {
        talea_asset_def s;
        ok = tl_asset_decode(body, len, &s);
        n = ok ? tl_asset_encode(&s, again) : 0;
    }
    if (ok) {
        assert_int_equal(n, len);
        assert_memory_equal(again, body, len);
    }
    free(body);
    return ok;
}

static uint64_t sweep(what kind, const uint8_t *bytes, size_t len) {
    uint8_t copy[600];
    uint64_t cases = 0;
    memcpy(copy, bytes, len);
    assert_true(accepts(kind, copy, len));
    for (size_t cut = 0; cut < len; cut++, cases++) {
        assert_false(accepts(kind, copy, cut));
    }
    copy[len] = 0;
    assert_false(accepts(kind, copy, len + 1));
    for (size_t at = 0; at < len; at++) {
        for (unsigned value = 0; value < 256; value++, cases++) {
            copy[at] = (uint8_t)value;
            (void)accepts(kind, copy, len);
        }
        copy[at] = bytes[at];
    }
    return cases;
}

static void test_sweeps(void **state) {
    uint64_t cases = sweep(TRANSACTION, golden_simple, sizeof golden_simple) +
                     sweep(TRANSACTION, golden_full, sizeof golden_full) +
                     sweep(ACCOUNT, golden_account, sizeof golden_account) +
                     sweep(ACCOUNT, golden_limited, sizeof golden_limited) +
                     sweep(ASSET, golden_fiat, sizeof golden_fiat) +
                     sweep(ASSET, golden_crypto, sizeof golden_crypto);
    print_message("event bodies: %llu cases\n", (unsigned long long)cases);
}

static void test_random(void **state) {
    uint64_t z = 42;
    for (int i = 0; i < 300000; i++) {
        uint8_t bytes[40];
        z = z * 6364136223846793005U + 1442695040888963407U;
        size_t len = (size_t)(z >> 33) % sizeof bytes;
        for (size_t n = 0; n < len; n++) {
            z = z * 6364136223846793005U + 1442695040888963407U;
            bytes[n] = (uint8_t)(z >> 56) & ((z >> 40) % 3 ? 0x0F : 0xFF);
        }
        (void)accepts((what)(i % 3), bytes, len);
    }
}

/* Forms of a number that mean the same, and numbers out of range. */
static void test_refused(void **state) {
    static const struct {
        const char *why;
        uint8_t bytes[32];
        size_t len;
    } bad[] = {
        {"an over-long account", {0, 1, 'k', 2, 0x80, 0x00, 2, 1, 3}, 9},
        {"an over-long amount", {0, 1, 'k', 2, 0, 0x82, 0x00, 1, 3}, 9},
        {"an over-long leg count", {0, 1, 'k', 0x82, 0x00, 0, 2, 1, 3}, 9},
        {"no amount", {0, 1, 'k', 2, 0, 0, 1, 3}, 8},
        {"no amount, credit", {0, 1, 'k', 2, 0, 1, 1, 3}, 8},
        {"one leg", {0, 1, 'k', 1, 0, 2}, 6},
        {"no legs", {0, 1, 'k', 0}, 4},
        {"more legs than bytes", {0, 1, 'k', 0xFF, 0xFF, 0x03, 0, 2}, 8},
        {"65536 legs", {0, 1, 'k', 0x80, 0x80, 0x04, 0, 2}, 8},
        {"no key", {0, 0, 2, 0, 2, 1, 3}, 7},
        {"an unknown flag", {8, 1, 'k', 2, 0, 2, 1, 3}, 8},
        {"an account past 32 bits", {0, 1, 'k', 2, 0x80, 0x80, 0x80, 0x80, 0x10, 2, 1, 3}, 12},
        {"an occurred_at past 64 bits",
         {1, 1, 'k', 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 2, 0, 2, 1, 3},
         18},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (accepts(TRANSACTION, bad[i].bytes, bad[i].len)) {
            fail_msg("accepted: %s", bad[i].why);
        }
    }
    static const uint8_t good[] = {0, 1, 'k', 2, 0, 2, 1, 3};
    assert_true(accepts(TRANSACTION, good, sizeof good));
    /* An amount of 128 bits and more. */
    uint8_t huge[40] = {0, 1, 'k', 2, 0};
    memset(huge + 5, 0xFF, 18);
    huge[23] = 0x03;
    huge[24] = 1;
    huge[25] = 3;
    assert_true(accepts(TRANSACTION, huge, 26));
    huge[23] = 0x04;
    assert_false(accepts(TRANSACTION, huge, 26));
    /* Assets whose fields do not go with their class. */
    static const uint8_t fiat_with_network[] = {1, 1, 2, 1, 'E', 1, 'n'};
    static const uint8_t fiat_with_native[] = {2, 1, 2, 1, 'E', 1, 'n'};
    static const uint8_t crypto_without[] = {0, 2, 2, 1, 'E'};
    static const uint8_t crypto_with[] = {1, 2, 38, 1, 'E', 1, 'n'};
    static const uint8_t too_precise[] = {1, 2, 39, 1, 'E', 1, 'n'};
    assert_false(accepts(ASSET, fiat_with_network, sizeof fiat_with_network));
    assert_false(accepts(ASSET, fiat_with_native, sizeof fiat_with_native));
    assert_false(accepts(ASSET, crypto_without, sizeof crypto_without));
    assert_false(accepts(ASSET, too_precise, sizeof too_precise));
    assert_true(accepts(ASSET, crypto_with, sizeof crypto_with));
}

/* The largest of everything. */
static void test_largest(void **state) {
    talea_posting *many = calloc(TL_LEGS_MAX, sizeof *many);
    char *blob = malloc(TL_BLOB_BYTES_MAX);
    char key[TL_KEY_BYTES_MAX];
    assert_true(many && blob);
    memset(blob, 'x', TL_BLOB_BYTES_MAX);
    memset(key, 'k', sizeof key);
    for (size_t i = 0; i < TL_LEGS_MAX; i++) {
        many[i] = (talea_posting){UINT32_MAX, i % 2 ? TALEA_SIDE_CREDIT : TALEA_SIDE_DEBIT,
                                  (talea_i128)(~(tl_u128)0 >> 1)};
    }
    tl_transaction in = {.key = {key, sizeof key},
                         .has_occurred_at = true,
                         .occurred_at = INT64_MIN,
                         .legs = many,
                         .leg_count = TL_LEGS_MAX,
                         .external_refs = {blob, TL_BLOB_BYTES_MAX},
                         .metadata = {blob, TL_BLOB_BYTES_MAX}};
    size_t max = tl_transaction_bytes_max(&in);
    assert_true(max <= TL_EVENT_BYTES_MAX);
    uint8_t *bytes = malloc(max);
    assert_non_null(bytes);
    size_t len = tl_transaction_encode(&in, bytes);
    assert_true(len <= max);
    tl_transaction out;
    bool nomem;
    assert_true(tl_transaction_decode(bytes, len, &legs, &out, &nomem));
    assert_int_equal(out.leg_count, TL_LEGS_MAX);
    assert_int_equal(out.occurred_at, INT64_MIN);
    for (size_t i = 0; i < TL_LEGS_MAX; i++) {
        assert_true(out.legs[i].amount == many[i].amount && out.legs[i].account == UINT32_MAX);
    }
    assert_int_equal(out.metadata.len, TL_BLOB_BYTES_MAX);
    free(bytes);
    free(blob);
    free(many);
}

static int end(void **state) {
    tl_legs_free(&legs);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_decode),
        cmocka_unit_test(test_any_kind), cmocka_unit_test(test_sweeps),
        cmocka_unit_test(test_random),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
