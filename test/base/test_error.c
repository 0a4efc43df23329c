/*
 * Errors. Oracles: the table of codes in the contract, strerror, and a naive look at UTF-8 borders.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void names(void **state) {
    static const char *const expected[] = {
        "ok",
        "invalid_draft",
        "invalid_amount",
        "invalid_book",
        "unbalanced",
        "unknown_asset",
        "unknown_account",
        "asset_mismatch",
        "already_exists",
        "constraint_violation",
        "idempotency_conflict",
        "mixed_books",
        "append_only",
        "too_large",
        "overloaded",
        "locked",
        "read_only",
        "no_ledger",
        "bad_option",
        "full",
        "io",
        "corrupt",
        "nomem",
    };
    assert_int_equal(sizeof expected / sizeof expected[0], TALEA_CODE_COUNT);
    for (int code = 0; code < TALEA_CODE_COUNT; code++) {
        assert_string_equal(talea_code_name((talea_code)code), expected[code]);
    }
    assert_string_equal(talea_code_name((talea_code)TALEA_CODE_COUNT), "unknown");
    assert_string_equal(talea_code_name((talea_code)-1), "unknown");
}

static void words(void **state) {
    talea_error err;
    memset(&err, 0xEE, sizeof err);
    assert_int_equal(tl_error(&err, TALEA_UNKNOWN_ACCOUNT, "account \"%s\" in %d", "cash", 7),
                     TALEA_UNKNOWN_ACCOUNT);
    assert_int_equal(err.code, TALEA_UNKNOWN_ACCOUNT);
    assert_int_equal(err.os_errno, 0);
    assert_string_equal(err.message, "account \"cash\" in 7");

    /* The old message may be part of the new one. */
    tl_error(&err, err.code, "draft 3: %s", err.message);
    assert_string_equal(err.message, "draft 3: account \"cash\" in 7");

    assert_int_equal(tl_error_nomem(&err), TALEA_NOMEM);
    assert_string_equal(err.message, "out of memory");
}

static void system_errors(void **state) {
    static const struct {
        int os_errno;
        talea_code code;
    } cases[] = {
        {ENOSPC, TALEA_FULL}, {EDQUOT, TALEA_FULL}, {ENOMEM, TALEA_NOMEM},
        {EIO, TALEA_IO},      {EACCES, TALEA_IO},   {EROFS, TALEA_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        talea_error err;
        char expected[256];
        snprintf(expected, sizeof expected, "writing log/1: %s (errno %d)",
                 strerror(cases[i].os_errno), cases[i].os_errno);
        assert_int_equal(tl_error_os(&err, cases[i].os_errno, "writing %s", "log/1"),
                         cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.os_errno, cases[i].os_errno);
        assert_string_equal(err.message, expected);
    }
    talea_error err;
    assert_int_equal(tl_error_os(&err, 987654321, "odd"), TALEA_IO);
    assert_non_null(strstr(err.message, "(errno 987654321)"));
}

/* Two-byte characters behind 0..3 ASCII bytes: the cut falls on and between characters. */
static void cut_between_characters(void **state) {
    for (size_t ascii = 0; ascii < 4; ascii++) {
        char text[1200];
        memset(text, 'a', ascii);
        for (size_t i = ascii; i + 2 < sizeof text; i += 2) {
            memcpy(text + i, "\xC3\xA9", 3);
        }
        talea_error err;
        tl_error(&err, TALEA_IO, "%s", text);
        size_t room = TALEA_MESSAGE_BYTES - 1;
        assert_int_equal(strlen(err.message), (room - ascii) / 2 * 2 + ascii);
        assert_memory_equal(err.message, text, strlen(err.message));

        tl_error_os(&err, EIO, "%s", text); /* the reason is never what is cut off */
        assert_true(strlen(err.message) < TALEA_MESSAGE_BYTES);
        const char *suffix = strstr(err.message, ": ");
        assert_non_null(suffix);
        assert_non_null(strstr(suffix, "(errno 5)"));
        assert_int_equal(((size_t)(suffix - err.message) - ascii) % 2, 0);
    }
    for (size_t len = TALEA_MESSAGE_BYTES - 4; len < TALEA_MESSAGE_BYTES + 4; len++) {
        talea_error err;
        tl_error(&err, TALEA_IO, "%0*d", (int)len, 0);
        assert_int_equal(strlen(err.message),
                         len < TALEA_MESSAGE_BYTES ? len : TALEA_MESSAGE_BYTES - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(words),
        cmocka_unit_test(system_errors),
        cmocka_unit_test(cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
