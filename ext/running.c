/*
 * running.c: the first leg of an account that a scan meets takes its total from the account's
 * history; from then on it is one addition a leg, until the scan leaves out an event or changes the
 * book. Upwards, the total before the first leg met is that of the last leg below its event;
 * downwards, the first leg met is the account's last one in its event, and its own total is there.
 *
 * Arrays by account number, with an epoch instead of clearing, because a scan may be one event long
 * and be repeated for every row of a join.
 */
#include "running.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

void tlx_running_reset(tlx_running *running) {
    running->book = NULL;
}

void tlx_running_close(tlx_running *running) {
    free(running->epochs);
    free(running->nets);
    memset(running, 0, sizeof *running);
}

static talea_code begin(tlx_running *running, talea_book_view *book, bool descending,
                        talea_error *err) {
    uint32_t count = talea_book_account_count(book);
    if (count > running->capacity) {
        tlx_running_close(running);
        running->epochs = calloc(count, sizeof *running->epochs);
        running->nets = malloc(count * sizeof *running->nets);
        if (running->epochs == NULL || running->nets == NULL) {
            tlx_running_close(running);
            return tlx_error_nomem(err);
        }
        running->capacity = count;
    }
    if (++running->epoch == 0) {
        memset(running->epochs, 0, running->capacity * sizeof *running->epochs);
        running->epoch = 1;
    }
    running->book = book;
    running->descending = descending;
    running->count = count;
    return TALEA_OK;
}

/* The total after the last leg of the account whose seq is below `seq`. */
static talea_i128 net_before(talea_book_view *book, uint32_t account, uint64_t seq) {
    uint64_t position = talea_history_lower_bound(book, account, seq);
    if (position == 0) {
        return 0;
    }
    talea_history_entry entry;
    talea_history_get(book, account, position - 1, &entry);
    return talea_balance(TALEA_SIDE_NONE, entry.debits, entry.credits);
}

static bool follows(const tlx_running *running, uint64_t seq) {
    return seq == running->seq ||
           seq == (running->descending ? running->seq - 1 : running->seq + 1);
}

talea_code tlx_running_leg(tlx_running *running, talea_book_view *book, bool descending,
                           uint64_t seq, const talea_posting *leg, talea_i128 *out_net,
                           talea_error *err) {
    if (running->book != book || !follows(running, seq)) {
        talea_code code = begin(running, book, descending, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    running->seq = seq;
    uint32_t account = leg->account;
    if (account >= running->count) {
        talea_text name = talea_book_name(book);
        return tlx_error_set(err, TALEA_CORRUPT,
                             "book '%.*s': event %llu posts to account %u of %u", (int)name.len,
                             name.data, (unsigned long long)seq, account, running->count);
    }
    talea_i128 change = leg->side == TALEA_SIDE_DEBIT ? leg->amount : -leg->amount;
    talea_i128 *net = &running->nets[account];
    if (running->epochs[account] != running->epoch) {
        running->epochs[account] = running->epoch;
        *net = net_before(book, account, running->descending ? seq + 1 : seq);
    }
    if (running->descending) {
        *out_net = *net;
        *net -= change;
    } else {
        *net += change;
        *out_net = *net;
    }
    return TALEA_OK;
}
