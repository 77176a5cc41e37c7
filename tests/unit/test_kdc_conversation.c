/*
 * test_kdc_conversation.c: the KDC's side of conversations: grants, ciphertexts, presence and flow, with deliveries in every
 * order that matters.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"

#include <string.h>

static int set_up(void **state)
{
    struct world *w = world_new();
    world_add_account(w, "alice", USER_ACTIVE);
    world_add_account(w, "bob", USER_ACTIVE);
    world_add_account(w, "carol", USER_ACTIVE);
    world_add_account(w, "locked", USER_LOCKED);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

/* Opens and takes both grants; tells the conversation's number. */
static uint64_t talk(struct world *w, struct client *a, struct client *b, uint32_t request, const char *b_name)
{
    world_open(a, request, b_name);
    world_settle(w);
    assert_int_equal(world_expect(b, MESSAGE_GRANT).grant.request, 0);
    const struct message m = world_expect(a, MESSAGE_GRANT);
    assert_int_equal(m.grant.request, request);
    return m.grant.conversation;
}

/* What a ciphertext message with so much sealed counts in its window: type and body. */
#define SAID(sealed) ((sealed) + 21u)

static void expect_credit(struct client *c, uint64_t conversation, size_t bytes)
{
    const struct message m = world_expect(c, MESSAGE_CREDIT);
    assert_int_equal(m.credit.conversation, conversation);
    assert_int_equal(m.credit.bytes, bytes);
}

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
    (void)talk(w, bob, alice, 1, "alice");
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
    (void)talk(w, alice, bob, 1, "bob");
    world_open(alice, 2, "carol");
    world_settle(w);
    world_expect_refused(alice, 2, REASON_TOO_MANY);
    (void)talk(w, alice, bob, 3, "bob");
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
    const uint64_t with_bob = talk(w, bob, alice, 1, "alice");
    const uint64_t with_carol = talk(w, carol, alice, 1, "alice");
    world_say_ciphertext(alice, with_bob, 0, 100);
    (void)talk(w, dave, alice, 1, "alice");
    /* Carol hears that the epoch is dead; a new one can be opened. */
    world_expect_presence(carol, "alice", PRESENCE_ONLINE);
    world_say_ciphertext(alice, with_carol, 0, 100);
    world_settle(w);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_NO_CONVERSATION);
    expect_credit(alice, with_carol, SAID(100));
    (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    world_expect_nothing(bob);
}

static void ciphertexts_are_passed_on_as_they_are_and_others_answered(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    world_say_ciphertext(alice, conversation, 5, 321);
    world_settle(w);
    const struct message m = world_expect(bob, MESSAGE_CIPHERTEXT);
    assert_int_equal(m.ciphertext.sequence, 5);
    assert_int_equal(m.ciphertext.sealed.len, 321);
    world_say_ciphertext(alice, conversation + 1, 6, 100);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_NO_CONVERSATION);
    expect_credit(alice, conversation + 1, SAID(100));
    world_say_ciphertext(carol, conversation, 7, 100); /* somebody else's */
    assert_int_equal(world_expect(carol, MESSAGE_UNDELIVERED).undelivered.reason, REASON_NO_CONVERSATION);
    expect_credit(carol, conversation, SAID(100));
    world_say_ciphertext(alice, conversation, 8, MESSAGE_SEALED_MAX);
    world_settle(w);
    (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    expect_credit(alice, conversation, SAID(321) + SAID(MESSAGE_SEALED_MAX));
    world_say_ciphertext(alice, conversation, 9, MESSAGE_SEALED_MAX + 1);
    const struct message long_one = world_expect(alice, MESSAGE_UNDELIVERED);
    assert_int_equal(long_one.undelivered.reason, REASON_TEXT_LENGTH);
    assert_int_equal(long_one.undelivered.sequence, 9);
    expect_credit(alice, conversation, SAID(MESSAGE_SEALED_MAX + 1));
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
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    world_say_ciphertext(alice, conversation, 0, 100); /* on its way when bob hangs up */
    world_hang_up(bob);
    world_settle(w);
    expect_credit(alice, conversation, SAID(100));
    world_expect_presence(alice, "bob", PRESENCE_OFFLINE);
    const struct message lost = world_expect(alice, MESSAGE_UNDELIVERED);
    assert_int_equal(lost.undelivered.reason, REASON_PEER_OFFLINE);
    assert_int_equal(lost.undelivered.sequence, 0);
    world_say_ciphertext(alice, conversation, 1, 100);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_PEER_OFFLINE);
    expect_credit(alice, conversation, SAID(100));
    struct client *again = world_login(w, "bob");
    world_settle(w);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    (void)talk(w, alice, again, 2, "bob");
}

static void a_peer_that_was_taken_over_is_online_but_its_epoch_dead(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    struct client *newer = world_login(w, "bob");
    world_settle(w);
    world_expect_closed(bob, REASON_TAKEN_OVER);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    world_say_ciphertext(alice, conversation, 0, 100);
    assert_int_equal(world_expect(alice, MESSAGE_UNDELIVERED).undelivered.reason, REASON_PEER_OFFLINE);
    expect_credit(alice, conversation, SAID(100));
    world_expect_nothing(newer);
    (void)talk(w, newer, alice, 1, "alice");
    world_say_ciphertext(alice, conversation, 0, 100);
    world_settle(w);
    (void)world_expect(newer, MESSAGE_CIPHERTEXT);
}

