/* test_core_resumption.c: a client's core that comes back by ticket. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <stdio.h>
#include <string.h>

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    *state = rig;
    if (rig != NULL)
        rig->tickets.gives = rig->tickets.takes = true;
    return rig == NULL ? -1 : 0;
}

static void come_back(struct rig *rig)
{
    rig_cut(rig);
    rig->tickets.offered = 0;
    assert_int_equal(rig_connect(rig), KC_OK);
}

static void expect_ready(struct rig *rig)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_READY);
    assert_non_null(e);
    assert_true(e->resumed);
    assert_true(core_ready(rig->core));
}

static int refuse(struct rig *rig, enum reason reason)
{
    return rig_tell(rig, &(struct message){ .type = MESSAGE_REFUSED, .refused = { 0, reason, 0 } });
}

static void a_first_login_offers_no_ticket(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    assert_int_equal(rig->tickets.offered, 0);
}

static void a_client_comes_back_by_its_newest_ticket_and_says_nothing(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    for (unsigned i = 0; i < 3; i++) {
        come_back(rig);
        assert_int_equal(rig->tickets.offered, 1);
        assert_true(rig->tickets.newest);
        assert_true(rig->tickets.resumed);
        assert_true(rig_silent(rig));
        assert_int_equal(core_state(rig->core), CORE_LOGIN);
        assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
        expect_ready(rig);
        assert_true(rig_silent(rig));
    }
}

static void a_ticket_that_isnt_taken_leads_to_a_login_and_isnt_offered_again(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    rig->tickets.takes = false;
    come_back(rig);
    assert_int_equal(rig->tickets.offered, 1);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    come_back(rig); /* cut before the answer */
    assert_int_equal(rig->tickets.offered, 0);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    expect_ready(rig);
    rig->tickets.takes = true;
    come_back(rig);
    assert_true(rig->tickets.resumed);
}

static void refused_after_a_ticket_leads_to_a_login_on_the_same_connection(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    come_back(rig);
    assert_true(rig->tickets.resumed);
    assert_int_equal(refuse(rig, REASON_LOGIN_FAILED), KC_OK);
    assert_true(rig_quiet(rig)); /* nobody is asked: the password is there */
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    expect_ready(rig);
}

