/*
 * kill -9 at a random moment, again and again: what a COMMIT acknowledged is in the ledger that
 * opens afterwards, at the seq that was told; units are whole; balances are those of a replay of
 * the events, which is written out here; verify agrees.
 *
 * The page cache outlives the process: this tests the order of acknowledging, writing, and recovery, not the device
 * (test/log does, on a simulated one).
 */
/* ctest: soak */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash/units.h"
#include "talea.h"

#if defined(__SANITIZE_ADDRESS__)
enum { KILLS = 60 };
#else
enum { KILLS = 220 };
#endif
enum { KILLS_A_LEDGER = 25, KILLS_OF_A_SOAK = 5000 };

/* ---- What was acknowledged ---- */

typedef struct ledger_run {
    char dir[256];
    uint64_t number;
    bool small_segments;
    unsigned acknowledged[POSTERS]; /* units 0 .. n - 1 of each thread */
    uint64_t *seqs[POSTERS];        /* of the last draft of each */
} ledger_run;

typedef struct totals {
    unsigned kills;
    unsigned while_opening;
    unsigned checks;
    unsigned long units;
    unsigned long events;
} totals;

static uint64_t seed;

static unsigned below(unsigned bound) {
    uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (unsigned)((z ^ (z >> 31)) % bound);
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void acknowledge(ledger_run *run, const char *line) {
    unsigned thread = 0;
    unsigned number = 0;
    unsigned long long seq = 0;
    char *at = NULL;
    thread = (unsigned)strtoul(line, &at, 10);
    number = (unsigned)strtoul(at, &at, 10);
    seq = strtoull(at, &at, 10);
    assert_true(thread < POSTERS);
    assert_int_equal(number, run->acknowledged[thread]);
    if ((number & (number - 1)) == 0) {
        run->seqs[thread] =
            realloc(run->seqs[thread], (number ? 2 * number : 1) * sizeof *run->seqs[thread]);
        assert_non_null(run->seqs[thread]);
    }
    run->seqs[thread][number] = seq;
    run->acknowledged[thread]++;
}

/* ---- One life ---- */

static pid_t start_poster(const ledger_run *run, int *out_fd) {
    int ends[2];
    char uri[400];
    char number[32];
    char next[POSTERS * 12];
    size_t n = 0;
    (void)snprintf(uri, sizeof uri, "file:%s%s", run->dir,
                   run->small_segments ? "?segment_max=65536" : "");
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)run->number);
    for (unsigned i = 0; i < POSTERS; i++) {
        n += (size_t)snprintf(next + n, sizeof next - n, "%u,", run->acknowledged[i]);
    }
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(TALEA_BIN_DIR "/crash/tool_poster", "tool_poster", uri, number, next, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *out_fd = ends[0];
    return pid;
}

typedef struct lines {
    char data[8192];
    size_t len;
    bool opening;
    bool ended;
} lines;

static void take_lines(ledger_run *run, lines *in) {
    char *newline = NULL;
    while ((newline = memchr(in->data, '\n', in->len))) {
        *newline = '\0';
        if (strcmp(in->data, "opening") == 0) {
            in->opening = true;
        } else {
            acknowledge(run, in->data);
        }
        size_t used = (size_t)(newline + 1 - in->data);
        memmove(in->data, newline + 1, in->len - used);
        in->len -= used;
    }
}

/* Reads until the deadline, the end, or (when asked) the poster's first word. */
static void listen_to(ledger_run *run, int fd, lines *in, int64_t deadline_us, bool until_opening) {
    while (!in->ended && !(until_opening && in->opening)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left_us = deadline_us - now_us();
        if (left_us <= 0) {
            return;
        }
        struct timespec wait = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
        if (ppoll(&p, 1, &wait, NULL) == 1) {
            ssize_t got = read(fd, in->data + in->len, sizeof in->data - in->len);
            if (got > 0) {
                in->len += (size_t)got;
                take_lines(run, in);
            }
            in->ended = got == 0;
        }
    }
}

