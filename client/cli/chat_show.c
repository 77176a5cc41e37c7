/* chat_show.c: what happened, as lines. */
#include "client/cli/chat.h"
#include "client/cli/clock_text.h"
#include "client/cli/printable.h"
#include "wire/protocol.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_SECONDS 5 /* after a reconnect, until who isn't back counts as gone */

/* --- Texts --- */

static void show_message(struct chat *chat, const char *who, bool own, const char *text, size_t len)
{
    char clock[CLOCK_TEXT_ROOM];
    char date[CLOCK_TEXT_ROOM];
    char *safe = printable(text, len, true);
    if (safe == NULL) {
        return;
    }
    uint64_t now = clock_now();
    (void)clock_text_date(now, date);
    date[strcspn(date, " ")] = '\0';
    if (chat->day[0] != '\0' && strcmp(chat->day, date) != 0) {
        line_notice(chat->line, "%s", date);
    }
    (void)snprintf(chat->day, sizeof chat->day, "%.15s", date);
    line_message(chat->line, clock_text_time(now, clock), who, own, safe);
    free(safe);
}

void chat_show_own(struct chat *chat, const struct person *to, const char *text, size_t len)
{
    char who[2 * KC_NAME_MAX + 24];
    bool current = strcmp(to->name, chat->current) == 0;
    bool waits = chat->lost || to->offline_told;
    if (!line_echoes(chat->line) && !(chat->interactive && waits)) {
        return;
    }
    (void)snprintf(who, sizeof who, "%s%s%s%s", chat->session.user, current ? "" : " → ", current ? "" : to->name,
                   waits ? " (waits)" : "");
    show_message(chat, who, true, text, len);
}

/* Whom one talks to is chosen by oneself, never by who comes; so it takes a word how to answer. Empty: it is known. */
static void how_to_answer(struct chat *chat, struct person *person, char *hint, size_t room)
{
    *hint = '\0';
    if (!chat->interactive || person->hinted || strcmp(chat->current, person->name) == 0) {
        return;
    }
    person->hinted = true;
    (void)snprintf(hint, room, chat->current[0] == '\0' ? "type %s, or /to %s, to answer" : "/to %s to answer",
                   person->name, person->name);
}

static void show_text(struct chat *chat, const struct kc_event *event)
{
    struct person *person = people_get(&chat->people, event->peer);
    if (person != NULL) {
        person->online = true;
    }
    show_message(chat, event->peer, false, event->text, event->text_len);
    char hint[2 * KC_NAME_MAX + 40] = "";
    if (person != NULL && chat->current[0] == '\0') {
        how_to_answer(chat, person, hint, sizeof hint);
    }
    if (*hint != '\0') {
        line_notice(chat->line, "%c%s", hint[0] & ~0x20, hint + 1);
    }
}

/* --- Conversations and presence --- */

/* Whether one wants to know that this person comes and goes. Who was said to be offline is said to be back. */
static bool matters(const struct chat *chat, const struct person *person)
{
    return person->written || person->offline_told || strcmp(chat->current, person->name) == 0;
}

static void show_online(struct chat *chat, struct person *person)
{
    size_t waiting = kc_undelivered(chat->session.client, person->name);
    person->offline_told = false;
    line_notice(chat->line, "%s is online%s", person->name, waiting > 0 ? "; what you wrote is sent now" : "");
    chat_draw_prompt(chat);
}

static void show_first_epoch(struct chat *chat, struct person *person, const struct kc_event *event, bool asked)
{
    if (!event->by_peer) {
        line_notice(chat->line, "The conversation with %s is open: epoch %u, %s", person->name, (unsigned)event->epoch,
                    event->suite);
        if (asked) {
            line_notice(chat->line, "%s is online. Every message is encrypted twice", person->name);
        }
        return;
    }
    char hint[2 * KC_NAME_MAX + 40];
    how_to_answer(chat, person, hint, sizeof hint);
    line_notice(chat->line, "%s opened a conversation with you: epoch %u, %s%s%s", person->name, (unsigned)event->epoch,
                event->suite, *hint != '\0' ? "; " : "", hint);
}

