/*
 * Time travel in a random ledger: at every seq, at every distinct commit time, one microsecond
 * before each, before the beginning and in the future, `balances` and `trial_balance` show what a
 * replay of the events shows that is cut there (test/support/model).
 *
 * The ledger has two books, three assets, accounts that open all along, drafts of two to six legs,
 * units of several drafts, groups of several units, and segments of the smallest size. Everything
 * is asked twice: of the engine that wrote it, and of one that has opened its files.
 *
 * TALEA_SEED repeats the decisions of a run (not the scheduling). Beside TALEA_SOAK, 100 ledgers.
 */
/* ctest: soak */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "model/harness.h"

enum { THREADS = 4, UNITS = 45, BOOKS = 2, ASSETS = 3, LEDGERS_OF_A_SOAK = 100, NOTE_BYTES = 2000 };

static const char *const books[BOOKS] = {"main", "b2"};
static const char *const assets[ASSETS] = {"EUR", "USD", "WEI"};

typedef struct tally {
    unsigned long cuts;
    unsigned long rows;
    unsigned long events;
    unsigned long times;
    unsigned long segments;
} tally;

/* ---- Writing ---- */

typedef struct writer {
    pthread_t thread;
    const char *uri;
    unsigned number;
    uint64_t seed;
    unsigned accounts[BOOKS]; /* this thread's: t0.0, t0.1, .. */
    unsigned drafts;
} writer;

static sqlite3 *open_ledger(const char *uri) {
    sqlite3 *db = connect_to(":memory:");
    char *sql = sqlite3_mprintf("SELECT talea_open(%Q)", uri);
    must(db, sql);
    sqlite3_free(sql);
    return db;
}

static void open_account(writer *w, sqlite3 *db, unsigned b) {
    static const char *const kinds[] = {"asset",   "liability", "income",
                                        "expense", "equity",    "clearing"};
    static const char *const sides[] = {"NULL", "'debit'", "'credit'", "NULL", "NULL"};
    unsigned i = w->accounts[b]++;
    char *sql =
        sqlite3_mprintf("INSERT INTO talea.accounts(book, account, asset, kind, normal_side)"
                        " VALUES(%Q, 't%u.%u', %Q, %Q, %s)",
                        books[b], w->number, i, assets[i % ASSETS], kinds[below(&w->seed, 6)],
                        sides[below(&w->seed, 5)]);
    must(db, sql);
    sqlite3_free(sql);
}

static void fill_draft(writer *w, unsigned b, model_draft *draft) {
    unsigned pairs = chance(&w->seed, 60) ? 1 : 2 + below(&w->seed, 2);
    *draft = (model_draft){.leg_count = 0};
    (void)snprintf(draft->key, sizeof draft->key, "t%u-%u", w->number, w->drafts++);
    for (unsigned i = 0; i < pairs; i++) {
        unsigned asset = below(&w->seed, ASSETS);
        model_amount amount = 1 + (model_amount)below(&w->seed, 1000000);
        if (asset == 2) {
            amount = amount * 1000000000 * 1000000000;
        }
        for (unsigned k = 0; k < 2; k++) {
            model_leg *leg = &draft->legs[draft->leg_count++];
            unsigned choice = below(&w->seed, (w->accounts[b] - asset + ASSETS - 1) / ASSETS);
            (void)snprintf(leg->account, sizeof leg->account, "t%u.%u", w->number,
                           asset + ASSETS * choice);
            leg->side = k == 0 ? MODEL_DEBIT : MODEL_CREDIT;
            leg->amount = amount;
        }
    }
}

