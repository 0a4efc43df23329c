/*
 * The shape of what callers put in, as far as it can be judged without any state. Columns are named
 * as in the SQL tables, because that is what the caller sees.
 */
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "state/internal.h"

/* 0000-01-01T00:00:00.000000Z and 9999-12-31T23:59:59.999999Z: what talea_time_format can show. */
#define OCCURRED_AT_MIN (-INT64_C(62167219200000000))
#define OCCURRED_AT_MAX INT64_C(253402300799999999)

static talea_code check_name(const char *column, talea_text text, size_t bytes_max,
                             talea_error *err) {
    if (!text.data) {
        return tl_error(err, TALEA_INVALID_DRAFT, "%s is required", column);
    }
    if (!tl_name_valid(text, bytes_max)) {
        return tl_error(
            err, TALEA_INVALID_DRAFT,
            "%s must be 1 to %zu bytes of UTF-8 without control characters; this one has %zu bytes",
            column, bytes_max, text.len);
    }
    return TALEA_OK;
}

static talea_code check_optional(const char *column, talea_text text, size_t bytes_max,
                                 talea_error *err) {
    return text.data ? check_name(column, text, bytes_max, err) : TALEA_OK;
}

/* ---- Assets ---- */

static talea_code check_class(const talea_asset_def *def, talea_error *err) {
    if (def->asset_class == TALEA_CLASS_CRYPTO) {
        talea_code code =
            check_name("network (of a crypto asset)", def->network, TL_NAME_BYTES_MAX, err);
        return code != TALEA_OK
                   ? code
                   : check_optional("native_id", def->native_id, TL_LABEL_BYTES_MAX, err);
    }
    if (def->asset_class != TALEA_CLASS_FIAT) {
        return tl_error(err, TALEA_INVALID_DRAFT, "class must be fiat or crypto");
    }
    if (def->network.data || def->native_id.data) {
        return tl_error(err, TALEA_INVALID_DRAFT, "a fiat asset has no %s",
                        def->network.data ? "network" : "native_id");
    }
    return TALEA_OK;
}

talea_code tl_asset_check(const talea_asset_def *def, talea_error *err) {
    talea_code code = check_name("asset", def->asset, TL_NAME_BYTES_MAX, err);
    if (code == TALEA_OK) {
        code = check_class(def, err);
    }
    if (code == TALEA_OK) {
        code = check_optional("name", def->name, TL_LABEL_BYTES_MAX, err);
    }
    if (code == TALEA_OK && def->precision > TL_PRECISION_MAX) {
        code = tl_error(err, TALEA_INVALID_DRAFT, "precision must be 0 to %d, not %u",
                        TL_PRECISION_MAX, def->precision);
    }
    return code;
}

/* Absent and empty are not the same. */
static bool same_text(talea_text a, talea_text b) {
    return a.data && b.data ? tl_text_equal(a, b) : a.data == b.data;
}

bool tl_asset_same(const talea_asset_def *a, const talea_asset_def *b) {
    return a->asset_class == b->asset_class && a->precision == b->precision &&
           same_text(a->asset, b->asset) && same_text(a->network, b->network) &&
           same_text(a->native_id, b->native_id) && same_text(a->name, b->name);
}

/* ---- Accounts ---- */

