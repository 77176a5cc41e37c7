/*
 * command.h: kdc-admin's commands as data: the help, the checks of arguments and options, and the call come from one
 * table.
 */
#ifndef KDC_ADMIN_COMMAND_H
#define KDC_ADMIN_COMMAND_H

#include "kdc/admin/exit_code.h"
#include "kdc/config.h"
#include "kdc/store.h"

#include <argp.h>
#include <jansson.h>

#define DEFAULT_CONFIG "/etc/kdc-chat/kdc.conf"

/* Options that only some commands take. */
enum command_option {
    OPTION_PASSWORD_FILE = 1,
    OPTION_YES = 2,
    OPTION_FINGERPRINT = 4,
    OPTION_FORMAT = 8,
    OPTION_DRY_RUN = 16,
    OPTION_KEEP_GOING = 32,
    OPTION_STATE = 64,
    OPTION_NAME = 128,
    OPTION_LOGIN_BEFORE = 256,
    OPTION_LOGIN_AFTER = 512,
    OPTION_LIMIT = 1024,
    OPTION_AFTER = 2048,
    OPTION_WATCH = 1 << 19,
    OPTION_MUST_CHANGE = 1 << 12,
    OPTION_EMAIL = 1 << 16,
    OPTION_PHONE = 1 << 17,
    OPTION_INVITATION = 1 << 18, /* --note, --count */
    OPTION_EXPIRES = 1 << 13,
    OPTION_GENERATE = 1 << 14,
    OPTION_FORCE = 1 << 15,
    OPTION_USER = 1 << 20,
    OPTION_EVENT = 1 << 21,
    OPTION_SOURCE = 1 << 22,
    OPTION_OUTCOME = 1 << 23,
    OPTION_SINCE = 1 << 24,
    OPTION_UNTIL = 1 << 25,
    OPTION_BEFORE = 1 << 26,
    OPTION_FOLLOW = 1 << 27,
    OPTION_REPLACE = 1 << 28,
    OPTION_ALL = 1 << 29,
    COMMAND_OF_GROUP = 1 << 30, /* no option: the group's name alone calls this one */
};

struct admin { /* what was asked for */
    const char *config_path;
    struct config config;
    bool json;
    unsigned options;     /* enum command_option */
    const char *argument; /* NAME or FILE, for commands that take one; NULL: none was given */
    const char *second;   /* likewise, for commands that take two */
    /* What options were given, as they were; NULL: not. */
    const char *password_file;
    const char *format;
    const char *state;
    const char *pattern;
    const char *login_before;
    const char *login_after;
    const char *limit;
    const char *after;
    const char *expires;
    const char *email;
    const char *phone;
    const char *note;
    const char *count;
    const char *user;
    const char *event;
    const char *source;
    const char *outcome;
    const char *since;
    const char *until;
    const char *before;
};

struct command {
    const char *group; /* "user"; NULL for commands of one word */
    const char *name;
    const char *argument; /* NULL: takes none; in brackets: may be left out; two words: takes two */
    unsigned options;     /* that it takes */
    const char *doc;      /* one line */
    enum exit_code (*run)(struct admin *admin);
};

extern const struct command commands[]; /* ended by one without a name */

/* All options, ended by one of zeros. */
extern const struct argp_option admin_option_table[];
/* The bit (enum command_option) of the option with that key; 0: all commands take it. */
unsigned command_option_by_key(int key);
/* Takes note of such an option; false when there is none with that key. */
bool command_option_take(struct admin *admin, int key, const char *argument);
/* The name of one option that was given and has one of these bits; "" when none was. */
const char *command_option_given(const struct admin *admin, unsigned bits);

/* ---- each in the file of its group ---- */
enum exit_code db_init(struct admin *admin);
enum exit_code db_migrate(struct admin *admin);
enum exit_code db_status(struct admin *admin);
enum exit_code db_check(struct admin *admin);
enum exit_code db_backup(struct admin *admin);
enum exit_code db_restore(struct admin *admin);
enum exit_code audit_show(struct admin *admin);
enum exit_code user_add(struct admin *admin);
enum exit_code user_list(struct admin *admin);
enum exit_code user_show(struct admin *admin);
enum exit_code user_passwd(struct admin *admin);
enum exit_code user_lock(struct admin *admin);
enum exit_code user_unlock(struct admin *admin);
enum exit_code user_disable(struct admin *admin);
enum exit_code user_enable(struct admin *admin);
enum exit_code user_set(struct admin *admin);
enum exit_code user_rename(struct admin *admin);
enum exit_code user_delete(struct admin *admin);
enum exit_code user_import(struct admin *admin);
enum exit_code user_export(struct admin *admin);
enum exit_code invite_new(struct admin *admin);
enum exit_code invite_list(struct admin *admin);
enum exit_code invite_revoke(struct admin *admin);
enum exit_code penalties_show(struct admin *admin);
enum exit_code penalties_clear(struct admin *admin);
enum exit_code live_who(struct admin *admin);
enum exit_code live_kick(struct admin *admin);
enum exit_code live_status(struct admin *admin);
enum exit_code identity_init(struct admin *admin);
enum exit_code identity_show(struct admin *admin);

/* ---- shared ---- */

/* "kdc-admin: " and a line on stderr, in which control characters are made harmless. Returns `code`. */
enum exit_code complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what the store says, after `what` (e.g. "user alice was not added"). */
enum exit_code complain_store(struct store *store, enum store_result result, const char *what);

/* Who runs this, for the audit log: "name(uid)@machine". */
#define ADMIN_ACTOR_MAX 112
void admin_actor(char out[ADMIN_ACTOR_MAX]);
/* Puts on record what that one does. `event`: kdc/audit_events.h; user and detail may be empty. */
enum store_result admin_record(struct store *store, const char *event, const char *user, const char *detail)
    __attribute__((warn_unused_result));
/* The same for what is done already, on a connection of its own: that it isn't in the log is worth a word, not a failure. */
void admin_record_done(struct admin *admin, const char *event, const char *user, const char *detail);

/* Ends the live session of a user, if kdcd runs. Tells people on stdout. `reason`: kdc/control.h. *ended may be
 * NULL. */
enum exit_code live_end(struct admin *admin, const char *user, const char *reason, json_int_t *ended);

/* Tells a live session of the user when the account ends (milliseconds since 1970 UTC; 0: never), if kdcd runs. As live_end. */
enum exit_code live_expires(struct admin *admin, const char *user, uint64_t expires);

/* The live session of a user: a new reference to what kdcd tells of it (control.h's "who"), or NULL. EXIT_NOT_RUNNING without a
 * word; else as it complains. */
enum exit_code live_session(struct admin *admin, const char *user, json_t **session);

/* Tells kdcd that an account has changed, if it runs. EXIT_DONE, or it has complained. */
enum exit_code live_refresh(struct admin *admin, const char *user);

/* A new password: from the file that was named, from two equal entries on a terminal, or from the first line of
 * standard input; *generated when it is wanted so, or when standard input holds nothing. In secret memory, NUL-terminated, by
 * the configuration's policy (by the protocol's rules alone with OPTION_FORCE). EXIT_DONE, or it has complained. */
enum exit_code password_ask(struct admin *admin, const struct name *name, char **password, bool *generated);

#endif
