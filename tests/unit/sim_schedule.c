/*
 * sim_schedule.c: what may happen next, and what does: one event at a time, chosen by the dice.
 */
#include "tests/unit/sim_internal.h"

#include <stdio.h>
#include <string.h>

#define CHOICES_MAX 256
#define SETTLE_EVENTS_MAX 200000
#define SETTLE_MS_MAX UINT64_C(3600000)
#define MEANWHILE_DEPTH 2  /* threads that are interrupted at once */
#define MEANWHILE_SELDOM 6 /* every how manieth time something happens in between */

/* ---- what may happen next ---- */

enum happening {
    KDC_READS,
    KDC_WRITES,
    KDC_LEARNS_OF_CUT,
    KDC_WAKES,
    KDC_TICKS,
    KDC_STARTS,
    JOB_RUNS,
    JOB_IS_DELIVERED,
    JOURNAL_WRITES,
    DEVICE_READS,
    DEVICE_LEARNS_OF_CUT,
    DEVICE_TICKS,
    DEVICE_CONNECTS,
    DEVICE_LOGS_IN,
    TIME_PASSES,
};

static const struct {
    const char *name;
    unsigned weight; /* in a world that isn't calm */
} happenings[] = {
    [KDC_READS] = { "the KDC reads from", 8 },
    [KDC_WRITES] = { "the KDC goes on writing to", 8 },
    [KDC_LEARNS_OF_CUT] = { "the KDC learns of the cut of", 1 },
    [KDC_WAKES] = { "a reactor wakes:", 10 },
    [KDC_TICKS] = { "a reactor ticks:", 6 },
    [KDC_STARTS] = { "the KDC starts", 4 },
    [JOB_RUNS] = { "a worker runs job", 5 },
    [JOB_IS_DELIVERED] = { "a worker delivers job", 5 },
    [JOURNAL_WRITES] = { "the journal writes", 5 },
    [DEVICE_READS] = { "reads:", 8 },
    [DEVICE_LEARNS_OF_CUT] = { "learns of its cut:", 1 },
    [DEVICE_TICKS] = { "ticks:", 6 },
    [DEVICE_CONNECTS] = { "connects:", 5 },
    [DEVICE_LOGS_IN] = { "types the password again:", 5 },
    [TIME_PASSES] = { "time passes", 2 },
};

struct choice {
    enum happening what;
    unsigned which;
};

struct choices {
    struct choice all[CHOICES_MAX];
    size_t count;
    unsigned weight;
    uint64_t next; /* the nearest thing that isn't due yet */
};

static void add(struct choices *choices, enum happening what, unsigned which)
{
    if (choices->count == CHOICES_MAX)
        return;
    choices->all[choices->count++] = (struct choice){ what, which };
    choices->weight += happenings[what].weight;
}

/* Now, or later. */
static void add_at(const struct sim *sim, struct choices *choices, uint64_t at, enum happening what, unsigned which)
{
    if (at <= sim->now)
        add(choices, what, which);
    else if (at < choices->next)
        choices->next = at;
}

static void look_at_wire(const struct sim *sim, struct choices *choices, unsigned i)
{
    const struct sim_wire *wire = &sim->wires[i];
    if (!wire->used)
        return;
    if (sim_kdc_readable(sim, wire))
        add(choices, KDC_READS, i);
    if (sim_kdc_writable(sim, wire))
        add(choices, KDC_WRITES, i);
    if (wire->cut && !wire->kdc_knows && !wire->kdc_gone && !sim->calm)
        add(choices, KDC_LEARNS_OF_CUT, i);
    if (wire->device_gone)
        return;
    if (wire->cut && !wire->device_knows && !sim->calm)
        add(choices, DEVICE_LEARNS_OF_CUT, i);
    const bool readable = wire->cut ? wire->device_knows : buffer_len(&wire->down) > 0 || wire->down_end;
    if (readable && !sim->devices[wire->device].stalled)
        add(choices, DEVICE_READS, i);
}

