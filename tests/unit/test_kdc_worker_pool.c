/*
 * test_kdc_worker_pool.c: the order of jobs, the bound of their queues, the alarm, and the end. Nothing here waits for time to pass
 * but the alarm, whose threshold is zero.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/pool_jobs.h"

#include <sys/resource.h>
#include <unistd.h>

static void handshakes_go_before_sql_before_passwords_and_each_in_its_order(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 16, 60000);
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    job_submit(pool, &r, JOB_PASSWORD, 30);
    job_submit(pool, &r, JOB_SQL, 20);
    job_submit(pool, &r, JOB_PASSWORD, 31);
    job_submit(pool, &r, JOB_HANDSHAKE, 10);
    job_submit(pool, &r, JOB_SQL, 21);
    job_submit(pool, &r, JOB_HANDSHAKE, 11);
    const struct worker_pool_stats waiting = worker_pool_stats(pool);
    assert_int_equal(waiting.queued[JOB_HANDSHAKE], 2);
    assert_int_equal(waiting.queued[JOB_SQL], 2);
    assert_int_equal(waiting.queued[JOB_PASSWORD], 2);
    job_open_gate(&r);
    job_wait_delivered(&r, 7);
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
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 2, 60000);
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    job_submit(pool, &r, JOB_PASSWORD, 1);
    job_submit(pool, &r, JOB_PASSWORD, 2);
    job_submit(pool, &r, JOB_PASSWORD, 3);
    assert_int_equal(r.busy_count, 1); /* at once, while the worker is busy */
    assert_int_equal(r.busy[0], 3);
    assert_true(r.retry_after >= 1);
    job_submit(pool, &r, JOB_SQL, 4);
    job_open_gate(&r);
    job_wait_delivered(&r, 5);
    assert_int_equal(r.ran, 3);
    job_submit(pool, &r, JOB_PASSWORD, 5); /* there is room again */
    job_wait_delivered(&r, 6);
    assert_int_equal(r.ran, 4);
    assert_int_equal(worker_pool_set_queue_max(pool, 1), 0);
    worker_pool_free(&pool);
}

static void bcrypt_never_takes_the_extra_worker(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 2, true, 16, 60000);
    for (int i = 0; i < 4; i++) {
        job_submit(pool, &r, JOB_PASSWORD, -1);
    }
    job_wait_at_gate(&r, 2); /* both workers */
    job_submit(pool, &r, JOB_SQL, 7);
    job_submit(pool, &r, JOB_HANDSHAKE, 8);
    job_wait_delivered(&r, 2); /* both while every ordinary worker is held up */
    assert_int_equal(r.at_gate, 2);
    assert_int_equal(r.ran, 2);
    job_open_gate(&r);
    job_wait_delivered(&r, 6);
    worker_pool_free(&pool);
    assert_int_equal(r.started, 3);
    assert_int_equal(r.stopped, 3);
}

static void handshakes_go_on_while_all_who_ask_the_database_are_held_up(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, true, 16, 60000);
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    job_submit(pool, &r, JOB_SQL, -1);
    job_wait_at_gate(&r, 2);
    job_submit(pool, &r, JOB_SQL, 1);
    job_submit(pool, &r, JOB_HANDSHAKE, 2);
    job_submit(pool, &r, JOB_HANDSHAKE, 3);
    job_wait_delivered(&r, 2);
    static const int expected[] = { 2, 3 };
    assert_int_equal(r.ran, 2);
    assert_memory_equal(r.order, expected, sizeof expected);
    job_open_gate(&r);
    job_wait_delivered(&r, 5);
    worker_pool_free(&pool);
    assert_int_equal(r.started, 2); /* the one for handshakes asks nobody */
    assert_int_equal(r.stopped, 2);
}

