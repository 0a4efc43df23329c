/*
 * plan.h: the one planner of all tables: what SQLite may push down, and how that travels from
 * xBestIndex to xFilter.
 *
 * Purpose:    turns a table's list of column roles into xBestIndex: constraints taken, order, cost,
 *             plan string.
 * Owns:       nothing.
 * Threads:    pure; called from the connection's own thread.
 * Errors:     SQLITE_CONSTRAINT when a hidden argument cannot be used in the order of joins tried;
 *             bad_option when it is compared with anything but `=` or IS; SQLITE_NOMEM.
 *
 * The encoding (docs/SQL.md mirrors it; change both).
 *
 * idxStr is for people: words apart by a blank, in the order of this table, "all" when nothing is
 * taken. EXPLAIN QUERY PLAN shows it. "debit=" and "credit=" stand for account in transfers.
 *
 *     word in idxStr                        bit of idxNum        argument of xFilter
 *     book=             book in             ARG_BOOK             a value; PLAN_BOOK_LIST: a list
 *     account=          account in          ARG_ACCOUNT          likewise, PLAN_ACCOUNT_LIST
 *     asset=            asset in            ARG_ASSET            likewise, PLAN_ASSET_LIST
 *     idempotency_key=  idempotency_key in  ARG_KEY              likewise, PLAN_KEY_LIST
 *     txid=             txid in             ARG_TXID             likewise, PLAN_TXID_LIST
 *     seq=              seq in              ARG_SEQ              likewise, PLAN_SEQ_LIST
 *     seq>=             seq>                ARG_SEQ_LOW          a value; PLAN_SEQ_LOW_OPEN: ">"
 *     seq<=             seq<                ARG_SEQ_HIGH         a value; PLAN_SEQ_HIGH_OPEN: "<"
 *     at=                                   ARG_AT               a value
 *     at>=              at>                 ARG_AT_LOW           a value; PLAN_AT_LOW_OPEN: ">"
 *     at<=              at<                 ARG_AT_HIGH          a value; PLAN_AT_HIGH_OPEN: "<"
 *     as_of=            as_of is            ARG_AS_OF            a value; PLAN_AS_OF_IS: or NULL
 *     as_of_seq=        as_of_seq is        ARG_AS_OF_SEQ        likewise, PLAN_AS_OF_SEQ_IS
 *     balance                               PLAN_BALANCE         -: keep the running balance
 *     order:book [desc]                     PLAN_BOOK_DESC       -: rows come ordered by book
 *     order:seq [desc]                      PLAN_SEQ_DESC        -: by seq, inside the book
 *                                           PLAN_ONE_BOOK        -: if `book=` means one book only
 *     limit                                 -                    -: few rows will be asked for
 *
 * Arguments reach xFilter in the order of tlx_arg, those that are absent left out.
 */
#ifndef TLX_PLAN_H
#define TLX_PLAN_H

#include "sqlite_api.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum tlx_arg {
    TLX_ARG_BOOK,
    TLX_ARG_ACCOUNT,
    TLX_ARG_ASSET,
    TLX_ARG_KEY,
    TLX_ARG_TXID,
    TLX_ARG_SEQ,
    TLX_ARG_SEQ_LOW,
    TLX_ARG_SEQ_HIGH,
    TLX_ARG_AT,
    TLX_ARG_AT_LOW,
    TLX_ARG_AT_HIGH,
    TLX_ARG_AS_OF,
    TLX_ARG_AS_OF_SEQ,
    TLX_ARG_COUNT
} tlx_arg;

#define TLX_ARG_BIT(arg) (1u << (arg))

enum {
    TLX_PLAN_SEQ_LOW_OPEN = 1 << 13,
    TLX_PLAN_SEQ_HIGH_OPEN = 1 << 14,
    TLX_PLAN_AT_LOW_OPEN = 1 << 15,
    TLX_PLAN_AT_HIGH_OPEN = 1 << 16,
    TLX_PLAN_BOOK_LIST = 1 << 17,
    TLX_PLAN_ACCOUNT_LIST = 1 << 18,
    TLX_PLAN_ASSET_LIST = 1 << 19,
    TLX_PLAN_KEY_LIST = 1 << 20,
    TLX_PLAN_TXID_LIST = 1 << 21,
    TLX_PLAN_SEQ_LIST = 1 << 22,
    TLX_PLAN_AS_OF_IS = 1 << 23,
    TLX_PLAN_AS_OF_SEQ_IS = 1 << 24,
    TLX_PLAN_BALANCE = 1 << 25,
    TLX_PLAN_BOOK_DESC = 1 << 26,
    TLX_PLAN_SEQ_DESC = 1 << 27,
    TLX_PLAN_ONE_BOOK = 1 << 28
};

/* What a column means to the planner. Columns without a role are left to SQLite. */
typedef enum tlx_role {
    TLX_ROLE_NONE,
    TLX_ROLE_BOOK,
    TLX_ROLE_ACCOUNT,
    TLX_ROLE_ASSET,
    TLX_ROLE_KEY,
    TLX_ROLE_TXID,
    TLX_ROLE_SEQ, /* rows of a book come in its order */
    TLX_ROLE_AT,  /* never falls while seq rises */
    TLX_ROLE_IDX, /* order of the rows that share a seq */
    TLX_ROLE_BALANCE,
    TLX_ROLE_AS_OF,
    TLX_ROLE_AS_OF_SEQ
} tlx_role;

typedef struct tlx_plan_column {
    int column;
    tlx_role role;
    const char *name; /* as the plan string shows it */
} tlx_plan_column;

enum { TLX_PLAN_KEYS_MAX = 3 };

typedef struct tlx_plan_spec {
    const tlx_plan_column *columns;
    size_t column_count;
    /* Sets of arguments (TLX_ARG_BIT) of which each fixes one row at most; 0 ends the list. */
    unsigned keys[TLX_PLAN_KEYS_MAX];
    double rows; /* guess: of the whole table; nothing is opened while planning */
    double row_cost;
} tlx_plan_spec;

/* The flag under which an argument is the list of an IN; 0 when it never is. */
unsigned tlx_plan_list_flag(int arg);

/* The body of every xBestIndex. */
int tlx_plan(sqlite3_vtab *table, const tlx_plan_spec *spec, sqlite3_index_info *info);

#endif
