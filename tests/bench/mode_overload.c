/*
 * mode_overload.c: more connections, handshakes and logins than the KDC can do, from many addresses, and working
 * conversations beside them: beside load that has nothing to do with the KDC (hogs.h), during and after; and on a quiet machine,
 * half of it before all that and half behind it.
 *
 * A kdcd that is spawned for it has the limits that it has by default.
 */
#include "tests/bench/hogs.h"
#include "tests/bench/load.h"
#include "tests/bench/talk.h"

#include <string.h>

#define PAIRS_MAX 20
#define MESSAGES_PER_S 1000.0
#define RING 1024
#define AFTER_SECONDS 3.0
#define NORMAL_WINDOWS 5 /* half a second: later ones are the machine's own */
#define LOGIN_SECONDS 30
#define RETRY_NS UINT64_C(50000000)
#define EXTRA_WORKERS 2 /* that kdcd has beside those in its settings */

static unsigned pairs_of(const struct options *options)
{
    return options->pairs < PAIRS_MAX ? options->pairs : PAIRS_MAX;
}

/* Pairs, the load, and one who logs in once it is over. */
static unsigned accounts(const struct options *options)
{
    return 2 * pairs_of(options) + LOAD_ACCOUNTS + 1;
}

enum stage { STAGE_QUIET, STAGE_HOGS, STAGE_DURING, STAGE_AFTER, STAGES };

struct overload {
    struct bench *bench;
    enum stage stage;
    struct outcome outcomes[STAGES];
    uint64_t rss_before;
    uint64_t rss_peak;
    uint64_t rss_after;
    uint64_t slow_ns; /* a window in which messages take longer than that isn't normal */
    uint64_t ended;   /* the load: clock_ns */
    uint64_t normal;  /* where normal windows begin that don't end before NORMAL_WINDOWS; 0: not yet */
    unsigned in_a_row;
};

static void on_window(void *context, const struct latency *latency)
{
    struct overload *overload = context;
    const uint64_t rss = rss_of(overload->bench->target.pid);
    overload->rss_peak = rss > overload->rss_peak ? rss : overload->rss_peak;
    /* A window has a hundred messages, of which one is always the slowest: it doesn't count. */
    if (overload->stage != STAGE_AFTER || latency->count == 0 || overload->in_a_row == NORMAL_WINDOWS) {
        return;
    }
    if (latency_percentile(latency, 0.97) > overload->slow_ns) {
        overload->in_a_row = 0;
        overload->normal = 0;
    } else if (overload->in_a_row++ == 0) {
        overload->normal = clock_ns() - (uint64_t)(TALK_WINDOW_SECONDS * 1e9);
    }
}

static void talk(struct overload *overload, struct traffic *traffic, enum stage stage, double seconds)
{
    const struct talk_watch watch = { .context = overload, .window = on_window };
    overload->stage = stage;
    if (!faults_any(&overload->bench->faults)) {
        talk_run(traffic, MESSAGES_PER_S, seconds, &watch, &overload->outcomes[stage]);
    }
}

/* ---- somebody who logs in as soon as it is over ---- */

struct late {
    struct bench_session *session;
    uint64_t up;
    uint64_t refusals;
};

static void on_late_secured(struct bench_session *s)
{
    session_login(s);
}

static void on_late_up(struct bench_session *s)
{
    ((struct late *)s->context)->up = clock_ns();
}

