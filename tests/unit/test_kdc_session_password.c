/* Another password: in a session, and on the way in; accounts that end. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NEW_PASSWORD "battery staple"

static int set_up(void **state)
{
    struct world *w = world_new();
    world_add_account(w, "alice", USER_ACTIVE);
    world_add_account(w, "bob", USER_ACTIVE);
    *state = w;
    return 0;
}

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static void change(struct client *c, uint32_t request, const char *old, const char *new)
{
    world_say(
        c, &(struct message){ .type = MESSAGE_CHANGE_PASSWORD,
                              .change_password = { .request = request, .old = bytes_of(old), .new = bytes_of(new) } });
}

static void login_changing(struct client *c, const char *name, const char *password, const char *new)
{
    world_say(c, &(struct message){ .type = MESSAGE_LOGIN_CHANGING,
                                    .login_changing = { .credentials = { bytes_of(name), bytes_of(password) },
                                                        .new = bytes_of(new) } });
}

/* Alice's, after it was taken out. */
static struct ticket ticket_of(struct world *w, struct bytes sealed)
{
    struct ticket ticket;
    assert_int_equal(ticket_open(sealed, w->tickets, w->time, &ticket), 0);
    return ticket;
}

static struct client *log_in(struct world *w, struct ticket *ticket)
{
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", w->table[0].user.hash);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    *ticket = ticket_of(w, m.welcome.ticket);
    return c;
}

static void recorded_is(struct world *w, const char *expected)
{
    (void)world_run_journal(w);
    char last[sizeof w->last_recorded + sizeof w->last_outcome];
    (void)snprintf(last, sizeof last, "%s%s", w->last_recorded, w->last_outcome);
    assert_string_equal(last, expected);
}

static void a_change_keeps_the_session_and_voids_what_came_before(void **state)
{
    struct world *w = *state;
    struct ticket before;
    struct client *c = log_in(w, &before);
    w->time += 60000;
    change(c, 7, WORLD_PASSWORD, NEW_PASSWORD);
    world_expect_nothing(c);
    assert_true(world_run_job(w));
    assert_string_equal(w->table[0].user.hash, NEW_PASSWORD);
    const struct message m = world_expect(c, MESSAGE_PASSWORD_CHANGED);
    assert_int_equal(m.password_changed.request, 7);
    assert_int_equal(m.password_changed.ticket_seconds, 3600);
    const struct ticket after = ticket_of(w, m.password_changed.ticket);
    assert_int_equal(after.issued, w->time);
    assert_memory_equal(after.secret, before.secret, sizeof after.secret);
    recorded_is(w, "password change alice ok");
    world_settle(w);
    assert_false(c->ended);

    struct client *old = world_resume(w, &before);
    world_expect_refused(old, 0, REASON_LOGIN_FAILED);
    struct client *new = world_resume(w, &after);
    (void)world_expect(new, MESSAGE_WELCOME);
    world_settle(w);
}

static void a_wrong_old_one_is_refused_and_counted(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    static const char *const wrong[] = { "incorrect horse", "short", "incorrect horse" };
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(c->ended);
        change(c, i + 1, wrong[i], NEW_PASSWORD);
        assert_true(world_run_job(w));
        world_expect_refused(c, i + 1, REASON_LOGIN_FAILED);
    }
    world_expect_closed(c, REASON_TRIES);
    assert_string_equal(w->table[0].user.hash, WORLD_PASSWORD);
    recorded_is(w, "password change alice login_failed");
}

static void a_change_that_went_well_forgives_the_tries(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    for (uint32_t i = 1; i <= 4; i++) {
        change(c, i, i % 2 == 1 ? "incorrect horse" : w->table[0].user.hash, i == 2 ? NEW_PASSWORD : WORLD_PASSWORD);
        assert_true(world_run_job(w));
        if (i % 2 == 1) {
            world_expect_refused(c, i, REASON_LOGIN_FAILED);
        } else {
            (void)world_expect(c, MESSAGE_PASSWORD_CHANGED);
        }
    }
    assert_false(c->ended);
}

