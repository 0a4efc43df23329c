/*
 * plan.c: how a set of constraints becomes a plan (plan.h has the encoding).
 *
 * Every argument is a restriction that xFilter may widen, never narrow: whatever is not exactly
 * SQLite's own comparison is left to be checked again (`omit` stays 0). Exact for every type of
 * value are only seq, whose column has INTEGER affinity, and the hidden arguments, which are no
 * comparison at all. Names are not: with a number on the other side, the affinity that SQLite will
 * apply is not known here.
 *
 * An IN is taken whole, since where SQLite goes through it value by value, what it checks again is
 * an `=` with other affinities than the IN's: rows that a wide filter let through could stay.
 *
 * A hidden argument has the value that it was given, NULL when it was given none: there a
 * comparison is false, and rows would be missing without a word. So `as_of < X` is refused, and a
 * plan that does not pass an argument which the query uses is dear: SQLite then takes the terms of
 * an OR one by one, if each can pass it.
 *
 * Order is claimed only where it is a strict sort, which satisfies each mode of
 * sqlite3_vtab_distinct, so that one is never asked. LIMIT is never taken as an argument: it would
 * count rows before SQLite's recheck, and a scan that is lazy gains nothing from it. It only lowers
 * the estimate.
 */
#include "plan.h"

#include "error.h"

#include <assert.h>
#include <string.h>

static_assert(TLX_ARG_COUNT <= 13, "arguments and flags share idxNum");

typedef struct plan {
    const tlx_plan_spec *spec;
    sqlite3_index_info *info;
    int picked[TLX_ARG_COUNT]; /* index of the constraint, -1: none */
    unsigned flags;            /* TLX_PLAN_ and TLX_ARG_BIT */
    bool by_book;              /* the order that was asked for needs it */
    bool by_seq;
    bool limited;
    const tlx_plan_column *misused; /* a hidden argument that is compared in another way */
} plan;

static const tlx_plan_column *column_of(const tlx_plan_spec *spec, int column) {
    for (size_t i = 0; i < spec->column_count; i++) {
        if (spec->columns[i].column == column) {
            return &spec->columns[i];
        }
    }
    return NULL;
}

static tlx_role role_of(const tlx_plan_spec *spec, int column) {
    const tlx_plan_column *found = column_of(spec, column);
    return found != NULL ? found->role : TLX_ROLE_NONE;
}

static bool uses(const sqlite3_index_info *info, const tlx_plan_column *column) {
    return (info->colUsed >> column->column & 1) != 0;
}

static bool role_is_hidden(tlx_role role) {
    return role == TLX_ROLE_AS_OF || role == TLX_ROLE_AS_OF_SEQ;
}

/* The argument that (role, operator) feeds, -1 when that is left to SQLite. */
static int arg_of(tlx_role role, int operator) {
    static const int equal[] = {
        [TLX_ROLE_NONE] = -1,
        [TLX_ROLE_BOOK] = TLX_ARG_BOOK,
        [TLX_ROLE_ACCOUNT] = TLX_ARG_ACCOUNT,
        [TLX_ROLE_ASSET] = TLX_ARG_ASSET,
        [TLX_ROLE_KEY] = TLX_ARG_KEY,
        [TLX_ROLE_TXID] = TLX_ARG_TXID,
        [TLX_ROLE_SEQ] = TLX_ARG_SEQ,
        [TLX_ROLE_AT] = TLX_ARG_AT,
        [TLX_ROLE_IDX] = -1,
        [TLX_ROLE_BALANCE] = -1,
        [TLX_ROLE_AS_OF] = TLX_ARG_AS_OF,
        [TLX_ROLE_AS_OF_SEQ] = TLX_ARG_AS_OF_SEQ,
    };
    bool ranged = role == TLX_ROLE_SEQ || role == TLX_ROLE_AT;
    switch (operator) {
    case SQLITE_INDEX_CONSTRAINT_EQ: return equal[role];
    case SQLITE_INDEX_CONSTRAINT_IS: return role_is_hidden(role) ? equal[role] : -1;
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE:
        return ranged ? (role == TLX_ROLE_SEQ ? TLX_ARG_SEQ_LOW : TLX_ARG_AT_LOW) : -1;
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE:
        return ranged ? (role == TLX_ROLE_SEQ ? TLX_ARG_SEQ_HIGH : TLX_ARG_AT_HIGH) : -1;
    default: return -1;
    }
}

