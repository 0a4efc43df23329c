/*
 * filter.c: from SQLite's values to bounds.
 *
 * The rules are SQLite's comparison rules for the affinities of our columns (datatype3.html); for
 * names see name_filter.h. NULL is equal to nothing, so it selects nothing.
 *
 * seq has INTEGER affinity: text that looks like a number is one, other text and blobs are greater
 * than every number. This is exact.
 *
 * at is compared as text. Since the canonical form sorts like time, the times below any text at all
 * are a prefix of all times, and a binary search over the microseconds finds its end: no form of
 * date has to be understood.
 */
#include "filter.h"

#include "error.h"
#include "value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* 0000-01-01T00:00:00.000000Z and 9999-12-31T23:59:59.999999Z, which bound every canonical time. */
static const int64_t time_min = INT64_C(-62167219200000000);
static const int64_t time_max = INT64_C(253402300799999999);

enum { TIME_TEXT_LEN = TALEA_TIME_TEXT_BYTES - 1 };

void tlx_filter_init(tlx_filter *filter) {
    filter->plan = 0;
    filter->nothing = false;
    tlx_name_filter_init(&filter->book);
    tlx_name_filter_init(&filter->account);
    tlx_name_filter_init(&filter->asset);
    tlx_name_filter_init(&filter->key);
    tlx_name_filter_init(&filter->txid);
    filter->seq_low = 1;
    filter->seq_high = UINT64_MAX;
    filter->seqs = NULL;
    filter->seq_count = 0;
    filter->has_at = false;
    filter->at_low = time_min;
    filter->at_high = time_max;
    filter->has_as_of = false;
    filter->as_of_seq = UINT64_MAX;
    filter->as_of_value = NULL;
    filter->as_of_seq_value = NULL;
}

void tlx_filter_clear(tlx_filter *filter) {
    tlx_name_filter_clear(&filter->book);
    tlx_name_filter_clear(&filter->account);
    tlx_name_filter_clear(&filter->asset);
    tlx_name_filter_clear(&filter->key);
    tlx_name_filter_clear(&filter->txid);
    free(filter->seqs);
    sqlite3_value_free(filter->as_of_value);
    sqlite3_value_free(filter->as_of_seq_value);
    tlx_filter_init(filter);
}

/* ---- Sequence numbers ------------------------------------------------------------------------ */

typedef enum comparison { EQUAL, AT_LEAST, ABOVE, AT_MOST, BELOW } comparison;

typedef struct seq_range {
    bool none;
    uint64_t low;
    uint64_t high;
} seq_range;

/* The integers n >= 1 with (n `c` v), for v an integer or, when `fraction`, between v and v + 1. */
static seq_range range_of_integer(comparison c, int64_t v, bool fraction) {
    seq_range range = {.low = 1, .high = UINT64_MAX};
    bool past = fraction || c == ABOVE;      /* a lower bound starts at v + 1 */
    bool short_of = c == BELOW && !fraction; /* an upper bound ends at v - 1 */
    switch (c) {
    case EQUAL:
        range.none = fraction || v < 1;
        range.low = range.none ? 1 : (uint64_t)v;
        range.high = range.low;
        break;
    case AT_LEAST:
    case ABOVE:
        range.low = v < 0 ? 1 : (uint64_t)v + past;
        range.low += range.low == 0;
        break;
    case AT_MOST:
    case BELOW:
        range.none = v < 1 + (int64_t)short_of;
        range.high = range.none ? 1 : (uint64_t)v - short_of;
        break;
    }
    return range;
}

/* Beyond every seq, on the side told. */
static seq_range range_of_infinite(comparison c, bool above) {
    bool all = above ? c == AT_MOST || c == BELOW : c == AT_LEAST || c == ABOVE;
    return (seq_range){.none = !all, .low = 1, .high = UINT64_MAX};
}

static seq_range range_of_value(comparison c, sqlite3_value *value) {
    int type = sqlite3_value_numeric_type(value); /* the affinity of seq: SQLite applies it, too */
    if (type == SQLITE_INTEGER) {
        return range_of_integer(c, sqlite3_value_int64(value), false);
    }
    if (type == SQLITE_NULL) {
        return (seq_range){.none = true};
    }
    if (type != SQLITE_FLOAT) {
        return range_of_infinite(c, true); /* text and blobs sort after numbers */
    }
    double real = sqlite3_value_double(value);
    if (real >= 9223372036854775807.0 || real < -9223372036854775808.0) {
        return range_of_infinite(c, real > 0);
    }
    int64_t whole = (int64_t)real;
    whole -= (double)whole > real; /* towards minus infinity */
    return range_of_integer(c, whole, (double)whole != real);
}

