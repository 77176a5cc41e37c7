/* test_core.c: one connection of a client's core: handshake, trust, login, questions, pings, and every way that it
 * ends. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_up(void **state)
{
    *state = rig_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    bool good = !rig->broken && !rig->trace_tells;
    rig_free(&rig);
    return good ? 0 : -1;
}

static void log_in(struct rig *rig)
{
    assert_int_equal(rig_login(rig, "alice"), 0);
    assert_true(core_ready(rig->core));
}

static void give_password(struct rig *rig)
{
    assert_int_equal(core_login(rig->core, "alice", rig_password, strlen(rig_password), false), KC_OK);
}

static int refuse(struct rig *rig, uint32_t request, enum reason reason, uint32_t retry_after)
{
    return rig_tell(rig, &(struct message){ .type = MESSAGE_REFUSED, .refused = { request, reason, retry_after } });
}

static int close_with(struct rig *rig, enum reason reason)
{
    return rig_tell(rig, &(struct message){ .type = MESSAGE_CLOSE, .close = { reason } });
}

static void assert_closed_because(struct rig *rig, enum reason reason)
{
    const struct message *m = rig_take(rig, MESSAGE_CLOSE);
    assert_non_null(m);
    assert_int_equal(m->close.reason, reason);
}

/* ---- handshake and trust ---- */

static void login_sends_name_and_password_and_becomes_ready(void **state)
{
    struct rig *rig = *state;
    core_set_trace(rig->core, true);
    assert_int_equal(core_login(rig->core, "Alice", rig_password, strlen(rig_password), false), KC_OK);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(core_state(rig->core), CORE_LOGIN);
    const struct message *m = rig_take(rig, MESSAGE_LOGIN);
    assert_non_null(m);
    assert_int_equal(m->credentials.name.len, 5);
    assert_memory_equal(m->credentials.name.data, "alice", 5);
    assert_int_equal(m->credentials.password.len, strlen(rig_password));
    assert_memory_equal(m->credentials.password.data, rig_password, strlen(rig_password));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_READY);
    assert_non_null(e);
    assert_false(e->resumed);
    assert_true(rig_silent(rig));
    assert_int_equal(rig->traced, 7);
}

static void bytes_may_come_one_at_a_time(void **state)
{
    struct rig *rig = *state;
    rig->portion = 1;
    log_in(rig);
}

static void a_refused_group_is_tried_again_with_an_accepted_one(void **state)
{
    struct rig *rig = *state;
    /* The core copied its policy: make one anew. */
    rig->core->policy = (struct handshake_policy){ { DH_FFDHE3072, DH_FFDHE2048 }, 2, { SUITE_AES_256_GCM }, 1 };
    rig->kdc_policy = (struct handshake_policy){ { DH_FFDHE2048 }, 1, { SUITE_AES_256_GCM }, 1 };
    log_in(rig);
    assert_string_equal(rig->core->group->name, "ffdhe2048");
    assert_string_equal(rig->core->suite->name, "aes-256-gcm");
}

static void an_unknown_kdc_gets_no_password_before_it_is_trusted(void **state)
{
    struct rig *rig = *state;
    rig->judgement = CORE_IDENTITY_UNKNOWN;
    give_password(rig);
    assert_int_equal(core_trust(rig->core, true), KC_NOT_READY);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_IDENTITY));
    assert_int_equal(core_state(rig->core), CORE_TRUST);
    assert_false(rig->channel);
    assert_int_equal(core_trust(rig->core, true), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_READY));
}

static void a_kdc_that_is_not_trusted_is_left(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    rig->judgement = CORE_IDENTITY_UNKNOWN;
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(core_trust(rig->core, false), KC_IDENTITY_REFUSED);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_false(rig->channel);
    assert_false(core_may_return(rig->core, KC_IDENTITY_REFUSED, &after));
}

static void a_changed_identity_gets_no_password(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    log_in(rig);
    rig_cut(rig);
    rig->judgement = CORE_IDENTITY_CHANGED;
    assert_int_equal(rig_connect(rig), KC_IDENTITY_CHANGED);
    assert_false(rig->channel);
    assert_true(rig_silent(rig));
    assert_false(core_may_return(rig->core, KC_IDENTITY_CHANGED, &after));
    core_disconnected(rig->core);
    assert_int_equal(rig->core->credentials->password_len, 0);
}

