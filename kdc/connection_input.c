#include "kdc/connection.h"

#include "crypto/secret.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTIAL_ROOM_MIN 64

void connection_update_reading(struct connection *c)
{
    if (c->phase == CONNECTION_DEAD) {
        return;
    }
    if (c->held || c->peer_done) {
        (void)event_del(&c->read_event);
    } else if (event_add(&c->read_event, NULL) != 0) {
        connection_lost(c, REASON_INTERNAL);
    }
}

static bool takes_input(const struct connection *c)
{
    return c->phase == CONNECTION_HANDSHAKE || c->phase == CONNECTION_COMPUTING || c->phase == CONNECTION_SESSION;
}

/* Whether a message tells something, a password above all: then what it was decrypted in is wiped. A ciphertext doesn't. */
static bool is_telling(struct bytes message)
{
    return message.data[0] != MESSAGE_CIPHERTEXT;
}

/* Hands the messages of a record to the session, until that has ended. It may stop reading in their middle: that counts
 * from the next record on. True when any of them may have told something. */
static bool take_messages(struct connection *c, struct bytes messages)
{
    bool telling = false;
    do {
        struct bytes message;
        if (record_next(&messages, &message) != 0) {
            session_close(c->session, REASON_MALFORMED);
            return true;
        }
        telling = telling || is_telling(message);
        session_receive(c->session, message);
    } while (messages.len > 0 && c->phase == CONNECTION_SESSION);
    return telling || messages.len > 0;
}

static void record_frame(struct connection *c, uint8_t *frame, size_t len)
{
    struct bytes messages;
    if (record_open(&c->channel->in, frame, len, &messages) != 0) {
        counter_add(&c->reactor->counters.refused[REASON_RECORD], 1);
        connection_log(c, LOG_INFO, "a record doesn't open", REASON_RECORD);
        connection_lost(c, REASON_RECORD);
        return;
    }
    if (take_messages(c, messages)) {
        secret_wipe(frame, len);
        secret_wipe_registers(); /* copying a password went through them */
    }
}

static void frame_refused(struct connection *c, enum reason reason)
{
    if (c->phase == CONNECTION_SESSION) {
        session_close(c->session, reason);
    } else {
        connection_alert(c, reason, 0);
    }
}

/* Handles the whole frames in `data`; tells how many bytes they took. */
static size_t take_frames(struct connection *c, uint8_t *data, size_t len)
{
    size_t at = 0;
    while (takes_input(c) && !c->held && at < len) {
        size_t frame_len;
        switch (frame_peek(data + at, len - at, c->frame_limit, &frame_len)) {
        case FRAME_READY:
            if (c->phase == CONNECTION_SESSION) {
                record_frame(c, data + at, frame_len);
            } else {
                connection_plain_frame(c, (struct bytes){ data + at, frame_len });
            }
            at += frame_len;
            break;
        case FRAME_MORE:
            return at;
        case FRAME_TOO_LONG:
            frame_refused(c, REASON_TOO_LONG);
            break;
        case FRAME_EMPTY:
            frame_refused(c, REASON_MALFORMED);
            break;
        }
    }
    return at;
}

/* Keeps bytes of a frame whose end isn't here yet: room for what has arrived and a little more, never for what a length
 * field only promises. */
static int keep(struct connection *c, const uint8_t *data, size_t len)
{
    const size_t need = c->partial_len + len;
    if (c->partial == NULL || need > c->partial_room) {
        size_t room = c->partial_room == 0 ? PARTIAL_ROOM_MIN : c->partial_room * 2;
        room = room < need ? need : room;
        uint8_t *grown = realloc(c->partial, room);
        if (grown == NULL) {
            return -1;
        }
        c->partial = grown;
        c->partial_room = room;
    }
    memcpy(c->partial + c->partial_len, data, len);
    c->partial_len = need;
    return 0;
}

static void empty_into(struct connection *c, uint8_t *buffer)
{
    if (c->partial == NULL) {
        return;
    }
    memcpy(buffer, c->partial, c->partial_len);
    free(c->partial);
    c->partial = NULL;
    c->partial_len = 0;
    c->partial_room = 0;
}

/* `fresh` bytes were read behind the place for the kept ones. True when the front of the buffer is to be looked at: the
 * kept bytes have been put there. False: the frame still isn't whole, and all is kept. */
static bool assemble(struct connection *c, uint8_t *buffer, size_t fresh)
{
    const size_t kept = c->partial_len;
    size_t frame_len;
    if (kept == 0) {
        return true;
    }
    if (kept >= FRAME_HEADER_LEN && frame_peek(c->partial, kept, c->frame_limit, &frame_len) == FRAME_MORE &&
        kept + fresh < frame_len) {
        if (keep(c, buffer + kept, fresh) != 0) {
            connection_lost(c, REASON_INTERNAL);
        }
        return false;
    }
    empty_into(c, buffer);
    return true;
}

static void end_of_input(struct connection *c)
{
    c->peer_done = true;
    if (c->phase == CONNECTION_FLUSHING) {
        connection_update_reading(c);
    } else {
        connection_lost(c, REASON_NONE);
    }
}

/* Handles the whole frames at the buffer's front, and keeps the rest. */
static void take_buffer(struct connection *c, uint8_t *buffer, size_t len)
{
    const size_t taken = take_frames(c, buffer, len);
    if (takes_input(c) && taken < len && keep(c, buffer + taken, len - taken) != 0) {
        connection_lost(c, REASON_INTERNAL);
    }
}

void connection_readable(struct connection *c)
{
    uint8_t *buffer = c->reactor->read_buffer;
    const size_t kept = takes_input(c) ? c->partial_len : 0;
    const ssize_t got = recv(c->fd, buffer + kept, REACTOR_READ_LEN - kept, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            connection_lost(c, REASON_NONE);
        }
        return;
    }
    if (got == 0) {
        end_of_input(c);
        return;
    }
    c->heard = c->reactor->now;
    connection_warm(c);
    if (!takes_input(c) || !assemble(c, buffer, (size_t)got)) {
        return;
    }
    take_buffer(c, buffer, kept + (size_t)got);
}

void connection_resume(struct connection *c)
{
    uint8_t *buffer = c->reactor->read_buffer;
    const size_t kept = c->partial_len;
    if (kept > 0 && !c->held && takes_input(c)) {
        connection_warm(c);
        empty_into(c, buffer);
        take_buffer(c, buffer, kept);
    }
}
