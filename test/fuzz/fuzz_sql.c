/*
 * The whole extension, linked in: statements drawn from a grammar by the input, on a ledger in
 * memory.
 *
 * Oracle: a second connection that only looks. After every statement: books balance by asset, seqs are 1..N without a
 * gap, nothing that was there is gone, what a transaction has staged is not there yet, and a
 * statement that failed by itself left nothing. A message of ours names a code of ours. In the end
 * verify is clean, and the balances are the sums of the postings.
 *
 * Input: bytes that choose statements, and values among names, numbers and raw bytes of every type;
 * JSON is put together from tokens, or raw.
 */
#include <sqlite3.h>

#include "fuzz.h"

int sqlite3_talea_static_init(sqlite3 *db, char **out_message, const sqlite3_api_routines *api);

#define LEDGER "file:fuzz?mode=memory"

enum { STATEMENTS_MAX = 60, CURSORS = 2, BYTES_MAX = 600 };

/* What the watcher asks after every statement; each must be 0 but for the last, which counts. */
static const char *const questions[] = {
    "SELECT count(*) FROM trial_balance WHERE debits IS NOT credits",
    ("SELECT count(*) FROM (SELECT max(seq) - count(*) AS gaps FROM events GROUP BY book)"
     " WHERE gaps <> 0"),
    "SELECT count(*) FROM events"};
enum { QUESTIONS = 3 };

typedef struct host {
    sqlite3 *db;      /* does what the input says */
    sqlite3 *watcher; /* looks */
    sqlite3_stmt *questions[QUESTIONS];
    sqlite3_stmt *cursors[CURSORS];
    sqlite3_int64 events; /* that the watcher has seen */
} host;

/* ---- Connections ------------------------------------------------------------------------------ */

static void host_die(sqlite3 *db, const char *sql) {
    (void)fprintf(stderr, "%s\n%d: %s\n", sql, sqlite3_extended_errcode(db), sqlite3_errmsg(db));
    must(!"this must not fail");
}

static void always(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        host_die(db, sql);
    }
}

static sqlite3_int64 number(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        host_die(db, sql);
    }
    sqlite3_int64 value = sqlite3_column_int64(stmt, 0);
    if (sqlite3_finalize(stmt) != SQLITE_OK) {
        host_die(db, sql);
    }
    return value;
}

static sqlite3 *open_connection(void) {
    sqlite3 *db = NULL;
    must(sqlite3_open(":memory:", &db) == SQLITE_OK);
    must(sqlite3_talea_static_init(db, NULL, NULL) == SQLITE_OK);
    always(db, "SELECT talea_open('" LEDGER "')");
    return db;
}

static void begin(host *h) {
    *h = (host){.watcher = open_connection()};
    h->db = open_connection();
    for (int i = 0; i < QUESTIONS; i++) {
        must(sqlite3_prepare_v2(h->watcher, questions[i], -1, &h->questions[i], NULL) == SQLITE_OK);
    }
    always(h->db,
           "CREATE TABLE app(x);"
           "INSERT INTO assets(asset, class, precision) VALUES('USD', 'fiat', 2);"
           "INSERT INTO assets(asset, class, network, precision) VALUES('BTC', 'crypto', "
           "'bitcoin', 8);"
           "INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES"
           " ('main', 'cash', 'USD', 'asset', NULL), ('main', 'rev', 'USD', 'income', NULL),"
           " ('main', 'wallet', 'USD', 'liability', 0), ('main', 'coins', 'BTC', 'asset', NULL),"
           " ('main', 'mined', 'BTC', 'income', NULL);"
           "INSERT INTO accounts(book, account, asset, kind, max_balance) VALUES"
           " ('b2', 'cash', 'USD', 'asset', 100), ('b2', 'rev', 'USD', 'income', NULL)");
}

/* ---- Looking ---------------------------------------------------------------------------------- */

/* Without touching the connection under test, whose transaction may be open. */
static void look(host *h, bool nothing_new) {
    sqlite3_int64 events = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        must(sqlite3_step(h->questions[i]) == SQLITE_ROW);
        events = sqlite3_column_int64(h->questions[i], 0);
        must(events == 0 || i == QUESTIONS - 1);
        must(sqlite3_reset(h->questions[i]) == SQLITE_OK);
    }
    must(events >= h->events);
    must(!nothing_new || events == h->events);
    h->events = events;
}

