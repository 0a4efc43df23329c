/*
 * Reading: cursors over many blocks and segments in both directions, lookups against a linear search over what was posted, histories,
 * pinned views while a writer goes on, waiting for the watermark.
 */
/* ctest: tsan */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ledger.h"

enum { POSTS = 1500 };

/* What the test posted and was told: the oracle. */
typedef struct posted {
    char key[32];
    told t;
    bool reversed; /* rev to cash instead of cash to rev */
    int64_t amount;
} posted;

static ledger shared;
static posted log_of_posts[POSTS];

/* Units of very different sizes, with notes now and then, over several segments. */
static int post_everything(void **state) {
    static char note[3000];
    talea_error err;
    memset(note, '3', sizeof note);
    ledger_init(&shared);
    shared.options.segment_bytes_max = 65536;
    ledger_start(&shared);
    if (furnish_book(&shared.handle, "main", &err) != TALEA_OK) {
        return -1;
    }
    for (unsigned i = 0; i < POSTS;) {
        talea_unit *unit = NULL;
        unsigned size = i % 97 == 0 ? 200 : 1 + i % 5;
        unsigned first = i;
        if (talea_unit_new(&shared.handle, &unit, &err) != TALEA_OK) {
            return -1;
        }
        for (; i < POSTS && i - first < size; i++) {
            posted *p = &log_of_posts[i];
            (void)snprintf(p->key, sizeof p->key, "key-%u", i * 7919);
            p->reversed = i % 3 == 0;
            p->amount = 1 + i % 50;
            talea_leg legs[2] = {{.account = text("cash"),
                                  .side = p->reversed ? TALEA_SIDE_CREDIT : TALEA_SIDE_DEBIT,
                                  .amount = p->amount},
                                 {.account = text("rev"),
                                  .side = p->reversed ? TALEA_SIDE_DEBIT : TALEA_SIDE_CREDIT,
                                  .amount = p->amount}};
            talea_draft draft = {.key = text(p->key), .legs = legs, .leg_count = 2};
            if (i % 5 == 0) {
                draft.metadata = (talea_text){note, 1 + i % sizeof note};
            }
            if (talea_unit_add_draft(unit, text("main"), &draft, false, &err) != TALEA_OK) {
                return -1;
            }
        }
        if (talea_unit_commit(unit, &err) != TALEA_OK) {
            return -1;
        }
        for (unsigned k = first; k < i; k++) {
            told_of(unit, k - first, &log_of_posts[k].t);
        }
        talea_unit_free(unit);
    }
    return 0;
}

static int close_everything(void **state) {
    ledger_free(&shared);
    return 0;
}

static talea_book_view *pin(talea_view **out_view) {
    talea_error err;
    talea_book_view *book = NULL;
    assert_int_equal(talea_view_open(&shared.handle, out_view, &err), TALEA_OK);
    assert_int_equal(talea_view_book(*out_view, text("main"), &book, &err), TALEA_OK);
    assert_non_null(book);
    return book;
}

static void check_event(const talea_event *event, uint64_t seq) {
    assert_int_equal(event->seq, seq);
    if (seq <= FURNITURE) {
        assert_int_equal(event->kind, TALEA_EVENT_ACCOUNT_OPENED);
        return;
    }
    const posted *p = &log_of_posts[seq - FURNITURE - 1];
    unsigned i = (unsigned)(seq - FURNITURE - 1);
    assert_int_equal(event->kind, TALEA_EVENT_TRANSACTION_POSTED);
    assert_true(text_is(event->key, p->key));
    assert_int_equal(event->at, p->t.at);
    assert_memory_equal(event->txid, p->t.txid, 16);
    assert_int_equal(event->posting_count, 2);
    assert_int_equal(event->postings[0].account, 0);
    assert_int_equal(event->postings[0].side, p->reversed ? TALEA_SIDE_CREDIT : TALEA_SIDE_DEBIT);
    assert_true(event->postings[0].amount == p->amount);
    assert_int_equal(event->metadata.len, i % 5 == 0 ? 1 + i % 3000 : 0);
}

