/*
 * job_queue.h: jobs that wait for a worker, fair between the sources that they come from.
 *
 * Each source (struct admission_source; none is one too) has a line of its own. The lines are served in turn, each from its
 * oldest job. A full queue takes one more only at the cost of the longest line, whose newest job has to go, and only if
 * that line stays at least as long as the newcomer's becomes. So who is alone with his source waits behind one job of each
 * other, however many those others bring.
 *
 * Every operation takes constant time (but for chains in the hash of the lines). Memory: a line for each source that had
 * jobs waiting at the same time, kept for reuse, hence for `max` sources at most.
 *
 * Thread: none of its own; the caller's lock.
 */
#ifndef KDC_JOB_QUEUE_H
#define KDC_JOB_QUEUE_H

#include "kdc/job.h"

#include <stddef.h>

#define JOB_QUEUE_BUCKETS 256

struct job_line;
LIST_HEAD(job_lines, job_line);
TAILQ_HEAD(job_turns, job_line);

/* Read by its owner, written by job_queue.c. */
struct job_queue {
    size_t len;
    size_t max;
    size_t longest;           /* jobs in the longest line */
    size_t room;              /* places in of_len */
    struct job_lines *of_len; /* lines of that many jobs; those of none are spare */
    struct job_turns turns;   /* lines with jobs, the next to be served first */
    uint64_t seed;            /* of the hash: addresses are chosen by strangers */
    struct job_lines buckets[JOB_QUEUE_BUCKETS];
};

/* max at least 1. -1: memory or randomness is out; it may be cleared all the same. */
int job_queue_init(struct job_queue *queue, size_t max) __attribute__((warn_unused_result));
void job_queue_clear(struct job_queue *queue); /* it must be empty of jobs */

/* A smaller bound than what waits holds for newcomers only. -1: memory is out, nothing changes. */
int job_queue_resize(struct job_queue *queue, size_t max) __attribute__((warn_unused_result));

/* 0: the job waits; *displaced is the one that doesn't any more on its behalf, or NULL. -1: no room for it, or no memory. */
int job_queue_put(struct job_queue *queue, struct job *job, struct job **displaced) __attribute__((warn_unused_result));
/* The next job; NULL: none waits. */
struct job *job_queue_take(struct job_queue *queue);
/* The job that stands behind this one, in the order of the lines; of NULL the first. NULL: there is none. */
struct job *job_queue_behind(const struct job_queue *queue, const struct job *job);
/* Takes out one that waits in this queue (job->line is set). */
void job_queue_remove(struct job_queue *queue, struct job *job);

#endif
