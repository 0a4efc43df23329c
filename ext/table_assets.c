/*
 * table_assets.c: `assets`, in the order of registration.
 */
#include "columns.h"
#include "insert.h"
#include "scan.h"
#include "tables.h"
#include "value.h"

static const tlx_plan_column plan_columns[] = {
    {ASSETS_ASSET, TLX_ROLE_ASSET, "asset"},
};

static const tlx_plan_spec plan_spec = {
    .columns = plan_columns,
    .column_count = sizeof plan_columns / sizeof *plan_columns,
    .keys = {TLX_ARG_BIT(TLX_ARG_ASSET)},
    .rows = 100,
    .row_cost = 1,
};

typedef struct assets_cursor {
    tlx_cursor base;
    uint32_t next; /* ordinal */
    uint32_t end;
    uint32_t ordinal; /* of the current row */
    const talea_asset_def *def;
} assets_cursor;

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    return tlx_plan(table, &plan_spec, info);
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor) {
    return tlx_cursor_open(table, sizeof(assets_cursor), out_cursor);
}

static int next(sqlite3_vtab_cursor *base) {
    assets_cursor *cursor = (assets_cursor *)base;
    while (cursor->next < cursor->end) {
        cursor->ordinal = cursor->next++;
        cursor->def = talea_view_asset(tlx_pin_view(cursor->base.pin), cursor->ordinal);
        if (tlx_name_matches(&cursor->base.filter.asset, cursor->def->asset)) {
            return SQLITE_OK;
        }
    }
    cursor->base.eof = true;
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                  sqlite3_value **argv) {
    (void)plan_text;
    assets_cursor *cursor = (assets_cursor *)base;
    int rc = tlx_cursor_filter(&cursor->base, plan, argc, argv);
    if (rc != SQLITE_OK || cursor->base.eof) {
        return rc;
    }
    talea_view *view = tlx_pin_view(cursor->base.pin);
    talea_error err;
    talea_code code = talea_view_asset_count(view, &cursor->end, &err); /* pins _system, too */
    if (code != TALEA_OK) {
        return tlx_cursor_result(&cursor->base, code, &err);
    }
    cursor->next = 0;
    const tlx_name_filter *asset = &cursor->base.filter.asset;
    if (asset->match == TLX_MATCH_ONE) {
        bool found = talea_view_find_asset(view, asset->text, &cursor->next);
        cursor->end = found ? cursor->next + 1 : cursor->next;
    }
    return next(base);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    const talea_asset_def *def = ((assets_cursor *)base)->def;
    switch (number) {
    case ASSETS_ASSET: tlx_result_text(context, def->asset); break;
    case ASSETS_CLASS:
        sqlite3_result_text(context, def->asset_class == TALEA_CLASS_FIAT ? "fiat" : "crypto", -1,
                            SQLITE_STATIC);
        break;
    case ASSETS_NETWORK: tlx_result_text(context, def->network); break;
    case ASSETS_NATIVE_ID: tlx_result_text(context, def->native_id); break;
    case ASSETS_PRECISION: sqlite3_result_int(context, (int)def->precision); break;
    case ASSETS_NAME: tlx_result_text(context, def->name); break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
    *out_rowid = ((assets_cursor *)base)->ordinal;
    return SQLITE_OK;
}

const sqlite3_module tlx_module_assets = TLX_MODULE(best_index, open_cursor, tlx_cursor_close,
                                                    filter, next, column, rowid, tlx_insert_asset);