/* A transfer may carry a note so long that the segments fill up. */
static void post(writer *w, sqlite3 *db, unsigned b) {
    model_draft draft;
    char amount[48];
    fill_draft(w, b, &draft);
    char *sql = NULL;
    if (draft.leg_count == 2) {
        sql = sqlite3_mprintf("INSERT INTO talea.transfers(book, idempotency_key, debit, credit,"
                              " amount, metadata) VALUES(%Q, %Q, %Q, %Q, %Q,"
                              " json_quote(hex(zeroblob(%u))))",
                              books[b], draft.key, draft.legs[0].account, draft.legs[1].account,
                              model_format(draft.legs[0].amount, amount),
                              below(&w->seed, NOTE_BYTES));
    } else {
        sql = draft_sql(chance(&w->seed, 50) ? FORM_EVENT : FORM_LINES, "", books[b], &draft);
    }
    must(db, sql);
    sqlite3_free(sql);
}

static void *write_some(void *arg) {
    writer *w = arg;
    sqlite3 *db = open_ledger(w->uri);
    for (unsigned u = 0; u < UNITS; u++) {
        unsigned b = chance(&w->seed, 75) ? 0 : 1;
        unsigned count = chance(&w->seed, 50) ? 1 : 1 + below(&w->seed, 6);
        must(db, "BEGIN");
        while (w->accounts[b] < ASSETS) {
            open_account(w, db, b);
        }
        for (unsigned i = 0; i < count; i++) {
            if (w->accounts[b] < 12 && chance(&w->seed, 8)) {
                open_account(w, db, b);
            } else {
                post(w, db, b);
            }
        }
        must(db, "COMMIT");
    }
    sqlite3_close(db);
    return NULL;
}

