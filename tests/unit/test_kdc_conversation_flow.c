/*
 * test_kdc_conversation_flow.c: the KDC's side of a conversation's window: credit, who is held up, and what was under way when
 * one of the two goes.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/world_talk.h"

/* A client that keeps to its window. */
struct sender {
    struct client *client;
    uint64_t conversation;
    uint64_t sent;
    size_t under_way;
};

static void take_credits(struct sender *sender)
{
    while (sender->client->sent != NULL) {
        const struct message m = world_expect(sender->client, MESSAGE_CREDIT);
        assert_int_equal(m.credit.conversation, sender->conversation);
        assert_true(m.credit.bytes <= sender->under_way);
        sender->under_way -= m.credit.bytes;
    }
}

static bool say_within_the_window(struct sender *sender, size_t sealed)
{
    if (sender->under_way >= CONVERSATION_WINDOW) {
        return false;
    }
    world_say_ciphertext(sender->client, sender->conversation, sender->sent++, sealed);
    sender->under_way += SAID(sealed);
    assert_false(sender->client->held);
    return true;
}

static void what_the_peer_has_taken_is_given_back_in_large_pieces(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    for (uint64_t i = 0; i < 163; i++) {
        world_say_ciphertext(alice, conversation, i, 80);
        world_settle(w);
        (void)world_expect(bob, MESSAGE_CIPHERTEXT);
        if (i + 1 < 163) {
            world_expect_nothing(alice);
        }
    }
    world_expect_credit(alice, conversation, 163 * SAID(80)); /* the first count past 16 KiB */
    world_expect_nothing(alice);
    world_expect_nothing(bob);
}

static void who_keeps_to_the_window_is_never_held_and_talks_with_others_meanwhile(void **state)
{
    struct world *w = *state;
    struct sender alice = { .client = world_login(w, "alice") };
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    alice.conversation = world_talk(w, alice.client, bob, 1, "bob");
    const uint64_t with_carol = world_talk(w, alice.client, carol, 2, "carol");
    bob->waiting = w->config.output_max;
    for (int i = 0; i < 1000; i++) { /* of every length, and as far as the window goes */
        (void)say_within_the_window(&alice, 17 + (size_t)(i * 7919) % (MESSAGE_SEALED_MAX - 17));
        if (i % 3 == 0) {
            world_settle(w);
            take_credits(&alice);
        }
        if (i % 50 == 49) {
            world_settle(w);
            take_credits(&alice);
            assert_true(alice.under_way >= CONVERSATION_WINDOW);
            world_say_ciphertext(alice.client, with_carol, (uint64_t)i, 100);
            assert_false(alice.client->held);
            world_settle(w);
            (void)world_expect(carol, MESSAGE_CIPHERTEXT);
            session_drained(bob->session); /* he has read it all, and goes back to sleep */
            world_settle(w);
            take_credits(&alice);
            assert_true(alice.under_way < CONVERSATION_WINDOW);
        }
    }
    for (uint64_t i = 0; i < alice.sent; i++) {
        assert_int_equal(world_expect(bob, MESSAGE_CIPHERTEXT).ciphertext.sequence, i);
    }
    world_expect_nothing(bob);
}

static void who_goes_past_the_window_is_held_until_there_is_credit_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    uint64_t sent = 0;
    while (sent < 100) { /* bob reads: alice is never held for good */
        world_say_ciphertext(alice, conversation, sent++, 16000);
        world_settle(w);
        assert_false(alice->held);
    }
    bob->waiting = w->config.output_max; /* bob doesn't */
    while (!alice->held) {
        world_say_ciphertext(alice, conversation, sent++, 16000);
        world_settle(w);
        assert_true(sent < 110);
    }
    assert_true(session_is_congested(bob->session));
    bob->waiting = 0;
    session_drained(bob->session);
    world_settle(w);
    assert_false(alice->held);
    assert_false(session_is_congested(bob->session));
    for (uint64_t i = 0; i < sent; i++) {
        assert_int_equal(world_expect(bob, MESSAGE_CIPHERTEXT).ciphertext.sequence, i);
    }
    size_t back = 0;
    while (alice->sent != NULL) {
        back += world_expect(alice, MESSAGE_CREDIT).credit.bytes;
    }
    assert_int_equal(back, sent * SAID(16000));
}

