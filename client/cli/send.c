/* send: one text, and the certainty that the other side has it. */
#include "client/cli/cli_session.h"
#include "client/cli/command.h"
#include "wire/name.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 15
/* One newline at the end is cut; one byte more tells a text that is too long. */
#define INPUT_ROOM (KC_TEXT_MAX + 2)

struct sending {
    struct cli_session session;
    struct name peer;
    const char *text;
    size_t text_len;
    uint64_t number; /* 0: not yet given to the library */
    int hindrance;   /* why it couldn't go at once; KC_OK: nothing known */
    unsigned long timeout;
    struct event *timer;
};

static void on_event(void *context, const struct kc_event *event)
{
    struct sending *sending = context;
    struct cli_session *session = &sending->session;
    switch (event->type) {
    case KC_EVENT_READY: {
        int error = sending->number != 0 ? KC_OK
                                         : kc_send(session->client, sending->peer.text, sending->text,
                                                   sending->text_len, &sending->number);
        if (error != KC_OK) {
            cli_session_fail_error(session, sending->peer.text, error, 0);
        }
        break;
    }
    case KC_EVENT_DELIVERED:
        if (strcmp(event->peer, sending->peer.text) == 0 && sending->number != 0 && event->number >= sending->number) {
            cli_session_end(session, EXIT_CODE_OK);
        }
        break;
    case KC_EVENT_REFUSED:
        if (event->retry_after > 0) { /* the library tries again */
            sending->hindrance = event->error;
        } else {
            cli_session_fail_error(session, sending->peer.text, event->error, 0);
        }
        break;
    default:
        break;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct sending *sending = context;
    cli_session_fail(
        &sending->session, sending->hindrance != KC_OK ? exit_code_of(sending->hindrance) : EXIT_CODE_TIMEOUT,
        "%s: not delivered within %lu s%s%s", sending->peer.text, sending->timeout,
        sending->hindrance != KC_OK ? ": " : "", sending->hindrance != KC_OK ? kc_error_text(sending->hindrance) : "");
}

/* All of standard input, as far as it may be a text. False: it couldn't be read. */
static bool read_input(char *input, size_t *len)
{
    *len = 0;
    while (*len < INPUT_ROOM) {
        ssize_t got = read(STDIN_FILENO, input + *len, INPUT_ROOM - *len);
        if (got < 0 && errno != EINTR) {
            fprintf(stderr, "kdc-chat: standard input: %s\n", strerror(errno));
            return false;
        }
        if (got == 0) {
            break;
        }
        *len += got > 0 ? (size_t)got : 0;
    }
    if (*len > 0 && input[*len - 1] == '\n') {
        (*len)--;
    }
    return true;
}

static bool may_be_sent(const char *text, size_t len)
{
    const struct bytes bytes = { (const uint8_t *)text, len };
    const char *why = NULL;
    if (len == 0) {
        why = "it is empty";
    } else if (len > KC_TEXT_MAX) {
        why = "it is longer than 16384 bytes";
    } else if (!utf8_valid(bytes)) {
        why = "it is not UTF-8";
    }
    if (why != NULL) {
        fprintf(stderr, "kdc-chat: the text can't be sent: %s\n", why);
    }
    return why == NULL;
}

static enum exit_code run(struct sending *sending, const struct options *options)
{
    const struct cli_session_handler handler = { .context = sending, .event = on_event };
    if (!cli_session_open(&sending->session, options)) {
        return sending->session.code;
    }
    const struct timeval wait = { .tv_sec = (time_t)sending->timeout };
    sending->timer = evtimer_new(sending->session.base, on_timer, sending);
    if (sending->timer == NULL || evtimer_add(sending->timer, &wait) != 0) {
        return EXIT_CODE_OTHER;
    }
    return cli_session_run(&sending->session, &handler);
}

enum exit_code send_command(const struct options *options, char *const *arguments)
{
    struct sending sending = { 0 };
    char input[INPUT_ROOM];
    sending.timeout = options_number(options, OPTION_TIMEOUT, TIMEOUT_SECONDS);
    if (name_from_string(arguments[0], &sending.peer) != 0) {
        fprintf(stderr, "kdc-chat: '%s': %s\n", arguments[0], kc_error_text(KC_BAD_NAME));
        return EXIT_CODE_REFUSED;
    }
    sending.text = arguments[1];
    if (sending.text != NULL && strcmp(sending.text, "-") != 0) {
        sending.text_len = strlen(sending.text);
    } else if (read_input(input, &sending.text_len)) {
        sending.text = input;
    } else {
        return EXIT_CODE_OTHER;
    }
    if (!may_be_sent(sending.text, sending.text_len)) {
        return EXIT_CODE_REFUSED;
    }
    enum exit_code code = run(&sending, options);
    if (sending.timer != NULL) {
        event_free(sending.timer);
    }
    cli_session_close(&sending.session);
    return code;
}
