/*
 * reactor_move.c: two who talk sit with one reactor, so that what one says to the other crosses no thread. The listener can't
 * know who will talk with whom; so one of the two moves when their conversation begins.
 *
 *   the opener's reactor   the two sit apart: which of them moves?     reactor_bring_together, in session_open
 *                          its own, or it calls the peer               REACTOR_CALL
 *   where that one sits    the connection leaves, at the latest at     reactor_take_call,
 *                          the end of the turn; its slot is away,      reactor_move_some
 *                          so that its name stays
 *   where it goes          a slot there, and a note of its name        reactor_seat_guests
 *
 * A connection moves once at most, and only while its session has no conversation, no job and nothing to send; else it stays. It goes
 * to the reactor that has fewer, so that everybody's moving doesn't make one reactor do all. Where that makes no difference,
 * the one whose name sorts first moves: two who open at once then mean the same one, and don't change places.
 *
 * What is said to it keeps its order. It is among the arrivals before the directory tells of its new seat, and before any mail is
 * passed on that came where it sat; and whoever looks for it there looks among the arrivals too: the directory may tell before the
 * knock is read. Who has a conversation with it takes the seat from the directory when that begins, and keeps to it. And the grants of
 * a conversation all come by way of where its first session began (session_ref_home).
 */
#include "kdc/connection.h"
#include "wire/reason.h"

#include <stdlib.h>
#include <string.h>

#define ABOUT_AS_MANY 2 /* what one move changes between two reactors */
#define BUCKETS_MIN 64

/* Held by its connection from the moment that it is asked until it ends; then on the way back to where it began. */
struct move {
    struct inbox_item item;
    struct move *next; /* of those that were asked; there: of those in its bucket */
    struct connection *connection;
    struct session_ref home; /* where it began */
    uint32_t seat;           /* where it goes */
    bool away;               /* it has gone */
};

/* One reactor wants a session of another's to move. */
struct call {
    struct inbox_item item;
    struct session_ref ref;
    uint32_t from;
    uint32_t to;
};

/* ---- who moves ---- */

/* Both loads speak of a connection as if it had moved, from the moment that it is asked to. */
static void book(const struct server *server, uint32_t from, uint32_t to)
{
    (void)atomic_fetch_sub_explicit(&server->reactors[from]->load, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&server->reactors[to]->load, 1, memory_order_relaxed);
}

static int32_t load_of(const struct server *server, uint32_t number)
{
    return atomic_load_explicit(&server->reactors[number]->load, memory_order_relaxed);
}

static bool may_move(const struct connection *c)
{
    return c->phase == CONNECTION_SESSION && !c->held && !c->peer_done && !c->delayed && c->with_worker == NULL &&
           c->write_event == NULL && buffer_len(&c->out) == 0 && session_may_move(c->session);
}

/* Then a reactor without connections ends, and nobody would be seated there. */
static bool stops(const struct server *server)
{
    return atomic_load_explicit(&server->draining, memory_order_relaxed);
}

/* False when memory is out. */
static bool ask(struct connection *c, uint32_t seat)
{
    struct move *move = calloc(1, sizeof *move);
    if (move == NULL) {
        return false;
    }
    *move = (struct move){ .connection = c, .seat = seat, .next = c->reactor->moving };
    c->reactor->moving = move;
    c->move = move;
    return true;
}

static bool call(const struct server *server, const struct session_ref *peer, uint32_t from, uint32_t to)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return false;
    }
    *call = (struct call){ .item = { .kind = REACTOR_CALL }, .ref = *peer, .from = from, .to = to };
    inbox_push(&server->reactors[from]->inbox, &call->item);
    return true;
}

void reactor_bring_together(struct connection *c, const struct directory_entry *peer)
{
    const struct server *server = c->reactor->server;
    const uint32_t here = c->reactor->number;
    const uint32_t there = peer->ref.seat;
    if (here == there || stops(server)) {
        return;
    }
    const bool we_may = c->move == NULL && session_may_move(c->session);
    const bool peer_may = peer->conversations == 0 && peer->ref.reactor == there; /* where it began */
    const int32_t more = load_of(server, here) - load_of(server, there);          /* than there */
    const bool either = more >= -ABOUT_AS_MANY && more <= ABOUT_AS_MANY;
    const bool we_are_first = strcmp(session_name(c->session)->text, peer->name.text) < 0;
    if (we_may && (either ? we_are_first || !peer_may : more > 0)) {
        if (ask(c, there)) {
            book(server, here, there);
        }
    } else if (peer_may && (either || more < 0)) {
        book(server, there, here); /* before it may be unbooked */
        if (!call(server, &peer->ref, there, here)) {
            book(server, here, there);
        }
    }
}

/* ---- it leaves ---- */

/* Nothing of ours touches it once it has arrived. */
static bool leave(struct reactor *reactor, struct move *move)
{
    struct connection *c = move->connection;
    struct inbox_item *knock = calloc(1, sizeof *knock);
    if (knock == NULL) {
        return false;
    }
    const struct session_ref ref = *session_ref_of(c->session);
    const struct name name = *session_name(c->session);
    const uint32_t seat = move->seat;
    struct reactor *other = reactor->server->reactors[seat];
    move->home = c->ref;
    move->away = true;
    (void)event_del(&c->read_event);
    timer_wheel_remove(&c->timer);
    buffer_clear(&c->out); /* its memory is of our stock */
    reactor_slot_away(reactor, &c->ref, seat);
    counter_add(&reactor->counters.moved, 1);
    inbox_push(&other->arrivals, &move->item);
    knock->kind = REACTOR_KNOCK;
    inbox_push(&other->inbox, knock);
    directory_set_seat(reactor->server->directory, &name, &ref, seat);
    return true;
}

