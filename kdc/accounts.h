/*
 * accounts.h: what a job may ask about accounts: a table of functions, so that the protocol's side of the server runs on the
 * real database (accounts_store.h) as well as on a table in memory (tests).
 *
 * Results as in store.h. Calls may block; an object belongs to one thread at a time.
 */
#ifndef KDC_ACCOUNTS_H
#define KDC_ACCOUNTS_H

#include "kdc/store.h"

struct accounts {
    /* The database. */
    enum store_result (*find)(struct accounts *accounts, const struct name *name, struct store_user *user);
    enum store_result (*add)(struct accounts *accounts, const struct name *name, const char *hash, uint64_t *id);
    enum store_result (*rehash)(struct accounts *accounts, uint64_t id, const char *from, const char *to);
    /* For the journal's thread. */
    enum store_result (*write)(struct accounts *accounts, struct store_batch *batch);
    enum store_result (*changes)(struct accounts *accounts, uint64_t *since, store_changed *changed, void *context);
    /* A sentence about the last failure, lent; never a secret. */
    const char *(*error)(struct accounts *accounts);
    /* Passwords, as in crypto/password.h. */
    enum password_result (*hash)(struct accounts *accounts, const char *password, unsigned cost,
                                 char hash[PASSWORD_HASH_LEN]);
    enum password_result (*verify)(struct accounts *accounts, const char *password, const char *hash);
    void (*verify_nobody)(struct accounts *accounts, const char *password, unsigned cost);
    bool (*outdated)(struct accounts *accounts, const char *hash, unsigned cost);
    /* Called by a worker that has nothing to do, about every second: false while the database can't be reached. */
    bool (*tend)(struct accounts *accounts);
};

#endif
