/*
 * functions.c: opening, closing, waiting, and the version.
 *
 * How: arguments are checked first, then what talea_open may bind to, then the ledger is opened; a
 * call that fails leaves the binding as it was.
 */
#include "functions.h"

#include "binding.h"
#include "error.h"
#include "schema.h"
#include "value.h"

#include <assert.h>
#include <string.h>
#include <time.h>

/* ---- Arguments ------------------------------------------------------------------------------- */

/* A text without NUL, so it is NUL-terminated too. */
static talea_code text_argument(sqlite3_value *value, const char *name, talea_text *out_text,
                                talea_error *err) {
    talea_code code = tlx_value_text(value, name, out_text, err);
    if (code == TALEA_OK && (!out_text->data || out_text->len == 0)) {
        return tlx_error_set(err, TALEA_BAD_OPTION, "%s: must not be NULL or empty", name);
    }
    if (code == TALEA_INVALID_DRAFT) {
        err->code = TALEA_BAD_OPTION;
    }
    return code == TALEA_OK ? TALEA_OK : err->code;
}

static talea_code number_argument(sqlite3_value *value, const char *name, int64_t *out_number,
                                  talea_error *err) {
    if (sqlite3_value_type(value) != SQLITE_INTEGER) {
        return tlx_error_set(err, TALEA_BAD_OPTION, "%s: must be an INTEGER", name);
    }
    *out_number = sqlite3_value_int64(value);
    return TALEA_OK;
}

/* The optional last argument. */
static talea_code schema_argument(int argc, sqlite3_value **argv, int index,
                                  const char **out_schema, talea_error *err) {
    *out_schema = "talea";
    if (argc <= index) {
        return TALEA_OK;
    }
    talea_text text;
    talea_code code = text_argument(argv[index], "SCHEMA", &text, err);
    if (code == TALEA_OK) {
        *out_schema = text.data;
    }
    return code;
}

static talea_code known_binding(const tlx_connection *connection, const char *schema,
                                tlx_binding **out_binding, talea_error *err) {
    tlx_binding *binding = tlx_binding_find(connection, schema);
    if (!binding) {
        tlx_error_set(err, TALEA_BAD_OPTION, "schema %s holds no ledger of this connection",
                      schema);
        return TALEA_BAD_OPTION;
    }
    *out_binding = binding;
    return TALEA_OK;
}

/* Drafts must not be lost, nor end up in another ledger. */
static talea_code check_nothing_staged(const tlx_binding *binding, talea_error *err) {
    if (tlx_staged(binding)) {
        return tlx_error_set(
            err, TALEA_BAD_OPTION,
            "schema %s holds drafts of an open SQL transaction; COMMIT or ROLLBACK first",
            binding->schema);
    }
    return TALEA_OK;
}

/* ---- talea_open ------------------------------------------------------------------------------ */

/* The binding of a schema, which is attached when nobody has it yet. *out_new: it was. On failure
 * the function's error is set, and the result NULL. */
static tlx_binding *binding_for_open(sqlite3_context *context, tlx_connection *connection,
                                     const char *schema, bool *out_new) {
    talea_error err;
    tlx_binding *binding = tlx_binding_find(connection, schema);
    if (!binding && tlx_schema_exists(connection->db, schema)) {
        tlx_error_set(&err, TALEA_BAD_OPTION, "schema %s exists, and is not talea's", schema);
        tlx_fail_function(context, &err);
        return NULL;
    }
    if (binding && check_nothing_staged(binding, &err) != TALEA_OK) {
        tlx_fail_function(context, &err);
        return NULL;
    }
    *out_new = !binding;
    if (!binding) {
        binding = tlx_binding_add(connection, schema);
        if (!binding) {
            sqlite3_result_error_nomem(context);
            return NULL;
        }
    }
    char *message = NULL;
    int rc = tlx_schema_ensure(connection->db, schema, &message);
    if (rc != SQLITE_OK) {
        if (message) {
            sqlite3_result_error(context, message, -1);
        }
        sqlite3_result_error_code(context, rc);
        sqlite3_free(message);
        if (*out_new && !tlx_schema_exists(connection->db, schema)) {
            tlx_binding_drop(binding); /* else the next talea_open mends the schema */
        }
        return NULL;
    }
    return binding;
}

static void open_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
    tlx_connection *connection = sqlite3_user_data(context);
    talea_error err;
    talea_text where;
    const char *schema = NULL;
    tlx_location location;
    talea_code code = text_argument(argv[0], "PATH_OR_URI", &where, &err);
    if (code == TALEA_OK) {
        code = schema_argument(argc, argv, 1, &schema, &err);
    }
    if (code == TALEA_OK) {
        code = tlx_location_parse(where, &location, &err);
    }
    if (code != TALEA_OK) {
        tlx_fail_function(context, &err);
        return;
    }
    bool is_new = false;
    tlx_binding *binding = binding_for_open(context, connection, schema, &is_new);
    if (!binding) {
        sqlite3_free(location.path);
        return;
    }
    code = tlx_binding_open(binding, &location, &err);
    sqlite3_free(location.path);
    if (code == TALEA_OK) {
        sqlite3_result_text(context, talea_ledger_path(binding->ledger->handle), -1,
                            SQLITE_TRANSIENT);
        return;
    }
    tlx_fail_function(context, &err);
    if (is_new && tlx_schema_detach(connection->db, schema)) {
        tlx_binding_drop(binding);
    }
}

/* ---- talea_close ----------------------------------------------------------------------------- */

