/*
 * store.h: the database, as kdcd and kdc-admin see it: one connection, stored procedures called by prepared statements,
 * and nothing else. Only store*.c and schema*.c (for kdc-admin) know MariaDB Connector/C.
 *
 * Results keep "you are wrong" apart from "we failed": STORE_UNAVAILABLE means that the database can't be asked now
 * (not connected, lost, timed out); the caller answers *temporarily unavailable* and the store connects again at a
 * later call, with a backoff (a call within the backoff fails at once, without waiting).
 *
 * Thread: a store belongs to one thread (each worker has its own), from its first call to store_free, which also ends
 * the connector's use of that thread; the connector needs no other preparation of threads. Every call may block up to
 * the configured timeouts: never call it from a reactor.
 */
#ifndef KDC_STORE_H
#define KDC_STORE_H

#include "crypto/password.h"
#include "kdc/config.h"
#include "kdc/contact.h"
#include "wire/protocol.h"

enum store_result {
    STORE_OK = 0,
    STORE_NOT_FOUND = 1,
    STORE_EXISTS = 2,
    STORE_UNAVAILABLE = -1, /* can't be asked now */
    STORE_BROKEN = -2,      /* answered, but with what we can't use: wrong schema, refused right; store_error tells */
    STORE_REFUSED = -3,     /* store_write alone: answered, and will never take this batch */
};

enum user_state { USER_PENDING = 0, USER_ACTIVE = 1, USER_LOCKED = 2, USER_DISABLED = 3 };

struct store_user {
    uint64_t id;
    struct name name;
    char hash[PASSWORD_HASH_LEN]; /* empty in lists */
    enum user_state state;
    uint64_t created; /* milliseconds since 1970 UTC; 0: never */
    uint64_t last_login;
    uint64_t epoch;     /* another one after every change of password or state; 0: no tickets for this account */
    bool must_change;   /* the password, before anything else */
    uint64_t expires;   /* milliseconds since 1970 UTC; 0: never */
    struct email email; /* empty: none; and where it isn't asked for */
    struct phone phone; /* likewise */
};

/* What of an account that was to be made is another's. */
enum store_taken { STORE_TAKEN_NAME, STORE_TAKEN_EMAIL, STORE_TAKEN_PHONE };

struct store;
struct store_stats;

/* A store for that account of the configuration. Doesn't connect yet. NULL when memory is out. */
enum store_account { STORE_ACCOUNT_KDC, STORE_ACCOUNT_ADMIN };
struct store *store_new(const struct config *config, enum store_account account) __attribute__((warn_unused_result));
void store_free(struct store **store);
/* What this store does is counted there (store_stats.h) from now on; lent, and outlives it. */
void store_set_stats(struct store *store, struct store_stats *stats);

/* Connects if it isn't connected and the backoff is over. STORE_OK, STORE_UNAVAILABLE or STORE_BROKEN. */
enum store_result store_connect(struct store *store) __attribute__((warn_unused_result));
/* The next call connects without waiting: somebody else has reached the database. */
void store_forget_backoff(struct store *store);
/* A sentence about the last failure, lent; never a secret. */
const char *store_error(const struct store *store);
/* Which of the procedures was called last, as a number below STORE_CALLS; -1: it came to none, since the database couldn't be
 * reached or used at all. A failure of a call is that call's own: others may go well. */
#define STORE_CALLS 48
int store_last_call(const struct store *store);
/* The call without which nobody logs in with a password: store_user_find's. */
int store_login_call(void);

/* Accounts. `user` is filled on STORE_OK; the caller wipes its hash. */
enum store_result store_user_find(struct store *store, const struct name *name, struct store_user *user)
    __attribute__((warn_unused_result));
/* The same password's hash at another cost. STORE_NOT_FOUND when the hash isn't `from` any more (the password was changed), or
 * the account is not in our own table. */
enum store_result store_user_rehash(struct store *store, uint64_t id, const char *from, const char *to)
    __attribute__((warn_unused_result));

/* Another password's hash, by the account's own user, who has nothing to change any more then; `keep` earlier ones are kept.
 * STORE_NOT_FOUND as in store_user_rehash. */
enum store_result store_user_password(struct store *store, uint64_t id, const char *from, const char *to, unsigned keep)
    __attribute__((warn_unused_result));
