/*
 * json.c: JSON by way of SQLite's own functions, with statements that the connection keeps.
 *
 * How: json_tree visits every node once, parents before children; the state machine below accepts
 *
 *     array            the root                        at the first row
 *       object         a posting, p->index             parent = root
 *         member       account, asset, debit, ...      parent = posting
 *           member     minor, asset                    parent = amount of this posting
 *
 * and refuses the rest. An integer that 64 bits do not hold comes as REAL from every JSON function
 * except `->`, which gives the text of the node, so that is asked, for such nodes only.
 *
 * SQLite ends a string at \u0000; a name that is cut there could be the name of another account, so
 * text with this escape is refused beforehand.
 */
#include "json.h"

#include "error.h"
#include "value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Statements and memory ------------------------------------------------------------------- */

enum { KEPT_BYTES_MAX = 1 << 20 }; /* larger memory is given back after the row */

static void forget_memory(tlx_json *json) {
    free(json->legs);
    sqlite3_free(json->text);
    json->legs = NULL;
    json->leg_cap = 0;
    json->text = NULL;
    json->text_cap = 0;
}

void tlx_json_close(tlx_json *json) {
    sqlite3_finalize(json->walk);
    sqlite3_finalize(json->minify);
    json->walk = NULL;
    json->minify = NULL;
    forget_memory(json);
}

static talea_code sqlite_error(sqlite3 *db, int rc, const char *what, talea_error *err) {
    if (rc == SQLITE_NOMEM) {
        return tlx_error_nomem(err);
    }
    return tlx_error_set(err, TALEA_INVALID_DRAFT, "%s: %s", what, sqlite3_errmsg(db));
}

