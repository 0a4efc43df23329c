/*
 * Ledgers as a whole, on the real file system: sharing one engine, many books without threads,
 * fork, damage to one book of several, verify, read-only and memory modes.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ledger.h"

typedef struct place {
    char dir[256];
} place;

static int setup(void **state) {
    place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(p->dir, sizeof p->dir, "%s/talea-ledger-XXXXXX", tmp ? tmp : "/tmp");
    *state = p;
    return mkdtemp(p->dir) ? 0 : -1;
}

static int teardown(void **state) {
    place *p = *state;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    int rc = system(command);
    free(p);
    return rc;
}

static talea_ledger *open_mode(const char *dir, talea_mode mode) {
    talea_options options;
    talea_ledger *handle = NULL;
    talea_error err = {.message = ""};
    talea_options_default(&options);
    options.mode = mode;
    if (talea_ledger_open(dir, &options, &handle, &err) != TALEA_OK) {
        fail_msg("%s: %s: %s", dir, talea_code_name(err.code), err.message);
    }
    return handle;
}

static talea_code try_open(const char *dir, talea_mode mode, talea_error *err) {
    talea_options options;
    talea_ledger *handle = NULL;
    talea_options_default(&options);
    options.mode = mode;
    talea_code code = talea_ledger_open(dir, &options, &handle, err);
    talea_ledger_close(handle);
    return code;
}

static void furnish(talea_ledger *handle, const char *book) {
    talea_error err = {.message = ""};
    if (furnish_book(handle, book, &err) != TALEA_OK) {
        fail_msg("%s: %s: %s", book, talea_code_name(err.code), err.message);
    }
}

static unsigned count_threads(void) {
    unsigned count = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "Threads:", 8) == 0) {
            count = (unsigned)strtoul(line + 8, NULL, 10);
        }
    }
    if (status) {
        (void)fclose(status);
    }
    return count;
}

/* One directory, one engine, however it is spelled; the last handle closes it. */
static void handles_share_an_engine(void **state) {
    place *p = *state;
    char other[400];
    char link[300];
    (void)snprintf(other, sizeof other, "%s/../%s/./l", p->dir, strrchr(p->dir, '/') + 1);
    (void)snprintf(link, sizeof link, "%s/link", p->dir);
    char dir[300];
    (void)snprintf(dir, sizeof dir, "%s/l", p->dir);
    talea_ledger *a = open_mode(dir, TALEA_MODE_RWC);
    assert_int_equal(symlink(dir, link), 0);
    talea_ledger *b = open_mode(other, TALEA_MODE_RW);
    talea_ledger *c = open_mode(link, TALEA_MODE_RO);
    furnish(a, "main");
    assert_int_equal(post(b, "main", "k", "cash", "rev", 1).code, TALEA_OK);
    assert_int_equal(watermark(c, "main"), FURNITURE + 1);
    assert_int_equal(post(c, "main", "l", "cash", "rev", 1).code, TALEA_READ_ONLY);
    talea_ledger_close(a);
    assert_int_equal(post(b, "main", "m", "cash", "rev", 1).code, TALEA_OK);
    talea_ledger_close(b);
    assert_int_equal(watermark(c, "main"), FURNITURE + 2);
    talea_ledger_close(c);
    talea_ledger_close(NULL);
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    (void)snprintf(other, sizeof other, "%s/books/main/segment-00000001.log", dir);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void two_ledgers(void **state) {
    place *p = *state;
    char dirs[2][300];
    talea_ledger *handles[2];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%d", p->dir, i);
        handles[i] = open_mode(dirs[i], TALEA_MODE_RWC);
        furnish(handles[i], "main");
    }
    assert_int_equal(post(handles[0], "main", "k", "cash", "rev", 1).code, TALEA_OK);
    assert_int_equal(watermark(handles[0], "main"), FURNITURE + 1);
    assert_int_equal(watermark(handles[1], "main"), FURNITURE);
    talea_ledger_close(handles[0]);
    assert_int_equal(post(handles[1], "main", "k", "bank", "rev", 2).code, TALEA_OK);
    talea_ledger_close(handles[1]);
}

