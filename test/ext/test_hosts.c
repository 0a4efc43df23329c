/*
 * test_hosts.c: the kinds of connection and process that load the module.
 */
#include "host.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define POST(key)                                                                                  \
    "INSERT INTO transfers(book, idempotency_key, debit, credit, amount)"                          \
    " VALUES ('main', '" key "', 'cash', 'rev', 5);"

/* ---- Connections --------------------------------------------------------------------------------- */

static void in_memory(void **state) {
    sqlite3 *db = host_open(":memory:");
    host_refused(db, "SELECT * FROM balances", SQLITE_ERROR, "talea: no_ledger: ");
    host_refused(db, "SELECT * FROM balances", SQLITE_ERROR, "SELECT talea_open('DIR')");
    host_refused(db, "INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2)",
                 SQLITE_ERROR, "SELECT talea_open('DIR')");
    host_execf(db, "SELECT talea_open(%Q)", host_path("led"));
    host_ledger(db);
    assert_int_equal(host_int(db, "SELECT count(*) FROM accounts"), 2);
    host_close(db);
    /* TALEA_DIR wins, over memory as over a file. */
    (void)setenv("TALEA_DIR", host_path("led"), 1);
    db = host_open(":memory:");
    assert_int_equal(host_int(db, "SELECT count(*) FROM accounts"), 2);
    host_close(db);
    db = host_open(host_path("shop.db"));
    assert_int_equal(host_int(db, "SELECT count(*) FROM accounts"), 2);
    host_close(db);
    (void)unsetenv("TALEA_DIR");
    assert_int_equal(access(host_path("shop.db-talea"), F_OK), -1);
}

static void opened_read_only(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_exec(db, "CREATE TABLE t(x)");
    host_ledger(db);
    host_close(db);
    db = host_open_flags(host_path("shop.db"), SQLITE_OPEN_READONLY);
    assert_int_equal(host_int(db, "SELECT count(*) FROM accounts"), 2);
    host_refused(db, "INSERT INTO t VALUES (1)", SQLITE_READONLY, "readonly");
    host_exec(db, POST("k1")); /* the ledger is no part of the database file */
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    host_close(db);
    db = host_open(host_path("shop.db"));
    host_exec(db, "PRAGMA query_only = on");
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    host_close(db);
}

static void journal_modes(void **state) {
    static const char *const modes[] = {"wal", "delete", "truncate", "persist", "memory", "off"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m%zu.db", i);
        sqlite3 *db = host_open(host_path(name));
        host_execf(db, "PRAGMA journal_mode = %s; CREATE TABLE t(x)", modes[i]);
        host_ledger(db);
        host_exec(db, "BEGIN; INSERT INTO t VALUES (1);" POST("k1") "COMMIT");
        host_exec(db, "BEGIN;" POST("k2") "INSERT INTO t VALUES (1); ROLLBACK");
        assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
        host_close(db);
        db = host_open(host_path(name));
        assert_string_equal(host_rows(db, "SELECT idempotency_key, seq FROM transfers"), "k1|3");
        host_close(db);
    }
}

static void attached_ledgers(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    char sql[HOST_PATH_BYTES * 3];
    int opened = 0;
    int rc = SQLITE_OK;
    for (int i = 0; i < 12 && rc == SQLITE_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "l%d", i);
        (void)snprintf(sql, sizeof sql, "SELECT talea_open('%s', '%s')", host_path(name), name);
        rc = host_try(db, sql);
        opened += rc == SQLITE_OK;
    }
    /* SQLite attaches ten by default; one of them is talea itself. */
    assert_int_equal(opened, 9);
    assert_non_null(strstr(sqlite3_errmsg(db), "talea: "));
    assert_non_null(strstr(sqlite3_errmsg(db), "10"));
    assert_int_equal(access(host_path("l9"), F_OK), -1);
    /* Those that are open are not harmed, and a place that is given back can be used. */
    host_exec(db, "INSERT INTO l8.assets(asset, class, precision) VALUES ('USD', 'fiat', 2)");
    host_exec(db, "SELECT talea_close('l0')");
    (void)snprintf(sql, sizeof sql, "SELECT talea_open('%s', 'l10')", host_path("l10"));
    host_exec(db, sql);
    assert_int_equal(host_int(db, "SELECT count(*) FROM l8.assets, l10.books"), 0);
    host_close(db);
}

