/*
 * amount.c: 128-bit amounts as decimal text, with and without a decimal point. Nothing is rounded.
 *
 * How: numbers are handled as sign and magnitude; -2^127 has a magnitude that the positive side has
 * not. Formatting cuts the magnitude into pieces of 19 digits, because a 128-bit division costs
 * more than a whole piece in 64 bits.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "talea.h"

static_assert((int)TALEA_PRECISION_MAX == (int)TL_PRECISION_MAX, "one bound, two names");

static const tl_u128 magnitude_max = (tl_u128)1 << 127; /* of a negative number */

/* ---- Reading ------------------------------------------------------------------------------- */

/* magnitude * 10 + digit; false when that is past 2^127. */
static bool push_digit(tl_u128 *magnitude, unsigned digit) {
    const tl_u128 tenth = magnitude_max / 10;
    if (*magnitude > tenth) {
        return false;
    }
    tl_u128 value = *magnitude * 10 + digit; /* at most 2^127 + 9: no wrap */
    if (value > magnitude_max) {
        return false;
    }
    *magnitude = value;
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool apply_sign(bool negative, tl_u128 magnitude, talea_i128 *out_value) {
    if (!negative && magnitude == magnitude_max) {
        return false;
    }
    /* In two steps, because -2^127 is the one value whose negation does not exist. */
    *out_value =
        negative && magnitude > 0 ? -(talea_i128)(magnitude - 1) - 1 : (talea_i128)magnitude;
    return true;
}

bool talea_amount_parse(const char *text, size_t len, talea_i128 *out_value) {
    size_t i = len > 0 && text[0] == '-' ? 1 : 0;
    bool negative = i == 1;
    if (i == len) {
        return false;
    }
    tl_u128 magnitude = 0;
    for (; i < len; i++) {
        if (!is_digit(text[i]) || !push_digit(&magnitude, (unsigned)(text[i] - '0'))) {
            return false;
        }
    }
    if (negative && magnitude == 0) {
        return false;
    }
    return apply_sign(negative, magnitude, out_value);
}

/* Digits on both sides of a point that is there ("1." and ".5" are refused). "-0.00" is exact and
 * well-formed, and is zero: unlike an amount, a decimal may come from somebody's rounding display.
 */
bool talea_decimal_parse(const char *text, size_t len, unsigned precision, talea_i128 *out_minor) {
    if (precision > TALEA_PRECISION_MAX) {
        return false;
    }
    size_t i = len > 0 && text[0] == '-' ? 1 : 0;
    bool negative = i == 1;
    tl_u128 magnitude = 0;

    size_t whole_start = i;
    for (; i < len && is_digit(text[i]); i++) {
        if (!push_digit(&magnitude, (unsigned)(text[i] - '0'))) {
            return false;
        }
    }
    if (i == whole_start) {
        return false;
    }

    unsigned decimals = 0; /* taken into the magnitude so far */
    if (i < len) {
        if (text[i] != '.' || i + 1 == len) {
            return false;
        }
        for (i++; i < len; i++) {
            if (!is_digit(text[i])) {
                return false;
            }
            if (decimals == precision) {
                if (text[i] != '0') {
                    return false; /* finer than the asset: refused, not rounded */
                }
                continue;
            }
            if (!push_digit(&magnitude, (unsigned)(text[i] - '0'))) {
                return false;
            }
            decimals++;
        }
    }
    for (; decimals < precision; decimals++) {
        if (!push_digit(&magnitude, 0)) {
            return false;
        }
    }
    return apply_sign(negative, magnitude, out_minor);
}

/* ---- Writing ------------------------------------------------------------------------------- */

enum { DIGITS_MAX = 39, PIECE_DIGITS = 19 };

/* Writes the digits of `value` so that they end before `end`, at least one; returns the first. */
static char *digits_before(char *end, tl_u128 value) {
    const uint64_t piece = 10000000000000000000U; /* 10^19 */
    char *p = end;
    while (value >= piece) {
        uint64_t low = (uint64_t)(value % piece);
        value /= piece;
        for (int i = 0; i < PIECE_DIGITS; i++) {
            *--p = (char)('0' + low % 10);
            low /= 10;
        }
    }
    uint64_t high = (uint64_t)value;
    do {
        *--p = (char)('0' + high % 10);
        high /= 10;
    } while (high > 0);
    return p;
}

static tl_u128 magnitude_of(talea_i128 value) {
    return value < 0 ? -(tl_u128)value : (tl_u128)value;
}

size_t talea_amount_format(talea_i128 value, char out[TALEA_AMOUNT_TEXT_BYTES]) {
    static_assert(1 + DIGITS_MAX + 1 == TALEA_AMOUNT_TEXT_BYTES, "sign, digits, NUL");
    char digits[DIGITS_MAX];
    char *first = digits_before(digits + DIGITS_MAX, magnitude_of(value));
    size_t count = (size_t)(digits + DIGITS_MAX - first);
    size_t n = 0;
    if (value < 0) {
        out[n++] = '-';
    }
    memcpy(out + n, first, count);
    n += count;
    out[n] = '\0';
    return n;
}

size_t talea_decimal_format(talea_i128 minor, unsigned precision,
                            char out[TALEA_DECIMAL_TEXT_BYTES]) {
    if (precision > TALEA_PRECISION_MAX) { /* outside the contract, and must not write past `out` */
        out[0] = '\0';
        return 0;
    }
    /* Zeros in front, so that there is always a digit before the point. */
    char digits[DIGITS_MAX];
    memset(digits, '0', sizeof digits);
    char *end = digits + DIGITS_MAX;
    char *first = digits_before(end, magnitude_of(minor));
    if ((size_t)(end - first) < precision + 1) {
        first = end - (precision + 1);
    }
    assert(first >= digits);

    size_t whole = (size_t)(end - first) - precision;
    size_t n = 0;
    if (minor < 0) {
        out[n++] = '-';
    }
    memcpy(out + n, first, whole);
    n += whole;
    if (precision > 0) {
        out[n++] = '.';
        memcpy(out + n, first + whole, precision);
        n += precision;
    }
    out[n] = '\0';
    return n;
}
