/* test_core_epochs.c: a client's core that comes back to its conversations, and their epochs: nothing lost, nothing twice. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <stdio.h>
#include <string.h>

/* ---- coming back ---- */

static void after_a_cut_everything_unacknowledged_goes_again_in_order(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    for (unsigned i = 1; i <= 4; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "text %u", i);
        assert_int_equal(alice_says(rig, "bob", text), i);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_hears_kind(rig, CONTENT_TEXT);
    bob_received(rig, 2);
    assert_delivered(rig, 2);
    rig_cut(rig);
    assert_int_equal(alice_says(rig, "bob", "text 5"), 5);
    alice_comes_back(rig);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    assert_hears(rig, 3, "text 3");
    assert_hears(rig, 4, "text 4");
    assert_hears(rig, 5, "text 5");
    assert_true(rig_silent(rig));
    bob_received(rig, 5);
    assert_delivered(rig, 5);
}

static void after_a_cut_a_conversation_that_was_open_is_opened_again(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    alice_comes_back(rig);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    /* The other one may be quicker: then there is no need. */
    alice_comes_back(rig);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 3, "bob", "alice", "bob"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_OPENED);
    assert_non_null(e);
    assert_true(e->by_peer);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_true(rig_silent(rig));
}

static void who_isnt_back_yet_is_told_as_away_not_as_refused(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    alice_comes_back(rig);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_OFFLINE, 0), KC_OK);
    assert_presence(rig, "bob", false);
    kdc_tells_presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
}

static void a_peer_that_goes_and_comes_gets_what_is_missing(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    (void)alice_says(rig, "bob", "one");
    assert_hears(rig, 1, "one");
    kdc_tells_presence(rig, "bob", false);
    assert_presence(rig, "bob", false);
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_true(rig_silent(rig));
    kdc_tells_presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    assert_hears(rig, 1, "one");
    bob_received(rig, 1);
    assert_delivered(rig, 1);
    /* With nothing on the way too, but not in a hurry. */
    kdc_tells_presence(rig, "bob", false);
    kdc_tells_presence(rig, "bob", true);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_OPEN));
}

static void a_stranger_who_comes_and_goes_is_told_and_not_kept(void **state)
{
    struct rig *rig = *state;
    kdc_tells_presence(rig, "carol", true);
    assert_presence(rig, "carol", true);
    kdc_tells_presence(rig, "carol", false);
    assert_presence(rig, "carol", false);
    assert_int_equal(rig_wait(rig, 10000), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(rig->core->peer_count, 0);
}

static void many_conversations_are_opened_again_a_few_at_a_time(void **state)
{
    struct rig *rig = *state;
    rig_cut(rig);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "user%03u", i);
        (void)alice_says(rig, name, "hello");
    }
    alice_comes_back(rig);
    for (unsigned i = 0; i < 100; i++) {
        unsigned waiting = 0;
        for (const struct rig_message *m = rig->first; m != NULL; m = m->next)
            waiting += m->m.type == MESSAGE_OPEN ? 1 : 0;
        assert_int_equal(waiting, i < 100 - OPENS_MAX ? OPENS_MAX : 100 - i);
        const struct message *open = rig_take(rig, MESSAGE_OPEN);
        assert_non_null(open);
        assert_int_equal(kdc_refuses(rig, open->open.request, REASON_NO_SUCH_USER, 0), KC_OK);
        assert_non_null(rig_event(rig, KC_EVENT_REFUSED));
    }
    assert_int_equal(core_undelivered(rig->core, NULL), 0);
    assert_true(rig_silent(rig));
}

/* ---- epochs ---- */

static void what_was_under_way_under_the_epoch_before_still_arrives(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    struct epoch *before = rig->peer;
    rig->peer = NULL;
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 2, "bob", "alice", "bob"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_OPENED));
    struct epoch *newest = rig->peer;
    assert_hears_kind(rig, CONTENT_CONFIRM);

    rig->peer = before;
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "late"), KC_OK);
    assert_text(rig, "late");
    rig->peer = newest;
    assert_receipt(rig, INSTANCE, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_CONFIRM, 0, 0, NULL), KC_OK);
    /* Now the one before is gone: nothing comes of it, and nobody is asked to repair it. */
    rig->peer = before;
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 2, "too late"), KC_OK);
    rig->peer = newest;
    epoch_free(&before);
    assert_true(rig_quiet(rig));
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 2, "too late"), KC_OK);
    assert_text(rig, "too late");
}

