/* mode_idle.c: many sessions that say nothing: what they take, and whether they slow down those that talk. */
#include "tests/bench/flow.h"

#include <stdlib.h>

#define LOGIN_CONCURRENCY 64
#define SECONDS_EACH 0.5

static unsigned accounts(const struct options *options)
{
    return 2 * options->pairs + options->sessions;
}

struct crowd {
    struct pool pool;
    struct bench_session *sessions;
    struct bench_session **pointers;
    size_t count;
};

static void crowd_free(struct crowd *crowd)
{
    if (crowd->pointers != NULL && crowd->sessions != NULL) {
        pool_bring_down(&crowd->pool, crowd->pointers, crowd->count);
    }
    free(crowd->sessions);
    free(crowd->pointers);
    pool_clear(&crowd->pool);
}

/* Whatever it returns, crowd_free follows. */
static int crowd_come(struct crowd *crowd, struct bench *bench)
{
    const uint32_t first = 2 * bench->options->pairs;
    if (pool_init(&crowd->pool, bench, &bench->target, false) != 0) {
        return -1;
    }
    crowd->sessions = calloc(crowd->count, sizeof *crowd->sessions);
    crowd->pointers = calloc(crowd->count, sizeof(struct bench_session *));
    if (crowd->sessions == NULL || crowd->pointers == NULL) {
        fault(&bench->faults, "memory is out");
        return -1;
    }
    for (uint32_t i = 0; i < crowd->count; i++) {
        session_init(&crowd->sessions[i], &crowd->pool, first + i);
        crowd->pointers[i] = &crowd->sessions[i];
    }
    return pool_bring_up(&crowd->pool, crowd->pointers, crowd->count, LOGIN_CONCURRENCY,
                         10 + SECONDS_EACH * (double)crowd->count, SESSION_UP);
}

static double per_session(uint64_t before, uint64_t after, size_t count)
{
    return after > before ? (double)(after - before) / (double)count : 0;
}

static void among_crowd(struct bench *bench, struct traffic *traffic, const struct outcome *alone)
{
    static struct outcome ours;
    struct crowd crowd = { .count = bench->options->sessions, .pool = { .epoll = -1 } };
    const struct memory before = memory_of(bench->target.pid);
    const uint64_t kernel_before = memory_of_kernel();
    if (crowd_come(&crowd, bench) == 0) {
        const struct memory after = memory_of(bench->target.pid);
        const uint64_t kernel_after = memory_of_kernel();
        flow_run(traffic, bench->options->seconds, &ours);
        bench_put(bench, "result", "sessions", json_integer((json_int_t)crowd.count));
        bench_number(bench, "result", "rss_per_session", per_session(before.rss, after.rss, crowd.count));
        bench_number(bench, "result", "pss_per_session", per_session(before.pss, after.pss, crowd.count));
        /* Both ends of each connection are on this machine. */
        bench_number(bench, "result", "kernel_per_session", per_session(kernel_before, kernel_after, 2 * crowd.count));
        flow_report(bench, "result", &ours);
        flow_report(bench, "limit", alone);
        bench_ratio(bench, "cpu_to_none_idle", flow_cpu_per_100k(&ours), flow_cpu_per_100k(alone));
    }
    crowd_free(&crowd);
}

static void run(struct bench *bench)
{
    static struct outcome alone;
    struct traffic *traffic = traffic_new(bench, &bench->target, false, bench->options->pairs, bench->options->window);
    if (traffic == NULL) {
        return;
    }
    flow_run(traffic, bench->options->seconds, &alone);
    if (!faults_any(&bench->faults)) {
        among_crowd(bench, traffic, &alone);
    }
    traffic_free(&traffic);
}

const struct mode mode_idle = { .name = "idle",
                                .what = "--sessions that are silent: their memory, and a relay beside them",
                                .accounts = accounts,
                                .run = run };
