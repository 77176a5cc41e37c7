/*
 * main.c: kdcd, the key distribution center: start, signals, end.
 */
#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/config.h"
#include "kdc/control_server.h"
#include "kdc/identity_file.h"
#include "kdc/kdcd/exit_code.h"
#include "kdc/kdcd/group_tables.h"
#include "kdc/kdcd/options.h"
#include "kdc/listener.h"
#include "kdc/log.h"
#include "kdc/mailer.h"
#include "kdc/metrics_http.h"
#include "kdc/server.h"
#include "kdc/ticket_keys.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FAILURE_MAX 1024

/* Whatever fails writes its sentence there. */
_Static_assert(FAILURE_MAX >= CONTROL_ERROR_MAX, "room for the control socket's");
_Static_assert(FAILURE_MAX >= LISTENER_ERROR_MAX, "room for the listener's");
_Static_assert(FAILURE_MAX >= MAILER_ERROR_MAX, "room for the mailer's");
_Static_assert(FAILURE_MAX >= METRICS_HTTP_ERROR_MAX, "room for the metrics'");
_Static_assert(FAILURE_MAX >= IDENTITY_FILE_ERROR_MAX, "room for the identity file's");
_Static_assert(FAILURE_MAX >= TICKET_KEYS_ERROR_MAX, "room for the ticket file's");

const char *argp_program_version = "kdcd " KDC_CHAT_VERSION;

/* The program's root. */
struct program {
    struct kdcd_options options;
    struct config config;              /* in use */
    struct password_policy *passwords; /* that it was started with */
    struct group_tables tables;
    struct mailer *mailer; /* NULL: nothing is mailed */
    struct server *server;
    struct event_base *base;
    struct listener *listener;
    struct control_server *control;
    struct metrics_http *metrics; /* NULL: none are served */
    struct event *signals[3];
    struct event *second;      /* each of them; NULL: nothing is due by time */
    char failure[FAILURE_MAX]; /* why it could not start; a sentence */
};

static void apply_log(const struct config *config)
{
    log_set((enum log_level)config->log_level, config->log_format == LOG_FORMAT_JSON);
}

/* As many descriptors as we may have: each connection takes one. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum exit_code load_identity(struct program *p, struct identity **identity)
{
    const struct config *config = &p->config;
    char fingerprint[IDENTITY_FINGERPRINT_LEN];
    const enum identity_file_result result =
        identity_file_load_or_make(config->identity_file, &rng_system, identity, p->failure);
    if (result != IDENTITY_FILE_OK && result != IDENTITY_FILE_MADE) {
        return EXIT_CODE_IDENTITY;
    }
    p->failure[0] = '\0'; /* that it wasn't there yet is none */
    identity_fingerprint((*identity)->public_key, fingerprint);
    log_line(LOG_INFO, result == IDENTITY_FILE_MADE ? "made a new identity" : "loaded the identity",
             LOG_TEXT("file", config->identity_file), LOG_TEXT("fingerprint", fingerprint));
    return EXIT_CODE_OK;
}

/* *keys stays NULL when there are to be no tickets. */
static enum exit_code load_ticket_keys(struct program *p, struct ticket_keys **keys)
{
    const struct config *config = &p->config;
    if (config->ticket_lifetime == 0) {
        return EXIT_CODE_OK;
    }
    const enum ticket_keys_result result = ticket_keys_load(config->ticket_file, config->ticket_lifetime,
                                                            clock_wall_ms() / 1000, &rng_system, keys, p->failure);
    const struct log_field file[] = { LOG_TEXT("file", config->ticket_file), { .key = NULL } };
    switch (result) {
    case TICKET_KEYS_LOADED:
        break;
    case TICKET_KEYS_MADE:
        log_event(LOG_INFO, "made the tickets' first key", file);
        break;
    case TICKET_KEYS_AHEAD:
        log_event(LOG_WARN, "the tickets' key is of a time to come: did the clock go back?", file);
        break;
    case TICKET_KEYS_ANEW:
        log_event(LOG_WARN, "made a new key for tickets: the file was too old, or for another ticket_lifetime", file);
        break;
    case TICKET_KEYS_KEPT:
        log_line(LOG_ERROR, "the tickets' key can't be kept", LOG_TEXT("cause", p->failure));
        break;
    case TICKET_KEYS_FAILED:
        return EXIT_CODE_IDENTITY;
    }
    p->failure[0] = '\0';
    return EXIT_CODE_OK;
}

