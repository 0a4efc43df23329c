/*
 * Amounts. Oracle: decimal arithmetic on strings of digits, one digit at a time, and the powers of
 * two written out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rng.h"
#include "talea.h"

__extension__ typedef unsigned __int128 u128;

static const talea_i128 i128_max = (talea_i128)(~(u128)0 >> 1);
static const talea_i128 i128_min = -(talea_i128)(~(u128)0 >> 1) - 1;

/* ---- The oracle: a magnitude as 40 decimal digits, most significant first ------------------------- */

enum { DIGITS = 40 };

/* digits = digits * 2 + bit */
static void double_digits(int digits[DIGITS], int bit) {
    int carry = bit;
    for (int i = DIGITS - 1; i >= 0; i--) {
        int d = digits[i] * 2 + carry;
        digits[i] = d % 10;
        carry = d / 10;
    }
    assert_int_equal(carry, 0);
}

static void digits_of(talea_i128 value, int digits[DIGITS]) {
    u128 magnitude = value < 0 ? (u128)0 - (u128)value : (u128)value;
    for (int i = 0; i < DIGITS; i++) {
        digits[i] = 0;
    }
    for (int bit = 127; bit >= 0; bit--) {
        double_digits(digits, (int)(magnitude >> bit & 1));
    }
}

static void naive_decimal(talea_i128 value, unsigned precision, char *out) {
    int digits[DIGITS];
    digits_of(value, digits);
    int first = 0;
    while (first < DIGITS - 1 - (int)precision && digits[first] == 0) {
        first++;
    }
    if (value < 0) {
        *out++ = '-';
    }
    for (int i = first; i < DIGITS; i++) {
        if (i == DIGITS - (int)precision) {
            *out++ = '.';
        }
        *out++ = (char)('0' + digits[i]);
    }
    *out = '\0';
}

static talea_i128 random_value(rng *r) {
    u128 bits = (u128)rng_next(r) << 64 | rng_next(r);
    talea_i128 value = (talea_i128)(bits >> 1 >> rng_below(r, 127));
    return rng_next(r) & 1 ? -value : value;
}

/* Values around every power of two and of ten, and both ends. */
static size_t borders(talea_i128 *out) {
    size_t n = 0;
    for (int bit = 0; bit < 127; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            talea_i128 v = ((talea_i128)1 << bit) + delta;
            out[n++] = v;
            out[n++] = -v;
        }
    }
    talea_i128 ten = 1;
    for (int i = 0; i <= 38; i++, ten *= i < 38 ? 10 : 1) {
        for (int delta = -1; delta <= 1; delta++) {
            out[n++] = ten + delta;
            out[n++] = -(ten + delta);
        }
    }
    out[n++] = i128_max;
    out[n++] = i128_max - 1;
    out[n++] = i128_min;
    out[n++] = i128_min + 1;
    return n;
}

enum { BORDERS_MAX = 127 * 6 + 39 * 6 + 4 };

/* ---- Amounts --------------------------------------------------------------------------------- */

static void check_amount(talea_i128 value) {
    char expected[TALEA_DECIMAL_TEXT_BYTES];
    char text[TALEA_AMOUNT_TEXT_BYTES];
    naive_decimal(value, 0, expected);
    assert_int_equal(talea_amount_format(value, text), strlen(expected));
    assert_string_equal(text, expected);
    talea_i128 back = ~value;
    assert_true(talea_amount_parse(text, strlen(text), &back));
    assert_true(back == value);
}

static void amounts_there_and_back(void **state) {
    static talea_i128 values[BORDERS_MAX];
    size_t count = borders(values);
    for (size_t i = 0; i < count; i++) {
        check_amount(values[i]);
    }
    rng r = {10};
    for (int round = 0; round < 5000; round++) {
        check_amount(random_value(&r));
    }
}

static bool amount_text(const char *text, talea_i128 *out) {
    return talea_amount_parse(text, strlen(text), out);
}

