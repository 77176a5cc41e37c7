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
 * in its stead; if there is none, the newcomer does. Either is told when to come back. A job that waited for longer than
 * alarm_ms raises an alarm: a line in the log (at most one in ten seconds) and a count.
 *
 * Who submits or withdraws never waits for a worker: those are preempted for long, whatever they hold.
 *
 * Thread: worker_pool_submit, _withdraw and _stats from any; new, stop and free from one.
 */
#ifndef KDC_WORKER_POOL_H
#define KDC_WORKER_POOL_H

#include "kdc/accounts.h"
#include "kdc/histogram.h"
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
    /* Takes the job home: on a worker after job->run; with job->busy, on any thread that is within a call of the pool. */
    void (*deliver)(void *context, struct job *job);
};

/* NULL when memory or threads are out. */
struct worker_pool *worker_pool_new(const struct worker_pool_options *options) __attribute__((warn_unused_result));
/* Destroys what waits, lets what runs finish and be delivered, ends the threads; what is submitted later goes home as busy. */
void worker_pool_stop(struct worker_pool *pool);
void worker_pool_free(struct worker_pool **pool); /* stops first; sets to NULL */

/* The pool owns the job, which comes home in any case (or is destroyed by worker_pool_stop). */
void worker_pool_submit(struct worker_pool *pool, struct job *job);
/* The job's owner doesn't want it any more. True: it waited, and is the caller's again. False: it comes home as ever; perhaps
 * it runs or has run, perhaps it could not be got at: then it comes as soon as whoever is at the queues has done with them, as
 * busy, unless a worker is about to run it. Its owner must not have had it home (and destroyed it) yet. */
bool worker_pool_withdraw(struct worker_pool *pool, struct job *job) __attribute__((warn_unused_result));
/* -1: memory is out, and the bound stays. */
int worker_pool_set_queue_max(struct worker_pool *pool, unsigned queue_max) __attribute__((warn_unused_result));

struct worker_pool_stats {
    size_t queued[JOB_CLASS_COUNT];
    size_t queue_max;
    uint64_t finished[JOB_CLASS_COUNT];
    uint64_t service_us[JOB_CLASS_COUNT]; /* mean time to run one, of late */
    struct histogram_total waited[JOB_CLASS_COUNT];
    uint64_t displaced; /* jobs that had to leave a queue for another source's */
    uint64_t alarms;    /* jobs that waited too long */
};
struct worker_pool_stats worker_pool_stats(struct worker_pool *pool);
/* Every worker that takes all jobs has one. Any thread, without a lock. */
bool worker_pool_is_busy(struct worker_pool *pool);

#endif
