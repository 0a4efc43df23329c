/* Values below 8 have a bucket each; above, eight buckets for each power of two. */
#include "engine/histogram.h"

static unsigned bucket_of(uint64_t value) {
    if (value < 8) {
        return (unsigned)value;
    }
    unsigned power = 63U - (unsigned)__builtin_clzll(value); /* >= 3 */
    unsigned bucket = (power - 2) * 8 + (unsigned)((value >> (power - 3)) & 7);
    return bucket < TL_HISTOGRAM_BUCKETS ? bucket : TL_HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_edge(unsigned bucket) {
    if (bucket < 8) {
        return bucket;
    }
    unsigned power = bucket / 8 + 2;
    uint64_t width = 1ULL << (power - 3);
    return (1ULL << power) + (bucket % 8 + 1) * width - 1;
}

void tl_histogram_add(tl_histogram *histogram, uint64_t value) {
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
}

uint64_t tl_histogram_percentile(const tl_histogram *histogram, unsigned percent) {
    uint64_t wanted = (histogram->total * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < TL_HISTOGRAM_BUCKETS && histogram->total > 0; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted) {
            return upper_edge(i);
        }
    }
    return 0;
}
