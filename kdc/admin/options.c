#include "kdc/admin/command.h"

/* Of options that have no letter. */
enum long_option {
    KEY_FORMAT = 256,
    KEY_DRY_RUN,
    KEY_KEEP_GOING,
    KEY_STATE,
    KEY_NAME,
    KEY_LOGIN_BEFORE,
    KEY_LOGIN_AFTER,
    KEY_LIMIT,
    KEY_AFTER,
    KEY_WATCH,
    KEY_MUST_CHANGE,
    KEY_EXPIRES,
    KEY_EMAIL,
    KEY_PHONE,
    KEY_NOTE,
    KEY_COUNT,
    KEY_GENERATE,
    KEY_FORCE,
    KEY_USER,
    KEY_EVENT,
    KEY_SOURCE,
    KEY_OUTCOME,
    KEY_SINCE,
    KEY_UNTIL,
    KEY_BEFORE,
    KEY_FOLLOW,
    KEY_REPLACE,
};

const struct argp_option admin_option_table[] = {
    { "config", 'c', "FILE", 0, "kdcd's configuration (default: $KDC_CONF, else " DEFAULT_CONFIG ")", 0 },
    { "json", 'j', NULL, 0, "Print JSON", 0 },
    { "password-file", 'p', "FILE", 0, "user add, user passwd: take the password from this file's first line", 1 },
    { "generate", KEY_GENERATE, NULL, 0, "user add, user passwd: make a password up, and show it once", 1 },
    { "force", KEY_FORCE, NULL, 0,
      "user add, user passwd, user import: take passwords that policy refuses as too short, too common or used before",
      1 },
    { "must-change", KEY_MUST_CHANGE, NULL, 0,
      "user add, user passwd, user set: the password must be changed at the next login", 1 },
    { "expires", KEY_EXPIRES, "DATE", 0,
      "user add, user set: from this date (UTC) on nobody logs in: 2026-11-20, 2026-11-20T09:00:00Z, or never; invite new: "
      "from then on the code doesn't hold (default: in 14 days), or in so long: 12h, 30d",
      1 },
    { "email", KEY_EMAIL, "ADDRESS", 0, "user add, user set: the user's e-mail address, or none", 1 },
    { "phone", KEY_PHONE, "NUMBER", 0, "user add, user set: the user's telephone number (+ and digits), or none", 1 },
    { "note", KEY_NOTE, "TEXT", 0, "invite new: whom it is for, or why", 1 },
    { "count", KEY_COUNT, "N", 0, "invite new: so many codes, 1000 at most", 1 },
    { "watch", KEY_WATCH, NULL, 0,
      "status: show it again and again until Ctrl-C, every 2 SECONDS or as many as are given", 1 },
    { "yes", 'y', NULL, 0, "user delete, db restore --replace: don't ask", 1 },
    { "fingerprint", 'f', NULL, 0, "identity show: print nothing but the fingerprint", 1 },
    { "format", KEY_FORMAT, "FORMAT", 0,
      "user import, user export: csv, jsonl (a JSON object a line) or, for import, htpasswd (default: as the file's "
      "name ends; export to standard output: csv)",
      1 },
    { "dry-run", KEY_DRY_RUN, NULL, 0,
      "user import: check everything, change nothing; db migrate: print the SQL instead", 1 },
    { "keep-going", KEY_KEEP_GOING, NULL, 0, "user import: leave refused rows out, import the others", 1 },
    { "state", KEY_STATE, "STATE", 0, "user list, user export: only pending, active, locked or disabled accounts", 1 },
    { "name", KEY_NAME, "PATTERN", 0, "user list: only names like this; * is any characters, ? is one", 1 },
    { "login-before", KEY_LOGIN_BEFORE, "DATE", 0,
      "user list: only who hasn't logged in since this date (UTC): 2026-11-20 or 2026-11-20T09:00:00Z", 1 },
    { "login-after", KEY_LOGIN_AFTER, "DATE", 0, "user list: only who has logged in on this date (UTC) or later", 1 },
    { "limit", KEY_LIMIT, "N", 0, "user list: N accounts at most; audit: the newest N (default 100), or all", 1 },
    { "after", KEY_AFTER, "NAME|ID", 0,
      "user list: only names behind this one, as they are sorted; audit: only events behind this number", 1 },
    { "before", KEY_BEFORE, "ID", 0, "audit: only events before this number", 1 },
    { "user", KEY_USER, "NAME", 0, "audit: only what concerns this user", 1 },
    { "event", KEY_EVENT, "EVENT", 0, "audit: only events of this kind", 1 },
    { "source", KEY_SOURCE, "SOURCE", 0,
      "audit: only from this address, with any port, or from a source like this; * is any characters, ? is one", 1 },
    { "outcome", KEY_OUTCOME, "OUTCOME", 0, "audit: only ok, failed (all others) or one reason", 1 },
    { "since", KEY_SINCE, "TIME", 0, "audit: only at this date (UTC) or later, or in the last 90s, 15m, 2h, 3d, 4w",
      1 },
    { "until", KEY_UNTIL, "TIME", 0, "audit: only before that", 1 },
    { "follow", KEY_FOLLOW, NULL, 0, "audit: go on with new events as they come, until interrupted", 1 },
    { "all", 'a', NULL, 0, "penalties clear: of all accounts and addresses", 1 },
    { "replace", KEY_REPLACE, NULL, 0, "db restore: in the place of what is in the database; asks, or takes --yes", 1 },
    { 0 },
};

