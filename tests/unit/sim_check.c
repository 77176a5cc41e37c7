/*
 * sim_check.c: what must be so: at every event, and in a calm world.
 */
#include "client/core_internal.h"
#include "tests/unit/sim_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sim_mark_in(const void *data, size_t len)
{
    return memmem(data, len, SIM_MARK, sizeof SIM_MARK - 1) != NULL;
}

/* There are no other names. */
static enum sim_person person_of(const char *name)
{
    unsigned i = 0;
    while (i + 1 < SIM_PEOPLE && (name == NULL || strcmp(sim_names[i], name) != 0))
        i++;
    return (enum sim_person)i;
}

static bool is_in_set(const uint64_t *set, uint64_t number)
{
    return (set[number / 64] >> number % 64 & 1) != 0;
}

/* Or discarded, so that nobody waits for it. */
static bool shown_anywhere(const struct sim *sim, unsigned from, enum sim_person to, uint64_t number)
{
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        const struct sim_device *d = &sim->devices[i];
        if (d->person == to && is_in_set(d->shown_set[from], number))
            return true;
    }
    return is_in_set(sim->devices[from].discarded_set[to], number);
}

/* Those between that weren't discarded. */
static bool is_next(const struct sim_device *sender, enum sim_person to, uint64_t last, uint64_t number)
{
    for (uint64_t n = last + 1; n < number; n++) {
        if (!is_in_set(sender->discarded_set[to], n))
            return false;
    }
    return true;
}

/* Whether that person has only ever used one client. */
static bool has_one_device(const struct sim *sim, enum sim_person person)
{
    unsigned used = 0;
    for (unsigned i = 0; i < SIM_DEVICES; i++)
        used += sim->devices[i].person == person && sim->devices[i].used;
    return used == 1;
}

static void text(struct sim_device *d, const struct kc_event *event)
{
    struct sim *sim = d->sim;
    const char *me = sim_device_names[d->index];
    char *at = NULL;
    const bool marked = strncmp(event->text, SIM_MARK " ", sizeof SIM_MARK) == 0;
    const unsigned from = (unsigned)strtoul(marked ? event->text + sizeof SIM_MARK : "0", &at, 10);
    const unsigned to = (unsigned)strtoul(at, &at, 10);
    const unsigned long long number = strtoull(at, &at, 10);
    if (!marked || from >= SIM_DEVICES || to >= SIM_PEOPLE || number == 0 || number >= SIM_TEXTS_MAX) {
        sim_fail(sim, "%s is shown what nobody wrote", me);
        return;
    }
    sim_trace(sim, "  %s: is shown text %llu of %s", me, number, sim_device_names[from]);
    const struct sim_device *sender = &sim->devices[from];
    if (to != d->person || person_of(event->peer) != sender->person || number > sender->sent[d->person])
        sim_fail(sim, "%s is shown text %llu of %s as if it were for %s, from %s", me, number, sim_device_names[from],
                 sim_names[to], event->peer);
    if (number <= d->last_shown[from])
        sim_fail(sim, "%s is shown text %llu of %s after %llu: twice, or out of order", me, number,
                 sim_device_names[from], (unsigned long long)d->last_shown[from]);
    if (!is_next(sender, d->person, d->last_shown[from], number) && has_one_device(sim, d->person))
        sim_fail(sim, "%s is shown text %llu of %s after %llu: one is missing", me, number, sim_device_names[from],
                 (unsigned long long)d->last_shown[from]);
    d->last_shown[from] = number;
    d->shown[from]++;
    d->shown_set[from][number / 64] |= UINT64_C(1) << number % 64;
}

static void delivered(struct sim_device *d, const struct kc_event *event)
{
    const enum sim_person to = person_of(event->peer);
    for (uint64_t n = d->delivered[to] + 1; n <= event->number && n < SIM_TEXTS_MAX; n++) {
        if (!shown_anywhere(d->sim, d->index, to, n))
            sim_fail(d->sim, "%s is told that text %llu to %s has arrived: it hasn't", sim_device_names[d->index],
                     (unsigned long long)n, event->peer);
    }
    if (event->number <= d->delivered[to])
        sim_fail(d->sim, "%s is told twice that text %llu to %s has arrived", sim_device_names[d->index],
                 (unsigned long long)event->number, event->peer);
    d->delivered[to] = event->number;
}

