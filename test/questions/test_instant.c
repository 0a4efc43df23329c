/*
 * Writers and readers on one database file, each thread with its own connection: every statement
 * agrees with itself, whatever tables of whichever instant it joins, and what it showed agrees with
 * a replay of the events that is written out here and runs when all is over.
 *
 * How: a question is a SELECT whose rows say by themselves whether they are right (ONE, PAIRS,
 * NOTHING below). One question answered, or one look at all balances of a book, is one check. The
 * writers post in step with the readers' progress, so that they are at it all the time and the
 * ledger does not grow without bound.
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

enum {
    WRITERS = 8,
    READERS = 8,
    BOOKS = 2,
    ASSETS = 3,
    FIRST_ACCOUNTS = 18, /* in each book, before anything is posted */
    ACCOUNTS_MAX = 400
};
#if defined(__SANITIZE_THREAD__)
enum { CHECKS = 1500, UNITS = 120 };
#elif defined(__SANITIZE_ADDRESS__)
enum { CHECKS = 3000, UNITS = 250 };
#else
enum { CHECKS = 10000, UNITS = 600 };
#endif
enum { CHECKS_OF_A_SOAK = 100000 };

static const char *const books[BOOKS] = {"main", "other book"};
static const char *const assets[ASSETS] = {"EUR", "USD", "WEI"};

/* ---- What is shared ---- */

typedef struct run {
    char path[300];
    uint64_t seed;
    atomic_uint checks;          /* of all readers */
    atomic_uint accounts[BOOKS]; /* a0 .. are open, or about to be */
    atomic_bool wrong;           /* somebody found something: all stop */
    atomic_ulong refused;
} run;

/* ---- Writers ---- */

typedef struct writer {
    pthread_t thread;
    unsigned number;
    run *run;
    sqlite3 *db;
    uint64_t seed;
    unsigned units;
    unsigned drafts;
} writer;

/* The asset follows from the number; every third account of the first ones has no limit. */
static void make_draft(writer *w, model_draft *draft) {
    unsigned pairs = chance(&w->seed, 70) ? 1 : 2 + below(&w->seed, 2);
    *draft = (model_draft){.leg_count = 0};
    (void)snprintf(draft->key, sizeof draft->key, "w%u-%u", w->number, w->drafts++);
    for (unsigned i = 0; i < pairs; i++) {
        unsigned asset = below(&w->seed, ASSETS);
        model_amount amount = 1 + (model_amount)below(&w->seed, 500);
        if (asset == 2) { /* past 64 bits when added up */
            amount = amount * 1000000007 * 1000000009 + (model_amount)below(&w->seed, 1000);
        }
        for (unsigned k = 0; k < 2; k++) {
            model_leg *leg = &draft->legs[draft->leg_count++];
            (void)snprintf(leg->account, sizeof leg->account, "a%u",
                           asset + ASSETS * below(&w->seed, FIRST_ACCOUNTS / ASSETS));
            leg->side = k == 0 ? MODEL_DEBIT : MODEL_CREDIT;
            leg->amount = amount;
        }
    }
}

static void open_account(sqlite3 *db, unsigned book, unsigned number) {
    static const char *const kinds[] = {"asset",   "liability", "income",
                                        "expense", "equity",    "clearing"};
    char *sql =
        sqlite3_mprintf("INSERT INTO talea.accounts(book, account, asset, kind, min_balance)"
                        " VALUES(%Q, 'a%u', %Q, %Q, %s)",
                        books[book], number, assets[number % ASSETS], kinds[number / ASSETS % 6],
                        number % ASSETS == 1 && number / ASSETS % 2 ? "-2000" : "NULL");
    must(db, sql);
    sqlite3_free(sql);
}

