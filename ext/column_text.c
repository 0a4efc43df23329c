/*
 * column_text.c: dates cost a division for each field, so they are not computed again for every
 * row.
 */
#include "column_text.h"

#include "error.h"

enum { MICROS_PER_SECOND = 1000000, FRACTION_AT = 20, FRACTION_DIGITS = 6 };

static bool same_second(int64_t a, int64_t b) {
    return a >= 0 && b >= 0 && a / MICROS_PER_SECOND == b / MICROS_PER_SECOND;
}

void tlx_result_cached_time(sqlite3_context *context, tlx_time_text *cache, int64_t micros) {
    if (!cache->filled || !same_second(cache->micros, micros)) {
        talea_time_format(micros, cache->text);
    } else if (cache->micros != micros) {
        uint32_t fraction = (uint32_t)(micros % MICROS_PER_SECOND);
        for (int i = FRACTION_DIGITS - 1; i >= 0; i--) {
            cache->text[FRACTION_AT + i] = (char)('0' + fraction % 10);
            fraction /= 10;
        }
    }
    cache->filled = true;
    cache->micros = micros;
    sqlite3_result_text(context, cache->text, TALEA_TIME_TEXT_BYTES - 1, SQLITE_TRANSIENT);
}

void tlx_result_txid(sqlite3_context *context, const uint8_t txid[16]) {
    char text[TALEA_TXID_TEXT_BYTES];
    int len = (int)talea_txid_format(txid, text);
    sqlite3_result_text(context, text, len, SQLITE_TRANSIENT);
}

void tlx_result_event_kind(sqlite3_context *context, talea_event_kind kind) {
    static const char *const names[] = {
        [TALEA_EVENT_ASSET_REGISTERED] = "asset_registered",
        [TALEA_EVENT_ACCOUNT_OPENED] = "account_opened",
        [TALEA_EVENT_TRANSACTION_POSTED] = "transaction_posted",
    };
    sqlite3_result_text(context, names[kind], -1, SQLITE_STATIC);
}

void tlx_result_error_text(sqlite3_context *context, talea_code code, const char *words) {
    char *text = tlx_error_words(code, words);
    if (text == NULL) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_text(context, text, -1, sqlite3_free);
    }
}
