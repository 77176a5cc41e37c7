/*
 * pool_jobs.h: jobs for the tests of kdc/worker_pool.h, which write down what becomes of them. A gate keeps the workers busy for as
 * long as a test needs. Fails the test (cmocka) on anything unexpected.
 */
#ifndef TESTS_UNIT_POOL_JOBS_H
#define TESTS_UNIT_POOL_JOBS_H

#include "kdc/worker_pool.h"

#include <pthread.h>

#define JOBS_MAX 64

/* What the jobs do is written down here. */
struct job_record {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool gate_open;
    unsigned at_gate;
    int order[JOBS_MAX]; /* numbers of the jobs in the order in which they ran */
    size_t ran;
    size_t delivered;
    int busy[JOBS_MAX]; /* numbers of those that came home without having run */
    size_t busy_count;
    uint32_t retry_after; /* of the last of them */
    size_t destroyed;
    int niceness;
    struct accounts accounts;
    bool no_accounts;
    unsigned started;
    unsigned stopped;
};

struct test_job {
    struct job job;
    struct job_record *record;
    int number;
};

/* A pool whose jobs are delivered into *r, which is made anew. */
struct worker_pool *job_pool(struct job_record *r, unsigned workers, bool extra, unsigned queue_max, uint64_t alarm_ms);
/* What it does for its workers and their jobs, for a pool that is made otherwise; the context is a struct job_record. */
struct accounts *job_accounts_start(void *context);
void job_accounts_stop(void *context, struct accounts *accounts);
void job_deliver(void *context, struct job *job);

/* `number` below 0: one that waits at the gate. */
struct test_job *job_new(struct job_record *r, enum job_class class, uint8_t source, int number);
/* A job's: writes its number down. */
void job_run(struct job *job, struct accounts *accounts);
void job_submit_of(struct worker_pool *pool, struct job_record *r, enum job_class class, uint8_t source, int number);
void job_submit(struct worker_pool *pool, struct job_record *r, enum job_class class, int number);

void job_wait_at_gate(struct job_record *r, unsigned count);
void job_open_gate(struct job_record *r);
void job_wait_delivered(struct job_record *r, size_t count);

#endif
