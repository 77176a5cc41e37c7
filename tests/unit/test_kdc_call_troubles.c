#include "kdc/call_troubles.h"

#include "tests/unit/cmocka_all.h"

#include <string.h>

#define FIND 1
#define WRITE 5

static void a_call_that_fails_is_told_once_and_once_more_when_it_works(void **state)
{
    static struct call_troubles troubles;
    char was[CALL_TROUBLE_MAX];
    (void)state;
    assert_int_equal(call_troubles_note(&troubles, WRITE, NULL, 1000, was), CALL_NO_NEWS);
    assert_int_equal(call_troubles_note(&troubles, WRITE, "read-only", 2000, was), CALL_FAILS);
    for (uint64_t now = 3000; now < 60000; now += 1000) {
        assert_int_equal(call_troubles_note(&troubles, WRITE, "read-only", now, was), CALL_NO_NEWS);
        assert_int_equal(call_troubles_note(&troubles, FIND, NULL, now, was), CALL_NO_NEWS);
        assert_string_equal(call_troubles_cause(&troubles, now), "read-only");
    }
    assert_int_equal(call_troubles_note(&troubles, WRITE, "disk full", 60000, was), CALL_FAILS);
    assert_int_equal(call_troubles_note(&troubles, WRITE, NULL, 61000, was), CALL_WORKS);
    assert_string_equal(was, "disk full");
    assert_string_equal(call_troubles_cause(&troubles, 61000), "");
}

static void one_that_comes_and_goes_is_told_once_a_second(void **state)
{
    static struct call_troubles troubles;
    char was[CALL_TROUBLE_MAX];
    unsigned told = 0;
    (void)state;
    for (uint64_t now = 1000; now < 11000; now += 10) {
        told += call_troubles_note(&troubles, WRITE, now % 20 == 0 ? "lock" : NULL, now, was) == CALL_FAILS;
    }
    assert_in_range(told, 9, 10);
}

static void what_nobody_calls_any_more_is_forgotten(void **state)
{
    static struct call_troubles troubles;
    char was[CALL_TROUBLE_MAX];
    (void)state;
    assert_int_equal(call_troubles_note(&troubles, WRITE, "denied", 1000, was), CALL_FAILS);
    assert_string_equal(call_troubles_cause(&troubles, 50000), "denied");
    assert_string_equal(call_troubles_cause(&troubles, 400000), "");
    assert_int_equal(call_troubles_note(&troubles, -1, "away", 400000, was), CALL_NO_NEWS);
    assert_string_equal(call_troubles_cause(&troubles, 400000), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_is_told_once_and_once_more_when_it_works),
        cmocka_unit_test(one_that_comes_and_goes_is_told_once_a_second),
        cmocka_unit_test(what_nobody_calls_any_more_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
