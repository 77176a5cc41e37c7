/* kdc-chat: the command line; what there is to do stands in command.c, what can be set in options.c. */
#include "client/cli/command.h"
#include "client/cli/options.h"
#include "client/cli/wrap.h"
#include "client/kdcchat.h"

#include <argp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* argp's key for an option without a letter: behind all characters. */
#define LONG_KEY(id) (0x100 + (id))
#define KEY_PASSWORD (0x100 + OPTION_ID_COUNT)
#define ARGUMENTS_MAX 2

struct command_line {
    struct options options;
    unsigned own_options; /* bits of the options of single commands that were given */
    const struct command *command;
    char *arguments[ARGUMENTS_MAX + 1];
    size_t argument_count;
};

static const struct command *find_command(const char *name)
{
    for (const struct command *command = command_table; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

static int key_of(int id)
{
    return option_table[id].letter != 0 ? option_table[id].letter : LONG_KEY(id);
}

static void set_option(struct command_line *line, int id, const char *value, struct argp_state *state)
{
    char error[700];
    char source[40];
    (void)snprintf(source, sizeof source, "--%s", option_table[id].name);
    if (!options_set(&line->options, (enum option_id)id, value != NULL ? value : "yes", source, error, sizeof error)) {
        argp_error(state, "%s", error);
    }
    if (option_table[id].environment == NULL) {
        line->own_options |= 1U << id;
    }
}

static void add_argument(struct command_line *line, char *argument, struct argp_state *state)
{
    if (line->command == NULL) {
        line->command = find_command(argument);
        if (line->command == NULL) {
            argp_error(state, "there is no command '%s'", argument);
        }
        return;
    }
    if (line->argument_count == line->command->arguments_max) {
        argp_error(state, "too many arguments for %s%s: '%s'", line->command->name,
                   line->command->arguments_max > 0 ? " (a text of several words stands in quotes)" : "", argument);
    }
    line->arguments[line->argument_count++] = argument;
}

static void check_command(struct command_line *line, struct argp_state *state)
{
    if (line->command == NULL) {
        line->command = &command_table[0];
    }
    if (line->argument_count < line->command->arguments_min) {
        argp_error(state, "%s takes %s", line->command->name, line->command->arguments);
    }
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        if ((line->own_options & ~line->command->own_options & 1U << id) != 0) {
            argp_error(state, "%s doesn't take --%s", line->command->name, option_table[id].name);
        }
    }
}

static error_t on_argument(int key, char *argument, struct argp_state *state)
{
    struct command_line *line = state->input;
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        if (key == key_of(id)) {
            set_option(line, id, argument, state);
            return 0;
        }
    }
    switch (key) {
    case KEY_PASSWORD:
        argp_error(state, "a password is never taken from the command line, where others could see it: "
                          "it is asked for, or read from --password-file FILE");
        return 0;
    case ARGP_KEY_ARG:
        add_argument(line, argument, state);
        return 0;
    case ARGP_KEY_END:
        check_command(line, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The width of argp's help, and where it begins its descriptions. */
#define HELP_COLUMNS 79
#define HELP_INDENT 29
static const char help_margin[] = "                             ";

/* The commands, the environment and the exit codes, behind the options in the help. */
static char *help_text(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    char *help = NULL;
    size_t len;
    FILE *out = open_memstream(&help, &len);
    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "Commands:\n");
    for (const struct command *command = command_table; command->name != NULL; command++) {
        char usage[HELP_INDENT];
        (void)snprintf(usage, sizeof usage, "  %s %s", command->name, command->arguments);
        char *doc = wrap_text(command->doc, HELP_COLUMNS, HELP_INDENT, help_margin);
        fprintf(out, "%-*s%s\n", HELP_INDENT, usage, doc != NULL ? doc : "");
        free(doc);
    }
    fprintf(out, "\nOptions come from the command line, then the environment ($KDC_CHAT_SERVER, $KDC_CHAT_USER, "
                 "$KDC_CHAT_PASSWORD_FILE and so on), then the configuration file (lines such as "
                 "server = kdc.example.org), then the defaults.\n\nExit status:\n");
    for (const struct exit_code_description *one = exit_code_table; one->doc != NULL; one++) {
        fprintf(out, "%3d  %s\n", (int)one->code, one->doc);
    }
    return fclose(out) == 0 ? help : NULL;
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "kdc-chat %s\n", kc_version());
}

static void parse(struct command_line *line, int argc, char **argv)
{
    struct argp_option argp_options[OPTION_ID_COUNT + 2] = { 0 };
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        argp_options[id] = (struct argp_option){ .name = option_table[id].name,
                                                 .key = key_of(id),
                                                 .arg = option_table[id].argument,
                                                 .doc = option_table[id].doc,
                                                 .group = option_table[id].environment != NULL ? 1 : 2 };
    }
    argp_options[OPTION_ID_COUNT] = (struct argp_option){
        .name = "password", .key = KEY_PASSWORD, .arg = "PASSWORD", .flags = OPTION_HIDDEN | OPTION_ARG_OPTIONAL
    };
    const struct argp argp = {
        .options = argp_options,
        .parser = on_argument,
        .args_doc = "[COMMAND [ARGUMENT...]]",
        .doc = "Private conversations through a key distribution center (KDC).\v",
        .help_filter = help_text,
    };
    argp_program_version_hook = print_version;
    argp_err_exit_status = EXIT_CODE_USAGE;
    error_t error = argp_parse(&argp, argc, argv, 0, NULL, line);
    if (error != 0) {
        fprintf(stderr, "kdc-chat: %s\n", strerror(error));
        exit(EXIT_CODE_OTHER);
    }
}

/* A password or a key is in no core dump, and no other process of the same user looks into this one. */
static void forbid_dumps(void)
{
    const struct rlimit no_core = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &no_core);
#ifndef __SANITIZE_ADDRESS__ /* which looks into its own process */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

int main(int argc, char **argv)
{
    forbid_dumps();
    (void)signal(SIGPIPE, SIG_IGN);

    struct command_line line = { 0 };
    parse(&line, argc, argv);
    char error[700];
    if (!options_complete(&line.options, error, sizeof error)) {
        fprintf(stderr, "kdc-chat: %s\n", error);
        options_free(&line.options);
        return EXIT_CODE_USAGE;
    }
    enum exit_code code = line.command->run(&line.options, line.arguments);
    options_free(&line.options);
    return (int)code;
}
