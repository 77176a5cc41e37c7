#include "tests/unit/sim.h"

#include "crypto/secret.h"
#include "tests/unit/sim_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (sim->failure[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(sim->failure, sizeof sim->failure, format, arguments);
    va_end(arguments);
    sim_trace(sim, "WRONG: %s", sim->failure);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (!sim->options.trace)
        return;
    (void)fprintf(stderr, "%7zu %8llu ", sim->events, (unsigned long long)(sim->now - SIM_START_MS));
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

/* ---- the network ---- */

struct sim_wire *sim_wire_new(struct sim *sim, unsigned device)
{
    for (size_t i = 0; i < SIM_WIRES; i++) {
        struct sim_wire *wire = &sim->wires[i];
        if (wire->used)
            continue;
        memset(wire, 0, sizeof *wire);
        wire->used = true;
        wire->device = device;
        buffer_init(&wire->up, SIZE_MAX / 4);
        buffer_init(&wire->down, SIZE_MAX / 4);
        return wire;
    }
    sim_fail(sim, "%d connections and no end", SIM_WIRES);
    return NULL;
}

struct sim_wire *sim_wire_of_fd(struct sim *sim, int fd)
{
    return fd >= SIM_FD && fd < SIM_FD + SIM_WIRES ? &sim->wires[fd - SIM_FD] : NULL;
}

void sim_wire_put(struct sim *sim, struct sim_wire *wire, struct buffer *pipe, const void *data, size_t len)
{
    const bool heard = pipe == &wire->up ? !wire->kdc_gone : !wire->device_gone;
    if (sim_mark_in(data, len))
        sim_fail(sim, "a text or a password is readable on the wire");
    if (heard && !wire->cut && buffer_append(pipe, data, len) != 0)
        sim_fail(sim, "no memory");
}

void sim_wire_drop(struct sim_wire *wire)
{
    if (wire->kdc_gone)
        buffer_clear(&wire->up);
    if (wire->device_gone)
        buffer_clear(&wire->down);
    if (wire->kdc_gone && wire->device_gone)
        wire->used = false;
}

static void cut(struct sim_wire *wire, bool noticed)
{
    wire->cut = true;
    buffer_clear(&wire->up);
    buffer_clear(&wire->down);
    wire->device_knows = wire->device_knows || noticed;
    wire->kdc_knows = wire->kdc_knows || noticed;
}

/* ---- what happens to people ---- */

void sim_cut(struct sim *sim, unsigned device, bool noticed)
{
    struct sim_wire *wire = sim->devices[device].wire;
    if (wire == NULL)
        return;
    sim_trace(sim, "  the connection of %s is cut%s", sim_device_names[device], noticed ? "" : ", and nobody knows");
    cut(wire, noticed);
}

void sim_stall(struct sim *sim, unsigned device, bool on)
{
    sim_trace(sim, "  %s %s", sim_device_names[device], on ? "stops reading" : "reads again");
    sim->devices[device].stalled = on;
}

void sim_kick(struct sim *sim, enum sim_person person)
{
    sim_trace(sim, "  %s is kicked", sim_names[person]);
    sim_kdc_kick(sim, person);
}

void sim_restart(struct sim *sim, bool orderly)
{
    sim_kdc_stop(sim, orderly);
    sim->kdc.start_at = sim->now + 1000 + sim_below(&sim->dice, 3000);
}

void sim_database(struct sim *sim, bool available)
{
    sim_trace(sim, "  the database is %s", available ? "back" : "gone");
    sim->accounts.available = available;
}

void sim_database_hiccup(struct sim *sim)
{
    sim_trace(sim, "  the database has a hiccup");
    sim->accounts.fails_next = true;
}

void sim_busy(struct sim *sim, bool on)
{
    sim_trace(sim, "  the workers %s", on ? "are busy" : "have time");
    sim->kdc.busy = on;
}

void sim_lock_account(struct sim *sim, enum sim_person person, bool on)
{
    if (!sim->accounts.available)
        return;
    sim_trace(sim, "  %s is %s", sim_names[person], on ? "locked" : "unlocked");
    for (size_t i = 0; i < sim->accounts.count; i++) {
        if (strcmp(sim->accounts.users[i].name.text, sim_names[person]) != 0)
            continue;
        sim_accounts_set_state(&sim->accounts, i, on ? USER_LOCKED : USER_ACTIVE, sim->now + SIM_TODAY_MS);
        sim->locked[person] = on;
        sim_kdc_account_changed(sim, person, &sim->accounts.users[i]);
    }
    sim_kdc_refresh(sim);
}

