/*
 * sim_kdc.c: the real KDC in the simulation: its life, its turns, its workers, and a look inside.
 */
#include "kdc/connection.h"
#include "kdc/server.h"
#include "kdc/session_internal.h"
#include "tests/unit/sim_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- turns ---- */

static unsigned reactor_of(const struct sim *sim, const struct event *event)
{
    unsigned i = 0;
    while (i + 1 < SIM_REACTORS && sim->kdc.server->reactors[i]->base != event->ev_base)
        i++;
    return i;
}

/* Other sockets of the same reactor that have something to read: a loop may find several ready at once. */
static void join_in(struct sim *sim, const struct event *first)
{
    struct sim_kdc *kdc = &sim->kdc;
    for (size_t i = 0; i < SIM_WIRES && kdc->turn_count < SIM_TURN_MAX; i++) {
        struct sim_wire *wire = &sim->wires[i];
        if (!wire->used || !sim_kdc_readable(sim, wire) || wire->read_event == first ||
            wire->read_event->ev_base != first->ev_base || sim_below(&sim->dice, 3) != 0)
            continue;
        wire->readable = buffer_len(&wire->up);
        kdc->turn[kdc->turn_count++] = wire->read_event;
    }
}

/* Every client here keeps to its windows, so nobody's connection may be held up because of somebody else who reads slowly.
 * And what gathered for anybody was sealed before the turn's end. */
static void check_connections(struct sim *sim, unsigned reactor)
{
    const struct reactor *r = sim->kdc.server == NULL ? NULL : sim->kdc.server->reactors[reactor];
    for (uint32_t i = 0; r != NULL && i < r->slot_count; i++) {
        const struct connection *c = r->slots[i].connection;
        if (c != NULL && c->session != NULL && c->session->holds > 0)
            sim_fail(sim, "%s is held up, and keeps to the window", c->session->name.text);
        if (c != NULL && c->channel != NULL && c->channel->out.gathered > 0)
            sim_fail(sim, "%zu bytes of plaintext wait for the next turn", c->channel->out.gathered);
    }
}

static void turn(struct sim *sim, unsigned reactor, struct event *event)
{
    struct sim_kdc *kdc = &sim->kdc;
    struct sim_thread *thread = &kdc->threads[reactor];
    if (thread->ended || thread->turns)
        return;
    kdc->turn_count = 0;
    kdc->turn[kdc->turn_count++] = event;
    join_in(sim, event);
    kdc->inside++;
    thread->turns = true;
    thread->ended = true; /* unless it asks for another turn */
    (void)thread->run(thread->argument);
    thread->turns = false;
    kdc->inside--;
    check_connections(sim, reactor);
}

bool sim_kdc_turns(const struct sim *sim, unsigned reactor)
{
    return sim->kdc.threads[reactor].turns;
}

/* One turn's events, and the random stream that belongs to each. */
void sim_kdc_handle(struct sim *sim, struct event *const *events, size_t count)
{
    struct sim_kdc *kdc = &sim->kdc;
    for (size_t i = 0; i < count; i++) {
        struct event *event = events[i];
        /* Those behind the first may have been taken out by now, and freed: only what a wire still has is looked at. */
        struct sim_wire *wire = NULL;
        for (size_t w = 0; w < SIM_WIRES && wire == NULL; w++) {
            if (sim->wires[w].used && sim->wires[w].read_event == event)
                wire = &sim->wires[w];
        }
        if (i > 0 && (wire == NULL || !sim_event_added(event)))
            continue;
        struct sim_rng *before = kdc->source.instead;
        kdc->source.instead = wire == NULL ? &kdc->keys : &wire->rng;
        event->ev_evcallback.evcb_cb_union.evcb_callback(event->ev_fd, event->ev_events, event->ev_evcallback.evcb_arg);
        kdc->source.instead = before;
    }
}

static struct sim_wire *wire_of(struct sim *sim, const struct session_ref *ref)
{
    const struct connection *c = reactor_find(sim->kdc.server->reactors[ref->reactor], ref);
    return c == NULL ? NULL : sim_wire_of_fd(sim, c->fd);
}

void sim_kdc_run_job(struct sim *sim, size_t index)
{
    struct sim_kdc *kdc = &sim->kdc;
    struct job *job = kdc->jobs[index].job;
    struct sim_wire *wire = wire_of(sim, &job->owner);
    struct sim_rng *before = kdc->source.instead;
    if (wire != NULL)
        kdc->source.instead = &wire->rng;
    sim->accounts.now = sim->now + SIM_TODAY_MS;
    kdc->jobs[index].runs = true;
    kdc->inside++;
    job->run(job, &sim->accounts.accounts);
    kdc->inside--;
    kdc->source.instead = before;
    for (size_t i = 0; i < kdc->job_count; i++) {
        if (kdc->jobs[i].job == job)
            kdc->jobs[i].ran = true;
    }
}