static void a_flipped_server_hello_is_told_for_what_it_is(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    give_password(rig);
    rig->flip = SHA512_LEN + 1; /* the signature's last byte */
    assert_int_equal(rig_connect(rig), KC_BAD_SIGNATURE);
    assert_false(core_may_return(rig->core, KC_BAD_SIGNATURE, &after));
    rig_cut(rig);
    rig->flip = 1; /* the confirm's */
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_BAD_CONFIRM);
    assert_false(rig->channel);
    assert_false(core_may_return(rig->core, KC_BAD_CONFIRM, &after));
    assert_true(rig_silent(rig));
}

static void an_alert_is_reported_but_doesnt_end_what_went_well(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    give_password(rig);
    rig->kdc_policy.suites[0] = SUITE_AES_256_GCM;
    assert_int_equal(rig_connect(rig), REASON_SUITE);
    assert_false(core_may_return(rig->core, REASON_SUITE, &after));
    rig_cut(rig);
    rig->kdc_policy.suites[0] = SUITE_CHACHA20_POLY1305;
    log_in(rig);
    rig_cut(rig);
    rig->kdc_policy.suites[0] = SUITE_AES_256_GCM;
    assert_int_equal(rig_connect(rig), REASON_SUITE);
    assert_true(core_may_return(rig->core, REASON_SUITE, &after));
    rig_cut(rig);
    rig->kdc_policy.suites[0] = SUITE_CHACHA20_POLY1305;
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_forged_alert_keeps_nobody_away_for_long(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    uint8_t alert[] = { 0, 0, 0, 6, FRAME_ALERT, REASON_BUSY, 0, 0, 0x0e, 0x10 }; /* 3600 s */
    assert_int_equal(core_connected(rig->core), KC_OK);
    assert_int_equal(core_input(rig->core, alert, sizeof alert), REASON_BUSY);
    assert_true(core_may_return(rig->core, REASON_BUSY, &after));
    assert_int_equal(after, 60);
    rig_cut(rig);
    uint8_t shorter[] = { 0, 0, 0, 6, FRAME_ALERT, REASON_BUSY, 0, 0, 0, 7 };
    assert_int_equal(core_connected(rig->core), KC_OK);
    assert_int_equal(core_input(rig->core, shorter, sizeof shorter), REASON_BUSY);
    assert_true(core_may_return(rig->core, REASON_BUSY, &after));
    assert_int_equal(after, 7);
}

static void an_alert_that_crossed_our_client_finish_is_one(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    uint8_t alert[] = { 0, 0, 0, 6, FRAME_ALERT, REASON_SHUTTING_DOWN, 0, 0, 0, 3 };
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(core_input(rig->core, alert, sizeof alert), REASON_SHUTTING_DOWN);
    assert_true(core_may_return(rig->core, REASON_SHUTTING_DOWN, &after));
    assert_int_equal(after, 3);
    rig_cut(rig);
    log_in(rig); /* a record has come: from now on all are */
    assert_int_equal(core_input(rig->core, alert, sizeof alert), REASON_RECORD);
}

/* ---- login ---- */

static void credentials_are_judged_before_they_are_taken(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(core_login(rig->core, "", rig_password, 8, false), KC_BAD_NAME);
    assert_int_equal(core_login(rig->core, "-a", rig_password, 8, false), KC_BAD_NAME);
    assert_int_equal(core_login(rig->core, "alice", "seven77", 7, false), KC_BAD_PASSWORD);
    assert_int_equal(core_login(rig->core, "alice", "eight\xff__", 8, false), KC_BAD_PASSWORD);
    assert_int_equal(core_login(rig->core, "alice", "with\0nul", 8, false), KC_BAD_PASSWORD);
}

static void without_credentials_the_core_asks_for_them(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_connect(rig), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_LOGIN_REFUSED);
    assert_non_null(e);
    assert_int_equal(e->error, KC_NOT_READY);
    give_password(rig);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_refused_login_wipes_the_password_and_may_be_tried_again(void **state)
{
    static const enum reason reasons[] = { REASON_LOGIN_FAILED, REASON_ACCOUNT_LOCKED, REASON_UNAVAILABLE };
    struct rig *rig = *state;
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(rig_take(rig, MESSAGE_LOGIN));
        assert_int_equal(core_login(rig->core, "alice", rig_password, 8, false), KC_NOT_READY);
        assert_int_equal(refuse(rig, 0, reasons[i], 9), KC_OK);
        const struct rig_event *e = rig_event(rig, KC_EVENT_LOGIN_REFUSED);
        assert_non_null(e);
        assert_int_equal(e->error, reasons[i]);
        assert_int_equal(e->retry_after, 9);
        assert_int_equal(rig->core->credentials->password_len, 0);
        assert_int_equal(rig->core->credentials->password[0], 0);
        give_password(rig);
        assert_int_equal(rig_carry(rig), KC_OK);
    }
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_READY));
}

