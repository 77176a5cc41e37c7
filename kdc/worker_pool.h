/*
 * worker_pool.h: a bounded pool of threads that run jobs (job.h).
 *
 * Jobs wait in one queue for each class, fair between their sources (job_queue.h). A worker that becomes free takes a job of
 * the first class that has one; but a class that others have been preferred to for as long as one of its own jobs takes (or
 * OVERDUE_MIN_US) has its turn, so that half of the workers' time is left for logins whatever comes to be handshaken with.
 * There are two more workers than configured. One takes no bcrypt, and SQL first: who is in and wants a key never waits for
 * somebody else's password to be checked. One takes handshakes only: whoever comes never waits for a database that says
 * nothing. All run at a lower priority than the reactors.
 *
 * A queue never grows past its bound. Then a job of a source that has more waiting than the newcomer's goes home as busy
 * in its stead; if there is none, worker_pool_submit refuses. Both estimate when to come back. A job that waited for
 * longer than alarm_ms raises an alarm: a line in the log (at most one in ten seconds) and a count.
 *
 * Thread: worker_pool_submit, _withdraw and _stats from any; new, stop and free from one.
 */
#ifndef KDC_WORKER_POOL_H
#define KDC_WORKER_POOL_H

#include "kdc/accounts.h"
#include "kdc/job.h"

struct worker_pool;

struct worker_pool_options {
    unsigned workers;   /* that take every class; at least 1 */
    bool extra;         /* two more: one takes no JOB_PASSWORD, one JOB_HANDSHAKE only */
    unsigned queue_max; /* jobs that may wait, of each class; at least 1 */
    uint64_t alarm_ms;  /* of waiting */
    void *context;      /* handed to the three functions */
    /* On a worker's own thread, as its first and last act; not on one that is there for handshakes. NULL: memory is out;
     * it takes JOB_HANDSHAKE only. */
    struct accounts *(*start)(void *context);
    void (*stop)(void *context, struct accounts *accounts);
    /* Takes the job home: on a worker after job->run; in worker_pool_submit, what another job displaced. */
    void (*deliver)(void *context, struct job *job);
};

/* NULL when memory or threads are out. */
struct worker_pool *worker_pool_new(const struct worker_pool_options *options) __attribute__((warn_unused_result));
/* Destroys what waits, lets what runs finish and be delivered, ends the threads; later submits are refused. */
void worker_pool_stop(struct worker_pool *pool);
void worker_pool_free(struct worker_pool **pool); /* stops first; sets to NULL */

/* 0: the pool owns the job. -1: its queue is full (or stopping): the job stays the caller's, *retry_after is in seconds. */
int worker_pool_submit(struct worker_pool *pool, struct job *job, uint32_t *retry_after)
    __attribute__((warn_unused_result));
/* The job's owner doesn't want it any more. True: it waited, and is the caller's again. False: it runs or has run, and comes
 * home as ever. It must not have come home yet. */
bool worker_pool_withdraw(struct worker_pool *pool, struct job *job) __attribute__((warn_unused_result));
/* -1: memory is out, and the bound stays. */
int worker_pool_set_queue_max(struct worker_pool *pool, unsigned queue_max) __attribute__((warn_unused_result));

struct worker_pool_stats {
    size_t queued[JOB_CLASS_COUNT];
    size_t queue_max;
    uint64_t finished[JOB_CLASS_COUNT];
    uint64_t service_us[JOB_CLASS_COUNT]; /* mean time to run one, of late */
    uint64_t displaced;                   /* jobs that had to leave a queue for another source's */
    uint64_t alarms;                      /* jobs that waited too long */
};
struct worker_pool_stats worker_pool_stats(struct worker_pool *pool);

#endif