static void write_ledger(const char *uri, uint64_t seed) {
    writer writers[THREADS];
    sqlite3 *db = open_ledger(uri);
    must(db, "INSERT INTO talea.assets(asset, class, network, precision) VALUES"
             " ('EUR', 'fiat', NULL, 2), ('USD', 'fiat', NULL, 0), ('WEI', 'crypto', 'e', 18)");
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (writer){.uri = uri, .number = i, .seed = seed + i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_some, &writers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
    sqlite3_close(db);
}

/* ---- The oracle ---- */

static void read_events(sqlite3 *db, model_book *book) {
    sqlite3_stmt *row =
        prepare(db, "SELECT seq, at, postings, json_extract(definition, '$.account'),"
                    " json_extract(definition, '$.asset'), json_extract(definition, '$.kind'),"
                    " json_extract(definition, '$.normal_side'), NULL, NULL, idempotency_key"
                    " FROM talea.events WHERE book = ?1 ORDER BY seq");
    sqlite3_bind_text(row, 1, book->name, -1, SQLITE_TRANSIENT);
    while (sqlite3_step(row) == SQLITE_ROW) {
        model_event event = {.kind = MODEL_POSTED};
        assert_int_equal(sqlite3_column_int64(row, 0), book->event_count + 1);
        keep_column(event.at, sizeof event.at, row, 1);
        if (sqlite3_column_type(row, 3) != SQLITE_NULL) {
            event.kind = MODEL_OPENED;
            read_definition(row, 3, &event.account);
        } else {
            keep_column(event.draft.key, sizeof event.draft.key, row, 9);
            parse_postings((const char *)sqlite3_column_text(row, 2), &event.draft);
        }
        assert_null(model_append(book, &event));
    }
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
}

/* The last seq at or before a time; 0: none. */
static uint64_t cut_at(const model_book *book, const char *at) {
    uint64_t cut = 0;
    while (cut < book->event_count && strcmp(book->events[cut].at, at) <= 0) {
        cut++;
    }
    return cut;
}

/* ---- Comparing ---- */

/* An instant, in words that go behind WHERE, and as arguments in brackets. */
typedef struct instant {
    char where[160];
    char brackets[160];
    uint64_t cut; /* the seq that it means */
} instant;

static instant at_seq(const model_book *book, int64_t seq) {
    uint64_t last = book->event_count;
    instant i = {.cut = (uint64_t)seq > last ? last : (uint64_t)seq};
    (void)snprintf(i.where, sizeof i.where, "as_of_seq = %lld", (long long)seq);
    (void)snprintf(i.brackets, sizeof i.brackets, "'9999-12-31', %lld", (long long)seq);
    return i;
}

/* The same time, written in one of the ways that are accepted. */
static instant at_time(const model_book *book, const char *at, unsigned spelling) {
    instant i = {.cut = cut_at(book, at)};
    char text[64];
    (void)snprintf(text, sizeof text, "%.10s%c%.15s%s", at, spelling == 1 ? ' ' : 'T', at + 11,
                   spelling == 0   ? "Z"
                   : spelling == 1 ? ""
                                   : "+00:00");
    (void)snprintf(i.where, sizeof i.where, "as_of = '%s'", text);
    (void)snprintf(i.brackets, sizeof i.brackets, "'%s'", text);
    return i;
}

static void check_balance(const instant *i, sqlite3_stmt *row, const model_account *accounts,
                          size_t count) {
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const model_account *want = NULL;
    for (size_t k = 0; k < count; k++) {
        want = strcmp(accounts[k].name, name) == 0 ? &accounts[k] : want;
    }
    if (!want) {
        fail_msg("%s: %s was not open yet", i->where, name);
    } else if (strcmp((const char *)sqlite3_column_text(row, 1), want->asset) != 0 ||
               strcmp((const char *)sqlite3_column_text(row, 2), want->kind) != 0 ||
               !same_amount(row, 3, model_balance(want)) || !same_amount(row, 4, want->debits) ||
               !same_amount(row, 5, want->credits) ||
               sqlite3_column_int64(row, 6) != (sqlite3_int64)want->updated_seq) {
        fail_msg("%s: %s differs from the replay", i->where, name);
    }
}

static unsigned long check_rows(sqlite3 *db, char *sql, const instant *i,
                                const model_account *accounts, size_t count) {
    unsigned long rows = 0;
    sqlite3_stmt *row = prepare(db, sql);
    while (sqlite3_step(row) == SQLITE_ROW) {
        check_balance(i, row, accounts, count);
        rows++;
    }
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    sqlite3_free(sql);
    return rows;
}

static unsigned long check_trial(sqlite3 *db, char *sql, const instant *i,
                                 const model_account *accounts, size_t count) {
    unsigned long rows = 0;
    size_t counted = 0;
    sqlite3_stmt *row = prepare(db, sql);
    while (sqlite3_step(row) == SQLITE_ROW) {
        model_amount sums[2] = {0};
        for (size_t k = 0; k < count; k++) {
            if (strcmp(accounts[k].asset, (const char *)sqlite3_column_text(row, 0)) == 0) {
                sums[0] += accounts[k].debits;
                sums[1] += accounts[k].credits;
                counted++;
            }
        }
        if (sums[0] != sums[1] || !same_amount(row, 1, sums[0]) || !same_amount(row, 2, sums[1])) {
            fail_msg("%s: trial_balance differs from the replay", i->where);
        }
        rows++;
    }
    if (counted != count) {
        fail_msg("%s: trial_balance lacks an asset", i->where);
    }
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    sqlite3_free(sql);
    return rows;
}

/* Both tables, in both spellings, whole and one account at a time. */
static void check_instant(sqlite3 *db, const model_book *book, const instant *i, uint64_t *seed,
                          tally *t) {
    static const char columns[] = "account, asset, kind, balance, debits, credits, updated_seq";
    size_t count = 0;
    model_account *accounts = model_replay(book, i->cut, &count);
    bool bracketed = chance(seed, 30);
    unsigned long rows = check_rows(
        db,
        bracketed ? sqlite3_mprintf("SELECT %s FROM talea.balances(%s) WHERE book = %Q", columns,
                                    i->brackets, book->name)
                  : sqlite3_mprintf("SELECT %s FROM talea.balances WHERE book = %Q AND %s", columns,
                                    book->name, i->where),
        i, accounts, count);
    if (rows != count) {
        fail_msg("%s: %lu accounts, %zu were open", i->where, rows, count);
    }
    const model_account *one = &book->accounts[below(seed, (unsigned)book->account_count)];
    bool open = one->opened_seq <= i->cut;
    unsigned long found = check_rows(
        db,
        sqlite3_mprintf("SELECT %s FROM talea.balances WHERE book = %Q AND account = %Q AND %s",
                        columns, book->name, one->name, i->where),
        i, accounts, count);
    if (found != open) {
        fail_msg("%s: %s was %sopen", i->where, one->name, open ? "" : "not ");
    }
    t->rows +=
        rows + found +
        check_trial(db,
                    bracketed ? sqlite3_mprintf("SELECT asset, debits, credits FROM"
                                                " talea.trial_balance(%s) WHERE book = %Q",
                                                i->brackets, book->name)
                              : sqlite3_mprintf("SELECT asset, debits, credits FROM"
                                                " talea.trial_balance WHERE book = %Q AND %s",
                                                book->name, i->where),
                    i, accounts, count);
    t->cuts++;
    free(accounts);
}

/* One microsecond earlier; false where that would take a borrow. */
static bool just_before(const char *at, char out[MODEL_TEXT_BYTES]) {
    unsigned long micros = strtoul(at + 20, NULL, 10);
    (void)snprintf(out, MODEL_TEXT_BYTES, "%.20s%06luZ", at, micros - 1);
    return micros > 0;
}

static void check_times(sqlite3 *db, const model_book *book, uint64_t *seed, tally *t) {
    char before[MODEL_TEXT_BYTES];
    for (size_t k = 0; k < book->event_count; k++) {
        const char *at = book->events[k].at;
        if (k > 0 && strcmp(book->events[k - 1].at, at) == 0) {
            continue;
        }
        instant i = at_time(book, at, below(seed, 3));
        check_instant(db, book, &i, seed, t);
        assert_true(i.cut > k);
        if (just_before(at, before)) {
            i = at_time(book, before, below(seed, 3));
            check_instant(db, book, &i, seed, t);
            assert_true(i.cut <= k);
        }
        t->times++;
    }
    static const char *const far[] = {"0001-01-01T00:00:00.000000Z", "1999-12-31T23:59:59.999999Z",
                                      "9999-12-31T23:59:59.999999Z"};
    for (unsigned k = 0; k < 3; k++) {
        instant i = at_time(book, far[k], k);
        check_instant(db, book, &i, seed, t);
        assert_int_equal(i.cut, k < 2 ? 0 : book->event_count);
    }
}

/* Given both, the earlier one counts. */
static void check_both(sqlite3 *db, const model_book *book, uint64_t *seed, tally *t) {
    for (unsigned k = 0; k < 50; k++) {
        const char *at = book->events[below(seed, (unsigned)book->event_count)].at;
        instant time = at_time(book, at, 0);
        instant both = at_seq(book, 1 + below(seed, (unsigned)book->event_count));
        (void)snprintf(both.brackets, sizeof both.brackets, "%.40s, %llu", time.brackets,
                       (unsigned long long)both.cut);
        (void)snprintf(both.where, sizeof both.where, "as_of_seq = %llu AND %.60s",
                       (unsigned long long)both.cut, time.where);
        both.cut = time.cut < both.cut ? time.cut : both.cut;
        check_instant(db, book, &both, seed, t);
    }
}

/* Many instants in one statement: a join with events, a list, and now beside then. */
static void check_many(sqlite3 *db, const model_book *book, tally *t) {
    static const char *const sqls[] = {
        "SELECT e.seq, b.account, b.debits, b.credits FROM talea.events e JOIN talea.balances b"
        " ON b.book = e.book AND b.as_of_seq = e.seq WHERE e.book = ?1 ORDER BY e.seq",
        "SELECT as_of_seq, account, debits, credits FROM talea.balances WHERE book = ?1 AND"
        " as_of_seq IN (SELECT seq FROM talea.events WHERE book = ?1 AND seq % 3 = 0)"
        " ORDER BY as_of_seq",
        "SELECT b.as_of_seq, b.account, b.debits, b.credits FROM talea.balances n JOIN"
        " talea.balances b ON b.book = n.book AND b.account = n.account AND"
        " b.as_of_seq = n.updated_seq WHERE n.book = ?1 ORDER BY b.as_of_seq"};
    for (size_t q = 0; q < sizeof sqls / sizeof *sqls; q++) {
        uint64_t cut = 0;
        size_t count = 0;
        model_account *accounts = NULL;
        unsigned long rows = 0;
        sqlite3_stmt *row = prepare(db, sqls[q]);
        sqlite3_bind_text(row, 1, book->name, -1, SQLITE_TRANSIENT);
        for (; sqlite3_step(row) == SQLITE_ROW; rows++) {
            if ((uint64_t)sqlite3_column_int64(row, 0) != cut) {
                cut = (uint64_t)sqlite3_column_int64(row, 0);
                free(accounts);
                accounts = model_replay(book, cut, &count);
            }
            const model_account *want = NULL;
            for (size_t k = 0; k < count; k++) {
                if (strcmp(accounts[k].name, (const char *)sqlite3_column_text(row, 1)) == 0) {
                    want = &accounts[k];
                }
            }
            assert_non_null(want);
            if (!same_amount(row, 2, want->debits) || !same_amount(row, 3, want->credits)) {
                fail_msg("%s: %s at %llu", sqls[q], want->name, (unsigned long long)cut);
            }
        }
        assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
        unsigned long expected = 0;
        for (size_t k = 0; k < book->account_count; k++) {
            uint64_t opened = book->accounts[k].opened_seq;
            expected += q == 0   ? book->event_count - opened + 1
                        : q == 1 ? book->event_count / 3 - (opened - 1) / 3
                                 : 1;
        }
        assert_int_equal(rows, expected);
        t->rows += rows;
        free(accounts);
    }
}

static void check_ledger(const char *uri, uint64_t *seed, tally *t) {
    sqlite3 *db = open_ledger(uri);
    model *m = model_new();
    for (unsigned b = 0; b < BOOKS; b++) {
        (void)model_make_book(m, books[b]);
    }
    for (unsigned b = 0; b < BOOKS; b++) {
        model_book *book = model_find_book(m, books[b]);
        read_events(db, book);
        int64_t last = (int64_t)book->event_count;
        for (int64_t seq = 0; seq <= last + 2; seq++) {
            instant i = at_seq(book, seq);
            check_instant(db, book, &i, seed, t);
        }
        instant future = at_seq(book, INT64_MAX);
        check_instant(db, book, &future, seed, t);
        check_times(db, book, seed, t);
        check_both(db, book, seed, t);
        check_many(db, book, t);
        t->events += book->event_count;
    }
    sqlite3_stmt *row = prepare(db, "SELECT sum(segments) FROM talea.books");
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    t->segments += (unsigned long)sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    model_free(m);
    sqlite3_close(db);
}

static void one_ledger(uint64_t seed, tally *t) {
    char dir[256];
    char uri[320];
    make_dir(dir, sizeof dir, "travel");
    (void)snprintf(uri, sizeof uri, "file:%s?segment_max=65536", dir);
    sqlite3 *held = open_ledger(uri); /* the engine that wrote it lives on */
    write_ledger(uri, seed);
    check_ledger(uri, &seed, t);
    sqlite3_close(held);
    check_ledger(uri, &seed, t);
    remove_tree(dir);
}

static void every_instant(void **state) {
    tally t = {.cuts = 0};
    uint64_t seed = seed_of_run();
    unsigned ledgers = getenv("TALEA_SOAK") ? LEDGERS_OF_A_SOAK : 1;
    print_message("TALEA_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < ledgers; i++) {
        one_ledger(seed + i * 1000, &t);
    }
    assert_true(t.segments >= 2 * 5); /* books and segments: it did span some */
    assert_true(t.times < t.events);  /* groups of several units, or units of several drafts */
    print_message("%lu cuts (%lu events, %lu times, %lu segments), %lu rows; disagreements 0\n",
                  t.cuts, t.events, t.times, t.segments, t.rows);
}

int main(void) {
    unsetenv("TALEA_DIR");
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_instant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