static void live_and_die(ledger_run *run, totals *t) {
    int fd = -1;
    int status = 0;
    lines in = {.len = 0};
    pid_t pid = start_poster(run, &fd);
    bool while_opening = below(4) == 0;
    if (while_opening) {
        listen_to(run, fd, &in, now_us() + 10000000, true);
    }
    listen_to(run, fd, &in, now_us() + (while_opening ? below(4000) : 20000 + below(80000)), false);
    kill(pid, SIGKILL);
    listen_to(run, fd, &in, now_us() + 10000000, false);
    assert_true(in.ended);
    assert_int_equal(in.len, 0);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status)) {
        fail_msg("the poster ended by itself, with status %d", WEXITSTATUS(status));
    }
    t->kills++;
    t->while_opening += while_opening;
}

/* ---- The check, in a process of its own ---- */

enum { AHEAD_MAX = 100000 }; /* units that a living poster may have posted since */

typedef struct finder {
    bool alive;                /* the poster is */
    uint64_t *firsts[POSTERS]; /* seq of the first draft of each unit; 0: not there */
    unsigned counts[POSTERS];  /* units seen */
} finder;

__attribute__((noreturn, format(printf, 1, 2))) static void lost(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    _exit(1);
}

static talea_text text(const char *words) {
    return (talea_text){words, strlen(words)};
}

/* The next draft that must follow, when a unit has begun and not ended. */
typedef struct expectation {
    bool open;
    unsigned thread;
    unsigned number;
    unsigned index;
    unsigned size;
} expectation;

static void check_content(const ledger_run *run, talea_book_view *book, const talea_event *event,
                          const expectation *e) {
    unit_draft want;
    char name[16];
    unit_fill(run->number, e->thread, e->number, e->index, &want);
    if (event->key.len != strlen(want.key) ||
        memcmp(event->key.data, want.key, event->key.len) != 0) {
        lost("seq %llu: key \"%.*s\" where \"%s\" belongs: a unit is not whole",
             (unsigned long long)event->seq, (int)event->key.len, event->key.data, want.key);
    }
    for (unsigned i = 0; i < 2; i++) {
        const talea_posting *leg = &event->postings[i];
        const talea_account_def *def = talea_book_account_def(book, leg->account);
        (void)snprintf(name, sizeof name, "a%u", i == 0 ? want.debit : want.credit);
        if (event->posting_count != 2 || leg->amount != want.amount ||
            leg->side != (i == 0 ? TALEA_SIDE_DEBIT : TALEA_SIDE_CREDIT) ||
            def->account.len != strlen(name) ||
            memcmp(def->account.data, name, def->account.len) != 0) {
            lost("%s: other postings than were posted", want.key);
        }
    }
    if (event->metadata.len != strlen(want.note) ||
        (want.note[0] && memcmp(event->metadata.data, want.note, event->metadata.len) != 0)) {
        lost("%s: another note than was posted", want.key);
    }
}

static void begin_unit(const ledger_run *run, finder *f, const talea_event *event, expectation *e) {
    char key[64];
    char *at = key + 2;
    (void)snprintf(key, sizeof key, "%.*s", (int)event->key.len, event->key.data);
    e->thread = (unsigned)strtoul(at, &at, 10);
    e->number = (unsigned)strtoul(at + 1, &at, 10);
    e->index = 0;
    e->open = true;
    e->size = e->thread < POSTERS ? unit_size(run->number, e->thread, e->number) : 0;
    if (e->size == 0 || e->number != f->counts[e->thread]) {
        lost("key \"%s\": a unit is missing before it, or it is there twice", key);
    }
    if (e->number > run->acknowledged[e->thread] + (f->alive ? AHEAD_MAX : 0)) {
        lost("key \"%s\": nobody has posted that yet", key);
    }
    f->firsts[e->thread][f->counts[e->thread]++] = event->seq;
}

static void check_balances(talea_book_view *book, int64_t sums[POSTER_ACCOUNTS][2]) {
    uint64_t seq = talea_book_last_seq(book);
    for (uint32_t i = 0; i < talea_book_account_count(book); i++) {
        talea_account account;
        unsigned number = 0;
        if (!talea_book_account(book, i, seq, &account)) {
            lost("account %u is not open", i);
        }
        number = (unsigned)(account.def.account.data[1] - '0');
        if (account.debits != sums[number][0] || account.credits != sums[number][1]) {
            lost("the totals of a%u differ from the sum of its postings", number);
        }
    }
}

