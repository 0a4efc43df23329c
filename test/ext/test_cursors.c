/*
 * test_cursors.c: the life of a cursor: what instant it shows, and how often, in what order and
 * how far SQLite may ask it for rows.
 *
 * The oracle: the same rows copied into a plain table when they were fewer, and SQLite's own answer there.
 */
#include "host.h"

static sqlite3 *open_filled(int count) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_execf(db,
               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
               " INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
               " SELECT 'main', 'k' || i, iif(i %% 3, 'cash', 'rev'), iif(i %% 3, 'rev', 'cash'), "
               "i FROM n",
               count);
    return db;
}

static void post(sqlite3 *db, const char *key) {
    host_execf(db,
               "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
               " VALUES ('main', %Q, 'cash', 'rev', 1)",
               key);
}

/* ---- Instants ------------------------------------------------------------------------------------ */

static int count_rest(sqlite3_stmt *stmt) {
    int count = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        count++;
    }
    return count;
}

/* An open cursor stays at its instant while its own connection and others commit; a new statement
 * sees it. */
static void own_commit_under_cursor(void **state) {
    sqlite3 *db = open_filled(100);
    sqlite3 *other = host_open(host_path("shop.db"));
    sqlite3_stmt *scan = host_prepare(db, "SELECT seq FROM events WHERE book = 'main'");
    sqlite3_stmt *count = host_prepare(db, "SELECT count(*) FROM events WHERE book = 'main'");
    assert_int_equal(sqlite3_step(scan), SQLITE_ROW);
    post(db, "own");
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 103);
    sqlite3_reset(count);
    post(other, "others");
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 104);
    sqlite3_reset(count);
    assert_int_equal(count_rest(scan), 101);
    sqlite3_reset(scan);
    assert_int_equal(count_rest(scan), 104);
    sqlite3_finalize(scan);
    sqlite3_finalize(count);
    host_close(other);
    host_close(db);
}

/* A host that posts while it reads, row by row, with the rows of the start. */
static void post_for_each_row(void **state) {
    sqlite3 *db = open_filled(50);
    sqlite3_stmt *scan =
        host_prepare(db, "SELECT idempotency_key, amount FROM transfers WHERE book = 'main'");
    sqlite3_stmt *undo = host_transfer(db);
    int rows = 0;
    while (sqlite3_step(scan) == SQLITE_ROW) {
        char key[64];
        (void)snprintf(key, sizeof key, "undo-%s", (const char *)sqlite3_column_text(scan, 0));
        assert_int_equal(host_post(undo, key, sqlite3_column_int64(scan, 1)), SQLITE_OK);
        rows++;
    }
    assert_int_equal(rows, 50);
    sqlite3_finalize(scan);
    sqlite3_finalize(undo);
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 100);
    host_close(db);
}

/* Two executions in parallel, each at its own instant; both whole. */
static void two_scans(void **state) {
    sqlite3 *db = open_filled(20);
    sqlite3_stmt *a =
        host_prepare(db, "SELECT p.seq, (SELECT max(seq) FROM events WHERE book = 'main')"
                         " FROM postings p WHERE p.book = 'main' AND p.account = 'cash'");
    sqlite3_stmt *b =
        host_prepare(db, "SELECT p.seq, (SELECT max(seq) FROM events WHERE book = 'main')"
                         " FROM postings p WHERE p.book = 'main' AND p.account = 'cash'");
    assert_int_equal(sqlite3_step(a), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(a, 1), 22);
    post(db, "between");
    assert_int_equal(sqlite3_step(b), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(b, 1), 23);
    assert_int_equal(count_rest(a), 19);
    assert_int_equal(count_rest(b), 20);
    sqlite3_finalize(a);
    sqlite3_finalize(b);
    host_close(db);
}

/* ---- Cut short --------------------------------------------------------------------------------------- */

static int stop_now(void *arg) {
    int *left = arg;
    return --*left <= 0;
}

static void reset_and_interrupt(void **state) {
    sqlite3 *db = open_filled(3000);
    sqlite3_stmt *scan = host_prepare(db, "SELECT * FROM postings");
    for (int i = 0; i < 200; i++) {
        for (int row = 0; row < i % 7; row++) {
            assert_int_equal(sqlite3_step(scan), SQLITE_ROW);
        }
        sqlite3_reset(scan);
    }
    assert_int_equal(sqlite3_step(scan), SQLITE_ROW);
    sqlite3_interrupt(db);
    assert_int_equal(sqlite3_step(scan), SQLITE_INTERRUPT);
    sqlite3_reset(scan);
    int left = 50;
    sqlite3_progress_handler(db, 50, stop_now, &left);
    host_refused(db, "SELECT count(*) FROM postings a, postings b", SQLITE_INTERRUPT, "");
    sqlite3_progress_handler(db, 0, NULL, NULL);
    assert_int_equal(count_rest(scan), 6000);
    sqlite3_finalize(scan);
    /* close_v2 with a cursor open: a zombie until the statement goes. */
    scan = host_prepare(db, "SELECT * FROM events");
    assert_int_equal(sqlite3_step(scan), SQLITE_ROW);
    assert_int_equal(sqlite3_close(db), SQLITE_BUSY);
    assert_int_equal(sqlite3_close_v2(db), SQLITE_OK);
    assert_int_equal(sqlite3_step(scan), SQLITE_ROW);
    sqlite3_finalize(scan);
}

