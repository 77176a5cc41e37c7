/*
 * Random schedules: two or three people chat while everything that can happen happens, in an order that a seed decides. What
 * must be so is checked at every event, and once more when the world is calm again (sim_check.c).
 *
 * SIM_COUNT=n runs n of them, SIM_FIRST=n begins at that seed, SIM_SEED=n runs one alone and tells every event of it.
 */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/sim.h"
#include "tests/unit/sim_memo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT 800
#else
#define COUNT 5000
#endif

enum doing {
    SENDS,
    SENDS_MANY,
    OPENS,
    BOTH_OPEN,
    ASKS,
    CUT,
    CUT_UNNOTICED,
    KICK,
    SECOND_CLIENT,
    RESTART,
    CRASH,
    DATABASE,
    HICCUP,
    BUSY,
    STALL,
    LEAVES,
    COMES,
    TIME,
    LOCK,
    DOINGS,
};

static const unsigned often[DOINGS] = {
    [SENDS] = 30, [SENDS_MANY] = 3,    [OPENS] = 6,  [BOTH_OPEN] = 4,     [ASKS] = 2,
    [CUT] = 5,    [CUT_UNNOTICED] = 2, [KICK] = 1,   [SECOND_CLIENT] = 3, [RESTART] = 1,
    [CRASH] = 1,  [DATABASE] = 3,      [HICCUP] = 2, [BUSY] = 3,          [STALL] = 4,
    [LEAVES] = 2, [COMES] = 6,         [TIME] = 2,   [LOCK] = 2,
};

struct schedule {
    struct sim *sim;
    unsigned people;
    bool may[DOINGS];
    bool database_gone;
    bool busy;
    bool stalled[SIM_DEVICES];
    bool locked[SIM_PEOPLE];
};

static unsigned roll(struct schedule *s, unsigned sides)
{
    return sim_below(sim_dice(s->sim), sides);
}

static enum doing choose(struct schedule *s)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < DOINGS; i++)
        sum += s->may[i] ? often[i] : 0;
    unsigned at = roll(s, sum);
    unsigned i = 0;
    while (!s->may[i] || at >= often[i]) {
        at -= s->may[i] ? often[i] : 0;
        i++;
    }
    return (enum doing)i;
}

static void send(struct schedule *s, unsigned count)
{
    const unsigned person = roll(s, s->people);
    const unsigned to = (person + 1 + roll(s, s->people - 1)) % s->people;
    const bool second = s->may[SECOND_CLIENT] && person <= BOB && roll(s, 4) == 0;
    const size_t len = roll(s, 8) == 0 ? 1000 : 30;
    for (unsigned i = 0; i < count; i++)
        sim_send(s->sim, second ? person + ALICE_2 : person, (enum sim_person)to, len);
}

static void happens_to(struct schedule *s, enum doing doing, unsigned device)
{
    switch (doing) {
    case CUT:
    case CUT_UNNOTICED:
        sim_cut(s->sim, device, doing == CUT);
        return;
    case KICK:
        sim_kick(s->sim, (enum sim_person)(device % ALICE_2));
        return;
    case SECOND_CLIENT:
        sim_come(s->sim, ALICE_2 + roll(s, 2));
        return;
    case STALL:
        s->stalled[device] = !s->stalled[device];
        sim_stall(s->sim, device, s->stalled[device]);
        return;
    case LEAVES:
        sim_leave(s->sim, device);
        return;
    case LOCK:
        s->locked[device % ALICE_2] = !s->locked[device % ALICE_2];
        sim_lock_account(s->sim, (enum sim_person)(device % ALICE_2), s->locked[device % ALICE_2]);
        return;
    default:
        sim_come(s->sim, device);
        return;
    }
}

