#include "kdc/reactor.h"

#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/connection.h"
#include "kdc/conversation.h"
#include "kdc/priority.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS_SPARE 128 /* of 8 KiB */
#define MAILS_MAX 2048    /* of half a KiB */
#define FIRST_MS 1000     /* so long a reactor goes first after the last reason for it */

struct new_config {
    struct inbox_item item;
    struct live_config *live;
};

struct drain {
    struct inbox_item item;
    unsigned seconds;
};

/* ---- what comes in ---- */

static void deliver_mail(struct reactor *reactor, struct mail *mail)
{
    if (mail->type == MAIL_ISSUE) {
        conversation_issue(&reactor->host, &((struct mail_issue *)mail)->issue);
        mail_free(mail);
        return;
    }
    const uint32_t seat = reactor_seat_of(reactor, &mail->to);
    if (seat != reactor->number) {
        mail->to.seat = seat;
        reactor_mail(reactor->server->reactors[seat], mail);
        return;
    }
    const struct connection *c = reactor_find_session(reactor, &mail->to);
    if (c != NULL && c->session != NULL) {
        session_mail(c->session, mail);
    } else {
        session_mail_lost(&reactor->host, mail);
    }
    mail_free(mail);
}

static void deliver_job(struct reactor *reactor, struct job *job)
{
    struct connection *c = reactor_find(reactor, &job->owner);
    if (c != NULL && c->with_worker == job) {
        c->with_worker = NULL;
    }
    if (job->class == JOB_PASSWORD && !job->busy) {
        histogram_add(&reactor->counters.login_us, clock_monotonic_us() - job->queued);
    }
    if (c != NULL && job->class == JOB_HANDSHAKE) {
        connection_handshake_done(c, job);
    } else if (c != NULL && c->session != NULL) {
        session_job_done(c->session, job);
    }
    job->destroy(job);
}

static void begin_drain(struct reactor *reactor, unsigned seconds)
{
    reactor->draining = true;
    reactor->drain_until = reactor->now + (uint64_t)seconds * 1000;
    for (uint32_t i = 0; i < reactor->slot_count; i++) {
        if (reactor->slots[i].connection != NULL) {
            struct connection *c = reactor->slots[i].connection;
            connection_shut_down(c);
            connection_flush(c); /* as for timers */
        }
    }
}

static void use_config(struct reactor *reactor, struct live_config *live)
{
    live_config_drop(&reactor->live);
    reactor->live = live;
    reactor->host.config = &live->config;
    reactor->host.passwords = live->passwords;
}

/* An item is the first member of what it stands for. */
static void deliver(struct reactor *reactor, struct inbox_item *item)
{
    switch ((enum reactor_item)item->kind) {
    case REACTOR_MAIL:
        deliver_mail(reactor, (struct mail *)item);
        return;
    case REACTOR_JOB:
        deliver_job(reactor, (struct job *)item);
        return;
    case REACTOR_ACCEPTED:
        reactor_let_wait(reactor, item);
        return;
    case REACTOR_CALL:
        reactor_take_call(reactor, item);
        return;
    case REACTOR_SLOT_BACK:
        reactor_take_slot_back(reactor, item);
        return;
    case REACTOR_KNOCK:
        reactor_seat_guests(reactor);
        break;
    case REACTOR_CONFIG:
        use_config(reactor, ((struct new_config *)item)->live);
        break;
    case REACTOR_DRAIN:
        begin_drain(reactor, ((struct drain *)item)->seconds);
        break;
    }
    free(item);
}

/* The inbox is looked into at the end of every turn. */
static void on_wake(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    reactor_touch_clock(argument);
}

