/* What happened, as lines. */
#include "client/cli/chat.h"
#include "client/cli/clock_text.h"
#include "client/cli/printable.h"
#include "wire/protocol.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_SECONDS 5    /* after a reconnect, until who isn't back counts as gone */
#define ONLINE_NAMES_MAX 10 /* of the list after login */

/* --- Texts --- */

/* Each further line of a text begins so: what stands in a text can't look like a line of somebody else. */
static const char *const further_line = "\n         | ";

static char *indented(const char *text)
{
    size_t newlines = 0;
    for (const char *at = text; *at != '\0'; at++) {
        newlines += *at == '\n';
    }
    char *out = malloc(strlen(text) + newlines * strlen(further_line) + 1);
    if (out == NULL) {
        return NULL;
    }
    char *end = out;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            end = stpcpy(end, further_line);
        } else {
            *end++ = *at;
        }
    }
    *end = '\0';
    return out;
}

void chat_show_text(struct chat *chat, const char *from, const char *to, bool own, const char *text, size_t len)
{
    char clock[CLOCK_TEXT_ROOM];
    char date[CLOCK_TEXT_ROOM];
    char who[2 * KC_NAME_MAX + 8];
    char *safe = printable(text, len, true);
    char *shown = safe != NULL ? indented(safe) : NULL;
    free(safe);
    if (shown == NULL) {
        return;
    }
    uint64_t now = clock_now();
    (void)clock_text_date(now, date);
    date[strcspn(date, " ")] = '\0';
    if (chat->day[0] != '\0' && strcmp(chat->day, date) != 0) {
        line_notice(chat->line, "%s", date);
    }
    (void)snprintf(chat->day, sizeof chat->day, "%.15s", date);
    (void)snprintf(who, sizeof who, to != NULL ? "%s → %s" : "%s", from, to);
    line_message(chat->line, clock_text_time(now, clock), who, own, shown);
    free(shown);
}

static void show_text(struct chat *chat, const struct kc_event *event)
{
    struct person *person = people_get(&chat->people, event->peer);
    if (person != NULL) {
        person->talked = true;
        person->online = true;
    }
    chat_show_text(chat, event->peer, NULL, false, event->text, event->text_len);
}

/* --- Conversations and presence --- */

/* The first who writes to somebody who talks to nobody is whom they talk to; but never under one's fingers. */
static void talk_back(struct chat *chat, const struct person *person)
{
    if (chat->interactive && chat->current[0] == '\0' && line_is_empty(chat->line)) {
        chat_set_current(chat, person->name);
    }
}

static void show_opened(struct chat *chat, const struct kc_event *event)
{
    struct person *person = people_get(&chat->people, event->peer);
    if (person == NULL) {
        return;
    }
    bool first = person->epoch == 0;
    bool quiet = chat->settling && !person->asked && !first && !person->offline_told;
    person->talked = true;
    person->open = true;
    person->online = true;
    person->offline_told = false;
    person->epoch = event->epoch;
    person->asked = false;
    if (first) {
        line_notice(chat->line,
                    event->by_peer ? "%s opened a conversation with you: epoch %u, %s"
                                   : "The conversation with %s is open: epoch %u, %s",
                    person->name, (unsigned)event->epoch, event->suite);
        line_notice(chat->line, "%s is online. Every message is encrypted twice", person->name);
    } else if (!quiet) {
        line_notice(chat->line, "New key with %s: epoch %u", person->name, (unsigned)event->epoch);
    }
    talk_back(chat, person);
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
    if (chat->settling && !person->offline_told) {
        person->online = event->online;
        person->open = person->open && event->online;
    } else if (!event->online) {
        show_offline(chat, person, "left");
    } else if (!person->online || person->offline_told) {
        size_t waiting = kc_undelivered(chat->session.client, person->name);
        person->online = true;
        person->offline_told = false;
        line_notice(chat->line, "%s is online%s", person->name, waiting > 0 ? "; what you wrote is sent now" : "");
        chat_draw_prompt(chat);
    }
}

