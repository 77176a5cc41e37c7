/* Another password: what the client's core asks, keeps and forgets. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <string.h>

#define NEW_PASSWORD "battery staple"

static void same_text(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
}

/* Asks, and gives the request's number. */
static uint32_t ask(struct rig *rig)
{
    assert_int_equal(
        core_change_password(rig->core, rig_password, strlen(rig_password), NEW_PASSWORD, strlen(NEW_PASSWORD)), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_CHANGE_PASSWORD);
    assert_non_null(m);
    same_text(m->change_password.old, rig_password);
    same_text(m->change_password.new, NEW_PASSWORD);
    return m->change_password.request;
}

/* The connection is lost, and comes up again; the password that the login has. */
static void comes_back_with(struct rig *rig, const char *password)
{
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_LOGIN);
    assert_non_null(m);
    same_text(m->credentials.password, password);
}

static void told(struct rig *rig, int error)
{
    const struct rig_event *event = rig_event(rig, KC_EVENT_PASSWORD_CHANGED);
    assert_non_null(event);
    assert_int_equal(event->error, error);
}

static void the_new_password_is_the_one_to_come_back_by(void **state)
{
    struct rig *rig = *state;
    const uint32_t request = ask(rig);
    assert_int_equal(core_change_password(rig->core, rig_password, strlen(rig_password), NEW_PASSWORD, 14),
                     REASON_TOO_MANY);
    const struct message m = { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = request } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    told(rig, KC_OK);
    assert_int_equal(rig->core->credentials->next_len, 0);
    comes_back_with(rig, NEW_PASSWORD);
}

static void what_was_refused_changes_nothing(void **state)
{
    struct rig *rig = *state;
    const struct message m = { .type = MESSAGE_REFUSED,
                               .refused = { .request = ask(rig), .reason = REASON_PASSWORD_COMMON } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    told(rig, REASON_PASSWORD_COMMON);
    assert_int_equal(rig->core->credentials->next_len, 0);
    comes_back_with(rig, rig_password);
}

static void a_connection_lost_before_the_answer_leaves_two_to_try(void **state)
{
    struct rig *rig = *state;
    (void)ask(rig);
    comes_back_with(rig, rig_password);
    told(rig, KC_CONNECTION_LOST);
    const struct message m = { .type = MESSAGE_REFUSED, .refused = { .reason = REASON_LOGIN_FAILED } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    const struct message *again = rig_take(rig, MESSAGE_LOGIN);
    assert_non_null(again);
    same_text(again->credentials.password, NEW_PASSWORD);
    assert_int_equal(rig_tell(rig, &m), REASON_LOGIN_FAILED); /* both are tried, and that is all */
}

static void a_database_lost_before_the_answer_leaves_two_to_try(void **state)
{
    struct rig *rig = *state;
    const struct message m = { .type = MESSAGE_REFUSED,
                               .refused = { .request = ask(rig), .reason = REASON_UNAVAILABLE } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    told(rig, REASON_UNAVAILABLE);
    comes_back_with(rig, rig_password);
    const struct message wrong = { .type = MESSAGE_REFUSED, .refused = { .reason = REASON_LOGIN_FAILED } };
    assert_int_equal(rig_tell(rig, &wrong), KC_OK);
    const struct message *again = rig_take(rig, MESSAGE_LOGIN);
    assert_non_null(again);
    same_text(again->credentials.password, NEW_PASSWORD);
}

static void an_answer_to_nothing_is_no_answer(void **state)
{
    struct rig *rig = *state;
    const struct message m = { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = 99 } };
    assert_int_equal(rig_tell(rig, &m), KC_PROTOCOL);
}

static void who_must_change_logs_in_changing(void **state)
{
    struct rig *rig = rig_new();
    (void)state;
    assert_int_equal(core_login(rig->core, "alice", rig_password, strlen(rig_password), false), KC_OK);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    const struct message m = { .type = MESSAGE_REFUSED, .refused = { .reason = REASON_MUST_CHANGE } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
    assert_int_equal(rig_event(rig, KC_EVENT_LOGIN_REFUSED)->error, REASON_MUST_CHANGE);
    assert_int_equal(core_login_changing(rig->core, "alice", rig_password, strlen(rig_password), "short", 5),
                     KC_BAD_PASSWORD);
    assert_int_equal(core_login_changing(rig->core, "alice", rig_password, strlen(rig_password), NEW_PASSWORD, 14),
                     KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *asked = rig_take(rig, MESSAGE_LOGIN_CHANGING);
    assert_non_null(asked);
    same_text(asked->login_changing.credentials.password, rig_password);
    same_text(asked->login_changing.new, NEW_PASSWORD);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    comes_back_with(rig, NEW_PASSWORD);
    rig_free(&rig);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin_in, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_new_password_is_the_one_to_come_back_by),
        TEST(what_was_refused_changes_nothing),
        TEST(a_connection_lost_before_the_answer_leaves_two_to_try),
        TEST(a_database_lost_before_the_answer_leaves_two_to_try),
        TEST(an_answer_to_nothing_is_no_answer),
        cmocka_unit_test(who_must_change_logs_in_changing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
