/*
 * pin.c: the instant that a statement reads.
 *
 * How: one statement must see one instant of each book, whatever it joins, so all cursors that one
 * execution of a statement opens share one view. But a virtual table is not told which statement is
 * opening a cursor. What can be seen is which statements of the connection are running: each by its
 * pointer and its run counter (a reset and a new step count as another execution).
 *
 * The rule: with each pin the set of statements that were running when it was taken is kept. The
 * latest live pin is joined when every statement that is running now belongs to that set (then
 * whichever of them is opening the cursor had already begun when the pin was taken), and when the
 * connection has not committed drafts of its own since (a connection sees its own commits at once).
 * Otherwise the instant is pinned anew.
 *
 *     SELECT ... FROM balances a JOIN balances b
 *         {X}, then {X}: joined, one instant
 *     X is stepped row by row, and for each row Y runs
 *         {X}, then {X, Y}: Y gets a pin of its own, which goes when Y is reset; a cursor that X
 *         opens after that joins the pin of X again
 *     X runs again
 *         {X'}: anew
 *
 * The limits. When Y is left unfinished between two rows of X, both run, and a cursor that X opens
 * only then (a correlated subquery) joins the pin of Y. When X commits drafts between two of its
 * own rows, the cursors that it opens after it see the later instant. With more than
 * TLX_RUNNING_MAX statements running, cursors are not shared at all. And looking costs some 12 ns
 * for each statement that the connection has prepared, running or not: a cache of 128 of them more
 * than doubles the price of the shortest lookup.
 */
#include "binding.h"

#include "error.h"

#include <assert.h>
#include <stdlib.h>

enum { TLX_RUNNING_MAX = 16 };

typedef struct execution {
    sqlite3_stmt *statement;
    int run;
} execution;

typedef struct execution_set {
    int count; /* TLX_RUNNING_MAX + 1: more than fit */
    execution executions[TLX_RUNNING_MAX];
} execution_set;

struct tlx_pin {
    int refs;
    tlx_binding *binding;
    tlx_pin *next; /* the one taken before */
    tlx_ledger *ledger;
    talea_view *view;
    uint64_t commits; /* of the binding, when it was taken */
    execution_set running;
};

/* ---- Who is running -------------------------------------------------------------------------- */

static void gather(sqlite3 *db, execution_set *set) {
    set->count = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
        if (!sqlite3_stmt_busy(s)) {
            continue;
        }
        if (set->count == TLX_RUNNING_MAX) {
            set->count++;
            return;
        }
        int run = sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 0);
        set->executions[set->count++] = (execution){s, run};
    }
}

static bool has(const execution_set *set, execution wanted) {
    for (int i = 0; i < set->count; i++) {
        if (set->executions[i].statement == wanted.statement &&
            set->executions[i].run == wanted.run) {
            return true;
        }
    }
    return false;
}

static bool is_subset(const execution_set *part, const execution_set *whole) {
    if (part->count > TLX_RUNNING_MAX || whole->count > TLX_RUNNING_MAX) {
        return false;
    }
    for (int i = 0; i < part->count; i++) {
        if (!has(whole, part->executions[i])) {
            return false;
        }
    }
    return true;
}

/* ---- Pins ------------------------------------------------------------------------------------ */

static talea_code pin_new(tlx_binding *binding, tlx_ledger *ledger, const execution_set *running,
                          tlx_pin **out_pin, talea_error *err) {
    tlx_pin *pin = malloc(sizeof *pin); /* sqlite3_malloc locks to count */
    if (!pin) {
        return tlx_error_nomem(err);
    }
    talea_code code = talea_view_open(ledger->handle, &pin->view, err);
    if (code != TALEA_OK) {
        free(pin);
        return code;
    }
    pin->refs = 1;
    pin->binding = binding;
    pin->ledger = tlx_ledger_ref(ledger);
    pin->commits = binding->commits;
    pin->running = *running;
    pin->next = binding->pins;
    binding->pins = pin;
    *out_pin = pin;
    return TALEA_OK;
}

int tlx_pin_acquire(tlx_table *table, tlx_pin **out_pin) {
    tlx_binding *binding = table->binding;
    tlx_ledger *ledger = NULL;
    talea_error err;
    talea_code code = tlx_binding_reader(binding, &ledger, &err);
    if (code != TALEA_OK) {
        return tlx_fail(&table->base, &err);
    }
    if (!ledger) {
        *out_pin = NULL;
        return SQLITE_OK;
    }
    execution_set running;
    gather(binding->connection->db, &running);
    tlx_pin *pin = binding->pins;
    if (pin && pin->ledger == ledger && pin->commits == binding->commits &&
        is_subset(&running, &pin->running)) {
        pin->refs++;
        *out_pin = pin;
        return SQLITE_OK;
    }
    code = pin_new(binding, ledger, &running, out_pin, &err);
    return code == TALEA_OK ? SQLITE_OK : tlx_fail(&table->base, &err);
}

void tlx_pin_release(tlx_pin *pin) {
    if (!pin || --pin->refs > 0) {
        return;
    }
    tlx_pin **link = &pin->binding->pins;
    while (*link != pin) {
        link = &(*link)->next;
    }
    *link = pin->next;
    talea_view_close(pin->view);
    tlx_ledger_unref(pin->ledger);
    free(pin);
}

talea_view *tlx_pin_view(tlx_pin *pin) {
    assert(pin->refs > 0);
    return pin->view;
}

talea_ledger *tlx_pin_ledger(tlx_pin *pin) {
    assert(pin->refs > 0);
    return pin->ledger->handle;
}
