#include "tests/bench/rounds.h"

#include <stdlib.h>
#include <string.h>

#define WARM_UP_SECONDS 0.2
#define END_SECONDS 60

int rounds_init(struct rounds *rounds, struct bench *bench, size_t sessions)
{
    memset(rounds, 0, sizeof *rounds);
    rounds->bench = bench;
    if (pool_init(&rounds->pool, bench, &bench->target, false) != 0) {
        return -1;
    }
    rounds->sessions = calloc(sessions, sizeof *rounds->sessions);
    rounds->pointers = calloc(sessions, sizeof(struct bench_session *));
    if (rounds->sessions == NULL || rounds->pointers == NULL) {
        fault(&bench->faults, "memory is out");
        rounds_clear(rounds);
        return -1;
    }
    rounds->count = sessions;
    rounds->pool.context = rounds;
    for (uint32_t i = 0; i < sessions; i++) {
        session_init(&rounds->sessions[i], &rounds->pool, i);
        rounds->pointers[i] = &rounds->sessions[i];
    }
    return 0;
}

void rounds_clear(struct rounds *rounds)
{
    if (rounds->count > 0) {
        pool_bring_down(&rounds->pool, rounds->pointers, rounds->count);
    }
    free(rounds->sessions);
    free(rounds->pointers);
    pool_clear(&rounds->pool);
}

bool rounds_done(struct rounds *rounds, uint64_t ns)
{
    if (rounds->measuring) {
        rounds->last_done = clock_ns();
        if (rounds->done++ == 0) {
            rounds->first_done = rounds->last_done;
        }
        latency_add(&rounds->latency, ns);
    }
    if (rounds->stopping) {
        rounds->busy--;
    }
    return !rounds->stopping;
}

static bool any_fault(const void *context)
{
    return faults_any(&((const struct rounds *)context)->bench->faults);
}

static bool is_over(const void *context)
{
    return ((const struct rounds *)context)->busy == 0 || any_fault(context);
}

static uint64_t in_seconds(double seconds)
{
    return clock_ns() + (uint64_t)(seconds * 1e9);
}

void rounds_run(struct rounds *rounds, const struct pool_handler *handler, size_t concurrency, size_t spread,
                void (*begin)(struct bench_session *s))
{
    const struct target *target = &rounds->bench->target;
    rounds->pool.handler = handler;
    for (size_t i = 0; i < concurrency; i++) {
        rounds->busy++;
        begin(&rounds->sessions[i % spread]);
    }
    (void)!pool_run(&rounds->pool, in_seconds(WARM_UP_SECONDS), any_fault, rounds);
    const struct sample from = sample_take(target->pid, target->database_pid);
    rounds->measuring = true;
    (void)!pool_run(&rounds->pool, in_seconds(rounds->bench->options->seconds), any_fault, rounds);
    const struct sample to = sample_take(target->pid, target->database_pid);
    rounds->measuring = false;
    spent_add(&rounds->spent, &from, &to);
    rounds->stopping = true;
    if (!pool_run(&rounds->pool, in_seconds(END_SECONDS), is_over, rounds)) {
        fault(&rounds->bench->faults, "%zu were not answered", rounds->busy);
    }
}

/* From the first end to the last: what had begun before the first doesn't count. */
double rounds_per_s(const struct rounds *rounds)
{
    return rounds->done > 1 ? (double)(rounds->done - 1) * 1e9 / (double)(rounds->last_done - rounds->first_done) : 0;
}

double rounds_server_cpu_ms(const struct rounds *rounds)
{
    return rounds->done > 0 ? rounds->spent.server_cpu * 1e3 / (double)rounds->done : 0;
}

void rounds_report(struct rounds *rounds)
{
    struct bench *bench = rounds->bench;
    bench_put(bench, "result", "count", json_integer((json_int_t)rounds->done));
    bench_number(bench, "result", "per_s", rounds_per_s(rounds));
    bench_number(bench, "result", "server_cpu_ms_each", rounds_server_cpu_ms(rounds));
    bench_number(bench, "result", "database_cpu_ms_each",
                 rounds->done > 0 ? rounds->spent.database_cpu * 1e3 / (double)rounds->done : 0);
    bench_put(bench, "result", "latency", latency_json(&rounds->latency));
    bench_put(bench, "result", "used", spent_json(&rounds->spent));
    if (rounds->done == 0) {
        fault(&bench->faults, "nothing was done in the time: give more --seconds");
    }
}
