/*
 * Scenarios: scripts of what Alice, Bob and Carol do, and what happens to them, with the real client and the real KDC
 * (sim.h). Besides what a scenario itself asks for, everything that sim_check.c watches must hold all the time.
 */
#include "crypto/secret.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/sim.h"
#include "wire/protocol.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/kdcchat.h"

static struct sim *world_with(struct sim_options options)
{
    options.seed = options.seed == 0 ? 1 : options.seed;
    if (options.pipe == 0)
        options.pipe = 8000;
    if (options.output_max == 0)
        options.output_max = 1u << 20;
    if (options.rekey_messages == 0)
        options.rekey_messages = 10000;
    if (options.ticket_lifetime == 0)
        options.ticket_lifetime = 3600;
    options.in_turn = true;
    options.trace = getenv("SIM_TRACE") != NULL;
    struct sim *sim = sim_new(&options);
    assert_non_null(sim);
    return sim;
}

static struct sim *world(void)
{
    return world_with((struct sim_options){ .seed = 1 });
}

static void ends_well(struct sim *sim)
{
    char failure[SIM_FAILURE_MAX];
    sim_free(&sim, failure);
    assert_string_equal(failure, "");
}

static void settles(struct sim *sim)
{
    (void)sim_settle(sim);
    assert_string_equal(sim_failure(sim), "");
}

static void waits(struct sim *sim, unsigned seconds)
{
    (void)sim_wait(sim, UINT64_C(1000) * seconds);
    assert_string_equal(sim_failure(sim), "");
}

static void calms_down(struct sim *sim)
{
    (void)sim_calm_down(sim);
    assert_string_equal(sim_failure(sim), "");
}

/* Alice and Bob are in, and have an epoch. */
static struct sim *alice_talks_with_bob(void)
{
    struct sim *sim = world();
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    settles(sim);
    sim_open(sim, ALICE, SIM_BOB);
    settles(sim);
    assert_int_equal(sim_epoch(sim, ALICE, SIM_BOB), 1);
    assert_int_equal(sim_epoch(sim, BOB, SIM_ALICE), 1);
    return sim;
}

/* ---- talking ---- */

static void two_people_register_and_talk(void **state)
{
    (void)state;
    struct sim *sim = world_with((struct sim_options){ .seed = 7, .no_accounts = true });
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    settles(sim);
    sim_send(sim, ALICE, SIM_BOB, 40);
    settles(sim);
    sim_send(sim, BOB, SIM_ALICE, 1500);
    settles(sim);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 1);
    assert_int_equal(sim_shown(sim, ALICE, BOB), 1);
    assert_int_equal(sim_epoch(sim, ALICE, SIM_BOB), 1);
    assert_int_equal(sim_conversation(sim, ALICE, SIM_BOB), sim_conversation(sim, BOB, SIM_ALICE));
    ends_well(sim);
}

static void three_people_have_three_conversations(void **state)
{
    (void)state;
    struct sim *sim = world();
    for (unsigned i = ALICE; i <= CAROL; i++)
        sim_come(sim, i);
    for (unsigned i = ALICE; i <= CAROL; i++) {
        for (unsigned to = SIM_ALICE; to < SIM_PEOPLE; to++) {
            if (to != i)
                sim_send(sim, i, (enum sim_person)to, 40);
        }
    }
    settles(sim);
    for (unsigned i = ALICE; i <= CAROL; i++) {
        for (unsigned from = ALICE; from <= CAROL; from++)
            assert_int_equal(sim_shown(sim, i, from), i == from ? 0 : 1);
    }
    assert_int_not_equal(sim_conversation(sim, ALICE, SIM_BOB), sim_conversation(sim, ALICE, SIM_CAROL));
    assert_int_not_equal(sim_conversation(sim, ALICE, SIM_BOB), sim_conversation(sim, BOB, SIM_CAROL));
    ends_well(sim);
}

static void both_open_at_once_and_end_in_one_epoch(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct sim *sim = world_with((struct sim_options){ .seed = seed });
        sim_come(sim, ALICE);
        sim_come(sim, BOB);
        settles(sim);
        sim_open(sim, ALICE, SIM_BOB);
        sim_open(sim, BOB, SIM_ALICE);
        sim_send(sim, ALICE, SIM_BOB, 40);
        sim_send(sim, BOB, SIM_ALICE, 40);
        settles(sim);
        assert_int_equal(sim_epoch(sim, ALICE, SIM_BOB), 2);
        assert_int_equal(sim_epoch(sim, BOB, SIM_ALICE), 2);
        calms_down(sim);
        ends_well(sim);
    }
}