/* A database in UTF-16: names, amounts, JSON and times come through as in UTF-8. */
static void utf16(void **state) {
    static const char *const encodings[] = {"UTF-16le", "UTF-16be"};
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(host_path(encodings[i]), &db), SQLITE_OK);
        host_execf(
            db,
            "PRAGMA encoding = '%s'; CREATE TABLE t AS SELECT 'k\xc3\xa4se \xf0\x9f\xa6\x80' AS x",
            encodings[i]);
        host_load(db);
        host_ledger(db);
        host_exec(db, "INSERT INTO accounts(book, account, asset, kind) SELECT 'main', x, 'USD', "
                      "'asset' FROM t");
        host_exec(db, "INSERT INTO transfers(book, idempotency_key, debit, credit, amount, "
                      "occurred_at, metadata)"
                      " SELECT 'main', x, x, 'rev', '18446744073709551616', '2026-01-31', "
                      "json_object(x, 1) FROM t");
        host_exec(db, "INSERT INTO events(book, idempotency_key, postings) SELECT 'main', 'json',"
                      " json_array(json_object('account', x, 'debit', '5'), json_object('account', "
                      "'rev', 'credit', 5)) FROM t");
        assert_string_equal(
            host_rows(
                db,
                "SELECT seq, debit = x, idempotency_key = x, amount, occurred_at, metadata -> "
                "('$.' || json_quote(x))"
                " FROM t JOIN transfers ON debit = x AND idempotency_key = x AND book = 'main'"),
            "4|1|1|18446744073709551616|2026-01-31T00:00:00.000000Z|1");
        assert_string_equal(
            host_rows(db, "SELECT balance, display FROM balances JOIN t ON account IN (x, 'none')"),
            "18446744073709551621|184467440737095516.21");
        assert_int_equal(
            host_int(db,
                     "SELECT count(*) FROM events WHERE at > '2020' AND book = 'main' AND txid ="
                     " (SELECT txid FROM transfers WHERE seq = 4)"),
            1);
        host_refused(
            db,
            "INSERT INTO accounts(book, account, asset, kind) VALUES ('main', '', 'USD', 'asset')",
            SQLITE_CONSTRAINT, "talea: invalid_draft: ");
        host_close(db);
    }
}

/* Connections that share SQLite's cache do not share our schema. */
static void shared_cache(void **state) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SHAREDCACHE;
    sqlite3 *a = host_open_flags(host_path("shop.db"), flags);
    sqlite3 *b = host_open_flags(host_path("shop.db"), flags);
    host_ledger(a);
    host_exec(a, "BEGIN;" POST("a"));
    host_exec(b, "BEGIN;" POST("b"));
    host_exec(b, "COMMIT");
    host_exec(a, "COMMIT");
    assert_int_equal(host_int(b, "SELECT count(*) FROM transfers"), 2);
    host_close(a);
    host_close(b);
}

/* The host detaches our schema by hand; loading again puts it back. */
static void detached_by_hand(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_exec(db, "DETACH talea");
    host_refused(db, "SELECT * FROM balances", SQLITE_ERROR, "no such table");
    host_load(db);
    assert_int_equal(host_int(db, "SELECT count(*) FROM accounts"), 2);
    host_close(db);
}

/* ATTACH and VACUUM of the host go on working. */
static void other_schemas(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_execf(db, "ATTACH '%q' AS side; CREATE TABLE side.t(x); INSERT INTO side.t VALUES (1)",
               host_path("side.db"));
    host_exec(db, "BEGIN; INSERT INTO side.t VALUES (2);" POST(
                      "k1") "COMMIT; VACUUM; VACUUM side; REINDEX;"
                            "DETACH side; PRAGMA optimize; PRAGMA integrity_check");
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    assert_string_equal(host_rows(db, "SELECT count(*) FROM main.sqlite_schema"), "0");
    host_close(db);
}

static void backup_and_serialize(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_exec(db, "CREATE TABLE t AS SELECT * FROM accounts");
    sqlite3 *copy = NULL;
    assert_int_equal(sqlite3_open(host_path("copy.db"), &copy), SQLITE_OK);
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", db, "main");
    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
    /* A program without the module opens the copy: nothing of ours is in it. */
    assert_int_equal(host_int(copy, "SELECT count(*) FROM t"), 2);
    assert_int_equal(host_int(copy, "SELECT count(*) FROM sqlite_schema"), 1);
    host_close(copy);
    host_close(db);
}

/* ---- Loading ------------------------------------------------------------------------------------------ */