static void modes(void **state) {
    place *p = *state;
    char dir[300];
    talea_error err;
    (void)snprintf(dir, sizeof dir, "%s/l", p->dir);
    assert_int_equal(try_open(dir, TALEA_MODE_RW, &err), TALEA_NO_LEDGER);
    assert_int_equal(try_open(dir, TALEA_MODE_RO, &err), TALEA_NO_LEDGER);
    assert_int_not_equal(access(dir, F_OK), 0); /* nothing was made */
    talea_options options;
    talea_ledger *handle = NULL;
    talea_options_default(&options);
    options.segment_bytes_max = 1000;
    assert_int_equal(talea_ledger_open(dir, &options, &handle, &err), TALEA_BAD_OPTION);
    assert_null(handle);
    handle = open_mode(dir, TALEA_MODE_RWC);
    furnish(handle, "main");
    talea_ledger_close(handle);
    handle = open_mode(dir, TALEA_MODE_RO);
    assert_true(talea_ledger_read_only(handle));
    assert_int_equal(watermark(handle, "main"), FURNITURE);
    assert_int_equal(post(handle, "main", "k", "cash", "rev", 1).code, TALEA_READ_ONLY);
    assert_int_equal(verify_book(handle, "main").problems, 0);
    talea_ledger_close(handle);
}

static void in_memory(void **state) {
    talea_ledger *a = open_mode("some/name", TALEA_MODE_MEMORY);
    talea_ledger *b = open_mode("some/name", TALEA_MODE_MEMORY);
    talea_ledger *c = open_mode("another", TALEA_MODE_MEMORY);
    furnish(a, "main");
    assert_int_equal(post(b, "main", "k", "cash", "rev", 1).code, TALEA_OK);
    assert_int_equal(watermark(a, "main"), FURNITURE + 1);
    assert_int_equal(watermark(c, "main"), 0);
    talea_ledger_close(a);
    assert_int_equal(watermark(b, "main"), FURNITURE + 1);
    talea_ledger_close(b);
    talea_ledger_close(c);
    a = open_mode("some/name", TALEA_MODE_MEMORY);
    assert_int_equal(watermark(a, "main"), 0); /* it lived as long as its last handle */
    talea_ledger_close(a);
    assert_int_not_equal(access("some", F_OK), 0);
}

/* A thousand books are opened when they are touched, and cost no thread each. */
static void many_books(void **state) {
    place *p = *state;
    enum { BOOKS = 1000 };
    talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
    talea_error err;
    char name[32];
    unsigned before = count_threads();
    unsigned most = 0;
    talea_unit *unit = NULL;
    assert_int_equal(talea_unit_new(handle, &unit, &err), TALEA_OK);
    assert_int_equal(add_asset(unit, "EUR", 2, &err), TALEA_OK);
    assert_int_equal(talea_unit_commit(unit, &err), TALEA_OK);
    talea_unit_free(unit);
    for (unsigned i = 0; i < BOOKS; i++) {
        (void)snprintf(name, sizeof name, "book %u", i);
        assert_int_equal(talea_unit_new(handle, &unit, &err), TALEA_OK);
        assert_int_equal(add_account(unit, name, "a", "EUR", TALEA_KIND_ASSET, NULL, &err),
                         TALEA_OK);
        assert_int_equal(add_account(unit, name, "b", "EUR", TALEA_KIND_EQUITY, NULL, &err),
                         TALEA_OK);
        assert_int_equal(add_post(unit, name, "k", "a", "b", i + 1, false, &err), TALEA_OK);
        assert_int_equal(talea_unit_commit(unit, &err), TALEA_OK);
        talea_unit_free(unit);
    }
    talea_ledger_close(handle);
    handle = open_mode(p->dir, TALEA_MODE_RW);
    talea_view *view = NULL;
    const talea_text *names = NULL;
    size_t count = 0;
    assert_int_equal(talea_view_open(handle, &view, &err), TALEA_OK);
    assert_int_equal(talea_view_books(view, &names, &count, &err), TALEA_OK);
    assert_int_equal(count, BOOKS + 1);
    talea_view_close(view);
    for (unsigned i = 0; i < BOOKS; i++) {
        int64_t balance = 0;
        (void)snprintf(name, sizeof name, "book %u", i);
        assert_true(balance_of(handle, name, "a", &balance));
        assert_int_equal(balance, i + 1);
        unsigned now = count_threads();
        most = now > most ? now : most;
    }
    assert_int_equal(most, before); /* opened, replayed and read: nobody writes */
    assert_int_equal(post(handle, "book 7", "l", "a", "b", 1).code, TALEA_OK);
    assert_true(count_threads() <= before + 2);
    talea_ledger_close(handle);
}

