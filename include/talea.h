/*
 * talea.h: the engine of a durable double-entry ledger, as a C library.
 *
 * Purpose:    open a ledger directory, commit units of drafts durably, read any instant back.
 * Owns:       everything reached through a talea_ledger handle; see each function for lifetimes.
 * Threads:    a talea_ledger may be shared by threads; a talea_unit, a talea_view and what is
 *             reached through it belong to one thread at a time.
 * Errors:     functions return a talea_code; on failure `err` (never NULL) is filled, and
 *             `out_` parameters keep their old value.
 * Durability: talea_unit_commit returns TALEA_OK only after the device sync that covers the unit.
 *
 * Words (asset, book, account, draft, event, posting, unit, group, watermark) are defined in
 * docs/ARCHITECTURE.md. Amounts are integers in an asset's minor units, 128 bits wide. Times are
 * microseconds since 1970-01-01T00:00:00Z. Strings are UTF-8 with a length, not NUL-terminated
 * unless a comment says so.
 */
#ifndef TALEA_H
#define TALEA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__extension__ typedef __int128 talea_i128;

#define TALEA_VERSION "0.1.0"

/* ---- Errors ------------------------------------------------------------------------------ */

typedef enum talea_code {
    TALEA_OK = 0,
    TALEA_INVALID_DRAFT,
    TALEA_INVALID_AMOUNT,
    TALEA_INVALID_BOOK,
    TALEA_UNBALANCED,
    TALEA_UNKNOWN_ASSET,
    TALEA_UNKNOWN_ACCOUNT,
    TALEA_ASSET_MISMATCH,
    TALEA_ALREADY_EXISTS,
    TALEA_CONSTRAINT_VIOLATION,
    TALEA_IDEMPOTENCY_CONFLICT,
    TALEA_MIXED_BOOKS,
    TALEA_APPEND_ONLY,
    TALEA_TOO_LARGE,
    TALEA_OVERLOADED,
    TALEA_LOCKED,
    TALEA_READ_ONLY,
    TALEA_NO_LEDGER,
    TALEA_BAD_OPTION,
    TALEA_FULL,
    TALEA_IO,
    TALEA_CORRUPT,
    TALEA_NOMEM,
    TALEA_CODE_COUNT
} talea_code;

enum { TALEA_MESSAGE_BYTES = 512 };

/* Filled by the callee on failure, owned by the caller, no allocation involved. `message` is
 * NUL-terminated words without the "talea: CODE: " prefix. `os_errno` is 0 when no system call
 * was at fault. */
typedef struct talea_error {
    talea_code code;
    int os_errno;
    char message[TALEA_MESSAGE_BYTES];
} talea_error;

/* The contract's name of a code ("unknown_account"), "ok" for TALEA_OK. Never NULL. */
const char *talea_code_name(talea_code code);

/* ---- Text forms: amounts, times, transaction ids ------------------------------------------ */

enum { TALEA_AMOUNT_TEXT_BYTES = 41 };  /* "-" + 39 digits + NUL */
enum { TALEA_TIME_TEXT_BYTES = 28 };    /* "2026-01-31T14:02:00.000000Z" + NUL */
enum { TALEA_TXID_TEXT_BYTES = 37 };    /* 8-4-4-4-12 + NUL */
enum { TALEA_DECIMAL_TEXT_BYTES = 84 }; /* sign, 39 digits, up to 38 leading zeros, point, NUL */
enum { TALEA_PRECISION_MAX = 38 };

/* Decimal digits with an optional leading '-'; nothing else ("+1", " 1", "1e3", "", "-0" are
 * refused;
 * "-0" because it is not a number anybody means). false when ill-formed or outside 128 bits. */
bool talea_amount_parse(const char *text, size_t len, talea_i128 *out_value);
/* Writes NUL-terminated text; returns its length. */
size_t talea_amount_format(talea_i128 value, char out[TALEA_AMOUNT_TEXT_BYTES]);

/* Renders minor units with `precision` (0..38) decimals: (100000, 2) -> "1000.00"; zero is never
 * negative. Returns the length. */
size_t talea_decimal_format(talea_i128 minor, unsigned precision,
                            char out[TALEA_DECIMAL_TEXT_BYTES]);
/* The inverse: optional '-', digits, optional '.' and at most `precision` decimals that are not
 * zero beyond it ("1.50" with precision 1 is fine, "1.55" is refused). false when ill-formed,
 * inexact or outside 128 bits. */
