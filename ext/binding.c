/*
 * binding.c: which ledger a schema reads and writes.
 *
 * How: the default location is looked at when a statement first needs it, and again as long as
 * nothing is there: another connection may create it at any time.
 *
 *                    first read: nothing there
 *                        +------+
 *                        v      |      first read or write
 *     (talea) ------> UNRESOLVED ------------------------------> BOUND <----------+
 *                        |                                        | ^             |
 *                        | first read: another process writes     | |             | talea_open
 *                        v             a write gets the lock      | |             |
 *                     FALLBACK -----------------------------------|-+             |
 *                        |                  talea_close           v               |
 *                        +-------------------------------------> CLOSED ----------+
 *                                                                  ^
 *     (any other schema) ------------------------------------------+
 */
#include "binding.h"

#include "error.h"

#include <assert.h>
#include <errno.h>

/* ---- Handles --------------------------------------------------------------------------------- */

tlx_ledger *tlx_ledger_ref(tlx_ledger *ledger) {
    assert(ledger->refs > 0);
    ledger->refs++;
    return ledger;
}

void tlx_ledger_unref(tlx_ledger *ledger) {
    if (ledger && --ledger->refs == 0) {
        talea_ledger_close(ledger->handle);
        sqlite3_free(ledger);
    }
}

static talea_code open_ledger(const char *path, const talea_options *options,
                              tlx_ledger **out_ledger, talea_error *err) {
    tlx_ledger *ledger = sqlite3_malloc(sizeof *ledger);
    if (!ledger) {
        return tlx_error_nomem(err);
    }
    talea_code code = talea_ledger_open(path, options, &ledger->handle, err);
    if (code != TALEA_OK) {
        sqlite3_free(ledger);
        return code;
    }
    ledger->refs = 1;
    *out_ledger = ledger;
    return TALEA_OK;
}

/* Results refer to the old ledger, and would keep it open. */
static void rebind(tlx_binding *binding, tlx_bound bound, tlx_ledger *ledger) {
    assert(!tlx_staged(binding));
    if (binding->ledger) {
        tlx_results_clear(binding);
        tlx_ledger_unref(binding->ledger);
    }
    binding->ledger = ledger;
    binding->bound = bound;
}

/* ---- The list -------------------------------------------------------------------------------- */

tlx_binding *tlx_binding_find(const tlx_connection *connection, const char *schema) {
    tlx_binding *binding = connection->bindings;
    while (binding && sqlite3_stricmp(binding->schema, schema) != 0) {
        binding = binding->next;
    }
    return binding;
}

tlx_binding *tlx_binding_add(tlx_connection *connection, const char *schema) {
    assert(!tlx_binding_find(connection, schema));
    tlx_binding *binding = sqlite3_malloc(sizeof *binding);
    if (!binding) {
        return NULL;
    }
    *binding = (tlx_binding){.connection = connection};
    binding->schema = sqlite3_mprintf("%s", schema);
    if (!binding->schema) {
        sqlite3_free(binding);
        return NULL;
    }
    binding->bound = sqlite3_stricmp(schema, "talea") == 0 ? TLX_UNRESOLVED : TLX_CLOSED;
    binding->next = connection->bindings;
    connection->bindings = binding;
    return binding;
}

static void binding_free(tlx_binding *binding) {
    assert(binding->tables == 0);
    assert(!binding->pins);
    assert(!binding->tx.work);
    tlx_results_clear(binding);
    tlx_work_free(binding->tx.done);
    tlx_ledger_unref(binding->ledger);
    sqlite3_free(binding->tx.marks);
    sqlite3_free(binding->schema);
    sqlite3_free(binding);
}

void tlx_binding_drop(tlx_binding *binding) {
    tlx_binding **link = &binding->connection->bindings;
    while (*link != binding) {
        link = &(*link)->next;
    }
    *link = binding->next;
    binding->dropped = true;
    if (binding->tables == 0) {
        binding_free(binding);
    }
}

void tlx_binding_count_table(tlx_binding *binding, int change) {
    binding->tables += change;
    assert(binding->tables >= 0);
    if (binding->tables == 0 && binding->dropped) {
        binding_free(binding);
    }
}

/* ---- Finding the ledger ---------------------------------------------------------------------- */

