#include "kdc/server.h"

#include "crypto/identity.h"
#include "kdc/clock.h"
#include "kdc/reactor.h"
#include "kdc/ticket_keys.h"
#include "kdc/upkeep.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define QUEUE_ALARM_MS 2000
#define JOURNAL_COMPANY_US 2000

unsigned server_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    const int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}

static struct accounts *start_accounts(struct server *server, const char *owner)
{
    struct accounts *accounts = accounts_store_new(&server->first->config, &server->database, owner);
    if (accounts == NULL) {
        log_event(LOG_ERROR, "no memory for a thread's database connection", NULL);
    }
    return accounts;
}

static struct accounts *start_worker(void *context)
{
    struct server *server = context;
    char owner[DATABASE_OWNER_MAX];
    (void)snprintf(owner, sizeof owner, "worker-%u", atomic_fetch_add(&server->workers_started, 1) + 1);
    return start_accounts(server, owner);
}

static struct accounts *start_journal(void *context)
{
    return start_accounts(context, "journal");
}

static struct accounts *start_upkeep(void *context)
{
    return start_accounts(context, "upkeep");
}

static void stop_worker(void *context, struct accounts *accounts)
{
    (void)context;
    accounts_store_free(&accounts);
}

static void deliver(void *context, struct job *job)
{
    struct server *server = context;
    reactor_job_done(server->reactors[job->owner.reactor], job);
}

static void deliver_mails(void *context, struct mail **mails, size_t count)
{
    const struct server *server = context;
    for (unsigned i = 0; i < server->reactor_count; i++) {
        reactor_mail_many(server->reactors[i], mails, count);
    }
}

static bool database_away(void *context)
{
    struct server *server = context;
    return database_state_away(&server->database);
}

static int make_journal(struct server *server)
{
    server->journal = journal_new(&(struct journal_options){
        .context = server,
        .start = start_journal,
        .stop = stop_worker,
        .deliver = deliver_mails,
        .company_us = JOURNAL_COMPANY_US,
        .away = database_away,
        .changes = server->changes,
    });
    return server->journal != NULL ? 0 : -1;
}

static int make_upkeep(struct server *server)
{
    const struct upkeep_options options = { .context = server, .start = start_upkeep, .stop = stop_worker };
    server->upkeep = upkeep_new(&options, &server->live->config);
    return server->upkeep != NULL ? upkeep_start(server->upkeep) : -1;
}

static int start_threads(struct server *server)
{
    const struct config *config = &server->live->config;
    server->reactors = calloc(server->reactor_count, sizeof(struct reactor *));
    if (server->reactors == NULL) {
        return -1;
    }
    /* All exist before the first runs: any of them may post to any other. */
    for (unsigned i = 0; i < server->reactor_count; i++) {
        server->reactors[i] = reactor_new(server, i, server->live);
        if (server->reactors[i] == NULL) {
            return -1;
        }
    }
    server->pool = worker_pool_new(&(struct worker_pool_options){
        .workers = server->worker_count,
        .extra = true,
        .queue_max = config->queue_max,
        .alarm_ms = QUEUE_ALARM_MS,
        .context = server,
        .start = start_worker,
        .stop = stop_worker,
        .deliver = deliver,
    });
    if (server->pool == NULL || make_journal(server) != 0 || journal_start(server->journal) != 0 ||
        make_upkeep(server) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < server->reactor_count; i++) {
        if (reactor_start(server->reactors[i]) != 0) {
            return -1;
        }
        server->running++;
    }
    return 0;
}

/* Where numbering starts: at random, so that a session of before a restart hardly ever has the number of a later one, whatever
 * the clock says; and below 2^52, which every JSON parser takes exactly. 0 without randomness. */
static uint64_t first_session(void)
{
    uint64_t number = 0;
    return rng_fill(&rng_system, (uint8_t *)&number, sizeof number) == 0 ? (number >> 12) + 1 : 0;
}

/* Of pending accounts, with a source's worth of them instead of failures: once there are so many, one more whenever one is forgotten. */
static struct penalty_policy registrations_policy(const struct config *config)
{
    const unsigned most = config->registrations_per_source;
    return (struct penalty_policy){ .enabled = most != 0,
                                    .account_failures = 1,
                                    .source_failures = most != 0 ? most : 1,
                                    .forget_seconds = 3600,
                                    .lock_seconds = most != 0 && most < 3600 ? 3600 / most : 1,
                                    .exempt = config->penalties.exempt };
}

/* Of conversations, likewise by account, so that nobody starts afresh by coming back. A minute's share of what may come at once is
 * forgotten in that minute; past it, one is locked until at least one is. */
