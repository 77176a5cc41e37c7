/*
 * test_kdc_job_queue.c: the order in which jobs of several sources are taken, and who has to go when the queue is full.
 */
#include "kdc/job_queue.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

#define JOBS_MAX 4096

struct world {
    struct job_queue queue;
    struct job jobs[JOBS_MAX];
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    return w == NULL ? -1 : job_queue_init(&w->queue, 8);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    while (job_queue_take(&w->queue) != NULL) {
    }
    job_queue_clear(&w->queue);
    free(w);
    return 0;
}

/* Source 0 is none. */
static int put(struct world *w, unsigned source, unsigned number, struct job **displaced)
{
    struct job *job = &w->jobs[number];
    *job = (struct job){ 0 };
    if (source != 0) {
        job->source =
            (struct admission_source){ .family = 4, .prefix = { 10, 0, (uint8_t)(source >> 8), (uint8_t)source } };
    }
    return job_queue_put(&w->queue, job, displaced);
}

static void put_one(struct world *w, unsigned source, unsigned number)
{
    struct job *displaced;
    assert_int_equal(put(w, source, number, &displaced), 0);
    assert_null(displaced);
}

static void expect(struct world *w, unsigned number)
{
    const struct job *job = job_queue_take(&w->queue);
    assert_non_null(job);
    assert_int_equal(job - w->jobs, number);
    assert_null(job->line);
}

static void sources_are_served_in_turn_and_each_in_its_order(void **state)
{
    struct world *w = *state;
    put_one(w, 1, 10);
    put_one(w, 1, 11);
    put_one(w, 1, 12);
    put_one(w, 2, 20);
    put_one(w, 0, 30);
    put_one(w, 0, 31);
    put_one(w, 2, 21);
    static const unsigned order[] = { 10, 20, 30, 11, 21, 31, 12 };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        expect(w, order[i]);
    }
    assert_null(job_queue_take(&w->queue));
    assert_int_equal(w->queue.len, 0);
    assert_int_equal(w->queue.longest, 0);
}

static void who_comes_while_others_are_served_waits_for_one_job_of_each(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 4; i++) {
        put_one(w, 1, 10 + i);
    }
    put_one(w, 2, 20);
    expect(w, 10);
    put_one(w, 3, 30);
    expect(w, 20);
    expect(w, 11);
    expect(w, 30);
    put_one(w, 3, 31); /* having been served it is last in turn again */
    expect(w, 12);
    expect(w, 31);
    expect(w, 13);
}

static void a_newcomer_displaces_the_newest_of_the_longest_line(void **state)
{
    struct world *w = *state;
    struct job *displaced;
    for (unsigned i = 0; i < 6; i++) {
        put_one(w, 1, 10 + i);
    }
    put_one(w, 2, 20);
    put_one(w, 2, 21);
    assert_int_equal(put(w, 1, 16, &displaced), -1); /* the longest is its own */
    assert_null(displaced);
    assert_int_equal(put(w, 3, 30, &displaced), 0);
    assert_ptr_equal(displaced, &w->jobs[15]);
    assert_null(displaced->line);
    assert_int_equal(put(w, 2, 22, &displaced), 0);
    assert_ptr_equal(displaced, &w->jobs[14]);
    assert_int_equal(w->queue.len, 8);
    assert_int_equal(w->queue.longest, 4);
    assert_int_equal(put(w, 2, 23, &displaced), -1); /* it would only change places: 3 and 4 to 4 and 3 */
    assert_int_equal(put(w, 3, 31, &displaced), 0);
    assert_ptr_equal(displaced, &w->jobs[13]);
    static const unsigned order[] = { 10, 20, 30, 11, 21, 31, 12, 22 };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        expect(w, order[i]);
    }
    assert_null(job_queue_take(&w->queue));
}

static void as_many_sources_as_places_displace_nobody(void **state)
{
    struct world *w = *state;
    struct job *displaced;
    for (unsigned i = 0; i < 8; i++) {
        put_one(w, 1 + i, i);
    }
    assert_int_equal(put(w, 100, 100, &displaced), -1);
    assert_null(displaced);
    for (unsigned i = 0; i < 8; i++) {
        expect(w, i);
    }
}

