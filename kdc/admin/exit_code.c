#include "kdc/admin/exit_code.h"

#include <stddef.h>

const struct exit_code_description admin_exit_codes[] = {
    { EXIT_DONE, "done" },
    { EXIT_OTHER, "anything that isn't below" },
    { EXIT_BAD_USAGE, "wrong usage: no such command, option or number of arguments" },
    { EXIT_NOT_FOUND, "not found: no such user, session, identity or database" },
    { EXIT_EXISTS, "there is one already" },
    { EXIT_DATABASE, "the database can't be reached" },
    { EXIT_NOT_RUNNING, "kdcd isn't running" },
    { EXIT_REFUSED, "a name, password or answer that isn't accepted" },
    { EXIT_FOUND, "a check has found something wrong" },
    { EXIT_DONE, NULL },
};
