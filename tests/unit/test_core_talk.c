/* test_core_talk.c: texts that a client's core sends: the conversation opened when needed, its window, refusals. What arrives:
 * test_core_receive.c; cuts and new keys: test_core_epochs.c. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sending ---- */

static void a_text_opens_a_conversation_goes_and_is_delivered(void **state)
{
    struct rig *rig = *state;
    core_set_trace(rig->core, true);
    (void)snprintf(rig->forbidden, sizeof(rig->forbidden), "hello");
    assert_int_equal(alice_says(rig, "Bob", "hello"), 1);
    uint32_t request = kdc_takes_open(rig, "bob");
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 1, "alice", "bob", "bob"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_OPENED);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_int_equal(e->conversation, CONVERSATION);
    assert_int_equal(e->epoch, 1);
    assert_false(e->by_peer);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_hears(rig, 1, "hello");
    assert_int_equal(alice_says(rig, "bob", "again"), 2);
    assert_hears(rig, 2, "again");
    assert_int_equal(core_undelivered(rig->core, "bob"), 2);
    bob_received(rig, 2);
    assert_delivered(rig, 2);
    assert_int_equal(core_undelivered(rig->core, NULL), 0);
    bob_received(rig, 2);
    assert_true(rig_quiet(rig));
    assert_true(rig_silent(rig));
}

static void texts_are_judged_before_they_are_taken(void **state)
{
    struct rig *rig = *state;
    char *text = malloc(KC_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, 'x', KC_TEXT_MAX + 1);
    assert_int_equal(core_send(rig->core, "b b", "x", 1, NULL), KC_BAD_NAME);
    assert_int_equal(core_send(rig->core, "bob", "", 0, NULL), KC_BAD_TEXT);
    assert_int_equal(core_send(rig->core, "bob", "\xff", 1, NULL), KC_BAD_TEXT);
    assert_int_equal(core_send(rig->core, "bob", text, KC_TEXT_MAX + 1, NULL), KC_BAD_TEXT);
    assert_int_equal(core_undelivered(rig->core, NULL), 0);
    assert_int_equal(core_send(rig->core, "bob", text, KC_TEXT_MAX, NULL), KC_OK);
    for (unsigned i = 1; i < OUTBOX_BYTES_MAX / KC_TEXT_MAX; i++)
        assert_int_equal(core_send(rig->core, "bob", text, KC_TEXT_MAX, NULL), KC_OK);
    assert_int_equal(core_send(rig->core, "bob", "x", 1, NULL), KC_OUTBOX_FULL);
    assert_int_equal(core_discard(rig->core, "carol"), 0);
    assert_int_equal(core_discard(rig->core, "BOB"), OUTBOX_BYTES_MAX / KC_TEXT_MAX);
    assert_int_equal(core_undelivered(rig->core, "bob"), 0);
    free(text);
}

static void a_text_before_login_waits_for_it(void **state)
{
    struct rig *rig = *state;
    rig_cut(rig);
    (void)alice_says(rig, "bob", "early");
    alice_comes_back(rig);
    assert_int_equal(rig_open(rig, CONVERSATION, 1, "alice", "bob"), 0);
    assert_hears(rig, 1, "early");
}

static void a_window_of_texts_is_under_way_at_once(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    for (unsigned i = 1; i <= 100; i++)
        assert_int_equal(alice_says(rig, "bob", "x"), i);
    for (unsigned i = 1; i <= OUTBOX_WINDOW; i++)
        assert_hears(rig, i, "x");
    assert_true(rig_silent(rig));
    bob_received(rig, 10);
    assert_delivered(rig, 10);
    for (unsigned i = OUTBOX_WINDOW + 1; i <= OUTBOX_WINDOW + 10; i++)
        assert_hears(rig, i, "x");
    assert_true(rig_silent(rig));
}

#define FRIENDS 12

/* What the client has sent to the friend of that number, the confirm not counted; all of it is taken out, in order. */
static void count_texts(struct rig *rig, unsigned texts[FRIENDS])
{
    const struct message *m;
    while ((m = rig_take(rig, MESSAGE_CIPHERTEXT)) != NULL) {
        assert_in_range(m->ciphertext.conversation, 0, FRIENDS - 1);
        assert_int_equal(m->ciphertext.sequence, ++texts[m->ciphertext.conversation]);
    }
}

