/*
 * classify.h: torn or rotten?
 *
 * Purpose:    FORMAT.md, "A defect", rules 1 to 5, for the place where the walk over a segment stopped.
 * Owns:       nothing.
 * Threads:    pure, but for reading.
 * Errors:     an errno when the file cannot be read, ENOMEM.
 */
#ifndef TL_LOG_CLASSIFY_H
#define TL_LOG_CLASSIFY_H

#include "log/walk.h"

typedef enum tl_verdict {
    TL_VERDICT_END,    /* only zeros: the log ends here */
    TL_VERDICT_TORN,   /* a write that was never acknowledged: [from, to) may be cut */
    TL_VERDICT_SHORT,  /* corruption by rule 1: the file was longer */
    TL_VERDICT_PROVEN, /* corruption by rule 2: a valid header lies behind */
    TL_VERDICT_ROTTEN  /* corruption by rule 5 */
} tl_verdict;

typedef struct tl_judgement {
    tl_verdict verdict;
    uint64_t from; /* TORN: the first and one past the last byte that is not zero */
    uint64_t to;
    tl_defect defect; /* of the three corruptions */
} tl_judgement;

/* `walk` has stopped at walk->end. */
int tl_classify(tl_walk *walk, tl_judgement *out_judgement);

#endif
