/*
 * test_kdc_session_register.c: the KDC's side of making, activating and giving up an account.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"

#include <stdio.h>
#include <string.h>

#define INVITATION "01ABC-DEF01-23456-789XY"

static int set_up(void **state)
{
    struct world *w = world_new();
    world_add_account(w, "alice", USER_ACTIVE);
    (void)snprintf(w->table[0].email.text, sizeof w->table[0].email.text, "alice@example.org");
    w->config.login_tries = 100;
    w->config.activation_minutes = 15;
    w->config.code_tries = 5;
    w->config.code_mails = 5;
    (void)snprintf(w->config.mail_server, sizeof w->config.mail_server, "mail.example.org");
    *state = w;
    return 0;
}

static void give_invitation(struct world *w)
{
    w->config.registration = REGISTRATION_INVITE;
    assert_int_equal(
        code_invitation_digest((struct bytes){ (const uint8_t *)INVITATION, strlen(INVITATION) }, w->invitation), 0);
}

static void is_refused(struct client *c, const char *name, const char *code, const char *email, const char *phone,
                       enum reason reason)
{
    world_register(c, name, code, email, phone);
    world_settle(c->world);
    world_expect_refused(c, 0, reason);
}

/* ---- registering ---- */

static void contacts_are_optional_and_judged_before_anybody_is_asked(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_OPEN;
    w->database_gone = true; /* nobody asks it */
    is_refused(c, "bob", "", "bob", "", REASON_EMAIL);
    is_refused(c, "bob", "", "bob@example.org\r\nBcc: eve@example.org", "", REASON_EMAIL);
    is_refused(c, "bob", "", "", "12345", REASON_PHONE);
    w->config.require_email = true;
    is_refused(c, "bob", "", "", "", REASON_EMAIL);
    w->config.require_email = false;
    w->database_gone = false;
    world_register(c, "bob", "", "Bob@Example.ORG", "+49 123-4567");
    world_settle(w);
    world_expect(c, MESSAGE_WELCOME);
    assert_string_equal(w->table[1].email.text, "Bob@example.org");
    assert_int_equal(w->letters, 0);
}

static void an_address_that_is_taken_is_told_where_each_is_one_accounts_only(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_OPEN;
    w->config.contact_unique = true;
    is_refused(c, "bob", "", "alice@example.org", "", REASON_EMAIL_TAKEN);
    w->config.contact_unique = false;
    world_register(c, "bob", "", "alice@example.org", "");
    world_settle(w);
    world_expect(c, MESSAGE_WELCOME);
}

static void an_invitation_lets_one_in_once(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    struct client *other = world_connect(w);
    give_invitation(w);
    is_refused(c, "bob", "", "", "", REASON_INVITATION);
    is_refused(c, "bob", "not a code", "", "", REASON_INVITATION);
    is_refused(c, "bob", "01ABC-DEF01-23456-789XZ", "", "", REASON_INVITATION);
    is_refused(c, "alice", INVITATION, "", "", REASON_NAME_TAKEN);
    world_register(c, "bob", "01abc def01 23456 789xy", "", "");
    world_settle(w);
    world_expect(c, MESSAGE_WELCOME);
    is_refused(other, "carol", INVITATION, "", "", REASON_INVITATION);
}

static void who_has_no_invitation_learns_no_names(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    give_invitation(w);
    is_refused(c, "alice", "01ABC-DEF01-23456-789XZ", "", "", REASON_INVITATION);
    is_refused(c, "nobody", "01ABC-DEF01-23456-789XZ", "", "", REASON_INVITATION);
}

/* Ten lock. */
static const struct penalty_policy no_delay = {
    .enabled = true, .account_failures = 10, .source_failures = 10, .forget_seconds = 3600, .lock_seconds = 900
};

