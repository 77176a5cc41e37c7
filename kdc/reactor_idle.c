/*
 * reactor_idle.c: what a reactor gives back when it isn't needed: spare memory, and the scheduled keys of connections over
 * which nothing has gone for a while.
 */
#include "kdc/connection.h"

#define COOL_AFTER_MS 1000    /* short against the pauses of people, long against the 2 us that warming up takes */
#define TICKS_FOR_ALL 8       /* the slots are looked through about once a second */
#define TICKS_BETWEEN_TRIMS 8 /* so that what a second's work needs stays */

static void cool_some(struct reactor *reactor)
{
    const uint32_t count = reactor->slot_count / TICKS_FOR_ALL + 1;
    for (uint32_t i = 0; i < count && reactor->slot_count > 0; i++) {
        if (reactor->next_idle >= reactor->slot_count) {
            reactor->next_idle = 0;
        }
        struct reactor_slot *slot = &reactor->slots[reactor->next_idle++];
        if (slot->connection != NULL && slot->warm != 0 && connection_cool(slot->connection, COOL_AFTER_MS)) {
            slot->warm = 0;
        }
    }
}

void reactor_give_back(struct reactor *reactor)
{
    cool_some(reactor);
    if (++reactor->ticks % TICKS_BETWEEN_TRIMS == 0) {
        buffer_stock_trim(&reactor->buffers);
        mail_stock_trim(&reactor->mails);
    }
}
