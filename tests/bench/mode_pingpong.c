/* mode_pingpong.c: one pair, one message under way: a round trip is two relayed messages. */
#include "tests/bench/bare.h"
#include "tests/bench/pingpong.h"

#define SECONDS_MAX 60

static unsigned accounts(const struct options *options)
{
    (void)options;
    return 2;
}

static void run(struct bench *bench)
{
    static struct outcome ours;
    static struct outcome floor;
    struct bare bare;
    const uint64_t count = (bench->options->count + MEASURE_TURNS - 1) / MEASURE_TURNS;
    struct traffic *traffic = traffic_new(bench, &bench->target, false, 1, 1);
    if (traffic == NULL) {
        return;
    }
    bare_start(&bare, bench, 1, 1);
    for (unsigned i = 0; i < MEASURE_TURNS && !faults_any(&bench->faults); i++) {
        pingpong_play(traffic, count, SECONDS_MAX, &ours);
        if (bare.traffic != NULL && !faults_any(&bench->faults)) {
            pingpong_play(bare.traffic, count, SECONDS_MAX, &floor);
        }
    }
    pingpong_report(bench, "result", &ours);
    if (bare.traffic != NULL) {
        pingpong_report(bench, "limit", &floor);
        bench_ratio(bench, "p50_to_bare", (double)latency_percentile(&ours.latency, 0.5),
                    (double)latency_percentile(&floor.latency, 0.5));
        bench_ratio(bench, "p99_to_bare", (double)latency_percentile(&ours.latency, 0.99),
                    (double)latency_percentile(&floor.latency, 0.99));
    }
    bare_stop(&bare);
    traffic_free(&traffic);
}

const struct mode mode_pingpong = {
    .name = "pingpong", .what = "one pair, --count round trips", .accounts = accounts, .run = run
};
