/*
 * The model: see model.h. Everything is looked up by walking an array, and every rule is written out where it applies.
 */
#include "support/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *array, size_t count, size_t bytes) {
    /* Powers of two, so that only a count that is one needs more room. */
    if (count & (count - 1)) {
        return array;
    }
    void *grown = realloc(array, (count ? count * 2 : 1) * bytes);
    if (!grown) {
        (void)fprintf(stderr, "model: out of memory\n");
        abort();
    }
    return grown;
}

static void copy_text(char *to, size_t bytes, const char *from) {
    if (snprintf(to, bytes, "%s", from) >= (int)bytes) {
        (void)fprintf(stderr, "model: \"%s\" is too long\n", from);
        abort();
    }
}

model *model_new(void) {
    model *m = calloc(1, sizeof *m);
    if (!m) {
        abort();
    }
    return m;
}

void model_free(model *m) {
    for (size_t i = 0; m && i < m->book_count; i++) {
        free(m->books[i].accounts);
        free(m->books[i].events);
    }
    if (m) {
        free(m->books);
        free(m->assets);
        free(m);
    }
}

bool model_has_asset(const model *m, const char *asset) {
    for (size_t i = 0; i < m->asset_count; i++) {
        if (strcmp(m->assets[i], asset) == 0) {
            return true;
        }
    }
    return false;
}

void model_add_asset(model *m, const char *asset) {
    if (!model_has_asset(m, asset)) {
        m->assets = grow(m->assets, m->asset_count, sizeof *m->assets);
        copy_text(m->assets[m->asset_count++], MODEL_NAME_BYTES, asset);
    }
}

model_book *model_find_book(model *m, const char *name) {
    for (size_t i = 0; i < m->book_count; i++) {
        if (strcmp(m->books[i].name, name) == 0) {
            return &m->books[i];
        }
    }
    return NULL;
}

model_book *model_make_book(model *m, const char *name) {
    model_book *book = model_find_book(m, name);
    if (!book) {
        m->books = grow(m->books, m->book_count, sizeof *m->books);
        book = &m->books[m->book_count++];
        *book = (model_book){.account_count = 0};
        copy_text(book->name, sizeof book->name, name);
    }
    return book;
}

static model_account *find_in(model_account *accounts, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(accounts[i].name, name) == 0) {
            return &accounts[i];
        }
    }
    return NULL;
}

model_account *model_find_account(const model_book *book, const char *name) {
    return find_in(book->accounts, book->account_count, name);
}