static void cursor_both_ways(void **state) {
    talea_view *view = NULL;
    talea_events *events = NULL;
    const talea_event *event = NULL;
    talea_error err;
    talea_book_stats stats;
    assert_int_equal(talea_stats(&shared.handle, text("main"), &stats, &err), TALEA_OK);
    assert_true(stats.segments >= 5);
    for (int reopened = 0; reopened < 2; reopened++) {
        talea_book_view *book = pin(&view);
        uint64_t last = talea_book_last_seq(book);
        assert_int_equal(last, FURNITURE + POSTS);
        assert_int_equal(talea_events_open(book, &events, &err), TALEA_OK);
        uint64_t position = 0;
        for (uint64_t seq = 1; seq <= last + 1; seq++) {
            assert_int_equal(talea_events_next(events, &event, &err), TALEA_OK);
            assert_true((event != NULL) == (seq <= last));
            if (event) {
                check_event(event, seq);
                assert_true(event->position > position);
                position = event->position;
            }
        }
        talea_events_seek(events, UINT64_MAX, true);
        for (uint64_t seq = last; seq + 1 > 0; seq--) {
            assert_int_equal(talea_events_next(events, &event, &err), TALEA_OK);
            assert_true((event != NULL) == (seq > 0));
            if (!event) {
                break;
            }
            check_event(event, seq);
        }
        uint64_t at = 12345;
        for (int i = 0; i < 2000; i++) { /* anywhere, a few steps either way */
            at = at * 6364136223846793005U + 1442695040888963407U;
            uint64_t seq = 1 + (at >> 33) % last;
            bool down = at >> 63;
            talea_events_seek(events, seq, down);
            for (int k = 0; k < 3; k++) {
                assert_int_equal(talea_events_next(events, &event, &err), TALEA_OK);
                if (event) {
                    check_event(event, down ? seq-- : seq++);
                }
            }
        }
        talea_events_seek(events, last + 1, false);
        assert_int_equal(talea_events_next(events, &event, &err), TALEA_OK);
        assert_null(event);
        talea_events_seek(events, 0, true);
        assert_int_equal(talea_events_next(events, &event, &err), TALEA_OK);
        assert_null(event);
        talea_events_close(events);
        talea_view_close(view);
        ledger_stop(&shared);
        ledger_start(&shared);
    }
}

static void lookups(void **state) {
    talea_view *view = NULL;
    talea_error err;
    talea_book_view *book = pin(&view);
    for (unsigned i = 0; i < POSTS; i++) {
        const posted *p = &log_of_posts[i];
        uint64_t seq = 0;
        assert_int_equal(talea_book_find_key(book, text(p->key), &seq, &err), TALEA_OK);
        assert_int_equal(seq, p->t.seq);
        assert_int_equal(talea_book_find_txid(book, p->t.txid, &seq, &err), TALEA_OK);
        assert_int_equal(seq, p->t.seq);
        uint8_t other[16];
        memcpy(other, p->t.txid, 16);
        other[i % 16] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(talea_book_find_txid(book, other, &seq, &err), TALEA_OK);
        assert_int_equal(seq, 0);
    }
    uint64_t seq = 7;
    assert_int_equal(talea_book_find_key(book, text("key-x"), &seq, &err), TALEA_OK);
    assert_int_equal(seq, 0);
    talea_view_close(view);
}

