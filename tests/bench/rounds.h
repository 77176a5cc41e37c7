/*
 * rounds.h: something that is done again and again, so many at a time, for so long: handshakes, logins, openings.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "tests/bench/latency.h"
#include "tests/bench/measure.h"
#include "tests/bench/pool.h"

struct rounds {
    struct bench *bench;
    struct pool pool;
    struct bench_session *sessions;
    struct bench_session **pointers;
    size_t count;
    size_t busy; /* that have begun and aren't done */
    bool stopping;
    bool measuring;
    uint64_t done; /* while measuring */
    uint64_t first_done;
    uint64_t last_done;
    struct latency latency;
    struct spent spent;
};

/* The sessions, down. 0, or -1 after a fault. */
int rounds_init(struct rounds *rounds, struct bench *bench, size_t sessions) __attribute__((warn_unused_result));
void rounds_clear(struct rounds *rounds); /* closes what is open */

/* Lets `begin` begin `concurrency` rounds, on the first sessions in turn (on `spread` of them, if there are more rounds
 * than sessions to begin them: a session may then have several under way), measures for --seconds after a warm-up, and waits for the end of
 * what has begun. A round's end is told by rounds_done. */
void rounds_run(struct rounds *rounds, const struct pool_handler *handler, size_t concurrency, size_t spread,
                void (*begin)(struct bench_session *s));
/* A round that took that long is done. True when the next may begin. */
bool rounds_done(struct rounds *rounds, uint64_t ns) __attribute__((warn_unused_result));

/* report["result"]: rate, server CPU each, database CPU each, latency. */
void rounds_report(struct rounds *rounds);
double rounds_per_s(const struct rounds *rounds);
double rounds_server_cpu_ms(const struct rounds *rounds);

#endif
