/*
 * schema.h: makes the database and brings it up to date: migrations, procedures, kdcd's account and its rights, from
 * the files under sql/ that are embedded in the program. For kdc-admin only.
 *
 * All of it may be done again at any time, by several at once (they take turns), and beside a running kdcd: what is
 * there already stays as it is. `store` is an administrator's, fresh from store_new; it serves for nothing else. Errors
 * as in store.h; store_error tells.
 */
#ifndef KDC_SCHEMA_H
#define KDC_SCHEMA_H

#include "kdc/store.h"

/* Told of each change: what ("database", "migration", "procedure", "password file", "account") and its name. */
typedef void schema_change(void *context, const char *what, const char *name);

/* The database, everything in it, and kdcd's account with the password of its password file, which is made with a
 * random one if it is missing. STORE_BROKEN when the schema is newer than this program. */
enum store_result schema_init(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));

/* The same in a database that is there (else STORE_NOT_FOUND), without the account and its password. */
enum store_result schema_migrate(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));

struct schema_status {
    char server[64]; /* its version */
    bool database;   /* there is one; otherwise what follows is 0 */
    unsigned number; /* of the newest migration that was applied; 0: none */
    unsigned needed; /* of the newest that this program has */
    unsigned procedures_missing;
    uint64_t users;
    uint64_t conversations;
    uint64_t audit; /* events */
};

enum store_result schema_status_get(struct store *store, struct schema_status *status)
    __attribute__((warn_unused_result));

#endif