static talea_code prepare(sqlite3_stmt **stmt, sqlite3 *db, const char *sql, unsigned flags,
                          const char *what, talea_error *err) {
    if (*stmt) {
        return TALEA_OK;
    }
    int rc = sqlite3_prepare_v3(db, sql, -1, flags | SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    return rc == SQLITE_OK ? TALEA_OK : sqlite_error(db, rc, what, err);
}

/* The text outlives the statement's run. */
static int bind_text(sqlite3_stmt *stmt, int parameter, talea_text text) {
    if (!text.data) {
        return sqlite3_bind_null(stmt, parameter);
    }
    return sqlite3_bind_text64(stmt, parameter, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void rewind_statement(sqlite3_stmt *stmt) {
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

/* ---- The members of a posting ---------------------------------------------------------------- */

typedef enum member { ACCOUNT, ASSET, DEBIT, CREDIT, AMOUNT, DIRECTION, MINOR } member;

enum { OUTSIDE = 1, INSIDE = 2 }; /* of "amount" */

static const struct {
    const char *name;
    unsigned where;
} members[] = {
    [ACCOUNT] = {"account", OUTSIDE}, [ASSET] = {"asset", OUTSIDE | INSIDE},
    [DEBIT] = {"debit", OUTSIDE},     [CREDIT] = {"credit", OUTSIDE},
    [AMOUNT] = {"amount", OUTSIDE},   [DIRECTION] = {"direction", OUTSIDE},
    [MINOR] = {"minor", INSIDE},
};
enum { MEMBER_COUNT = sizeof members / sizeof members[0] };

#define BIT(member) (1U << (member))

enum { COLUMN_KEY, COLUMN_TYPE, COLUMN_ATOM, COLUMN_PARENT, COLUMN_ID, COLUMN_LITERAL };

static const char walk_sql[] =
    "SELECT key, type, atom, parent, id,"
    " iif(type = 'integer' AND typeof(atom) = 'real', ?1 -> fullkey, NULL)"
    " FROM json_tree(?1)";

typedef struct parse {
    tlx_json *json;
    sqlite3_stmt *row;
    size_t count;       /* finished postings */
    size_t text_len;    /* used of json->text */
    sqlite3_int64 root; /* ids of nodes; the posting's is -1 before the first */
    sqlite3_int64 posting;
    sqlite3_int64 amount; /* -1: none in this posting */
    unsigned seen;        /* members of the posting, BIT(member) */
    unsigned given;       /* those that are not null */
    talea_leg leg;
    talea_error *err;
} parse;

static talea_code bad(const parse *p, talea_code code, const char *words) {
    return tlx_error_set(p->err, code, "postings[%zu]: %s", p->count, words);
}

static talea_text column_text(sqlite3_stmt *row, int column) {
    talea_text text = {(const char *)sqlite3_column_text(row, column), 0};
    if (text.data) {
        text.len = (size_t)sqlite3_column_bytes(row, column);
    }
    return text;
}

/* Copies a string of the JSON. There is room: decoded, it is never longer than it was in the
 * source. */
static talea_code take_text(parse *p, const char *type, member which, talea_text *out_text) {
    talea_text text = column_text(p->row, COLUMN_ATOM);
    if (strcmp(type, "text") != 0) {
        return tlx_error_set(p->err, TALEA_INVALID_DRAFT, "postings[%zu]: %s must be a string",
                             p->count, members[which].name);
    }
    if (!text.data) {
        return tlx_error_nomem(p->err);
    }
    assert(p->text_len + text.len <= p->json->text_cap);
    char *copy = p->json->text + p->text_len;
    memcpy(copy, text.data, text.len);
    p->text_len += text.len;
    *out_text = (talea_text){copy, text.len};
    return TALEA_OK;
}

static talea_code take_amount(parse *p, const char *type, member which) {
    bool integer = strcmp(type, "integer") == 0;
    bool literal = integer && sqlite3_column_type(p->row, COLUMN_LITERAL) != SQLITE_NULL;
    talea_text text = column_text(p->row, literal ? COLUMN_LITERAL : COLUMN_ATOM);
    bool good = (integer || strcmp(type, "text") == 0) && text.data &&
                talea_amount_parse(text.data, text.len, &p->leg.amount) && p->leg.amount > 0;
    if (!good) {
        if (!text.data || strcmp(type, "true") == 0 || strcmp(type, "false") == 0) {
            text = (talea_text){type, strlen(type)};
        }
        return tlx_error_set(
            p->err, TALEA_INVALID_AMOUNT,
            "postings[%zu]: %s %.*s is not an integer of minor units greater than 0", p->count,
            members[which].name, tlx_shown(text), text.data);
    }
    return TALEA_OK;
}

static talea_code take_direction(parse *p, const char *type) {
    talea_text text = column_text(p->row, COLUMN_ATOM);
    if (strcmp(type, "text") != 0 || !tlx_side_parse(text, &p->leg.side) ||
        p->leg.side == TALEA_SIDE_NONE) {
        return bad(p, TALEA_INVALID_DRAFT, "direction must be \"debit\" or \"credit\"");
    }
    return TALEA_OK;
}

static talea_code take_value(parse *p, const char *type, member which) {
    switch (which) {
    case ACCOUNT: return take_text(p, type, which, &p->leg.account);
    case ASSET: return take_text(p, type, which, &p->leg.asset);
    case DEBIT: p->leg.side = TALEA_SIDE_DEBIT; return take_amount(p, type, which);
    case CREDIT: p->leg.side = TALEA_SIDE_CREDIT; return take_amount(p, type, which);
    case MINOR: return take_amount(p, type, which);
    case DIRECTION: return take_direction(p, type);
    case AMOUNT:
        if (strcmp(type, "object") != 0) {
            return bad(p, TALEA_INVALID_AMOUNT, "amount must be {\"minor\", \"asset\"}");
        }
        p->amount = sqlite3_column_int64(p->row, COLUMN_ID);
        return TALEA_OK;
    }
    return TALEA_OK;
}

static talea_code take_member(parse *p, const char *type, unsigned where) {
    talea_text key = column_text(p->row, COLUMN_KEY);
    unsigned which = 0;
    while (which < MEMBER_COUNT &&
           !((members[which].where & where) && tlx_text_is(key, members[which].name))) {
        which++;
    }
    if (which == MEMBER_COUNT) {
        return tlx_error_set(p->err, TALEA_INVALID_DRAFT, "postings[%zu]: unknown member '%.*s'",
                             p->count, tlx_shown(key), key.data ? key.data : "");
    }
    if (p->seen & BIT(which)) {
        return tlx_error_set(p->err, TALEA_INVALID_DRAFT, "postings[%zu]: %s is given twice",
                             p->count, members[which].name);
    }
    p->seen |= BIT(which);
    if (strcmp(type, "null") == 0) {
        return TALEA_OK;
    }
    p->given |= BIT(which);
    return take_value(p, type, (member)which);
}

/* ---- Postings -------------------------------------------------------------------------------- */

static talea_code push_leg(parse *p) {
    tlx_json *json = p->json;
    if (p->count == json->leg_cap) {
        size_t cap = json->leg_cap ? 2 * json->leg_cap : 16;
        /* Not sqlite3_realloc: it aligns to 8 bytes only, and an amount wants 16. */
        talea_leg *legs = realloc(json->legs, cap * sizeof *legs);
        if (!legs) {
            return tlx_error_nomem(p->err);
        }
        json->legs = legs;
        json->leg_cap = cap;
    }
    json->legs[p->count++] = p->leg;
    return TALEA_OK;
}

/* A posting is over when the next begins, and at the end. */
static talea_code finish_posting(parse *p) {
    if (p->posting < 0) {
        return TALEA_OK;
    }
    unsigned plain = p->given & (BIT(DEBIT) | BIT(CREDIT));
    unsigned nested = p->given & (BIT(AMOUNT) | BIT(DIRECTION) | BIT(MINOR));
    if (!(p->given & BIT(ACCOUNT))) {
        return bad(p, TALEA_INVALID_DRAFT, "account is missing");
    }
    if (!plain == !nested) {
        return bad(p, TALEA_INVALID_DRAFT,
                   "it takes either debit or credit, or amount and direction");
    }
    if (plain == (BIT(DEBIT) | BIT(CREDIT))) {
        return bad(p, TALEA_INVALID_DRAFT, "it takes one of debit and credit, not both");
    }
    if (nested && nested != (BIT(AMOUNT) | BIT(DIRECTION) | BIT(MINOR))) {
        return bad(p, TALEA_INVALID_DRAFT, "it takes both amount {\"minor\", ...} and direction");
    }
    return push_leg(p);
}

static talea_code begin_posting(parse *p, const char *type) {
    talea_code code = finish_posting(p);
    if (code != TALEA_OK) {
        return code;
    }
    if (strcmp(type, "object") != 0) {
        return bad(p, TALEA_INVALID_DRAFT, "must be an object");
    }
    p->posting = sqlite3_column_int64(p->row, COLUMN_ID);
    p->amount = -1;
    p->seen = 0;
    p->given = 0;
    p->leg = (talea_leg){.amount = 0};
    return TALEA_OK;
}

static talea_code take_node(parse *p) {
    const char *type = (const char *)sqlite3_column_text(p->row, COLUMN_TYPE);
    if (!type) {
        return tlx_error_nomem(p->err);
    }
    if (p->root < 0) {
        p->root = sqlite3_column_int64(p->row, COLUMN_ID);
        if (strcmp(type, "array") != 0) {
            return tlx_error_set(p->err, TALEA_INVALID_DRAFT, "postings: must be an array, not %s",
                                 type);
        }
        return TALEA_OK;
    }
    sqlite3_int64 parent = sqlite3_column_int64(p->row, COLUMN_PARENT);
    if (parent == p->root) {
        return begin_posting(p, type);
    }
    /* Deeper nodes have a parent that was refused as a value. */
    assert(parent == p->posting || parent == p->amount);
    return take_member(p, type, parent == p->posting ? OUTSIDE : INSIDE);
}

static bool has_nul_escape(talea_text json) {
    const char *end = json.data + json.len;
    const char *at = json.data;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0) {
            return true;
        }
        at += end - at >= 2 ? 2 : 1;
    }
    return false;
}

static talea_code reserve_text(tlx_json *json, size_t bytes, talea_error *err) {
    if (json->text_cap < bytes) {
        char *text = sqlite3_realloc64(json->text, bytes);
        if (!text) {
            return tlx_error_nomem(err);
        }
        json->text = text;
        json->text_cap = bytes;
    }
    return TALEA_OK;
}

static talea_code walk(parse *p, sqlite3 *db) {
    for (;;) {
        int rc = sqlite3_step(p->row);
        if (rc == SQLITE_DONE) {
            return finish_posting(p);
        }
        if (rc != SQLITE_ROW) {
            return sqlite_error(db, rc, "postings", p->err);
        }
        talea_code code = take_node(p);
        if (code != TALEA_OK) {
            return code;
        }
    }
}

talea_code tlx_json_legs(tlx_json *json, sqlite3 *db, talea_text postings,
                         const talea_leg **out_legs, size_t *out_count, talea_error *err) {
    if (json->text_cap > KEPT_BYTES_MAX || json->leg_cap > KEPT_BYTES_MAX / sizeof *json->legs) {
        forget_memory(json);
    }
    if (has_nul_escape(postings)) {
        return tlx_error_set(err, TALEA_INVALID_DRAFT, "postings: a string contains \\u0000");
    }
    talea_code code = reserve_text(json, postings.len + 1, err);
    if (code == TALEA_OK) {
        code = prepare(&json->walk, db, walk_sql, 0, "postings", err);
    }
    if (code != TALEA_OK) {
        return code;
    }
    parse p = {
        .json = json, .row = json->walk, .root = -1, .posting = -1, .amount = -1, .err = err};
    int rc = bind_text(json->walk, 1, postings);
    code = rc == SQLITE_OK ? walk(&p, db) : sqlite_error(db, rc, "postings", err);
    rewind_statement(json->walk);
    if (code == TALEA_OK) {
        *out_legs = json->legs;
        *out_count = p.count;
    }
    return code;
}

/* ---- Documents ------------------------------------------------------------------------------- */

static const char minify_sql[] =
    "SELECT iif(json_valid(?1), json(?1), NULL), iif(json_valid(?2), json(?2), NULL)";

static talea_code minified(sqlite3_stmt *row, int column, const char *name, talea_text *text,
                           talea_error *err) {
    if (!text->data) {
        return TALEA_OK;
    }
    if (sqlite3_column_type(row, column) == SQLITE_NULL) {
        return tlx_error_set(err, TALEA_INVALID_DRAFT, "%s: '%.*s' is not JSON", name,
                             tlx_shown(*text), text->data);
    }
    *text = column_text(row, column);
    return text->data ? TALEA_OK : tlx_error_nomem(err);
}

talea_code tlx_json_minify(tlx_json *json, sqlite3 *db, talea_draft *draft, talea_error *err) {
    if (!draft->external_refs.data && !draft->metadata.data) {
        return TALEA_OK;
    }
    talea_code code =
        prepare(&json->minify, db, minify_sql, SQLITE_PREPARE_NO_VTAB, "metadata", err);
    if (code != TALEA_OK) {
        return code;
    }
    int rc = bind_text(json->minify, 1, draft->external_refs);
    if (rc == SQLITE_OK) {
        rc = bind_text(json->minify, 2, draft->metadata);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(json->minify);
    }
    if (rc == SQLITE_ROW) {
        code = minified(json->minify, 0, "external_refs", &draft->external_refs, err);
        if (code == TALEA_OK) {
            code = minified(json->minify, 1, "metadata", &draft->metadata, err);
        }
    } else {
        code = sqlite_error(db, rc, "metadata", err);
    }
    if (code != TALEA_OK) {
        rewind_statement(json->minify);
    }
    return code;
}

void tlx_json_release(tlx_json *json) {
    if (json->minify) {
        rewind_statement(json->minify);
    }
}