static void a_flood_under_a_key_that_changes_all_the_time_arrives_whole(void **state)
{
    (void)state;
    struct sim *sim = world_with((struct sim_options){ .seed = 3, .rekey_messages = 4, .pipe = 700 });
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    for (unsigned i = 0; i < 200; i++) {
        sim_send(sim, ALICE, SIM_BOB, 40);
        sim_send(sim, BOB, SIM_ALICE, 40);
    }
    settles(sim);
    calms_down(sim);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 200);
    assert_int_equal(sim_shown(sim, ALICE, BOB), 200);
    assert_true(sim_epoch(sim, ALICE, SIM_BOB) > 2);
    ends_well(sim);
}

static void a_rekey_leaves_no_key_behind_anywhere(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    const size_t held = secret_stats().used;
    for (unsigned i = 0; i < 10; i++) {
        sim_open(sim, i % 2 == 0 ? ALICE : BOB, i % 2 == 0 ? SIM_BOB : SIM_ALICE);
        settles(sim);
    }
    assert_int_equal(sim_epoch(sim, BOB, SIM_ALICE), 11);
    assert_int_equal(secret_stats().used, held);
    ends_well(sim);
}

static void list_and_who_are_answered(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_ask(sim, ALICE, SIM_BOB);
    sim_ask(sim, ALICE, SIM_CAROL);
    settles(sim);
    assert_int_equal(sim_answers(sim, ALICE), 4);
    ends_well(sim);
}

/* ---- coming and going ---- */

static void a_text_to_somebody_offline_waits_and_goes_when_they_come(void **state)
{
    (void)state;
    struct sim *sim = world();
    sim_come(sim, ALICE);
    sim_send(sim, ALICE, SIM_BOB, 40);
    settles(sim);
    assert_int_equal(sim_refused(sim, ALICE, REASON_PEER_OFFLINE), 1);
    assert_int_equal(sim_undelivered(sim, ALICE), 1);
    sim_come(sim, BOB);
    settles(sim);
    assert_int_equal(sim_undelivered(sim, ALICE), 0);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 1);
    ends_well(sim);
}

static void who_leaves_is_told_and_who_returns_too(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_leave(sim, BOB);
    settles(sim);
    assert_true(sim_told_offline(sim, ALICE, SIM_BOB));
    sim_come(sim, BOB);
    settles(sim);
    assert_true(sim_told_online(sim, ALICE, SIM_BOB));
    ends_well(sim);
}

static void a_second_client_takes_over_and_the_first_stays_away(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_come(sim, ALICE_2);
    settles(sim);
    waits(sim, 60);
    assert_false(sim_is_in(sim, ALICE));
    assert_int_equal(sim_last_error(sim, ALICE), REASON_TAKEN_OVER);
    assert_true(sim_is_in(sim, ALICE_2));
    sim_send(sim, BOB, SIM_ALICE, 40);
    settles(sim);
    assert_int_equal(sim_shown(sim, ALICE_2, BOB), 1);
    assert_int_equal(sim_shown(sim, ALICE, BOB), 0);
    ends_well(sim);
}

static void what_the_first_client_still_had_goes_when_it_is_back(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_stall(sim, BOB, true);
    sim_send(sim, ALICE, SIM_BOB, 40);
    sim_come(sim, ALICE_2);
    waits(sim, 5);
    sim_send(sim, ALICE_2, SIM_BOB, 40);
    assert_int_equal(sim_undelivered(sim, ALICE), 1);
    calms_down(sim);
    assert_int_equal(sim_undelivered(sim, ALICE), 0);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 1);
    assert_int_equal(sim_shown(sim, BOB, ALICE_2), 1);
    ends_well(sim);
}

static void who_is_kicked_stays_away(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_kick(sim, SIM_BOB);
    waits(sim, 120);
    assert_false(sim_is_in(sim, BOB));
    assert_int_equal(sim_last_error(sim, BOB), REASON_KICKED);
    assert_true(sim_told_offline(sim, ALICE, SIM_BOB));
    ends_well(sim);
}