static void a_host_that_writes_slowly_is_not_buried(void **state)
{
    struct rig *rig = *state;
    size_t most = 0;
    char friend[FRIENDS][8];
    unsigned texts[FRIENDS] = { 0 };
    char *text = malloc(KC_TEXT_MAX);
    assert_non_null(text);
    memset(text, 'x', KC_TEXT_MAX);
    for (unsigned i = 0; i < FRIENDS; i++) {
        (void)snprintf(friend[i], sizeof(friend[i]), "f%u", i);
        assert_int_equal(core_open(rig->core, friend[i]), KC_OK);
        assert_int_equal(rig_carry(rig), KC_OK);
        assert_int_equal(rig_open(rig, i, 1, "alice", friend[i]), 0);
    }
    for (unsigned i = 0; i < 2 * FRIENDS; i++) {
        assert_int_equal(core_send(rig->core, friend[i / 2], text, KC_TEXT_MAX, NULL), KC_OK);
        most = buffer_len(core_output(rig->core)) > most ? buffer_len(core_output(rig->core)) : most;
    }
    free(text);
    assert_true(most > OUTPUT_TEXT_LIMIT);
    assert_true(most < OUTPUT_TEXT_LIMIT + 2 * KC_TEXT_MAX);
    assert_true(core_next_tick(rig->core) > rig->now);
    assert_int_equal(rig_carry(rig), KC_OK); /* written: the next ones have their turn */
    assert_int_equal(core_next_tick(rig->core), rig->now);
    assert_int_equal(rig_wait(rig, 0), KC_OK);
    count_texts(rig, texts);
    for (unsigned i = 0; i < FRIENDS; i++)
        assert_int_equal(texts[i], 2);
    assert_true(core_next_tick(rig->core) > rig->now);
}

/* ---- the window of a conversation ---- */

/* Sends texts of a kibibyte; how many of them the peer hears now. */
static unsigned say_kibibytes(struct rig *rig, const char *to, unsigned count)
{
    char text[1024];
    unsigned heard = 0;
    struct content content;
    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(core_send(rig->core, to, text, sizeof(text), NULL), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    while (rig_peer_hears(rig, &content)) {
        assert_int_equal(content.kind, CONTENT_TEXT);
        heard++;
    }
    return heard;
}

static unsigned hears_texts(struct rig *rig)
{
    return say_kibibytes(rig, "bob", 0);
}

static void what_no_credit_has_come_for_is_bounded_and_texts_wait_in_the_outbox(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 50), 30); /* the 30th passes 32,768 bytes, and then it's enough */
    assert_in_range(rig->heard, CONVERSATION_WINDOW, CONVERSATION_WINDOW + 1200);
    assert_int_equal(core_undelivered(rig->core, "bob"), 50);
    assert_true(core_next_tick(rig->core) > rig->now); /* nothing to do but to wait */
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(hears_texts(rig), 0);
    bob_received(rig, 30); /* that they arrived doesn't mean that there is room at the KDC */
    assert_delivered(rig, 30);
    assert_int_equal(hears_texts(rig), 0);
    assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
    assert_int_equal(hears_texts(rig), 20);
    assert_true(rig_quiet(rig));
}

static void a_credit_of_some_bytes_lets_so_many_go(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 60), 30);
    size_t over = rig->heard - CONVERSATION_WINDOW;
    struct message m = { .type = MESSAGE_CREDIT, .credit = { CONVERSATION, (uint32_t)over } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(hears_texts(rig), 0); /* 32,768 are under way, still */
    m.credit.bytes = 1;
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(hears_texts(rig), 1);
    /* Of a conversation that there isn't, and more than there was to give back: nothing happens. */
    m.credit.conversation = CONVERSATION + 1;
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(hears_texts(rig), 0);
    m.credit = (struct message_credit){ CONVERSATION, UINT32_MAX };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(hears_texts(rig), 29);
    bob_received(rig, 60);
    assert_delivered(rig, 60);
    m.credit.bytes = UINT32_MAX;
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(say_kibibytes(rig, "bob", 60), 30); /* no more than with an empty window */
}

