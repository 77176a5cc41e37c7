/*
 * test_kdc_penalties.c: what guessing costs: the model, and that it is bounded, under a clock of the test's.
 */
#include "kdc/penalties.h"
#include "tests/unit/cmocka_all.h"
#include "wire/name.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 300000
#define START UINT64_C(1795165200000)

static const struct penalty_policy by_default = { .enabled = true,
                                                  .account_failures = 10,
                                                  .source_failures = 30,
                                                  .forget_seconds = 3600,
                                                  .lock_seconds = 900,
                                                  .delay_max = 15 };

struct guessing {
    struct penalties *p;
    uint64_t now;
    unsigned account_locks; /* as failures told */
    unsigned source_locks;
};

static int set_up(void **state)
{
    struct guessing *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->p = penalties_new(&by_default);
    assert_non_null(g->p);
    g->now = START;
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    struct guessing *g = *state;
    penalties_free(&g->p);
    free(g);
    return 0;
}

static struct name name_of(const char *text)
{
    struct name name;
    assert_int_equal(name_from_string(text, &name), 0);
    return name;
}

static struct admission_source source_of(const char *text)
{
    struct admission_source source;
    assert_int_equal(source_parse(text, &source), 0);
    return source;
}

static struct penalty_verdict ask(struct guessing *g, const char *name, const char *source, bool known)
{
    const struct name account = name_of(name);
    const struct admission_source from = source_of(source);
    return penalties_ask(g->p, &account, &from, known, g->now);
}

static void miss(struct guessing *g, const char *name, const char *source)
{
    const struct name account = name_of(name);
    const struct admission_source from = source_of(source);
    const struct penalty_news news = penalties_failed(g->p, &account, &from, false, g->now);
    g->account_locks += news.account_locked;
    g->source_locks += news.source_locked;
}

/* Each from a source of its own, and each name once, as far as two bytes go. */
static void miss_from_everywhere(struct guessing *g, const char *name, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char source[32];
        (void)snprintf(source, sizeof source, "10.%u.%u.%u", i >> 16, i >> 8 & 0xff, i & 0xff);
        miss(g, name, source);
    }
}

static void assert_verdict(struct penalty_verdict verdict, uint32_t delay_s, uint32_t retry_after)
{
    assert_int_equal(verdict.delay_ms, delay_s * 1000);
    assert_int_equal(verdict.retry_after, retry_after);
}

/* ---- an account ---- */

static void failures_of_an_account_make_the_next_wait_and_then_lock(void **state)
{
    static const uint32_t delays[] = { 0, 1, 2, 4, 8, 15, 15, 15, 15, 15 };
    struct guessing *g = *state;
    for (unsigned i = 0; i < 10; i++) {
        assert_verdict(ask(g, "alice", "192.0.2.9", false), delays[i], 0);
        assert_int_equal(g->account_locks, 0);
        g->now += delays[i] * 1000; /* and is forgotten a little */
        miss_from_everywhere(g, "alice", 1);
    }
    assert_int_equal(g->account_locks, 1);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 900);
    assert_verdict(ask(g, "bob", "192.0.2.9", false), 0, 0);
}

static void a_lock_ends_and_comes_back_sooner(void **state)
{
    struct guessing *g = *state;
    miss_from_everywhere(g, "alice", 10);
    g->now += 899 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 1);
    g->now += 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 15, 0);
    miss_from_everywhere(g, "alice", 1); /* a quarter was forgotten */
    assert_int_equal(g->account_locks, 1);
    miss_from_everywhere(g, "alice", 1);
    assert_int_equal(g->account_locks, 2);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 900);
}

static void failures_are_forgotten_evenly(void **state)
{
    struct guessing *g = *state;
    miss_from_everywhere(g, "alice", 5);
    g->now += 359 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 15, 0);
    g->now += 2 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 8, 0);
    g->now += 360 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 4, 0);
    g->now += 3 * 360 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 0);
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
}

static void a_clock_that_goes_back_makes_no_lock_longer(void **state)
{
    struct guessing *g = *state;
    miss_from_everywhere(g, "alice", 10);
    g->now -= 86400 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 900);
    g->now += 899 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 1);
    g->now += 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 15, 0);
    g->now -= 86400 * 1000;
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 15, 0);
    g->now += 3600 * 1000; /* and what was done is forgotten as soon */
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 0);
    assert_int_equal(penalties_clear_all(g->p, g->now), 0);
}

