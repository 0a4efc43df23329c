/*
 * Reading a ledger of 1,000,000 transfers over 1000 accounts: everyday questions, each beside the
 * same question to plain SQLite tables that hold the same rows; full scans; replay at opening; and
 * what a scan without pause does to the commits of another connection.
 *
 * The plain tables are what one would make by hand to be asked these things: a stored balance, a
 * stored running balance in each posting, an index for each question; WAL, 64 MiB of page cache,
 * checkpointed. Both answer the same parameters in turns, warm, through prepared statements, and
 * must say the same.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

enum {
    BATCHES = 10,
    BATCH_DRAFTS = 100000,
    SAMPLES = 4096,
    QUESTIONS_A_ROUND = 10000,
    ROUNDS = 7,
    COMMITS = 2000,
    TURNS = 15
};

static const char talea_db[] = "talea.db";
static const char sqlite_db[] = "sqlite.db";

static sqlite3 *open_plain(void) {
    sqlite3 *db = bench_open(sqlite_db);
    bench_exec(db, "PRAGMA cache_size = -65536");
    return db;
}

static void fill_plain(void) {
    sqlite3 *db = open_plain();
    bench_exec(
        db,
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE accounts(account TEXT PRIMARY KEY, balance INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE transactions(seq INTEGER PRIMARY KEY, at TEXT NOT NULL,"
        " txid TEXT NOT NULL UNIQUE, idempotency_key TEXT NOT NULL UNIQUE);"
        "CREATE TABLE postings(seq INTEGER NOT NULL, idx INTEGER NOT NULL, account TEXT NOT NULL,"
        " debit INTEGER, credit INTEGER, balance INTEGER NOT NULL, PRIMARY KEY(seq, idx))"
        " WITHOUT ROWID;"
        "CREATE INDEX transactions_at ON transactions(at);"
        "CREATE INDEX postings_account ON postings(account, seq, idx)");
    sqlite3_close(db);
    db = bench_open_talea(talea_db);
    char *attach = sqlite3_mprintf("ATTACH %Q AS plain", bench_path(sqlite_db));
    bench_exec(db, attach);
    sqlite3_free(attach);
    bench_exec(db, "INSERT INTO plain.accounts"
                   " SELECT account, balance FROM talea.balances WHERE book = 'book0';"
                   "INSERT INTO plain.transactions SELECT seq, at, txid, idempotency_key"
                   " FROM talea.transfers WHERE book = 'book0';"
                   "INSERT INTO plain.postings SELECT seq, idx, account, debit, credit, balance"
                   " FROM talea.postings WHERE book = 'book0';"
                   "PRAGMA plain.wal_checkpoint(TRUNCATE);"
                   "ANALYZE plain");
    sqlite3_close(db);
}

static void fill(void) {
    bench_posting p;
    bench_define(BENCH_TALEA, talea_db, 1);
    bench_posting_open(&p, BENCH_TALEA, talea_db, "book0", 1);
    for (unsigned i = 0; i < BATCHES; i++) {
        bench_post_batch(&p, BATCH_DRAFTS);
    }
    bench_posting_close(&p);
    fill_plain();
}

/* ---- Questions ---- */

/* Parameters: ?1 an account, ?2 a seq of the middle half of history, ?3 its time, ?4 the txid and ?5
 * the key of any transaction. */
typedef struct question {
    const char *name;
    const char *talea;
    const char *plain;
} question;

