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
};

const struct argp_option admin_option_table[] = {
    { "config", 'c', "FILE", 0, "kdcd's configuration (default: $KDC_CONF, else " DEFAULT_CONFIG ")", 0 },
    { "json", 'j', NULL, 0, "Print JSON", 0 },
    { "password-file", 'p', "FILE", 0, "user add, user passwd: take the password from this file's first line", 1 },
    { "yes", 'y', NULL, 0, "user delete: don't ask", 1 },
    { "fingerprint", 'f', NULL, 0, "identity show: print nothing but the fingerprint", 1 },
    { "format", KEY_FORMAT, "FORMAT", 0,
      "user import, user export: csv, jsonl (a JSON object a line) or, for import, htpasswd (default: as the file's "
      "name ends; export to standard output: csv)",
      1 },
    { "dry-run", KEY_DRY_RUN, NULL, 0, "user import: check everything, change nothing", 1 },
    { "keep-going", KEY_KEEP_GOING, NULL, 0, "user import: leave refused rows out, import the others", 1 },
    { "state", KEY_STATE, "STATE", 0, "user list, user export: only pending, active, locked or disabled accounts", 1 },
    { "name", KEY_NAME, "PATTERN", 0, "user list: only names like this; * is any characters, ? is one", 1 },
    { "login-before", KEY_LOGIN_BEFORE, "DATE", 0,
      "user list: only who hasn't logged in since this date (UTC): 2026-11-20 or 2026-11-20T09:00:00Z", 1 },
    { "login-after", KEY_LOGIN_AFTER, "DATE", 0, "user list: only who has logged in on this date (UTC) or later", 1 },
    { "limit", KEY_LIMIT, "N", 0, "user list: N accounts at most", 1 },
    { "after", KEY_AFTER, "NAME", 0, "user list: only names behind this one, as they are sorted", 1 },
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
