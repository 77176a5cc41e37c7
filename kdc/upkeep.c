#include "kdc/upkeep.h"

#include "kdc/log.h"
#include "kdc/waiting.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST_MS 1000
#define ROUND_MS 600000 /* between two rounds */
#define STEP_ROWS 1000  /* at once: some 10 ms of the database's time */
#define STEP_USERS 100  /* likewise: accounts */
#define STEP_MS 50      /* between two steps */

struct upkeep {
    struct upkeep_options options;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    bool due; /* a round, at once */
    unsigned audit_days;
    unsigned unactivated_days;
};

/* False when it is to end. `round`: a change of the configuration ends the pause. */
static bool pause_for(struct upkeep *upkeep, unsigned ms, bool round)
{
    const struct timespec until = waiting_in_ms(ms);
    int waited = 0;
    pthread_mutex_lock(&upkeep->lock);
    while (waited == 0 && !upkeep->stopping && !(round && upkeep->due)) {
        waited = pthread_cond_timedwait(&upkeep->changed, &upkeep->lock, &until);
    }
    if (round) {
        upkeep->due = false;
    }
    const bool goes_on = !upkeep->stopping;
    pthread_mutex_unlock(&upkeep->lock);
    return goes_on;
}

static unsigned audit_days(struct upkeep *upkeep)
{
    pthread_mutex_lock(&upkeep->lock);
    const unsigned days = upkeep->audit_days;
    pthread_mutex_unlock(&upkeep->lock);
    return days;
}

/* The days are asked for at each step: they may have been made more meanwhile. */
static void expire_audit(struct upkeep *upkeep, struct accounts *accounts)
{
    uint64_t sum = 0;
    uint64_t removed = STEP_ROWS;
    unsigned days;
    while (removed == STEP_ROWS && (days = audit_days(upkeep)) != 0 &&
           accounts->audit_expire(accounts, days, STEP_ROWS, &removed) == STORE_OK) {
        sum += removed;
        if (removed == STEP_ROWS && !pause_for(upkeep, STEP_MS, false)) {
            break;
        }
    }
    if (sum > 0) {
        log_line(LOG_INFO, "removed old events from the audit log", LOG_NUMBER("events", sum));
    }
}

static unsigned unactivated_days(struct upkeep *upkeep)
{
    pthread_mutex_lock(&upkeep->lock);
    const unsigned days = upkeep->unactivated_days;
    pthread_mutex_unlock(&upkeep->lock);
    return days;
}

static void remove_unactivated(struct upkeep *upkeep, struct accounts *accounts)
{
    uint64_t sum = 0;
    uint64_t removed = STEP_USERS;
    unsigned days;
    while (removed == STEP_USERS && (days = unactivated_days(upkeep)) != 0 &&
           accounts->unactivated_remove(accounts, days, STEP_USERS, &removed) == STORE_OK) {
        sum += removed;
        if (removed == STEP_USERS && !pause_for(upkeep, STEP_MS, false)) {
            break;
        }
    }
    if (sum > 0) {
        log_line(LOG_INFO, "removed accounts that were never activated", LOG_NUMBER("accounts", sum));
    }
}

static void *work(void *argument)
{
    struct upkeep *upkeep = argument;
    unsigned wait_ms = FIRST_MS;
    while (pause_for(upkeep, wait_ms, true)) {
        wait_ms = ROUND_MS;
        if (audit_days(upkeep) == 0 && unactivated_days(upkeep) == 0) {
            continue;
        }
        struct accounts *accounts = upkeep->options.start(upkeep->options.context);
        if (accounts != NULL) {
            expire_audit(upkeep, accounts);
            remove_unactivated(upkeep, accounts);
            upkeep->options.stop(upkeep->options.context, accounts);
        }
    }
    return NULL;
}

struct upkeep *upkeep_new(const struct upkeep_options *options, const struct config *config)
{
    struct upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (upkeep == NULL || waiting_init(&upkeep->lock, &upkeep->changed, NULL) != 0) {
        free(upkeep);
        return NULL;
    }
    upkeep->options = *options;
    upkeep->audit_days = config->audit_retention_days;
    upkeep->unactivated_days = config->unactivated_days;
    return upkeep;
}

int upkeep_start(struct upkeep *upkeep)
{
    if (pthread_create(&upkeep->thread, NULL, work, upkeep) != 0) {
        return -1;
    }
    upkeep->runs = true;
    return 0;
}

void upkeep_reload(struct upkeep *upkeep, const struct config *config)
{
    pthread_mutex_lock(&upkeep->lock);
    upkeep->audit_days = config->audit_retention_days;
    upkeep->unactivated_days = config->unactivated_days;
    upkeep->due = true;
    pthread_cond_signal(&upkeep->changed);
    pthread_mutex_unlock(&upkeep->lock);
}

void upkeep_free(struct upkeep **upkeep)
{
    struct upkeep *u = *upkeep;
    if (u == NULL) {
        return;
    }
    pthread_mutex_lock(&u->lock);
    u->stopping = true;
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
    if (u->runs) {
        pthread_join(u->thread, NULL);
    }
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    free(u);
    *upkeep = NULL;
}
