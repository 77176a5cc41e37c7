/*
 * reactor_move.c: two who talk sit with one reactor, so that what one says to the other crosses no thread. The listener can't
 * know who will talk with whom; so one of the two moves when their conversation begins.
 *
 *   the opener's reactor   the two sit apart: which of them moves?     reactor_bring_together, in session_open
 *                          it asks its own, or the peer's reactor      MAIL_COME
 *   where that one sits    at the end of the turn: the connection      reactor_move_some
 *                          leaves; its slot stays taken, so that its
 *                          name stays, and lends itself to the other
 *   where it goes          a slot there, and a note about the first    reactor_seat_guests
 *
 * A session moves once at most, and only while it has no conversation, no job and nothing to send; else it stays. It moves to
 * the reactor with less to do, or as much: so everybody's moving doesn't make one reactor do all.
 *
 * What is said to it keeps its order. It is on its way before the directory tells of its new seat, and before any mail is passed on
 * that came where it sat; and whoever looks for it there seats it, if it has come (arrivals). Who has a conversation with it takes
 * the seat from the directory when that begins, and keeps to it. And the grants of a conversation, which begin elsewhere, all
 * come by way of the first seat (conversation.c).
 */
#include "kdc/connection.h"
#include "kdc/timer_wheel.h"
#include "wire/reason.h"

#include <stdlib.h>

/* On its way; then held by the connection, until it ends; then on its way back. */
struct move {
    struct inbox_item item;
    struct connection *connection;
    struct session_ref home; /* where it began */
};

static void book(const struct server *server, uint32_t from, uint32_t to)
{
    (void)atomic_fetch_sub_explicit(&server->reactors[from]->load, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&server->reactors[to]->load, 1, memory_order_relaxed);
}

static uint32_t load_of(const struct server *server, uint32_t number)
{
    return atomic_load_explicit(&server->reactors[number]->load, memory_order_relaxed);
}

static bool may_move(const struct connection *c)
{
    return c->phase == CONNECTION_SESSION && c->move == NULL && !c->held && !c->peer_done && !c->delayed &&
           c->with_worker == NULL && c->write_event == NULL && buffer_len(&c->out) == 0 && session_may_move(c->session);
}

static void ask(struct connection *c, uint32_t seat)
{
    c->next_seat = seat;
    c->moves = true;
    c->next_moving = c->reactor->moving;
    c->reactor->moving = c;
}

void reactor_bring_together(struct connection *c, const struct session_ref *peer, bool peer_is_free)
{
    const struct server *server = c->reactor->server;
    const uint32_t here = c->reactor->number;
    const uint32_t there = peer->seat;
    if (here == there || c->moves || c->reactor->draining) {
        return;
    }
    if (c->move == NULL && load_of(server, there) <= load_of(server, here) && session_may_move(c->session)) {
        book(server, here, there);
        ask(c, there);
    } else if (peer_is_free && peer->reactor == there && load_of(server, here) <= load_of(server, there)) {
        struct mail_come *mail = mail_new(MAIL_COME, peer, session_ref_of(c->session), 0);
        if (mail != NULL) {
            mail->here = there;
            mail->there = here;
            book(server, there, here);
            reactor_mail(server->reactors[there], &mail->mail);
        }
    }
}

void reactor_take_call(struct reactor *reactor, const struct mail_come *mail)
{
    struct connection *c = reactor_find_session(reactor, &mail->mail.to);
    if (c != NULL && !c->moves && c->phase == CONNECTION_SESSION && mail->here == reactor->number &&
        session_ref_equal(session_ref_of(c->session), &mail->mail.to)) {
        ask(c, mail->there);
    } else {
        book(reactor->server, mail->there, mail->here);
    }
}

/* Nothing of ours may touch it once it is in the other's inbox. */
static bool move(struct reactor *reactor, struct connection *c)
{
    const struct session_ref ref = *session_ref_of(c->session);
    const struct name name = *session_name(c->session);
    const uint32_t seat = c->next_seat;
    struct move *move = calloc(1, sizeof *move);
    struct inbox_item *knock = calloc(1, sizeof *knock);
    if (move == NULL || knock == NULL) {
        free(move);
        free(knock);
        return false;
    }
    move->connection = c;
    move->home = c->ref;
    (void)event_del(&c->read_event);
    timer_wheel_remove(&c->timer);
    buffer_clear(&c->out); /* its memory is of our stock */
    reactor_lend_slot(reactor, &c->ref, seat);
    counter_add(&reactor->counters.moved, 1);
    struct reactor *other = reactor->server->reactors[seat];
    inbox_push(&other->arrivals, &move->item);
    knock->kind = REACTOR_GUESTS;
    inbox_push(&other->inbox, knock);
    directory_set_seat(reactor->server->directory, &name, &ref, seat);
    return true;
}

void reactor_move_some(struct reactor *reactor)
{
    while (reactor->moving != NULL) {
        struct connection *c = reactor->moving;
        const uint32_t seat = c->next_seat;
        reactor->moving = c->next_moving;
        c->moves = false;
        if (reactor->draining || !may_move(c) || !move(reactor, c)) {
            book(reactor->server, seat, reactor->number);
        }
    }
}

static int settle(struct reactor *reactor, struct connection *c)
{
    return event_add(&c->read_event, NULL) == 0 && reactor_note_guest(reactor, &c->move->home, c->ref.slot) == 0 ? 0
                                                                                                                 : -1;
}

static void seat(struct reactor *reactor, struct move *move)
{
    struct connection *c = move->connection;
    c->reactor = reactor;
    c->move = move;
    session_moved(c->session, &reactor->host, reactor->number);
    connection_use_stock(c);
    if (reactor_take_slot(reactor, c, &c->ref) != 0) {
        c->ref = (struct session_ref){ .slot = UINT32_MAX };
    }
    (void)event_assign(&c->read_event, reactor->base, c->fd, EV_READ | EV_PERSIST, connection_on_readable, c);
    if (c->ref.slot == UINT32_MAX || settle(reactor, c) != 0) {
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
        seat(reactor, (struct move *)item);
        item = next;
    }
}

void reactor_send_home(struct connection *c)
{
    const struct server *server = c->reactor->server;
    struct move *move = c->move;
    if (move == NULL) {
        return;
    }
    c->move = NULL;
    reactor_forget_guest(c->reactor, &move->home);
    struct reactor *home = server->reactors[move->home.reactor];
    if (home == NULL) { /* at the program's end */
        free(move);
        return;
    }
    move->item.kind = REACTOR_GUEST_LEFT;
    inbox_push(&home->inbox, &move->item);
}

void reactor_guest_left(struct reactor *reactor, struct inbox_item *item)
{
    struct move *move = (struct move *)item;
    reactor_take_slot_back(reactor, &move->home);
    free(move);
}
