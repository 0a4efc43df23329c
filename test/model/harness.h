/*
 * harness.h: what the two tests of this folder share: connections, statements, reading a ledger
 * into the model.
 *
 * Purpose:    SQL out, model in; comparing what tables show with what the model says.
 * Owns:       nothing; connections are the caller's to close.
 * Threads:    one connection, one thread; failures are reported through cmocka on the main thread only, so what
 *             other threads use returns words instead.
 */
#ifndef TEST_MODEL_HARNESS_H
#define TEST_MODEL_HARNESS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "support/model.h"

/* ---- Random numbers: SplitMix64 ---- */

static inline uint64_t next_u64(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline unsigned below(uint64_t *state, unsigned bound) {
    return (unsigned)(next_u64(state) % bound);
}

static inline bool chance(uint64_t *state, unsigned percent) {
    return below(state, 100) < percent;
}

static inline uint64_t seed_of_run(void) {
    const char *given = getenv("TALEA_SEED");
    return given ? strtoull(given, NULL, 0) : (uint64_t)getpid() * 1000003U;
}

/* ---- Connections ---- */

__attribute__((noreturn, format(printf, 1, 2))) static inline void give_up(const char *format,
                                                                           ...) {
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    abort();
}

static inline sqlite3 *connect_to(const char *path) {
    sqlite3 *db = NULL;
    char *words = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        give_up("%s: %s", path, sqlite3_errmsg(db));
    }
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, TALEA_SO, NULL, &words) != SQLITE_OK) {
        give_up("%s: %s", TALEA_SO, words);
    }
    sqlite3_busy_timeout(db, 20000);
    return db;
}

static inline sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        give_up("%s: %s", sql, sqlite3_errmsg(db));
    }
    return stmt;
}

/* "unbalanced" of "talea: unbalanced: ..."; "" when the error is not ours. */
static inline void code_in(const char *message, char out[32]) {
    size_t n = 0;
    if (strncmp(message, "talea: ", 7) == 0) {
        for (const char *p = message + 7; *p && *p != ':' && n < 31; p++) {
            out[n++] = *p;
        }
    }
    out[n] = '\0';
}

/* "" when the statement went well. */
static inline void run_sql(sqlite3 *db, const char *sql, char out_code[32]) {
    out_code[0] = '\0';
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        code_in(sqlite3_errmsg(db), out_code);
        if (!out_code[0]) {
            give_up("%s: %s", sql, sqlite3_errmsg(db));
        }
    }
}

static inline void must(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        give_up("%s: %s", sql, sqlite3_errmsg(db));
    }
}

/* ---- Writing drafts, in each of the three forms ---- */

typedef enum form { FORM_TRANSFER, FORM_EVENT, FORM_LINES } form;

static inline const char *quoted(const char *text) {
    return text[0] ? text : NULL; /* %Q of NULL is NULL */
}

static inline char *transfer_sql(const char *verb, const char *book, const model_draft *draft) {
    char amount[48];
    return sqlite3_mprintf("INSERT%s INTO talea.transfers(book, idempotency_key, debit, credit, "
                           "amount, occurred_at, external_refs, "
                           "metadata) VALUES(%Q, %Q, %Q, %Q, %Q, %Q, %Q, %Q)",
                           verb, book, draft->key, draft->legs[0].account, draft->legs[1].account,
                           model_format(draft->legs[0].amount, amount), quoted(draft->occurred_at),
                           quoted(draft->external_refs), quoted(draft->metadata));
}

static inline char *event_sql(const char *verb, const char *book, const model_draft *draft) {
    char postings[1024];
    size_t n = 0;
    for (size_t i = 0; i < draft->leg_count; i++) {
        char amount[48];
        n += (size_t)snprintf(postings + n, sizeof postings - n, "%c{\"account\":\"%s\",\"%s\":%s}",
                              i ? ',' : '[', draft->legs[i].account,
                              draft->legs[i].side == MODEL_DEBIT ? "debit" : "credit",
                              model_format(draft->legs[i].amount, amount));
    }
    (void)snprintf(postings + n, sizeof postings - n, "]");
    return sqlite3_mprintf(
        "INSERT%s INTO talea.events(book, idempotency_key, occurred_at, postings, external_refs, "
        "metadata) VALUES(%Q, %Q, %Q, %Q, %Q, %Q)",
        verb, book, draft->key, quoted(draft->occurred_at), postings, quoted(draft->external_refs),
        quoted(draft->metadata));
}

