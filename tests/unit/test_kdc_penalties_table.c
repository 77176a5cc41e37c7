/*
 * test_kdc_penalties_table.c: who is remembered for guessing: a bounded number, what operators see of them, and that any thread may
 * ask.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/guessing.h"
#include "wire/name.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MANY 300000

/* ---- bounded ---- */

/* As many names and addresses as somebody likes: no more memory, and the guilty stay. */
static void many_can_not_push_out_the_guilty(void **state)
{
    struct guessing *g = *state;
    guessing_miss_from_everywhere(g, "alice", 10);
    for (unsigned i = 0; i < 30; i++) {
        guessing_miss(g, "bob", "192.0.2.1");
    }
    guessing_miss_from_everywhere(g, "carol", 9);
    for (unsigned i = 0; i < MANY; i++) {
        struct name name;
        const struct admission_source from = { .family = 4,
                                               .prefix = { 20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
        (void)snprintf(name.text, sizeof name.text, "u%u", i);
        (void)penalties_failed(g->p, &name, &from, false, g->now);
    }
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 900);
    assert_verdict(guessing_ask(g, "dave", "192.0.2.1", false), 0, 900);
    assert_int_equal(guessing_ask(g, "carol", "192.0.2.9", false).delay_ms, 15000);
    const struct penalty_stats stats = penalties_stats(g->p, g->now);
    assert_int_equal(stats.accounts, PENALTIES_ENTRIES);
    assert_int_equal(stats.sources, PENALTIES_ENTRIES);
    assert_int_equal(stats.accounts_locked, 2); /* alice and bob: nobody is locked for what others did */
    assert_int_equal(stats.sources_locked, 1);
    assert_int_equal(stats.failures, MANY + 49);
}

static void who_is_locked_stays_however_little_guilt_is_left(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = guessing_policy;
    policy.lock_seconds = 86400;
    penalties_set_policy(g->p, &policy);
    guessing_miss_from_everywhere(g, "alice", 10);
    g->now += 7200 * 1000; /* everything is forgotten, but for the lock */
    for (unsigned i = 0; i < MANY; i++) {
        const struct admission_source nowhere = { 0 };
        struct name name;
        (void)snprintf(name.text, sizeof name.text, "u%u", i);
        (void)penalties_failed(g->p, &name, &nowhere, false, g->now);
    }
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 86400 - 7200);
}

/* Whoever is pushed out leaves the guilt behind: a full table is no cheaper to guess under. */
static void a_newcomer_to_a_full_table_inherits(void **state)
{
    struct guessing *g = *state;
    for (unsigned i = 0; i < 20 * PENALTIES_ENTRIES; i++) {
        struct name name;
        const struct admission_source from = { 0 };
        (void)snprintf(name.text, sizeof name.text, "u%u", i);
        (void)penalties_failed(g->p, &name, &from, false, g->now);
    }
    guessing_miss_from_everywhere(g, "alice", 1);
    assert_int_equal(guessing_ask(g, "alice", "192.0.2.9", false).delay_ms, 15000);
    assert_int_equal(guessing_ask(g, "alice", "192.0.2.9", false).retry_after, 0);
}

static void the_forgotten_make_room_first(void **state)
{
    struct guessing *g = *state;
    for (unsigned i = 0; i < 4 * PENALTIES_ENTRIES; i++) {
        struct name name;
        const struct admission_source from = { 0 };
        (void)snprintf(name.text, sizeof name.text, "u%u", i);
        (void)penalties_failed(g->p, &name, &from, false, g->now);
    }
    g->now += 2 * 3600 * 1000;
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
    guessing_miss_from_everywhere(g, "alice", 1);
    assert_int_equal(guessing_ask(g, "alice", "192.0.2.9", false).delay_ms, 1000);
}

/* ---- for operators ---- */

static void the_list_comes_in_pages(void **state)
{
    struct guessing *g = *state;
    struct penalty_entry entries[4];
    size_t place = 0;
    unsigned accounts = 0;
    unsigned sources = 0;
    guessing_miss(g, "alice", "192.0.2.1");
    guessing_miss(g, "bob", "192.0.2.1");
    guessing_miss(g, "carol", "192.0.2.1");
    guessing_miss(g, "alice", "2001:db8:0:1::7");
    guessing_miss_from_everywhere(g, "dave", 10);
    for (size_t count = 4; count == 4;) {
        count = penalties_list(g->p, &place, entries, 4, g->now);
        for (size_t i = 0; i < count; i++) {
            accounts += entries[i].is_account;
            sources += !entries[i].is_account;
            if (strcmp(entries[i].who, "alice") == 0) {
                assert_int_equal(entries[i].failures, 2);
                assert_int_equal(entries[i].delay_ms, 2000);
                assert_int_equal(entries[i].locked_seconds, 0);
            } else if (strcmp(entries[i].who, "dave") == 0) {
                assert_int_equal(entries[i].failures, 10);
                assert_int_equal(entries[i].locked_seconds, 900);
            } else if (strcmp(entries[i].who, "192.0.2.1") == 0) {
                assert_int_equal(entries[i].failures, 3);
            } else if (strchr(entries[i].who, ':') != NULL) {
                assert_string_equal(entries[i].who, "2001:db8:0:1::/64");
            }
        }
    }
    assert_int_equal(accounts, 4);
    assert_int_equal(sources, 12);
}