static void a_conversation_with_a_locked_account_is_refused(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_lock_account(sim, SIM_BOB, true);
    sim_kick(sim, SIM_BOB); /* as whoever locks an account does */
    settles(sim);
    sim_open(sim, ALICE, SIM_BOB);
    settles(sim);
    assert_int_equal(sim_refused(sim, ALICE, REASON_PEER_LOCKED), 1);
    ends_well(sim);
}

/* ---- a bad network ---- */

static void a_connection_cut_at_any_byte_loses_nothing(void **state)
{
    (void)state;
    for (unsigned pipe = 1; pipe < 120; pipe += 3) {
        struct sim *sim = world_with((struct sim_options){ .seed = pipe, .pipe = 600 + pipe });
        sim_come(sim, ALICE);
        sim_come(sim, BOB);
        settles(sim);
        for (unsigned i = 0; i < 6; i++)
            sim_send(sim, i % 2 == 0 ? ALICE : BOB, i % 2 == 0 ? SIM_BOB : SIM_ALICE, 100);
        for (unsigned i = 0; i < pipe % 40; i++)
            (void)sim_step(sim);
        sim_cut(sim, pipe % 2 == 0 ? ALICE : BOB, true);
        settles(sim);
        calms_down(sim);
        assert_int_equal(sim_shown(sim, BOB, ALICE), 3);
        assert_int_equal(sim_shown(sim, ALICE, BOB), 3);
        ends_well(sim);
    }
}

static void a_dead_connection_is_noticed_by_the_ping_that_isnt_answered(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    waits(sim, 600);
    assert_int_equal(sim_times_in(sim, ALICE), 1); /* as long as pings are answered, nothing happens */
    sim_cut(sim, ALICE, false);
    waits(sim, 20);
    assert_true(sim_is_in(sim, ALICE)); /* so it thinks */
    waits(sim, 60);
    assert_int_equal(sim_times_in(sim, ALICE), 2);
    assert_int_equal(sim_last_error(sim, ALICE), KC_CONNECTION_LOST);
    calms_down(sim);
    ends_well(sim);
}

static void who_reads_slowly_holds_up_who_writes_and_goes_in_the_end(void **state)
{
    (void)state;
    struct sim *sim = world_with((struct sim_options){ .seed = 5, .output_max = 16384, .pipe = 1000 });
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    settles(sim);
    sim_stall(sim, BOB, true);
    for (unsigned i = 0; i < 60; i++)
        sim_send(sim, ALICE, SIM_BOB, 300);
    waits(sim, 5);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 0);
    assert_true(sim_is_in(sim, ALICE));
    waits(sim, 30);
    assert_int_equal(sim_times_in(sim, ALICE), 1); /* it is not the one to suffer */
    sim_stall(sim, BOB, false);
    calms_down(sim);
    assert_true(sim_times_in(sim, BOB) >= 2); /* with so little room perhaps once more */
    assert_int_equal(sim_shown(sim, BOB, ALICE), 60);
    ends_well(sim);
}

static void who_pauses_reading_holds_up_who_writes_and_loses_nothing(void **state)
{
    (void)state;
    struct sim *sim = world_with((struct sim_options){ .seed = 6, .output_max = 131072 });
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    settles(sim);
    sim_stall(sim, BOB, true);
    for (unsigned i = 0; i < 100; i++)
        sim_send(sim, ALICE, SIM_BOB, 2000);
    waits(sim, 5);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 0);
    sim_stall(sim, BOB, false);
    settles(sim);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 100);
    assert_int_equal(sim_times_in(sim, ALICE), 1);
    assert_int_equal(sim_times_in(sim, BOB), 1);
    calms_down(sim);
    ends_well(sim);
}

static void who_reads_slowly_holds_up_no_other_conversation(void **state)
{
    (void)state;
    struct sim *sim = world_with((struct sim_options){ .seed = 7, .output_max = 131072 });
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    sim_come(sim, CAROL);
    settles(sim);
    sim_stall(sim, BOB, true);
    for (unsigned i = 0; i < 200; i++) {
        sim_send(sim, ALICE, SIM_BOB, 2000);
        sim_send(sim, CAROL, SIM_BOB, 2000);
    }
    waits(sim, 2);
    for (unsigned i = 0; i < 100; i++) {
        sim_send(sim, ALICE, SIM_CAROL, 2000);
        sim_send(sim, CAROL, SIM_ALICE, 2000);
    }
    waits(sim, 2);
    assert_int_equal(sim_shown(sim, CAROL, ALICE), 100);
    assert_int_equal(sim_shown(sim, ALICE, CAROL), 100);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 0);
    waits(sim, 10);
    assert_true(sim_told_offline(sim, ALICE, SIM_BOB)); /* ended as too slow, in the end */
    sim_stall(sim, BOB, false);
    settles(sim);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 200);
    assert_int_equal(sim_shown(sim, BOB, CAROL), 200);
    assert_int_equal(sim_times_in(sim, BOB), 2);
    assert_int_equal(sim_times_in(sim, ALICE), 1);
    assert_int_equal(sim_times_in(sim, CAROL), 1);
    calms_down(sim);
    ends_well(sim);
}

