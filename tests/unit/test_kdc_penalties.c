/*
 * test_kdc_penalties.c: what guessing costs: the model. That it is bounded: test_kdc_penalties_table.c.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/guessing.h"

#include <stdio.h>

/* ---- an account ---- */

static void failures_of_an_account_make_the_next_wait_and_then_lock(void **state)
{
    static const uint32_t delays[] = { 0, 1, 2, 4, 8, 15, 15, 15, 15, 15 };
    struct guessing *g = *state;
    for (unsigned i = 0; i < 10; i++) {
        assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), delays[i], 0);
        assert_int_equal(g->account_locks, 0);
        g->now += delays[i] * 1000; /* and is forgotten a little */
        guessing_miss_from_everywhere(g, "alice", 1);
    }
    assert_int_equal(g->account_locks, 1);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 900);
    assert_verdict(guessing_ask(g, "bob", "192.0.2.9", false), 0, 0);
}

static void a_lock_ends_and_comes_back_sooner(void **state)
{
    struct guessing *g = *state;
    guessing_miss_from_everywhere(g, "alice", 10);
    g->now += 899 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 1);
    g->now += 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 15, 0);
    guessing_miss_from_everywhere(g, "alice", 1); /* a quarter was forgotten */
    assert_int_equal(g->account_locks, 1);
    guessing_miss_from_everywhere(g, "alice", 1);
    assert_int_equal(g->account_locks, 2);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 900);
}

static void failures_are_forgotten_evenly(void **state)
{
    struct guessing *g = *state;
    guessing_miss_from_everywhere(g, "alice", 5);
    g->now += 359 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 15, 0);
    g->now += 2 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 8, 0);
    g->now += 360 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 4, 0);
    g->now += 3 * 360 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 0);
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
}

static void a_clock_that_goes_back_makes_no_lock_longer(void **state)
{
    struct guessing *g = *state;
    guessing_miss_from_everywhere(g, "alice", 10);
    g->now -= 86400 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 900);
    g->now += 899 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 1);
    g->now += 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 15, 0);
    g->now -= 86400 * 1000;
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 15, 0);
    g->now += 3600 * 1000; /* and what was done is forgotten as soon */
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 0);
    assert_int_equal(penalties_clear_all(g->p, g->now), 0);
}

/* Who reads the clock first may come second. */
static void threads_that_come_out_of_order_do_not_make_it_run(void **state)
{
    struct guessing *g = *state;
    guessing_miss_from_everywhere(g, "alice", 10);
    for (unsigned i = 0; i < 10000; i++) {
        g->now = START + (i % 2 == 0 ? 5 : 0);
        (void)guessing_ask(g, "alice", "192.0.2.9", false);
    }
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 900);
}

static void a_large_bound_is_met_exactly(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = guessing_policy;
    policy.source_failures = 10000;
    policy.forget_seconds = 604800;
    penalties_set_policy(g->p, &policy);
    for (unsigned i = 0; i < 9999; i++) {
        const struct admission_source from = guessing_source("192.0.2.9");
        assert_false(penalties_failed(g->p, NULL, &from, false, g->now).source_locked);
    }
    guessing_miss(g, "bob", "192.0.2.9");
    assert_int_equal(g->source_locks, 1);
}

static bool begin(struct guessing *g, const char *name, const char *source, bool known, uint32_t *retry_after)
{
    const struct name account = guessing_name(name);
    const struct admission_source from = guessing_source(source);
    bool counted;
    *retry_after = penalties_begin(g->p, &account, &from, known, g->now, &counted).retry_after;
    return counted;
}