static void check_book(const ledger_run *run, talea_book_view *book, finder *f) {
    talea_error err;
    talea_events *events = NULL;
    const talea_event *event = NULL;
    int64_t sums[POSTER_ACCOUNTS][2] = {{0}};
    expectation e = {.open = false};
    uint64_t seq = 0;
    if (talea_events_open(book, &events, &err) != TALEA_OK) {
        lost("%s", err.message);
    }
    for (;;) {
        if (talea_events_next(events, &event, &err) != TALEA_OK) {
            lost("%s: %s", talea_code_name(err.code), err.message);
        }
        if (!event) {
            break;
        }
        if (event->seq != ++seq) {
            lost("seq %llu follows %llu", (unsigned long long)event->seq,
                 (unsigned long long)seq - 1);
        }
        if (event->kind != TALEA_EVENT_TRANSACTION_POSTED) {
            continue;
        }
        if (!e.open) {
            begin_unit(run, f, event, &e);
        }
        check_content(run, book, event, &e);
        e.open = ++e.index < e.size;
        for (unsigned i = 0; i < 2; i++) {
            const talea_account_def *def = talea_book_account_def(book, event->postings[i].account);
            sums[def->account.data[1] - '0'][i] += (int64_t)event->postings[i].amount;
        }
    }
    if (e.open) {
        lost("the last unit is not whole");
    }
    if (seq != talea_book_last_seq(book)) {
        lost("%llu events, watermark %llu", (unsigned long long)seq,
             (unsigned long long)talea_book_last_seq(book));
    }
    talea_events_close(events);
    check_balances(book, sums);
}

/* A reader beside a living writer is shown what is proven durable: all but the last group, in which a
 * thread has one unit at most. */
static void check_acknowledged(const ledger_run *run, const finder *f) {
    for (unsigned t = 0; t < POSTERS; t++) {
        if (f->counts[t] + f->alive < run->acknowledged[t]) {
            lost("thread %u: %u units were acknowledged, %u are there", t, run->acknowledged[t],
                 f->counts[t]);
        }
        for (unsigned n = 0; n < run->acknowledged[t] && n < f->counts[t]; n++) {
            if (run->seqs[t][n] != f->firsts[t][n] + unit_size(run->number, t, n) - 1) {
                lost("thread %u, unit %u: another seq than was told", t, n);
            }
        }
    }
}

static bool on_finding(void *context, const talea_finding *finding) {
    (void)context;
    if (finding->problem) {
        lost("verify: %s: %s", finding->problem, finding->detail);
    }
    return true;
}

typedef enum manner { CLOSE_IT, LEAVE_IT, READ_ONLY } manner;

/* READ_ONLY: beside a living poster. Otherwise, not closed, the next poster finds it as after one
 * more crash. */
static void check(const ledger_run *run, manner how, int report) {
    talea_options options;
    talea_ledger *handle = NULL;
    talea_view *view = NULL;
    talea_error err;
    finder f = {.alive = how == READ_ONLY};
    unsigned long events = 0;
    talea_options_default(&options);
    options.mode = how == READ_ONLY ? TALEA_MODE_RO : TALEA_MODE_RWC;
    options.segment_bytes_max = run->small_segments ? 65536 : 0;
    if (talea_ledger_open(run->dir, &options, &handle, &err) != TALEA_OK ||
        talea_view_open(handle, &view, &err) != TALEA_OK) {
        lost("opening: %s: %s", talea_code_name(err.code), err.message);
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        f.firsts[i] =
            calloc(run->acknowledged[i] + 2 + (f.alive ? AHEAD_MAX : 0), sizeof *f.firsts[i]);
    }
    for (unsigned b = 0; b < POSTER_BOOKS; b++) {
        talea_book_view *book = NULL;
        if (talea_view_book(view, text(poster_books[b]), &book, &err) != TALEA_OK) {
            lost("%s: %s: %s", poster_books[b], talea_code_name(err.code), err.message);
        }
        if (book) {
            check_book(run, book, &f);
            events += talea_book_last_seq(book);
        }
        if (talea_verify(handle, text(poster_books[b]), on_finding, NULL, NULL, &err) != TALEA_OK) {
            lost("verify: %s", err.message);
        }
    }
    check_acknowledged(run, &f);
    if (write(report, &events, sizeof events) != (ssize_t)sizeof events) {
        _exit(1);
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        free(f.firsts[i]);
    }
    talea_view_close(view);
    if (how != LEAVE_IT) {
        talea_ledger_close(handle);
    }
    _exit(0);
}