static void another_conversation_goes_on_while_one_waits(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 50), 30);
    assert_int_equal(core_open(rig->core, "carol"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION + 1, 1, "alice", "carol"), 0);
    rig->heard = 0;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(say_kibibytes(rig, "carol", 10), 10);
        assert_int_equal(rig_give_back(rig, CONVERSATION + 1), KC_OK);
    }
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "me too"), KC_OK);
    assert_receipt(rig, INSTANCE, 1);
    assert_true(rig_silent(rig));
    assert_int_equal(core_undelivered(rig->core, "bob"), 50);
}

static void receipts_and_the_confirm_of_a_new_epoch_wait_as_well(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 31), 30);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "hello"), KC_OK);
    assert_text(rig, "hello");
    assert_true(rig_silent(rig));
    size_t before = rig->heard;
    /* The same two sessions: the window goes on, and what was under way is still. */
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 2, "bob", "alice", "bob"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_OPENED));
    assert_true(rig_silent(rig));
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 2, "again"), KC_OK);
    assert_text(rig, "again");
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_true(rig_silent(rig));
    rig->heard = before;
    assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_receipt(rig, INSTANCE, 2);
    assert_int_equal(hears_texts(rig), 30); /* from the first on again, and as far as the window goes */
}

static void who_leaves_while_the_window_is_full_leaves(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 31), 30);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "hello"), KC_OK);
    core_close(rig->core);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_CLOSE));
    assert_true(rig_silent(rig));
}

static void a_new_session_begins_with_an_empty_window(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 31), 30);
    alice_comes_back(rig);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    assert_int_equal(hears_texts(rig), 30);
    assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
    assert_int_equal(hears_texts(rig), 1);
}

/* The KDC gives back what was under way to the peer's older session before the grant that names the newer one, or behind it. */
static void when_the_peer_comes_back_what_was_under_way_to_it_is_given_back(void **state)
{
    struct rig *rig = *state;
    for (unsigned behind = 0; behind < 2; behind++) {
        assert_int_equal(core_discard(rig->core, "bob"), 30 * behind);
        alice_opens_with_bob(rig, 2 * behind + 1);
        assert_int_equal(say_kibibytes(rig, "bob", 30), 30);
        size_t before = rig->heard;
        kdc_tells_presence(rig, "bob", true);
        if (behind == 0)
            assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
        assert_int_equal(rig_grant(rig, 0, CONVERSATION, 2 * behind + 2, "bob", "alice", "bob"), KC_OK);
        if (behind == 1) {
            assert_true(rig_silent(rig));
            rig->heard = before;
            assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
        }
        assert_hears_kind(rig, CONTENT_CONFIRM);
        assert_int_equal(hears_texts(rig), 30);
        assert_true(rig_silent(rig));
        rig->event_at = rig->event_count;
        assert_int_equal(rig_give_back(rig, CONVERSATION), KC_OK);
    }
}

/* ---- refusals ---- */

static void an_offline_peers_texts_wait_and_go_when_the_peer_comes(void **state)
{
    struct rig *rig = *state;
    (void)alice_says(rig, "bob", "are you there?");
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_OFFLINE, 0), KC_OK);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    assert_int_equal(core_undelivered(rig->core, "bob"), 1);
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_true(rig_silent(rig));
    kdc_tells_presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_open(rig, CONVERSATION, 1, "alice", "bob"), 0);
    assert_hears(rig, 1, "are you there?");
}

static void each_text_to_an_offline_peer_is_answered_but_not_in_a_flood(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 5; i++)
        (void)alice_says(rig, "bob", "hello?");
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_OFFLINE, 0), KC_OK);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    for (unsigned i = 0; i < 5; i++)
        (void)alice_says(rig, "bob", "hello?");
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 2000), KC_OK);
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_OFFLINE, 0), KC_OK);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    assert_int_equal(rig_wait(rig, 20000), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(core_undelivered(rig->core, "bob"), 10);
}

static void texts_for_nobody_are_discarded(void **state)
{
    static const enum reason reasons[] = { REASON_NO_SUCH_USER, REASON_PEER_IS_SELF, REASON_PEER_LOCKED };
    struct rig *rig = *state;
    for (size_t i = 0; i < 3; i++) {
        (void)alice_says(rig, "bob", "hello");
        assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), reasons[i], 0), KC_OK);
        assert_refused(rig, "bob", reasons[i]);
        assert_int_equal(core_undelivered(rig->core, "bob"), 0);
    }
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_true(rig_silent(rig));
    alice_comes_back(rig);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
}

