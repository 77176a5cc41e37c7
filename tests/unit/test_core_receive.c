/* test_core_receive.c: texts that arrive in a client's core: once each, in order; and what the application does from within an
 * event. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- receiving ---- */

static void texts_arrive_once_each_and_are_acknowledged_together(void **state)
{
    struct rig *rig = *state;
    struct message m[3];
    static uint8_t sealed[3][MESSAGE_SEALED_MAX];
    alice_opens_with_bob(rig, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "one"), KC_OK);
    assert_text(rig, "one");
    assert_receipt(rig, INSTANCE, 1);
    for (uint64_t i = 0; i < 3; i++) {
        struct content content = { CONTENT_TEXT, INSTANCE, 2 + i, { (const uint8_t *)"more", 4 } };
        m[i].type = MESSAGE_CIPHERTEXT;
        assert_int_equal(epoch_seal(rig->peer, &content, sealed[i], &m[i].ciphertext), 0);
    }
    assert_int_equal(rig_tell_all(rig, m, 3), KC_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_text(rig, "more");
    assert_receipt(rig, INSTANCE, 4);
    assert_true(rig_silent(rig));
}

/* So many of the peer's texts as messages, numbered from `first`. */
static void make_texts(struct rig *rig, uint64_t first, size_t count, struct message *m)
{
    static uint8_t sealed[8][MESSAGE_SEALED_MAX];
    for (size_t i = 0; i < count; i++) {
        struct content content = { CONTENT_TEXT, INSTANCE, first + i, { (const uint8_t *)"together", 8 } };
        m[i].type = MESSAGE_CIPHERTEXT;
        assert_int_equal(epoch_seal(rig->peer, &content, sealed[i], &m[i].ciphertext), 0);
    }
}

static void texts_of_one_record_arrive_in_order(void **state)
{
    struct rig *rig = *state;
    struct message m[8];
    alice_opens_with_bob(rig, 1);
    make_texts(rig, 1, 8, m);
    const uint64_t records = rig->sending.sequence;
    assert_int_equal(rig_tell_together(rig, m, 8), KC_OK);
    assert_true(rig->sending.sequence <= records + 2); /* the reply's buffer has grown at most once */
    for (uint64_t i = 1; i <= 8; i++) {
        const struct rig_event *event = rig_event(rig, KC_EVENT_TEXT);
        assert_non_null(event);
        assert_string_equal(event->text, "together");
    }
    assert_receipt(rig, INSTANCE, 8);
    assert_true(rig_silent(rig));
}

static void what_comes_behind_a_close_in_its_record_counts_for_nothing(void **state)
{
    struct rig *rig = *state;
    struct message m[3];
    alice_opens_with_bob(rig, 1);
    make_texts(rig, 1, 2, m);
    m[2] = m[1];
    m[1] = (struct message){ .type = MESSAGE_CLOSE, .close = { .reason = REASON_KICKED } };
    assert_int_equal(rig_tell_together(rig, m, 3), REASON_KICKED);
    assert_text(rig, "together");
    assert_null(rig_event(rig, KC_EVENT_TEXT));
}

static void leave_at_text(struct rig *rig, const struct kc_event *event)
{
    if (event->type == KC_EVENT_TEXT)
        core_close(rig->core);
}

static void who_leaves_at_one_text_is_not_told_the_next_of_its_record(void **state)
{
    struct rig *rig = *state;
    struct message m[2];
    alice_opens_with_bob(rig, 1);
    make_texts(rig, 1, 2, m);
    rig->on_event = leave_at_text;
    assert_int_equal(rig_tell_together(rig, m, 2), KC_OK);
    assert_text(rig, "together");
    assert_null(rig_event(rig, KC_EVENT_TEXT));
}