static void on_reload(struct program *p)
{
    char error[CONFIG_ERROR_MAX];
    struct config next;
    if (config_load(p->options.config_path, &next, error) != 0) {
        log_line(LOG_ERROR, "kept the configuration: the file is wrong", LOG_TEXT("cause", error));
        return;
    }
    const char *key = config_not_reloadable(&p->config, &next);
    if (key != NULL) {
        log_line(LOG_ERROR, "kept the configuration: a key needs a restart to change", LOG_TEXT("key", key));
        return;
    }
    struct password_policy *passwords = password_policy_new(next.password_min, next.password_list, error, sizeof error);
    if (passwords == NULL) {
        log_line(LOG_ERROR, "kept the configuration: a file that it names is wrong", LOG_TEXT("cause", error));
        return;
    }
    const bool reloaded = group_tables_build(&next.handshake) == 0 && server_reload(p->server, &next, passwords) == 0;
    password_policy_unref(&passwords);
    if (!reloaded) {
        log_event(LOG_ERROR, "kept the configuration: memory is out", NULL);
        return;
    }
    p->config = next;
    apply_log(&next);
    log_line(LOG_INFO, "reloaded the configuration", LOG_TEXT("file", p->options.config_path));
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
    (void)what;
    struct program *p = argument;
    if (number == SIGHUP) {
        on_reload(p);
    } else {
        (void)event_base_loopbreak(p->base);
    }
}

static int watch_signals(struct program *p)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        p->signals[i] = evsignal_new(p->base, numbers[i], on_signal, p);
        if (p->signals[i] == NULL || event_add(p->signals[i], NULL) != 0) {
            return -1;
        }
    }
    return 0;
}

static void on_second(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct program *p = argument;
    char error[TICKET_KEYS_ERROR_MAX];
    if (ticket_keys_turn(p->server->tickets, clock_wall_ms() / 1000, error) != 0) {
        log_line(LOG_ERROR, "the tickets' key can't be kept", LOG_TEXT("cause", error));
    }
}

static int watch_time(struct program *p)
{
    static const struct timeval second = { .tv_sec = 1 };
    if (p->server->tickets == NULL) {
        return 0;
    }
    p->second = event_new(p->base, -1, EV_PERSIST, on_second, p);
    return p->second == NULL ? -1 : event_add(p->second, &second);
}

/* All threads but this one leave signals alone. */
static struct server *start_server(const struct program *p, struct identity *identity, struct ticket_keys *tickets)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct server *server = server_new(&p->config, p->passwords, identity, tickets);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server;
}

/* Likewise. */
static struct mailer *start_mailer(struct program *p)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct mailer *mailer = mailer_new(&p->config, p->failure);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return mailer;
}

static enum exit_code start(struct program *p)
{
    struct identity *identity = NULL;
    struct ticket_keys *tickets = NULL;
    log_line(LOG_INFO, "initialising", LOG_TEXT("version", KDC_CHAT_VERSION),
             LOG_TEXT("config", p->options.config_path));
    enum exit_code failed = load_identity(p, &identity);
    if (failed == EXIT_CODE_OK) {
        failed = load_ticket_keys(p, &tickets);
    }
    if (failed != EXIT_CODE_OK) {
        identity_free(&identity);
        return failed;
    }
    if (group_tables_start(&p->tables, &p->config.handshake) != 0) {
        (void)snprintf(p->failure, sizeof p->failure, "no memory for the tables of the Diffie-Hellman groups");
        identity_free(&identity);
        ticket_keys_free(&tickets);
        return EXIT_CODE_OTHER;
    }
    if (p->config.mail_server[0] != '\0') {
        p->mailer = start_mailer(p);
        if (p->mailer == NULL) {
            identity_free(&identity);
            ticket_keys_free(&tickets);
            return EXIT_CODE_CONFIGURATION;
        }
    }
    p->server = start_server(p, identity, tickets);
    if (p->server != NULL) {
        p->server->mailer = p->mailer;
    }
    p->base = event_base_new();
    if (p->server == NULL || p->base == NULL || watch_signals(p) != 0 || watch_time(p) != 0) {
        (void)snprintf(p->failure, sizeof p->failure, "can't start: memory, threads or file descriptors are out");
        return EXIT_CODE_OTHER;
    }
    /* Those who come first bring tickets, too: a database that is there tells in milliseconds which still hold. */
    (void)!journal_refresh(p->server->journal);
    p->listener = listener_new(p->server, p->base, p->failure);
    if (p->listener != NULL) {
        p->control = control_server_new(p->server, p->failure);
    }
    if (p->control != NULL && p->config.metrics_port != 0) {
        p->metrics = metrics_http_new(p->server, p->failure);
    }
    if (p->control == NULL || (p->config.metrics_port != 0 && p->metrics == NULL)) {
        return EXIT_CODE_LISTEN;
    }
    char ready[128];
    (void)snprintf(ready, sizeof ready, "ready to accept connections on %s", listener_address(p->listener));
    log_line(LOG_INFO, ready, LOG_NUMBER("reactors", p->server->reactor_count),
             LOG_NUMBER("workers", p->server->worker_count));
    return EXIT_CODE_OK;
}

