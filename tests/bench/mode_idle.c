/* mode_idle.c: many sessions that say nothing: what they take, and whether they slow down those that talk. */
#include "tests/bench/crowd.h"
#include "tests/bench/flow.h"

static unsigned accounts(const struct options *options)
{
    return 2 * options->pairs + options->sessions;
}

static double per_session(uint64_t before, uint64_t after, size_t count)
{
    return after > before ? (double)(after - before) / (double)count : 0;
}

struct moment {
    struct memory server;
    struct kernel_memory kernel;
};

static struct moment now_at(const struct bench *bench)
{
    return (struct moment){ .server = memory_of(bench->target.pid), .kernel = memory_of_kernel() };
}

static void report_memory(struct bench *bench, const struct moment *before, const struct moment *after, size_t count)
{
    bench_put(bench, "result", "sessions", json_integer((json_int_t)count));
    bench_number(bench, "result", "rss_per_session", per_session(before->server.rss, after->server.rss, count));
    bench_number(bench, "result", "pss_per_session", per_session(before->server.pss, after->server.pss, count));
    /* Both ends of each connection are on this machine: half of what the kernel holds is the server's. */
    bench_number(bench, "result", "kernel_per_session",
                 per_session(before->kernel.slab, after->kernel.slab, 2 * count));
    bench_number(bench, "result", "kernel_buffers_per_session",
                 per_session(before->kernel.socket_buffers, after->kernel.socket_buffers, 2 * count));
}

static void among_crowd(struct bench *bench, struct traffic *traffic, const struct outcome *alone)
{
    static struct outcome ours;
    struct crowd crowd;
    if (crowd_init(&crowd, bench, bench->options->sessions, 2 * bench->options->pairs, NULL) == 0) {
        const struct moment before = now_at(bench);
        if (crowd_come(&crowd, SESSION_UP) == 0) {
            const struct moment after = now_at(bench);
            flow_run(traffic, bench->options->seconds, &ours);
            report_memory(bench, &before, &after, crowd.count);
            flow_report(bench, "result", &ours);
            flow_report(bench, "limit", alone);
            bench_ratio(bench, "cpu_to_none_idle", flow_cpu_per_100k(&ours), flow_cpu_per_100k(alone));
        }
    }
    crowd_clear(&crowd);
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
