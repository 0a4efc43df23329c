/*
 * Every bit flipped, every length cut, every sector zeroed, every file deleted or swapped, of a
 * small ledger that was closed and of one whose process was killed. Then it is opened and read:
 * either every acknowledged event is there, as it was, or the book refuses as corrupt and names
 * segment and offset; and the other books are as they were.
 *
 * The one exception is that of docs/FORMAT.md, "A defect": in a killed ledger, a whole zeroed
 * sector of the last, unproven group is the same as a write that never arrived.
 *
 * Cases run in batches, each in a process of its own, on a copy; a crash ends the batch, and the
 * test.
 */
/* ctest: soak */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "talea.h"

#if defined(__SANITIZE_ADDRESS__)
enum { THINNED = 1 }; /* one bit of each byte, every seventh length */
#else
enum { THINNED = 0 };
#endif
enum { BOOKS = 3, FILES_MAX = 16, EVENTS_MAX = 64, TEXT_BYTES = 512, SECTOR = 512 };

static const char *const books[] = {"alpha", "beta", "_system"};

/* ---- The ledger as it should be ---- */

typedef struct image {
    char path[64]; /* below the ledger's directory */
    size_t bytes;
    size_t used; /* up to the last byte that is not zero */
    unsigned char *data;
    unsigned book; /* BOOKS: the LOCK file */
} image;

typedef struct specimen {
    const char *name;
    bool killed;
    image files[FILES_MAX];
    unsigned file_count;
    char events[BOOKS][EVENTS_MAX][TEXT_BYTES]; /* each event as words */
    unsigned event_counts[BOOKS];
    unsigned proven[BOOKS]; /* killed: events before the last group */
} specimen;

static char root[256];

static void die(const char *words) {
    (void)fprintf(stderr, "%s\n", words);
    _exit(3);
}

static talea_text text(const char *words) {
    return (talea_text){words, strlen(words)};
}

/* ---- Making it ---- */

static void post(talea_ledger *handle, const char *book, unsigned from, unsigned count) {
    talea_error err;
    talea_unit *unit = NULL;
    if (talea_unit_new(handle, &unit, &err) != TALEA_OK) {
        die(err.message);
    }
    for (unsigned i = from; i < from + count; i++) {
        char key[32];
        static char note[900];
        memset(note, '5', sizeof note);
        (void)snprintf(key, sizeof key, "key-%u", i);
        talea_leg legs[2] = {{.account = text("cash"), .side = TALEA_SIDE_DEBIT, .amount = i + 1},
                             {.account = text("rev"), .side = TALEA_SIDE_CREDIT, .amount = i + 1}};
        talea_draft draft = {.key = text(key), .legs = legs, .leg_count = 2};
        if (i % 9 == 4) {
            draft.metadata = (talea_text){note, sizeof note};
        }
        if (talea_unit_add_draft(unit, text(book), &draft, false, &err) != TALEA_OK) {
            die(err.message);
        }
    }
    if (talea_unit_commit(unit, &err) != TALEA_OK) {
        die(err.message);
    }
    talea_unit_free(unit);
}

static void define(talea_ledger *handle, const char *book) {
    talea_error err;
    talea_unit *unit = NULL;
    talea_asset_def asset = {.asset = text("EUR"), .asset_class = TALEA_CLASS_FIAT, .precision = 2};
    talea_account_def cash = {.account = text("cash"),
                              .asset = text("EUR"),
                              .kind = TALEA_KIND_ASSET,
                              .side = TALEA_SIDE_DEBIT};
    talea_account_def rev = {.account = text("rev"),
                             .asset = text("EUR"),
                             .kind = TALEA_KIND_INCOME,
                             .side = TALEA_SIDE_CREDIT};
    if (talea_unit_new(handle, &unit, &err) != TALEA_OK ||
        talea_unit_add_asset(unit, &asset, false, &err) != TALEA_OK ||
        talea_unit_add_account(unit, text(book), &cash, false, &err) != TALEA_OK ||
        talea_unit_add_account(unit, text(book), &rev, false, &err) != TALEA_OK ||
        talea_unit_commit(unit, &err) != TALEA_OK) {
        die(err.message);
    }
    talea_unit_free(unit);
}

static talea_ledger *open_ledger(talea_code *out_code, talea_error *err) {
    talea_options options;
    talea_ledger *handle = NULL;
    talea_options_default(&options);
    options.segment_bytes_max = 65536;
    *out_code = talea_ledger_open(root, &options, &handle, err);
    return handle;
}

/* Alpha: about thirty events in units of several sizes. Beta: a few. A killed one ends with a group of two sectors or more in alpha,
 * and nothing behind it. */
