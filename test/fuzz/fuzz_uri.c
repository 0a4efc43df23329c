/*
 * Everything that is read from text: ledger locations, book names, amounts, decimals, times, transaction ids.
 *
 * Oracle: what is accepted means the same when it is written out and read again, and what is written is in the one
 * form that the header promises; besides, an independent reading where one is short enough: a
 * decimal is its digits without the point, a time is timegm()'s, UTF-8 is decoded by the table of
 * RFC 3629.
 *
 * Input: one byte that chooses the form, then the text. Values come from bytes, too.
 */
#include <sqlite3.h>
#include <time.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "format/format.h"
#include "fuzz.h"
#include "uri.h"

static talea_i128 take_i128(fuzz_input *in) {
    tl_u128 high = fuzz_uint(in, 8);
    return (talea_i128)(high << 64 | fuzz_uint(in, 8)) >> fuzz_below(in, 128);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* ---- Amounts ---------------------------------------------------------------------------------- */

/* Without leading zeros, as talea_amount_format writes it. */
static size_t plain_number(const char *text, size_t len, char *out) {
    size_t n = 0;
    size_t i = 0;
    if (len > 0 && text[0] == '-') {
        out[n++] = text[i++];
    }
    while (i + 1 < len && text[i] == '0') {
        i++;
    }
    memcpy(out + n, text + i, len - i);
    return n + len - i;
}

static void amount_text(const char *text, size_t len) {
    talea_i128 value = 0;
    char out[TALEA_AMOUNT_TEXT_BYTES];
    if (!talea_amount_parse(text, len, &value)) {
        return;
    }
    size_t out_len = talea_amount_format(value, out);
    char *plain = fuzz_alloc(len + 1);
    must(plain_number(text, len, plain) == out_len && memcmp(plain, out, out_len) == 0);
    free(plain);
    for (size_t i = 0; i < len; i++) {
        must(is_digit(text[i]) || (i == 0 && text[i] == '-'));
    }
}

static void amount_value(fuzz_input *in) {
    talea_i128 value = take_i128(in);
    talea_i128 back = 0;
    char out[TALEA_AMOUNT_TEXT_BYTES];
    size_t len = talea_amount_format(value, out);
    must(out[len] == '\0' && strlen(out) == len);
    must(talea_amount_parse(out, len, &back) && back == value);
    for (unsigned precision = 0; precision <= TALEA_PRECISION_MAX; precision++) {
        char decimal[TALEA_DECIMAL_TEXT_BYTES];
        size_t decimal_len = talea_decimal_format(value, precision, decimal);
        must(strlen(decimal) == decimal_len);
        must(talea_decimal_parse(decimal, decimal_len, precision, &back) && back == value);
    }
}

/* The digits of a decimal, point taken out and decimals filled up, are those of the amount. */
static void decimal_text(fuzz_input *in) {
    unsigned precision = fuzz_below(in, TALEA_PRECISION_MAX + 3);
    const char *text = (const char *)in->at;
    size_t len = fuzz_left(in);
    talea_i128 minor = 0;
    talea_i128 again = 0;
    if (!talea_decimal_parse(text, len, precision, &minor)) {
        return;
    }
    must(precision <= TALEA_PRECISION_MAX);
    char *digits = fuzz_alloc(len + precision);
    size_t n = 0;
    size_t point = len;
    for (size_t i = 0; i < len && (point == len || i <= point + precision); i++) {
        if (text[i] == '.') {
            point = i;
        } else {
            digits[n++] = text[i];
        }
    }
    for (size_t decimals = point == len ? 0 : len - point - 1; decimals < precision; decimals++) {
        digits[n++] = '0';
    }
    if (minor == 0) {
        for (size_t i = 0; i < n; i++) {
            must(digits[i] == '0' || (i == 0 && digits[i] == '-'));
        }
    } else {
        must(talea_amount_parse(digits, n, &again) && again == minor);
    }
    free(digits);
    for (size_t i = point + precision + 1; i < len; i++) {
        must(text[i] == '0'); /* never rounded */
    }
    char out[TALEA_DECIMAL_TEXT_BYTES];
    size_t out_len = talea_decimal_format(minor, precision, out);
    must(talea_decimal_parse(out, out_len, precision, &again) && again == minor);
    must(minor != 0 || out[0] != '-');
}

/* ---- Times ------------------------------------------------------------------------------------ */

static int number_at(const char *text, int width) {
    int value = 0;
    for (int i = 0; i < width; i++) {
        must(is_digit(text[i]));
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* A time in the one form in which it is written. */
static int64_t micros_of(const char *text) {
    struct tm civil = {.tm_year = number_at(text, 4) - 1900,
                       .tm_mon = number_at(text + 5, 2) - 1,
                       .tm_mday = number_at(text + 8, 2),
                       .tm_hour = number_at(text + 11, 2),
                       .tm_min = number_at(text + 14, 2),
                       .tm_sec = number_at(text + 17, 2)};
    return (int64_t)timegm(&civil) * 1000000 + number_at(text + 20, 6);
}

static void check_time(int64_t micros, char text[TALEA_TIME_TEXT_BYTES]) {
    int64_t back = 0;
    must(talea_time_format(micros, text) == TALEA_TIME_TEXT_BYTES - 1);
    must(strlen(text) == TALEA_TIME_TEXT_BYTES - 1);
    must(talea_time_parse(text, TALEA_TIME_TEXT_BYTES - 1, &back) && back == micros);
    must(micros_of(text) == micros);
}

static void time_text(const char *text, size_t len) {
    int64_t micros = 0;
    char out[TALEA_TIME_TEXT_BYTES];
    if (!talea_time_parse(text, len, &micros)) {
        return;
    }
    check_time(micros, out);
    /* Without an offset the date that is written is the one that was read. */
    must(len >= 10);
    if (len == 10 || (text[len - 1] == 'Z')) {
        must(memcmp(text, out, 10) == 0);
        must(len < 16 || memcmp(text + 11, out + 11, 5) == 0);
    }
}

static void time_values(fuzz_input *in) {
    const int64_t first = -62167219200000000;  /* 0000-01-01 */
    const uint64_t count = 315569520000000000; /* to the end of 9999 */
    int64_t a = first + (int64_t)(fuzz_uint(in, 8) % count);
    int64_t b = first + (int64_t)(fuzz_uint(in, 8) % count);
    char a_text[TALEA_TIME_TEXT_BYTES];
    char b_text[TALEA_TIME_TEXT_BYTES];
    check_time(a, a_text);
    check_time(b, b_text);
    must((a < b) == (strcmp(a_text, b_text) < 0));
    check_time(first, a_text);
    check_time(first + (int64_t)count - 1, a_text);
    must(talea_time_format(first - 1, a_text) == 0);
    must(talea_time_format(first + (int64_t)count, a_text) == 0);
}

/* ---- Transaction ids -------------------------------------------------------------------------- */

static void txid_text(const char *text, size_t len) {
    uint8_t id[16];
    char out[TALEA_TXID_TEXT_BYTES];
    if (talea_txid_parse(text, len, id)) {
        must(talea_txid_format(id, out) == len);
        must(sqlite3_strnicmp(out, text, (int)len) == 0);
    }
}

/* ---- Names ------------------------------------------------------------------------------------ */

/* RFC 3629, section 4, as a table: the bytes that may stand first, and the range of the second. */
static bool name_is_valid(const uint8_t *p, size_t len, size_t bytes_max) {
    static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        size_t bytes;
    } forms[] = {{0x20, 0x7E, 0, 0, 1},       {0xC2, 0xC2, 0xA0, 0xBF, 2},
                 {0xC3, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                 {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                 {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    size_t i = 0;
    while (i < len) {
        size_t form = 0;
        size_t count = sizeof forms / sizeof forms[0];
        while (form < count && (p[i] < forms[form].first_min || p[i] > forms[form].first_max)) {
            form++;
        }
        if (form == count || forms[form].bytes > len - i) {
            return false;
        }
        for (size_t k = 1; k < forms[form].bytes; k++) {
            uint8_t min = k == 1 ? forms[form].second_min : 0x80;
            uint8_t max = k == 1 ? forms[form].second_max : 0xBF;
            if (p[i + k] < min || p[i + k] > max) {
                return false;
            }
        }
        i += forms[form].bytes;
    }
    return len >= 1 && len <= bytes_max;
}

/* Checks one name, and encodes it if it is one. */
static bool dir_name(const uint8_t *name, size_t len, char out[TL_DIR_NAME_BYTES]) {
    talea_text text = {(const char *)name, len};
    bool valid = name_is_valid(name, len, TL_NAME_BYTES_MAX);
    must(tl_name_valid(text, TL_NAME_BYTES_MAX) == valid);
    must(!valid || tl_utf8_valid(text));
    if (valid) {
        memset(out, 'X', TL_DIR_NAME_BYTES);
        tl_book_dir_name(text, out);
        must(memchr(out, '\0', TL_DIR_NAME_BYTES) != NULL && out[0] != '\0');
        must(strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789_-%~") == strlen(out));
    }
    return valid;
}

/* Two names lie in two directories; what is not hashed can be read back. */
static void names(fuzz_input *in) {
    char a_dir[TL_DIR_NAME_BYTES];
    char b_dir[TL_DIR_NAME_BYTES];
    size_t a_len = 0;
    const uint8_t *a = fuzz_bytes(in, fuzz_u8(in), &a_len);
    const uint8_t *b = in->at;
    size_t b_len = fuzz_left(in);
    bool both = dir_name(a, a_len, a_dir);
    both = dir_name(b, b_len, b_dir) && both;
    if (both) {
        bool same = a_len == b_len && memcmp(a, b, a_len) == 0;
        must(same == (sqlite3_stricmp(a_dir, b_dir) == 0));
    }
}

/* ---- Locations -------------------------------------------------------------------------------- */

static bool in_range(uint64_t value, uint64_t min, uint64_t max) {
    return value == 0 || (value >= min && value <= max);
}

static void check_options(const talea_options *o) {
    must(o->mode >= TALEA_MODE_RWC && o->mode <= TALEA_MODE_MEMORY);
    must(in_range(o->segment_bytes_max, TL_SEGMENT_BYTES_MIN, TL_SEGMENT_BYTES_MAX));
    must(o->snapshot_every >= -1);
    must(in_range(o->queue_depth, 1, TL_QUEUE_DEPTH_MAX));
    must(in_range(o->group_max, 1, TL_QUEUE_DEPTH_MAX));
}

/* The location as a URI in which every byte of the path is escaped that may be. */
static char *as_uri(const tlx_location *location) {
    static const char *const modes[] = {"rwc", "rw", "ro", "memory"};
    const talea_options *o = &location->options;
    sqlite3_str *uri = sqlite3_str_new(NULL);
    sqlite3_str_appendall(uri, "file:");
    for (const char *p = location->path; *p; p++) {
        sqlite3_str_appendf(uri, "%%%02X", (unsigned char)*p);
    }
    sqlite3_str_appendf(uri, "?mode=%s", modes[o->mode]);
    if (o->segment_bytes_max) {
        sqlite3_str_appendf(uri, "&segment_max=%llu", (unsigned long long)o->segment_bytes_max);
    }
    if (o->snapshot_every >= 0) {
        sqlite3_str_appendf(uri, "&snapshot_every=%lld", (long long)o->snapshot_every);
    }
    if (o->idem_hot_cap) {
        sqlite3_str_appendf(uri, "&%%69dem_hot_cap=%llu", (unsigned long long)o->idem_hot_cap);
    }
    if (o->queue_depth) {
        sqlite3_str_appendf(uri, "&queue_depth=%u", o->queue_depth);
    }
    if (o->group_max) {
        sqlite3_str_appendf(uri, "&group_max=%u", o->group_max);
    }
    char *text = sqlite3_str_finish(uri);
    must(text != NULL);
    return text;
}

static bool same_options(const talea_options *a, const talea_options *b) {
    return a->mode == b->mode && a->segment_bytes_max == b->segment_bytes_max &&
           a->snapshot_every == b->snapshot_every && a->idem_hot_cap == b->idem_hot_cap &&
           a->queue_depth == b->queue_depth && a->group_max == b->group_max;
}

/* `uri` is in front of what the fuzzer gives, so that it need not find the word. */
static void location(fuzz_input *in, const char *uri) {
    size_t head = strlen(uri);
    size_t len = head + fuzz_left(in);
    char *text = fuzz_alloc(len);
    memcpy(text, uri, head);
    memcpy(text + head, in->at, len - head);
    talea_error err = {.code = TALEA_OK};
    tlx_location got = {.path = NULL};
    talea_code code = tlx_location_parse((talea_text){text, len}, &got, &err);
    if (code != TALEA_OK) {
        must(code == TALEA_BAD_OPTION && err.code == code && got.path == NULL);
        must(strlen(err.message) > 0 && strlen(err.message) < TALEA_MESSAGE_BYTES);
        free(text);
        return;
    }
    must(got.path && got.path[0] != '\0');
    check_options(&got.options);
    if (strncmp(got.path, ":memory:", 8) != 0) { /* such a one gets a name of its own */
        char *again = as_uri(&got);
        tlx_location back = {.path = NULL};
        must(tlx_location_parse((talea_text){again, strlen(again)}, &back, &err) == TALEA_OK);
        must(strcmp(got.path, back.path) == 0);
        must(same_options(&got.options, &back.options));
        sqlite3_free(back.path);
        sqlite3_free(again);
        if (len < 5 || memcmp(text, "file:", 5) != 0) { /* a path, as it stands */
            must(strlen(got.path) == strnlen(text, len) &&
                 memcmp(text, got.path, strlen(got.path)) == 0);
        }
    }
    sqlite3_free(got.path);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = fuzz_begin(data, size);
    unsigned choice = fuzz_below(&in, 11);
    const char *text = (const char *)in.at;
    switch (choice) {
    case 0: location(&in, ""); break;
    case 1: location(&in, "file:"); break;
    case 2: location(&in, "file:x?"); break;
    case 3: amount_text(text, fuzz_left(&in)); break;
    case 4: amount_value(&in); break;
    case 5: decimal_text(&in); break;
    case 6: time_text(text, fuzz_left(&in)); break;
    case 7: time_values(&in); break;
    case 8: txid_text(text, fuzz_left(&in)); break;
    case 9: names(&in); break;
    default: break;
    }
    return 0;
}
