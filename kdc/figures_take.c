#include "kdc/figures_take.h"

#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/log.h"
#include "kdc/mailer.h"
#include "kdc/penalties.h"
#include "kdc/process_stats.h"
#include "kdc/reactor.h"
#include "wire/reason.h"

#include <string.h>

/* What the reactors have counted, added up. */
struct totals {
    uint64_t handshakes;
    uint64_t logins;
    uint64_t registered;
    uint64_t resumed;
    uint64_t keys;
    uint64_t messages;
    uint64_t ended;
    uint64_t legs;
    uint64_t refused[REASON_COUNT];
    struct histogram_total login_us;
};

static void add_up(const struct server *server, struct totals *totals)
{
    *totals = (struct totals){ 0 };
    for (unsigned i = 0; i < server->reactor_count; i++) {
        struct counters *counters = &server->reactors[i]->counters;
        totals->handshakes += counter_read(&counters->handshakes);
        totals->logins += counter_read(&counters->logins);
        totals->registered += counter_read(&counters->registered);
        totals->resumed += counter_read(&counters->resumed);
        totals->keys += counter_read(&counters->keys_issued);
        totals->messages += counter_read(&counters->messages);
        totals->ended += counter_read(&counters->ended);
        totals->legs += counter_read(&counters->conversations);
        for (size_t r = 0; r < REASON_COUNT; r++) {
            totals->refused[r] += counter_read(&counters->refused[r]);
        }
        histogram_read(&counters->login_us, &totals->login_us);
    }
}

static void put(struct figures *figures, enum figure_id id, uint64_t number)
{
    figures_put(figures, id, NULL, (double)number);
}

static void put_known(struct figures *figures, enum figure_id id, uint64_t number, double unit)
{
    if (number != PROCESS_UNKNOWN) {
        figures_put(figures, id, NULL, (double)number / unit);
    }
}

/* ---- rates ---- */

static struct rates_sample sample(const struct totals *totals)
{
    struct rates_sample now = { .time = clock_monotonic_us(),
                                .counters = { [RATE_LOGINS] = totals->logins + totals->resumed,
                                              [RATE_MESSAGES] = totals->messages,
                                              [RATE_KEYS] = totals->keys } };
    for (size_t r = 0; r < REASON_COUNT; r++) {
        now.counters[RATE_REFUSALS] += totals->refused[r];
    }
    return now;
}

void figures_note_rates(struct server *server)
{
    struct totals totals;
    add_up(server, &totals);
    const struct rates_sample now = sample(&totals);
    rates_note(&server->rates, &now);
}

static void put_rate(struct figures *figures, enum figure_id id, const struct server *server, enum rate rate,
                     const struct totals *totals)
{
    const struct rates_sample now = sample(totals);
    figures_put(figures, id, NULL, rates_get(&server->rates, rate, &now));
}

/* ---- the sections ---- */

bool figures_ready(struct server *server, char why[NOT_READY_MAX])
{
    const struct database_report database = database_state_report(&server->database);
    const struct worker_pool_stats pool = worker_pool_stats(server->pool);
    const enum admission_verdict full = admission_full(server->admission);
    why[0] = '\0';
    if (atomic_load_explicit(&server->draining, memory_order_relaxed)) {
        (void)snprintf(why, NOT_READY_MAX, "draining: kdcd was told to end, and sends what is waiting");
    } else if (!database.reachable) {
        (void)snprintf(why, NOT_READY_MAX, "the database can't be used: %s",
                       database.error[0] != '\0' ? database.error : "nobody has asked it yet");
    } else if (database.login[0] != '\0') {
        (void)snprintf(why, NOT_READY_MAX, "accounts can't be looked up: %s", database.login);
    } else if (pool.queued[JOB_PASSWORD] >= pool.queue_max || pool.queued[JOB_HANDSHAKE] >= pool.queue_max) {
        (void)snprintf(why, NOT_READY_MAX, "too many logins are waiting already");
    } else if (full != ADMISSION_IN) {
        (void)snprintf(why, NOT_READY_MAX, "as many are connected as may be: %s", admission_verdict_name(full));
    }
    figures_clean(why);
    return why[0] == '\0';
}

