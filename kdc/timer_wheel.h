/*
 * timer_wheel.h: coarse deadlines for very many things at almost no cost: a ring of lists, each for one tick of time.
 *
 * A deadline fires at the first turn of the wheel after it, so up to a tick late, never early. A deadline that moves back
 * all the time (something was heard again) needs no call: let it fire, look, and add it anew.
 *
 * Times are milliseconds of a clock that never goes back. Thread: one.
 */
#ifndef KDC_TIMER_WHEEL_H
#define KDC_TIMER_WHEEL_H

#include <stdint.h>

#define TIMER_WHEEL_TICK_MS 128
#define TIMER_WHEEL_SLOTS 512 /* about a minute; what is further away goes round more than once */

/* Embedded in what has the deadline. Zeroed: in no wheel. */
struct timer {
    struct timer *next;
    struct timer **link; /* what points to us; NULL: in no wheel */
    uint64_t deadline;
};

struct timer_wheel {
    struct timer *slots[TIMER_WHEEL_SLOTS];
    uint64_t tick; /* the last one that was turned to */
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now);
/* Sets or moves the deadline. */
void timer_wheel_set(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline);
/* Takes it out; safe when it is in no wheel. */
void timer_wheel_remove(struct timer *timer);
/* Everything whose deadline is over by `now`, taken out, and linked by next in no order; NULL when there is none. While the
 * caller walks the list it may set and free what it has passed, not what it hasn't. */
struct timer *timer_wheel_turn(struct timer_wheel *wheel, uint64_t now);

#endif