static void finish(host *h) {
    for (int i = 0; i < CURSORS; i++) {
        (void)sqlite3_finalize(h->cursors[i]);
    }
    if (!sqlite3_get_autocommit(h->db)) {
        (void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    }
    look(h, true);
    must(number(h->watcher, "SELECT count(*) FROM verify WHERE problem IS NOT NULL") == 0);
    must(number(h->watcher,
                "SELECT count(*) FROM balances AS b WHERE"
                " (coalesce(b.debits, 0), coalesce(b.credits, 0)) IS NOT"
                " (SELECT coalesce(talea_sum(p.debit), 0), coalesce(talea_sum(p.credit), 0)"
                "  FROM postings AS p WHERE p.book = b.book AND p.account = b.account)") == 0);
    must(number(h->watcher,
                "SELECT count(*) FROM events AS e WHERE kind = 'transaction_posted' AND"
                " (SELECT count(*) FROM postings AS p WHERE p.book = e.book AND p.seq = e.seq)"
                " <> json_array_length(e.postings)") == 0);
    must(number(h->watcher,
                "SELECT count(*) FROM (SELECT 1 FROM events WHERE idempotency_key IS NOT NULL"
                " GROUP BY book, idempotency_key HAVING count(*) > 1)") == 0);
    for (int i = 0; i < QUESTIONS; i++) {
        (void)sqlite3_finalize(h->questions[i]);
    }
    must(sqlite3_close(h->db) == SQLITE_OK);
    must(sqlite3_close(h->watcher) == SQLITE_OK);
}

/* ---- Values ----------------------------------------------------------------------------------- */

static const char *const names[] = {"main",       "b2",   "cash",  "rev",    "wallet",  "coins",
                                    "mined",      "new",  "USD",   "BTC",    "_system", "asset",
                                    "income",     "fiat", "k1",    "k2",     "k3",      "k4",
                                    "2026-01-31", "now",  "debit", "credit", "none",    ""};
static const char *const numbers[] = {"1",
                                      "100",
                                      "0",
                                      "-1",
                                      "1e3",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "170141183460469231731687303715884105727",
                                      "170141183460469231731687303715884105728",
                                      "1.5"};

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof(array)[0]))

static void bind_value(fuzz_input *in, sqlite3_stmt *stmt, int index) {
    size_t len = 0;
    const uint8_t *raw = NULL;
    uint8_t how = fuzz_u8(in);
    switch (how % 16) {
    case 0: sqlite3_bind_null(stmt, index); break;
    case 1: sqlite3_bind_int64(stmt, index, (sqlite3_int64)fuzz_uint(in, 8)); break;
    case 2: sqlite3_bind_double(stmt, index, (double)(int8_t)fuzz_u8(in) / 2); break;
    case 3:
        raw = fuzz_bytes(in, fuzz_u8(in), &len);
        sqlite3_bind_blob(stmt, index, raw, (int)len, SQLITE_STATIC);
        break;
    case 4:
    case 5:
        raw = fuzz_bytes(in, fuzz_u8(in), &len);
        sqlite3_bind_text(stmt, index, (const char *)raw, (int)len, SQLITE_STATIC);
        break;
    case 6:
    case 7:
        sqlite3_bind_text(stmt, index, numbers[fuzz_below(in, COUNT(numbers))], -1, SQLITE_STATIC);
        break;
    case 8:
    case 9:
    case 10: sqlite3_bind_int(stmt, index, 1 + fuzz_below(in, 100)); break;
    default:
        sqlite3_bind_text(stmt, index, names[fuzz_below(in, COUNT(names))], -1, SQLITE_STATIC);
        break;
    }
}

