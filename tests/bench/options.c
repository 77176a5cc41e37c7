#include "tests/bench/options.h"

#include "crypto/dh.h"
#include "crypto/suite.h"
#include "tests/bench/bench.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "kdc-bench " KDC_CHAT_VERSION;

static const struct mode *const modes[] = { &mode_handshake, &mode_login, &mode_resume, &mode_keys,
                                            &mode_pingpong,  &mode_relay, &mode_idle,   &mode_storm,
                                            &mode_overload,  &mode_churn, &mode_restart };

#define MODE_COUNT (sizeof modes / sizeof modes[0])

enum key {
    KEY_JSON = 256,
    KEY_NO_LIMITS,
    KEY_SPAWN,
    KEY_SCRATCH,
    KEY_SERVER,
    KEY_PID,
    KEY_DATABASE_PID,
    KEY_USERS,
    KEY_PASSWORD_FILE,
    KEY_REGISTER,
    KEY_SERVER_CPUS,
    KEY_CPUS,
    KEY_REACTORS,
    KEY_WORKERS,
    KEY_COST,
    KEY_GROUP,
    KEY_SUITE,
    KEY_CONCURRENCY,
    KEY_PAIRS,
    KEY_WINDOW,
    KEY_SIZE,
    KEY_SECONDS,
    KEY_INNER,
    KEY_BATCH,
    KEY_COUNT,
    KEY_SESSIONS,
    KEY_PREPARED,
    KEY_RATE,
    KEY_SOURCES,
};

static const struct argp_option table[] = {
    { "json", KEY_JSON, NULL, 0, "Print one JSON object", 0 },
    { "no-limits", KEY_NO_LIMITS, NULL, 0, "Don't measure the limits beside it", 0 },
    { NULL, 0, NULL, 0, "The server", 1 },
    { "spawn", KEY_SPAWN, NULL, 0, "Start a kdcd on a scratch database (the default without --server)", 1 },
    { "scratch", KEY_SCRATCH, "FILE", 0, "What --spawn runs (tests/bench/scratch.py)", 1 },
    { "server", KEY_SERVER, "ADDRESS:PORT", 0, "A kdcd that runs", 1 },
    { "pid", KEY_PID, "PID", 0, "Its process, to see its CPU and memory", 1 },
    { "database-pid", KEY_DATABASE_PID, "PID", 0, "Its database's process", 1 },
    { "users", KEY_USERS, "PREFIX", 0, "Accounts are PREFIX00000 and so on (bench)", 1 },
    { "password-file", KEY_PASSWORD_FILE, "FILE", 0, "Their password is its first line", 1 },
    { "register", KEY_REGISTER, NULL, 0, "Make the accounts", 1 },
    { "reactors", KEY_REACTORS, "N", 0, "Of the kdcd (to be started) and of the bare relay (0: one for each core)", 1 },
    { "workers", KEY_WORKERS, "N", 0, "Of the kdcd, and threads of the limit (0: one for each core)", 1 },
    { "cost", KEY_COST, "N", 0, "bcrypt's, for login (12)", 1 },
    { "server-cpus", KEY_SERVER_CPUS, "LIST", 0, "Tie the server and the bare relay to these cores", 1 },
    { "cpus", KEY_CPUS, "LIST", 0, "Tie this program to these cores", 1 },
    { NULL, 0, NULL, 0, "The load", 2 },
    { "group", KEY_GROUP, "NAME", 0, "Diffie-Hellman group (ffdhe3072)", 2 },
    { "suite", KEY_SUITE, "NAME", 0, "Of the records (aes-256-gcm)", 2 },
    { "concurrency", KEY_CONCURRENCY, "N", 0, "At a time: handshake, login, resume, keys, storm, churn, restart (8)",
      2 },
    { "pairs", KEY_PAIRS, "N", 0, "relay, idle, keys (50); storm, overload (20 at most)", 2 },
    { "window", KEY_WINDOW, "N", 0, "Messages of a pair that are under way (32)", 2 },
    { "size", KEY_SIZE, "BYTES", 0, "Of text in a message (100)", 2 },
    { "seconds", KEY_SECONDS, "N", 0, "To measure (5)", 2 },
    { "inner", KEY_INNER, "real|opaque", 0, "Messages with the double encryption, or ready ciphertext (opaque)", 2 },
    { "batch", KEY_BATCH, NULL, 0, "A whole window in one write", 2 },
    { "count", KEY_COUNT, "N", 0, "Round trips: pingpong (10000)", 2 },
    { "sessions", KEY_SESSIONS, "N", 0, "idle, restart; login --prepared, storm: at most (1000)", 2 },
    { "prepared", KEY_PREPARED, NULL, 0, "login: with the handshakes done before", 2 },
    { "rate", KEY_RATE, "N", 0, "overload: strangers a second (2000)", 2 },
    { "sources", KEY_SOURCES, "N", 0, "overload: addresses that they come from, 127.1.0.1 and so on (100)", 2 },
    { NULL, 0, NULL, 0, NULL, 0 },
};