static void make(bool killed) {
    talea_code code = TALEA_OK;
    talea_error err;
    talea_ledger *handle = open_ledger(&code, &err);
    if (!handle) {
        die(err.message);
    }
    define(handle, "beta");
    post(handle, "beta", 0, 3);
    post(handle, "beta", 3, 1);
    define(handle, "alpha");
    for (unsigned i = 0; i < 24; i += 1 + i % 4) {
        post(handle, "alpha", i, 1 + i % 4);
    }
    if (killed) {
        usleep(120000); /* proven so far */
        post(handle, "alpha", 100, 6);
        _exit(0); /* before the quiet mark: as dead as by a signal */
    }
    talea_ledger_close(handle);
    _exit(0);
}

/* ---- Files ---- */

static void full_path(const char *path, char out[400]) {
    (void)snprintf(out, 400, "%s/%s", root, path);
}

static void take_image(specimen *s, const char *path, unsigned book) {
    char full[400];
    struct stat st;
    image *file = &s->files[s->file_count++];
    full_path(path, full);
    int fd = open(full, O_RDONLY);
    if (s->file_count == FILES_MAX || fd < 0 || fstat(fd, &st) != 0) {
        die(full);
    }
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    file->bytes = (size_t)st.st_size;
    file->book = book;
    file->data = malloc(file->bytes + 1);
    if (!file->data || read(fd, file->data, file->bytes) != (ssize_t)file->bytes) {
        die("reading an image");
    }
    close(fd);
    file->used = file->bytes;
    while (file->used > 0 && file->data[file->used - 1] == 0) {
        file->used--;
    }
}

static void take_images(specimen *s) {
    take_image(s, "LOCK", BOOKS);
    for (unsigned b = 0; b < BOOKS; b++) {
        char dir[400];
        char path[400];
        (void)snprintf(path, sizeof path, "books/%s", books[b]);
        full_path(path, dir);
        DIR *list = opendir(dir);
        for (struct dirent *entry; list && (entry = readdir(list));) {
            if (entry->d_name[0] != '.') {
                char name[64];
                (void)snprintf(name, sizeof name, "books/%s/%.40s", books[b], entry->d_name);
                take_image(s, name, b);
            }
        }
        if (list) {
            (void)closedir(list);
        }
    }
}

static void remove_extra(const specimen *s, const char *dir) {
    char full[400];
    full_path(dir, full);
    DIR *list = opendir(full);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char path[400];
        bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        (void)snprintf(path, sizeof path, "%s/%.60s", dir, entry->d_name);
        for (unsigned i = 0; i < s->file_count; i++) {
            known = known || strcmp(s->files[i].path, path) == 0;
        }
        if (!known) {
            full_path(path, full);
            (void)unlink(full);
        }
    }
    if (list) {
        (void)closedir(list);
    }
}

static void put(const image *as, const unsigned char *data, size_t bytes) {
    char full[400];
    full_path(as->path, full);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) {
        die(full);
    }
    close(fd);
}

/* Everything as it was, whatever the last case and its opening have done. */
static void restore(const specimen *s) {
    char full[400];
    (void)mkdir(root, 0700);
    full_path("books", full);
    (void)mkdir(full, 0700);
    for (unsigned b = 0; b < BOOKS; b++) {
        char path[64];
        (void)snprintf(path, sizeof path, "books/%s", books[b]);
        full_path(path, full);
        (void)mkdir(full, 0700);
        remove_extra(s, path);
    }
    for (unsigned i = 0; i < s->file_count; i++) {
        put(&s->files[i], s->files[i].data, s->files[i].bytes);
    }
}

/* ---- Reading back ---- */

static void describe(const talea_event *event, char out[TEXT_BYTES]) {
    if (event->kind == TALEA_EVENT_TRANSACTION_POSTED) {
        char txid[TALEA_TXID_TEXT_BYTES];
        talea_txid_format(event->txid, txid);
        int n = snprintf(out, TEXT_BYTES, "%lld %s %.*s %zu", (long long)event->at, txid,
                         (int)event->key.len, event->key.data, event->metadata.len);
        for (size_t i = 0; i < event->posting_count && n > 0 && n < TEXT_BYTES; i++) {
            n +=
                snprintf(out + n, TEXT_BYTES - (size_t)n, " %u:%d:%lld", event->postings[i].account,
                         event->postings[i].side, (long long)event->postings[i].amount);
        }
    } else if (event->kind == TALEA_EVENT_ACCOUNT_OPENED) {
        (void)snprintf(out, TEXT_BYTES, "%lld account %.*s %.*s %d %d", (long long)event->at,
                       (int)event->account.account.len, event->account.account.data,
                       (int)event->account.asset.len, event->account.asset.data,
                       event->account.kind, event->account.side);
    } else {
        (void)snprintf(out, TEXT_BYTES, "%lld asset %.*s %u", (long long)event->at,
                       (int)event->asset.asset.len, event->asset.asset.data,
                       event->asset.precision);
    }
}