static struct penalty_policy openings_policy(const struct config *config)
{
    const unsigned a_minute = config->opens_per_minute != 0 ? config->opens_per_minute : 1;
    const unsigned at_once = a_minute / 10 > config->conversations_max ? a_minute / 10 : config->conversations_max;
    return (struct penalty_policy){ .enabled = config->opens_per_minute != 0,
                                    .account_failures = at_once,
                                    .source_failures = 1,
                                    .forget_seconds = (at_once * 60 + a_minute - 1) / a_minute,
                                    .lock_seconds = (60 + a_minute - 1) / a_minute };
}

struct server *server_new(const struct config *config, struct password_policy *passwords, struct identity *identity,
                          struct ticket_keys *tickets)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL || database_state_init(&server->database) != 0) {
        free(server);
        identity_free(&identity);
        ticket_keys_free(&tickets);
        return NULL;
    }
    server->identity = identity;
    server->tickets = tickets;
    server->started = clock_monotonic_ms();
    atomic_init(&server->next_session, first_session());
    server->reactor_count = config->reactors != 0 ? config->reactors : server_cores();
    server->worker_count = config->workers != 0 ? config->workers : server_cores();
    server->first = live_config_new(config, passwords);
    server->live = server->first != NULL ? live_config_hold(server->first) : NULL;
    server->directory = directory_new();
    server->admission = admission_new();
    server->changes = account_changes_new();
    server->penalties = penalties_new(&config->penalties);
    const struct penalty_policy registrations = registrations_policy(config);
    server->registrations = penalties_new(&registrations);
    const struct penalty_policy openings = openings_policy(config);
    server->openings = penalties_new(&openings);
    if (atomic_load_explicit(&server->next_session, memory_order_relaxed) == 0 || server->live == NULL ||
        server->directory == NULL || server->admission == NULL || server->changes == NULL ||
        server->penalties == NULL || server->registrations == NULL || server->openings == NULL ||
        start_threads(server) != 0) {
        server_drain(server);
        server_free(&server);
    }
    return server;
}

int server_reload(struct server *server, const struct config *config, struct password_policy *passwords)
{
    struct live_config *live = live_config_new(config, passwords);
    if (live == NULL) {
        return -1;
    }
    for (unsigned i = 0; i < server->reactor_count; i++) {
        if (reactor_reload(server->reactors[i], live) != 0) {
            live_config_drop(&live);
            return -1;
        }
    }
    const struct penalty_policy registrations = registrations_policy(config);
    penalties_set_policy(server->penalties, &config->penalties);
    penalties_set_policy(server->registrations, &registrations);
    const struct penalty_policy openings = openings_policy(config);
    penalties_set_policy(server->openings, &openings);
    const int bounded = worker_pool_set_queue_max(server->pool, config->queue_max);
    upkeep_reload(server->upkeep, config);
    live_config_drop(&server->live);
    server->live = live;
    return bounded;
}

void server_drain(struct server *server)
{
    const unsigned seconds = server->live != NULL ? server->live->config.drain_seconds : 0;
    atomic_store_explicit(&server->draining, true, memory_order_relaxed);
    for (unsigned i = 0; i < server->running; i++) {
        while (reactor_drain(server->reactors[i], seconds) != 0) {
            (void)sched_yield(); /* memory is out: others are freeing theirs */
        }
    }
    for (unsigned i = 0; i < server->running; i++) {
        reactor_join(server->reactors[i]);
    }
    server->running = 0;
    /* The reactors' inboxes are still there for what the workers deliver last. */
    if (server->pool != NULL) {
        worker_pool_stop(server->pool);
    }
    upkeep_free(&server->upkeep);
    if (server->journal != NULL) {
        journal_stop(server->journal); /* with what the last of them had to record */
    }
}

void server_free(struct server **server)
{
    struct server *s = *server;
    if (s == NULL) {
        return;
    }
    worker_pool_free(&s->pool); /* and with it all jobs: connections ask it for none */
    /* Sessions that are left over write to each other's reactors while they end. */
    for (unsigned i = 0; s->reactors != NULL && i < s->reactor_count; i++) {
        if (s->reactors[i] != NULL) {
            reactor_lose_connections(s->reactors[i]);
        }
    }
    /* Jobs and mail that were left over look at the directory and the admission: those go last. */
    for (unsigned i = 0; s->reactors != NULL && i < s->reactor_count; i++) {
        reactor_free(&s->reactors[i]);
    }
    free(s->reactors);
    journal_free(&s->journal);
    account_changes_free(&s->changes);
    penalties_free(&s->penalties);
    penalties_free(&s->registrations);
    penalties_free(&s->openings);
    directory_free(&s->directory);
    admission_free(&s->admission);
    live_config_drop(&s->live);
    live_config_drop(&s->first);
    database_state_clear(&s->database);
    identity_free(&s->identity);
    ticket_keys_free(&s->tickets);
    free(s);
    *server = NULL;
}