void sim_kdc_deliver_job(struct sim *sim, size_t index)
{
    struct sim_kdc *kdc = &sim->kdc;
    struct job *job = kdc->jobs[index].job;
    kdc->jobs[index] = kdc->jobs[--kdc->job_count];
    kdc->pool.deliver(kdc->pool.context, job);
}

bool sim_kdc_has_entries(const struct sim *sim)
{
    return !sim->kdc.journal_writes && journal_has_work(sim->kdc.server->journal);
}

void sim_kdc_write_journal(struct sim *sim)
{
    struct sim_kdc *kdc = &sim->kdc;
    sim->accounts.now = sim->now + SIM_TODAY_MS;
    kdc->journal_writes = true;
    kdc->inside++;
    journal_step(kdc->server->journal, &sim->accounts.accounts);
    kdc->inside--;
    kdc->journal_writes = false;
}

/* As kdc-admin has it done behind a change: the feed, at once. */
void sim_kdc_refresh(struct sim *sim)
{
    for (size_t i = 0; sim->kdc.server != NULL && i < sim->accounts.count; i++) {
        const struct store_user *user = &sim->accounts.users[i];
        if (account_changes_put(sim->kdc.server->changes, user->id, user->epoch, user->epoch / 1000) != 0)
            sim_fail(sim, "no memory for changed accounts");
    }
}

/* ---- its life ---- */

int sim_kdc_start(struct sim *sim)
{
    struct sim_kdc *kdc = &sim->kdc;
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 42 };
    static const uint8_t ticket_key[TICKET_KEY_LEN] = { 43 };
    struct identity *identity = identity_from_seed(seed);
    sim_standins_for(sim);
    kdc->thread_count = 0;
    kdc->turn_count = 0;
    kdc->wakes = 0;
    kdc->timers = 0;
    sim_rng_init(&kdc->source, 0, NULL);
    kdc->source.instead = &kdc->keys;
    struct ticket_keys *tickets = NULL;
    if (kdc->config.ticket_lifetime > 0)
        tickets = ticket_keys_new(kdc->config.ticket_lifetime, (SIM_START_MS + SIM_TODAY_MS) / 1000, ticket_key);
    kdc->server = identity == NULL ? NULL : server_new(&kdc->config, NULL, identity, tickets);
    if (kdc->server == NULL)
        return -1;
    for (unsigned i = 0; i < SIM_REACTORS; i++)
        kdc->server->reactors[i]->host.rng = &kdc->source.rng;
    sim_kdc_pass_time(sim);
    sim_kdc_write_journal(sim); /* which looks for changed accounts first of all */
    sim_trace(sim, "the KDC is up");
    return 0;
}

void sim_kdc_stop(struct sim *sim, bool orderly)
{
    struct sim_kdc *kdc = &sim->kdc;
    if (kdc->server == NULL)
        return;
    sim_trace(sim, "the KDC %s", orderly ? "stops" : "crashes");
    if (!orderly)
        kdc->server->running = 0;
    server_drain(kdc->server);
    server_free(&kdc->server);
    sim_trace(sim, "the KDC is down");
}

bool sim_kdc_accept(struct sim *sim, struct sim_wire *wire)
{
    struct server *server = sim->kdc.server;
    const int fd = SIM_FD + (int)(wire - sim->wires);
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)(50000 + wire->device)),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct sockaddr *any = (const struct sockaddr *)&address;
    const struct admission_source source = admission_source_of(any);
    const struct admission_limits limits = { .connections_max = 1000,
                                             .before_login_max = 1000,
                                             .per_source_max = 1000 };
    if (admission_enter(server->admission, &limits, &source, 0) != ADMISSION_IN)
        return false;
    struct reactor *reactor = server->reactors[sim_below(&sim->dice, SIM_REACTORS)];
    sim->kdc.inside += SIM_ALONE;
    const bool accepted = reactor_accepted(reactor, fd, any, sizeof address, &source) == 0;
    sim->kdc.inside -= SIM_ALONE;
    if (!accepted)
        admission_leave(server->admission, &source, false);
    return accepted;
}

/* ---- what may happen there, and makes it happen ---- */