static void a_password_that_doesnt_hold_either_is_the_end(void **state)
{
    struct rig *rig = *state;
    unsigned retry_after;
    alice_logs_in(rig);
    come_back(rig);
    assert_int_equal(refuse(rig, REASON_LOGIN_FAILED), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(refuse(rig, REASON_ACCOUNT_LOCKED), REASON_ACCOUNT_LOCKED);
    assert_false(core_may_return(rig->core, REASON_ACCOUNT_LOCKED, &retry_after));
    rig_cut(rig);
    assert_int_equal(rig->core->credentials->password_len, 0);
    assert_int_equal(rig->core->resumption->ticket_len, 0);
}

static void a_ticket_survives_a_connection_that_breaks_before_the_answer(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    come_back(rig);
    assert_true(rig->tickets.resumed);
    come_back(rig); /* the welcome was lost */
    assert_true(rig->tickets.resumed);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    expect_ready(rig);
}

static void a_ticket_past_its_time_isnt_offered(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    rig->now += UINT64_C(3600) * 1000 - 1;
    come_back(rig);
    assert_int_equal(rig->tickets.offered, 1);
    rig->now += 1;
    come_back(rig);
    assert_int_equal(rig->tickets.offered, 0);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_welcome_without_a_ticket_takes_the_older_one_away(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    rig->tickets.gives = false;
    come_back(rig);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    expect_ready(rig);
    come_back(rig);
    assert_int_equal(rig->tickets.offered, 0);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_ticket_goes_with_another_hello_when_the_group_is_another(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    rig->core->policy.groups[1] = DH_FFDHE3072;
    rig->core->policy.group_count = 2;
    rig->kdc_policy.groups[0] = DH_FFDHE3072;
    come_back(rig);
    assert_int_equal(rig->tickets.offered, 1);
    assert_true(rig->tickets.resumed);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    expect_ready(rig);
}

static void a_secret_that_isnt_the_tickets_ends_in_confirm_and_then_in_a_login(void **state)
{
    struct rig *rig = *state;
    unsigned retry_after;
    alice_logs_in(rig);
    rig->tickets.secret[5] ^= 1;
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), REASON_CONFIRM);
    assert_true(core_may_return(rig->core, REASON_CONFIRM, &retry_after));
    come_back(rig);
    assert_int_equal(rig->tickets.offered, 0);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void a_welcome_that_nobody_asked_for_is_refused_without_a_ticket(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_event(rig, KC_EVENT_LOGIN_REFUSED));
    assert_int_equal(rig_welcome(rig, "alice"), KC_PROTOCOL);
}

static void another_users_welcome_is_refused(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    come_back(rig);
    assert_int_equal(rig_welcome(rig, "bob"), KC_PROTOCOL);
}

static void somebody_elses_login_forgets_the_ticket(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    rig_cut(rig);
    assert_int_equal(core_login(rig->core, "bob", rig_password, strlen(rig_password), false), KC_OK);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_int_equal(rig->tickets.offered, 0);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
}

static void no_login_may_be_given_while_a_ticket_is_judged(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    rig_cut(rig);
    rig_kdc_start(rig);
    assert_int_equal(core_connected(rig->core), KC_OK);
    assert_int_equal(core_login(rig->core, "alice", rig_password, strlen(rig_password), false), KC_NOT_READY);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_int_equal(core_login(rig->core, "alice", rig_password, strlen(rig_password), false), KC_NOT_READY);
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    expect_ready(rig);
}

static void nothing_of_a_ticket_outlives_its_use(void **state)
{
    struct rig *rig = *state;
    uint8_t zeros[KDF_SECRET_LEN] = { 0 };
    alice_logs_in(rig);
    assert_memory_not_equal(rig->core->resumption->secret, zeros, sizeof(zeros));
    assert_memory_equal(rig->core->resumption->next, zeros, sizeof(zeros));
    rig_cut(rig);
    core_forget_password(rig->core);
    assert_memory_equal(rig->core->resumption->secret, zeros, sizeof(zeros));
    assert_int_equal(rig->core->resumption->ticket_len, 0);
}

static char lines[1 << 14];

static void keep_line(struct rig *rig, const struct kc_event *event)
{
    (void)rig;
    const size_t used = strlen(lines);
    if (event->type == KC_EVENT_TRACE)
        (void)snprintf(lines + used, sizeof(lines) - used, "%s\n", event->text);
}

static void the_trace_tells_of_tickets(void **state)
{
    struct rig *rig = *state;
    lines[0] = '\0';
    rig->on_event = keep_line;
    core_set_trace(rig->core, true);
    alice_logs_in(rig);
    assert_null(strstr(lines, "resumed"));
    assert_non_null(strstr(lines, "<- welcome alice, session 7, a ticket of 4 bytes for 3600 seconds; record"));
    come_back(rig);
    assert_non_null(strstr(lines, ", a ticket of 4 bytes; frame of"));
    assert_non_null(strstr(lines, "<- server_hello, suite chacha20-poly1305, resumed, random"));
    assert_non_null(strstr(lines, "the KDC takes the ticket"));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    rig->tickets.takes = false;
    come_back(rig);
    assert_non_null(strstr(lines, "the KDC doesn't take the ticket"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_login_offers_no_ticket),
        TEST(a_client_comes_back_by_its_newest_ticket_and_says_nothing),
        TEST(a_ticket_that_isnt_taken_leads_to_a_login_and_isnt_offered_again),
        TEST(refused_after_a_ticket_leads_to_a_login_on_the_same_connection),
        TEST(a_password_that_doesnt_hold_either_is_the_end),
        TEST(a_ticket_survives_a_connection_that_breaks_before_the_answer),
        TEST(a_ticket_past_its_time_isnt_offered),
        TEST(a_welcome_without_a_ticket_takes_the_older_one_away),
        TEST(a_ticket_goes_with_another_hello_when_the_group_is_another),
        TEST(a_secret_that_isnt_the_tickets_ends_in_confirm_and_then_in_a_login),
        TEST(a_welcome_that_nobody_asked_for_is_refused_without_a_ticket),
        TEST(another_users_welcome_is_refused),
        TEST(somebody_elses_login_forgets_the_ticket),
        TEST(no_login_may_be_given_while_a_ticket_is_judged),
        TEST(nothing_of_a_ticket_outlives_its_use),
        TEST(the_trace_tells_of_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