/* The last event at or before each moment, by walking the list. */
static void seq_at(void **state) {
    talea_view *view = NULL;
    talea_error err;
    talea_book_view *book = pin(&view);
    for (unsigned i = 0; i < POSTS; i++) {
        for (int64_t shift = -1; shift <= 1; shift++) {
            int64_t at = log_of_posts[i].t.at + shift;
            uint64_t want = FURNITURE;
            for (unsigned k = 0; k < POSTS && log_of_posts[k].t.at <= at; k++) {
                want = log_of_posts[k].t.seq;
            }
            uint64_t got = 0;
            assert_int_equal(talea_book_seq_at(book, at, &got, &err), TALEA_OK);
            assert_int_equal(got, want);
        }
    }
    uint64_t got = 7;
    assert_int_equal(talea_book_seq_at(book, 0, &got, &err), TALEA_OK);
    assert_int_equal(got, 0);
    assert_int_equal(talea_book_seq_at(book, INT64_MAX, &got, &err), TALEA_OK);
    assert_int_equal(got, FURNITURE + POSTS);
    talea_view_close(view);
}

static void histories(void **state) {
    talea_view *view = NULL;
    talea_book_view *book = pin(&view);
    uint32_t cash = 0;
    assert_true(talea_book_find_account(book, text("cash"), &cash));
    assert_int_equal(talea_history_count(book, cash), POSTS);
    int64_t debits = 0;
    int64_t credits = 0;
    talea_account account;
    for (unsigned i = 0; i < POSTS; i++) {
        const posted *p = &log_of_posts[i];
        talea_history_entry entry;
        talea_history_get(book, cash, i, &entry);
        *(p->reversed ? &credits : &debits) += p->amount;
        assert_int_equal(entry.seq, p->t.seq);
        assert_true(entry.amount == p->amount);
        assert_int_equal(entry.side, p->reversed ? TALEA_SIDE_CREDIT : TALEA_SIDE_DEBIT);
        assert_true(entry.debits == debits && entry.credits == credits);
        assert_int_equal(talea_history_lower_bound(book, cash, p->t.seq), i);
        assert_int_equal(talea_history_lower_bound(book, cash, p->t.seq + 1), i + 1);
        assert_true(talea_book_account(book, cash, p->t.seq, &account));
        assert_true(account.debits == debits && account.credits == credits);
        assert_int_equal(account.updated_seq, p->t.seq);
    }
    assert_false(talea_book_account(book, cash, 0, &account));
    assert_true(talea_book_account(book, cash, 1, &account));
    assert_true(account.debits == 0 && account.updated_seq == 1);
    talea_view_close(view);
}

/* ---- Beside a writer ---- */

typedef struct traffic {
    pthread_t thread;
    talea_ledger *handle;
    unsigned number;
    _Atomic(bool) stop;
    _Atomic(unsigned) posts;
    talea_code code;
} traffic;

static void *make_traffic(void *arg) {
    traffic *t = arg;
    for (unsigned i = 0; !atomic_load(&t->stop); i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "traffic-%u-%u", t->number, i);
        told out = i % 2 ? post(t->handle, "busy", key, "cash", "rev", 1 + i % 9)
                         : post(t->handle, "busy", key, "rev", "bank", 1 + i % 9);
        if (out.code != TALEA_OK) {
            t->code = out.code;
            break;
        }
        atomic_fetch_add(&t->posts, 1);
    }
    return NULL;
}

/* Debits and credits of every account as of seq; their sums are equal at every instant. */
static void sum_accounts(talea_book_view *book, uint64_t seq, int64_t sums[2]) {
    sums[0] = 0;
    sums[1] = 0;
    for (uint32_t i = 0; i < talea_book_account_count(book); i++) {
        talea_account account;
        if (talea_book_account(book, i, seq, &account)) {
            sums[0] += (int64_t)account.debits;
            sums[1] += (int64_t)account.credits;
        }
    }
}

