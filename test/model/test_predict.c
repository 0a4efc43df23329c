/*
 * One connection, random SQL transactions; before each statement the model says what will come of
 * it: accepted, or refused with this very code; and after each transaction what `results` will
 * show. Then everything again after reopening.
 *
 * TALEA_SEED repeats a run.
 */
/* ctest: soak */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "model/harness.h"

static const char *const books[] = {"main", "Main", "shop/1"};
static const char *const assets[] = {"EUR", "USD", "BTC"};
static const struct {
    const char *name;
    model_side side;
} kinds[] = {{"asset", MODEL_DEBIT},   {"liability", MODEL_CREDIT}, {"income", MODEL_CREDIT},
             {"expense", MODEL_DEBIT}, {"equity", MODEL_CREDIT},    {"clearing", MODEL_NONE}};

typedef struct run {
    uint64_t seed;
    sqlite3 *db;
    model *m;
    model_unit unit;
    uint64_t keys; /* fresh keys so far */
    struct {
        size_t count; /* of unit.ops, when it was opened */
    } savepoints[8];
    unsigned depth;
    unsigned long statements;
    unsigned long refusals;
    unsigned long failed_commits;
} run;

/* ---- Making drafts, good ones and bad ones ---- */

static const model_book *some_book(run *r, char name[MODEL_NAME_BYTES]) {
    bool stay = r->unit.book[0] && !chance(&r->seed, 3);
    keep(name, MODEL_NAME_BYTES, stay ? r->unit.book : books[below(&r->seed, 3)]);
    return model_make_book(r->m, name);
}

static void random_account(run *r, model_account *account) {
    unsigned kind = below(&r->seed, 6);
    *account = (model_account){.side = kinds[kind].side};
    (void)snprintf(account->name, sizeof account->name, "a%u", below(&r->seed, 12));
    keep(account->asset, sizeof account->asset, assets[below(&r->seed, 3)]);
    keep(account->kind, sizeof account->kind, kinds[kind].name);
    if (chance(&r->seed, 10)) { /* a contra account */
        account->side = (model_side)below(&r->seed, 3);
    }
    account->has_min = chance(&r->seed, 40);
    account->min = account->has_min ? (model_amount)below(&r->seed, 3) * -500 : 0;
    account->has_max = chance(&r->seed, 15);
    account->max = account->has_max ? (model_amount)5000 : 0;
    if (chance(&r->seed, 3)) {
        keep(account->asset, sizeof account->asset, "XXX");
    }
}

/* An account of the book or of the unit, now and then one that does not exist. */
static void random_name(run *r, const model_book *book, const char *asset,
                        char out[MODEL_NAME_BYTES]) {
    const char *fitting[64];
    size_t count = 0;
    for (size_t i = 0; i < book->account_count; i++) {
        if (!asset || strcmp(book->accounts[i].asset, asset) == 0) {
            fitting[count++] = book->accounts[i].name;
        }
    }
    for (size_t i = 0; i < r->unit.count && count < 40; i++) {
        const model_op *op = &r->unit.ops[i];
        if (op->is_account && !op->refused && (!asset || strcmp(op->account.asset, asset) == 0)) {
            fitting[count++] = op->account.name;
        }
    }
    keep(out, MODEL_NAME_BYTES,
         count == 0 || chance(&r->seed, 2) ? "nobody" : fitting[below(&r->seed, (unsigned)count)]);
}

static model_amount random_amount(run *r) {
    if (chance(&r->seed, 5)) { /* far past 64 bits */
        return ((model_amount)1 << 100) + below(&r->seed, 1000);
    }
    return 1 + (model_amount)below(&r->seed, 1000);
}