static void what_is_taken_out_leaves_the_others_in_order(void **state)
{
    struct world *w = *state;
    put_one(w, 1, 10);
    put_one(w, 1, 11);
    put_one(w, 1, 12);
    put_one(w, 2, 20);
    job_queue_remove(&w->queue, &w->jobs[11]);
    assert_null(w->jobs[11].line);
    assert_int_equal(w->queue.longest, 2);
    job_queue_remove(&w->queue, &w->jobs[20]); /* the last of its line */
    assert_int_equal(w->queue.len, 2);
    put_one(w, 2, 21);
    expect(w, 10);
    expect(w, 21);
    expect(w, 12);
}

static void the_bound_can_change_while_jobs_wait(void **state)
{
    struct world *w = *state;
    struct job *displaced;
    for (unsigned i = 0; i < 8; i++) {
        put_one(w, 1 + i % 3, i);
    }
    assert_int_equal(job_queue_resize(&w->queue, 1000), 0);
    for (unsigned i = 8; i < 1000; i++) {
        put_one(w, 1 + i % 3, i);
    }
    assert_int_equal(put(w, 1, 1000, &displaced), -1);
    assert_int_equal(job_queue_resize(&w->queue, 2), 0);
    assert_int_equal(put(w, 1, 1000, &displaced), -1);
    for (unsigned i = 0; i < 1000; i++) {
        expect(w, i);
    }
    put_one(w, 1, 0);
    put_one(w, 1, 1);
    assert_int_equal(put(w, 1, 2, &displaced), -1);
}

/* By the definition, with no cleverness: the longest of all lines. */
static size_t longest_of(const struct world *w)
{
    size_t count[16] = { 0 };
    size_t longest = 0;
    for (size_t i = 0; i < JOBS_MAX; i++) {
        const struct job *job = &w->jobs[i];
        if (job->line != NULL && ++count[job->source.prefix[3] % 16] > longest) {
            longest = count[job->source.prefix[3] % 16];
        }
    }
    return longest;
}

/* The same numbers in every run. */
static unsigned draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void the_longest_line_is_known_at_every_time(void **state)
{
    struct world *w = *state;
    struct job *displaced;
    uint32_t seed = 7;
    assert_int_equal(job_queue_resize(&w->queue, 40), 0);
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        const unsigned source = draw(&seed) % 4 == 0 ? draw(&seed) % 16 : 3;
        const size_t before = w->queue.len;
        if (put(w, source, i, &displaced) == 0) {
            assert_int_equal(w->queue.len, displaced != NULL ? before : before + 1);
        }
        if (draw(&seed) % 3 == 0) {
            (void)job_queue_take(&w->queue);
        }
        if (i > 40 && w->jobs[i - draw(&seed) % 40].line != NULL && draw(&seed) % 8 == 0) {
            struct job *job = &w->jobs[i];
            while (job->line == NULL) {
                job--;
            }
            job_queue_remove(&w->queue, job);
        }
        assert_int_equal(w->queue.longest, longest_of(w));
    }
}

static void all_that_wait_are_seen_once_though_some_leave(void **state)
{
    struct world *w = *state;
    static const unsigned numbers[] = { 10, 11, 12, 20, 30, 31 };
    static const bool goes[] = { true, false, true, true, false, true };
    size_t seen = 0;
    struct job *next;
    assert_null(job_queue_behind(&w->queue, NULL));
    for (size_t i = 0; i < 6; i++) {
        put_one(w, numbers[i] / 10, numbers[i]);
    }
    for (struct job *job = job_queue_behind(&w->queue, NULL); job != NULL; job = next) {
        next = job_queue_behind(&w->queue, job);
        assert_true(seen < 6);
        assert_int_equal(job - w->jobs, numbers[seen]);
        if (goes[seen++]) {
            job_queue_remove(&w->queue, job);
        }
    }
    assert_int_equal(seen, 6);
    expect(w, 11);
    expect(w, 30);
    assert_null(job_queue_take(&w->queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sources_are_served_in_turn_and_each_in_its_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_while_others_are_served_waits_for_one_job_of_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newcomer_displaces_the_newest_of_the_longest_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_sources_as_places_displace_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_out_leaves_the_others_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_bound_can_change_while_jobs_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_line_is_known_at_every_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_that_wait_are_seen_once_though_some_leave, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("kdc_job_queue", tests, NULL, NULL);
}