static void amounts_at_the_ends(void **state) {
    talea_i128 v = 0;
    assert_true(amount_text("9223372036854775807", &v));
    assert_true(v == INT64_MAX);
    assert_true(amount_text("9223372036854775808", &v));
    assert_true(v == (talea_i128)INT64_MAX + 1);
    assert_true(amount_text("-9223372036854775808", &v));
    assert_true(v == INT64_MIN);
    assert_true(amount_text("170141183460469231731687303715884105727", &v));
    assert_true(v == i128_max);
    assert_true(amount_text("-170141183460469231731687303715884105728", &v));
    assert_true(v == i128_min);
    assert_true(
        amount_text("0000000000000000000000000000000000000000000000000000000000000000042", &v));
    assert_true(v == 42);
    char text[TALEA_AMOUNT_TEXT_BYTES];
    assert_int_equal(talea_amount_format(i128_min, text), TALEA_AMOUNT_TEXT_BYTES - 1);
}

static void amounts_refused(void **state) {
    static const char *const bad[] = {
        "",
        "-",
        "+",
        "+1",
        "-0",
        "-00",
        " 1",
        "1 ",
        "1e3",
        "1.0",
        ".",
        "--1",
        "1-",
        "0x10",
        "1_000",
        "1,0",
        "170141183460469231731687303715884105728",  /* 2^127 */
        "-170141183460469231731687303715884105729", /* -2^127 - 1 */
        "340282366920938463463374607431768211456",  /* 2^128: would wrap to 0 */
        "1701411834604692317316873037158841057270", /* 10 * (2^127 - 1) */
        "3402823669209384634633746074317682114561", /* 10 * 2^128 + 1 */
        "99999999999999999999999999999999999999999999999999999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        talea_i128 v = 77;
        if (amount_text(bad[i], &v)) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_true(v == 77);
    }
    talea_i128 v = 77;
    assert_false(talea_amount_parse(NULL, 0, &v));
    assert_false(talea_amount_parse("1\0", 2, &v)); /* the length counts, not the NUL */
    assert_true(talea_amount_parse("123", 2, &v));
    assert_true(v == 12);
    for (int c = 0; c < 256; c++) {
        char text[3] = {'4', (char)c, '2'};
        assert_int_equal(talea_amount_parse(text, 3, &v), c >= '0' && c <= '9');
    }
}

/* ---- Decimals -------------------------------------------------------------------------------- */

static void check_decimal(talea_i128 value, unsigned precision) {
    char expected[TALEA_DECIMAL_TEXT_BYTES];
    char text[TALEA_DECIMAL_TEXT_BYTES];
    naive_decimal(value, precision, expected);
    assert_int_equal(talea_decimal_format(value, precision, text), strlen(expected));
    assert_string_equal(text, expected);
    talea_i128 back = ~value;
    assert_true(talea_decimal_parse(text, strlen(text), precision, &back));
    assert_true(back == value);
}

static void decimals_there_and_back(void **state) {
    static talea_i128 values[BORDERS_MAX];
    size_t count = borders(values);
    for (size_t i = 0; i < count; i++) {
        for (unsigned precision = 0; precision <= TALEA_PRECISION_MAX;
             precision += i % 7 == 0 ? 1 : 19) {
            check_decimal(values[i], precision);
        }
    }
    rng r = {11};
    for (int round = 0; round < 5000; round++) {
        talea_i128 value = random_value(&r);
        check_decimal(value, (unsigned)rng_below(&r, TALEA_PRECISION_MAX + 1));
    }
}

static void decimals_shown(void **state) {
    static const struct {
        talea_i128 minor;
        unsigned precision;
        const char *text;
    } cases[] = {
        {100000, 2, "1000.00"},
        {0, 2, "0.00"},
        {0, 0, "0"},
        {-1, 2, "-0.01"},
        {5, 0, "5"},
        {-5, 1, "-0.5"},
        {123, 3, "0.123"},
        {1, 38, "0.00000000000000000000000000000000000001"},
        {-1, 38, "-0.00000000000000000000000000000000000001"},
    };
    char text[TALEA_DECIMAL_TEXT_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        talea_decimal_format(cases[i].minor, cases[i].precision, text);
        assert_string_equal(text, cases[i].text);
    }
    talea_decimal_format(i128_max, 38, text);
    assert_string_equal(text, "1.70141183460469231731687303715884105727");
    talea_decimal_format(i128_min, 38, text);
    assert_string_equal(text, "-1.70141183460469231731687303715884105728");
    assert_int_equal(talea_decimal_format(1, 39, text), 0); /* outside the contract, and harmless */
    assert_string_equal(text, "");
}

