#include "kdc/admin/command.h"

const struct command commands[] = {
    { "db", "init", NULL, 0, "Make the database, or what is missing in it", db_init },
    { "db", "migrate", NULL, 0, "Bring an existing database up to date", db_migrate },
    { "db", "status", NULL, 0, "Show the state of the database", db_status },
    { "user", "add", "NAME", OPTION_PASSWORD_FILE, "Make an account", user_add },
    { "user", "list", NULL, 0, "List all accounts", user_list },
    { "user", "show", "NAME", 0, "Show one account", user_show },
    { "user", "passwd", "NAME", OPTION_PASSWORD_FILE, "Give an account another password, and end its session",
      user_passwd },
    { "user", "lock", "NAME", 0, "Lock an account, and end its session", user_lock },
    { "user", "unlock", "NAME", 0, "Make an account active", user_unlock },
    { "user", "delete", "NAME", OPTION_YES, "Delete an account, and end its session", user_delete },
    { NULL, "who", NULL, 0, "List who is logged in", live_who },
    { NULL, "kick", "NAME", 0, "End a user's session", live_kick },
    { NULL, "status", NULL, 0, "Show how kdcd is doing", live_status },
    { "identity", "show", NULL, OPTION_FINGERPRINT, "Show the KDC's identity and its fingerprint", identity_show },
    { "identity", "init", NULL, 0, "Make the identity, if there is none", identity_init },
    { 0 },
};
