/*
 * sim_device.c: a person's client: the core, and what libkdcchat's link.c does for it: connect, carry bytes, come back.
 */
#include "tests/unit/sim_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 15000 /* for connection, handshake and login together, as libkdcchat's */
#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 5000

const char *const sim_names[SIM_PEOPLE] = { "alice", "bob", "carol" };
const char *const sim_device_names[SIM_DEVICES] = { "alice", "bob", "carol", "alice(2)", "bob(2)" };
static const enum sim_person owners[SIM_DEVICES] = { SIM_ALICE, SIM_BOB, SIM_CAROL, SIM_ALICE, SIM_BOB };

static uint64_t now(void *context)
{
    return ((struct sim_device *)context)->sim->now;
}

static enum core_identity judge(void *context, const uint8_t public_key[IDENTITY_PUBLIC_LEN])
{
    (void)context;
    (void)public_key;
    return CORE_IDENTITY_KNOWN;
}

static void on_event(void *context, const struct kc_event *event)
{
    struct sim_device *device = context;
    struct sim *sim = device->sim;
    sim_check_event(device, event);
    if (event->type == KC_EVENT_READY) {
        device->failures = 0;
        device->times_in++;
        device->deadline = SIM_NEVER;
        device->needs_login = false;
        device->makes_account = false;
    } else if (event->type == KC_EVENT_LOGIN_REFUSED) {
        device->needs_login = true;
        switch (event->error) {
        case REASON_BUSY:
        case REASON_UNAVAILABLE:
            device->login_at = sim->now + 1000 * (event->retry_after == 0 ? 1 : event->retry_after);
            break;
        case REASON_NAME_TAKEN: /* the answer to an earlier try was lost */
            device->makes_account = false;
            device->login_at = sim->now + 1000;
            break;
        default:
            device->wants = false;
            break;
        }
    }
}

int sim_device_init(struct sim *sim, unsigned index)
{
    struct sim_device *d = &sim->devices[index];
    const struct handshake_policy policy = {
        .groups = { DH_FFDHE2048 },
        .group_count = 1,
        .suites = { index == BOB_2 ? SUITE_3DES_CBC_HMAC_SHA512 : SUITE_CHACHA20_POLY1305 },
        .suite_count = 1,
    };
    d->sim = sim;
    d->index = index;
    d->person = owners[index];
    d->needs_login = true;
    d->makes_account = sim->options.no_accounts;
    d->login_at = SIM_NEVER;
    d->deadline = SIM_NEVER;
    sim_rng_init(&d->rng, index + 1, &sim->dice);
    const struct core_host host = {
        .context = d, .now = now, .wall = now, .event = on_event, .identity = judge, .rng = &d->rng.rng
    };
    d->core = core_new(&host, &policy);
    return d->core == NULL ? -1 : 0;
}

static int log_in(struct sim_device *d)
{
    char password[64];
    const int len = snprintf(password, sizeof password, "%s password of %s", SIM_MARK, sim_names[d->person]);
    d->login_at = SIM_NEVER;
    return core_login(d->core, sim_names[d->person], password, (size_t)len, d->makes_account);
}

void sim_device_pump(struct sim_device *device)
{
    struct sim_wire *wire = device->wire;
    struct buffer *out = core_output(device->core);
    while (wire != NULL && buffer_len(out) > 0) {
        const size_t there = buffer_len(&wire->up);
        size_t len = there < device->sim->pipe ? device->sim->pipe - there : 0;
        if (len > buffer_len(out))
            len = buffer_len(out);
        if (len == 0)
            return;
        sim_wire_put(device->sim, wire, &wire->up, buffer_data(out), len);
        buffer_consume(out, len);
    }
}

/* Closes the socket; what was written still arrives. */
static void hang_up(struct sim_device *d, bool flush)
{
    struct sim_wire *wire = d->wire;
    struct buffer *out = core_output(d->core);
    if (flush && buffer_len(out) > 0)
        sim_wire_put(d->sim, wire, &wire->up, buffer_data(out), buffer_len(out));
    wire->up_end = true;
    wire->device_gone = true;
    d->wire = NULL;
    d->deadline = SIM_NEVER;
    d->login_at = SIM_NEVER;
    core_disconnected(d->core);
    sim_wire_drop(wire);
}

static void ended(struct sim_device *d, int error, bool flush)
{
    unsigned retry_after = 0;
    const bool may_return = core_may_return(d->core, error, &retry_after);
    sim_trace(d->sim, "  %s: the connection ends: %s", sim_device_names[d->index], kc_error_name(error));
    d->last_error = error;
    for (size_t i = 0; i < SIM_PEOPLE; i++)
        d->told[i] = TOLD_NOTHING;
    hang_up(d, flush);
    if (!may_return) {
        d->wants = false;
        d->needs_login = true;
        return;
    }
    const uint64_t backoff = (uint64_t)BACKOFF_MS << (d->failures < 6 ? d->failures : 6);
    d->failures++;
    d->connect_at = d->sim->now + (backoff < BACKOFF_MAX_MS ? backoff : BACKOFF_MAX_MS) / 2 +
                    sim_below(&d->sim->dice, (uint32_t)backoff);
    if (retry_after > 0 && d->connect_at < d->sim->now + UINT64_C(1000) * retry_after)
        d->connect_at = d->sim->now + UINT64_C(1000) * retry_after;
}

void sim_device_lost(struct sim_device *device, int error)
{
    ended(device, error, false);
}