typedef struct reading {
    talea_code code; /* OK: all of it was read */
    bool exists;
    unsigned count;
    unsigned same; /* how many from the start are as they were */
    int64_t cash;
    talea_error err;
} reading;

static reading read_book(talea_ledger *handle, const specimen *s, unsigned b) {
    reading r = {.count = 0};
    talea_view *view = NULL;
    talea_book_view *book = NULL;
    talea_events *events = NULL;
    const talea_event *event = NULL;
    r.code = talea_view_open(handle, &view, &r.err);
    if (r.code == TALEA_OK) {
        r.code = talea_view_book(view, text(books[b]), &book, &r.err);
    }
    if (r.code == TALEA_OK && book) {
        uint32_t cash = 0;
        talea_account account;
        r.exists = true;
        r.code = talea_events_open(book, &events, &r.err);
        while (r.code == TALEA_OK &&
               (r.code = talea_events_next(events, &event, &r.err)) == TALEA_OK && event) {
            char words[TEXT_BYTES];
            describe(event, words);
            if (r.same == r.count && r.count < s->event_counts[b] &&
                strcmp(words, s->events[b][r.count]) == 0) {
                r.same++;
            }
            r.count++;
        }
        if (talea_book_find_account(book, text("cash"), &cash) &&
            talea_book_account(book, cash, talea_book_last_seq(book), &account)) {
            r.cash = (int64_t)(account.debits - account.credits);
        }
    }
    talea_events_close(events);
    talea_view_close(view);
    return r;
}

static void note_events(specimen *s) {
    talea_code code = TALEA_OK;
    talea_error err;
    talea_ledger *handle = open_ledger(&code, &err);
    if (!handle) {
        die(err.message);
    }
    for (unsigned b = 0; b < BOOKS; b++) {
        talea_view *view = NULL;
        talea_book_view *book = NULL;
        talea_events *events = NULL;
        const talea_event *event = NULL;
        if (talea_view_open(handle, &view, &err) != TALEA_OK ||
            talea_view_book(view, text(books[b]), &book, &err) != TALEA_OK || !book ||
            talea_events_open(book, &events, &err) != TALEA_OK) {
            die("the specimen cannot be read");
        }
        while (talea_events_next(events, &event, &err) == TALEA_OK && event &&
               s->event_counts[b] < EVENTS_MAX) {
            describe(event, s->events[b][s->event_counts[b]++]);
        }
        s->proven[b] = s->event_counts[b] - (s->killed && b == 0 ? 6 : 0);
        talea_events_close(events);
        talea_view_close(view);
    }
    talea_ledger_close(handle);
}

/* ---- One case ---- */

typedef struct tally {
    unsigned long cases;
    unsigned long whole;   /* everything was there */
    unsigned long corrupt; /* the book said so */
    unsigned long torn;    /* the last group was taken for a torn write */
    unsigned long silent;  /* the forbidden thing */
} tally;

static bool names_the_place(const char *words, unsigned book) {
    return strstr(words, "segment") && strstr(words, "offset") && strstr(words, books[book]);
}

/* `may_tear`: the damage is one that a torn write leaves, in the last group of a killed ledger. */
static void judge(const specimen *s, unsigned b, bool damaged, bool may_tear, const reading *r,
                  const char *what, tally *t) {
    int64_t want_cash = 0;
    bool whole = r->code == TALEA_OK && r->count == s->event_counts[b] && r->same == r->count;
    for (unsigned i = 0; i < r->same; i++) {
        const char *leg = strstr(s->events[b][i], " 0:1:");
        want_cash += leg ? strtoll(leg + 5, NULL, 10) : 0;
    }
    if (whole && r->cash == want_cash) {
        t->whole += damaged;
        return;
    }
    if (damaged && r->code == TALEA_CORRUPT && names_the_place(r->err.message, b)) {
        t->corrupt++;
        return;
    }
    if (damaged && may_tear && r->code == TALEA_OK && r->count == s->proven[b] &&
        r->same == r->count && r->cash == want_cash) {
        t->torn++;
        return;
    }
    t->silent++;
    (void)fprintf(stderr, "%s: %s: book %s: %s, %u of %u events, %u as they were, cash %lld: %s\n",
                  s->name, what, books[b], talea_code_name(r->code), r->count, s->event_counts[b],
                  r->same, (long long)r->cash, r->code == TALEA_OK ? "" : r->err.message);
}

