/*
 * test_kdc_session.c: the KDC's side of a session: login, and the questions that need no conversation.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

/* ---- login ---- */

static void an_unknown_user_and_a_wrong_password_get_the_same(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", "wrong password");
    world_settle(w);
    const struct message wrong = world_expect(c, MESSAGE_REFUSED);
    assert_int_equal(wrong.refused.reason, REASON_LOGIN_FAILED);
    assert_int_equal(w->nobody_verified, 0);
    world_say_credentials(c, MESSAGE_LOGIN, "nobody", WORLD_PASSWORD);
    world_settle(w);
    const struct message unknown = world_expect(c, MESSAGE_REFUSED);
    assert_int_equal(unknown.refused.reason, wrong.refused.reason);
    assert_int_equal(unknown.refused.request, wrong.refused.request);
    assert_int_equal(unknown.refused.retry_after, wrong.refused.retry_after);
    assert_int_equal(w->nobody_verified, 1); /* as slow */
}

static void a_wrong_password_costs_as_much_for_a_cheaper_hash(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    (void)snprintf(w->table[0].user.hash, PASSWORD_HASH_LEN, "$2a$08$and so on");
    world_say_credentials(c, MESSAGE_LOGIN, "alice", "wrong password");
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    assert_int_equal(w->nobody_work + (1 << 8), 1 << w->config.bcrypt_cost);
    /* As much as it must, or more: nothing to make up. */
    w->nobody_work = 0;
    (void)snprintf(w->table[0].user.hash, PASSWORD_HASH_LEN, "$2b$12$and so on");
    world_say_credentials(c, MESSAGE_LOGIN, "alice", "wrong password");
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    assert_int_equal(w->nobody_work, 0);
}

/* What happens to alice's account between bcrypt and the end of her login. */
static void lock(struct world *w)
{
    w->table[0].user.state = USER_LOCKED;
}

static void change_password(struct world *w)
{
    (void)snprintf(w->table[0].user.hash, PASSWORD_HASH_LEN, "another one");
}

static void delete (struct world *w)
{
    w->table[0].used = false;
}

static void make_anew(struct world *w)
{
    w->table[0].user.id = 99;
}

static void (*meanwhile)(struct world *w);

static enum password_result verify_meanwhile(struct accounts *accounts, const char *password, const char *hash)
{
    struct world *w = (struct world *)((char *)accounts - offsetof(struct world, accounts));
    const bool right = strcmp(password, hash) == 0;
    meanwhile(w);
    return right ? PASSWORD_MATCH : PASSWORD_MISMATCH;
}

static void what_is_done_to_an_account_during_its_login_counts(void **state)
{
    struct world *w = *state;
    static const struct {
        void (*meanwhile)(struct world *w);
        enum reason reason;
    } cases[] = { { lock, REASON_ACCOUNT_LOCKED },
                  { change_password, REASON_LOGIN_FAILED },
                  { delete, REASON_LOGIN_FAILED },
                  { make_anew, REASON_LOGIN_FAILED } };
    const struct account before = w->table[0];
    w->accounts.verify = verify_meanwhile;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client *c = world_connect(w);
        w->table[0] = before;
        meanwhile = cases[i].meanwhile;
        world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
        world_settle(w);
        world_expect_refused(c, 0, cases[i].reason);
        assert_false(session_is_in(c->session));
    }
}

static void a_name_that_is_not_allowed_is_like_an_unknown_one_at_login(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "not allowed!", WORLD_PASSWORD);
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    assert_int_equal(w->nobody_verified, 1);
}

static void what_is_wrong_with_an_account_is_told_only_to_its_owner(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "locked", "wrong password");
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    world_say_credentials(c, MESSAGE_LOGIN, "locked", WORLD_PASSWORD);
    world_settle(w);
    world_expect_refused(c, 0, REASON_ACCOUNT_LOCKED);
    assert_false(session_is_in(c->session));
}

static void tries_are_counted_but_not_those_that_we_failed(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->database_gone = true;
    for (int i = 0; i < 5; i++) {
        world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
        world_settle(w);
        const struct message m = world_expect(c, MESSAGE_REFUSED);
        assert_int_equal(m.refused.reason, REASON_UNAVAILABLE);
        assert_true(m.refused.retry_after > 0);
    }
    w->database_gone = false;
    w->queue_room = 0;
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_settle(w);
    const struct message busy = world_expect(c, MESSAGE_REFUSED);
    assert_int_equal(busy.refused.reason, REASON_BUSY);
    assert_int_equal(busy.refused.retry_after, 17);
    w->queue_room = 100;
    for (int i = 0; i < 3; i++) {
        assert_false(c->ended);
        world_say_credentials(c, MESSAGE_LOGIN, "alice", "wrong password");
        world_settle(w);
        world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    }
    world_expect_closed(c, REASON_TRIES);
}

