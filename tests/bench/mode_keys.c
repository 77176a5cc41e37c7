/*
 * mode_keys.c: conversation openings: a new epoch for the same two, again and again, many under way: first spread over
 * --pairs, and where there are more than those, several of each pair.
 */
#include "tests/bench/rounds.h"

#include <stdlib.h>

#define LOGIN_CONCURRENCY 32
#define LOGIN_SECONDS 120
#define REQUESTS_MAX 64 /* that a session may have unanswered (protocol, section 6) */
#define GRANTS_SECONDS 5

/* A session's own. */
struct opener {
    uint64_t began[REQUESTS_MAX + 1]; /* by request */
    uint32_t begun;                   /* requests' numbers are up to it; each is used again once it is answered */
    uint64_t grants;
    uint64_t epochs; /* the sum of those that it got grants for: both ends must come to the same */
};

static size_t pairs_of(const struct options *options)
{
    const size_t needed = (options->concurrency + REQUESTS_MAX - 1) / REQUESTS_MAX;
    const size_t pairs = options->concurrency < options->pairs ? options->concurrency : options->pairs;
    return pairs > needed ? pairs : needed;
}

static unsigned accounts(const struct options *options)
{
    return (unsigned)(2 * pairs_of(options));
}

/* The openers are the first half of the sessions, their peers the second. */
static void add_open(struct bench_session *s, uint32_t request)
{
    const struct rounds *rounds = s->pool->context;
    struct opener *opener = s->context;
    opener->began[request] = clock_ns();
    session_add(s, &(struct message){
                       .type = MESSAGE_OPEN,
                       .open = { .request = request, .peer = rounds->pointers[s->number + rounds->count / 2]->name } });
}

static void begin(struct bench_session *s)
{
    struct opener *opener = s->context;
    add_open(s, ++opener->begun);
    session_send(s);
}

static void on_message(struct bench_session *s, const struct message *m)
{
    struct opener *opener = s->context;
    if (m->type != MESSAGE_GRANT || m->grant.request > opener->begun) {
        session_fault(s, "a message that isn't expected", "not a grant that was asked for");
        return;
    }
    opener->grants++;
    opener->epochs += m->grant.epoch;
    const uint32_t request = m->grant.request;
    if (request != 0 && rounds_done(s->pool->context, clock_ns() - opener->began[request])) {
        add_open(s, request);
    }
}

static void nothing(struct bench_session *s)
{
    (void)s;
}

/* Both ends of every pair have got the same grants. */
static bool all_granted(const void *context)
{
    const struct rounds *rounds = context;
    for (size_t i = 0; i < rounds->count / 2; i++) {
        const struct opener *a = rounds->sessions[i].context;
        const struct opener *b = rounds->sessions[i + rounds->count / 2].context;
        if (a->grants != b->grants || a->epochs != b->epochs) {
            return faults_any(&rounds->bench->faults);
        }
    }
    return true;
}

static void measure(struct rounds *rounds)
{
    static const struct pool_handler handler = {
        .secured = nothing, .up = nothing, .message = on_message, .closed = nothing, .taken = session_send
    };
    rounds_run(rounds, &handler, rounds->bench->options->concurrency, rounds->count / 2, begin);
    if (!pool_run(&rounds->pool, clock_ns() + GRANTS_SECONDS * UINT64_C(1000000000), all_granted, rounds)) {
        fault(&rounds->bench->faults, "the two of a conversation didn't get the same grants");
    }
    rounds_report(rounds);
    bench_put(rounds->bench, "result", "pairs", json_integer((json_int_t)rounds->count / 2));
}

static void run(struct bench *bench)
{
    static struct rounds rounds;
    if (rounds_init(&rounds, bench, accounts(bench->options)) != 0) {
        return;
    }
    struct opener *openers = calloc(rounds.count, sizeof *openers);
    if (openers == NULL) {
        fault(&bench->faults, "memory is out");
    }
    for (size_t i = 0; openers != NULL && i < rounds.count; i++) {
        rounds.sessions[i].context = &openers[i];
    }
    if (openers != NULL &&
        pool_bring_up(&rounds.pool, rounds.pointers, rounds.count, LOGIN_CONCURRENCY, LOGIN_SECONDS, SESSION_UP) == 0) {
        measure(&rounds);
    }
    rounds_clear(&rounds);
    free(openers);
}

const struct mode mode_keys = { .name = "keys",
                                .what = "conversation openings, --concurrency under way over --pairs",
                                .accounts = accounts,
                                .run = run };
