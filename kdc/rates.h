/*
 * rates.h: how much happened a second in the last RATES_SECONDS, from counters that only grow.
 *
 * Whoever owns it notes the counters about once a second. Zeroed: nothing is known yet. Thread: one.
 */
#ifndef KDC_RATES_H
#define KDC_RATES_H

#include <stddef.h>
#include <stdint.h>

#define RATES_SECONDS 10

enum rate { RATE_LOGINS, RATE_MESSAGES, RATE_KEYS, RATE_REFUSALS, RATE_COUNT };

struct rates_sample {
    uint64_t time; /* monotonic microseconds */
    uint64_t counters[RATE_COUNT];
};

struct rates {
    struct rates_sample samples[RATES_SECONDS + 1]; /* a ring */
    size_t newest;
    size_t count;
};

void rates_note(struct rates *rates, const struct rates_sample *sample);
/* A second, from the oldest sample to `now`, which isn't noted. 0 while there is none. */
double rates_get(const struct rates *rates, enum rate rate, const struct rates_sample *now);

#endif