/* A posting to an account that has just been opened, in one unit with its opening. */
static void open_and_post(writer *w, unsigned book) {
    unsigned number = atomic_fetch_add(&w->run->accounts[book], 1);
    if (number >= ACCOUNTS_MAX) {
        return;
    }
    must(w->db, "BEGIN");
    open_account(w->db, book, number);
    char *sql =
        sqlite3_mprintf("INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount)"
                        " VALUES(%Q, 'open-%u', 'a%u', 'a%u', 5)",
                        books[book], number, number, number % ASSETS);
    must(w->db, sql);
    sqlite3_free(sql);
    must(w->db, "COMMIT");
}

static void post_some(writer *w, unsigned book) {
    char code[32];
    unsigned count = chance(&w->seed, 50) ? 1 : 2 + below(&w->seed, 6);
    must(w->db, "BEGIN");
    for (unsigned i = 0; i < count; i++) {
        model_draft draft;
        make_draft(w, &draft);
        bool optional = chance(&w->seed, 30);
        form how = draft.leg_count == 2 && chance(&w->seed, 60) ? FORM_TRANSFER
                   : chance(&w->seed, 50)                       ? FORM_EVENT
                                                                : FORM_LINES;
        char *sql = draft_sql(how, optional ? " OR IGNORE" : "", books[book], &draft);
        must(w->db, sql);
        sqlite3_free(sql);
    }
    run_sql(w->db, "COMMIT", code);
    if (code[0]) { /* a limit: nothing of the unit is there */
        if (strcmp(code, "constraint_violation") != 0) {
            give_up("COMMIT: %s", sqlite3_errmsg(w->db));
        }
        atomic_fetch_add(&w->run->refused, 1);
        if (!sqlite3_get_autocommit(w->db)) {
            must(w->db, "ROLLBACK");
        }
    }
}

/* An application's own row beside the posting: never there without it. */
static void post_with_a_row(writer *w) {
    must(w->db, "BEGIN IMMEDIATE");
    char *sql =
        sqlite3_mprintf("INSERT INTO orders(key) VALUES('w%u-%u');"
                        "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount)"
                        " VALUES('main', 'w%u-%u', 'a0', 'a3', 12)",
                        w->number, w->drafts, w->number, w->drafts);
    w->drafts++;
    must(w->db, sql);
    sqlite3_free(sql);
    must(w->db, "COMMIT");
}

static void *write_on(void *arg) {
    writer *w = arg;
    w->db = connect_to(w->run->path);
    for (unsigned i = 0; i < UNITS && !atomic_load(&w->run->wrong); i++) {
        while ((uint64_t)atomic_load(&w->run->checks) * UNITS < (uint64_t)i * CHECKS &&
               !atomic_load(&w->run->wrong)) {
            sqlite3_sleep(1);
        }
        unsigned book = below(&w->seed, BOOKS);
        if (chance(&w->seed, 8)) {
            open_and_post(w, book);
        } else if (w->number < 2 && chance(&w->seed, 30)) {
            post_with_a_row(w);
        } else {
            post_some(w, book);
        }
        w->units++;
    }
    sqlite3_close(w->db);
    return NULL;
}

/* ---- Questions ---- */

typedef enum expectation {
    ONE,    /* all columns of all rows say the same */
    PAIRS,  /* in each row the first column says what the second does, the third what the fourth, ..
             */
    NOTHING /* there is no row */
} expectation;

typedef struct question {
    expectation rows;
    const char *sql;
} question;

