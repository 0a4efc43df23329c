/*
 * time.c: instants as text, by our own calendar arithmetic.
 *
 * How: days since 1970-01-01 to a civil date of the proleptic Gregorian calendar and back, after
 * Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March, so that the
 * leap day is the last day of a year; 400 years ("an era") are always 146097 days. The C library's
 * functions are left alone: they know time zones, locales and locks, none of which belong here.
 */
#include "talea.h"

enum {
    SECONDS_PER_MINUTE = 60,
    SECONDS_PER_HOUR = 3600,
    SECONDS_PER_DAY = 86400,
    MICROS_PER_SECOND = 1000000,
    DAYS_PER_ERA = 146097,
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
    YEAR_MAX = 9999,
    OFFSET_HOURS_MAX = 14, /* as SQLite's date functions have it */
};

static const int64_t micros_min = -62167219200 * MICROS_PER_SECOND;     /* 0000-01-01T00:00:00Z */
static const int64_t micros_max = 253402300800 * MICROS_PER_SECOND - 1; /* 9999-12-31, the last one
                                                                         */

typedef struct civil {
    int year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
} civil;

/* For years 0000..9999. */
static int64_t days_from_civil(civil date) {
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static civil civil_from_days(int64_t days) {
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    return (civil){.year = (int)year,
                   .month = (int)month,
                   .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* Writes exactly `width` digits; returns what stands behind them. */
static char *put_digits(char *p, int width, int64_t value) {
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return p + width;
}

size_t talea_time_format(int64_t micros, char out[TALEA_TIME_TEXT_BYTES]) {
    if (micros < micros_min || micros > micros_max) { /* outside the contract; no text says it */
        out[0] = '\0';
        return 0;
    }
    int64_t since_0000 = micros - micros_min; /* never negative: plain division is floor */
    int64_t micro = since_0000 % MICROS_PER_SECOND;
    int64_t second = since_0000 / MICROS_PER_SECOND % SECONDS_PER_DAY;
    int64_t day = since_0000 / MICROS_PER_SECOND / SECONDS_PER_DAY;
    civil date = civil_from_days(day + micros_min / MICROS_PER_SECOND / SECONDS_PER_DAY);

    char *p = put_digits(out, 4, date.year);
    *p++ = '-';
    p = put_digits(p, 2, date.month);
    *p++ = '-';
    p = put_digits(p, 2, date.day);
    *p++ = 'T';
    p = put_digits(p, 2, second / SECONDS_PER_HOUR);
    *p++ = ':';
    p = put_digits(p, 2, second % SECONDS_PER_HOUR / SECONDS_PER_MINUTE);
    *p++ = ':';
    p = put_digits(p, 2, second % SECONDS_PER_MINUTE);
    *p++ = '.';
    p = put_digits(p, 6, micro);
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

/* ---- Reading ------------------------------------------------------------------------------- */

typedef struct reader {
    const char *at;
    const char *end;
} reader;

static bool take(reader *r, char c) {
    if (r->at == r->end || *r->at != c) {
        return false;
    }
    r->at++;
    return true;
}

/* Exactly `width` digits, at most `max`. */
static bool take_number(reader *r, int width, int max, int *out_value) {
    int value = 0;
    for (int i = 0; i < width; i++) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') {
            return false;
        }
        value = value * 10 + (*r->at++ - '0');
    }
    *out_value = value;
    return value <= max;
}

static bool take_date(reader *r, civil *out_date) {
    return take_number(r, 4, YEAR_MAX, &out_date->year) && take(r, '-') &&
           take_number(r, 2, 12, &out_date->month) && out_date->month >= 1 && take(r, '-') &&
           take_number(r, 2, 31, &out_date->day) && out_date->day >= 1 &&
           out_date->day <= days_in_month(out_date->year, out_date->month);
}

/* .f+ ; the first six digits count. */
static bool take_fraction(reader *r, int *out_micros) {
    int micros = 0;
    int digits = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, digits++) {
        if (digits < 6) {
            micros = micros * 10 + (*r->at - '0');
        }
    }
    for (int i = digits; i < 6; i++) {
        micros *= 10;
    }
    *out_micros = micros;
    return digits > 0;
}

/* HH:MM[:SS[.f+]] as microseconds of the day. */
static bool take_clock(reader *r, int64_t *out_micros) {
    int hour = 0;
    int minute = 0;
    int second = 0;
    int micros = 0;
    if (!take_number(r, 2, 23, &hour) || !take(r, ':') || !take_number(r, 2, 59, &minute)) {
        return false;
    }
    if (take(r, ':')) {
        if (!take_number(r, 2, 59, &second)) {
            return false;
        }
        if (take(r, '.') && !take_fraction(r, &micros)) {
            return false;
        }
    }
    int64_t seconds = (int64_t)hour * SECONDS_PER_HOUR + minute * SECONDS_PER_MINUTE + second;
    *out_micros = seconds * MICROS_PER_SECOND + micros;
    return true;
}

/* Nothing, Z, or +HH:MM, as microseconds east of Greenwich. */
static bool take_offset(reader *r, int64_t *out_micros) {
    *out_micros = 0;
    if (r->at == r->end || take(r, 'Z')) {
        return true;
    }
    bool west = take(r, '-');
    int hour = 0;
    int minute = 0;
    if ((!west && !take(r, '+')) || !take_number(r, 2, OFFSET_HOURS_MAX, &hour) || !take(r, ':') ||
        !take_number(r, 2, 59, &minute)) {
        return false;
    }
    int64_t seconds = (int64_t)hour * SECONDS_PER_HOUR + minute * SECONDS_PER_MINUTE;
    *out_micros = (west ? -seconds : seconds) * MICROS_PER_SECOND;
    return true;
}

/* An offset may carry a time of the year 0000 or 9999 out of them; such a time is refused, because
 * talea_time_format could not say it. */
bool talea_time_parse(const char *text, size_t len, int64_t *out_micros) {
    if (len == 0) {
        return false;
    }
    reader r = {text, text + len};
    civil date = {0};
    int64_t clock = 0;
    int64_t offset = 0;
    if (!take_date(&r, &date)) {
        return false;
    }
    if (r.at < r.end) {
        if ((!take(&r, 'T') && !take(&r, ' ')) || !take_clock(&r, &clock) ||
            !take_offset(&r, &offset)) {
            return false;
        }
    }
    if (r.at != r.end) {
        return false;
    }
    int64_t day = days_from_civil(date) * SECONDS_PER_DAY * MICROS_PER_SECOND;
    int64_t micros = day + clock - offset;
    if (micros < micros_min || micros > micros_max) {
        return false;
    }
    *out_micros = micros;
    return true;
}
