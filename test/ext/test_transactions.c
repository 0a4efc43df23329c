/*
 * test_transactions.c: the ledger and the host's own tables in one SQL transaction, through every
 * way in which SQLite can end it.
 */
#include "host.h"

static sqlite3 *open_shop(void) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_exec(db, "CREATE TABLE orders(id INTEGER PRIMARY KEY, note UNIQUE)");
    return db;
}

#define POST(key)                                                                                  \
    "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"                          \
    " VALUES ('main', '" key "', 'cash', 'rev', 5);"

/* ---- The host's hooks -------------------------------------------------------------------------- */

static int on_commit(void *arg) {
    int *calls = arg;
    return ++calls[0] > 0 && calls[1];
}

static void on_rollback(void *arg) {
    ((int *)arg)[2]++;
}

static void hooks_are_the_hosts(void **state) {
    sqlite3 *db = open_shop();
    int calls[3] = {0, 0, 0};
    sqlite3_commit_hook(db, on_commit, calls);
    sqlite3_rollback_hook(db, on_rollback, calls);
    host_exec(db, POST("k1"));
    assert_int_equal(calls[0], 1);
    host_load(db); /* again: must not take the hook either */
    host_exec(db, "SELECT talea_open('file:x?mode=memory', 'x')");
    calls[0] = 0;
    host_exec(db, "BEGIN;" POST("k2") "INSERT INTO orders VALUES (1, 'a'); COMMIT");
    assert_int_equal(calls[0], 1);
    assert_int_equal(calls[2], 0);
    host_exec(db, "BEGIN;" POST("k3") "ROLLBACK");
    assert_int_equal(calls[2], 1);
    assert_ptr_equal(sqlite3_commit_hook(db, NULL, NULL), calls);
    assert_ptr_equal(sqlite3_rollback_hook(db, NULL, NULL), calls);
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 2);
    host_close(db);
}

/* A veto comes after the ledger's sync: the drafts stay, `results` says so, a retry is safe. */
static void commit_hook_vetoes(void **state) {
    sqlite3 *db = open_shop();
    int calls[3] = {0, 1, 0};
    sqlite3_commit_hook(db, on_commit, calls);
    int rc = host_try(db, "BEGIN;" POST("k1") "INSERT INTO orders VALUES (1, 'a'); COMMIT");
    assert_int_equal(rc & 0xff, SQLITE_CONSTRAINT);
    assert_true(sqlite3_get_autocommit(db));
    calls[1] = 0;
    assert_int_equal(host_int(db, "SELECT count(*) FROM orders"), 0);
    assert_string_equal(host_rows(db, "SELECT idempotency_key, status, seq FROM results"),
                        "k1|committed|3");
    host_exec(db, "BEGIN;" POST("k1") "INSERT INTO orders VALUES (1, 'a'); COMMIT");
    assert_string_equal(host_rows(db, "SELECT status, seq FROM results"), "deduplicated|3");
    assert_int_equal(host_int(db, "SELECT count(*) FROM orders"), 1);
    assert_int_equal(host_int(db, "SELECT balance FROM balances WHERE account = 'cash'"), 5);
    host_close(db);
}

/* ---- SQLite's own commit fails ---------------------------------------------------------------------- */

/* Another connection reads main, in rollback mode: COMMIT is BUSY after the ledger's sync. The
 * transaction stays open; COMMIT again posts nothing twice. */
static void main_is_busy(void **state) {
    sqlite3 *db = open_shop();
    sqlite3 *other = host_open(host_path("shop.db"));
    host_exec(db, "INSERT INTO orders VALUES (1, 'a'), (2, 'b')");
    sqlite3_stmt *reader = host_prepare(other, "SELECT id FROM orders");
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    host_exec(db, "BEGIN;" POST("k1") "INSERT INTO orders VALUES (3, 'c')");
    host_refused(db, "COMMIT", SQLITE_BUSY, "");
    assert_false(sqlite3_get_autocommit(db));
    host_refused(db, "COMMIT", SQLITE_BUSY, "");
    host_exec(db, POST("k2")); /* more may follow */
    host_exec(db, "SAVEPOINT s;" POST("k3") "ROLLBACK TO s; RELEASE s");
    sqlite3_finalize(reader);
    host_exec(db, "COMMIT");
    assert_string_equal(host_rows(db, "SELECT n, idempotency_key, status, seq FROM results"),
                        "1|k1|committed|3\n2|k2|committed|4");
    assert_int_equal(host_int(db, "SELECT count(*) FROM orders"), 3);
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 2);
    host_close(other);
    host_close(db);
}