static void put_process(struct server *server, struct figures *figures)
{
    const struct process_stats process = process_stats();
    const struct secret_stats secret = secret_stats();
    const double uptime = (double)(clock_monotonic_ms() - server->started) / 1000;
    char why[NOT_READY_MAX];
    figures_put_text(figures, FIGURE_VERSION, NULL, KDC_CHAT_VERSION);
    put(figures, FIGURE_START_TIME, (uint64_t)((double)clock_wall_ms() / 1000 - uptime));
    figures_put(figures, FIGURE_UPTIME, NULL, uptime);
    put(figures, FIGURE_READY, figures_ready(server, why));
    if (why[0] != '\0') {
        figures_put_text(figures, FIGURE_NOT_READY, NULL, why);
    }
    put_known(figures, FIGURE_CPU, process.cpu_us, 1e6);
    put_known(figures, FIGURE_MEMORY, process.resident, 1);
    put(figures, FIGURE_SECRET_USED, secret.used);
    put(figures, FIGURE_SECRET_RESERVED, secret.reserved);
    put(figures, FIGURE_SECRET_LOCKED, secret.locked);
    put_known(figures, FIGURE_OPEN_FDS, process.open_fds, 1);
    put_known(figures, FIGURE_MAX_FDS, process.max_fds, 1);
    put(figures, FIGURE_LOG_DROPPED, log_lines_dropped());
}

static void put_sessions(struct server *server, const struct totals *totals, bool rates, struct figures *figures)
{
    put(figures, FIGURE_SESSIONS, directory_count(server->directory));
    put(figures, FIGURE_CONNECTIONS, admission_connections(server->admission));
    put(figures, FIGURE_BEFORE_LOGIN, admission_before_login(server->admission));
    put(figures, FIGURE_CONNECTIONS_ENDED, totals->ended);
    for (unsigned i = ADMISSION_IN + 1; i < ADMISSION_VERDICT_COUNT; i++) {
        figures_put(figures, FIGURE_CONNECTIONS_REFUSED, admission_verdict_word((enum admission_verdict)i),
                    (double)counter_read(&server->refused_at_door[i]));
    }
    put(figures, FIGURE_HANDSHAKES, totals->handshakes);
    if (rates) {
        put_rate(figures, FIGURE_LOGINS_RATE, server, RATE_LOGINS, totals);
    }
    /* Two counters, each read at its own moment. */
    const uint64_t registered = totals->registered < totals->logins ? totals->registered : totals->logins;
    figures_put(figures, FIGURE_LOGINS, "password", (double)(totals->logins - registered));
    figures_put(figures, FIGURE_LOGINS, "registering", (double)registered);
    figures_put(figures, FIGURE_LOGINS, "ticket", (double)totals->resumed);
    figures_put_histogram(figures, FIGURE_LOGIN_DURATION, NULL, &totals->login_us);
    if (rates) {
        put_rate(figures, FIGURE_REFUSALS_RATE, server, RATE_REFUSALS, totals);
    }
    for (unsigned r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        figures_put(figures, FIGURE_REFUSALS, reason_name((enum reason)r), (double)totals->refused[r]);
    }
}

static void put_conversations(struct server *server, const struct totals *totals, bool rates, struct figures *figures)
{
    put(figures, FIGURE_CONVERSATIONS, (totals->legs + 1) / 2);
    if (rates) {
        put_rate(figures, FIGURE_MESSAGES_RATE, server, RATE_MESSAGES, totals);
    }
    put(figures, FIGURE_MESSAGES, totals->messages);
    if (rates) {
        put_rate(figures, FIGURE_KEYS_RATE, server, RATE_KEYS, totals);
    }
    put(figures, FIGURE_KEYS, totals->keys);
}

/* ---- the pool of database connections ---- */

struct pool {
    size_t count;
    uint64_t of_state[STORE_ACTIVITY_COUNT];
    struct histogram_total call_us;
    struct figures *figures;
    enum figure_id id; /* that is being put */
};