static void waiting_too_long_raises_the_alarm(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *patient = job_pool(&r, 1, false, 16, 60000);
    job_submit(patient, &r, JOB_SQL, 1);
    job_wait_delivered(&r, 1);
    assert_int_equal(worker_pool_stats(patient).alarms, 0);
    worker_pool_free(&patient);

    struct worker_pool *impatient = job_pool(&r, 1, false, 16, 0);
    job_submit(impatient, &r, JOB_SQL, 1);
    job_submit(impatient, &r, JOB_SQL, 2);
    job_wait_delivered(&r, 2);
    assert_int_equal(worker_pool_stats(impatient).alarms, 2);
    worker_pool_free(&impatient);
}

static void workers_are_nicer_than_the_rest(void **state)
{
    (void)state;
    struct job_record r;
    const int ours = getpriority(PRIO_PROCESS, 0);
    struct worker_pool *pool = job_pool(&r, 1, false, 16, 60000);
    job_submit(pool, &r, JOB_SQL, 1);
    job_wait_delivered(&r, 1);
    assert_true(r.niceness > ours || r.niceness == 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), ours);
    worker_pool_free(&pool);
}

static void a_worker_without_accounts_takes_handshakes_only(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 16, 60000);
    worker_pool_free(&pool);
    r.no_accounts = true;
    r.started = 0;
    const struct worker_pool_options options = { .workers = 1,
                                                 .queue_max = 16,
                                                 .alarm_ms = 60000,
                                                 .context = &r,
                                                 .start = job_accounts_start,
                                                 .stop = job_accounts_stop,
                                                 .deliver = job_deliver };
    pool = worker_pool_new(&options);
    assert_non_null(pool);
    job_submit(pool, &r, JOB_SQL, 1);
    job_submit(pool, &r, JOB_HANDSHAKE, 2);
    job_submit(pool, &r, JOB_HANDSHAKE, 3);
    job_wait_delivered(&r, 2);
    worker_pool_free(&pool);
    static const int expected[] = { 2, 3 };
    assert_int_equal(r.ran, 2);
    assert_memory_equal(r.order, expected, sizeof expected);
    assert_int_equal(r.destroyed, 3);
}

static void one_source_with_many_jobs_delays_another_by_one_of_them(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 16, 60000);
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    for (int i = 0; i < 6; i++) {
        job_submit_of(pool, &r, JOB_PASSWORD, 1, 10 + i);
    }
    job_submit_of(pool, &r, JOB_PASSWORD, 2, 20);
    job_submit_of(pool, &r, JOB_PASSWORD, 2, 21);
    job_open_gate(&r);
    job_wait_delivered(&r, 9);
    static const int expected[] = { 10, 20, 11, 21, 12, 13, 14, 15 };
    assert_int_equal(r.ran, 8);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
}

static void in_a_full_queue_the_greediest_source_makes_room(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 4, 60000);
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    for (int i = 0; i < 4; i++) {
        job_submit_of(pool, &r, JOB_PASSWORD, 1, 10 + i);
    }
    job_submit_of(pool, &r, JOB_PASSWORD, 1, 14);
    job_submit_of(pool, &r, JOB_PASSWORD, 2, 20);
    assert_int_equal(r.busy_count, 2); /* at once, while the worker is busy */
    assert_int_equal(r.busy[0], 14);
    assert_int_equal(r.busy[1], 13);
    assert_true(r.retry_after >= 1);
    const struct worker_pool_stats stats = worker_pool_stats(pool);
    assert_int_equal(stats.queued[JOB_PASSWORD], 4);
    assert_int_equal(stats.displaced, 1);
    assert_int_equal(stats.finished[JOB_PASSWORD], 0);
    job_open_gate(&r);
    job_wait_delivered(&r, 7);
    static const int expected[] = { 10, 20, 11, 12 };
    assert_int_equal(r.ran, 4);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
    assert_int_equal(r.destroyed, 7);
}

