#include "client/cli/command.h"
#include "client/kdcchat.h"

#include <stdio.h>

enum exit_code version_command(const struct options *options, char *const *arguments)
{
    (void)options;
    (void)arguments;
    return printf("kdc-chat %s\n", kc_version()) > 0 ? EXIT_CODE_OK : EXIT_CODE_OTHER;
}
