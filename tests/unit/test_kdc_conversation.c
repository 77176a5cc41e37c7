/*
 * test_kdc_conversation.c: the KDC's side of conversations: grants, ciphertexts and presence, with deliveries in every order that
 * matters. Their windows: test_kdc_conversation_flow.c.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/world_talk.h"

#include <string.h>

/* ---- grants and ciphertexts ---- */

static void both_get_the_same_key_and_the_opener_its_requests_number(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    world_open(alice, 77, "bob");
    world_settle(w);
    uint8_t key[SUITE_ISSUED_KEY_MAX];
    const struct message for_bob = world_expect(bob, MESSAGE_GRANT);
    assert_int_equal(for_bob.grant.request, 0);
    assert_int_equal(for_bob.grant.key.len, 24);
    assert_string_equal(for_bob.grant.a.text, "alice");
    assert_string_equal(for_bob.grant.b.text, "bob");
    memcpy(key, for_bob.grant.key.data, 24);
    assert_int_equal(suite_issued_key_check(suite_by_id(for_bob.grant.suite), key, 24), 0);
    const struct message for_alice = world_expect(alice, MESSAGE_GRANT);
    assert_int_equal(for_alice.grant.request, 77);
    assert_memory_equal(for_alice.grant.key.data, key, 24);
    assert_int_equal(for_alice.grant.session_a, session_ref_of(alice->session)->session);
    assert_int_equal(for_alice.grant.session_b, session_ref_of(bob->session)->session);
    assert_int_equal(counter_read(&w->counters.keys_issued), 1);
    /* Another epoch, another key. */
    (void)world_talk(w, bob, alice, 1, "alice");
    assert_int_equal(counter_read(&w->counters.conversations), 2); /* one conversation, two legs */
}

static void opening_is_refused_with_the_precise_reason(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    world_open(alice, 1, "alice");
    world_settle(w);
    world_expect_refused(alice, 1, REASON_PEER_IS_SELF);
    world_open(alice, 2, "nobody");
    world_settle(w);
    world_expect_refused(alice, 2, REASON_NO_SUCH_USER);
    world_open(alice, 3, "locked");
    world_settle(w);
    world_expect_refused(alice, 3, REASON_PEER_LOCKED);
    w->database_gone = true;
    world_open(alice, 4, "bob");
    world_settle(w);
    world_expect_refused(alice, 4, REASON_UNAVAILABLE);
    w->database_gone = false;
    w->queue_room = 0;
    world_open(alice, 5, "bob");
    world_settle(w);
    world_expect_refused(alice, 5, REASON_BUSY);
    assert_true(session_is_in(alice->session));
    assert_int_equal(w->epochs, 0);
}

static void a_requests_number_may_not_be_used_twice_at_once(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    world_open(alice, 1, "nobody");
    world_open(alice, 1, "nobody");
    world_expect_closed(alice, REASON_OUT_OF_ORDER);
}

static void conversations_of_a_session_are_bounded_but_not_their_epochs(void **state)
{
    struct world *w = *state;
    w->config.conversations_max = 1;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    (void)world_login(w, "carol");
    (void)world_talk(w, alice, bob, 1, "bob");
    world_open(alice, 2, "carol");
    world_settle(w);
    world_expect_refused(alice, 2, REASON_TOO_MANY);
    (void)world_talk(w, alice, bob, 3, "bob");
}

static void an_account_opens_so_many_a_minute_in_whatever_sessions(void **state)
{
    struct world *w = *state;
    const struct penalty_policy three = {
        .enabled = true, .account_failures = 3, .source_failures = 1, .forget_seconds = 3, .lock_seconds = 1
    };
    struct penalties *openings = penalties_new(&three);
    w->host.openings = openings;
    w->config.opens_per_minute = 60;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    world_open(alice, 1, "alice"); /* asks nothing of the database, and doesn't count */
    world_settle(w);
    world_expect_refused(alice, 1, REASON_PEER_IS_SELF);
    (void)world_talk(w, alice, bob, 2, "bob");
    world_open(alice, 3, "nobody");
    world_settle(w);
    world_expect_refused(alice, 3, REASON_NO_SUCH_USER);
    (void)world_talk(w, alice, bob, 4, "bob");
    alice = world_login(w, "alice");
    world_settle(w);
    world_expect_presence(bob, "alice", PRESENCE_ONLINE);
    w->database_gone = true; /* isn't asked */
    for (uint32_t request = 5; request < 8; request++) {
        world_open(alice, request, request == 5 ? "nobody" : "bob");
        world_settle(w);
        const struct message_refused refused = world_expect(alice, MESSAGE_REFUSED).refused;
        assert_int_equal(refused.request, request);
        assert_int_equal(refused.reason, REASON_TOO_MANY);
        assert_int_equal(refused.retry_after, 1);
    }
    w->database_gone = false;
    (void)world_talk(w, bob, alice, 1, "alice"); /* others may */
    w->time += 1000;
    (void)world_talk(w, alice, bob, 8, "bob");
    world_open(alice, 9, "bob");
    world_settle(w);
    world_expect_refused(alice, 9, REASON_TOO_MANY);
    w->config.opens_per_minute = 0;
    (void)world_talk(w, alice, bob, 10, "bob");
    penalties_free(&openings);
}

