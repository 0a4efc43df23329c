/*
 * uri.h: where a ledger is: what talea_open is given, or the place that goes with the database.
 *
 * Purpose:    parses PATH_OR_URI; finds the default location.
 * Owns:       nothing; a location's path belongs to the caller.
 * Threads:    the connection's own thread; the default location reads the environment.
 * Errors:     bad_option, naming the parameter at fault; nomem.
 */
#ifndef TLX_URI_H
#define TLX_URI_H

#include "sqlite_api.h"
#include "talea.h"

typedef struct tlx_location {
    char *path; /* from sqlite3_malloc; a name when options.mode is TALEA_MODE_MEMORY */
    talea_options options;
} tlx_location;

/* Text that does not begin with "file:" is a path, taken as it is. ":memory:" is a ledger in memory
 * that nobody else can open, as it is to SQLite. A URI is read as SQLite reads its own, with these
 * parameters, each at most once:
 *
 *     mode            rwc (default) | rw | ro | memory (named by the path, shared in the process)
 *     segment_max     65536 .. 1073741824 bytes
 *     snapshot_every  0 (never) .. 2^63-1 events
 *     idem_hot_cap    1 .. 2^40 keys
 *     queue_depth     1 .. 2^20 units
 *     group_max       1 .. 2^20 units
 */
talea_code tlx_location_parse(talea_text path_or_uri, tlx_location *out_location, talea_error *err);

/* TALEA_DIR, else beside the main database. *out_path (from sqlite3_malloc) is NULL, and the code
 * OK, when there is no such place: the main database is in memory. */
talea_code tlx_location_default(sqlite3 *db, char **out_path, talea_error *err);

#endif
