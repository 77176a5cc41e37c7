/*
 * worker_pool_internal.h: what the two halves of the pool share: the queues and the way in (worker_pool_door.c), and the threads
 * that run what comes (worker_pool.c).
 */
#ifndef KDC_WORKER_POOL_INTERNAL_H
#define KDC_WORKER_POOL_INTERNAL_H

#include "kdc/job_queue.h"
#include "kdc/worker_pool.h"

#include <pthread.h>
#include <semaphore.h>

/* What a worker does: its classes, the preferred one first. */
struct duty {
    unsigned count;
    enum job_class classes[JOB_CLASS_COUNT];
    bool all; /* then it minds that no class waits for ever, too */
};

/* Of one class. */
struct waiting {
    struct job_queue queue;
    _Atomic size_t in_inbox; /* not under the lock */
    unsigned workers;        /* that take it */
    uint64_t finished;
    uint64_t service_us; /* moving mean */
    struct histogram waited_us;
    uint64_t passed_us; /* workers' time for preferred classes while this one had jobs waiting */
};

struct worker {
    struct worker_pool *pool;
    pthread_t thread;
    sem_t woken;
    /* Under the pool's lock: */
    const struct duty *duty;
    bool idle; /* asleep or about to be, and not woken yet */
};

struct worker_pool {
    struct worker_pool_options options;
    struct worker *workers;
    unsigned worker_count;       /* threads that run */
    struct inbox inbox;          /* what was submitted; whoever has the lock is its consumer, and nobody sleeps at it */
    _Atomic size_t inbox_max;    /* jobs in it, of each class */
    _Atomic bool unwanted;       /* of what waits, some may be */
    _Atomic unsigned busy;       /* workers that take all jobs, and have one */
    pthread_mutex_t lock;        /* guards what follows */
    struct inbox_item *homeward; /* what is to be delivered without having run, once the lock is free */
    struct waiting classes[JOB_CLASS_COUNT];
    bool stopping;
    uint64_t displaced;
    uint64_t alarms;
    uint64_t last_alarm_us;
};

/* Takes the lock, and waits for it: not for those who submit or withdraw. What is in the inbox is in the queues then, and
 * what is unwanted isn't. */
void pool_enter(struct worker_pool *pool);
/* Lets go of the lock; for good only when there is nothing in the inbox and nothing unwanted, or somebody else has the lock.
 * Then delivers what is to go home. */
void pool_leave(struct worker_pool *pool);

/* Under the lock: it goes home as busy, once the lock is free. */
void pool_send_home(struct worker_pool *pool, struct job *job);
/* Under the lock: wakes a worker that may take it, if one sleeps. Those who take least are the last, and are asked first. */
void pool_wake_one(struct worker_pool *pool, enum job_class class);
bool pool_unwanted(const struct job *job);

#endif
