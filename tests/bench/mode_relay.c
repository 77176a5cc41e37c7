/* mode_relay.c: messages of pairs, counted where they arrive. */
#include "tests/bench/bare.h"
#include "tests/bench/flow.h"

static unsigned accounts(const struct options *options)
{
    return 2 * options->pairs;
}

static void report_limits(struct bench *bench, const struct outcome *ours, const struct outcome *bare)
{
    const double aead_us = flow_aead_us(bench);
    const double cpu = flow_cpu_per_100k(ours);
    const double bare_cpu = flow_cpu_per_100k(bare);
    flow_report(bench, "limit", bare);
    bench_number(bench, "limit", "aead_us", aead_us);
    bench_ratio(bench, "cpu_to_bare", cpu, bare_cpu);
    bench_ratio(bench, "cpu_to_bare_and_aead", cpu, bare_cpu + aead_us / 10); /* us a message are s / 10 in 100,000 */
    bench_ratio(bench, "p50_to_bare", (double)latency_percentile(&ours->latency, 0.5),
                (double)latency_percentile(&bare->latency, 0.5));
}

static void run(struct bench *bench)
{
    static struct outcome ours;
    static struct outcome floor;
    struct bare bare;
    const struct options *options = bench->options;
    struct traffic *traffic = traffic_new(bench, &bench->target, false, options->pairs, options->window);
    if (traffic == NULL) {
        return;
    }
    bare_start(&bare, bench, options->pairs, options->window);
    for (unsigned i = 0; i < MEASURE_TURNS && !faults_any(&bench->faults); i++) {
        flow_run(traffic, options->seconds / MEASURE_TURNS, &ours);
        if (bare.traffic != NULL && !faults_any(&bench->faults)) {
            flow_run(bare.traffic, options->seconds / MEASURE_TURNS, &floor);
        }
    }
    flow_report(bench, "result", &ours);
    if (bare.traffic != NULL) {
        report_limits(bench, &ours, &floor);
    }
    bare_stop(&bare);
    traffic_free(&traffic);
}

const struct mode mode_relay = { .name = "relay",
                                 .what = "messages of --pairs, a --window of each under way, for --seconds",
                                 .accounts = accounts,
                                 .run = run };
