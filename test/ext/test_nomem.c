/*
 * test_nomem.c: SQLite's allocator fails at the Nth call, for every N: no crash, no leak, no wrong
 * answer.
 *
 * Everything that the extension allocates comes from sqlite3_malloc; the core's own memory is not
 * touched here.
 */
/* ctest: slow */
#include "host.h"

#include <pthread.h>

static sqlite3_mem_methods real;
static int countdown; /* calls until the failure; 0: none is planned */
static int failures;  /* since it was set */
static pthread_t test_thread;

static bool fails_now(void) {
    if (countdown == 0 || !pthread_equal(pthread_self(), test_thread) || --countdown != 0) {
        return false;
    }
    failures++;
    return true;
}

static void *faulty_malloc(int size) {
    return fails_now() ? NULL : real.xMalloc(size);
}

static void *faulty_realloc(void *old, int size) {
    return fails_now() ? NULL : real.xRealloc(old, size);
}

/* Runs the whole of `sql` statement by statement, going on after an error; the worst result. */
static int run(sqlite3 *db, const char *sql) {
    int worst = SQLITE_OK;
    while (sql && *sql) {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
        while (rc == SQLITE_OK && stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            rc = SQLITE_OK;
        }
        sqlite3_finalize(stmt);
        if (rc != SQLITE_OK && rc != SQLITE_DONE) {
            worst = rc;
            break; /* the rest of the text was not looked at when preparing failed */
        }
    }
    return worst;
}

/* SQLite turns some failures into other errors: its parser into SQLITE_ERROR, json_valid() into "not valid". */
static bool excusable(sqlite3 *db, int rc) {
    return failures > 0 &&
           (rc == SQLITE_ERROR || (rc == SQLITE_CONSTRAINT && strstr(sqlite3_errmsg(db), "JSON")));
}

/* Fails the Nth allocation of `sql` for every N until none is left to fail. On one connection: what
 * fails leaves nothing behind, so the next round starts where this one did. `check` must answer 0
 * after each. */
static void sweep(const char *sql, const char *check) {
    bool done = false;
    sqlite3 *db = host_open(":memory:");
    host_execf(db, "SELECT talea_open('file:sweep?mode=memory')");
    host_ledger(db);
    host_exec(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'k0', 'cash', 'rev', 1)");
    for (int n = 1; !done && n < 5000; n++) {
        failures = 0;
        countdown = n;
        int rc = run(db, sql) & 0xff;
        done = failures == 0;
        countdown = 0;
        if (rc != SQLITE_OK && rc != SQLITE_NOMEM && !excusable(db, rc)) {
            host_die(db, sql, rc);
        }
        if (done && rc != SQLITE_OK) {
            host_die(db, "without a failure", rc);
        }
        if (!sqlite3_get_autocommit(db)) {
            host_exec(db, "ROLLBACK");
        }
        if (host_int(db, check) != 0) {
            host_die(db, check, n);
        }
    }
    assert_true(done);
    host_exec(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'last', 'cash', 'rev', 1)");
    host_close(db);
}

#define BALANCED                                                                                   \
    "SELECT (SELECT sum(debits <> credits) FROM trial_balance)"                                    \
    " + (SELECT count(*) FROM verify WHERE problem IS NOT NULL)"

static void inserts(void **state) {
    sweep(
        "INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata)"
        " VALUES ('main', 'k1', 'cash', 'rev', '5', '2026-01-01', '{\"a\":1}')",
        BALANCED);
    sweep("INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'k1',"
          " '[{\"account\":\"cash\",\"debit\":99999999999999999999},{\"account\":\"rev\","
          "\"credit\":\"99999999999999999999\"}]')",
          BALANCED);
    sweep("INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', "
          "'k1', 'cash', 1, NULL),"
          " ('main', 'k1', 'rev', NULL, 1)",
          BALANCED);
    sweep("INSERT OR IGNORE INTO accounts(book, account, asset, kind) VALUES ('main', 'a', 'USD', "
          "'asset'),"
          " ('main', 'b', 'XXX', 'asset'), ('main', 'c', 'USD', 'asset')",
          BALANCED);
}

static void transactions(void **state) {
    sweep(
        "BEGIN; INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2); SAVEPOINT s;"
        "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', "
        "'cash', 'rev', 1);"
        "ROLLBACK TO s; INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES "
        "('main', 'k2', 'cash', 'rev', 1);"
        "RELEASE s; COMMIT; SELECT * FROM results",
        BALANCED);
}

static void reads(void **state) {
    sweep("SELECT * FROM balances b JOIN accounts a USING (book, account) WHERE b.book IN ('main', "
          "'x') ORDER BY book",
          BALANCED);
    sweep("SELECT p.*, e.* FROM postings p JOIN events e ON e.book = p.book AND e.seq = p.seq "
          "WHERE p.account IN ('cash', 'rev') AND p.seq IN (1, 3)",
          BALANCED);
    sweep("SELECT * FROM transfers WHERE book = 'main' AND at > '2020' AND idempotency_key = 'k0' "
          "ORDER BY seq DESC LIMIT 1",
          BALANCED);
    sweep("SELECT * FROM trial_balance WHERE as_of = '9999-01-01'; SELECT * FROM balances WHERE "
          "as_of_seq = 2; SELECT * FROM books;"
          "SELECT * FROM assets; SELECT talea_sum('99999999999999999999'), talea_decimal(5, 2), "
          "talea_minor('1.5', 2), talea_wait('main', 0, 0)",
          BALANCED);
}

static void opening(void **state) {
    sweep("SELECT talea_open('file:other?mode=memory&queue_depth=5', 'o'); SELECT * FROM o.assets; "
          "SELECT talea_close('o')",
          BALANCED);
}

/* Inside a statement, SQLite runs nothing more once memory has run out: less can be taken back. */
static int load(sqlite3 *db, bool inside) {
    if (inside) {
        return run(db, "SELECT load_extension('" TALEA_SO "')");
    }
    char *message = NULL;
    int rc = sqlite3_load_extension(db, TALEA_SO, NULL, &message);
    sqlite3_free(message);
    return rc;
}

static void sweep_loading(bool inside) {
    bool done = false;
    for (int n = 1; !done && n < 5000; n++) {
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        sqlite3_enable_load_extension(db, 1);
        failures = 0;
        countdown = n;
        int rc = load(db, inside);
        done = failures == 0;
        countdown = 0;
        assert_true(sqlite3_get_autocommit(db));
        if (rc != SQLITE_OK && done) {
            host_die(db, "load", rc);
        }
        /* Failed or not, loading again works. */
        host_load(db);
        host_exec(db,
                  "SELECT talea_version(), talea_sum(1), talea_decimal(1, 2), talea_minor('1', 2)");
        host_close(db);
    }
    assert_true(done);
}

static void loading(void **state) {
    sweep_loading(false);
    sweep_loading(true);
}

static int configure(void **state) {
    (void)state;
    test_thread = pthread_self();
    sqlite3_mem_methods faulty;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK) {
        return -1;
    }
    faulty = real;
    faulty.xMalloc = faulty_malloc;
    faulty.xRealloc = faulty_realloc;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &faulty) == SQLITE_OK &&
                   sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK
               ? 0
               : -1;
}

static int all_given_back(void **state) {
    (void)state;
    (void)sqlite3_shutdown();
    return sqlite3_memory_used() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inserts), cmocka_unit_test(transactions), cmocka_unit_test(reads),
        cmocka_unit_test(opening), cmocka_unit_test(loading),
    };
    return cmocka_run_group_tests(tests, configure, all_given_back);
}
