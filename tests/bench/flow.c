#include "tests/bench/flow.h"

#include "tests/bench/limits.h"

#define WARM_UP_SECONDS 0.2
#define PER 100000.0

struct flow {
    struct traffic *traffic;
    bool stopping;
};

static void fill_window(struct way *way)
{
    const struct options *options = way->pair->traffic->bench->options;
    while (way->from->state == SESSION_UP && way->sent - way->received < options->window && way_has_room(way)) {
        way_add(way);
        if (!options->batch) {
            session_send(way->from);
        }
    }
    session_send(way->from);
}

/* With --batch a window is sent again once all of it is there. */
static void go_on(struct way *way)
{
    const struct traffic *traffic = way->pair->traffic;
    const struct flow *flow = traffic->pool.context;
    if (!flow->stopping && (!traffic->bench->options->batch || way->sent == way->received)) {
        fill_window(way);
    }
}

/* Only `forth` sends; `back` has said one thing at most, that it took the epoch. */
static void on_room(struct way *way)
{
    if (way == &way->pair->forth) {
        go_on(way);
    }
}

static bool any_fault(const void *context)
{
    const struct flow *flow = context;
    return faults_any(&flow->traffic->bench->faults);
}

static uint64_t in_seconds(double seconds)
{
    return clock_ns() + (uint64_t)(seconds * 1e9);
}

void flow_run(struct traffic *traffic, double seconds, struct outcome *outcome)
{
    struct flow flow = { .traffic = traffic };
    const struct target *target = traffic->pool.target;
    traffic->pool.context = &flow;
    traffic->arrived = go_on;
    traffic->room = on_room;
    for (size_t i = 0; i < traffic->pair_count; i++) {
        fill_window(&traffic->pairs[i].forth);
    }
    (void)!pool_run(&traffic->pool, in_seconds(WARM_UP_SECONDS), any_fault, &flow);

    traffic->latency = &outcome->latency;
    traffic->delivered = 0;
    const struct sample from = sample_take(target->pid, target->database_pid);
    (void)!pool_run(&traffic->pool, in_seconds(seconds), any_fault, &flow);
    const struct sample to = sample_take(target->pid, target->database_pid);
    spent_add(&outcome->spent, &from, &to);
    outcome->delivered += traffic->delivered;
    traffic->latency = NULL;

    flow.stopping = true;
    traffic_drain(traffic);
    traffic->room = NULL;
}

double flow_cpu_per_100k(const struct outcome *outcome)
{
    return outcome->delivered > 0 ? outcome->spent.server_cpu / (double)outcome->delivered * PER : 0;
}

void flow_report(struct bench *bench, const char *section, const struct outcome *outcome)
{
    const double seconds = outcome->spent.seconds;
    bench_put(bench, section, "delivered", json_integer((json_int_t)outcome->delivered));
    bench_number(bench, section, "delivered_per_s", seconds > 0 ? (double)outcome->delivered / seconds : 0);
    bench_number(bench, section, "server_cpu_s_per_100k", flow_cpu_per_100k(outcome));
    bench_put(bench, section, "latency", latency_json(&outcome->latency));
    bench_put(bench, section, "used", spent_json(&outcome->spent));
}

double flow_aead_us(const struct bench *bench)
{
    const struct suite *inner = suite_by_id(SUITE_3DES_CBC_HMAC_SHA512);
    const size_t content = 1 + 2 * sizeof(uint64_t) + bench->options->size;
    const size_t each = FRAME_HEADER_LEN + 21 + suite_sealed_len(inner, content);
    size_t together = bench->options->batch ? bench->options->window : 1;
    if (together > 1 && together * each > RECORD_TOGETHER_MAX) {
        together = each < RECORD_TOGETHER_MAX ? RECORD_TOGETHER_MAX / each : 1;
    }
    return limits_aead_us(suite_by_name(bench->options->suite), together * each) / (double)together;
}