static void what_is_being_looked_at_counts(void **state)
{
    struct guessing *g = *state;
    const struct name alice = guessing_name("alice");
    uint32_t retry_after;
    assert_false(begin(g, "alice", "192.0.2.1", false, &retry_after)); /* innocent: not noted */
    assert_int_equal(retry_after, 0);
    guessing_miss_from_everywhere(g, "alice", 7);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(begin(g, "alice", "192.0.2.1", false, &retry_after));
        assert_int_equal(retry_after, 0);
    }
    assert_false(begin(g, "alice", "192.0.2.1", false, &retry_after)); /* would be the eleventh */
    assert_int_equal(retry_after, 1);
    assert_false(begin(g, "alice", "192.0.2.1", true, &retry_after)); /* nobody keeps the owner out */
    assert_int_equal(retry_after, 0);
    penalties_end(g->p, &alice); /* nothing came of that one */
    assert_true(begin(g, "alice", "192.0.2.1", false, &retry_after));
    const struct admission_source from = guessing_source("192.0.2.1");
    for (unsigned i = 0; i < 3; i++) {
        g->account_locks += penalties_failed(g->p, &alice, &from, true, g->now).account_locked;
    }
    assert_int_equal(g->account_locks, 1);
    assert_false(begin(g, "alice", "192.0.2.1", false, &retry_after));
    assert_int_equal(retry_after, 900);
    penalties_end(g->p, &alice); /* one too many changes nothing */
    /* After the lock one at a time, however guilty. */
    struct penalty_policy policy = guessing_policy;
    policy.forget_seconds = 604800;
    penalties_set_policy(g->p, &policy);
    g->now += 900 * 1000;
    assert_true(begin(g, "alice", "192.0.2.1", false, &retry_after));
    assert_false(begin(g, "alice", "192.0.2.1", false, &retry_after));
    assert_int_equal(retry_after, 1);
    penalties_end(g->p, &alice);
    assert_true(begin(g, "alice", "192.0.2.1", false, &retry_after));
}

static void a_right_password_forgives_the_same_sessions_failures_only(void **state)
{
    struct guessing *g = *state;
    const struct name alice = guessing_name("alice");
    guessing_miss_from_everywhere(g, "alice", 6);
    penalties_succeeded(g->p, &alice, 2, g->now);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 8, 0);
    penalties_succeeded(g->p, &alice, 0, g->now);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 8, 0);
    penalties_succeeded(g->p, &alice, 100, g->now);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 0);
}

static void a_known_source_does_not_bear_what_others_did_to_the_account(void **state)
{
    struct guessing *g = *state;
    guessing_miss_from_everywhere(g, "alice", 10);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", true), 0, 0);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 900);
}

/* ---- a source ---- */

static void failures_of_a_source_weigh_less_and_lock_it_for_every_name(void **state)
{
    struct guessing *g = *state;
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        static const uint32_t delays[] = { 0, 1, 2, 4, 8, 15, 15, 15, 15, 15 };
        assert_verdict(guessing_ask(g, "bob", "192.0.2.1", false), delays[i / 3], 0);
        (void)snprintf(name, sizeof name, "user%u", i);
        guessing_miss(g, name, "192.0.2.1");
    }
    assert_int_equal(g->source_locks, 1);
    assert_int_equal(g->account_locks, 0);
    assert_verdict(guessing_ask(g, "bob", "192.0.2.1", false), 0, 900);
    assert_verdict(guessing_ask(g, "bob", "192.0.2.2", false), 0, 0);
}

static void next_to_a_known_source_there_is_twice_as_much_to_guess_and_no_more(void **state)
{
    struct guessing *g = *state;
    char name[16];
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(guessing_ask(g, "owner", "192.0.2.1", true).retry_after, 0);
        (void)snprintf(name, sizeof name, "user%u", i);
        guessing_miss(g, name, "192.0.2.1");
    }
    assert_int_equal(g->source_locks, 2); /* for strangers, then for all */
    assert_verdict(guessing_ask(g, "owner", "192.0.2.1", true), 0, 900);
    g->now += 900 * 1000;
    assert_int_equal(guessing_ask(g, "owner", "192.0.2.1", true).retry_after, 0);
    assert_int_equal(guessing_ask(g, "owner", "192.0.2.1", true).delay_ms, 15000);
}

static void a_right_password_takes_nothing_from_its_source(void **state)
{
    struct guessing *g = *state;
    const struct name mallory = guessing_name("mallory");
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "user%u", i);
        guessing_miss(g, name, "192.0.2.1");
        penalties_succeeded(g->p, &mallory, 0, g->now);
    }
    assert_verdict(guessing_ask(g, "bob", "192.0.2.1", false), 0, 900);
}

