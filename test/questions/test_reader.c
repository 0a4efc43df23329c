/*
 * One connection in a process of its own (mode=ro) stays open and asks all the time, while the
 * process that writes is killed at random moments and started again.
 *
 * The oracle: what the writer told through a pipe after each COMMIT, the drafts of crash/units.h,
 * and a replay of the events that the reader itself has been shown. Every statement
 *   - shows what had been acknowledged before it began, and at most one unit a thread more than
 *     had been by its end (that one was submitted, perhaps durable, and not yet told);
 *   - shows whole units, in the order and with the content that was posted, without a gap;
 *   - never less than an earlier one did;
 *   - balances, and agrees with the replay;
 *   - answers within STUCK_MS.
 *
 * One exception, as docs/CONCURRENCY.md has it: a statement that has waited PROOF_MS for a stalled
 * device goes on without the last commits. Such a one is counted, and asked again until it shows
 * them.
 *
 * TALEA_SEED repeats the decisions of a run (not the scheduling). Beside TALEA_SOAK, 20 times as
 * many kills.
 */
/* ctest: soak */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "crash/units.h"
#include "model/harness.h"

extern char **environ;

#if defined(__SANITIZE_ADDRESS__)
enum { KILLS = 40 };
#else
enum { KILLS = 100 };
#endif
enum {
    LEDGERS_OF_A_SOAK = 20,
    STUCK_MS = 8000, /* generous: other tests use the same disk */
    PROOF_MS = 200,
    WAIT_MS = 20000,
    LEDGER = 4711
};

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void pause_us(unsigned us) {
    struct timespec pause = {.tv_nsec = (long)us * 1000};
    nanosleep(&pause, NULL);
}

/* ---- What was told ---- */

