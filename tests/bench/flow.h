/*
 * flow.h: traffic that keeps a window of messages under way in every pair, and what it costs: for relay, idle, and their
 * limit.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "tests/bench/traffic.h"

/* Runs the pairs (first to second) for so many seconds after a short warm-up, then waits until all has arrived. What hasn't
 * is a fault. Adds to the outcome. */
void flow_run(struct traffic *traffic, double seconds, struct outcome *outcome);

/* Puts the figures of an outcome into report[section]: rate, CPU, latency. */
void flow_report(struct bench *bench, const char *section, const struct outcome *outcome);
/* Seconds of the server's CPU for 100,000 delivered messages. */
double flow_cpu_per_100k(const struct outcome *outcome);
/* Microseconds that opening and sealing take for each message of this size, with --batch in a record with a window of
 * them: what a relay with encryption adds to a bare one. */
double flow_aead_us(const struct bench *bench);

#endif