static void load_by_sql_and_twice(void **state) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(host_path("shop.db"), &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    sqlite3_enable_load_extension(db, 1);
    host_exec(db, "SELECT load_extension('" TALEA_SO "')");
    host_exec(db, "SELECT load_extension('" TALEA_SO "', 'sqlite3_talea_init')");
    host_ledger(db);
    host_load(db);
    assert_int_equal(host_int(db, "SELECT count(*) FROM accounts"), 2);
    host_close(db);
    /* Loaded permanently: the code stays when every connection is gone. */
    void *module = dlopen(TALEA_SO, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(module);
    (void)dlclose(module);
}

/* The static entry, looked up in the same file: with sqlite3_auto_extension it returns SQLITE_OK.
 */
static void auto_extension(void **state) {
    void *module = dlopen(TALEA_SO, RTLD_NOW);
    assert_non_null(module);
    void (*entry)(void) = NULL;
    *(void **)&entry = dlsym(module, "sqlite3_talea_static_init");
    if (!entry) {
        skip();
    }
    assert_int_equal(sqlite3_auto_extension(entry), SQLITE_OK);
    sqlite3 *db = NULL;
    int rc = sqlite3_open(host_path("shop.db"), &db);
    (void)sqlite3_cancel_auto_extension(entry);
    assert_int_equal(rc, SQLITE_OK);
    host_ledger(db);
    host_exec(db, POST("k1"));
    host_load(db); /* and by the other way */
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    host_close(db);
}

/* Only entry points are exported: the engine's functions are not to be had. */
static void exports(void **state) {
    static const char *const names[] = {
        "talea_ledger_open",  "talea_ledger_close", "talea_unit_commit", "talea_view_open",
        "talea_amount_parse", "talea_code_name",    "sqlite3_api"};
    void *module = dlopen(TALEA_SO, RTLD_NOW);
    assert_non_null(module);
    assert_non_null(dlsym(module, "sqlite3_talea_init"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (dlsym(module, names[i])) {
            fail_msg("%s is exported", names[i]);
        }
    }
    (void)dlclose(module);
}

/* ---- Processes ------------------------------------------------------------------------------------------ */

static pid_t spawn_holder(int *out_go) {
    int ready[2];
    int go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte = 'x';
        (void)close(ready[0]);
        (void)close(go[1]); /* so that it ends with its parent */
        sqlite3 *db = host_open(host_path("shop.db"));
        host_ledger(db);
        host_exec(db, POST("child"));
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) {
            _exit(1);
        }
        host_close(db);
        _exit(0);
    }
    char byte = 0;
    (void)close(ready[1]);
    (void)close(go[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    *out_go = go[1];
    return child;
}

/* One process writes; another is told who, and may read meanwhile; the lock goes with the process.
 */
static void locked_by_another(void **state) {
    int go = 0;
    pid_t child = spawn_holder(&go);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%d", (int)child);
    sqlite3 *db = host_open(host_path("shop.db"));
    /* A reader in another process sees what is proven; the last group is, after a quiet moment. */
    for (int i = 0; i < 200 && host_int(db, "SELECT count(*) FROM transfers") == 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(host_int(db, "SELECT count(*) FROM transfers"), 1);
    host_refused(db, POST("mine"), SQLITE_BUSY, "talea: locked: ");
    assert_non_null(strstr(sqlite3_errmsg(db), pid));
    host_refused(db, POST("mine"), SQLITE_BUSY, pid);
    char sql[HOST_PATH_BYTES * 3];
    (void)snprintf(sql, sizeof sql, "SELECT talea_open('%s', 'second')",
                   host_path("shop.db-talea"));
    host_refused(db, sql, SQLITE_BUSY, pid);
    (void)snprintf(sql, sizeof sql, "SELECT talea_open('file:%s?mode=ro', 'second')",
                   host_path("shop.db-talea"));
    host_exec(db, sql);
    assert_int_equal(host_int(db, "SELECT count(*) FROM second.transfers"), 1);
    host_exec(db, "SELECT talea_close('second')");
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)close(go);
    host_exec(db, POST("mine"));
    assert_string_equal(host_rows(db, "SELECT idempotency_key FROM transfers ORDER BY seq"),
                        "child\nmine");
    assert_int_equal(host_int(db, "SELECT count(*) FROM verify WHERE problem IS NOT NULL"), 0);
    host_close(db);
}

/* While one process writes without pause, a reader in another sees whole instants, in order, and no
 * damage. */
static void reader_beside_writer(void **state) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ready[0]);
        sqlite3 *db = host_open(host_path("shop.db"));
        host_execf(db, "SELECT talea_open('file:%s?segment_max=65536&snapshot_every=500')",
                   host_path("shop.db-talea"));
        host_ledger(db);
        sqlite3_stmt *post = host_transfer(db);
        for (int i = 0;; i++) {
            char key[32];
            (void)snprintf(key, sizeof key, "w%d", i);
            if (host_post(post, key, i + 1) != SQLITE_OK ||
                (i == 20 && write(ready[1], "x", 1) != 1)) {
                _exit(1);
            }
        }
    }
    char byte = 0;
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    sqlite3 *db = host_open(host_path("reader.db"));
    host_execf(db, "SELECT talea_open('file:%s?mode=ro')", host_path("shop.db-talea"));
    sqlite3_int64 last = 0;
    sqlite3_int64 wrong = 0;
    for (int i = 0; i < 1000 && last < 3000 && wrong == 0; i++) {
        sqlite3_int64 seen = host_int(db, "SELECT max(seq) FROM events WHERE book = 'main'");
        wrong += seen < last;
        last = seen;
        wrong += host_int(db, "SELECT count(*) FROM trial_balance WHERE debits <> credits");
        wrong += host_int(db, "SELECT (SELECT coalesce(sum(amount), 0) FROM transfers)"
                              " <> (SELECT balance FROM balances WHERE account = 'cash')");
        if (i % 10 == 0) {
            wrong += host_int(db, "SELECT count(*) FROM verify WHERE problem IS NOT NULL");
        }
        (void)usleep(1000);
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    host_close(db);
    assert_int_equal(wrong, 0);
    assert_true(last > 22);
    /* Killed in full flight: what was seen is still there. */
    db = host_open(host_path("shop.db"));
    assert_true(host_int(db, "SELECT max(seq) FROM events WHERE book = 'main'") >= last);
    assert_int_equal(host_int(db, "SELECT count(*) FROM verify WHERE problem IS NOT NULL"), 0);
    host_exec(db, POST("after"));
    host_close(db);
}

