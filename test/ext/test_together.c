/*
 * test_together.c: many connections to one database file commit at the same time.
 *
 * The oracle is arithmetic: how many drafts were acknowledged, and what they add up to.
 */
/* ctest: tsan */
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 12, DRAFTS = 150 };

typedef struct worker {
    pthread_t thread;
    int number;
    int busy;
    bool share_keys;
    int committed;
    int deduplicated;
} worker;

static atomic_bool stop;

static void *post_many(void *arg) {
    worker *w = arg;
    sqlite3 *db = host_open(host_path("shop.db"));
    sqlite3_stmt *post = host_transfer(db);
    sqlite3_stmt *result = host_prepare(db, "SELECT status FROM results");
    for (int i = 0; i < DRAFTS; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "%d-%d", w->share_keys ? 0 : w->number, i);
        int rc = host_post(post, key, w->share_keys ? i + 1 : w->number + 1);
        if (rc == SQLITE_BUSY) {
            w->busy++;
            continue;
        }
        if (rc != SQLITE_OK || sqlite3_step(result) != SQLITE_ROW) {
            host_die(db, key, rc);
        }
        const char *status = (const char *)sqlite3_column_text(result, 0);
        w->committed += strcmp(status, "committed") == 0;
        w->deduplicated += strcmp(status, "deduplicated") == 0;
        sqlite3_reset(result);
    }
    sqlite3_finalize(post);
    sqlite3_finalize(result);
    host_close(db);
    return NULL;
}

static void run(worker *workers, int count, bool share_keys) {
    for (int i = 0; i < count; i++) {
        workers[i] = (worker){.number = i, .share_keys = share_keys};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, post_many, &workers[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
    }
}

static void shared_groups(void **state) {
    worker workers[THREADS];
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    run(workers, THREADS, false);
    sqlite3_int64 sum = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].busy, 0);
        assert_int_equal(workers[i].committed, DRAFTS);
        sum += (sqlite3_int64)DRAFTS * (i + 1);
    }
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), THREADS * DRAFTS);
    assert_int_equal(host_int(db, "SELECT balance FROM balances WHERE account = 'cash'"), sum);
    assert_int_equal(host_int(db, "SELECT last_seq FROM books WHERE book = 'main'"),
                     THREADS * DRAFTS + 2);
    assert_int_equal(host_int(db, "SELECT units FROM books WHERE book = 'main'"),
                     THREADS * DRAFTS + 1);
    assert_true(host_int(db, "SELECT groups < units FROM books WHERE book = 'main'"));
    /* Gapless, unique, never back in time. */
    assert_string_equal(
        host_rows(db, "SELECT count(*), count(DISTINCT seq), max(seq), count(DISTINCT txid)"
                      " FROM events WHERE book = 'main'"),
        "1802|1802|1802|1800");
    assert_int_equal(
        host_int(db, "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY seq) AS back"
                     " FROM events WHERE book = 'main') WHERE back"),
        0);
    assert_int_equal(host_int(db, "SELECT count(*) FROM verify WHERE problem IS NOT NULL"), 0);
    host_close(db);
}

/* Everybody posts the same keys with the same content: each is committed once. */
static void same_keys(void **state) {
    worker workers[THREADS];
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    run(workers, THREADS, true);
    int committed = 0;
    int deduplicated = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].busy, 0);
        committed += workers[i].committed;
        deduplicated += workers[i].deduplicated;
    }
    assert_int_equal(committed, DRAFTS);
    assert_int_equal(deduplicated, (THREADS - 1) * DRAFTS);
    assert_int_equal(host_int(db, "SELECT balance FROM balances WHERE account = 'cash'"),
                     DRAFTS * (DRAFTS + 1) / 2);
    assert_int_equal(host_int(db, "SELECT last_seq FROM books WHERE book = 'main'"), DRAFTS + 2);
    host_close(db);
}