static void move_or_stay(struct reactor *reactor, struct move *move)
{
    struct connection *c = move->connection;
    if (stops(reactor->server) || !may_move(c) || !leave(reactor, move)) {
        book(reactor->server, move->seat, reactor->number);
        c->move = NULL;
        free(move);
    }
}

void reactor_move_some(struct reactor *reactor)
{
    struct move **place = &reactor->moving;
    while (*place != NULL) {
        struct move *move = *place;
        if (move->connection->unsent || move->connection->resumed) {
            place = &move->next;
            continue;
        }
        *place = move->next;
        move_or_stay(reactor, move);
    }
}

void reactor_take_call(struct reactor *reactor, struct inbox_item *item)
{
    struct call *call = (struct call *)item;
    struct connection *c = reactor_find(reactor, &call->ref);
    if (c == NULL || c->move != NULL || c->phase != CONNECTION_SESSION ||
        !session_ref_equal(session_ref_of(c->session), &call->ref) || !ask(c, call->to)) {
        book(reactor->server, call->to, call->from);
    }
    free(call);
    reactor_move_some(reactor); /* behind the call there may be the conversation already for which it is to move */
}

/* ---- it arrives ---- */

static struct move **bucket_of(const struct reactor *reactor, const struct session_ref *home)
{
    return &reactor->guests[(home->slot * 31 + home->reactor) & (reactor->guest_buckets - 1)];
}

static void put_in_bucket(struct reactor *reactor, struct move *move)
{
    struct move **bucket = bucket_of(reactor, &move->home);
    move->next = *bucket;
    *bucket = move;
}

/* -1 when memory is out and there is no table at all. */
static int make_room(struct reactor *reactor)
{
    if (reactor->guest_count < reactor->guest_buckets) {
        return 0;
    }
    struct move **old = reactor->guests;
    const uint32_t count = reactor->guest_buckets;
    struct move **guests = calloc(count == 0 ? BUCKETS_MIN : (size_t)count * 2, sizeof(struct move *));
    if (guests == NULL) {
        return count == 0 ? -1 : 0;
    }
    reactor->guests = guests;
    reactor->guest_buckets = count == 0 ? BUCKETS_MIN : count * 2;
    for (uint32_t i = 0; i < count; i++) {
        while (old[i] != NULL) {
            struct move *move = old[i];
            old[i] = move->next;
            put_in_bucket(reactor, move);
        }
    }
    free(old);
    return 0;
}

static int note_guest(struct reactor *reactor, struct move *move)
{
    if (make_room(reactor) != 0) {
        return -1;
    }
    put_in_bucket(reactor, move);
    reactor->guest_count++;
    return 0;
}

static void forget_guest(struct reactor *reactor, const struct move *move)
{
    struct move **at = reactor->guests == NULL ? NULL : bucket_of(reactor, &move->home);
    while (at != NULL && *at != NULL && *at != move) {
        at = &(*at)->next;
    }
    if (at != NULL && *at != NULL) {
        *at = move->next;
        reactor->guest_count--;
    }
}

static struct move *guest_of(const struct reactor *reactor, const struct session_ref *ref)
{
    struct move *move = reactor->guests == NULL ? NULL : *bucket_of(reactor, ref);
    while (move != NULL && (move->home.slot != ref->slot || move->home.reactor != ref->reactor ||
                            move->home.generation != ref->generation)) {
        move = move->next;
    }
    return move;
}

static void seat_guest(struct reactor *reactor, struct move *move)
{
    struct connection *c = move->connection;
    c->reactor = reactor;
    session_moved(c->session, &reactor->host, reactor->number);
    connection_use_stock(c);
    (void)event_assign(&c->read_event, reactor->base, c->fd, EV_READ | EV_PERSIST, connection_on_readable, c);
    const bool has_slot = reactor_take_slot(reactor, c, &c->ref) == 0;
    if (!has_slot) {
        c->ref = (struct session_ref){ .slot = UINT32_MAX };
    }
    if (!has_slot || note_guest(reactor, move) != 0 || event_add(&c->read_event, NULL) != 0) {
        connection_lost(c, REASON_INTERNAL);
        return;
    }
    c->warm = false;
    connection_warm(c);
    connection_rescheduled(c);
    if (reactor->draining) {
        connection_shut_down(c);
    }
}

void reactor_seat_guests(struct reactor *reactor)
{
    struct inbox_item *item = inbox_collect(&reactor->arrivals);
    while (item != NULL) {
        struct inbox_item *next = item->next;
        seat_guest(reactor, (struct move *)item);
        item = next;
    }
}

struct connection *reactor_find_session(struct reactor *reactor, const struct session_ref *ref)
{
    if (ref->reactor == reactor->number) {
        return reactor_find(reactor, ref);
    }
    const struct move *move = guest_of(reactor, ref);
    if (move == NULL) {
        reactor_seat_guests(reactor);
        move = guest_of(reactor, ref);
    }
    return move == NULL ? NULL : move->connection;
}

void reactor_drop_guests(struct reactor *reactor)
{
    free(reactor->guests);
}

/* ---- it ends ---- */

void reactor_give_slot_back(struct connection *c)
{
    struct move *move = c->move;
    if (move == NULL || !move->away) {
        return;
    }
    struct reactor *home = c->reactor->server->reactors[move->home.reactor];
    c->move = NULL;
    forget_guest(c->reactor, move);
    if (home == NULL) { /* at the program's end */
        free(move);
        return;
    }
    move->item.kind = REACTOR_SLOT_BACK;
    inbox_push(&home->inbox, &move->item);
}

void reactor_take_slot_back(struct reactor *reactor, struct inbox_item *item)
{
    struct move *move = (struct move *)item;
    reactor_free_slot(reactor, &move->home);
    free(move);
}