static unsigned number(struct argp_state *state, const char *text, unsigned min, unsigned max)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *text == '-' || *end != '\0' || value < min || value > max) {
        argp_error(state, "'%s' is not a number from %u to %u", text, min, max);
    }
    return (unsigned)value;
}

static double seconds(struct argp_state *state, const char *text)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(value >= 0.1 && value <= 86400)) {
        argp_error(state, "'%s' is not a number of seconds from 0.1 to 86400", text);
    }
    return value;
}

static void set_mode(struct options *options, struct argp_state *state, const char *name)
{
    if (options->mode != NULL) {
        argp_error(state, "'%s' is one argument too many", name);
    }
    for (size_t i = 0; i < MODE_COUNT; i++) {
        if (strcmp(modes[i]->name, name) == 0) {
            options->mode = modes[i];
            return;
        }
    }
    argp_error(state, "there is no mode '%s'", name);
}

static void set_group(struct options *options, struct argp_state *state, const char *name)
{
    options->group = name;
    if (dh_group_by_name(name) == NULL) {
        argp_error(state, "there is no group '%s'", name);
    }
}

static void set_suite(struct options *options, struct argp_state *state, const char *name)
{
    options->suite = name;
    if (suite_by_name(name) == NULL) {
        argp_error(state, "there is no suite '%s'", name);
    }
}

static void set_inner(struct options *options, struct argp_state *state, const char *name)
{
    options->real = strcmp(name, "real") == 0;
    if (!options->real && strcmp(name, "opaque") != 0) {
        argp_error(state, "--inner is real or opaque");
    }
}

