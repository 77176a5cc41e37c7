/* Sessions that begin with a ticket instead of a login, and what a welcome's ticket says. */
#include "crypto/secret.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"
#include "tests/unit/registers.h"

#include <string.h>

static int set_up(void **state)
{
    struct world *w = world_new();
    world_add_account(w, "alice", USER_ACTIVE);
    world_add_account(w, "bob", USER_ACTIVE);
    *state = w;
    return 0;
}

/* Alice's ticket, after she has logged in and left. */
static struct ticket ticket_of_alice(struct world *w)
{
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    const struct ticket ticket = world_ticket(w, &m.welcome);
    world_hang_up(c);
    world_settle(w);
    return ticket;
}

static uint64_t epoch_of(struct world *w, const char *name)
{
    struct name parsed = { { 0 } };
    struct store_user user;
    memcpy(parsed.text, name, strlen(name));
    assert_int_equal(w->accounts.find(&w->accounts, &parsed, &user), STORE_OK);
    return user.epoch;
}

static void change_alice(struct world *w, uint64_t epoch)
{
    assert_int_equal(account_changes_put(w->changes, 1, epoch, w->time), 0);
    account_changes_fed(w->changes, 0);
}

static void a_login_brings_a_ticket_for_this_handshakes_secret(void **state)
{
    struct world *w = *state;
    uint8_t expected[KDF_SECRET_LEN];
    memset(expected, 0x40, sizeof expected);
    const struct ticket ticket = ticket_of_alice(w);
    assert_string_equal(ticket.name.text, "alice");
    assert_int_equal(ticket.user, 1);
    assert_int_equal(ticket.epoch, epoch_of(w, "alice"));
    assert_int_equal(ticket.issued, w->time);
    assert_memory_equal(ticket.secret, expected, sizeof expected);
}

static void registering_brings_a_ticket_too(void **state)
{
    struct world *w = *state;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_REGISTER, "carol", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    const struct ticket ticket = world_ticket(w, &m.welcome);
    assert_string_equal(ticket.name.text, "carol");
    assert_int_equal(ticket.epoch, epoch_of(w, "carol"));
}

