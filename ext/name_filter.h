/*
 * name_filter.h: which names (books, accounts, assets, keys, txids) an argument lets pass.
 *
 * Purpose:    equality with a value of any type, and the lists of an IN that is taken whole.
 * Owns:       copies of what it compares with.
 * Threads:    the connection's own thread.
 * Errors:     false for memory that ran out.
 *
 * A name compared with TEXT is compared by bytes. Compared with a number, the affinity of the other
 * side decides (a literal 5 becomes '5'; an INTEGER column makes a number of the name), and it is
 * not known here: names that could be equal either way pass, and SQLite looks again.
 */
#ifndef TLX_NAME_FILTER_H
#define TLX_NAME_FILTER_H

#include "sqlite_api.h"
#include "talea.h"

enum { TLX_FILTER_TEXT_BYTES_MAX = 255 }; /* the longest name or key that anything can have */

typedef enum tlx_match {
    TLX_MATCH_ANY,
    TLX_MATCH_ONE,    /* equal to `text` */
    TLX_MATCH_NUMBER, /* compared with a number: names that SQLite may find equal to it */
    TLX_MATCH_LIST    /* one of `list`, which is in byte order, without repetition */
} tlx_match;

/* Points into itself: not to be copied. */
typedef struct tlx_name_filter {
    tlx_match match;
    talea_text text; /* ONE: the name; NUMBER: as SQLite spells it; both lie in `bytes` */
    bool is_integer; /* NUMBER */
    int64_t integer;
    double real;
    talea_text *list;
    size_t count;
    char bytes[TLX_FILTER_TEXT_BYTES_MAX];
} tlx_name_filter;

void tlx_name_filter_init(tlx_name_filter *filter); /* lets everything pass */
void tlx_name_filter_clear(tlx_name_filter *filter);

/* Lets pass what equals `value`; *out_none when nothing does (NULL, a BLOB, text longer than any
 * name). */
bool tlx_name_filter_value(tlx_name_filter *filter, sqlite3_value *value, bool *out_none);
/* Lets pass what equals a value of the list (plan.h); everything, if a number is among them. */
bool tlx_name_filter_list(tlx_name_filter *filter, sqlite3_value *list);

/* Does the name pass? `name` as it is in the ledger. */
bool tlx_name_matches(const tlx_name_filter *filter, talea_text name);

int tlx_text_compare(talea_text a, talea_text b); /* bytes, as SQLite's BINARY */
talea_text tlx_text_of(sqlite3_value *value);     /* data NULL: out of memory, or SQL NULL */

/* Calls `each` for every value of an IN that was taken whole, until it returns false. */
typedef bool tlx_in_value_fn(void *context, sqlite3_value *value);
bool tlx_in_each(sqlite3_value *list, tlx_in_value_fn *each, void *context);

#endif
