/*
 * event.c: the bodies of events.
 *
 * How: decode accepts exactly what encode writes for a value in range, so that two different byte strings
 * never mean the same event. What the bytes of a text may be is judged where drafts enter, not
 * here.
 */
#include "format/format.h"

#include <string.h>

enum {
    HAS_OCCURRED_AT = 1,
    HAS_EXTERNAL_REFS = 2,
    HAS_METADATA = 4,
    TRANSACTION_FLAGS = 7,
    HAS_MIN = 1,
    HAS_MAX = 2,
    ACCOUNT_FLAGS = 3,
    HAS_NETWORK = 1,
    HAS_NATIVE_ID = 2,
    HAS_NAME = 4,
    ASSET_FLAGS = 7,
    VARINT64_BYTES_MAX = 10,
    VARINT32_BYTES_MAX = 5,
};

static size_t text_bytes_max(talea_text text) {
    return VARINT64_BYTES_MAX + text.len;
}

static size_t put_text(uint8_t *out, talea_text text) {
    size_t n = tl_put_varint(out, text.len);
    if (text.len > 0) {
        memcpy(out + n, text.data, text.len);
    }
    return n + text.len;
}

static talea_text get_text(tl_span *s, size_t bytes_min, size_t bytes_max) {
    uint64_t len = tl_span_varint_max(s, bytes_max);
    if (len < bytes_min) {
        s->bad = true;
    }
    const uint8_t *data = tl_span_bytes(s, (size_t)len);
    return (talea_text){.data = (const char *)data, .len = data ? (size_t)len : 0};
}

static bool finished(const tl_span *s) {
    return !s->bad && s->at == s->end;
}

/* ---- transaction_posted ----------------------------------------------------------------------- */

size_t tl_transaction_bytes_max(const tl_transaction *t) {
    return 2 + t->key.len + VARINT64_BYTES_MAX + VARINT32_BYTES_MAX +
           (size_t)t->leg_count * (VARINT32_BYTES_MAX + TL_VARINT_BYTES_MAX) +
           text_bytes_max(t->external_refs) + text_bytes_max(t->metadata);
}

size_t tl_transaction_encode(const tl_transaction *t, uint8_t *out) {
    assert(t->key.len >= 1 && t->key.len <= TL_KEY_BYTES_MAX);
    assert(t->leg_count >= 2 && t->leg_count <= TL_LEGS_MAX);
    uint8_t *p = out;
    *p++ = (uint8_t)((t->has_occurred_at ? HAS_OCCURRED_AT : 0) |
                     (t->external_refs.data ? HAS_EXTERNAL_REFS : 0) |
                     (t->metadata.data ? HAS_METADATA : 0));
    *p++ = (uint8_t)t->key.len;
    memcpy(p, t->key.data, t->key.len);
    p += t->key.len;
    if (t->has_occurred_at) {
        p += tl_put_varint(p, tl_zigzag(t->occurred_at));
    }
    p += tl_put_varint(p, t->leg_count);
    for (uint32_t i = 0; i < t->leg_count; i++) {
        const talea_posting *leg = &t->legs[i];
        assert(leg->amount > 0);
        assert(leg->side == TALEA_SIDE_DEBIT || leg->side == TALEA_SIDE_CREDIT);
        p += tl_put_varint(p, leg->account);
        p += tl_put_varint(p, (tl_u128)leg->amount << 1 | (leg->side == TALEA_SIDE_CREDIT));
    }
    if (t->external_refs.data) {
        p += put_text(p, t->external_refs);
    }
    if (t->metadata.data) {
        p += put_text(p, t->metadata);
    }
    return (size_t)(p - out);
}

static bool legs_reserve(tl_legs *legs, size_t count) {
    if (count <= legs->cap) {
        return true;
    }
    size_t cap = legs->cap < 8 ? 8 : legs->cap;
    while (cap < count) {
        cap *= 2;
    }
    talea_posting *data = realloc(legs->data, cap * sizeof *data);
    if (!data) {
        return false;
    }
    legs->data = data;
    legs->cap = cap;
    return true;
}

static void get_leg(tl_span *s, talea_posting *out_leg) {
    out_leg->account = (uint32_t)tl_span_varint_max(s, UINT32_MAX);
    tl_u128 word = tl_span_varint(s);
    out_leg->side = word & 1 ? TALEA_SIDE_CREDIT : TALEA_SIDE_DEBIT;
    out_leg->amount = (talea_i128)(word >> 1);
    if (word < 2) {
        s->bad = true;
    }
}

