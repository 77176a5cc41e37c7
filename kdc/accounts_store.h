/*
 * accounts_store.h: accounts.h on the real thing: a store of its own, and bcrypt. Logs when its database goes and comes.
 *
 * All that share a struct database_state learn from each other: while the database is away one at a time asks it, and the
 * others fail at once; when it is back, none waits for a backoff of its own.
 */
#ifndef KDC_ACCOUNTS_STORE_H
#define KDC_ACCOUNTS_STORE_H

#include "kdc/accounts.h"

#include <pthread.h>

#define DATABASE_CAUSE_MAX 256

/* Whether the database can be reached: shared by the workers and the journal; whoever looked last tells. */
struct database_state {
    pthread_mutex_t lock; /* guards the rest */
    bool looked;
    bool reachable;                 /* and can be used */
    bool away;                      /* it didn't answer the last question */
    bool trying;                    /* somebody asks it, while it is away */
    uint64_t told;                  /* monotonic milliseconds: the log's last line about it */
    char cause[DATABASE_CAUSE_MAX]; /* a sentence, while it isn't reachable */
};

/* 0, or -1. */
int database_state_init(struct database_state *state) __attribute__((warn_unused_result));
void database_state_clear(struct database_state *state);
/* Any thread: true when it is reachable; else `cause` tells why. */
bool database_state_get(struct database_state *state, char cause[DATABASE_CAUSE_MAX]);

/* Any thread: whether it didn't answer the last question. */
bool database_state_away(struct database_state *state);

/* Doesn't connect yet. NULL when memory is out. `state` is lent and outlives it. */
struct accounts *accounts_store_new(const struct config *config, struct database_state *state)
    __attribute__((warn_unused_result));
void accounts_store_free(struct accounts **accounts); /* sets to NULL; *accounts may be NULL */

#endif