/* Parameters: :book, :asset, :account, a :seq between 1 and the last one, and the time :at of one. */
static const question questions[] = {
    /* -- now -- */
    {ONE, "SELECT t.debits, t.credits,"
          " (SELECT talea_sum(debits) FROM talea.balances WHERE book = :book AND asset = :asset),"
          " (SELECT talea_sum(credits) FROM talea.balances WHERE book = :book AND asset = :asset),"
          " (SELECT coalesce(talea_sum(debit), 0) FROM talea.postings"
          "   WHERE book = :book AND asset = :asset),"
          " (SELECT coalesce(talea_sum(credit), 0) FROM talea.postings"
          "   WHERE book = :book AND asset = :asset)"
          " FROM talea.trial_balance t WHERE t.book = :book AND t.asset = :asset"},
    {PAIRS, "SELECT b.debits, coalesce(p.d, 0), b.credits, coalesce(p.c, 0),"
            " b.updated_seq, coalesce(p.s, b.updated_seq)"
            " FROM talea.balances b LEFT JOIN"
            "  (SELECT account, talea_sum(debit) d, talea_sum(credit) c, max(seq) s"
            "   FROM talea.postings WHERE book = :book GROUP BY account) p ON p.account = b.account"
            " WHERE b.book = :book"},
    {NOTHING, "SELECT p.account FROM talea.postings p LEFT JOIN talea.balances b"
              "  ON b.book = p.book AND b.account = p.account"
              " WHERE p.book = :book AND p.seq >= :seq"
              "  AND (b.account IS NULL OR b.updated_seq < p.seq)"},
    {PAIRS, "SELECT k.last_seq, (SELECT max(seq) FROM talea.events WHERE book = k.book),"
            " k.last_seq, (SELECT count(*) FROM talea.events WHERE book = k.book),"
            " k.last_at, (SELECT at FROM talea.events WHERE book = k.book AND seq = k.last_seq)"
            " FROM talea.books k"},
    {PAIRS, "SELECT b.balance, coalesce((SELECT balance FROM talea.postings"
            "  WHERE book = b.book AND account = b.account ORDER BY seq DESC, idx DESC LIMIT 1), 0)"
            " FROM talea.balances b WHERE b.book = :book"},
    {ONE, "SELECT max(seq) FROM talea.events WHERE book = :book"
          " UNION ALL SELECT last_seq FROM talea.books WHERE book = :book"
          " UNION ALL SELECT count(*) FROM talea.events WHERE book = :book"
          " UNION ALL SELECT max((SELECT max(updated_seq) FROM talea.balances WHERE book = :book),"
          "  coalesce((SELECT max(seq) FROM talea.postings WHERE book = :book), 0))"},
    {PAIRS, "WITH lines AS MATERIALIZED (SELECT account, seq, idx, balance FROM talea.postings"
            "  WHERE book = :book),"
            " ends AS (SELECT DISTINCT account, last_value(balance) OVER (PARTITION BY account"
            "  ORDER BY seq, idx ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) b"
            "  FROM lines)"
            " SELECT b.balance, e.b FROM ends e"
            "  JOIN talea.balances b ON b.book = :book AND b.account = e.account"},
    {PAIRS, "SELECT b.updated_seq, max(p.seq) FROM watched w"
            " JOIN talea.balances b ON b.book = :book AND b.account = w.account"
            " JOIN talea.postings p ON p.book = b.book AND p.account = b.account"
            " GROUP BY w.account"},
    {ONE, "SELECT (SELECT last_seq FROM talea.books WHERE book = e.book), max(e.seq) OVER ()"
          " FROM talea.events e WHERE e.book = :book AND e.seq >= :seq"},
    {NOTHING, "SELECT n.account FROM talea.books k JOIN talea.balances n ON n.book = k.book"
              " LEFT JOIN talea.balances p ON p.book = k.book AND p.account = n.account"
              "  AND p.as_of_seq = k.last_seq"
              " WHERE k.book = :book AND (p.account IS NULL OR p.updated_seq <> n.updated_seq)"},
    {PAIRS, "SELECT k.transactions, (SELECT count(DISTINCT seq) FROM talea.postings"
            "  WHERE book = k.book), k.accounts, (SELECT count(*) FROM talea.accounts"
            "  WHERE book = k.book), k.accounts + k.transactions, k.last_seq"
            " FROM talea.books k WHERE k.book = :book"},
    {NOTHING, "SELECT o.key FROM orders o LEFT JOIN talea.events e"
              "  ON e.book = 'main' AND e.idempotency_key = o.key WHERE e.seq IS NULL"},
    {PAIRS, "SELECT p.balance, b.balance FROM talea.balances b CROSS JOIN talea.postings p"
            "  ON p.book = b.book AND p.account = b.account AND p.seq = b.updated_seq"
            " WHERE b.book = :book AND b.account = :account"
            " ORDER BY p.idx DESC LIMIT 1"},
    /* -- then -- */
    {ONE, "SELECT t.debits, t.credits,"
          " (SELECT talea_sum(debits) FROM talea.balances"
          "   WHERE book = :book AND asset = :asset AND as_of_seq = :seq),"
          " (SELECT talea_sum(credits) FROM talea.balances"
          "   WHERE book = :book AND asset = :asset AND as_of_seq = :seq),"
          " (SELECT coalesce(talea_sum(debit), 0) FROM talea.postings"
          "   WHERE book = :book AND asset = :asset AND seq <= :seq),"
          " (SELECT coalesce(talea_sum(credit), 0) FROM talea.postings"
          "   WHERE book = :book AND asset = :asset AND seq <= :seq)"
          " FROM talea.trial_balance t"
          " WHERE t.book = :book AND t.asset = :asset AND t.as_of_seq = :seq"},
    {PAIRS, "SELECT b.debits, coalesce(p.d, 0), b.credits, coalesce(p.c, 0),"
            " b.updated_seq, coalesce(p.s, b.updated_seq),"
            " b.balance, coalesce((SELECT balance FROM talea.postings WHERE book = b.book"
            "   AND account = b.account AND seq <= :seq ORDER BY seq DESC, idx DESC LIMIT 1), 0)"
            " FROM talea.balances b LEFT JOIN"
            "  (SELECT account, talea_sum(debit) d, talea_sum(credit) c, max(seq) s"
            "   FROM talea.postings WHERE book = :book AND seq <= :seq GROUP BY account) p"
            "  ON p.account = b.account"
            " WHERE b.book = :book AND b.as_of_seq = :seq"},
    {PAIRS, "SELECT b.debits, coalesce(p.d, 0), b.credits, coalesce(p.c, 0)"
            " FROM talea.balances b LEFT JOIN"
            "  (SELECT account, talea_sum(debit) d, talea_sum(credit) c"
            "   FROM talea.postings WHERE book = :book AND at <= :at GROUP BY account) p"
            "  ON p.account = b.account"
            " WHERE b.book = :book AND b.as_of = :at"},
    {PAIRS, "SELECT a.balance, s.balance, a.updated_seq, s.updated_seq FROM talea.balances a"
            " JOIN talea.balances s ON s.book = a.book AND s.account = a.account"
            " WHERE a.book = :book AND a.as_of = :at AND s.as_of_seq ="
            "  (SELECT max(seq) FROM talea.events WHERE book = :book AND at <= :at)"},
    {PAIRS, "SELECT t.debits, t.credits, t.debits,"
            "  (SELECT talea_sum(debits) FROM talea.balances('9999-12-31')"
            "   WHERE book = t.book AND asset = t.asset)"
            " FROM talea.trial_balance t WHERE t.book = :book"},
    {ONE, "SELECT (SELECT count(*) FROM talea.balances WHERE book = :book AND as_of_seq = :seq),"
          " (SELECT count(*) FROM talea.accounts WHERE book = :book AND opened_seq <= :seq),"
          " (SELECT count(*) FROM talea.events WHERE book = :book AND seq <= :seq"
          "   AND kind = 'account_opened')"},
    {PAIRS, "SELECT t.debits, t.credits, u.debits, u.credits FROM talea.trial_balance t"
            " JOIN talea.trial_balance u ON u.book = t.book AND u.asset = t.asset"
            " WHERE t.as_of = :at AND u.as_of_seq = :seq"},
};
enum { QUESTIONS = sizeof questions / sizeof *questions };