static void views_pin_an_instant(void **state) {
    traffic writers[3];
    talea_error err;
    assert_int_equal(furnish_book(&shared.handle, "busy", &err), TALEA_OK);
    for (unsigned i = 0; i < 3; i++) {
        writers[i] = (traffic){.handle = &shared.handle, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, make_traffic, &writers[i]), 0);
    }
    uint64_t latest = 0;
    for (int round = 0; round < 30; round++) {
        talea_view *view = NULL;
        talea_book_view *book = NULL;
        talea_events *events = NULL;
        const talea_event *event = NULL;
        int64_t first[2];
        int64_t again[2];
        assert_int_equal(talea_view_open(&shared.handle, &view, &err), TALEA_OK);
        assert_int_equal(talea_view_book(view, text("busy"), &book, &err), TALEA_OK);
        uint64_t seq = talea_book_last_seq(book);
        assert_true(seq >= latest);
        latest = seq;
        sum_accounts(book, seq, first);
        assert_int_equal(first[0], first[1]);
        usleep(2000);
        assert_int_equal(talea_book_last_seq(book), seq);
        sum_accounts(book, seq, again);
        assert_int_equal(again[0], first[0]);
        /* The events of the view add up to the same. */
        int64_t posted_sum = 0;
        uint64_t count = 0;
        assert_int_equal(talea_events_open(book, &events, &err), TALEA_OK);
        while (talea_events_next(events, &event, &err) == TALEA_OK && event) {
            count++;
            posted_sum += event->posting_count ? (int64_t)event->postings[0].amount : 0;
        }
        talea_events_close(events);
        assert_int_equal(count, seq);
        assert_int_equal(posted_sum, first[0]);
        /* Any earlier instant balances too. */
        sum_accounts(book, seq / 2, again);
        assert_int_equal(again[0], again[1]);
        /* A key or txid that is newer than the view is not there. */
        told newer = post(&shared.handle, "busy", event ? "" : "newer", "cash", "rev", 1);
        uint64_t found = 1;
        assert_int_equal(newer.code, TALEA_OK);
        if (newer.status == TALEA_STATUS_COMMITTED) {
            assert_int_equal(talea_book_find_key(book, text("newer"), &found, &err), TALEA_OK);
            assert_int_equal(found, 0);
            assert_int_equal(talea_book_find_txid(book, newer.txid, &found, &err), TALEA_OK);
            assert_int_equal(found, 0);
        }
        talea_view_close(view);
    }
    for (int i = 0; i < 3; i++) {
        atomic_store(&writers[i].stop, true);
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].code, TALEA_OK);
    }
    assert_int_equal(verify_book(&shared.handle, "busy").problems, 0);
}

/* Catch up, then tail: nobody who follows the watermark misses an event. */
static void waiting(void **state) {
    traffic writer = {.handle = &shared.handle, .number = 9};
    talea_error err;
    uint64_t mark = 0;
    assert_int_equal(talea_wait(&shared.handle, text("nowhere"), 0, 20, &mark, &err), TALEA_OK);
    assert_int_equal(mark, 0);
    uint64_t seen = watermark(&shared.handle, "busy");
    int64_t before = tl_monotonic_us();
    assert_int_equal(talea_wait(&shared.handle, text("busy"), seen, 100, &mark, &err), TALEA_OK);
    assert_int_equal(mark, seen);
    assert_true(tl_monotonic_us() - before >= 99000);
    assert_int_equal(talea_wait(&shared.handle, text("busy"), seen - 1, 1000000, &mark, &err),
                     TALEA_OK);
    assert_int_equal(mark, seen);
    assert_int_equal(pthread_create(&writer.thread, NULL, make_traffic, &writer), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(talea_wait(&shared.handle, text("busy"), seen, 10000, &mark, &err),
                         TALEA_OK);
        assert_true(mark > seen);
        assert_true(watermark(&shared.handle, "busy") >= mark);
        seen = mark;
    }
    atomic_store(&writer.stop, true);
    pthread_join(writer.thread, NULL);
    assert_int_equal(writer.code, TALEA_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_both_ways),
        cmocka_unit_test(lookups),
        cmocka_unit_test(seq_at),
        cmocka_unit_test(histories),
        cmocka_unit_test(views_pin_an_instant),
        cmocka_unit_test(waiting),
    };
    return cmocka_run_group_tests(tests, post_everything, close_everything);
}
