/*
 * table_verify.c: `verify`: reads every byte of the log and recomputes every projection, book by
 * book.
 *
 * The findings of one book are collected, then shown, then the next book is read: LIMIT and an
 * early end of the statement save the rest. Inside a book the engine asks, now and then, whether
 * the statement was interrupted.
 */
#include "columns.h"
#include "error.h"
#include "insert.h"
#include "scan.h"
#include "tables.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

enum { FINDINGS_MAX = 10000 }; /* of one book: past it, it is damaged enough */

static const tlx_plan_column plan_columns[] = {
    {VERIFY_BOOK, TLX_ROLE_BOOK, "book"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .rows = 10,
    .row_cost = 1e7, /* the whole log */
};

typedef struct finding {
    uint64_t checked;
    char *problem; /* NULL: none; both in one block, `detail` first */
    char *detail;
} finding;

typedef struct verify_cursor {
    tlx_cursor base;
    tlx_book_walk books;
    size_t index;      /* of the current book among all */
    finding *findings; /* of the current book */
    size_t count;
    size_t capacity;
    size_t current;
    bool failed; /* no memory for a finding */
} verify_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(verify_cursor), out_cursor);
}

static void forget_findings(verify_cursor *cursor) {
    for (size_t i = 0; i < cursor->count; i++) {
        free(cursor->findings[i].detail);
    }
    cursor->count = 0;
    cursor->current = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    verify_cursor *cursor = (verify_cursor *)base;
    forget_findings(cursor);
    free(cursor->findings);
    return tlx_cursor_close(base);
}

/* ---- Collecting ------------------------------------------------------------------------------ */

static bool grow(verify_cursor *cursor) {
    size_t capacity = cursor->capacity == 0 ? 8 : cursor->capacity * 2;
    finding *grown = realloc(cursor->findings, capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    cursor->findings = grown;
    cursor->capacity = capacity;
    return true;
}

static bool collect(void *context, const talea_finding *found) {
    verify_cursor *cursor = context;
    size_t detail_bytes = strlen(found->detail) + 1;
    size_t problem_bytes = found->problem != NULL ? strlen(found->problem) + 1 : 0;
    char *text = malloc(detail_bytes + problem_bytes);
    if (text == NULL || (cursor->count == cursor->capacity && !grow(cursor))) {
        free(text);
        cursor->failed = true;
        return false;
    }
    finding *kept = &cursor->findings[cursor->count++];
    memcpy(text, found->detail, detail_bytes);
    *kept = (finding){.checked = found->checked, .detail = text};
    if (found->problem != NULL) {
        kept->problem = memcpy(text + detail_bytes, found->problem, problem_bytes);
    }
    return cursor->count < FINDINGS_MAX;
}

#if SQLITE_VERSION_NUMBER >= 3041000

static bool is_interrupted(const verify_cursor *cursor) {
    return sqlite3_libversion_number() >= 3041000 &&
           sqlite3_is_interrupted(tlx_table_db(cursor->base.table)) != 0;
}

#else /* it cannot be asked: an interrupt is seen between two books */

static bool is_interrupted(const verify_cursor *cursor) {
    (void)cursor;
    return false;
}

#endif

static bool go_on(void *context) {
    return !is_interrupted(context);
}

static int verify_book(verify_cursor *cursor) {
    talea_error err;
    cursor->failed = false;
    talea_code code = talea_verify(tlx_pin_ledger(cursor->base.pin), cursor->books.name, collect,
                                   go_on, cursor, &err);
    if (is_interrupted(cursor)) {
        return SQLITE_INTERRUPT;
    }
    if (cursor->failed) {
        return SQLITE_NOMEM;
    }
    return tlx_cursor_result(&cursor->base, code, &err);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static int next(sqlite3_vtab_cursor *base) {
    verify_cursor *cursor = (verify_cursor *)base;
    cursor->current++;
    while (cursor->current >= cursor->count) {
        forget_findings(cursor);
        if (!tlx_book_walk_name(&cursor->books)) {
            cursor->base.eof = true;
            return SQLITE_OK;
        }
        bool found = false;
        talea_error err;
        talea_code code = tlx_book_index(tlx_pin_view(cursor->base.pin), cursor->books.name, &found,
                                         &cursor->index, &err);
        int rc = tlx_cursor_result(&cursor->base, code, &err);
        if (rc == SQLITE_OK && found) {
            rc = verify_book(cursor);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    verify_cursor *cursor = (verify_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    forget_findings(cursor);
    talea_error err;
    talea_code code = tlx_book_walk_start(&cursor->books, tlx_pin_view(cursor->base.pin),
                                          &cursor->base.filter, &err);
    return code == TALEA_OK ? next(base) : tlx_cursor_result(&cursor->base, code, &err);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const verify_cursor *cursor = (const verify_cursor *)base;
    const finding *found = &cursor->findings[cursor->current];
    switch (number) {
    case VERIFY_BOOK: tlx_result_text(context, cursor->books.name); break;
    case VERIFY_CHECKED: sqlite3_result_int64(context, (sqlite3_int64)found->checked); break;
    case VERIFY_PROBLEM:
        if (found->problem != NULL) {
            sqlite3_result_text(context, found->problem, -1, SQLITE_TRANSIENT);
        }
        break;
    case VERIFY_DETAIL: sqlite3_result_text(context, found->detail, -1, SQLITE_TRANSIENT); break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    const verify_cursor *cursor = (const verify_cursor *)base;
    *out_rowid = (sqlite3_int64)((uint64_t)cursor->index << TLX_ROWID_ORDINAL_BITS) |
                 (sqlite3_int64)cursor->current;
    return SQLITE_OK;
}

const sqlite3_module tlx_module_verify = TLX_MODULE(best_index, open_cursor, close_cursor, filter,
                                                    next, column, rowid, tlx_insert_refused);
