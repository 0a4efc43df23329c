/*
 * insert_event.c: xUpdate of `events`: a draft of any number of postings, as JSON.
 */
#include "insert.h"

#include "binding.h"
#include "columns.h"
#include "error.h"
#include "row.h"
#include "value.h"

/* Only transactions are posted here; the other kinds of event have tables with columns of their
 * own. */
static bool is_transaction(tlx_row *row) {
    talea_text kind;
    talea_text definition;
    if (!tlx_row_text(row, EVENTS_KIND, "kind", false, &kind) ||
        !tlx_row_text(row, EVENTS_DEFINITION, "definition", false, &definition)) {
        return false;
    }
    if (tlx_text_is(kind, "account_opened")) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              "kind: an account is opened by INSERT INTO accounts");
    }
    if (tlx_text_is(kind, "asset_registered")) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              "kind: an asset is registered by INSERT INTO assets");
    }
    if (kind.data && !tlx_text_is(kind, "transaction_posted")) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT, "kind: '%.*s' is not transaction_posted",
                              tlx_shown(kind), kind.data);
    }
    if (definition.data) {
        return tlx_row_refuse(row, TALEA_INVALID_DRAFT,
                              "definition: a transaction has none; INSERT INTO accounts or assets");
    }
    return true;
}

static bool stage_event(tlx_row *row) {
    static const tlx_assigned assigned[] = {
        {EVENTS_SEQ, "seq"}, {EVENTS_AT, "at"}, {EVENTS_TXID, "txid"}, {0, NULL}};
    talea_draft draft;
    talea_text postings;
    bool good =
        tlx_row_book(row, EVENTS_BOOK) && is_transaction(row) && tlx_row_key(row, EVENTS_KEY) &&
        tlx_row_unassigned(row, assigned) &&
        tlx_row_time(row, EVENTS_OCCURRED_AT, "occurred_at", &draft.has_occurred_at,
                     &draft.occurred_at) &&
        tlx_row_text(row, EVENTS_POSTINGS, "postings", true, &postings) &&
        tlx_row_text(row, EVENTS_EXTERNAL_REFS, "external_refs", false, &draft.external_refs) &&
        tlx_row_text(row, EVENTS_METADATA, "metadata", false, &draft.metadata) &&
        tlx_json_legs(&row->table->binding->connection->json, tlx_table_db(row->table), postings,
                      &draft.legs, &draft.leg_count, &row->err) == TALEA_OK;
    if (!good) {
        return false;
    }
    draft.key = row->key;
    return tlx_row_post(row, &draft);
}

int tlx_insert_event(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
    return tlx_insert_row(vtab, argc, argv, rowid, stage_event);
}