/* Guarded by `lock`: the reader and the keeper of the writer both empty the pipe. */
static struct {
    pthread_mutex_t lock;
    int fd;
    char data[8192];
    size_t len;
    unsigned units[POSTERS];
    uint64_t *seqs[POSTERS];
    uint64_t last_seq[POSTER_BOOKS];
    unsigned life; /* the latest whose book was told */
    uint64_t life_seq;
    unsigned opened; /* lives that could begin to post */
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void take_unit(char *at) {
    unsigned thread = (unsigned)strtoul(at, &at, 10);
    unsigned number = (unsigned)strtoul(at, &at, 10);
    uint64_t seq = strtoull(at, &at, 10);
    if (thread >= POSTERS || number != told.units[thread]) {
        give_up("thread %u was told unit %u, not %u", thread, number, told.units[thread]);
    }
    if ((number & (number - 1)) == 0) {
        told.seqs[thread] =
            realloc(told.seqs[thread], (number ? 2 * number : 1) * sizeof *told.seqs[thread]);
    }
    told.seqs[thread][number] = seq;
    told.units[thread]++;
    uint64_t *last = &told.last_seq[unit_book(thread)];
    *last = seq > *last ? seq : *last;
}

static void take_line(char *line) {
    if (line[0] == 'u') {
        take_unit(line + 1);
    } else if (line[0] == 'o') {
        told.opened++;
    } else {
        char *at = line + 1;
        told.life = (unsigned)strtoul(at, &at, 10);
        told.life_seq = strtoull(at, &at, 10);
    }
}

static void listen_locked(void) {
    struct pollfd p = {.fd = told.fd, .events = POLLIN};
    while (poll(&p, 1, 0) == 1) {
        ssize_t got = read(told.fd, told.data + told.len, sizeof told.data - told.len);
        if (got <= 0) {
            give_up("the pipe broke");
        }
        told.len += (size_t)got;
        char *newline = NULL;
        char *from = told.data;
        while ((newline = memchr(from, '\n', told.len))) {
            *newline = '\0';
            take_line(from);
            told.len -= (size_t)(newline + 1 - from);
            from = newline + 1;
        }
        memmove(told.data, from, told.len);
    }
}

typedef struct news {
    unsigned units[POSTERS];
    uint64_t last_seq[POSTER_BOOKS];
    unsigned life;
    uint64_t life_seq;
    unsigned opened;
} news;

static news listen_now(void) {
    news n;
    pthread_mutex_lock(&told.lock);
    listen_locked();
    memcpy(n.units, told.units, sizeof n.units);
    memcpy(n.last_seq, told.last_seq, sizeof n.last_seq);
    n.life = told.life;
    n.life_seq = told.life_seq;
    n.opened = told.opened;
    pthread_mutex_unlock(&told.lock);
    return n;
}

/* ---- The writer's lives ---- */

typedef struct keeper {
    pthread_t thread;
    char dir[256];
    uint64_t seed;
    unsigned kills;
    int write_fd;
    unsigned while_opening;
    _Atomic(bool) done;
    _Atomic(unsigned) lives;
} keeper;

static pid_t start_writer(const keeper *k, unsigned life, const char *next) {
    char uri[400];
    char numbers[2][32];
    char program[] = "tool_writer";
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    (void)snprintf(uri, sizeof uri, "file:%s%s", k->dir, life % 4 < 3 ? "?segment_max=65536" : "");
    (void)snprintf(numbers[0], sizeof numbers[0], "%u", LEDGER);
    (void)snprintf(numbers[1], sizeof numbers[1], "%u", life);
    char *argv[] = {program, uri, numbers[0], numbers[1], (char *)(uintptr_t)next, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, k->write_fd, STDOUT_FILENO);
    if (posix_spawn(&pid, TALEA_BIN_DIR "/questions/tool_writer", &actions, NULL, argv, environ) !=
        0) {
        give_up("cannot start the writer");
    }
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void *keep_killing(void *arg) {
    keeper *k = arg;
    for (unsigned life = 0; life < k->kills; life++) {
        char next[POSTERS * 12];
        size_t n = 0;
        int status = 0;
        news heard = listen_now(); /* the one before is dead: this is all it told */
        for (unsigned i = 0; i < POSTERS; i++) {
            n += (size_t)snprintf(next + n, sizeof next - n, "%u,", heard.units[i]);
        }
        pid_t pid = start_writer(k, life, next);
        bool opening = chance(&k->seed, 15);
        for (unsigned ms = 0; !opening && ms < STUCK_MS && listen_now().opened == heard.opened;
             ms++) {
            pause_us(1000);
        }
        pause_us(opening ? below(&k->seed, 15000) : 10000 + below(&k->seed, 100000));
        kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) {
            give_up("the writer ended by itself, in life %u", life);
        }
        k->while_opening += opening;
        atomic_fetch_add(&k->lives, 1);
        if (chance(&k->seed, 30)) { /* nobody is there for a while */
            pause_us(below(&k->seed, 60000));
        }
    }
    atomic_store(&k->done, true);
    return NULL;
}

/* ---- The reader ---- */

typedef struct replay {
    uint64_t seq;
    unsigned units[POSTERS]; /* whole ones */
    uint64_t *ends[POSTERS]; /* seq of the last draft of each */
    unsigned thread;         /* of the unit that goes on */
    unsigned index;          /* 0: none goes on */
    int64_t sums[POSTER_ACCOUNTS][2];
} replay;

typedef struct reader {
    sqlite3 *db;
    sqlite3_stmt *tail;
    sqlite3_stmt *instant;
    sqlite3_stmt *past;
    sqlite3_stmt *by_key;
    sqlite3_stmt *wait;
    sqlite3_stmt *book;
    sqlite3_stmt *backwards;
    replay books[POSTER_BOOKS];
    uint64_t shown[POSTER_BOOKS]; /* the last seq that any statement has shown */
    uint64_t seed;
    unsigned life; /* the latest whose book has been seen */
    unsigned long statements;
    unsigned long checks;
    unsigned long waits;
    unsigned long stalls;
    unsigned long across; /* cursors that were open while the writer died */
    int64_t slowest_us;
    int64_t slowest_wait_us;
} reader;

static void must_be(bool truth, reader *r, const char *format, ...) {
    r->checks++;
    if (!truth) {
        char words[400];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(words, sizeof words, format, args);
        va_end(args);
        fail_msg("statement %lu: %s", r->statements, words);
    }
}

static void answered(reader *r, int64_t from_us, const char *what) {
    int64_t took = now_us() - from_us;
    r->statements++;
    r->slowest_us = took > r->slowest_us ? took : r->slowest_us;
    must_be(took < (int64_t)STUCK_MS * 1000, r, "%s took %lld ms", what, (long long)took / 1000);
}

static void finish(reader *r, sqlite3_stmt *stmt, int rc) {
    if (rc != SQLITE_DONE || sqlite3_reset(stmt) != SQLITE_OK) {
        fail_msg("%s: %s", sqlite3_sql(stmt), sqlite3_errmsg(r->db));
    }
}

/* Was `least` shown? If not, only because the device stalled, and it will be. */
static bool shows(reader *r, unsigned b, uint64_t seq, uint64_t least, int64_t from_us) {
    int64_t took = now_us() - from_us;
    must_be(seq >= r->shown[b], r, "%s: seq %llu after %llu", poster_books[b],
            (unsigned long long)seq, (unsigned long long)r->shown[b]);
    r->shown[b] = seq;
    must_be(seq >= least || took >= PROOF_MS * 1000, r,
            "%s: shown to seq %llu after %lld us, acknowledged to %llu before", poster_books[b],
            (unsigned long long)seq, (long long)took, (unsigned long long)least);
    r->stalls += seq < least;
    return seq >= least;
}

/* ---- Following the events, with a replay ---- */

static void take_draft(reader *r, unsigned b, sqlite3_stmt *row) {
    replay *book = &r->books[b];
    unit_draft want;
    char names[2][16];
    const char *key = (const char *)sqlite3_column_text(row, 2);
    if (book->index == 0) {
        book->thread = (unsigned)strtoul(key + 2, NULL, 10);
        must_be(book->thread < POSTERS && unit_book(book->thread) == b, r, "key %s", key);
    }
    unsigned number = book->units[book->thread];
    unit_fill(LEDGER, book->thread, number, book->index, &want);
    (void)snprintf(names[0], sizeof names[0], "a%u", want.debit);
    (void)snprintf(names[1], sizeof names[1], "a%u", want.credit);
    must_be(strcmp(key, want.key) == 0, r, "key %s where %s belongs", key, want.key);
    must_be(strcmp((const char *)sqlite3_column_text(row, 3), names[0]) == 0 &&
                strcmp((const char *)sqlite3_column_text(row, 4), names[1]) == 0 &&
                sqlite3_column_int64(row, 5) == want.amount,
            r, "%s: other postings than were posted", key);
    book->sums[want.debit][0] += want.amount;
    book->sums[want.credit][1] += want.amount;
    if (++book->index == unit_size(LEDGER, book->thread, number)) {
        uint64_t **ends = &book->ends[book->thread];
        if ((number & (number - 1)) == 0) {
            *ends = realloc(*ends, (number ? 2 * number : 1) * sizeof **ends);
            assert_non_null(*ends);
        }
        (*ends)[number] = book->seq;
        book->units[book->thread]++;
        book->index = 0;
    }
}

static void ask_tail(reader *r, unsigned b) {
    replay *book = &r->books[b];
    int rc = SQLITE_ROW;
    news before = listen_now();
    int64_t from = now_us();
    sqlite3_bind_text(r->tail, 1, poster_books[b], -1, SQLITE_STATIC);
    sqlite3_bind_int64(r->tail, 2, (sqlite3_int64)book->seq);
    while ((rc = sqlite3_step(r->tail)) == SQLITE_ROW) {
        uint64_t seq = (uint64_t)sqlite3_column_int64(r->tail, 0);
        must_be(seq == book->seq + 1, r, "seq %llu follows %llu", (unsigned long long)seq,
                (unsigned long long)book->seq);
        book->seq = seq;
        if (strcmp((const char *)sqlite3_column_text(r->tail, 1), "transaction_posted") == 0) {
            take_draft(r, b, r->tail);
        }
    }
    finish(r, r->tail, rc);
    answered(r, from, "the tail");
    must_be(book->index == 0, r, "half a unit of thread %u", book->thread);
    bool all = shows(r, b, book->seq, before.last_seq[b], from);
    news after = listen_now();
    for (unsigned t = b; t < POSTERS; t += POSTER_BOOKS) {
        must_be(!all || book->units[t] >= before.units[t], r,
                "thread %u: %u units shown, %u were acknowledged before", t, book->units[t],
                before.units[t]);
        must_be(book->units[t] <= after.units[t] + 1, r,
                "thread %u: %u units shown, %u acknowledged since: more than was submitted", t,
                book->units[t], after.units[t]);
    }
}

static void ask_past(reader *r, unsigned b) {
    const replay *book = &r->books[b];
    int rc = SQLITE_ROW;
    unsigned rows = 0;
    int64_t from = now_us();
    sqlite3_bind_text(r->past, 1, poster_books[b], -1, SQLITE_STATIC);
    sqlite3_bind_int64(r->past, 2, (sqlite3_int64)book->seq);
    while ((rc = sqlite3_step(r->past)) == SQLITE_ROW) {
        unsigned account = (unsigned)(sqlite3_column_text(r->past, 0)[1] - '0');
        must_be(sqlite3_column_int64(r->past, 1) == book->sums[account][0] &&
                    sqlite3_column_int64(r->past, 2) == book->sums[account][1],
                r, "a%u at seq %llu differs from the replay", account,
                (unsigned long long)book->seq);
        rows++;
    }
    finish(r, r->past, rc);
    answered(r, from, "balances");
    must_be(book->seq < POSTER_ACCOUNTS || rows == POSTER_ACCOUNTS, r, "%u accounts", rows);
}

/* ---- The other questions ---- */

static void ask_instant(reader *r, unsigned b) {
    news before = listen_now();
    int64_t from = now_us();
    sqlite3_int64 v[8] = {0};
    sqlite3_bind_text(r->instant, 1, poster_books[b], -1, SQLITE_STATIC);
    int rc = sqlite3_step(r->instant);
    if (rc == SQLITE_ROW) {
        for (int i = 0; i < 8; i++) {
            v[i] = sqlite3_column_int64(r->instant, i);
        }
        rc = sqlite3_step(r->instant);
    }
    finish(r, r->instant, rc);
    answered(r, from, "the trial balance");
    must_be(v[1] == v[2] && v[1] == v[3] && v[1] == v[4] && v[1] == v[7], r,
            "%s: debits %lld, credits %lld, balances %lld %lld, postings %lld", poster_books[b],
            v[1], v[2], v[3], v[4], v[7]);
    must_be(v[0] == v[5] && v[0] == v[6], r, "%s: last_seq %lld, events to %lld, %lld of them",
            poster_books[b], v[0], v[5], v[6]);
    (void)shows(r, b, (uint64_t)v[0], before.last_seq[b], from);
}

/* The last unit that was acknowledged, by the key of its last draft. */
static void ask_key(reader *r, unsigned thread) {
    news before = listen_now();
    unit_draft draft;
    if (before.units[thread] == 0) {
        return;
    }
    unsigned number = before.units[thread] - 1;
    unit_fill(LEDGER, thread, number, unit_size(LEDGER, thread, number) - 1, &draft);
    pthread_mutex_lock(&told.lock);
    uint64_t want = told.seqs[thread][number];
    pthread_mutex_unlock(&told.lock);
    int64_t from = now_us();
    sqlite3_bind_text(r->by_key, 1, poster_books[unit_book(thread)], -1, SQLITE_STATIC);
    sqlite3_bind_text(r->by_key, 2, draft.key, -1, SQLITE_STATIC);
    int rc = sqlite3_step(r->by_key);
    uint64_t seq = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(r->by_key, 0) : 0;
    finish(r, r->by_key, rc == SQLITE_ROW ? sqlite3_step(r->by_key) : rc);
    bool stalled = seq == 0 && now_us() - from >= PROOF_MS * 1000;
    answered(r, from, "a lookup by key");
    r->stalls += stalled;
    must_be(seq == want || stalled, r, "%s was acknowledged with seq %llu, and is at %llu",
            draft.key, (unsigned long long)want, (unsigned long long)seq);
}

static void ask_new_book(reader *r) {
    news before = listen_now();
    char name[32];
    if (before.life_seq == 0) {
        return;
    }
    (void)snprintf(name, sizeof name, "life %u", before.life);
    int64_t from = now_us();
    sqlite3_bind_text(r->book, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(r->book);
    uint64_t seq = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(r->book, 0) : 0;
    finish(r, r->book, rc == SQLITE_ROW ? sqlite3_step(r->book) : rc);
    bool stalled = seq < before.life_seq && now_us() - from >= PROOF_MS * 1000;
    answered(r, from, "a new book");
    r->stalls += stalled;
    must_be(stalled || seq >= before.life_seq, r, "book '%s' is at seq %llu, told %llu", name,
            (unsigned long long)seq, (unsigned long long)before.life_seq);
    r->life = before.life;
}

/* A life follows within moments: what is waited for comes. */
static void ask_wait(reader *r, const keeper *k, unsigned b) {
    news before = listen_now();
    uint64_t after = before.last_seq[b] > r->shown[b] ? before.last_seq[b] : r->shown[b];
    int64_t from = now_us();
    sqlite3_bind_text(r->wait, 1, poster_books[b], -1, SQLITE_STATIC);
    sqlite3_bind_int64(r->wait, 2, (sqlite3_int64)after);
    sqlite3_bind_int(r->wait, 3, atomic_load(&k->done) ? 10 : WAIT_MS);
    int rc = sqlite3_step(r->wait);
    uint64_t seq = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(r->wait, 0) : 0;
    finish(r, r->wait, rc == SQLITE_ROW ? sqlite3_step(r->wait) : rc);
    int64_t took = now_us() - from;
    r->statements++;
    must_be(seq > after || atomic_load(&k->done), r,
            "talea_wait past %llu: %llu after %lld ms; %llu are acknowledged by now",
            (unsigned long long)after, (unsigned long long)seq, (long long)took / 1000,
            (unsigned long long)listen_now().last_seq[b]);
    must_be(seq >= r->shown[b] || atomic_load(&k->done), r, "talea_wait went back");
    if (seq > after) {
        r->waits++;
        r->slowest_wait_us = took > r->slowest_wait_us ? took : r->slowest_wait_us;
        r->shown[b] = seq > r->shown[b] ? seq : r->shown[b];
    }
}

/* A cursor stays where it began, whatever becomes of the writer. */
static void ask_slowly(reader *r, const keeper *k, unsigned b) {
    unsigned lives = atomic_load(&k->lives);
    uint64_t want = 0;
    int rc = SQLITE_ROW;
    news before = listen_now();
    int64_t from = now_us();
    sqlite3_bind_text(r->backwards, 1, poster_books[b], -1, SQLITE_STATIC);
    for (unsigned rows = 0; (rc = sqlite3_step(r->backwards)) == SQLITE_ROW; rows++) {
        uint64_t seq = (uint64_t)sqlite3_column_int64(r->backwards, 0);
        uint64_t last = (uint64_t)sqlite3_column_int64(r->backwards, 1);
        if (rows == 0) {
            (void)shows(r, b, seq, before.last_seq[b], from);
            must_be(last == seq, r, "books: %llu, events: %llu", (unsigned long long)last,
                    (unsigned long long)seq);
            want = seq;
        }
        must_be(seq == want, r, "backwards: seq %llu where %llu belongs", (unsigned long long)seq,
                (unsigned long long)want);
        want--;
        if (rows % 256 == 0) {
            pause_us(below(&r->seed, 20000));
        }
    }
    finish(r, r->backwards, rc);
    r->statements++;
    r->across += atomic_load(&k->lives) != lives;
}

static void ask(reader *r, const keeper *k) {
    unsigned b = below(&r->seed, POSTER_BOOKS);
    switch (below(&r->seed, 16)) {
    case 0:
    case 1:
    case 2:
    case 3: ask_tail(r, b); break;
    case 4:
    case 5:
    case 6: ask_instant(r, b); break;
    case 7:
    case 8: ask_past(r, b); break;
    case 9:
    case 10: ask_key(r, below(&r->seed, POSTERS)); break;
    case 11:
    case 12: ask_new_book(r); break;
    case 13:
    case 14: ask_wait(r, k, b); break;
    default:
        if (chance(&r->seed, 25)) {
            ask_slowly(r, k, b);
        }
        break;
    }
}

static void open_reader(reader *r, const char *dir) {
    char sql[400];
    r->db = connect_to(":memory:");
    (void)snprintf(sql, sizeof sql, "SELECT talea_open('file:%s?mode=ro')", dir);
    must(r->db, sql);
    r->tail = prepare(r->db, "SELECT e.seq, e.kind, e.idempotency_key, t.debit, t.credit, t.amount"
                             " FROM talea.events e LEFT JOIN talea.transfers t"
                             "  ON t.book = e.book AND t.seq = e.seq"
                             " WHERE e.book = ?1 AND e.seq > ?2 ORDER BY e.seq");
    r->instant = prepare(
        r->db,
        "SELECT b.last_seq, t.debits, t.credits,"
        " (SELECT sum(debits) FROM talea.balances WHERE book = b.book),"
        " (SELECT sum(credits) FROM talea.balances WHERE book = b.book),"
        " (SELECT max(seq) FROM talea.events WHERE book = b.book),"
        " (SELECT count(*) FROM talea.events WHERE book = b.book),"
        " (SELECT sum(debit) FROM talea.postings WHERE book = b.book)"
        " FROM talea.books b LEFT JOIN talea.trial_balance t ON t.book = b.book WHERE b.book = ?1");
    r->past = prepare(r->db, "SELECT account, debits, credits FROM talea.balances"
                             " WHERE book = ?1 AND as_of_seq = ?2");
    r->by_key = prepare(r->db, "SELECT seq FROM talea.events"
                               " WHERE book = ?1 AND idempotency_key = ?2");
    r->wait = prepare(r->db, "SELECT talea_wait(?1, ?2, ?3)");
    r->book = prepare(r->db, "SELECT last_seq FROM talea.books WHERE book = ?1");
    r->backwards = prepare(r->db, "SELECT e.seq, b.last_seq FROM talea.books b"
                                  " CROSS JOIN talea.events e ON e.book = b.book"
                                  " WHERE b.book = ?1 ORDER BY e.seq DESC LIMIT 3000");
}

static void close_reader(reader *r) {
    sqlite3_stmt *stmts[] = {r->tail, r->instant, r->past,     r->by_key,
                             r->wait, r->book,    r->backwards};
    for (size_t i = 0; i < sizeof stmts / sizeof *stmts; i++) {
        sqlite3_finalize(stmts[i]);
    }
    assert_int_equal(sqlite3_close(r->db), SQLITE_OK);
    for (unsigned t = 0; t < POSTERS; t++) {
        free(r->books[unit_book(t)].ends[t]);
    }
}

/* Nothing that was told is missing, and each is at the seq that was told. */
static void check_all_told(reader *r) {
    for (unsigned b = 0; b < POSTER_BOOKS; b++) {
        ask_tail(r, b);
        ask_past(r, b);
    }
    for (unsigned t = 0; t < POSTERS; t++) {
        const replay *book = &r->books[unit_book(t)];
        for (unsigned n = 0; n < told.units[t]; n++) {
            must_be(book->ends[t][n] == told.seqs[t][n], r,
                    "thread %u, unit %u: another seq than was told", t, n);
        }
    }
}

/* The reader is still there, idle in the middle of a statement even: another process opens, writes,
 * and ends. */
static void check_no_lock_left(reader *r, const keeper *k) {
    int status = 0;
    sqlite3_bind_text(r->backwards, 1, poster_books[0], -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(r->backwards), SQLITE_ROW);
    int64_t from = now_us();
    pid_t pid = start_writer(k, k->kills, "once");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    must_be(WIFEXITED(status) && WEXITSTATUS(status) == 0, r, "the fresh writer: %d", status);
    must_be(now_us() - from < (int64_t)STUCK_MS * 1000, r, "the fresh writer was slow");
    sqlite3_reset(r->backwards);
    ask_new_book(r);
    must_be(r->life == k->kills, r, "its book was not seen");
    char code[32];
    run_sql(r->db,
            "INSERT INTO talea.transfers(book, idempotency_key, debit, credit, amount)"
            " VALUES('main', 'r', 'a0', 'a1', 1)",
            code);
    must_be(strcmp(code, "read_only") == 0, r, "a write through mode=ro: '%s'", code);
    must_be(compare_verify(r->db) == NULL, r, "verify");
}

typedef struct tally {
    unsigned kills;
    unsigned while_opening;
    unsigned new_books;
    unsigned long long events;
} tally;

static void add_up(reader *sum, const reader *r) {
    sum->statements += r->statements;
    sum->checks += r->checks;
    sum->waits += r->waits;
    sum->stalls += r->stalls;
    sum->across += r->across;
    sum->slowest_us = r->slowest_us > sum->slowest_us ? r->slowest_us : sum->slowest_us;
    sum->slowest_wait_us =
        r->slowest_wait_us > sum->slowest_wait_us ? r->slowest_wait_us : sum->slowest_wait_us;
}

/* The pipe is the same for all ledgers; what was told is not. */
static void forget_what_was_told(void) {
    for (unsigned t = 0; t < POSTERS; t++) {
        free(told.seqs[t]);
        told.seqs[t] = NULL;
        told.units[t] = 0;
    }
    memset(told.last_seq, 0, sizeof told.last_seq);
    told.life = 0;
    told.life_seq = 0;
    told.opened = 0;
}

static void one_ledger(uint64_t seed, int write_fd, tally *t, reader *sum) {
    keeper k = {.seed = seed, .kills = KILLS, .write_fd = write_fd};
    reader r = {.seed = seed + 1};
    make_dir(k.dir, sizeof k.dir, "reader");
    open_reader(&r, k.dir);
    assert_int_equal(pthread_create(&k.thread, NULL, keep_killing, &k), 0);
    while (!atomic_load(&k.done)) {
        ask(&r, &k);
    }
    pthread_join(k.thread, NULL);
    for (int i = 0; i < 50; i++) { /* the last one died; nobody writes */
        ask(&r, &k);
    }
    check_all_told(&r);
    check_no_lock_left(&r, &k);
    t->kills += k.kills;
    t->while_opening += k.while_opening;
    t->new_books += r.life + 1;
    t->events += r.books[0].seq + r.books[1].seq;
    add_up(sum, &r);
    close_reader(&r);
    forget_what_was_told();
    remove_tree(k.dir);
}

static void beside_a_writer_that_dies(void **state) {
    uint64_t seed = seed_of_run();
    tally t = {.kills = 0};
    reader sum = {.checks = 0};
    int ends[2];
    print_message("TALEA_SEED=%llu\n", (unsigned long long)seed);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    told.fd = ends[0];
    for (uint64_t i = 0; i < (getenv("TALEA_SOAK") ? LEDGERS_OF_A_SOAK : 1); i++) {
        one_ledger(seed + 1000 * i, ends[1], &t, &sum);
    }
    print_message("kills %u (%u while opening), new books %u, events %llu; statements %lu, checks "
                  "%lu, disagreements 0; slowest %.1f ms; talea_wait woken %lu times, slowest %.1f "
                  "ms; cursors open across a death %lu; asked again after a stall %lu\n",
                  t.kills, t.while_opening, t.new_books, t.events, sum.statements, sum.checks,
                  (double)sum.slowest_us / 1e3, sum.waits, (double)sum.slowest_wait_us / 1e3,
                  sum.across, sum.stalls);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    unsetenv("TALEA_DIR");
    const struct CMUnitTest tests[] = {cmocka_unit_test(beside_a_writer_that_dies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