static void stop(struct program *p)
{
    listener_free(&p->listener);
    for (size_t i = 0; i < sizeof p->signals / sizeof p->signals[0]; i++) {
        if (p->signals[i] != NULL) {
            event_free(p->signals[i]); /* a second signal ends us at once */
        }
    }
    if (p->second != NULL) {
        event_free(p->second);
    }
    if (p->server != NULL) {
        metrics_http_drain(p->metrics);
        server_drain(p->server); /* an operator may watch it */
        control_server_free(&p->control);
        metrics_http_free(&p->metrics);
        server_free(&p->server);
    }
    mailer_free(&p->mailer);
    if (p->base != NULL) {
        event_base_free(p->base);
    }
    group_tables_end(&p->tables);
}

static enum exit_code run(struct program *p)
{
    const enum exit_code failed = start(p);
    if (failed == EXIT_CODE_OK) {
        (void)event_base_dispatch(p->base);
        log_line(LOG_INFO, "shutting down", LOG_NUMBER("seconds", p->config.drain_seconds));
    }
    stop(p);
    if (failed == EXIT_CODE_OK) {
        log_event(LOG_INFO, "ended", NULL);
    }
    return failed;
}

/* What libevent has to say, in our log's shape. */
static void library_said(int severity, const char *text)
{
    static const enum log_level levels[] = { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
    log_line(levels[severity & 3], "libevent", LOG_TEXT("message", text));
}

/* The one line about a start that failed: the last, and in the log's format. */
static void tell_failure(const struct program *p)
{
    if (p->config.log_format == LOG_FORMAT_JSON) {
        log_line(LOG_ERROR, "could not start", LOG_TEXT("cause", p->failure));
    } else {
        fprintf(stderr, "kdcd: %s\n", p->failure);
    }
}

int main(int argc, char **argv)
{
    static struct program program;
    char error[CONFIG_ERROR_MAX];
    secret_guard_gmp();
    program.options = kdcd_options_parse(argc, argv);
    if (program.options.sample) {
        config_print_sample(stdout);
        return fflush(stdout) == 0 ? EXIT_CODE_OK : EXIT_CODE_OTHER;
    }
    if (config_load(program.options.config_path, &program.config, error) != 0) {
        fprintf(stderr, "kdcd: %s\n", error);
        return EXIT_CODE_CONFIGURATION;
    }
    program.passwords =
        password_policy_new(program.config.password_min, program.config.password_list, error, sizeof error);
    if (program.passwords == NULL) {
        fprintf(stderr, "kdcd: %s\n", error);
        return EXIT_CODE_CONFIGURATION;
    }
    if (program.config.mail_server[0] != '\0' && mailer_check(&program.config, error) != 0) {
        password_policy_unref(&program.passwords);
        fprintf(stderr, "kdcd: %s\n", error);
        return EXIT_CODE_CONFIGURATION;
    }
    if (program.options.check) {
        password_policy_unref(&program.passwords);
        printf("%s: in order\n", program.options.config_path);
        return EXIT_CODE_OK;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* but while there is something to reload (watch_signals) */
    raise_descriptor_limit();
    apply_log(&program.config);
    event_set_log_callback(library_said);
    if (log_start() != 0) {
        fprintf(stderr, "kdcd: no thread for the log\n");
        return EXIT_CODE_OTHER;
    }
    const enum exit_code code = run(&program);
    password_policy_unref(&program.passwords);
    log_stop();
    if (code != EXIT_CODE_OK) {
        tell_failure(&program);
    }
    return (int)code;
}
