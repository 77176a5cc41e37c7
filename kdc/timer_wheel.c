#include "kdc/timer_wheel.h"

#include <stddef.h>
#include <string.h>

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = now / TIMER_WHEEL_TICK_MS;
}

static void insert(struct timer_wheel *wheel, struct timer *timer)
{
    /* The tick at whose end the deadline is over; never one that has been turned to already. */
    uint64_t tick = timer->deadline / TIMER_WHEEL_TICK_MS + 1;
    if (tick <= wheel->tick) {
        tick = wheel->tick + 1;
    }
    struct timer **head = &wheel->slots[tick % TIMER_WHEEL_SLOTS];
    timer->next = *head;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    timer->link = head;
    *head = timer;
}

void timer_wheel_set(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline)
{
    timer_wheel_remove(timer);
    timer->deadline = deadline;
    insert(wheel, timer);
}

void timer_wheel_remove(struct timer *timer)
{
    if (timer->link != NULL) {
        *timer->link = timer->next;
        if (timer->next != NULL) {
            timer->next->link = timer->link;
        }
        timer->link = NULL;
        timer->next = NULL;
    }
}

struct timer *timer_wheel_turn(struct timer_wheel *wheel, uint64_t now)
{
    const uint64_t until = now / TIMER_WHEEL_TICK_MS;
    /* After a long pause each slot needs one look only. */
    uint64_t turns = until > wheel->tick ? until - wheel->tick : 0;
    if (turns > TIMER_WHEEL_SLOTS) {
        turns = TIMER_WHEEL_SLOTS;
    }
    struct timer *due = NULL;
    for (uint64_t i = 0; i < turns; i++) {
        struct timer *timer = wheel->slots[(until - i) % TIMER_WHEEL_SLOTS];
        while (timer != NULL) {
            struct timer *next = timer->next;
            if (timer->deadline <= now) {
                timer_wheel_remove(timer);
                timer->next = due;
                due = timer;
            }
            timer = next;
        }
    }
    if (until > wheel->tick) {
        wheel->tick = until;
    }
    return due;
}
