/* test_core_talk.c: conversations of a client's core: opened when needed, nothing lost, nothing twice, whatever
 * happens. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONVERSATION 5
#define INSTANCE 77

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    *state = rig;
    return rig == NULL ? -1 : rig_login(rig, "alice");
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    bool good = !rig->broken && !rig->trace_tells;
    rig_free(&rig);
    return good ? 0 : -1;
}

static uint64_t say(struct rig *rig, const char *to, const char *text)
{
    uint64_t number = 0;
    assert_int_equal(core_send(rig->core, to, text, strlen(text), &number), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    return number;
}

static void open_with_bob(struct rig *rig, uint32_t epoch)
{
    assert_int_equal(core_open(rig->core, "bob"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, epoch, "alice", "bob"), 0);
}

static void assert_hears(struct rig *rig, uint64_t number, const char *text)
{
    struct content content;
    assert_true(rig_peer_hears(rig, &content));
    assert_int_equal(content.kind, CONTENT_TEXT);
    assert_int_equal(content.number, number);
    assert_int_equal(content.text.len, strlen(text));
    assert_memory_equal(content.text.data, text, strlen(text));
}

static void assert_hears_kind(struct rig *rig, enum content_kind kind)
{
    struct content content;
    assert_true(rig_peer_hears(rig, &content));
    assert_int_equal(content.kind, kind);
}

static void assert_receipt(struct rig *rig, uint64_t instance, uint64_t number)
{
    struct content content;
    assert_true(rig_peer_hears(rig, &content));
    assert_int_equal(content.kind, CONTENT_RECEIVED);
    assert_int_equal(content.instance, instance);
    assert_int_equal(content.number, number);
}

static void assert_text(struct rig *rig, const char *text)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_TEXT);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_string_equal(e->text, text);
}

static void assert_delivered(struct rig *rig, uint64_t number)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_DELIVERED);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_int_equal(e->number, number);
}

static void assert_refused(struct rig *rig, const char *peer, enum reason reason)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_string_equal(e->peer, peer);
    assert_int_equal(e->error, reason);
}

static void assert_presence(struct rig *rig, const char *peer, bool online)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_PRESENCE);
    assert_non_null(e);
    assert_string_equal(e->peer, peer);
    assert_int_equal(e->online, online);
}

/* Bob acknowledges; his client knows whose texts they are. */
static void bob_received(struct rig *rig, uint64_t number)
{
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance, number, NULL), KC_OK);
}

static uint32_t take_open(struct rig *rig, const char *peer)
{
    const struct message *m = rig_take(rig, MESSAGE_OPEN);
    assert_non_null(m);
    assert_string_equal(m->open.peer.text, peer);
    return m->open.request;
}

static void refuse(struct rig *rig, uint32_t request, enum reason reason, uint32_t retry_after)
{
    struct message m = { .type = MESSAGE_REFUSED, .refused = { request, reason, retry_after } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
}

static void presence(struct rig *rig, const char *peer, bool online)
{
    struct message m = { .type = MESSAGE_PRESENCE,
                         .presence = { rig_name(peer), online ? PRESENCE_ONLINE : PRESENCE_OFFLINE } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
}

static void come_back(struct rig *rig)
{
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_READY);
    assert_non_null(e);
    assert_true(e->resumed);
}

/* ---- sending ---- */

static void a_text_opens_a_conversation_goes_and_is_delivered(void **state)
{
    struct rig *rig = *state;
    core_set_trace(rig->core, true);
    (void)snprintf(rig->forbidden, sizeof(rig->forbidden), "hello");
    assert_int_equal(say(rig, "Bob", "hello"), 1);
    uint32_t request = take_open(rig, "bob");
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 1, "alice", "bob", "bob"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_OPENED);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_int_equal(e->conversation, CONVERSATION);
    assert_int_equal(e->epoch, 1);
    assert_false(e->by_peer);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_hears(rig, 1, "hello");
    assert_int_equal(say(rig, "bob", "again"), 2);
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
    (void)say(rig, "bob", "early");
    come_back(rig);
    assert_int_equal(rig_open(rig, CONVERSATION, 1, "alice", "bob"), 0);
    assert_hears(rig, 1, "early");
}

