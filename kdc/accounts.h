/*
 * accounts.h: what a job may ask about accounts: a table of functions, so that the protocol's side of the server runs on the
 * real database (accounts_store.h) as well as on a table in memory (tests).
 *
 * Results as in store.h. Calls may block; an object belongs to one thread at a time.
 */
#ifndef KDC_ACCOUNTS_H
#define KDC_ACCOUNTS_H

#include "kdc/store_registration.h"

struct accounts {
    /* The database. */
    enum store_result (*find)(struct accounts *accounts, const struct name *name, struct store_user *user);
    /* The four as in store_registration.h. */
    enum store_result (*enroll)(struct accounts *accounts, const struct store_registration *registration,
                                enum store_registered *outcome, uint64_t *id, uint64_t *epoch);
    enum store_result (*code_new)(struct accounts *accounts, const struct store_code *code,
                                  enum store_code_outcome *outcome, struct email *email, uint32_t *retry_after);
    enum store_result (*code_use)(struct accounts *accounts, uint64_t user, enum code_purpose purpose,
                                  const char *digest, enum store_code_outcome *outcome, uint64_t *epoch);
    enum store_result (*unactivated_remove)(struct accounts *accounts, unsigned days, unsigned max, uint64_t *removed);
    enum store_result (*rehash)(struct accounts *accounts, uint64_t id, const char *from, const char *to);
    enum store_result (*password)(struct accounts *accounts, uint64_t id, const char *from, const char *to,
                                  unsigned keep);
    enum store_result (*history)(struct accounts *accounts, uint64_t id, char (*hashes)[PASSWORD_HASH_LEN], size_t max,
                                 size_t *count);
    /* As store_source_known. */
    enum store_result (*source_known)(struct accounts *accounts, uint64_t id, const struct admission_source *source,
                                      bool *known);
    /* For the journal's thread. */
    enum store_result (*write)(struct accounts *accounts, struct store_batch *batch);
    enum store_result (*changes)(struct accounts *accounts, uint64_t *since, store_changed *changed, void *context);
    /* For the thread of upkeep.h. */
    enum store_result (*audit_expire)(struct accounts *accounts, unsigned days, unsigned max, uint64_t *removed);
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