static void opened(struct sim_device *d, const struct kc_event *event)
{
    const enum sim_person peer = person_of(event->peer);
    sim_trace(d->sim, "  %s: epoch %u with %s", sim_device_names[d->index], event->epoch, event->peer);
    if (d->conversation[peer] != 0 && d->conversation[peer] != event->conversation)
        sim_fail(d->sim, "%s: the conversation with %s has another number now", sim_device_names[d->index],
                 event->peer);
    if (event->epoch <= d->epoch[peer])
        sim_fail(d->sim, "%s takes epoch %u with %s after %u", sim_device_names[d->index], event->epoch, event->peer,
                 d->epoch[peer]);
    d->conversation[peer] = event->conversation;
    d->epoch[peer] = event->epoch;
    d->told[peer] = TOLD_ONLINE;
}

static void discarded(struct sim_device *d, enum sim_person to)
{
    for (uint64_t n = d->delivered[to] + 1; n <= d->sent[to]; n++)
        d->discarded_set[to][n / 64] |= UINT64_C(1) << n % 64;
    d->delivered[to] = d->sent[to];
}

static void refused(struct sim_device *d, const struct kc_event *event)
{
    sim_trace(d->sim, "  %s: refused: %s, about %s", sim_device_names[d->index], kc_error_name(event->error),
              event->peer == NULL ? "the list" : event->peer);
    if (event->error > 0 && event->error < REASON_COUNT)
        d->refused[event->error]++;
    switch (event->error) {
    case REASON_PEER_OFFLINE:
        d->told[person_of(event->peer)] = TOLD_OFFLINE;
        return;
    case REASON_BUSY:
    case REASON_UNAVAILABLE:
        return;
    case REASON_PEER_LOCKED:
        discarded(d, person_of(event->peer));
        return;
    default:
        sim_fail(d->sim, "%s is refused for %s, and nobody did anything for it", sim_device_names[d->index],
                 kc_error_name(event->error));
    }
}

void sim_check_event(struct sim_device *device, const struct kc_event *event)
{
    switch (event->type) {
    case KC_EVENT_TEXT:
        text(device, event);
        return;
    case KC_EVENT_DELIVERED:
        delivered(device, event);
        return;
    case KC_EVENT_OPENED:
        opened(device, event);
        return;
    case KC_EVENT_REFUSED:
        refused(device, event);
        return;
    case KC_EVENT_PRESENCE:
        sim_trace(device->sim, "  %s: %s is %s", sim_device_names[device->index], event->peer,
                  event->online ? "online" : "offline");
        device->told[person_of(event->peer)] = event->online ? TOLD_CAME : TOLD_OFFLINE;
        return;
    case KC_EVENT_LIST:
    case KC_EVENT_WHO:
        device->answers++;
        return;
    case KC_EVENT_READY:
        sim_trace(device->sim, "  %s: is in%s", sim_device_names[device->index], event->resumed ? " again" : "");
        return;
    case KC_EVENT_LOGIN_REFUSED:
        sim_trace(device->sim, "  %s: login refused: %s", sim_device_names[device->index], kc_error_name(event->error));
        if (event->error > 0 && event->error < REASON_COUNT)
            device->refused[event->error]++;
        return;
    default:
        return;
    }
}

/* Nobody in this world changes, doubles or loses messages: so every one opens. But for two cases, which mend themselves: while
 * only one of an epoch's two grants has gone out, the one who has it may be so quick that its first
 * message overtakes the other's grant; and a grant isn't handed out any more when the peer has left since, though its
 * message is still on its way. In scenarios neither happens. */
void sim_check_device(const struct sim_device *device)
{
    if (!device->sim->options.in_turn)
        return;
    for (size_t i = 0; i < device->core->peer_count; i++) {
        if (device->core->peers[i]->repaired)
            sim_fail(device->sim, "%s couldn't open a message from %s", sim_device_names[device->index],
                     device->core->peers[i]->name.text);
    }
}

