/*
 * test_faults.c: a device that stalls, and a device that fails.
 *
 * How: this program defines fdatasync itself; SQLite's library refers to it, so the linker exports
 * it, and the module calls it. Without this (another linker) the tests say so and are skipped.
 */
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static atomic_int calls;
static atomic_bool stalled;
static atomic_int fail_errno;

static int our_fdatasync(int fd) {
    atomic_fetch_add(&calls, 1);
    while (stalled) {
        (void)usleep(1000);
    }
    if (fail_errno != 0) {
        errno = fail_errno;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fdatasync(int) __attribute__((alias("our_fdatasync")));

static sqlite3 *open_watched(const char *options) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_execf(db, "SELECT talea_open('file:%s?%s')", host_path("led"), options);
    host_ledger(db);
    int before = calls;
    host_exec(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'k0', 'cash', 'rev', 1)");
    if (calls == before) {
        host_close(db);
        skip();
    }
    return db;
}

/* A lone INSERT never pays more than one sync; a transaction of thousands pays one. */
static void one_sync(void **state) {
    sqlite3 *db = open_watched("mode=rwc");
    (void)usleep(200000); /* past the quiet mark */
    for (int i = 0; i < 5; i++) {
        int before = calls;
        host_execf(db,
                   "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                   " VALUES ('main', 'one-%d', 'cash', 'rev', 1)",
                   i);
        assert_int_equal(calls - before, 1);
        if (i == 2) {
            (void)usleep(200000);
        }
    }
    int before = calls;
    host_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                  " INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " SELECT 'main', 'bulk-' || i, 'cash', 'rev', 1 FROM n");
    assert_true(calls - before >= 1);
    assert_int_equal(host_int(db, "SELECT groups = units FROM books WHERE book = 'main'"), 1);
    host_close(db);
}

typedef struct poster {
    pthread_t thread;
    int number;
    int rc;
    bool open_after;
    char message[256];
    int retries;
} poster;

static atomic_int waiting;

static void *post_one(void *arg) {
    poster *p = arg;
    sqlite3 *db = host_open(host_path("shop.db"));
    host_execf(db, "SELECT talea_open('file:%s')", host_path("led"));
    host_execf(db,
               "BEGIN; INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
               " VALUES ('main', 'p%d', 'cash', 'rev', 1)",
               p->number);
    atomic_fetch_add(&waiting, 1);
    p->rc = host_try(db, "COMMIT") & 0xff;
    (void)snprintf(p->message, sizeof p->message, "%s", sqlite3_errmsg(db));
    p->open_after = !sqlite3_get_autocommit(db);
    if (p->rc == SQLITE_BUSY) {
        stalled = false; /* somebody was told; the device comes back */
        while (host_try(db, "COMMIT") == SQLITE_BUSY && p->retries < 100) {
            p->retries++;
        }
        if (!sqlite3_get_autocommit(db)) {
            host_die(db, "COMMIT again", 0);
        }
    }
    host_close(db);
    return NULL;
}

/* A full queue waits, then fails with BUSY; the SQL transaction stays open and COMMIT can be tried
 * again. */
static void full_queue(void **state) {
    enum { COUNT = 8 };
    poster posters[COUNT];
    sqlite3 *db = open_watched("queue_depth=1&group_max=1");
    (void)usleep(200000);
    stalled = true;
    waiting = 0;
    for (int i = 0; i < COUNT; i++) {
        posters[i] = (poster){.number = i};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_one, &posters[i]), 0);
    }
    /* Readers are not held up by any of this. */
    while (waiting < COUNT) {
        (void)usleep(1000);
    }
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    int busy = 0;
    for (int i = 0; i < COUNT; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_true(posters[i].rc == SQLITE_OK || posters[i].rc == SQLITE_BUSY);
        if (posters[i].rc == SQLITE_BUSY) {
            assert_non_null(strstr(posters[i].message, "talea: overloaded: "));
            assert_non_null(strstr(posters[i].message, "main"));
            assert_true(posters[i].open_after);
            busy++;
        } else {
            assert_false(posters[i].open_after);
        }
    }
    stalled = false;
    assert_true(busy > 0);
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), COUNT + 1);
    host_close(db);
}

