/*
 * gathering.h: how long what is to be written waits for more of its kind, so that one call takes many.
 *
 * Who is answered often comes again at once. So behind a call the next one waits for as many as that answered, and for
 * those that came meanwhile: else the two halves would take turns for good, each waiting for the other's call. It waits
 * half as long as that call took at most, nor longer than the caller's bound, nor for more than GATHERING_MAX: so many
 * share a call's own costs well enough. Where it is one who comes again and again, he never waits.
 *
 * It has no clock and no lock: both are the caller's. Times are in microseconds.
 */
#ifndef KDC_GATHERING_H
#define KDC_GATHERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATHERING_MAX 16

struct gathering {
    size_t awaited; /* so many are enough for a call */
    uint64_t until; /* from then on, one is */
};

void gathering_init(struct gathering *gathering);
/* A call is over that took so long and answered so many (0: it failed); so many wait by now. */
void gathering_call_over(struct gathering *gathering, size_t answered, size_t waiting, uint64_t took, uint64_t longest,
                         uint64_t now);
/* Whether so many are enough, as far as is known without the time. */
bool gathering_enough(const struct gathering *gathering, size_t waiting);
/* After how long somebody must look again, when so many wait. 0: they are enough. UINT64_MAX: when the first comes. */
uint64_t gathering_wait(struct gathering *gathering, size_t waiting, uint64_t now);

#endif
