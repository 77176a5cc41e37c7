/* mode_handshake.c: connect, handshake, leave. */
#include "tests/bench/limits.h"
#include "tests/bench/rounds.h"

static unsigned accounts(const struct options *options)
{
    (void)options;
    return 1;
}

static void on_secured(struct bench_session *s)
{
    s->began = clock_ns() - s->began; /* how long it took; it counts once the KDC has ended the channel in order */
    session_close(s);
}

static void on_closed(struct bench_session *s)
{
    if (rounds_done(s->pool->context, s->began)) {
        session_connect(s);
    }
}

static void on_message(struct bench_session *s, const struct message *m)
{
    (void)m;
    session_fault(s, "a message", "none is due");
}

static void run(struct bench *bench)
{
    static const struct pool_handler handler = {
        .secured = on_secured, .up = on_secured, .message = on_message, .closed = on_closed
    };
    static struct rounds rounds;
    if (rounds_init(&rounds, bench, bench->options->concurrency) != 0) {
        return;
    }
    rounds_run(&rounds, &handler, rounds.count, rounds.count, session_connect);
    rounds_report(&rounds);
    rounds_clear(&rounds);
    if (bench->options->limits && !faults_any(&bench->faults)) {
        limits_report_handshake(bench, rounds_server_cpu_ms(&rounds));
    }
}

const struct mode mode_handshake = {
    .name = "handshake", .what = "connect, handshake, leave; --concurrency at a time", .accounts = accounts, .run = run
};