static void act(struct schedule *s)
{
    const enum doing doing = choose(s);
    const unsigned person = roll(s, s->people);
    const unsigned other = (person + 1 + roll(s, s->people - 1)) % s->people;
    const unsigned device = s->may[SECOND_CLIENT] && person <= BOB && roll(s, 2) == 0 ? person + ALICE_2 : person;
    switch (doing) {
    case SENDS:
    case SENDS_MANY:
        send(s, doing == SENDS ? 1 : 8 + roll(s, 30));
        return;
    case OPENS:
    case BOTH_OPEN:
        sim_open(s->sim, device, (enum sim_person)other);
        if (doing == BOTH_OPEN)
            sim_open(s->sim, other, (enum sim_person)person);
        return;
    case ASKS:
        sim_ask(s->sim, device, (enum sim_person)other);
        return;
    case RESTART:
    case CRASH:
        sim_restart(s->sim, doing == RESTART);
        return;
    case TIME:
        (void)sim_wait(s->sim, 1 + roll(s, 100000));
        return;
    case DATABASE:
        s->database_gone = !s->database_gone;
        sim_database(s->sim, !s->database_gone);
        return;
    case HICCUP:
        sim_database_hiccup(s->sim);
        return;
    case BUSY:
        s->busy = !s->busy;
        sim_busy(s->sim, s->busy);
        return;
    default:
        happens_to(s, doing, device);
        return;
    }
}

static void act_meanwhile(void *context)
{
    static const enum doing these[] = { SENDS, OPENS, CUT, LEAVES, COMES, HICCUP, LOCK };
    struct schedule *s = context;
    const unsigned person = roll(s, s->people);
    const enum doing doing = these[roll(s, sizeof these / sizeof these[0])];
    if (!s->may[doing])
        return;
    if (doing == SENDS)
        send(s, 1);
    else if (doing == OPENS)
        sim_open(s->sim, person, (enum sim_person)((person + 1) % s->people));
    else if (doing == HICCUP)
        sim_database_hiccup(s->sim);
    else
        happens_to(s, doing, person);
}

/* What may happen at all differs from schedule to schedule: some things show only where others stay away. */
static void begin(struct schedule *s)
{
    s->people = 2 + roll(s, 3) / 2;
    for (unsigned i = 0; i < DOINGS; i++)
        s->may[i] = i == SENDS || i == OPENS || i == COMES || roll(s, 2) == 0;
    for (unsigned i = 0; i < s->people; i++)
        sim_come(s->sim, i);
    if (roll(s, 2) == 0)
        (void)sim_settle(s->sim);
}

/* No trouble: two people come, talk both ways, and all that the seed decides is the order of what happens. */
static bool talk_plainly(struct schedule *s)
{
    bool well = true;
    for (unsigned person = 0; person < s->people; person++)
        sim_come(s->sim, person);
    for (unsigned person = 0; person < s->people && well; person++) {
        sim_send(s->sim, person, (enum sim_person)(1 - person), 30);
        const unsigned steps = roll(s, 30);
        for (unsigned k = 0; k < steps && well; k++)
            well = sim_step(s->sim);
    }
    return well;
}

/* Whoever took part says one thing more to everybody. */
static void farewell(struct schedule *s)
{
    for (unsigned person = 0; person < s->people; person++) {
        for (unsigned to = 0; to < s->people; to++) {
            if (to != person)
                sim_send(s->sim, person, (enum sim_person)to, 30);
        }
    }
}

/* Everybody talks much with everybody, more than windows take, while one or another doesn't read for a while. */
static bool talk_to_slow_readers(struct schedule *s)
{
    bool well = true;
    s->people = 2 + roll(s, 2);
    for (unsigned i = 0; i < DOINGS; i++)
        s->may[i] = i == STALL || i == COMES || ((i == OPENS || i == CUT || i == SECOND_CLIENT) && roll(s, 3) == 0);
    for (unsigned person = 0; person < s->people; person++)
        sim_come(s->sim, person);
    const unsigned doings = 4 + roll(s, 12);
    for (unsigned i = 0; i < doings && well; i++) {
        const unsigned person = roll(s, s->people);
        const unsigned to = (person + 1 + roll(s, s->people - 1)) % s->people;
        for (unsigned count = roll(s, 40); count > 0; count--)
            sim_send(s->sim, person, (enum sim_person)to, 1 + roll(s, 2000));
        act(s);
        const unsigned steps = roll(s, 60);
        for (unsigned k = 0; k < steps && well; k++)
            well = sim_step(s->sim);
        if (roll(s, 6) == 0)
            (void)sim_wait(s->sim, 1 + roll(s, 15000));
    }
    if (!well || !sim_calm_down(s->sim))
        return false;
    farewell(s);
    return true;
}