static void an_account_is_made_once_and_logged_in_to_afterwards(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(core_login(rig->core, "alice", rig_password, strlen(rig_password), true), KC_OK);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_REGISTER));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void after_a_cut_the_kept_password_logs_in_again(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
    rig_cut(rig);
    assert_int_equal(core_state(rig->core), CORE_DISCONNECTED);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_READY);
    assert_non_null(e);
    assert_true(e->resumed);
}

static void while_coming_back_busy_and_unavailable_are_tried_again(void **state)
{
    static const enum reason reasons[] = { REASON_UNAVAILABLE, REASON_BUSY };
    struct rig *rig = *state;
    unsigned after;
    log_in(rig);
    for (size_t i = 0; i < 2; i++) {
        rig_cut(rig);
        assert_int_equal(rig_connect(rig), KC_OK);
        assert_non_null(rig_take(rig, MESSAGE_LOGIN));
        assert_int_equal(refuse(rig, 0, reasons[i], 3), reasons[i]);
        assert_true(rig_quiet(rig));
        assert_true(core_may_return(rig->core, (int)reasons[i], &after));
        assert_int_equal(after, 3);
        assert_closed_because(rig, REASON_NONE);
    }
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void while_coming_back_any_other_refusal_is_final(void **state)
{
    static const enum reason reasons[] = { REASON_LOGIN_FAILED, REASON_ACCOUNT_LOCKED, REASON_ACCOUNT_DISABLED };
    struct rig *rig = *state;
    unsigned after;
    for (size_t i = 0; i < 3; i++) {
        log_in(rig);
        rig_cut(rig);
        assert_int_equal(rig_connect(rig), KC_OK);
        assert_non_null(rig_take(rig, MESSAGE_LOGIN));
        assert_int_equal(refuse(rig, 0, reasons[i], 0), reasons[i]);
        assert_true(rig_quiet(rig));
        assert_false(core_may_return(rig->core, (int)reasons[i], &after));
        rig_cut(rig);
        assert_int_equal(rig->core->credentials->password_len, 0);
    }
}

static void somebody_else_finds_nothing_of_the_one_before(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
    assert_int_equal(core_send(rig->core, "bob", "secret", 6, NULL), KC_OK);
    rig_cut(rig);
    assert_int_equal(core_undelivered(rig->core, NULL), 1);
    assert_int_equal(core_login(rig->core, "carol", rig_password, strlen(rig_password), false), KC_OK);
    assert_int_equal(core_undelivered(rig->core, NULL), 0);
}

static void a_welcome_for_somebody_else_is_refused(void **state)
{
    struct rig *rig = *state;
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "mallory"), KC_PROTOCOL);
    assert_closed_because(rig, REASON_MALFORMED);
    assert_true(rig_quiet(rig));
}

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
        log_in(rig);
        assert_int_equal(close_with(rig, cases[i].reason), cases[i].reason);
        assert_int_equal(core_state(rig->core), CORE_ENDED);
        assert_int_equal(core_may_return(rig->core, (int)cases[i].reason, &after), cases[i].returns);
        rig_cut(rig);
        assert_int_equal(rig->core->credentials->password_len > 0, cases[i].returns);
    }
    log_in(rig);
    assert_int_equal(close_with(rig, REASON_NONE), KC_CONNECTION_LOST);
    assert_true(core_may_return(rig->core, KC_CONNECTION_LOST, &after));
}

static void leaving_says_close_and_nothing_more(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
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
    give_password(rig);
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
    log_in(rig);
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
    log_in(rig);
    rig->flip = 3;
    assert_int_equal(close_with(rig, REASON_KICKED), REASON_RECORD);
    assert_true(rig_silent(rig));
    assert_true(core_may_return(rig->core, REASON_RECORD, &after));
}

static void lengths_over_the_limit_end_the_connection_at_once(void **state)
{
    struct rig *rig = *state;
    uint8_t before_login[] = { 0, 0, 0x40, 1 };
    uint8_t after_login[] = { 0, 1, 0, 1 };
    uint8_t nothing[] = { 0, 0, 0, 0 };
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(core_input(rig->core, before_login, sizeof(before_login)), KC_PROTOCOL);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_closed_because(rig, REASON_TOO_LONG);
    rig_cut(rig);
    log_in(rig);
    before_login[3] = 1;
    assert_int_equal(core_input(rig->core, before_login, sizeof(before_login)), KC_OK);
    rig_cut(rig);
    log_in(rig);
    assert_int_equal(core_input(rig->core, after_login, sizeof(after_login)), KC_PROTOCOL);
    rig_cut(rig);
    log_in(rig);
    assert_int_equal(core_input(rig->core, nothing, sizeof(nothing)), KC_PROTOCOL);
}