bool talea_decimal_parse(const char *text, size_t len, unsigned precision, talea_i128 *out_minor);

/* RFC 3339 UTC with six fractional digits. `micros` must lie in years 0000..9999. Returns the
 * length (27). */
size_t talea_time_format(int64_t micros, char out[TALEA_TIME_TEXT_BYTES]);
/* ISO-8601 subset: YYYY-MM-DD[(T| )HH:MM[:SS[.f+]][Z|(+|-)HH:MM]]; digits past microseconds are
 * dropped. Days are checked against the month. false when not of this form. */
bool talea_time_parse(const char *text, size_t len, int64_t *out_micros);

size_t talea_txid_format(const uint8_t txid[16], char out[TALEA_TXID_TEXT_BYTES]);
/* Either case, hyphens in the five usual places. */
bool talea_txid_parse(const char *text, size_t len, uint8_t out_txid[16]);

/* ---- The ledger --------------------------------------------------------------------------- */

typedef struct talea_ledger talea_ledger;

typedef enum talea_mode {
    TALEA_MODE_RWC = 0, /* create when missing */
    TALEA_MODE_RW,      /* must exist */
    TALEA_MODE_RO,      /* must exist; takes no lock, writes nothing */
    TALEA_MODE_MEMORY   /* named by `dir`, lives as long as its last handle */
} talea_mode;

/* Zero in a size means its default (limits.h). */
typedef struct talea_options {
    talea_mode mode;
    uint64_t segment_bytes_max; /* 65536 .. 1073741824, default 134217728 */
    int64_t snapshot_every;     /* events; -1 = default 100000, 0 = never */
    uint64_t idem_hot_cap;      /* keys, default 1000000 */
    uint32_t queue_depth;       /* units waiting, default 4096 */
    uint32_t group_max;         /* units a group, default 1024 */
} talea_options;

void talea_options_default(talea_options *out_options);

/* Opens a ledger directory, or joins the engine of this process that already has it open (found by
 * the directory's identity; the first opener's tunables stay). Failed books of a joined engine are
 * recovered in place; books are otherwise opened when first touched.
 * Errors: NO_LEDGER (rw, ro: does not exist), LOCKED (another process; the message names its pid), BAD_OPTION, IO, NOMEM. */
talea_code talea_ledger_open(const char *dir, const talea_options *options,
                             talea_ledger **out_ledger, talea_error *err);

/* Releases the handle. The last handle of the process closes the engine: every writer leaves its
 * closing mark, and the lock is released. Views and units of the handle must be gone. NULL is fine.
 */
void talea_ledger_close(talea_ledger *ledger);

/* Absolute path (or the memory name), NUL-terminated, valid while the handle is open. */
const char *talea_ledger_path(const talea_ledger *ledger);
bool talea_ledger_read_only(const talea_ledger *ledger);

/* ---- What is put in: definitions and drafts ------------------------------------------------- */

typedef struct talea_text {
    const char *data; /* NULL: not given */
    size_t len;
} talea_text;

typedef enum talea_asset_class { TALEA_CLASS_FIAT = 1, TALEA_CLASS_CRYPTO = 2 } talea_asset_class;

typedef enum talea_kind {
    TALEA_KIND_ASSET = 1,
    TALEA_KIND_LIABILITY,
    TALEA_KIND_INCOME,
    TALEA_KIND_EXPENSE,
    TALEA_KIND_EQUITY,
    TALEA_KIND_CLEARING
} talea_kind;

typedef enum talea_side {
    TALEA_SIDE_NONE = 0,
    TALEA_SIDE_DEBIT = 1,
    TALEA_SIDE_CREDIT = 2
} talea_side;

/* The side a kind has unless told otherwise: debit for asset and expense, credit for liability,
 * income and equity, none for clearing. */
talea_side talea_kind_normal_side(talea_kind kind);

typedef struct talea_asset_def {
    talea_text asset;
    talea_asset_class asset_class;
    talea_text network;   /* crypto: required; fiat: must be absent */
    talea_text native_id; /* crypto: optional; fiat: must be absent */
    talea_text name;      /* optional */
    unsigned precision;   /* 0..38 */
} talea_asset_def;

