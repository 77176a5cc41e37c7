#include "kdc/connection.h"

#include "crypto/secret.h"
#include "kdc/clock.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/reason.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_MS 3000        /* for a last word to get out */
#define LINGER_MS 1000       /* for the peer to close, so that our last word isn't cut off by a reset */
#define SLOW_READER_MS 10000 /* that a client may hold up those who write to it */
#define SILENCE_PINGS 3      /* docs/protocol.md section 6.3 */

void connection_log(const struct connection *c, enum log_level level, const char *event, enum reason reason)
{
    uint64_t left_out = 0;
    if (!log_wants(level) ||
        (level != LOG_DEBUG &&
         !log_quota_take(&c->reactor->quota, c->reactor->now, c->reactor->live->config.log_refusals, &left_out))) {
        return;
    }
    struct log_field fields[5] = { LOG_TEXT("source", c->source), LOG_NUMBER("reactor", c->reactor->number) };
    size_t count = 2;
    if (reason != REASON_NONE) {
        fields[count++] = (struct log_field)LOG_TEXT("reason", reason_name(reason));
    }
    if (left_out > 0) {
        fields[count] = (struct log_field)LOG_NUMBER("lines_left_out", left_out);
    }
    log_event(level, event, fields);
}

void connection_on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct connection *c = argument;
    reactor_touch_clock(c->reactor);
    connection_readable(c);
}

