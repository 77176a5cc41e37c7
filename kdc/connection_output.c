#include "kdc/connection.h"

#include "wire/message.h"

#include <errno.h>
#include <sys/socket.h>

/* The most that a message takes besides itself: a record of its own, and its frame in it. */
#define RECORD_ROOM (2 * FRAME_HEADER_LEN + SUITE_OVERHEAD_MAX)

void connection_warm(struct connection *c)
{
    if (!c->warm) {
        c->warm = true;
        c->reactor->slots[c->ref.slot].warm = 1;
    }
}

void connection_mark_unsent(struct connection *c)
{
    if (!c->unsent) {
        c->unsent = true;
        c->spoken = c->reactor->now;
        connection_warm(c);
        c->next_unsent = c->reactor->unsent;
        c->reactor->unsent = c;
    }
}

static bool too_much(const struct connection *c, size_t plain_len)
{
    return buffer_len(&c->out) + plain_len + RECORD_ROOM > c->reactor->live->config.output_max;
}

enum reason connection_send(struct connection *c, const struct message *m)
{
    if (c->phase != CONNECTION_SESSION) {
        return REASON_INTERNAL;
    }
    if (too_much(c, message_len(m))) {
        return REASON_SLOW_READER;
    }
    if (record_add_message(&c->channel->out, m, &c->out) != 0) {
        return REASON_INTERNAL;
    }
    connection_mark_unsent(c);
    return REASON_NONE;
}

enum reason connection_send_plain(struct connection *c, struct bytes plain)
{
    if (c->phase != CONNECTION_SESSION) {
        return REASON_INTERNAL;
    }
    if (too_much(c, plain.len)) {
        return REASON_SLOW_READER;
    }
    if (record_add(&c->channel->out, plain, &c->out) != 0) {
        return REASON_INTERNAL;
    }
    connection_mark_unsent(c);
    return REASON_NONE;
}

void connection_seal(struct connection *c)
{
    if (c->channel != NULL) {
        record_seal(&c->channel->out, &c->out);
    }
}

/* The last word has room even where nothing else has. */
void connection_send_close(struct connection *c, enum reason reason)
{
    const struct message m = { .type = MESSAGE_CLOSE, .close = { .reason = reason } };
    (void)!record_add_message(&c->channel->out, &m, &c->out);
}

/* Too much waiting for too long is the end of a session; little waiting is good news to those that it held up. */
static void watch_congestion(struct connection *c)
{
    struct reactor *reactor = c->reactor;
    if (c->phase != CONNECTION_SESSION || !session_is_congested(c->session)) {
        c->congested = 0;
        return;
    }
    if (buffer_len(&c->out) <= reactor->live->config.output_max / 4) {
        c->congested = 0;
        session_drained(c->session);
    } else if (c->congested == 0) {
        c->congested = reactor->now;
        connection_timer(c); /* sets the nearer deadline */
    }
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct connection *c = argument;
    reactor_touch_clock(c->reactor);
    connection_flush(c);
}

/* -1 when memory is out. */
static int wait_for_room(struct connection *c)
{
    if (c->write_event == NULL) {
        c->write_event = event_new(c->reactor->base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
    }
    return c->write_event == NULL ? -1 : event_add(c->write_event, NULL);
}

void connection_flush(struct connection *c)
{
    connection_seal(c);
    while (c->phase != CONNECTION_DEAD && buffer_len(&c->out) > 0) {
        const ssize_t sent = send(c->fd, buffer_data(&c->out), buffer_len(&c->out), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            connection_lost(c, REASON_NONE);
            return;
        }
        if (sent > 0) {
            buffer_consume(&c->out, (size_t)sent);
        }
        if (buffer_len(&c->out) > 0) { /* the socket is full */
            if (wait_for_room(c) != 0) {
                connection_lost(c, REASON_INTERNAL);
                return;
            }
            watch_congestion(c);
            return;
        }
    }
    if (c->phase == CONNECTION_DEAD) {
        return;
    }
    if (c->write_event != NULL) {
        event_free(c->write_event);
        c->write_event = NULL;
    }
    watch_congestion(c);
    if (c->phase == CONNECTION_FLUSHING) {
        connection_finish(c);
    }
}
