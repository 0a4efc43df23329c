/*
 * json_out.c: RFC 8259. Only what must be escaped is: quote, backslash, controls.
 */
#include "json_out.h"

#include <stdlib.h>
#include <string.h>

void tlx_json_start(tlx_json *json) {
    json->len = 0;
    json->failed = false;
}

void tlx_json_free(tlx_json *json) {
    free(json->data);
    *json = (tlx_json){.data = NULL};
}

/* Room for `len` more bytes, NULL when there is none. */
static char *reserve(tlx_json *json, size_t len) {
    if (json->failed) {
        return NULL;
    }
    if (json->capacity - json->len < len) {
        size_t capacity = (json->len + len) * 2 + 256;
        char *grown = realloc(json->data, capacity);
        if (grown == NULL) {
            json->failed = true;
            return NULL;
        }
        json->data = grown;
        json->capacity = capacity;
    }
    return json->data + json->len;
}

static void add(tlx_json *json, const char *data, size_t len) {
    char *at = reserve(json, len);
    if (at != NULL) {
        memcpy(at, data, len);
        json->len += len;
    }
}

void tlx_json_raw(tlx_json *json, const char *text) {
    add(json, text, strlen(text));
}

static char *escape(char *at, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char short_form[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *at++ = '\\';
    if (c == '"' || c == '\\') {
        *at++ = (char)c;
    } else if (c < sizeof short_form && short_form[c] != 0) {
        *at++ = short_form[c];
    } else {
        *at++ = 'u';
        *at++ = '0';
        *at++ = '0';
        *at++ = hex[c >> 4];
        *at++ = hex[c & 15];
    }
    return at;
}

void tlx_json_string(tlx_json *json, talea_text text) {
    if (text.data == NULL) {
        tlx_json_raw(json, "null");
        return;
    }
    char *start = reserve(json, text.len * 6 + 2); /* every byte as \u00XX */
    if (start == NULL) {
        return;
    }
    char *at = start;
    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            at = escape(at, c);
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    json->len += (size_t)(at - start);
}

void tlx_json_amount(tlx_json *json, talea_i128 value) {
    char digits[TALEA_AMOUNT_TEXT_BYTES];
    add(json, digits, talea_amount_format(value, digits));
}
