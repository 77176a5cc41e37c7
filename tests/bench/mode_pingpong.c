/* mode_pingpong.c: one pair, one message under way: a round trip is two relayed messages. */
#include "tests/bench/bare.h"

#define WARM_UP 200
#define SECONDS_MAX 60

struct pingpong {
    struct traffic *traffic;
    struct outcome *outcome;
    uint64_t wanted; /* round trips */
    uint64_t done;
    uint64_t started; /* of the round trip */
    struct sample from;
};

static unsigned accounts(const struct options *options)
{
    (void)options;
    return 2;
}

static void serve(struct pingpong *game)
{
    struct way *forth = &game->traffic->pairs[0].forth;
    game->started = clock_ns();
    way_add(forth);
    session_send(forth->from);
}

static void on_arrived(struct way *way)
{
    struct traffic *traffic = way->pair->traffic;
    struct pingpong *game = traffic->pool.context;
    if (way == &way->pair->forth) {
        way_add(&way->pair->back);
        session_send(way->pair->back.from);
        return;
    }
    game->done++;
    if (game->done == WARM_UP) {
        game->from = sample_take(traffic->pool.target->pid, traffic->pool.target->database_pid);
    } else if (game->done > WARM_UP) {
        latency_add(&game->outcome->latency, clock_ns() - game->started);
    }
    if (game->done < game->wanted) {
        serve(game);
    }
}

static bool is_over(const void *context)
{
    const struct pingpong *game = context;
    return game->done >= game->wanted || faults_any(&game->traffic->bench->faults);
}

/* So many round trips more; adds to the outcome. */
static void play(struct traffic *traffic, uint64_t count, struct outcome *outcome)
{
    const struct target *target = traffic->pool.target;
    struct pingpong game = { .traffic = traffic, .outcome = outcome, .wanted = count + WARM_UP };
    traffic->pool.context = &game;
    traffic->arrived = on_arrived;
    serve(&game);
    if (!pool_run(&traffic->pool, clock_ns() + SECONDS_MAX * UINT64_C(1000000000), is_over, &game)) {
        traffic->bench->faults.lost++;
    }
    const struct sample to = sample_take(target->pid, target->database_pid);
    if (game.done > WARM_UP) {
        spent_add(&outcome->spent, &game.from, &to);
    }
}

static void report(struct bench *bench, const char *section, const struct outcome *outcome)
{
    const double cpu = outcome->spent.server_cpu;
    bench_put(bench, section, "round_trips", json_integer((json_int_t)outcome->latency.count));
    bench_put(bench, section, "latency", latency_json(&outcome->latency));
    bench_number(bench, section, "server_cpu_us_each",
                 outcome->latency.count > 0 ? cpu * 1e6 / (double)outcome->latency.count : 0);
    bench_put(bench, section, "used", spent_json(&outcome->spent));
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
        play(traffic, count, &ours);
        if (bare.traffic != NULL && !faults_any(&bench->faults)) {
            play(bare.traffic, count, &floor);
        }
    }
    report(bench, "result", &ours);
    if (bare.traffic != NULL) {
        report(bench, "limit", &floor);
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