/* Tokens of JSON, mostly such that something comes of it. */
static char *json(fuzz_input *in) {
    static const char *const whole[] = {
        "[{\"account\":\"cash\",\"debit\":100},{\"account\":\"rev\",\"credit\":100}]",
        ("[{\"account\":\"cash\",\"amount\":{\"minor\":5,\"asset\":\"USD\"},"
         "\"direction\":\"debit\"},{\"account\":\"rev\",\"credit\":\"5\"}]"),
        ("[{\"account\":\"coins\",\"debit\":\"170141183460469231731687303715884105727\"},"
         "{\"account\":\"mined\",\"credit\":\"170141183460469231731687303715884105727\"}]"),
        "{\"a\":[1,2,{}]}",
        "[]",
        "null"};
    static const char *const tokens[] = {"[",
                                         "]",
                                         "{",
                                         "}",
                                         ",",
                                         ":",
                                         "\"account\"",
                                         "\"debit\"",
                                         "\"credit\"",
                                         "\"amount\"",
                                         "\"minor\"",
                                         "\"asset\"",
                                         "\"direction\"",
                                         "\"cash\"",
                                         "\"rev\"",
                                         "\"wallet\"",
                                         "\"USD\"",
                                         "null",
                                         "1",
                                         "-1",
                                         "1.0",
                                         "1e3",
                                         "\"1\"",
                                         "9223372036854775808",
                                         "true",
                                         " ",
                                         "\"\\u0000\"",
                                         "\"\\ud800\"",
                                         "{\"account\":\"cash\",\"debit\":1}",
                                         "{\"account\":\"rev\",\"credit\":1}",
                                         "{\"account\":\"wallet\",\"debit\":1}",
                                         "\"caf\xC3\xA9\""};
    uint8_t how = fuzz_u8(in);
    if (how % 4 == 0) {
        return sqlite3_mprintf("%s", whole[how / 4 % COUNT(whole)]);
    }
    if (how % 4 == 1) {
        size_t len = 0;
        const uint8_t *raw = fuzz_bytes(in, fuzz_u8(in), &len);
        return sqlite3_mprintf("%.*s", (int)len, (const char *)raw);
    }
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendchar(text, how % 4 == 2, '[');
    for (unsigned n = how / 4 % 24; n > 0; n--) {
        sqlite3_str_appendall(text, tokens[fuzz_below(in, COUNT(tokens))]);
        sqlite3_str_appendchar(text, how % 4 == 2 && n > 1, ',');
    }
    sqlite3_str_appendchar(text, how % 4 == 2, ']');
    char *finished = sqlite3_str_finish(text);
    return finished ? finished : sqlite3_mprintf("");
}

/* ---- Running ---------------------------------------------------------------------------------- */

/* A failure is fine, but of an orderly kind. */
static void check_failure(sqlite3 *db, const char *sql, int rc) {
    static const char *const codes[] = {"invalid_draft",
                                        "invalid_amount",
                                        "invalid_book",
                                        "unbalanced",
                                        "unknown_asset",
                                        "unknown_account",
                                        "asset_mismatch",
                                        "already_exists",
                                        "constraint_violation",
                                        "idempotency_conflict",
                                        "mixed_books",
                                        "append_only",
                                        "too_large",
                                        "no_ledger",
                                        "bad_option"};
    const char *message = sqlite3_errmsg(db);
    rc &= 0xFF;
    if (rc == SQLITE_INTERNAL || rc == SQLITE_CORRUPT || rc == SQLITE_IOERR || rc == SQLITE_NOMEM ||
        rc == SQLITE_MISUSE || rc == SQLITE_FULL || rc == SQLITE_BUSY) {
        host_die(db, sql);
    }
    if (strncmp(message, "talea: ", 7) == 0) {
        for (unsigned i = 0; i < COUNT(codes); i++) {
            size_t len = strlen(codes[i]);
            if (strncmp(message + 7, codes[i], len) == 0 && message[7 + len] == ':') {
                return;
            }
        }
        host_die(db, sql);
    }
}

static int drain(sqlite3_stmt *stmt) {
    int rc = SQLITE_ROW;
    for (unsigned rows = 0; rc == SQLITE_ROW && rows < 5000; rows++) {
        rc = sqlite3_step(stmt);
        for (int i = 0; rc == SQLITE_ROW && i < sqlite3_column_count(stmt); i++) {
            (void)sqlite3_column_text(stmt, i);
        }
    }
    return rc;
}

/* Prepares, binds what is to be bound, runs. `values` NULL: nothing is. */
static void run(host *h, const char *sql, fuzz_input *values) {
    sqlite3_stmt *stmt = NULL;
    bool was_auto = sqlite3_get_autocommit(h->db);
    int rc = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && stmt) {
        for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
            bind_value(values, stmt, i);
        }
        rc = drain(stmt);
    }
    bool failed = rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW;
    if (failed) {
        check_failure(h->db, sql, rc);
    }
    (void)sqlite3_finalize(stmt);
    look(h, !sqlite3_get_autocommit(h->db) || (failed && was_auto));
}

/* ---- The grammar ------------------------------------------------------------------------------ */

static const char *const conflicts[] = {
    "", "", "", " OR IGNORE", " OR FAIL", " OR ABORT", " OR ROLLBACK", " OR REPLACE"};

static const char *conflict(fuzz_input *in) {
    return conflicts[fuzz_below(in, COUNT(conflicts))];
}