static void an_epoch_that_isnt_newer_is_ignored(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 3);
    struct epoch *third = rig->peer;
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        rig->peer = NULL;
        assert_int_equal(rig_grant(rig, 0, CONVERSATION, epoch, "bob", "alice", "bob"), KC_OK);
        epoch_free(&rig->peer);
        assert_true(rig_quiet(rig));
        assert_true(rig_silent(rig));
    }
    rig->peer = third;
    (void)alice_says(rig, "bob", "still the third");
    assert_hears(rig, 1, "still the third");
    /* Nor after a cut. */
    alice_comes_back(rig);
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 3, "bob", "alice", "bob"), KC_OK);
    assert_true(rig_quiet(rig));
}

static void grants_that_make_no_sense_end_the_connection(void **state)
{
    struct rig *rig = *state;
    static const struct {
        uint32_t request;
        const char *a, *b;
    } cases[] = {
        { 0, "bob", "carol" }, { 0, "alice", "alice" }, { 99, "alice", "bob" }, /* nobody asked */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rig_grant(rig, cases[i].request, CONVERSATION, 9, cases[i].a, cases[i].b, "bob"), KC_PROTOCOL);
        const struct message *m = rig_take(rig, MESSAGE_CLOSE);
        assert_non_null(m);
        assert_int_equal(m->close.reason, REASON_MALFORMED);
        alice_comes_back(rig);
    }
    /* A request of ours, but for somebody else. */
    assert_int_equal(core_open(rig->core, "bob"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    uint32_t request = kdc_takes_open(rig, "bob");
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 9, "alice", "carol", "carol"), KC_PROTOCOL);
    alice_comes_back(rig);
    /* A weak key. */
    uint8_t weak[24];
    memset(weak, 1, sizeof(weak));
    struct message m = { .type = MESSAGE_GRANT,
                         .grant = { .conversation = CONVERSATION,
                                    .epoch = 9,
                                    .a = rig_name("bob"),
                                    .b = rig_name("alice"),
                                    .session_a = RIG_PEER_SESSION,
                                    .session_b = RIG_SESSION,
                                    .suite = SUITE_3DES_CBC_HMAC_SHA512,
                                    .key = { weak, sizeof(weak) } } };
    assert_int_equal(rig_tell(rig, &m), KC_PROTOCOL);
    alice_comes_back(rig);
    /* A good key, but for an earlier session of ours. */
    memset(weak, 0, sizeof(weak));
    assert_int_equal(suite_issue_key(suite_by_id(SUITE_3DES_CBC_HMAC_SHA512), &rig->random.rng, weak), 0);
    m.grant.session_b = RIG_SESSION - 1;
    assert_int_equal(rig_tell(rig, &m), KC_PROTOCOL);
    alice_comes_back(rig);
    /* Two people, one number. */
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 10, "alice", "bob"), 0);
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 11, "carol", "alice", "carol"), KC_PROTOCOL);
}

static void a_message_that_doesnt_open_leads_to_one_new_epoch(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    for (uint64_t i = 0; i < 3; i++) {
        uint8_t junk[64] = { 0 };
        struct message m = { .type = MESSAGE_CIPHERTEXT,
                             .ciphertext = { CONVERSATION, 1, 1 + i, { junk, sizeof(junk) } } };
        assert_int_equal(rig_tell(rig, &m), KC_OK);
        if (i == 0)
            assert_int_equal(rig_grant(rig, kdc_takes_open(rig, "bob"), CONVERSATION, 1, "alice", "bob", "bob"), KC_OK);
    }
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
    /* The next epoch may be repaired too, but not in a hurry. */
    alice_opens_with_bob(rig, 2);
    uint8_t junk[64] = { 0 };
    struct message m = { .type = MESSAGE_CIPHERTEXT, .ciphertext = { CONVERSATION, 2, 0, { junk, sizeof(junk) } } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, OPEN_PAUSE_MS), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 3, "alice", "bob"), 0);
    /* One under an epoch that never came, likewise. */
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    m.ciphertext.epoch = 8;
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 9, "alice", "bob"), 0);
    /* One of no conversation means nothing. */
    m.ciphertext.conversation = 1234;
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
}

