/*
 * histogram.h: how long something took, counted in fixed steps from a millisecond to ten seconds, for operators.
 *
 * A histogram has one writer at a time (its thread, or whoever holds the lock that guards it) and any number of readers, and takes no
 * locked instruction. Zeroed: empty. A reader may see a sum that lags a count by what is just being added.
 */
#ifndef KDC_HISTOGRAM_H
#define KDC_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_STEPS 13

/* Upper bounds, in microseconds; behind the last step is one for whatever took longer. */
static const uint64_t histogram_bounds[HISTOGRAM_STEPS] = { 1000,   2500,   5000,    10000,   25000,   50000,   100000,
                                                            250000, 500000, 1000000, 2500000, 5000000, 10000000 };

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_STEPS + 1];
    _Atomic uint64_t sum_us;
};

/* What was read: of one or of several. */
struct histogram_total {
    uint64_t counts[HISTOGRAM_STEPS + 1]; /* each its own, not those below it */
    uint64_t sum_us;
};

static inline void histogram_add(struct histogram *histogram, uint64_t us)
{
    size_t step = 0;
    while (step < HISTOGRAM_STEPS && us > histogram_bounds[step]) {
        step++;
    }
    _Atomic uint64_t *const places[] = { &histogram->counts[step], &histogram->sum_us };
    const uint64_t amounts[] = { 1, us };
    for (size_t i = 0; i < 2; i++) {
        const uint64_t now = atomic_load_explicit(places[i], memory_order_relaxed);
        atomic_store_explicit(places[i], now + amounts[i], memory_order_relaxed);
    }
}

/* Adds what the histogram holds to *total. */
static inline void histogram_read(struct histogram *histogram, struct histogram_total *total)
{
    for (size_t i = 0; i <= HISTOGRAM_STEPS; i++) {
        total->counts[i] += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    }
    total->sum_us += atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}

static inline uint64_t histogram_count(const struct histogram_total *total)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= HISTOGRAM_STEPS; i++) {
        count += total->counts[i];
    }
    return count;
}

#endif
