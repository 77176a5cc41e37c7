#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/log.h"
#include "kdc/priority.h"
#include "kdc/worker_pool_internal.h"

#include <stdlib.h>
#include <time.h>

#define WORKER_NICE 10
#define TEND_SECONDS 1
#define OVERDUE_MIN_US (100 * 1000)
#define ALARM_QUIET_US (10 * 1000 * 1000)

static const struct duty duty_all = { 3, { JOB_HANDSHAKE, JOB_SQL, JOB_PASSWORD }, true };
static const struct duty duty_quick = { 2, { JOB_SQL, JOB_HANDSHAKE }, false };
static const struct duty duty_handshakes = { 1, { JOB_HANDSHAKE }, false };

/* Under the lock. NULL: nobody wants what is left. */
static struct job *take_of(struct worker_pool *pool, struct waiting *class)
{
    struct job *job;
    class->passed_us = 0;
    while ((job = job_queue_take(&class->queue)) != NULL && pool_unwanted(job)) {
        pool_send_home(pool, job);
    }
    return job;
}

/* Under the lock. */
static bool is_overdue(const struct waiting *class)
{
    const uint64_t patience = class->service_us > OVERDUE_MIN_US ? class->service_us : OVERDUE_MIN_US;
    return class->queue.len > 0 && class->passed_us >= patience;
}

/* Under the lock. */
static struct job *choose(struct worker_pool *pool, const struct duty *duty)
{
    struct job *job = NULL;
    for (unsigned i = duty->count; duty->all && job == NULL && i-- > 0;) {
        if (is_overdue(&pool->classes[duty->classes[i]])) {
            job = take_of(pool, &pool->classes[duty->classes[i]]);
        }
    }
    for (unsigned i = 0; job == NULL && i < duty->count; i++) {
        if (pool->classes[duty->classes[i]].queue.len > 0) {
            job = take_of(pool, &pool->classes[duty->classes[i]]);
        }
    }
    return job;
}

/* Under the lock. Without a job for it, the worker is idle. */
static struct job *take(struct worker *worker)
{
    struct job *job = choose(worker->pool, worker->duty);
    worker->idle = job == NULL;
    for (unsigned i = 0; job != NULL && i < JOB_CLASS_COUNT; i++) {
        if (worker->pool->classes[i].queue.len > 0) {
            pool_wake_one(worker->pool, (enum job_class)i);
        }
    }
    return job;
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

/* Until it is woken, or `tend` is due; or for nothing, which does no harm. */
static void sleep_until_woken(struct worker *worker, bool tend)
{
    if (!tend) {
        (void)sem_wait(&worker->woken);
        return;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TEND_SECONDS;
    (void)sem_clockwait(&worker->woken, CLOCK_MONOTONIC, &until);
}

static void run_job(struct worker_pool *pool, const struct duty *duty, struct job *job, struct accounts *accounts)
{
    const enum job_class class = job->class;
    const uint64_t started = clock_monotonic_us();
    const uint64_t waited = started - job->queued;
    pool_enter(pool);
    const bool tell = alarm_raised(pool, started, waited);
    const size_t queued = pool->classes[class].queue.len;
    histogram_add(&pool->classes[class].waited_us, waited);
    pool_leave(pool);
    if (tell) {
        static const char *const names[JOB_CLASS_COUNT] = { "handshake", "sql", "password" };
        log_line(LOG_WARN, "jobs wait too long for a worker", LOG_TEXT("class", names[class]),
                 LOG_NUMBER("waited_ms", waited / 1000), LOG_NUMBER("queued", queued));
    }
    atomic_fetch_add_explicit(&pool->busy, duty->all, memory_order_relaxed);
    job->run(job, accounts);
    atomic_fetch_sub_explicit(&pool->busy, duty->all, memory_order_relaxed);
    secret_wipe_left_residue();
    const uint64_t took = clock_monotonic_us() - started;
    pool->options.deliver(pool->options.context, job); /* from here on the job is not ours */

    pool_enter(pool);
    account_for(pool, duty, class, took);
    pool_leave(pool);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct worker_pool *pool = worker->pool;
    priority_step_back(WORKER_NICE);

    const bool asks = worker->duty != &duty_handshakes;
    struct accounts *accounts = asks ? pool->options.start(pool->options.context) : NULL;
    const bool tends = accounts != NULL && accounts->tend != NULL;
    bool healthy = !tends || accounts->tend(accounts);

    pool_enter(pool);
    worker->duty = accounts != NULL ? worker->duty : &duty_handshakes;
    while (!pool->stopping) {
        struct job *job = take(worker);
        if (job == NULL) {
            pool_leave(pool);
            sleep_until_woken(worker, !healthy);
            pool_enter(pool);
            job = take(worker);
            worker->idle = false; /* for as long as it is away to tend */
        }
        pool_leave(pool);
        if (job != NULL) {
            run_job(pool, worker->duty, job, accounts);
        }
        if (tends && (job != NULL || !healthy)) {
            /* Cheap when connected; within a backoff it fails at once. */
            healthy = accounts->tend(accounts);
        }
        pool_enter(pool);
    }
    pool_leave(pool);
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
        if (sem_init(&worker->woken, 0, 0) != 0 || pthread_create(&worker->thread, NULL, work, worker) != 0) {
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
    inbox_init_silent(&pool->inbox);
    atomic_init(&pool->inbox_max, options->queue_max);
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
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
    struct inbox_item *dropped = NULL;
    pool_enter(pool);
    pool->stopping = true;
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        struct job *job;
        while ((job = job_queue_take(&pool->classes[i].queue)) != NULL) {
            job->item.next = dropped;
            dropped = &job->item;
        }
    }
    for (unsigned i = 0; i < pool->worker_count; i++) {
        (void)sem_post(&pool->workers[i].woken);
    }
    pool_leave(pool);

    while (dropped != NULL) {
        struct job *job = (struct job *)dropped;
        dropped = dropped->next;
        job->destroy(job);
    }
    for (unsigned i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
        sem_destroy(&pool->workers[i].woken);
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
        pthread_mutex_destroy(&(*pool)->lock);
        free((*pool)->workers);
        free(*pool);
        *pool = NULL;
    }
}

int worker_pool_set_queue_max(struct worker_pool *pool, unsigned queue_max)
{
    int result = 0;
    pool_enter(pool);
    for (unsigned i = 0; i < JOB_CLASS_COUNT && result == 0; i++) {
        result = job_queue_resize(&pool->classes[i].queue, queue_max);
    }
    if (result == 0) {
        atomic_store_explicit(&pool->inbox_max, queue_max, memory_order_relaxed);
    }
    pool_leave(pool);
    return result;
}

bool worker_pool_is_busy(struct worker_pool *pool)
{
    return atomic_load_explicit(&pool->busy, memory_order_relaxed) == pool->options.workers;
}

struct worker_pool_stats worker_pool_stats(struct worker_pool *pool)
{
    struct worker_pool_stats stats = { 0 };
    pool_enter(pool);
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        stats.queued[i] = pool->classes[i].queue.len;
        stats.finished[i] = pool->classes[i].finished;
        stats.service_us[i] = pool->classes[i].service_us;
        histogram_read(&pool->classes[i].waited_us, &stats.waited[i]);
    }
    stats.queue_max = pool->classes[0].queue.max;
    stats.displaced = pool->displaced;
    stats.alarms = pool->alarms;
    pool_leave(pool);
    return stats;
}
