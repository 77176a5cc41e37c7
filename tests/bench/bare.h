/*
 * bare.h: the limit of relaying: traffic through a bare relay (bare_relay.c) of our own, with as many reactors as the target.
 *
 * It is measured in turns with the target, so that what else the machine does at the time is about the same for both.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "tests/bench/traffic.h"

#define MEASURE_TURNS 4

struct bare {
    struct target target;
    struct faults *faults;
    struct traffic *traffic; /* NULL: not wanted, or not to be had (a fault) */
};

/* As traffic_new. Does nothing with --no-limits. */
void bare_start(struct bare *bare, struct bench *bench, size_t pairs, size_t ring);
void bare_stop(struct bare *bare);

#endif
