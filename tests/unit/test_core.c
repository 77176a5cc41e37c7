/* test_core.c: one connection of a client's core: handshake, trust, login. How it ends: test_core_end.c. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <string.h>

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
    alice_logs_in(rig);
}

static void a_refused_group_is_tried_again_with_an_accepted_one(void **state)
{
    struct rig *rig = *state;
    /* The core copied its policy: make one anew. */
    rig->core->policy = (struct handshake_policy){ { DH_FFDHE3072, DH_FFDHE2048 }, 2, { SUITE_AES_256_GCM }, 1 };
    rig->kdc_policy = (struct handshake_policy){ { DH_FFDHE2048 }, 1, { SUITE_AES_256_GCM }, 1 };
    alice_logs_in(rig);
    assert_string_equal(rig->core->group->name, "ffdhe2048");
    assert_string_equal(rig->core->suite->name, "aes-256-gcm");
}

static void an_unknown_kdc_gets_no_password_before_it_is_trusted(void **state)
{
    struct rig *rig = *state;
    rig->judgement = CORE_IDENTITY_UNKNOWN;
    alice_gives_password(rig);
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
    alice_gives_password(rig);
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
    alice_logs_in(rig);
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
    alice_gives_password(rig);
    rig->flip = SHA512_LEN + 1; /* the signature's last byte */
    assert_int_equal(rig_connect(rig), KC_BAD_SIGNATURE);
    assert_false(core_may_return(rig->core, KC_BAD_SIGNATURE, &after));
    rig_cut(rig);
    rig->flip = 1; /* the confirm's */
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_BAD_CONFIRM);
    assert_false(rig->channel);
    assert_false(core_may_return(rig->core, KC_BAD_CONFIRM, &after));
    assert_true(rig_silent(rig));
}

static void an_alert_is_reported_but_doesnt_end_what_went_well(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    alice_gives_password(rig);
    rig->kdc_policy.suites[0] = SUITE_AES_256_GCM;
    assert_int_equal(rig_connect(rig), REASON_SUITE);
    assert_false(core_may_return(rig->core, REASON_SUITE, &after));
    rig_cut(rig);
    rig->kdc_policy.suites[0] = SUITE_CHACHA20_POLY1305;
    alice_logs_in(rig);
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
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(core_input(rig->core, alert, sizeof alert), REASON_SHUTTING_DOWN);
    assert_true(core_may_return(rig->core, REASON_SHUTTING_DOWN, &after));
    assert_int_equal(after, 3);
    rig_cut(rig);
    alice_logs_in(rig); /* a record has come: from now on all are */
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
    alice_gives_password(rig);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_refused_login_wipes_the_password_and_may_be_tried_again(void **state)
{
    static const enum reason reasons[] = { REASON_LOGIN_FAILED, REASON_ACCOUNT_LOCKED, REASON_UNAVAILABLE };
    struct rig *rig = *state;
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(rig_take(rig, MESSAGE_LOGIN));
        assert_int_equal(core_login(rig->core, "alice", rig_password, 8, false), KC_NOT_READY);
        assert_int_equal(kdc_refuses(rig, 0, reasons[i], 9), KC_OK);
        const struct rig_event *e = rig_event(rig, KC_EVENT_LOGIN_REFUSED);
        assert_non_null(e);
        assert_int_equal(e->error, reasons[i]);
        assert_int_equal(e->retry_after, 9);
        assert_int_equal(rig->core->credentials->password_len, 0);
        assert_int_equal(rig->core->credentials->password[0], 0);
        alice_gives_password(rig);
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
    alice_logs_in(rig);
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
    alice_logs_in(rig);
    for (size_t i = 0; i < 2; i++) {
        rig_cut(rig);
        assert_int_equal(rig_connect(rig), KC_OK);
        assert_non_null(rig_take(rig, MESSAGE_LOGIN));
        assert_int_equal(kdc_refuses(rig, 0, reasons[i], 3), reasons[i]);
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
        alice_logs_in(rig);
        rig_cut(rig);
        assert_int_equal(rig_connect(rig), KC_OK);
        assert_non_null(rig_take(rig, MESSAGE_LOGIN));
        assert_int_equal(kdc_refuses(rig, 0, reasons[i], 0), reasons[i]);
        assert_true(rig_quiet(rig));
        assert_false(core_may_return(rig->core, (int)reasons[i], &after));
        rig_cut(rig);
        assert_int_equal(rig->core->credentials->password_len, 0);
    }
}

static void somebody_else_finds_nothing_of_the_one_before(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    assert_int_equal(core_send(rig->core, "bob", "secret", 6, NULL), KC_OK);
    rig_cut(rig);
    assert_int_equal(core_undelivered(rig->core, NULL), 1);
    assert_int_equal(core_login(rig->core, "carol", rig_password, strlen(rig_password), false), KC_OK);
    assert_int_equal(core_undelivered(rig->core, NULL), 0);
}

static void a_welcome_for_somebody_else_is_refused(void **state)
{
    struct rig *rig = *state;
    alice_gives_password(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "mallory"), KC_PROTOCOL);
    assert_closed_because(rig, REASON_MALFORMED);
    assert_true(rig_quiet(rig));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin, core_script_end)

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