static void describe(const struct sockaddr *address, socklen_t len, char out[DIRECTORY_SOURCE_MAX])
{
    char host[48];
    char port[8];
    if (getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void)snprintf(out, DIRECTORY_SOURCE_MAX, "unknown");
        return;
    }
    (void)snprintf(out, DIRECTORY_SOURCE_MAX, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static struct connection *make(struct reactor *reactor, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    if (reactor_take_slot(reactor, c, &c->ref) != 0) {
        free(c);
        return NULL;
    }
    if (event_assign(&c->read_event, reactor->base, fd, EV_READ | EV_PERSIST, connection_on_readable, c) != 0 ||
        event_add(&c->read_event, NULL) != 0) {
        reactor_release_slot(reactor, &c->ref);
        free(c);
        return NULL;
    }
    return c;
}

void connection_use_stock(struct connection *c)
{
    buffer_init_with(&c->out, SIZE_MAX / 4, &c->reactor->buffers); /* output_max is watched where messages are sent */
}

void connection_open(struct reactor *reactor, int fd, const struct sockaddr *address, socklen_t len,
                     const struct admission_source *admission)
{
    struct connection *c = make(reactor, fd);
    if (c == NULL) {
        close(fd);
        admission_leave(reactor->server->admission, admission, false);
        (void)atomic_fetch_sub_explicit(&reactor->load, 1, memory_order_relaxed);
        counter_add(&reactor->counters.ended, 1);
        return;
    }
    c->reactor = reactor;
    c->fd = fd;
    c->phase = CONNECTION_HANDSHAKE;
    c->accepted = reactor->now;
    c->heard = c->accepted;
    c->spoken = c->accepted;
    c->frame_limit = FRAME_LEN_BEFORE_LOGIN;
    c->admission = *admission;
    connection_use_stock(c);
    describe(address, len, c->source);
    timer_wheel_set(&reactor->wheel, &c->timer,
                    c->accepted + (uint64_t)reactor->live->config.handshake_deadline * 1000);
    connection_log(c, LOG_DEBUG, "connected", REASON_NONE);
    if (reactor->draining) {
        connection_alert(c, REASON_SHUTTING_DOWN, 0);
    }
}

static void drop_input(struct connection *c)
{
    free(c->partial);
    c->partial = NULL;
    c->partial_len = 0;
    c->partial_room = 0;
}

/* Nobody waits any more for what a worker has yet to begin. */
static void withdraw_job(struct connection *c)
{
    struct worker_pool *pool = c->reactor->server->pool; /* NULL: it has ended, and all jobs with it */
    struct job *job = c->with_worker;
    c->with_worker = NULL;
    if (job != NULL && pool != NULL && worker_pool_withdraw(pool, job)) {
        job->destroy(job);
    }
}

/* The one place where a socket is closed. The object stays until the end of the turn: callers may still hold it. */
static void die(struct connection *c)
{
    struct reactor *reactor = c->reactor;
    if (c->phase == CONNECTION_DEAD) {
        return;
    }
    c->phase = CONNECTION_DEAD;
    withdraw_job(c);
    (void)event_del(&c->read_event);
    if (c->write_event != NULL) {
        event_free(c->write_event);
        c->write_event = NULL;
    }
    timer_wheel_remove(&c->timer);
    close(c->fd);
    reactor_release_slot(reactor, &c->ref);
    admission_leave(reactor->server->admission, &c->admission, c->logged_in);
    (void)atomic_fetch_sub_explicit(&reactor->load, 1, memory_order_relaxed);
    counter_add(&reactor->counters.ended, 1);
    reactor_give_slot_back(c);
    c->next_ended = reactor->ended;
    reactor->ended = c;
}

void connection_free(struct connection *connection)
{
    session_free(&connection->session);
    handshake_server_free(&connection->handshake);
    connection_drop_offer(connection);
    live_config_drop(&connection->policy);
    connection_seal(connection); /* what was never sent isn't left behind in the stock's memory */
    if (connection->channel != NULL) {
        record_clear(&connection->channel->in);
        record_clear(&connection->channel->out);
        secret_free(&connection->channel);
    }
    buffer_clear(&connection->out);
    drop_input(connection);
    free(connection);
}

bool connection_cool(struct connection *c, uint64_t after_ms)
{
    const uint64_t last = c->heard > c->spoken ? c->heard : c->spoken;
    if (c->reactor->now < last + after_ms) {
        return false;
    }
    c->warm = false;
    if (c->channel != NULL) {
        record_cool(&c->channel->in);
        record_cool(&c->channel->out);
    }
    return true;
}

void connection_lost(struct connection *c, enum reason reason)
{
    if (c->phase == CONNECTION_DEAD) {
        return;
    }
    if (c->session != NULL) {
        session_lost(c->session, reason);
    }
    connection_log(c, LOG_DEBUG, "disconnected", reason);
    die(c);
}

static void linger(struct connection *c)
{
    if (c->peer_done || shutdown(c->fd, SHUT_WR) != 0) {
        die(c);
        return;
    }
    c->phase = CONNECTION_LINGERING;
    timer_wheel_set(&c->reactor->wheel, &c->timer, c->reactor->now + LINGER_MS);
}

void connection_finish(struct connection *c)
{
    if (c->phase == CONNECTION_DEAD || c->phase == CONNECTION_LINGERING) {
        return;
    }
    if (c->phase != CONNECTION_FLUSHING) {
        c->phase = CONNECTION_FLUSHING;
        c->held = false; /* input is thrown away from now on */
        withdraw_job(c);
        drop_input(c);
        connection_update_reading(c);
        if (c->phase == CONNECTION_DEAD) { /* it could not: place and timer are given back */
            return;
        }
        timer_wheel_set(&c->reactor->wheel, &c->timer, c->reactor->now + FLUSH_MS);
        connection_mark_unsent(c);
        return;
    }
    linger(c); /* all is sent */
}

void connection_alert(struct connection *c, enum reason reason, uint32_t retry_after)
{
    const struct alert alert = { .reason = reason, .retry_after = retry_after };
    counter_add(&c->reactor->counters.refused[reason], 1);
    connection_log(c, LOG_INFO, "refused a handshake", reason);
    if (frame_put_alert(&c->out, &alert) != 0) {
        connection_lost(c, reason);
        return;
    }
    connection_finish(c);
}

void connection_shut_down(struct connection *c)
{
    switch (c->phase) {
    case CONNECTION_HANDSHAKE:
    case CONNECTION_COMPUTING:
        connection_alert(c, REASON_SHUTTING_DOWN, 0);
        return;
    case CONNECTION_SESSION:
        session_close(c->session, REASON_SHUTTING_DOWN);
        return;
    default:
        return;
    }
}

/* Logged in: silent for too long, or slow for too long? */
static void session_timer(struct connection *c)
{
    struct reactor *reactor = c->reactor;
    const uint64_t silence = (uint64_t)reactor->live->config.ping_seconds * SILENCE_PINGS * 1000;
    if (c->delayed) {
        return;
    }
    if (c->congested != 0 && reactor->now - c->congested >= SLOW_READER_MS) {
        session_close(c->session, REASON_SLOW_READER);
        return;
    }
    const uint64_t expires = session_expires(c->session);
    const uint64_t today = expires != 0 ? clock_wall_ms() : 0;
    if (expires != 0 && expires <= today) {
        session_close(c->session, REASON_ACCOUNT_EXPIRED);
        return;
    }
    if (c->held) {
        c->heard = reactor->now; /* it may have spoken: we don't listen */
    }
    uint64_t next = c->heard + silence;
    if (next <= reactor->now) {
        session_close(c->session, REASON_SILENT);
        return;
    }
    if (c->congested != 0 && c->congested + SLOW_READER_MS < next) {
        next = c->congested + SLOW_READER_MS;
    }
    if (expires != 0 && expires - today < next - reactor->now) {
        next = reactor->now + (expires - today);
    }
    timer_wheel_set(&reactor->wheel, &c->timer, next);
}

void connection_rescheduled(struct connection *c)
{
    if (c->phase == CONNECTION_SESSION && c->logged_in) {
        session_timer(c);
    }
}

void connection_delay(struct connection *c, uint32_t ms)
{
    if (c->phase == CONNECTION_SESSION) {
        c->delayed = true;
        c->accepted += ms;
        timer_wheel_set(&c->reactor->wheel, &c->timer, c->reactor->now + ms);
    }
}

static void end_delay(struct connection *c)
{
    const struct reactor *reactor = c->reactor;
    c->delayed = false;
    if (c->logged_in) {
        session_timer(c);
    } else {
        timer_wheel_set(&c->reactor->wheel, &c->timer,
                        c->accepted + (uint64_t)reactor->live->config.login_deadline * 1000);
    }
    if (c->phase == CONNECTION_SESSION) {
        session_delayed(c->session);
    }
}

void connection_timer(struct connection *c)
{
    switch (c->phase) {
    case CONNECTION_HANDSHAKE:
    case CONNECTION_COMPUTING:
        connection_alert(c, REASON_DEADLINE, 0);
        return;
    case CONNECTION_SESSION:
        if (c->delayed && c->timer.link == NULL) { /* it has fired */
            end_delay(c);
        } else if (c->logged_in) {
            session_timer(c);
        } else if (!c->delayed) {
            session_close(c->session, REASON_DEADLINE);
        }
        return;
    case CONNECTION_FLUSHING:
    case CONNECTION_LINGERING:
        die(c);
        return;
    case CONNECTION_DEAD:
        return;
    }
}

void connection_logged_in(struct connection *c)
{
    struct reactor *reactor = c->reactor;
    if (!c->logged_in) {
        c->logged_in = true;
        c->frame_limit = FRAME_LEN_AFTER_LOGIN;
        c->heard = reactor->now;
        admission_logged_in(reactor->server->admission, &c->admission);
        session_timer(c);
    }
}
