/*
 * Where the KDC seats those who talk (kdc/reactor_move.c): with one reactor, if they can be, and nothing of what is promised
 * to them depends on it. Seeds decide with which reactor each begins.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/sim.h"

#define SEEDS 100

static struct sim *world(uint64_t seed)
{
    const struct sim_options options = { .seed = seed,
                                         .pipe = 8000,
                                         .output_max = 1u << 20,
                                         .rekey_messages = 10000,
                                         .ticket_lifetime = 3600,
                                         .in_turn = true };
    struct sim *sim = sim_new(&options);
    assert_non_null(sim);
    return sim;
}

static void settles(struct sim *sim)
{
    (void)sim_settle(sim);
    assert_string_equal(sim_failure(sim), "");
}

static struct sim *all_are_in(uint64_t seed)
{
    struct sim *sim = world(seed);
    sim_come(sim, ALICE);
    sim_come(sim, BOB);
    sim_come(sim, CAROL);
    settles(sim);
    return sim;
}

static void ends_well(struct sim *sim)
{
    char failure[SIM_FAILURE_MAX];
    (void)sim_calm_down(sim); /* checks each reactor's count, and that everybody is found */
    assert_string_equal(sim_failure(sim), "");
    sim_free(&sim, failure);
    assert_string_equal(failure, "");
}

/* Whoever opens: with two, neither reactor has so few that it decides, and alice's name sorts first. */
static void two_who_talk_sit_together(void **state)
{
    (void)state;
    unsigned called = 0;
    unsigned went = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *sim = world(seed);
        sim_come(sim, ALICE);
        sim_come(sim, BOB);
        settles(sim);
        const unsigned bob = sim_seat(sim, SIM_BOB);
        const bool apart = sim_seat(sim, SIM_ALICE) != bob;
        const bool bob_opens = seed % 2 == 0;
        sim_open(sim, bob_opens ? BOB : ALICE, bob_opens ? SIM_ALICE : SIM_BOB);
        settles(sim);
        assert_int_equal(sim_seat(sim, SIM_BOB), bob);
        assert_int_equal(sim_moved(sim), apart); /* however quick the grant is */
        assert_int_equal(sim_seat(sim, SIM_ALICE), bob);
        sim_send(sim, ALICE, SIM_BOB, 40);
        sim_send(sim, BOB, SIM_ALICE, 40);
        settles(sim);
        assert_int_equal(sim_shown(sim, BOB, ALICE), 1);
        assert_int_equal(sim_shown(sim, ALICE, BOB), 1);
        called += apart && bob_opens;
        went += apart && !bob_opens;
        ends_well(sim);
    }
    assert_true(called > 0 && went > 0);
}

static void who_has_a_conversation_stays_and_everybody_is_heard(void **state)
{
    (void)state;
    unsigned apart = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *sim = all_are_in(seed);
        sim_open(sim, ALICE, SIM_BOB);
        settles(sim);
        const unsigned alice = sim_seat(sim, SIM_ALICE);
        const unsigned bob = sim_seat(sim, SIM_BOB);
        const unsigned carol = sim_seat(sim, SIM_CAROL);
        sim_send(sim, CAROL, SIM_ALICE, 40);
        sim_send(sim, ALICE, SIM_CAROL, 40);
        sim_send(sim, BOB, SIM_ALICE, 40);
        settles(sim);
        assert_int_equal(sim_seat(sim, SIM_ALICE), alice);
        assert_int_equal(sim_seat(sim, SIM_BOB), bob);
        assert_int_equal(sim_shown(sim, ALICE, CAROL), 1);
        assert_int_equal(sim_shown(sim, CAROL, ALICE), 1);
        assert_int_equal(sim_shown(sim, ALICE, BOB), 1);
        apart += alice != carol || alice != bob;
        ends_well(sim);
    }
    assert_in_range(apart, 1, SEEDS);
}

/* What ends a session finds it where it sits, and what is left of it where it began is given back. */
static void who_has_moved_is_kicked_cut_and_comes_back_as_others_do(void **state)
{
    (void)state;
    unsigned moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *sim = all_are_in(seed);
        sim_send(sim, ALICE, SIM_BOB, 40);
        settles(sim);
        moved += sim_moved(sim);
        sim_cut(sim, ALICE, seed % 2 == 0);
        sim_send(sim, BOB, SIM_ALICE, 40);
        (void)sim_wait(sim, 120000);
        assert_string_equal(sim_failure(sim), "");
        assert_int_equal(sim_shown(sim, ALICE, BOB), 1);
        sim_kick(sim, SIM_BOB);
        settles(sim);
        assert_false(sim_is_in(sim, BOB));
        assert_true(sim_told_offline(sim, ALICE, SIM_BOB));
        sim_restart(sim, seed % 3 == 0);
        ends_well(sim);
    }
    assert_in_range(moved, 1, SEEDS);
}

/* Each opens with the other, before either knows of the other's wish: they don't change places. */
static void who_open_at_once_meet(void **state)
{
    (void)state;
    unsigned moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *sim = world(seed);
        sim_come(sim, ALICE);
        sim_come(sim, BOB);
        settles(sim);
        sim_open(sim, ALICE, SIM_BOB);
        sim_open(sim, BOB, SIM_ALICE);
        settles(sim);
        assert_in_range(sim_moved(sim), 0, 1);
        if (sim_moved(sim) == 1)
            assert_int_equal(sim_seat(sim, SIM_ALICE), sim_seat(sim, SIM_BOB));
        moved += sim_moved(sim);
        ends_well(sim);
    }
    assert_in_range(moved, 1, SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_who_talk_sit_together),
        cmocka_unit_test(who_has_a_conversation_stays_and_everybody_is_heard),
        cmocka_unit_test(who_has_moved_is_kicked_cut_and_comes_back_as_others_do),
        cmocka_unit_test(who_open_at_once_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
