/* session.c: one client's socket. */
#include "crypto/secret.h"
#include "tests/bench/measure.h"
#include "tests/bench/pool.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_ROOM (FRAME_HEADER_LEN + FRAME_LEN_AFTER_LOGIN + 65536)
#define OUT_LIMIT (64u * 1024 * 1024)

void session_set_account(struct bench_session *s, uint32_t number)
{
    char name[NAME_LEN_MAX + 1];
    s->number = number;
    (void)snprintf(name, sizeof name, "%s%05u", s->pool->target->users, number);
    if (!s->pool->bare && name_from_string(name, &s->name) != 0) {
        fault(s->pool->faults, "'%s' is no user's name", name);
    }
}

void session_init(struct bench_session *s, struct pool *pool, uint32_t number)
{
    *s = (struct bench_session){ .pool = pool, .state = SESSION_DOWN, .fd = -1 };
    buffer_init_with(&s->out, OUT_LIMIT, &pool->buffers);
    session_set_account(s, number);
}

void session_drop(struct bench_session *s)
{
    if (s->state == SESSION_DOWN) {
        return;
    }
    s->state = SESSION_DOWN;
    s->lives++;
    s->pool->open--;
    close(s->fd);
    s->fd = -1;
    s->wants_write = false;
    handshake_client_free(&s->handshake);
    if (s->channel != NULL) {
        record_clear(&s->channel->in);
        record_clear(&s->channel->out);
        secret_free(&s->channel);
    }
    buffer_clear(&s->out);
    free(s->partial);
    s->partial = NULL;
    s->partial_len = 0;
}

void session_fault(struct bench_session *s, const char *what, const char *why)
{
    if (s->pool->handler != NULL && s->pool->handler->failed != NULL) {
        session_drop(s);
        s->pool->handler->failed(s);
        return;
    }
    fault(s->pool->faults, "session %u: %s: %s", s->number, what, why);
    session_drop(s);
}

/* ---- output ---- */

static void watch(struct bench_session *s, bool writing)
{
    struct epoll_event event = { .events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0), .data.ptr = s };
    if (s->wants_write != writing) {
        s->wants_write = writing;
        (void)epoll_ctl(s->pool->epoll, EPOLL_CTL_MOD, s->fd, &event);
    }
}

void session_send(struct bench_session *s)
{
    if (s->channel != NULL) {
        record_seal(&s->channel->out, &s->out);
    }
    while (s->state != SESSION_DOWN && buffer_len(&s->out) > 0) {
        const ssize_t sent = send(s->fd, buffer_data(&s->out), buffer_len(&s->out), MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            watch(s, true);
            return;
        }
        if (sent < 0 && errno != EINTR) {
            session_fault(s, "sending", strerrordesc_np(errno));
            return;
        }
        buffer_consume(&s->out, sent > 0 ? (size_t)sent : 0);
    }
    if (s->state != SESSION_DOWN) {
        watch(s, false);
    }
}

void session_add(struct bench_session *s, const struct message *m)
{
    if (s->channel == NULL || record_add_message(&s->channel->out, m, &s->out) != 0) {
        session_fault(s, "sealing", message_type_name(m->type));
    }
}

static int add_bare(struct bench_session *s, struct bytes body)
{
    uint8_t *frame = buffer_reserve(&s->out, FRAME_HEADER_LEN + body.len);
    if (frame == NULL) {
        return -1;
    }
    const uint32_t length = htonl((uint32_t)body.len);
    memcpy(frame, &length, sizeof length);
    memcpy(frame + FRAME_HEADER_LEN, body.data, body.len);
    buffer_commit(&s->out, FRAME_HEADER_LEN + body.len);
    return 0;
}

void session_add_plain(struct bench_session *s, struct bytes plain)
{
    if (s->state == SESSION_DOWN) {
        return;
    }
    const int added = s->pool->bare        ? add_bare(s, plain)
                      : s->channel != NULL ? record_add(&s->channel->out, plain, &s->out)
                                           : -1;
    if (added != 0) {
        session_fault(s, "sealing", "a ciphertext");
    }
}

/* ---- its life ---- */

static void greet(struct bench_session *s)
{
    s->state = SESSION_STRANGER;
    if (buffer_append(&s->out, s->greeting.data, s->greeting.len) != 0) {
        session_fault(s, "greeting", "memory is out");
    }
}

static int offer_ticket(struct bench_session *s)
{
    const struct bytes ticket = { s->ticket, s->ticket_len };
    s->resumed = false;
    return s->resumes && s->ticket_len > 0 ? handshake_client_offer(s->handshake, ticket, s->resumption) : 0;
}