static void guessing_invitations_costs_the_source_and_no_account(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_punish(w, &no_delay);
    give_invitation(w);
    for (unsigned i = 0; i < 10; i++) {
        is_refused(c, "alice", "01ABC-DEF01-23456-789XZ", "", "", REASON_INVITATION);
    }
    is_refused(c, "bob", INVITATION, "", "", REASON_PENALTY);
    const struct penalty_stats stats = penalties_stats(w->penalties, w->time);
    assert_int_equal(stats.sources_locked, 1);
    assert_int_equal(stats.accounts, 0);
}

static void guessing_codes_of_account_after_account_costs_the_source(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_punish(w, &no_delay);
    w->config.registration = REGISTRATION_EMAIL;
    static const char *const names[] = { "bob", "carol" };
    for (unsigned i = 0; i < 10; i++) {
        if (i % 5 == 0) {
            is_refused(c, names[i / 5], "", "victim@example.org", "", REASON_ACCOUNT_PENDING);
        }
        world_activate(c, names[i / 5], WORLD_PASSWORD, w->letter.code[0] == '0' ? "100000" : "000000");
        world_settle(w);
        world_expect_refused(c, 0, REASON_CODE);
    }
    world_activate(c, "carol", WORLD_PASSWORD, w->letter.code);
    world_settle(w);
    world_expect_refused(c, 0, REASON_PENALTY);
}

static void a_source_makes_so_many_pending_accounts_an_hour(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    const struct penalty_policy two = {
        .enabled = true, .account_failures = 1, .source_failures = 2, .forget_seconds = 3600, .lock_seconds = 1800
    };
    struct penalties *registrations = penalties_new(&two);
    w->host.registrations = registrations;
    w->config.registration = REGISTRATION_EMAIL;
    is_refused(c, "alice", "", "a@example.org", "", REASON_NAME_TAKEN); /* isn't made, and doesn't count */
    is_refused(c, "bob", "", "b@example.org", "", REASON_ACCOUNT_PENDING);
    is_refused(c, "carol", "", "c@example.org", "", REASON_ACCOUNT_PENDING);
    world_register(c, "dave", "", "d@example.org", "");
    world_settle(w);
    const struct message_refused refused = world_expect(c, MESSAGE_REFUSED).refused;
    assert_int_equal(refused.reason, REASON_TOO_MANY);
    assert_in_range(refused.retry_after, 1, 1800);
    assert_int_equal(w->letters, 2);
    assert_false(w->table[3].used);
    w->time += 1800 * 1000;
    is_refused(c, "dave", "", "d@example.org", "", REASON_ACCOUNT_PENDING);
    penalties_free(&registrations);
}

static void with_mail_it_is_pending_until_the_code_is_typed(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_EMAIL;
    is_refused(c, "bob", "", "", "", REASON_EMAIL);
    is_refused(c, "bob", "", "bob@example.org", "", REASON_ACCOUNT_PENDING);
    assert_int_equal(w->letters, 1);
    assert_string_equal(w->letter.to.text, "bob@example.org");
    assert_string_equal(w->letter.name.text, "bob");
    assert_int_equal(w->letter.minutes, 15);
    assert_int_equal(w->letter.purpose, CODE_ACTIVATE);
    assert_int_equal(strspn(w->letter.code, "0123456789"), 6);
    world_say_credentials(c, MESSAGE_LOGIN, "bob", WORLD_PASSWORD);
    world_settle(w);
    world_expect_refused(c, 0, REASON_ACCOUNT_PENDING);
    world_activate(c, "bob", "a wrong password", w->letter.code);
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    world_activate(c, "bob", WORLD_PASSWORD, w->letter.code);
    world_settle(w);
    assert_string_equal(world_expect(c, MESSAGE_WELCOME).welcome.name.text, "bob");
    assert_int_equal(w->table[1].user.state, USER_ACTIVE);
}

