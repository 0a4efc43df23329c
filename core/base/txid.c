/*
 * txid.c: the text form of a transaction id, RFC 9562 section 4 (the usual 8-4-4-4-12).
 */
#include "talea.h"

/* Is there a hyphen in front of byte i? */
static bool hyphen_before(size_t i) {
    return i == 4 || i == 6 || i == 8 || i == 10;
}

size_t talea_txid_format(const uint8_t txid[16], char out[TALEA_TXID_TEXT_BYTES]) {
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < 16; i++) {
        if (hyphen_before(i)) {
            out[n++] = '-';
        }
        out[n++] = hex[txid[i] >> 4];
        out[n++] = hex[txid[i] & 0x0F];
    }
    out[n] = '\0';
    return n;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool talea_txid_parse(const char *text, size_t len, uint8_t out_txid[16]) {
    if (len != TALEA_TXID_TEXT_BYTES - 1) {
        return false;
    }
    uint8_t txid[16];
    const char *p = text;
    for (size_t i = 0; i < 16; i++) {
        if (hyphen_before(i) && *p++ != '-') {
            return false;
        }
        int high = hex_value(*p++);
        int low = hex_value(*p++);
        if (high < 0 || low < 0) {
            return false;
        }
        txid[i] = (uint8_t)(high << 4 | low);
    }
    for (size_t i = 0; i < 16; i++) {
        out_txid[i] = txid[i];
    }
    return true;
}