static void what_couldnt_be_delivered_goes_under_a_new_epoch(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    (void)alice_says(rig, "bob", "one");
    assert_hears(rig, 1, "one");
    struct message m = { .type = MESSAGE_UNDELIVERED, .undelivered = { CONVERSATION, 1, 1, REASON_NO_CONVERSATION } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(rig_wait(rig, OPEN_PAUSE_MS), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    assert_hears(rig, 1, "one");
    /* What is told of an epoch before means nothing. */
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
    m.undelivered.epoch = 2;
    m.undelivered.reason = REASON_PEER_OFFLINE;
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_OFFLINE, 0), KC_OK);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    kdc_tells_presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_open(rig, CONVERSATION, 3, "alice", "bob"), 0);
    assert_hears(rig, 1, "one");
}

/* Bob acknowledges each text until alice asks for a new epoch: how many she sent. */
static unsigned texts_until_rekey(struct rig *rig, unsigned most)
{
    for (unsigned i = 1; i <= most; i++) {
        uint64_t number = alice_says(rig, "bob", "x");
        assert_hears(rig, number, "x");
        if (rig->first != NULL)
            return i;
        assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
        bob_received(rig, number);
    }
    return 0;
}

static void a_new_epoch_is_asked_for_after_so_many_messages(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    unsigned sent = texts_until_rekey(rig, 1001);
    assert_in_range(sent, 875, 1000);
    /* Nothing stops until it is there; what is under way goes again. */
    uint32_t request = kdc_takes_open(rig, "bob");
    uint64_t number = alice_says(rig, "bob", "meanwhile");
    assert_hears(rig, number, "meanwhile");
    rig->event_at = rig->event_count;
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 2, "alice", "bob", "bob"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_OPENED));
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_hears(rig, number - 1, "x");
    assert_hears(rig, number, "meanwhile");
    assert_true(rig_silent(rig));
}

static void a_new_epoch_is_asked_for_after_so_much_time_if_the_old_one_served(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    rig->core->ping_ms = 0;
    assert_int_equal(rig_wait(rig, 4000000), KC_OK);
    assert_true(rig_silent(rig));
    (void)alice_says(rig, "bob", "x");
    assert_hears(rig, 1, "x");
    assert_int_equal(rig_wait(rig, 0), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    assert_hears(rig, 1, "x");
    assert_int_equal(rig_wait(rig, 3149000), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 451000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 3, "alice", "bob"), 0);
}

static void every_suite_serves_a_conversation(void **state)
{
    static const uint16_t ids[] = { SUITE_3DES_CBC_HMAC_SHA512, SUITE_CHACHA20_POLY1305, SUITE_AES_256_GCM };
    struct rig *rig = *state;
    for (uint32_t i = 0; i < 3; i++) {
        rig->conversation_suite = ids[i];
        alice_opens_with_bob(rig, 1 + i);
        uint64_t number = alice_says(rig, "bob", "hello");
        assert_hears(rig, number, "hello");
        bob_received(rig, number);
        assert_delivered(rig, number);
        assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1 + i, "hello too"), KC_OK);
        assert_text(rig, "hello too");
        assert_receipt(rig, INSTANCE, 1 + i);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin_in, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_a_cut_everything_unacknowledged_goes_again_in_order),
        TEST(after_a_cut_a_conversation_that_was_open_is_opened_again),
        TEST(who_isnt_back_yet_is_told_as_away_not_as_refused),
        TEST(a_peer_that_goes_and_comes_gets_what_is_missing),
        TEST(a_stranger_who_comes_and_goes_is_told_and_not_kept),
        TEST(many_conversations_are_opened_again_a_few_at_a_time),
        TEST(what_was_under_way_under_the_epoch_before_still_arrives),
        TEST(an_epoch_that_isnt_newer_is_ignored),
        TEST(grants_that_make_no_sense_end_the_connection),
        TEST(a_message_that_doesnt_open_leads_to_one_new_epoch),
        TEST(what_couldnt_be_delivered_goes_under_a_new_epoch),
        TEST(a_new_epoch_is_asked_for_after_so_many_messages),
        TEST(a_new_epoch_is_asked_for_after_so_much_time_if_the_old_one_served),
        TEST(every_suite_serves_a_conversation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