/* ---- Readers ---- */

typedef struct seen {
    unsigned account;
    model_amount debits;
    model_amount credits;
    model_amount balance;
    uint64_t updated_seq;
} seen;

/* All balances of a book as one statement showed them. */
typedef struct look {
    unsigned book;
    uint64_t seq;
    size_t first; /* in `rows` */
    size_t count;
} look;

typedef struct reader {
    pthread_t thread;
    unsigned number;
    run *run;
    sqlite3 *db;
    sqlite3_stmt *asked[QUESTIONS];
    sqlite3_stmt *now;
    sqlite3_stmt *then;
    sqlite3_stmt *time_of;
    uint64_t seed;
    uint64_t last_seq[BOOKS];
    look *looks;
    size_t look_count;
    seen *rows;
    size_t row_count;
    unsigned long answers; /* rows of questions */
    char wrong[600];       /* the first disagreement */
} reader;

static void *grown(void *array, size_t count, size_t bytes) {
    if (count == 0 || (count & (count - 1)) == 0) {
        array = realloc(array, (count ? 2 * count : 1) * bytes);
        if (!array) {
            give_up("out of memory");
        }
    }
    return array;
}

static void disagree(reader *r, const char *sql, const char *a, const char *b) {
    (void)snprintf(r->wrong, sizeof r->wrong, "%s: %s, %s", sql, a ? a : "NULL", b ? b : "NULL");
    atomic_store(&r->run->wrong, true);
}