/* One statement, so that it is one SQL transaction outside of BEGIN as well. */
static inline char *lines_sql(const char *verb, const char *book, const model_draft *draft) {
    char *sql = sqlite3_mprintf("INSERT%s INTO talea.postings(book, idempotency_key, account, "
                                "debit, credit, occurred_at) VALUES",
                                verb);
    for (size_t i = 0; i < draft->leg_count; i++) {
        char amount[48];
        model_format(draft->legs[i].amount, amount);
        bool debit = draft->legs[i].side == MODEL_DEBIT;
        sql = sqlite3_mprintf("%z%s(%Q, %Q, %Q, %Q, %Q, %Q)", sql, i ? ", " : " ", book, draft->key,
                              draft->legs[i].account, debit ? amount : NULL, debit ? NULL : amount,
                              quoted(draft->occurred_at));
    }
    return sql;
}

static inline char *draft_sql(form how, const char *verb, const char *book,
                              const model_draft *draft) {
    return how == FORM_TRANSFER ? transfer_sql(verb, book, draft)
           : how == FORM_EVENT  ? event_sql(verb, book, draft)
                                : lines_sql(verb, book, draft);
}

static inline char *account_sql(const char *verb, const char *book, const model_account *account) {
    static const char *const sides[] = {"none", "debit", "credit"};
    char min[48];
    char max[48];
    return sqlite3_mprintf(
        "INSERT%s INTO talea.accounts(book, account, asset, kind, normal_side, min_balance, "
        "max_balance) VALUES(%Q, %Q, %Q, %Q, %Q, %s, %s)",
        verb, book, account->name, account->asset, account->kind, sides[account->side],
        account->has_min ? model_format(account->min, min) : "NULL",
        account->has_max ? model_format(account->max, max) : "NULL");
}

/* ---- Reading a ledger into the model ---- */

static inline void keep(char *to, size_t bytes, const char *from) {
    if (snprintf(to, bytes, "%s", from ? from : "") >= (int)bytes) {
        give_up("\"%s\" is longer than anything the test wrote", from);
    }
}

static inline void keep_column(char *to, size_t bytes, sqlite3_stmt *row, int column) {
    keep(to, bytes, (const char *)sqlite3_column_text(row, column));
}

/* [{"account":"a","asset":"EUR","debit":1},...]: as `events` writes it. */
static inline void parse_postings(const char *text, model_draft *draft) {
    static const char account_is[] = "\"account\":\"";
    draft->leg_count = 0;
    for (const char *p = text; (p = strstr(p, account_is));) {
        if (draft->leg_count == MODEL_LEGS_MAX) {
            give_up("too many postings: %s", text);
        }
        model_leg *leg = &draft->legs[draft->leg_count++];
        p += sizeof account_is - 1;
        size_t n = strcspn(p, "\"");
        if (n >= sizeof leg->account) {
            give_up("a name that the test did not write: %s", text);
        }
        memcpy(leg->account, p, n);
        leg->account[n] = '\0';
        const char *end = p + strcspn(p, "}");
        const char *debit = strstr(p, "\"debit\":");
        const char *credit = strstr(p, "\"credit\":");
        bool is_debit = debit && debit < end;
        leg->side = is_debit ? MODEL_DEBIT : MODEL_CREDIT;
        leg->amount = model_parse(is_debit ? debit + 8 : credit + 9);
    }
}

static inline model_side side_named(const char *name) {
    return strcmp(name, "debit") == 0    ? MODEL_DEBIT
           : strcmp(name, "credit") == 0 ? MODEL_CREDIT
                                         : MODEL_NONE;
}

static inline void read_definition(sqlite3_stmt *row, int first, model_account *account) {
    char side[MODEL_TEXT_BYTES];
    keep_column(account->name, sizeof account->name, row, first);
    keep_column(account->asset, sizeof account->asset, row, first + 1);
    keep_column(account->kind, sizeof account->kind, row, first + 2);
    keep_column(side, sizeof side, row, first + 3);
    account->side = side_named(side);
    account->has_min = sqlite3_column_type(row, first + 4) != SQLITE_NULL;
    account->has_max = sqlite3_column_type(row, first + 5) != SQLITE_NULL;
    account->min =
        account->has_min ? model_parse((const char *)sqlite3_column_text(row, first + 4)) : 0;
    account->max =
        account->has_max ? model_parse((const char *)sqlite3_column_text(row, first + 5)) : 0;
}

/* Replays `events` into an empty model book. Returns words when an event is not legal, or a seq is
 * missing. */