/* A forked child gets a clear error, not a second writer; the parent goes on. */
static void forked_child(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_exec(db, POST("before"));
    pid_t child = fork();
    if (child == 0) {
        int rc = host_try(db, POST("in-child")) & 0xff;
        const char *words = sqlite3_errmsg(db);
        bool refused = rc != SQLITE_OK && strncmp(words, "talea: ", 7) == 0;
        if (!refused) {
            (void)fprintf(stderr, "the child got %d %s\n", rc, words);
        }
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    for (int i = 0; i < 1000 && waitpid(child, &status, WNOHANG) == 0; i++) {
        (void)usleep(10000);
        if (i == 999) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, &status, 0);
            fail_msg("%s", "the child hangs");
        }
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    host_exec(db, POST("after"));
    assert_string_equal(host_rows(db, "SELECT idempotency_key FROM transfers ORDER BY seq"),
                        "before\nafter");
    host_close(db);
}

/* What is open in the ledger's directory is closed in a child that execs. */
static void descriptors_close_on_exec(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    host_exec(db, POST("k1"));
    int found = 0;
    for (int fd = 3; fd < 256; fd++) {
        char link[32];
        char target[HOST_PATH_BYTES * 2];
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        if (len > 0) {
            target[len] = '\0';
            if (strstr(target, "shop.db-talea")) {
                assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
                found++;
            }
        }
    }
    host_close(db);
    if (found == 0) {
        skip(); /* no /proc here */
    }
}

/* Threads of ours block all signals: the host's handler runs on the host's thread. */
static pthread_t handler_thread;
static volatile sig_atomic_t handled;

static void on_signal(int number) {
    (void)number;
    handler_thread = pthread_self();
    handled = 1;
}

static void signals_are_the_hosts(void **state) {
    sqlite3 *db = host_open(host_path("shop.db"));
    host_ledger(db);
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    for (int i = 0; i < 50; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "s%d", i);
        sqlite3_stmt *post = host_transfer(db);
        assert_int_equal(host_post(post, key, 1), SQLITE_OK);
        sqlite3_finalize(post);
        handled = 0;
        (void)kill(getpid(), SIGUSR1);
        while (!handled) {
            (void)usleep(100);
        }
        assert_true(pthread_equal(handler_thread, pthread_self()));
    }
    (void)sigaction(SIGUSR1, &before, NULL);
    host_close(db);
}

/* Nothing is printed, ever: refusals, damage and closing included. */
static void nothing_is_printed(void **state) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        sqlite3 *db = host_open(host_path("shop.db"));
        host_ledger(db);
        (void)host_try(db, "INSERT INTO transfers(book) VALUES ('x')");
        (void)host_try(db, "SELECT talea_open('file:x?mode=no')");
        (void)host_try(db, "BEGIN;" POST("k") "ROLLBACK");
        host_exec(db, "SELECT * FROM verify");
        host_close(db);
        _exit(0);
    }
    (void)close(ends[1]);
    char text[64];
    ssize_t got = read(ends[0], text, sizeof text);
    (void)waitpid(child, NULL, 0);
    (void)close(ends[0]);
    assert_int_equal(got, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_memory, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(opened_read_only, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(journal_modes, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(attached_ledgers, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(utf16, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(shared_cache, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(detached_by_hand, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(other_schemas, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(backup_and_serialize, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(load_by_sql_and_twice, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(auto_extension, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(exports, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(locked_by_another, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(reader_beside_writer, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(forked_child, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(descriptors_close_on_exec, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(signals_are_the_hosts, host_setup, host_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_printed, host_setup, host_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
