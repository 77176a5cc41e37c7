/*
 * upkeep.h: what is removed from the database once it is old, by a thread of its own: events of the audit log, and accounts that were
 * never activated.
 *
 * In small steps with pauses between them, so that nobody else's statement waits for long; on a database connection that is there
 * only meanwhile. While the database is away nothing happens; the next round makes up for it. Several KDCs may do it at once.
 */
#ifndef KDC_UPKEEP_H
#define KDC_UPKEEP_H

#include "kdc/accounts.h"

struct upkeep;

struct upkeep_options {
    void *context; /* handed to the functions */
    /* On its own thread, at the begin and end of a round. NULL: memory is out. */
    struct accounts *(*start)(void *context);
    void (*stop)(void *context, struct accounts *accounts);
};

/* No thread runs yet. NULL when memory is out. */
struct upkeep *upkeep_new(const struct upkeep_options *options, const struct config *config)
    __attribute__((warn_unused_result));
/* -1 when there is no thread to be had. */
int upkeep_start(struct upkeep *upkeep) __attribute__((warn_unused_result));
/* Another configuration; the next round comes at once. Any thread. */
void upkeep_reload(struct upkeep *upkeep, const struct config *config);
/* Ends the thread behind its present step, and frees all; sets to NULL; *upkeep may be NULL. */
void upkeep_free(struct upkeep **upkeep);

#endif
