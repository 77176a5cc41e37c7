/*
 * worker_pool_door.c: how jobs come to the queues.
 *
 * Those are under a lock that workers hold, too, and a worker that is preempted meanwhile holds it for long. So nobody waits
 * for it in order to submit: the job goes into the inbox, which needs no lock, and then whoever gets hold of the lock
 * without waiting (pthread_mutex_trylock) moves what is in the inbox to the queues. Who doesn't get it leaves that to the
 * holder: everybody looks into the inbox once more after letting go of the lock (pool_leave).
 *
 * Nothing is left behind. The inbox's `newest` is only ever changed by read-modify-writes that acquire and release: pushes,
 * collections, and the look after letting go, which replaces NULL by NULL. These have one order, and each sees what happened
 * before the earlier ones. Say that somebody who knows of a job in the inbox, by pushing it or by his look, tries the lock in
 * vain because H has it. If H's look after this holding came earlier in the order than the push, the letting go would have
 * happened before the try, which then could not have failed for H. So it comes later, and finds the job, if nobody has
 * collected it by then; and then H is the one who tries. That ends with somebody who gets the lock or with a job collected.
 *
 * What is to leave the queues goes the same way. Who withdraws a job and doesn't get the lock marks it, and then the pool, by
 * `unwanted`, which is used as `newest` is; and whoever gets the lock looks through the queues for such jobs.
 *
 * Workers sleep each on a semaphore of their own: to post it never blocks, unlike a condition variable's signal, which may
 * have to wait for those who are about to leave it. No worker sleeps through a job that it may take: it goes to sleep, under
 * the lock, when it finds none; a job that is put in a queue wakes one sleeper that may take it; and a worker that takes a
 * job wakes one for each class that has more. So while a job waits and a worker that may take it sleeps, another that may
 * take it has been woken and has yet to look.
 */
#include "kdc/clock.h"
#include "kdc/worker_pool_internal.h"

#define RETRY_AFTER_MAX 3600 /* seconds */

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

void pool_send_home(struct worker_pool *pool, struct job *job)
{
    job->busy = true;
    job->retry_after = estimate(pool, job->class);
    job->item.next = pool->homeward;
    pool->homeward = &job->item;
}

bool pool_unwanted(const struct job *job)
{
    return atomic_load_explicit(&job->unwanted, memory_order_relaxed);
}

static bool may_take(const struct duty *duty, enum job_class class)
{
    for (unsigned i = 0; i < duty->count; i++) {
        if (duty->classes[i] == class) {
            return true;
        }
    }
    return false;
}

void pool_wake_one(struct worker_pool *pool, enum job_class class)
{
    for (unsigned i = pool->worker_count; i-- > 0;) {
        struct worker *worker = &pool->workers[i];
        if (worker->idle && may_take(worker->duty, class)) {
            worker->idle = false;
            (void)sem_post(&worker->woken);
            return;
        }
    }
}

/* Under the lock. */
static void place(struct worker_pool *pool, struct job *job)
{
    struct job *displaced = NULL;
    if (pool->stopping || pool_unwanted(job) || job_queue_put(&pool->classes[job->class].queue, job, &displaced) != 0) {
        pool_send_home(pool, job);
        return;
    }
    if (displaced != NULL) {
        pool->displaced++;
        pool_send_home(pool, displaced);
    }
    pool_wake_one(pool, job->class);
}

/* Under the lock: what nobody wants keeps no place from others. */
static void clear_out(struct worker_pool *pool)
{
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        struct job_queue *queue = &pool->classes[i].queue;
        struct job *next;
        for (struct job *job = job_queue_behind(queue, NULL); job != NULL; job = next) {
            next = job_queue_behind(queue, job);
            if (pool_unwanted(job)) {
                job_queue_remove(queue, job);
                pool_send_home(pool, job);
            }
        }
    }
}

/* Under the lock: empties the inbox. */
static void collect(struct worker_pool *pool)
{
    if (atomic_exchange_explicit(&pool->unwanted, false, memory_order_acq_rel)) {
        clear_out(pool);
    }
    struct inbox_item *item = inbox_collect(&pool->inbox);
    while (item != NULL) {
        struct job *job = (struct job *)item; /* a job is the item that it begins with */
        item = item->next;
        atomic_fetch_sub_explicit(&pool->classes[job->class].in_inbox, 1, memory_order_relaxed);
        place(pool, job);
    }
}

/* Two read-modify-writes that change nothing: see above. */
static bool nothing_to_do(struct worker_pool *pool)
{
    struct inbox_item *newest = NULL;
    bool unwanted = false;
    return atomic_compare_exchange_strong_explicit(&pool->inbox.newest, &newest, NULL, memory_order_acq_rel,
                                                   memory_order_acquire) &&
           atomic_compare_exchange_strong_explicit(&pool->unwanted, &unwanted, false, memory_order_acq_rel,
                                                   memory_order_acquire);
}

void pool_enter(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    collect(pool);
}

/* As enter, but never waits. */
static bool try_enter(struct worker_pool *pool)
{
    if (pthread_mutex_trylock(&pool->lock) != 0) {
        return false;
    }
    collect(pool);
    return true;
}

void pool_leave(struct worker_pool *pool)
{
    struct inbox_item *homeward = NULL;
    do {
        while (pool->homeward != NULL) {
            struct inbox_item *item = pool->homeward;
            pool->homeward = item->next;
            item->next = homeward;
            homeward = item;
        }
        pthread_mutex_unlock(&pool->lock);
    } while (!nothing_to_do(pool) && try_enter(pool));
    while (homeward != NULL) {
        struct job *job = (struct job *)homeward;
        homeward = homeward->next;
        pool->options.deliver(pool->options.context, job);
    }
}

void worker_pool_submit(struct worker_pool *pool, struct job *job)
{
    _Atomic size_t *in_inbox = &pool->classes[job->class].in_inbox;
    job->queued = clock_monotonic_us();
    job->line = NULL;
    if (atomic_fetch_add_explicit(in_inbox, 1, memory_order_relaxed) >=
        atomic_load_explicit(&pool->inbox_max, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(in_inbox, 1, memory_order_relaxed);
        job->busy = true;
        job->retry_after = 1;
        pool->options.deliver(pool->options.context, job);
        return;
    }
    inbox_push(&pool->inbox, &job->item); /* from here on the job is not ours */
    if (try_enter(pool)) {
        pool_leave(pool);
    }
}

bool worker_pool_withdraw(struct worker_pool *pool, struct job *job)
{
    if (!try_enter(pool)) {
        atomic_store_explicit(&job->unwanted, true, memory_order_relaxed); /* the last that we do to it */
        (void)atomic_exchange_explicit(&pool->unwanted, true, memory_order_acq_rel);
        if (try_enter(pool)) {
            pool_leave(pool);
        }
        return false;
    }
    const bool waited = job->line != NULL;
    if (waited) {
        job_queue_remove(&pool->classes[job->class].queue, job);
    }
    pool_leave(pool);
    return waited;
}
