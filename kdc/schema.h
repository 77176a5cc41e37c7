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

/* Told of each change: what ("database", "migration", "procedure", "password file", "account") and its name; and, as SCHEMA_KEPT, of
 * each procedure that stays although it isn't ours: an operator has put it in place of ours. */
#define SCHEMA_KEPT "kept procedure"
typedef void schema_change(void *context, const char *what, const char *name);

/* The database, everything in it, and kdcd's account with the password of its password file, which is made with a
 * random one if it is missing. STORE_BROKEN when the schema is newer than this program. */
enum store_result schema_init(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));

/* The same in a database that is there (else STORE_NOT_FOUND), without the account and its password. */
enum store_result schema_migrate(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));

/* What schema_migrate would run: each piece of SQL, with what it makes and how that is called. Changes nothing. */
typedef void schema_piece(void *context, const char *what, const char *name, const char *sql);
enum store_result schema_plan(struct store *store, schema_piece *piece, void *context)
    __attribute__((warn_unused_result));

/* Looks at everything in the database that this program relies on, and at the server's settings. Told of each thing that was
 * looked at: well, or worth a word (an operator's doing), or wrong; `detail` says what, and what to do. */
enum schema_verdict { SCHEMA_WELL, SCHEMA_NOTED, SCHEMA_WRONG };
typedef void schema_finding(void *context, const char *what, enum schema_verdict verdict, const char *detail);
/* STORE_OK also when something is wrong; else not all could be looked at. */
enum store_result schema_check(struct store *store, schema_finding *finding, void *context)
    __attribute__((warn_unused_result));

/* ---- schema_backup.c: a backup is made and put back by MariaDB's own programs, which others start ---- */

/* Keeps all kdc-admins from changing the schema until the store is freed, and notes in the audit log that everything goes to
 * `shown`, by `actor`. *number is the schema's. STORE_NOT_FOUND: there is no database. */
enum store_result schema_backup_begin(struct store *store, const char *actor, const char *shown, unsigned *number)
    __attribute__((warn_unused_result));

#define SCHEMA_DATABASE_MAX 64 /* bytes of a database's name */

struct schema_restore { /* databases beside ours, in which it is made before anybody sees it */
    char made[SCHEMA_DATABASE_MAX + 1];
    char old[SCHEMA_DATABASE_MAX + 1]; /* what was there until then */
};

/* Takes the lock until the store is freed, and makes restore->made, empty. STORE_EXISTS: there is something in our database;
 * with `replace` that is no matter. */
enum store_result schema_restore_begin(struct store *store, bool replace, struct schema_restore *restore)
    __attribute__((warn_unused_result));
/* The tables are in restore->made: brings them up to date, sees to it that nothing that was issued after the backup holds (tickets,
 * epochs, numbers), and puts all of them in the place of ours at once. */
enum store_result schema_restore_swap(struct store *store, const struct schema_restore *restore)
    __attribute__((warn_unused_result));
/* The backup's procedures are in our database, too: makes what else is missing, kdcd's account and its rights; removes the
 * databases beside ours. */
enum store_result schema_restore_end(struct store *store, const struct schema_restore *restore, schema_change *change,
                                     void *context) __attribute__((warn_unused_result));
/* It came to nothing: removes what restore_begin made. */
void schema_restore_drop(struct store *store, const struct schema_restore *restore);

/* The number of the newest migration that this program brings along. */
unsigned schema_needed(void);

struct schema_status {
    char server[64]; /* its version */
    bool database;   /* there is one; otherwise all procedures are missing, and the others are 0 */
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