static void insert_sound(host *h, fuzz_input *in) {
    static const char *const pairs[][2] = {{"cash", "rev"},    {"rev", "cash"},
                                           {"cash", "wallet"}, {"wallet", "cash"},
                                           {"coins", "mined"}, {"cash", "mined"}};
    const char *const *pair = pairs[fuzz_below(in, COUNT(pairs))];
    char *sql =
        sqlite3_mprintf("INSERT%s INTO transfers(book, idempotency_key, debit, credit, amount)"
                        " VALUES(%Q, 'k%d', %Q, %Q, %d)",
                        conflict(in), fuzz_below(in, 8) == 7 ? "b2" : "main", fuzz_below(in, 16),
                        pair[0], pair[1], 1 + fuzz_below(in, 3) * 99);
    run(h, sql, in);
    sqlite3_free(sql);
}

static void insert_line(host *h, fuzz_input *in) {
    static const char *const accounts[] = {"cash", "rev", "wallet", "coins"};
    char *sql = sqlite3_mprintf(
        "INSERT%s INTO postings(book, idempotency_key, account, %s) VALUES('main', 'j%d', %Q, %d)",
        conflict(in), fuzz_below(in, 2) ? "debit" : "credit", fuzz_below(in, 3),
        accounts[fuzz_below(in, COUNT(accounts))], 1 + fuzz_below(in, 2));
    run(h, sql, in);
    sqlite3_free(sql);
}