static bool same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static void judge_row(reader *r, const question *q, sqlite3_stmt *row, char first[64]) {
    int columns = sqlite3_column_count(row);
    if (q->rows == NOTHING) {
        disagree(r, q->sql, (const char *)sqlite3_column_text(row, 0), "a row");
    } else if (q->rows == PAIRS) {
        for (int i = 0; i + 1 < columns; i += 2) {
            const char *a = (const char *)sqlite3_column_text(row, i);
            const char *b = (const char *)sqlite3_column_text(row, i + 1);
            if (!same(a, b)) {
                disagree(r, q->sql, a, b);
            }
        }
    } else {
        for (int i = 0; i < columns; i++) {
            const char *value = (const char *)sqlite3_column_text(row, i);
            if (!first[0]) {
                (void)snprintf(first, 64, "%s", value ? value : "NULL");
            } else if (!same(first, value)) {
                disagree(r, q->sql, first, value);
            }
        }
    }
}

static void bind_text(sqlite3_stmt *stmt, const char *name, const char *value) {
    int index = sqlite3_bind_parameter_index(stmt, name);
    if (index > 0) {
        sqlite3_bind_text(stmt, index, value, -1, SQLITE_TRANSIENT);
    }
}

static void bind_seq(sqlite3_stmt *stmt, uint64_t seq) {
    int index = sqlite3_bind_parameter_index(stmt, ":seq");
    if (index > 0) {
        sqlite3_bind_int64(stmt, index, (sqlite3_int64)seq);
    }
}

static void finish(const reader *r, sqlite3_stmt *stmt, int rc) {
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        give_up("%s: %s", sqlite3_sql(stmt), sqlite3_errmsg(r->db));
    }
    sqlite3_reset(stmt);
}

static void time_of(reader *r, unsigned book, uint64_t seq, char out[40]) {
    bind_text(r->time_of, ":book", books[book]);
    bind_seq(r->time_of, seq);
    int rc = sqlite3_step(r->time_of);
    if (rc != SQLITE_ROW) {
        give_up("seq %llu is not there", (unsigned long long)seq);
    }
    (void)snprintf(out, 40, "%s", (const char *)sqlite3_column_text(r->time_of, 0));
    finish(r, r->time_of, rc);
}

