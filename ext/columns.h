/*
 * columns.h: the columns of every table, once, in the order of the contract.
 *
 * Purpose:    declarations given to sqlite3_declare_vtab, and the column numbers that reading and
 *             inserting share.
 * Owns:       nothing.
 * Threads:    constants.
 */
#ifndef TLX_COLUMNS_H
#define TLX_COLUMNS_H

#define TLX_ASSETS_SQL                                                                             \
    "CREATE TABLE x(asset TEXT, class TEXT, network TEXT, native_id TEXT, precision INTEGER, "     \
    "name TEXT)"
enum {
    ASSETS_ASSET,
    ASSETS_CLASS,
    ASSETS_NETWORK,
    ASSETS_NATIVE_ID,
    ASSETS_PRECISION,
    ASSETS_NAME
};

/* Amount columns have no declared type: SQLite must not turn decimal TEXT into REAL. */
#define TLX_ACCOUNTS_SQL                                                                           \
    "CREATE TABLE x(book TEXT, account TEXT, asset TEXT, kind TEXT, normal_side TEXT, "            \
    "min_balance, max_balance, opened_seq INTEGER, opened_at TEXT)"
enum {
    ACCOUNTS_BOOK,
    ACCOUNTS_ACCOUNT,
    ACCOUNTS_ASSET,
    ACCOUNTS_KIND,
    ACCOUNTS_NORMAL_SIDE,
    ACCOUNTS_MIN_BALANCE,
    ACCOUNTS_MAX_BALANCE,
    ACCOUNTS_OPENED_SEQ,
    ACCOUNTS_OPENED_AT
};

#define TLX_TRANSFERS_SQL                                                                          \
    "CREATE TABLE x(book TEXT, seq INTEGER, at TEXT, txid TEXT, idempotency_key TEXT, "            \
    "debit TEXT, credit TEXT, asset TEXT, amount, occurred_at TEXT, external_refs TEXT, "          \
    "metadata TEXT)"
enum {
    TRANSFERS_BOOK,
    TRANSFERS_SEQ,
    TRANSFERS_AT,
    TRANSFERS_TXID,
    TRANSFERS_KEY,
    TRANSFERS_DEBIT,
    TRANSFERS_CREDIT,
    TRANSFERS_ASSET,
    TRANSFERS_AMOUNT,
    TRANSFERS_OCCURRED_AT,
    TRANSFERS_EXTERNAL_REFS,
    TRANSFERS_METADATA
};

#define TLX_POSTINGS_SQL                                                                           \
    "CREATE TABLE x(book TEXT, seq INTEGER, idx INTEGER, at TEXT, txid TEXT, "                     \
    "idempotency_key TEXT, account TEXT, asset TEXT, debit, credit, balance, occurred_at TEXT)"
enum {
    POSTINGS_BOOK,
    POSTINGS_SEQ,
    POSTINGS_IDX,
    POSTINGS_AT,
    POSTINGS_TXID,
    POSTINGS_KEY,
    POSTINGS_ACCOUNT,
    POSTINGS_ASSET,
    POSTINGS_DEBIT,
    POSTINGS_CREDIT,
    POSTINGS_BALANCE,
    POSTINGS_OCCURRED_AT
};

#define TLX_EVENTS_SQL                                                                             \
    "CREATE TABLE x(book TEXT, seq INTEGER, at TEXT, kind TEXT, txid TEXT, idempotency_key TEXT, " \
    "occurred_at TEXT, postings TEXT, external_refs TEXT, metadata TEXT, definition TEXT)"
enum {
    EVENTS_BOOK,
    EVENTS_SEQ,
    EVENTS_AT,
    EVENTS_KIND,
    EVENTS_TXID,
    EVENTS_KEY,
    EVENTS_OCCURRED_AT,
    EVENTS_POSTINGS,
    EVENTS_EXTERNAL_REFS,
    EVENTS_METADATA,
    EVENTS_DEFINITION
};

#define TLX_BALANCES_SQL                                                                           \
    "CREATE TABLE x(book TEXT, account TEXT, asset TEXT, kind TEXT, balance, debits, credits, "    \
    "updated_seq INTEGER, display TEXT, as_of TEXT HIDDEN, as_of_seq INTEGER HIDDEN)"
enum {
    BALANCES_BOOK,
    BALANCES_ACCOUNT,
    BALANCES_ASSET,
    BALANCES_KIND,
    BALANCES_BALANCE,
    BALANCES_DEBITS,
    BALANCES_CREDITS,
    BALANCES_UPDATED_SEQ,
    BALANCES_DISPLAY,
    BALANCES_AS_OF,
    BALANCES_AS_OF_SEQ
};

#define TLX_TRIAL_BALANCE_SQL                                                                      \
    "CREATE TABLE x(book TEXT, asset TEXT, debits, credits, as_of TEXT HIDDEN, "                   \
    "as_of_seq INTEGER HIDDEN)"
enum { TRIAL_BOOK, TRIAL_ASSET, TRIAL_DEBITS, TRIAL_CREDITS, TRIAL_AS_OF, TRIAL_AS_OF_SEQ };

#define TLX_BOOKS_SQL                                                                              \
    "CREATE TABLE x(book TEXT, last_seq INTEGER, last_at TEXT, accounts INTEGER, "                 \
    "transactions INTEGER, segments INTEGER, log_bytes INTEGER, snapshot_seq INTEGER, "            \
    "groups INTEGER, units INTEGER, sync_p50_us INTEGER, sync_p99_us INTEGER, state TEXT, "        \
    "error TEXT)"
enum {
    BOOKS_BOOK,
    BOOKS_LAST_SEQ,
    BOOKS_LAST_AT,
    BOOKS_ACCOUNTS,
    BOOKS_TRANSACTIONS,
    BOOKS_SEGMENTS,
    BOOKS_LOG_BYTES,
    BOOKS_SNAPSHOT_SEQ,
    BOOKS_GROUPS,
    BOOKS_UNITS,
    BOOKS_SYNC_P50_US,
    BOOKS_SYNC_P99_US,
    BOOKS_STATE,
    BOOKS_ERROR
};

#define TLX_RESULTS_SQL                                                                            \
    "CREATE TABLE x(n INTEGER, book TEXT, idempotency_key TEXT, status TEXT, seq INTEGER, "        \
    "txid TEXT, at TEXT, error TEXT, message TEXT)"
enum {
    RESULTS_N,
    RESULTS_BOOK,
    RESULTS_KEY,
    RESULTS_STATUS,
    RESULTS_SEQ,
    RESULTS_TXID,
    RESULTS_AT,
    RESULTS_ERROR,
    RESULTS_MESSAGE
};

#define TLX_VERIFY_SQL "CREATE TABLE x(book TEXT, checked INTEGER, problem TEXT, detail TEXT)"
enum { VERIFY_BOOK, VERIFY_CHECKED, VERIFY_PROBLEM, VERIFY_DETAIL };

#endif
