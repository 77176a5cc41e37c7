/*
 * mode_storm.c: do conversations notice that everybody logs in? Round trips of one pair, and pairs that talk at their own
 * pace, in turns without and with logins that keep all workers at bcrypt.
 *
 * The handshakes of those logins are done before: a client's part of a handshake takes as long as the KDC's, and here, where
 * both share the cores, it would be our own load that is measured. (overload has both.)
 */
#include "tests/bench/crowd.h"
#include "tests/bench/limits.h"
#include "tests/bench/pingpong.h"
#include "tests/bench/talk.h"

#include <string.h>

#define TURNS 2
#define PAIRS_MAX 20
#define MESSAGES_PER_S 1000.0
#define RING 64
#define BCRYPT_SECONDS 0.3
#define ENOUGH 1.3 /* sessions to log in, by what the workers could do if they had nothing else */
#define END_SECONDS 60

/* Those that log in: each once, in order. */
struct storm {
    struct crowd crowd;
    struct bench *bench;
    size_t next;
    size_t busy;
    bool blowing;
    uint64_t logins;
    struct latency latency;
};

/* Beside the pairs at their own pace, one pair for the round trips. */
static unsigned pairs_of(const struct options *options)
{
    return options->pairs < PAIRS_MAX ? options->pairs : PAIRS_MAX;
}

static unsigned accounts(const struct options *options)
{
    return 2 * pairs_of(options) + options->sessions;
}

static struct storm *storm_of(const struct bench_session *s)
{
    return s->pool->context;
}

static void next_login(struct storm *storm)
{
    if (storm->next == storm->crowd.count) {
        fault(&storm->bench->faults, "all %zu prepared sessions are used up: give more --sessions", storm->crowd.count);
        return;
    }
    storm->busy++;
    session_login(&storm->crowd.sessions[storm->next++]);
}

static void on_up(struct bench_session *s)
{
    struct storm *storm = storm_of(s);
    storm->busy--;
    session_close(s);
    if (storm->blowing) {
        storm->logins++;
        latency_add(&storm->latency, clock_ns() - s->began);
        next_login(storm);
    }
}

static void nothing(struct bench_session *s)
{
    (void)s;
}

static void on_message(struct bench_session *s, const struct message *m)
{
    (void)m;
    session_fault(s, "a message", "none is due");
}

static void begin_storm(struct storm *storm)
{
    storm->blowing = true;
    for (unsigned i = 0; i < storm->bench->options->concurrency && !faults_any(&storm->bench->faults); i++) {
        next_login(storm);
    }
}

static bool is_calm(const void *context)
{
    const struct storm *storm = context;
    return storm->busy == 0 || faults_any(&storm->bench->faults);
}

static void end_storm(struct storm *storm)
{
    storm->blowing = false;
    if (!pool_run(&storm->crowd.pool, clock_ns() + END_SECONDS * UINT64_C(1000000000), is_calm, storm)) {
        fault(&storm->bench->faults, "%zu logins were not answered", storm->busy);
    }
}

struct weather {
    struct outcome pingpong;
    struct outcome talk;
};

static void measure(struct traffic *traffic, double seconds, struct weather *weather)
{
    if (!faults_any(&traffic->bench->faults)) {
        pingpong_play(traffic, UINT64_MAX / 2, seconds, &weather->pingpong);
    }
    if (!faults_any(&traffic->bench->faults)) {
        talk_run(traffic, MESSAGES_PER_S, seconds, NULL, &weather->talk);
    }
}

static void report_part(struct bench *bench, const char *section, const char *name, const struct outcome *outcome)
{
    json_t *part = json_object();
    if (part == NULL || json_object_set_new(part, "messages", json_integer((json_int_t)outcome->delivered)) != 0 ||
        json_object_set_new(part, "latency", latency_json(&outcome->latency)) != 0 ||
        json_object_set_new(part, "used", spent_json(&outcome->spent)) != 0) {
        fault(&bench->faults, "memory is out");
    }
    bench_put(bench, section, name, part);
}

static void ratio_of(struct bench *bench, const char *name, const struct outcome *with, const struct outcome *without,
                     double share)
{
    bench_ratio(bench, name, (double)latency_percentile(&with->latency, share),
                (double)latency_percentile(&without->latency, share));
}

