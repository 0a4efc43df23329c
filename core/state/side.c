/*
 * Sides: which one a kind of account grows on, and a balance seen from there.
 */
#include "talea.h"

talea_i128 talea_balance(talea_side side, talea_i128 debits, talea_i128 credits) {
    return side == TALEA_SIDE_CREDIT ? credits - debits : debits - credits;
}

talea_side talea_kind_normal_side(talea_kind kind) {
    switch (kind) {
    case TALEA_KIND_ASSET:
    case TALEA_KIND_EXPENSE: return TALEA_SIDE_DEBIT;
    case TALEA_KIND_LIABILITY:
    case TALEA_KIND_INCOME:
    case TALEA_KIND_EQUITY: return TALEA_SIDE_CREDIT;
    case TALEA_KIND_CLEARING: break;
    }
    return TALEA_SIDE_NONE;
}