static void heal(struct sim *sim)
{
    sim->accounts.available = true;
    sim->accounts.fails_next = false;
    sim->kdc.busy = false;
    for (unsigned i = 0; i < SIM_PEOPLE; i++) {
        if (sim->locked[i])
            sim_lock_account(sim, (enum sim_person)i, false);
    }
    if (sim->kdc.server == NULL)
        sim->kdc.start_at = sim->now;
    for (size_t i = 0; i < SIM_DEVICES; i++)
        sim->devices[i].stalled = false;
    for (size_t i = 0; i < SIM_WIRES; i++) {
        if (sim->wires[i].used && sim->wires[i].cut)
            cut(&sim->wires[i], true);
    }
}

/* Second clients belong to those whose number is three less. */
static void take_turns(struct sim *sim, bool second)
{
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        const unsigned other = i <= BOB ? i + ALICE_2 : i - ALICE_2;
        const bool alone = i == CAROL || !sim->devices[other].used;
        const bool turn = sim->devices[i].used && (alone || (i >= ALICE_2) == second);
        if (!turn && sim->devices[i].wants)
            sim_leave(sim, i);
        else if (turn)
            sim_come(sim, i);
    }
}

bool sim_calm_down(struct sim *sim)
{
    const bool first = sim_below(&sim->dice, 2) != 0;
    const bool second_devices = sim->devices[ALICE_2].used || sim->devices[BOB_2].used;
    heal(sim);
    if (sim_below(&sim->dice, 2) != 0) {
        sim_trace(sim, "---- calm, and who is away stays away");
        if (sim_settle(sim))
            sim_check_calm(sim);
    }
    for (unsigned round = 0; round < (second_devices ? 3u : 1u) && sim->failure[0] == '\0'; round++) {
        sim_trace(sim, "---- calm, round %u", round);
        take_turns(sim, (round % 2 == 0) == first);
        if (sim_settle(sim))
            sim_check_calm(sim);
    }
    return sim->failure[0] == '\0';
}

/* ---- its life ---- */

static void configure(struct sim *sim)
{
    static const unsigned pipes[] = { 700, 2000, 8000 };
    static const unsigned rekeys[] = { 4, 20, 10000 };
    const struct sim_options *options = &sim->options;
    struct config *config = &sim->kdc.config;
    sim->pipe = options->pipe != 0 ? options->pipe : pipes[sim_below(&sim->dice, 3)];
    *config = (struct config){
        .reactors = SIM_REACTORS,
        .workers = 1,
        .handshake = { .groups = { DH_FFDHE2048 },
                       .group_count = 1,
                       .suites = { SUITE_CHACHA20_POLY1305, SUITE_AES_256_GCM, SUITE_3DES_CBC_HMAC_SHA512 },
                       .suite_count = 3 },
        .conversation_suite = sim_below(&sim->dice, 2) == 0 ? SUITE_CHACHA20_POLY1305 : SUITE_3DES_CBC_HMAC_SHA512,
        .bcrypt_cost = 10,
        .registration = REGISTRATION_OPEN,
        .login_tries = 3,
        .log_refusals = 50,
        .rekey_seconds = sim_below(&sim->dice, 4) == 0 ? 20 : 3600,
        .handshake_deadline = 10,
        .login_deadline = 60,
        .ping_seconds = 30,
        .connections_max = 1000,
        .connections_before_login_max = 1000,
        .connections_per_source_max = 1000,
        .queue_max = SIM_JOBS,
        .conversations_max = 8,
        .drain_seconds = 5,
    };
    sim->in_turn = sim_below(&sim->dice, 2) == 0 || options->in_turn;
    static const unsigned lifetimes[] = { 3600, 3600, 30, 0 };
    config->ticket_lifetime =
        options->ticket_lifetime != 0 ? options->ticket_lifetime : lifetimes[sim_below(&sim->dice, 4)];
    config->rekey_messages = options->rekey_messages != 0 ? options->rekey_messages : rekeys[sim_below(&sim->dice, 3)];
    config->output_max = options->output_max != 0 ? options->output_max : 1u << (15 + 5 * sim_below(&sim->dice, 2));
}

static int make_accounts(struct sim *sim)
{
    struct accounts *accounts = &sim->accounts.accounts;
    sim_accounts_init(&sim->accounts, sim);
    sim->accounts.now = sim->now + SIM_TODAY_MS;
    for (unsigned i = 0; i < SIM_PEOPLE && !sim->options.no_accounts; i++) {
        char password[64];
        struct store_registration registration = { .pending = false };
        enum store_registered outcome;
        uint64_t id;
        uint64_t epoch;
        (void)snprintf(registration.name.text, sizeof registration.name.text, "%s", sim_names[i]);
        (void)snprintf(password, sizeof password, "%s password of %s", SIM_MARK, sim_names[i]);
        if (accounts->hash(accounts, password, 10, registration.hash) != PASSWORD_MATCH ||
            accounts->enroll(accounts, &registration, &outcome, &id, &epoch) != STORE_OK)
            return -1;
    }
    return 0;
}