static void the_news_of_an_older_session_does_not_touch_a_newer_one(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    const struct session_ref old_ref = *session_ref_of(bob->session);
    struct client *newer = world_login(w, "bob");
    world_settle(w);
    world_expect_presence(alice, "bob", PRESENCE_ONLINE);
    (void)talk(w, newer, alice, 1, "alice");
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
        assert_true(world_deliver_mail(w)); /* to the owner */
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
    assert_true(world_deliver_mail(w)); /* to the owner */
    /* Her newer session is in the directory; the older one doesn't know yet. */
    struct mailbox_item *grants = w->mail;
    w->mail = NULL;
    (void)world_login(w, "alice");
    struct mailbox_item *end = w->mail;
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
            assert_true(world_deliver_mail(w)); /* the owner; alice's grant */
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
    assert_true(world_deliver_mail(w)); /* the owner */
    assert_true(world_deliver_mail(w)); /* alice's grant */
    assert_true(world_deliver_mail(w)); /* bob's */
    (void)world_expect(bob, MESSAGE_GRANT);
    world_hang_up(alice);
    world_settle(w);
    world_expect_presence(bob, "alice", PRESENCE_OFFLINE);
    assert_int_equal(counter_read(&w->counters.conversations), 0);
}

/* ---- flow ---- */

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
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    for (uint64_t i = 0; i < 163; i++) {
        world_say_ciphertext(alice, conversation, i, 80);
        world_settle(w);
        (void)world_expect(bob, MESSAGE_CIPHERTEXT);
        if (i + 1 < 163) {
            world_expect_nothing(alice);
        }
    }
    expect_credit(alice, conversation, 163 * SAID(80)); /* the first count past 16 KiB */
    world_expect_nothing(alice);
    world_expect_nothing(bob);
}

static void who_keeps_to_the_window_is_never_held_and_talks_with_others_meanwhile(void **state)
{
    struct world *w = *state;
    struct sender alice = { .client = world_login(w, "alice") };
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    alice.conversation = talk(w, alice.client, bob, 1, "bob");
    const uint64_t with_carol = talk(w, alice.client, carol, 2, "carol");
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
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
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
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
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
    expect_credit(alice, conversation, sent * SAID(16000) + SAID(100));
    world_expect_presence(alice, "bob", PRESENCE_OFFLINE);
}

static void nobody_opens_a_conversation_with_who_does_not_read(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    struct client *carol = world_login(w, "carol");
    uint32_t request = 1;
    (void)talk(w, alice, bob, request++, "bob");
    bob->waiting = w->config.output_max / 2 + 1;
    (void)talk(w, alice, bob, request++, "bob"); /* the grant that is too much */
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
    (void)talk(w, bob, alice, 1, "alice"); /* what bob asks for himself is his own affair */
    bob->waiting = 0;
    session_drained(bob->session);
    (void)talk(w, alice, bob, request++, "bob");
    (void)talk(w, carol, bob, 2, "bob");
}

static void a_new_epoch_of_the_same_two_sessions_gives_nothing_back(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    bob->waiting = w->config.output_max;
    for (uint64_t i = 0; i < 3; i++) {
        world_say_ciphertext(alice, conversation, i, 16000);
        world_settle(w);
        (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    }
    assert_false(alice->held);
    assert_int_equal(talk(w, bob, alice, 1, "alice"), conversation);
    world_say_ciphertext(alice, conversation, 3, 100); /* past the window that began under the older epoch */
    assert_true(alice->held);
    world_settle(w);
    session_drained(bob->session);
    world_settle(w);
    assert_false(alice->held);
    expect_credit(alice, conversation, 3 * SAID(16000) + SAID(100));
}

static void what_was_under_way_to_an_older_session_is_given_back_once(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
    const struct session_ref old_ref = *session_ref_of(bob->session);
    bob->waiting = w->config.output_max;
    world_say_ciphertext(alice, conversation, 0, 16000);
    world_say_ciphertext(alice, conversation, 1, 16000);
    world_settle(w);
    /* His newer session opens, and its grant comes before the news of the older one's end. */
    struct client *newer = world_login(w, "bob");
    struct mailbox_item *news = w->mail;
    w->mail = NULL;
    world_open(newer, 1, "alice");
    world_settle(w);
    (void)world_expect(newer, MESSAGE_GRANT);
    expect_credit(alice, conversation, 2 * SAID(16000));
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
    const uint64_t with_bob = talk(w, alice, bob, 1, "bob");
    world_say_ciphertext(alice, with_bob, 0, 200);
    world_say_ciphertext(bob, with_bob, 0, 300);
    world_settle(w);
    (void)world_expect(alice, MESSAGE_CIPHERTEXT);
    (void)world_expect(bob, MESSAGE_CIPHERTEXT);
    world_open(carol, 1, "alice");
    world_settle(w);
    (void)world_expect(carol, MESSAGE_GRANT);
    expect_credit(alice, with_bob, SAID(200));
    (void)world_expect(alice, MESSAGE_GRANT);
    expect_credit(bob, with_bob, SAID(300));
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
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
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
    expect_credit(alice, conversation, 2 * SAID(16000));
    world_expect_nothing(alice);
}

static void nobody_gets_credit_for_what_it_did_not_say(void **state)
{
    struct world *w = *state;
    struct client *alice = world_login(w, "alice");
    struct client *bob = world_login(w, "bob");
    const uint64_t conversation = talk(w, alice, bob, 1, "bob");
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
            expect_credit(alice, conversation, SAID(100));
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
        const uint64_t with_bob = talk(w, alice, bob, 1, "bob");
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
            struct mailbox_item *news = w->mail;
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

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    log_set(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        WORLD_TEST(both_get_the_same_key_and_the_opener_its_requests_number),
        WORLD_TEST(opening_is_refused_with_the_precise_reason),
        WORLD_TEST(a_requests_number_may_not_be_used_twice_at_once),
        WORLD_TEST(conversations_of_a_session_are_bounded_but_not_their_epochs),
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
    return cmocka_run_group_tests_name("kdc_conversation", tests, NULL, NULL);
}
