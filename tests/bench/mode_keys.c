/* mode_keys.c: conversation openings: a new epoch for the same two, again and again. */
#include "tests/bench/rounds.h"

#define LOGIN_CONCURRENCY 32
#define LOGIN_SECONDS 60

static unsigned accounts(const struct options *options)
{
    return 2 * options->concurrency;
}

/* The openers are the first half of the sessions, their peers the second. */
static void open_once(struct bench_session *s)
{
    const struct rounds *rounds = s->pool->context;
    s->began = clock_ns();
    session_add(s, &(struct message){
                       .type = MESSAGE_OPEN,
                       .open = { .request = 1, .peer = rounds->pointers[s->number + rounds->count / 2]->name } });
    session_send(s);
}

static void on_message(struct bench_session *s, const struct message *m)
{
    if (m->type != MESSAGE_GRANT) {
        session_fault(s, "a message that isn't expected", "not a grant");
    } else if (m->grant.request != 0 && rounds_done(s->pool->context, clock_ns() - s->began)) {
        open_once(s);
    }
}

static void nothing(struct bench_session *s)
{
    (void)s;
}

static void run(struct bench *bench)
{
    static const struct pool_handler handler = {
        .secured = nothing, .up = nothing, .message = on_message, .closed = nothing
    };
    static struct rounds rounds;
    if (rounds_init(&rounds, bench, accounts(bench->options)) != 0) {
        return;
    }
    if (pool_bring_up(&rounds.pool, rounds.pointers, rounds.count, LOGIN_CONCURRENCY, LOGIN_SECONDS, SESSION_UP) == 0) {
        rounds_run(&rounds, &handler, bench->options->concurrency, open_once);
        rounds_report(&rounds);
    }
    rounds_clear(&rounds);
}

const struct mode mode_keys = { .name = "keys",
                                .what = "conversation openings, --concurrency pairs with one open request each",
                                .accounts = accounts,
                                .run = run };
