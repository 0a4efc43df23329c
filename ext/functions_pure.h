/*
 * functions_pure.h: SQL functions that need no ledger.
 *
 * Purpose:    talea_sum, talea_decimal, talea_minor: exact arithmetic on amounts.
 * Owns:       nothing.
 * Threads:    pure; SQLITE_DETERMINISTIC and SQLITE_INNOCUOUS.
 * Errors:     invalid_amount; nothing is ever rounded.
 */
#ifndef TLX_FUNCTIONS_PURE_H
#define TLX_FUNCTIONS_PURE_H

#include "sqlite_api.h"

int tlx_functions_register_pure(sqlite3 *db);
/* Takes them off the connection again, when loading fails half-way. */
void tlx_functions_unregister_pure(sqlite3 *db);

#endif