/* Any values in any columns. */
static void insert_wild(host *h, fuzz_input *in) {
    static const char *const into[] = {
        "transfers(book, idempotency_key, debit, credit, amount) VALUES('main', ?, ?, ?, ?)",
        "transfers(book, idempotency_key, debit, credit, asset, amount, occurred_at, "
        "external_refs, metadata)"
        " VALUES(?, ?, 'cash', 'rev', ?, 1, ?, ?, ?)",
        "transfers VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "postings(book, idempotency_key, account, asset, debit, credit, occurred_at) VALUES(?, ?, "
        "?, ?, ?, ?, ?)",
        "accounts(book, account, asset, kind, normal_side, min_balance, max_balance) "
        "VALUES('main', ?, 'USD', ?, ?, ?, ?)",
        "accounts(book, account, asset, kind) VALUES(?, ?, ?, 'asset')",
        "assets(asset, class, network, native_id, precision, name) VALUES(?, ?, ?, ?, ?, ?)",
        "assets(asset, class, precision) VALUES(?, 'fiat', ?)",
        "transfers(rowid, book, idempotency_key, debit, credit, amount) VALUES(?, 'main', ?, "
        "'cash', 'rev', 1)",
        "transfers(book, idempotency_key, debit, credit, amount) SELECT book, idempotency_key || "
        "?, credit, debit, amount"
        " FROM transfers WHERE seq < ? LIMIT 3",
        "balances VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "app VALUES(?)"};
    char *sql =
        sqlite3_mprintf("INSERT%s INTO %s%s", conflict(in), into[fuzz_below(in, COUNT(into))],
                        fuzz_below(in, 8) == 0 ? " RETURNING *" : "");
    run(h, sql, in);
    sqlite3_free(sql);
}

static void insert_event(host *h, fuzz_input *in) {
    sqlite3_stmt *stmt = NULL;
    bool was_auto = sqlite3_get_autocommit(h->db);
    char *sql = sqlite3_mprintf(
        "INSERT%s INTO events(book, idempotency_key, postings, external_refs, metadata)"
        " VALUES('main', 'e%d', ?, ?, ?)",
        conflict(in), fuzz_below(in, 16));
    uint8_t with = fuzz_u8(in);
    must(sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL) == SQLITE_OK);
    sqlite3_bind_text(stmt, 1, json(in), -1, sqlite3_free);
    for (int i = 0; i < 2; i++) {
        if (with & 1 << i) {
            sqlite3_bind_text(stmt, 2 + i, json(in), -1, sqlite3_free);
        }
    }
    int rc = drain(stmt);
    if (rc != SQLITE_DONE) {
        check_failure(h->db, sql, rc);
    }
    (void)sqlite3_finalize(stmt);
    look(h, !sqlite3_get_autocommit(h->db) || (rc != SQLITE_DONE && was_auto));
    sqlite3_free(sql);
}

static void control(host *h, fuzz_input *in) {
    static const char *const sqls[] = {"BEGIN",     "BEGIN IMMEDIATE", "COMMIT",       "COMMIT",
                                       "ROLLBACK",  "SAVEPOINT a",     "SAVEPOINT b",  "RELEASE a",
                                       "RELEASE b", "ROLLBACK TO a",   "ROLLBACK TO b"};
    run(h, sqls[fuzz_below(in, COUNT(sqls))], in);
}

static const char *const tables[] = {"events",   "postings", "transfers",
                                     "accounts", "balances", "trial_balance",
                                     "books",    "assets",   "results"};

/* SELECT with comparisons, orders and limits, values bound. */
static char *query(fuzz_input *in) {
    static const char *const conditions[] = {
        "book = ?",
        "book IN (?, ?)",
        "seq = ?",
        "seq > ?",
        "seq BETWEEN ? AND ?",
        "seq IN (?, ?, 3)",
        "at >= ?",
        "at < ?",
        "account = ?",
        "asset = ?",
        "idempotency_key = ?",
        "txid = ?",
        "debit = ?",
        "as_of = ?",
        "as_of_seq = ?",
        "rowid = ?",
        "kind IS ?",
        "book <> ?",
        "account IN (SELECT account FROM accounts WHERE book = ?)",
        "(seq < ? OR book = ?)"};
    static const char *const orders[] = {"",
                                         " ORDER BY seq",
                                         " ORDER BY book, seq DESC",
                                         " ORDER BY seq DESC LIMIT 2",
                                         " ORDER BY book, account",
                                         " LIMIT 3 OFFSET 1",
                                         " GROUP BY book"};
    sqlite3_str *sql = sqlite3_str_new(NULL);
    const char *table = tables[fuzz_below(in, COUNT(tables))];
    sqlite3_str_appendf(sql, "SELECT * FROM %s", table);
    if (fuzz_below(in, 8) == 0) {
        sqlite3_str_appendf(sql, " JOIN %s USING (book)", tables[fuzz_below(in, COUNT(tables))]);
    }
    for (unsigned i = 0, n = fuzz_below(in, 4); i < n; i++) {
        sqlite3_str_appendf(sql, " %s %s", i == 0 ? "WHERE" : "AND",
                            conditions[fuzz_below(in, COUNT(conditions))]);
    }
    sqlite3_str_appendall(sql, orders[fuzz_below(in, COUNT(orders))]);
    return sqlite3_str_finish(sql);
}

static void select_rows(host *h, fuzz_input *in) {
    char *sql = query(in);
    run(h, sql, in);
    sqlite3_free(sql);
}

/* A query that stays open while other statements run. */
static void step_cursor(host *h, fuzz_input *in) {
    unsigned which = fuzz_below(in, CURSORS);
    sqlite3_stmt **cursor = &h->cursors[which];
    if (!*cursor) {
        char *sql = query(in);
        if (sqlite3_prepare_v2(h->db, sql, -1, cursor, NULL) == SQLITE_OK) {
            for (int i = 1; i <= sqlite3_bind_parameter_count(*cursor); i++) {
                sqlite3_bind_text(*cursor, i, names[fuzz_below(in, COUNT(names))], -1,
                                  SQLITE_STATIC);
            }
        }
        sqlite3_free(sql);
    }
    if (*cursor && sqlite3_step(*cursor) != SQLITE_ROW) {
        (void)sqlite3_finalize(*cursor);
        *cursor = NULL;
    }
    look(h, true);
}

static void refused(host *h, fuzz_input *in) {
    static const char *const sqls[] = {"UPDATE events SET at = ? WHERE seq = 1",
                                       "DELETE FROM events WHERE seq = ?",
                                       "DELETE FROM postings",
                                       "UPDATE accounts SET kind = ?",
                                       "DELETE FROM balances WHERE account = ?",
                                       "REPLACE INTO assets(asset) VALUES(?)"};
    run(h, sqls[fuzz_below(in, COUNT(sqls))], in);
    look(h, true);
}

static void functions(host *h, fuzz_input *in) {
    static const char *const sqls[] = {
        "SELECT talea_decimal(?, ?)",
        "SELECT talea_minor(?, ?)",
        "SELECT talea_sum(x) OVER (ROWS 1 PRECEDING) FROM (SELECT ? AS x UNION ALL SELECT ?)",
        "SELECT talea_wait(?, ?, 0)",
        "SELECT talea_sum(x) FROM app",
        "SELECT * FROM verify WHERE book = ?",
        "SELECT talea_version()"};
    run(h, sqls[fuzz_below(in, COUNT(sqls))], in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const actions[])(host *, fuzz_input *) = {
        insert_sound, insert_sound, insert_line, insert_line, insert_wild,
        insert_wild,  insert_event, control,     control,     select_rows,
        select_rows,  step_cursor,  refused,     functions};
    fuzz_input in = fuzz_begin(data, size < BYTES_MAX ? size : BYTES_MAX);
    host h;
    begin(&h);
    look(&h, false);
    for (unsigned i = 0; i < STATEMENTS_MAX && fuzz_left(&in) > 0; i++) {
        actions[fuzz_below(&in, COUNT(actions))](&h, &in);
    }
    finish(&h);
    return 0;
}