static enum store_activity activity_of(struct database_connection *connection)
{
    return (enum store_activity)atomic_load_explicit(&connection->stats.activity, memory_order_relaxed);
}

static void count_connection(void *context, struct database_connection *connection)
{
    struct pool *pool = context;
    pool->count++;
    pool->of_state[activity_of(connection)]++;
    histogram_read(&connection->stats.call_us, &pool->call_us);
}

static void put_connection(void *context, struct database_connection *connection)
{
    const struct pool *pool = context;
    struct store_stats *stats = &connection->stats;
    const struct recent_total recent = recent_read(&stats->recent_us, clock_monotonic_ms());
    double number = 0;
    switch (pool->id) {
    case FIGURE_CONNECTION_STATE:
        figures_put_text(pool->figures, pool->id, connection->owner, store_activity_name(activity_of(connection)));
        return;
    case FIGURE_CONNECTION_CALLS:
        number = (double)counter_read(&stats->calls);
        break;
    case FIGURE_CONNECTION_FAILURES:
        number = (double)counter_read(&stats->failures);
        break;
    case FIGURE_CONNECTION_CONNECTS:
        number = (double)counter_read(&stats->connects);
        break;
    case FIGURE_CONNECTION_CONNECT_FAILURES:
        number = (double)counter_read(&stats->connect_failures);
        break;
    case FIGURE_CONNECTION_MEAN:
        number = recent.count == 0 ? 0 : (double)recent.sum / (double)recent.count / 1e6;
        break;
    default: /* FIGURE_CONNECTION_SLOWEST */
        number = (double)recent.most / 1e6;
        break;
    }
    figures_put(pool->figures, pool->id, connection->owner, number);
}

static void put_database(struct server *server, struct figures *figures)
{
    const struct database_report report = database_state_report(&server->database);
    struct pool pool = { .figures = figures };
    put(figures, FIGURE_DATABASE_UP, report.reachable);
    figures_put(figures, FIGURE_DATABASE_CHANGED, NULL, (double)report.changed / 1000);
    if (report.failing[0] != '\0') {
        figures_put_text(figures, FIGURE_DATABASE_FAILING, NULL, report.failing);
    }
    figures_put(figures, FIGURE_DATABASE_FAILED, NULL, (double)report.failed / 1000);
    if (report.error[0] != '\0') {
        figures_put_text(figures, FIGURE_DATABASE_ERROR, NULL, report.error);
    }
    database_state_connections(&server->database, count_connection, &pool);
    put(figures, FIGURE_POOL_SIZE, pool.count);
    for (unsigned i = 0; i < STORE_ACTIVITY_COUNT; i++) {
        figures_put(figures, FIGURE_POOL_CONNECTIONS, store_activity_name((enum store_activity)i),
                    (double)pool.of_state[i]);
    }
    figures_put_histogram(figures, FIGURE_DATABASE_DURATION, NULL, &pool.call_us);
    for (unsigned id = FIGURE_CONNECTION_STATE; id <= FIGURE_CONNECTION_SLOWEST; id++) {
        pool.id = (enum figure_id)id;
        database_state_connections(&server->database, put_connection, &pool);
    }
}

/* ---- */

static void put_journal(struct server *server, struct figures *figures)
{
    const struct journal_stats journal = journal_stats(server->journal);
    put(figures, FIGURE_JOURNAL_ISSUES, journal.issues);
    put(figures, FIGURE_JOURNAL_EVENTS, journal.events);
    put(figures, FIGURE_JOURNAL_BATCHES, journal.batches);
    put(figures, FIGURE_JOURNAL_DROPPED, journal.dropped);
}