uint64_t model_find_key(const model_book *book, const char *key) {
    for (size_t i = book->event_count; i-- > 0;) {
        if (book->events[i].kind == MODEL_POSTED && strcmp(book->events[i].draft.key, key) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* The same legs in any order, and the same everything else. */
bool model_same_content(const model_draft *a, const model_draft *b) {
    bool used[MODEL_LEGS_MAX] = {false};
    if (a->leg_count != b->leg_count || strcmp(a->occurred_at, b->occurred_at) != 0 ||
        strcmp(a->external_refs, b->external_refs) != 0 || strcmp(a->metadata, b->metadata) != 0) {
        return false;
    }
    for (size_t i = 0; i < a->leg_count; i++) {
        size_t k = 0;
        while (k < b->leg_count &&
               (used[k] || strcmp(a->legs[i].account, b->legs[k].account) != 0 ||
                a->legs[i].side != b->legs[k].side || a->legs[i].amount != b->legs[k].amount)) {
            k++;
        }
        if (k == b->leg_count) {
            return false;
        }
        used[k] = true;
    }
    return true;
}

model_amount model_balance(const model_account *account) {
    return account->side == MODEL_CREDIT ? account->credits - account->debits
                                         : account->debits - account->credits;
}

/* ---- Rules ------------------------------------------------------------------------------------ */

static bool balanced(const model_account *accounts, size_t count, const model_draft *draft) {
    for (size_t i = 0; i < draft->leg_count; i++) {
        const char *asset =
            find_in((model_account *)accounts, count, draft->legs[i].account)->asset;
        model_amount sum = 0;
        for (size_t k = 0; k < draft->leg_count; k++) {
            const model_leg *leg = &draft->legs[k];
            if (strcmp(find_in((model_account *)accounts, count, leg->account)->asset, asset) ==
                0) {
                sum += leg->side == MODEL_DEBIT ? leg->amount : -leg->amount;
            }
        }
        if (sum != 0) {
            return false;
        }
    }
    return true;
}

static void add_legs(model_account *accounts, size_t count, const model_draft *draft,
                     uint64_t seq) {
    for (size_t i = 0; i < draft->leg_count; i++) {
        model_account *account = find_in(accounts, count, draft->legs[i].account);
        if (draft->legs[i].side == MODEL_DEBIT) {
            account->debits += draft->legs[i].amount;
        } else {
            account->credits += draft->legs[i].amount;
        }
        account->updated_seq = seq;
    }
}

/* Every account that the draft touched, after the whole draft. */
static bool within_limits(model_account *accounts, size_t count, const model_draft *draft) {
    for (size_t i = 0; i < draft->leg_count; i++) {
        const model_account *account = find_in(accounts, count, draft->legs[i].account);
        model_amount balance = model_balance(account);
        if ((account->has_min && balance < account->min) ||
            (account->has_max && balance > account->max)) {
            return false;
        }
    }
    return true;
}

static const char *judge_event(const model_book *book, const model_event *event) {
    if (event->kind == MODEL_OPENED) {
        return model_find_account(book, event->account.name) ? "an account is opened twice" : NULL;
    }
    const model_draft *draft = &event->draft;
    if (draft->leg_count < 2) {
        return "a transaction has fewer than two legs";
    }
    for (size_t i = 0; i < draft->leg_count; i++) {
        if (!model_find_account(book, draft->legs[i].account)) {
            return "a posting names an account that is not open";
        }
        if (draft->legs[i].amount <= 0) {
            return "an amount is not positive";
        }
    }
    if (!balanced(book->accounts, book->account_count, draft)) {
        return "a transaction does not balance";
    }
    return model_find_key(book, draft->key) ? "a key is used twice" : NULL;
}

static void push_account(model_account **accounts, size_t *count, const model_account *opened,
                         uint64_t seq) {
    *accounts = grow(*accounts, *count, sizeof **accounts);
    model_account *account = &(*accounts)[(*count)++];
    *account = *opened;
    account->opened_seq = seq;
    account->updated_seq = seq;
    account->debits = 0;
    account->credits = 0;
}

const char *model_append(model_book *book, const model_event *event) {
    const char *wrong = judge_event(book, event);
    uint64_t seq = book->event_count + 1;
    book->events = grow(book->events, book->event_count, sizeof *book->events);
    book->events[book->event_count++] = *event;
    if (wrong) {
        return wrong;
    }
    if (event->kind == MODEL_OPENED) {
        push_account(&book->accounts, &book->account_count, &event->account, seq);
        return NULL;
    }
    add_legs(book->accounts, book->account_count, &event->draft, seq);
    return within_limits(book->accounts, book->account_count, &event->draft)
               ? NULL
               : "a limit is not kept";
}

model_account *model_replay(const model_book *book, uint64_t seq, size_t *out_count) {
    model_account *accounts = NULL;
    size_t count = 0;
    for (uint64_t i = 1; i <= seq && i <= book->event_count; i++) {
        const model_event *event = &book->events[i - 1];
        if (event->kind == MODEL_OPENED) {
            push_account(&accounts, &count, &event->account, i);
        } else {
            add_legs(accounts, count, &event->draft, i);
        }
    }
    *out_count = count;
    return accounts;
}

/* ---- Units ------------------------------------------------------------------------------------ */

void model_unit_clear(model_unit *unit) {
    free(unit->ops);
    *unit = (model_unit){.count = 0};
}

void model_unit_truncate(model_unit *unit, size_t count) {
    if (count < unit->count) {
        unit->count = count;
    }
    bool bound = false;
    for (size_t i = 0; i < unit->count; i++) {
        bound = bound || !unit->ops[i].refused;
    }
    if (!bound) {
        unit->book[0] = '\0'; /* nothing is staged: the next draft may go to any book */
    }
}

static model_op *push_op(model_unit *unit, bool optional) {
    unit->ops = grow(unit->ops, unit->count, sizeof *unit->ops);
    model_op *op = &unit->ops[unit->count++];
    *op = (model_op){.optional = optional};
    return op;
}

/* An account as this unit may name it: durable, or opened earlier in the unit. */
static const model_account *visible_account(model *m, const model_unit *unit, const char *book,
                                            const char *name) {
    const model_book *found = model_find_book(m, book);
    const model_account *account = found ? model_find_account(found, name) : NULL;
    for (size_t i = 0; !account && i < unit->count; i++) {
        const model_op *op = &unit->ops[i];
        if (op->is_account && !op->refused && strcmp(op->account.name, name) == 0) {
            account = &op->account;
        }
    }
    return account;
}

static bool same_definition(const model_account *a, const model_account *b) {
    return strcmp(a->asset, b->asset) == 0 && strcmp(a->kind, b->kind) == 0 && a->side == b->side &&
           a->has_min == b->has_min && a->has_max == b->has_max &&
           (!a->has_min || a->min == b->min) && (!a->has_max || a->max == b->max);
}

static const char *refuse(model_unit *unit, const char *error, bool optional, const char *key) {
    if (optional) {
        model_op *op = push_op(unit, true);
        op->refused = error;
        copy_text(op->draft.key, sizeof op->draft.key, key);
        return NULL;
    }
    return error;
}

static const char *check_book(const model_unit *unit, const char *book) {
    if (unit->book[0] && strcmp(unit->book, book) != 0) {
        return "mixed_books";
    }
    return book[0] == '_' ? "invalid_book" : NULL;
}

const char *model_unit_open(model *m, model_unit *unit, const char *book,
                            const model_account *account, bool optional) {
    const char *error = check_book(unit, book);
    if (!error && !model_has_asset(m, account->asset)) {
        error = "unknown_asset";
    }
    const model_account *known = error ? NULL : visible_account(m, unit, book, account->name);
    if (known && !same_definition(known, account)) {
        error = "already_exists";
    }
    if (error) {
        return refuse(unit, error, optional, "");
    }
    model_op *op = push_op(unit, optional);
    op->is_account = true;
    op->account = *account;
    copy_text(unit->book, sizeof unit->book, book);
    return NULL;
}

static const char *judge_draft(model *m, const model_unit *unit, const char *book,
                               const model_draft *draft) {
    model_account named[MODEL_LEGS_MAX];
    const char *error = NULL; /* shape, then the book, then names */
    for (size_t i = 0; !error && i < draft->leg_count; i++) {
        if (draft->legs[i].amount <= 0) {
            error = "invalid_amount";
        }
    }
    if (!error) {
        error = check_book(unit, book);
    }
    for (size_t i = 0; !error && i < draft->leg_count; i++) {
        const model_account *account = visible_account(m, unit, book, draft->legs[i].account);
        if (!account) {
            error = "unknown_account";
        } else {
            named[i] = *account;
        }
    }
    return !error && !balanced(named, draft->leg_count, draft) ? "unbalanced" : error;
}

const char *model_unit_post(model *m, model_unit *unit, const char *book, const model_draft *draft,
                            bool optional) {
    const char *error = judge_draft(m, unit, book, draft);
    if (error) {
        return refuse(unit, error, optional, draft->key);
    }
    model_op *op = push_op(unit, optional);
    op->draft = *draft;
    copy_text(unit->book, sizeof unit->book, book);
    return NULL;
}

static const char *commit_account(model_book *book, model_op *op) {
    const model_account *known = model_find_account(book, op->account.name);
    if (known && !same_definition(known, &op->account)) {
        return "already_exists";
    }
    op->status = known ? MODEL_DEDUPLICATED : MODEL_COMMITTED;
    op->seq = known ? known->opened_seq : book->event_count + 1;
    if (!known) {
        model_event event = {.kind = MODEL_OPENED, .account = op->account};
        (void)model_append(book, &event);
    }
    return NULL;
}

static const char *commit_draft(model_book *book, model_op *op) {
    uint64_t first = model_find_key(book, op->draft.key);
    if (first) {
        op->seq = first;
        op->status = MODEL_DEDUPLICATED;
        return model_same_content(&book->events[first - 1].draft, &op->draft)
                   ? NULL
                   : "idempotency_conflict";
    }
    for (size_t i = 0; i < op->draft.leg_count; i++) { /* its opening was refused */
        if (!model_find_account(book, op->draft.legs[i].account)) {
            return "unknown_account";
        }
    }
    model_account saved[MODEL_LEGS_MAX];
    for (size_t i = 0; i < op->draft.leg_count; i++) {
        saved[i] = *model_find_account(book, op->draft.legs[i].account);
    }
    model_event event = {.kind = MODEL_POSTED, .draft = op->draft};
    if (model_append(book, &event)) { /* a limit: nothing else is left to be wrong */
        book->event_count--;
        for (size_t i = 0; i < op->draft.leg_count; i++) {
            *model_find_account(book, saved[i].name) = saved[i];
        }
        return "constraint_violation";
    }
    op->seq = book->event_count;
    op->status = MODEL_COMMITTED;
    return NULL;
}

/* As it was before the unit. */
static void restore(model_book *book, const model_account *accounts, size_t account_count,
                    size_t event_count) {
    if (account_count > 0) {
        memcpy(book->accounts, accounts, account_count * sizeof *accounts);
    }
    book->account_count = account_count;
    book->event_count = event_count;
}

const char *model_unit_commit(model *m, model_unit *unit) {
    const char *error = NULL;
    if (unit->book[0] == '\0') {
        for (size_t i = 0; i < unit->count; i++) {
            unit->ops[i].status = MODEL_REJECTED;
            unit->ops[i].error = unit->ops[i].refused;
        }
        return NULL;
    }
    model_book *book = model_make_book(m, unit->book);
    size_t account_count = book->account_count;
    size_t event_count = book->event_count;
    model_account *accounts = malloc((account_count + 1) * sizeof *accounts);
    if (!accounts) {
        abort();
    }
    if (account_count > 0) {
        memcpy(accounts, book->accounts, account_count * sizeof *accounts);
    }
    for (size_t i = 0; i < unit->count && !error; i++) {
        model_op *op = &unit->ops[i];
        op->error = op->refused      ? op->refused
                    : op->is_account ? commit_account(book, op)
                                     : commit_draft(book, op);
        if (op->error) {
            op->status = MODEL_REJECTED;
            error = op->optional ? NULL : op->error;
        }
    }
    if (error) {
        restore(book, accounts, account_count, event_count);
        unit->failed = true;
    }
    free(accounts);
    return error;
}

/* ---- Text ------------------------------------------------------------------------------------- */

model_amount model_parse(const char *text) {
    model_amount value = 0;
    const char *digits = text[0] == '-' ? text + 1 : text;
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        value = value * 10 + (text[0] == '-' ? '0' - *digits : *digits - '0');
    }
    return value;
}

const char *model_format(model_amount value, char out[48]) {
    char reversed[48];
    size_t count = 0;
    size_t length = 0;
    bool negative = value < 0;
    do {
        int digit = (int)(value % 10);
        reversed[count++] = (char)('0' + (digit < 0 ? -digit : digit));
        value /= 10;
    } while (value != 0);
    if (negative) {
        out[length++] = '-';
    }
    while (count > 0) {
        out[length++] = reversed[--count];
    }
    out[length] = '\0';
    return out;
}
