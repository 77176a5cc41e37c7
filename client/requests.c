/* requests.c: numbers for what the KDC is asked, and the answers to list and who. */
#include "client/core_internal.h"

#include <stdlib.h>
#include <string.h>

uint32_t request_new(struct core *core, enum request_kind kind, const struct name *name)
{
    struct requests *r = &core->requests;
    if (r->count == REQUESTS_MAX)
        return 0;
    bool used = true;
    while (used) {
        used = ++r->last_number == 0;
        for (size_t i = 0; i < r->count; i++)
            used = used || r->under_way[i].number == r->last_number;
    }
    struct request *added = &r->under_way[r->count++];
    *added = (struct request){ .number = r->last_number, .kind = kind };
    if (name != NULL)
        added->name = *name;
    return added->number;
}

size_t requests_count(const struct core *core, enum request_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < core->requests.count; i++)
        count += core->requests.under_way[i].kind == kind ? 1 : 0;
    return count;
}

bool request_take(struct core *core, uint32_t number, struct request *taken)
{
    struct requests *r = &core->requests;
    for (size_t i = 0; i < r->count; i++) {
        if (r->under_way[i].number == number) {
            *taken = r->under_way[i];
            r->under_way[i] = r->under_way[--r->count];
            return true;
        }
    }
    return false;
}

static void forget_people(struct requests *r)
{
    free(r->people);
    free(r->names);
    r->people = NULL;
    r->names = NULL;
    r->people_count = 0;
    r->people_room = 0;
}

void requests_forget(struct core *core)
{
    forget_people(&core->requests);
    core->requests.count = 0;
    core->requests.lists_wanted = 0;
}

/* ---- list ---- */

static bool ask_list(struct core *core, const struct name *after)
{
    uint32_t number = request_new(core, REQUEST_LIST, NULL);
    if (number == 0)
        return false;
    struct message m = { .type = MESSAGE_LIST, .list = { .request = number, .has_after = after != NULL } };
    if (after != NULL)
        m.list.after = *after;
    return core_put(core, &m);
}

int core_list(struct core *core)
{
    if (core->state != CORE_READY)
        return KC_NOT_READY;
    if (core->requests.lists_wanted == UINT32_MAX)
        return REASON_TOO_MANY;
    /* One at a time; the next one starts when this one is told. */
    if (core->requests.lists_wanted++ > 0)
        return KC_OK;
    return ask_list(core, NULL) ? KC_OK : KC_NO_MEMORY;
}

static bool gather(struct requests *r, const struct list_entry *entry)
{
    if (r->people_count == r->people_room) {
        size_t room = r->people_room == 0 ? 64 : 2 * r->people_room;
        struct name *names = reallocarray(r->names, room, sizeof(*names));
        if (names == NULL)
            return false;
        r->names = names;
        struct kc_person *people = reallocarray(r->people, room, sizeof(*people));
        if (people == NULL)
            return false;
        r->people = people;
        r->people_room = room;
    }
    r->names[r->people_count] = entry->name;
    r->people[r->people_count].since = entry->since;
    r->people_count++;
    return true;
}

/* The list is told, or refused: the next core_list has its turn. */
static void list_done(struct core *core, const struct kc_event *event)
{
    struct requests *r = &core->requests;
    struct kc_person *people = r->people;
    struct name *names = r->names;
    r->people = NULL;
    r->names = NULL;
    forget_people(r);
    bool again = --r->lists_wanted > 0;
    core_emit(core, event);
    free(people);
    free(names);
    if (again && core->state == CORE_READY)
        (void)ask_list(core, NULL);
}

void request_list_reply(struct core *core, struct message_list_reply *m)
{
    struct requests *r = &core->requests;
    struct request request;
    struct list_entry entry;

    if (!request_take(core, m->request, &request) || request.kind != REQUEST_LIST || (m->more && m->count == 0)) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    while (message_list_next(m, &entry) == 1) {
        if (r->people_count > 0 && strcmp(entry.name.text, r->names[r->people_count - 1].text) <= 0) {
            core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
            return;
        }
        if (r->people_count == LIST_NAMES_MAX) {
            list_done(core, &(struct kc_event){ .type = KC_EVENT_REFUSED, .error = REASON_TOO_MANY });
            return;
        }
        if (!gather(r, &entry)) {
            core_fail(core, KC_NO_MEMORY);
            return;
        }
    }
    if (m->more) {
        (void)ask_list(core, &r->names[r->people_count - 1]);
        return;
    }
    for (size_t i = 0; i < r->people_count; i++)
        r->people[i].name = r->names[i].text;
    list_done(core, &(struct kc_event){ .type = KC_EVENT_LIST, .people = r->people, .people_count = r->people_count });
}

/* ---- who ---- */

int core_who(struct core *core, const char *name)
{
    struct name parsed;
    if (name_from_string(name, &parsed) != 0)
        return KC_BAD_NAME;
    if (core->state != CORE_READY)
        return KC_NOT_READY;
    uint32_t number = requests_count(core, REQUEST_WHO) < WHOS_MAX ? request_new(core, REQUEST_WHO, &parsed) : 0;
    if (number == 0)
        return REASON_TOO_MANY;
    struct message m = { .type = MESSAGE_WHO, .who = { .request = number, .name = parsed } };
    return core_put(core, &m) ? KC_OK : KC_NO_MEMORY;
}

void request_who_reply(struct core *core, const struct message_who_reply *m)
{
    struct request request;
    if (!request_take(core, m->request, &request) || request.kind != REQUEST_WHO ||
        !name_equal(&request.name, &m->name)) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    core_emit(core, &(struct kc_event){
                        .type = KC_EVENT_WHO,
                        .peer = m->name.text,
                        .online = m->presence == PRESENCE_ONLINE,
                        .since = m->since,
                    });
}

/* ---- refusals ---- */

void request_refused(struct core *core, const struct message_refused *m)
{
    struct request request;
    if (!request_take(core, m->request, &request)) {
        core_fail_close(core, REASON_OUT_OF_ORDER, KC_PROTOCOL);
        return;
    }
    if (request.kind == REQUEST_PASSWORD) {
        password_refused(core, m);
        return;
    }
    if (request.kind == REQUEST_DEACTIVATE) {
        deactivate_refused(core, m);
        return;
    }
    if (request.kind == REQUEST_LIST) {
        struct kc_event event = { .type = KC_EVENT_REFUSED, .error = (int)m->reason, .retry_after = m->retry_after };
        list_done(core, &event);
        return;
    }
    struct peer *peer = request.kind == REQUEST_OPEN ? peer_find(core, &request.name) : NULL;
    if (peer != NULL)
        peer_open_refused(core, peer, m);
    else
        core_emit_peer(core, KC_EVENT_REFUSED, &request.name, (int)m->reason, m->retry_after);
}