static void put_workers(struct server *server, struct figures *figures)
{
    static const char *const classes[JOB_CLASS_COUNT] = { "handshake", "sql", "password" };
    const struct worker_pool_stats pool = worker_pool_stats(server->pool);
    put(figures, FIGURE_WORKERS, server->worker_count);
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        figures_put(figures, FIGURE_JOBS_WAITING, classes[i], (double)pool.queued[i]);
    }
    put(figures, FIGURE_JOBS_LIMIT, pool.queue_max);
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        figures_put(figures, FIGURE_JOBS_FINISHED, classes[i], (double)pool.finished[i]);
    }
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        figures_put_histogram(figures, FIGURE_JOB_WAIT, classes[i], &pool.waited[i]);
    }
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        figures_put(figures, FIGURE_JOB_MEAN, classes[i], (double)pool.service_us[i] / 1e6);
    }
    put(figures, FIGURE_JOB_ALARMS, pool.alarms);
    put(figures, FIGURE_JOBS_DISPLACED, pool.displaced);
}

static void put_reactors(struct server *server, struct figures *figures)
{
    char word[FIGURE_WORD_MAX];
    put(figures, FIGURE_REACTORS, server->reactor_count);
    for (unsigned i = 0; i < server->reactor_count; i++) {
        (void)snprintf(word, sizeof word, "%u", i);
        figures_put(figures, FIGURE_MOVED, word, (double)counter_read(&server->reactors[i]->counters.moved));
    }
    for (unsigned i = 0; i < server->reactor_count; i++) {
        (void)snprintf(word, sizeof word, "%u", i);
        figures_put(figures, FIGURE_INBOX_ITEMS, word,
                    (double)counter_read(&server->reactors[i]->counters.inbox_items));
    }
    for (unsigned i = 0; i < server->reactor_count; i++) {
        struct recent *recent = &server->reactors[i]->counters.inbox_recent;
        (void)snprintf(word, sizeof word, "%u", i);
        figures_put(figures, FIGURE_INBOX_LONGEST, word, (double)recent_read(recent, clock_monotonic_ms()).most);
    }
}

static void put_pair(struct figures *figures, enum figure_id id, uint64_t accounts, uint64_t sources)
{
    figures_put(figures, id, "accounts", (double)accounts);
    figures_put(figures, id, "sources", (double)sources);
}

static void put_guessing(struct server *server, struct figures *figures)
{
    const struct penalty_stats stats = penalties_stats(server->penalties, clock_wall_ms()); /* as sessions tell it */
    put(figures, FIGURE_GUESSED, stats.failures);
    put(figures, FIGURE_GUESSES_DELAYED, stats.delayed);
    put(figures, FIGURE_GUESSES_REFUSED, stats.refused);
    put_pair(figures, FIGURE_GUILTY, stats.accounts, stats.sources);
    put_pair(figures, FIGURE_GUILTY_LOCKED, stats.accounts_locked, stats.sources_locked);
    put_pair(figures, FIGURE_GUILTY_LOCKS, stats.account_locks, stats.source_locks);
}

static void put_mail(struct server *server, struct figures *figures)
{
    if (server->mailer == NULL) {
        return;
    }
    const struct mailer_stats mail = mailer_stats(server->mailer);
    put(figures, FIGURE_MAIL_UP, !mail.failing);
    if (mail.cause[0] != '\0') {
        figures_put_text(figures, FIGURE_MAIL_ERROR, NULL, mail.cause);
    }
    put(figures, FIGURE_MAIL_WAITING, mail.queued);
    put(figures, FIGURE_MAIL_SENT, mail.sent);
    put(figures, FIGURE_MAIL_RETRIES, mail.retried);
    figures_put(figures, FIGURE_MAIL_DROPPED, "refused", (double)mail.dropped);
    figures_put(figures, FIGURE_MAIL_DROPPED, "full", (double)mail.full);
}

void figures_take(struct server *server, bool rates, struct figures *figures)
{
    struct totals totals;
    add_up(server, &totals);
    *figures = (struct figures){ 0 };
    put_process(server, figures);
    put_sessions(server, &totals, rates, figures);
    put_conversations(server, &totals, rates, figures);
    put_database(server, figures);
    put_journal(server, figures);
    put_workers(server, figures);
    put_reactors(server, figures);
    put_guessing(server, figures);
    put_mail(server, figures);
}