static void the_epoch_with_somebody_who_turns_out_to_be_locked_is_dropped(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    kdc_tells_presence(rig, "bob", true); /* another session of his, which is over soon */
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_LOCKED, 0), KC_OK);
    assert_refused(rig, "bob", REASON_PEER_LOCKED);
    (void)alice_says(rig, "bob", "hello");
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), REASON_PEER_LOCKED, 0), KC_OK);
    assert_refused(rig, "bob", REASON_PEER_LOCKED);
    assert_true(rig_silent(rig));
}

/* Refused for that reason; asked again after 4 seconds and not much more, if at all. */
static void refuse_for_a_while(struct rig *rig, enum reason reason, unsigned retry_after)
{
    assert_int_equal(kdc_refuses(rig, kdc_takes_open(rig, "bob"), reason, 4), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_int_equal(e->error, reason);
    assert_int_equal(e->retry_after, retry_after);
    uint64_t wait = retry_after == 0 ? 4000 : UINT64_C(1000) * retry_after;
    assert_int_equal(rig_wait(rig, wait - 1), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, wait / 4 + 1), KC_OK);
}

static const enum reason passing[] = { REASON_BUSY, REASON_UNAVAILABLE, REASON_TOO_MANY, REASON_INTERNAL };
#define PASSING_COUNT (sizeof(passing) / sizeof(passing[0]))

static void a_busy_kdc_is_asked_again_a_bounded_number_of_times(void **state)
{
    struct rig *rig = *state;
    for (size_t r = 0; r < PASSING_COUNT; r++) {
        assert_int_equal(core_open(rig->core, "bob"), KC_OK);
        assert_int_equal(rig_carry(rig), KC_OK);
        for (unsigned i = 1; i <= OPEN_TRIES_MAX; i++)
            refuse_for_a_while(rig, passing[r], i < OPEN_TRIES_MAX ? 4 : 0);
        assert_true(rig_silent(rig));
    }
}

static void for_a_text_that_waits_a_busy_kdc_is_asked_until_it_goes(void **state)
{
    struct rig *rig = *state;
    (void)alice_says(rig, "bob", "hello");
    for (size_t r = 0; r < PASSING_COUNT; r++) {
        for (unsigned i = 1; i <= OPEN_TRIES_MAX; i++)
            refuse_for_a_while(rig, passing[r], r == 0 && i < OPEN_TRIES_MAX ? 4 : 20);
    }
    assert_int_equal(core_undelivered(rig->core, "bob"), 1);
    assert_int_equal(rig_open(rig, CONVERSATION, 1, "alice", "bob"), 0);
    assert_hears(rig, 1, "hello");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin_in, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_opens_a_conversation_goes_and_is_delivered),
        TEST(texts_are_judged_before_they_are_taken),
        TEST(a_text_before_login_waits_for_it),
        TEST(a_window_of_texts_is_under_way_at_once),
        TEST(a_host_that_writes_slowly_is_not_buried),
        TEST(what_no_credit_has_come_for_is_bounded_and_texts_wait_in_the_outbox),
        TEST(a_credit_of_some_bytes_lets_so_many_go),
        TEST(another_conversation_goes_on_while_one_waits),
        TEST(receipts_and_the_confirm_of_a_new_epoch_wait_as_well),
        TEST(who_leaves_while_the_window_is_full_leaves),
        TEST(a_new_session_begins_with_an_empty_window),
        TEST(when_the_peer_comes_back_what_was_under_way_to_it_is_given_back),
        TEST(an_offline_peers_texts_wait_and_go_when_the_peer_comes),
        TEST(each_text_to_an_offline_peer_is_answered_but_not_in_a_flood),
        TEST(texts_for_nobody_are_discarded),
        TEST(the_epoch_with_somebody_who_turns_out_to_be_locked_is_dropped),
        TEST(a_busy_kdc_is_asked_again_a_bounded_number_of_times),
        TEST(for_a_text_that_waits_a_busy_kdc_is_asked_until_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