bool tl_transaction_decode(const uint8_t *body, size_t len, tl_legs *legs, tl_transaction *out,
                           bool *out_nomem) {
    tl_span s = tl_span_of(body, len);
    tl_transaction t = {0};
    *out_nomem = false;
    uint8_t flags = tl_span_u8(&s);
    t.key.len = tl_span_u8(&s);
    t.key.data = (const char *)tl_span_bytes(&s, t.key.len);
    if (s.bad || flags > TRANSACTION_FLAGS || t.key.len == 0) {
        return false;
    }
    t.has_occurred_at = flags & HAS_OCCURRED_AT;
    if (t.has_occurred_at) {
        t.occurred_at = (int64_t)tl_unzigzag(tl_span_varint_max(&s, UINT64_MAX));
    }
    t.leg_count = (uint32_t)tl_span_varint_max(&s, TL_LEGS_MAX);
    /* A leg is two bytes at least: a length that cannot be true buys no memory. */
    if (s.bad || t.leg_count < 2 || t.leg_count > tl_span_left(&s) / 2) {
        return false;
    }
    if (!legs_reserve(legs, t.leg_count)) {
        *out_nomem = true;
        return false;
    }
    for (uint32_t i = 0; i < t.leg_count; i++) {
        get_leg(&s, &legs->data[i]);
    }
    t.legs = legs->data;
    if (flags & HAS_EXTERNAL_REFS) {
        t.external_refs = get_text(&s, 0, TL_BLOB_BYTES_MAX);
    }
    if (flags & HAS_METADATA) {
        t.metadata = get_text(&s, 0, TL_BLOB_BYTES_MAX);
    }
    if (!finished(&s)) {
        return false;
    }
    *out = t;
    return true;
}

bool tl_transaction_key(const uint8_t *body, size_t len, talea_text *out_key) {
    if (len < 2 || body[1] == 0 || len < 2 + (size_t)body[1]) {
        return false;
    }
    *out_key = (talea_text){(const char *)body + 2, body[1]};
    return true;
}

talea_posting *tl_legs_copy(tl_legs *legs, const talea_posting *from, uint32_t count) {
    if (!legs_reserve(legs, count)) {
        return NULL;
    }
    memcpy(legs->data, from, count * sizeof *from);
    return legs->data;
}

void tl_legs_free(tl_legs *legs) {
    free(legs->data);
    *legs = (tl_legs){0};
}

/* ---- account_opened --------------------------------------------------------------------------- */

static talea_i128 get_i128(tl_span *s) {
    return tl_unzigzag(tl_span_varint(s));
}

size_t tl_account_bytes_max(const talea_account_def *def) {
    return 4 + text_bytes_max(def->account) + text_bytes_max(def->asset) +
           2 * (size_t)TL_VARINT_BYTES_MAX;
}

size_t tl_account_encode(const talea_account_def *def, uint8_t *out) {
    assert(def->account.len >= 1 && def->account.len <= TL_NAME_BYTES_MAX);
    assert(def->asset.len >= 1 && def->asset.len <= TL_NAME_BYTES_MAX);
    assert(def->precision <= TL_PRECISION_MAX);
    uint8_t *p = out;
    *p++ = (uint8_t)((def->has_min ? HAS_MIN : 0) | (def->has_max ? HAS_MAX : 0));
    *p++ = (uint8_t)def->kind;
    *p++ = (uint8_t)def->side;
    *p++ = (uint8_t)def->precision;
    p += put_text(p, def->account);
    p += put_text(p, def->asset);
    if (def->has_min) {
        p += tl_put_varint(p, tl_zigzag(def->min_balance));
    }
    if (def->has_max) {
        p += tl_put_varint(p, tl_zigzag(def->max_balance));
    }
    return (size_t)(p - out);
}