static void policy_is_asked_before_a_worker(void **state)
{
    struct world *w = *state;
    char error[256];
    struct password_policy *policy = password_policy_new(10, "", error, sizeof error);
    assert_non_null(policy);
    w->host.passwords = policy;
    struct client *c = world_login(w, "alice");
    static const struct {
        const char *password;
        enum reason reason;
    } refused[] = {
        { "short", REASON_PASSWORD_SHORT },
        { "nine byte", REASON_PASSWORD_SHORT },
        { "qwertyuiop", REASON_PASSWORD_COMMON },
        { "for Alice only", REASON_PASSWORD_COMMON },
        { "\xff\xfe not UTF-8", REASON_PASSWORD_UTF8 },
    };
    for (uint32_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        change(c, i + 1, WORLD_PASSWORD, refused[i].password);
        world_expect_refused(c, i + 1, refused[i].reason);
        struct client *in = world_connect(w);
        login_changing(in, "alice", WORLD_PASSWORD, refused[i].password);
        world_expect_refused(in, 0, refused[i].reason);
        struct client *new = world_connect(w);
        world_say(new, &(struct message){
                           .type = MESSAGE_REGISTER,
                           .registering = { .credentials = { bytes_of("alice"), bytes_of(refused[i].password) } } });
        world_expect_refused(new, 0, refused[i].reason);
    }
    assert_false(world_run_job(w));
    assert_false(c->ended);
    w->host.passwords = NULL;
    password_policy_unref(&policy);
}

static void neither_the_present_one_nor_those_before_are_taken(void **state)
{
    struct world *w = *state;
    static const char *const steps[] = { "password one", "password two", "password three", "password four" };
    uint32_t request = 0;
    w->config.password_history = 2;
    struct client *c = world_login(w, "alice");
    change(c, ++request, WORLD_PASSWORD, WORLD_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, request, REASON_PASSWORD_REUSED);
    for (size_t i = 0; i < 4; i++) {
        change(c, ++request, w->table[0].user.hash, steps[i]);
        assert_true(world_run_job(w));
        (void)world_expect(c, MESSAGE_PASSWORD_CHANGED);
    }
    for (size_t i = 4; i-- > 1;) {
        change(c, ++request, steps[3], steps[i]);
        assert_true(world_run_job(w));
        world_expect_refused(c, request, REASON_PASSWORD_REUSED);
    }
    change(c, ++request, steps[3], steps[0]);
    assert_true(world_run_job(w));
    (void)world_expect(c, MESSAGE_PASSWORD_CHANGED);
    assert_false(c->ended);
}

static void one_change_at_a_time(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    for (uint32_t i = 1; i <= 20; i++) {
        change(c, i, WORLD_PASSWORD, NEW_PASSWORD);
    }
    for (uint32_t i = 2; i <= 20; i++) {
        world_expect_refused(c, i, REASON_BUSY);
    }
    assert_true(world_run_job(w));
    assert_false(world_run_job(w));
    assert_int_equal(world_expect(c, MESSAGE_PASSWORD_CHANGED).password_changed.request, 1);
    change(c, 1, NEW_PASSWORD, "another one");
    change(c, 1, NEW_PASSWORD, "another one");
    world_expect_closed(c, REASON_OUT_OF_ORDER);
}

static void what_could_not_be_done_changes_nothing(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    w->database_gone = true;
    change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 1, REASON_UNAVAILABLE);
    w->database_gone = false;
    change(c, 2, WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_displace_job(w, 9));
    world_expect_refused(c, 2, REASON_BUSY);
    w->table[0].foreign = true;
    change(c, 3, WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 3, REASON_INTERNAL);
    w->table[0].user.state = USER_LOCKED;
    change(c, 4, WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 4, REASON_ACCOUNT_LOCKED);
    assert_string_equal(w->table[0].user.hash, WORLD_PASSWORD);
    assert_false(c->ended);
}

static void a_change_whose_session_is_gone_is_made_all_the_same(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
    world_hang_up(c);
    assert_true(world_run_job(w));
    assert_string_equal(w->table[0].user.hash, NEW_PASSWORD);
    recorded_is(w, "password change alice ok");
}

static void a_login_by_the_old_password_comes_too_late(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
    struct client *thief = world_connect(w);
    world_say_credentials(thief, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w)); /* the change, whose answer is under way */
    (void)world_expect(c, MESSAGE_PASSWORD_CHANGED);
    assert_true(world_run_job(w));
    world_expect_refused(thief, 0, REASON_LOGIN_FAILED);
    assert_false(c->ended);
}

static void (*world_account_changed)(void *context, const struct name *name, const struct session_ref *keep,
                                     enum reason reason);
static struct ticket stolen;
static struct client *thief_in;

/* It is in the database already, and nobody else knows yet. */
static void steal_meanwhile(void *context, const struct name *name, const struct session_ref *keep, enum reason reason)
{
    struct world *w = context;
    thief_in = world_resume(w, &stolen);
    (void)world_expect(thief_in, MESSAGE_WELCOME);
    world_account_changed(context, name, keep, reason);
}

