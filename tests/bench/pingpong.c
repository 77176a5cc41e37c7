#include "tests/bench/pingpong.h"

#define WARM_UP 200
#define END_SECONDS 30

struct game {
    struct traffic *traffic;
    struct outcome *outcome;
    uint64_t wanted; /* round trips */
    uint64_t done;
    uint64_t until;   /* clock_ns: none is begun after it */
    uint64_t started; /* of the round trip */
    bool over;
    struct sample from;
};

static void serve(struct game *game)
{
    struct way *forth = &game->traffic->pairs[0].forth;
    game->started = clock_ns();
    way_add(forth);
    session_send(forth->from);
}

static void on_arrived(struct way *way)
{
    struct traffic *traffic = way->pair->traffic;
    struct game *game = traffic->pool.context;
    if (way == &way->pair->forth) {
        way_add(&way->pair->back);
        session_send(way->pair->back.from);
        return;
    }
    const uint64_t now = clock_ns();
    game->done++;
    if (game->done == WARM_UP) {
        game->from = sample_take(traffic->pool.target->pid, traffic->pool.target->database_pid);
    } else if (game->done > WARM_UP) {
        latency_add(&game->outcome->latency, now - game->started);
    }
    game->over = game->done >= game->wanted || now >= game->until;
    if (!game->over) {
        serve(game);
    }
}

static bool is_over(const void *context)
{
    const struct game *game = context;
    return game->over || faults_any(&game->traffic->bench->faults);
}

void pingpong_play(struct traffic *traffic, uint64_t count, double seconds, struct outcome *outcome)
{
    const struct target *target = traffic->pool.target;
    const uint64_t until = clock_ns() + (uint64_t)(seconds * 1e9);
    struct game game = { .traffic = traffic, .outcome = outcome, .wanted = count + WARM_UP, .until = until };
    traffic->pool.context = &game;
    traffic->arrived = on_arrived;
    serve(&game);
    if (!pool_run(&traffic->pool, until + END_SECONDS * UINT64_C(1000000000), is_over, &game)) {
        traffic->bench->faults.lost++;
    }
    const struct sample to = sample_take(target->pid, target->database_pid);
    if (game.done > WARM_UP) {
        spent_add(&outcome->spent, &game.from, &to);
        outcome->delivered += 2 * (game.done - WARM_UP);
    }
}

void pingpong_report(struct bench *bench, const char *section, const struct outcome *outcome)
{
    const double trips = (double)outcome->latency.count;
    bench_put(bench, section, "round_trips", json_integer((json_int_t)outcome->latency.count));
    bench_put(bench, section, "latency", latency_json(&outcome->latency));
    bench_number(bench, section, "server_cpu_us_each", trips > 0 ? outcome->spent.server_cpu * 1e6 / trips : 0);
    bench_put(bench, section, "used", spent_json(&outcome->spent));
}