static void close_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
    tlx_connection *connection = sqlite3_user_data(context);
    talea_error err;
    const char *schema = NULL;
    tlx_binding *binding = NULL;
    talea_code code = schema_argument(argc, argv, 0, &schema, &err);
    if (code == TALEA_OK) {
        code = known_binding(connection, schema, &binding, &err);
    }
    if (code == TALEA_OK) {
        code = check_nothing_staged(binding, &err);
    }
    if (code != TALEA_OK) {
        tlx_fail_function(context, &err);
        return;
    }
    sqlite3_result_int(context, tlx_binding_close(binding));
    if (sqlite3_stricmp(schema, "talea") != 0 && tlx_schema_may_detach(connection->db) &&
        tlx_schema_detach(connection->db, schema)) {
        tlx_binding_drop(binding);
    }
}

/* ---- talea_wait ------------------------------------------------------------------------------ */

enum { LOOK_AGAIN_MS = 20 }; /* while the directory of the ledger is not there yet */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(int64_t ms) {
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

static int64_t left(int64_t began_ms, int64_t timeout_ms) {
    int64_t passed = now_ms() - began_ms;
    return passed < timeout_ms ? timeout_ms - passed : 0;
}

/* A ledger that does not exist yet is an empty one; it may be created while we wait. */
static talea_code wait_for(tlx_binding *binding, talea_text book, int64_t after_seq,
                           int64_t timeout_ms, uint64_t *out_watermark, talea_error *err) {
    if (after_seq < 0) { /* past already, even if there is no such book */
        after_seq = 0;
        timeout_ms = 0;
    }
    int64_t began_ms = now_ms();
    for (;;) {
        tlx_ledger *ledger = NULL;
        talea_code code = tlx_binding_reader(binding, &ledger, err);
        if (code != TALEA_OK) {
            return code;
        }
        int64_t left_ms = left(began_ms, timeout_ms);
        if (ledger) {
            return talea_wait(ledger->handle, book, (uint64_t)after_seq, left_ms, out_watermark,
                              err);
        }
        if (left_ms == 0) {
            *out_watermark = 0;
            return TALEA_OK;
        }
        sleep_ms(left_ms < LOOK_AGAIN_MS ? left_ms : LOOK_AGAIN_MS);
    }
}

static void wait_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
    tlx_connection *connection = sqlite3_user_data(context);
    talea_error err;
    talea_text book;
    int64_t after_seq = 0;
    int64_t timeout_ms = 0;
    const char *schema = NULL;
    tlx_binding *binding = NULL;
    uint64_t watermark = 0;
    talea_code code = text_argument(argv[0], "BOOK", &book, &err);
    if (code == TALEA_OK) {
        code = number_argument(argv[1], "AFTER_SEQ", &after_seq, &err);
    }
    if (code == TALEA_OK) {
        code = number_argument(argv[2], "TIMEOUT_MS", &timeout_ms, &err);
    }
    if (code == TALEA_OK) {
        code = schema_argument(argc, argv, 3, &schema, &err);
    }
    if (code == TALEA_OK) {
        code = known_binding(connection, schema, &binding, &err);
    }
    if (code == TALEA_OK) {
        code = wait_for(binding, book, after_seq, timeout_ms, &watermark, &err);
    }
    if (code == TALEA_OK) {
        sqlite3_result_int64(context, (sqlite3_int64)watermark);
    } else {
        tlx_fail_function(context, &err);
    }
}

/* ---- talea_version --------------------------------------------------------------------------- */

#define WORD(x) #x
#define VALUE(x) WORD(x)

#if defined(__clang__)
#define COMPILER                                                                                   \
    "clang " VALUE(__clang_major__) "." VALUE(__clang_minor__) "." VALUE(__clang_patchlevel__)
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif

#ifdef NDEBUG
#define BUILD "release"
#else
#define BUILD "debug"
#endif

static void version_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
    (void)argc;
    (void)argv;
    sqlite3_result_text(context, "talea " TALEA_VERSION " (" COMPILER ", " BUILD ")", -1,
                        SQLITE_STATIC);
}

/* ---- Registration ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int argc;
    int flags;
    void (*function)(sqlite3_context *context, int argc, sqlite3_value **argv);
} functions[] = {
    {"talea_open", 1, SQLITE_DIRECTONLY, open_function},
    {"talea_open", 2, SQLITE_DIRECTONLY, open_function},
    {"talea_close", 0, SQLITE_DIRECTONLY, close_function},
    {"talea_close", 1, SQLITE_DIRECTONLY, close_function},
    {"talea_wait", 3, 0, wait_function},
    {"talea_wait", 4, 0, wait_function},
    {"talea_version", 0, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, version_function},
};
enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

int tlx_functions_register(sqlite3 *db, tlx_connection *connection) {
    for (int i = 0; i < FUNCTION_COUNT; i++) {
        tlx_connection_ref(connection);
        int rc = sqlite3_create_function_v2(
            db, functions[i].name, functions[i].argc, SQLITE_UTF8 | functions[i].flags, connection,
            functions[i].function, NULL, NULL, tlx_connection_unref);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return SQLITE_OK;
}

void tlx_functions_unregister(sqlite3 *db) {
    for (int i = 0; i < FUNCTION_COUNT; i++) {
        sqlite3_create_function_v2(db, functions[i].name, functions[i].argc, SQLITE_UTF8, NULL,
                                   NULL, NULL, NULL, NULL);
    }
}