static void who_is_opened_by_too_many_loses_the_one_that_was_silent_longest(void **state)
{
    struct world *w = *state;
    w->config.conversations_max = 2;
    world_add_account(w, "dave", USER_ACTIVE);
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    struct client *dave = world_login(w, "dave");
    const uint64_t with_bob = world_talk(w, bob, alice, 1, "alice");
    const uint64_t with_carol = world_talk(w, carol, alice, 1, "alice");
    world_say_ciphertext(alice, with_bob, 0, 100);
    (void)world_talk(w, dave, alice, 1, "alice");
    /* Carol hears that the epoch is dead; a new one can be opened. */
    world_expect_presence(carol, "alice", PRESENCE_ONLINE);
    world_say_ciphertext(alice, with_carol, 0, 100);
    world_settle(w);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_NO_CONVERSATION);
    world_expect_credit(alice, with_carol, SAID(100));
    (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    world_expect_nothing(bob);
}

static void ciphertexts_are_passed_on_as_they_are_and_others_answered(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    world_say_ciphertext(alice, conversation, 5, 321);
    world_settle(w);
    const struct message m = world_expect(bob, MESSAGE_CIPHERTEXT);
    assert_int_equal(m.ciphertext.sequence, 5);
    assert_int_equal(m.ciphertext.sealed.len, 321);
    world_say_ciphertext(alice, conversation + 1, 6, 100);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_NO_CONVERSATION);
    world_expect_credit(alice, conversation + 1, SAID(100));
    world_say_ciphertext(carol, conversation, 7, 100); /* somebody else's */
    assert_int_equal(world_expect(carol, MESSAGE_UNDELIVERED).undelivered.reason, REASON_NO_CONVERSATION);
    world_expect_credit(carol, conversation, SAID(100));
    world_say_ciphertext(alice, conversation, 8, MESSAGE_SEALED_MAX);
    world_settle(w);
    (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    world_expect_credit(alice, conversation, SAID(321) + SAID(MESSAGE_SEALED_MAX));
    world_say_ciphertext(alice, conversation, 9, MESSAGE_SEALED_MAX + 1);
    const struct message long_one = world_expect(alice, MESSAGE_UNDELIVERED);
    assert_int_equal(long_one.undelivered.reason, REASON_TEXT_LENGTH);
    assert_int_equal(long_one.undelivered.sequence, 9);
    world_expect_credit(alice, conversation, SAID(MESSAGE_SEALED_MAX + 1));
    world_say_ciphertext(alice, conversation, 10, 16);
    world_expect_closed(alice, REASON_MALFORMED);
    world_settle(w);
    world_expect_presence(bob, "alice", PRESENCE_OFFLINE);
    world_expect_nothing(bob);
}

/* ---- presence ---- */

static void who_is_offline_is_watched_and_told_once(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    world_open(alice, 1, "bob");
    world_settle(w);
    world_expect_refused(alice, 1, REASON_PEER_OFFLINE);
    world_open(alice, 2, "bob");
    world_settle(w);
    world_expect_refused(alice, 2, REASON_PEER_OFFLINE);
    world_expect_nothing(alice);
    struct client *bob = world_login(w, "bob");
    world_settle(w);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    world_expect_nothing(alice);
    world_hang_up(bob);
    (void)world_login(w, "bob");
    world_settle(w);
    world_expect_nothing(alice);
}