static void open_and_judge(const specimen *s, const bool damaged[BOOKS + 1], bool may_tear,
                           const char *what, tally *t) {
    talea_code code = TALEA_OK;
    talea_error err;
    t->cases++;
    talea_ledger *handle = open_ledger(&code, &err);
    if (!handle) {
        t->silent++;
        (void)fprintf(stderr, "%s: %s: the ledger would not open: %s\n", s->name, what,
                      err.message);
        return;
    }
    for (unsigned b = 0; b < BOOKS; b++) {
        reading r = read_book(handle, s, b);
        judge(s, b, damaged[b], may_tear, &r, what, t);
    }
    talea_ledger_close(handle);
}

/* The file's bytes are `data` now. */
static void try_file(const specimen *s, const image *file, const unsigned char *data, size_t bytes,
                     bool may_tear, const char *what, tally *t) {
    bool damaged[BOOKS + 1] = {false};
    damaged[file->book] = true;
    restore(s);
    put(file, data, bytes);
    open_and_judge(s, damaged, may_tear && s->killed && file->book == 0, what, t);
}

/* ---- Kinds of damage: case number `i` of a file; false: there are no more ---- */

typedef bool damage_fn(const specimen *s, const image *file, size_t i, unsigned char *copy,
                       tally *t);

static bool flip_bit(const specimen *s, const image *file, size_t i, unsigned char *copy,
                     tally *t) {
    char what[160];
    if (i >= file->used * 8) {
        return false;
    }
    if (THINNED && i % 8 != i / 8 % 8) {
        return true;
    }
    copy[i / 8] ^= (unsigned char)(1 << i % 8);
    (void)snprintf(what, sizeof what, "%s: bit %zu of byte %zu flipped", file->path, i % 8, i / 8);
    try_file(s, file, copy, file->bytes, false, what, t);
    copy[i / 8] ^= (unsigned char)(1 << i % 8);
    return true;
}

/* Behind the last group. Every byte, in three ways. */
static bool spoil_space(const specimen *s, const image *file, size_t i, unsigned char *copy,
                        tally *t) {
    static const unsigned char patterns[] = {0x01, 0x80, 0xFF};
    char what[160];
    size_t stride = getenv("TALEA_SOAK") ? 1 : 37;
    size_t at = file->used + i / 3 * stride;
    if (at >= file->bytes) {
        return false;
    }
    copy[at] = patterns[i % 3];
    (void)snprintf(what, sizeof what, "%s: byte %zu of the space is %#x", file->path, at,
                   patterns[i % 3]);
    try_file(s, file, copy, file->bytes, false, what, t);
    copy[at] = 0;
    return true;
}

static bool cut(const specimen *s, const image *file, size_t i, unsigned char *copy, tally *t) {
    char what[160];
    size_t length = i;
    if (!getenv("TALEA_SOAK") && i > file->used + 64) { /* the space in steps */
        length = file->used + 64 + (i - file->used - 64) * 61;
    }
    if (length >= file->bytes) {
        return false;
    }
    if (THINNED && i % 7 != 0) {
        return true;
    }
    (void)snprintf(what, sizeof what, "%s: cut to %zu of %zu bytes", file->path, length,
                   file->bytes);
    try_file(s, file, copy, length, false, what, t);
    return true;
}

static bool zero_sector(const specimen *s, const image *file, size_t i, unsigned char *copy,
                        tally *t) {
    char what[160];
    if (i * SECTOR >= file->bytes) {
        return false;
    }
    size_t bytes = file->bytes - i * SECTOR < SECTOR ? file->bytes - i * SECTOR : SECTOR;
    memset(copy + i * SECTOR, 0, bytes);
    (void)snprintf(what, sizeof what, "%s: sector %zu zeroed", file->path, i);
    try_file(s, file, copy, file->bytes, true, what, t);
    memcpy(copy + i * SECTOR, file->data + i * SECTOR, bytes);
    return true;
}

static bool remove_file(const specimen *s, const image *file, size_t i, unsigned char *copy,
                        tally *t) {
    char what[160];
    char full[400];
    bool damaged[BOOKS + 1] = {false};
    if (i > 0) {
        return false;
    }
    damaged[file->book] = true;
    restore(s);
    full_path(file->path, full);
    (void)unlink(full);
    (void)snprintf(what, sizeof what, "%s: deleted", file->path);
    open_and_judge(s, damaged, false, what, t);
    return true;
}