static void deliver_inbox(struct reactor *reactor)
{
    struct inbox_item *item = inbox_collect(&reactor->inbox);
    if (reactor->more) { /* then no event may have told the time */
        reactor_touch_clock(reactor);
    }
    uint64_t items = 0;
    while (item != NULL) {
        struct inbox_item *next = item->next;
        deliver(reactor, item);
        item = next;
        items++;
    }
    if (items > 0) {
        counter_add(&reactor->counters.inbox_items, (int64_t)items);
        recent_add(&reactor->counters.inbox_recent, items, reactor->now);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct reactor *reactor = argument;
    reactor_touch_clock(reactor);
    struct timer *due = timer_wheel_turn(&reactor->wheel, reactor->now);
    while (due != NULL) {
        struct timer *next = due->next;
        due->next = NULL;
        struct connection *c = (struct connection *)((char *)due - offsetof(struct connection, timer));
        connection_timer(c);
        connection_flush(c); /* last words of thousands at once needn't gather */
        due = next;
    }
    reactor_give_back(reactor);
}

/* ---- the loop ---- */

static void deliver_own(struct reactor *reactor)
{
    while (reactor->own_oldest != NULL) {
        struct inbox_item *item = reactor->own_oldest;
        reactor->own_oldest = item->next;
        if (reactor->own_oldest == NULL) {
            reactor->own_newest = NULL;
        }
        deliver(reactor, item);
    }
}

static void send_all(struct reactor *reactor)
{
    while (reactor->unsent != NULL) {
        struct connection *c = reactor->unsent;
        reactor->unsent = c->next_unsent;
        c->unsent = false;
        connection_flush(c);
    }
}

static void resume_all(struct reactor *reactor)
{
    while (reactor->resumed != NULL) {
        struct connection *c = reactor->resumed;
        reactor->resumed = c->next_resumed;
        c->resumed = false;
        connection_resume(c);
    }
}

static void free_ended(struct reactor *reactor)
{
    while (reactor->ended != NULL) {
        struct connection *c = reactor->ended;
        reactor->ended = c->next_ended;
        connection_free(c);
    }
}

static void finish_turn(struct reactor *reactor)
{
    reactor_move_some(reactor); /* before the conversation comes for which they are to move */
    deliver_inbox(reactor);
    reactor_begin_some(reactor);
    /* Sending may allow a held-up peer to go on, and what that says may have to be sent in turn. */
    do {
        deliver_own(reactor);
        send_all(reactor);
        resume_all(reactor);
    } while (reactor->own_oldest != NULL || reactor->unsent != NULL || reactor->resumed != NULL);
    reactor_move_some(reactor);
    free_ended(reactor);
    secret_wipe_left_residue();
    reactor->more = reactor->accepted_oldest != NULL || !inbox_may_sleep(&reactor->inbox);
}

static bool goes_on(const struct reactor *reactor)
{
    return !reactor->draining ||
           ((reactor->connections > 0 || reactor->accepted_oldest != NULL) && reactor->now < reactor->drain_until);
}

bool reactor_turn(struct reactor *reactor)
{
    /* Other reactors may fill the inbox as fast as we empty it: sockets and timers have their turn all the same. */
    if (event_base_loop(reactor->base, reactor->more ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE) != 0) {
        log_event(LOG_ERROR, "a reactor's event loop failed", NULL);
        return false;
    }
    finish_turn(reactor);
    return goes_on(reactor);
}

/* While people talk and the workers leave no core free: the kernel may let one who computes go on for milliseconds before one who
 * was woken, however nice. Else real time would only cost: it runs at each wake-up, for a message at a time. */
static void mind_priority(struct reactor *reactor)
{
    if (reactor->now < reactor->talked + FIRST_MS && worker_pool_is_busy(reactor->server->pool)) {
        reactor->first_until = reactor->now + FIRST_MS;
    }
    if (reactor->first != (reactor->now < reactor->first_until)) {
        reactor->first = !reactor->first;
        priority_go_first(reactor->first);
    }
}

static void *run(void *argument)
{
    struct reactor *reactor = argument;
    priority_short_turns();
    while (reactor_turn(reactor)) {
        mind_priority(reactor);
    }
    return NULL;
}

/* ---- its life ---- */

static int make_events(struct reactor *reactor)
{
    const struct timeval interval = { .tv_usec = TIMER_WHEEL_TICK_MS * 1000 };
    reactor->base = event_base_new();
    if (reactor->base == NULL) {
        return -1;
    }
    reactor->wake = event_new(reactor->base, reactor->inbox.wake_fd, EV_READ | EV_ET | EV_PERSIST, on_wake, reactor);
    reactor->tick = event_new(reactor->base, -1, EV_PERSIST, on_tick, reactor);
    if (reactor->wake == NULL || reactor->tick == NULL || event_add(reactor->wake, NULL) != 0 ||
        event_add(reactor->tick, &interval) != 0) {
        return -1;
    }
    return 0;
}

struct reactor *reactor_new(struct server *server, uint32_t number, struct live_config *live)
{
    struct reactor *reactor = calloc(1, sizeof *reactor);
    if (reactor == NULL) {
        return NULL;
    }
    reactor->server = server;
    reactor->number = number;
    reactor->live = live_config_hold(live);
    reactor_touch_clock(reactor);
    timer_wheel_init(&reactor->wheel, reactor->now);
    reactor_fill_host(reactor);
    buffer_stock_init(&reactor->buffers, BUFFERS_SPARE);
    mail_stock_init(&reactor->mails, MAILS_MAX);
    reactor->read_buffer = secret_alloc(REACTOR_READ_LEN);
    inbox_init_silent(&reactor->arrivals);
    const int inbox = inbox_init(&reactor->inbox);
    if (inbox != 0 || reactor->read_buffer == NULL || make_events(reactor) != 0) {
        reactor_free(&reactor);
    }
    return reactor;
}

int reactor_start(struct reactor *reactor)
{
    return pthread_create(&reactor->thread, NULL, run, reactor) == 0 ? 0 : -1;
}

/* What nobody will handle any more: freed, and what it holds closed. */
static void discard(struct reactor *reactor, struct inbox_item *item)
{
    switch ((enum reactor_item)item->kind) {
    case REACTOR_MAIL:
        mail_discard((struct mail *)item);
        return;
    case REACTOR_JOB:
        ((struct job *)item)->destroy((struct job *)item);
        return;
    case REACTOR_ACCEPTED:
        reactor_turn_away(reactor, item);
        return;
    case REACTOR_SLOT_BACK:
        reactor_take_slot_back(reactor, item);
        return;
    case REACTOR_CONFIG:
        live_config_drop(&((struct new_config *)item)->live);
        break;
    case REACTOR_CALL:
    case REACTOR_KNOCK:
    case REACTOR_DRAIN:
        break;
    }
    free(item);
}

void reactor_lose_connections(struct reactor *reactor)
{
    reactor_seat_guests(reactor);
    for (uint32_t i = 0; i < reactor->slot_count; i++) {
        if (reactor->slots[i].connection != NULL) {
            connection_lost(reactor->slots[i].connection, REASON_SHUTTING_DOWN);
        }
    }
    free_ended(reactor);
}

void reactor_free(struct reactor **reactor)
{
    struct reactor *r = *reactor;
    if (r == NULL) {
        return;
    }
    reactor_lose_connections(r);
    for (struct inbox_item *item = r->own_oldest; item != NULL;) {
        struct inbox_item *next = item->next;
        discard(r, item);
        item = next;
    }
    for (struct inbox_item *item = r->accepted_oldest; item != NULL;) {
        struct inbox_item *next = item->next;
        discard(r, item);
        item = next;
    }
    for (struct inbox_item *item = inbox_take(&r->inbox); item != NULL;) {
        struct inbox_item *next = item->next;
        discard(r, item);
        item = next;
    }
    if (r->wake != NULL) {
        event_free(r->wake);
    }
    if (r->tick != NULL) {
        event_free(r->tick);
    }
    if (r->base != NULL) {
        event_base_free(r->base);
    }
    inbox_close(&r->inbox);
    buffer_stock_clear(&r->buffers);
    mail_stock_clear(&r->mails);
    secret_free(&r->read_buffer);
    live_config_drop(&r->live);
    reactor_drop_guests(r);
    free(r->slots);
    free(r);
    *reactor = NULL;
}

void reactor_join(struct reactor *reactor)
{
    pthread_join(reactor->thread, NULL);
}

/* ---- from other threads ---- */

static void push(struct reactor *reactor, struct inbox_item *item, enum reactor_item kind)
{
    item->kind = kind;
    inbox_push(&reactor->inbox, item);
}

int reactor_drain(struct reactor *reactor, unsigned seconds)
{
    struct drain *drain = calloc(1, sizeof *drain);
    if (drain == NULL) {
        return -1;
    }
    drain->seconds = seconds;
    push(reactor, &drain->item, REACTOR_DRAIN);
    return 0;
}

int reactor_reload(struct reactor *reactor, struct live_config *live)
{
    struct new_config *next = calloc(1, sizeof *next);
    if (next == NULL) {
        return -1;
    }
    next->live = live_config_hold(live);
    push(reactor, &next->item, REACTOR_CONFIG);
    return 0;
}

void reactor_job_done(struct reactor *reactor, struct job *job)
{
    push(reactor, &job->item, REACTOR_JOB);
}

void reactor_mail(struct reactor *reactor, struct mail *mail)
{
    push(reactor, &mail->item, REACTOR_MAIL);
}

void reactor_mail_many(struct reactor *reactor, struct mail **mails, size_t count)
{
    struct inbox_item *newest = NULL;
    struct inbox_item *oldest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (mails[i] == NULL || mails[i]->to.seat != reactor->number) {
            continue;
        }
        struct inbox_item *item = &mails[i]->item;
        item->kind = REACTOR_MAIL;
        item->next = newest;
        oldest = oldest != NULL ? oldest : item;
        newest = item;
        mails[i] = NULL;
    }
    if (newest != NULL) {
        inbox_push_all(&reactor->inbox, newest, oldest);
    }
}