static void a_code_that_is_wrong_too_often_holds_no_more_until_there_is_another(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_EMAIL;
    w->config.code_tries = 2;
    is_refused(c, "bob", "", "bob@example.org", "", REASON_ACCOUNT_PENDING);
    char code[CODE_MAILED_ROOM];
    char wrong[CODE_MAILED_ROOM];
    memcpy(code, w->letter.code, sizeof code);
    memcpy(wrong, code, sizeof wrong);
    wrong[5] = (char)(wrong[5] == '9' ? '0' : wrong[5] + 1);
    const char *const typed[] = { "12345", wrong, wrong, code };
    static const enum reason reasons[] = { REASON_CODE, REASON_CODE, REASON_CODE, REASON_CODE_EXPIRED };
    for (size_t i = 0; i < 4; i++) {
        world_activate(c, "bob", WORLD_PASSWORD, typed[i]);
        world_settle(w);
        world_expect_refused(c, 0, reasons[i]);
    }
    world_activate(c, "bob", WORLD_PASSWORD, "");
    world_settle(w);
    world_expect_refused(c, 0, REASON_ACCOUNT_PENDING);
    assert_int_equal(w->letters, 2);
    world_activate(c, "bob", WORLD_PASSWORD, w->letter.code);
    world_settle(w);
    world_expect(c, MESSAGE_WELCOME);
}

static void who_is_active_is_let_in_whatever_the_code(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_activate(c, "alice", WORLD_PASSWORD, "000000");
    world_settle(w);
    world_expect(c, MESSAGE_WELCOME);
    assert_int_equal(w->letters, 0);
}

static void without_room_for_mail_no_dead_account_is_made(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_EMAIL;
    w->mail_full = true;
    world_register(c, "bob", "", "bob@example.org", "");
    world_settle(w);
    const struct message_refused refused = world_expect(c, MESSAGE_REFUSED).refused;
    assert_int_equal(refused.reason, REASON_UNAVAILABLE);
    assert_int_equal(refused.retry_after, 60);
    assert_false(w->table[1].used);
    w->mail_full = false;
    is_refused(c, "bob", "", "bob@example.org", "", REASON_ACCOUNT_PENDING);
}

static void too_many_mails_for_an_account_are_told_and_to_an_address_arent(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_EMAIL;
    w->code_outcome = CODE_OUTCOME_QUIET;
    is_refused(c, "bob", "", "bob@example.org", "", REASON_ACCOUNT_PENDING);
    assert_int_equal(w->letters, 0);
    w->code_outcome = CODE_OUTCOME_MANY;
    world_activate(c, "bob", WORLD_PASSWORD, "");
    world_settle(w);
    const struct message_refused refused = world_expect(c, MESSAGE_REFUSED).refused;
    assert_int_equal(refused.reason, REASON_TOO_MANY);
    assert_int_equal(refused.retry_after, 600);
    w->code_outcome = CODE_OUTCOME_EMAIL;
    world_activate(c, "bob", WORLD_PASSWORD, "");
    world_settle(w);
    world_expect_refused(c, 0, REASON_EMAIL);
}

static void nobody_makes_account_after_account_on_one_connection(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_EMAIL;
    w->config.login_tries = 2;
    is_refused(c, "bob", "", "bob@example.org", "", REASON_ACCOUNT_PENDING);
    world_activate(c, "bob", WORLD_PASSWORD, ""); /* no try */
    world_settle(w);
    world_expect_refused(c, 0, REASON_ACCOUNT_PENDING);
    is_refused(c, "carol", "", "carol@example.org", "", REASON_ACCOUNT_PENDING);
    world_expect_closed(c, REASON_TRIES);
}

static void a_pending_account_that_mails_tells_strangers_nothing(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_add_account(w, "bob", USER_PENDING);
    world_activate(c, "bob", "a wrong password", "");
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    world_activate(c, "nobody", "a wrong password", "");
    world_settle(w);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    assert_int_equal(w->letters, 0);
}

/* ---- giving up ---- */