static void a_window_of_texts_is_under_way_at_once(void **state)
{
    struct rig *rig = *state;
    open_with_bob(rig, 1);
    for (unsigned i = 1; i <= 100; i++)
        assert_int_equal(say(rig, "bob", "x"), i);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
    assert_int_equal(say_kibibytes(rig, "bob", 31), 30);
    come_back(rig);
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
        open_with_bob(rig, 2 * behind + 1);
        assert_int_equal(say_kibibytes(rig, "bob", 30), 30);
        size_t before = rig->heard;
        presence(rig, "bob", true);
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
    (void)say(rig, "bob", "are you there?");
    refuse(rig, take_open(rig, "bob"), REASON_PEER_OFFLINE, 0);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    assert_int_equal(core_undelivered(rig->core, "bob"), 1);
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_true(rig_silent(rig));
    presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_open(rig, CONVERSATION, 1, "alice", "bob"), 0);
    assert_hears(rig, 1, "are you there?");
}

static void each_text_to_an_offline_peer_is_answered_but_not_in_a_flood(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 5; i++)
        (void)say(rig, "bob", "hello?");
    refuse(rig, take_open(rig, "bob"), REASON_PEER_OFFLINE, 0);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    for (unsigned i = 0; i < 5; i++)
        (void)say(rig, "bob", "hello?");
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 2000), KC_OK);
    refuse(rig, take_open(rig, "bob"), REASON_PEER_OFFLINE, 0);
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
        (void)say(rig, "bob", "hello");
        refuse(rig, take_open(rig, "bob"), reasons[i], 0);
        assert_refused(rig, "bob", reasons[i]);
        assert_int_equal(core_undelivered(rig->core, "bob"), 0);
    }
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_true(rig_silent(rig));
    come_back(rig);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
}

/* Refused for that reason; asked again after 4 seconds and not much more, if at all. */
static void refuse_for_a_while(struct rig *rig, enum reason reason, unsigned retry_after)
{
    refuse(rig, take_open(rig, "bob"), reason, 4);
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
    (void)say(rig, "bob", "hello");
    for (size_t r = 0; r < PASSING_COUNT; r++) {
        for (unsigned i = 1; i <= OPEN_TRIES_MAX; i++)
            refuse_for_a_while(rig, passing[r], r == 0 && i < OPEN_TRIES_MAX ? 4 : 20);
    }
    assert_int_equal(core_undelivered(rig->core, "bob"), 1);
    assert_int_equal(rig_open(rig, CONVERSATION, 1, "alice", "bob"), 0);
    assert_hears(rig, 1, "hello");
}

/* ---- receiving ---- */

static void texts_arrive_once_each_and_are_acknowledged_together(void **state)
{
    struct rig *rig = *state;
    struct message m[3];
    static uint8_t sealed[3][MESSAGE_SEALED_MAX];
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
    make_texts(rig, 1, 3, m);
    rig->flip = 1;
    assert_int_equal(rig_tell_together(rig, m, 3), REASON_RECORD);
    assert_null(rig_event(rig, KC_EVENT_TEXT));
}

static void who_only_sends_leaves_texts_with_their_sender(void **state)
{
    struct rig *rig = *state;
    core_set_send_only(rig->core, true);
    open_with_bob(rig, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "one"), KC_OK);
    assert_null(rig_event(rig, KC_EVENT_TEXT));
    assert_true(rig_silent(rig));
    /* Its own texts go, and are acknowledged, as ever. */
    assert_hears(rig, say(rig, "bob", "mine"), "mine");
}

static void a_text_that_is_here_is_dropped_and_acknowledged_again(void **state)
{
    struct rig *rig = *state;
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance, UINT64_MAX, NULL), KC_OK);
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance + 1, 1, NULL), KC_OK);
    assert_true(rig_quiet(rig));
    (void)say(rig, "bob", "one");
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance + 1, 1, NULL), KC_OK);
    assert_true(rig_quiet(rig));
    assert_int_equal(core_undelivered(rig->core, "bob"), 1);
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance, UINT64_MAX, NULL), KC_OK);
    assert_delivered(rig, 1);
}

/* ---- coming back ---- */