static void show_opened(struct chat *chat, const struct kc_event *event)
{
    struct person *person = people_get(&chat->people, event->peer);
    if (person == NULL) {
        return;
    }
    bool asked = person->asked;
    bool first = person->epoch == 0;
    bool goes_on = person->open && !chat->settling;
    bool back = person->offline_told;
    person->open = true;
    person->online = true;
    person->offline_told = false;
    person->epoch = event->epoch;
    person->asked = false;
    if (first) {
        show_first_epoch(chat, person, event, asked);
    } else if (asked || (goes_on && matters(chat, person))) {
        line_notice(chat->line, "New key with %s: epoch %u", person->name, (unsigned)event->epoch);
    } else if (back) { /* that there is a new key with who comes back goes without saying */
        show_online(chat, person);
    }
    chat_draw_prompt(chat);
}

static void show_offline(struct chat *chat, struct person *person, const char *how)
{
    person->online = false;
    person->open = false;
    if (!person->offline_told) {
        person->offline_told = true;
        line_notice(chat->line, "%s %s; what you write waits here until they are back", person->name, how);
        chat_draw_prompt(chat);
    }
}

static void show_presence(struct chat *chat, const struct kc_event *event)
{
    struct person *person = people_get(&chat->people, event->peer);
    if (person == NULL) {
        return;
    }
    bool known = person->online && !person->offline_told;
    bool told = (!chat->settling || person->offline_told) && matters(chat, person);
    person->online = event->online;
    person->open = person->open && event->online;
    if (told && !event->online) {
        show_offline(chat, person, "left");
    } else if (told && !known) {
        show_online(chat, person);
    }
}

/* What was written to a name that is nobody's. It may have been meant as a text to somebody else. */
static void show_nothing_sent(struct chat *chat, const struct person *person)
{
    bool direct = chat->interactive && chat->current[0] != '\0' && strcmp(chat->current, person->name) != 0;
    line_notice(chat->line, "There is no user %s: nothing was sent%s%s%s", person->name,
                direct ? ". To say it to " : "", direct ? chat->current : "",
                direct ? " as it is, begin the line with a space" : "");
    chat_keep_error(chat, exit_code_of(REASON_NO_SUCH_USER));
}

/* What was written to that person will never go. */
static bool is_for_good(int error)
{
    return error == REASON_NO_SUCH_USER || error == REASON_PEER_IS_SELF || error == REASON_PEER_LOCKED ||
           error == KC_BAD_NAME;
}

static void show_refused(struct chat *chat, const struct kc_event *event)
{
    struct person *person = event->peer != NULL ? people_find(&chat->people, event->peer) : NULL;
    bool asked = person != NULL && person->asked;
    if (person != NULL) {
        person->asked = false;
        person->who_asked = false;
    } else if (event->peer == NULL) {
        chat->list_asked = false;
        chat->list_unasked = false;
    }
    if (event->error == REASON_PEER_OFFLINE && person != NULL) {
        if (asked) { /* who asks gets an answer, each time */
            person->offline_told = false;
        }
        if (asked || !chat->settling) {
            show_offline(chat, person, "is offline");
        } else {
            person->open = false;
            person->online = false;
        }
        return;
    }
    if (event->error == REASON_NO_SUCH_USER && person != NULL && person->wrote) {
        show_nothing_sent(chat, person);
    } else {
        chat_problem(chat, event->peer, event->error, event->retry_after);
        if (person != NULL && person->wrote && is_for_good(event->error)) {
            line_notice(chat->line, "What you wrote to %s is not sent", person->name);
        }
    }
    if (person == NULL || !is_for_good(event->error)) {
        return;
    }
    (void)kc_discard(chat->session.client, person->name);
    person->wrote = false;
    person->written = person->written && person->epoch != 0;
    if (strcmp(chat->current, person->name) == 0 && !person->open) {
        chat_set_current(chat, "");
    }
}

