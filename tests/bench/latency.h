/*
 * latency.h: how long things took, as a histogram of fixed size: each bucket is at most 1/64 of its value wide, so a
 * percentile is right within 2 %. Nanoseconds. One thread.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <jansson.h>
#include <stdint.h>

#define LATENCY_BUCKETS 2560 /* up to 2^45 ns: ten hours */

struct latency {
    uint64_t count;
    uint64_t max;
    uint32_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
/* `share` from 0 to 1; 0 when there is nothing. */
uint64_t latency_percentile(const struct latency *latency, double share);
/* {"p50_us", "p99_us", "max_us"}; NULL when memory is out. */
json_t *latency_json(const struct latency *latency);

#endif