static void ask(reader *r, unsigned which) {
    const question *q = &questions[which];
    sqlite3_stmt *stmt = r->asked[which];
    unsigned book = below(&r->seed, BOOKS);
    /* Mostly something recent: that is where instants could differ. */
    uint64_t last = r->last_seq[book];
    uint64_t recent = 1 + below(&r->seed, chance(&r->seed, 70) && last > 60 ? 60 : (unsigned)last);
    uint64_t seq = last + 1 - recent;
    char at[40];
    char account[16];
    char first[64] = "";
    int rc = SQLITE_ROW;
    time_of(r, book, seq, at);
    (void)snprintf(account, sizeof account, "a%u", below(&r->seed, FIRST_ACCOUNTS));
    bind_text(stmt, ":book", books[book]);
    bind_text(stmt, ":asset", assets[below(&r->seed, ASSETS)]);
    bind_text(stmt, ":account", account);
    bind_text(stmt, ":at", at);
    bind_seq(stmt, seq);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && !r->wrong[0]) {
        judge_row(r, q, stmt, first);
        if (r->answers++ % 7 == 0) {
            sqlite3_sleep(0); /* somebody else's turn */
        }
    }
    finish(r, stmt, rc);
}

/* Remembers all balances of a book, now or at a random earlier seq. */
static void look_around(reader *r, bool past) {
    sqlite3_stmt *stmt = past ? r->then : r->now;
    unsigned book = below(&r->seed, BOOKS);
    look l = {.book = book, .first = r->row_count};
    int rc = SQLITE_ROW;
    bind_text(stmt, ":book", books[book]);
    bind_seq(stmt, 1 + below(&r->seed, (unsigned)r->last_seq[book]));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        r->rows = grown(r->rows, r->row_count, sizeof *r->rows);
        seen *s = &r->rows[r->row_count++];
        l.seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        s->account = (unsigned)strtoul((const char *)sqlite3_column_text(stmt, 1) + 1, NULL, 10);
        s->debits = model_parse((const char *)sqlite3_column_text(stmt, 2));
        s->credits = model_parse((const char *)sqlite3_column_text(stmt, 3));
        s->balance = model_parse((const char *)sqlite3_column_text(stmt, 4));
        s->updated_seq = (uint64_t)sqlite3_column_int64(stmt, 5);
    }
    finish(r, stmt, rc);
    l.count = r->row_count - l.first;
    if (!past && l.seq < r->last_seq[book]) {
        disagree(r, sqlite3_sql(stmt), "last_seq", "went back");
    }
    r->last_seq[book] = past ? r->last_seq[book] : l.seq;
    r->looks = grown(r->looks, r->look_count, sizeof *r->looks);
    r->looks[r->look_count++] = l;
}

static void *read_on(void *arg) {
    reader *r = arg;
    r->db = connect_to(r->run->path);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        r->asked[i] = prepare(r->db, questions[i].sql);
    }
    r->now = prepare(r->db, "SELECT k.last_seq, b.account, b.debits, b.credits, b.balance,"
                            " b.updated_seq FROM talea.balances b"
                            " JOIN talea.books k ON k.book = b.book WHERE b.book = :book");
    r->then = prepare(r->db, "SELECT as_of_seq, account, debits, credits, balance, updated_seq"
                             " FROM talea.balances WHERE book = :book AND as_of_seq = :seq");
    r->time_of = prepare(r->db, "SELECT at FROM talea.events WHERE book = :book AND seq = :seq");
    r->last_seq[0] = r->last_seq[1] = FIRST_ACCOUNTS;
    for (unsigned i = 0;
         atomic_fetch_add(&r->run->checks, 1) < CHECKS && !atomic_load(&r->run->wrong); i++) {
        if (i % 4 == 0) {
            look_around(r, i % 8 == 4);
        } else {
            ask(r, below(&r->seed, QUESTIONS));
        }
    }
    for (unsigned i = 0; i < QUESTIONS; i++) {
        sqlite3_finalize(r->asked[i]);
    }
    sqlite3_finalize(r->now);
    sqlite3_finalize(r->then);
    sqlite3_finalize(r->time_of);
    sqlite3_close(r->db);
    return NULL;
}