static void decimals_read(void **state) {
    static const struct {
        const char *text;
        unsigned precision;
        bool taken;
        talea_i128 minor;
    } cases[] = {
        {"1.50", 1, true, 15},
        {"1.55", 1, false, 0},
        {"1.5", 2, true, 150},
        {"1", 2, true, 100},
        {"-1", 2, true, -100},
        {"007", 0, true, 7},
        {"1.0", 0, true, 1},
        {"1.000000000000000000000000000000000000000000000000000000000000", 0, true, 1},
        {"1.000000000000000000000000000000000000000000000000000000000001", 0, false, 0},
        {"0.1", 0, false, 0},
        {"-0.00", 2, true, 0},
        {"-0", 0, true, 0},
        {"-0.01", 2, true, -1},
        {"", 2, false, 0},
        {"-", 2, false, 0},
        {".", 2, false, 0},
        {".5", 2, false, 0},
        {"5.", 2, false, 0},
        {"-.5", 2, false, 0},
        {"+1", 2, false, 0},
        {" 1", 2, false, 0},
        {"1 ", 2, false, 0},
        {"1.2.3", 2, false, 0},
        {"1.2 ", 2, false, 0},
        {"1.20x", 1, false, 0},
        {"1e2", 2, false, 0},
        {"1,5", 2, false, 0},
        {"0.00000000000000000000000000000000000001", 38, true, 1},
        {"2", 38, false, 0},
        {"1.70141183460469231731687303715884105728", 38, false, 0},
        {"1701411834604692317316873037158841057.28", 2, false, 0},
        {"-1701411834604692317316873037158841057.29", 2, false, 0},
        {"1701411834604692317316873037158841058", 2, false, 0},
        {"170141183460469231731687303715884105728", 0, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        talea_i128 v = 77;
        bool taken =
            talea_decimal_parse(cases[i].text, strlen(cases[i].text), cases[i].precision, &v);
        if (taken != cases[i].taken || v != (taken ? cases[i].minor : 77)) {
            fail_msg("\"%s\" with precision %u", cases[i].text, cases[i].precision);
        }
    }
    talea_i128 v = 77;
    assert_true(talea_decimal_parse("-1701411834604692317316873037158841057.28", 41, 2, &v));
    assert_true(v == i128_min);
    assert_true(talea_decimal_parse("1701411834604692317316873037158841057.27", 40, 2, &v));
    assert_true(v == i128_max);
    assert_false(talea_decimal_parse("1", 1, 39, &v));
    assert_false(talea_decimal_parse(NULL, 0, 2, &v));
}

/* A number and its precision against whole arithmetic: parse(text, p) is text's digits, times ten per
 * missing decimal. */
static void decimals_by_arithmetic(void **state) {
    rng r = {12};
    for (int round = 0; round < 20000; round++) {
        uint64_t whole = rng_next(&r) >> (1 + rng_below(&r, 63));
        unsigned shown = (unsigned)rng_below(&r, 7);
        unsigned precision = (unsigned)rng_below(&r, 13);
        uint64_t power = 1;
        for (unsigned i = 0; i < shown; i++) {
            power *= 10;
        }
        uint64_t part = rng_below(&r, power);
        char text[64];
        if (shown > 0) {
            snprintf(text, sizeof text, "%llu.%0*llu", (unsigned long long)whole, (int)shown,
                     (unsigned long long)part);
        } else {
            snprintf(text, sizeof text, "%llu", (unsigned long long)whole);
        }
        talea_i128 expected = (talea_i128)whole * (talea_i128)power + part;
        bool exact = true;
        for (unsigned i = shown; i < precision; i++) {
            expected *= 10;
        }
        for (unsigned i = precision; i < shown; i++) {
            exact = exact && expected % 10 == 0;
            expected /= 10;
        }
        talea_i128 v = 0;
        assert_int_equal(talea_decimal_parse(text, strlen(text), precision, &v), exact);
        assert_true(!exact || v == expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_there_and_back), cmocka_unit_test(amounts_at_the_ends),
        cmocka_unit_test(amounts_refused),        cmocka_unit_test(decimals_there_and_back),
        cmocka_unit_test(decimals_shown),         cmocka_unit_test(decimals_read),
        cmocka_unit_test(decimals_by_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
