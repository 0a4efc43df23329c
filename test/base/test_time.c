/*
 * Times. Oracles: gmtime_r and timegm of the C library, and a calendar that counts day by day.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "rng.h"
#include "talea.h"

#define SECOND_MIN (-62167219200) /* 0000-01-01T00:00:00Z */
#define SECOND_MAX 253402300799   /* 9999-12-31T23:59:59Z */
#define MICROS_MIN (SECOND_MIN * 1000000)
#define MICROS_MAX (SECOND_MAX * 1000000 + 999999)

static void by_gmtime(int64_t second, int micro, char out[64]) {
    time_t t = (time_t)second;
    struct tm tm;
    assert_non_null(gmtime_r(&t, &tm));
    snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, micro);
}

static void check_instant(int64_t second, int micro) {
    char expected[64];
    char text[TALEA_TIME_TEXT_BYTES];
    by_gmtime(second, micro, expected);
    int64_t micros = second * 1000000 + micro;
    assert_int_equal(talea_time_format(micros, text), TALEA_TIME_TEXT_BYTES - 1);
    assert_string_equal(text, expected);
    int64_t back = 0;
    assert_true(talea_time_parse(text, TALEA_TIME_TEXT_BYTES - 1, &back));
    assert_int_equal(back, micros);
}

static void random_instants(void **state) {
    rng r = {13};
    for (int round = 0; round < 100000; round++) {
        uint64_t seconds = (uint64_t)(SECOND_MAX - SECOND_MIN) + 1;
        int64_t second = SECOND_MIN + (int64_t)rng_below(&r, seconds);
        check_instant(second, (int)rng_below(&r, 1000000));
    }
}

/* Seconds and microseconds around midnights, new years, leap days and the epoch. */
static void around_borders(void **state) {
    static const char *const days[] = {
        "0000-01-01", "0000-02-29", "0000-03-01", "0001-01-01", "0004-02-29", "0100-02-28",
        "0100-03-01", "0400-02-29", "1582-10-15", "1600-02-29", "1899-12-31", "1900-02-28",
        "1900-03-01", "1969-12-31", "1970-01-01", "1972-02-29", "1999-12-31", "2000-02-29",
        "2000-03-01", "2004-12-31", "2038-01-19", "2100-02-28", "2100-03-01", "9999-12-31",
    };
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        int64_t midnight = 0;
        assert_true(talea_time_parse(days[i], 10, &midnight));
        for (int64_t delta = -3; delta <= 3; delta++) {
            for (int day = 0; day <= 1; day++) {
                int64_t second = midnight / 1000000 + day * 86400 + delta;
                if (second >= SECOND_MIN && second <= SECOND_MAX) {
                    check_instant(second, 0);
                    check_instant(second, 999999);
                }
            }
        }
    }
}

static void every_day(void **state) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = SECOND_MIN / 86400;
    for (int year = 0; year <= 9999; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (month == 2 && leap ? 1 : 0);
            for (int d = 1; d <= length; d++) {
                char expected[TALEA_TIME_TEXT_BYTES];
                char text[TALEA_TIME_TEXT_BYTES];
                memcpy(expected, "0000-00-00T00:00:00.000000Z", sizeof expected);
                for (int i = 3, y = year; i >= 0; i--, y /= 10) {
                    expected[i] = (char)('0' + y % 10);
                }
                expected[5] = (char)('0' + month / 10);
                expected[6] = (char)('0' + month % 10);
                expected[8] = (char)('0' + d / 10);
                expected[9] = (char)('0' + d % 10);
                int64_t micros = (day + d - 1) * 86400 * 1000000;
                talea_time_format(micros, text);
                int64_t back = 0;
                if (memcmp(text, expected, sizeof text) != 0 ||
                    !talea_time_parse(expected, 10, &back) || back != micros) {
                    fail_msg("%s is shown as %s", expected, text);
                }
            }
            char past[40];
            snprintf(past, sizeof past, "%04d-%02d-%02d", year, month, length + 1);
            int64_t ignored;
            assert_false(talea_time_parse(past, 10, &ignored));
            day += length;
        }
    }
    assert_int_equal(day * 86400, SECOND_MAX + 1);
}

static void outside_the_years(void **state) {
    char text[TALEA_TIME_TEXT_BYTES];
    static const int64_t outside[] = {INT64_MIN, MICROS_MIN - 1, MICROS_MAX + 1, INT64_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_int_equal(talea_time_format(outside[i], text), 0);
        assert_string_equal(text, "");
    }
}

typedef struct form {
    const char *text;
    int year, month, day, hour, minute, second, micro;
    int offset_minutes;
} form;