static void show_delivered(struct chat *chat, const struct kc_event *event)
{
    struct person *person = people_find(&chat->people, event->peer);
    if (person != NULL && kc_undelivered(chat->session.client, person->name) == 0) {
        person->wrote = false;
    }
}

/* --- The connection --- */

static void show_ready(struct chat *chat, const struct kc_event *event)
{
    if (event->resumed) {
        const struct timeval wait = { .tv_sec = SETTLE_SECONDS };
        if (evtimer_add(chat->settle_timer, &wait) != 0) {
            chat->settling = false;
        }
        chat->lost = false;
        line_notice(chat->line, "Connected again");
        return;
    }
    (void)snprintf(chat->session.user, sizeof chat->session.user, "%s", event->name);
    line_notice(chat->line, "Logged in as %s at %s (%s, %s)", event->name, chat->session.options->value[OPTION_SERVER],
                event->group, event->suite);
    if (chat->interactive) {
        line_notice(chat->line, "Whom do you want to talk to? Type a name (/list: who is online, /help)");
        chat->list_unasked = kc_list(chat->session.client) == KC_OK;
    }
    chat_draw_prompt(chat);
    line_show(chat->line);
    line_resume(chat->line);
}

static void show_disconnected(struct chat *chat, const struct kc_event *event)
{
    chat->settling = true;
    (void)evtimer_del(chat->settle_timer);
    for (size_t i = 0; i < chat->people.count; i++) {
        chat->people.list[i]->asked = false;
        chat->people.list[i]->who_asked = false;
    }
    chat->list_asked = false;
    line_resume(chat->line); /* no answer comes any more */
    if (!chat->lost) {
        chat->lost = true;
        line_notice(chat->line, CHAT_NOT_CONNECTED " (%s). What you write waits here", kc_error_text(event->error));
    }
}

void chat_settled(struct chat *chat)
{
    chat->settling = false;
    for (size_t i = 0; i < chat->people.count; i++) {
        struct person *person = chat->people.list[i];
        if (matters(chat, person) && person->epoch != 0 && !person->open && !person->online) {
            show_offline(chat, person, "is offline");
        }
    }
}

/* --- All of it --- */

/* What waits in a pipe goes on once everything that was asked has its answer. */
static void resume_input(struct chat *chat)
{
    bool awaited = chat->list_asked;
    for (size_t i = 0; i < chat->people.count; i++) {
        awaited = awaited || chat->people.list[i]->asked || chat->people.list[i]->who_asked;
    }
    if (awaited) {
        return;
    }
    line_resume(chat->line);
}

void chat_event(void *context, const struct kc_event *event)
{
    struct chat *chat = context;
    switch (event->type) {
    case KC_EVENT_READY:
        show_ready(chat, event);
        break;
    case KC_EVENT_DISCONNECTED:
        show_disconnected(chat, event);
        break;
    case KC_EVENT_OPENED:
        show_opened(chat, event);
        resume_input(chat);
        break;
    case KC_EVENT_REFUSED:
        show_refused(chat, event);
        resume_input(chat);
        break;
    case KC_EVENT_TEXT:
        show_text(chat, event);
        break;
    case KC_EVENT_DELIVERED:
        show_delivered(chat, event);
        resume_input(chat);
        break;
    case KC_EVENT_PRESENCE:
        show_presence(chat, event);
        break;
    case KC_EVENT_LIST:
        chat_show_list(chat, event);
        resume_input(chat);
        break;
    case KC_EVENT_PASSWORD_CHANGED:
        chat_show_password_changed(chat, event);
        break;
    case KC_EVENT_WHO:
        chat_show_who(chat, event);
        resume_input(chat);
        break;
    default:
        break;
    }
    chat_leave_if_delivered(chat);
}