/* After every call into the core that may end the connection. */
static void look(struct sim_device *d, int error)
{
    if (d->wire == NULL)
        return;
    if (error != KC_OK)
        ended(d, error, true);
    else if (core_state(d->core) == CORE_ENDED && core_next_tick(d->core) == UINT64_MAX)
        hang_up(d, true); /* its own wish */
    else
        sim_device_pump(d);
}

void sim_device_read(struct sim_device *device, size_t len)
{
    struct buffer *down = &device->wire->down;
    if (len == 0) {
        ended(device, KC_CONNECTION_LOST, false);
        return;
    }
    /* In memory of exactly its length, so that reading past its end is seen. */
    uint8_t *exact = malloc(len);
    if (exact == NULL)
        return;
    memcpy(exact, buffer_data(down), len);
    buffer_consume(down, len);
    const int error = core_input(device->core, exact, len);
    free(exact);
    sim_check_device(device);
    look(device, error);
}

void sim_device_tick(struct sim_device *device)
{
    if (device->wire != NULL && device->sim->now >= device->deadline && core_state(device->core) != CORE_CREDENTIALS) {
        ended(device, KC_CONNECTION_LOST, false);
        return;
    }
    look(device, core_tick(device->core));
}

void sim_device_connect(struct sim_device *device)
{
    struct sim *sim = device->sim;
    struct sim_wire *wire = sim_wire_new(sim, device->index);
    device->used = true;
    if (wire == NULL || !sim_kdc_accept(sim, wire)) {
        if (wire != NULL)
            wire->used = false;
        device->failures++;
        device->connect_at = sim->now + BACKOFF_MAX_MS;
        return;
    }
    device->wire = wire;
    device->connections++;
    device->deadline = sim->now + TIMEOUT_MS;
    /* By participant and connection: what both sides draw for a handshake is the same in every schedule. */
    const uint64_t stream = ((uint64_t)device->index + 1) << 32 | device->connections;
    sim_rng_init(&device->rng, stream, &sim->dice);
    sim_rng_init(&wire->rng, stream | UINT64_C(1) << 63, &sim->dice);
    int error = device->needs_login ? log_in(device) : KC_OK;
    if (error != KC_OK)
        sim_fail(sim, "%s: core_login says %s", sim_device_names[device->index], kc_error_name(error));
    error = core_connected(device->core);
    look(device, error);
}

void sim_device_login(struct sim_device *device)
{
    if (log_in(device) != KC_OK)
        sim_fail(device->sim, "%s can't log in again", sim_device_names[device->index]);
    device->deadline = device->sim->now + TIMEOUT_MS;
    look(device, KC_OK);
}

uint64_t sim_device_due(const struct sim_device *device)
{
    if (device->core == NULL)
        return SIM_NEVER;
    if (device->wire == NULL)
        return device->wants ? device->connect_at : SIM_NEVER;
    uint64_t due = core_next_tick(device->core);
    if (core_state(device->core) == CORE_CREDENTIALS)
        return device->login_at < due ? device->login_at : due;
    return device->deadline < due ? device->deadline : due;
}

/* ---- what people do ---- */

void sim_come(struct sim *sim, unsigned device)
{
    struct sim_device *d = &sim->devices[device];
    sim_trace(sim, "  %s comes", sim_device_names[device]);
    d->used = true;
    if (!d->wants) {
        d->wants = true;
        d->connect_at = sim->now;
    }
}

void sim_leave(struct sim *sim, unsigned device)
{
    struct sim_device *d = &sim->devices[device];
    sim_trace(sim, "  %s leaves", sim_device_names[device]);
    d->wants = false;
    if (d->wire == NULL)
        return;
    core_close(d->core);
    for (size_t i = 0; i < SIM_PEOPLE; i++)
        d->told[i] = TOLD_NOTHING;
    hang_up(d, true);
}

void sim_send(struct sim *sim, unsigned device, enum sim_person to, size_t len)
{
    struct sim_device *d = &sim->devices[device];
    char text[2048];
    uint64_t number = 0;
    if (d->sent[to] + 1 >= SIM_TEXTS_MAX)
        return;
    const int head = snprintf(text, sizeof text, "%s %u %u %llu ", SIM_MARK, device, (unsigned)to,
                              (unsigned long long)d->sent[to] + 1);
    len = len < (size_t)head ? (size_t)head : len < sizeof text ? len : sizeof text;
    memset(text + head, '.', len - (size_t)head);
    sim_trace(sim, "  %s: text %llu to %s", sim_device_names[device], (unsigned long long)d->sent[to] + 1,
              sim_names[to]);
    d->used = true;
    const int error = core_send(d->core, sim_names[to], text, len, &number);
    if (error == KC_OUTBOX_FULL)
        return;
    if (error != KC_OK || number != d->sent[to] + 1)
        sim_fail(sim, "%s: text %llu to %s is given number %llu, error %s", sim_device_names[device],
                 (unsigned long long)d->sent[to] + 1, sim_names[to], (unsigned long long)number, kc_error_name(error));
    d->sent[to]++;
    look(d, KC_OK);
}

void sim_open(struct sim *sim, unsigned device, enum sim_person peer)
{
    struct sim_device *d = &sim->devices[device];
    sim_trace(sim, "  %s: /to %s", sim_device_names[device], sim_names[peer]);
    (void)core_open(d->core, sim_names[peer]);
    look(d, KC_OK);
}

void sim_ask(struct sim *sim, unsigned device, enum sim_person about)
{
    struct sim_device *d = &sim->devices[device];
    (void)core_list(d->core);
    (void)core_who(d->core, sim_names[about]);
    look(d, KC_OK);
}
