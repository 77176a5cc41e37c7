/* listen: what arrives, for scripts. Every line is flushed, so that a pipe sees it at once. */
#include "client/cli/cli_session.h"
#include "client/cli/clock_text.h"
#include "client/cli/command.h"
#include "client/cli/printable.h"
#include "client/cli/wrap.h"

#include <event2/event.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct listening {
    struct cli_session session;
    bool json;
    bool all;
    size_t json_flags;
    unsigned long count; /* 0: no end */
    unsigned long heard;
    unsigned long timeout; /* seconds; 0: none */
    struct event *timer;
    struct event *output; /* standard output, when that is a pipe */
};

/* After each line. Who reads no more is told nothing more. */
static void flush(struct listening *listening)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_session_output_failed(&listening->session);
    }
}

/* Nothing is ever read there; when nobody reads any more, there is nobody to listen for. */
static void on_output(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct listening *listening = context;
    struct pollfd output = { .fd = fd };
    if (poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        cli_session_end(&listening->session, EXIT_CODE_OK);
    }
    (void)event_del(listening->output);
}

static bool watch_output(struct listening *listening)
{
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) != 0 || !S_ISFIFO(status.st_mode)) {
        return true;
    }
    listening->output = event_new(listening->session.base, STDOUT_FILENO, EV_READ | EV_PERSIST, on_output, listening);
    return listening->output != NULL && event_add(listening->output, NULL) == 0;
}

/* Takes `object` over. */
static void print_json(struct listening *listening, json_t *object)
{
    char *text = object != NULL ? json_dumps(object, listening->json_flags) : NULL;
    json_decref(object);
    if (text == NULL) {
        cli_session_fail(&listening->session, EXIT_CODE_OTHER, "no memory");
        return;
    }
    printf("%s\n", text);
    free(text);
    flush(listening);
}

static json_t *json_object_of(const char *type, uint64_t time)
{
    char text[CLOCK_TEXT_ROOM];
    return json_pack("{s:s, s:s}", "type", type, "time", clock_text_rfc3339(time, text));
}

static void add(json_t *object, const char *key, json_t *value)
{
    if (object != NULL) {
        (void)json_object_set_new(object, key, value);
    }
}

static json_t *json_of_event(const struct listening *listening, const struct kc_event *event)
{
    json_t *object = NULL;
    switch (event->type) {
    case KC_EVENT_TEXT:
        object = json_object_of("text", event->time);
        add(object, "from", json_string(event->peer));
        add(object, "to", json_string(listening->session.user));
        add(object, "conversation", json_integer((json_int_t)event->conversation));
        add(object, "epoch", json_integer((json_int_t)event->epoch));
        add(object, "seq", json_integer((json_int_t)event->sequence));
        add(object, "text", json_stringn(event->text, event->text_len));
        break;
    case KC_EVENT_READY:
        object = json_object_of("ready", clock_now());
        add(object, "name", json_string(event->name));
        add(object, "resumed", json_boolean(event->resumed));
        break;
    case KC_EVENT_DISCONNECTED:
        object = json_object_of("disconnected", clock_now());
        add(object, "error", json_string(kc_error_name(event->error)));
        break;
    case KC_EVENT_OPENED:
        object = json_object_of("opened", clock_now());
        add(object, "from", json_string(event->peer));
        add(object, "conversation", json_integer((json_int_t)event->conversation));
        add(object, "epoch", json_integer((json_int_t)event->epoch));
        add(object, "suite", json_string(event->suite));
        break;
    case KC_EVENT_PRESENCE:
        object = json_object_of("presence", clock_now());
        add(object, "from", json_string(event->peer));
        add(object, "online", json_boolean(event->online));
        break;
    default:
        break;
    }
    return object;
}