static void who_is_held_up_goes_on_when_the_slow_one_is_gone(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    uint64_t sent = 0;
    bob->waiting = w->config.output_max;
    while (!alice->held) {
        world_say_ciphertext(alice, conversation, sent++, 16000);
        world_settle(w);
        assert_true(sent < 10);
    }
    bob->send_fails = REASON_SLOW_READER;
    world_say_ciphertext(alice, conversation, 99, 100);
    world_settle(w);
    world_expect_closed(bob, REASON_SLOW_READER);
    assert_false(alice->held);
    world_expect_credit(alice, conversation, sent * SAID(16000) + SAID(100));
    world_expect_presence(alice, "bob", PRESENCE_OFFLINE);
}

static void nobody_opens_a_conversation_with_who_does_not_read(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    uint32_t request = 1;
    (void)world_talk(w, alice, bob, request++, "bob");
    bob->waiting = w->config.output_max / 2 + 1;
    (void)world_talk(w, alice, bob, request++, "bob"); /* the grant that is too much */
    assert_true(session_is_congested(bob->session));
    for (unsigned i = 0; i < 3; i++) {
        world_open(alice, request, "bob");
        world_settle(w);
        world_expect_refused(alice, request++, REASON_BUSY);
    }
    world_open(carol, 1, "bob");
    world_settle(w);
    world_expect_refused(carol, 1, REASON_BUSY);
    world_expect_nothing(bob);
    (void)world_talk(w, bob, alice, 1, "alice"); /* what bob asks for himself is his own affair */
    bob->waiting = 0;
    session_drained(bob->session);
    (void)world_talk(w, alice, bob, request++, "bob");
    (void)world_talk(w, carol, bob, 2, "bob");
}

static void a_new_epoch_of_the_same_two_sessions_gives_nothing_back(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    bob->waiting = w->config.output_max;
    for (uint64_t i = 0; i < 3; i++) {
        world_say_ciphertext(alice, conversation, i, 16000);
        world_settle(w);
        (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    }
    assert_false(alice->held);
    assert_int_equal(world_talk(w, bob, alice, 1, "alice"), conversation);
    world_say_ciphertext(alice, conversation, 3, 100); /* past the window that began under the older epoch */
    assert_true(alice->held);
    world_settle(w);
    session_drained(bob->session);
    world_settle(w);
    assert_false(alice->held);
    world_expect_credit(alice, conversation, 3 * SAID(16000) + SAID(100));
}

static void what_was_under_way_to_an_older_session_is_given_back_once(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    const struct session_ref old_ref = *session_ref_of(bob->session);
    bob->waiting = w->config.output_max;
    world_say_ciphertext(alice, conversation, 0, 16000);
    world_say_ciphertext(alice, conversation, 1, 16000);
    world_settle(w);
    /* His newer session opens, and its grant comes before the news of the older one's end. */
    struct client *newer = world_login(w, "bob");
    struct inbox_item *news = w->mail;
    w->mail = NULL;
    world_open(newer, 1, "alice");
    world_settle(w);
    (void)world_expect(newer, MESSAGE_GRANT);
    world_expect_credit(alice, conversation, 2 * SAID(16000));
    (void)world_expect(alice, MESSAGE_GRANT);
    /* A credit of the older one's that was on its way. */
    struct mail_credit *late = mail_new(MAIL_CREDIT, session_ref_of(alice->session), &old_ref, 0);
    assert_non_null(late);
    late->conversation = conversation;
    late->bytes = 30000;
    w->host.post(w, &late->mail);
    world_say_ciphertext(alice, conversation, 2, 100);
    world_settle(w);
    (void)world_expect(newer, MESSAGE_CIPHERTEXT);
    world_expect_nothing(alice);
    w->mail = news;
    world_settle(w);
    world_expect_closed(bob, REASON_TAKEN_OVER);
    world_expect_nothing(alice);
}

static void a_conversation_that_makes_way_gives_back_what_was_under_way_in_both_directions(void **state)
{
    struct world *w = *state;
    w->config.conversations_max = 1;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    const uint64_t with_bob = world_talk(w, alice, bob, 1, "bob");
    world_say_ciphertext(alice, with_bob, 0, 200);
    world_say_ciphertext(bob, with_bob, 0, 300);
    world_settle(w);
    (void)world_expect(alice, MESSAGE_CIPHERTEXT);
    (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    world_open(carol, 1, "alice");
    world_settle(w);
    (void)world_expect(carol, MESSAGE_GRANT);
    world_expect_credit(alice, with_bob, SAID(200));
    (void)world_expect(alice, MESSAGE_GRANT);
    world_expect_credit(bob, with_bob, SAID(300));
    world_expect_presence(bob, "alice", PRESENCE_ONLINE);
    world_expect_nothing(alice);
    world_expect_nothing(bob);
}

/* The bytes that a leg owes when it ends by news that are late: the sender's leg lives on, and must not wait for them. */
static void what_a_leg_owes_is_told_when_it_ends(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    bob->waiting = w->config.output_max;
    world_say_ciphertext(alice, conversation, 0, 16000);
    world_say_ciphertext(alice, conversation, 1, 16000);
    world_settle(w);
    world_expect_nothing(alice);
    struct mail_leg *stale = mail_new(MAIL_PEER_GONE, session_ref_of(bob->session), session_ref_of(alice->session), 0);
    assert_non_null(stale);
    stale->conversation = conversation;
    w->host.post(w, &stale->mail);
    world_settle(w);
    world_expect_credit(alice, conversation, 2 * SAID(16000));
    world_expect_nothing(alice);
}

static void nobody_gets_credit_for_what_it_did_not_say(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = world_talk(w, alice, bob, 1, "bob");
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            world_say_ciphertext(alice, conversation, 0, 100);
        }
        struct mail_credit *mail =
            mail_new(MAIL_CREDIT, session_ref_of(alice->session), session_ref_of(bob->session), 0);
        assert_non_null(mail);
        mail->conversation = conversation;
        mail->bytes = 30000;
        w->host.post(w, &mail->mail);
        world_settle(w);
        if (round == 0) {
            world_expect_credit(alice, conversation, SAID(100));
        }
        world_expect_nothing(alice);
    }
}

