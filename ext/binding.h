/*
 * binding.h: the inside of a connection: its bindings, and what each of them holds.
 *
 * Purpose:    the structs shared by connection.c, binding.c, transaction.c, pin.c and functions.c.
 * Owns:       see each struct.
 * Threads:    the connection's own thread.
 * Errors:     a talea_code, words in `err`.
 */
#ifndef TLX_BINDING_H
#define TLX_BINDING_H

#include "connection.h"
#include "json.h"
#include "uri.h"

/* ---- A ledger's handle ----------------------------------------------------------------------- */

/* Shared by the binding, the pins of open cursors and the units: a cursor that is open keeps
 * reading its ledger when talea_open or talea_close has turned the binding elsewhere. */
typedef struct tlx_ledger {
    talea_ledger *handle;
    int refs;
} tlx_ledger;

tlx_ledger *tlx_ledger_ref(tlx_ledger *ledger);
void tlx_ledger_unref(tlx_ledger *ledger); /* NULL is fine */

/* ---- The SQL transaction of a binding (transaction.c) ---------------------------------------- */

/* A unit, and the handle that it lives by. */
typedef struct tlx_work {
    talea_unit *unit;
    tlx_ledger *ledger;
    struct tlx_work *next; /* of the same SQL transaction */
} tlx_work;

typedef enum tlx_phase { TLX_IDLE, TLX_OPEN, TLX_DURABLE, TLX_FAILED } tlx_phase;

enum { TLX_REFUSAL_TEXT_BYTES_MAX = 256 };

/* The one draft of a statement that failed in xUpdate, for `results`. */
typedef struct tlx_refusal {
    bool given;
    bool has_book;
    bool has_key;
    talea_error error;
    size_t book_len;
    size_t key_len;
    char book[TLX_REFUSAL_TEXT_BYTES_MAX];
    char key[TLX_REFUSAL_TEXT_BYTES_MAX];
} tlx_refusal;

typedef struct tlx_transaction {
    tlx_phase phase;
    bool attempted; /* a draft reached xUpdate: `results` will be about this transaction */
    tlx_work *work; /* what is staged; NULL: nothing yet */
    tlx_work *done; /* what has been handed to the writer, in order; more than one only after a
                       COMMIT that SQLite itself refused */
    size_t *marks;  /* marks[n]: operations staged when savepoint n was opened */
    int mark_count;
    int mark_cap;
    tlx_refusal refusal;
} tlx_transaction;

/* ---- A binding ------------------------------------------------------------------------------- */

typedef enum tlx_bound {
    TLX_UNRESOLVED, /* at the default location, not looked for yet, or not found yet */
    TLX_BOUND,
    TLX_FALLBACK, /* at the default location; another process writes: read-only for now */
    TLX_CLOSED    /* by talea_close */
} tlx_bound;

struct tlx_binding {
    tlx_connection *connection;
    tlx_binding *next;
    char *schema;
    int tables;   /* connected ones */
    bool dropped; /* no longer listed; freed with its last table */
    tlx_bound bound;
    tlx_ledger *ledger; /* when BOUND or FALLBACK */
    tlx_transaction tx;
    tlx_work *results; /* of the last SQL transaction that wrote here */
    tlx_refusal refusal;
    tlx_pin *pins;    /* live ones, the latest first */
    uint64_t commits; /* own ones; a pin older than the last is not shared any more */
};

struct tlx_connection {
    sqlite3 *db;
    int refs;
    int tables; /* connected ones: cached statements go with the last */
    tlx_binding *bindings;
    tlx_binding *writer; /* the one binding that holds drafts in the open SQL transaction */
    tlx_json json;
};

/* With one reference, the caller's; NULL: out of memory. */
tlx_connection *tlx_connection_new(sqlite3 *db);

/* By name as SQLite compares names; NULL when there is none. */
tlx_binding *tlx_binding_find(const tlx_connection *connection, const char *schema);
/* A new binding, unresolved when it is `talea`, else closed; NULL: out of memory. */
tlx_binding *tlx_binding_add(tlx_connection *connection, const char *schema);
/* Takes it off the list; freed at once or with its last table. */
void tlx_binding_drop(tlx_binding *binding);
/* A table came (+1) or went (-1). */
void tlx_binding_count_table(tlx_binding *binding, int change);

/* The ledger to read from; *out_ledger is NULL, and the code OK, when its directory is not there
 * yet. The reference is the binding's. */
talea_code tlx_binding_reader(tlx_binding *binding, tlx_ledger **out_ledger, talea_error *err);
/* The ledger to write to, created when it is missing at the default location. */
talea_code tlx_binding_writer(tlx_binding *binding, tlx_ledger **out_ledger, talea_error *err);

/* Opens `location` and binds it in the place of what was bound; when it fails, nothing changes. */
talea_code tlx_binding_open(tlx_binding *binding, const tlx_location *location, talea_error *err);
/* Releases what is bound; whether there was anything. */
bool tlx_binding_close(tlx_binding *binding);

/* ---- transaction.c for the others ------------------------------------------------------------ */

/* Whether drafts are staged that a COMMIT would post. */
bool tlx_staged(const tlx_binding *binding);
/* The unit that takes a draft for `book`, made when there is none. */
talea_code tlx_stage_begin(tlx_table *table, talea_text book, talea_unit **out_unit,
                           talea_error *err);
/* A draft was staged. */
void tlx_stage_done(tlx_table *table);
/* What SQLite undoes because a draft was refused in xUpdate. */
typedef enum tlx_undone {
    TLX_UNDONE_NOTHING, /* OR IGNORE, OR FAIL: `results` will show the draft in its place */
    TLX_UNDONE_STATEMENT,
    TLX_UNDONE_TRANSACTION /* autocommit, OR ROLLBACK: `results` will show this draft alone */
} tlx_undone;

talea_code tlx_stage_refused(tlx_table *table, talea_text book, talea_text key, bool optional,
                             const talea_error *why, tlx_undone undone, talea_error *err);
/* Forgets the results, which hold on to a ledger. */
void tlx_results_clear(tlx_binding *binding);
void tlx_work_free(tlx_work *work); /* and those after it */

#endif
