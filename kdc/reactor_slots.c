/*
 * reactor_slots.c: the places of a reactor's connections, by which other threads name them (session_ref.h).
 */
#include "kdc/reactor.h"

#include <stdlib.h>

int reactor_take_slot(struct reactor *reactor, struct connection *connection, struct session_ref *ref)
{
    if (reactor->first_free == reactor->slot_count) {
        const uint32_t count = reactor->slot_count == 0 ? 64 : reactor->slot_count * 2;
        struct reactor_slot *slots = reallocarray(reactor->slots, count, sizeof *slots);
        if (slots == NULL) {
            return -1;
        }
        for (uint32_t i = reactor->slot_count; i < count; i++) {
            slots[i] = (struct reactor_slot){ .generation = 1, .next_free = i + 1 };
        }
        reactor->slots = slots;
        reactor->slot_count = count;
    }
    struct reactor_slot *slot = &reactor->slots[reactor->first_free];
    *ref = (struct session_ref){
        .reactor = reactor->number, .slot = reactor->first_free, .generation = slot->generation, .seat = reactor->number
    };
    reactor->first_free = slot->next_free;
    slot->warm = 0;
    slot->connection = connection;
    reactor->connections++;
    return 0;
}

/* From now on it answers to no reference that there is. */
void reactor_free_slot(struct reactor *reactor, const struct session_ref *ref)
{
    struct reactor_slot *slot = &reactor->slots[ref->slot];
    slot->connection = NULL;
    slot->generation++;
    slot->next_free = reactor->first_free;
    reactor->first_free = ref->slot;
}

void reactor_release_slot(struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->slot < reactor->slot_count) { /* else there was none for it */
        reactor_free_slot(reactor, ref);
        reactor->connections--;
    }
}

void reactor_slot_away(struct reactor *reactor, const struct session_ref *ref, uint32_t seat)
{
    struct reactor_slot *slot = &reactor->slots[ref->slot];
    slot->connection = NULL;
    slot->seat = seat;
    reactor->connections--;
}

/* Of ours, and still the one that the reference means. */
static const struct reactor_slot *slot_of(const struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->reactor != reactor->number || ref->slot >= reactor->slot_count) {
        return NULL;
    }
    const struct reactor_slot *slot = &reactor->slots[ref->slot];
    return slot->generation == ref->generation ? slot : NULL;
}

struct connection *reactor_find(const struct reactor *reactor, const struct session_ref *ref)
{
    const struct reactor_slot *slot = slot_of(reactor, ref);
    return slot == NULL ? NULL : slot->connection;
}

uint32_t reactor_seat_of(const struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->reactor != reactor->number) {
        return ref->seat;
    }
    const struct reactor_slot *slot = slot_of(reactor, ref);
    return slot != NULL && slot->connection == NULL ? slot->seat : reactor->number;
}