static void narrow_seq(tlx_filter *filter, comparison c, sqlite3_value *value) {
    seq_range range = range_of_value(c, value);
    filter->nothing = filter->nothing || range.none;
    filter->seq_low = range.low > filter->seq_low ? range.low : filter->seq_low;
    filter->seq_high = range.high < filter->seq_high ? range.high : filter->seq_high;
}

/* A list while it grows. */
typedef struct seq_list {
    uint64_t *seqs;
    size_t count;
    size_t capacity;
} seq_list;

static bool add_seq(void *context, sqlite3_value *value) {
    seq_list *list = context;
    seq_range range = range_of_value(EQUAL, value);
    if (range.none) {
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;
        uint64_t *seqs = realloc(list->seqs, capacity * sizeof *seqs);
        if (seqs == NULL) {
            return false;
        }
        list->seqs = seqs;
        list->capacity = capacity;
    }
    list->seqs[list->count++] = range.low;
    return true;
}

int tlx_seq_compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static bool list_seqs(tlx_filter *filter, sqlite3_value *value) {
    seq_list list = {.seqs = NULL};
    if (!tlx_in_each(value, add_seq, &list)) {
        free(list.seqs);
        return false;
    }
    if (list.count == 0) {
        filter->nothing = true;
        return true;
    }
    qsort(list.seqs, list.count, sizeof *list.seqs, tlx_seq_compare);
    size_t kept = 1;
    for (size_t i = 1; i < list.count; i++) {
        if (list.seqs[i] != list.seqs[kept - 1]) {
            list.seqs[kept++] = list.seqs[i];
        }
    }
    filter->seqs = list.seqs;
    filter->seq_count = kept;
    return true;
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* The first time whose canonical text is not less than `text` (with `after`: is greater); time_max
 * + 1 when none is. */
static int64_t first_time(talea_text text, bool after) {
    char canonical[TALEA_TIME_TEXT_BYTES];
    int64_t low = time_min;
    int64_t high = time_max + 1;
    if (text.len == TIME_TEXT_LEN && talea_time_parse(text.data, text.len, &low)) {
        talea_time_format(low, canonical);
        if (memcmp(canonical, text.data, TIME_TEXT_LEN) == 0) {
            return low + after;
        }
        low = time_min;
    }
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        talea_time_format(middle, canonical);
        int order = tlx_text_compare((talea_text){.data = canonical, .len = TIME_TEXT_LEN}, text);
        if (order < 0 || (order == 0 && after)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool narrow_at(tlx_filter *filter, comparison c, sqlite3_value *value) {
    int type = sqlite3_value_type(value);
    if (type == SQLITE_NULL) {
        filter->nothing = true;
    }
    if (type != SQLITE_TEXT) {
        return true; /* left to SQLite */
    }
    talea_text text = tlx_text_of(value);
    if (text.data == NULL) {
        return false;
    }
    int64_t low = time_min;
    int64_t high = time_max;
    if (c == EQUAL || c == AT_LEAST || c == ABOVE) {
        low = first_time(text, c == ABOVE);
    }
    if (c == EQUAL || c == AT_MOST || c == BELOW) {
        high = first_time(text, c != BELOW) - 1;
    }
    filter->has_at = true;
    filter->at_low = low > filter->at_low ? low : filter->at_low;
    filter->at_high = high < filter->at_high ? high : filter->at_high;
    filter->nothing = filter->nothing || filter->at_low > filter->at_high;
    return true;
}

/* ---- The rest, and all of it ----------------------------------------------------------------- */

/* Whether an argument is a txid as the tables show it: upper case is other text, equal to none. */
static bool parse_txid(talea_text text, uint8_t out_txid[16]) {
    char canonical[TALEA_TXID_TEXT_BYTES];
    if (text.len != sizeof canonical - 1 || !talea_txid_parse(text.data, text.len, out_txid)) {
        return false;
    }
    talea_txid_format(out_txid, canonical);
    return memcmp(canonical, text.data, text.len) == 0;
}

/* The value of a hidden argument: true when it is given; NULL with "=" selects nothing. */
static bool is_given(tlx_filter *filter, sqlite3_value *value, unsigned is_flag) {
    if (sqlite3_value_type(value) != SQLITE_NULL) {
        return true;
    }
    filter->nothing = filter->nothing || (filter->plan & is_flag) == 0;
    return false;
}

static talea_code decode_as_of(tlx_filter *filter, sqlite3_value *value, sqlite3 *db,
                               talea_error *err) {
    if (!is_given(filter, value, TLX_PLAN_AS_OF_IS)) {
        return TALEA_OK;
    }
    filter->as_of_value = sqlite3_value_dup(value);
    if (filter->as_of_value == NULL) {
        return tlx_error_nomem(err);
    }
    filter->has_as_of = true;
    return tlx_value_time(db, value, "as_of", &filter->as_of, err);
}

static talea_code decode_as_of_seq(tlx_filter *filter, sqlite3_value *value, talea_error *err) {
    if (!is_given(filter, value, TLX_PLAN_AS_OF_SEQ_IS)) {
        return TALEA_OK;
    }
    filter->as_of_seq_value = sqlite3_value_dup(value);
    if (filter->as_of_seq_value == NULL) {
        return tlx_error_nomem(err);
    }
    if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER || sqlite3_value_int64(value) < 0) {
        const char *shown = (const char *)sqlite3_value_text(filter->as_of_seq_value);
        return tlx_error_set(err, TALEA_INVALID_DRAFT,
                             "as_of_seq must be an integer that is not negative, not '%.40s'",
                             shown != NULL ? shown : "");
    }
    filter->as_of_seq = (uint64_t)sqlite3_value_int64(value);
    return TALEA_OK;
}

static comparison comparison_of(const tlx_filter *filter, tlx_arg arg) {
    switch (arg) {
    case TLX_ARG_SEQ_LOW: return (filter->plan & TLX_PLAN_SEQ_LOW_OPEN) != 0 ? ABOVE : AT_LEAST;
    case TLX_ARG_SEQ_HIGH: return (filter->plan & TLX_PLAN_SEQ_HIGH_OPEN) != 0 ? BELOW : AT_MOST;
    case TLX_ARG_AT_LOW: return (filter->plan & TLX_PLAN_AT_LOW_OPEN) != 0 ? ABOVE : AT_LEAST;
    case TLX_ARG_AT_HIGH: return (filter->plan & TLX_PLAN_AT_HIGH_OPEN) != 0 ? BELOW : AT_MOST;
    default: return EQUAL;
    }
}

static bool decode_name(tlx_filter *filter, tlx_arg arg, tlx_name_filter *name,
                        sqlite3_value *value) {
    if ((filter->plan & tlx_plan_list_flag(arg)) != 0) {
        return tlx_name_filter_list(name, value);
    }
    bool none = false;
    if (!tlx_name_filter_value(name, value, &none)) {
        return false;
    }
    filter->nothing = filter->nothing || none;
    return true;
}

static talea_code decode_one(tlx_filter *filter, tlx_arg arg, sqlite3_value *value, sqlite3 *db,
                             talea_error *err) {
    bool memory = true;
    switch (arg) {
    case TLX_ARG_BOOK: memory = decode_name(filter, arg, &filter->book, value); break;
    case TLX_ARG_ACCOUNT: memory = decode_name(filter, arg, &filter->account, value); break;
    case TLX_ARG_ASSET: memory = decode_name(filter, arg, &filter->asset, value); break;
    case TLX_ARG_KEY: memory = decode_name(filter, arg, &filter->key, value); break;
    case TLX_ARG_TXID: memory = decode_name(filter, arg, &filter->txid, value); break;
    case TLX_ARG_SEQ:
    case TLX_ARG_SEQ_LOW:
    case TLX_ARG_SEQ_HIGH:
        if (arg == TLX_ARG_SEQ && (filter->plan & TLX_PLAN_SEQ_LIST) != 0) {
            memory = list_seqs(filter, value);
        } else {
            narrow_seq(filter, comparison_of(filter, arg), value);
        }
        break;
    case TLX_ARG_AT:
    case TLX_ARG_AT_LOW:
    case TLX_ARG_AT_HIGH: memory = narrow_at(filter, comparison_of(filter, arg), value); break;
    case TLX_ARG_AS_OF: return decode_as_of(filter, value, db, err);
    case TLX_ARG_AS_OF_SEQ: return decode_as_of_seq(filter, value, err);
    default: break;
    }
    return memory ? TALEA_OK : tlx_error_nomem(err);
}

talea_code tlx_filter_decode(tlx_filter *filter, int plan, int argc, sqlite3_value **argv,
                             sqlite3 *db, talea_error *err) {
    filter->plan = (unsigned)plan;
    int position = 0;
    for (int arg = 0; arg < TLX_ARG_COUNT; arg++) {
        if ((filter->plan & TLX_ARG_BIT(arg)) == 0) {
            continue;
        }
        assert(position < argc);
        talea_code code = decode_one(filter, (tlx_arg)arg, argv[position++], db, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    assert(position == argc);
    (void)argc; /* a release build does not count them */
    filter->nothing = filter->nothing || filter->seq_low > filter->seq_high;
    return TALEA_OK;
}

/* ---- What it means in a book ----------------------------------------------------------------- */

static talea_code narrow_by_time(const tlx_filter *filter, talea_book_view *book, uint64_t *low,
                                 uint64_t *high, talea_error *err) {
    uint64_t seq = 0;
    if (filter->at_high < time_max) {
        talea_code code = talea_book_seq_at(book, filter->at_high, &seq, err);
        if (code != TALEA_OK) {
            return code;
        }
        *high = seq < *high ? seq : *high;
    }
    if (filter->at_low > time_min) {
        talea_code code = talea_book_seq_at(book, filter->at_low - 1, &seq, err);
        if (code != TALEA_OK) {
            return code;
        }
        *low = seq + 1 > *low ? seq + 1 : *low;
    }
    return TALEA_OK;
}

/* Leaves at most the one event. */
static void narrow_to(uint64_t seq, uint64_t *low, uint64_t *high) {
    if (seq < *low || seq > *high) {
        *low = 1;
        *high = 0;
    } else {
        *low = seq;
        *high = seq;
    }
}

talea_code tlx_filter_key_seq(talea_book_view *book, tlx_arg arg, talea_text text,
                              uint64_t *out_seq, talea_error *err) {
    uint8_t txid[16];
    if (arg == TLX_ARG_KEY) {
        return talea_book_find_key(book, text, out_seq, err);
    }
    if (parse_txid(text, txid)) {
        return talea_book_find_txid(book, txid, out_seq, err);
    }
    *out_seq = 0;
    return TALEA_OK;
}

talea_code tlx_filter_window(const tlx_filter *filter, talea_book_view *book, uint64_t *out_low,
                             uint64_t *out_high, talea_error *err) {
    uint64_t last = talea_book_last_seq(book);
    uint64_t low = filter->seq_low;
    uint64_t high = filter->seq_high < last ? filter->seq_high : last;
    talea_code code = TALEA_OK;
    uint64_t seq = 0; /* 0 is unknown, and outside every window */
    if (low <= high && filter->key.match == TLX_MATCH_ONE) {
        code = tlx_filter_key_seq(book, TLX_ARG_KEY, filter->key.text, &seq, err);
        narrow_to(seq, &low, &high);
    }
    if (code == TALEA_OK && low <= high && filter->txid.match == TLX_MATCH_ONE) {
        code = tlx_filter_key_seq(book, TLX_ARG_TXID, filter->txid.text, &seq, err);
        narrow_to(seq, &low, &high);
    }
    if (code == TALEA_OK && low <= high && filter->has_at) {
        code = narrow_by_time(filter, book, &low, &high, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    *out_low = low;
    *out_high = high;
    return TALEA_OK;
}

talea_code tlx_filter_instant(const tlx_filter *filter, talea_book_view *book, uint64_t *out_seq,
                              talea_error *err) {
    uint64_t seq = talea_book_last_seq(book);
    seq = filter->as_of_seq < seq ? filter->as_of_seq : seq;
    if (filter->has_as_of) {
        uint64_t at_that_time = 0;
        talea_code code = talea_book_seq_at(book, filter->as_of, &at_that_time, err);
        if (code != TALEA_OK) {
            return code;
        }
        seq = at_that_time < seq ? at_that_time : seq;
    }
    *out_seq = seq;
    return TALEA_OK;
}