talea_code tl_account_check(const talea_account_def *def, talea_error *err) {
    talea_code code = check_name("account", def->account, TL_NAME_BYTES_MAX, err);
    if (code == TALEA_OK) {
        code = check_name("asset", def->asset, TL_NAME_BYTES_MAX, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    if (def->kind < TALEA_KIND_ASSET || def->kind > TALEA_KIND_CLEARING) {
        return tl_error(err, TALEA_INVALID_DRAFT,
                        "kind must be asset, liability, income, expense, equity or clearing");
    }
    if (def->side != TALEA_SIDE_NONE && def->side != TALEA_SIDE_DEBIT &&
        def->side != TALEA_SIDE_CREDIT) {
        return tl_error(err, TALEA_INVALID_DRAFT, "normal_side must be debit, credit or none");
    }
    if (def->has_min && def->has_max && def->min_balance > def->max_balance) {
        char min[TALEA_AMOUNT_TEXT_BYTES];
        char max[TALEA_AMOUNT_TEXT_BYTES];
        talea_amount_format(def->min_balance, min);
        talea_amount_format(def->max_balance, max);
        return tl_error(err, TALEA_INVALID_DRAFT, "min_balance %s is above max_balance %s", min,
                        max);
    }
    return TALEA_OK;
}

static bool same_limit(bool has_a, talea_i128 a, bool has_b, talea_i128 b) {
    return has_a == has_b && (!has_a || a == b);
}

/* Precision is the asset's, not the caller's: not compared. */
bool tl_account_same(const talea_account_def *a, const talea_account_def *b) {
    return a->kind == b->kind && a->side == b->side && same_text(a->account, b->account) &&
           same_text(a->asset, b->asset) &&
           same_limit(a->has_min, a->min_balance, b->has_min, b->min_balance) &&
           same_limit(a->has_max, a->max_balance, b->has_max, b->max_balance);
}

/* ---- Drafts ---- */

static talea_code check_key(talea_text key, talea_error *err) {
    if (!key.data || key.len == 0) {
        return tl_error(err, TALEA_INVALID_DRAFT, "idempotency_key is required");
    }
    if (key.len > TL_KEY_BYTES_MAX) {
        return tl_error(err, TALEA_INVALID_DRAFT,
                        "idempotency_key has %zu bytes; at most %d are allowed", key.len,
                        TL_KEY_BYTES_MAX);
    }
    if (memchr(key.data, '\0', key.len) || !tl_utf8_valid(key)) {
        return tl_error(err, TALEA_INVALID_DRAFT,
                        "idempotency_key must be UTF-8 without NUL characters");
    }
    return TALEA_OK;
}

talea_code tl_amount_refuse(talea_text account, talea_i128 amount, talea_error *err) {
    char words[TALEA_AMOUNT_TEXT_BYTES];
    talea_amount_format(amount, words);
    return tl_error(err, TALEA_INVALID_AMOUNT,
                    "account \"%.*s\": amount must be greater than 0, not %s", (int)account.len,
                    account.data, words);
}

static talea_code check_leg(const talea_leg *leg, talea_error *err) {
    talea_code code = check_name("account", leg->account, TL_NAME_BYTES_MAX, err);
    if (code == TALEA_OK) {
        code = check_optional("asset", leg->asset, TL_NAME_BYTES_MAX, err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    if (leg->side != TALEA_SIDE_DEBIT && leg->side != TALEA_SIDE_CREDIT) {
        return tl_error(err, TALEA_INVALID_DRAFT,
                        "account \"%.*s\": a posting is either a debit or a credit",
                        (int)leg->account.len, leg->account.data);
    }
    return leg->amount > 0 ? TALEA_OK : tl_amount_refuse(leg->account, leg->amount, err);
}

static talea_code check_blob(const char *column, talea_text blob, talea_error *err) {
    if (blob.data && blob.len > TL_BLOB_BYTES_MAX) {
        return tl_error(err, TALEA_TOO_LARGE, "%s has %zu bytes; at most %d are allowed", column,
                        blob.len, TL_BLOB_BYTES_MAX);
    }
    if (blob.data && (!tl_utf8_valid(blob) || memchr(blob.data, 0, blob.len))) {
        return tl_error(err, TALEA_INVALID_DRAFT, "%s is not well-formed UTF-8", column);
    }
    return TALEA_OK;
}

static talea_code check_occurred_at(const talea_draft *draft, talea_error *err) {
    if (draft->has_occurred_at &&
        (draft->occurred_at < OCCURRED_AT_MIN || draft->occurred_at > OCCURRED_AT_MAX)) {
        return tl_error(err, TALEA_INVALID_DRAFT,
                        "occurred_at must lie in the years 0000 to 9999, not %" PRId64
                        " microseconds from 1970",
                        draft->occurred_at);
    }
    return TALEA_OK;
}

talea_code tl_draft_check(const talea_draft *draft, talea_error *err) {
    talea_code code = check_key(draft->key, err);
    if (code == TALEA_OK) {
        code = tl_postings_count_check(draft->leg_count, err);
    }
    for (size_t i = 0; code == TALEA_OK && i < draft->leg_count; i++) {
        code = check_leg(&draft->legs[i], err);
    }
    if (code == TALEA_OK) {
        code = check_occurred_at(draft, err);
    }
    if (code == TALEA_OK) {
        code = check_blob("external_refs", draft->external_refs, err);
    }
    return code != TALEA_OK ? code : check_blob("metadata", draft->metadata, err);
}

talea_code tl_asset_exists(talea_text asset, talea_error *err) {
    return tl_error(err, TALEA_ALREADY_EXISTS,
                    "asset \"%.*s\" is registered with a different definition", (int)asset.len,
                    asset.data);
}

talea_code tl_account_exists(talea_text account, talea_text book, talea_error *err) {
    return tl_error(err, TALEA_ALREADY_EXISTS,
                    "account \"%.*s\" is open in book \"%.*s\" with a different definition",
                    (int)account.len, account.data, (int)book.len, book.data);
}