static void a_session_that_ends_over_giving_back_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    w->config.conversations_max = 1;
    for (int how = 0; how < 2; how++) {
        struct client *alice = world_login(w, "alice");
        struct client *bob = world_login(w, "bob");
        const uint64_t with_bob = world_talk(w, alice, bob, 1, "bob");
        world_say_ciphertext(alice, with_bob, 0, 200);
        world_settle(w);
        if (how == 0) { /* her leg makes way for another */
            struct client *carol = world_login(w, "carol");
            world_open(carol, 1, "alice");
            alice->send_fails = REASON_SLOW_READER;
            world_settle(w);
            world_hang_up(carol);
        } else { /* it is turned to a newer session of bob's */
            struct client *newer = world_login(w, "bob");
            struct inbox_item *news = w->mail;
            w->mail = NULL;
            world_open(newer, 1, "alice");
            alice->send_fails = REASON_SLOW_READER;
            world_settle(w);
            w->mail = news;
            world_settle(w);
            world_hang_up(newer);
        }
        world_expect_closed(alice, REASON_SLOW_READER);
        world_hang_up(alice);
        if (how == 0) {
            world_hang_up(bob);
        }
        world_settle(w);
        assert_int_equal(directory_count(w->host.directory), 0);
        assert_int_equal(counter_read(&w->counters.conversations), 0);
    }
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_the_peer_has_taken_is_given_back_in_large_pieces),
        WORLD_TEST(who_keeps_to_the_window_is_never_held_and_talks_with_others_meanwhile),
        WORLD_TEST(who_goes_past_the_window_is_held_until_there_is_credit_and_loses_nothing),
        WORLD_TEST(who_is_held_up_goes_on_when_the_slow_one_is_gone),
        WORLD_TEST(nobody_opens_a_conversation_with_who_does_not_read),
        WORLD_TEST(a_new_epoch_of_the_same_two_sessions_gives_nothing_back),
        WORLD_TEST(what_was_under_way_to_an_older_session_is_given_back_once),
        WORLD_TEST(a_conversation_that_makes_way_gives_back_what_was_under_way_in_both_directions),
        WORLD_TEST(what_a_leg_owes_is_told_when_it_ends),
        WORLD_TEST(nobody_gets_credit_for_what_it_did_not_say),
        WORLD_TEST(a_session_that_ends_over_giving_back_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
