/* The client's core: making an account, activating it, giving it up. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <string.h>

static void holds(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
}

static void is_refused(struct rig *rig, enum reason reason)
{
    assert_int_equal(kdc_refuses(rig, 0, reason, 0), KC_OK);
    const struct rig_event *event = rig_event(rig, KC_EVENT_LOGIN_REFUSED);
    assert_non_null(event);
    assert_int_equal(event->error, reason);
}

static bool words_are_gone(const struct rig *rig)
{
    const struct credentials *who = rig->core->credentials;
    for (size_t i = 0; i < sizeof who->words; i++) {
        if (who->words[i] != 0)
            return false;
    }
    return true;
}

static void who_registers_brings_what_was_given(void **state)
{
    struct rig *rig = *state;
    const struct kc_registration all = { "01ABC-DEF01-23456-789XY", "alice@example.org", "+4930123456" };
    const struct kc_registration none = { NULL, NULL, NULL };
    core_set_trace(rig->core, true);
    memcpy(rig->forbidden, all.invitation, strlen(all.invitation) + 1);
    assert_int_equal(core_register(rig->core, "alice", rig_password, strlen(rig_password), &none), KC_OK);
    assert_int_equal(rig_connect(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_REGISTER);
    assert_non_null(m);
    assert_int_equal(m->registering.code.len + m->registering.email.len + m->registering.phone.len, 0);
    is_refused(rig, REASON_INVITATION);
    assert_int_equal(core_register(rig->core, "alice", rig_password, strlen(rig_password), &all), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    m = rig_take(rig, MESSAGE_REGISTER);
    assert_non_null(m);
    holds(m->registering.credentials.name, "alice");
    holds(m->registering.credentials.password, rig_password);
    holds(m->registering.code, all.invitation);
    holds(m->registering.email, all.email);
    holds(m->registering.phone, all.phone);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_READY));
    assert_true(words_are_gone(rig));
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_pending_account_is_activated_on_the_same_connection(void **state)
{
    struct rig *rig = *state;
    const struct kc_registration registration = { .email = "alice@example.org" };
    assert_int_equal(core_register(rig->core, "alice", rig_password, strlen(rig_password), &registration), KC_OK);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_REGISTER));
    is_refused(rig, REASON_ACCOUNT_PENDING);
    assert_true(words_are_gone(rig));
    const char *const codes[] = { NULL, "", "012345" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(core_activate(rig->core, "alice", rig_password, strlen(rig_password), codes[i]), KC_OK);
        assert_int_equal(rig_carry(rig), KC_OK);
        const struct message *m = rig_take(rig, MESSAGE_ACTIVATE);
        assert_non_null(m);
        holds(m->activate.credentials.password, rig_password);
        holds(m->activate.code, i == 2 ? "012345" : "");
        if (i < 2)
            is_refused(rig, REASON_ACCOUNT_PENDING);
    }
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_READY));
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN)); /* it is active: a login does */
}

static void what_no_message_could_hold_is_told_at_once(void **state)
{
    struct rig *rig = *state;
    char longest[300];
    memset(longest, '1', sizeof longest);
    longest[CODE_LEN_MAX + 1] = '\0';
    const struct kc_registration invitation = { .invitation = longest };
    assert_int_equal(core_register(rig->core, "alice", rig_password, 8, &invitation), REASON_INVITATION);
    assert_int_equal(core_activate(rig->core, "alice", rig_password, 8, longest), REASON_CODE);
    const struct kc_registration phone = { .phone = longest };
    assert_int_equal(core_register(rig->core, "alice", rig_password, 8, &phone), REASON_PHONE);
    longest[CODE_LEN_MAX + 1] = '1';
    longest[EMAIL_LEN_MAX + 1] = '\0';
    const struct kc_registration email = { .email = longest };
    assert_int_equal(core_register(rig->core, "alice", rig_password, 8, &email), REASON_EMAIL);
    assert_int_equal(core_deactivate(rig->core, "1"), KC_NOT_READY);
    assert_int_equal(rig_login(rig, "alice"), 0);
    assert_int_equal(core_deactivate(rig->core, longest), REASON_CODE);
    assert_true(rig_silent(rig));
}

static uint32_t ask_to_deactivate(struct rig *rig, const char *code)
{
    assert_int_equal(core_deactivate(rig->core, code), KC_OK);
    assert_int_equal(core_deactivate(rig->core, code), REASON_TOO_MANY);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_DEACTIVATE);
    assert_non_null(m);
    holds(m->deactivate.code, code == NULL ? "" : code);
    return m->deactivate.request;
}

static void giving_up_takes_a_code_and_ends_the_session(void **state)
{
    struct rig *rig = *state;
    unsigned after;
    assert_int_equal(rig_login(rig, "alice"), 0);
    (void)rig_event(rig, KC_EVENT_READY);
    const uint32_t first = ask_to_deactivate(rig, NULL);
    assert_int_equal(rig_tell(rig, &(struct message){ .type = MESSAGE_CODE_MAILED, .code_mailed = { first } }), KC_OK);
    const struct rig_event *event = rig_event(rig, KC_EVENT_DEACTIVATION);
    assert_non_null(event);
    assert_int_equal(event->error, KC_OK);
    const uint32_t second = ask_to_deactivate(rig, "000000");
    assert_int_equal(kdc_refuses(rig, second, REASON_CODE, 0), KC_OK);
    event = rig_event(rig, KC_EVENT_DEACTIVATION);
    assert_non_null(event);
    assert_int_equal(event->error, REASON_CODE);
    (void)ask_to_deactivate(rig, "012345");
    assert_int_equal(rig_tell(rig, &(struct message){ .type = MESSAGE_CLOSE, .close = { REASON_ACCOUNT_DISABLED } }),
                     REASON_ACCOUNT_DISABLED);
    assert_false(core_may_return(rig->core, REASON_ACCOUNT_DISABLED, &after));
}

static void an_answer_that_nobody_asked_for_ends_the_connection(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_login(rig, "alice"), 0);
    assert_int_equal(rig_tell(rig, &(struct message){ .type = MESSAGE_CODE_MAILED, .code_mailed = { 4711 } }),
                     KC_PROTOCOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, core_script_begin, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_registers_brings_what_was_given),
        TEST(a_pending_account_is_activated_on_the_same_connection),
        TEST(what_no_message_could_hold_is_told_at_once),
        TEST(giving_up_takes_a_code_and_ends_the_session),
        TEST(an_answer_that_nobody_asked_for_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
