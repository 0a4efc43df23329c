/*
 * limit.h: limit(c): what c threads could reach if there were no SQL and no ledger.
 *
 * Purpose:    threads hand records to one thread that writes whatever has gathered over pre-written space and syncs once.
 * Owns:       a limit owns its file and its writer.
 * Threads:    limit_put from any thread; it returns when the record is durable.
 */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

enum { LIMIT_RECORD_BYTES = 160 };

typedef struct limit limit;

limit *limit_open(const char *path);
void limit_put(limit *l, const char record[LIMIT_RECORD_BYTES]);
/* Waits for the writer. Nobody may be in limit_put. */
void limit_close(limit *l);

#endif
