/*
 * test_kdc_session_guess.c: guessing passwords, as a session meets it: waiting, being refused, and who gets in all the same.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

#define WRONG "wrong password"

static int set_up(void **state)
{
    struct world *w = world_new();
    world_add_account(w, "alice", USER_ACTIVE);
    world_add_account(w, "bob", USER_ACTIVE);
    world_punish(w, NULL);
    *state = w;
    return 0;
}

/* How one attempt looks from outside. */
struct seen {
    uint32_t waited; /* seconds */
    unsigned jobs;
    enum message_type type;
    enum reason reason;
    uint32_t retry_after;
};

static struct seen try_from(struct client *c, const char *name, const char *password)
{
    struct world *w = c->world;
    struct seen seen = { 0 };
    world_say_credentials(c, MESSAGE_LOGIN, name, password);
    while (c->sent == NULL) {
        if (c->delayed) {
            world_pass_time(w, 1000);
            seen.waited++;
        } else {
            assert_true(world_run_job(w));
            seen.jobs++;
        }
    }
    seen.type = c->logged_in ? MESSAGE_WELCOME : MESSAGE_REFUSED;
    const struct message m = world_expect(c, seen.type);
    if (seen.type == MESSAGE_REFUSED) {
        seen.reason = m.refused.reason;
        seen.retry_after = m.refused.retry_after;
    }
    (void)world_run_journal(w);
    return seen;
}

/* A connection of its own, ended afterwards. */
static struct seen try_once(struct world *w, uint8_t host, const char *name, const char *password)
{
    struct client *c = world_connect_from(w, host);
    const struct seen seen = try_from(c, name, password);
    if (c->session != NULL) {
        world_hang_up(c);
    }
    return seen;
}

/* Ten failures, at once, from ten sources. */
static void lock_account(struct world *w, const char *name)
{
    struct name account;
    assert_int_equal(name_from_string(name, &account), 0);
    for (uint8_t i = 0; i < 10; i++) {
        const struct admission_source from = { .family = 4, .prefix = { 198, 51, 100, i } };
        (void)penalties_failed(w->penalties, &account, &from, false, w->time);
    }
}

