/*
 * test_kdc_worker_pool.c: the order of jobs, the bound of their queues, the alarm, and the end. A gate keeps the workers busy for
 * as long as the test needs; nothing here waits for time to pass but the alarm, whose threshold is zero. The pool's lock is
 * held for as long as the test likes by a stand-in for job_queue_resize, which the pool calls under it.
 */
#include "kdc/job_queue.h"
#include "kdc/log.h"
#include "kdc/worker_pool.h"
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOBS_MAX 64

/* What the jobs do is written down here. */
struct record {
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
    struct record *record;
    int number;
};

static void run(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    struct test_job *t = (struct test_job *)job;
    struct record *r = t->record;
    pthread_mutex_lock(&r->lock);
    r->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
    r->order[r->ran++] = t->number;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void run_at_gate(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    struct record *r = ((struct test_job *)job)->record;
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
    struct record *r = ((struct test_job *)job)->record;
    pthread_mutex_lock(&r->lock);
    r->destroyed++;
    pthread_mutex_unlock(&r->lock);
    free(job);
}

static void deliver(void *context, struct job *job)
{
    struct record *r = context;
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

static struct accounts *start(void *context)
{
    struct record *r = context;
    pthread_mutex_lock(&r->lock);
    r->started++;
    pthread_mutex_unlock(&r->lock);
    return r->no_accounts ? NULL : &r->accounts;
}

static void stop(void *context, struct accounts *accounts)
{
    struct record *r = context;
    assert_ptr_equal(accounts, r->no_accounts ? NULL : &r->accounts);
    pthread_mutex_lock(&r->lock);
    r->stopped++;
    pthread_mutex_unlock(&r->lock);
}

static struct test_job *new_job(struct record *r, enum job_class class, uint8_t source, int number)
{
    struct test_job *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->job = (struct job){ .class = class, .run = number < 0 ? run_at_gate : run, .destroy = destroy };
    t->job.source = (struct admission_source){ .family = 4, .prefix = { 127, 0, 0, source } };
    t->record = r;
    t->number = number;
    return t;
}

static void submit_of(struct worker_pool *pool, struct record *r, enum job_class class, uint8_t source, int number)
{
    worker_pool_submit(pool, &new_job(r, class, source, number)->job);
}

static void submit_one(struct worker_pool *pool, struct record *r, enum job_class class, int number)
{
    submit_of(pool, r, class, 1, number);
}

static void wait_at_gate(struct record *r, unsigned count)
{
    pthread_mutex_lock(&r->lock);
    while (r->at_gate < count) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

static void open_gate(struct record *r)
{
    pthread_mutex_lock(&r->lock);
    r->gate_open = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void wait_delivered(struct record *r, size_t count)
{
    pthread_mutex_lock(&r->lock);
    while (r->delivered < count) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

static struct worker_pool *pool_of(struct record *r, unsigned workers, bool extra, unsigned queue_max,
                                   uint64_t alarm_ms)
{
    *r = (struct record){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct worker_pool *pool = worker_pool_new(&(struct worker_pool_options){ .workers = workers,
                                                                              .extra = extra,
                                                                              .queue_max = queue_max,
                                                                              .alarm_ms = alarm_ms,
                                                                              .context = r,
                                                                              .start = start,
                                                                              .stop = stop,
                                                                              .deliver = deliver });
    assert_non_null(pool);
    return pool;
}

static void handshakes_go_before_sql_before_passwords_and_each_in_its_order(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 16, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    submit_one(pool, &r, JOB_PASSWORD, 30);
    submit_one(pool, &r, JOB_SQL, 20);
    submit_one(pool, &r, JOB_PASSWORD, 31);
    submit_one(pool, &r, JOB_HANDSHAKE, 10);
    submit_one(pool, &r, JOB_SQL, 21);
    submit_one(pool, &r, JOB_HANDSHAKE, 11);
    const struct worker_pool_stats waiting = worker_pool_stats(pool);
    assert_int_equal(waiting.queued[JOB_HANDSHAKE], 2);
    assert_int_equal(waiting.queued[JOB_SQL], 2);
    assert_int_equal(waiting.queued[JOB_PASSWORD], 2);
    open_gate(&r);
    wait_delivered(&r, 7);
    static const int expected[] = { 10, 11, 20, 21, 30, 31 };
    assert_int_equal(r.ran, 6);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
    assert_int_equal(r.destroyed, 7);
    assert_int_equal(r.started, 1);
    assert_int_equal(r.stopped, 1);
}

static void a_full_queue_refuses_only_its_own_class(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 2, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    submit_one(pool, &r, JOB_PASSWORD, 1);
    submit_one(pool, &r, JOB_PASSWORD, 2);
    submit_one(pool, &r, JOB_PASSWORD, 3);
    assert_int_equal(r.busy_count, 1); /* at once, while the worker is busy */
    assert_int_equal(r.busy[0], 3);
    assert_true(r.retry_after >= 1);
    submit_one(pool, &r, JOB_SQL, 4);
    open_gate(&r);
    wait_delivered(&r, 5);
    assert_int_equal(r.ran, 3);
    submit_one(pool, &r, JOB_PASSWORD, 5); /* there is room again */
    wait_delivered(&r, 6);
    assert_int_equal(r.ran, 4);
    assert_int_equal(worker_pool_set_queue_max(pool, 1), 0);
    worker_pool_free(&pool);
}

static void bcrypt_never_takes_the_extra_worker(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 2, true, 16, 60000);
    for (int i = 0; i < 4; i++) {
        submit_one(pool, &r, JOB_PASSWORD, -1);
    }
    wait_at_gate(&r, 2); /* both workers */
    submit_one(pool, &r, JOB_SQL, 7);
    submit_one(pool, &r, JOB_HANDSHAKE, 8);
    wait_delivered(&r, 2); /* both while every ordinary worker is held up */
    assert_int_equal(r.at_gate, 2);
    assert_int_equal(r.ran, 2);
    open_gate(&r);
    wait_delivered(&r, 6);
    worker_pool_free(&pool);
    assert_int_equal(r.started, 3);
    assert_int_equal(r.stopped, 3);
}

static void handshakes_go_on_while_all_who_ask_the_database_are_held_up(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, true, 16, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    submit_one(pool, &r, JOB_SQL, -1);
    wait_at_gate(&r, 2);
    submit_one(pool, &r, JOB_SQL, 1);
    submit_one(pool, &r, JOB_HANDSHAKE, 2);
    submit_one(pool, &r, JOB_HANDSHAKE, 3);
    wait_delivered(&r, 2);
    static const int expected[] = { 2, 3 };
    assert_int_equal(r.ran, 2);
    assert_memory_equal(r.order, expected, sizeof expected);
    open_gate(&r);
    wait_delivered(&r, 5);
    worker_pool_free(&pool);
    assert_int_equal(r.started, 2); /* the one for handshakes asks nobody */
    assert_int_equal(r.stopped, 2);
}

static void waiting_too_long_raises_the_alarm(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *patient = pool_of(&r, 1, false, 16, 60000);
    submit_one(patient, &r, JOB_SQL, 1);
    wait_delivered(&r, 1);
    assert_int_equal(worker_pool_stats(patient).alarms, 0);
    worker_pool_free(&patient);

    struct worker_pool *impatient = pool_of(&r, 1, false, 16, 0);
    submit_one(impatient, &r, JOB_SQL, 1);
    submit_one(impatient, &r, JOB_SQL, 2);
    wait_delivered(&r, 2);
    assert_int_equal(worker_pool_stats(impatient).alarms, 2);
    worker_pool_free(&impatient);
}

static void workers_are_nicer_than_the_rest(void **state)
{
    (void)state;
    struct record r;
    const int ours = getpriority(PRIO_PROCESS, 0);
    struct worker_pool *pool = pool_of(&r, 1, false, 16, 60000);
    submit_one(pool, &r, JOB_SQL, 1);
    wait_delivered(&r, 1);
    assert_true(r.niceness > ours || r.niceness == 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), ours);
    worker_pool_free(&pool);
}

static void a_worker_without_accounts_takes_handshakes_only(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 16, 60000);
    worker_pool_free(&pool);
    r.no_accounts = true;
    r.started = 0;
    const struct worker_pool_options options = { .workers = 1,
                                                 .queue_max = 16,
                                                 .alarm_ms = 60000,
                                                 .context = &r,
                                                 .start = start,
                                                 .stop = stop,
                                                 .deliver = deliver };
    pool = worker_pool_new(&options);
    assert_non_null(pool);
    submit_one(pool, &r, JOB_SQL, 1);
    submit_one(pool, &r, JOB_HANDSHAKE, 2);
    submit_one(pool, &r, JOB_HANDSHAKE, 3);
    wait_delivered(&r, 2);
    worker_pool_free(&pool);
    static const int expected[] = { 2, 3 };
    assert_int_equal(r.ran, 2);
    assert_memory_equal(r.order, expected, sizeof expected);
    assert_int_equal(r.destroyed, 3);
}

static void one_source_with_many_jobs_delays_another_by_one_of_them(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 16, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    for (int i = 0; i < 6; i++) {
        submit_of(pool, &r, JOB_PASSWORD, 1, 10 + i);
    }
    submit_of(pool, &r, JOB_PASSWORD, 2, 20);
    submit_of(pool, &r, JOB_PASSWORD, 2, 21);
    open_gate(&r);
    wait_delivered(&r, 9);
    static const int expected[] = { 10, 20, 11, 21, 12, 13, 14, 15 };
    assert_int_equal(r.ran, 8);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
}

static void in_a_full_queue_the_greediest_source_makes_room(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 4, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    for (int i = 0; i < 4; i++) {
        submit_of(pool, &r, JOB_PASSWORD, 1, 10 + i);
    }
    submit_of(pool, &r, JOB_PASSWORD, 1, 14);
    submit_of(pool, &r, JOB_PASSWORD, 2, 20);
    assert_int_equal(r.busy_count, 2); /* at once, while the worker is busy */
    assert_int_equal(r.busy[0], 14);
    assert_int_equal(r.busy[1], 13);
    assert_true(r.retry_after >= 1);
    const struct worker_pool_stats stats = worker_pool_stats(pool);
    assert_int_equal(stats.queued[JOB_PASSWORD], 4);
    assert_int_equal(stats.displaced, 1);
    assert_int_equal(stats.finished[JOB_PASSWORD], 0);
    open_gate(&r);
    wait_delivered(&r, 7);
    static const int expected[] = { 10, 20, 11, 12 };
    assert_int_equal(r.ran, 4);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
    assert_int_equal(r.destroyed, 7);
}

static void what_is_withdrawn_doesnt_run(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 2, 60000);
    struct test_job *gate = new_job(&r, JOB_PASSWORD, 1, -1);
    worker_pool_submit(pool, &gate->job);
    wait_at_gate(&r, 1);
    assert_false(worker_pool_withdraw(pool, &gate->job)); /* it runs */
    struct test_job *unwanted = new_job(&r, JOB_PASSWORD, 1, 1);
    worker_pool_submit(pool, &unwanted->job);
    submit_one(pool, &r, JOB_PASSWORD, 2);
    assert_true(worker_pool_withdraw(pool, &unwanted->job));
    unwanted->job.destroy(&unwanted->job);
    submit_one(pool, &r, JOB_PASSWORD, 3); /* in its place */
    open_gate(&r);
    wait_delivered(&r, 3);
    static const int expected[] = { 2, 3 };
    assert_int_equal(r.ran, 2);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
}

/* Longer than a class may be passed over (OVERDUE_MIN_US). */
static void run_long(struct job *job, struct accounts *accounts)
{
    (void)usleep(60 * 1000);
    run(job, accounts);
}

static void a_storm_of_handshakes_leaves_logins_their_turn(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 16, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    submit_one(pool, &r, JOB_PASSWORD, 30);
    for (int i = 0; i < 5; i++) {
        struct test_job *t = new_job(&r, JOB_HANDSHAKE, 1, 10 + i);
        t->job.run = run_long;
        worker_pool_submit(pool, &t->job);
    }
    open_gate(&r);
    wait_delivered(&r, 7);
    assert_int_equal(r.order[0], 10); /* preferred, */
    assert_true(r.order[5] != 30);    /* but not to the last */
    worker_pool_free(&pool);
}

static void the_estimate_grows_with_what_waits(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 2, false, 40, 60000);
    for (int i = 0; i < 2; i++) {
        struct test_job *t = new_job(&r, JOB_PASSWORD, 1, i);
        t->job.run = run_long;
        worker_pool_submit(pool, &t->job);
    }
    wait_delivered(&r, 2);
    while (worker_pool_stats(pool).finished[JOB_PASSWORD] < 2) {
        (void)usleep(1000);
    }
    for (int i = 0; i < 2; i++) {
        submit_one(pool, &r, JOB_PASSWORD, -1);
    }
    wait_at_gate(&r, 2);
    for (int i = 0; i < 40; i++) {
        submit_one(pool, &r, JOB_PASSWORD, i);
    }
    submit_one(pool, &r, JOB_PASSWORD, 99);
    const uint64_t service_us = worker_pool_stats(pool).service_us[JOB_PASSWORD];
    assert_true(service_us >= 60 * 1000);
    assert_int_equal(r.retry_after, 40 * service_us / 2 / 1000000 + 1); /* two workers share the 40 */
    open_gate(&r);
    worker_pool_free(&pool);
}

static void stopping_destroys_what_waits_and_refuses_what_comes(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 16, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    for (int i = 0; i < 5; i++) {
        submit_one(pool, &r, JOB_PASSWORD, i);
    }
    open_gate(&r);
    worker_pool_stop(pool);
    assert_int_equal(r.destroyed, 6); /* run or not: none is lost */
    assert_int_equal(r.delivered, 1 + r.ran);
    submit_one(pool, &r, JOB_SQL, 9);
    assert_int_equal(r.busy_count, 1);
    assert_int_equal(r.busy[0], 9);
    worker_pool_free(&pool);
    assert_null(pool);
}

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

static void nobody_who_submits_or_withdraws_waits_for_the_lock(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 4, 60000);
    submit_one(pool, &r, JOB_PASSWORD, -1);
    wait_at_gate(&r, 1);
    struct test_job *waiting = new_job(&r, JOB_SQL, 1, 1);
    worker_pool_submit(pool, &waiting->job);

    const pthread_t holder = hold_lock(pool);
    struct test_job *in_inbox = new_job(&r, JOB_SQL, 1, 2);
    worker_pool_submit(pool, &in_inbox->job);
    submit_one(pool, &r, JOB_SQL, 3);
    assert_false(worker_pool_withdraw(pool, &waiting->job));
    assert_false(worker_pool_withdraw(pool, &in_inbox->job));
    for (int i = 4; i <= 7; i++) {
        submit_one(pool, &r, JOB_SQL, i);
    }
    assert_int_equal(r.busy_count, 2); /* the inbox is as long as a queue */
    assert_int_equal(r.busy[0], 6);
    assert_int_equal(r.busy[1], 7);
    assert_true(r.retry_after >= 1);
    submit_one(pool, &r, JOB_HANDSHAKE, 8);
    let_go(holder);

    const struct worker_pool_stats stats = worker_pool_stats(pool);
    assert_int_equal(stats.queued[JOB_HANDSHAKE], 1);
    assert_int_equal(stats.queued[JOB_SQL], 4);
    wait_delivered(&r, 3); /* what was withdrawn in the inbox didn't come to the queue */
    assert_int_equal(r.busy[2], 2);
    open_gate(&r);
    wait_delivered(&r, 9);
    static const int expected[] = { 8, 3, 4, 5 };
    assert_int_equal(r.ran, 4);
    assert_memory_equal(r.order, expected, sizeof expected);
    assert_int_equal(r.busy_count, 4);
    assert_int_equal(r.busy[3], 1); /* and this one was left out in it */
    worker_pool_free(&pool);
    assert_int_equal(r.destroyed, 9);
}