static void ipv6_addresses_of_one_64_are_one_source(void **state)
{
    struct guessing *g = *state;
    char address[64];
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(address, sizeof address, "2001:db8:0:1:%x::%x", i, i);
        (void)snprintf(name, sizeof name, "user%u", i);
        guessing_miss(g, name, address);
    }
    assert_verdict(guessing_ask(g, "bob", "2001:db8:0:1:ffff::1", false), 0, 900);
    assert_verdict(guessing_ask(g, "bob", "2001:db8:0:2::1", false), 0, 0);
}

static void a_name_that_no_account_can_have_costs_its_source_only(void **state)
{
    struct guessing *g = *state;
    const struct admission_source from = guessing_source("192.0.2.1");
    for (unsigned i = 0; i < 30; i++) {
        (void)penalties_failed(g->p, NULL, &from, false, g->now);
    }
    assert_int_equal(penalties_ask(g->p, NULL, &from, false, g->now).retry_after, 900);
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
}

static void an_exempt_source_neither_bears_nor_causes_any(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = guessing_policy;
    char why[NETWORKS_WHY_MAX];
    assert_int_equal(networks_parse("192.0.2.0/25", &policy.exempt, why), 0);
    penalties_set_policy(g->p, &policy);
    for (unsigned i = 0; i < 100; i++) {
        guessing_miss(g, "alice", "192.0.2.1");
    }
    assert_verdict(guessing_ask(g, "alice", "192.0.2.1", false), 0, 0);
    assert_verdict(guessing_ask(g, "alice", "198.51.100.1", false), 0, 0);
    guessing_miss_from_everywhere(g, "alice", 10);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.1", false), 0, 0);
    assert_verdict(guessing_ask(g, "alice", "198.51.100.1", false), 0, 900);
}

/* ---- the policy ---- */

static void off_is_off(void **state)
{
    struct guessing *g = *state;
    const struct penalty_policy off = { 0 };
    guessing_miss_from_everywhere(g, "alice", 10);
    penalties_set_policy(g->p, &off);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 0);
    guessing_miss_from_everywhere(g, "bob", 10);
    penalties_set_policy(g->p, &guessing_policy);
    assert_verdict(guessing_ask(g, "bob", "192.0.2.9", false), 0, 0);
}

static void another_bound_measures_what_there_is(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = guessing_policy;
    guessing_miss_from_everywhere(g, "alice", 5);
    policy.account_failures = 20;
    policy.delay_max = 1000;
    penalties_set_policy(g->p, &policy);
    struct penalty_entry entry;
    size_t place = 0;
    assert_int_equal(penalties_list(g->p, &place, &entry, 1, g->now), 1);
    assert_int_equal(entry.failures, 10); /* as guilty as before: half */
    policy.delay_max = 0;
    penalties_set_policy(g->p, &policy);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, guessing_set_up, guessing_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failures_of_an_account_make_the_next_wait_and_then_lock),
        TEST(a_lock_ends_and_comes_back_sooner),
        TEST(failures_are_forgotten_evenly),
        TEST(a_clock_that_goes_back_makes_no_lock_longer),
        TEST(threads_that_come_out_of_order_do_not_make_it_run),
        TEST(a_large_bound_is_met_exactly),
        TEST(what_is_being_looked_at_counts),
        TEST(a_right_password_forgives_the_same_sessions_failures_only),
        TEST(a_known_source_does_not_bear_what_others_did_to_the_account),
        TEST(failures_of_a_source_weigh_less_and_lock_it_for_every_name),
        TEST(next_to_a_known_source_there_is_twice_as_much_to_guess_and_no_more),
        TEST(a_right_password_takes_nothing_from_its_source),
        TEST(ipv6_addresses_of_one_64_are_one_source),
        TEST(a_name_that_no_account_can_have_costs_its_source_only),
        TEST(an_exempt_source_neither_bears_nor_causes_any),
        TEST(off_is_off),
        TEST(another_bound_measures_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
