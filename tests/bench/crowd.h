/*
 * crowd.h: many sessions of one pool, that come and go together.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "tests/bench/measure.h"
#include "tests/bench/pool.h"

struct crowd {
    struct pool pool;
    struct bench_session *sessions;
    struct bench_session **pointers; /* to each of them */
    size_t count;
};

/* So many sessions, down, of the accounts from number `first` on. `beside`: a pool whose turns serve them too, or NULL.
 * 0, or -1 after a fault; crowd_clear must follow either way. */
int crowd_init(struct crowd *crowd, struct bench *bench, size_t count, uint32_t first, const struct pool *beside)
    __attribute__((warn_unused_result));
/* All of them, up to SESSION_SECURED or SESSION_UP. 0, or -1 after a fault. */
int crowd_come(struct crowd *crowd, enum session_state goal) __attribute__((warn_unused_result));
/* Closes those that are open, and frees. */
void crowd_clear(struct crowd *crowd);

#endif