/* Who reads the clock first may come second. */
static void threads_that_come_out_of_order_do_not_make_it_run(void **state)
{
    struct guessing *g = *state;
    miss_from_everywhere(g, "alice", 10);
    for (unsigned i = 0; i < 10000; i++) {
        g->now = START + (i % 2 == 0 ? 5 : 0);
        (void)ask(g, "alice", "192.0.2.9", false);
    }
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 900);
}

static void a_large_bound_is_met_exactly(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = by_default;
    policy.source_failures = 10000;
    policy.forget_seconds = 604800;
    penalties_set_policy(g->p, &policy);
    for (unsigned i = 0; i < 9999; i++) {
        const struct admission_source from = source_of("192.0.2.9");
        assert_false(penalties_failed(g->p, NULL, &from, false, g->now).source_locked);
    }
    miss(g, "bob", "192.0.2.9");
    assert_int_equal(g->source_locks, 1);
}

static bool begin(struct guessing *g, const char *name, const char *source, bool known, uint32_t *retry_after)
{
    const struct name account = name_of(name);
    const struct admission_source from = source_of(source);
    bool counted;
    *retry_after = penalties_begin(g->p, &account, &from, known, g->now, &counted).retry_after;
    return counted;
}

static void what_is_being_looked_at_counts(void **state)
{
    struct guessing *g = *state;
    const struct name alice = name_of("alice");
    uint32_t retry_after;
    assert_false(begin(g, "alice", "192.0.2.1", false, &retry_after)); /* innocent: not noted */
    assert_int_equal(retry_after, 0);
    miss_from_everywhere(g, "alice", 7);
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
    const struct admission_source from = source_of("192.0.2.1");
    for (unsigned i = 0; i < 3; i++) {
        g->account_locks += penalties_failed(g->p, &alice, &from, true, g->now).account_locked;
    }
    assert_int_equal(g->account_locks, 1);
    assert_false(begin(g, "alice", "192.0.2.1", false, &retry_after));
    assert_int_equal(retry_after, 900);
    penalties_end(g->p, &alice); /* one too many changes nothing */
    /* After the lock one at a time, however guilty. */
    struct penalty_policy policy = by_default;
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
    const struct name alice = name_of("alice");
    miss_from_everywhere(g, "alice", 6);
    penalties_succeeded(g->p, &alice, 2, g->now);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 8, 0);
    penalties_succeeded(g->p, &alice, 0, g->now);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 8, 0);
    penalties_succeeded(g->p, &alice, 100, g->now);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 0);
}

static void a_known_source_does_not_bear_what_others_did_to_the_account(void **state)
{
    struct guessing *g = *state;
    miss_from_everywhere(g, "alice", 10);
    assert_verdict(ask(g, "alice", "192.0.2.9", true), 0, 0);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 900);
}

/* ---- a source ---- */

static void failures_of_a_source_weigh_less_and_lock_it_for_every_name(void **state)
{
    struct guessing *g = *state;
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        static const uint32_t delays[] = { 0, 1, 2, 4, 8, 15, 15, 15, 15, 15 };
        assert_verdict(ask(g, "bob", "192.0.2.1", false), delays[i / 3], 0);
        (void)snprintf(name, sizeof name, "user%u", i);
        miss(g, name, "192.0.2.1");
    }
    assert_int_equal(g->source_locks, 1);
    assert_int_equal(g->account_locks, 0);
    assert_verdict(ask(g, "bob", "192.0.2.1", false), 0, 900);
    assert_verdict(ask(g, "bob", "192.0.2.2", false), 0, 0);
}