static void a_ticket_lets_in_at_once_without_a_job_and_brings_the_next(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    assert_int_equal(ticket.issued, w->time);
    w->time += 1000;
    struct client *c = world_resume(w, &ticket);
    assert_false(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    assert_string_equal(m.welcome.name.text, "alice");
    assert_int_equal(m.welcome.session, w->number);
    assert_true(c->logged_in);
    assert_true(session_is_in(c->session));
    const struct ticket next = world_ticket(w, &m.welcome);
    uint8_t expected[KDF_SECRET_LEN];
    memset(expected, world_resumption(c), sizeof expected);
    assert_memory_equal(next.secret, expected, sizeof expected);
    assert_int_equal(next.epoch, ticket.epoch);
    assert_int_equal(next.issued, ticket.issued);
    assert_int_equal(m.welcome.ticket_seconds, 3599);
    assert_int_equal(counter_read(&w->counters.logins), 1);
    assert_int_equal(counter_read(&w->counters.resumed), 1);
    world_settle(w);
    assert_string_equal(w->last_recorded, "resume alice ");
    assert_int_equal(w->table[0].user.last_login, w->time);
}

static void tickets_end_a_lifetime_after_the_password(void **state)
{
    struct world *w = *state;
    struct ticket ticket = ticket_of_alice(w);
    w->time += 1800 * 1000;
    struct client *c = world_resume(w, &ticket);
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    assert_int_equal(m.welcome.ticket_seconds, 1800);
    ticket = world_ticket(w, &m.welcome);
    w->time += 1799 * 1000 + 1;
    c = world_resume(w, &ticket);
    assert_int_equal(world_expect(c, MESSAGE_WELCOME).welcome.ticket.len, 0);
}

static void a_resumed_session_talks_like_any_other(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    struct client *bob = world_login(w, "bob");
    world_open(bob, 1, "alice");
    world_settle(w);
    world_expect_refused(bob, 1, REASON_PEER_OFFLINE);
    struct client *alice = world_resume(w, &ticket);
    (void)world_expect(alice, MESSAGE_WELCOME);
    world_settle(w);
    world_expect_presence(bob, "alice", PRESENCE_ONLINE);
    world_open(alice, 1, "bob");
    world_settle(w);
    assert_int_equal(world_expect(alice, MESSAGE_GRANT).grant.request, 1);
    (void)world_expect(bob, MESSAGE_GRANT);
}

static void it_takes_the_older_session_over(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    struct client *older = world_login(w, "alice");
    struct client *newer = world_resume(w, &ticket);
    (void)world_expect(newer, MESSAGE_WELCOME);
    world_settle(w);
    world_expect_closed(older, REASON_TAKEN_OVER);
    assert_true(session_is_in(newer->session));
}

static void it_needs_no_database(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    w->database_gone = true;
    struct client *c = world_resume(w, &ticket);
    (void)world_expect(c, MESSAGE_WELCOME);
    w->database_gone = false;
}

static void a_changed_account_is_refused_and_may_log_in_as_often_as_any(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    change_alice(w, ticket.epoch + 1);
    struct client *c = world_resume(w, &ticket);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    assert_false(c->logged_in);
    for (unsigned i = 0; i < w->config.login_tries - 1; i++) {
        world_say_credentials(c, MESSAGE_LOGIN, "alice", "a wrong password");
        assert_true(world_run_job(w));
        world_expect_refused(c, 0, REASON_LOGIN_FAILED);
    }
    w->table[0].user.epoch = ticket.epoch + 1;
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    assert_int_equal(world_ticket(w, &m.welcome).epoch, ticket.epoch + 1);
}

static void a_deleted_account_is_refused(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    change_alice(w, 0);
    struct client *c = world_resume(w, &ticket);
    world_expect_refused(c, 0, REASON_LOGIN_FAILED);
}

static void another_accounts_change_is_no_reason(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    assert_int_equal(account_changes_put(w->changes, 2, 99, w->time), 0);
    account_changes_fed(w->changes, 0);
    struct client *c = world_resume(w, &ticket);
    (void)world_expect(c, MESSAGE_WELCOME);
}

static struct world *changing;

/* What an operator does while the session is about to enter: the one who ends sessions doesn't find it yet. */
static uint64_t number_while_the_account_changes(void *context)
{
    struct world *w = context;
    change_alice(changing, 4711);
    return ++w->number;
}

static void a_change_while_the_session_enters_ends_it(void **state)
{
    struct world *w = *state;
    const struct ticket ticket = ticket_of_alice(w);
    changing = w;
    w->host.session_number = number_while_the_account_changes;
    struct client *c = world_resume(w, &ticket);
    (void)world_expect(c, MESSAGE_WELCOME);
    world_expect_closed(c, REASON_LOGIN_FAILED);
    assert_int_equal(directory_count(w->host.directory), 0);
}

static void a_change_between_the_database_and_the_entry_ends_a_login_too(void **state)
{
    struct world *w = *state;
    changing = w;
    w->host.session_number = number_while_the_account_changes;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    (void)world_expect(c, MESSAGE_WELCOME);
    world_expect_closed(c, REASON_LOGIN_FAILED);
}

static void a_login_may_know_of_a_later_change_than_the_table(void **state)
{
    struct world *w = *state;
    change_alice(w, epoch_of(w, "alice") - 1);
    struct client *c = world_login(w, "alice");
    assert_true(session_is_in(c->session));
}

static void an_account_without_an_epoch_gets_no_ticket(void **state)
{
    struct world *w = *state;
    w->table[0].user.epoch = 0;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    assert_int_equal(m.welcome.ticket.len, 0);
    assert_int_equal(m.welcome.ticket_seconds, 0);
}

static void without_keys_there_are_no_tickets(void **state)
{
    struct world *w = *state;
    w->host.tickets = NULL;
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    const struct message m = world_expect(c, MESSAGE_WELCOME);
    assert_int_equal(m.welcome.ticket.len, 0);
    assert_int_equal(m.welcome.ticket_seconds, 0);
}

static void the_secret_is_kept_as_long_as_the_session(void **state)
{
    struct world *w = *state;
    const size_t before = secret_stats().used;
    struct client *c = world_connect(w);
    assert_true(secret_stats().used > before);
    world_say_credentials(c, MESSAGE_LOGIN, "alice", WORLD_PASSWORD);
    assert_true(world_run_job(w));
    assert_int_equal(secret_stats().used, before + KDF_SECRET_LEN); /* for the ticket of another password */
    world_hang_up(c);
    assert_int_equal(secret_stats().used, before);
    struct client *leaves_before = world_connect(w);
    world_hang_up(leaves_before);
    assert_int_equal(secret_stats().used, before);
}

static void copying_the_secret_leaves_nothing_in_the_registers(void **state)
{
    struct world *w = *state;
    uint8_t resumption[KDF_SECRET_LEN];
    struct registers seen;
    const struct session_ref ref = { .slot = 1, .generation = 1 };
    const struct session_origin origin = {
        .source = "192.0.2.1:5000", .suite = SUITE_AES_256_GCM, .group = DH_FFDHE3072, .resumption = resumption
    };
    assert_int_equal(rng_fill(&rng_system, resumption, sizeof resumption), 0);
    struct session *session = session_new(&w->host, w, &ref, &origin);
    registers_see(&seen);
    assert_non_null(session);
    assert_not_in_registers(&seen, resumption, sizeof resumption);
    session_free(&session);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_login_brings_a_ticket_for_this_handshakes_secret),
        WORLD_TEST(registering_brings_a_ticket_too),
        WORLD_TEST(a_ticket_lets_in_at_once_without_a_job_and_brings_the_next),
        WORLD_TEST(tickets_end_a_lifetime_after_the_password),
        WORLD_TEST(a_resumed_session_talks_like_any_other),
        WORLD_TEST(it_takes_the_older_session_over),
        WORLD_TEST(it_needs_no_database),
        WORLD_TEST(a_changed_account_is_refused_and_may_log_in_as_often_as_any),
        WORLD_TEST(a_deleted_account_is_refused),
        WORLD_TEST(another_accounts_change_is_no_reason),
        WORLD_TEST(a_change_while_the_session_enters_ends_it),
        WORLD_TEST(a_change_between_the_database_and_the_entry_ends_a_login_too),
        WORLD_TEST(a_login_may_know_of_a_later_change_than_the_table),
        WORLD_TEST(an_account_without_an_epoch_gets_no_ticket),
        WORLD_TEST(without_keys_there_are_no_tickets),
        WORLD_TEST(the_secret_is_kept_as_long_as_the_session),
        WORLD_TEST(copying_the_secret_leaves_nothing_in_the_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
