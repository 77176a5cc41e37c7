/*
 * pingpong.h: round trips: one message under way, which the other side answers.
 */
#ifndef BENCH_PINGPONG_H
#define BENCH_PINGPONG_H

#include "tests/bench/traffic.h"

/* Round trips of the first pair after a short warm-up: so many, or for so many seconds, whichever ends first. Adds to the
 * outcome; latency is a round trip's. */
void pingpong_play(struct traffic *traffic, uint64_t count, double seconds, struct outcome *outcome);

/* Puts them into report[section]. */
void pingpong_report(struct bench *bench, const char *section, const struct outcome *outcome);

#endif