static void next_to_a_known_source_there_is_twice_as_much_to_guess_and_no_more(void **state)
{
    struct guessing *g = *state;
    char name[16];
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(ask(g, "owner", "192.0.2.1", true).retry_after, 0);
        (void)snprintf(name, sizeof name, "user%u", i);
        miss(g, name, "192.0.2.1");
    }
    assert_int_equal(g->source_locks, 2); /* for strangers, then for all */
    assert_verdict(ask(g, "owner", "192.0.2.1", true), 0, 900);
    g->now += 900 * 1000;
    assert_int_equal(ask(g, "owner", "192.0.2.1", true).retry_after, 0);
    assert_int_equal(ask(g, "owner", "192.0.2.1", true).delay_ms, 15000);
}

static void a_right_password_takes_nothing_from_its_source(void **state)
{
    struct guessing *g = *state;
    const struct name mallory = name_of("mallory");
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "user%u", i);
        miss(g, name, "192.0.2.1");
        penalties_succeeded(g->p, &mallory, 0, g->now);
    }
    assert_verdict(ask(g, "bob", "192.0.2.1", false), 0, 900);
}

static void ipv6_addresses_of_one_64_are_one_source(void **state)
{
    struct guessing *g = *state;
    char address[64];
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(address, sizeof address, "2001:db8:0:1:%x::%x", i, i);
        (void)snprintf(name, sizeof name, "user%u", i);
        miss(g, name, address);
    }
    assert_verdict(ask(g, "bob", "2001:db8:0:1:ffff::1", false), 0, 900);
    assert_verdict(ask(g, "bob", "2001:db8:0:2::1", false), 0, 0);
}

static void a_name_that_no_account_can_have_costs_its_source_only(void **state)
{
    struct guessing *g = *state;
    const struct admission_source from = source_of("192.0.2.1");
    for (unsigned i = 0; i < 30; i++) {
        (void)penalties_failed(g->p, NULL, &from, false, g->now);
    }
    assert_int_equal(penalties_ask(g->p, NULL, &from, false, g->now).retry_after, 900);
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
}

static void an_exempt_source_neither_bears_nor_causes_any(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = by_default;
    char why[NETWORKS_WHY_MAX];
    assert_int_equal(networks_parse("192.0.2.0/25", &policy.exempt, why), 0);
    penalties_set_policy(g->p, &policy);
    for (unsigned i = 0; i < 100; i++) {
        miss(g, "alice", "192.0.2.1");
    }
    assert_verdict(ask(g, "alice", "192.0.2.1", false), 0, 0);
    assert_verdict(ask(g, "alice", "198.51.100.1", false), 0, 0);
    miss_from_everywhere(g, "alice", 10);
    assert_verdict(ask(g, "alice", "192.0.2.1", false), 0, 0);
    assert_verdict(ask(g, "alice", "198.51.100.1", false), 0, 900);
}

/* ---- the policy ---- */

static void off_is_off(void **state)
{
    struct guessing *g = *state;
    const struct penalty_policy off = { 0 };
    miss_from_everywhere(g, "alice", 10);
    penalties_set_policy(g->p, &off);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 0);
    miss_from_everywhere(g, "bob", 10);
    penalties_set_policy(g->p, &by_default);
    assert_verdict(ask(g, "bob", "192.0.2.9", false), 0, 0);
}

static void another_bound_measures_what_there_is(void **state)
{
    struct guessing *g = *state;
    struct penalty_policy policy = by_default;
    miss_from_everywhere(g, "alice", 5);
    policy.account_failures = 20;
    policy.delay_max = 1000;
    penalties_set_policy(g->p, &policy);
    struct penalty_entry entry;
    size_t place = 0;
    assert_int_equal(penalties_list(g->p, &place, &entry, 1, g->now), 1);
    assert_int_equal(entry.failures, 10); /* as guilty as before: half */
    policy.delay_max = 0;
    penalties_set_policy(g->p, &policy);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 0);
}

/* ---- bounded ---- */

