/*
 * transaction.c: the unit of a SQL transaction, and the virtual table methods that move it.
 *
 * How: SQLite calls the methods once for each table that takes part, in the order in which they
 * joined; all tables of a binding share one unit, so the first call does the work and the others
 * find it done.
 *
 *                    tlx_sync:
 *                   overloaded
 *                     +----+
 *                     |    v    tlx_sync: durable                  tlx_commit
 *     IDLE --join---> OPEN ----------------------> DURABLE ---------------------> IDLE
 *                     ^  |                            |
 *                     |  +------------> FAILED        | tlx_stage_done, after a COMMIT
 *                     |   tlx_sync: refused, io       | that SQLite itself refused
 *                     |                               |
 *                     +-------------------------------+
 *
 *     tlx_rollback leads from any phase to IDLE.
 *
 * DURABLE, and not COMMITTED: after our xSync, the commit of SQLite's own files can still fail.
 * With SQLITE_BUSY the SQL transaction stays open, and its COMMIT or more drafts may follow; the
 * drafts that are durable stay posted whatever comes, and `results` says so.
 *
 * Savepoints. marks[n] is the number of operations that were staged when savepoint n was opened. A
 * table joins late, and is told of the innermost savepoint only; a savepoint that was opened before
 * the first table of the binding joined has nothing staged before it. So the array is kept without
 * gaps, and a gap is filled with 0. xRollbackTo(-1) goes back to the SAVEPOINT that opened the SQL
 * transaction.
 */
#include "binding.h"

#include "error.h"

#include <assert.h>
#include <string.h>

/* ---- Work ------------------------------------------------------------------------------------ */

void tlx_work_free(tlx_work *work) {
    while (work) {
        tlx_work *next = work->next;
        talea_unit_free(work->unit);
        tlx_ledger_unref(work->ledger);
        sqlite3_free(work);
        work = next;
    }
}

static talea_code work_new(tlx_binding *binding, tlx_work **out_work, talea_error *err) {
    tlx_ledger *ledger = NULL;
    talea_code code = tlx_binding_writer(binding, &ledger, err);
    if (code != TALEA_OK) {
        return code;
    }
    tlx_work *work = sqlite3_malloc(sizeof *work);
    if (!work) {
        return tlx_error_nomem(err);
    }
    code = talea_unit_new(ledger->handle, &work->unit, err);
    if (code != TALEA_OK) {
        sqlite3_free(work);
        return code;
    }
    work->ledger = tlx_ledger_ref(ledger);
    work->next = NULL;
    *out_work = work;
    return TALEA_OK;
}

static size_t staged_count(const tlx_binding *binding) {
    return binding->tx.work ? talea_unit_count(binding->tx.work->unit) : 0;
}

bool tlx_staged(const tlx_binding *binding) {
    return staged_count(binding) > 0;
}

void tlx_results_clear(tlx_binding *binding) {
    tlx_work_free(binding->results);
    binding->results = NULL;
    binding->refusal.given = false;
}

/* ---- Staging --------------------------------------------------------------------------------- */

static void join(tlx_table *table) {
    tlx_transaction *tx = &table->binding->tx;
    table->writing = true;
    assert(tx->phase != TLX_FAILED);
    if (tx->phase == TLX_IDLE) {
        tx->phase = TLX_OPEN;
    }
}

/* The user book of what is staged, or whatever else can name it. */
static talea_text staged_book(const tlx_binding *binding) {
    talea_text book = {NULL, 0};
    if (binding->tx.work) {
        book = talea_unit_book(binding->tx.work->unit);
    }
    if (!book.data) {
        book = (talea_text){"_system", strlen("_system")};
    }
    return book;
}

/* A SQL transaction is durable whole or not at all, and two ledgers share no sync. */
static talea_code mixed(const tlx_binding *writer, const tlx_binding *binding, talea_text book,
                        talea_error *err) {
    talea_text first = staged_book(writer);
    return tlx_error_set(err, TALEA_MIXED_BOOKS,
                         "one SQL transaction writes one book: \"%.*s\" of schema %s is staged, so "
                         "\"%.*s\" of schema %s must wait",
                         tlx_shown(first), first.data, writer->schema, tlx_shown(book),
                         book.data ? book.data : "", binding->schema);
}

