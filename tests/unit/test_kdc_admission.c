/*
 * test_kdc_admission.c: who gets in at the door, and that every count goes back to where it was.
 */
#include "kdc/admission.h"
#include "tests/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define NEVER_DROPS UINT32_MAX /* a dice that is over every probability below certainty, for the limits used here */

static struct admission_source source4(const char *text)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return admission_source_of((const struct sockaddr *)&address);
}

static struct admission_source source6(const char *text)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return admission_source_of((const struct sockaddr *)&address);
}

static bool same(struct admission_source a, struct admission_source b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static int set_up(void **state)
{
    *state = admission_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct admission *a = *state;
    admission_free(&a);
    assert_null(a);
    return 0;
}

static void a_source_is_an_ipv4_address_or_an_ipv6_64(void **state)
{
    (void)state;
    assert_true(same(source4("192.0.2.1"), source4("192.0.2.1")));
    assert_false(same(source4("192.0.2.1"), source4("192.0.2.2")));
    assert_true(same(source6("2001:db8:1:2:3:4:5:6"), source6("2001:db8:1:2::1")));
    assert_false(same(source6("2001:db8:1:2::1"), source6("2001:db8:1:3::1")));
    assert_true(same(source6("::ffff:192.0.2.1"), source4("192.0.2.1")));
    assert_false(same(source6("c000:201::"), source4("192.0.2.1"))); /* the same first bytes */
}

static void connections_are_bounded_and_come_free_again(void **state)
{
    struct admission *a = *state;
    const struct admission_limits limits = { .connections_max = 3, .before_login_max = 100, .per_source_max = 100 };
    const struct admission_source here = source4("192.0.2.1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
    }
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_FULL);
    admission_logged_in(a, &here); /* still a connection */
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_FULL);
    admission_leave(a, &here, true);
    assert_int_equal(admission_connections(a), 2);
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
}

static void those_before_login_are_bounded(void **state)
{
    struct admission *a = *state;
    const struct admission_limits limits = { .connections_max = 100, .before_login_max = 2, .per_source_max = 100 };
    const struct admission_source here = source4("192.0.2.1");
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_BEFORE_LOGIN);
    admission_logged_in(a, &here);
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
    admission_leave(a, &here, false);
    assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
}

static void a_source_has_a_budget_of_its_own(void **state)
{
    struct admission *a = *state;
    const struct admission_limits limits = { .connections_max = 100, .before_login_max = 100, .per_source_max = 2 };
    const struct admission_source here = source4("192.0.2.1");
    const struct admission_source there = source4("192.0.2.2");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
        assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_IN);
        assert_int_equal(admission_enter(a, &limits, &here, NEVER_DROPS), ADMISSION_SOURCE);
        assert_int_equal(admission_enter(a, &limits, &there, NEVER_DROPS), ADMISSION_IN);
        admission_logged_in(a, &here); /* who has logged in doesn't weigh on it any more, also when it leaves */
        admission_leave(a, &here, true);
        admission_leave(a, &here, false);
        admission_leave(a, &there, false);
        assert_int_equal(admission_connections(a), 0);
    }
}

/* With `waiting` connections before login, how many of all possible dice are refused? */
static unsigned refused_of_100(unsigned waiting)
{
    struct admission *a = admission_new();
    const struct admission_limits limits = { .connections_max = 1000, .before_login_max = 200, .per_source_max = 1000 };
    const struct admission_source here = source4("192.0.2.1");
    unsigned refused = 0;
    assert_non_null(a);
    for (unsigned i = 0; i < waiting; i++) {
        assert_int_equal(admission_enter(a, &limits, &here, 99), ADMISSION_IN);
    }
    for (uint32_t dice = 0; dice < 100; dice++) {
        const enum admission_verdict verdict = admission_enter(a, &limits, &here, dice);
        if (verdict == ADMISSION_IN) {
            admission_leave(a, &here, false);
        } else {
            assert_int_equal(verdict, ADMISSION_EARLY_DROP);
            refused++;
        }
    }
    admission_free(&a);
    return refused;
}

static void early_drop_rises_from_half_of_the_bound(void **state)
{
    (void)state;
    assert_int_equal(refused_of_100(0), 0);
    assert_int_equal(refused_of_100(100), 0);
    assert_int_equal(refused_of_100(125), 25);
    assert_int_equal(refused_of_100(199), 99);
}

static void many_sources_are_kept_apart(void **state)
{
    struct admission *a = *state;
    const struct admission_limits limits = { .connections_max = 9000, .before_login_max = 9000, .per_source_max = 1 };
    for (uint32_t i = 0; i < 4000; i++) {
        const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000000 + i) } };
        const struct admission_source source = admission_source_of((const struct sockaddr *)&address);
        assert_int_equal(admission_enter(a, &limits, &source, NEVER_DROPS), ADMISSION_IN);
        assert_int_equal(admission_enter(a, &limits, &source, NEVER_DROPS), ADMISSION_SOURCE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_an_ipv4_address_or_an_ipv6_64),
        cmocka_unit_test_setup_teardown(connections_are_bounded_and_come_free_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_before_login_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_source_has_a_budget_of_its_own, set_up, tear_down),
        cmocka_unit_test(early_drop_rises_from_half_of_the_bound),
        cmocka_unit_test_setup_teardown(many_sources_are_kept_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("kdc_admission", tests, NULL, NULL);
}
