/*
 * Random sequences of staging, taking back, applying and dropping everything, against a model that
 * keeps the plain list of what was posted and computes every answer from it again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "state/fixture.h"

enum { ACCOUNTS_MAX = 40, ASSETS = 3, LEGS_MAX = 40, EVENTS_MAX = 4000 };

/* Account and draft alike: the events of a log, in order. The first `applied` ones are committed. */
typedef struct event {
    int account; /* which it opens; -1: a draft */
    uint32_t leg_count;
    talea_posting *legs;
} event;

typedef struct model_account {
    char name[16];
    int asset;
    talea_account_def def;
} model_account;

typedef struct model {
    model_account accounts[ACCOUNTS_MAX];
    uint32_t account_count; /* staged and committed */
    event events[EVENTS_MAX];
    uint32_t event_count;
    uint32_t applied;
    rng seed;
} model;

static const char *const asset_names[ASSETS] = {"EUR", "USD", "XAU"};

/* ---- What follows from the list ---- */

static void totals(const model *m, uint32_t account, uint32_t events, talea_i128 *out_debits,
                   talea_i128 *out_credits) {
    *out_debits = *out_credits = 0;
    for (uint32_t e = 0; e < events; e++) {
        for (uint32_t i = 0; m->events[e].account < 0 && i < m->events[e].leg_count; i++) {
            const talea_posting *leg = &m->events[e].legs[i];
            if (leg->account == account) {
                *(leg->side == TALEA_SIDE_DEBIT ? out_debits : out_credits) += leg->amount;
            }
        }
    }
}

static talea_code judge(const model *m, const talea_posting *legs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (legs[i].account >= m->account_count) {
            return TALEA_UNKNOWN_ACCOUNT;
        }
    }
    for (int asset = 0; asset < ASSETS; asset++) {
        talea_i128 sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (m->accounts[legs[i].account].asset == asset) {
                sum += legs[i].side == TALEA_SIDE_DEBIT ? legs[i].amount : -legs[i].amount;
            }
        }
        if (sum != 0) {
            return TALEA_UNBALANCED;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        talea_i128 debits;
        talea_i128 credits;
        totals(m, legs[i].account, m->event_count, &debits, &credits);
        for (uint32_t j = 0; j < count; j++) {
            if (legs[j].account == legs[i].account) {
                *(legs[j].side == TALEA_SIDE_DEBIT ? &debits : &credits) += legs[j].amount;
            }
        }
        const talea_account_def *def = &m->accounts[legs[i].account].def;
        talea_i128 balance = debits - credits;
        if (def->side == TALEA_SIDE_CREDIT) {
            balance = -balance;
        }
        if ((def->has_min && balance < def->min_balance) ||
            (def->has_max && balance > def->max_balance)) {
            return TALEA_CONSTRAINT_VIOLATION;
        }
    }
    return TALEA_OK;
}

/* ---- Comparing ---- */

static void compare_history(const model *m, const tl_account *account) {
    uint64_t position = 0;
    talea_i128 debits = 0;
    talea_i128 credits = 0;
    for (uint32_t e = 0; e < m->applied; e++) {
        uint64_t seq = e + 1;
        assert_true(tl_history_lower_bound(&account->history, seq) == position);
        for (uint32_t i = 0; m->events[e].account < 0 && i < m->events[e].leg_count; i++) {
            const talea_posting *leg = &m->events[e].legs[i];
            if (leg->account != account->ordinal) {
                continue;
            }
            *(leg->side == TALEA_SIDE_DEBIT ? &debits : &credits) += leg->amount;
            talea_history_entry entry;
            tl_history_get(&account->history, position++, &entry);
            assert_true(entry.seq == seq);
            assert_int_equal(entry.side, leg->side);
            assert_true(entry.amount == leg->amount);
            assert_true(entry.debits == debits);
            assert_true(entry.credits == credits);
        }
    }
    assert_true(account->history.count == position);
}

