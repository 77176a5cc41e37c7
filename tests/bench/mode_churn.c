/*
 * mode_churn.c: sessions come and leave, in order and without a word, at every stage, for as long as is asked: whether the
 * server's memory comes to rest.
 */
#include "tests/bench/crowd.h"

#define SAMPLES 60
#define ACCOUNTS_EACH 64    /* taken in turn */
#define SETTLE_SECONDS 60.0 /* the first minute, or half of the time, isn't judged: pools fill, tables grow */
#define JUDGED_SECONDS 10.0 /* below that there is nothing to judge by */
#define GROWTH_MAX (1024.0 * 1024)

struct churn {
    struct crowd crowd;
    struct bench *bench;
    bool ending;
    uint64_t came; /* logins */
    uint64_t left; /* closed in order */
    uint64_t vanished;
    unsigned draw;
};

/* Who vanished in the middle of a login may still come in behind our back, and take the account's next session over. */
static unsigned accounts(const struct options *options)
{
    return options->concurrency * ACCOUNTS_EACH;
}

static struct churn *churn_of(const struct bench_session *s)
{
    return s->pool->context;
}

static bool one_in(struct churn *churn, unsigned of)
{
    churn->draw = churn->draw * 1103515245u + 12345u;
    return (churn->draw >> 16) % of == 0;
}

static void again(struct bench_session *s)
{
    const struct options *options = churn_of(s)->bench->options;
    if (!churn_of(s)->ending) {
        session_set_account(s, (s->number + options->concurrency) % accounts(options));
        session_connect(s);
    }
}

static void vanish(struct bench_session *s)
{
    churn_of(s)->vanished++;
    session_drop(s);
    again(s);
}

static void on_secured(struct bench_session *s)
{
    if (one_in(churn_of(s), 8)) {
        vanish(s);
    } else {
        session_login(s);
        if (s->state == SESSION_CHECKING && one_in(churn_of(s), 8)) {
            vanish(s);
        }
    }
}

static void on_up(struct bench_session *s)
{
    churn_of(s)->came++;
    if (one_in(churn_of(s), 4)) {
        vanish(s);
    } else {
        session_close(s);
    }
}

static void on_closed(struct bench_session *s)
{
    churn_of(s)->left++;
    again(s);
}

static void on_message(struct bench_session *s, const struct message *m)
{
    (void)m;
    session_fault(s, "a message", "none is due");
}

static bool never(const void *context)
{
    return faults_any(&((const struct churn *)context)->bench->faults);
}

struct series {
    double at[SAMPLES]; /* seconds since the beginning */
    double rss[SAMPLES];
    size_t count;
};

static void measure(struct churn *churn, struct series *series, struct spent *spent)
{
    struct bench *bench = churn->bench;
    const struct target *target = &bench->target;
    const struct sample from = sample_take(target->pid, target->database_pid);
    for (size_t i = 0; i < churn->crowd.count; i++) {
        session_connect(&churn->crowd.sessions[i]);
    }
    while (series->count < SAMPLES && !never(churn)) {
        const double share = (double)(series->count + 1) / SAMPLES;
        (void)!pool_run(&churn->crowd.pool, from.wall_ns + (uint64_t)(bench->options->seconds * share * 1e9), never,
                        churn);
        series->at[series->count] = (double)(clock_ns() - from.wall_ns) / 1e9;
        series->rss[series->count++] = (double)rss_of(target->pid);
    }
    churn->ending = true;
    const struct sample to = sample_take(target->pid, target->database_pid);
    spent_add(spent, &from, &to);
}

static double mean(const struct series *series, double from, double to)
{
    double sum = 0;
    unsigned count = 0;
    for (size_t i = 0; i < series->count; i++) {
        if (series->at[i] >= from && series->at[i] <= to) {
            sum += series->rss[i];
            count++;
        }
    }
    return count > 0 ? sum / count : 0;
}

/* How much more it was in the last third of what is judged than in the first. */
static void judge(struct bench *bench, const struct series *series)
{
    const double end = series->count > 0 ? series->at[series->count - 1] : 0;
    const double begin = end / 2 < SETTLE_SECONDS ? end / 2 : SETTLE_SECONDS;
    const double third = (end - begin) / 3;
    const double growth = mean(series, end - third, end) - mean(series, begin, begin + third);
    bench_number(bench, "result", "judged_from_s", begin);
    bench_number(bench, "result", "growth", growth);
    bench_number(bench, "limit", "growth", GROWTH_MAX);
    if (end - begin >= JUDGED_SECONDS && growth > GROWTH_MAX) {
        fault(&bench->faults, "the server grew by %.0f bytes", growth);
    }
}

static json_t *series_json(const struct series *series)
{
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < series->count; i++) {
        if (json_array_append_new(array, json_pack("[f, f]", series->at[i], series->rss[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static void report(struct churn *churn, const struct series *series, const struct spent *spent)
{
    struct bench *bench = churn->bench;
    bench_put(bench, "result", "logins", json_integer((json_int_t)churn->came));
    bench_put(bench, "result", "left_in_order", json_integer((json_int_t)churn->left));
    bench_put(bench, "result", "vanished", json_integer((json_int_t)churn->vanished));
    bench_number(bench, "result", "per_s",
                 spent->seconds > 0 ? (double)(churn->left + churn->vanished) / spent->seconds : 0);
    bench_put(bench, "result", "rss", series_json(series));
    bench_put(bench, "result", "used", spent_json(spent));
    judge(bench, series);
}

static void run(struct bench *bench)
{
    static const struct pool_handler handler = {
        .secured = on_secured, .up = on_up, .message = on_message, .closed = on_closed
    };
    static struct churn churn;
    static struct series series;
    static struct spent spent;
    churn = (struct churn){ .bench = bench, .draw = 1 };
    if (crowd_init(&churn.crowd, bench, bench->options->concurrency, 0, NULL) == 0) {
        churn.crowd.pool.handler = &handler;
        churn.crowd.pool.context = &churn;
        measure(&churn, &series, &spent);
        report(&churn, &series, &spent);
    }
    crowd_clear(&churn.crowd);
}

const struct mode mode_churn = { .name = "churn",
                                 .what = "--concurrency sessions that come and leave: the server's memory",
                                 .accounts = accounts,
                                 .run = run };