static void what_is_withdrawn_doesnt_run(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 2, 60000);
    struct test_job *gate = job_new(&r, JOB_PASSWORD, 1, -1);
    worker_pool_submit(pool, &gate->job);
    job_wait_at_gate(&r, 1);
    assert_false(worker_pool_withdraw(pool, &gate->job)); /* it runs */
    struct test_job *unwanted = job_new(&r, JOB_PASSWORD, 1, 1);
    worker_pool_submit(pool, &unwanted->job);
    job_submit(pool, &r, JOB_PASSWORD, 2);
    assert_true(worker_pool_withdraw(pool, &unwanted->job));
    unwanted->job.destroy(&unwanted->job);
    job_submit(pool, &r, JOB_PASSWORD, 3); /* in its place */
    job_open_gate(&r);
    job_wait_delivered(&r, 3);
    static const int expected[] = { 2, 3 };
    assert_int_equal(r.ran, 2);
    assert_memory_equal(r.order, expected, sizeof expected);
    worker_pool_free(&pool);
}

/* Longer than a class may be passed over (OVERDUE_MIN_US). */
static void run_long(struct job *job, struct accounts *accounts)
{
    (void)usleep(60 * 1000);
    job_run(job, accounts);
}

static void a_storm_of_handshakes_leaves_logins_their_turn(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 16, 60000);
    /* A short one first: what the next spends at the gate is not all that is known of how long they take. */
    job_submit(pool, &r, JOB_PASSWORD, 1);
    job_wait_delivered(&r, 1);
    while (worker_pool_stats(pool).finished[JOB_PASSWORD] < 1) {
        (void)usleep(1000);
    }
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    job_submit(pool, &r, JOB_PASSWORD, 30);
    for (int i = 0; i < 5; i++) {
        struct test_job *t = job_new(&r, JOB_HANDSHAKE, 1, 10 + i);
        t->job.run = run_long;
        worker_pool_submit(pool, &t->job);
    }
    job_open_gate(&r);
    job_wait_delivered(&r, 8);
    assert_int_equal(r.order[1], 10); /* preferred, */
    assert_true(r.order[6] != 30);    /* but not to the last */
    worker_pool_free(&pool);
}

static void the_estimate_grows_with_what_waits(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 2, false, 40, 60000);
    for (int i = 0; i < 2; i++) {
        struct test_job *t = job_new(&r, JOB_PASSWORD, 1, i);
        t->job.run = run_long;
        worker_pool_submit(pool, &t->job);
    }
    job_wait_delivered(&r, 2);
    while (worker_pool_stats(pool).finished[JOB_PASSWORD] < 2) {
        (void)usleep(1000);
    }
    for (int i = 0; i < 2; i++) {
        job_submit(pool, &r, JOB_PASSWORD, -1);
    }
    job_wait_at_gate(&r, 2);
    for (int i = 0; i < 40; i++) {
        job_submit(pool, &r, JOB_PASSWORD, i);
    }
    job_submit(pool, &r, JOB_PASSWORD, 99);
    const uint64_t service_us = worker_pool_stats(pool).service_us[JOB_PASSWORD];
    assert_true(service_us >= 60 * 1000);
    assert_int_equal(r.retry_after, 40 * service_us / 2 / 1000000 + 1); /* two workers share the 40 */
    job_open_gate(&r);
    worker_pool_free(&pool);
}

static void stopping_destroys_what_waits_and_refuses_what_comes(void **state)
{
    (void)state;
    struct job_record r;
    struct worker_pool *pool = job_pool(&r, 1, false, 16, 60000);
    job_submit(pool, &r, JOB_PASSWORD, -1);
    job_wait_at_gate(&r, 1);
    for (int i = 0; i < 5; i++) {
        job_submit(pool, &r, JOB_PASSWORD, i);
    }
    job_open_gate(&r);
    worker_pool_stop(pool);
    assert_int_equal(r.destroyed, 6); /* run or not: none is lost */
    assert_int_equal(r.delivered, 1 + r.ran);
    job_submit(pool, &r, JOB_SQL, 9);
    assert_int_equal(r.busy_count, 1);
    assert_int_equal(r.busy[0], 9);
    worker_pool_free(&pool);
    assert_null(pool);
}

int main(void)
{
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