static const question questions[] = {
    {"balance of an account",
     "SELECT balance FROM talea.balances WHERE book = 'book0' AND account = ?1",
     "SELECT balance FROM accounts WHERE account = ?1"},
    {"its balance as of a seq",
     "SELECT balance FROM talea.balances WHERE book = 'book0' AND account = ?1 AND as_of_seq = ?2",
     "SELECT balance FROM postings WHERE account = ?1 AND seq <= ?2"
     " ORDER BY seq DESC, idx DESC LIMIT 1"},
    {"its balance as of a time",
     "SELECT balance FROM talea.balances WHERE book = 'book0' AND account = ?1 AND as_of = ?3",
     "SELECT balance FROM postings WHERE account = ?1 AND seq <="
     " (SELECT seq FROM transactions WHERE at <= ?3 ORDER BY at DESC, seq DESC LIMIT 1)"
     " ORDER BY seq DESC, idx DESC LIMIT 1"},
    {"its last 20 postings",
     "SELECT seq, debit, credit, balance FROM talea.postings WHERE book = 'book0' AND account = ?1"
     " ORDER BY seq DESC LIMIT 20",
     "SELECT seq, debit, credit, balance FROM postings WHERE account = ?1"
     " ORDER BY seq DESC, idx DESC LIMIT 20"},
    {"the same with time and key",
     "SELECT seq, at, idempotency_key, debit, credit, balance FROM talea.postings"
     " WHERE book = 'book0' AND account = ?1 ORDER BY seq DESC LIMIT 20",
     "SELECT p.seq, t.at, t.idempotency_key, p.debit, p.credit, p.balance"
     " FROM postings p JOIN transactions t ON t.seq = p.seq WHERE p.account = ?1"
     " ORDER BY p.seq DESC, p.idx DESC LIMIT 20"},
    {"a transaction by seq",
     "SELECT at, txid, idempotency_key FROM talea.events WHERE book = 'book0' AND seq = ?2",
     "SELECT at, txid, idempotency_key FROM transactions WHERE seq = ?2"},
    {"a transaction by txid",
     "SELECT seq, at, idempotency_key FROM talea.events WHERE book = 'book0' AND txid = ?4",
     "SELECT seq, at, idempotency_key FROM transactions WHERE txid = ?4"},
    {"a transaction by idempotency_key",
     "SELECT seq, at, txid FROM talea.events WHERE book = 'book0' AND idempotency_key = ?5",
     "SELECT seq, at, txid FROM transactions WHERE idempotency_key = ?5"},
};
enum { QUESTIONS = sizeof questions / sizeof *questions };

typedef struct sample {
    int64_t seq;
    char at[40];
    char txid[40];
    char key[40];
} sample;

static sample samples[SAMPLES];