static void who_has_left_is_not_watching_any_more(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    world_open(alice, 1, "bob");
    world_settle(w);
    world_expect_refused(alice, 1, REASON_PEER_OFFLINE);
    world_hang_up(alice);
    (void)world_login(w, "bob");
    assert_null(w->mail); /* nobody to tell */
}

static void who_comes_while_the_worker_looks_is_talked_to(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_connect(w);
    world_open(alice, 1, "bob");
    /* The worker looks before bob comes; its answer arrives afterwards. */
    struct job *looked = (struct job *)w->jobs;
    w->jobs = NULL;
    looked->run(looked, &w->accounts);
    world_say_credentials(bob, MESSAGE_LOGIN, "bob", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    (void)world_expect(bob, MESSAGE_WELCOME);
    session_job_done(alice->session, looked);
    looked->destroy(looked);
    world_settle(w);
    (void)world_expect(bob, MESSAGE_GRANT);
    assert_int_equal(world_expect(alice, MESSAGE_GRANT).grant.request, 1);
}

static void when_a_peer_leaves_the_other_is_told_and_told_again_when_it_is_back(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    world_say_ciphertext(alice, conversation, 0, 100); /* on its way when bob hangs up */
    world_hang_up(bob);
    world_settle(w);
    world_expect_credit(alice, conversation, SAID(100));
    world_expect_presence(alice, "bob", PRESENCE_OFFLINE);
    const struct message lost = world_expect(alice, MESSAGE_UNDELIVERED);
    assert_int_equal(lost.undelivered.reason, REASON_PEER_OFFLINE);
    assert_int_equal(lost.undelivered.sequence, 0);
    world_say_ciphertext(alice, conversation, 1, 100);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_PEER_OFFLINE);
    world_expect_credit(alice, conversation, SAID(100));
    struct client *again = world_login(w, "bob");
    world_settle(w);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    (void)world_talk(w, alice, again, 2, "bob");
}

static void a_peer_that_was_taken_over_is_online_but_its_epoch_dead(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    struct client *newer = world_login(w, "bob");
    world_settle(w);
    world_expect_closed(bob, REASON_TAKEN_OVER);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    world_say_ciphertext(alice, conversation, 0, 100);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_PEER_OFFLINE);
    world_expect_credit(alice, conversation, SAID(100));
    world_expect_nothing(newer);
    (void)world_talk(w, newer, alice, 1, "alice");
    world_say_ciphertext(alice, conversation, 0, 100);
    world_settle(w);
    (void)world_expect(newer, MESSAGE_CIPHERTEXT);
}

static void the_news_of_an_older_session_does_not_touch_a_newer_one(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    const struct session_ref old_ref = *session_ref_of(bob->session);
    struct client *newer = world_login(w, "bob");
    world_settle(w);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    (void)world_talk(w, newer, alice, 1, "alice");
    struct mail_leg *late = mail_new(MAIL_PEER_GONE, session_ref_of(alice->session), &old_ref, 0);
    assert_non_null(late);
    late->conversation = conversation;
    w->host.post(w, &late->mail);
    world_settle(w);
    world_expect_nothing(alice);
    world_say_ciphertext(alice, conversation, 0, 100);
    world_settle(w);
    (void)world_expect(newer, MESSAGE_CIPHERTEXT);
}

/* The peer hangs up after the epoch is on record, before its grant arrives: at each possible moment. */
static void the_second_hears_of_an_epoch_once_the_first_has_it_whoever_opens(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    for (uint32_t request = 1; request <= 2; request++) {
        world_open(request == 1 ? alice : bob, request, request == 1 ? "bob" : "alice");
        assert_true(world_run_journal(w));
        assert_true(world_deliver_mail(w)); /* to where the key is made */
        assert_true(world_deliver_mail(w)); /* to the first */
        assert_int_equal(world_expect(alice, MESSAGE_GRANT).grant.request, request == 1 ? 1 : 0);
        world_expect_nothing(bob);
        assert_true(world_deliver_mail(w));
        assert_int_equal(world_expect(bob, MESSAGE_GRANT).grant.request, request == 1 ? 0 : 2);
        assert_false(world_deliver_mail(w));
    }
}

static void an_opener_whose_first_is_gone_by_then_gets_an_answer(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    world_open(bob, 1, "alice");
    assert_true(world_run_journal(w));
    world_hang_up(alice);
    world_settle(w);
    world_expect_refused(bob, 1, REASON_PEER_OFFLINE);
    world_expect_nothing(bob);
}

