#include "tests/unit/pool_jobs.h"

#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void job_run(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    struct test_job *t = (struct test_job *)job;
    struct job_record *r = t->record;
    pthread_mutex_lock(&r->lock);
    r->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
    r->order[r->ran++] = t->number;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void run_at_gate(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    struct job_record *r = ((struct test_job *)job)->record;
    pthread_mutex_lock(&r->lock);
    r->at_gate++;
    pthread_cond_broadcast(&r->changed);
    while (!r->gate_open) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

static void destroy(struct job *job)
{
    struct job_record *r = ((struct test_job *)job)->record;
    pthread_mutex_lock(&r->lock);
    r->destroyed++;
    pthread_mutex_unlock(&r->lock);
    free(job);
}

void job_deliver(void *context, struct job *job)
{
    struct job_record *r = context;
    pthread_mutex_lock(&r->lock);
    r->delivered++;
    if (job->busy) {
        r->busy[r->busy_count++] = ((struct test_job *)job)->number;
        r->retry_after = job->retry_after;
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    job->destroy(job);
}

struct accounts *job_accounts_start(void *context)
{
    struct job_record *r = context;
    pthread_mutex_lock(&r->lock);
    r->started++;
    pthread_mutex_unlock(&r->lock);
    return r->no_accounts ? NULL : &r->accounts;
}

void job_accounts_stop(void *context, struct accounts *accounts)
{
    struct job_record *r = context;
    assert_ptr_equal(accounts, r->no_accounts ? NULL : &r->accounts);
    pthread_mutex_lock(&r->lock);
    r->stopped++;
    pthread_mutex_unlock(&r->lock);
}

struct test_job *job_new(struct job_record *r, enum job_class class, uint8_t source, int number)
{
    struct test_job *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->job = (struct job){ .class = class, .run = number < 0 ? run_at_gate : job_run, .destroy = destroy };
    t->job.source = (struct admission_source){ .family = 4, .prefix = { 127, 0, 0, source } };
    t->record = r;
    t->number = number;
    return t;
}

void job_submit_of(struct worker_pool *pool, struct job_record *r, enum job_class class, uint8_t source, int number)
{
    worker_pool_submit(pool, &job_new(r, class, source, number)->job);
}

void job_submit(struct worker_pool *pool, struct job_record *r, enum job_class class, int number)
{
    job_submit_of(pool, r, class, 1, number);
}

void job_wait_at_gate(struct job_record *r, unsigned count)
{
    pthread_mutex_lock(&r->lock);
    while (r->at_gate < count) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

void job_open_gate(struct job_record *r)
{
    pthread_mutex_lock(&r->lock);
    r->gate_open = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void job_wait_delivered(struct job_record *r, size_t count)
{
    pthread_mutex_lock(&r->lock);
    while (r->delivered < count) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

struct worker_pool *job_pool(struct job_record *r, unsigned workers, bool extra, unsigned queue_max, uint64_t alarm_ms)
{
    *r = (struct job_record){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct worker_pool *pool = worker_pool_new(&(struct worker_pool_options){ .workers = workers,
                                                                              .extra = extra,
                                                                              .queue_max = queue_max,
                                                                              .alarm_ms = alarm_ms,
                                                                              .context = r,
                                                                              .start = job_accounts_start,
                                                                              .stop = job_accounts_stop,
                                                                              .deliver = job_deliver });
    assert_non_null(pool);
    return pool;
}
