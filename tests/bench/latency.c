#include "tests/bench/latency.h"

#define SUB 64 /* buckets for each doubling */
#define SUB_BITS 6

static unsigned bucket_of(uint64_t ns)
{
    if (ns < SUB) {
        return (unsigned)ns;
    }
    const unsigned exponent = 63u - (unsigned)__builtin_clzll(ns);
    const unsigned bucket = (exponent - SUB_BITS + 1) * SUB + (unsigned)(ns >> (exponent - SUB_BITS)) - SUB;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The bucket's middle. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < SUB) {
        return bucket;
    }
    const unsigned shift = bucket / SUB - 1;
    const uint64_t low = (uint64_t)(SUB + bucket % SUB) << shift;
    return low + (((uint64_t)1 << shift) / 2);
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->count++;
    latency->buckets[bucket_of(ns)]++;
    if (ns > latency->max) {
        latency->max = ns;
    }
}

uint64_t latency_percentile(const struct latency *latency, double share)
{
    const uint64_t wanted = (uint64_t)((double)latency->count * share);
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > wanted) {
            return value_of(i) < latency->max ? value_of(i) : latency->max;
        }
    }
    return latency->max;
}

json_t *latency_json(const struct latency *latency)
{
    return json_pack("{s:f, s:f, s:f}", "p50_us", (double)latency_percentile(latency, 0.5) / 1e3, "p99_us",
                     (double)latency_percentile(latency, 0.99) / 1e3, "max_us", (double)latency->max / 1e3);
}
