#include "kdc/session_internal.h"

#include "wire/name.h"

#include <string.h>

static void forget(struct session *s, size_t i)
{
    s->watched_count--;
    memmove(&s->watched[i], &s->watched[i + 1], (s->watched_count - i) * sizeof *s->watched);
}

/* What the directory has on its list is on ours too, so that it can be taken off when the session ends. As many as
 * conversations at most: beyond that the oldest makes way. */
static void note_watch(struct session *s, const struct name *name)
{
    if (s->watched_count >= s->host->config->conversations_max) {
        directory_unwatch(s->host->directory, &s->watched[0], &s->ref);
        forget(s, 0);
    }
    void *array = s->watched;
    const int room = session_room_for_one(&array, s->watched_count, &s->watched_room, sizeof *s->watched);
    s->watched = array;
    if (room != 0) {
        directory_unwatch(s->host->directory, name, &s->ref);
        return;
    }
    s->watched[s->watched_count++] = *name;
}

static enum presence find_or_watch(struct session *s, const struct name *name)
{
    struct directory_entry entry;
    switch (directory_find_or_watch(s->host->directory, name, &s->ref, &entry)) {
    case DIRECTORY_ONLINE:
        return PRESENCE_ONLINE;
    case DIRECTORY_WATCHING:
        note_watch(s, name);
        break;
    case DIRECTORY_WATCHED:
    case DIRECTORY_NO_MEMORY:
        break;
    }
    return PRESENCE_OFFLINE;
}

static void send_presence(struct session *s, const struct name *name, enum presence presence)
{
    session_send(s, &(struct message){ .type = MESSAGE_PRESENCE, .presence = { .name = *name, .presence = presence } });
}

void session_report(struct session *s, const struct name *name)
{
    if (s->state == SESSION_IN) {
        send_presence(s, name, find_or_watch(s, name));
    }
}

void session_watch(struct session *s, const struct name *name)
{
    if (s->state == SESSION_IN && find_or_watch(s, name) == PRESENCE_ONLINE) {
        send_presence(s, name, PRESENCE_ONLINE); /* came in this very moment */
    }
}

void session_watch_fired(struct session *s, const struct name *name)
{
    for (size_t i = 0; i < s->watched_count; i++) {
        if (name_equal(&s->watched[i], name)) {
            forget(s, i);
            break;
        }
    }
    /* Who came may have left again while the news was on its way: tell what is so now. */
    session_report(s, name);
}

void session_unwatch_all(struct session *s)
{
    for (size_t i = 0; i < s->watched_count; i++) {
        directory_unwatch(s->host->directory, &s->watched[i], &s->ref);
    }
    s->watched_count = 0;
}