bool sim_kdc_readable(const struct sim *sim, const struct sim_wire *wire)
{
    if (wire->kdc_gone || !sim_event_added(wire->read_event) || sim_kdc_turns(sim, reactor_of(sim, wire->read_event)))
        return false;
    return wire->cut ? wire->kdc_knows : buffer_len(&wire->up) > 0 || wire->up_end;
}

bool sim_kdc_writable(const struct sim *sim, const struct sim_wire *wire)
{
    if (wire->kdc_gone || !sim_event_added(wire->write_event) || sim_kdc_turns(sim, reactor_of(sim, wire->write_event)))
        return false;
    return wire->cut ? wire->kdc_knows : buffer_len(&wire->down) < sim->pipe;
}

void sim_kdc_read(struct sim *sim, struct sim_wire *wire, size_t len)
{
    wire->readable = len;
    turn(sim, reactor_of(sim, wire->read_event), wire->read_event);
}

void sim_kdc_write(struct sim *sim, struct sim_wire *wire)
{
    turn(sim, reactor_of(sim, wire->write_event), wire->write_event);
}

bool sim_kdc_has_mail(const struct sim *sim, unsigned reactor)
{
    return atomic_load(&sim->kdc.server->reactors[reactor]->inbox.newest) != NULL;
}

void sim_kdc_wake(struct sim *sim, unsigned reactor)
{
    turn(sim, reactor, sim->kdc.wake[reactor]);
}

/* When a tick of this reactor would find something to do. */
uint64_t sim_kdc_due(const struct sim *sim, unsigned reactor)
{
    const struct reactor *r = sim->kdc.server->reactors[reactor];
    uint64_t due = SIM_NEVER;
    for (uint32_t i = 0; i < r->slot_count; i++) {
        const struct connection *c = r->slots[i].connection;
        if (c != NULL && c->timer.link != NULL && c->timer.deadline + TIMER_WHEEL_TICK_MS < due)
            due = c->timer.deadline + TIMER_WHEEL_TICK_MS;
    }
    return due;
}

void sim_kdc_tick(struct sim *sim, unsigned reactor)
{
    turn(sim, reactor, sim->kdc.tick[reactor]);
}

size_t sim_kdc_online(const struct sim *sim)
{
    return sim->kdc.server == NULL ? 0 : directory_count(sim->kdc.server->directory);
}

static struct name name_of(enum sim_person person)
{
    struct name name = { { 0 } };
    (void)snprintf(name.text, sizeof name.text, "%s", sim_names[person]);
    return name;
}

bool sim_kdc_knows(const struct sim *sim, enum sim_person person)
{
    const struct name name = name_of(person);
    struct directory_entry entry;
    return sim->kdc.server != NULL && directory_find(sim->kdc.server->directory, &name, &entry);
}

/* The number of the session that is being ended; 0: there is none. */
static uint64_t end(struct sim *sim, enum sim_person person, enum reason reason)
{
    const struct name name = name_of(person);
    struct directory_entry entry;
    if (sim->kdc.server == NULL || !directory_find(sim->kdc.server->directory, &name, &entry))
        return 0;
    struct mail_end *mail = mail_new(MAIL_END, &entry.ref, &(struct session_ref){ 0 }, 0);
    if (mail == NULL)
        return 0;
    mail->reason = reason;
    reactor_mail(sim->kdc.server->reactors[entry.ref.seat], &mail->mail);
    return entry.ref.session;
}

void sim_kdc_kick(struct sim *sim, enum sim_person person)
{
    (void)end(sim, person, REASON_KICKED);
}

void sim_kdc_account_changed(struct sim *sim, enum sim_person person, const struct store_user *user)
{
    if (sim->kdc.server == NULL)
        return;
    if (account_changes_put(sim->kdc.server->changes, user->id, user->epoch, sim->now + SIM_TODAY_MS) != 0)
        sim_fail(sim, "no memory");
    if (user->state != USER_ACTIVE)
        sim->session_before[person] = end(sim, person, REASON_ACCOUNT_LOCKED);
}

void sim_kdc_check_locked(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_PEOPLE && sim->kdc.server != NULL; i++) {
        const struct name name = name_of((enum sim_person)i);
        struct directory_entry entry;
        if (sim->locked[i] && sim->kdc.inside == 0 && directory_find(sim->kdc.server->directory, &name, &entry) &&
            entry.ref.session != sim->session_before[i])
            sim_fail(sim, "%s is in, and the account was locked before", sim_names[i]);
    }
}