static void check_in_child(const ledger_run *run, manner how, totals *t,
                           unsigned long *out_events) {
    int ends[2];
    int status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        check(run, how, ends[1]);
    }
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        fail_msg("%s after %u kills: the check failed (%d)", run->dir, t->kills, status);
    }
    assert_int_equal(read(ends[0], out_events, sizeof *out_events), sizeof *out_events);
    close(ends[0]);
    t->checks++;
}

/* ---- All of it ---- */

static void place_ledger(ledger_run *run) {
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(run->dir, sizeof run->dir, "%s/talea-kill-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(run->dir));
}

static void one_ledger(uint64_t number, unsigned kills, totals *t) {
    ledger_run run = {.number = number, .small_segments = number % 2 == 0};
    unsigned long events = 0;
    char command[300];
    place_ledger(&run);
    for (unsigned i = 0; i < kills; i++) {
        live_and_die(&run, t);
        if (below(3) > 0 || i + 1 == kills) {
            check_in_child(&run, below(2) ? CLOSE_IT : LEAVE_IT, t, &events);
        }
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        t->units += run.acknowledged[i];
        free(run.seqs[i]);
    }
    t->events += events;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", run.dir);
    assert_int_equal(system(command), 0);
}

static void killed(void **state) {
    totals t = {.kills = 0};
    const char *given = getenv("TALEA_SEED");
    unsigned kills = getenv("TALEA_SOAK") ? KILLS_OF_A_SOAK : KILLS;
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)getpid() * 1000003U;
    print_message("TALEA_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t number = 1; t.kills < kills; number++) {
        unsigned left = kills - t.kills;
        one_ledger(number, left < KILLS_A_LEDGER ? left : KILLS_A_LEDGER, &t);
    }
    print_message(
        "kills %u (%u while opening), checks %u, units acknowledged %lu, events %lu, lost 0\n",
        t.kills, t.while_opening, t.checks, t.units, t.events);
}

/* Another process reads, without the lock, what a living one writes: whatever was acknowledged
 * before it opened, whole units, no gap, and no complaint about a tail that is being written. */
static void read_beside_a_writer(void **state) {
    totals t = {.kills = 0};
    unsigned long events = 0;
    for (uint64_t number = 1001; number <= 1002; number++) {
        ledger_run run = {.number = number, .small_segments = number % 2 == 0};
        char command[300];
        int fd = -1;
        lines in = {.len = 0};
        place_ledger(&run);
        pid_t pid = start_poster(&run, &fd);
        listen_to(&run, fd, &in, now_us() + 200000, false);
        for (int i = 0; i < (getenv("TALEA_SOAK") ? 300 : 20); i++) {
            listen_to(&run, fd, &in, now_us() + 10000, false);
            check_in_child(&run, READ_ONLY, &t, &events);
        }
        kill(pid, SIGKILL);
        listen_to(&run, fd, &in, now_us() + 10000000, false);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(fd);
        check_in_child(&run, CLOSE_IT, &t, &events);
        for (unsigned i = 0; i < POSTERS; i++) {
            free(run.seqs[i]);
        }
        (void)snprintf(command, sizeof command, "rm -rf '%s'", run.dir);
        assert_int_equal(system(command), 0);
    }
    print_message("%u readings beside a writer, %lu events in the last\n", t.checks, events);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed),
                                       cmocka_unit_test(read_beside_a_writer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