static void random_legs(run *r, const model_book *book, model_draft *draft) {
    unsigned pairs = chance(&r->seed, 70) ? 1 : 1 + below(&r->seed, 3);
    for (unsigned i = 0; i < pairs; i++) {
        const char *asset = assets[below(&r->seed, 3)];
        model_amount amount = random_amount(r);
        for (unsigned k = 0; k < 2; k++) {
            model_leg *leg = &draft->legs[draft->leg_count++];
            random_name(r, book, chance(&r->seed, 2) ? NULL : asset, leg->account);
            leg->side = k == 0 ? MODEL_DEBIT : MODEL_CREDIT;
            leg->amount = amount;
        }
    }
}

static void random_key(run *r, const model_book *book, model_draft *draft) {
    if (book->event_count > 0 && chance(&r->seed, 12)) { /* used already: the same again, or
                                                            something else */
        const model_event *old = &book->events[below(&r->seed, (unsigned)book->event_count)];
        if (old->kind == MODEL_POSTED) {
            model_draft made = *draft;
            *draft = old->draft;
            if (chance(&r->seed, 15)) {
                keep(draft->metadata, sizeof draft->metadata, "{\"n\":3}");
            } else if (chance(&r->seed, 40)) {
                *draft = made;
                keep(draft->key, sizeof draft->key, old->draft.key);
            }
            return;
        }
    }
    if (r->unit.count > 0 && chance(&r->seed, 8)) { /* used earlier in this transaction */
        const model_op *old = &r->unit.ops[below(&r->seed, (unsigned)r->unit.count)];
        if (!old->is_account && !old->refused) {
            *draft = old->draft;
            draft->legs[0].amount += chance(&r->seed, 20);
            return;
        }
    }
    (void)snprintf(draft->key, sizeof draft->key, "k%llu", (unsigned long long)++r->keys);
}

static form random_draft(run *r, const model_book *book, model_draft *draft) {
    *draft = (model_draft){.leg_count = 0};
    random_legs(r, book, draft);
    if (chance(&r->seed, 10)) {
        keep(draft->metadata, sizeof draft->metadata,
             chance(&r->seed, 50) ? "{\"n\":1}" : "{\"n\":2}");
    }
    if (chance(&r->seed, 10)) {
        keep(draft->external_refs, sizeof draft->external_refs, "[\"x\"]");
    }
    if (chance(&r->seed, 10)) {
        keep(draft->occurred_at, sizeof draft->occurred_at, "2026-01-31T14:02:00.000000Z");
    }
    random_key(r, book, draft);
    bool fresh = draft->key[0] == 'k' && strtoull(draft->key + 1, NULL, 10) == r->keys &&
                 model_find_key(book, draft->key) == 0;
    if (chance(&r->seed, 2)) {
        draft->legs[0].amount = 0;
    } else if (chance(&r->seed, 2)) {
        draft->legs[0].amount++; /* unbalanced */
        return FORM_EVENT;
    }
    bool plain = draft->leg_count == 2 && draft->legs[0].side == MODEL_DEBIT &&
                 draft->legs[1].side == MODEL_CREDIT &&
                 draft->legs[0].amount == draft->legs[1].amount;
    if (plain && chance(&r->seed, 60)) {
        return FORM_TRANSFER;
    }
    /* Lines with a key that the transaction has staged already would join that draft. */
    bool lines = fresh && !draft->metadata[0] && !draft->external_refs[0];
    for (size_t i = 0; lines && i < r->unit.count; i++) {
        lines = strcmp(r->unit.ops[i].draft.key, draft->key) != 0;
    }
    return lines && chance(&r->seed, 40) ? FORM_LINES : FORM_EVENT;
}

/* ---- Statements ---- */

static void expect(run *r, const char *want, const char *got, const char *sql) {
    r->statements++;
    r->refusals += want != NULL;
    if (strcmp(want ? want : "", got) != 0) {
        fail_msg("expected \"%s\", got \"%s\" (%s): %s", want ? want : "ok", got,
                 sqlite3_errmsg(r->db), sql);
    }
}