/* ---- a bad KDC ---- */

static void a_restart_of_the_kdc_loses_nothing(void **state)
{
    (void)state;
    for (unsigned orderly = 0; orderly < 2; orderly++) {
        struct sim *sim = alice_talks_with_bob();
        const uint32_t epoch = sim_epoch(sim, ALICE, SIM_BOB);
        for (unsigned i = 0; i < 20; i++)
            sim_send(sim, ALICE, SIM_BOB, 100);
        (void)sim_step(sim);
        sim_restart(sim, orderly != 0);
        sim_send(sim, BOB, SIM_ALICE, 100);
        settles(sim);
        calms_down(sim);
        assert_int_equal(sim_shown(sim, BOB, ALICE), 20);
        assert_int_equal(sim_shown(sim, ALICE, BOB), 1);
        assert_true(sim_epoch(sim, ALICE, SIM_BOB) > epoch);
        assert_int_equal(sim_times_in(sim, ALICE), 2);
        assert_int_equal(sim_last_error(sim, ALICE), orderly != 0 ? REASON_SHUTTING_DOWN : KC_CONNECTION_LOST);
        ends_well(sim);
    }
}

static void who_is_in_goes_on_chatting_while_the_database_is_away(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_database(sim, false);
    sim_send(sim, ALICE, SIM_BOB, 40);
    sim_come(sim, CAROL);
    waits(sim, 30);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 1);
    assert_false(sim_is_in(sim, CAROL));
    assert_true(sim_refused(sim, CAROL, REASON_UNAVAILABLE) > 0);
    sim_open(sim, ALICE, SIM_BOB);
    waits(sim, 2);
    assert_true(sim_refused(sim, ALICE, REASON_UNAVAILABLE) > 0);
    assert_int_equal(sim_epoch(sim, ALICE, SIM_BOB), 1);
    sim_database(sim, true);
    settles(sim);
    assert_true(sim_is_in(sim, CAROL));
    assert_int_equal(sim_epoch(sim, ALICE, SIM_BOB), 2);
    calms_down(sim);
    ends_well(sim);
}

static void a_text_outlasts_a_long_absence_of_the_database(void **state)
{
    (void)state;
    struct sim *sim = world();
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    settles(sim);
    sim_database(sim, false);
    sim_send(sim, ALICE, SIM_BOB, 40);
    waits(sim, 1800);
    assert_int_equal(sim_undelivered(sim, ALICE), 1);
    sim_database(sim, true);
    waits(sim, 60);
    assert_int_equal(sim_shown(sim, BOB, ALICE), 1);
    ends_well(sim);
}

/* ---- tickets ---- */

static void who_comes_back_after_a_restart_comes_by_ticket(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    for (unsigned i = 1; i <= 3; i++) {
        sim_send(sim, ALICE, SIM_BOB, 40);
        sim_restart(sim, i != 2);
        settles(sim);
        assert_int_equal(sim_resumed(sim), 2 * i);
        assert_int_equal(sim_times_in(sim, BOB), 1 + i);
        assert_int_equal(sim_shown(sim, BOB, ALICE), i);
    }
    ends_well(sim);
}

static void a_ticket_that_is_too_old_costs_a_login_and_nothing_else(void **state)
{
    (void)state;
    struct sim *sim = world_with((struct sim_options){ .ticket_lifetime = 10 });
    sim_come(sim, ALICE);
    settles(sim);
    waits(sim, 5);
    sim_cut(sim, ALICE, true);
    settles(sim);
    assert_int_equal(sim_resumed(sim), 1);
    waits(sim, 6); /* the second ticket ends with the first */
    sim_cut(sim, ALICE, true);
    settles(sim);
    assert_int_equal(sim_resumed(sim), 1);
    assert_int_equal(sim_times_in(sim, ALICE), 3);
    ends_well(sim);
}

