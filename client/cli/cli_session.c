#include "client/cli/cli_session.h"

#include "client/cli/cli_login.h"
#include "client/cli/printable.h"
#include "crypto/secret.h"
#include "wire/protocol.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define END_SECONDS 2 /* that an orderly end may take */

/* --- The end --- */

static void on_end_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    ((struct cli_session *)context)->done = true;
}

void cli_session_end(struct cli_session *session, enum exit_code code)
{
    if (session->ending) {
        return;
    }
    session->ending = true;
    session->code = code;
    const struct timeval wait = { .tv_sec = END_SECONDS };
    if (evtimer_add(session->end_timer, &wait) != 0 || session->client == NULL) {
        session->done = true;
        return;
    }
    kc_disconnect(session->client);
}

void cli_session_fail(struct cli_session *session, enum exit_code code, const char *format, ...)
{
    if (session->ending) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&session->failure, format, arguments) < 0) {
        session->failure = NULL;
    }
    va_end(arguments);
    cli_session_end(session, code);
}

void cli_session_fail_error(struct cli_session *session, const char *subject, int error, unsigned retry_after)
{
    char later[40] = "";
    if (retry_after > 0) {
        (void)snprintf(later, sizeof later, "; try again in %u s", retry_after);
    }
    /* Who was in has given the right password: it is the account that changed. */
    if (session->was_ready && error == REASON_LOGIN_FAILED) {
        cli_session_fail(session, exit_code_of(error),
                         "The account was changed meanwhile; log in again, or ask the server's operator");
        return;
    }
    if (session->new_password != NULL && error == KC_CONNECTION_LOST) { /* the KDC may have taken it */
        cli_session_fail(session, exit_code_of(error), "%s; whether your password is changed shows at the next login",
                         kc_error_text(error));
        return;
    }
    cli_session_fail(session, exit_code_of(error), "%s%s%s%s", subject != NULL ? subject : "",
                     subject != NULL ? ": " : "", kc_error_text(error), later);
}

void cli_session_output_failed(struct cli_session *session)
{
    if (errno == EPIPE) {
        cli_session_end(session, EXIT_CODE_OK);
    } else {
        cli_session_fail(session, EXIT_CODE_OTHER, "standard output can't be written: %s", strerror(errno));
    }
}

static void on_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)what;
    struct cli_session *session = context;
    if (signal_number == SIGINT && session->handler->interrupt != NULL && !session->ending) {
        session->handler->interrupt(session->handler->context);
        return;
    }
    if (session->ending) { /* impatient */
        session->done = true;
    }
    cli_session_end(session, EXIT_CODE_INTERRUPTED);
}

/* --- Events --- */

static void identity_changed(struct cli_session *session, const struct kc_event *event)
{
    const struct options *options = session->options;
    const char *file = options->value[OPTION_KNOWN_KDCS];
    bool given = options->value[OPTION_FINGERPRINT] != NULL;
    cli_session_fail(session, EXIT_CODE_IDENTITY,
                     "%s. NOT CONNECTED.\n"
                     "\n"
                     "  KDC:                   %s\n"
                     "  fingerprint %s     %s\n"
                     "  fingerprint it has:    %s\n"
                     "\n"
                     "Either the operator gave the KDC a new identity, or somebody stands in between and wants your\n"
                     "password. Nothing was sent.\n"
                     "Ask the operator for the fingerprint, by another way than this one. Only if it is the one that\n"
                     "the KDC has now: %s%s%sgive it once with --fingerprint.",
                     given ? "THIS IS NOT THE KDC WITH THE FINGERPRINT THAT WAS GIVEN"
                           : "THE KDC'S IDENTITY HAS CHANGED",
                     options->value[OPTION_SERVER],
                     given ? "given:" : "known:", event->known_fingerprint != NULL ? event->known_fingerprint : "?",
                     event->fingerprint != NULL ? event->fingerprint : "?",
                     given || file == NULL ? "" : "remove the KDC's line from\n", given || file == NULL ? "" : file,
                     given || file == NULL ? "" : ", or ");
}

static void on_disconnected(struct cli_session *session, const struct kc_event *event)
{
    if (session->ending) {
        session->done = true;
        return;
    }
    const bool may_ask =
        session->offer_account || session->new_password != NULL || session->joining.attempt != ATTEMPT_LOGIN;
    if (session->wanted_end != 0 && event->error == session->wanted_end && session->was_ready) {
        session->wanted_end = 0;
        cli_session_end(session, EXIT_CODE_OK);
        session->done = true;
    } else if (event->error == REASON_TRIES && !session->was_ready && may_ask && ask_possible()) {
        session->parted = true; /* whoever is being asked may go on */
        if (!session->asking) {
            session->question = QUESTION_LOGIN;
        }
    } else if (event->error == KC_IDENTITY_CHANGED) {
        identity_changed(session, event);
        session->done = true;
    } else if (event->retry_ms == 0 || !session->was_ready) {
        bool reached = event->error != KC_UNREACHABLE && event->error != KC_BAD_ADDRESS;
        cli_session_fail_error(session, reached ? NULL : session->options->value[OPTION_SERVER], event->error,
                               event->retry_after);
        session->done = true;
    } else {
        session->handler->event(session->handler->context, event);
    }
}