/* Statements that the extension caches must not hold up sqlite3_close. */
static void close_after_everything(void **state) {
    sqlite3 *db = open_filled(3);
    host_exec(
        db, "INSERT INTO events(book, idempotency_key, postings, metadata) VALUES ('main', 'json',"
            " '[{\"account\":\"cash\",\"debit\":1},{\"account\":\"rev\",\"credit\":1}]', '{}')");
    host_exec(
        db,
        "INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata)"
        " VALUES ('main', 'time', 'cash', 'rev', 1, 'now', '[1]')");
    host_exec(db, "SELECT * FROM verify; SELECT * FROM results; SELECT * FROM books;"
                  "SELECT talea_wait('main', 0, 0); SELECT talea_open('file:m?mode=memory', 'm');"
                  "SELECT * FROM m.assets; SELECT talea_close('m')");
    (void)host_try(
        db, "INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'bad', '[')");
    assert_null(sqlite3_next_stmt(db, NULL) && sqlite3_stmt_busy(sqlite3_next_stmt(db, NULL))
                    ? sqlite3_next_stmt(db, NULL)
                    : NULL);
    host_close(db);
}

/* ---- Asked again and again ------------------------------------------------------------------------- */

/* Puts table names in the place of @E (events), @P (postings) and @T (transfers). */
static void name_tables(const char *question, const char *const names[3], char *out, size_t size) {
    size_t len = 0;
    for (; *question && len + 32 < size; question++) {
        const char *which = *question == '@' ? strchr("EPT", question[1]) : NULL;
        if (which) {
            len += (size_t)snprintf(out + len, size - len, "%s",
                                    names[*which == 'E'   ? 0
                                          : *which == 'P' ? 1
                                                          : 2]);
            question++;
        } else {
            out[len++] = *question;
        }
    }
    out[len] = '\0';
}