static void a_changed_record_tells_none_of_its_texts(void **state)
{
    struct rig *rig = *state;
    struct message m[3];
    alice_opens_with_bob(rig, 1);
    make_texts(rig, 1, 3, m);
    rig->flip = 1;
    assert_int_equal(rig_tell_together(rig, m, 3), REASON_RECORD);
    assert_null(rig_event(rig, KC_EVENT_TEXT));
}

static void who_only_sends_leaves_texts_with_their_sender(void **state)
{
    struct rig *rig = *state;
    core_set_send_only(rig->core, true);
    alice_opens_with_bob(rig, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "one"), KC_OK);
    assert_null(rig_event(rig, KC_EVENT_TEXT));
    assert_true(rig_silent(rig));
    /* Its own texts go, and are acknowledged, as ever. */
    assert_hears(rig, alice_says(rig, "bob", "mine"), "mine");
}

static void a_text_that_is_here_is_dropped_and_acknowledged_again(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "one"), KC_OK);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 2, "two"), KC_OK);
    assert_text(rig, "one");
    assert_text(rig, "two");
    assert_receipt(rig, INSTANCE, 1);
    assert_receipt(rig, INSTANCE, 2);
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 2, "bob", "alice", "bob"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_OPENED));
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "one"), KC_OK);
    assert_true(rig_quiet(rig));
    assert_receipt(rig, INSTANCE, 2);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 3, "three"), KC_OK);
    assert_text(rig, "three");
    assert_receipt(rig, INSTANCE, 3);
    /* Bob's other client counts for itself. */
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE + 1, 1, "other"), KC_OK);
    assert_text(rig, "other");
    assert_receipt(rig, INSTANCE + 1, 1);
}

static void more_clients_of_one_person_than_anybody_has_are_bounded(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, i, 1, "x"), KC_OK);
        assert_text(rig, "x");
        assert_receipt(rig, i, 1);
    }
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, 99, 1, "x"), KC_OK);
    assert_true(rig_quiet(rig));
}

static void a_text_may_hold_nuls_and_be_as_long_as_allowed(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    char *text = calloc(1, KC_TEXT_MAX);
    assert_non_null(text);
    struct content content = { CONTENT_TEXT, INSTANCE, 1, { (const uint8_t *)text, KC_TEXT_MAX } };
    struct message m = { .type = MESSAGE_CIPHERTEXT };
    assert_int_equal(epoch_seal(rig->peer, &content, rig->sealed, &m.ciphertext), 0);
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_TEXT);
    assert_non_null(e);
    assert_int_equal(e->text_len, KC_TEXT_MAX);
    free(text);
}

static void receipts_for_what_was_never_sent_mean_nothing(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance, UINT64_MAX, NULL), KC_OK);
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance + 1, 1, NULL), KC_OK);
    assert_true(rig_quiet(rig));
    (void)alice_says(rig, "bob", "one");
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance + 1, 1, NULL), KC_OK);
    assert_true(rig_quiet(rig));
    assert_int_equal(core_undelivered(rig->core, "bob"), 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance, UINT64_MAX, NULL), KC_OK);
    assert_delivered(rig, 1);
}

/* ---- limits and re-entrance ---- */

static void people_beyond_the_limit_are_ignored_and_the_idle_forgotten(void **state)
{
    struct rig *rig = *state;
    char name[16];
    for (unsigned i = 0; i < PEERS_MAX + 10; i++) {
        (void)snprintf(name, sizeof(name), "user%04u", i);
        assert_int_equal(rig_grant(rig, 0, 100 + i, 1, name, "alice", name), KC_OK);
        const struct rig_event *e = rig_event(rig, KC_EVENT_OPENED);
        assert_int_equal(e != NULL, i < PEERS_MAX);
        if (e != NULL)
            assert_hears_kind(rig, CONTENT_CONFIRM);
    }
    assert_int_equal(rig->core->peer_count, PEERS_MAX);
    assert_int_equal(core_send(rig->core, "bob", "x", 1, NULL), KC_OUTBOX_FULL);
    assert_int_equal(core_open(rig->core, "bob"), REASON_TOO_MANY);
    assert_true(rig_silent(rig));
    kdc_tells_presence(rig, "user0003", false);
    (void)alice_says(rig, "bob", "now there is room");
    (void)kdc_takes_open(rig, "bob");
    assert_int_equal(rig->core->peer_count, PEERS_MAX);
    struct name gone = rig_name("user0003");
    assert_null(peer_find(rig->core, &gone));
}

