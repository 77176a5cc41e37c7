#include "kdc/kdcd/exit_code.h"

#include <stddef.h>

const struct exit_code_description kdcd_exit_codes[] = {
    { EXIT_CODE_OK, "ended in order" },
    { EXIT_CODE_OTHER, "anything that isn't below: memory, threads or descriptors are out" },
    { EXIT_CODE_USAGE, "wrong usage: the command line" },
    { EXIT_CODE_CONFIGURATION, "the configuration file is wrong" },
    { EXIT_CODE_LISTEN, "can't listen: an address or socket is in use, or there is no right to it" },
    { EXIT_CODE_IDENTITY, "the identity file or the ticket file can't be used" },
    { EXIT_CODE_OK, NULL },
};