static void on_late_failed(struct bench_session *s)
{
    ((struct late *)s->context)->refusals++;
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

/* Seconds from now until he is in. */
static double log_in_late(struct bench *bench, uint32_t account, struct late *late)
{
    static const struct pool_handler handler = {
        .secured = on_late_secured, .up = on_late_up, .message = no_message, .closed = nothing, .failed = on_late_failed
    };
    struct crowd crowd;
    const uint64_t start = clock_ns();
    const uint64_t deadline = start + LOGIN_SECONDS * UINT64_C(1000000000);
    if (crowd_init(&crowd, bench, 1, account, NULL) == 0) {
        crowd.pool.handler = &handler;
        crowd.sessions[0].context = late;
        for (uint64_t now = start; late->up == 0 && now < deadline; now = clock_ns()) {
            if (crowd.sessions[0].state == SESSION_DOWN) {
                session_connect(&crowd.sessions[0]);
            }
            pool_turn(&crowd.pool, now + RETRY_NS);
        }
    }
    crowd_clear(&crowd);
    if (late->up == 0) {
        fault(&bench->faults, "nobody could log in for %d seconds after the load's end", LOGIN_SECONDS);
    }
    return late->up > start ? (double)(late->up - start) / 1e9 : LOGIN_SECONDS;
}

/* ---- the report ---- */

static void report_stage(struct bench *bench, const char *section, const char *name, const struct outcome *outcome)
{
    json_t *part = json_object();
    if (part == NULL || json_object_set_new(part, "messages", json_integer((json_int_t)outcome->delivered)) != 0 ||
        json_object_set_new(part, "latency", latency_json(&outcome->latency)) != 0 ||
        json_object_set_new(part, "used", spent_json(&outcome->spent)) != 0) {
        fault(&bench->faults, "memory is out");
    }
    bench_put(bench, section, name, part);
}

static double p99_of(const struct outcome *outcome)
{
    return (double)latency_percentile(&outcome->latency, 0.99);
}

static void report(struct overload *overload, double login_s, const struct late *late)
{
    struct bench *bench = overload->bench;
    const struct outcome *quiet = &overload->outcomes[STAGE_QUIET];
    const struct outcome *hogs = &overload->outcomes[STAGE_HOGS];
    const struct outcome *during = &overload->outcomes[STAGE_DURING];
    const double talk_s = overload->in_a_row < NORMAL_WINDOWS  ? AFTER_SECONDS
                          : overload->normal > overload->ended ? (double)(overload->normal - overload->ended) / 1e9
                                                               : 0;
    report_stage(bench, "result", "quiet", quiet);
    report_stage(bench, "limit", "during", hogs);
    report_stage(bench, "result", "during", during);
    report_stage(bench, "result", "after", &overload->outcomes[STAGE_AFTER]);
    bench_put(bench, "result", "latency", latency_json(&during->latency));
    bench_put(bench, "result", "used", spent_json(&during->spent));
    bench_put(bench, "limit", "latency", latency_json(&quiet->latency));
    bench_number(bench, "result", "rss_before", (double)overload->rss_before);
    bench_number(bench, "result", "rss_peak", (double)overload->rss_peak);
    bench_number(bench, "result", "rss_after", (double)overload->rss_after);
    bench_number(bench, "result", "talk_normal_after_s", talk_s);
    bench_number(bench, "result", "login_normal_after_s", login_s);
    bench_put(bench, "result", "login_refusals", json_integer((json_int_t)late->refusals));
    bench_number(bench, "result", "normal_after_s", talk_s > login_s ? talk_s : login_s);
    bench_ratio(bench, "during_p99", p99_of(during), p99_of(quiet));
    bench_ratio(bench, "during_p99_to_hogs", p99_of(during), p99_of(hogs));
    bench_ratio(bench, "after_p99", p99_of(&overload->outcomes[STAGE_AFTER]), p99_of(quiet));
    bench_ratio(bench, "rss_peak", (double)overload->rss_peak, (double)overload->rss_before);
}

static void talk_beside_hogs(struct overload *overload, struct traffic *traffic, double seconds)
{
    struct hogs *hogs = hogs_new(overload->bench->target.workers + EXTRA_WORKERS);
    if (hogs == NULL) {
        fault(&overload->bench->faults, "no threads or no memory for a load");
        return;
    }
    talk(overload, traffic, STAGE_HOGS, seconds);
    hogs_free(&hogs);
}

static void measure(struct overload *overload, struct traffic *traffic, struct load *load)
{
    struct bench *bench = overload->bench;
    const double seconds = bench->options->seconds;
    struct late late = { 0 };
    overload->rss_before = rss_of(bench->target.pid);
    bench_put(bench, "result", "real_time", json_boolean(go_first()));
    talk(overload, traffic, STAGE_QUIET, seconds / 2);
    talk_beside_hogs(overload, traffic, seconds);
    overload->slow_ns = 2 * latency_percentile(&overload->outcomes[STAGE_QUIET].latency, 0.99);
    if (faults_any(&bench->faults) || load_begin(load) != 0) {
        fault(&bench->faults, "the load didn't begin");
        return;
    }
    talk(overload, traffic, STAGE_DURING, seconds);
    load_end(load);
    overload->ended = clock_ns();
    const double login_s = log_in_late(bench, 2 * pairs_of(bench->options) + LOAD_ACCOUNTS, &late);
    talk(overload, traffic, STAGE_AFTER, AFTER_SECONDS);
    overload->rss_after = rss_of(bench->target.pid);
    talk(overload, traffic, STAGE_QUIET, seconds / 2);
    report(overload, login_s, &late);
    load_report(load, seconds);
}

static void run(struct bench *bench)
{
    static struct overload overload;
    static struct load load;
    overload = (struct overload){ .bench = bench };
    struct traffic *traffic = traffic_new(bench, &bench->target, false, pairs_of(bench->options), RING);
    if (traffic == NULL) {
        return;
    }
    if (load_init(&load, bench, 2 * pairs_of(bench->options)) == 0) {
        measure(&overload, traffic, &load);
    }
    load_free(&load);
    traffic_free(&traffic);
}

const struct mode mode_overload = { .name = "overload",
                                    .what = "talk of --pairs beside --rate strangers a second, from --sources",
                                    .logins_are_measured = true,
                                    .default_limits = true,
                                    .accounts = accounts,
                                    .run = run };
