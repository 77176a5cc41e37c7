/*
 * group_tables.h: the powers of the generators of the groups that policy accepts (dh_group_prepare), without which their
 * handshakes cost more: of the preferred group before the first connection, of the others beside the first ones, so that
 * large groups don't hold up the start.
 *
 * Thread: the main thread's; it makes one, which leaves signals alone and ends by itself.
 */
#ifndef KDC_KDCD_GROUP_TABLES_H
#define KDC_KDCD_GROUP_TABLES_H

#include "wire/handshake.h"

#include <pthread.h>
#include <stdbool.h>

struct group_tables {
    struct handshake_policy policy;
    pthread_t thread;
    bool runs;
};

/* -1: no memory for the preferred group's. */
int group_tables_start(struct group_tables *tables, const struct handshake_policy *policy)
    __attribute__((warn_unused_result));
/* Waits for the thread, if there is one. All zero is in order. */
void group_tables_end(struct group_tables *tables);

/* All of them, now. -1: memory is out. */
int group_tables_build(const struct handshake_policy *policy) __attribute__((warn_unused_result));

#endif