/* The flag that tells the operator, where an argument has two. */
static unsigned operator_flag(int arg, int operator) {
    switch (operator) {
    case SQLITE_INDEX_CONSTRAINT_GT:
        return arg == TLX_ARG_SEQ_LOW ? TLX_PLAN_SEQ_LOW_OPEN : TLX_PLAN_AT_LOW_OPEN;
    case SQLITE_INDEX_CONSTRAINT_LT:
        return arg == TLX_ARG_SEQ_HIGH ? TLX_PLAN_SEQ_HIGH_OPEN : TLX_PLAN_AT_HIGH_OPEN;
    case SQLITE_INDEX_CONSTRAINT_IS:
        return arg == TLX_ARG_AS_OF ? TLX_PLAN_AS_OF_IS : TLX_PLAN_AS_OF_SEQ_IS;
    default: return 0;
    }
}

/* Names, keys and times are compared byte by byte; `book = 'MAIN' COLLATE NOCASE` is not. */
static bool collation_fits(sqlite3_index_info *info, int constraint, tlx_role role) {
    if (role == TLX_ROLE_SEQ || role_is_hidden(role)) {
        return true;
    }
    const char *collation = sqlite3_vtab_collation(info, constraint);
    return collation != NULL && sqlite3_stricmp(collation, "BINARY") == 0;
}

unsigned tlx_plan_list_flag(int arg) {
    static const unsigned flags[TLX_ARG_COUNT] = {
        [TLX_ARG_BOOK] = TLX_PLAN_BOOK_LIST,   [TLX_ARG_ACCOUNT] = TLX_PLAN_ACCOUNT_LIST,
        [TLX_ARG_ASSET] = TLX_PLAN_ASSET_LIST, [TLX_ARG_KEY] = TLX_PLAN_KEY_LIST,
        [TLX_ARG_TXID] = TLX_PLAN_TXID_LIST,   [TLX_ARG_SEQ] = TLX_PLAN_SEQ_LIST,
    };
    return flags[arg];
}

static bool is_misuse(tlx_role role, int operator) {
    return role_is_hidden(role) && operator!= SQLITE_INDEX_CONSTRAINT_EQ && operator!=
           SQLITE_INDEX_CONSTRAINT_IS &&
           operator!= SQLITE_INDEX_CONSTRAINT_ISNULL &&
           operator!= SQLITE_INDEX_CONSTRAINT_ISNOTNULL;
}

/* Picks one constraint for each argument; a second one for the same stays with SQLite. */
static int pick_constraints(plan *p) {
    for (int i = 0; i < TLX_ARG_COUNT; i++) {
        p->picked[i] = -1;
    }
    for (int i = 0; i < p->info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
        if (c->op == SQLITE_INDEX_CONSTRAINT_LIMIT || c->op == SQLITE_INDEX_CONSTRAINT_OFFSET) {
            /* its iColumn means nothing */
            p->limited = p->limited || (c->op == SQLITE_INDEX_CONSTRAINT_LIMIT && c->usable);
            continue;
        }
        tlx_role role = role_of(p->spec, c->iColumn);
        if (is_misuse(role, c->op)) {
            p->misused = column_of(p->spec, c->iColumn);
        }
        int arg = arg_of(role, c->op);
        if (arg < 0) {
            continue;
        }
        if (!c->usable) {
            if (role_is_hidden(role)) {
                return SQLITE_CONSTRAINT; /* only another order of joins can say which instant */
            }
            continue;
        }
        bool fits = arg != TLX_ARG_AT || !sqlite3_vtab_in(p->info, i, -1);
        if (p->picked[arg] < 0 && fits && collation_fits(p->info, i, role)) {
            p->picked[arg] = i;
            p->flags |= TLX_ARG_BIT(arg) | operator_flag(arg, c->op);
        }
    }
    return SQLITE_OK;
}

