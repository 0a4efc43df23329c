/*
 * histogram.h: latencies in buckets of at most 12.5 % width, HdrHistogram's idea with three bits of
 * precision.
 *
 * Purpose:    median and 99th percentile of a book's syncs in constant memory.
 * Owns:       nothing; plain data.
 * Threads:    none of its own.
 */
#ifndef TL_ENGINE_HISTOGRAM_H
#define TL_ENGINE_HISTOGRAM_H

#include <stdint.h>

enum { TL_HISTOGRAM_BUCKETS = 256 };

typedef struct tl_histogram {
    uint64_t total;
    uint32_t counts[TL_HISTOGRAM_BUCKETS];
} tl_histogram;

void tl_histogram_add(tl_histogram *histogram, uint64_t value);
/* The upper edge of the bucket that holds the given share (0..100, percent) of the values; 0 when
 * empty. */
uint64_t tl_histogram_percentile(const tl_histogram *histogram, unsigned percent);

#endif
