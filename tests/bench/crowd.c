#include "tests/bench/crowd.h"

#include <stdlib.h>

#define CONCURRENCY 64
#define SECONDS_EACH 0.5 /* that a login may take at most */

int crowd_init(struct crowd *crowd, struct bench *bench, size_t count, uint32_t first, const struct pool *beside)
{
    *crowd = (struct crowd){ .pool = { .epoll = -1 } };
    if ((beside != NULL ? pool_init_beside(&crowd->pool, bench, beside)
                        : pool_init(&crowd->pool, bench, &bench->target, false)) != 0) {
        return -1;
    }
    crowd->sessions = calloc(count, sizeof *crowd->sessions);
    crowd->pointers = calloc(count, sizeof(struct bench_session *));
    if (crowd->sessions == NULL || crowd->pointers == NULL) {
        fault(&bench->faults, "memory is out");
        return -1;
    }
    crowd->count = count;
    for (uint32_t i = 0; i < count; i++) {
        session_init(&crowd->sessions[i], &crowd->pool, first + i);
        crowd->pointers[i] = &crowd->sessions[i];
    }
    return faults_any(&bench->faults) ? -1 : 0;
}

int crowd_come(struct crowd *crowd, enum session_state goal)
{
    return pool_bring_up(&crowd->pool, crowd->pointers, crowd->count, CONCURRENCY,
                         10 + SECONDS_EACH * (double)crowd->count, goal);
}

void crowd_clear(struct crowd *crowd)
{
    if (crowd->count > 0) {
        pool_bring_down(&crowd->pool, crowd->pointers, crowd->count);
    }
    free(crowd->sessions);
    free(crowd->pointers);
    pool_clear(&crowd->pool);
}