static inline const char *read_book(sqlite3 *db, model_book *book) {
    const char *wrong = NULL;
    sqlite3_stmt *row = prepare(
        db, "SELECT seq, kind, txid, at, idempotency_key, occurred_at, postings, external_refs, "
            "metadata,"
            " json_extract(definition, '$.account'), json_extract(definition, '$.asset'),"
            " json_extract(definition, '$.kind'), json_extract(definition, '$.normal_side'),"
            " json_extract(definition, '$.min_balance'), json_extract(definition, '$.max_balance')"
            " FROM talea.events WHERE book = ?1 ORDER BY seq");
    sqlite3_bind_text(row, 1, book->name, -1, SQLITE_TRANSIENT);
    while (sqlite3_step(row) == SQLITE_ROW && !wrong) {
        model_event event = {.kind = MODEL_POSTED};
        if (sqlite3_column_int64(row, 0) != (sqlite3_int64)book->event_count + 1) {
            wrong = "the seqs have a gap";
            break;
        }
        keep_column(event.txid, sizeof event.txid, row, 2);
        keep_column(event.at, sizeof event.at, row, 3);
        if (book->event_count > 0 && strcmp(book->events[book->event_count - 1].at, event.at) > 0) {
            wrong = "time goes backwards";
        }
        if (strcmp((const char *)sqlite3_column_text(row, 1), "account_opened") == 0) {
            event.kind = MODEL_OPENED;
            read_definition(row, 9, &event.account);
        } else {
            keep_column(event.draft.key, sizeof event.draft.key, row, 4);
            keep_column(event.draft.occurred_at, sizeof event.draft.occurred_at, row, 5);
            keep_column(event.draft.external_refs, sizeof event.draft.external_refs, row, 7);
            keep_column(event.draft.metadata, sizeof event.draft.metadata, row, 8);
            parse_postings((const char *)sqlite3_column_text(row, 6), &event.draft);
        }
        const char *illegal = model_append(book, &event);
        wrong = wrong ? wrong : illegal;
    }
    if (sqlite3_finalize(row) != SQLITE_OK) {
        give_up("reading events: %s", sqlite3_errmsg(db));
    }
    return wrong;
}

/* ---- Comparing tables with the model; words say what differs ---- */

static inline bool same_amount(sqlite3_stmt *row, int column, model_amount want) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    char digits[48];
    return text && strcmp(text, model_format(want, digits)) == 0;
}

/* `balances` and `trial_balance` as of `seq`; 0: now, without the as-of columns. */
static inline const char *compare_balances(sqlite3 *db, const model_book *book, uint64_t seq) {
    size_t count = 0;
    size_t seen = 0;
    const char *wrong = NULL;
    model_account *accounts = model_replay(book, seq ? seq : book->event_count, &count);
    sqlite3_stmt *row = prepare(db, seq ? "SELECT account, asset, kind, balance, debits, credits, "
                                          "updated_seq FROM talea.balances"
                                          " WHERE book = ?1 AND as_of_seq = ?2"
                                        : "SELECT account, asset, kind, balance, debits, credits, "
                                          "updated_seq FROM talea.balances"
                                          " WHERE book = ?1");
    sqlite3_bind_text(row, 1, book->name, -1, SQLITE_TRANSIENT);
    if (seq) {
        sqlite3_bind_int64(row, 2, (sqlite3_int64)seq);
    }
    while (sqlite3_step(row) == SQLITE_ROW && !wrong) {
        model_account *want = NULL;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(accounts[i].name, (const char *)sqlite3_column_text(row, 0)) == 0) {
                want = &accounts[i];
            }
        }
        seen++;
        if (!want) {
            wrong = "balances shows an account that was not open";
        } else if (strcmp(want->asset, (const char *)sqlite3_column_text(row, 1)) != 0 ||
                   strcmp(want->kind, (const char *)sqlite3_column_text(row, 2)) != 0 ||
                   !same_amount(row, 3, model_balance(want)) ||
                   !same_amount(row, 4, want->debits) || !same_amount(row, 5, want->credits) ||
                   sqlite3_column_int64(row, 6) != (sqlite3_int64)want->updated_seq) {
            wrong = "a row of balances differs from the replay";
        }
    }
    sqlite3_finalize(row);
    free(accounts);
    return wrong ? wrong : seen == count ? NULL : "balances lacks an account";
}