static void accepted_forms(void **state) {
    static const form forms[] = {
        {"2026-01-31", 2026, 1, 31, 0, 0, 0, 0, 0},
        {"2026-01-31T14:02", 2026, 1, 31, 14, 2, 0, 0, 0},
        {"2026-01-31 14:02", 2026, 1, 31, 14, 2, 0, 0, 0},
        {"2026-01-31 14:02Z", 2026, 1, 31, 14, 2, 0, 0, 0},
        {"2026-01-31 14:02:59", 2026, 1, 31, 14, 2, 59, 0, 0},
        {"2026-01-31T14:02:59Z", 2026, 1, 31, 14, 2, 59, 0, 0},
        {"2026-01-31T14:02:59.5", 2026, 1, 31, 14, 2, 59, 500000, 0},
        {"2026-01-31T14:02:59.5Z", 2026, 1, 31, 14, 2, 59, 500000, 0},
        {"2026-01-31T14:02:59.000001Z", 2026, 1, 31, 14, 2, 59, 1, 0},
        {"2026-01-31T14:02:59.123456999999999999999999Z", 2026, 1, 31, 14, 2, 59, 123456, 0},
        {"2026-01-31T14:02:59.9999999+00:00", 2026, 1, 31, 14, 2, 59, 999999, 0},
        {"2026-01-31T14:02-00:00", 2026, 1, 31, 14, 2, 0, 0, 0},
        {"2026-01-31T14:02+05:30", 2026, 1, 31, 14, 2, 0, 0, 330},
        {"2026-01-31T14:02:00-12:00", 2026, 1, 31, 14, 2, 0, 0, -720},
        {"2026-12-31T23:59:59.999999-14:59", 2026, 12, 31, 23, 59, 59, 999999, -899},
        {"1969-12-31T23:59:59.999999Z", 1969, 12, 31, 23, 59, 59, 999999, 0},
        {"1960-02-29T00:00:00.25+14:00", 1960, 2, 29, 0, 0, 0, 250000, 840},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const form *f = &forms[i];
        struct tm tm = {.tm_year = f->year - 1900,
                        .tm_mon = f->month - 1,
                        .tm_mday = f->day,
                        .tm_hour = f->hour,
                        .tm_min = f->minute - f->offset_minutes,
                        .tm_sec = f->second};
        int64_t expected = (int64_t)timegm(&tm) * 1000000 + f->micro;
        int64_t micros = 0;
        if (!talea_time_parse(f->text, strlen(f->text), &micros) || micros != expected) {
            fail_msg("%s", f->text);
        }
    }
}

static void refused_forms(void **state) {
    static const char *const bad[] = {
        "",
        "2",
        "2026",
        "2026-01",
        "2026-1-31",
        "26-01-31",
        "20260131",
        "2026/01/31",
        "02026-01-31",
        "-026-01-31",
        "+2026-01-31",
        "2026-00-10",
        "2026-13-10",
        "2026-01-00",
        "2026-01-32",
        "2026-02-29",
        "2100-02-29",
        "2024-02-30",
        "2026-04-31",
        " 2026-01-31",
        "2026-01-31 ",
        "2026-01-31Z",
        "2026-01-31+01:00",
        "2026-01-31T",
        "2026-01-31T1",
        "2026-01-31T14",
        "2026-01-31T14:",
        "2026-01-31T14:2",
        "2026-01-31T1:02",
        "2026-01-31t14:02",
        "2026-01-31T14:02z",
        "2026-01-31  14:02",
        "2026-01-31T24:00",
        "2026-01-31T14:60",
        "2026-01-31T14:02:",
        "2026-01-31T14:02:6",
        "2026-01-31T14:02:60",
        "2026-01-31T14:02:59.",
        "2026-01-31T14:02:59.Z",
        "2026-01-31T14:02:59,5",
        "2026-01-31T14:02.5",
        "2026-01-31T14:02:59.5 Z",
        "2026-01-31T14:02ZZ",
        "2026-01-31T14:02Z+00:00",
        "2026-01-31T14:02+",
        "2026-01-31T14:02+1",
        "2026-01-31T14:02+01",
        "2026-01-31T14:02+0100",
        "2026-01-31T14:02+01:0",
        "2026-01-31T14:02+01:60",
        "2026-01-31T14:02+15:00",
        "2026-01-31T14:02+01:00Z",
        "2026-01-31T14:02 +01:00",
        "now",
        "12:00",
        "2460000.5",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999-00:01", /* leave the four-digit years */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t micros = 77;
        if (talea_time_parse(bad[i], strlen(bad[i]), &micros)) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_int_equal(micros, 77);
    }
    int64_t micros = 77;
    assert_false(talea_time_parse(NULL, 0, &micros));
    assert_false(talea_time_parse("2026-01-31\0", 11, &micros));
    assert_true(talea_time_parse("0000-01-01T00:00:00-00:00", 25, &micros));
    assert_int_equal(micros, MICROS_MIN);
}

/* Cut at every length, and with every byte in every place: what is still taken is what a careful
 * reader of the grammar would take. */
static void cut_and_changed(void **state) {
    static const char full[] = "2026-11-17T12:11:12.123456+11:22";
    int64_t micros;
    for (size_t len = 0; len < sizeof full; len++) {
        bool expected =
            len == 10 || len == 16 || len == 19 || (len >= 21 && len <= 26) || len == 32;
        assert_int_equal(talea_time_parse(full, len, &micros), expected);
    }
    for (size_t at = 0; at < sizeof full - 1; at++) {
        for (int c = 0; c < 256; c++) {
            char text[sizeof full];
            memcpy(text, full, sizeof full);
            text[at] = (char)c;
            bool was_digit = full[at] >= '0' && full[at] <= '9';
            bool is_digit = c >= '0' && c <= '9';
            bool taken = talea_time_parse(text, sizeof full - 1, &micros);
            if (was_digit && !is_digit) {
                assert_false(taken);
            } else if (!was_digit) {
                bool same = c == full[at] || (at == 10 && c == ' ') || (at == 26 && c == '-');
                assert_int_equal(taken, same);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_instants), cmocka_unit_test(around_borders),
        cmocka_unit_test(every_day),       cmocka_unit_test(outside_the_years),
        cmocka_unit_test(accepted_forms),  cmocka_unit_test(refused_forms),
        cmocka_unit_test(cut_and_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