static void main_is_busy_then_rolled_back(void **state) {
    sqlite3 *db = open_shop();
    sqlite3 *other = host_open(host_path("shop.db"));
    host_exec(db, "INSERT INTO orders VALUES (1, 'a'), (2, 'b')");
    sqlite3_stmt *reader = host_prepare(other, "SELECT id FROM orders");
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    host_exec(db, "BEGIN;" POST("k1") "INSERT INTO orders VALUES (3, 'c')");
    host_refused(db, "COMMIT", SQLITE_BUSY, "");
    host_exec(db, "ROLLBACK");
    sqlite3_finalize(reader);
    /* What is durable cannot be taken back; the same key makes the retry safe. */
    assert_string_equal(host_rows(db, "SELECT idempotency_key, status, seq FROM results"),
                        "k1|committed|3");
    host_exec(db, "BEGIN;" POST("k1") "INSERT INTO orders VALUES (3, 'c'); COMMIT");
    assert_string_equal(host_rows(db, "SELECT status, seq FROM results"), "deduplicated|3");
    assert_int_equal(host_int(db, "SELECT count(*) FROM orders"), 3);
    host_close(other);
    host_close(db);
}

/* Two connections write the ledger at the same time: neither holds a lock that the other wants. */
static void never_exclude_each_other(void **state) {
    sqlite3 *a = open_shop();
    sqlite3 *b = host_open(host_path("shop.db"));
    host_exec(a, "BEGIN;" POST("a1"));
    host_exec(b, "BEGIN;" POST("b1"));
    host_exec(a, POST("a2"));
    host_exec(b, POST("b2"));
    host_exec(b, "COMMIT");
    host_exec(a, "COMMIT");
    assert_string_equal(host_rows(a, "SELECT idempotency_key FROM transfers ORDER BY seq"),
                        "b1\nb2\na1\na2");
    /* Nor does a writer of main exclude one of the ledger, in any journal mode. */
    host_exec(a, "BEGIN IMMEDIATE; INSERT INTO orders VALUES (1, 'a')");
    host_exec(b, POST("b3"));
    assert_int_equal(host_int(b, "SELECT count(*) FROM transfers"), 5);
    host_exec(a, "COMMIT");
    /* The same draft staged by both: one commits it, the other finds it. */
    host_exec(a, "BEGIN;" POST("same"));
    host_exec(b, "BEGIN;" POST("same"));
    host_exec(a, "COMMIT");
    host_exec(b, "COMMIT");
    assert_string_equal(host_rows(a, "SELECT status, seq FROM results"), "committed|8");
    assert_string_equal(host_rows(b, "SELECT status, seq FROM results"), "deduplicated|8");
    /* Both open the same account, one of them differently: judged in order of commit. */
    host_exec(a, "BEGIN; INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'x', "
                 "'USD', 'asset')");
    host_exec(b, "BEGIN; INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'x', "
                 "'USD', 'expense')");
    host_exec(a, "COMMIT");
    host_refused(b, "COMMIT", SQLITE_CONSTRAINT, "talea: already_exists: ");
    /* Both register one asset. */
    host_exec(a, "BEGIN; INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2)");
    host_exec(b, "BEGIN; INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2)");
    host_exec(a, "COMMIT");
    host_exec(b, "COMMIT");
    assert_string_equal(host_rows(b, "SELECT status, seq FROM results"), "deduplicated|2");
    assert_int_equal(host_int(a, "SELECT count(*) FROM assets"), 2);
    host_close(a);
    host_close(b);
}

/* An optional asset that another connection registers first, differently: what was staged upon it
 * must not keep the precision that was refused. */
static void optional_asset_lost_the_race(void **state) {
    sqlite3 *a = open_shop();
    sqlite3 *b = host_open(host_path("shop.db"));
    host_exec(
        a, "BEGIN; INSERT OR IGNORE INTO assets(asset, class, precision) VALUES ('CHF', 'fiat', 0);"
           "INSERT OR IGNORE INTO accounts(book, account, asset, kind)"
           " VALUES ('main', 'x', 'CHF', 'asset'), ('main', 'y', 'CHF', 'equity');"
           "INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount)"
           " VALUES ('main', 'k1', 'x', 'y', 100)");
    host_exec(b, "INSERT INTO assets(asset, class, precision) VALUES ('CHF', 'fiat', 2)");
    (void)host_try(a, "COMMIT");
    host_exec(
        b, "INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'z', 'CHF', 'asset')");
    assert_string_equal(host_rows(a,
                                  "SELECT account, display FROM balances JOIN assets USING (asset)"
                                  " WHERE display <> talea_decimal(balance, precision)"),
                        "");
    host_close(a);
    host_close(b);
}

