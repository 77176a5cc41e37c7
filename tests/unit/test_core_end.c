/* test_core_end.c: every way that a connection of a client's core ends, and what the errors are called. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <string.h>

/* ---- the end ---- */

static void the_reason_of_a_close_decides_whether_to_come_back(void **state)
{
    static const struct {
        enum reason reason;
        bool returns;
    } cases[] = {
        { REASON_TAKEN_OVER, false },     { REASON_KICKED, false },
        { REASON_ACCOUNT_LOCKED, false }, { REASON_ACCOUNT_DISABLED, false },
        { REASON_TRIES, false },          { REASON_SHUTTING_DOWN, true },
        { REASON_SILENT, true },          { REASON_SLOW_READER, true },
        { REASON_INTERNAL, true },
    };
    struct rig *rig = *state;
    unsigned after;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        alice_logs_in(rig);
        assert_int_equal(kdc_closes(rig, cases[i].reason), cases[i].reason);
        assert_int_equal(core_state(rig->core), CORE_ENDED);
        assert_int_equal(core_may_return(rig->core, (int)cases[i].reason, &after), cases[i].returns);
        rig_cut(rig);
        assert_int_equal(rig->core->credentials->password_len > 0, cases[i].returns);
    }
    alice_logs_in(rig);
    assert_int_equal(kdc_closes(rig, REASON_NONE), KC_CONNECTION_LOST);
    assert_true(core_may_return(rig->core, KC_CONNECTION_LOST, &after));
}

static void leaving_says_close_and_nothing_more(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    core_close(rig->core);
    assert_int_equal(core_open(rig->core, "bob"), KC_NOT_READY);
    assert_int_equal(core_send(rig->core, "bob", "later", 5, NULL), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_closed_because(rig, REASON_NONE);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 1000000), KC_OK);
    assert_true(rig_silent(rig));
}

static void close_from_within(struct rig *rig, const struct kc_event *event)
{
    if (event->type == KC_EVENT_READY || event->type == KC_EVENT_TRACE)
        core_close(rig->core);
}

static void an_application_may_leave_from_within_any_event(void **state)
{
    struct rig *rig = *state;
    rig->on_event = close_from_within;
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_closed_because(rig, REASON_NONE);
    rig_cut(rig);
    core_set_trace(rig->core, true);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(core_state(rig->core), CORE_ENDED);
}

static void close_from_within_the_closes_trace(struct rig *rig, const struct kc_event *event)
{
    if (event->type == KC_EVENT_TRACE && strncmp(event->text, "-> close", strlen("-> close")) == 0)
        core_close(rig->core);
}

static void leaving_once_more_while_leaving_says_close_once(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    core_set_trace(rig->core, true);
    rig->on_event = close_from_within_the_closes_trace;
    core_close(rig->core);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_closed_because(rig, REASON_NONE);
    assert_null(rig_take(rig, MESSAGE_CLOSE));
}

static void a_changed_record_ends_the_connection_without_an_answer(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    alice_logs_in(rig);
    rig->flip = 3;
    assert_int_equal(kdc_closes(rig, REASON_KICKED), REASON_RECORD);
    assert_true(rig_silent(rig));
    assert_true(core_may_return(rig->core, REASON_RECORD, &after));
}

static void lengths_over_the_limit_end_the_connection_at_once(void **state)
{
    struct rig *rig = *state;
    uint8_t before_login[] = { 0, 0, 0x40, 1 };
    uint8_t after_login[] = { 0, 1, 0, 1 };
    uint8_t nothing[] = { 0, 0, 0, 0 };
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(core_input(rig->core, before_login, sizeof(before_login)), KC_PROTOCOL);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_closed_because(rig, REASON_TOO_LONG);
    rig_cut(rig);
    alice_logs_in(rig);
    before_login[3] = 1;
    assert_int_equal(core_input(rig->core, before_login, sizeof(before_login)), KC_OK);
    rig_cut(rig);
    alice_logs_in(rig);
    assert_int_equal(core_input(rig->core, after_login, sizeof(after_login)), KC_PROTOCOL);
    rig_cut(rig);
    alice_logs_in(rig);
    assert_int_equal(core_input(rig->core, nothing, sizeof(nothing)), KC_PROTOCOL);
}

static void messages_out_of_their_place_end_the_connection(void **state)
{
    struct rig *rig = *state;
    static const uint8_t unknown[] = { 99 };
    static const uint8_t cut[] = { MESSAGE_PONG, 0, 0 };
    struct message presence = { .type = MESSAGE_PRESENCE, .presence = { rig_name("bob"), PRESENCE_ONLINE } };

    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_tell(rig, &presence), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);

    rig_cut(rig);
    alice_logs_in(rig);
    assert_int_equal(rig_welcome(rig, "alice"), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);

    rig_cut(rig);
    alice_logs_in(rig);
    assert_int_equal(rig_tell_plain(rig, unknown, sizeof(unknown)), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);

    rig_cut(rig);
    alice_logs_in(rig);
    assert_int_equal(rig_tell_plain(rig, cut, sizeof(cut)), KC_PROTOCOL);
    assert_closed_because(rig, REASON_MALFORMED);

    rig_cut(rig);
    alice_logs_in(rig);
    assert_int_equal(kdc_refuses(rig, 17, REASON_BUSY, 0), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);
}