static void nothing_arrives_from_one_who_is_taken_over_under_a_grant_that_was_dropped(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    world_open(alice, 1, "bob");
    assert_true(world_run_journal(w));
    assert_true(world_deliver_mail(w)); /* to where the key is made */
    /* Her newer session is in the directory; the older one doesn't know yet. */
    struct inbox_item *grants = w->mail;
    w->mail = NULL;
    (void)world_login(w, "alice");
    struct inbox_item *end = w->mail;
    w->mail = grants;
    assert_true(world_deliver_mail(w));
    const uint64_t conversation = world_expect(alice, MESSAGE_GRANT).grant.conversation;
    world_say_ciphertext(alice, conversation, 0, 100);
    assert_true(world_deliver_mail(w)); /* bob's grant: dropped */
    assert_true(world_deliver_mail(w)); /* the ciphertext */
    world_expect_nothing(bob);
    world_settle(w);
    w->mail = end;
    world_settle(w);
    world_expect_closed(alice, REASON_TAKEN_OVER);
    world_expect_nothing(bob);
}

static void a_grant_that_finds_its_peer_gone_leaves_no_leg(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    for (int moment = 0; moment < 3; moment++) {
        struct client *bob = world_login(w, "bob");
        world_settle(w);
        while (alice->sent != NULL) {
            (void)world_expect(alice, MESSAGE_PRESENCE);
        }
        world_open(alice, (uint32_t)moment + 1, "bob");
        assert_true(world_run_journal(w));
        for (int i = 0; i < moment; i++) {
            assert_true(world_deliver_mail(w)); /* the key; alice's grant */
        }
        world_hang_up(bob);
        world_settle(w);
        if (moment < 2) {
            world_expect_refused(alice, (uint32_t)moment + 1, REASON_PEER_OFFLINE);
        } else {
            (void)world_expect(alice, MESSAGE_GRANT);
            world_expect_presence(alice, "bob", PRESENCE_OFFLINE);
        }
        world_expect_nothing(alice);
        assert_int_equal(counter_read(&w->counters.conversations), 0);
    }
    /* And it is watched for. */
    (void)world_login(w, "bob");
    world_settle(w);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
}

static void an_opener_that_is_gone_leaves_its_peer_with_a_dead_epoch(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    world_open(alice, 1, "bob");
    assert_true(world_run_journal(w));
    assert_true(world_deliver_mail(w)); /* the key */
    assert_true(world_deliver_mail(w)); /* alice's grant */
    assert_true(world_deliver_mail(w)); /* bob's */
    (void)world_expect(bob, MESSAGE_GRANT);
    world_hang_up(alice);
    world_settle(w);
    world_expect_presence(bob, "alice", PRESENCE_OFFLINE);
    assert_int_equal(counter_read(&w->counters.conversations), 0);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(both_get_the_same_key_and_the_opener_its_requests_number),
        WORLD_TEST(opening_is_refused_with_the_precise_reason),
        WORLD_TEST(a_requests_number_may_not_be_used_twice_at_once),
        WORLD_TEST(conversations_of_a_session_are_bounded_but_not_their_epochs),
        WORLD_TEST(an_account_opens_so_many_a_minute_in_whatever_sessions),
        WORLD_TEST(who_is_opened_by_too_many_loses_the_one_that_was_silent_longest),
        WORLD_TEST(ciphertexts_are_passed_on_as_they_are_and_others_answered),
        WORLD_TEST(who_is_offline_is_watched_and_told_once),
        WORLD_TEST(who_has_left_is_not_watching_any_more),
        WORLD_TEST(who_comes_while_the_worker_looks_is_talked_to),
        WORLD_TEST(when_a_peer_leaves_the_other_is_told_and_told_again_when_it_is_back),
        WORLD_TEST(a_peer_that_was_taken_over_is_online_but_its_epoch_dead),
        WORLD_TEST(the_news_of_an_older_session_does_not_touch_a_newer_one),
        WORLD_TEST(the_second_hears_of_an_epoch_once_the_first_has_it_whoever_opens),
        WORLD_TEST(an_opener_whose_first_is_gone_by_then_gets_an_answer),
        WORLD_TEST(nothing_arrives_from_one_who_is_taken_over_under_a_grant_that_was_dropped),
        WORLD_TEST(a_grant_that_finds_its_peer_gone_leaves_no_leg),
        WORLD_TEST(an_opener_that_is_gone_leaves_its_peer_with_a_dead_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