static void begin_handshake(struct bench_session *s)
{
    s->state = SESSION_HANDSHAKE;
    if (s->stranger) {
        greet(s);
    } else if (s->pool->bare) {
        const uint32_t number = htonl(s->number);
        session_add_plain(s, (struct bytes){ (const uint8_t *)&number, sizeof number });
    } else {
        s->handshake = handshake_client_new(&s->pool->policy, &rng_system);
        if (s->handshake == NULL || offer_ticket(s) != 0 ||
            handshake_client_start(s->handshake, &s->out) != REASON_NONE) {
            session_fault(s, "beginning a handshake", "memory is out");
        }
    }
    session_send(s);
}

/* From an address of ours, on a port that the kernel chooses when it knows the other end. */
static void bind_source(const struct bench_session *s)
{
    const int yes = 1;
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(s->source) };
    (void)setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    (void)bind(s->fd, (const struct sockaddr *)&address, sizeof address);
}

void session_connect(struct bench_session *s)
{
    const int yes = 1;
    s->began = clock_ns();
    s->reason = REASON_NONE;
    s->fd = socket(s->pool->target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        fault(s->pool->faults, "a socket: %s", strerrordesc_np(errno));
        return;
    }
    s->pool->open++;
    s->state = SESSION_CONNECTING;
    s->wants_write = true;
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (s->source != 0) {
        bind_source(s);
    }
    const int connected =
        connect(s->fd, (const struct sockaddr *)&s->pool->target->address, s->pool->target->address_len);
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = s };
    if ((connected != 0 && errno != EINPROGRESS) || epoll_ctl(s->pool->epoll, EPOLL_CTL_ADD, s->fd, &event) != 0) {
        session_fault(s, "connecting", strerrordesc_np(errno));
    } else if (connected == 0) {
        begin_handshake(s);
    }
}

static void connected(struct bench_session *s)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        session_fault(s, "connecting", strerrordesc_np(error));
        return;
    }
    begin_handshake(s);
}

static void send_credentials(struct bench_session *s, enum message_type type)
{
    const char *password = s->pool->target->password;
    s->state = SESSION_CHECKING;
    struct message m = { .type = type };
    m.credentials = (struct message_credentials){ .name = { (const uint8_t *)s->name.text, strlen(s->name.text) },
                                                  .password = { (const uint8_t *)password, strlen(password) } };
    session_add(s, &m);
    session_send(s);
}

void session_login(struct bench_session *s)
{
    s->began = clock_ns();
    send_credentials(s, s->pool->registers ? MESSAGE_REGISTER : MESSAGE_LOGIN);
}

void session_close(struct bench_session *s)
{
    if (s->channel != NULL && (s->state == SESSION_SECURED || s->state == SESSION_UP)) {
        s->state = SESSION_CLOSING;
        session_add(s, &(struct message){ .type = MESSAGE_CLOSE, .close = { .reason = REASON_NONE } });
        session_send(s);
    } else if (s->state != SESSION_CLOSING) {
        session_drop(s);
    }
}

/* ---- input ---- */

static int open_channel(struct bench_session *s)
{
    struct handshake_keys *keys = secret_alloc(sizeof *keys);
    s->channel = secret_alloc(sizeof *s->channel);
    const bool done = keys != NULL && s->channel != NULL &&
                      handshake_client_finish(s->handshake, &s->out, keys) == REASON_NONE &&
                      record_init(&s->channel->out, keys->suite, keys->client_traffic) == 0 &&
                      record_init(&s->channel->in, keys->suite, keys->server_traffic) == 0;
    if (done) {
        s->resumed = keys->resumed;
        s->ticket_len = 0; /* used up; the welcome brings another, for this handshake's secret */
        memcpy(s->resumption, keys->resumption, sizeof s->resumption);
    }
    secret_free(&keys);
    handshake_client_free(&s->handshake);
    return done ? 0 : -1;
}

static void handshake_frame(struct bench_session *s, struct bytes frame)
{
    struct handshake_failure failure = { 0 };
    switch (handshake_client_frame(s->handshake, frame, &s->out, &failure)) {
    case HANDSHAKE_FAILED:
        s->reason = failure.reason;
        session_fault(s, "handshake", reason_name(failure.reason));
        return;
    case HANDSHAKE_RETRIED:
        session_send(s);
        return;
    case HANDSHAKE_IDENTITY:
        break;
    }
    if (open_channel(s) != 0) {
        session_fault(s, "handshake", "memory is out");
        return;
    }
    s->state = s->resumed ? SESSION_CHECKING : SESSION_SECURED;
    session_send(s);
    if (s->state == SESSION_SECURED) {
        s->pool->handler->secured(s);
    }
}

static void refused(struct bench_session *s, const struct message_refused *m)
{
    if (s->state == SESSION_CHECKING && s->pool->registers && m->reason == REASON_NAME_TAKEN) {
        send_credentials(s, MESSAGE_LOGIN); /* made by an earlier run */
        return;
    }
    s->reason = m->reason;
    session_fault(s, "refused", reason_name(m->reason));
}