typedef struct talea_account_def {
    talea_text account;
    talea_text asset;
    talea_kind kind;
    talea_side side;    /* resolved: never "by kind" */
    unsigned precision; /* of the asset; ignored on input */
    bool has_min;
    bool has_max;
    talea_i128 min_balance; /* on the normal side; may be negative */
    talea_i128 max_balance;
} talea_account_def;

typedef struct talea_leg {
    talea_text account;
    talea_text asset;  /* optional: when given it must be the account's */
    talea_side side;   /* debit or credit */
    talea_i128 amount; /* > 0 */
} talea_leg;

typedef struct talea_draft {
    talea_text key; /* 1..255 bytes, required */
    const talea_leg *legs;
    size_t leg_count; /* >= 2 */
    bool has_occurred_at;
    int64_t occurred_at;
    talea_text external_refs; /* canonical JSON text, checked by the caller; optional */
    talea_text metadata;      /* likewise */
} talea_draft;

/* ---- The unit: the drafts of one transaction, all or nothing --------------------------------- */

typedef struct talea_unit talea_unit;

/* A unit stages drafts against one ledger; nothing reaches the writer before talea_unit_commit. */
talea_code talea_unit_new(talea_ledger *ledger, talea_unit **out_unit, talea_error *err);
void talea_unit_free(talea_unit *unit); /* NULL is fine */

/* Each add checks the shape, resolves names (durable ones, and those staged earlier in this unit)
 * and stages one operation; when it fails, the unit is as it was. `optional` marks a draft that
 * the writer may refuse without refusing the unit.
 * Errors: INVALID_*, UNBALANCED, UNKNOWN_*, ASSET_MISMATCH, ALREADY_EXISTS, MIXED_BOOKS (a second
 * user book), TOO_LARGE, READ_ONLY, IO and CORRUPT (the book cannot be used), NOMEM. */
talea_code talea_unit_add_asset(talea_unit *unit, const talea_asset_def *def, bool optional,
                                talea_error *err);
talea_code talea_unit_add_account(talea_unit *unit, talea_text book, const talea_account_def *def,
                                  bool optional, talea_error *err);
talea_code talea_unit_add_draft(talea_unit *unit, talea_text book, const talea_draft *draft,
                                bool optional, talea_error *err);
/* One journal line. Lines of one unit with the same (book, key) form one draft, in the place of the
 * first; it is judged (balance, at least two legs) at commit. occurred_at may come on any line, and
 * where it comes twice must agree. */
talea_code talea_unit_add_line(talea_unit *unit, talea_text book, talea_text key,
                               const talea_leg *leg, bool has_occurred_at, int64_t occurred_at,
                               bool optional, talea_error *err);
/* Leaves a trace in the outcomes of a draft that was refused before it could be staged (INSERT OR
 * IGNORE). */
talea_code talea_unit_add_refused(talea_unit *unit, talea_text book, talea_text key,
                                  const talea_error *why, talea_error *err);

/* A journal line that was refused, and left out, takes the whole draft of its (book, key) with it:
 * a draft is posted with all its lines or not at all. */
talea_code talea_unit_refuse_line(talea_unit *unit, talea_text book, talea_text key, bool optional,
                                  const talea_error *why, talea_error *err);

/* Savepoints: the number of operations staged, and going back to an earlier number. */
size_t talea_unit_count(const talea_unit *unit);
void talea_unit_truncate(talea_unit *unit, size_t count);
/* The user book that the unit writes to; data NULL when none yet. Valid until the unit changes. */
talea_text talea_unit_book(const talea_unit *unit);

/* Hands the unit to the writer and blocks until the sync of its group acknowledged it. Asset
 * registrations are made durable first, in the book _system.
 * OK: every draft is committed, deduplicated or (optional ones) refused; see the outcomes.
 * OVERLOADED: nothing happened, the unit is intact, commit may be called again.
 * IO: the outcome is unknown; committing the same keys again after reopening is safe.
 * Any other error: nothing of the unit was written; `err` names the draft at fault. */
talea_code talea_unit_commit(talea_unit *unit, talea_error *err);

typedef enum talea_status {
    TALEA_STATUS_UNKNOWN = 0, /* the unit ended with TALEA_IO: it may be durable, or not */
    TALEA_STATUS_COMMITTED = 1,
    TALEA_STATUS_DEDUPLICATED,
    TALEA_STATUS_REJECTED
} talea_status;