static void on_trace(struct cli_session *session, const struct kc_event *event)
{
    char *line = printable(event->text, event->text_len, false);
    if (line == NULL) {
        return;
    }
    if (session->handler->trace != NULL) {
        session->handler->trace(session->handler->context, line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    free(line);
}

static void on_event(void *context, struct kc_client *client, const struct kc_event *event)
{
    (void)client;
    struct cli_session *session = context;
    switch (event->type) {
    case KC_EVENT_TRACE:
        on_trace(session, event);
        return;
    case KC_EVENT_DISCONNECTED:
        on_disconnected(session, event);
        return;
    default:
        break;
    }
    if (session->ending) {
        return;
    }
    switch (event->type) {
    case KC_EVENT_IDENTITY:
        (void)snprintf(session->offered, sizeof session->offered, "%s", event->fingerprint);
        session->question = QUESTION_IDENTITY;
        return;
    case KC_EVENT_LOGIN_REFUSED:
        session->refused = event->error;
        session->retry_after = event->retry_after;
        session->question = QUESTION_LOGIN;
        return;
    case KC_EVENT_READY:
        session->was_ready = true;
        secret_free(&session->password);
        if (session->new_password != NULL && !session->changes_password) {
            fprintf(stderr, "Your password is changed.\n");
        }
        secret_free(&session->new_password);
        break;
    default:
        break;
    }
    session->handler->event(session->handler->context, event);
}

/* --- Opening and closing --- */

/* The folders of a file, private to the person. What is missing shows when the file is opened. */
static void make_folders(const char *file)
{
    char *path = file != NULL ? strdup(file) : NULL;
    if (path == NULL) {
        return;
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    free(path);
}

static bool make_client(struct cli_session *session)
{
    const struct options *options = session->options;
    if (options->source[OPTION_KNOWN_KDCS] == NULL) { /* our own default */
        make_folders(options->value[OPTION_KNOWN_KDCS]);
    }
    const struct kc_options client_options = {
        .host = options->host,
        .port = options->port,
        .known_kdcs = options->value[OPTION_KNOWN_KDCS],
        .fingerprint = options->value[OPTION_FINGERPRINT],
        .groups = options->value[OPTION_GROUP],
        .suites = options->value[OPTION_SUITE],
        .reconnect = session->reconnect,
        .send_only = !session->takes_texts,
    };
    int error = KC_NO_MEMORY;
    session->client = kc_new(session->base, &client_options, on_event, session, &error);
    if (session->client != NULL) {
        kc_set_trace(session->client, options_on(options, OPTION_DEBUG));
        return true;
    }
    fprintf(stderr, "kdc-chat: %s\n", kc_error_text(error));
    session->code = exit_code_of(error);
    return false;
}

/* A base that takes files as well: standard input may be one. */
static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config != NULL && event_config_require_features(config, EV_FEATURE_FDS) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config != NULL) {
        event_config_free(config);
    }
    return base;
}

bool cli_session_open(struct cli_session *session, const struct options *options)
{
    static const int signal_numbers[] = { SIGINT, SIGTERM, SIGHUP };
    session->options = options;
    session->code = EXIT_CODE_OTHER;
    session->base = make_base();
    bool good = session->base != NULL;
    for (size_t i = 0; good && i < sizeof signal_numbers / sizeof signal_numbers[0]; i++) {
        session->signals[i] = evsignal_new(session->base, signal_numbers[i], on_signal, session);
        good = session->signals[i] != NULL && evsignal_add(session->signals[i], NULL) == 0;
    }
    session->end_timer = good ? evtimer_new(session->base, on_end_timer, session) : NULL;
    session->password = secret_alloc(sizeof *session->password);
    if (session->end_timer == NULL || session->password == NULL) {
        fprintf(stderr, "kdc-chat: no memory\n");
        return false;
    }
    return make_client(session);
}

enum exit_code cli_session_run(struct cli_session *session, const struct cli_session_handler *handler)
{
    session->handler = handler;
    session->done = !cli_login_first(session);
    int error = session->done ? KC_OK : kc_connect(session->client);
    if (error != KC_OK) {
        cli_session_fail(session, exit_code_of(error), "%s: %s", kc_error_text(error), kc_detail(session->client));
        session->done = true;
    }
    while (!session->done) {
        if (session->question != QUESTION_NONE && !session->ending) {
            session->asking = true;
            const bool changes = session->question == QUESTION_PASSWORD;
            cli_login_ask(session);
            session->asking = false;
            if (changes && !session->done && handler->asked != NULL) {
                handler->asked(handler->context);
            }
        }
        if (!session->done && event_base_loop(session->base, EVLOOP_ONCE) != 0) {
            session->code = session->ending ? session->code : EXIT_CODE_OTHER;
            break;
        }
    }
    if (handler->stop != NULL) {
        handler->stop(handler->context);
    }
    if (session->failure != NULL) {
        fprintf(stderr, "kdc-chat: %s\n", session->failure);
    }
    return session->code;
}

void cli_session_close(struct cli_session *session)
{
    secret_free(&session->password);
    secret_free(&session->new_password);
    if (session->client != NULL) {
        kc_free(&session->client);
    }
    for (size_t i = 0; i < sizeof session->signals / sizeof session->signals[0]; i++) {
        if (session->signals[i] != NULL) {
            event_free(session->signals[i]);
        }
    }
    if (session->end_timer != NULL) {
        event_free(session->end_timer);
    }
    if (session->base != NULL) {
        event_base_free(session->base);
    }
    free(session->failure);
    session->failure = NULL;
}