static void take_samples(sqlite3 *db) {
    uint64_t random = 7;
    sqlite3_stmt *stmt =
        bench_prepare(db, "SELECT seq, at, txid, idempotency_key FROM transactions WHERE seq = ?1");
    for (unsigned i = 0; i < SAMPLES; i++) {
        int64_t seq = BENCH_ACCOUNTS + 1 +
                      (int64_t)(bench_random(&random) % ((uint64_t)BATCHES * BATCH_DRAFTS));
        sqlite3_bind_int64(stmt, 1, seq);
        if (sqlite3_step(stmt) != SQLITE_ROW) {
            bench_die("seq %lld: %s", (long long)seq, sqlite3_errmsg(db));
        }
        samples[i].seq = seq;
        (void)snprintf(samples[i].at, sizeof samples[i].at, "%s", sqlite3_column_text(stmt, 1));
        (void)snprintf(samples[i].txid, sizeof samples[i].txid, "%s", sqlite3_column_text(stmt, 2));
        (void)snprintf(samples[i].key, sizeof samples[i].key, "%s", sqlite3_column_text(stmt, 3));
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Everything that the row says, boiled down. */
static uint64_t digest(sqlite3_stmt *stmt, int columns, uint64_t sum) {
    for (int i = 0; i < columns; i++) {
        if (sqlite3_column_type(stmt, i) == SQLITE_TEXT) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            int bytes = sqlite3_column_bytes(stmt, i);
            sum = sum * 31 + (uint64_t)bytes + (uint64_t)text[bytes - 1];
        } else {
            sum = sum * 31 + (uint64_t)sqlite3_column_int64(stmt, i);
        }
    }
    return sum;
}

static void bind(sqlite3_stmt *stmt, const char *account, const sample *middle, const sample *any) {
    int wanted = sqlite3_bind_parameter_count(stmt); /* the highest number */
    sqlite3_bind_text(stmt, 1, account, -1, SQLITE_STATIC);
    if (wanted >= 2) {
        sqlite3_bind_int64(stmt, 2, middle->seq);
    }
    if (wanted >= 3) {
        sqlite3_bind_text(stmt, 3, middle->at, -1, SQLITE_STATIC);
    }
    if (wanted >= 4) {
        sqlite3_bind_text(stmt, 4, any->txid, -1, SQLITE_STATIC);
    }
    if (wanted >= 5) {
        sqlite3_bind_text(stmt, 5, any->key, -1, SQLITE_STATIC);
    }
}

typedef struct timing {
    double p50;
    double p99;
    uint64_t digest;
} timing;

static timing ask(sqlite3 *db, const char *sql, uint64_t seed) {
    static double us[QUESTIONS_A_ROUND];
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    int columns = sqlite3_column_count(stmt);
    timing t = {.digest = 0};
    int64_t from = BENCH_ACCOUNTS + (int64_t)BATCHES * BATCH_DRAFTS / 4;
    int64_t to = BENCH_ACCOUNTS + (int64_t)BATCHES * BATCH_DRAFTS / 4 * 3;
    for (unsigned i = 0; i < QUESTIONS_A_ROUND; i++) {
        char account[8];
        const sample *any = &samples[bench_random(&seed) % SAMPLES];
        const sample *middle = any;
        while (middle->seq < from || middle->seq > to) {
            middle = &samples[bench_random(&seed) % SAMPLES];
        }
        (void)snprintf(account, sizeof account, "a%u",
                       (unsigned)(bench_random(&seed) % BENCH_ACCOUNTS));
        double began = now_us();
        bind(stmt, account, middle, any);
        int rc = SQLITE_ROW;
        int rows = 0;
        for (; (rc = sqlite3_step(stmt)) == SQLITE_ROW; rows++) {
            t.digest = digest(stmt, columns, t.digest);
        }
        sqlite3_reset(stmt);
        us[i] = now_us() - began;
        if (rc != SQLITE_DONE || rows == 0) {
            bench_die("%s: %d rows: %s", sql, rows, sqlite3_errmsg(db));
        }
    }
    sqlite3_finalize(stmt);
    t.p50 = bench_median(us, QUESTIONS_A_ROUND); /* sorts */
    t.p99 = us[QUESTIONS_A_ROUND / 100 * 99];
    return t;
}

static void ask_in_turns(sqlite3 *talea, sqlite3 *plain, const question *q) {
    double p50[2][ROUNDS];
    double p99[2][ROUNDS];
    double ratios[ROUNDS];
    for (unsigned r = 0; r < ROUNDS; r++) {
        timing t[2];
        for (unsigned k = 0; k < 2; k++) { /* who is first changes from round to round */
            unsigned who = (k + r) % 2;
            t[who] = ask(who == 0 ? talea : plain, who == 0 ? q->talea : q->plain, r);
            p50[who][r] = t[who].p50;
            p99[who][r] = t[who].p99;
        }
        if (t[0].digest != t[1].digest) {
            bench_die("%s: different answers", q->name);
        }
        ratios[r] = t[0].p50 / t[1].p50;
    }
    (void)printf("| %-32s | %6.2f | %6.2f | %6.2f | %6.2f | %5.2f |\n", q->name,
                 bench_median(p50[0], ROUNDS), bench_median(p99[0], ROUNDS),
                 bench_median(p50[1], ROUNDS), bench_median(p99[1], ROUNDS),
                 bench_median(ratios, ROUNDS));
}

static void ask_all(void) {
    sqlite3 *talea = bench_open_talea(talea_db);
    sqlite3 *plain = open_plain();
    take_samples(plain);
    (void)printf("microseconds a question; ratio of medians, talea : SQLite, below 1 is faster\n\n"
                 "| %-32s |  talea |    p99 | SQLite |    p99 | ratio |\n"
                 "|%.34s|-------:|-------:|-------:|-------:|------:|\n",
                 "question", "---------------------------------------------------");
    for (unsigned i = 0; i < QUESTIONS; i++) {
        ask_in_turns(talea, plain, &questions[i]);
    }
    (void)printf("\n");
    sqlite3_close(talea);
    sqlite3_close(plain);
}

/* ---- Scans ---- */

/* Every row stepped to, every column fetched. */
static double scan_once(sqlite3 *db, const char *sql, unsigned long *out_rows) {
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    int columns = sqlite3_column_count(stmt);
    size_t bytes = 0;
    unsigned long rows = 0;
    int64_t from = bench_now_us();
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            if (sqlite3_column_type(stmt, i) == SQLITE_INTEGER) {
                bytes += (size_t)sqlite3_column_int64(stmt, i) & 1;
            } else {
                bytes += sqlite3_column_text(stmt, i) ? (size_t)sqlite3_column_bytes(stmt, i) : 0;
            }
        }
        rows++;
    }
    double rate = (double)rows * 1e6 / (double)(bench_now_us() - from);
    sqlite3_finalize(stmt);
    *out_rows = rows;
    return bytes == 0 ? rate + 1e-9 : rate; /* the bytes are used */
}