bool tl_account_decode(const uint8_t *body, size_t len, talea_account_def *out) {
    tl_span s = tl_span_of(body, len);
    uint8_t flags = tl_span_u8(&s);
    uint8_t kind = tl_span_u8(&s);
    uint8_t side = tl_span_u8(&s);
    uint8_t precision = tl_span_u8(&s);
    if (s.bad || flags > ACCOUNT_FLAGS || kind < TALEA_KIND_ASSET || kind > TALEA_KIND_CLEARING ||
        side > TALEA_SIDE_CREDIT || precision > TL_PRECISION_MAX) {
        return false;
    }
    talea_account_def def = {.kind = (talea_kind)kind,
                             .side = (talea_side)side,
                             .precision = precision,
                             .has_min = flags & HAS_MIN,
                             .has_max = (flags & HAS_MAX) != 0};
    def.account = get_text(&s, 1, TL_NAME_BYTES_MAX);
    def.asset = get_text(&s, 1, TL_NAME_BYTES_MAX);
    if (def.has_min) {
        def.min_balance = get_i128(&s);
    }
    if (def.has_max) {
        def.max_balance = get_i128(&s);
    }
    if (!finished(&s)) {
        return false;
    }
    *out = def;
    return true;
}

/* ---- asset_registered ------------------------------------------------------------------------- */

size_t tl_asset_bytes_max(const talea_asset_def *def) {
    return 3 + text_bytes_max(def->asset) + text_bytes_max(def->network) +
           text_bytes_max(def->native_id) + text_bytes_max(def->name);
}

size_t tl_asset_encode(const talea_asset_def *def, uint8_t *out) {
    assert(def->asset.len >= 1 && def->asset.len <= TL_NAME_BYTES_MAX);
    assert(def->precision <= TL_PRECISION_MAX);
    assert((def->network.data != NULL) == (def->asset_class == TALEA_CLASS_CRYPTO));
    uint8_t *p = out;
    *p++ = (uint8_t)((def->network.data ? HAS_NETWORK : 0) |
                     (def->native_id.data ? HAS_NATIVE_ID : 0) | (def->name.data ? HAS_NAME : 0));
    *p++ = (uint8_t)def->asset_class;
    *p++ = (uint8_t)def->precision;
    p += put_text(p, def->asset);
    if (def->network.data) {
        p += put_text(p, def->network);
    }
    if (def->native_id.data) {
        p += put_text(p, def->native_id);
    }
    if (def->name.data) {
        p += put_text(p, def->name);
    }
    return (size_t)(p - out);
}

bool tl_asset_decode(const uint8_t *body, size_t len, talea_asset_def *out) {
    tl_span s = tl_span_of(body, len);
    uint8_t flags = tl_span_u8(&s);
    uint8_t class = tl_span_u8(&s);
    uint8_t precision = tl_span_u8(&s);
    bool crypto = class == TALEA_CLASS_CRYPTO;
    if (s.bad || flags > ASSET_FLAGS || (class != TALEA_CLASS_FIAT && !crypto) ||
        precision > TL_PRECISION_MAX || ((flags & HAS_NETWORK) != 0) != crypto ||
        ((flags & HAS_NATIVE_ID) && !crypto)) {
        return false;
    }
    talea_asset_def def = {.asset_class = (talea_asset_class) class, .precision = precision};
    def.asset = get_text(&s, 1, TL_NAME_BYTES_MAX);
    if (flags & HAS_NETWORK) {
        def.network = get_text(&s, 1, TL_NAME_BYTES_MAX);
    }
    if (flags & HAS_NATIVE_ID) {
        def.native_id = get_text(&s, 0, TL_LABEL_BYTES_MAX);
    }
    if (flags & HAS_NAME) {
        def.name = get_text(&s, 0, TL_LABEL_BYTES_MAX);
    }
    if (!finished(&s)) {
        return false;
    }
    *out = def;
    return true;
}

/* ---- Any of them ------------------------------------------------------------------------------ */

bool tl_event_decode(tl_frame_kind kind, const uint8_t *body, size_t len, tl_legs *legs,
                     tl_event *out, bool *out_nomem) {
    *out_nomem = false;
    switch (kind) {
    case TL_FRAME_ASSET:
        out->kind = TALEA_EVENT_ASSET_REGISTERED;
        return tl_asset_decode(body, len, &out->u.asset);
    case TL_FRAME_ACCOUNT:
        out->kind = TALEA_EVENT_ACCOUNT_OPENED;
        return tl_account_decode(body, len, &out->u.account);
    case TL_FRAME_TRANSACTION:
        out->kind = TALEA_EVENT_TRANSACTION_POSTED;
        return tl_transaction_decode(body, len, legs, &out->u.transaction, out_nomem);
    case TL_FRAME_LINK:
    case TL_FRAME_SEAL:
    case TL_FRAME_MARK: break;
    }
    return false;
}
