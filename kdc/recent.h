/*
 * recent.h: the most and the mean of what happened in the last half minute to a minute, for operators.
 *
 * Two windows of RECENT_WINDOW_MS: the one that runs, and the one before. One writer, any number of readers, no locked
 * instruction; a reader that comes while a window is begun anew may miss some of it. Zeroed: nothing has happened.
 */
#ifndef KDC_RECENT_H
#define KDC_RECENT_H

#include <stdatomic.h>
#include <stdint.h>

#define RECENT_WINDOW_MS 30000

struct recent_window {
    _Atomic uint64_t number; /* of the window, since the clock's start */
    _Atomic uint64_t count;
    _Atomic uint64_t sum;
    _Atomic uint64_t most;
};

struct recent {
    struct recent_window windows[2];
};

struct recent_total {
    uint64_t count;
    uint64_t sum;
    uint64_t most;
};

static inline uint64_t recent_get(_Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

static inline void recent_set(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

/* `now` in monotonic milliseconds. */
static inline void recent_add(struct recent *recent, uint64_t amount, uint64_t now)
{
    const uint64_t number = now / RECENT_WINDOW_MS + 1;
    struct recent_window *window = &recent->windows[number % 2];
    if (recent_get(&window->number) != number) {
        recent_set(&window->count, 0);
        recent_set(&window->sum, 0);
        recent_set(&window->most, 0);
        recent_set(&window->number, number);
    }
    recent_set(&window->count, recent_get(&window->count) + 1);
    recent_set(&window->sum, recent_get(&window->sum) + amount);
    if (amount > recent_get(&window->most)) {
        recent_set(&window->most, amount);
    }
}

static inline struct recent_total recent_read(struct recent *recent, uint64_t now)
{
    const uint64_t number = now / RECENT_WINDOW_MS + 1;
    struct recent_total total = { 0 };
    for (unsigned i = 0; i < 2; i++) {
        struct recent_window *window = &recent->windows[i];
        if (recent_get(&window->number) + 1 < number) {
            continue; /* long ago, or never */
        }
        total.count += recent_get(&window->count);
        total.sum += recent_get(&window->sum);
        const uint64_t most = recent_get(&window->most);
        total.most = most > total.most ? most : total.most;
    }
    return total;
}

#endif