/* Names that a file system would mistake for something else. */
static void odd_names(void **state) {
    place *p = *state;
    static const char *const names[] = {
        "a",
        "A",
        "..",
        ".",
        "a/b",
        "../../etc",
        "a%2fb",
        "caf\xc3\xa9",
        "con",
        " ",
        "0123456789012345678901234567890123456789012345678901234567890123"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"};
    enum { COUNT = sizeof names / sizeof *names };
    for (int reopened = 0; reopened < 2; reopened++) {
        talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
        for (unsigned i = 0; i < COUNT; i++) {
            furnish(handle, names[i]);
            assert_int_equal(post(handle, names[i], "k", "cash", "rev", i + 1).code, TALEA_OK);
            int64_t cash = 0;
            assert_true(balance_of(handle, names[i], "cash", &cash));
            assert_int_equal(cash, i + 1);
            assert_int_equal(watermark(handle, names[i]), FURNITURE + 1);
        }
        talea_ledger_close(handle);
    }
}

/* ---- Other processes ---- */

static int in_child(int (*run)(talea_ledger *handle, const char *dir), talea_ledger *handle,
                    const char *dir) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(run(handle, dir));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static int use_inherited(talea_ledger *handle, const char *dir) {
    talea_unit *unit = NULL;
    talea_view *view = NULL;
    talea_error err;
    uint64_t mark = 0;
    if (talea_unit_new(handle, &unit, &err) != TALEA_LOCKED || err.message[0] == '\0') {
        return 1;
    }
    if (talea_view_open(handle, &view, &err) != TALEA_LOCKED) {
        return 2;
    }
    if (talea_wait(handle, text("main"), 0, 0, &mark, &err) != TALEA_LOCKED) {
        return 3;
    }
    talea_ledger_close(handle);
    /* Opening it anew: the parent writes it. */
    return try_open(dir, TALEA_MODE_RWC, &err) == TALEA_LOCKED ? 0 : 4;
}

static void forked_child_is_told(void **state) {
    place *p = *state;
    talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
    furnish(handle, "main");
    for (int i = 0; i < 10; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(post(handle, "main", key, "cash", "rev", 1).code, TALEA_OK);
        assert_int_equal(in_child(use_inherited, handle, p->dir), 0);
    }
    assert_int_equal(watermark(handle, "main"), FURNITURE + 10);
    assert_int_equal(verify_book(handle, "main").problems, 0);
    talea_ledger_close(handle);
}

static int write_it(talea_ledger *handle, const char *dir) {
    talea_error err;
    talea_options options;
    talea_options_default(&options);
    if (talea_ledger_open(dir, &options, &handle, &err) != TALEA_OK) {
        return 1;
    }
    int rc = post(handle, "main", "from the child", "cash", "rev", 1).code == TALEA_OK ? 0 : 2;
    talea_ledger_close(handle);
    return rc;
}

static int find_it_locked(talea_ledger *handle, const char *dir) {
    talea_error err;
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%lld", (long long)getppid());
    return try_open(dir, TALEA_MODE_RWC, &err) == TALEA_LOCKED && strstr(err.message, pid) ? 0 : 1;
}

static void one_process_writes(void **state) {
    place *p = *state;
    talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
    furnish(handle, "main");
    assert_int_equal(in_child(find_it_locked, handle, p->dir), 0);
    talea_ledger_close(handle);
    assert_int_equal(in_child(write_it, NULL, p->dir), 0);
    handle = open_mode(p->dir, TALEA_MODE_RW);
    assert_int_equal(watermark(handle, "main"), FURNITURE + 1);
    talea_ledger_close(handle);
}

/* ---- Damage ---- */

static void flip(const char *dir, const char *book, off_t offset) {
    char path[400];
    unsigned char byte = 0;
    (void)snprintf(path, sizeof path, "%s/books/%s/segment-00000001.log", dir, book);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

enum { SOME_EVENT = 700 }; /* a byte among the first events of a book: behind header and link */

/* Damaged while closed: this book refuses, names the place, and the others do not care. */
static void corrupt_book_among_others(void **state) {
    place *p = *state;
    talea_error err;
    talea_view *view = NULL;
    talea_book_view *book = NULL;
    talea_book_stats stats;
    talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
    furnish(handle, "good");
    furnish(handle, "bad");
    talea_ledger_close(handle);
    flip(p->dir, "bad", SOME_EVENT);
    handle = open_mode(p->dir, TALEA_MODE_RW);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talea_view_open(handle, &view, &err), TALEA_OK);
        assert_int_equal(talea_view_book(view, text("bad"), &book, &err), TALEA_CORRUPT);
        talea_view_close(view);
        assert_non_null(strstr(err.message, "bad"));
        assert_non_null(strstr(err.message, "segment"));
        assert_non_null(strstr(err.message, "offset"));
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(post(handle, "bad", key, "cash", "rev", 1).code, TALEA_CORRUPT);
        assert_int_equal(post(handle, "good", key, "cash", "rev", 1).code, TALEA_OK);
    }
    assert_int_equal(talea_stats(handle, text("bad"), &stats, &err), TALEA_OK);
    assert_int_equal(stats.state, TALEA_BOOK_FAILED);
    assert_int_equal(stats.error.code, TALEA_CORRUPT);
    assert_true(verify_book(handle, "bad").problems > 0);
    assert_int_equal(verify_book(handle, "good").problems, 0);
    /* Repaired from a backup: opening again in the same process is enough. */
    flip(p->dir, "bad", SOME_EVENT);
    talea_ledger *again = open_mode(p->dir, TALEA_MODE_RW);
    assert_int_equal(post(handle, "bad", "k", "cash", "rev", 1).code, TALEA_OK);
    talea_ledger_close(again);
    talea_ledger_close(handle);
}

