/*
 * functions_pure.c: how the sum stays exact: it is kept in 192 bits, so that neither the order of
 * the rows nor rows that a window takes out again can make it fail; only a final value beyond 128
 * bits does.
 */
#include "functions_pure.h"

#include "error.h"
#include "value.h"

/* ---- talea_sum ------------------------------------------------------------------------------- */

/* Two's complement, least significant first. Words, because SQLite aligns an aggregate's memory to
 * 8 bytes only. */
typedef struct sum_state {
    uint64_t words[3];
    int64_t count; /* values that are not NULL */
} sum_state;

static void sum_add(sum_state *sum, talea_i128 value) {
    uint64_t sign = value < 0 ? UINT64_MAX : 0;
    uint64_t addend[3] = {(uint64_t)value, (uint64_t)(value >> 64), sign};
    uint64_t carry = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t partial = sum->words[i] + carry;
        carry = partial < carry;
        sum->words[i] = partial + addend[i];
        carry += sum->words[i] < partial;
    }
}

/* false when it does not fit. */
static bool sum_value(const sum_state *sum, talea_i128 *out_value) {
    uint64_t sign = (sum->words[1] >> 63) != 0 ? UINT64_MAX : 0;
    if (sum->words[2] != sign) {
        return false;
    }
    *out_value = ((talea_i128)(int64_t)sum->words[1] * ((talea_i128)1 << 64)) + sum->words[0];
    return true;
}

static void sum_change(sqlite3_context *context, sqlite3_value *value, bool take_out) {
    sum_state *sum = sqlite3_aggregate_context(context, sizeof *sum);
    if (sum == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        return;
    }
    talea_error err;
    talea_i128 amount = 0;
    if (tlx_value_amount(value, "talea_sum", true, &amount, &err) != TALEA_OK) {
        tlx_fail_function(context, &err);
        return;
    }
    sum->count += take_out ? -1 : 1;
    if (!take_out) {
        sum_add(sum, amount);
        return;
    }
    /* -x is ~x + 1, which is right for the smallest number, too, in 192 bits. */
    sum_add(sum, ~amount);
    sum_add(sum, 1);
}

static void sum_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
    (void)argc;
    sum_change(context, argv[0], false);
}

static void sum_inverse(sqlite3_context *context, int argc, sqlite3_value **argv) {
    (void)argc;
    sum_change(context, argv[0], true);
}

/* xValue and xFinal. No rows, or NULLs only: NULL, as sum(). */
static void sum_result(sqlite3_context *context) {
    const sum_state *sum = sqlite3_aggregate_context(context, 0);
    if (sum == NULL || sum->count == 0) {
        return;
    }
    talea_i128 value = 0;
    if (sum_value(sum, &value)) {
        tlx_result_amount(context, value);
        return;
    }
    talea_error err;
    tlx_error_set(&err, TALEA_INVALID_AMOUNT, "the talea_sum of %lld values exceeds 128 bits",
                  (long long)sum->count);
    tlx_fail_function(context, &err);
}

/* ---- talea_decimal, talea_minor -------------------------------------------------------------- */

static bool precision_of(sqlite3_context *context, sqlite3_value *value, unsigned *out_precision) {
    sqlite3_int64 precision = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) == SQLITE_INTEGER && precision >= 0 &&
        precision <= TALEA_PRECISION_MAX) {
        *out_precision = (unsigned)precision;
        return true;
    }
    talea_error err;
    tlx_error_set(&err, TALEA_INVALID_AMOUNT, "precision must be an integer of 0..%d",
                  TALEA_PRECISION_MAX);
    tlx_fail_function(context, &err);
    return false;
}

static bool any_null(int argc, sqlite3_value **argv) {
    for (int i = 0; i < argc; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
            return true;
        }
    }
    return false;
}

static void decimal_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
    unsigned precision = 0;
    if (any_null(argc, argv) || !precision_of(context, argv[1], &precision)) {
        return;
    }
    talea_error err;
    talea_i128 minor = 0;
    if (tlx_value_amount(argv[0], "talea_decimal", true, &minor, &err) != TALEA_OK) {
        tlx_fail_function(context, &err);
        return;
    }
    char text[TALEA_DECIMAL_TEXT_BYTES];
    size_t len = talea_decimal_format(minor, precision, text);
    sqlite3_result_text(context, text, (int)len, SQLITE_TRANSIENT);
}

/* INTEGER is read as the whole number that it is: (12, 2) -> 1200. REAL has lost what was meant. */
static void minor_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
    unsigned precision = 0;
    if (any_null(argc, argv) || !precision_of(context, argv[1], &precision)) {
        return;
    }
    int type = sqlite3_value_type(argv[0]);
    const char *text = (const char *)sqlite3_value_text(argv[0]);
    if (text == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    size_t len = (size_t)sqlite3_value_bytes(argv[0]);
    talea_i128 minor = 0;
    if ((type == SQLITE_TEXT || type == SQLITE_INTEGER) &&
        talea_decimal_parse(text, len, precision, &minor)) {
        tlx_result_amount(context, minor);
        return;
    }
    talea_error err;
    tlx_error_set(&err, TALEA_INVALID_AMOUNT,
                  type == SQLITE_TEXT || type == SQLITE_INTEGER
                      ? "'%.60s' is no decimal number of at most %u decimals that fits 128 bits"
                      : "'%.60s' is neither TEXT nor INTEGER (precision %u)",
                  type == SQLITE_BLOB ? "a BLOB" : text, precision);
    tlx_fail_function(context, &err);
}

int tlx_functions_register_pure(sqlite3 *db) {
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_window_function(db, "talea_sum", 1, flags, NULL, sum_step, sum_result,
                                            sum_result, sum_inverse, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(db, "talea_decimal", 2, flags, NULL, decimal_function, NULL,
                                        NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(db, "talea_minor", 2, flags, NULL, minor_function, NULL,
                                        NULL, NULL);
    }
    return rc;
}

void tlx_functions_unregister_pure(sqlite3 *db) {
    sqlite3_create_function_v2(db, "talea_sum", 1, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
    sqlite3_create_function_v2(db, "talea_decimal", 2, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
    sqlite3_create_function_v2(db, "talea_minor", 2, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
}
