#include "client/cli/chat.h"

#include "client/cli/command.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define LEAVE_SECONDS 2       /* on a terminal: then the person is asked */
#define LEAVE_SECONDS_PIPE 15 /* without one */

void chat_draw_prompt(struct chat *chat)
{
    char prompt[2 * KC_NAME_MAX + 32];
    const struct person *person = people_find(&chat->people, chat->current);
    if (chat->leaving) {
        (void)snprintf(prompt, sizeof prompt, "%s (leaving)> ", chat->session.user);
    } else if (chat->current[0] == '\0') {
        (void)snprintf(prompt, sizeof prompt, "%s> ", chat->session.user);
    } else {
        (void)snprintf(prompt, sizeof prompt, "%s → %s%s> ", chat->session.user, chat->current,
                       person != NULL && person->offline_told ? " (offline)" : "");
    }
    line_set_prompt(chat->line, prompt);
}

void chat_set_current(struct chat *chat, const char *name)
{
    (void)snprintf(chat->current, sizeof chat->current, "%s", name);
    chat_draw_prompt(chat);
}

void chat_keep_error(struct chat *chat, enum exit_code code)
{
    if (chat->first_error == EXIT_CODE_OK) {
        chat->first_error = code;
    }
}

void chat_problem(struct chat *chat, const char *subject, int error, unsigned retry_after)
{
    char later[40] = "";
    if (retry_after > 0) {
        (void)snprintf(later, sizeof later, "; try again in %u s", retry_after);
    }
    line_notice(chat->line, "%s%s%s%s", subject != NULL ? subject : "", subject != NULL ? ": " : "",
                error == KC_NOT_READY ? CHAT_NOT_CONNECTED : kc_error_text(error), later);
    chat_keep_error(chat, exit_code_of(error));
}

/* --- Leaving --- */

static enum exit_code code_of_leaving(const struct chat *chat)
{
    return chat->interactive ? EXIT_CODE_OK : chat->first_error;
}

/* "2 texts to bob", for each who hasn't got all. True when one of them is offline. */
static bool tell_undelivered(struct chat *chat, const char *what_next)
{
    bool offline = false;
    for (size_t i = 0; i < chat->people.count; i++) {
        const struct person *person = chat->people.list[i];
        size_t waiting = kc_undelivered(chat->session.client, person->name);
        if (waiting > 0) {
            offline = offline || person->offline_told;
            line_notice(chat->line, "/quit: %zu %s to %s %s not delivered yet%s", waiting,
                        waiting == 1 ? "text" : "texts", person->name, waiting == 1 ? "is" : "are", what_next);
        }
    }
    return offline;
}

static void stay(struct chat *chat)
{
    chat->leaving = false;
    chat->quit_warned = true;
    (void)tell_undelivered(chat, ": /quit again to leave");
    chat_draw_prompt(chat);
}

static void on_leave_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct chat *chat = context;
    if (!chat->leaving) {
        return;
    }
    if (chat->interactive) {
        stay(chat);
        return;
    }
    chat->leaving = false;
    bool offline = tell_undelivered(chat, "");
    cli_session_fail(&chat->session, offline ? EXIT_CODE_PEER_OFFLINE : EXIT_CODE_TIMEOUT,
                     "not everything was delivered within %d s", LEAVE_SECONDS_PIPE);
}

/* Whether anything that waits may be delivered in the next moment. */
static bool delivery_goes_on(const struct chat *chat)
{
    bool goes_on = false;
    for (size_t i = 0; !chat->lost && i < chat->people.count; i++) {
        const struct person *person = chat->people.list[i];
        goes_on = goes_on || (!person->offline_told && kc_undelivered(chat->session.client, person->name) > 0);
    }
    return goes_on;
}

void chat_leave(struct chat *chat, bool gone)
{
    size_t waiting = kc_undelivered(chat->session.client, NULL);
    bool must_leave = chat->interactive && (gone || chat->leaving || chat->quit_warned);
    if (waiting == 0 || must_leave) {
        cli_session_end(&chat->session, code_of_leaving(chat));
        return;
    }
    if (chat->leaving) {
        return;
    }
    if (chat->interactive && !delivery_goes_on(chat)) {
        stay(chat);
        return;
    }
    const struct timeval wait = { .tv_sec = chat->interactive ? LEAVE_SECONDS : LEAVE_SECONDS_PIPE };
    chat->leaving = evtimer_add(chat->leave_timer, &wait) == 0;
    if (chat->interactive) {
        line_notice(chat->line, "Delivering %zu %s before leaving; /quit again leaves at once", waiting,
                    waiting == 1 ? "text" : "texts");
        chat_draw_prompt(chat);
    }
}

void chat_leave_if_delivered(struct chat *chat)
{
    if (chat->leaving && kc_undelivered(chat->session.client, NULL) == 0) {
        chat_leave(chat, false);
    }
}

static void on_input_end(void *context, bool gone)
{
    chat_leave(context, gone);
}

/* Ctrl-C empties the line; on an empty one it leaves. */
static void on_interrupt(void *context)
{
    struct chat *chat = context;
    size_t waiting = chat->session.was_ready ? kc_undelivered(chat->session.client, NULL) : 0;
    if (chat->session.was_ready && !line_is_empty(chat->line)) {
        line_clear(chat->line);
    } else if (waiting > 0) {
        cli_session_fail(&chat->session, EXIT_CODE_INTERRUPTED, "interrupted: %zu %s not delivered", waiting,
                         waiting == 1 ? "text was" : "texts were");
    } else {
        cli_session_end(&chat->session, EXIT_CODE_INTERRUPTED);
    }
}

/* --- Its life --- */

static void on_settle_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    chat_settled(context);
}

static void on_trace(void *context, const char *line)
{
    struct chat *chat = context;
    line_trace(chat->line, line);
}

static void on_asked(void *context)
{
    struct chat *chat = context;
    line_show(chat->line);
    line_resume(chat->line);
}

static void on_stop(void *context)
{
    struct chat *chat = context;
    line_free(&chat->line);
}

static enum exit_code run(struct chat *chat, const struct options *options)
{
    const struct cli_session_handler handler = {
        .context = chat,
        .event = chat_event,
        .trace = on_trace,
        .interrupt = on_interrupt,
        .asked = on_asked,
        .stop = on_stop,
    };
    const struct line_handler line_handler = { .context = chat, .line = chat_input, .end = on_input_end };
    if (!cli_session_open(&chat->session, options)) {
        return chat->session.code;
    }
    chat->line = line_new(chat->session.base, &line_handler);
    chat->leave_timer = evtimer_new(chat->session.base, on_leave_timer, chat);
    chat->settle_timer = evtimer_new(chat->session.base, on_settle_timer, chat);
    if (chat->line == NULL || chat->leave_timer == NULL || chat->settle_timer == NULL) {
        fprintf(stderr, "kdc-chat: no memory\n");
        return EXIT_CODE_OTHER;
    }
    return cli_session_run(&chat->session, &handler);
}

enum exit_code chat_command(const struct options *options, char *const *arguments)
{
    (void)arguments;
    struct chat chat = { 0 };
    chat.interactive = line_is_interactive();
    chat.session.reconnect = true;
    chat.session.takes_texts = true;
    chat.session.offer_account = chat.interactive;
    enum exit_code code = run(&chat, options);
    line_free(&chat.line);
    if (chat.leave_timer != NULL) {
        event_free(chat.leave_timer);
    }
    if (chat.settle_timer != NULL) {
        event_free(chat.settle_timer);
    }
    people_free(&chat.people);
    cli_session_close(&chat.session);
    return code;
}