/* Hashes of up to `max` earlier passwords, the newest first; the caller wipes them. */
enum store_result store_user_history(struct store *store, uint64_t id, char (*hashes)[PASSWORD_HASH_LEN], size_t max,
                                     size_t *count) __attribute__((warn_unused_result));

/* Whether that account (0: none) has logged in from there: one of the 16 newest sources. */
enum store_result store_source_known(struct store *store, uint64_t id, const struct admission_source *source,
                                     bool *known) __attribute__((warn_unused_result));

/* What is put on record in one transaction. All texts are lent, never secret, and cut to what their columns take. */
struct store_issue { /* that a key is issued for the conversation of these two (made when it is their first) */
    uint64_t user_a; /* who opened; which of the two has the lower number doesn't matter */
    uint64_t user_b;
    const char *name_a; /* for the audit log */
    const char *name_b;
    const char *source;
    /* Results. Of several issues for the same two each has an epoch of its own, in their order. */
    uint64_t conversation; /* 0: it can't be: one of the two is deleted, or they are the same */
    uint32_t epoch;
};
struct store_event {   /* for the audit log; user and detail may be empty */
    const char *event; /* audit_events.h */
    const char *user;
    const char *source;
    const char *detail;
    const char *outcome; /* the name of the reason why not; NULL: "ok" */
    const char *actor;   /* who did it, where that isn't the user; NULL: the user */
    uint64_t logged_in;  /* the account whose last login this is; 0: none, and not in our own table does no harm */
    struct admission_source from; /* with logged_in: where to be known from (store_source_known) */
    uint64_t age_ms;              /* how long ago it was */
};
struct store_batch {
    struct store_issue *issues;
    size_t issue_count;
    const struct store_event *events;
    size_t event_count;
};
/* Durable before it returns: only then may a key go out. On failure nothing of it is on record; but when the connection was
 * lost in the middle, or the answer can't be used (STORE_REFUSED), all may be. */
enum store_result store_write(struct store *store, struct store_batch *batch) __attribute__((warn_unused_result));
/* One event of now. */
enum store_result store_audit(struct store *store, const char *event, const char *user, const char *source,
                              const char *detail) __attribute__((warn_unused_result));

/* Removes at most `max` of the events that are older than so many days (0: none). */
enum store_result store_audit_expire(struct store *store, unsigned days, unsigned max, uint64_t *removed)
    __attribute__((warn_unused_result));

/* Accounts that were changed (epoch, and since when, in milliseconds since 1970 UTC) or deleted (epoch 0) at *since
 * (microseconds since 1970 UTC, by the database's clock) or later. *since becomes the time of asking. */
typedef void store_changed(void *context, uint64_t user, uint64_t epoch, uint64_t changed_ms);
enum store_result store_account_changes(struct store *store, uint64_t *since, store_changed *changed, void *context)
    __attribute__((warn_unused_result));

/* ---- for kdc-admin (STORE_ACCOUNT_ADMIN) ---- */
/* An active account, from its name, hash, must_change and expires. STORE_EXISTS when the name is taken. */
enum store_result store_user_make(struct store *store, const struct store_user *user, bool unique,
                                  enum store_taken *taken) __attribute__((warn_unused_result));
/* A new password's, which must be changed at the next login or not; `keep` earlier ones are kept. */
enum store_result store_user_set_hash(struct store *store, uint64_t id, const char *hash, bool must_change,
                                      unsigned keep) __attribute__((warn_unused_result));
/* The present password must be changed at the next login. */
enum store_result store_user_set_must_change(struct store *store, const struct name *name)
    __attribute__((warn_unused_result));
/* Milliseconds since 1970 UTC; 0: never. */
enum store_result store_user_set_expiry(struct store *store, const struct name *name, uint64_t expires)
    __attribute__((warn_unused_result));
/* STORE_EXISTS when `to` is taken. */
enum store_result store_user_rename(struct store *store, const struct name *name, const struct name *to)
    __attribute__((warn_unused_result));
enum store_result store_user_set_state(struct store *store, const struct name *name, enum user_state state)
    __attribute__((warn_unused_result));
/* Active, whatever it was, but STORE_EXISTS from that state, in which it stays. */
enum store_result store_user_free(struct store *store, const struct name *name, enum user_state other)
    __attribute__((warn_unused_result));