static void report(struct bench *bench, const struct storm *storm, const struct weather *storms,
                   const struct weather *calms, const struct limits_bcrypt *limit)
{
    struct spent spent = storms->pingpong.spent;
    spent.seconds += storms->talk.spent.seconds;
    spent.server_cpu += storms->talk.spent.server_cpu;
    spent.server_user += storms->talk.spent.server_user;
    spent.server_system += storms->talk.spent.server_system;
    spent.database_cpu += storms->talk.spent.database_cpu;
    spent.own_cpu += storms->talk.spent.own_cpu;
    report_part(bench, "result", "pingpong", &storms->pingpong);
    report_part(bench, "result", "talk", &storms->talk);
    bench_put(bench, "result", "latency", latency_json(&storms->pingpong.latency));
    bench_put(bench, "result", "used", spent_json(&spent));
    bench_put(bench, "result", "logins", json_integer((json_int_t)storm->logins));
    bench_put(bench, "result", "login_latency", latency_json(&storm->latency));
    /* How much of the workers' time the logins had, while they could have had all of it. */
    const double had_s = (double)storm->logins * limit->cpu_ms / 1e3;
    const double all_s = spent.seconds * bench->target.workers;
    bench_number(bench, "result", "workers_busy", had_s / all_s);
    bench_ratio(bench, "workers_busy", had_s, all_s);
    report_part(bench, "limit", "pingpong", &calms->pingpong);
    report_part(bench, "limit", "talk", &calms->talk);
    bench_put(bench, "limit", "latency", latency_json(&calms->pingpong.latency));
    bench_number(bench, "limit", "bcrypt_per_s", limit->per_s);
    ratio_of(bench, "pingpong_p50", &storms->pingpong, &calms->pingpong, 0.5);
    ratio_of(bench, "pingpong_p99", &storms->pingpong, &calms->pingpong, 0.99);
    ratio_of(bench, "talk_p50", &storms->talk, &calms->talk, 0.5);
    ratio_of(bench, "talk_p99", &storms->talk, &calms->talk, 0.99);
}

static void measure_both(struct bench *bench, struct traffic *traffic, struct storm *storm,
                         const struct limits_bcrypt *limit)
{
    static struct weather storms;
    static struct weather calms;
    const double seconds = bench->options->seconds / TURNS;
    for (unsigned i = 0; i < TURNS && !faults_any(&bench->faults); i++) {
        measure(traffic, seconds, &calms);
        begin_storm(storm);
        measure(traffic, seconds, &storms);
        end_storm(storm);
    }
    report(bench, storm, &storms, &calms, limit);
}

static void run(struct bench *bench)
{
    static const struct pool_handler handler = {
        .secured = nothing, .up = on_up, .message = on_message, .closed = nothing
    };
    static struct storm storm;
    const struct options *options = bench->options;
    struct limits_bcrypt limit;
    const uint32_t first = 2 * pairs_of(options);
    if (limits_bcrypt(options->cost, bench->target.workers, BCRYPT_SECONDS, &limit) != 0) {
        fault(&bench->faults, "no threads or no memory for bcrypt");
        return;
    }
    struct traffic *traffic = traffic_new(bench, &bench->target, false, pairs_of(options), RING);
    if (traffic == NULL) {
        return;
    }
    const double per_s = bench->target.workers * 1e3 / limit.cpu_ms;
    const double wanted = per_s * 2 * options->seconds * ENOUGH + 2.0 * TURNS * options->concurrency;
    storm = (struct storm){ .bench = bench };
    if (crowd_init(&storm.crowd, bench, wanted < options->sessions ? (size_t)wanted : options->sessions, first,
                   &traffic->pool) == 0 &&
        crowd_come(&storm.crowd, SESSION_SECURED) == 0) {
        storm.crowd.pool.handler = &handler;
        storm.crowd.pool.context = &storm;
        bench_put(bench, "result", "real_time", json_boolean(go_first()));
        measure_both(bench, traffic, &storm, &limit);
    }
    crowd_clear(&storm.crowd);
    traffic_free(&traffic);
}

const struct mode mode_storm = { .name = "storm",
                                 .what = "round trips and talk of --pairs, with busy workers and without",
                                 .logins_are_measured = true,
                                 .accounts = accounts,
                                 .run = run };
