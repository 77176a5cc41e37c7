/*
 * reactor_slots.c: the places of a reactor's connections, by which other threads name them (session_ref.h).
 */
#include "kdc/reactor.h"

#include <stdlib.h>
#include <string.h>

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

/* From now on the slot answers to no reference that there is. */
static void free_slot(struct reactor *reactor, uint32_t number)
{
    struct reactor_slot *slot = &reactor->slots[number];
    slot->connection = NULL;
    slot->generation++;
    slot->next_free = reactor->first_free;
    reactor->first_free = number;
}

void reactor_release_slot(struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->slot < reactor->slot_count) { /* else there was no room for it */
        free_slot(reactor, ref->slot);
        reactor->connections--;
    }
}

void reactor_lend_slot(struct reactor *reactor, const struct session_ref *ref, uint32_t seat)
{
    struct reactor_slot *slot = &reactor->slots[ref->slot];
    slot->connection = NULL;
    slot->seat = seat;
    reactor->connections--;
}

void reactor_take_slot_back(struct reactor *reactor, const struct session_ref *ref)
{
    free_slot(reactor, ref->slot);
}

struct connection *reactor_find(const struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->slot >= reactor->slot_count) {
        return NULL;
    }
    const struct reactor_slot *slot = &reactor->slots[ref->slot];
    return slot->generation == ref->generation ? slot->connection : NULL;
}

/* ---- of sessions, wherever they began ---- */

int reactor_note_guest(struct reactor *reactor, const struct session_ref *home, uint32_t slot)
{
    if (reactor->guests == NULL) {
        reactor->guests = calloc(reactor->server->reactor_count, sizeof *reactor->guests);
        if (reactor->guests == NULL) {
            return -1;
        }
    }
    struct guest_list *list = &reactor->guests[home->reactor];
    if (home->slot >= list->count) {
        const uint32_t count = home->slot * 2 + 64;
        struct guest *guests = reallocarray(list->guests, count, sizeof *guests);
        if (guests == NULL) {
            return -1;
        }
        memset(guests + list->count, 0, (count - list->count) * sizeof *guests);
        list->guests = guests;
        list->count = count;
    }
    list->guests[home->slot] = (struct guest){ .there = true, .generation = home->generation, .slot = slot };
    return 0;
}

static struct guest *guest_of(const struct reactor *reactor, const struct session_ref *ref)
{
    if (reactor->guests == NULL || ref->slot >= reactor->guests[ref->reactor].count) {
        return NULL;
    }
    struct guest *guest = &reactor->guests[ref->reactor].guests[ref->slot];
    return guest->there && guest->generation == ref->generation ? guest : NULL;
}

void reactor_forget_guest(struct reactor *reactor, const struct session_ref *home)
{
    struct guest *guest = guest_of(reactor, home);
    if (guest != NULL) {
        guest->there = false;
    }
}

void reactor_free_guests(struct reactor *reactor)
{
    for (unsigned i = 0; reactor->guests != NULL && i < reactor->server->reactor_count; i++) {
        free(reactor->guests[i].guests);
    }
    free(reactor->guests);
}

uint32_t reactor_seat_of(const struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->reactor != reactor->number) {
        return ref->seat;
    }
    const struct reactor_slot *slot = ref->slot < reactor->slot_count ? &reactor->slots[ref->slot] : NULL;
    const bool lent = slot != NULL && slot->generation == ref->generation && slot->connection == NULL;
    return lent ? slot->seat : reactor->number;
}

struct connection *reactor_find_session(struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->reactor == reactor->number) {
        return reactor_find(reactor, ref);
    }
    const struct guest *guest = guest_of(reactor, ref);
    if (guest == NULL) {
        reactor_seat_guests(reactor);
        guest = guest_of(reactor, ref);
    }
    return guest == NULL ? NULL : reactor->slots[guest->slot].connection;
}