/* Everything that can happen. */
static bool live_dangerously(struct schedule *s)
{
    bool well = true;
    begin(s);
    const unsigned doings = 4 + roll(s, 20);
    for (unsigned i = 0; i < doings && well; i++) {
        act(s);
        const unsigned steps = roll(s, 10);
        for (unsigned k = 0; k < steps && well; k++)
            well = sim_step(s->sim);
    }
    if (!well || !sim_calm_down(s->sim))
        return false;
    farewell(s);
    return true;
}

typedef bool (*schedule_fn)(struct schedule *s);

static size_t run(schedule_fn live, uint64_t seed, bool trace, char failure[SIM_FAILURE_MAX])
{
    struct schedule s = { .people = 2 };
    const struct sim_options options = { .seed = seed, .trace = trace, .meanwhile = act_meanwhile, .context = &s };
    s.sim = sim_new(&options);
    if (s.sim == NULL) {
        (void)snprintf(failure, SIM_FAILURE_MAX, "no memory");
        return 0;
    }
    if (live(&s))
        (void)sim_calm_down(s.sim);
    const size_t events = sim_events(s.sim);
    sim_free(&s.sim, failure);
    return events;
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text == NULL || text[0] == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static void run_all(schedule_fn live, uint64_t otherwise)
{
    const bool alone = getenv("SIM_SEED") != NULL;
    const uint64_t first = number_from("SIM_SEED", number_from("SIM_FIRST", 1));
    const uint64_t count = alone ? 1 : number_from("SIM_COUNT", otherwise);
    const unsigned failures_max = (unsigned)number_from("SIM_FAILURES", 1);
    const uint64_t begun = sim_cpu_ms();
    unsigned failures = 0;
    uint64_t done = 0;
    uint64_t events = 0;
    char failure[SIM_FAILURE_MAX];

    for (uint64_t seed = first; seed < first + count && failures < failures_max; seed++) {
        events += run(live, seed, alone, failure);
        done++;
        if (failure[0] == '\0')
            continue;
        failures++;
        print_error("seed %llu: %s\n", (unsigned long long)seed, failure);
        if (!alone && failures_max == 1)
            (void)run(live, seed, true, failure);
    }
    const uint64_t ms = sim_cpu_ms() - begun;
    print_message("%llu schedules of %llu events, %llu schedules a second of processor time\n",
                  (unsigned long long)done, (unsigned long long)(done == 0 ? 0 : events / done),
                  (unsigned long long)(ms == 0 ? 0 : done * 1000 / ms));
    if (failures > 0)
        fail_msg("%u of %llu schedules failed; SIM_SEED=n tells every event of one", failures,
                 (unsigned long long)done);
}

static void every_schedule_keeps_every_promise(void **state)
{
    (void)state;
    run_all(live_dangerously, COUNT);
}

static void every_plain_conversation_keeps_every_promise(void **state)
{
    (void)state;
    run_all(talk_plainly, COUNT);
}

static void every_slow_reader_holds_up_nobody_and_loses_nothing(void **state)
{
    (void)state;
    run_all(talk_to_slow_readers, COUNT / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schedule_keeps_every_promise),
        cmocka_unit_test(every_plain_conversation_keeps_every_promise),
        cmocka_unit_test(every_slow_reader_holds_up_nobody_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
