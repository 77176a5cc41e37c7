#include "kdc/kdcd/options.h"

#include "kdc/kdcd/exit_code.h"

#include <stdint.h>
#include <stdio.h>

enum option_key { OPTION_CONFIG = 'c', OPTION_CHECK = 256, OPTION_SAMPLE };

const struct argp_option kdcd_option_table[] = {
    { "config", OPTION_CONFIG, "FILE", 0, "The configuration", 0 },
    { "check-config", OPTION_CHECK, NULL, 0, "Only check the configuration", 0 },
    { "sample-config", OPTION_SAMPLE, NULL, 0, "Print a commented configuration with all defaults", 0 },
    { NULL, 0, NULL, 0, NULL, 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct kdcd_options *options = state->input;
    switch (key) {
    case OPTION_CONFIG:
        options->config_path = argument;
        return 0;
    case OPTION_CHECK:
        options->check = true;
        return 0;
    case OPTION_SAMPLE:
        options->sample = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is one argument too many", argument);
        return 0;
    case ARGP_KEY_END:
        if (options->config_path == NULL && !options->sample) {
            argp_error(state, "no configuration: give --config FILE (--sample-config prints one to start from)");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The exit codes, below the options. */
static char *help_add(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_EXTRA) {
        return (char *)(uintptr_t)text;
    }
    char *help = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&help, &len);
    if (out == NULL) {
        return NULL;
    }
    (void)fputs("Exit status:\n", out);
    for (const struct exit_code_description *one = kdcd_exit_codes; one->doc != NULL; one++) {
        (void)fprintf(out, "  %d  %s\n", (int)one->code, one->doc);
    }
    (void)fclose(out);
    return help;
}

struct kdcd_options kdcd_options_parse(int argc, char **argv)
{
    static const struct argp argp = {
        .options = kdcd_option_table,
        .parser = parse_option,
        .doc =
            "The key distribution center of kdc-chat: logs users in, gives them conversation keys, and passes their "
            "messages on.\vRuns in the foreground and logs to stderr. SIGTERM and SIGINT end it once all is sent; SIGHUP "
            "reads the configuration again.",
        .help_filter = help_add,
    };
    struct kdcd_options options = { 0 };
    argp_err_exit_status = EXIT_CODE_USAGE;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &options);
    return options;
}