static void clearing_forgets(void **state)
{
    struct guessing *g = *state;
    const struct name alice = guessing_name("alice");
    const struct admission_source from = guessing_source("192.0.2.1");
    guessing_miss_from_everywhere(g, "alice", 10);
    for (unsigned i = 0; i < 30; i++) {
        guessing_miss(g, "bob", "192.0.2.1");
    }
    assert_int_equal(penalties_clear_account(g->p, &alice, g->now), 1);
    assert_int_equal(penalties_clear_account(g->p, &alice, g->now), 0);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.9", false), 0, 0);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.1", false), 0, 900);
    assert_int_equal(penalties_clear_source(g->p, &from, g->now), 1);
    assert_verdict(guessing_ask(g, "alice", "192.0.2.1", false), 0, 0);
    assert_verdict(guessing_ask(g, "bob", "192.0.2.1", false), 0, 900);
    assert_int_equal(penalties_clear_all(g->p, g->now), 11); /* bob, and ten sources */
    assert_verdict(guessing_ask(g, "bob", "192.0.2.1", false), 0, 0);
    const struct penalty_stats stats = penalties_stats(g->p, g->now);
    assert_int_equal(stats.accounts + stats.sources, 0);
    assert_int_equal(stats.account_locks, 2);
    assert_int_equal(stats.source_locks, 1);
}

static void how_many_are_guilty_is_counted_once_a_second(void **state)
{
    struct guessing *g = *state;
    const struct name alice = guessing_name("alice");
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
    guessing_miss_from_everywhere(g, "alice", 10);
    g->now += PENALTIES_STATS_MS - 1;
    struct penalty_stats stats = penalties_stats(g->p, g->now);
    assert_true(stats.accounts == 0 && stats.sources == 0 && stats.failures == 10 && stats.account_locks == 1);
    g->now++;
    stats = penalties_stats(g->p, g->now);
    assert_true(stats.accounts == 1 && stats.accounts_locked == 1 && stats.sources == 10 && stats.sources_locked == 0);
    assert_int_equal(penalties_clear_account(g->p, &alice, g->now), 1);
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
    /* A clock that goes back. */
    guessing_miss_from_everywhere(g, "alice", 1);
    g->now -= 3600 * 1000;
    (void)penalties_stats(g->p, g->now);
    g->now += PENALTIES_STATS_MS;
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 1);
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 5000

static void *guess(void *argument)
{
    struct guessing *g = argument;
    const struct name alice = guessing_name("alice");
    for (unsigned i = 0; i < ROUNDS; i++) {
        const struct admission_source from = { .family = 4, .prefix = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };
        struct penalty_entry entry;
        size_t place = i;
        (void)penalties_ask(g->p, &alice, &from, false, g->now);
        (void)penalties_failed(g->p, &alice, &from, false, g->now);
        penalties_succeeded(g->p, &alice, 1, g->now);
        penalties_count_refused(g->p);
        (void)penalties_list(g->p, &place, &entry, 1, g->now);
        if (i % 1000 == 0) {
            penalties_set_policy(g->p, &guessing_policy);
            (void)penalties_stats(g->p, g->now);
        }
    }
    return NULL;
}

static void any_thread_may_use_it(void **state)
{
    struct guessing *g = *state;
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, guess, g), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(penalties_stats(g->p, g->now).failures, THREADS * ROUNDS);
    assert_int_equal(penalties_stats(g->p, g->now).refused, THREADS * ROUNDS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, guessing_set_up, guessing_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_can_not_push_out_the_guilty),
        TEST(who_is_locked_stays_however_little_guilt_is_left),
        TEST(a_newcomer_to_a_full_table_inherits),
        TEST(the_forgotten_make_room_first),
        TEST(the_list_comes_in_pages),
        TEST(clearing_forgets),
        TEST(how_many_are_guilty_is_counted_once_a_second),
        TEST(any_thread_may_use_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
