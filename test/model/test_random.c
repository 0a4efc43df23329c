/*
 * Many threads, each with its own connection, random SQL transactions on a few books of one ledger.
 * Each writes down what it was told; afterwards the model is rebuilt from `events` and everything
 * told is held against it, before and after reopening.
 *
 * TALEA_SEED repeats the decisions of a run (not the scheduling).
 */
/* ctest: tsan soak */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "model/harness.h"

enum { THREADS_MAX = 32, BOOKS = 3, ACCOUNTS = 10, SHARED_KEYS = 40 };

static const char *const books[BOOKS] = {"main", "b/2", "B/2"};

/* ---- What a thread was told ---- */

typedef enum answer { COMMITTED, DEDUPLICATED, CONFLICT, REFUSED } answer;

typedef struct note {
    unsigned book;
    bool own_key; /* nobody else uses it, and it is used once */
    answer what;
    uint64_t seq;
    char txid[40];
    model_draft draft;
} note;

typedef struct worker {
    pthread_t thread;
    unsigned number;
    unsigned units;
    const char *path;
    uint64_t seed;
    sqlite3 *db;
    note *notes;
    size_t count;
    size_t cap;
    unsigned long fresh;
    const char *wrong; /* the first thing that should not be */
    char code[32];
} worker;

static void take_note(worker *w, const note *n) {
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 256;
        w->notes = realloc(w->notes, w->cap * sizeof *w->notes);
        if (!w->notes) {
            give_up("out of memory");
        }
    }
    w->notes[w->count++] = *n;
}

/* ---- Drafts ---- */

/* Accounts of even number hold EUR, the others USD; e0 and e1 (o0, o1) may be drawn on without
 * limit. */
static void name_account(char out[MODEL_NAME_BYTES], bool dollars, unsigned number) {
    (void)snprintf(out, MODEL_NAME_BYTES, "%c%u", dollars ? 'o' : 'e', number);
}

static void make_draft(worker *w, note *n) {
    unsigned pairs = chance(&w->seed, 75) ? 1 : 2;
    n->draft = (model_draft){.leg_count = 0};
    for (unsigned i = 0; i < pairs; i++) {
        bool dollars = chance(&w->seed, 50);
        model_amount amount = 1 + (model_amount)below(&w->seed, 100);
        for (unsigned k = 0; k < 2; k++) {
            model_leg *leg = &n->draft.legs[n->draft.leg_count++];
            name_account(leg->account, dollars, below(&w->seed, ACCOUNTS));
            leg->side = k == 0 ? MODEL_DEBIT : MODEL_CREDIT;
            leg->amount = amount;
        }
    }
    n->own_key = chance(&w->seed, 85);
    if (n->own_key) {
        (void)snprintf(n->draft.key, sizeof n->draft.key, "t%u-%lu", w->number, w->fresh++);
        return;
    }
    /* One of two contents a key, whoever comes first: everybody else is a duplicate or in conflict.
     */
    unsigned key = below(&w->seed, SHARED_KEYS);
    n->draft.leg_count = 2;
    (void)snprintf(n->draft.key, sizeof n->draft.key, "shared-%u", key);
    for (unsigned k = 0; k < 2; k++) {
        name_account(n->draft.legs[k].account, false, k);
        n->draft.legs[k].amount = 7 + (model_amount)below(&w->seed, 2);
    }
    n->draft.legs[1].amount = n->draft.legs[0].amount;
}

/* Ends in an error at the statement: nothing is staged. */
static void bad_statement(worker *w, const char *book) {
    static const char *const sqls[] = {
        "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount) VALUES(%Q, "
        "'bad', 'e0', 'nobody', 1)",
        "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount) VALUES(%Q, "
        "'bad', 'e0', 'e1', 0)",
        "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount) VALUES(%Q, "
        "'bad', 'e0', 'o1', 1)",
        "INSERT INTO talea.events(book, idempotency_key, postings) VALUES(%Q, 'bad', "
        "'[{\"account\":\"e0\",\"debit\":1},{\"account\":\"e1\",\"credit\":2}]')",
        "INSERT INTO talea.transfers(book, debit, credit, amount) VALUES(%Q, 'e0', 'e1', 1)",
        "DELETE FROM talea.events WHERE book = %Q AND seq = 1",
    };
    unsigned which = below(&w->seed, 6);
    char *sql = sqlite3_mprintf(sqls[which], book);
    run_sql(w->db, sql, w->code);
    sqlite3_free(sql);
    if (!w->code[0]) {
        w->wrong = "a statement that cannot succeed did";
    }
}