static void messages_out_of_their_place_end_the_connection(void **state)
{
    struct rig *rig = *state;
    static const uint8_t unknown[] = { 99 };
    static const uint8_t cut[] = { MESSAGE_PONG, 0, 0 };
    struct message presence = { .type = MESSAGE_PRESENCE, .presence = { rig_name("bob"), PRESENCE_ONLINE } };

    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_tell(rig, &presence), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);

    rig_cut(rig);
    log_in(rig);
    assert_int_equal(rig_welcome(rig, "alice"), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);

    rig_cut(rig);
    log_in(rig);
    assert_int_equal(rig_tell_plain(rig, unknown, sizeof(unknown)), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);

    rig_cut(rig);
    log_in(rig);
    assert_int_equal(rig_tell_plain(rig, cut, sizeof(cut)), KC_PROTOCOL);
    assert_closed_because(rig, REASON_MALFORMED);

    rig_cut(rig);
    log_in(rig);
    assert_int_equal(refuse(rig, 17, REASON_BUSY, 0), KC_PROTOCOL);
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
        log_in(rig);
        rig->core->ping_waits = true;
        rig->core->ping_token = 1;
        assert_int_equal(rig_tell_record(rig, pong_and_more, lengths[i]), KC_PROTOCOL);
        assert_closed_because(rig, REASON_MALFORMED);
        assert_int_equal(rig->core->ping_waits, lengths[i] < 13); /* what comes before it was taken */
        rig_cut(rig);
    }
    log_in(rig);
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
    give_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_tell_together(rig, m, 2), REASON_KICKED);
    assert_true(core_was_ready(rig->core));
}

/* ---- pings ---- */

static void a_silent_connection_is_pinged_and_a_dead_one_given_up(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
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
    log_in(rig);
    for (unsigned i = 0; i < 30 && error == KC_OK; i++) {
        assert_int_equal(core_who(rig->core, "bob"), i < WHOS_MAX ? KC_OK : REASON_TOO_MANY);
        error = rig_wait(rig, 10000);
    }
    assert_int_equal(error, KC_CONNECTION_LOST);
}

static void a_pong_that_nobody_asked_for_is_refused(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
    assert_int_equal(rig_tell(rig, &(struct message){ .type = MESSAGE_PONG, .ping = { 1 } }), KC_PROTOCOL);
    assert_closed_because(rig, REASON_OUT_OF_ORDER);
}

/* ---- list and who ---- */

static struct list_entry *entries(unsigned from, unsigned count)
{
    struct list_entry *list = calloc(count, sizeof(*list));
    assert_non_null(list);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(list[i].name.text, sizeof(list[i].name.text), "user%06u", from + i);
        list[i].since = 1;
    }
    return list;
}

static int list_reply(struct rig *rig, uint32_t request, bool more, unsigned from, unsigned count)
{
    struct list_entry *list = entries(from, count);
    int error = rig_tell(
        rig, &(struct message){ .type = MESSAGE_LIST_REPLY,
                                .list_reply = { .request = request, .more = more, .count = count, .entries = list } });
    free(list);
    return error;
}

static void pages_of_a_list_are_gathered_into_one_event(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(core_list(rig->core), KC_NOT_READY);
    log_in(rig);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_false(m->list.has_after);
    assert_int_equal(list_reply(rig, m->list.request, true, 0, 1000), KC_OK);
    assert_true(rig_quiet(rig));
    m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_true(m->list.has_after);
    assert_string_equal(m->list.after.text, "user000999");
    assert_int_equal(list_reply(rig, m->list.request, false, 1000, 5), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_LIST);
    assert_non_null(e);
    assert_int_equal(e->people_count, 1005);
    assert_string_equal(e->first, "user000000");
    assert_string_equal(e->last, "user001004");
    m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_int_equal(list_reply(rig, m->list.request, false, 0, 0), KC_OK);
    e = rig_event(rig, KC_EVENT_LIST);
    assert_non_null(e);
    assert_int_equal(e->people_count, 0);
    assert_true(rig_silent(rig));
}