static void assign_arguments(plan *p) {
    int position = 0;
    for (int arg = 0; arg < TLX_ARG_COUNT; arg++) {
        if (p->picked[arg] < 0) {
            continue;
        }
        unsigned list = tlx_plan_list_flag(arg);
        if (list != 0 && sqlite3_vtab_in(p->info, p->picked[arg], 1)) {
            p->flags |= list;
        }
        bool seq = arg == TLX_ARG_SEQ || arg == TLX_ARG_SEQ_LOW || arg == TLX_ARG_SEQ_HIGH;
        bool exact = (seq && (p->flags & TLX_PLAN_SEQ_LIST) == 0) || arg == TLX_ARG_AS_OF ||
                     arg == TLX_ARG_AS_OF_SEQ;
        struct sqlite3_index_constraint_usage *usage = &p->info->aConstraintUsage[p->picked[arg]];
        usage->argvIndex = ++position;
        usage->omit = exact;
    }
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* Rows come sorted by book, seq, idx; seq and idx run in one direction. True when that is the order
 * asked for: terms are met one after the other, and what follows a complete sort does not matter.
 */
static bool order_fits(plan *p) {
    bool one_book = p->picked[TLX_ARG_BOOK] >= 0 && (p->flags & TLX_PLAN_BOOK_LIST) == 0;
    bool has_idx = false;
    for (size_t i = 0; i < p->spec->column_count; i++) {
        has_idx = has_idx || p->spec->columns[i].role == TLX_ROLE_IDX;
    }
    enum { AT_BOOK, AT_SEQ, AT_IDX, SORTED } stage = one_book ? AT_SEQ : AT_BOOK;
    for (int i = 0; i < p->info->nOrderBy && stage != SORTED; i++) {
        bool desc = p->info->aOrderBy[i].desc != 0;
        tlx_role role = role_of(p->spec, p->info->aOrderBy[i].iColumn);
        if (role == TLX_ROLE_BOOK) {
            if (stage == AT_BOOK) {
                p->flags |= desc ? TLX_PLAN_BOOK_DESC : 0;
                p->by_book = true;
                stage = AT_SEQ;
            }
            continue; /* else one value in all that is left to sort */
        }
        if (stage == AT_BOOK) {
            return false;
        }
        if (role == TLX_ROLE_AT && stage == AT_IDX) {
            continue;
        }
        bool fits = role == TLX_ROLE_AT || (role == TLX_ROLE_SEQ) ||
                    (role == TLX_ROLE_IDX && stage == AT_IDX);
        if (!fits || (p->by_seq && desc != ((p->flags & TLX_PLAN_SEQ_DESC) != 0))) {
            return false;
        }
        p->by_seq = true;
        p->flags |= (desc ? TLX_PLAN_SEQ_DESC : 0) | (one_book ? TLX_PLAN_ONE_BOOK : 0);
        if (role == TLX_ROLE_SEQ) {
            stage = has_idx ? AT_IDX : SORTED;
        } else if (role == TLX_ROLE_IDX) {
            stage = SORTED;
        }
    }
    return true;
}

static void consume_order(plan *p) {
    unsigned before = p->flags;
    if (p->info->nOrderBy > 0 && order_fits(p)) {
        p->info->orderByConsumed = 1;
        return;
    }
    p->flags = before;
    p->by_book = false;
    p->by_seq = false;
}

/* ---- Cost ------------------------------------------------------------------------------------ */

/* How many of the rows an argument leaves. A ledger has one or a few books, a thousand accounts
 * that are in use, some assets. */
static double share_of(const plan *p, int arg) {
    double one = 1.0 / p->spec->rows;
    switch (arg) {
    case TLX_ARG_BOOK: return 0.5;
    case TLX_ARG_ACCOUNT: return one > 1e-3 ? one : 1e-3;
    case TLX_ARG_ASSET:
    case TLX_ARG_SEQ_LOW:
    case TLX_ARG_SEQ_HIGH:
    case TLX_ARG_AT_LOW:
    case TLX_ARG_AT_HIGH: return 0.25;
    case TLX_ARG_KEY:
    case TLX_ARG_TXID:
    case TLX_ARG_SEQ: return one;
    case TLX_ARG_AT: return 10 * one;
    default: return 1.0;
    }
}

/* The constant behind LIMIT, when SQLite knows it already. */
static double limit_of(plan *p, double rows) {
    for (int i = 0; i < p->info->nConstraint; i++) {
        sqlite3_value *value = NULL;
        if (p->info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_LIMIT &&
            sqlite3_vtab_rhs_value(p->info, i, &value) == SQLITE_OK &&
            sqlite3_value_int64(value) >= 0) {
            double limit = (double)sqlite3_value_int64(value);
            return limit < rows ? limit : rows;
        }
    }
    return rows;
}

/* Whether each argument of the set is there, with one value. */
static bool fixes(const plan *p, unsigned key) {
    for (int arg = 0; arg < TLX_ARG_COUNT; arg++) {
        if ((key & TLX_ARG_BIT(arg)) != 0 &&
            (p->picked[arg] < 0 || (p->flags & tlx_plan_list_flag(arg)) != 0)) {
            return false;
        }
    }
    return true;
}

/* How much dearer the instant makes each row. */
static double cost_of_instant(const plan *p) {
    if ((p->flags & (TLX_ARG_BIT(TLX_ARG_AS_OF) | TLX_ARG_BIT(TLX_ARG_AS_OF_SEQ))) != 0) {
        return 4;
    }
    bool used = false;
    for (size_t i = 0; i < p->spec->column_count; i++) {
        const tlx_plan_column *column = &p->spec->columns[i];
        used = used || (role_is_hidden(column->role) && uses(p->info, column));
    }
    return used ? 1e6 : 1;
}

static void estimate(plan *p) {
    double rows = p->spec->rows;
    double visited = rows; /* the rest is passed over by comparing */
    for (int arg = 0; arg < TLX_ARG_COUNT; arg++) {
        if (p->picked[arg] < 0) {
            continue;
        }
        double share = share_of(p, arg);
        bool listed = (p->flags & tlx_plan_list_flag(arg)) != 0;
        rows *= listed ? 10 * share : share;
        if (arg != TLX_ARG_ASSET || p->spec->keys[0] == TLX_ARG_BIT(TLX_ARG_ASSET)) {
            visited *= listed ? 10 * share : share;
        }
    }
    for (size_t i = 0; i < TLX_PLAN_KEYS_MAX && p->spec->keys[i] != 0; i++) {
        if (fixes(p, p->spec->keys[i])) {
            p->info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
            rows = 1;
        }
    }
    rows = rows < 1 ? 1 : rows;
    visited = visited < 1 ? 1 : visited;
    p->limited = p->limited && (p->info->nOrderBy == 0 || p->info->orderByConsumed);
    if (p->limited) {
        rows = limit_of(p, rows);
    }
    double books = (p->flags & TLX_ARG_BIT(TLX_ARG_BOOK)) != 0 ? 1 : 10;
    p->info->estimatedRows = (sqlite3_int64)rows;
    p->info->estimatedCost = books + visited * p->spec->row_cost * cost_of_instant(p);
}

/* ---- The plan string ------------------------------------------------------------------------- */

typedef struct words {
    char text[256];
    size_t len;
} words;

static void add_word(words *w, const char *name, const char *tail) {
    size_t name_len = strlen(name);
    size_t tail_len = strlen(tail);
    if (w->len + name_len + tail_len + 2 > sizeof w->text) {
        return; /* cannot be: all words together are shorter */
    }
    if (w->len > 0) {
        w->text[w->len++] = ' ';
    }
    memcpy(w->text + w->len, name, name_len);
    memcpy(w->text + w->len + name_len, tail, tail_len);
    w->len += name_len + tail_len;
    w->text[w->len] = '\0';
}

static const char *operator_text(const plan *p, int arg) {
    if ((p->flags & tlx_plan_list_flag(arg)) != 0) {
        return " in";
    }
    switch (p->info->aConstraint[p->picked[arg]].op) {
    case SQLITE_INDEX_CONSTRAINT_GT: return ">";
    case SQLITE_INDEX_CONSTRAINT_GE: return ">=";
    case SQLITE_INDEX_CONSTRAINT_LT: return "<";
    case SQLITE_INDEX_CONSTRAINT_LE: return "<=";
    case SQLITE_INDEX_CONSTRAINT_IS: return " is";
    default: return "=";
    }
}

static int describe(plan *p) {
    words w = {.len = 0};
    for (int arg = 0; arg < TLX_ARG_COUNT; arg++) {
        if (p->picked[arg] >= 0) {
            int column = p->info->aConstraint[p->picked[arg]].iColumn;
            add_word(&w, column_of(p->spec, column)->name, operator_text(p, arg));
        }
    }
    if (w.len == 0) {
        add_word(&w, "all", "");
    }
    if ((p->flags & TLX_PLAN_BALANCE) != 0) {
        add_word(&w, "balance", "");
    }
    if (p->by_book) {
        add_word(&w, "order:book", (p->flags & TLX_PLAN_BOOK_DESC) != 0 ? " desc" : "");
    }
    if (p->by_seq) {
        add_word(&w, "order:seq", (p->flags & TLX_PLAN_SEQ_DESC) != 0 ? " desc" : "");
    }
    if (p->limited) {
        add_word(&w, "limit", "");
    }
    p->info->idxStr = sqlite3_mprintf("%s", w.text);
    p->info->needToFreeIdxStr = 1;
    return p->info->idxStr != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int refuse_misuse(sqlite3_vtab *table, const tlx_plan_column *column) {
    talea_error err;
    tlx_error_set(&err, TALEA_BAD_OPTION,
                  "%s is an argument: it takes = or IS, and no other comparison", column->name);
    return tlx_fail(table, &err);
}

int tlx_plan(sqlite3_vtab *table, const tlx_plan_spec *spec, sqlite3_index_info *info) {
    plan p = {.spec = spec, .info = info};
    int rc = pick_constraints(&p);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (p.misused && p.picked[arg_of(p.misused->role, SQLITE_INDEX_CONSTRAINT_EQ)] < 0) {
        return refuse_misuse(table, p.misused);
    }
    for (size_t i = 0; i < spec->column_count; i++) {
        const tlx_plan_column *column = &spec->columns[i];
        if (column->role == TLX_ROLE_BALANCE && uses(info, column)) {
            p.flags |= TLX_PLAN_BALANCE;
        }
    }
    assign_arguments(&p);
    consume_order(&p);
    estimate(&p);
    info->idxNum = (int)p.flags;
    return describe(&p);
}