static void a_record_that_is_not_messages_alone_ends_the_connection(void **state)
{
    struct rig *rig = *state;
    static const uint8_t pong_and_more[] = {
        0, 0, 0, 9, MESSAGE_PONG, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, MESSAGE_PONG
    };
    static const uint8_t list_reply[] = { 0, 0, 0, 8, MESSAGE_LIST_REPLY, 0, 0, 0, 1, 0, 0, 0 };
    const size_t lengths[] = { 0, 3, 4, 12, 14, 17, 18 };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        alice_logs_in(rig);
        rig->core->ping_waits = true;
        rig->core->ping_token = 1;
        assert_int_equal(rig_tell_record(rig, pong_and_more, lengths[i]), KC_PROTOCOL);
        assert_closed_because(rig, REASON_MALFORMED);
        assert_int_equal(rig->core->ping_waits, lengths[i] < 13); /* what comes before it was taken */
        rig_cut(rig);
    }
    alice_logs_in(rig);
    rig->core->ping_waits = true;
    rig->core->ping_token = 1;
    assert_int_equal(rig_tell_record(rig, pong_and_more, 13), KC_OK);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_int_equal(rig_tell_record(rig, list_reply, sizeof(list_reply)), KC_OK);
}

/* The welcome's record is under the smaller limit, and what comes with it is under the welcome. */
static void a_welcome_may_bring_more_with_it(void **state)
{
    struct rig *rig = *state;
    struct message m[] = { rig_welcome_message("alice"),
                           { .type = MESSAGE_CLOSE, .close = { .reason = REASON_KICKED } } };
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_tell_together(rig, m, 2), REASON_KICKED);
    assert_true(core_was_ready(rig->core));
}

/* ---- pings ---- */

static void a_silent_connection_is_pinged_and_a_dead_one_given_up(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    assert_int_equal(rig_wait(rig, 59999), KC_OK);
    assert_true(rig_silent(rig));
    assert_int_equal(rig_wait(rig, 1), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_PING);
    assert_non_null(m);
    assert_int_equal(rig_tell(rig, &(struct message){ .type = MESSAGE_PONG, .ping = { m->ping.token } }), KC_OK);
    assert_int_equal(rig_wait(rig, 60000), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_PING));
    assert_int_equal(rig_wait(rig, 59999), KC_OK);
    assert_int_equal(rig_wait(rig, 1), KC_CONNECTION_LOST);
    assert_true(rig_silent(rig));
}

static void who_only_talks_notices_too_that_nobody_answers(void **state)
{
    struct rig *rig = *state;
    int error = KC_OK;
    alice_logs_in(rig);
    for (unsigned i = 0; i < 30 && error == KC_OK; i++) {
        assert_int_equal(core_who(rig->core, "bob"), i < WHOS_MAX ? KC_OK : REASON_TOO_MANY);
        error = rig_wait(rig, 10000);
    }
    assert_int_equal(error, KC_CONNECTION_LOST);
}

static void a_pong_that_nobody_asked_for_is_refused(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    assert_int_equal(rig_tell(rig, &(struct message){ .type = MESSAGE_PONG, .ping = { 1 } }), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);
}

static void every_error_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (int error = 1; error < REASON_COUNT; error++) {
        assert_string_not_equal(kc_error_name(error), "unknown");
        assert_true(strlen(kc_error_text(error)) > 10);
    }
    for (int error = KC_UNREACHABLE; error <= KC_PROTOCOL; error++) {
        assert_string_not_equal(kc_error_name(error), "unknown");
        assert_true(strlen(kc_error_text(error)) > 10);
    }
    assert_string_equal(kc_error_name(REASON_PEER_OFFLINE), "peer_offline");
    assert_string_equal(kc_error_name(KC_OK), "ok");
    assert_string_equal(kc_error_name(-5), "unknown");
    assert_string_equal(kc_error_name(500), "unknown");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_reason_of_a_close_decides_whether_to_come_back),
        TEST(leaving_says_close_and_nothing_more),
        TEST(an_application_may_leave_from_within_any_event),
        TEST(leaving_once_more_while_leaving_says_close_once),
        TEST(a_changed_record_ends_the_connection_without_an_answer),
        TEST(lengths_over_the_limit_end_the_connection_at_once),
        TEST(messages_out_of_their_place_end_the_connection),
        TEST(a_record_that_is_not_messages_alone_ends_the_connection),
        TEST(a_welcome_may_bring_more_with_it),
        TEST(a_silent_connection_is_pinged_and_a_dead_one_given_up),
        TEST(who_only_talks_notices_too_that_nobody_answers),
        TEST(a_pong_that_nobody_asked_for_is_refused),
        cmocka_unit_test(every_error_has_a_name_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