static void a_list_that_goes_backwards_or_nowhere_is_refused(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 3; i++) {
        log_in(rig);
        assert_int_equal(core_list(rig->core), KC_OK);
        assert_int_equal(rig_carry(rig), KC_OK);
        const struct message *m = rig_take(rig, MESSAGE_LIST);
        assert_non_null(m);
        if (i == 0) {
            assert_int_equal(list_reply(rig, m->list.request, true, 0, 0), KC_PROTOCOL);
        } else if (i == 1) {
            assert_int_equal(list_reply(rig, m->list.request + 1, false, 0, 1), KC_PROTOCOL);
        } else {
            assert_int_equal(list_reply(rig, m->list.request, true, 0, 10), KC_OK);
            m = rig_take(rig, MESSAGE_LIST);
            assert_non_null(m);
            assert_int_equal(list_reply(rig, m->list.request, true, 9, 10), KC_PROTOCOL);
        }
        assert_closed_because(rig, REASON_MALFORMED);
        rig_cut(rig);
    }
}

static void an_endless_list_is_given_up(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    for (unsigned page = 0; page <= LIST_NAMES_MAX / 1000; page++) {
        const struct message *m = rig_take(rig, MESSAGE_LIST);
        assert_non_null(m);
        assert_int_equal(list_reply(rig, m->list.request, true, 1000 * page, 1000), KC_OK);
    }
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_int_equal(e->error, REASON_TOO_MANY);
    assert_true(rig_silent(rig));
}

static void who_is_answered_or_refused(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(core_who(rig->core, "bob"), KC_NOT_READY);
    log_in(rig);
    assert_int_equal(core_who(rig->core, "Bob!"), KC_BAD_NAME);
    assert_int_equal(core_who(rig->core, "bob"), KC_OK);
    assert_int_equal(core_who(rig->core, "nobody"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_WHO);
    assert_non_null(m);
    struct message reply = { .type = MESSAGE_WHO_REPLY,
                             .who_reply = { m->who.request, rig_name("bob"), PRESENCE_ONLINE, 5 } };
    m = rig_take(rig, MESSAGE_WHO);
    assert_non_null(m);
    assert_int_equal(refuse(rig, m->who.request, REASON_NO_SUCH_USER, 0), KC_OK);
    assert_int_equal(rig_tell(rig, &reply), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_string_equal(e->peer, "nobody");
    assert_int_equal(e->error, REASON_NO_SUCH_USER);
    e = rig_event(rig, KC_EVENT_WHO);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_true(e->online);
    assert_int_equal(e->since, 5);
    assert_int_equal(rig_tell(rig, &reply), KC_PROTOCOL);
}

static void a_refused_list_is_told(void **state)
{
    struct rig *rig = *state;
    log_in(rig);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_int_equal(refuse(rig, m->list.request, REASON_BUSY, 2), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_string_equal(e->peer, "");
    assert_int_equal(e->error, REASON_BUSY);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(login_sends_name_and_password_and_becomes_ready),
        TEST(bytes_may_come_one_at_a_time),
        TEST(a_refused_group_is_tried_again_with_an_accepted_one),
        TEST(an_unknown_kdc_gets_no_password_before_it_is_trusted),
        TEST(a_kdc_that_is_not_trusted_is_left),
        TEST(a_changed_identity_gets_no_password),
        TEST(a_flipped_server_hello_is_told_for_what_it_is),
        TEST(an_alert_is_reported_but_doesnt_end_what_went_well),
        TEST(a_forged_alert_keeps_nobody_away_for_long),
        TEST(an_alert_that_crossed_our_client_finish_is_one),
        TEST(credentials_are_judged_before_they_are_taken),
        TEST(without_credentials_the_core_asks_for_them),
        TEST(a_refused_login_wipes_the_password_and_may_be_tried_again),
        TEST(an_account_is_made_once_and_logged_in_to_afterwards),
        TEST(after_a_cut_the_kept_password_logs_in_again),
        TEST(while_coming_back_busy_and_unavailable_are_tried_again),
        TEST(while_coming_back_any_other_refusal_is_final),
        TEST(somebody_else_finds_nothing_of_the_one_before),
        TEST(a_welcome_for_somebody_else_is_refused),
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
        TEST(pages_of_a_list_are_gathered_into_one_event),
        TEST(a_list_that_goes_backwards_or_nowhere_is_refused),
        TEST(an_endless_list_is_given_up),
        TEST(who_is_answered_or_refused),
        TEST(a_refused_list_is_told),
        cmocka_unit_test(every_error_has_a_name_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