/* The same question of our tables and of plain copies of them. */
static void questions(void **state) {
    static const char *const list[] = {
        /* xFilter again on one cursor: joins and correlated subqueries */
        "SELECT e.seq, (SELECT count(*) FROM @P p WHERE p.book = e.book AND p.seq = e.seq) FROM @E "
        "e ORDER BY e.book, e.seq",
        "SELECT a.seq, b.seq FROM @T a JOIN @T b ON b.book = a.book AND b.seq = a.seq + 1 WHERE "
        "a.seq < 20 ORDER BY 1, 2",
        "SELECT a.seq, count(*) FROM @T a, @P p WHERE p.account = a.debit AND p.seq < a.seq AND "
        "a.seq < 20 GROUP BY a.seq ORDER BY 1",
        "SELECT e.seq, t.amount FROM @E e LEFT JOIN @T t ON t.txid = e.txid WHERE e.book = 'main' "
        "AND e.seq < 12 ORDER BY e.seq DESC",
        "SELECT e.seq FROM @E e WHERE e.idempotency_key IN (SELECT idempotency_key FROM @T WHERE "
        "amount > 25) ORDER BY 1",
        /* OR: rows must not come twice, none may be lost */
        "SELECT book, seq FROM @E WHERE seq = 3 OR idempotency_key = 'k1' OR txid = (SELECT txid "
        "FROM @T WHERE seq = 3) ORDER BY 1, 2",
        "SELECT book, seq, idx FROM @P WHERE account = 'cash' OR seq BETWEEN 3 AND 5 OR (book = "
        "'two' AND account = 'a') ORDER BY 1, 2, 3",
        "SELECT count(*) FROM @T WHERE debit = 'cash' OR credit = 'cash' OR debit = 'a'",
        "SELECT count(*), sum(amount) FROM @T WHERE (book = 'main' AND seq > 10) OR (book = 'two' "
        "AND seq < 10) OR idempotency_key = 'k2'",
        /* IN */
        "SELECT book, seq FROM @E WHERE book IN ('two', 'main', 'main', 'none', NULL) AND seq IN "
        "(4, 3, 9, 3, 900) ORDER BY book, seq",
        "SELECT book, seq FROM @E WHERE book IN ('two', 'main') ORDER BY book DESC, seq DESC LIMIT "
        "5 OFFSET 2",
        "SELECT seq, account FROM @P WHERE book = 'main' AND account IN ('rev', 'cash') AND seq IN "
        "(5, 6) ORDER BY seq DESC, idx DESC",
        "SELECT seq FROM @E WHERE book = 'main' AND seq IN (SELECT amount + 2 FROM @T WHERE amount "
        "< 6) ORDER BY seq",
        "SELECT count(*) FROM @E WHERE seq NOT IN (3, 4) AND book NOT IN ('two')",
        /* LIMIT, OFFSET, DESC */
        "SELECT seq FROM @E WHERE book = 'main' ORDER BY seq LIMIT 4 OFFSET 3",
        "SELECT seq FROM @E WHERE book = 'main' ORDER BY seq DESC LIMIT 4 OFFSET 3",
        "SELECT seq FROM @E WHERE book = 'main' AND kind = 'transaction_posted' ORDER BY seq LIMIT "
        "2",
        "SELECT seq, amount FROM @T WHERE book = 'main' AND amount % 2 = 0 ORDER BY seq DESC LIMIT "
        "3 OFFSET 1",
        "SELECT seq, idx FROM @P WHERE book = 'main' ORDER BY seq DESC, idx LIMIT 4",
        "SELECT seq FROM @E WHERE book = 'main' LIMIT 0",
        "SELECT count(*) FROM (SELECT * FROM @E LIMIT -1 OFFSET 5)",
        "SELECT max(seq), min(seq) FROM @E WHERE book = 'main' AND seq < 20",
        "SELECT book, max(seq) FROM @E GROUP BY book ORDER BY 1",
        "SELECT DISTINCT book, account FROM @P ORDER BY book DESC, account",
        "SELECT book, count(DISTINCT account), count(*) FROM @P GROUP BY book ORDER BY book",
        "SELECT at > '2001', count(*) FROM @E GROUP BY 1",
        "SELECT seq FROM @E WHERE book = 'main' AND at > (SELECT at FROM @E WHERE book = 'main' "
        "AND seq = 2) AND seq < 6 ORDER BY at, seq",
        "SELECT seq FROM @E WHERE book > 'main' ORDER BY seq LIMIT 3",
        "SELECT seq FROM @E WHERE book = 'main' AND seq > 5 AND seq > 7 AND seq <= 9 AND seq < 100 "
        "ORDER BY seq",
        "SELECT seq FROM @E WHERE book = 'main' AND book = 'two'",
        "SELECT seq FROM @E WHERE book = 5 OR book = x'6d61696e'",
        "SELECT count(*) FROM @P WHERE debit > 10 OR credit < 5",
        /* running balances, from anywhere */
        "SELECT seq, balance FROM @P WHERE account = 'cash' AND seq > 10 AND book = 'main' ORDER "
        "BY seq LIMIT 4",
        "SELECT seq, balance FROM @P WHERE account = 'cash' AND book = 'main' ORDER BY seq DESC, "
        "idx DESC LIMIT 4",
        "SELECT p.seq, p.balance FROM @T t JOIN @P p ON p.book = t.book AND p.seq = t.seq WHERE "
        "t.amount IN (3, 9) ORDER BY 1, p.idx",
        "SELECT seq, idx, balance FROM @P WHERE book = 'main' AND seq IN (8, 20, 12) ORDER BY seq, "
        "idx",
        "SELECT book, account, balance FROM @P WHERE (book, seq) IN (SELECT book, max(seq) FROM @E "
        "GROUP BY book) ORDER BY 1, 2",
    };
    sqlite3 *db = open_filled(30);
    host_exec(db, "INSERT INTO accounts(book, account, asset, kind) VALUES ('two', 'a', 'USD', "
                  "'asset'), ('two', 'b', 'USD', 'asset')");
    host_exec(db,
              "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES"
              " ('two', 'k1', 'a', 'b', 5), ('two', 'x', 'b', 'a', 7), ('two', 'y', 'a', 'b', 11)");
    host_exec(db, "INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'wide',"
                  " '[{\"account\":\"cash\",\"debit\":4},{\"account\":\"rev\",\"credit\":3},{"
                  "\"account\":\"cash\",\"credit\":1}]')");
    host_exec(db, "CREATE TEMP TABLE e AS SELECT * FROM talea.events; CREATE TEMP TABLE p AS "
                  "SELECT * FROM talea.postings;"
                  "CREATE TEMP TABLE t AS SELECT * FROM talea.transfers");
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char ours[2048];
        char plain[2048];
        name_tables(list[i],
                    (const char *const[]){"talea.events", "talea.postings", "talea.transfers"},
                    ours, sizeof ours);
        name_tables(list[i], (const char *const[]){"temp.e", "temp.p", "temp.t"}, plain,
                    sizeof plain);
        char *expected = sqlite3_mprintf("%s", host_rows(db, plain));
        const char *got = host_rows(db, ours);
        if (strcmp(expected, got) != 0) {
            fail_msg("%s\n%s\nshould be\n%s", ours, got, expected);
        }
        sqlite3_free(expected);
    }
    host_close(db);
}