/* Whom to measure. */
static error_t parse_server(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_SPAWN:
        options->spawn = true;
        return 0;
    case KEY_SCRATCH:
        options->scratch = argument;
        return 0;
    case KEY_SERVER:
        options->server = argument;
        return 0;
    case KEY_PID:
        options->pid = (pid_t)number(state, argument, 1, 1 << 22);
        return 0;
    case KEY_DATABASE_PID:
        options->database_pid = (pid_t)number(state, argument, 1, 1 << 22);
        return 0;
    case KEY_USERS:
        options->users = argument;
        return 0;
    case KEY_PASSWORD_FILE:
        options->password_file = argument;
        return 0;
    case KEY_REGISTER:
        options->registers = true;
        return 0;
    case KEY_REACTORS:
        options->reactors = number(state, argument, 0, 256);
        return 0;
    case KEY_WORKERS:
        options->workers = number(state, argument, 0, 64);
        return 0;
    case KEY_COST:
        options->cost = number(state, argument, 10, 15);
        return 0;
    case KEY_SERVER_CPUS:
        options->server_cpus = argument;
        return 0;
    case KEY_CPUS:
        options->cpus = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* With what. */
static error_t parse_load(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_GROUP:
        set_group(options, state, argument);
        return 0;
    case KEY_SUITE:
        set_suite(options, state, argument);
        return 0;
    case KEY_CONCURRENCY:
        options->concurrency = number(state, argument, 1, 10000);
        return 0;
    case KEY_PAIRS:
        options->pairs = number(state, argument, 1, 5000);
        return 0;
    case KEY_WINDOW:
        options->window = number(state, argument, 1, 10000);
        return 0;
    case KEY_SIZE:
        options->size = number(state, argument, 1, 16384);
        return 0;
    case KEY_SECONDS:
        options->seconds = seconds(state, argument);
        return 0;
    case KEY_INNER:
        set_inner(options, state, argument);
        return 0;
    case KEY_BATCH:
        options->batch = true;
        return 0;
    case KEY_COUNT:
        options->count = number(state, argument, 1, 100000000);
        return 0;
    case KEY_SESSIONS:
        options->sessions = number(state, argument, 1, 90000);
        return 0;
    case KEY_PREPARED:
        options->prepared = true;
        return 0;
    case KEY_RATE:
        options->rate = number(state, argument, 1, 1000000);
        return 0;
    case KEY_SOURCES:
        options->sources = number(state, argument, 1, 65000);
        return 0;
    default:
        return parse_server(key, argument, state);
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_NO_LIMITS:
        options->limits = false;
        return 0;
    case ARGP_KEY_ARG:
        set_mode(options, state, argument);
        return 0;
    case ARGP_KEY_END:
        if (options->mode == NULL) {
            argp_error(state, "no mode given");
        }
        if (options->server != NULL && options->spawn) {
            argp_error(state, "--server and --spawn exclude each other");
        }
        if (options->server != NULL && options->password_file == NULL) {
            argp_error(state, "--server needs the accounts' password: --password-file");
        }
        if (options->server_cpus != NULL && options->server != NULL && options->pid == 0) {
            argp_error(state, "--server-cpus needs --pid");
        }
        options->spawn = options->server == NULL;
        return 0;
    default:
        return parse_load(key, argument, state);
    }
}

/* The modes' lines for --help. */
static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_PRE_DOC || text == NULL) {
        return (char *)(uintptr_t)text;
    }
    char *help = malloc(4096);
    if (help == NULL) {
        return NULL;
    }
    int len = snprintf(help, 4096, "%s\n", text);
    for (size_t i = 0; i < MODE_COUNT && len > 0 && len < 4096; i++) {
        len += snprintf(help + len, 4096 - (size_t)len, "\n  %-10s %s", modes[i]->name, modes[i]->what);
    }
    return help;
}

struct options options_parse(int argc, char **argv)
{
    static const struct argp argp = {
        .options = table,
        .parser = parse_option,
        .args_doc = "MODE",
        .doc =
            "Measures a KDC, beside what the machine allows for the same work.\v"
            "What is printed: `result' is the KDC's figures, `limit' the same work done with nothing but the "
            "arithmetic, or by a bare relay (idle, storm, overload: without the load beside it), `ratio' the one to the "
            "other. Times end in _s, _ms and _us; memory is in bytes, and 0 when --server came without --pid. `used' is "
            "all that was used while it was measured; generator is this program.\n\n"
            "Exit status: 0 measured; 1 an error, or a message lost, doubled or out of order: `first' tells the first "
            "one, and the figures mean nothing; 2 command line.",
        .help_filter = help_filter,
    };
    struct options options = { .limits = true,
                               .scratch = "tests/bench/scratch.py",
                               .users = "bench",
                               .cost = 12,
                               .group = "ffdhe3072",
                               .suite = "aes-256-gcm",
                               .concurrency = 8,
                               .pairs = 50,
                               .window = 32,
                               .size = 100,
                               .seconds = 5,
                               .count = 10000,
                               .sessions = 1000,
                               .rate = 2000,
                               .sources = 100 };
    argp_err_exit_status = 2;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &options);
    return options;
}