static void registering_says_precisely_what_is_wrong(void **state)
{
    struct world *w = *state;
    w->config.login_tries = 100;
    struct client *c = world_connect(w);
    static const struct {
        const char *name;
        const char *password;
        enum reason reason;
    } cases[] = {
        { "not allowed", WORLD_PASSWORD, REASON_NAME },
        { "dave", "short", REASON_PASSWORD_SHORT },
        { "dave", "1234567890123456789012345678901234567890123456789012345678901234567890123", REASON_PASSWORD_LONG },
        { "dave", "not utf-8 \xff", REASON_PASSWORD_UTF8 },
        { "Alice", WORLD_PASSWORD, REASON_NAME_TAKEN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_say_credentials(c, MESSAGE_REGISTER, cases[i].name, cases[i].password);
        world_settle(w);
        world_expect_refused(c, 0, cases[i].reason);
    }
    w->config.registration = REGISTRATION_CLOSED;
    world_say_credentials(c, MESSAGE_REGISTER, "dave", WORLD_PASSWORD);
    world_expect_refused(c, 0, REASON_REGISTRATION_CLOSED);
    w->config.registration = REGISTRATION_OPEN;
    world_say_credentials(c, MESSAGE_REGISTER, "Dave", WORLD_PASSWORD);
    world_settle(w);
    assert_string_equal(world_expect(c, MESSAGE_WELCOME).welcome.name.text, "dave");
}

static void nothing_but_a_login_is_in_place_before_it_and_one_at_a_time(void **state)
{
    struct world *w = *state;
    struct client *early = world_connect(w);
    world_say(early, &(struct message){ .type = MESSAGE_PING });
    world_expect_closed(early, REASON_OUT_OF_ORDER);

    struct client *hasty = world_connect(w);
    world_say_credentials(hasty, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_say_credentials(hasty, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_expect_closed(hasty, REASON_OUT_OF_ORDER);
    world_settle(w); /* the job's result comes too late and changes nothing */
    assert_int_equal(directory_count(w->host.directory), 0);

    struct client *twice = world_login(w, "alice");
    world_say_credentials(twice, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_expect_closed(twice, REASON_OUT_OF_ORDER);
}

static void a_login_whose_connection_is_gone_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_hang_up(c);
    world_settle(w);
    assert_int_equal(directory_count(w->host.directory), 0);
}

static void a_new_login_takes_over(void **state)
{
    struct world *w = *state;
    struct client *older = world_login(w, "alice");
    struct client *newer = world_login(w, "alice");
    world_settle(w);
    world_expect_closed(older, REASON_TAKEN_OVER);
    assert_true(session_is_in(newer->session));
    assert_int_equal(directory_count(w->host.directory), 1);
}

/* ---- questions ---- */

static void list_and_who_tell_who_is_there(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    (void)world_login(w, "bob");
    world_say(alice, &(struct message){ .type = MESSAGE_LIST, .list = { .request = 1 } });
    world_settle(w);
    const struct message list = world_expect(alice, MESSAGE_LIST_REPLY);
    assert_int_equal(list.list_reply.count, 2);
    assert_false(list.list_reply.more);
    struct message who = { .type = MESSAGE_WHO, .who = { .request = 2 } };
    assert_int_equal(name_from_string("carol", &who.who.name), 0);
    world_say(alice, &who);
    world_settle(w);
    const struct message offline = world_expect(alice, MESSAGE_WHO_REPLY);
    assert_int_equal(offline.who_reply.presence, PRESENCE_OFFLINE);
    assert_int_equal(offline.who_reply.since, 0);
    assert_int_equal(name_from_string("bob", &who.who.name), 0);
    world_say(alice, &who);
    const struct message online = world_expect(alice, MESSAGE_WHO_REPLY);
    assert_int_equal(online.who_reply.presence, PRESENCE_ONLINE);
    assert_int_equal(online.who_reply.since, w->time);
    assert_int_equal(name_from_string("nobody", &who.who.name), 0);
    world_say(alice, &who);
    world_settle(w);
    world_expect_refused(alice, 2, REASON_NO_SUCH_USER);
}

static void a_client_that_says_close_is_not_answered(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    world_say(alice, &(struct message){ .type = MESSAGE_CLOSE, .close = { .reason = REASON_NONE } });
    assert_true(alice->ended);
    assert_false(alice->told);
    assert_int_equal(directory_count(w->host.directory), 0);
    session_receive(alice->session, (struct bytes){ (const uint8_t *)"x", 1 }); /* nothing reaches it any more */
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

/* ---- what one session may ask for ---- */

static size_t jobs_waiting(const struct world *w)
{
    size_t count = 0;
    for (const struct inbox_item *job = w->jobs; job != NULL; job = job->next) {
        count++;
    }
    return count;
}

static void ask_who(struct client *c, uint32_t request)
{
    struct message m = { .type = MESSAGE_WHO, .who = { .request = request } };
    assert_int_equal(name_from_string("nobody", &m.who.name), 0);
    world_say(c, &m);
}

static void one_session_takes_a_few_places_in_the_queue_and_is_answered_in_order(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    for (uint32_t request = 1; request <= 60; request++) {
        ask_who(alice, request);
    }
    assert_int_equal(jobs_waiting(w), 4);
    world_expect_nothing(alice);
    world_settle(w);
    for (uint32_t request = 1; request <= 60; request++) {
        world_expect_refused(alice, request, REASON_NO_SUCH_USER);
    }
    world_expect_nothing(alice);
    ask_who(alice, 1); /* and again */
    world_settle(w);
    world_expect_refused(alice, 1, REASON_NO_SUCH_USER);
}

static void what_waited_for_its_place_is_refused_when_the_queue_is_full_by_then(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    for (uint32_t request = 1; request <= 10; request++) {
        ask_who(alice, request);
    }
    w->queue_room = 0;
    assert_true(world_run_job(w));
    world_expect_refused(alice, 1, REASON_NO_SUCH_USER);
    for (uint32_t request = 5; request <= 10; request++) {
        assert_true(world_run_job(w)); /* the next has its try */
        world_expect_refused(alice, request, REASON_BUSY);
    }
    assert_int_equal(jobs_waiting(w), 3);
}

static void what_comes_home_without_having_run_is_refused_as_busy(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_connect(w);
    ask_who(alice, 1);
    world_say_credentials(bob, MESSAGE_LOGIN, "bob", WORLD_PASSWORD);
    assert_true(world_displace_job(w, 23));
    assert_true(world_displace_job(w, 42));
    const struct message who = world_expect(alice, MESSAGE_REFUSED);
    assert_int_equal(who.refused.request, 1);
    assert_int_equal(who.refused.reason, REASON_BUSY);
    assert_int_equal(who.refused.retry_after, 23);
    const struct message login = world_expect(bob, MESSAGE_REFUSED);
    assert_int_equal(login.refused.request, 0);
    assert_int_equal(login.refused.reason, REASON_BUSY);
    assert_int_equal(login.refused.retry_after, 42);
    world_say_credentials(bob, MESSAGE_LOGIN, "bob", WORLD_PASSWORD); /* it may come again */
    world_settle(w);
    (void)world_expect(bob, MESSAGE_WELCOME);
}

static void what_waits_for_its_place_ends_with_its_session(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    for (uint32_t request = 1; request <= 10; request++) {
        ask_who(alice, request);
    }
    session_close(alice->session, REASON_KICKED);
    world_settle(w);
    assert_null(w->jobs);
    world_hang_up(alice);
}

static unsigned refusals_logged;

static void count_refusals(enum log_level level, const char *event, const struct log_field *fields)
{
    (void)level;
    (void)fields;
    refusals_logged += strcmp(event, "refused a request") == 0 ? 1 : 0;
}

static void refusals_fill_no_log(void **state)
{
    struct world *w = *state;
    w->host.log = count_refusals;
    struct client *alice = world_login(w, "alice");
    for (uint32_t request = 1; request <= 1000; request++) {
        world_open(alice, request, "alice");
        world_expect_refused(alice, request, REASON_PEER_IS_SELF);
    }
    assert_int_equal(refusals_logged, 10);
    w->time += 1000;
    world_open(alice, 1, "alice");
    world_expect_refused(alice, 1, REASON_PEER_IS_SELF);
    assert_int_equal(refusals_logged, 11);
}

int main(void)
{
    log_set(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_unknown_user_and_a_wrong_password_get_the_same),
        WORLD_TEST(a_wrong_password_costs_as_much_for_a_cheaper_hash),
        WORLD_TEST(what_is_done_to_an_account_during_its_login_counts),
        WORLD_TEST(a_name_that_is_not_allowed_is_like_an_unknown_one_at_login),
        WORLD_TEST(what_is_wrong_with_an_account_is_told_only_to_its_owner),
        WORLD_TEST(tries_are_counted_but_not_those_that_we_failed),
        WORLD_TEST(registering_says_precisely_what_is_wrong),
        WORLD_TEST(nothing_but_a_login_is_in_place_before_it_and_one_at_a_time),
        WORLD_TEST(a_login_whose_connection_is_gone_leaves_nothing_behind),
        WORLD_TEST(a_new_login_takes_over),
        WORLD_TEST(list_and_who_tell_who_is_there),
        WORLD_TEST(a_client_that_says_close_is_not_answered),
        WORLD_TEST(one_session_takes_a_few_places_in_the_queue_and_is_answered_in_order),
        WORLD_TEST(what_waited_for_its_place_is_refused_when_the_queue_is_full_by_then),
        WORLD_TEST(what_comes_home_without_having_run_is_refused_as_busy),
        WORLD_TEST(what_waits_for_its_place_ends_with_its_session),
        WORLD_TEST(refusals_fill_no_log),
    };
    return cmocka_run_group_tests_name("kdc_session", tests, NULL, NULL);
}