/* One prepared statement, bound to something else each time. */
static void bound_again(void **state) {
    sqlite3 *db = open_filled(40);
    sqlite3_stmt *one =
        host_prepare(db, "SELECT seq FROM events WHERE book = ?1 AND idempotency_key = ?2");
    sqlite3_stmt *range =
        host_prepare(db, "SELECT count(*) FROM events WHERE book = ?1 AND seq >= ?2 AND seq < ?3");
    sqlite3_stmt *past =
        host_prepare(db, "SELECT balance FROM balances WHERE account = 'cash' AND as_of_seq = ?1");
    for (int i = 1; i <= 40; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        sqlite3_bind_text(one, 1, "main", -1, SQLITE_STATIC);
        sqlite3_bind_text(one, 2, key, -1, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(one), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(one, 0), i + 2);
        assert_int_equal(sqlite3_step(one), SQLITE_DONE);
        sqlite3_reset(one);
        sqlite3_bind_text(one, 1, i % 2 ? "Main" : "nobody", -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(one), SQLITE_DONE);
        sqlite3_reset(one);
        sqlite3_bind_text(range, 1, "main", -1, SQLITE_STATIC);
        sqlite3_bind_int(range, 2, i);
        sqlite3_bind_int(range, 3, i + 5);
        assert_int_equal(sqlite3_step(range), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(range, 0), i + 5 <= 43 ? 5 : 43 - i);
        sqlite3_reset(range);
        sqlite3_bind_int(past, 1, i + 2);
        assert_int_equal(sqlite3_step(past), SQLITE_ROW);
        sqlite3_int64 sum = 0;
        for (int k = 1; k <= i; k++) {
            sum += k % 3 ? k : -k;
        }
        assert_int_equal(sqlite3_column_int64(past, 0), sum);
        sqlite3_reset(past);
    }
    sqlite3_bind_null(range, 2);
    assert_int_equal(sqlite3_step(range), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(range, 0), 0);
    sqlite3_finalize(one);
    sqlite3_finalize(range);
    sqlite3_finalize(past);
    host_close(db);
}

/* Many rows, twice over, in both directions; and rowids that are unique. */
static void many_rows(void **state) {
    sqlite3 *db = open_filled(50000);
    assert_string_equal(
        host_rows(
            db, "SELECT count(*), sum(seq), count(DISTINCT rowid) FROM events WHERE book = 'main'"),
        "50002|1250125003|50002");
    assert_string_equal(
        host_rows(db, "SELECT count(*), count(DISTINCT rowid), max(idx) FROM postings"),
        "100000|100000|1");
    assert_int_equal(host_int(db,
                              "SELECT count(*) FROM (SELECT seq, lag(seq) OVER () AS before FROM"
                              " (SELECT seq FROM events WHERE book = 'main' ORDER BY seq DESC)) "
                              "WHERE seq <> before - 1"),
                     0);
    assert_int_equal(
        host_int(
            db,
            "SELECT count(*) FROM postings a JOIN postings b ON b.book = a.book AND b.seq = a.seq"
            " AND b.idx = 1 - a.idx WHERE a.account <> b.account"),
        100000);
    host_close(db);
}

/* The pin limits: more running statements than are tracked still answer, each one whole. */
static void many_statements_at_once(void **state) {
    enum { COUNT = 40 };
    sqlite3 *db = open_filled(30);
    sqlite3_stmt *stmts[COUNT];
    for (int i = 0; i < COUNT; i++) {
        stmts[i] = host_prepare(db, "SELECT a.balance + b.balance * 0, t.debits - t.credits FROM "
                                    "balances a, balances b, trial_balance t"
                                    " WHERE a.account = 'cash' AND b.account = 'rev'");
        assert_int_equal(sqlite3_step(stmts[i]), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stmts[i], 1), 0);
        char key[16];
        (void)snprintf(key, sizeof key, "m%d", i);
        post(db, key);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(sqlite3_step(stmts[i]), SQLITE_DONE);
        sqlite3_finalize(stmts[i]);
    }
    host_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_commit_under_cursor, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(post_for_each_row, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(two_scans, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(reset_and_interrupt, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(close_after_everything, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(questions, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(bound_again, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(many_rows, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(many_statements_at_once, host_setup, host_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