static void *post_until_stopped(void *arg) {
    const int *number = arg;
    sqlite3 *db = host_open(host_path("shop.db"));
    sqlite3_stmt *post = host_transfer(db);
    for (int i = 0; !stop; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "w%d-%d", *number, i);
        int rc = host_post(post, key, i + 1);
        if (rc != SQLITE_OK) {
            host_die(db, key, rc);
        }
    }
    sqlite3_finalize(post);
    host_close(db);
    return NULL;
}

/* Asks while others write; every answer must be 0. */
static void ask(const char *const *questions, int count) {
    enum { WRITERS = 3, POSTED = 1500 };
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    stop = false;
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_until_stopped, &numbers[i]), 0);
    }
    int wrong = -1;
    while (host_int(db, "SELECT last_seq FROM books WHERE book = 'main'") < POSTED) {
        for (int i = 0; i < count; i++) {
            if (host_int(db, questions[i]) != 0) {
                wrong = i;
            }
        }
    }
    stop = true;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    host_close(db);
    if (wrong >= 0) {
        fail_msg("two instants in one statement: %s", questions[wrong]);
    }
}

/* One statement sees one instant, whatever it joins, and in whatever order its parts are opened. */
static void one_instant(void **state) {
    static const char *const questions[] = {
        "SELECT count(*) FROM trial_balance WHERE debits <> credits",
        "SELECT count(*) FROM balances a, balances b WHERE a.account = 'cash' AND b.account = 'rev'"
        " AND a.balance <> b.balance",
        "SELECT (SELECT balance FROM balances WHERE account = 'cash')"
        " <> (SELECT balance FROM balances WHERE account = 'rev')",
        "SELECT (SELECT sum(amount) FROM transfers)"
        " <> (SELECT balance FROM balances WHERE book = 'main' AND account = 'cash')",
        "SELECT count(*) FROM (SELECT balance FROM balances WHERE account = 'cash'"
        " EXCEPT SELECT balance FROM balances WHERE account = 'rev')",
        "SELECT count(*) FROM balances b WHERE b.account = 'cash' AND b.balance <>"
        " (SELECT sum(p.debit) FROM postings p WHERE p.account = b.account)",
        "WITH t AS MATERIALIZED (SELECT max(seq) AS m FROM events WHERE book = 'main')"
        " SELECT count(*) FROM t, balances b WHERE b.account = 'cash' AND b.updated_seq <> t.m"
        " AND t.m > 2",
        "SELECT count(*) FROM balances a LEFT JOIN postings p ON p.book = a.book"
        " AND p.account = a.account AND p.seq = a.updated_seq"
        " WHERE a.updated_seq > 2 AND p.balance IS NOT a.balance",
    };
    ask(questions, sizeof questions / sizeof *questions);
}

static void one_instant_of_books(void **state) {
    static const char *const questions[] = {
        "SELECT (SELECT last_seq FROM books WHERE book = 'main')"
        " <> (SELECT max(seq) FROM events WHERE book = 'main')",
        "SELECT (SELECT max(seq) FROM events WHERE book = 'main')"
        " <> (SELECT last_seq FROM books WHERE book = 'main')",
        "SELECT count(*) FROM books k WHERE k.book = 'main'"
        " AND k.transactions <> (SELECT count(*) FROM transfers)",
    };
    ask(questions, sizeof questions / sizeof *questions);
}

/* verify reads the files while they are written: what is half there is no damage. */
static void verified_under_load(void **state) {
    static const char *const questions[] = {
        "SELECT count(*) FROM verify WHERE problem IS NOT NULL",
        "SELECT checked < 2 FROM verify WHERE book = 'main'",
    };
    ask(questions, sizeof questions / sizeof *questions);
}