static form pick_form(worker *w, const model_draft *draft) {
    return draft->leg_count == 2 && chance(&w->seed, 60) ? FORM_TRANSFER
           : chance(&w->seed, 50)                        ? FORM_EVENT
                                                         : FORM_LINES;
}

/* ---- Units ---- */

enum { UNIT_MAX = 24 };

typedef struct unit {
    note notes[UNIT_MAX];
    bool optional[UNIT_MAX];
    unsigned count;
    unsigned book;
} unit;

static bool has_key(const unit *u, const char *key) {
    for (unsigned i = 0; i < u->count; i++) {
        if (strcmp(u->notes[i].draft.key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* Stages one more draft. */
static void stage(worker *w, unit *u) {
    note *n = &u->notes[u->count];
    do {
        make_draft(w, n);
    } while (has_key(u, n->draft.key)); /* lines with one key would join */
    n->book = u->book;
    bool optional = chance(&w->seed, 30);
    u->optional[u->count] = optional;
    char *sql =
        draft_sql(pick_form(w, &n->draft), optional ? " OR IGNORE" : "", books[u->book], &n->draft);
    u->count++;
    run_sql(w->db, sql, w->code);
    sqlite3_free(sql);
}

/* What `results` says of each draft. */
static void read_results(worker *w, unit *u) {
    unsigned i = 0;
    sqlite3_stmt *row = prepare(
        w->db, "SELECT idempotency_key, status, seq, txid, error FROM talea.results ORDER BY n");
    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *status = (const char *)sqlite3_column_text(row, 1);
        if (i == u->count ||
            strcmp((const char *)sqlite3_column_text(row, 0), u->notes[i].draft.key) != 0) {
            w->wrong = "results are not those of this transaction";
            break;
        }
        note *n = &u->notes[i];
        n->seq = (uint64_t)sqlite3_column_int64(row, 2);
        keep_column(n->txid, sizeof n->txid, row, 3);
        if (strcmp(status, "rejected") == 0) {
            const char *error = (const char *)sqlite3_column_text(row, 4);
            n->what = strcmp(error, "idempotency_conflict") == 0 && n->seq ? CONFLICT : REFUSED;
            if (!u->optional[i]) {
                w->wrong =
                    "a draft that was not optional was refused, and the transaction committed";
            }
        } else {
            n->what = strcmp(status, "committed") == 0 ? COMMITTED : DEDUPLICATED;
        }
        i++;
    }
    sqlite3_finalize(row);
    if (i != u->count && !w->wrong) {
        w->wrong = "results lacks a draft";
    }
}

/* After COMMIT every later statement sees it. */
static void check_own_write(worker *w, const note *n) {
    sqlite3_stmt *row =
        prepare(w->db, "SELECT seq FROM talea.events WHERE book = ?1 AND idempotency_key = ?2");
    sqlite3_bind_text(row, 1, books[n->book], -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, n->draft.key, -1, SQLITE_STATIC);
    if (sqlite3_step(row) != SQLITE_ROW || sqlite3_column_int64(row, 0) != (sqlite3_int64)n->seq) {
        w->wrong = "what was acknowledged is not to be seen";
    }
    sqlite3_finalize(row);
}

static void finish_unit(worker *w, unit *u) {
    if (!w->code[0]) {
        if (u->count > 0) {
            read_results(w, u);
        }
        if (u->count > 0 && chance(&w->seed, 10) && u->notes[0].what == COMMITTED) {
            check_own_write(w, &u->notes[0]);
        }
    } else if (strcmp(w->code, "constraint_violation") != 0 &&
               strcmp(w->code, "idempotency_conflict") != 0) {
        (void)fprintf(stderr, "COMMIT: %s: %s\n", w->code, sqlite3_errmsg(w->db));
        w->wrong = "an error that nothing gave rise to";
    } else {
        for (unsigned i = 0; i < u->count; i++) {
            u->notes[i].what = REFUSED;
        }
    }
    for (unsigned i = 0; i < u->count; i++) {
        take_note(w, &u->notes[i]);
    }
}

/* Drafts that were taken back: as good as refused. */
static void forget(worker *w, unit *u, unsigned from) {
    for (unsigned i = from; i < u->count; i++) {
        u->notes[i].what = REFUSED;
        take_note(w, &u->notes[i]);
    }
    u->count = from;
}

static void run_unit(worker *w) {
    static _Thread_local unit u;
    u.count = 0;
    u.book = below(&w->seed, BOOKS);
    if (chance(&w->seed, 55)) {
        stage(w, &u);
        finish_unit(w, &u);
        return;
    }
    must(w->db, "BEGIN");
    unsigned steps = 1 + below(&w->seed, UNIT_MAX - 1);
    unsigned saved = 0;
    bool has_savepoint = false;
    for (unsigned i = 0; i < steps && !w->wrong; i++) {
        if (chance(&w->seed, 8)) {
            bad_statement(w, books[u.book]);
        } else if (chance(&w->seed, 8)) {
            must(w->db, "SAVEPOINT s");
            saved = u.count;
            has_savepoint = true;
        } else if (has_savepoint && chance(&w->seed, 15)) {
            must(w->db, "ROLLBACK TO s");
            forget(w, &u, saved);
        } else {
            stage(w, &u);
            if (w->code[0]) {
                w->wrong = "a statement that must succeed did not";
            }
        }
    }
    if (chance(&w->seed, 10)) {
        must(w->db, "ROLLBACK");
        forget(w, &u, 0);
        return;
    }
    run_sql(w->db, "COMMIT", w->code);
    finish_unit(w, &u);
}

static void *work(void *arg) {
    worker *w = arg;
    w->db = connect_to(w->path);
    for (unsigned i = 0; i < w->units && !w->wrong; i++) {
        run_unit(w);
    }
    sqlite3_close(w->db);
    return NULL;
}

/* ---- A reader beside them: one statement, one instant ---- */

typedef struct reader {
    pthread_t thread;
    const char *path;
    _Atomic(bool) stop;
    unsigned long statements;
    const char *wrong;
} reader;

static const char *const always_empty[] = {
    "SELECT 1 FROM talea.trial_balance WHERE debits <> credits",
    /* both sides of a join are of one instant */
    "SELECT 1 FROM (SELECT book, sum(debits) d, sum(credits) c FROM talea.balances GROUP BY book) "
    "b JOIN"
    " (SELECT book, sum(debits) d, sum(credits) c FROM talea.trial_balance GROUP BY book) t USING "
    "(book)"
    " WHERE b.d <> t.d OR b.c <> t.c",
    "SELECT 1 FROM talea.balances b JOIN (SELECT account, max(seq) s FROM talea.postings WHERE "
    "book = 'main'"
    " GROUP BY account) p USING (account) WHERE b.book = 'main' AND b.updated_seq <> p.s",
    "SELECT 1 FROM (SELECT count(*) n, max(seq) m FROM talea.events WHERE book = 'main') WHERE n "
    "<> m",
};

static void *read_on(void *arg) {
    reader *r = arg;
    sqlite3 *db = connect_to(r->path);
    while (!atomic_load(&r->stop) && !r->wrong) {
        sqlite3_stmt *row = prepare(db, always_empty[r->statements++ % 4]);
        int rc = sqlite3_step(row);
        if (rc != SQLITE_DONE) {
            (void)fprintf(stderr, "%s: %d %s\n", sqlite3_sql(row), rc, sqlite3_errmsg(db));
            r->wrong = "a statement saw two instants";
        }
        sqlite3_finalize(row);
    }
    sqlite3_close(db);
    return NULL;
}

/* ---- Holding what was told against the model ---- */

static void check_note(const model_book *book, const note *n) {
    const model_event *event = NULL;
    uint64_t found = n->own_key || n->what != REFUSED ? model_find_key(book, n->draft.key) : 0;
    switch (n->what) {
    case COMMITTED:
    case DEDUPLICATED:
        assert_int_equal(found, n->seq); /* model_append saw to it that a key is there once */
        event = &book->events[found - 1];
        assert_true(model_same_content(&event->draft, &n->draft));
        assert_string_equal(event->txid, n->txid);
        break;
    case CONFLICT:
        assert_int_equal(found, n->seq);
        assert_false(model_same_content(&book->events[found - 1].draft, &n->draft));
        break;
    case REFUSED: assert_int_equal(found, 0); break;
    }
}

typedef struct tally {
    unsigned long told[4];
    size_t events;
} tally;

/* Everything in the log was told to somebody as committed, once. */
static void check_told(model *m, const worker *workers, unsigned threads, tally *t) {
    unsigned long committed = 0;
    unsigned long posted = 0;
    *t = (tally){.events = 0};
    for (unsigned i = 0; i < threads; i++) {
        for (size_t k = 0; k < workers[i].count; k++) {
            const note *n = &workers[i].notes[k];
            check_note(model_find_book(m, books[n->book]), n);
            t->told[n->what]++;
        }
    }
    committed = t->told[COMMITTED];
    for (unsigned i = 0; i < BOOKS; i++) {
        const model_book *book = model_find_book(m, books[i]);
        t->events += book->event_count;
        for (size_t k = 0; k < book->event_count; k++) {
            posted += book->events[k].kind == MODEL_POSTED;
        }
    }
    assert_int_equal(posted, committed);
}

static void check_ledger(const char *path, const worker *workers, unsigned threads, uint64_t *seed,
                         tally *t) {
    sqlite3 *db = connect_to(path);
    model *m = model_new();
    for (unsigned i = 0; i < BOOKS; i++) {
        (void)model_make_book(m, books[i]);
    }
    for (unsigned i = 0; i < BOOKS; i++) {
        model_book *book = model_find_book(m, books[i]);
        const char *wrong = read_book(db, book);
        assert_null(wrong);
        assert_null(compare_balances(db, book, 0));
        assert_null(compare_postings(db, book));
        for (int k = 0; k < 20; k++) {
            uint64_t seq = 1 + below(seed, (unsigned)book->event_count);
            assert_null(compare_balances(db, book, seq));
            assert_null(compare_trial(db, book, seq));
        }
    }
    check_told(m, workers, threads, t);
    assert_null(compare_verify(db));
    model_free(m);
    sqlite3_close(db);
}

static void open_books(const char *path) {
    sqlite3 *db = connect_to(path);
    must(db, "INSERT INTO talea.assets(asset, class, precision) VALUES('EUR', 'fiat', 2), ('USD', "
             "'fiat', 2)");
    for (unsigned b = 0; b < BOOKS; b++) {
        for (unsigned i = 0; i < 2 * ACCOUNTS; i++) {
            static const char *const kinds[] = {"equity", "asset", "liability", "clearing",
                                                "expense"};
            char *sql = sqlite3_mprintf(
                "INSERT INTO talea.accounts(book, account, asset, kind, min_balance, max_balance)"
                " VALUES(%Q, '%c%u', %Q, %Q, %s, %s)",
                books[b], i % 2 ? 'o' : 'e', i / 2, i % 2 ? "USD" : "EUR", kinds[i / 2 % 5],
                i < 4        ? "NULL"
                : i % 3 == 0 ? "-200"
                             : "0",
                i < 4 || i % 7 ? "NULL" : "1000");
            must(db, sql);
            sqlite3_free(sql);
        }
    }
    sqlite3_close(db);
}

static void randomly(unsigned threads, unsigned units) {
    char dir[256];
    char path[300];
    static worker workers[THREADS_MAX];
    reader r = {.path = path};
    uint64_t seed = seed_of_run();
    tally t;
    print_message("TALEA_SEED=%llu\n", (unsigned long long)seed);
    make_dir(dir, sizeof dir, "random");
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    open_books(path);
    assert_int_equal(pthread_create(&r.thread, NULL, read_on, &r), 0);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (worker){.number = i, .units = units, .path = path, .seed = seed + i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    atomic_store(&r.stop, true);
    pthread_join(r.thread, NULL);
    assert_null(r.wrong);
    for (unsigned i = 0; i < threads; i++) {
        if (workers[i].wrong) {
            fail_msg("thread %u: %s", i, workers[i].wrong);
        }
    }
    check_ledger(path, workers, threads, &seed, &t);
    check_ledger(path, workers, threads, &seed, &t); /* opened from its files */
    print_message("%u threads, %zu events; told: %lu committed, %lu deduplicated, %lu conflicts, "
                  "%lu refused; "
                  "%lu reads beside\n",
                  threads, t.events, t.told[0], t.told[1], t.told[2], t.told[3], r.statements);
    for (unsigned i = 0; i < threads; i++) {
        free(workers[i].notes);
    }
    remove_tree(dir);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { UNITS = 25 };
#else
enum { UNITS = 60 };
#endif

static void few_threads(void **state) {
    randomly(4, UNITS * 2);
}

static void many_threads(void **state) {
    randomly(THREADS_MAX, UNITS);
}

static void for_long(void **state) {
    for (int i = 0; getenv("TALEA_SOAK") && i < 200; i++) {
        randomly(2 + (unsigned)i % (THREADS_MAX - 1), 300);
    }
}

int main(void) {
    unsetenv("TALEA_DIR");
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_threads),
                                       cmocka_unit_test(many_threads), cmocka_unit_test(for_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