static void a_wrong_password_makes_the_next_attempt_wait(void **state)
{
    struct world *w = *state;
    static const uint32_t delays[] = { 0, 1, 2, 4, 8, 15, 15, 15, 15, 15 };
    for (uint8_t i = 0; i < 10; i++) {
        const struct seen seen = try_once(w, (uint8_t)(10 + i), "alice", WRONG);
        assert_int_equal(seen.reason, REASON_LOGIN_FAILED);
        assert_int_equal(seen.waited, delays[i]);
    }
    const struct seen seen = try_once(w, 99, "alice", WORLD_PASSWORD);
    assert_int_equal(seen.reason, REASON_PENALTY);
    assert_int_equal(seen.waited, 0);
    assert_in_range(seen.retry_after, 890, 900);
    assert_int_equal(penalties_stats(w->penalties, w->time).refused, 1);
    assert_int_equal(penalties_stats(w->penalties, w->time).delayed, 9);
    assert_int_equal(counter_read(&w->counters.refused[REASON_PENALTY]), 1);
    world_pass_time(w, 900 * 1000);
    assert_int_equal(try_once(w, 99, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
}

static void a_right_password_waits_as_a_wrong_one(void **state)
{
    struct world *w = *state;
    (void)try_once(w, 10, "alice", WRONG);
    (void)try_once(w, 11, "alice", WRONG);
    const struct seen seen = try_once(w, 12, "alice", WORLD_PASSWORD);
    assert_int_equal(seen.type, MESSAGE_WELCOME);
    assert_int_equal(seen.waited, 2);
}

/* Two worlds in one: each name from sources of its own, and time goes back in between. */
static void an_unknown_name_looks_the_same_all_the_way(void **state)
{
    struct world *w = *state;
    static const char *const names[] = { "alice", "nobody" };
    const uint64_t start = w->time;
    struct seen seen[2][12];
    unsigned asked[2];
    for (uint8_t n = 0; n < 2; n++) {
        w->time = start;
        w->known_asked = 0;
        for (uint8_t i = 0; i < 12; i++) {
            seen[n][i] = try_once(w, (uint8_t)(10 + 20 * n + i), names[n], WRONG);
        }
        asked[n] = w->known_asked;
    }
    assert_int_equal(seen[0][11].reason, REASON_PENALTY);
    assert_int_equal(asked[0], asked[1]);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(seen[0][i].waited, seen[1][i].waited);
        assert_int_equal(seen[0][i].jobs, seen[1][i].jobs);
        assert_int_equal(seen[0][i].reason, seen[1][i].reason);
        assert_int_equal(seen[0][i].retry_after, seen[1][i].retry_after);
    }
}

static void what_strangers_guess_does_not_keep_the_owner_out(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect_from(w, 7);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message welcome = world_expect(c, MESSAGE_WELCOME);
    const struct ticket ticket = world_ticket(w, &welcome.welcome);
    world_settle(w);
    assert_int_equal(w->known_asked, 0); /* nobody asks without need */
    world_hang_up(c);

    lock_account(w, "alice");
    assert_int_equal(try_once(w, 8, "alice", WORLD_PASSWORD).reason, REASON_PENALTY);
    const struct seen seen = try_once(w, 7, "alice", WORLD_PASSWORD); /* from where she was before */
    assert_int_equal(seen.type, MESSAGE_WELCOME);
    assert_int_equal(seen.waited, 0);
    assert_int_equal(w->known_asked, 2);
    struct client *back = world_resume(w, &ticket);
    assert_true(back->logged_in);
    (void)world_expect(back, MESSAGE_WELCOME);
}

static void a_ticket_makes_a_source_known(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect_from(w, 7);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message welcome = world_expect(c, MESSAGE_WELCOME);
    const struct ticket ticket = world_ticket(w, &welcome.welcome);
    struct client *moved = world_resume(w, &ticket); /* from 192.0.2.1 */
    (void)world_expect(moved, MESSAGE_WELCOME);
    world_settle(w);
    world_hang_up(moved);
    lock_account(w, "alice");
    assert_int_equal(try_once(w, 1, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
}

static void next_to_the_owner_nobody_guesses_freely(void **state)
{
    struct world *w = *state;
    assert_int_equal(try_once(w, 7, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
    const struct penalty_policy quick = { .enabled = true,
                                          .account_failures = 3,
                                          .source_failures = 5,
                                          .forget_seconds = 3600,
                                          .lock_seconds = 900,
                                          .delay_max = 0 };
    penalties_set_policy(w->penalties, &quick);
    unsigned looked_at = 0;
    while (try_once(w, 7, "alice", WRONG).reason == REASON_LOGIN_FAILED) {
        looked_at++;
        assert_true(looked_at < 20);
    }
    assert_int_equal(looked_at, 10);
    assert_int_equal(try_once(w, 7, "alice", WORLD_PASSWORD).reason, REASON_PENALTY);
}

static void guessing_from_one_source_locks_it_for_all_names(void **state)
{
    struct world *w = *state;
    char name[16];
    unsigned looked_at = 0;
    do {
        (void)snprintf(name, sizeof name, "user%u", looked_at++);
    } while (try_once(w, 9, name, WRONG).reason == REASON_LOGIN_FAILED);
    assert_in_range(looked_at, 31, 34); /* some are forgotten while it has to wait */
    const unsigned asked = w->known_asked;
    assert_int_equal(try_once(w, 9, "bob", WORLD_PASSWORD).reason, REASON_PENALTY);
    assert_int_equal(try_once(w, 10, "bob", WORLD_PASSWORD).type, MESSAGE_WELCOME);
    assert_int_equal(try_once(w, 9, "not a name", WRONG).reason, REASON_PENALTY);
    assert_int_equal(w->known_asked, asked + 1); /* for bob */
}

static void many_attempts_at_once_are_no_more_than_one_by_one(void **state)
{
    struct world *w = *state;
    struct client *clients[20];
    unsigned refused = 0;
    for (uint8_t i = 0; i < 20; i++) {
        clients[i] = world_connect_from(w, (uint8_t)(10 + i));
        world_say_credentials(clients[i], MESSAGE_LOGIN, "nobody", WRONG);
    }
    world_settle(w);
    for (unsigned i = 0; i < 20; i++) {
        refused += world_expect(clients[i], MESSAGE_REFUSED).refused.reason == REASON_PENALTY;
    }
    assert_int_equal(refused, 10);
    assert_int_equal(w->nobody_verified, 10);
}

static void an_owner_among_many_attempts_at_once_gets_in(void **state)
{
    struct world *w = *state;
    assert_int_equal(try_once(w, 7, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
    for (uint8_t i = 0; i < 12; i++) {
        world_say_credentials(world_connect_from(w, (uint8_t)(10 + i)), MESSAGE_LOGIN, "alice", WRONG);
    }
    struct client *owner = world_connect_from(w, 7);
    world_say_credentials(owner, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_settle(w);
    (void)world_expect(owner, MESSAGE_WELCOME);
}

static void whoever_hangs_up_has_paid(void **state)
{
    struct world *w = *state;
    for (uint8_t i = 0; i < 10; i++) {
        struct client *c = world_connect_from(w, (uint8_t)(10 + i));
        world_say_credentials(c, MESSAGE_LOGIN, "alice", WRONG);
        for (bool more = true; more;) { /* until a worker has it */
            more = false;
            if (c->delayed) {
                world_pass_time(w, 15000);
                more = true;
            } else if (w->jobs != NULL && ((struct job *)w->jobs)->class == JOB_SQL) {
                more = world_run_job(w);
            }
        }
        world_hang_up(c);
        assert_true(world_run_job(w));
    }
    assert_int_equal(try_once(w, 99, "alice", WORLD_PASSWORD).reason, REASON_PENALTY);
}

static void whoever_hangs_up_while_waiting_was_not_looked_at(void **state)
{
    struct world *w = *state;
    (void)try_once(w, 10, "alice", WRONG);
    struct client *c = world_connect_from(w, 11);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WRONG);
    assert_true(world_run_job(w)); /* is it known? */
    assert_true(c->delayed);
    world_hang_up(c);
    assert_false(world_run_job(w));
    assert_int_equal(penalties_stats(w->penalties, w->time).failures, 1);
    /* And while it is being asked about. */
    c = world_connect_from(w, 12);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WRONG);
    world_hang_up(c);
    assert_true(world_run_job(w));
    assert_false(world_run_job(w));
}

static void while_one_waits_there_is_no_second(void **state)
{
    struct world *w = *state;
    (void)try_once(w, 10, "alice", WRONG);
    struct client *c = world_connect_from(w, 10);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WRONG);
    assert_true(world_run_job(w));
    assert_true(c->delayed);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WRONG);
    world_expect_closed(c, REASON_OUT_OF_ORDER);
}

static void mistyping_is_forgiven_by_typing_it_right(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect_from(w, 7);
    assert_int_equal(try_from(c, "alice", WRONG).waited, 0);
    assert_int_equal(try_from(c, "alice", WRONG).waited, 1);
    assert_int_equal(try_from(c, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
    world_hang_up(c);
    assert_int_equal(try_once(w, 8, "alice", WORLD_PASSWORD).waited, 0);
    /* But not what was guessed about others. */
    c = world_connect_from(w, 9);
    (void)try_from(c, "bob", WRONG);
    (void)try_from(c, "bob", WRONG);
    assert_int_equal(try_from(c, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
    assert_int_equal(try_once(w, 10, "bob", WORLD_PASSWORD).waited, 2);
}

static void mistyping_where_nothing_counts_forgives_nobody(void **state)
{
    struct world *w = *state;
    struct penalty_policy policy = { .enabled = true,
                                     .account_failures = 10,
                                     .source_failures = 30,
                                     .forget_seconds = 3600,
                                     .lock_seconds = 900,
                                     .delay_max = 15 };
    char why[NETWORKS_WHY_MAX];
    assert_int_equal(networks_parse("192.0.2.7", &policy.exempt, why), 0);
    penalties_set_policy(w->penalties, &policy);
    (void)try_once(w, 10, "alice", WRONG);
    (void)try_once(w, 11, "alice", WRONG);
    struct client *c = world_connect_from(w, 7);
    (void)try_from(c, "alice", WRONG);
    (void)try_from(c, "alice", WRONG);
    const struct seen seen = try_from(c, "alice", WORLD_PASSWORD);
    assert_int_equal(seen.type, MESSAGE_WELCOME);
    assert_int_equal(seen.waited, 0);
    assert_int_equal(try_once(w, 12, "alice", WORLD_PASSWORD).waited, 2);
}

static void without_the_database_it_is_unavailable(void **state)
{
    struct world *w = *state;
    lock_account(w, "alice");
    lock_account(w, "nobody");
    w->database_gone = true;
    assert_int_equal(try_once(w, 8, "alice", WORLD_PASSWORD).reason, REASON_UNAVAILABLE);
    assert_int_equal(try_once(w, 8, "nobody", WORLD_PASSWORD).reason, REASON_UNAVAILABLE);
}

static void what_nothing_came_of_does_not_count(void **state)
{
    struct world *w = *state;
    lock_account(w, "bob");
    world_pass_time(w, 900 * 1000); /* the next wrong one locks it again */
    struct client *c = world_connect_from(w, 11);
    world_say_credentials(c, MESSAGE_LOGIN, "bob", WRONG);
    assert_true(world_run_job(w)); /* is it known? */
    world_pass_time(w, 15 * 1000);
    assert_false(c->delayed);
    w->database_gone = true;
    assert_true(world_run_job(w));
    assert_int_equal(world_expect(c, MESSAGE_REFUSED).refused.reason, REASON_UNAVAILABLE);
    w->database_gone = false;
    for (uint8_t i = 0; i < 2; i++) {
        assert_int_equal(try_once(w, (uint8_t)(20 + i), "bob", WRONG).reason, REASON_LOGIN_FAILED);
    }
    assert_int_equal(try_once(w, 30, "bob", WRONG).reason, REASON_PENALTY);
}

static void no_room_to_ask_is_busy(void **state)
{
    struct world *w = *state;
    (void)try_once(w, 10, "alice", WRONG);
    struct client *c = world_connect_from(w, 11);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_displace_job(w, 17));
    const struct message busy = world_expect(c, MESSAGE_REFUSED);
    assert_int_equal(busy.refused.reason, REASON_BUSY);
    assert_int_equal(busy.refused.retry_after, 17);
    assert_int_equal(try_from(c, "alice", WORLD_PASSWORD).type, MESSAGE_WELCOME);
}

static void a_lock_is_on_record_once(void **state)
{
    struct world *w = *state;
    for (uint8_t i = 0; i < 9; i++) {
        (void)try_once(w, (uint8_t)(10 + i), "alice", WRONG);
    }
    const unsigned before = w->recorded;
    (void)try_once(w, 20, "alice", WRONG);
    assert_int_equal(w->recorded, before + 2); /* the refusal, and the lock */
    for (uint8_t i = 0; i < 5; i++) {
        assert_int_equal(try_once(w, (uint8_t)(30 + i), "alice", WRONG).reason, REASON_PENALTY);
    }
    assert_int_equal(w->recorded, before + 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_password_makes_the_next_attempt_wait),
        TEST(a_right_password_waits_as_a_wrong_one),
        TEST(an_unknown_name_looks_the_same_all_the_way),
        TEST(what_strangers_guess_does_not_keep_the_owner_out),
        TEST(a_ticket_makes_a_source_known),
        TEST(next_to_the_owner_nobody_guesses_freely),
        TEST(guessing_from_one_source_locks_it_for_all_names),
        TEST(many_attempts_at_once_are_no_more_than_one_by_one),
        TEST(an_owner_among_many_attempts_at_once_gets_in),
        TEST(whoever_hangs_up_has_paid),
        TEST(whoever_hangs_up_while_waiting_was_not_looked_at),
        TEST(while_one_waits_there_is_no_second),
        TEST(mistyping_is_forgiven_by_typing_it_right),
        TEST(mistyping_where_nothing_counts_forgives_nobody),
        TEST(without_the_database_it_is_unavailable),
        TEST(what_nothing_came_of_does_not_count),
        TEST(no_room_to_ask_is_busy),
        TEST(a_lock_is_on_record_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