/* A failed sync: io, the outcome is unknown, reads stay, reopening recovers, the same key is safe. */
static void failed_sync(void **state) {
    sqlite3 *db = open_watched("mode=rwc");
    sqlite3 *other = host_open(host_path("other.db"));
    host_execf(other, "SELECT talea_open('%q')", host_path("led"));
    host_exec(db, "INSERT INTO accounts(book, account, asset, kind) VALUES ('two', 'a', 'USD', "
                  "'asset'), ('two', 'b', 'USD', 'asset')");
    host_exec(db, "CREATE TABLE app(x)");
    (void)usleep(200000);
    fail_errno = EIO;
    host_refused(db,
                 "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                 " VALUES ('main', 'k1', 'cash', 'rev', 10)",
                 SQLITE_IOERR, "talea: io: ");
    assert_non_null(strstr(sqlite3_errmsg(db), "main"));
    fail_errno = 0;
    /* Final for that writer: never retried, though the device works again. */
    host_refused(other,
                 "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                 " VALUES ('main', 'k2', 'cash', 'rev', 10)",
                 SQLITE_IOERR, "talea: io: ");
    assert_string_equal(
        host_rows(db, "SELECT state, error IS NOT NULL FROM books WHERE book = 'main'"),
        "failed|1");
    /* Reads stay at the watermark; other books stay usable. */
    assert_int_equal(host_int(db, "SELECT max(seq) FROM events WHERE book = 'main'"), 3);
    assert_int_equal(
        host_int(other, "SELECT balance FROM balances WHERE book = 'main' AND account = 'cash'"),
        1);
    host_exec(other, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES "
                     "('two', 'k', 'a', 'b', 1)");
    /* Opening again, on any connection of the process, recovers the book in place. */
    host_execf(other, "SELECT talea_open('%q')", host_path("led"));
    assert_string_equal(
        host_rows(db, "SELECT state <> 'failed', error IS NULL FROM books WHERE book = 'main'"),
        "1|1");
    host_exec(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                  " VALUES ('main', 'k1', 'cash', 'rev', 10)");
    assert_int_equal(host_int(db, "SELECT status IN ('committed', 'deduplicated') FROM results"),
                     1);
    assert_int_equal(host_int(other, "SELECT count(*) FROM transfers WHERE idempotency_key = 'k1'"),
                     1);
    host_exec(other, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"
                     " VALUES ('main', 'k2', 'cash', 'rev', 10)");
    assert_int_equal(
        host_int(db, "SELECT balance FROM balances WHERE book = 'main' AND account = 'cash'"), 21);
    assert_int_equal(host_int(db, "SELECT count(*) FROM verify WHERE problem IS NOT NULL"), 0);
    host_close(other);
    host_close(db);
}

/* The same with a table of the host in the transaction: it is rolled back. */
static void failed_sync_rolls_back(void **state) {
    sqlite3 *db = open_watched("mode=rwc");
    host_exec(db, "CREATE TABLE app(x)");
    (void)usleep(200000);
    host_exec(db, "BEGIN; INSERT INTO app VALUES (1);"
                  "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES "
                  "('main', 'k1', 'cash', 'rev', 10)");
    fail_errno = EIO;
    host_refused(db, "COMMIT", SQLITE_IOERR, "talea: io: ");
    fail_errno = 0;
    assert_true(sqlite3_get_autocommit(db));
    assert_int_equal(host_int(db, "SELECT count(*) FROM app"), 0);
    host_execf(db, "SELECT talea_open('%q')", host_path("led"));
    host_exec(db, "BEGIN; INSERT INTO app VALUES (1);"
                  "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES "
                  "('main', 'k1', 'cash', 'rev', 10);"
                  "COMMIT");
    assert_int_equal(host_int(db, "SELECT balance FROM balances WHERE account = 'cash'"), 11);
    host_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_sync, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(full_queue, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(failed_sync, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(failed_sync_rolls_back, host_setup, host_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