static void a_session_that_slipped_in_by_an_old_ticket_ends(void **state)
{
    struct world *w = *state;
    struct client *c = log_in(w, &stolen);
    world_account_changed = w->host.account_changed;
    w->host.account_changed = steal_meanwhile;
    change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
    world_settle(w);
    world_expect_closed(thief_in, REASON_NEW_PASSWORD);
}

static enum store_result (*world_password)(struct accounts *accounts, uint64_t id, const char *from, const char *to,
                                           unsigned keep);
static void (*operate)(struct store_user *user);

static void lock(struct store_user *user)
{
    user->state = USER_LOCKED;
    user->epoch += 1000;
}

static void expire(struct store_user *user)
{
    user->expires = 1;
    user->epoch += 1000;
}

static void ask_for_another(struct store_user *user)
{
    user->must_change = true;
    user->epoch += 1000;
}

static struct store_user *alice_of(struct accounts *accounts)
{
    struct world *w = (struct world *)(void *)((char *)accounts - offsetof(struct world, accounts));
    return &w->table[0].user;
}

static enum store_result operate_before(struct accounts *accounts, uint64_t id, const char *from, const char *to,
                                        unsigned keep)
{
    operate(alice_of(accounts));
    return world_password(accounts, id, from, to, keep);
}

static enum store_result operate_behind(struct accounts *accounts, uint64_t id, const char *from, const char *to,
                                        unsigned keep)
{
    const enum store_result result = world_password(accounts, id, from, to, keep);
    operate(alice_of(accounts));
    return result;
}

static void a_lock_while_bcrypt_computes_leaves_the_password_as_it_was(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    world_password = w->accounts.password;
    w->accounts.password = operate_before;
    operate = lock;
    change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 1, REASON_ACCOUNT_LOCKED);
    assert_string_equal(w->table[0].user.hash, WORLD_PASSWORD);
    recorded_is(w, "password change alice account_locked");
}

static void what_an_operator_does_right_behind_a_change_leaves_no_ticket(void **state)
{
    static void (*const deeds[])(struct store_user * user) = { lock, expire, ask_for_another };
    struct world *w = *state;
    world_password = w->accounts.password;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        struct store_user *alice = &w->table[0].user;
        alice->state = USER_ACTIVE;
        alice->expires = 0;
        alice->must_change = false;
        (void)snprintf(alice->hash, sizeof alice->hash, "%s", WORLD_PASSWORD);
        w->accounts.password = world_password;
        struct client *c = world_login(w, "alice");
        w->accounts.password = operate_behind;
        operate = deeds[i];
        change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
        assert_true(world_run_job(w));
        const struct message m = world_expect(c, MESSAGE_PASSWORD_CHANGED);
        assert_int_equal(m.password_changed.ticket_seconds, 0);
        assert_int_equal(m.password_changed.ticket.len, 0);
    }
}

/* ---- on the way in ---- */

static void who_must_change_is_told_so_with_the_right_password_only(void **state)
{
    struct world *w = *state;
    w->table[0].user.must_change = true;
    struct client *c = world_connect(w);
    for (int i = 0; i < 5; i++) { /* not a try */
        world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
        assert_true(world_run_job(w));
        world_expect_refused(c, 0, REASON_MUST_CHANGE);
    }
    recorded_is(w, "login alice must_change");
    world_say_credentials(c, MESSAGE_LOGIN, "alice", "incorrect horse");
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);

    login_changing(c, "alice", WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    const struct ticket ticket = ticket_of(w, m.welcome.ticket);
    assert_int_equal(ticket.epoch, w->table[0].user.epoch);
    assert_false(w->table[0].user.must_change);
    assert_string_equal(w->table[0].user.hash, NEW_PASSWORD);
    recorded_is(w, "login alice ok");
    world_hang_up(c);
    struct client *again = world_connect(w);
    world_say_credentials(again, MESSAGE_LOGIN, "alice", NEW_PASSWORD);
    assert_true(world_run_job(w));
    (void)world_expect(again, MESSAGE_WELCOME);
}