static void answer_from_within(struct rig *rig, const struct kc_event *event)
{
    if (event->type == KC_EVENT_TEXT)
        assert_int_equal(core_send(rig->core, event->peer, event->text, event->text_len, NULL), KC_OK);
}

static void an_application_may_answer_from_within_an_event(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    rig->on_event = answer_from_within;
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "echo"), KC_OK);
    struct content content;
    unsigned texts = 0, receipts = 0;
    while (rig_peer_hears(rig, &content)) {
        texts += content.kind == CONTENT_TEXT ? 1 : 0;
        receipts += content.kind == CONTENT_RECEIVED ? 1 : 0;
    }
    assert_int_equal(texts, 1);
    assert_int_equal(receipts, 1);
}

static void send_when_the_epoch_is_taken(struct rig *rig, const struct kc_event *event)
{
    if (event->type == KC_EVENT_TRACE && strncmp(event->text, "epoch taken", strlen("epoch taken")) == 0)
        assert_int_equal(core_send(rig->core, "bob", "hasty", 5, NULL), KC_OK);
}

static void nothing_goes_before_the_confirm(void **state)
{
    struct rig *rig = *state;
    core_set_trace(rig->core, true);
    rig->on_event = send_when_the_epoch_is_taken;
    assert_int_equal(core_open(rig->core, "bob"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_int_equal(rig_grant(rig, kdc_takes_open(rig, "bob"), CONVERSATION, 1, "alice", "bob", "bob"), KC_OK);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_hears(rig, 1, "hasty");
}

static void leave_from_within(struct rig *rig, const struct kc_event *event)
{
    if (event->type == KC_EVENT_TEXT || event->type == KC_EVENT_OPENED)
        core_close(rig->core);
}

static void an_application_may_leave_from_within_a_text(void **state)
{
    struct rig *rig = *state;
    alice_opens_with_bob(rig, 1);
    rig->on_event = leave_from_within;
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "go away"), KC_OK);
    assert_text(rig, "go away");
    assert_receipt(rig, INSTANCE, 1); /* or bob's client would wait for it in vain */
    assert_non_null(rig_take(rig, MESSAGE_CLOSE));
    assert_true(rig_silent(rig));
    alice_comes_back(rig);
    (void)alice_says(rig, "bob", "x");
    uint32_t request = kdc_takes_open(rig, "bob");
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 2, "alice", "bob", "bob"), KC_OK);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_non_null(rig_take(rig, MESSAGE_CLOSE));
    assert_true(rig_silent(rig));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin_in, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(texts_arrive_once_each_and_are_acknowledged_together),
        TEST(texts_of_one_record_arrive_in_order),
        TEST(what_comes_behind_a_close_in_its_record_counts_for_nothing),
        TEST(who_leaves_at_one_text_is_not_told_the_next_of_its_record),
        TEST(a_changed_record_tells_none_of_its_texts),
        TEST(who_only_sends_leaves_texts_with_their_sender),
        TEST(a_text_that_is_here_is_dropped_and_acknowledged_again),
        TEST(more_clients_of_one_person_than_anybody_has_are_bounded),
        TEST(a_text_may_hold_nuls_and_be_as_long_as_allowed),
        TEST(receipts_for_what_was_never_sent_mean_nothing),
        TEST(people_beyond_the_limit_are_ignored_and_the_idle_forgotten),
        TEST(an_application_may_answer_from_within_an_event),
        TEST(nothing_goes_before_the_confirm),
        TEST(an_application_may_leave_from_within_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