static void after_a_cut_everything_unacknowledged_goes_again_in_order(void **state)
{
    struct rig *rig = *state;
    open_with_bob(rig, 1);
    for (unsigned i = 1; i <= 4; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "text %u", i);
        assert_int_equal(say(rig, "bob", text), i);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_hears_kind(rig, CONTENT_TEXT);
    bob_received(rig, 2);
    assert_delivered(rig, 2);
    rig_cut(rig);
    assert_int_equal(say(rig, "bob", "text 5"), 5);
    come_back(rig);
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
    open_with_bob(rig, 1);
    come_back(rig);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    /* The other one may be quicker: then there is no need. */
    come_back(rig);
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
    open_with_bob(rig, 1);
    come_back(rig);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    refuse(rig, take_open(rig, "bob"), REASON_PEER_OFFLINE, 0);
    assert_presence(rig, "bob", false);
    presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
}

static void a_peer_that_goes_and_comes_gets_what_is_missing(void **state)
{
    struct rig *rig = *state;
    open_with_bob(rig, 1);
    (void)say(rig, "bob", "one");
    assert_hears(rig, 1, "one");
    presence(rig, "bob", false);
    assert_presence(rig, "bob", false);
    assert_int_equal(rig_wait(rig, 50000), KC_OK);
    assert_true(rig_silent(rig));
    presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_open(rig, CONVERSATION, 2, "alice", "bob"), 0);
    assert_hears(rig, 1, "one");
    bob_received(rig, 1);
    assert_delivered(rig, 1);
    /* With nothing on the way too, but not in a hurry. */
    presence(rig, "bob", false);
    presence(rig, "bob", true);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_OPEN));
}

static void a_stranger_who_comes_and_goes_is_told_and_not_kept(void **state)
{
    struct rig *rig = *state;
    presence(rig, "carol", true);
    assert_presence(rig, "carol", true);
    presence(rig, "carol", false);
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
        (void)say(rig, name, "hello");
    }
    come_back(rig);
    for (unsigned i = 0; i < 100; i++) {
        unsigned waiting = 0;
        for (const struct rig_message *m = rig->first; m != NULL; m = m->next)
            waiting += m->m.type == MESSAGE_OPEN ? 1 : 0;
        assert_int_equal(waiting, i < 100 - OPENS_MAX ? OPENS_MAX : 100 - i);
        const struct message *open = rig_take(rig, MESSAGE_OPEN);
        assert_non_null(open);
        refuse(rig, open->open.request, REASON_NO_SUCH_USER, 0);
        assert_non_null(rig_event(rig, KC_EVENT_REFUSED));
    }
    assert_int_equal(core_undelivered(rig->core, NULL), 0);
    assert_true(rig_silent(rig));
}

/* ---- epochs ---- */

static void what_was_under_way_under_the_epoch_before_still_arrives(void **state)
{
    struct rig *rig = *state;
    open_with_bob(rig, 1);
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
    open_with_bob(rig, 3);
    struct epoch *third = rig->peer;
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        rig->peer = NULL;
        assert_int_equal(rig_grant(rig, 0, CONVERSATION, epoch, "bob", "alice", "bob"), KC_OK);
        epoch_free(&rig->peer);
        assert_true(rig_quiet(rig));
        assert_true(rig_silent(rig));
    }
    rig->peer = third;
    (void)say(rig, "bob", "still the third");
    assert_hears(rig, 1, "still the third");
    /* Nor after a cut. */
    come_back(rig);
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
        come_back(rig);
    }
    /* A request of ours, but for somebody else. */
    assert_int_equal(core_open(rig->core, "bob"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    uint32_t request = take_open(rig, "bob");
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 9, "alice", "carol", "carol"), KC_PROTOCOL);
    come_back(rig);
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
    come_back(rig);
    /* A good key, but for an earlier session of ours. */
    memset(weak, 0, sizeof(weak));
    assert_int_equal(suite_issue_key(suite_by_id(SUITE_3DES_CBC_HMAC_SHA512), &rig->random.rng, weak), 0);
    m.grant.session_b = RIG_SESSION - 1;
    assert_int_equal(rig_tell(rig, &m), KC_PROTOCOL);
    come_back(rig);
    /* Two people, one number. */
    assert_int_equal(rig_wait(rig, 1000), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, 10, "alice", "bob"), 0);
    assert_int_equal(rig_grant(rig, 0, CONVERSATION, 11, "carol", "alice", "carol"), KC_PROTOCOL);
}