static void an_account_is_given_up_by_a_code(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    world_deactivate(c, 1, "");
    world_settle(w);
    assert_int_equal(world_expect(c, MESSAGE_CODE_MAILED).code_mailed.request, 1);
    assert_int_equal(w->letter.purpose, CODE_DEACTIVATE);
    assert_string_equal(w->letter.to.text, "alice@example.org");
    char wrong[CODE_MAILED_ROOM];
    memcpy(wrong, w->letter.code, sizeof wrong);
    wrong[0] = (char)(wrong[0] == '9' ? '0' : wrong[0] + 1);
    world_deactivate(c, 2, wrong);
    world_settle(w);
    world_expect_refused(c, 2, REASON_CODE);
    assert_int_equal(w->table[0].user.state, USER_ACTIVE);
    world_deactivate(c, 3, w->letter.code);
    world_settle(w);
    world_expect_closed(c, REASON_ACCOUNT_DISABLED);
    assert_int_equal(w->table[0].user.state, USER_DISABLED);
    struct client *again = world_connect(w);
    world_say_credentials(again, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    world_settle(w);
    world_expect_refused(again, 0, REASON_ACCOUNT_DISABLED);
}

static void a_code_is_for_one_end_only(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->config.registration = REGISTRATION_EMAIL;
    is_refused(c, "bob", "", "bob@example.org", "", REASON_ACCOUNT_PENDING);
    w->table[1].user.state = USER_ACTIVE; /* by an operator; the code is there still */
    world_say_credentials(c, MESSAGE_LOGIN, "bob", WORLD_PASSWORD);
    world_settle(w);
    world_expect(c, MESSAGE_WELCOME);
    world_deactivate(c, 1, w->letter.code);
    world_settle(w);
    world_expect_refused(c, 1, REASON_CODE);
}

static void giving_up_waits_for_mail_and_database(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    w->mail_full = true;
    world_deactivate(c, 1, "");
    world_settle(w);
    world_expect_refused(c, 1, REASON_UNAVAILABLE);
    w->mail_full = false;
    w->database_gone = true;
    world_deactivate(c, 2, "");
    world_settle(w);
    world_expect_refused(c, 2, REASON_UNAVAILABLE);
    world_deactivate(c, 3, "123456");
    world_settle(w);
    world_expect_refused(c, 3, REASON_UNAVAILABLE);
    w->config.mail_server[0] = '\0'; /* that won't be better later */
    w->database_gone = false;
    world_deactivate(c, 4, "");
    world_settle(w);
    world_expect_refused(c, 4, REASON_EMAIL);
    assert_int_equal(w->letters, 0);
}

static void it_has_its_place(void **state)
{
    struct world *w = *state;
    struct client *early = world_connect(w);
    world_deactivate(early, 1, "");
    world_expect_closed(early, REASON_OUT_OF_ORDER);
    struct client *late = world_login(w, "alice");
    world_activate(late, "alice", WORLD_PASSWORD, "");
    world_expect_closed(late, REASON_OUT_OF_ORDER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contacts_are_optional_and_judged_before_anybody_is_asked),
        TEST(an_address_that_is_taken_is_told_where_each_is_one_accounts_only),
        TEST(an_invitation_lets_one_in_once),
        TEST(who_has_no_invitation_learns_no_names),
        TEST(guessing_invitations_costs_the_source_and_no_account),
        TEST(guessing_codes_of_account_after_account_costs_the_source),
        TEST(a_source_makes_so_many_pending_accounts_an_hour),
        TEST(with_mail_it_is_pending_until_the_code_is_typed),
        TEST(a_code_that_is_wrong_too_often_holds_no_more_until_there_is_another),
        TEST(who_is_active_is_let_in_whatever_the_code),
        TEST(without_room_for_mail_no_dead_account_is_made),
        TEST(too_many_mails_for_an_account_are_told_and_to_an_address_arent),
        TEST(nobody_makes_account_after_account_on_one_connection),
        TEST(a_pending_account_that_mails_tells_strangers_nothing),
        TEST(an_account_is_given_up_by_a_code),
        TEST(a_code_is_for_one_end_only),
        TEST(giving_up_waits_for_mail_and_database),
        TEST(it_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
