#include "client/cli/command.h"

#define OWN(id) (1U << (id))

const struct command command_table[] = {
    { "chat", "", 0, 0, 0, "talk with people, line by line (what kdc-chat does without a command)", chat_command },
    { "send", "NAME [TEXT]", 1, 2, OWN(OPTION_TIMEOUT),
      "send one text (from standard input when TEXT is absent or -) and wait until it is delivered", send_command },
    { "listen", "", 0, 0, OWN(OPTION_JSON) | OWN(OPTION_ALL) | OWN(OPTION_COUNT) | OWN(OPTION_TIMEOUT),
      "print the texts that arrive", listen_command },
    { "list", "", 0, 0, OWN(OPTION_JSON), "print who is online", list_command },
    { "register", "", 0, 0, OWN(OPTION_INVITE) | OWN(OPTION_EMAIL) | OWN(OPTION_PHONE), "make an account",
      register_command },
    { "activate", "[NAME]", 0, 1, OWN(OPTION_CODE),
      "activate an account by the code that was mailed, or have another mailed", activate_command },
    { "deactivate", "", 0, 0, OWN(OPTION_CODE), "give the account up: a code is mailed, and then it is disabled",
      deactivate_command },
    { "passwd", "", 0, 0, OWN(OPTION_NEW_PASSWORD_FILE), "change one's password", passwd_command },
    { "version", "", 0, 0, 0, "print the version", version_command },
    { 0 },
};