static void a_message_that_doesnt_open_leads_to_one_new_epoch(void **state)
{
    struct rig *rig = *state;
    open_with_bob(rig, 1);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    for (uint64_t i = 0; i < 3; i++) {
        uint8_t junk[64] = { 0 };
        struct message m = { .type = MESSAGE_CIPHERTEXT,
                             .ciphertext = { CONVERSATION, 1, 1 + i, { junk, sizeof(junk) } } };
        assert_int_equal(rig_tell(rig, &m), KC_OK);
        if (i == 0)
            assert_int_equal(rig_grant(rig, take_open(rig, "bob"), CONVERSATION, 1, "alice", "bob", "bob"), KC_OK);
    }
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    assert_true(rig_silent(rig));
    /* The next epoch may be repaired too, but not in a hurry. */
    open_with_bob(rig, 2);
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
    open_with_bob(rig, 1);
    (void)say(rig, "bob", "one");
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
    refuse(rig, take_open(rig, "bob"), REASON_PEER_OFFLINE, 0);
    assert_refused(rig, "bob", REASON_PEER_OFFLINE);
    presence(rig, "bob", true);
    assert_presence(rig, "bob", true);
    assert_int_equal(rig_open(rig, CONVERSATION, 3, "alice", "bob"), 0);
    assert_hears(rig, 1, "one");
}

/* Bob acknowledges each text until alice asks for a new epoch: how many she sent. */
static unsigned texts_until_rekey(struct rig *rig, unsigned most)
{
    for (unsigned i = 1; i <= most; i++) {
        uint64_t number = say(rig, "bob", "x");
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
    open_with_bob(rig, 1);
    assert_int_equal(rig_wait(rig, 5000), KC_OK);
    unsigned sent = texts_until_rekey(rig, 1001);
    assert_in_range(sent, 875, 1000);
    /* Nothing stops until it is there; what is under way goes again. */
    uint32_t request = take_open(rig, "bob");
    uint64_t number = say(rig, "bob", "meanwhile");
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
    open_with_bob(rig, 1);
    rig->core->ping_ms = 0;
    assert_int_equal(rig_wait(rig, 4000000), KC_OK);
    assert_true(rig_silent(rig));
    (void)say(rig, "bob", "x");
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
        open_with_bob(rig, 1 + i);
        uint64_t number = say(rig, "bob", "hello");
        assert_hears(rig, number, "hello");
        bob_received(rig, number);
        assert_delivered(rig, number);
        assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1 + i, "hello too"), KC_OK);
        assert_text(rig, "hello too");
        assert_receipt(rig, INSTANCE, 1 + i);
    }
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
    presence(rig, "user0003", false);
    (void)say(rig, "bob", "now there is room");
    (void)take_open(rig, "bob");
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
    open_with_bob(rig, 1);
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
    assert_int_equal(rig_grant(rig, take_open(rig, "bob"), CONVERSATION, 1, "alice", "bob", "bob"), KC_OK);
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
    open_with_bob(rig, 1);
    rig->on_event = leave_from_within;
    assert_int_equal(rig_peer_says(rig, CONTENT_TEXT, INSTANCE, 1, "go away"), KC_OK);
    assert_text(rig, "go away");
    assert_receipt(rig, INSTANCE, 1); /* or bob's client would wait for it in vain */
    assert_non_null(rig_take(rig, MESSAGE_CLOSE));
    assert_true(rig_silent(rig));
    come_back(rig);
    (void)say(rig, "bob", "x");
    uint32_t request = take_open(rig, "bob");
    assert_int_equal(rig_grant(rig, request, CONVERSATION, 2, "alice", "bob", "bob"), KC_OK);
    assert_hears_kind(rig, CONTENT_CONFIRM);
    assert_non_null(rig_take(rig, MESSAGE_CLOSE));
    assert_true(rig_silent(rig));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
        TEST(a_busy_kdc_is_asked_again_a_bounded_number_of_times),
        TEST(for_a_text_that_waits_a_busy_kdc_is_asked_until_it_goes),
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
        TEST(people_beyond_the_limit_are_ignored_and_the_idle_forgotten),
        TEST(an_application_may_answer_from_within_an_event),
        TEST(nothing_goes_before_the_confirm),
        TEST(an_application_may_leave_from_within_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
