#include "kdc/worker_pool.h"

#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/job_queue.h"
#include "kdc/log.h"
#include "kdc/priority.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WORKER_NICE 10
#define TEND_SECONDS 1
#define OVERDUE_MIN_US (100 * 1000)
#define RETRY_AFTER_MAX 3600 /* seconds */
#define ALARM_QUIET_US (10 * 1000 * 1000)

/* What a worker does: its classes, the preferred one first. */
struct duty {
    unsigned count;
    enum job_class classes[JOB_CLASS_COUNT];
    bool all; /* then it minds that no class waits for ever, too */
};

static const struct duty duty_all = { 3, { JOB_HANDSHAKE, JOB_SQL, JOB_PASSWORD }, true };
static const struct duty duty_quick = { 2, { JOB_SQL, JOB_HANDSHAKE }, false };
static const struct duty duty_handshakes = { 1, { JOB_HANDSHAKE }, false };

/* Of one class. */
struct waiting {
    struct job_queue queue;
    unsigned workers; /* that take it */
    uint64_t finished;
    uint64_t service_us; /* moving mean */
    uint64_t passed_us;  /* workers' time for preferred classes while this one had jobs waiting */
};

struct worker {
    struct worker_pool *pool;
    pthread_t thread;
    const struct duty *duty;
};

struct worker_pool {
    struct worker_pool_options options;
    struct worker *workers;
    unsigned worker_count; /* threads that run */
    pthread_mutex_t lock;  /* guards what follows */
    pthread_cond_t changed;
    struct waiting classes[JOB_CLASS_COUNT];
    bool stopping;
    uint64_t displaced;
    uint64_t alarms;
    uint64_t last_alarm_us;
};

/* Under the lock. */
static struct job *take_of(struct waiting *class)
{
    class->passed_us = 0;
    return job_queue_take(&class->queue);
}

/* Under the lock. */
static bool is_overdue(const struct waiting *class)
{
    const uint64_t patience = class->service_us > OVERDUE_MIN_US ? class->service_us : OVERDUE_MIN_US;
    return class->queue.len > 0 && class->passed_us >= patience;
}

/* Under the lock. */
static struct job *take(struct worker_pool *pool, const struct duty *duty)
{
    for (unsigned i = duty->count; duty->all && i-- > 0;) {
        if (is_overdue(&pool->classes[duty->classes[i]])) {
            return take_of(&pool->classes[duty->classes[i]]);
        }
    }
    for (unsigned i = 0; i < duty->count; i++) {
        struct waiting *class = &pool->classes[duty->classes[i]];
        if (class->queue.len > 0) {
            return take_of(class);
        }
    }
    return NULL;
}

/* Under the lock: a job of that class took so long. */
static void account_for(struct worker_pool *pool, const struct duty *duty, enum job_class class, uint64_t took)
{
    struct waiting *own = &pool->classes[class];
    own->service_us = own->finished == 0 ? took : (own->service_us * 7 + took) / 8;
    own->finished++;
    for (unsigned i = (unsigned)class + 1; duty->all && i < JOB_CLASS_COUNT; i++) {
        pool->classes[i].passed_us += pool->classes[i].queue.len > 0 ? took : 0;
    }
}

/* Under the lock. True when the caller should write the log's line, once it has let go of the lock. */
static bool alarm_raised(struct worker_pool *pool, uint64_t now, uint64_t waited_us)
{
    if (waited_us < pool->options.alarm_ms * 1000) {
        return false;
    }
    pool->alarms++;
    if (pool->last_alarm_us != 0 && now - pool->last_alarm_us < ALARM_QUIET_US) {
        return false;
    }
    pool->last_alarm_us = now;
    return true;
}

/* Under the lock: until there is something to do, or `tend` is due. */
static void wait_for_work(struct worker_pool *pool, bool tend)
{
    if (!tend) {
        pthread_cond_wait(&pool->changed, &pool->lock);
        return;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TEND_SECONDS;
    (void)pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
}

static void run_job(struct worker_pool *pool, const struct duty *duty, struct job *job, struct accounts *accounts)
{
    const enum job_class class = job->class;
    const uint64_t started = clock_monotonic_us();
    const uint64_t waited = started - job->queued;
    pthread_mutex_lock(&pool->lock);
    const bool tell = alarm_raised(pool, started, waited);
    const size_t queued = pool->classes[class].queue.len;
    pthread_mutex_unlock(&pool->lock);
    if (tell) {
        static const char *const names[JOB_CLASS_COUNT] = { "handshake", "sql", "password" };
        log_line(LOG_WARN, "jobs wait too long for a worker", LOG_TEXT("class", names[class]),
                 LOG_NUMBER("waited_ms", waited / 1000), LOG_NUMBER("queued", queued));
    }
    job->run(job, accounts);
    secret_wipe_left_residue();
    const uint64_t took = clock_monotonic_us() - started;
    pool->options.deliver(pool->options.context, job); /* from here on the job is not ours */

    pthread_mutex_lock(&pool->lock);
    account_for(pool, duty, class, took);
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct worker_pool *pool = worker->pool;
    priority_step_back(WORKER_NICE);

    const bool asks = worker->duty != &duty_handshakes;
    struct accounts *accounts = asks ? pool->options.start(pool->options.context) : NULL;
    const struct duty *duty = accounts != NULL ? worker->duty : &duty_handshakes;
    const bool tends = accounts != NULL && accounts->tend != NULL;
    bool healthy = !tends || accounts->tend(accounts);

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        struct job *job = take(pool, duty);
        if (job == NULL) {
            wait_for_work(pool, !healthy);
            job = take(pool, duty);
        }
        pthread_mutex_unlock(&pool->lock);
        if (job != NULL) {
            run_job(pool, duty, job, accounts);
        }
        if (tends && (job != NULL || !healthy)) {
            /* Cheap when connected; within a backoff it fails at once. */
            healthy = accounts->tend(accounts);
        }
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    if (asks) {
        pool->options.stop(pool->options.context, accounts);
    }
    return NULL;
}

static int start_workers(struct worker_pool *pool)
{
    const unsigned count = pool->options.workers + (pool->options.extra ? 2 : 0);
    pool->workers = calloc(count, sizeof *pool->workers);
    if (pool->workers == NULL) {
        return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->duty = i < pool->options.workers    ? &duty_all
                       : i == pool->options.workers ? &duty_quick
                                                    : &duty_handshakes;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            return -1;
        }
        pool->worker_count++;
    }
    return 0;
}