/* In place of another file. */
static bool replace_file(const specimen *s, const image *file, size_t i, unsigned char *copy,
                         tally *t) {
    char what[160];
    if (i >= s->file_count) {
        return false;
    }
    const image *other = &s->files[i];
    if (other != file && other->book != BOOKS && file->book != BOOKS) {
        (void)snprintf(what, sizeof what, "%s: replaced by %s", file->path, other->path);
        try_file(s, file, other->data, other->bytes, false, what, t);
    }
    return true;
}

/* ---- Batches ---- */

enum { BATCH = 4000 };

static bool run_batch(const specimen *s, const image *file, damage_fn *damage, size_t first,
                      int report) {
    tally t = {.cases = 0};
    unsigned char *copy = malloc(file->bytes + 1);
    bool more = true;
    if (!copy) {
        die("out of memory");
    }
    memcpy(copy, file->data, file->bytes);
    for (size_t i = first; more && i < first + BATCH; i++) {
        more = damage(s, file, i, copy, &t);
    }
    free(copy);
    if (write(report, &t, sizeof t) != (ssize_t)sizeof t ||
        write(report, &more, sizeof more) != (ssize_t)sizeof more) {
        die("reporting");
    }
    return true;
}

/* All cases of one kind on one file. */
static void sweep(const specimen *s, const image *file, damage_fn *damage, tally *sum) {
    bool more = true;
    for (size_t first = 0; more; first += BATCH) {
        int ends[2];
        int status = 0;
        tally t;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)run_batch(s, file, damage, first, ends[1]);
            _exit(0);
        }
        close(ends[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("%s, %s, batch at %zu: the process ended with %#x", s->name, file->path, first,
                     status);
        }
        assert_int_equal(read(ends[0], &t, sizeof t), sizeof t);
        assert_int_equal(read(ends[0], &more, sizeof more), sizeof more);
        close(ends[0]);
        sum->cases += t.cases;
        sum->whole += t.whole;
        sum->corrupt += t.corrupt;
        sum->torn += t.torn;
        sum->silent += t.silent;
    }
}

static void wait_for_child(pid_t pid) {
    int status = 0;
    assert_true(pid >= 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void prepare(specimen *s) {
    pid_t pid = fork();
    if (pid == 0) {
        make(s->killed);
    }
    wait_for_child(pid);
    take_images(s);
    note_events(s);
    assert_true(s->event_counts[0] > 20);
    print_message("%s: %u files, %u + %u + %u events, %zu bytes of alpha used\n", s->name,
                  s->file_count, s->event_counts[0], s->event_counts[1], s->event_counts[2],
                  s->files[1].used);
}

static void discard(specimen *s) {
    char command[300];
    for (unsigned i = 0; i < s->file_count; i++) {
        free(s->files[i].data);
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

static void damage_everything(specimen *s) {
    static const struct {
        const char *name;
        damage_fn *damage;
    } kinds[] = {
        {"bits flipped", flip_bit},      {"space spoilt", spoil_space}, {"cut", cut},
        {"sectors zeroed", zero_sector}, {"deleted", remove_file},      {"replaced", replace_file}};
    unsigned long cases = 0;
    unsigned long silent = 0;
    prepare(s);
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tally t = {.cases = 0};
        for (unsigned i = 0; i < s->file_count; i++) {
            /* The books are alike: in a short run one of them is done bit by bit. */
            if (k < 3 && s->files[i].book != 0 && s->files[i].book != BOOKS &&
                !getenv("TALEA_SOAK")) {
                continue;
            }
            sweep(s, &s->files[i], kinds[k].damage, &t);
        }
        print_message("  %-15s %7lu cases: %lu whole, %lu corrupt, %lu torn, silent losses %lu\n",
                      kinds[k].name, t.cases, t.whole, t.corrupt, t.torn, t.silent);
        cases += t.cases;
        silent += t.silent;
    }
    discard(s);
    print_message("%s: %lu cases, silent losses %lu\n", s->name, cases, silent);
    assert_int_equal(silent, 0);
}

static void make_root(void) {
    const char *tmp = getenv("TMPDIR");
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* much copying, no
                                                                                 durability asked
                                                                                 for */
    (void)snprintf(root, sizeof root, "%s/talea-damage-XXXXXX", tmp ? tmp : memory);
    assert_non_null(mkdtemp(root));
}

static specimen closed = {.name = "closed"};
static specimen killed = {.name = "killed", .killed = true};

static void closed_ledger(void **state) {
    make_root();
    damage_everything(&closed);
}

static void killed_ledger(void **state) {
    make_root();
    damage_everything(&killed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(closed_ledger),
                                       cmocka_unit_test(killed_ledger)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