static void look_at_device(const struct sim *sim, struct choices *choices, unsigned i)
{
    const struct sim_device *d = &sim->devices[i];
    const uint64_t due = sim_device_due(d);
    if (d->wire == NULL) {
        if (sim->kdc.server != NULL)
            add_at(sim, choices, due, DEVICE_CONNECTS, i);
        return;
    }
    add_at(sim, choices, due, core_state(d->core) == CORE_CREDENTIALS ? DEVICE_LOGS_IN : DEVICE_TICKS, i);
}

static void look_around(const struct sim *sim, struct choices *choices)
{
    choices->count = 0;
    choices->weight = 0;
    choices->next = sim->bounded && sim->until > sim->now ? sim->until : SIM_NEVER;
    for (unsigned i = 0; i < SIM_WIRES; i++)
        look_at_wire(sim, choices, i);
    for (unsigned i = 0; i < SIM_DEVICES; i++)
        look_at_device(sim, choices, i);
    for (unsigned i = 0; i < sim->kdc.job_count; i++) {
        if (sim->kdc.jobs[i].ran || !sim->kdc.jobs[i].runs)
            add(choices, sim->kdc.jobs[i].ran ? JOB_IS_DELIVERED : JOB_RUNS, i);
    }
    if (sim->kdc.server == NULL) {
        add_at(sim, choices, sim->kdc.start_at, KDC_STARTS, 0);
        return;
    }
    if (sim_kdc_has_entries(sim))
        add(choices, JOURNAL_WRITES, 0);
    for (unsigned r = 0; r < SIM_REACTORS; r++) {
        if (sim_kdc_turns(sim, r))
            continue;
        if (sim_kdc_has_mail(sim, r))
            add(choices, KDC_WAKES, r);
        add_at(sim, choices, sim_kdc_due(sim, r), KDC_TICKS, r);
    }
}

/* ---- and happens ---- */

/* How much of what is on its way arrives at once: mostly all. */
static size_t portion(struct sim *sim, size_t there)
{
    if (sim->calm || there < 2 || sim_below(&sim->dice, 4) != 0)
        return there;
    return 1 + sim_below(&sim->dice, (uint32_t)there);
}

static void pass_time(struct sim *sim, uint64_t next)
{
    if (next == SIM_NEVER)
        return;
    uint64_t step = next - sim->now;
    if (!sim->calm && step > 1 && sim_below(&sim->dice, 3) == 0)
        step = 1 + sim_roll(&sim->dice) % step;
    sim->now += step;
    sim_kdc_pass_time(sim);
}

static void happen(struct sim *sim, const struct choice *choice, uint64_t next)
{
    const unsigned i = choice->which;
    sim_trace(sim, "%s %s", happenings[choice->what].name,
              choice->what == KDC_READS || choice->what == KDC_WRITES || choice->what == KDC_LEARNS_OF_CUT ||
                      choice->what == DEVICE_READS || choice->what == DEVICE_LEARNS_OF_CUT
                  ? sim_device_names[sim->wires[i].device]
              : choice->what >= DEVICE_TICKS && choice->what < TIME_PASSES
                  ? sim_device_names[i]
                  : (const char *[]){ "0", "1", "2", "3", "4", "5", "6", "7" }[i % 8]);
    switch (choice->what) {
    case KDC_READS:
        sim_kdc_read(sim, &sim->wires[i], portion(sim, buffer_len(&sim->wires[i].up)));
        return;
    case KDC_WRITES:
        sim_kdc_write(sim, &sim->wires[i]);
        return;
    case KDC_LEARNS_OF_CUT:
        sim->wires[i].kdc_knows = true;
        return;
    case KDC_WAKES:
        sim_kdc_wake(sim, i);
        return;
    case KDC_TICKS:
        sim_kdc_tick(sim, i);
        return;
    case KDC_STARTS:
        if (sim_kdc_start(sim) != 0)
            sim_fail(sim, "the KDC doesn't start");
        return;
    case JOB_RUNS:
        sim_kdc_run_job(sim, i);
        return;
    case JOB_IS_DELIVERED:
        sim_kdc_deliver_job(sim, i);
        return;
    case JOURNAL_WRITES:
        sim_kdc_write_journal(sim);
        return;
    case DEVICE_READS: {
        struct sim_wire *wire = &sim->wires[i];
        sim_device_read(&sim->devices[wire->device], wire->cut ? 0 : portion(sim, buffer_len(&wire->down)));
        return;
    }
    case DEVICE_LEARNS_OF_CUT:
        sim->wires[i].device_knows = true;
        return;
    case DEVICE_TICKS:
        sim_device_tick(&sim->devices[i]);
        return;
    case DEVICE_CONNECTS:
        sim_device_connect(&sim->devices[i]);
        return;
    case DEVICE_LOGS_IN:
        sim_device_login(&sim->devices[i]);
        return;
    case TIME_PASSES:
        pass_time(sim, next);
        return;
    }
}