static void scan(sqlite3 *talea, sqlite3 *plain, const char *name, const char *columns,
                 const char *table, const char *plain_table) {
    double rates[2][ROUNDS];
    double ratios[ROUNDS];
    unsigned long rows[2] = {0};
    char *sqls[2] = {
        sqlite3_mprintf("SELECT %s FROM talea.%s WHERE book = 'book0'", columns, table),
        sqlite3_mprintf("SELECT %s FROM %s", columns, plain_table)};
    for (unsigned r = 0; r < ROUNDS; r++) {
        for (unsigned k = 0; k < 2; k++) {
            unsigned who = (k + r) % 2;
            rates[who][r] = scan_once(who == 0 ? talea : plain, sqls[who], &rows[who]);
        }
        ratios[r] = rates[0][r] / rates[1][r];
    }
    (void)printf(
        "scan of %s (%s): %lu rows, %.0f rows/s; SQLite %.0f rows/s, ratio of rates %.2f\n", name,
        columns, rows[0], bench_median(rates[0], ROUNDS), bench_median(rates[1], ROUNDS),
        bench_median(ratios, ROUNDS));
    sqlite3_free(sqls[0]);
    sqlite3_free(sqls[1]);
}

static void scan_all(void) {
    sqlite3 *talea = bench_open_talea(talea_db);
    sqlite3 *plain = open_plain();
    scan(talea, plain, "events", "seq, at, txid", "events", "transactions");
    scan(talea, plain, "postings", "seq, account, debit, credit", "postings", "postings");
    scan(talea, plain, "balances", "account, balance", "balances", "accounts");
    sqlite3_close(talea);
    sqlite3_close(plain);
}

/* ---- Replay ---- */