static inline const char *compare_trial(sqlite3 *db, const model_book *book, uint64_t seq) {
    size_t count = 0;
    const char *wrong = NULL;
    model_account *accounts = model_replay(book, seq, &count);
    sqlite3_stmt *row = prepare(db, "SELECT asset, debits, credits FROM talea.trial_balance WHERE "
                                    "book = ?1 AND as_of_seq = ?2");
    sqlite3_bind_text(row, 1, book->name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(row, 2, (sqlite3_int64)seq);
    size_t counted = 0;
    while (sqlite3_step(row) == SQLITE_ROW && !wrong) {
        model_amount debits = 0;
        model_amount credits = 0;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(accounts[i].asset, (const char *)sqlite3_column_text(row, 0)) == 0) {
                debits += accounts[i].debits;
                credits += accounts[i].credits;
                counted++;
            }
        }
        if (debits != credits || !same_amount(row, 1, debits) || !same_amount(row, 2, credits)) {
            wrong = "trial_balance differs from the replay";
        }
    }
    sqlite3_finalize(row);
    free(accounts);
    return wrong ? wrong : counted == count ? NULL : "trial_balance lacks an asset";
}

/* Every journal line with its running balance. */
static inline const char *compare_postings(sqlite3 *db, const model_book *book) {
    const char *wrong = NULL;
    sqlite3_stmt *row =
        prepare(db, "SELECT seq, idx, account, asset, debit, credit, balance, idempotency_key"
                    " FROM talea.postings WHERE book = ?1 ORDER BY seq");
    sqlite3_bind_text(row, 1, book->name, -1, SQLITE_TRANSIENT);
    size_t count = 0;
    model_account *accounts = model_replay(book, book->event_count, &count);
    for (size_t i = 0; i < count; i++) {
        accounts[i].debits = 0;
        accounts[i].credits = 0;
    }
    for (size_t i = 0; i < book->event_count && !wrong; i++) {
        const model_draft *draft = &book->events[i].draft;
        for (size_t k = 0; book->events[i].kind == MODEL_POSTED && k < draft->leg_count && !wrong;
             k++) {
            const model_leg *leg = &draft->legs[k];
            model_account *account = NULL;
            for (size_t a = 0; a < count; a++) {
                account = strcmp(accounts[a].name, leg->account) == 0 ? &accounts[a] : account;
            }
            *(leg->side == MODEL_DEBIT ? &account->debits : &account->credits) += leg->amount;
            if (sqlite3_step(row) != SQLITE_ROW) {
                wrong = "postings lacks a line";
            } else if (sqlite3_column_int64(row, 0) != (sqlite3_int64)i + 1 ||
                       strcmp((const char *)sqlite3_column_text(row, 2), leg->account) != 0 ||
                       strcmp((const char *)sqlite3_column_text(row, 3), account->asset) != 0 ||
                       !same_amount(row, leg->side == MODEL_DEBIT ? 4 : 5, leg->amount) ||
                       sqlite3_column_type(row, leg->side == MODEL_DEBIT ? 5 : 4) != SQLITE_NULL ||
                       !same_amount(row, 6, model_balance(account)) ||
                       strcmp((const char *)sqlite3_column_text(row, 7), draft->key) != 0) {
                wrong = "a row of postings differs from the replay";
            }
        }
    }
    if (!wrong && sqlite3_step(row) == SQLITE_ROW) {
        wrong = "postings shows a line too many";
    }
    sqlite3_finalize(row);
    free(accounts);
    return wrong;
}

static inline const char *compare_verify(sqlite3 *db) {
    const char *wrong = NULL;
    sqlite3_stmt *row =
        prepare(db, "SELECT book, problem, detail FROM talea.verify WHERE problem IS NOT NULL");
    while (sqlite3_step(row) == SQLITE_ROW) {
        (void)fprintf(stderr, "verify: %s: %s: %s\n", sqlite3_column_text(row, 0),
                      sqlite3_column_text(row, 1), sqlite3_column_text(row, 2));
        wrong = "verify found a problem";
    }
    return sqlite3_finalize(row) == SQLITE_OK ? wrong : "verify failed";
}

/* ---- Directories ---- */

static inline void make_dir(char *out, size_t bytes, const char *name) {
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(out, bytes, "%s/talea-%s-XXXXXX", tmp ? tmp : "/tmp", name);
    if (!mkdtemp(out)) {
        give_up("mkdtemp %s failed", out);
    }
}

/* Only what the test has made: two levels of directories below `dir` with files in them. */
static inline void remove_tree(const char *dir) {
    char command[512];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0) { /* a test's own temporary directory */
        (void)fprintf(stderr, "could not remove %s\n", dir);
    }
}

#endif