/* What the main thread does every second. */
void sim_kdc_pass_time(struct sim *sim)
{
    char error[TICKET_KEYS_ERROR_MAX];
    if (sim->kdc.server != NULL && sim->kdc.server->tickets != NULL)
        (void)!ticket_keys_turn(sim->kdc.server->tickets, (sim->now + SIM_TODAY_MS) / 1000, error);
}

/* The other end of a leg, if it is there. */
static const struct leg *other_end(const struct sim *sim, const struct session *session, const struct leg *leg)
{
    struct reactor *const *reactors = sim->kdc.server->reactors;
    const uint32_t seat = reactor_seat_of(reactors[leg->peer.reactor], &leg->peer);
    const struct connection *c = reactor_find_session(reactors[seat], &leg->peer);
    for (size_t i = 0; c != NULL && c->session != NULL && i < c->session->leg_count; i++) {
        const struct leg *other = &c->session->legs[i];
        if (other->conversation == leg->conversation && !other->gone && session_ref_equal(&other->peer, &session->ref))
            return other;
    }
    return NULL;
}

/* With nothing on its way, what a sender counts as on its way is what the receiver still owes it: if it were more, the sender
 * would be held up some day and never go on. */
static void check_windows(struct sim *sim, const struct session *session, const struct sim_device *device)
{
    size_t sum = 0;
    for (size_t i = 0; session != NULL && i < session->leg_count; i++) {
        const struct leg *leg = &session->legs[i];
        const struct leg *other = leg->gone ? NULL : other_end(sim, session, leg);
        if (!leg->gone && other == NULL)
            sim_fail(sim, "%s has a conversation with %s at the KDC, but not the other way round", session->name.text,
                     leg->peer_name.text);
        if (other != NULL && leg->in_flight > other->owed)
            sim_fail(sim, "%s has %zu bytes on their way to %s, who owes %zu", session->name.text, leg->in_flight,
                     leg->peer_name.text, other->owed);
        if (leg->in_flight != sim_in_flight(device, leg->conversation))
            sim_fail(sim, "%s has %zu bytes on their way to %s, and takes it for %zu", session->name.text,
                     leg->in_flight, leg->peer_name.text, sim_in_flight(device, leg->conversation));
        sum += leg->in_flight;
    }
    if (session != NULL && sim_in_flight(device, SIM_ALL) != sum)
        sim_fail(sim, "%s takes %zu bytes to be on their way, and %zu are", session->name.text,
                 sim_in_flight(device, SIM_ALL), sum);
    if (session != NULL && session->holds > 0)
        sim_fail(sim, "%s is held up, and nobody reads slowly", session->name.text);
}

/* Nobody is on the way from one to another. */
static void check_seats(struct sim *sim, struct reactor *reactor)
{
    if (atomic_load(&reactor->load) != (int)reactor->connections)
        sim_fail(sim, "reactor %u has %zu connections, and counts on %d", reactor->number, reactor->connections,
                 atomic_load(&reactor->load));
    for (uint32_t i = 0; i < reactor->slot_count; i++) {
        const struct connection *c = reactor->slots[i].connection;
        if (c != NULL && c->session != NULL &&
            (reactor_find_session(reactor, session_ref_of(c->session)) != c ||
             reactor_seat_of(reactor, session_ref_of(c->session)) != reactor->number))
            sim_fail(sim, "%s isn't found with reactor %u", c->session->name.text, reactor->number);
    }
}

unsigned sim_seat(const struct sim *sim, enum sim_person person)
{
    const struct name name = name_of(person);
    struct directory_entry entry;
    return directory_find(sim->kdc.server->directory, &name, &entry) ? entry.ref.seat : SIM_REACTORS;
}

unsigned sim_moved(const struct sim *sim)
{
    unsigned moved = 0;
    for (unsigned r = 0; r < SIM_REACTORS; r++)
        moved += (unsigned)counter_read(&sim->kdc.server->reactors[r]->counters.moved);
    return moved;
}

void sim_kdc_check(struct sim *sim)
{
    for (unsigned r = 0; sim->kdc.server != NULL && r < SIM_REACTORS; r++) {
        struct reactor *reactor = sim->kdc.server->reactors[r];
        check_seats(sim, reactor);
        for (uint32_t i = 0; i < reactor->slot_count; i++) {
            const struct connection *c = reactor->slots[i].connection;
            if (c != NULL && c->session != NULL && session_is_in(c->session))
                check_windows(sim, c->session, &sim->devices[sim_wire_of_fd(sim, c->fd)->device]);
        }
    }
}