static char *random_statement(run *r, const char **out_want) {
    char book[MODEL_NAME_BYTES];
    const model_book *known = some_book(r, book);
    bool optional = chance(&r->seed, 25);
    const char *verb = optional ? " OR IGNORE" : "";
    if (known->account_count < 4 || chance(&r->seed, 10)) {
        model_account account;
        random_account(r, &account);
        *out_want = model_unit_open(r->m, &r->unit, book, &account, optional);
        return account_sql(verb, book, &account);
    }
    model_draft draft;
    form how = random_draft(r, known, &draft);
    *out_want = model_unit_post(r->m, &r->unit, book, &draft, optional);
    if (how == FORM_LINES && (*out_want || r->unit.ops[r->unit.count - 1].refused)) {
        how = FORM_EVENT; /* lines are refused, or ignored, one by one, and balance at COMMIT only
                           */
    }
    return draft_sql(how, verb, book, &draft);
}

static void check_results(run *r) {
    size_t n = 0;
    sqlite3_stmt *row = prepare(r->db, "SELECT n, book, idempotency_key, status, seq, error, "
                                       "message FROM talea.results ORDER BY n");
    while (sqlite3_step(row) == SQLITE_ROW) {
        static const char *const names[] = {"", "committed", "deduplicated", "rejected"};
        assert_true(n < r->unit.count);
        const model_op *op = &r->unit.ops[n++];
        model_status status = r->unit.failed ? MODEL_REJECTED : op->status;
        assert_int_equal(sqlite3_column_int64(row, 0), n);
        assert_string_equal((const char *)sqlite3_column_text(row, 3), names[status]);
        if (!op->is_account && op->draft.key[0]) {
            assert_string_equal((const char *)sqlite3_column_text(row, 2), op->draft.key);
        }
        if (status != MODEL_REJECTED) {
            assert_string_equal((const char *)sqlite3_column_text(row, 1), r->unit.book);
            assert_int_equal(sqlite3_column_int64(row, 4), op->seq);
            assert_int_equal(sqlite3_column_type(row, 5), SQLITE_NULL);
        } else if (op->error) { /* this one's own fault; in a unit that failed, the others go with
                                   it */
            char code[32];
            assert_string_equal((const char *)sqlite3_column_text(row, 5), op->error);
            code_in((const char *)sqlite3_column_text(row, 6), code);
            assert_string_equal(code, op->error);
        }
    }
    sqlite3_finalize(row);
    assert_int_equal(n, r->unit.count);
}

/* ---- Transactions ---- */

static void end_unit(run *r, const char *got, const char *sql) {
    const char *want = model_unit_commit(r->m, &r->unit);
    expect(r, want, got, sql);
    r->failed_commits += want != NULL;
    if (r->unit.count > 0) {
        check_results(r);
    }
    if (!sqlite3_get_autocommit(r->db)) { /* SQLite's way when the RELEASE of an outermost savepoint
                                             fails */
        assert_true(r->unit.failed);
        must(r->db, "ROLLBACK");
    }
    model_unit_clear(&r->unit);
}

static void autocommitted(run *r) {
    const char *want = NULL;
    char got[32];
    char *sql = random_statement(r, &want);
    run_sql(r->db, sql, got);
    if (want) {
        expect(r, want, got, sql);
        model_unit_clear(&r->unit);
    } else {
        end_unit(r, got, sql);
    }
    sqlite3_free(sql);
}

static void savepoint(run *r) {
    if (r->depth < 8 && chance(&r->seed, 50)) {
        r->savepoints[r->depth].count = r->unit.count;
        char sql[32];
        (void)snprintf(sql, sizeof sql, "SAVEPOINT s%u", r->depth++);
        must(r->db, sql);
    } else if (r->depth > 0) {
        unsigned to = below(&r->seed, r->depth);
        bool back = chance(&r->seed, 50);
        char sql[32];
        (void)snprintf(sql, sizeof sql, "%s s%u", back ? "ROLLBACK TO" : "RELEASE", to);
        must(r->db, sql);
        if (back) {
            model_unit_truncate(&r->unit, r->savepoints[to].count);
        }
        r->depth = back ? to + 1 : to;
    }
}