static void compare(const model *m, const tl_state *state, bool histories) {
    uint64_t opened[ACCOUNTS_MAX] = {0};
    uint64_t updated[ACCOUNTS_MAX] = {0};
    uint32_t published = 0;
    for (uint32_t e = 0; e < m->applied; e++) {
        if (m->events[e].account >= 0) {
            opened[m->events[e].account] = updated[m->events[e].account] = e + 1;
            published++;
            continue;
        }
        for (uint32_t i = 0; i < m->events[e].leg_count; i++) {
            updated[m->events[e].legs[i].account] = e + 1;
        }
    }
    assert_int_equal(tl_state_account_count(state), published);
    assert_int_equal(staged_account_count(state), m->account_count);
    for (uint32_t i = 0; i < m->account_count; i++) {
        talea_i128 debits;
        talea_i128 credits;
        tl_account *account = tl_state_account(state, i);
        talea_text name = text(m->accounts[i].name);
        assert_true(tl_account_same(&account->def, &m->accounts[i].def));
        assert_ptr_equal(tl_state_resolve_account(state, name), account);
        assert_ptr_equal(tl_state_find_account(state, name), opened[i] ? account : NULL);
        totals(m, i, m->event_count, &debits, &credits);
        assert_true(account->staged_debits == debits && account->staged_credits == credits);
        totals(m, i, m->applied, &debits, &credits);
        assert_true(account->debits == debits && account->credits == credits);
        assert_true(account->opened_seq == opened[i]);
        assert_true(account->updated_seq == updated[i]);
        if (histories) {
            compare_history(m, account);
        }
    }
}

/* ---- Steps ---- */

static void step_account(model *m, tl_state *state) {
    if (m->account_count == ACCOUNTS_MAX || m->event_count == EVENTS_MAX) {
        return;
    }
    uint32_t i = m->account_count++;
    model_account *account = &m->accounts[i];
    snprintf(account->name, sizeof account->name, "acc%u", i);
    account->asset = (int)rng_below(&m->seed, ASSETS);
    account->def = account_def(account->name, asset_names[account->asset],
                               (talea_kind)(1 + rng_below(&m->seed, 6)));
    if (rng_below(&m->seed, 4) == 0) {
        account->def.side = (talea_side)rng_below(&m->seed, 3);
    }
    account->def.has_min = rng_below(&m->seed, 3) == 0;
    account->def.min_balance = -(talea_i128)rng_below(&m->seed, 400);
    account->def.has_max = rng_below(&m->seed, 4) == 0;
    account->def.max_balance = rng_below(&m->seed, 2000);
    talea_error err;
    tl_account *out = NULL;
    assert_int_equal(tl_state_stage_account(state, &account->def, &out, &err), TALEA_OK);
    assert_int_equal(out->ordinal, i);
    m->events[m->event_count++] = (event){(int)i, 0, NULL};
    assert_int_equal(tl_state_stage_account(state, &account->def, &out, &err),
                     TALEA_ALREADY_EXISTS);
}

/* Legs in pairs of one asset, now and then spoiled. */
static uint32_t make_legs(model *m, talea_posting legs[LEGS_MAX]) {
    uint32_t pairs = rng_below(&m->seed, 3) ? 1 : 1 + rng_below(&m->seed, LEGS_MAX / 2);
    uint32_t count = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        uint32_t a = rng_below(&m->seed, m->account_count);
        uint32_t b = rng_below(&m->seed, m->account_count);
        if (m->accounts[a].asset != m->accounts[b].asset && rng_below(&m->seed, 20)) {
            b = a;
        }
        talea_i128 amount = 1 + rng_below(&m->seed, 300);
        legs[count++] = debit(a, amount);
        legs[count++] = credit(b, amount);
    }
    if (rng_below(&m->seed, 12) == 0) {
        legs[rng_below(&m->seed, count)].amount++;
    }
    if (rng_below(&m->seed, 30) == 0) {
        legs[rng_below(&m->seed, count)].account = m->account_count;
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = rng_below(&m->seed, i + 1);
        talea_posting leg = legs[i];
        legs[i] = legs[j];
        legs[j] = leg;
    }
    return count;
}

static bool step_draft(model *m, tl_state *state) {
    if (m->account_count == 0 || m->event_count == EVENTS_MAX) {
        return false;
    }
    talea_posting legs[LEGS_MAX];
    uint32_t count = make_legs(m, legs);
    talea_error err;
    talea_code want = judge(m, legs, count);
    talea_code got = tl_state_stage_transaction(state, legs, count, &err);
    assert_int_equal(got, want);
    if (got == TALEA_OK) {
        talea_posting *copy = malloc(count * sizeof *copy);
        assert_non_null(copy);
        memcpy(copy, legs, count * sizeof *copy);
        m->events[m->event_count++] = (event){-1, count, copy};
    }
    return got == TALEA_OK;
}

