#include "kdc/worker_pool.h"

#include "kdc/clock.h"
#include "kdc/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKER_NICE 5
#define TEND_SECONDS 1
#define ALARM_QUIET_US (10 * 1000 * 1000)

struct job_queue {
    struct mailbox_item *oldest;
    struct mailbox_item *newest;
    size_t len;
    uint64_t finished;
    uint64_t service_us; /* moving mean */
};

struct worker {
    struct worker_pool *pool;
    pthread_t thread;
    unsigned classes; /* takes those below this one */
};

struct worker_pool {
    struct worker_pool_options options;
    struct worker *workers;
    unsigned worker_count; /* threads that run */
    pthread_mutex_t lock;  /* guards what follows */
    pthread_cond_t changed;
    struct job_queue queues[JOB_CLASS_COUNT];
    bool stopping;
    uint64_t alarms;
    uint64_t last_alarm_us;
};

/* A job is the item that it begins with. */
static struct job *job_of(struct mailbox_item *item)
{
    return (struct job *)item;
}

/* Under the lock. */
static struct job *take(struct worker_pool *pool, unsigned classes)
{
    for (unsigned class = 0; class < classes; class ++) {
        struct job_queue *queue = &pool->queues[class];
        if (queue->oldest != NULL) {
            struct job *job = job_of(queue->oldest);
            queue->oldest = job->item.next;
            if (queue->oldest == NULL) {
                queue->newest = NULL;
            }
            queue->len--;
            return job;
        }
    }
    return NULL;
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

static void run_job(struct worker_pool *pool, struct job *job, struct accounts *accounts)
{
    const enum job_class class = job->class;
    const uint64_t started = clock_monotonic_us();
    const uint64_t waited = started - job->queued;
    pthread_mutex_lock(&pool->lock);
    const bool tell = alarm_raised(pool, started, waited);
    const size_t queued = pool->queues[class].len;
    pthread_mutex_unlock(&pool->lock);
    if (tell) {
        static const char *const names[JOB_CLASS_COUNT] = { "handshake", "sql", "password" };
        log_line(LOG_WARN, "jobs wait too long for a worker", LOG_TEXT("class", names[class]),
                 LOG_NUMBER("waited_ms", waited / 1000), LOG_NUMBER("queued", queued));
    }
    job->run(job, accounts);
    const uint64_t took = clock_monotonic_us() - started;
    pool->options.deliver(pool->options.context, job); /* from here on the job is not ours */

    pthread_mutex_lock(&pool->lock);
    struct job_queue *queue = &pool->queues[class];
    queue->service_us = queue->finished == 0 ? took : (queue->service_us * 7 + took) / 8;
    queue->finished++;
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct worker_pool *pool = worker->pool;
    /* Linux: a thread has a niceness of its own. Without the right to it we run as well, only less politely. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), WORKER_NICE);

    const bool asks = worker->classes > JOB_SQL;
    struct accounts *accounts = asks ? pool->options.start(pool->options.context) : NULL;
    const unsigned classes = accounts != NULL ? worker->classes : JOB_SQL;
    const bool tends = accounts != NULL && accounts->tend != NULL;
    bool healthy = !tends || accounts->tend(accounts);

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        struct job *job = take(pool, classes);
        if (job == NULL) {
            wait_for_work(pool, !healthy);
            job = take(pool, classes);
        }
        pthread_mutex_unlock(&pool->lock);
        if (job != NULL) {
            run_job(pool, job, accounts);
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
        worker->classes = i < pool->options.workers    ? JOB_CLASS_COUNT
                          : i == pool->options.workers ? JOB_PASSWORD
                                                       : JOB_SQL;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            return -1;
        }
        pool->worker_count++;
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
    if (start_workers(pool) != 0) {
        worker_pool_free(&pool);
    }
    return pool;
}

void worker_pool_stop(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    struct job *waiting;
    struct mailbox_item *dropped = NULL;
    while ((waiting = take(pool, JOB_CLASS_COUNT)) != NULL) {
        waiting->item.next = dropped;
        dropped = &waiting->item;
    }
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);

    while (dropped != NULL) {
        struct job *job = job_of(dropped);
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
        pthread_cond_destroy(&(*pool)->changed);
        pthread_mutex_destroy(&(*pool)->lock);
        free((*pool)->workers);
        free(*pool);
        *pool = NULL;
    }
}

/* Under the lock: seconds until a job of this class that came now would have run, at least 1. */
static uint32_t estimate(const struct worker_pool *pool, enum job_class class)
{
    uint64_t us = 0;
    for (unsigned i = 0; i <= (unsigned)class; i++) {
        us += pool->queues[i].len * pool->queues[i].service_us;
    }
    const uint64_t seconds = us / pool->options.workers / 1000000 + 1;
    return seconds > 3600 ? 3600 : (uint32_t)seconds;
}

int worker_pool_submit(struct worker_pool *pool, struct job *job, uint32_t *retry_after)
{
    job->queued = clock_monotonic_us();
    job->item.next = NULL;
    pthread_mutex_lock(&pool->lock);
    struct job_queue *queue = &pool->queues[job->class];
    if (pool->stopping || queue->len >= pool->options.queue_max) {
        *retry_after = estimate(pool, job->class);
        pthread_mutex_unlock(&pool->lock);
        return -1;
    }
    if (queue->newest != NULL) {
        queue->newest->next = &job->item;
    } else {
        queue->oldest = &job->item;
    }
    queue->newest = &job->item;
    queue->len++;
    /* With extra workers a signal could wake one that may not take it. */
    if (pool->options.extra && job->class != JOB_HANDSHAKE) {
        pthread_cond_broadcast(&pool->changed);
    } else {
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

void worker_pool_set_queue_max(struct worker_pool *pool, unsigned queue_max)
{
    pthread_mutex_lock(&pool->lock);
    pool->options.queue_max = queue_max;
    pthread_mutex_unlock(&pool->lock);
}

struct worker_pool_stats worker_pool_stats(struct worker_pool *pool)
{
    struct worker_pool_stats stats = { 0 };
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        stats.queued[i] = pool->queues[i].len;
        stats.finished[i] = pool->queues[i].finished;
        stats.service_us[i] = pool->queues[i].service_us;
    }
    stats.alarms = pool->alarms;
    pthread_mutex_unlock(&pool->lock);
    return stats;
}