/* ---- The replay, when all is over ---- */

typedef struct replayed {
    bool open;
    model_side side;
    model_amount debits;
    model_amount credits;
    uint64_t updated_seq;
} replayed;

typedef struct replay {
    replayed accounts[ACCOUNTS_MAX];
    size_t count;
    uint64_t seq;
} replay;

static void take_event(replay *p, sqlite3_stmt *row) {
    p->seq++;
    assert_int_equal(sqlite3_column_int64(row, 0), p->seq); /* no gap */
    if (sqlite3_column_type(row, 2) != SQLITE_NULL) {
        unsigned number =
            (unsigned)strtoul((const char *)sqlite3_column_text(row, 2) + 1, NULL, 10);
        assert_true(number < ACCOUNTS_MAX && !p->accounts[number].open);
        p->accounts[number] =
            (replayed){.open = true,
                       .side = side_named((const char *)sqlite3_column_text(row, 3)),
                       .updated_seq = p->seq};
        p->count++;
        return;
    }
    model_draft draft;
    model_amount off[ASSETS] = {0};
    parse_postings((const char *)sqlite3_column_text(row, 1), &draft);
    for (size_t i = 0; i < draft.leg_count; i++) {
        const model_leg *leg = &draft.legs[i];
        unsigned number = (unsigned)strtoul(leg->account + 1, NULL, 10);
        replayed *account = &p->accounts[number];
        assert_true(number < ACCOUNTS_MAX && account->open);
        *(leg->side == MODEL_DEBIT ? &account->debits : &account->credits) += leg->amount;
        off[number % ASSETS] += leg->side == MODEL_DEBIT ? leg->amount : -leg->amount;
        account->updated_seq = p->seq;
    }
    assert_true(draft.leg_count >= 2 && off[0] == 0 && off[1] == 0 && off[2] == 0);
}

static void compare_look(const replay *p, const look *l, const seen *rows) {
    if (l->count != p->count) {
        fail_msg("seq %llu of %s: %zu accounts shown, %zu open", (unsigned long long)l->seq,
                 books[l->book], l->count, p->count);
    }
    for (size_t i = 0; i < l->count; i++) {
        const seen *s = &rows[l->first + i];
        const replayed *want = &p->accounts[s->account];
        model_amount balance = want->side == MODEL_CREDIT ? want->credits - want->debits
                                                          : want->debits - want->credits;
        if (!want->open || s->debits != want->debits || s->credits != want->credits ||
            s->balance != balance || s->updated_seq != want->updated_seq) {
            fail_msg("seq %llu of %s: a%u differs from the replay", (unsigned long long)l->seq,
                     books[l->book], s->account);
        }
    }
}

static int by_seq(const void *a, const void *b) {
    uint64_t x = (*(const look *const *)a)->seq;
    uint64_t y = (*(const look *const *)b)->seq;
    return x < y ? -1 : x > y;
}

typedef struct named_look {
    const look *look; /* first: by_seq */
    const seen *rows;
} named_look;

/* One pass over the events; each look is compared when its seq is reached. */
static uint64_t replay_book(sqlite3 *db, unsigned book, const reader *readers, size_t *out_looks) {
    size_t count = 0;
    named_look *looks = NULL;
    for (unsigned i = 0; i < READERS; i++) {
        for (size_t k = 0; k < readers[i].look_count; k++) {
            if (readers[i].looks[k].book == book) {
                looks = grown(looks, count, sizeof *looks);
                looks[count++] = (named_look){&readers[i].looks[k], readers[i].rows};
            }
        }
    }
    qsort(looks, count, sizeof *looks, by_seq);
    replay *p = calloc(1, sizeof *p);
    sqlite3_stmt *row = prepare(
        db, "SELECT seq, postings, json_extract(definition, '$.account'),"
            " json_extract(definition, '$.normal_side') FROM talea.events WHERE book = :book"
            " ORDER BY seq");
    bind_text(row, ":book", books[book]);
    size_t next = 0;
    while (sqlite3_step(row) == SQLITE_ROW) {
        take_event(p, row);
        for (; next < count && looks[next].look->seq == p->seq; next++) {
            compare_look(p, looks[next].look, looks[next].rows);
        }
    }
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    assert_int_equal(next, count);
    uint64_t events = p->seq;
    *out_looks += count;
    free(looks);
    free(p);
    return events;
}