static void an_account_that_was_locked_meanwhile_stays_out_with_its_ticket(void **state)
{
    (void)state;
    for (unsigned down = 0; down <= 1; down++) {
        struct sim *sim = alice_talks_with_bob();
        if (down)
            sim_restart(sim, false);
        else
            sim_cut(sim, BOB, true);
        sim_lock_account(sim, SIM_BOB, true);
        settles(sim);
        assert_false(sim_is_in(sim, BOB));
        assert_int_equal(sim_refused(sim, BOB, REASON_ACCOUNT_LOCKED), 0); /* the client gives up by itself */
        assert_int_equal(sim_last_error(sim, BOB), REASON_ACCOUNT_LOCKED);
        assert_int_equal(sim_resumed(sim), down);
        assert_int_equal(sim_tickets_taken(sim), down); /* the handshake itself says no */
        sim_lock_account(sim, SIM_BOB, false);
        sim_come(sim, BOB);
        settles(sim);
        assert_true(sim_is_in(sim, BOB));
        assert_int_equal(sim_resumed(sim), down);
        ends_well(sim);
    }
}

static void tickets_need_no_database_once_the_kdc_has_asked_it(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_database(sim, false);
    sim_cut(sim, BOB, true);
    settles(sim);
    assert_true(sim_is_in(sim, BOB));
    assert_int_equal(sim_resumed(sim), 1);
    sim_restart(sim, true);
    waits(sim, 20);
    assert_false(sim_is_in(sim, BOB)); /* nobody knows what was changed meanwhile */
    sim_database(sim, true);
    settles(sim);
    assert_true(sim_is_in(sim, BOB));
    ends_well(sim);
}

static void busy_workers_are_waited_for(void **state)
{
    (void)state;
    struct sim *sim = alice_talks_with_bob();
    sim_busy(sim, true);
    sim_open(sim, BOB, SIM_ALICE);
    sim_come(sim, CAROL);
    waits(sim, 10);
    assert_true(sim_refused(sim, BOB, REASON_BUSY) > 0);
    assert_int_equal(sim_epoch(sim, BOB, SIM_ALICE), 1);
    sim_busy(sim, false);
    settles(sim);
    assert_int_equal(sim_epoch(sim, BOB, SIM_ALICE), 2);
    assert_true(sim_is_in(sim, CAROL));
    calms_down(sim);
    ends_well(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_people_register_and_talk),
        cmocka_unit_test(three_people_have_three_conversations),
        cmocka_unit_test(both_open_at_once_and_end_in_one_epoch),
        cmocka_unit_test(a_flood_under_a_key_that_changes_all_the_time_arrives_whole),
        cmocka_unit_test(a_rekey_leaves_no_key_behind_anywhere),
        cmocka_unit_test(list_and_who_are_answered),
        cmocka_unit_test(a_text_to_somebody_offline_waits_and_goes_when_they_come),
        cmocka_unit_test(who_leaves_is_told_and_who_returns_too),
        cmocka_unit_test(a_second_client_takes_over_and_the_first_stays_away),
        cmocka_unit_test(what_the_first_client_still_had_goes_when_it_is_back),
        cmocka_unit_test(who_is_kicked_stays_away),
        cmocka_unit_test(a_conversation_with_a_locked_account_is_refused),
        cmocka_unit_test(a_connection_cut_at_any_byte_loses_nothing),
        cmocka_unit_test(a_dead_connection_is_noticed_by_the_ping_that_isnt_answered),
        cmocka_unit_test(who_reads_slowly_holds_up_who_writes_and_goes_in_the_end),
        cmocka_unit_test(who_pauses_reading_holds_up_who_writes_and_loses_nothing),
        cmocka_unit_test(who_reads_slowly_holds_up_no_other_conversation),
        cmocka_unit_test(a_restart_of_the_kdc_loses_nothing),
        cmocka_unit_test(who_is_in_goes_on_chatting_while_the_database_is_away),
        cmocka_unit_test(a_text_outlasts_a_long_absence_of_the_database),
        cmocka_unit_test(who_comes_back_after_a_restart_comes_by_ticket),
        cmocka_unit_test(a_ticket_that_is_too_old_costs_a_login_and_nothing_else),
        cmocka_unit_test(an_account_that_was_locked_meanwhile_stays_out_with_its_ticket),
        cmocka_unit_test(tickets_need_no_database_once_the_kdc_has_asked_it),
        cmocka_unit_test(busy_workers_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