/* Damaged while open: verify finds it, and so does whoever reads it; the damage is not overwritten or hidden. */
static void damage_under_an_open_book(void **state) {
    place *p = *state;
    talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
    furnish(handle, "main");
    assert_int_equal(post(handle, "main", "k", "cash", "rev", 1).code, TALEA_OK);
    findings f = verify_book(handle, "main");
    assert_int_equal(f.problems, 0);
    assert_int_equal(f.checked, FURNITURE + 1);
    talea_book_stats stats;
    talea_error err;
    assert_int_equal(talea_stats(handle, text("main"), &stats, &err), TALEA_OK);
    print_message("log_bytes %llu\n", (unsigned long long)stats.log_bytes);
    for (off_t offset = 513; offset < (off_t)stats.log_bytes; offset += 7) {
        flip(p->dir, "main", offset);
        f = verify_book(handle, "main");
        if (f.problems == 0) {
            fail_msg("offset %ld: not noticed", (long)offset);
        }
        assert_non_null(strstr(f.first, "offset"));
        flip(p->dir, "main", offset);
    }
    assert_int_equal(verify_book(handle, "main").problems, 0);
    talea_ledger_close(handle);
}

static bool stop_at_once(void *context) {
    ++*(int *)context;
    return false;
}

static bool count_finding(void *context, const talea_finding *finding) {
    (void)finding;
    (void)context;
    return true;
}

static void verify_can_be_interrupted(void **state) {
    place *p = *state;
    talea_error err;
    int asked = 0;
    talea_ledger *handle = open_mode(p->dir, TALEA_MODE_RWC);
    furnish(handle, "main");
    assert_int_equal(talea_verify(handle, text("main"), count_finding, stop_at_once, &asked, &err),
                     TALEA_OK);
    assert_int_equal(asked, 1);
    assert_int_equal(talea_verify(handle, text("no such book"), count_finding, NULL, NULL, &err),
                     TALEA_OK);
    talea_ledger_close(handle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(handles_share_an_engine, setup, teardown),
        cmocka_unit_test_setup_teardown(two_ledgers, setup, teardown),
        cmocka_unit_test_setup_teardown(modes, setup, teardown),
        cmocka_unit_test(in_memory),
        cmocka_unit_test_setup_teardown(many_books, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_names, setup, teardown),
        cmocka_unit_test_setup_teardown(forked_child_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(one_process_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(corrupt_book_among_others, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_under_an_open_book, setup, teardown),
        cmocka_unit_test_setup_teardown(verify_can_be_interrupted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