/* ---- All of it ---- */

static void set_up(run *t) {
    sqlite3 *db = connect_to(t->path);
    must(db, "PRAGMA journal_mode = WAL;"
             "CREATE TABLE watched(account TEXT PRIMARY KEY);"
             "INSERT INTO watched VALUES ('a0'), ('a1'), ('a2'), ('a7'), ('a11');"
             "CREATE TABLE orders(key TEXT PRIMARY KEY);"
             "INSERT INTO talea.assets(asset, class, network, precision) VALUES"
             " ('EUR', 'fiat', NULL, 2), ('USD', 'fiat', NULL, 2), ('WEI', 'crypto', 'e', 18)");
    for (unsigned b = 0; b < BOOKS; b++) {
        must(db, "BEGIN");
        for (unsigned i = 0; i < FIRST_ACCOUNTS; i++) {
            open_account(db, b, i);
        }
        must(db, "COMMIT");
        atomic_store(&t->accounts[b], FIRST_ACCOUNTS);
    }
    sqlite3_close(db);
}

typedef struct tally {
    unsigned long checks;
    unsigned long rows;
    unsigned long events;
    unsigned long refused;
    size_t looks;
} tally;

static void run_threads(run *t, reader *readers) {
    writer writers[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.number = i, .run = t, .seed = t->seed + i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (reader){.number = i, .run = t, .seed = t->seed + 100 + i};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
    for (unsigned i = 0; i < READERS; i++) {
        if (readers[i].wrong[0]) {
            fail_msg("TALEA_SEED=%llu: reader %u: %s", (unsigned long long)t->seed, i,
                     readers[i].wrong);
        }
    }
}

static void one_round(uint64_t seed, tally *sum) {
    char dir[256];
    run t = {.seed = seed};
    static reader readers[READERS];
    make_dir(dir, sizeof dir, "instant");
    (void)snprintf(t.path, sizeof t.path, "%s/a.db", dir);
    set_up(&t);
    run_threads(&t, readers);
    sqlite3 *db = connect_to(t.path);
    for (unsigned b = 0; b < BOOKS; b++) {
        sum->events += replay_book(db, b, readers, &sum->looks);
    }
    assert_null(compare_verify(db));
    sqlite3_close(db);
    for (unsigned i = 0; i < READERS; i++) {
        sum->rows += readers[i].answers + readers[i].row_count;
        free(readers[i].looks);
        free(readers[i].rows);
    }
    sum->checks += CHECKS;
    sum->refused += atomic_load(&t.refused);
    remove_tree(dir);
}

static void one_instant(void **state) {
    tally sum = {.checks = 0};
    uint64_t seed = seed_of_run();
    unsigned long want = getenv("TALEA_SOAK") ? CHECKS_OF_A_SOAK : CHECKS;
    print_message("TALEA_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; sum.checks < want; i++) {
        one_round(seed + i * 1000, &sum);
    }
    print_message("%d writers, %d readers: %lu checks (%zu against a replay), %lu rows, %lu "
                  "events, %lu units refused; disagreements 0\n",
                  WRITERS, READERS, sum.checks, sum.looks, sum.rows, sum.events, sum.refused);
}

int main(void) {
    unsetenv("TALEA_DIR");
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_instant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
