/* mode_resume.c: come back with the ticket of the last time, leave: a whole Diffie-Hellman, and no password. */
#include "tests/bench/limits.h"
#include "tests/bench/rounds.h"

#define LOGIN_CONCURRENCY 32
#define LOGIN_SECONDS 120

static unsigned accounts(const struct options *options)
{
    return options->concurrency;
}

static void begin(struct bench_session *s)
{
    if (s->state == SESSION_UP) { /* from the login; what it began with */
        s->resumes = true;
        session_close(s);
    } else {
        session_connect(s);
    }
}

static void on_secured(struct bench_session *s)
{
    session_fault(s, "resuming", "the ticket wasn't taken");
}

static void on_up(struct bench_session *s)
{
    s->began = clock_ns() - s->began;
    if (s->ticket_len == 0) {
        session_fault(s, "resuming", "no new ticket came");
        return;
    }
    session_close(s);
}

static void on_closed(struct bench_session *s)
{
    const bool first = !s->resumed;
    if (first || rounds_done(s->pool->context, s->began)) {
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
        .secured = on_secured, .up = on_up, .message = on_message, .closed = on_closed
    };
    static struct rounds rounds;
    if (rounds_init(&rounds, bench, bench->options->concurrency) != 0) {
        return;
    }
    if (pool_bring_up(&rounds.pool, rounds.pointers, rounds.count, LOGIN_CONCURRENCY, LOGIN_SECONDS, SESSION_UP) == 0) {
        rounds_run(&rounds, &handler, rounds.count, rounds.count, begin);
        rounds_report(&rounds);
    }
    rounds_clear(&rounds);
    if (bench->options->limits && !faults_any(&bench->faults)) {
        limits_report_handshake(bench, rounds_server_cpu_ms(&rounds));
    }
}

const struct mode mode_resume = { .name = "resume",
                                  .what = "come back with a ticket, leave; --concurrency at a time",
                                  .accounts = accounts,
                                  .run = run };
