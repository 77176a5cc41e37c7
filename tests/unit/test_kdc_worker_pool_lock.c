/*
 * test_kdc_worker_pool_lock.c: nobody waits for the worker pool's lock in order to submit, and nothing is left behind for it. The
 * lock is held for as long as the test likes by a stand-in for job_queue_resize, which the pool calls under it.
 */
#include "kdc/job_queue.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/pool_jobs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the lock ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool wanted; /* that the next resizing lasts */
    bool lasts;
} hold = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int __real_job_queue_resize(struct job_queue *queue, size_t max);
int __wrap_job_queue_resize(struct job_queue *queue, size_t max);

int __wrap_job_queue_resize(struct job_queue *queue, size_t max)
{
    pthread_mutex_lock(&hold.lock);
    hold.lasts = hold.wanted;
    pthread_cond_broadcast(&hold.changed);
    while (hold.wanted) {
        pthread_cond_wait(&hold.changed, &hold.lock);
    }
    hold.lasts = false;
    pthread_mutex_unlock(&hold.lock);
    return __real_job_queue_resize(queue, max);
}

static void *resize(void *pool)
{
    assert_int_equal(worker_pool_set_queue_max(pool, 4), 0);
    return NULL;
}

static pthread_t hold_lock(struct worker_pool *pool)
{
    pthread_t thread;
    hold.wanted = true;
    assert_int_equal(pthread_create(&thread, NULL, resize, pool), 0);
    pthread_mutex_lock(&hold.lock);
    while (!hold.lasts) {
        pthread_cond_wait(&hold.changed, &hold.lock);
    }
    pthread_mutex_unlock(&hold.lock);
    return thread;
}

static void let_go(pthread_t thread)
{
    pthread_mutex_lock(&hold.lock);
    hold.wanted = false;
    pthread_cond_broadcast(&hold.changed);
    pthread_mutex_unlock(&hold.lock);
    pthread_join(thread, NULL);
}

/* Its worker is at the gate; four may wait, and job 1 does. */
static struct worker_pool *pool_with_one_waiting(struct job_record *r, struct test_job **waiting)
{
    struct worker_pool *pool = job_pool(r, 1, false, 4, 60000);
    job_submit(pool, r, JOB_PASSWORD, -1);
    job_wait_at_gate(r, 1);
    *waiting = job_new(r, JOB_SQL, 1, 1);
    worker_pool_submit(pool, &(*waiting)->job);
    return pool;
}

static void nobody_who_submits_or_withdraws_waits_for_the_lock(void **state)
{
    (void)state;
    struct job_record r;
    struct test_job *waiting;
    struct worker_pool *pool = pool_with_one_waiting(&r, &waiting);

    const pthread_t holder = hold_lock(pool);
    struct test_job *in_inbox = job_new(&r, JOB_SQL, 1, 2);
    worker_pool_submit(pool, &in_inbox->job);
    job_submit(pool, &r, JOB_SQL, 3);
    assert_false(worker_pool_withdraw(pool, &waiting->job));
    assert_false(worker_pool_withdraw(pool, &in_inbox->job));
    for (int i = 4; i <= 7; i++) {
        job_submit(pool, &r, JOB_SQL, i);
    }
    assert_int_equal(r.busy_count, 2); /* the inbox is as long as a queue */
    assert_int_equal(r.busy[0], 6);
    assert_int_equal(r.busy[1], 7);
    assert_true(r.retry_after >= 1);
    job_submit(pool, &r, JOB_HANDSHAKE, 8);
    let_go(holder);

    const struct worker_pool_stats stats = worker_pool_stats(pool);
    assert_int_equal(stats.queued[JOB_HANDSHAKE], 1);
    assert_int_equal(stats.queued[JOB_SQL], 3);
    job_wait_delivered(&r, 4); /* what was withdrawn went home as soon as the lock was free, though no worker is */
    assert_int_equal(r.busy[2], 1);
    assert_int_equal(r.busy[3], 2);
    job_submit(pool, &r, JOB_SQL, 9); /* and its place is free */
    assert_int_equal(r.busy_count, 4);
    job_open_gate(&r);
    job_wait_delivered(&r, 10);
    static const int expected[] = { 8, 3, 4, 5, 9 };
    assert_int_equal(r.ran, 5);
    assert_memory_equal(r.order, expected, sizeof expected);
    assert_int_equal(r.busy_count, 4);
    worker_pool_free(&pool);
    assert_int_equal(r.destroyed, 10);
}

static void what_alone_was_withdrawn_while_the_lock_was_held_goes_home_behind_it(void **state)
{
    (void)state;
    struct job_record r;
    struct test_job *waiting;
    struct worker_pool *pool = pool_with_one_waiting(&r, &waiting);
    const pthread_t holder = hold_lock(pool);
    assert_false(worker_pool_withdraw(pool, &waiting->job));
    let_go(holder);
    job_wait_delivered(&r, 1);
    assert_int_equal(r.busy[0], 1);
    job_open_gate(&r);
    worker_pool_free(&pool);
}