/* As many names and addresses as somebody likes: no more memory, and the guilty stay. */
static void many_can_not_push_out_the_guilty(void **state)
{
    struct guessing *g = *state;
    miss_from_everywhere(g, "alice", 10);
    for (unsigned i = 0; i < 30; i++) {
        miss(g, "bob", "192.0.2.1");
    }
    miss_from_everywhere(g, "carol", 9);
    for (unsigned i = 0; i < MANY; i++) {
        struct name name;
        const struct admission_source from = { .family = 4,
                                               .prefix = { 20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
        (void)snprintf(name.text, sizeof name.text, "u%u", i);
        (void)penalties_failed(g->p, &name, &from, false, g->now);
    }
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 900);
    assert_verdict(ask(g, "dave", "192.0.2.1", false), 0, 900);
    assert_int_equal(ask(g, "carol", "192.0.2.9", false).delay_ms, 15000);
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
    struct penalty_policy policy = by_default;
    policy.lock_seconds = 86400;
    penalties_set_policy(g->p, &policy);
    miss_from_everywhere(g, "alice", 10);
    g->now += 7200 * 1000; /* everything is forgotten, but for the lock */
    for (unsigned i = 0; i < MANY; i++) {
        const struct admission_source nowhere = { 0 };
        struct name name;
        (void)snprintf(name.text, sizeof name.text, "u%u", i);
        (void)penalties_failed(g->p, &name, &nowhere, false, g->now);
    }
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 86400 - 7200);
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
    miss_from_everywhere(g, "alice", 1);
    assert_int_equal(ask(g, "alice", "192.0.2.9", false).delay_ms, 15000);
    assert_int_equal(ask(g, "alice", "192.0.2.9", false).retry_after, 0);
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
    miss_from_everywhere(g, "alice", 1);
    assert_int_equal(ask(g, "alice", "192.0.2.9", false).delay_ms, 1000);
}

/* ---- for operators ---- */

static void the_list_comes_in_pages(void **state)
{
    struct guessing *g = *state;
    struct penalty_entry entries[4];
    size_t place = 0;
    unsigned accounts = 0;
    unsigned sources = 0;
    miss(g, "alice", "192.0.2.1");
    miss(g, "bob", "192.0.2.1");
    miss(g, "carol", "192.0.2.1");
    miss(g, "alice", "2001:db8:0:1::7");
    miss_from_everywhere(g, "dave", 10);
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
    const struct name alice = name_of("alice");
    const struct admission_source from = source_of("192.0.2.1");
    miss_from_everywhere(g, "alice", 10);
    for (unsigned i = 0; i < 30; i++) {
        miss(g, "bob", "192.0.2.1");
    }
    assert_int_equal(penalties_clear_account(g->p, &alice, g->now), 1);
    assert_int_equal(penalties_clear_account(g->p, &alice, g->now), 0);
    assert_verdict(ask(g, "alice", "192.0.2.9", false), 0, 0);
    assert_verdict(ask(g, "alice", "192.0.2.1", false), 0, 900);
    assert_int_equal(penalties_clear_source(g->p, &from, g->now), 1);
    assert_verdict(ask(g, "alice", "192.0.2.1", false), 0, 0);
    assert_verdict(ask(g, "bob", "192.0.2.1", false), 0, 900);
    assert_int_equal(penalties_clear_all(g->p, g->now), 11); /* bob, and ten sources */
    assert_verdict(ask(g, "bob", "192.0.2.1", false), 0, 0);
    const struct penalty_stats stats = penalties_stats(g->p, g->now);
    assert_int_equal(stats.accounts + stats.sources, 0);
    assert_int_equal(stats.account_locks, 2);
    assert_int_equal(stats.source_locks, 1);
}

static void how_many_are_guilty_is_counted_once_a_second(void **state)
{
    struct guessing *g = *state;
    const struct name alice = name_of("alice");
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
    miss_from_everywhere(g, "alice", 10);
    g->now += PENALTIES_STATS_MS - 1;
    struct penalty_stats stats = penalties_stats(g->p, g->now);
    assert_true(stats.accounts == 0 && stats.sources == 0 && stats.failures == 10 && stats.account_locks == 1);
    g->now++;
    stats = penalties_stats(g->p, g->now);
    assert_true(stats.accounts == 1 && stats.accounts_locked == 1 && stats.sources == 10 && stats.sources_locked == 0);
    assert_int_equal(penalties_clear_account(g->p, &alice, g->now), 1);
    assert_int_equal(penalties_stats(g->p, g->now).accounts, 0);
    /* A clock that goes back. */
    miss_from_everywhere(g, "alice", 1);
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
    const struct name alice = name_of("alice");
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
            penalties_set_policy(g->p, &by_default);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

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