enum store_result store_user_delete(struct store *store, const struct name *name) __attribute__((warn_unused_result));
struct store_figures {
    uint64_t conversations;
    uint64_t keys_issued; /* for these */
    uint64_t failures;    /* logins that were refused since the last one that was not */
    uint64_t audit;       /* entries under its name */
    uint64_t passwords;   /* earlier ones that are kept */
};
enum store_result store_user_figures(struct store *store, const struct store_user *user, struct store_figures *figures)
    __attribute__((warn_unused_result));
/* What a state is called; and the state that a word calls: 0, or -1 when there is none. */
const char *user_state_word(enum user_state state);
int user_state_from_word(const char *word, enum user_state *state) __attribute__((warn_unused_result));

#define STORE_PATTERN_MAX 64 /* bytes */

struct store_filter { /* of zeros: all users */
    bool by_state;
    enum user_state state;
    const char *pattern;   /* NULL: any name; * stands for any characters, ? for one; up to STORE_PATTERN_MAX bytes */
    uint64_t login_before; /* milliseconds since 1970 UTC; 0: whenever. Also who never logged in */
    uint64_t login_since;
};
/* Users behind `after` (NULL: from the first) in the order of their names, at most `max`; *count tells how many. */
enum store_result store_user_list(struct store *store, const struct store_filter *filter, const struct name *after,
                                  struct store_user *users, size_t max, size_t *count)
    __attribute__((warn_unused_result));
/* The same with their hashes, which the caller wipes, of one state or (NULL) any. The first call (`after` NULL) takes a
 * snapshot, which those that follow read on in; nothing else is called between them. */
enum store_result store_user_export(struct store *store, const enum user_state *state, const struct name *after,
                                    struct store_user *users, size_t max, size_t *count)
    __attribute__((warn_unused_result));

/* ---- store_audit.c: the audit log, read ---- */
struct store_audit_filter { /* of zeros: all events */
    uint64_t after;         /* only events with a number behind this one ... */
    uint64_t before;        /* ... and before that one; 0: to the last */
    const char *user;       /* NULL: any; likewise below */
    const char *event;      /* audit_events.h */
    const char *source;     /* a pattern as in store_filter */
    const char *outcome;    /* "ok", "failed" (all others), or one reason's name */
    uint64_t since;         /* milliseconds since 1970 UTC; 0: whenever */
    uint64_t until;         /* excluded */
    bool backwards;         /* the last ones, the very last first */
};

struct store_audit_event { /* texts have as many characters as their columns */
    uint64_t id;
    uint64_t time; /* milliseconds since 1970 UTC */
    char event[4 * 64 + 1];
    char user[4 * 64 + 1];
    char peer[4 * 64 + 1];
    char source[4 * 64 + 1];
    char outcome[32 + 1];
    char actor[4 * 128 + 1];
    char detail[4 * 255 + 1];
};

/* At most `max` of them, in the order of their numbers; *count tells how many. */
enum store_result store_audit_list(struct store *store, const struct store_audit_filter *filter,
                                   struct store_audit_event *events, size_t max, size_t *count)
    __attribute__((warn_unused_result));

/* ---- store_import.c: many new accounts in one transaction ---- */
#define STORE_IMPORT_MAX 1000 /* of one call */

struct store_import {
    struct name name;
    char hash[PASSWORD_HASH_LEN];
    enum user_state state;
    uint64_t created;    /* milliseconds since 1970 UTC; 0: now */
    uint64_t last_login; /* 0: never */
    bool must_change;
    uint64_t expires;   /* 0: never */
    struct email email; /* empty: none */
    struct phone phone;
    bool exists;            /* result: it isn't added, ... */
    enum store_taken taken; /* ... because of this */
};
/* Tells which exist; changes nothing. Hashes don't matter. */
enum store_result store_import_check(struct store *store, struct store_import *users, size_t count)
    __attribute__((warn_unused_result));
/* begin, add as often as needed, commit; nothing else between them. Those that exist are left out. `actor` stands in the audit
 * log beside each. Whatever fails, or store_free before the commit, undoes everything; but when the connection is lost in
 * store_import_commit, all may be done. */
enum store_result store_import_begin(struct store *store) __attribute__((warn_unused_result));
enum store_result store_import_add(struct store *store, struct store_import *users, size_t count, const char *actor)
    __attribute__((warn_unused_result));
enum store_result store_import_commit(struct store *store) __attribute__((warn_unused_result));

#endif