static void message(struct bench_session *s, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_WELCOME:
        s->state = SESSION_UP;
        s->id = m->welcome.session;
        s->ticket_len = m->welcome.ticket.len;
        if (s->ticket_len > 0) {
            memcpy(s->ticket, m->welcome.ticket.data, s->ticket_len);
        }
        s->pool->handler->up(s);
        return;
    case MESSAGE_REFUSED:
        refused(s, &m->refused);
        return;
    case MESSAGE_CLOSE:
        if (s->state != SESSION_CLOSING || m->close.reason != REASON_NONE) {
            s->reason = m->close.reason;
            session_fault(s, "closed by the KDC", reason_name(m->close.reason));
        }
        return;
    default:
        if (s->state != SESSION_CLOSING) {
            s->pool->handler->message(s, m);
        }
    }
}

static void record(struct bench_session *s, uint8_t *frame, size_t len)
{
    const unsigned life = s->lives;
    struct bytes messages;
    struct bytes encoded;
    struct message m;
    if (record_open(&s->channel->in, frame, len, &messages) != 0) {
        session_fault(s, "a record", "it doesn't open");
        return;
    }
    do {
        if (record_next(&messages, &encoded) != 0 || message_decode(encoded, ROLE_KDC, &m) != MESSAGE_OK) {
            session_fault(s, "a record", "it holds what is no message");
            return;
        }
        message(s, &m);
    } while (messages.len > 0 && s->lives == life);
}

static void bare_frame(struct bench_session *s, struct bytes frame)
{
    if (s->state == SESSION_HANDSHAKE) { /* the relay: your peer is there */
        s->state = SESSION_UP;
        s->pool->handler->up(s);
    } else {
        s->pool->handler->frame(s, frame);
    }
}

static void take_frame(struct bench_session *s, uint8_t *frame, size_t len)
{
    if (s->state == SESSION_STRANGER) {
        s->pool->handler->frame(s, (struct bytes){ frame, len });
    } else if (s->pool->bare) {
        bare_frame(s, (struct bytes){ frame + FRAME_HEADER_LEN, len - FRAME_HEADER_LEN });
    } else if (s->state == SESSION_HANDSHAKE) {
        handshake_frame(s, (struct bytes){ frame, len });
    } else {
        record(s, frame, len);
    }
}

/* Handles the whole frames; tells how many bytes they took. */
static size_t take_frames(struct bench_session *s, uint8_t *data, size_t len)
{
    const unsigned life = s->lives;
    size_t at = 0;
    while (s->lives == life && at < len) {
        size_t frame_len;
        switch (frame_peek(data + at, len - at, FRAME_LEN_AFTER_LOGIN, &frame_len)) {
        case FRAME_READY:
            take_frame(s, data + at, frame_len);
            at += frame_len;
            break;
        case FRAME_MORE:
            return at;
        case FRAME_TOO_LONG:
        case FRAME_EMPTY:
            session_fault(s, "a frame", "its length can't be");
            break;
        }
    }
    return at;
}

static void keep(struct bench_session *s, const uint8_t *data, size_t len)
{
    s->partial = malloc(len);
    if (s->partial == NULL) {
        session_fault(s, "reading", "memory is out");
        return;
    }
    memcpy(s->partial, data, len);
    s->partial_len = len;
}

static void end_of_input(struct bench_session *s)
{
    if (s->state == SESSION_CLOSING) {
        session_drop(s);
        s->pool->handler->closed(s);
    } else {
        session_fault(s, "the connection", "ended without a word");
    }
}

static void readable(struct bench_session *s)
{
    uint8_t *buffer = s->pool->read_buffer;
    const size_t kept = s->partial_len;
    const unsigned life = s->lives;
    const ssize_t got = recv(s->fd, buffer + kept, READ_ROOM - kept, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got < 0) {
        session_fault(s, "reading", strerrordesc_np(errno));
        return;
    }
    if (got == 0) {
        end_of_input(s);
        return;
    }
    if (kept > 0) {
        memcpy(buffer, s->partial, kept);
        free(s->partial);
        s->partial = NULL;
        s->partial_len = 0;
    }
    const size_t len = kept + (size_t)got;
    const size_t taken = take_frames(s, buffer, len);
    if (s->lives == life && taken < len) {
        keep(s, buffer + taken, len - taken);
    }
    if (s->lives == life && s->pool->handler->taken != NULL) {
        s->pool->handler->taken(s);
    }
}

void session_ready(struct bench_session *s, uint32_t events)
{
    if (s->state == SESSION_CONNECTING) {
        connected(s);
        return;
    }
    if (s->state != SESSION_DOWN && (events & EPOLLOUT) != 0) {
        session_send(s);
    }
    if (s->state != SESSION_DOWN && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        readable(s);
    }
}
