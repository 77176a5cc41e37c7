/* mode_login.c: logins, each on a connection of its own; with --prepared the handshakes are done before. */
#include "tests/bench/limits.h"
#include "tests/bench/rounds.h"

#define PREPARED_SECONDS 60
#define PREPARED_CONCURRENCY 32

static unsigned accounts(const struct options *options)
{
    return options->prepared ? options->sessions : options->concurrency;
}

static size_t next_prepared; /* of the sessions that wait for their login */

static void on_secured(struct bench_session *s)
{
    session_login(s);
}

static void on_up(struct bench_session *s)
{
    s->began = clock_ns() - s->began;
    session_close(s);
}

static void on_closed(struct bench_session *s)
{
    struct rounds *rounds = s->pool->context;
    if (!rounds_done(rounds, s->began)) {
        return;
    }
    if (!rounds->bench->options->prepared) {
        session_connect(s);
    } else if (next_prepared < rounds->count) {
        session_login(rounds->pointers[next_prepared++]);
    } else {
        fault(&rounds->bench->faults, "all %zu prepared sessions are used up: give more --sessions", rounds->count);
    }
}

static void on_message(struct bench_session *s, const struct message *m)
{
    (void)m;
    session_fault(s, "a message", "none is due");
}

static void report_limit(struct bench *bench, const struct rounds *rounds)
{
    struct limits_bcrypt limit;
    if (limits_bcrypt(bench->options->cost, bench->target.workers, bench->options->seconds, &limit) != 0) {
        fault(&bench->faults, "no threads or no memory for bcrypt");
        return;
    }
    bench_put(bench, "limit", "threads", json_integer(bench->target.workers));
    bench_number(bench, "limit", "per_s", limit.per_s);
    bench_number(bench, "limit", "server_cpu_ms_each", limit.cpu_ms);
    bench_ratio(bench, "rate_to_bcrypt", rounds_per_s(rounds), limit.per_s);
    bench_ratio(bench, "cpu_to_bcrypt", rounds_server_cpu_ms(rounds), limit.cpu_ms);
}

static void run(struct bench *bench)
{
    static const struct pool_handler handler = {
        .secured = on_secured, .up = on_up, .message = on_message, .closed = on_closed
    };
    static struct rounds rounds;
    const size_t concurrency = bench->options->concurrency;
    if (rounds_init(&rounds, bench, accounts(bench->options)) != 0) {
        return;
    }
    if (!bench->options->prepared) {
        rounds_run(&rounds, &handler, concurrency, concurrency, session_connect);
    } else if (pool_bring_up(&rounds.pool, rounds.pointers, rounds.count, PREPARED_CONCURRENCY, PREPARED_SECONDS,
                             SESSION_SECURED) == 0) {
        next_prepared = concurrency;
        rounds_run(&rounds, &handler, concurrency, concurrency, session_login);
    }
    rounds_report(&rounds);
    rounds_clear(&rounds);
    if (bench->options->limits && !faults_any(&bench->faults)) {
        report_limit(bench, &rounds);
    }
}

const struct mode mode_login = { .name = "login",
                                 .what = "logins, --concurrency at a time; or --prepared",
                                 .logins_are_measured = true,
                                 .accounts = accounts,
                                 .run = run };
