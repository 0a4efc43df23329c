/*
 * Transaction ids as text. Oracle: snprintf with the 8-4-4-4-12 pattern.
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

static void by_printf(const uint8_t id[16], const char *format, char out[TALEA_TXID_TEXT_BYTES]) {
    char hex[33];
    for (int i = 0; i < 16; i++) {
        snprintf(hex + (ptrdiff_t)2 * i, 3, format[0] == 'X' ? "%02X" : "%02x", id[i]);
    }
    snprintf(out, TALEA_TXID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
             hex + 16, hex + 20);
}

static void there_and_back(void **state) {
    rng r = {4};
    for (int round = 0; round < 20000; round++) {
        uint8_t id[16];
        for (int i = 0; i < 16; i++) {
            id[i] = (uint8_t)rng_next(&r);
        }
        char expected[TALEA_TXID_TEXT_BYTES];
        char text[TALEA_TXID_TEXT_BYTES];
        by_printf(id, "x", expected);
        assert_int_equal(talea_txid_format(id, text), 36);
        assert_string_equal(text, expected);
        uint8_t back[16];
        assert_true(talea_txid_parse(text, 36, back));
        assert_memory_equal(back, id, 16);
        by_printf(id, "X", text);
        memset(back, 0, sizeof back);
        assert_true(talea_txid_parse(text, 36, back));
        assert_memory_equal(back, id, 16);
    }
}

/* Every byte in every place: only hexadecimal digits, and hyphens where they belong. */
static void every_byte_in_every_place(void **state) {
    static const char good[] = "0190b6f1-7a2c-7def-8abc-0123456789ab";
    for (size_t at = 0; at < 36; at++) {
        for (int c = 0; c < 256; c++) {
            char text[37];
            memcpy(text, good, sizeof text);
            text[at] = (char)c;
            bool is_hex = c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
            bool expected = good[at] == '-' ? c == '-' : is_hex;
            uint8_t id[16] = {0xEE};
            assert_int_equal(talea_txid_parse(text, 36, id), expected);
            if (!expected) {
                assert_int_equal(id[0], 0xEE); /* untouched */
            }
        }
    }
}

static void every_other_length(void **state) {
    static const char text[] = "0190b6f1-7a2c-7def-8abc-0123456789ab0000";
    uint8_t id[16];
    for (size_t len = 0; len < sizeof text; len++) {
        assert_int_equal(talea_txid_parse(text, len, id), len == 36);
    }
    assert_false(talea_txid_parse(NULL, 0, id));
    static const char misplaced[] = "0190b6f17-a2c-7def-8abc-0123456789ab";
    assert_false(talea_txid_parse(misplaced, 36, id));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_byte_in_every_place),
        cmocka_unit_test(every_other_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