/* The same with an account: drafts that name it go with it, the rest of the unit does not. */
static void optional_account_lost_the_race(void **state) {
    sqlite3 *a = open_shop();
    sqlite3 *b = host_open(host_path("shop.db"));
    host_exec(a, "INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2)");
    host_exec(a, "BEGIN; INSERT OR IGNORE INTO accounts(book, account, asset, kind) VALUES "
                 "('main', 'x', 'USD', 'asset');"
                 "INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount)"
                 " VALUES ('main', 'k1', 'x', 'rev', 1), ('main', 'k2', 'cash', 'rev', 2)");
    host_exec(
        b, "INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'x', 'EUR', 'asset')");
    host_exec(a, "COMMIT");
    assert_string_equal(host_rows(a, "SELECT n, status, seq FROM results"),
                        "1|rejected|\n2|rejected|\n3|committed|4");
    assert_string_equal(host_rows(a, "SELECT asset, debits, credits FROM trial_balance ORDER BY 1"),
                        "EUR|0|0\nUSD|2|2");
    host_close(a);
    host_close(b);
}

/* A refused COMMIT of the ledger rolls the host's table back with it. */
static void refused_at_commit(void **state) {
    sqlite3 *db = open_shop();
    host_exec(db, "INSERT INTO accounts(book, account, asset, kind, min_balance)"
                  " VALUES ('main', 'vault', 'USD', 'asset', 0)");
    host_exec(db, "BEGIN; INSERT INTO orders VALUES (1, 'a');"
                  "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'k1', 'rev', 'vault', 5)");
    host_refused(db, "COMMIT", SQLITE_CONSTRAINT, "talea: constraint_violation: draft \"k1\"");
    assert_true(sqlite3_get_autocommit(db));
    assert_int_equal(host_int(db, "SELECT count(*) FROM orders"), 0);
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 0);
    /* The failed statement of an autocommitted INSERT can be run again. */
    sqlite3_stmt *post =
        host_prepare(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                         " VALUES ('main', ?1, 'rev', 'vault', ?2)");
    assert_int_equal(host_post(post, "k2", 5), SQLITE_CONSTRAINT);
    assert_int_equal(host_post(post, "k2", 6), SQLITE_CONSTRAINT);
    host_exec(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'in', 'vault', 'rev', 6)");
    assert_int_equal(host_post(post, "k2", 6), SQLITE_OK);
    assert_int_equal(sqlite3_last_insert_rowid(db), 5);
    sqlite3_finalize(post);
    host_close(db);
}

/* The host's constraint fails after the ledger's INSERT, inside one statement with a trigger. */
static void constraint_after_insert(void **state) {
    sqlite3 *db = open_shop();
    host_exec(db, "CREATE TEMP TRIGGER t BEFORE INSERT ON orders BEGIN"
                  " INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'o' || new.id, 'cash', 'rev', 5); END");
    host_exec(db, "INSERT INTO orders VALUES (1, 'a')");
    host_refused(db, "INSERT INTO orders VALUES (2, 'b'), (3, 'a')", SQLITE_CONSTRAINT, "UNIQUE");
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    host_exec(db, "BEGIN; INSERT INTO orders VALUES (4, 'd')");
    host_refused(db, "INSERT INTO orders VALUES (5, 'e'), (6, 'a')", SQLITE_CONSTRAINT, "UNIQUE");
    host_exec(db, "INSERT OR IGNORE INTO orders VALUES (7, 'a'), (8, 'h')");
    host_exec(db, "COMMIT");
    /* OR IGNORE skips the row of the table alone: what the trigger did before stays, as in SQLite. */
    assert_string_equal(host_rows(db, "SELECT idempotency_key FROM transfers ORDER BY seq"),
                        "o1\no4\no7\no8");
    assert_string_equal(host_rows(db, "SELECT id FROM orders ORDER BY id"), "1\n4\n8");
    host_close(db);
}

/* ---- Interrupted ------------------------------------------------------------------------------------- */

static int stop_after(void *arg) {
    int *left = arg;
    return --*left <= 0;
}

