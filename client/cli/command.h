/*
 * command.h: what kdc-chat can be told to do: one table, from which main takes the help and the checks of the arguments.
 */
#ifndef CLIENT_CLI_COMMAND_H
#define CLIENT_CLI_COMMAND_H

#include "client/cli/exit_code.h"
#include "client/cli/options.h"

#include <stddef.h>

struct command {
    const char *name;
    const char *arguments; /* for the help */
    size_t arguments_min;
    size_t arguments_max;
    unsigned own_options; /* bits 1 << option_id: of those that only single commands take */
    const char *doc;
    /* `arguments` ends with NULL. */
    enum exit_code (*run)(const struct options *options, char *const *arguments);
};

/* Ends with a NULL name; the first is what kdc-chat does when it isn't told. */
extern const struct command command_table[];

enum exit_code chat_command(const struct options *options, char *const *arguments);
enum exit_code send_command(const struct options *options, char *const *arguments);
enum exit_code listen_command(const struct options *options, char *const *arguments);
enum exit_code list_command(const struct options *options, char *const *arguments);
enum exit_code passwd_command(const struct options *options, char *const *arguments);
enum exit_code activate_command(const struct options *options, char *const *arguments);
enum exit_code deactivate_command(const struct options *options, char *const *arguments);
enum exit_code register_command(const struct options *options, char *const *arguments);
enum exit_code version_command(const struct options *options, char *const *arguments);

#endif
