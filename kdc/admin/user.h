/*
 * user.h: what the files of kdc-admin user ... share.
 */
#ifndef KDC_ADMIN_USER_H
#define KDC_ADMIN_USER_H

#include "kdc/admin/command.h"
#include "kdc/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- user_account.c: one account that a command is about ---- */

struct account {
    struct name name;
    struct store *store;
};

/* The name that was given, and a store. EXIT_DONE, or it has complained. One use: account_end. */
enum exit_code account_begin(struct admin *admin, struct account *account);
/* Gives `code` back. */
enum exit_code account_end(struct account *account, enum exit_code code);
/* Complains that the account was not `what`. */
enum exit_code account_failed(struct account *account, enum store_result result, const char *what);
/* The account as it is; its hash is left out. EXIT_DONE, or it has complained. */
enum exit_code account_find(struct account *account, struct store_user *user);

struct account_deed {
    const char *event;    /* kdc/audit_events.h */
    const char *detail;   /* for the audit log; NULL: none */
    const char *done;     /* what it is now, for people: "locked" */
    const char *reason;   /* that a live session ends with (kdc/control.h); NULL: it goes on */
    const char *password; /* secret: that was made up, and is shown now; NULL: none */
    const char *note;     /* a sentence behind what is said to people; NULL: none */
    json_t *more;         /* for programs; the reference is taken; NULL: nothing */
};
/* What was done is put on record and told; kdcd learns it, and then the session ends. */
enum exit_code account_done(struct admin *admin, struct account *account, const struct account_deed *deed);

/* id, name, state, created, last_login, must_change, expires. */
json_t *user_json(const struct store_user *user);

/* The date of --expires; 0 for never. EXIT_DONE, or it has complained. */
enum exit_code expires_take(const char *text, uint64_t *ms);

/* ---- user_format.c ---- */

enum user_format { FORMAT_NONE, FORMAT_CSV, FORMAT_JSONL, FORMAT_HTPASSWD };
/* By its name, or (NULL) as the file's name ends. FORMAT_NONE: there is no such format, or the name doesn't tell. */
enum user_format user_format_choose(const char *name, const char *path);

/* An ISO 8601 date or date-time, with a space or a T: "2026-11-20", "2026-11-20T09:00:00.123Z", "2026-11-20 09:00+01:00".
 * UTC where it names no zone. *ms since 1970 UTC; fractions of a millisecond are cut. 0, or -1: it isn't one, or is before 1970. */
int time_parse(const char *text, uint64_t *ms) __attribute__((warn_unused_result));

#endif