/* False when there is nothing but time, or not even that. */
static bool choose(struct sim *sim, struct choices *choices, struct choice *choice)
{
    if (choices->count > 0 && !sim->calm && choices->next != SIM_NEVER)
        add(choices, TIME_PASSES, 0);
    if (choices->count == 0)
        return false;
    uint32_t at = sim_below(&sim->dice, choices->weight);
    size_t i = 0;
    while (i + 1 < choices->count && at >= happenings[choices->all[i].what].weight)
        at -= happenings[choices->all[i++].what].weight;
    *choice = choices->all[i];
    return true;
}

static void run(struct sim *sim, const struct choice *choice, uint64_t next)
{
    sim->events++;
    happen(sim, choice, next);
    for (size_t i = 0; i < SIM_DEVICES; i++)
        sim_device_pump(&sim->devices[i]);
}

void sim_meanwhile(struct sim *sim)
{
    struct choices choices;
    struct choice choice;
    if (sim->in_turn || sim->kdc.inside == 0 || sim->kdc.inside > MEANWHILE_DEPTH ||
        sim_below(&sim->dice, MEANWHILE_SELDOM) != 0)
        return;
    sim_trace(sim, "  meanwhile ...");
    for (unsigned steps = 1 + sim_below(&sim->dice, 5); steps > 0; steps--) {
        if (sim->options.meanwhile != NULL && !sim->calm && sim_below(&sim->dice, 4) == 0)
            sim->options.meanwhile(sim->options.context);
        look_around(sim, &choices);
        if (!choose(sim, &choices, &choice) || choice.what == TIME_PASSES)
            break;
        run(sim, &choice, choices.next);
    }
    sim_trace(sim, "  ... and on");
}

bool sim_step(struct sim *sim)
{
    struct choices choices;
    struct choice choice = { TIME_PASSES, 0 };
    look_around(sim, &choices);
    (void)choose(sim, &choices, &choice);
    run(sim, &choice, choices.next);
    sim_kdc_check_locked(sim);
    return sim->failure[0] == '\0';
}

bool sim_settle(struct sim *sim)
{
    const size_t events = sim->events;
    const uint64_t begun = sim->now;
    const bool calm = sim->calm;
    struct choices choices;
    struct choice choice;
    sim->calm = true;
    while (sim->failure[0] == '\0') {
        const char *what = "";
        look_around(sim, &choices);
        if (!choose(sim, &choices, &choice)) {
            what = sim_going_on(sim);
            if (what[0] == '\0')
                break;
            choice = (struct choice){ TIME_PASSES, 0 };
        }
        if (sim->events - events > SETTLE_EVENTS_MAX || sim->now - begun > SETTLE_MS_MAX)
            sim_fail(sim, "the world doesn't become calm: %s", sim_going_on(sim));
        run(sim, &choice, choices.next);
        if (choice.what == TIME_PASSES && choices.next == SIM_NEVER) {
            sim_fail(sim, "nothing will ever happen again, and yet %s", what);
        }
    }
    sim->calm = calm;
    return sim->failure[0] == '\0';
}

bool sim_wait(struct sim *sim, uint64_t ms)
{
    const bool calm = sim->calm;
    struct choices choices;
    struct choice choice;
    sim->calm = true;
    sim->bounded = true;
    sim->until = sim->now + ms;
    while (sim->failure[0] == '\0') {
        look_around(sim, &choices);
        if (!choose(sim, &choices, &choice)) {
            if (sim->now >= sim->until)
                break;
            choice = (struct choice){ TIME_PASSES, 0 };
        }
        run(sim, &choice, choices.next);
    }
    sim->bounded = false;
    sim->calm = calm;
    return sim->failure[0] == '\0';
}