static void an_idle_worker_gets_what_came_while_the_lock_was_held(void **state)
{
    (void)state;
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, true, 4, 60000);
    for (int round = 0; round < 8; round++) { /* the workers sleep, or are about to */
        const pthread_t holder = hold_lock(pool);
        submit_one(pool, &r, JOB_PASSWORD, 1);
        submit_one(pool, &r, JOB_SQL, 2);
        submit_one(pool, &r, JOB_HANDSHAKE, 3);
        let_go(holder);
        wait_delivered(&r, 3 * ((size_t)round + 1));
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

/* A submitter with a home of his own, as a reactor has its mailbox: what came there is his to destroy. */
struct home {
    struct crowd *crowd;
    pthread_t thread;
    uint8_t number;
    _Atomic(struct mailbox_item *) newest;
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
    struct mailbox_item *item = atomic_exchange(&home->newest, NULL);
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
    struct record r;
    struct worker_pool *pool = pool_of(&r, 1, false, 1, 0);
    worker_pool_free(&pool);
    struct home homes[CROWD] = { 0 };
    struct crowd crowd = { .pool = worker_pool_new(&(struct worker_pool_options){ .workers = 2,
                                                                                  .extra = true,
                                                                                  .queue_max = 20,
                                                                                  .alarm_ms = 60000,
                                                                                  .context = &r,
                                                                                  .start = start,
                                                                                  .stop = stop,
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
    log_set(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_go_before_sql_before_passwords_and_each_in_its_order),
        cmocka_unit_test(a_full_queue_refuses_only_its_own_class),
        cmocka_unit_test(bcrypt_never_takes_the_extra_worker),
        cmocka_unit_test(handshakes_go_on_while_all_who_ask_the_database_are_held_up),
        cmocka_unit_test(waiting_too_long_raises_the_alarm),
        cmocka_unit_test(workers_are_nicer_than_the_rest),
        cmocka_unit_test(a_worker_without_accounts_takes_handshakes_only),
        cmocka_unit_test(one_source_with_many_jobs_delays_another_by_one_of_them),
        cmocka_unit_test(in_a_full_queue_the_greediest_source_makes_room),
        cmocka_unit_test(what_is_withdrawn_doesnt_run),
        cmocka_unit_test(a_storm_of_handshakes_leaves_logins_their_turn),
        cmocka_unit_test(the_estimate_grows_with_what_waits),
        cmocka_unit_test(stopping_destroys_what_waits_and_refuses_what_comes),
        cmocka_unit_test(nobody_who_submits_or_withdraws_waits_for_the_lock),
        cmocka_unit_test(an_idle_worker_gets_what_came_while_the_lock_was_held),
        cmocka_unit_test(of_many_who_submit_and_withdraw_at_once_nobody_misses_a_job),
    };
    return cmocka_run_group_tests_name("kdc_worker_pool", tests, NULL, NULL);
}