typedef struct talea_outcome {
    talea_text book;
    talea_text key; /* data NULL for definitions */
    talea_status status;
    uint64_t seq; /* 0 when rejected (or, for idempotency_conflict, the first draft's) */
    int64_t at;
    bool has_txid;
    uint8_t txid[16];
    talea_code error;    /* of a rejected draft */
    const char *message; /* NUL-terminated, NULL unless rejected */
} talea_outcome;

/* After talea_unit_commit returned anything but OVERLOADED: one outcome a draft, in order. */
size_t talea_unit_outcome_count(const talea_unit *unit);
void talea_unit_outcome(const talea_unit *unit, size_t index, talea_outcome *out_outcome);

/* ---- Reading: a view pins one instant of each book -------------------------------------------- */

typedef struct talea_view talea_view;
typedef struct talea_book_view talea_book_view;

/* Cheap. A book is pinned, at its watermark, when it is first touched through the view. Book views
 * and all memory reached through them stay valid until talea_view_close. */
talea_code talea_view_open(talea_ledger *ledger, talea_view **out_view, talea_error *err);
void talea_view_close(talea_view *view);

/* Every book's name in byte order, including _system. The array belongs to the view. */
talea_code talea_view_books(talea_view *view, const talea_text **out_names, size_t *out_count,
                            talea_error *err);
/* Opens the book when it is not open yet (recovery and replay happen here). *out_book is NULL, and
 * the code OK, when there is no such book. Errors: CORRUPT, IO, NOMEM. */
talea_code talea_view_book(talea_view *view, talea_text name, talea_book_view **out_book,
                           talea_error *err);

talea_text talea_book_name(const talea_book_view *book);
uint32_t talea_book_ordinal(const talea_book_view *book);  /* stable while the ledger is open */
uint64_t talea_book_last_seq(const talea_book_view *book); /* the pinned watermark; 0 when empty */
int64_t talea_book_last_at(const talea_book_view *book);
/* The last seq committed at or before `at` (0: none), not past the watermark. */
talea_code talea_book_seq_at(talea_book_view *book, int64_t at, uint64_t *out_seq,
                             talea_error *err);

/* Accounts are numbered 0.. in the order of opening. */
uint32_t talea_book_account_count(const talea_book_view *book);
bool talea_book_find_account(talea_book_view *book, talea_text name, uint32_t *out_ordinal);

typedef struct talea_account {
    talea_account_def def;
    uint64_t opened_seq;
    int64_t opened_at;
    talea_i128 debits; /* totals as of the instant asked for */
    talea_i128 credits;
    uint64_t updated_seq; /* of the last posting at that instant, else opened_seq */
} talea_account;

/* The definition alone: no lock, no totals. The pointer stays valid as long as the view. */
const talea_account_def *talea_book_account_def(talea_book_view *book, uint32_t ordinal);
/* As of `seq` (pass talea_book_last_seq for now). false when the account was not open yet then. */
bool talea_book_account(talea_book_view *book, uint32_t ordinal, uint64_t seq,
                        talea_account *out_account);
/* debits - credits seen from the normal side (none: debits - credits). */
talea_i128 talea_balance(talea_side side, talea_i128 debits, talea_i128 credits);

/* History of one account: its legs in log order, numbered 0..count-1 (those up to the watermark). */
typedef struct talea_history_entry {
    uint64_t seq;
    talea_side side;
    talea_i128 amount;
    talea_i128 debits; /* totals after this leg */
    talea_i128 credits;
} talea_history_entry;

uint64_t talea_history_count(talea_book_view *book, uint32_t ordinal);
/* The first position whose seq is >= `seq`; the count when there is none. */
uint64_t talea_history_lower_bound(talea_book_view *book, uint32_t ordinal, uint64_t seq);
void talea_history_get(talea_book_view *book, uint32_t ordinal, uint64_t position,
                       talea_history_entry *out_entry);

/* Lookups by key and by transaction id; *out_seq 0 when unknown (or past the watermark). */
talea_code talea_book_find_key(talea_book_view *book, talea_text key, uint64_t *out_seq,
                               talea_error *err);
talea_code talea_book_find_txid(talea_book_view *book, const uint8_t txid[16], uint64_t *out_seq,
                                talea_error *err);