static void replay(void) {
    double rates[ROUNDS];
    int64_t events = 0;
    double ms[ROUNDS];
    for (unsigned r = 0; r < ROUNDS; r++) {
        sqlite3 *db = bench_open_talea(talea_db); /* the only connection: the ledger is opened anew
                                                   */
        int64_t from = bench_now_us();
        events = bench_int(db, "SELECT last_seq FROM talea.books WHERE book = 'book0'");
        int64_t us = bench_now_us() - from;
        rates[r] = (double)events * 1e6 / (double)us;
        ms[r] = (double)us / 1e3;
        sqlite3_close(db);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    (void)printf(
        "opening with %lld events: %.0f ms, %.0f events/s (the files are in the page cache); "
        "at most %ld MiB resident so far\n",
        (long long)events, bench_median(ms, ROUNDS), bench_median(rates, ROUNDS),
        usage.ru_maxrss / 1024);
}

/* ---- Commits beside a scan ---- */

/* The control tells what any busy thread costs on this machine, from what the ledger costs. */
typedef enum company { ALONE, BESIDE_A_SCAN, BESIDE_A_CONTROL, COMPANIES } company;

static _Atomic(bool) stop;

static void *scan_on(void *arg) {
    bool control = *(const company *)arg == BESIDE_A_CONTROL;
    sqlite3 *db = control ? open_plain() : bench_open_talea(talea_db);
    sqlite3_stmt *stmt =
        bench_prepare(db, control ? "SELECT seq, at, txid FROM transactions"
                                  : "SELECT seq, at, txid FROM talea.events WHERE book = 'book0'");
    while (!atomic_load(&stop)) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE) {
            sqlite3_reset(stmt);
        } else if (rc != SQLITE_ROW) {
            bench_die("scanning: %s", sqlite3_errmsg(db));
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return NULL;
}

/* Microseconds: the 99th of a hundred commits. */
static double commit_p99(company with, uint64_t seed, double *out_median) {
    static double us[COMMITS];
    bench_posting p;
    pthread_t scanner;
    atomic_store(&stop, false);
    bench_posting_open(&p, BENCH_TALEA, talea_db, "book0", seed);
    bench_post(&p);
    if (with != ALONE && pthread_create(&scanner, NULL, scan_on, &with) != 0) {
        bench_die("no thread");
    }
    for (unsigned i = 0; i < COMMITS; i++) {
        int64_t from = bench_now_us();
        bench_post(&p);
        us[i] = (double)(bench_now_us() - from);
    }
    atomic_store(&stop, true);
    if (with != ALONE) {
        pthread_join(scanner, NULL);
    }
    bench_posting_close(&p);
    *out_median = bench_median(us, COMMITS); /* sorts */
    return us[COMMITS / 100 * 99];
}

static void commits_beside_scans(void) {
    static const char *const names[COMPANIES] = {"alone", "beside a scan of events without pause",
                                                 "beside the same scan of plain SQLite tables"};
    double p50[COMPANIES][TURNS];
    double p99[COMPANIES][TURNS];
    double alone = 0;
    sqlite3 *held = bench_open_talea(talea_db); /* so that the ledger stays open between the runs */
    (void)bench_int(held, "SELECT count(*) FROM talea.books");
    for (unsigned r = 0; r < TURNS; r++) {
        for (unsigned k = 0; k < COMPANIES; k++) {
            company with = (company)((k + r) % COMPANIES);
            p99[with][r] = commit_p99(with, 1000 + r * COMPANIES + k, &p50[with][r]);
        }
    }
    sqlite3_close(held);
    (void)printf(
        "commits of one connection, microseconds, medians of %d interleaved rounds of %d:\n\n"
        "| %-43s |   p50 |   p99 | least p99 | p99 : alone |\n"
        "|%.45s|------:|------:|----------:|------------:|\n",
        TURNS, COMMITS, "", "-----------------------------------------------------------");
    for (unsigned with = 0; with < COMPANIES; with++) {
        double median = bench_median(p99[with], TURNS);
        alone = with == ALONE ? median : alone;
        (void)printf("| %-43s | %5.0f | %5.0f | %9.0f | %11.2f |\n", names[with],
                     bench_median(p50[with], TURNS), median, p99[with][0], median / alone);
    }
    (void)printf("\n");
}

int main(void) {
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    fill();
    ask_all();
    scan_all();
    replay();
    commits_beside_scans();
    bench_verify(talea_db);
    (void)printf("verify: no problem\n");
    bench_remove_dir();
    return 0;
}
