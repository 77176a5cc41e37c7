/* chat_answers.c: what the KDC says to /list, /who and /password, as lines. */
#include "client/cli/chat.h"
#include "client/cli/clock_text.h"
#include "wire/protocol.h"

#include <stdio.h>
#include <string.h>

#define ONLINE_NAMES_MAX 10 /* of the list after login */

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
        line_notice(chat->line, "Nobody else is online. /to NAME: talk as soon as they come");
    } else if (others > shown) {
        line_notice(chat->line, "Online: %s and %zu more", names, others - shown);
    } else {
        line_notice(chat->line, "Online: %s", names);
    }
}

void chat_show_list(struct chat *chat, const struct kc_event *event)
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
    chat->list_asked = false;
    line_notice(chat->line, "%zu online:", event->people_count);
    for (size_t i = 0; i < event->people_count; i++) {
        const struct kc_person *person = &event->people[i];
        char since[CLOCK_TEXT_ROOM];
        line_notice(chat->line, "  %s since %s%s", person->name, clock_text_date(person->since, since),
                    strcmp(person->name, chat->session.user) == 0 ? " (you)" : "");
    }
}

void chat_show_who(struct chat *chat, const struct kc_event *event)
{
    char since[CLOCK_TEXT_ROOM];
    struct person *person = people_get(&chat->people, event->peer);
    if (person != NULL) {
        person->who_asked = false;
        person->online = person->online || event->online;
    }
    if (event->online) {
        line_notice(chat->line, "%s is online since %s", event->peer, clock_text_date(event->since, since));
    } else if (event->since == 0) {
        line_notice(chat->line, "%s is offline and has never logged in", event->peer);
    } else {
        line_notice(chat->line, "%s is offline; last login %s", event->peer, clock_text_date(event->since, since));
    }
}

void chat_show_password_changed(struct chat *chat, const struct kc_event *event)
{
    if (event->error == KC_OK) {
        line_notice(chat->line, "Your password is changed");
    } else if (event->error == KC_CONNECTION_LOST) {
        line_notice(chat->line, "The connection was lost: whether your password is changed shows at the next login");
    } else if (event->error == REASON_LOGIN_FAILED) {
        line_notice(chat->line, "That is not your password; it stays as it is");
    } else if (event->error == REASON_UNAVAILABLE) { /* it may have had time for that */
        line_notice(chat->line, "%s", kc_error_text(event->error));
    } else {
        line_notice(chat->line, "Your password stays as it is. %s", kc_error_text(event->error));
    }
}