static void nobody_changes_a_password_without_the_old_one(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    login_changing(c, "alice", "incorrect horse", NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    login_changing(c, "alice", WORLD_PASSWORD, WORLD_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_PASSWORD_REUSED);
    login_changing(c, "nobody", WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    world_expect_closed(c, REASON_TRIES);
    assert_string_equal(w->table[0].user.hash, WORLD_PASSWORD);
}

static void a_locked_accounts_password_isnt_changed(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    w->table[0].user.must_change = true;
    w->table[0].user.state = USER_LOCKED;
    login_changing(c, "alice", WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_ACCOUNT_LOCKED);
    assert_string_equal(w->table[0].user.hash, WORLD_PASSWORD);
}

static void another_login_while_changing_ends_the_session_that_was_there(void **state)
{
    struct world *w = *state;
    struct client *there = world_login(w, "alice");
    struct client *c = world_connect(w);
    login_changing(c, "alice", WORLD_PASSWORD, NEW_PASSWORD);
    world_settle(w);
    (void)world_expect(c, MESSAGE_WELCOME);
    assert_true(there->ended && !c->ended);
}

static void must_change_is_asked_between_login_and_password_changing_only_of_a_session(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    change(c, 1, WORLD_PASSWORD, NEW_PASSWORD);
    world_expect_closed(c, REASON_OUT_OF_ORDER);
    struct client *in = world_login(w, "bob");
    login_changing(in, "bob", WORLD_PASSWORD, NEW_PASSWORD);
    world_expect_closed(in, REASON_OUT_OF_ORDER);
}

/* ---- accounts that end ---- */

static void an_account_that_has_ended_is_told_with_the_right_password_only(void **state)
{
    struct world *w = *state;
    w->table[0].user.expires = w->time;
    w->table[0].user.must_change = true;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", "incorrect horse");
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_ACCOUNT_EXPIRED);
    login_changing(c, "alice", WORLD_PASSWORD, NEW_PASSWORD);
    assert_true(world_run_job(w));
    world_expect_refused(c, 0, REASON_ACCOUNT_EXPIRED);
}

static void a_ticket_ends_with_its_account(void **state)
{
    struct world *w = *state;
    w->table[0].user.expires = w->time + 90500;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    assert_int_equal(m.welcome.ticket_seconds, 90);
    assert_int_equal(session_expires(c->session), w->time + 90500);
    uint8_t sealed[TICKET_LEN];
    assert_int_equal(m.welcome.ticket.len, sizeof sealed);
    memcpy(sealed, m.welcome.ticket.data, sizeof sealed);
    struct ticket ticket = ticket_of(w, (struct bytes){ sealed, sizeof sealed });
    world_hang_up(c);

    w->time += 90499;
    struct client *late = world_resume(w, &ticket);
    const struct message again = world_expect(late, MESSAGE_WELCOME);
    assert_int_equal(again.welcome.ticket_seconds, 0);
    assert_int_equal(session_expires(late->session), w->table[0].user.expires);
    w->time += 1;
    assert_int_equal(ticket_open((struct bytes){ sealed, sizeof sealed }, w->tickets, w->time, &ticket), -1);
}

static void a_session_learns_that_its_account_ends_at_another_time(void **state)
{
    struct world *w = *state;
    struct client *c = world_login(w, "alice");
    assert_int_equal(session_expires(c->session), 0);
    static const struct session_ref nobody;
    struct mail_expires *mail = mail_new(MAIL_EXPIRES, session_ref_of(c->session), &nobody, 0);
    assert_non_null(mail);
    mail->expires = w->time + 5;
    w->host.post(w, &mail->mail);
    assert_true(world_deliver_mail(w));
    assert_int_equal(session_expires(c->session), w->time + 5);
    assert_int_equal(c->rescheduled, 1);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_change_keeps_the_session_and_voids_what_came_before),
        WORLD_TEST(a_wrong_old_one_is_refused_and_counted),
        WORLD_TEST(a_change_that_went_well_forgives_the_tries),
        WORLD_TEST(policy_is_asked_before_a_worker),
        WORLD_TEST(neither_the_present_one_nor_those_before_are_taken),
        WORLD_TEST(one_change_at_a_time),
        WORLD_TEST(what_could_not_be_done_changes_nothing),
        WORLD_TEST(a_change_whose_session_is_gone_is_made_all_the_same),
        WORLD_TEST(a_login_by_the_old_password_comes_too_late),
        WORLD_TEST(a_session_that_slipped_in_by_an_old_ticket_ends),
        WORLD_TEST(a_lock_while_bcrypt_computes_leaves_the_password_as_it_was),
        WORLD_TEST(what_an_operator_does_right_behind_a_change_leaves_no_ticket),
        WORLD_TEST(who_must_change_is_told_so_with_the_right_password_only),
        WORLD_TEST(nobody_changes_a_password_without_the_old_one),
        WORLD_TEST(a_locked_accounts_password_isnt_changed),
        WORLD_TEST(another_login_while_changing_ends_the_session_that_was_there),
        WORLD_TEST(must_change_is_asked_between_login_and_password_changing_only_of_a_session),
        WORLD_TEST(an_account_that_has_ended_is_told_with_the_right_password_only),
        WORLD_TEST(a_ticket_ends_with_its_account),
        WORLD_TEST(a_session_learns_that_its_account_ends_at_another_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