talea_code tlx_stage_begin(tlx_table *table, talea_text book, talea_unit **out_unit,
                           talea_error *err) {
    tlx_binding *binding = table->binding;
    const tlx_binding *writer = binding->connection->writer;
    if (writer && writer != binding) {
        return mixed(writer, binding, book, err);
    }
    if (!binding->tx.work) {
        talea_code code = work_new(binding, &binding->tx.work, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    *out_unit = binding->tx.work->unit;
    return TALEA_OK;
}

void tlx_stage_done(tlx_table *table) {
    tlx_binding *binding = table->binding;
    join(table);
    binding->tx.attempted = true;
    binding->tx.phase = TLX_OPEN;
    binding->connection->writer = binding;
}

static size_t keep_text(char to[TLX_REFUSAL_TEXT_BYTES_MAX], talea_text text) {
    size_t len = text.len < TLX_REFUSAL_TEXT_BYTES_MAX ? text.len : TLX_REFUSAL_TEXT_BYTES_MAX;
    if (len > 0) {
        memcpy(to, text.data, len);
    }
    return len;
}

static void refusal_set(tlx_refusal *refusal, talea_text book, talea_text key,
                        const talea_error *why) {
    refusal->given = true;
    refusal->has_book = book.data;
    refusal->has_key = key.data;
    refusal->book_len = keep_text(refusal->book, book);
    refusal->key_len = keep_text(refusal->key, key);
    refusal->error = *why;
}

talea_code tlx_stage_refused(tlx_table *table, talea_text book, talea_text key, bool optional,
                             const talea_error *why, tlx_undone undone, talea_error *err) {
    tlx_transaction *tx = &table->binding->tx;
    join(table);
    tx->attempted = true;
    if (undone == TLX_UNDONE_TRANSACTION) {
        refusal_set(&tx->refusal, book, key, why);
    }
    if (undone != TLX_UNDONE_NOTHING) {
        return TALEA_OK;
    }
    if (!tx->work) {
        talea_code code = work_new(table->binding, &tx->work, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    tx->phase = TLX_OPEN;
    if (table->id == TLX_POSTINGS) {
        return talea_unit_refuse_line(tx->work->unit, book, key, optional, why, err);
    }
    return talea_unit_add_refused(tx->work->unit, book, key, why, err);
}

/* ---- Savepoints ------------------------------------------------------------------------------ */

static int push_mark(tlx_transaction *tx, size_t mark) {
    if (tx->mark_count == tx->mark_cap) {
        int cap = tx->mark_cap ? 2 * tx->mark_cap : 8;
        size_t *marks = sqlite3_realloc64(tx->marks, (sqlite3_uint64)cap * sizeof *marks);
        if (!marks) {
            return SQLITE_NOMEM;
        }
        tx->marks = marks;
        tx->mark_cap = cap;
    }
    tx->marks[tx->mark_count++] = mark;
    return SQLITE_OK;
}

int tlx_savepoint(sqlite3_vtab *vtab, int n) {
    const tlx_binding *binding = ((tlx_table *)vtab)->binding;
    tlx_transaction *tx = &((tlx_table *)vtab)->binding->tx;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && tx->mark_count <= n) { /* else another table has told us already */
        rc = push_mark(tx, tx->mark_count == n ? staged_count(binding) : 0);
    }
    return rc;
}

int tlx_release(sqlite3_vtab *vtab, int n) {
    tlx_transaction *tx = &((tlx_table *)vtab)->binding->tx;
    assert(n >= 0);
    if (tx->mark_count > n) {
        tx->mark_count = n;
    }
    return SQLITE_OK;
}

int tlx_rollback_to(sqlite3_vtab *vtab, int n) {
    tlx_binding *binding = ((tlx_table *)vtab)->binding;
    tlx_transaction *tx = &binding->tx;
    size_t mark = n >= 0 && n < tx->mark_count ? tx->marks[n] : 0;
    if (staged_count(binding) > mark) {
        talea_unit_truncate(tx->work->unit, mark);
    }
    if (!tlx_staged(binding) && binding->connection->writer == binding) {
        binding->connection->writer = NULL;
    }
    if (tx->mark_count > n + 1) {
        tx->mark_count = n + 1;
    }
    return SQLITE_OK;
}

/* ---- The end of the SQL transaction ---------------------------------------------------------- */

int tlx_begin(sqlite3_vtab *vtab) {
    join((tlx_table *)vtab);
    return SQLITE_OK;
}

/* Moves what was handed to the writer to `done`. Its operations are behind every savepoint. */
static void settle(tlx_transaction *tx, tlx_phase phase) {
    tlx_work **link = &tx->done;
    while (*link) {
        link = &(*link)->next;
    }
    *link = tx->work;
    tx->work = NULL;
    tx->phase = phase;
    for (int i = 0; i < tx->mark_count; i++) {
        tx->marks[i] = 0;
    }
}

/* last_insert_rowid() is the seq of the last draft that has one. */
static void publish_rowid(sqlite3 *db, const talea_unit *unit) {
    for (size_t i = talea_unit_outcome_count(unit); i-- > 0;) {
        talea_outcome outcome;
        talea_unit_outcome(unit, i, &outcome);
        if (outcome.status != TALEA_STATUS_REJECTED && outcome.seq > 0) {
            sqlite3_set_last_insert_rowid(db, (sqlite3_int64)outcome.seq);
            return;
        }
    }
}

int tlx_sync(sqlite3_vtab *vtab) {
    tlx_binding *binding = ((tlx_table *)vtab)->binding;
    tlx_transaction *tx = &binding->tx;
    if (tx->phase != TLX_OPEN) {
        assert(tx->phase != TLX_FAILED);
        return SQLITE_OK;
    }
    if (!tlx_staged(binding)) {
        tlx_work_free(tx->work);
        tx->work = NULL;
        tx->phase = TLX_DURABLE;
        return SQLITE_OK;
    }
    talea_error err;
    talea_code code = talea_unit_commit(tx->work->unit, &err);
    if (code == TALEA_OVERLOADED) {
        return tlx_fail(vtab, &err);
    }
    const talea_unit *unit = tx->work->unit;
    settle(tx, code == TALEA_OK ? TLX_DURABLE : TLX_FAILED);
    if (code != TALEA_OK) {
        return tlx_fail(vtab, &err);
    }
    binding->commits++;
    publish_rowid(binding->connection->db, unit);
    return SQLITE_OK;
}

/* `results` now speak of this SQL transaction, and the next one may begin. */
static void finish(tlx_table *table) {
    tlx_binding *binding = table->binding;
    tlx_transaction *tx = &binding->tx;
    table->writing = false;
    tx->mark_count = 0;
    if (tx->phase == TLX_IDLE) {
        return;
    }
    if (tx->attempted) {
        tlx_results_clear(binding);
        binding->results = tx->done;
        if (tx->refusal.given && !tx->done) {
            binding->refusal = tx->refusal;
        }
    } else {
        assert(!tx->done);
    }
    tlx_work_free(tx->work);
    tx->work = NULL;
    tx->done = NULL;
    tx->refusal.given = false;
    tx->attempted = false;
    tx->phase = TLX_IDLE;
    if (binding->connection->writer == binding) {
        binding->connection->writer = NULL;
    }
}

int tlx_commit(sqlite3_vtab *vtab) {
    tlx_table *table = (tlx_table *)vtab;
    tlx_phase phase = table->binding->tx.phase;
    assert(phase == TLX_IDLE || phase == TLX_DURABLE);
    (void)phase;
    finish(table);
    return SQLITE_OK;
}

int tlx_rollback(sqlite3_vtab *vtab) {
    tlx_table *table = (tlx_table *)vtab;
    const tlx_transaction *tx = &table->binding->tx;
    if (tx->phase != TLX_FAILED && tx->done) {
        sqlite3_log(
            SQLITE_WARNING,
            "talea: a SQL transaction was rolled back after its drafts had become durable in %s",
            talea_ledger_path(tx->done->ledger->handle));
    }
    finish(table);
    return SQLITE_OK;
}

/* ---- Results --------------------------------------------------------------------------------- */

size_t tlx_result_count(const tlx_binding *binding) {
    size_t count = binding->refusal.given ? 1 : 0;
    for (const tlx_work *work = binding->results; work; work = work->next) {
        count += talea_unit_outcome_count(work->unit);
    }
    return count;
}

static void refusal_outcome(const tlx_refusal *refusal, talea_outcome *out_outcome) {
    *out_outcome = (talea_outcome){.status = TALEA_STATUS_REJECTED,
                                   .error = refusal->error.code,
                                   .message = refusal->error.message};
    if (refusal->has_book) {
        out_outcome->book = (talea_text){refusal->book, refusal->book_len};
    }
    if (refusal->has_key) {
        out_outcome->key = (talea_text){refusal->key, refusal->key_len};
    }
}

void tlx_result(const tlx_binding *binding, size_t index, talea_outcome *out_outcome) {
    for (const tlx_work *work = binding->results; work; work = work->next) {
        size_t count = talea_unit_outcome_count(work->unit);
        if (index < count) {
            talea_unit_outcome(work->unit, index, out_outcome);
            return;
        }
        index -= count;
    }
    refusal_outcome(&binding->refusal, out_outcome);
}