/* A bulk INSERT that is interrupted halfway leaves nothing, and burns nothing. */
static void interrupted_insert(void **state) {
    static const char bulk[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
        " SELECT 'main', 'k' || i, 'cash', 'rev', i FROM n";
    sqlite3 *db = open_shop();
    int left = 200;
    sqlite3_progress_handler(db, 100, stop_after, &left);
    host_refused(db, bulk, SQLITE_INTERRUPT, "");
    sqlite3_progress_handler(db, 0, NULL, NULL);
    assert_int_equal(host_int(db, "SELECT last_seq FROM books WHERE book = 'main'"), 2);
    host_exec(db, "BEGIN;" POST("first"));
    left = 200;
    sqlite3_progress_handler(db, 100, stop_after, &left);
    host_refused(db, bulk, SQLITE_INTERRUPT, "");
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (sqlite3_get_autocommit(db)) { /* SQLite may roll back the whole on an interrupt */
        host_exec(db, POST("first"));
    } else {
        host_exec(db, "COMMIT");
    }
    assert_string_equal(host_rows(db, "SELECT idempotency_key, seq FROM transfers"), "first|3");
    host_exec(db, bulk);
    assert_int_equal(host_int(db, "SELECT max(seq) FROM transfers"), 5003);
    host_close(db);
}

/* ---- Odd ways to say it --------------------------------------------------------------------------------- */

static void close_with_open_transaction(void **state) {
    sqlite3 *db = open_shop();
    host_exec(db, "BEGIN;" POST("k1"));
    host_close(db); /* rolls back */
    db = host_open(host_path("shop.db"));
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 0);
    host_exec(db, POST("k1"));
    assert_int_equal(sqlite3_last_insert_rowid(db), 3);
    host_close(db);
}

static void dropped_in_transaction(void **state) {
    sqlite3 *db = open_shop();
    host_exec(db, "BEGIN;" POST("k1"));
    int rc = host_try(db, "DROP TABLE talea.transfers");
    assert_int_not_equal(rc, SQLITE_OK); /* it holds staged drafts */
    host_exec(db, "COMMIT");
    assert_int_equal(host_int(db, "SELECT count(*) FROM events WHERE idempotency_key = 'k1'"), 1);
    host_exec(db, "BEGIN; DROP TABLE talea.books; ROLLBACK");
    assert_int_equal(host_int(db, "SELECT last_seq FROM books WHERE book = 'main'"), 3);
    host_close(db);
}

/* Many savepoints, opened and undone by a random walk; the model is a stack of counts. */
static void savepoint_walk(void **state) {
    sqlite3 *db = open_shop();
    unsigned random = 12345;
    int total = 0;
    for (int round = 0; round < 30; round++) {
        int count[64] = {0}; /* drafts staged when savepoint i was opened */
        int depth = 0;
        int staged = 0;
        host_exec(db, "BEGIN");
        for (int step = 0; step < 40; step++) {
            random = random * 1103515245u + 12345u;
            unsigned what = (random >> 16) % 10;
            int target = depth > 0 ? (int)((random >> 20) % (unsigned)depth) : 0;
            if (what < 4) {
                host_execf(db, "INSERT INTO %s VALUES ('main', 'w%d-%d', %s)",
                           what < 2 ? "transfers(book, idempotency_key, debit, credit, amount)"
                                    : "events(book, idempotency_key, postings)",
                           round, step,
                           what < 2 ? "'cash', 'rev', 1"
                                    : "'[{\"account\":\"cash\",\"debit\":1},{\"account\":\"rev\","
                                      "\"credit\":1}]'");
                staged++;
            } else if (what == 4) { /* two rows, the second is refused: neither stays */
                host_refused(
                    db,
                    "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                    " VALUES ('main', 'x', 'cash', 'rev', 1), ('main', 'y', 'cash', 'rev', 0)",
                    SQLITE_CONSTRAINT, "invalid_amount");
            } else if (what < 7 && depth < 60) {
                host_execf(db, "SAVEPOINT s%d", depth);
                count[depth++] = staged;
            } else if (what == 7 && depth > 0) {
                host_execf(db, "RELEASE s%d", target);
                depth = target;
            } else if (depth > 0) {
                host_execf(db, "ROLLBACK TO s%d", target);
                staged = count[target];
                depth = target + 1;
            }
        }
        if (round % 5 == 4) {
            host_exec(db, "ROLLBACK");
        } else {
            host_exec(db, "COMMIT");
            total += staged;
        }
        assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), total);
        assert_int_equal(host_int(db, "SELECT last_seq FROM books WHERE book = 'main'"), total + 2);
    }
    assert_int_equal(host_int(db, "SELECT count(*) FROM verify WHERE problem IS NOT NULL"), 0);
    host_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hooks_are_the_hosts, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(commit_hook_vetoes, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(main_is_busy, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(main_is_busy_then_rolled_back, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(never_exclude_each_other, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(optional_asset_lost_the_race, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(optional_account_lost_the_race, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(refused_at_commit, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(constraint_after_insert, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(interrupted_insert, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(close_with_open_transaction, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(dropped_in_transaction, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(savepoint_walk, host_setup, host_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