static void explicit(run *r) {
    bool named = chance(&r->seed, 25);
    must(r->db, named ? "SAVEPOINT outermost" : "BEGIN");
    r->depth = 0;
    unsigned steps = chance(&r->seed, 5) ? 100 : below(&r->seed, 10);
    for (unsigned i = 0; i < steps; i++) {
        if (chance(&r->seed, 20)) {
            savepoint(r);
            continue;
        }
        const char *want = NULL;
        char got[32];
        char *sql = random_statement(r, &want);
        run_sql(r->db, sql, got);
        expect(r, want, got, sql);
        sqlite3_free(sql);
        assert_false(sqlite3_get_autocommit(r->db));
    }
    if (chance(&r->seed, 15)) {
        must(r->db, "ROLLBACK");
        model_unit_clear(&r->unit);
        return;
    }
    char got[32];
    const char *sql = named ? "RELEASE outermost" : "COMMIT";
    run_sql(r->db, sql, got);
    end_unit(r, got, sql);
}

/* ---- The whole ledger against the model ---- */

static void check_everything(run *r) {
    for (size_t i = 0; i < r->m->book_count; i++) {
        const model_book *book = &r->m->books[i];
        model *again = model_new();
        model_book *read = model_make_book(again, book->name);
        const char *wrong = read_book(r->db, read);
        assert_null(wrong);
        assert_int_equal(read->event_count, book->event_count);
        for (size_t k = 0; k < read->event_count; k++) {
            assert_int_equal(read->events[k].kind, book->events[k].kind);
            assert_string_equal(read->events[k].draft.key, book->events[k].draft.key);
            assert_true(model_same_content(&read->events[k].draft, &book->events[k].draft));
        }
        model_free(again);
        assert_null(compare_balances(r->db, book, 0));
        assert_null(compare_postings(r->db, book));
        for (unsigned k = 0; k < 10 && book->event_count > 0; k++) {
            uint64_t seq = 1 + below(&r->seed, (unsigned)book->event_count);
            assert_null(compare_balances(r->db, book, seq));
            assert_null(compare_trial(r->db, book, seq));
        }
    }
    assert_null(compare_verify(r->db));
}

static void register_assets(run *r) {
    must(r->db, "INSERT INTO talea.assets(asset, class, network, precision) VALUES('EUR', 'fiat', "
                "NULL, 2), "
                "('USD', 'fiat', NULL, 2), ('BTC', 'crypto', 'bitcoin', 8)");
    for (unsigned i = 0; i < 3; i++) {
        model_add_asset(r->m, assets[i]);
    }
}

static void predicted(void **state) {
    char dir[256];
    char path[300];
    unsigned long transactions = getenv("TALEA_SOAK") ? 300000 : 3000;
    run r = {.seed = seed_of_run(), .m = model_new()};
    print_message("TALEA_SEED=%llu\n", (unsigned long long)r.seed);
    make_dir(dir, sizeof dir, "predict");
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    r.db = connect_to(path);
    register_assets(&r);
    for (unsigned long i = 1; i <= transactions; i++) {
        if (chance(&r.seed, 50)) {
            autocommitted(&r);
        } else {
            explicit(&r);
        }
        if (i % (transactions / 3) == 0) {
            check_everything(&r);
            sqlite3_close(r.db); /* the last connection: the ledger is closed, and opened from its
                                    files */
            r.db = connect_to(path);
            check_everything(&r);
        }
    }
    size_t events = 0;
    for (size_t i = 0; i < r.m->book_count; i++) {
        events += r.m->books[i].event_count;
    }
    print_message(
        "%lu transactions, %lu statements, %lu refused, %lu commits refused, %zu events\n",
        transactions, r.statements, r.refusals, r.failed_commits, events);
    sqlite3_close(r.db);
    model_free(r.m);
    remove_tree(dir);
}

int main(void) {
    unsetenv("TALEA_DIR");
    const struct CMUnitTest tests[] = {cmocka_unit_test(predicted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
