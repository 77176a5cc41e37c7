/*
 * accounts_store.h: accounts.h on the real thing: a store of its own, and bcrypt. Logs when its database goes and comes.
 *
 * All that share a struct database_state learn from each other: while the database is away one at a time asks it, and the
 * others fail at once; when it is back, none waits for a backoff of its own.
 */
#ifndef KDC_ACCOUNTS_STORE_H
#define KDC_ACCOUNTS_STORE_H

#include "kdc/accounts.h"
#include "kdc/call_troubles.h"
#include "kdc/store_stats.h"

#include <pthread.h>

#define DATABASE_CAUSE_MAX 256
#define DATABASE_OWNER_MAX 24

/* Whether the database can be reached: shared by the workers and the journal; whoever looked last tells. */
struct database_state {
    pthread_mutex_t lock; /* guards the rest */
    bool looked;
    bool reachable;                 /* and can be used */
    bool away;                      /* it didn't answer the last question */
    bool trying;                    /* somebody asks it, while it is away */
    uint64_t told;                  /* monotonic milliseconds: the log's last line about it */
    char cause[DATABASE_CAUSE_MAX]; /* a sentence, while it isn't reachable */
    struct call_troubles troubles;  /* while it is reachable */
    uint64_t
        no_rehash_until; /* monotonic milliseconds: accounts are another application's, whose hashes aren't ours to make */
    /* For operators: */
    uint64_t changed; /* milliseconds since 1970 UTC: when it came to be reachable, or not to be; 0: never looked */
    uint64_t failed;  /* likewise: the last failure */
    char error[DATABASE_CAUSE_MAX];          /* what that said; kept when all is well again */
    struct database_connection *connections; /* of those that share this, in the order of their owners' names */
};

/* One connection of the pool. Its stats are written by its owner's thread. */
struct database_connection {
    struct database_connection *next;
    char owner[DATABASE_OWNER_MAX]; /* "worker-1", "journal" */
    struct store_stats stats;
};

/* 0, or -1. */
int database_state_init(struct database_state *state) __attribute__((warn_unused_result));
void database_state_clear(struct database_state *state);
/* Any thread: true when it is reachable; else `cause` tells why. When it is reachable `cause` tells what it fails at all the
 * same; empty: nothing. */
bool database_state_get(struct database_state *state, char cause[DATABASE_CAUSE_MAX]);

/* Any thread: how it stands, for operators. */
struct database_report {
    bool reachable;
    char failing[DATABASE_CAUSE_MAX]; /* what it fails at although it is reachable; empty: nothing */
    char login[DATABASE_CAUSE_MAX];   /* likewise at finding accounts: nobody logs in with a password */
    uint64_t changed;                 /* as in struct database_state */
    uint64_t failed;
    char error[DATABASE_CAUSE_MAX];
};
struct database_report database_state_report(struct database_state *state);
/* Any thread: calls `each` for every connection, under the state's lock. */
void database_state_connections(struct database_state *state,
                                void (*each)(void *context, struct database_connection *connection), void *context);

/* Any thread: whether it didn't answer the last question. */
bool database_state_away(struct database_state *state);

/* Doesn't connect yet. NULL when memory is out. `state` is lent and outlives it. `owner` names it to operators. */
struct accounts *accounts_store_new(const struct config *config, struct database_state *state, const char *owner)
    __attribute__((warn_unused_result));
void accounts_store_free(struct accounts **accounts); /* sets to NULL; *accounts may be NULL */

#endif