static const struct {
    int key;
    unsigned bit;
    size_t text; /* where in struct admin its argument goes; 0: it has none */
} own_options[] = {
    { 'p', OPTION_PASSWORD_FILE, offsetof(struct admin, password_file) },
    { 'y', OPTION_YES, 0 },
    { 'f', OPTION_FINGERPRINT, 0 },
    { KEY_FORMAT, OPTION_FORMAT, offsetof(struct admin, format) },
    { KEY_DRY_RUN, OPTION_DRY_RUN, 0 },
    { KEY_KEEP_GOING, OPTION_KEEP_GOING, 0 },
    { KEY_STATE, OPTION_STATE, offsetof(struct admin, state) },
    { KEY_NAME, OPTION_NAME, offsetof(struct admin, pattern) },
    { KEY_LOGIN_BEFORE, OPTION_LOGIN_BEFORE, offsetof(struct admin, login_before) },
    { KEY_LOGIN_AFTER, OPTION_LOGIN_AFTER, offsetof(struct admin, login_after) },
    { KEY_LIMIT, OPTION_LIMIT, offsetof(struct admin, limit) },
    { KEY_AFTER, OPTION_AFTER, offsetof(struct admin, after) },
    { KEY_WATCH, OPTION_WATCH, 0 },
    { KEY_MUST_CHANGE, OPTION_MUST_CHANGE, 0 },
    { KEY_EXPIRES, OPTION_EXPIRES, offsetof(struct admin, expires) },
    { KEY_EMAIL, OPTION_EMAIL, offsetof(struct admin, email) },
    { KEY_PHONE, OPTION_PHONE, offsetof(struct admin, phone) },
    { KEY_NOTE, OPTION_INVITATION, offsetof(struct admin, note) },
    { KEY_COUNT, OPTION_INVITATION, offsetof(struct admin, count) },
    { KEY_GENERATE, OPTION_GENERATE, 0 },
    { KEY_FORCE, OPTION_FORCE, 0 },
    { KEY_USER, OPTION_USER, offsetof(struct admin, user) },
    { KEY_EVENT, OPTION_EVENT, offsetof(struct admin, event) },
    { KEY_SOURCE, OPTION_SOURCE, offsetof(struct admin, source) },
    { KEY_OUTCOME, OPTION_OUTCOME, offsetof(struct admin, outcome) },
    { KEY_SINCE, OPTION_SINCE, offsetof(struct admin, since) },
    { KEY_UNTIL, OPTION_UNTIL, offsetof(struct admin, until) },
    { KEY_BEFORE, OPTION_BEFORE, offsetof(struct admin, before) },
    { KEY_FOLLOW, OPTION_FOLLOW, 0 },
    { KEY_REPLACE, OPTION_REPLACE, 0 },
    { 'a', OPTION_ALL, 0 },
};
#define OWN_COUNT (sizeof own_options / sizeof own_options[0])

unsigned command_option_by_key(int key)
{
    for (size_t i = 0; i < OWN_COUNT; i++) {
        if (own_options[i].key == key)
            return own_options[i].bit;
    }
    return 0;
}

bool command_option_take(struct admin *admin, int key, const char *argument)
{
    for (size_t i = 0; i < OWN_COUNT; i++) {
        if (own_options[i].key != key)
            continue;
        admin->options |= own_options[i].bit;
        if (own_options[i].text != 0)
            *(const char **)(void *)((char *)admin + own_options[i].text) = argument;
        return true;
    }
    return false;
}

const char *command_option_given(const struct admin *admin, unsigned bits)
{
    for (size_t i = 0; i < OWN_COUNT; i++) {
        const char *const *text = (const void *)((const char *)admin + own_options[i].text);
        if ((admin->options & bits & own_options[i].bit) == 0 || (own_options[i].text != 0 && *text == NULL))
            continue; /* two options may share a bit */
        for (const struct argp_option *option = admin_option_table; option->name != NULL; option++) {
            if (option->key == own_options[i].key)
                return option->name;
        }
    }
    return "";
}