struct sim *sim_new(const struct sim_options *options)
{
    const long allocated = sim_allocated();
    const size_t secret = secret_stats().used;
    struct sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return NULL;
    sim->options = *options;
    sim->dice.state = options->seed * UINT64_C(0x2545f4914f6cdd1d);
    sim->now = SIM_START_MS;
    sim->allocated_before = allocated;
    sim->secret_before = secret;
    sim_rng_init(&sim->kdc.keys, 0, NULL);
    configure(sim);
    bool failed = make_accounts(sim) != 0 || sim_kdc_start(sim) != 0;
    for (unsigned i = 0; i < SIM_DEVICES && !failed; i++)
        failed = sim_device_init(sim, i) != 0;
    if (failed)
        sim_fail(sim, "the world doesn't begin");
    return sim;
}

const char *sim_failure(const struct sim *sim)
{
    return sim->failure;
}

static void leave_all(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        if (!sim->devices[i].wants)
            continue;
        sim_leave(sim, i);
        if (sim->failure[0] == '\0' && sim_settle(sim))
            sim_check_calm(sim);
    }
}

void sim_free(struct sim **sim_at, char failure[SIM_FAILURE_MAX])
{
    struct sim *sim = *sim_at;
    if (sim->failure[0] == '\0') {
        heal(sim);
        if (sim_settle(sim))
            leave_all(sim);
    }
    for (unsigned i = 0; i < SIM_DEVICES; i++)
        core_free(&sim->devices[i].core);
    sim_kdc_stop(sim, false);
    for (size_t i = 0; i < SIM_WIRES; i++) {
        buffer_clear(&sim->wires[i].up);
        buffer_clear(&sim->wires[i].down);
    }
    if (secret_stats().used != sim->secret_before)
        sim_fail(sim, "%zu bytes of secret memory weren't given back", secret_stats().used - sim->secret_before);
    if (sim_allocated() != sim->allocated_before + 1) /* the world itself */
        sim_fail(sim, "%ld blocks of memory weren't given back", sim_allocated() - sim->allocated_before - 1);
    sim_standins_for(NULL);
    if (failure != NULL)
        memcpy(failure, sim->failure, sizeof sim->failure);
    free(sim);
    *sim_at = NULL;
}

/* ---- what one may see ---- */

bool sim_is_in(const struct sim *sim, unsigned device)
{
    return core_ready(sim->devices[device].core);
}

size_t sim_undelivered(const struct sim *sim, unsigned device)
{
    return core_undelivered(sim->devices[device].core, NULL);
}

size_t sim_shown(const struct sim *sim, unsigned device, unsigned from)
{
    return sim->devices[device].shown[from];
}

uint32_t sim_epoch(const struct sim *sim, unsigned device, enum sim_person peer)
{
    return sim->devices[device].epoch[peer];
}

uint64_t sim_conversation(const struct sim *sim, unsigned device, enum sim_person peer)
{
    return sim->devices[device].conversation[peer];
}

unsigned sim_times_in(const struct sim *sim, unsigned device)
{
    return sim->devices[device].times_in;
}

unsigned sim_tickets_taken(const struct sim *sim)
{
    return sim->kdc.tickets_taken;
}

unsigned sim_resumed(const struct sim *sim)
{
    return sim->kdc.resumed;
}

unsigned sim_refused(const struct sim *sim, unsigned device, int reason)
{
    return sim->devices[device].refused[reason];
}

int sim_last_error(const struct sim *sim, unsigned device)
{
    return sim->devices[device].last_error;
}

bool sim_told_online(const struct sim *sim, unsigned device, enum sim_person peer)
{
    return sim->devices[device].told[peer] >= TOLD_CAME;
}

bool sim_told_offline(const struct sim *sim, unsigned device, enum sim_person peer)
{
    return sim->devices[device].told[peer] == TOLD_OFFLINE;
}

size_t sim_answers(const struct sim *sim, unsigned device)
{
    return sim->devices[device].answers;
}

size_t sim_events(const struct sim *sim)
{
    return sim->events;
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now;
}

struct sim_dice *sim_dice(struct sim *sim)
{
    return &sim->dice;
}
