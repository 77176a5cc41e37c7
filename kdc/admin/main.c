/* kdc-admin: the operator's program. Finds the command in the table, checks what it was given, runs it. */
#include "crypto/secret.h"
#include "kdc/admin/command.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORDS_MAX 4

const char *argp_program_version = "kdc-admin (kdc-chat) " KDC_CHAT_VERSION;

struct parsing {
    struct admin *admin;
    const char *words[WORDS_MAX];
    size_t count;
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    struct admin *admin = parsing->admin;
    switch (key) {
    case 'c':
        admin->config_path = argument;
        return 0;
    case 'j':
        admin->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (parsing->count == WORDS_MAX)
            argp_error(state, "too many arguments: %s", argument);
        else
            parsing->words[parsing->count++] = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a command is missing");
        return 0;
    default:
        return command_option_take(admin, key, argument) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

/* Of a command in the help; the margin is as wide as it and what stands before it. */
#define USAGE_WIDTH 20
#define HELP_MARGIN "\n                      "

/* The table of commands and that of exit codes, below the options. */
static char *help_add(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_EXTRA)
        return (char *)(uintptr_t)text;
    char *help = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&help, &len);
    if (out == NULL)
        return NULL;
    (void)fputs("Commands:\n", out);
    for (const struct command *command = commands; command->name != NULL; command++) {
        char usage[64];
        (void)snprintf(usage, sizeof usage, "%s%s%s%s%s", command->group == NULL ? "" : command->group,
                       command->group == NULL ? "" : " ", command->name, command->argument == NULL ? "" : " ",
                       command->argument == NULL ? "" : command->argument);
        const bool long_one = strlen(usage) > USAGE_WIDTH; /* its description has a line of its own */
        (void)fprintf(out, "  %-*s%s  %s\n", USAGE_WIDTH, usage, long_one ? HELP_MARGIN : "", command->doc);
    }
    (void)fputs("\nA new password is asked for on a terminal, and otherwise read from standard\ninput (first line).\n\n"
                "Exit status:\n",
                out);
    for (const struct exit_code_description *one = admin_exit_codes; one->doc != NULL; one++)
        (void)fprintf(out, "  %d  %s\n", (int)one->code, one->doc);
    (void)fclose(out);
    return help;
}

static const struct argp argp = { admin_option_table,
                                  option_parse,
                                  "COMMAND [NAME|FILE]",
                                  "Manage kdc-chat: its database, its accounts, its running kdcd.",
                                  NULL,
                                  help_add,
                                  NULL };

/* The command that the words name. NULL: none; it has complained. */
static const struct command *command_find(const struct parsing *parsing, struct admin *admin)
{
    const char *first = parsing->words[0];
    const char *second = parsing->count > 1 ? parsing->words[1] : "";
    bool group = false;
    for (const struct command *command = commands; command->name != NULL; command++) {
        bool found = command->group == NULL ? strcmp(first, command->name) == 0
                                            : strcmp(first, command->group) == 0 && strcmp(second, command->name) == 0;
        const bool of_group = command->group != NULL && strcmp(first, command->group) == 0;
        const bool alone = of_group && (command->options & COMMAND_OF_GROUP) != 0 && parsing->count == 1;
        found = found || alone;
        group = group || of_group;
        if (!found)
            continue;
        size_t words = command->group == NULL || alone ? 1 : 2;
        const bool two = command->argument != NULL && strchr(command->argument, ' ') != NULL;
        size_t most = words + (command->argument == NULL ? 0 : two ? 2 : 1);
        size_t least = command->argument != NULL && command->argument[0] == '[' ? words : most;
        if (parsing->count < least || parsing->count > most) {
            (void)complain(EXIT_BAD_USAGE, "%s%s%s takes %s%s: see kdc-admin --help",
                           command->group == NULL ? "" : command->group, command->group == NULL ? "" : " ",
                           command->name,
                           command->argument == NULL ? "no argument"
                           : two                     ? "two arguments: "
                           : least < most            ? "at most one argument: "
                                                     : "one argument: ",
                           command->argument == NULL ? "" : command->argument);
            return NULL;
        }
        if ((admin->options & ~command->options) != 0) {
            (void)complain(EXIT_BAD_USAGE, "%s%s%s doesn't take --%s: see kdc-admin --help",
                           command->group == NULL ? "" : command->group, command->group == NULL ? "" : " ",
                           command->name, command_option_given(admin, ~command->options));
            return NULL;
        }
        admin->argument = parsing->count > words ? parsing->words[words] : NULL;
        admin->second = parsing->count > words + 1 ? parsing->words[words + 1] : NULL;
        return command;
    }
    (void)complain(EXIT_BAD_USAGE, "there is no command '%s%s%s': see kdc-admin --help", first,
                   group && second[0] != '\0' ? " " : "", group ? second : "");
    return NULL;
}

int main(int argc, char **argv)
{
    struct admin admin = { .config_path = getenv("KDC_CONF") };
    struct parsing parsing = { .admin = &admin };
    char error[CONFIG_ERROR_MAX];
    const struct rlimit no_core = { 0, 0 };

    secret_guard_gmp();
    static char program[] = "kdc-admin";
    if (argc > 0)
        argv[0] = program; /* in front of every message, wherever it was started from */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGPIPE, SIG_IGN);
    argp_err_exit_status = EXIT_BAD_USAGE;
    if (admin.config_path == NULL || admin.config_path[0] == '\0')
        admin.config_path = DEFAULT_CONFIG;
    if (argp_parse(&argp, argc, argv, 0, NULL, &parsing) != 0)
        return EXIT_OTHER;
    const struct command *command = command_find(&parsing, &admin);
    if (command == NULL)
        return EXIT_BAD_USAGE;
    const bool no_default =
        strcmp(admin.config_path, DEFAULT_CONFIG) == 0 && access(DEFAULT_CONFIG, F_OK) != 0 && errno == ENOENT;
    if (config_load(admin.config_path, &admin.config, error) != 0)
        return (int)complain(EXIT_OTHER, "%s%s", error, no_default ? "; give --config FILE, or set $KDC_CONF" : "");
    enum exit_code code = command->run(&admin);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_DONE)
        code = complain(EXIT_OTHER, "the output could not be written");
    return (int)code;
}