static talea_code closed(const tlx_binding *binding, talea_error *err) {
    if (sqlite3_stricmp(binding->schema, "talea") == 0) {
        return tlx_error_set(
            err, TALEA_NO_LEDGER,
            "schema talea was closed; open a ledger with SELECT talea_open('DIR')");
    }
    return tlx_error_set(err, TALEA_NO_LEDGER,
                         "schema %s was closed; open a ledger with SELECT talea_open('DIR', '%s')",
                         binding->schema, binding->schema);
}

/* The default location; no_ledger when there is none. */
static talea_code default_path(const tlx_binding *binding, char **out_path, talea_error *err) {
    char *path = NULL;
    talea_code code = tlx_location_default(binding->connection->db, &path, err);
    if (code != TALEA_OK) {
        return code;
    }
    if (!path) {
        return tlx_error_set(err, TALEA_NO_LEDGER,
                             "the database is in memory, and TALEA_DIR is not set; open a ledger "
                             "with SELECT talea_open('DIR')");
    }
    *out_path = path;
    return TALEA_OK;
}

static talea_code open_in_mode(const char *path, talea_mode mode, tlx_ledger **out_ledger,
                               talea_error *err) {
    talea_options options;
    talea_options_default(&options);
    options.mode = mode;
    return open_ledger(path, &options, out_ledger, err);
}

static talea_code resolve_for_reading(tlx_binding *binding, talea_error *err) {
    char *path = NULL;
    talea_code code = default_path(binding, &path, err);
    if (code != TALEA_OK) {
        return code;
    }
    tlx_ledger *ledger = NULL;
    tlx_bound bound = TLX_BOUND;
    code = open_in_mode(path, TALEA_MODE_RW, &ledger, err);
    bool unwritable = code == TALEA_IO && (err->os_errno == EROFS || err->os_errno == EACCES);
    if (code == TALEA_LOCKED || unwritable) {
        bound = TLX_FALLBACK;
        code = open_in_mode(path, TALEA_MODE_RO, &ledger, err);
    }
    sqlite3_free(path);
    if (code == TALEA_OK) {
        rebind(binding, bound, ledger);
    }
    return code == TALEA_NO_LEDGER ? TALEA_OK : code; /* not there yet */
}

static talea_code resolve_for_writing(tlx_binding *binding, talea_error *err) {
    char *path = NULL;
    talea_code code = default_path(binding, &path, err);
    if (code != TALEA_OK) {
        return code;
    }
    tlx_ledger *ledger = NULL;
    code = open_in_mode(path, TALEA_MODE_RWC, &ledger, err);
    sqlite3_free(path);
    if (code == TALEA_OK) {
        rebind(binding, TLX_BOUND, ledger);
    }
    return code;
}

talea_code tlx_binding_reader(tlx_binding *binding, tlx_ledger **out_ledger, talea_error *err) {
    if (binding->bound == TLX_CLOSED) {
        return closed(binding, err);
    }
    if (binding->bound == TLX_UNRESOLVED) {
        talea_code code = resolve_for_reading(binding, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    *out_ledger = binding->ledger;
    return TALEA_OK;
}

talea_code tlx_binding_writer(tlx_binding *binding, tlx_ledger **out_ledger, talea_error *err) {
    if (binding->bound == TLX_CLOSED) {
        return closed(binding, err);
    }
    if (binding->bound != TLX_BOUND) {
        talea_code code = resolve_for_writing(binding, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    assert(binding->ledger);
    if (talea_ledger_read_only(binding->ledger->handle)) {
        return tlx_error_set(err, TALEA_READ_ONLY, "%s was opened with mode=ro",
                             talea_ledger_path(binding->ledger->handle));
    }
    *out_ledger = binding->ledger;
    return TALEA_OK;
}

/* ---- Opening and closing by name ------------------------------------------------------------- */

talea_code tlx_binding_open(tlx_binding *binding, const tlx_location *location, talea_error *err) {
    tlx_ledger *ledger = NULL;
    talea_code code = open_ledger(location->path, &location->options, &ledger, err);
    if (code == TALEA_OK) {
        rebind(binding, TLX_BOUND, ledger);
    }
    return code;
}

bool tlx_binding_close(tlx_binding *binding) {
    bool was_open = binding->ledger;
    rebind(binding, TLX_CLOSED, NULL);
    return was_open;
}
