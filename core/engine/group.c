/*
 * A pending group: the encoded units that will share one write and one sync.
 *
 * Waiters and the pending list hold references. The last one keeps the group's memory in
 * book->spare for the next, so that a busy book allocates two or three groups in its life.
 */
#include "engine/engine.h"

tl_group *tl_group_new(tl_book *book) {
    tl_group *group = atomic_exchange(&book->spare, NULL);
    if (!group) {
        group = calloc(1, sizeof *group);
        if (!group) {
            return NULL;
        }
        tl_gate_init(&group->gate, 0);
    }
    if (!tl_group_begin(&group->writer, book->uid)) {
        tl_group_free(group);
        return NULL;
    }
    group->next = NULL;
    group->event_count = 0;
    group->unit_count = 0;
    group->taken = false;
    group->at = 0;
    group->error.code = TALEA_OK;
    atomic_store(&group->refs, 1);
    tl_gate_open(&group->gate, 0);
    return group;
}

void tl_group_free(tl_group *group) {
    if (group) {
        tl_gate_destroy(&group->gate);
        tl_buf_free(&group->writer.buf);
        free(group->offsets);
        free(group);
    }
}

void tl_group_unref(tl_book *book, tl_group *group) {
    if (atomic_fetch_sub(&group->refs, 1) != 1) {
        return;
    }
    if (group->writer.buf.cap > TL_GROUP_BYTES_SOFT) {
        tl_group_free(group); /* a bulk load should not be remembered for ever */
    } else {
        tl_group_free(atomic_exchange(&book->spare, group));
    }
}