/* A line for a person; a text of several lines can't be mistaken for several texts. */
static void print_text(struct listening *listening, const struct kc_event *event)
{
    char time[CLOCK_TEXT_ROOM];
    char *safe = printable(event->text, event->text_len, true);
    (void)clock_text_time(event->time, time);
    size_t used = strlen(time) + strlen(event->peer) + strlen(" : ");
    char *text = safe != NULL ? wrap_text(safe, wrap_columns(), used, WRAP_TEXT_MARGIN) : NULL;
    free(safe);
    if (text == NULL) {
        cli_session_fail(&listening->session, EXIT_CODE_OTHER, "no memory");
        return;
    }
    printf("%s %s: %s\n", time, event->peer, text);
    free(text);
    flush(listening);
}

static void print_notice(struct listening *listening, const struct kc_event *event)
{
    char time[CLOCK_TEXT_ROOM];
    (void)clock_text_time(clock_now(), time);
    switch (event->type) {
    case KC_EVENT_READY:
        printf("-- %s logged in as %s\n", time, event->name);
        break;
    case KC_EVENT_DISCONNECTED:
        printf("-- %s disconnected: %s\n", time, kc_error_text(event->error));
        break;
    case KC_EVENT_OPENED:
        printf("-- %s conversation with %s: epoch %u\n", time, event->peer, (unsigned)event->epoch);
        break;
    case KC_EVENT_PRESENCE:
        printf("-- %s %s is %s\n", time, event->peer, event->online ? "online" : "offline");
        break;
    default:
        return;
    }
    flush(listening);
}

static void on_event(void *context, const struct kc_event *event)
{
    struct listening *listening = context;
    bool is_text = event->type == KC_EVENT_TEXT;
    if (is_text || listening->all) {
        json_t *object = listening->json ? json_of_event(listening, event) : NULL;
        if (object != NULL) {
            print_json(listening, object);
        } else if (!listening->json && is_text) {
            print_text(listening, event);
        } else if (!listening->json) {
            print_notice(listening, event);
        }
    } else if (event->type == KC_EVENT_DISCONNECTED || (event->type == KC_EVENT_READY && event->resumed)) {
        fprintf(stderr, "kdc-chat: %s\n",
                event->type == KC_EVENT_READY ? "connected again" : kc_error_text(event->error));
    }
    if (is_text && ++listening->heard == listening->count) {
        cli_session_end(&listening->session, EXIT_CODE_OK);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct listening *listening = context;
    if (listening->count == 0) {
        cli_session_end(&listening->session, EXIT_CODE_OK);
    } else {
        cli_session_fail(&listening->session, EXIT_CODE_TIMEOUT, "%lu of %lu texts within %lu s", listening->heard,
                         listening->count, listening->timeout);
    }
}

static enum exit_code run(struct listening *listening, const struct options *options)
{
    const struct cli_session_handler handler = { .context = listening, .event = on_event };
    if (!cli_session_open(&listening->session, options)) {
        return listening->session.code;
    }
    const struct timeval wait = { .tv_sec = (time_t)listening->timeout };
    if (listening->timeout > 0) {
        listening->timer = evtimer_new(listening->session.base, on_timer, listening);
        if (listening->timer == NULL || evtimer_add(listening->timer, &wait) != 0) {
            return EXIT_CODE_OTHER;
        }
    }
    if (!watch_output(listening)) {
        return EXIT_CODE_OTHER;
    }
    return cli_session_run(&listening->session, &handler);
}

enum exit_code listen_command(const struct options *options, char *const *arguments)
{
    (void)arguments;
    struct listening listening = { 0 };
    listening.json = options_on(options, OPTION_JSON);
    listening.all = options_on(options, OPTION_ALL);
    /* JSON escapes the C0 controls; for a terminal all that isn't ASCII as well. */
    listening.json_flags = JSON_COMPACT | JSON_PRESERVE_ORDER | (isatty(STDOUT_FILENO) == 1 ? JSON_ENSURE_ASCII : 0U);
    listening.count = options_number(options, OPTION_COUNT, 0);
    listening.timeout = options_number(options, OPTION_TIMEOUT, 0);
    listening.session.reconnect = true;
    listening.session.takes_texts = true;
    enum exit_code code = run(&listening, options);
    if (listening.timer != NULL) {
        event_free(listening.timer);
    }
    if (listening.output != NULL) {
        event_free(listening.output);
    }
    cli_session_close(&listening.session);
    return code;
}