static void an_idle_worker_gets_what_came_while_the_lock_was_held(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, true, 4, 60000);
    for (int round = 0; round < 8; round++) { /* the workers sleep, or are about to */
        const pthread_t holder = hold_lock(pool);
        job_submit(pool, &r, JOB_PASSWORD, 1);
        job_submit(pool, &r, JOB_SQL, 2);
        job_submit(pool, &r, JOB_HANDSHAKE, 3);
        let_go(holder);
        job_wait_delivered(&r, 3 * ((size_t)round + 1));
    }
    assert_int_equal(r.busy_count, 0);
    worker_pool_free(&pool);
}

/* ---- all at once ---- */

#define CROWD 4
#define CROWD_JOBS 3000

struct crowd {
    struct worker_pool *pool;
    atomic_uint ran;
    atomic_uint busy;
};

/* A submitter with a home of his own, as a reactor has its inbox: what came there is his to destroy. */
struct home {
    struct crowd *crowd;
    pthread_t thread;
    uint8_t number;
    _Atomic(struct inbox_item *) newest;
    unsigned away;      /* jobs */
    unsigned withdrawn; /* for good */
};

struct crowd_job {
    struct job job;
    struct home *home;
    bool ran;
};

static void run_of_crowd(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    ((struct crowd_job *)job)->ran = true;
}

static void destroy_of_crowd(struct job *job)
{
    free(job);
}

static void deliver_of_crowd(void *context, struct job *job)
{
    (void)context;
    struct home *home = ((struct crowd_job *)job)->home;
    job->item.next = atomic_load(&home->newest);
    while (!atomic_compare_exchange_weak(&home->newest, &job->item.next, &job->item)) {
    }
}

static void look_home(struct home *home)
{
    struct inbox_item *item = atomic_exchange(&home->newest, NULL);
    while (item != NULL) {
        struct job *job = (struct job *)item;
        item = item->next;
        assert_true(job->busy != ((struct crowd_job *)job)->ran);
        atomic_fetch_add(job->busy ? &home->crowd->busy : &home->crowd->ran, 1);
        job->destroy(job);
        home->away--;
    }
}

static void *submit_many(void *argument)
{
    struct home *home = argument;
    for (unsigned i = 0; i < CROWD_JOBS; i++) {
        struct crowd_job *t = calloc(1, sizeof *t);
        assert_non_null(t);
        t->job = (struct job){ .class = i % JOB_CLASS_COUNT, .run = run_of_crowd, .destroy = destroy_of_crowd };
        t->job.source = (struct admission_source){ .family = 4, .prefix = { 127, 0, 0, home->number } };
        t->home = home;
        home->away++;
        worker_pool_submit(home->crowd->pool, &t->job);
        if (i % 5 == 0 && worker_pool_withdraw(home->crowd->pool, &t->job)) {
            t->job.destroy(&t->job);
            home->away--;
            home->withdrawn++;
        }
        if (i % 7 == 0) {
            look_home(home);
        }
        if (i % 50 == 0) { /* so that all workers come to sleep at times */
            (void)usleep(200);
        }
    }
    while (home->away > 0) { /* for ever, if one were left behind */
        look_home(home);
        (void)usleep(200);
    }
    return NULL;
}

static void of_many_who_submit_and_withdraw_at_once_nobody_misses_a_job(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 1, 0);
    worker_pool_free(&pool);
    struct home homes[CROWD] = { 0 };
    struct crowd crowd = { .pool = worker_pool_new(&(struct worker_pool_options){ .workers = 2,
                                                                                  .extra = true,
                                                                                  .queue_max = 20,
                                                                                  .alarm_ms = 60000,
                                                                                  .context = &r,
                                                                                  .start = job_accounts_start,
                                                                                  .stop = job_accounts_stop,
                                                                                  .deliver = deliver_of_crowd }) };
    assert_non_null(crowd.pool);
    for (unsigned i = 0; i < CROWD; i++) {
        homes[i].crowd = &crowd;
        homes[i].number = (uint8_t)i;
        assert_int_equal(pthread_create(&homes[i].thread, NULL, submit_many, &homes[i]), 0);
    }
    unsigned withdrawn = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        pthread_join(homes[i].thread, NULL);
        withdrawn += homes[i].withdrawn;
    }
    assert_int_equal(atomic_load(&crowd.ran) + atomic_load(&crowd.busy) + withdrawn, CROWD * CROWD_JOBS);
    assert_true(atomic_load(&crowd.ran) > 0);
    const struct worker_pool_stats stats = worker_pool_stats(crowd.pool);
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        assert_int_equal(stats.queued[i], 0);
    }
    worker_pool_free(&crowd.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_who_submits_or_withdraws_waits_for_the_lock),
        cmocka_unit_test(what_alone_was_withdrawn_while_the_lock_was_held_goes_home_behind_it),
        cmocka_unit_test(an_idle_worker_gets_what_came_while_the_lock_was_held),
        cmocka_unit_test(of_many_who_submit_and_withdraw_at_once_nobody_misses_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