typedef enum talea_event_kind {
    TALEA_EVENT_ASSET_REGISTERED = 1,
    TALEA_EVENT_ACCOUNT_OPENED = 2,
    TALEA_EVENT_TRANSACTION_POSTED = 3
} talea_event_kind;

typedef struct talea_posting {
    uint32_t account; /* ordinal in the book */
    talea_side side;
    talea_i128 amount;
} talea_posting;

/* Pointers are valid until the cursor moves. */
typedef struct talea_event {
    uint64_t seq;
    int64_t at;
    uint64_t position; /* of the event in the book's log, bytes; + leg index it is unique in the
                          book */
    talea_event_kind kind;
    /* TRANSACTION_POSTED */
    uint8_t txid[16];
    talea_text key;
    bool has_occurred_at;
    int64_t occurred_at;
    const talea_posting *postings;
    size_t posting_count;
    talea_text external_refs;
    talea_text metadata;
    /* the definitions */
    talea_account_def account;
    talea_asset_def asset;
} talea_event;

typedef struct talea_events talea_events;

talea_code talea_events_open(talea_book_view *book, talea_events **out_events, talea_error *err);
void talea_events_close(talea_events *events);
/* Makes talea_events_next deliver `seq` first, then go up (or down when `descending`). A seq
 * outside 1..watermark delivers what lies in the direction of travel. */
void talea_events_seek(talea_events *events, uint64_t seq, bool descending);
/* *out_event is NULL at the end. Errors: CORRUPT, IO, NOMEM. */
talea_code talea_events_next(talea_events *events, const talea_event **out_event, talea_error *err);

/* Assets, numbered 0.. in the order of registration, pinned through the book _system. */
talea_code talea_view_asset_count(talea_view *view, uint32_t *out_count, talea_error *err);
const talea_asset_def *talea_view_asset(talea_view *view, uint32_t ordinal);
bool talea_view_find_asset(talea_view *view, talea_text asset, uint32_t *out_ordinal);

/* ---- Watching, statistics, verification ------------------------------------------------------ */

/* Blocks until the book's watermark passes `after_seq` or `timeout_ms` (>= 0) is up; the watermark
 * (0: no such book) is delivered either way. */
talea_code talea_wait(talea_ledger *ledger, talea_text book, uint64_t after_seq, int64_t timeout_ms,
                      uint64_t *out_watermark, talea_error *err);

typedef enum talea_book_state {
    TALEA_BOOK_IDLE = 0, /* no writer thread */
    TALEA_BOOK_OPEN,     /* a writer thread runs */
    TALEA_BOOK_FAILED    /* damaged, or its writer died */
} talea_book_state;

typedef struct talea_book_stats {
    uint64_t last_seq;
    int64_t last_at; /* 0 when empty */
    uint64_t accounts;
    uint64_t transactions;
    uint64_t segments;
    uint64_t log_bytes;    /* headers, groups and seals; not the prepared space after them */
    uint64_t snapshot_seq; /* 0: none */
    uint64_t groups;       /* synced by this process */
    uint64_t units;
    uint64_t sync_p50_us; /* of those syncs; 0 when none */
    uint64_t sync_p99_us;
    talea_book_state state;
    talea_error error; /* when failed */
} talea_book_stats;

/* Opens the book when it is not open; a book that refuses to open is reported as failed, not as an
 * error. */
talea_code talea_stats(talea_ledger *ledger, talea_text book, talea_book_stats *out_stats,
                       talea_error *err);
/* The same as the view sees the book: last_seq, last_at, accounts and transactions are of its pinned instant. */
talea_code talea_view_stats(talea_view *view, talea_text book, talea_book_stats *out_stats,
                            talea_error *err);
typedef struct talea_finding {
    talea_text book;
    uint64_t checked;    /* events checked so far in this book */
    const char *problem; /* NULL: the closing line of a book without problems */
    const char *detail;  /* words, never NULL */
} talea_finding;

/* Return false to stop. */
typedef bool talea_finding_fn(void *context, const talea_finding *finding);
/* Called now and then while verifying; return false to stop. May be NULL. */
typedef bool talea_progress_fn(void *context);

/* Reads every byte of the book's log and recomputes every projection, compares with the live state.
 * Problems are findings, not errors. */
talea_code talea_verify(talea_ledger *ledger, talea_text book, talea_finding_fn *on_finding,
                        talea_progress_fn *on_progress, void *context, talea_error *err);

#ifdef __cplusplus
}
#endif
#endif