size_t sim_in_flight(const struct sim_device *device, uint64_t conversation)
{
    size_t bytes = 0;
    for (size_t i = 0; i < device->core->peer_count; i++) {
        const struct peer *peer = device->core->peers[i];
        if (conversation == SIM_ALL || (peer->newest_epoch > 0 && peer->conversation == conversation))
            bytes += peer->in_flight;
    }
    return bytes;
}

/* ---- a calm world ---- */

static const struct sim_device *active(const struct sim *sim, enum sim_person person)
{
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        if (sim->devices[i].person == person && sim->devices[i].wants)
            return &sim->devices[i];
    }
    return NULL;
}

static const struct peer *peer_of(const struct sim_device *d, enum sim_person person)
{
    for (size_t i = 0; i < d->core->peer_count; i++) {
        if (strcmp(d->core->peers[i]->name.text, sim_names[person]) == 0)
            return d->core->peers[i];
    }
    return NULL;
}

const char *sim_going_on(const struct sim *sim)
{
    if (sim->kdc.server == NULL)
        return "the KDC is down";
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        const struct sim_device *d = &sim->devices[i];
        if (d->core == NULL || !d->wants)
            continue;
        if (!core_ready(d->core))
            return "somebody isn't in";
        if (d->core->requests.count > 0)
            return "a request isn't answered";
        for (unsigned p = 0; p < SIM_PEOPLE; p++) {
            const struct peer *peer = peer_of(d, (enum sim_person)p);
            if (peer == NULL)
                continue;
            if (peer->opening == OPENING_DUE || peer->opening == OPENING_ASKED)
                return "a conversation is being opened";
            const struct sim_device *other = active(sim, (enum sim_person)p);
            if (peer->outbox.count > 0 && other != NULL && !other->stalled && !d->stalled)
                return "a text waits";
        }
    }
    return "";
}

static uint32_t live_epoch(const struct sim_device *d, enum sim_person person)
{
    const struct peer *peer = peer_of(d, person);
    return peer == NULL || peer->epoch == NULL ? 0 : epoch_number(peer->epoch);
}

static void check_pair(struct sim *sim, const struct sim_device *d, enum sim_person p)
{
    const struct sim_device *other = active(sim, p);
    const char *me = sim_device_names[d->index];
    const uint32_t mine = live_epoch(d, p);
    const uint32_t theirs = other == NULL ? 0 : live_epoch(other, d->person);
    if (mine != theirs)
        sim_fail(sim, "%s is at epoch %u with %s, who is at %u", me, mine, sim_names[p], theirs);
    if ((d->told[p] == TOLD_ONLINE && other == NULL) || (d->told[p] == TOLD_OFFLINE && other != NULL))
        sim_fail(sim, "%s was told that %s is %s, last of all", me, sim_names[p], other == NULL ? "online" : "offline");
    const size_t waiting = core_undelivered(d->core, sim_names[p]);
    if (other != NULL && waiting > 0)
        sim_fail(sim, "%s still has %zu texts to %s", me, waiting, sim_names[p]);
    if (d->sent[p] != d->delivered[p] + waiting)
        sim_fail(sim, "%s sent %llu texts to %s, was told of %llu and keeps %zu", me, (unsigned long long)d->sent[p],
                 sim_names[p], (unsigned long long)d->delivered[p], waiting);
    for (uint64_t n = 1; n <= d->delivered[p]; n++) {
        if (!shown_anywhere(sim, d->index, p, n))
            sim_fail(sim, "text %llu of %s to %s was shown nowhere", (unsigned long long)n, me, sim_names[p]);
    }
}

void sim_check_calm(struct sim *sim)
{
    size_t online = 0;
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        const struct sim_device *d = &sim->devices[i];
        if (!d->wants)
            continue;
        online++;
        if (!core_ready(d->core) || !sim_kdc_knows(sim, d->person))
            sim_fail(sim, "%s isn't in", sim_device_names[i]);
        for (unsigned p = 0; p < SIM_PEOPLE; p++) {
            if (p != d->person)
                check_pair(sim, d, (enum sim_person)p);
        }
    }
    if (sim_kdc_online(sim) != online)
        sim_fail(sim, "the directory holds %zu, and %zu are in", sim_kdc_online(sim), online);
    sim_kdc_check(sim);
}