static void show_refused(struct chat *chat, const struct kc_event *event)
{
    struct person *person = event->peer != NULL ? people_find(&chat->people, event->peer) : NULL;
    bool asked = person != NULL && person->asked;
    if (person != NULL) {
        person->asked = false;
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
    chat_problem(chat, event->peer, event->error, event->retry_after);
    bool for_good = event->error == REASON_NO_SUCH_USER || event->error == REASON_PEER_IS_SELF ||
                    event->error == REASON_PEER_LOCKED || event->error == KC_BAD_NAME;
    if (person == NULL || !for_good) {
        return;
    }
    if (person->wrote) {
        line_notice(chat->line, "What you wrote to %s is not sent", person->name);
    }
    (void)kc_discard(chat->session.client, person->name);
    person->wrote = false;
    person->talked = person->epoch != 0;
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
    }
    line_resume(chat->line); /* no answer comes any more */
    if (!chat->lost) {
        chat->lost = true;
        line_notice(chat->line, "The connection is lost (%s); trying again. What you write waits here",
                    kc_error_text(event->error));
    }
}

void chat_settled(struct chat *chat)
{
    chat->settling = false;
    for (size_t i = 0; i < chat->people.count; i++) {
        struct person *person = chat->people.list[i];
        if (person->epoch != 0 && !person->open && !person->online) {
            show_offline(chat, person, "is offline");
        }
    }
}

/* --- Answers --- */

static void show_list_unasked(struct chat *chat, const struct kc_event *event)
{
    char names[ONLINE_NAMES_MAX * (KC_NAME_MAX + 2) + 40] = "";
    size_t shown = 0;
    size_t others = 0;
    for (size_t i = 0; i < event->people_count; i++) {
        const char *name = event->people[i].name;
        if (strcmp(name, chat->session.user) == 0) {
            continue;
        }
        others++;
        if (shown < ONLINE_NAMES_MAX) {
            size_t len = strlen(names);
            (void)snprintf(names + len, sizeof names - len, "%s%s", shown > 0 ? ", " : "", name);
            shown++;
        }
    }
    if (others == 0) {
        line_notice(chat->line, "Nobody else is online");
    } else if (others > shown) {
        line_notice(chat->line, "Online: %s and %zu more", names, others - shown);
    } else {
        line_notice(chat->line, "Online: %s", names);
    }
}

static void show_list(struct chat *chat, const struct kc_event *event)
{
    for (size_t i = 0; i < event->people_count; i++) {
        struct person *person = people_get(&chat->people, event->people[i].name);
        if (person != NULL) {
            person->online = true;
        }
    }
    if (chat->list_unasked) {
        chat->list_unasked = false;
        show_list_unasked(chat, event);
        return;
    }
    line_notice(chat->line, "%zu online:", event->people_count);
    for (size_t i = 0; i < event->people_count; i++) {
        const struct kc_person *person = &event->people[i];
        char since[CLOCK_TEXT_ROOM];
        line_notice(chat->line, "  %s since %s%s", person->name, clock_text_date(person->since, since),
                    strcmp(person->name, chat->session.user) == 0 ? " (you)" : "");
    }
}

static void show_who(struct chat *chat, const struct kc_event *event)
{
    char since[CLOCK_TEXT_ROOM];
    if (event->online) {
        struct person *person = people_get(&chat->people, event->peer);
        if (person != NULL) {
            person->online = true;
        }
        line_notice(chat->line, "%s is online since %s", event->peer, clock_text_date(event->since, since));
    } else if (event->since == 0) {
        line_notice(chat->line, "%s is offline and has never logged in", event->peer);
    } else {
        line_notice(chat->line, "%s is offline; last login %s", event->peer, clock_text_date(event->since, since));
    }
}

/* What waits in a pipe goes on once every /to has its answer. */
static void resume_input(struct chat *chat)
{
    for (size_t i = 0; i < chat->people.count; i++) {
        if (chat->people.list[i]->asked) {
            return;
        }
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
        if (chat->leaving && kc_undelivered(chat->session.client, NULL) == 0) {
            chat_leave(chat, false);
        }
        break;
    case KC_EVENT_PRESENCE:
        show_presence(chat, event);
        break;
    case KC_EVENT_LIST:
        show_list(chat, event);
        break;
    case KC_EVENT_WHO:
        show_who(chat, event);
        break;
    default:
        break;
    }
}
