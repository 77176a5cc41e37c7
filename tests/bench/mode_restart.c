/*
 * mode_restart.c: kdcd ends and starts again under --sessions that were there: how soon it accepts a connection, and how
 * soon all of them are back by their tickets, against the time that their Diffie-Hellman takes on these cores: theirs as
 * well as the KDC's, since both are computed here.
 */
#include "tests/bench/crowd.h"
#include "tests/bench/latency.h"
#include "tests/bench/limits.h"

#include <string.h>

#define LEAVE_SECONDS 30
#define SECONDS_EACH 0.1
#define QUICK_GROUP "ffdhe2048" /* for the logins before, which aren't measured */

static unsigned accounts(const struct options *options)
{
    return options->sessions;
}

struct restart {
    struct crowd crowd;
    struct bench *bench;
    size_t gone; /* told that it is shutting down, or cut */
    size_t next;
    size_t pending;
    size_t by_ticket;
    size_t by_password;
    struct latency latency;
};

static struct restart *restart_of(const struct bench_session *s)
{
    return s->pool->context;
}

/* ---- the end ---- */

static void on_gone(struct bench_session *s)
{
    restart_of(s)->gone++;
}

static void nothing(struct bench_session *s)
{
    (void)s;
}

static void no_message(struct bench_session *s, const struct message *m)
{
    (void)s;
    (void)m;
}

static bool all_gone(const void *context)
{
    const struct restart *restart = context;
    return restart->gone == restart->crowd.count;
}

/* ---- the way back ---- */

static void on_secured(struct bench_session *s)
{
    restart_of(s)->by_password++;
    session_login(s);
}

static void on_up(struct bench_session *s)
{
    struct restart *restart = restart_of(s);
    restart->pending--;
    restart->by_ticket += s->resumed ? 1 : 0;
    latency_add(&restart->latency, clock_ns() - s->began);
}

static bool is_over(const struct restart *restart)
{
    return restart->next == restart->crowd.count && restart->pending == 0;
}

static void come_back(struct restart *restart, struct spent *spent)
{
    static const struct pool_handler handler = {
        .secured = on_secured, .up = on_up, .message = no_message, .closed = nothing
    };
    struct bench *bench = restart->bench;
    const struct sample from = sample_take(bench->target.pid, bench->target.database_pid);
    const uint64_t deadline = from.wall_ns + (uint64_t)((10 + SECONDS_EACH * (double)restart->crowd.count) * 1e9);
    restart->crowd.pool.handler = &handler;
    while (!is_over(restart) && !faults_any(&bench->faults) && clock_ns() < deadline) {
        while (restart->next < restart->crowd.count && restart->pending < bench->options->concurrency) {
            struct bench_session *s = restart->crowd.pointers[restart->next++];
            s->resumes = true;
            restart->pending++;
            session_connect(s);
        }
        pool_turn(&restart->crowd.pool, deadline);
    }
    const struct sample to = sample_take(bench->target.pid, bench->target.database_pid);
    spent_add(spent, &from, &to);
    if (!is_over(restart)) {
        fault(&bench->faults, "not all sessions came back");
    }
}

static void report(struct restart *restart, const struct spent *spent, double accepts_s)
{
    struct bench *bench = restart->bench;
    const double count = (double)restart->crowd.count;
    struct limits_handshake limit;
    bench_put(bench, "result", "sessions", json_integer((json_int_t)restart->crowd.count));
    bench_number(bench, "result", "accepts_after_ms", accepts_s * 1e3);
    bench_number(bench, "result", "all_back_s", spent->seconds);
    bench_put(bench, "result", "by_ticket", json_integer((json_int_t)restart->by_ticket));
    bench_put(bench, "result", "by_password", json_integer((json_int_t)restart->by_password));
    bench_number(bench, "result", "server_cpu_ms_each", spent->server_cpu * 1e3 / count);
    bench_put(bench, "result", "latency", latency_json(&restart->latency));
    bench_put(bench, "result", "used", spent_json(spent));
    if (!bench->options->limits) {
        return;
    }
    if (limits_handshake(dh_group_by_name(bench->options->group), bench->target.workers, &limit) != 0) {
        fault(&bench->faults, "no threads or no memory for the arithmetic");
        return;
    }
    const double server_s = count * limits_handshake_server_ms(&limit) / 1e3;
    const double clients_s = count * limits_handshake_client_ms(&limit) / 1e3;
    bench_number(bench, "limit", "server_arithmetic_s", server_s);
    bench_number(bench, "limit", "clients_arithmetic_s", clients_s);
    bench_number(bench, "limit", "all_back_s", (server_s + clients_s) / bench->target.cores);
    bench_number(bench, "limit", "server_cpu_ms_each", limits_handshake_server_ms(&limit));
    bench_ratio(bench, "back_to_arithmetic", spent->seconds, (server_s + clients_s) / bench->target.cores);
    bench_ratio(bench, "cpu_to_arithmetic", spent->server_cpu * 1e3 / count, limits_handshake_server_ms(&limit));
}

static void measure(struct restart *restart)
{
    static const struct pool_handler leaving = {
        .secured = nothing, .up = nothing, .message = no_message, .closed = nothing, .failed = on_gone
    };
    static struct spent spent;
    struct bench *bench = restart->bench;
    char error[TARGET_ERROR_MAX];
    double accepts_s = 0;
    restart->crowd.pool.handler = &leaving;
    restart->crowd.pool.context = restart;
    if (target_restart_begin(&bench->target) != 0 ||
        !pool_run(&restart->crowd.pool, clock_ns() + LEAVE_SECONDS * UINT64_C(1000000000), all_gone, restart)) {
        fault(&bench->faults, "%zu sessions were not told that the KDC ends", restart->crowd.count - restart->gone);
        return;
    }
    if (target_restart_end(&bench->target, &accepts_s, error) != 0) {
        fault(&bench->faults, "%s", error);
        return;
    }
    come_back(restart, &spent);
    report(restart, &spent, accepts_s);
}

static void run(struct bench *bench)
{
    static struct restart restart;
    restart = (struct restart){ .bench = bench };
    if (!bench->options->spawn) {
        fault(&bench->faults, "restart is for a kdcd of its own: --spawn");
        return;
    }
    const struct dh_group *quick = dh_group_by_name(QUICK_GROUP);
    if (crowd_init(&restart.crowd, bench, bench->options->sessions, 0, NULL) == 0 && quick != NULL &&
        dh_group_prepare(quick) == 0) {
        const struct handshake_policy policy = restart.crowd.pool.policy;
        restart.crowd.pool.policy.groups[0] = quick->id;
        if (crowd_come(&restart.crowd, SESSION_UP) == 0) {
            restart.crowd.pool.policy = policy;
            measure(&restart);
        }
    }
    crowd_clear(&restart.crowd);
}

const struct mode mode_restart = { .name = "restart",
                                   .what = "kdcd ends and starts, and --sessions come back by their tickets",
                                   .accounts = accounts,
                                   .run = run };