static int init_queues(struct worker_pool *pool)
{
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        if (job_queue_init(&pool->classes[i].queue, pool->options.queue_max) != 0) {
            return -1;
        }
        pool->classes[i].workers = pool->options.workers;
    }
    if (pool->options.extra) {
        pool->classes[JOB_HANDSHAKE].workers += 2;
        pool->classes[JOB_SQL].workers++;
    }
    return 0;
}

struct worker_pool *worker_pool_new(const struct worker_pool_options *options)
{
    struct worker_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pool->options = *options;
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&pool->lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0) {
        free(pool);
        return NULL;
    }
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    const int made = pthread_cond_init(&pool->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (made != 0) {
        pthread_mutex_destroy(&pool->lock);
        free(pool);
        return NULL;
    }
    if (init_queues(pool) != 0 || start_workers(pool) != 0) {
        worker_pool_free(&pool);
    }
    return pool;
}

void worker_pool_stop(struct worker_pool *pool)
{
    struct mailbox_item *dropped = NULL;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        while (pool->classes[i].queue.len > 0) {
            struct job *job = take_of(&pool->classes[i]);
            job->item.next = dropped;
            dropped = &job->item;
        }
    }
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);

    while (dropped != NULL) {
        struct job *job = (struct job *)dropped; /* a job is the item that it begins with */
        dropped = dropped->next;
        job->destroy(job);
    }
    for (unsigned i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pool->worker_count = 0;
}

void worker_pool_free(struct worker_pool **pool)
{
    if (*pool != NULL) {
        worker_pool_stop(*pool);
        for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
            job_queue_clear(&(*pool)->classes[i].queue);
        }
        pthread_cond_destroy(&(*pool)->changed);
        pthread_mutex_destroy(&(*pool)->lock);
        free((*pool)->workers);
        free(*pool);
        *pool = NULL;
    }
}

/* Under the lock: seconds until what waits of this class will have run, at least 1. */
static uint32_t estimate(const struct worker_pool *pool, enum job_class class)
{
    uint64_t own = 0;
    uint64_t preferred = 0;
    for (unsigned i = 0; i <= (unsigned)class; i++) {
        const struct waiting *waiting = &pool->classes[i];
        const uint64_t us = waiting->queue.len * waiting->service_us / waiting->workers;
        preferred += i < (unsigned)class ? us : 0;
        own = us;
    }
    /* Preferred classes may take as much of the workers' time as this one, but no more. */
    const uint64_t seconds = (own + (preferred < own ? preferred : own)) / 1000000 + 1;
    return seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (uint32_t)seconds;
}

/* Under the lock: wakes a worker that may take it. */
static void wake_one(struct worker_pool *pool, enum job_class class)
{
    /* With extra workers a signal could wake one that may not. */
    if (pool->options.extra && class != JOB_HANDSHAKE) {
        pthread_cond_broadcast(&pool->changed);
    } else {
        pthread_cond_signal(&pool->changed);
    }
}

int worker_pool_submit(struct worker_pool *pool, struct job *job, uint32_t *retry_after)
{
    const enum job_class class = job->class;
    struct job *displaced = NULL;
    job->queued = clock_monotonic_us();
    job->line = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->stopping || job_queue_put(&pool->classes[class].queue, job, &displaced) != 0) {
        *retry_after = estimate(pool, class);
        pthread_mutex_unlock(&pool->lock);
        return -1;
    }
    if (displaced != NULL) {
        pool->displaced++;
        displaced->busy = true;
        displaced->retry_after = estimate(pool, class);
    }
    wake_one(pool, class);
    pthread_mutex_unlock(&pool->lock);
    if (displaced != NULL) {
        pool->options.deliver(pool->options.context, displaced);
    }
    return 0;
}

bool worker_pool_withdraw(struct worker_pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    const bool waited = job->line != NULL;
    if (waited) {
        job_queue_remove(&pool->classes[job->class].queue, job);
    }
    pthread_mutex_unlock(&pool->lock);
    return waited;
}

int worker_pool_set_queue_max(struct worker_pool *pool, unsigned queue_max)
{
    int result = 0;
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < JOB_CLASS_COUNT && result == 0; i++) {
        result = job_queue_resize(&pool->classes[i].queue, queue_max);
    }
    pthread_mutex_unlock(&pool->lock);
    return result;
}

struct worker_pool_stats worker_pool_stats(struct worker_pool *pool)
{
    struct worker_pool_stats stats = { 0 };
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        stats.queued[i] = pool->classes[i].queue.len;
        stats.finished[i] = pool->classes[i].finished;
        stats.service_us[i] = pool->classes[i].service_us;
    }
    stats.queue_max = pool->classes[0].queue.max;
    stats.displaced = pool->displaced;
    stats.alarms = pool->alarms;
    pthread_mutex_unlock(&pool->lock);
    return stats;
}