static void *subscribe(void *arg) {
    sqlite3_int64 *out_seen = arg;
    sqlite3 *db = host_open(host_path("shop.db"));
    sqlite3_stmt *wait = host_prepare(db, "SELECT talea_wait('main', ?1, 2000)");
    sqlite3_stmt *tail =
        host_prepare(db, "SELECT seq FROM events WHERE book = 'main' AND seq > ?1 ORDER BY seq");
    sqlite3_int64 cursor = 0;
    while (cursor < DRAFTS + 2) {
        sqlite3_bind_int64(wait, 1, cursor);
        if (sqlite3_step(wait) != SQLITE_ROW) {
            host_die(db, "wait", 0);
        }
        sqlite3_int64 watermark = sqlite3_column_int64(wait, 0);
        sqlite3_reset(wait);
        sqlite3_bind_int64(tail, 1, cursor);
        while (sqlite3_step(tail) == SQLITE_ROW) {
            if (sqlite3_column_int64(tail, 0) != cursor + 1) {
                host_die(db, "gap", (int)cursor);
            }
            cursor++;
        }
        sqlite3_reset(tail);
        if (cursor < watermark) {
            host_die(db, "the watermark was passed, and its events are not visible", (int)cursor);
        }
    }
    *out_seen = cursor;
    sqlite3_finalize(wait);
    sqlite3_finalize(tail);
    host_close(db);
    return NULL;
}

/* Catch up, then tail: no gap, no event twice. */
static void subscription(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    sqlite3_int64 seen = 0;
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, subscribe, &seen), 0);
    worker w = {.number = 0};
    assert_int_equal(pthread_create(&w.thread, NULL, post_many, &w), 0);
    pthread_join(w.thread, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(seen, DRAFTS + 2);
    host_close(db);
}

/* A refusal inside one connection's unit never touches another's in the same group. */
static void *post_and_be_refused(void *arg) {
    int *refused = arg;
    sqlite3 *db = host_open(host_path("shop.db"));
    for (int i = 0; i < DRAFTS; i++) {
        int rc = host_try(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                              " VALUES ('main', 'never', 'rev', 'vault', 1)");
        *refused += rc == SQLITE_CONSTRAINT &&
                    strncmp(sqlite3_errmsg(db), "talea: constraint_violation: ", 29) == 0;
    }
    host_close(db);
    return NULL;
}

static void refused_neighbours(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_exec(db, "INSERT INTO accounts(book, account, asset, kind, min_balance)"
                  " VALUES ('main', 'vault', 'USD', 'asset', 0)");
    enum { REFUSED = 3, GOOD = 3 };
    pthread_t bad[REFUSED];
    int refused[REFUSED] = {0};
    worker good[GOOD];
    for (int i = 0; i < REFUSED; i++) {
        assert_int_equal(pthread_create(&bad[i], NULL, post_and_be_refused, &refused[i]), 0);
    }
    run(good, GOOD, false);
    for (int i = 0; i < REFUSED; i++) {
        pthread_join(bad[i], NULL);
        assert_int_equal(refused[i], DRAFTS);
    }
    for (int i = 0; i < GOOD; i++) {
        assert_int_equal(good[i].committed, DRAFTS);
    }
    assert_int_equal(host_int(db, "SELECT last_seq FROM books WHERE book = 'main'"),
                     3 + GOOD * DRAFTS);
    host_close(db);
}

/* Threads that use one connection in turn (SQLite serializes them). */
static sqlite3 *common;

static void *post_on_common(void *arg) {
    const int *number = arg;
    sqlite3_stmt *post = host_transfer(common);
    for (int i = 0; i < 40; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "c%d-%d", *number, i);
        int rc = host_post(post, key, 1);
        if (rc != SQLITE_OK) {
            host_die(common, key, rc);
        }
    }
    sqlite3_finalize(post);
    return NULL;
}

static void one_connection_many_threads(void **state) {
    enum { COUNT = 4 };
    pthread_t threads[COUNT];
    int numbers[COUNT];
    common = host_open(host_path("shop.db"));
    host_ledger(common);
    for (int i = 0; i < COUNT; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_on_common, &numbers[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(host_int(common, "SELECT count(*) FROM transfers"), COUNT * 40);
    host_close(common);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shared_groups, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(same_keys, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(one_instant, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(one_instant_of_books, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(verified_under_load, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(subscription, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(refused_neighbours, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(one_connection_many_threads, host_setup, host_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