static void drop_last(model *m) {
    event *last = &m->events[--m->event_count];
    m->account_count -= last->account >= 0;
    free(last->legs);
}

/* What a refused unit does: takes back in reverse. */
static void step_unstage(model *m, tl_state *state) {
    if (m->event_count == m->applied) {
        return;
    }
    const event *last = &m->events[m->event_count - 1];
    if (last->account >= 0) {
        tl_state_unstage_account(state);
    } else {
        tl_state_unstage_transaction(state, last->legs, last->leg_count);
    }
    drop_last(m);
}

static void apply_event(const model *m, tl_state *state, uint32_t index, bool replay) {
    const event *e = &m->events[index];
    talea_error err;
    if (e->account >= 0) {
        assert_int_equal(apply_account_event(state, &m->accounts[e->account].def, index + 1,
                                             (int64_t)index, replay, &err),
                         TALEA_OK);
        return;
    }
    tl_transaction transaction = {.key = text("k"), .legs = e->legs, .leg_count = e->leg_count};
    assert_int_equal(apply_transaction_event(state, &transaction, index + 1, replay, &err),
                     TALEA_OK);
}

static void step_apply(model *m, tl_state *state) {
    for (uint32_t n = rng_below(&m->seed, 8); n > 0 && m->applied < m->event_count; n--) {
        apply_event(m, state, m->applied++, false);
    }
}

static void drop_staged(model *m) {
    while (m->event_count > m->applied) {
        drop_last(m);
    }
}

static void run(uint64_t seed, int steps) {
    model *m = calloc(1, sizeof *m);
    tl_state *state = tl_state_new();
    assert_non_null(m);
    assert_non_null(state);
    m->seed.state = seed;
    int accepted = 0;
    for (int i = 0; i < steps; i++) {
        switch (rng_below(&m->seed, 40)) {
        case 0:
        case 1: step_account(m, state); break;
        case 2:
        case 3:
        case 4: step_unstage(m, state); break;
        case 5:
        case 6:
        case 7:
        case 8: step_apply(m, state); break;
        case 9:
            if (rng_below(&m->seed, 10) == 0) {
                tl_state_unstage_all(state);
                drop_staged(m);
            }
            break;
        default: accepted += step_draft(m, state); break;
        }
        if (i % 10 == 0) {
            compare(m, state, i % 100 == 0);
        }
    }
    assert_in_range(accepted, steps / 10, steps);
    compare(m, state, true);
    tl_state_free(state);

    /* The log alone gives the same state. */
    drop_staged(m);
    state = tl_state_new();
    assert_non_null(state);
    for (uint32_t i = 0; i < m->applied; i++) {
        apply_event(m, state, i, true);
    }
    compare(m, state, true);
    tl_state_unstage_all(state);
    compare(m, state, true);
    tl_state_free(state);
    while (m->event_count > 0) {
        drop_last(m);
    }
    free(m);
}

static void random_sequences(void **unused) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
        run(seed, 1200);
    }
}

/* Drafts without limits can be taken back in any order. */
static void any_order(void **unused) {
    enum { DRAFTS = 200 };
    rng seed = {3};
    tl_state *state = tl_state_new();
    talea_error err;
    tl_account *account = NULL;
    char name[16];
    for (uint32_t i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "acc%u", i);
        talea_account_def def = account_def(name, "EUR", TALEA_KIND_CLEARING);
        assert_int_equal(tl_state_stage_account(state, &def, &account, &err), TALEA_OK);
    }
    talea_posting drafts[DRAFTS][2];
    for (uint32_t i = 0; i < DRAFTS; i++) {
        talea_i128 amount = (I128_MAX / DRAFTS) - rng_below(&seed, 1000);
        drafts[i][0] = debit(rng_below(&seed, 5), amount);
        drafts[i][1] = credit(rng_below(&seed, 5), amount);
        assert_int_equal(tl_state_stage_transaction(state, drafts[i], 2, &err), TALEA_OK);
    }
    for (uint32_t left = DRAFTS; left > 0; left--) {
        uint32_t i = rng_below(&seed, left);
        tl_state_unstage_transaction(state, drafts[i], 2);
        memcpy(drafts[i], drafts[left - 1], sizeof drafts[i]);
    }
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(tl_state_account(state, i)->staged_debits == 0);
        assert_true(tl_state_account(state, i)->staged_credits == 0);
    }
    tl_state_free(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences),
        cmocka_unit_test(any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
