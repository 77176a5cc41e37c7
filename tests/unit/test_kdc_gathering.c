/* How long what is to be written waits for more: by a clock of ours. */
#include "kdc/gathering.h"
#include "tests/unit/cmocka_all.h"

#define NOW UINT64_C(1000000)
#define LONG UINT64_C(60000000)

static void at_first_and_after_a_call_of_one_nobody_waits(void **state)
{
    (void)state;
    struct gathering g;
    gathering_init(&g);
    assert_int_equal(gathering_wait(&g, 0, NOW), UINT64_MAX);
    assert_true(gathering_enough(&g, 1));
    assert_int_equal(gathering_wait(&g, 1, NOW), 0);
    gathering_call_over(&g, 1, 0, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, 0, NOW), UINT64_MAX);
    assert_int_equal(gathering_wait(&g, 1, NOW), 0);
}

static void those_who_were_answered_are_waited_for_and_those_who_came_meanwhile_wait(void **state)
{
    (void)state;
    struct gathering g;
    gathering_init(&g);
    gathering_call_over(&g, 3, 2, 500, LONG, NOW);
    assert_false(gathering_enough(&g, 4));
    assert_int_equal(gathering_wait(&g, 2, NOW), 250);
    assert_int_equal(gathering_wait(&g, 4, NOW + 249), 1);
    assert_true(gathering_enough(&g, 5));
    assert_int_equal(gathering_wait(&g, 5, NOW + 10), 0);
}

static void one_who_came_while_one_was_answered_waits_for_him(void **state)
{
    (void)state;
    struct gathering g;
    gathering_init(&g);
    gathering_call_over(&g, 1, 1, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, 1, NOW), 250);
    assert_int_equal(gathering_wait(&g, 2, NOW + 1), 0);
}

static void when_the_time_is_over_one_is_enough_again(void **state)
{
    (void)state;
    struct gathering g;
    gathering_init(&g);
    gathering_call_over(&g, 3, 2, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, 2, NOW + 250), 0);
    assert_true(gathering_enough(&g, 1));
    gathering_call_over(&g, 3, 0, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, 0, NOW), 250);
    assert_int_equal(gathering_wait(&g, 0, NOW + 250), UINT64_MAX);
    assert_int_equal(gathering_wait(&g, 1, NOW + 251), 0);
}

static void the_wait_is_bounded_in_time_and_in_number(void **state)
{
    (void)state;
    struct gathering g;
    gathering_init(&g);
    gathering_call_over(&g, 3, 2, 1000000, 2000, NOW);
    assert_int_equal(gathering_wait(&g, 2, NOW), 2000);
    gathering_call_over(&g, 3, 2, 1000000, 0, NOW);
    assert_int_equal(gathering_wait(&g, 2, NOW), 0);
    gathering_call_over(&g, 200, 1, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, GATHERING_MAX - 1, NOW), 250);
    assert_int_equal(gathering_wait(&g, GATHERING_MAX, NOW), 0);
}

static void after_a_failure_nobody_waits(void **state)
{
    (void)state;
    struct gathering g;
    gathering_init(&g);
    gathering_call_over(&g, 0, 5, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, 1, NOW), 0);
    gathering_call_over(&g, 4, 1, 500, LONG, NOW);
    gathering_call_over(&g, 0, 0, 500, LONG, NOW);
    assert_int_equal(gathering_wait(&g, 1, NOW), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first_and_after_a_call_of_one_nobody_waits),
        cmocka_unit_test(those_who_were_answered_are_waited_for_and_those_who_came_meanwhile_wait),
        cmocka_unit_test(one_who_came_while_one_was_answered_waits_for_him),
        cmocka_unit_test(when_the_time_is_over_one_is_enough_again),
        cmocka_unit_test(the_wait_is_bounded_in_time_and_in_number),
        cmocka_unit_test(after_a_failure_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
