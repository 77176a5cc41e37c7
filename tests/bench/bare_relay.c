/*
 * bare_relay.c: kdc-bench-relay: what is left of relaying when there is no encryption, no directory and no session: the floor
 * under kdcd, made of the same parts. Reactors with a libevent loop each, one buffer for reading, frames of wire/, what one
 * turn gathered for a connection leaves in one write, a pair that sits apart is reached through kdc/'s inbox, which wakes nobody who
 * is awake. Output and mails are of stocks, as kdcd's: nothing is allocated for a frame.
 *
 * The first frame of a connection is its number (u32). 2k and 2k + 1 are a pair: once both are there each gets that frame
 * back, and from then on what one sends goes to the other. Prints a line of JSON with address and pid when it listens; ends
 * when its standard input ends.
 */
#include "kdc/inbox.h"
#include "kdc/mail.h"
#include "wire/frame.h"

#include <argp.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_ROOM (FRAME_HEADER_LEN + FRAME_LEN_AFTER_LOGIN + 65536)
#define OUT_LIMIT (64u * 1024 * 1024)
#define PLACES 100000
#define REACTORS_MAX 256
#define BUFFERS_SPARE 128 /* both as kdcd's reactors have them */
#define MAILS_MAX 2048
#define HELLO_LEN (FRAME_HEADER_LEN + 4)

struct connection {
    struct reactor *reactor;
    int fd;
    bool unsent;
    bool dead; /* its memory stays: its peer may point to it */
    struct event read_event;
    struct event write_event;
    struct buffer out;
    uint8_t *partial;
    size_t partial_len;
    struct connection *peer;
    struct connection *next_unsent;
};

enum item_kind { ITEM_ACCEPTED, ITEM_FRAME };

struct accepted {
    struct inbox_item head;
    int fd;
};

struct reactor {
    pthread_t thread;
    struct event_base *base;
    struct event *wake;
    struct inbox inbox;
    bool more; /* the inbox had something left at the turn's end */
    struct relay *relay;
    struct buffer_stock buffers;
    struct mail_stock mails;
    uint8_t *read_buffer;
    struct connection *unsent;
};

struct relay {
    unsigned reactor_count;
    struct reactor reactors[REACTORS_MAX];
    pthread_mutex_t lock; /* guards places */
    struct connection *places[PLACES];
    struct event_base *base;
    unsigned next;
};

/* ---- output ---- */

static void lose(struct connection *c)
{
    if (!c->dead) {
        c->dead = true;
        (void)event_del(&c->read_event);
        (void)event_del(&c->write_event);
        close(c->fd);
        buffer_clear(&c->out);
    }
}

static void flush(struct connection *c)
{
    while (!c->dead && buffer_len(&c->out) > 0) {
        const ssize_t sent = send(c->fd, buffer_data(&c->out), buffer_len(&c->out), MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            (void)event_add(&c->write_event, NULL);
            return;
        }
        if (sent < 0) {
            lose(c);
            return;
        }
        buffer_consume(&c->out, (size_t)sent);
    }
}

/* On c's own reactor. */
static void add(struct connection *c, const uint8_t *frame, size_t len)
{
    if (c->dead) {
        return;
    }
    if (buffer_append(&c->out, frame, len) != 0) {
        lose(c);
        return;
    }
    if (!c->unsent) {
        c->unsent = true;
        c->next_unsent = c->reactor->unsent;
        c->reactor->unsent = c;
    }
}

/* A frame for another reactor is a mail: whom it is for, and the frame. */
static void pass(struct reactor *from, struct connection *to, const uint8_t *frame, size_t len)
{
    static const struct session_ref nobody = { 0 };
    if (to->reactor == from) {
        add(to, frame, len);
        return;
    }
    const uintptr_t whom = (uintptr_t)to;
    struct mail_ciphertext *mail = mail_stock_take(&from->mails, &nobody, &nobody, sizeof whom + len);
    if (mail != NULL) {
        mail->mail.item.kind = ITEM_FRAME;
        mail->len = len;
        memcpy(mail->plain, &whom, sizeof whom);
        memcpy(mail->plain + sizeof whom, frame, len);
        inbox_push(&to->reactor->inbox, &mail->mail.item);
    }
}

static void take_mail(struct mail_ciphertext *mail)
{
    uintptr_t whom;
    memcpy(&whom, mail->plain, sizeof whom);
    add((struct connection *)whom, mail->plain + sizeof whom, mail->len);
    mail_free(&mail->mail);
}

/* ---- input ---- */

static void hello(struct connection *c, const uint8_t *frame, size_t len)
{
    struct relay *relay = c->reactor->relay;
    uint32_t number;
    if (len != HELLO_LEN) {
        lose(c);
        return;
    }
    memcpy(&number, frame + FRAME_HEADER_LEN, sizeof number);
    number = ntohl(number);
    if (number >= PLACES) {
        lose(c);
        return;
    }
    pthread_mutex_lock(&relay->lock);
    relay->places[number] = c;
    struct connection *peer = relay->places[number ^ 1];
    if (peer != NULL) {
        /* Neither says anything before it has got its frame, so these are seen by then. */
        c->peer = peer;
        peer->peer = c;
    }
    pthread_mutex_unlock(&relay->lock);
    if (peer != NULL) {
        pass(c->reactor, c, frame, len);
        pass(c->reactor, peer, frame, len);
    }
}

static size_t take_frames(struct connection *c, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (!c->dead && at < len) {
        size_t frame_len;
        const enum frame_status status = frame_peek(data + at, len - at, FRAME_LEN_AFTER_LOGIN, &frame_len);
        if (status == FRAME_MORE) {
            return at;
        }
        if (status != FRAME_READY) {
            lose(c);
            return at;
        }
        if (c->peer != NULL) {
            pass(c->reactor, c->peer, data + at, frame_len);
        } else {
            hello(c, data + at, frame_len);
        }
        at += frame_len;
    }
    return at;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)what;
    struct connection *c = argument;
    inbox_stay_awake(&c->reactor->inbox);
    uint8_t *buffer = c->reactor->read_buffer;
    const size_t kept = c->partial_len;
    const ssize_t got = recv(fd, buffer + kept, READ_ROOM - kept, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            lose(c);
        }
        return;
    }
    if (kept > 0) {
        memcpy(buffer, c->partial, kept);
        free(c->partial);
        c->partial = NULL;
        c->partial_len = 0;
    }
    const size_t len = kept + (size_t)got;
    const size_t taken = take_frames(c, buffer, len);
    if (!c->dead && taken < len) {
        c->partial = malloc(len - taken);
        if (c->partial == NULL) {
            lose(c);
            return;
        }
        memcpy(c->partial, buffer + taken, len - taken);
        c->partial_len = len - taken;
    }
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct connection *c = argument;
    inbox_stay_awake(&c->reactor->inbox);
    flush(c);
}

static void accepted(struct reactor *reactor, int fd)
{
    const int yes = 1;
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    c->reactor = reactor;
    c->fd = fd;
    buffer_init_with(&c->out, OUT_LIMIT, &reactor->buffers);
    if (event_assign(&c->read_event, reactor->base, fd, EV_READ | EV_PERSIST, on_readable, c) != 0 ||
        event_assign(&c->write_event, reactor->base, fd, EV_WRITE, on_writable, c) != 0 ||
        event_add(&c->read_event, NULL) != 0) {
        close(fd);
        free(c);
    }
}

/* The inbox is looked into at the end of every turn. */
static void on_wake(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct reactor *reactor = argument;
    inbox_stay_awake(&reactor->inbox);
}

static void deliver(struct reactor *reactor)
{
    struct inbox_item *item = inbox_collect(&reactor->inbox);
    while (item != NULL) {
        struct inbox_item *next = item->next;
        if (item->kind == ITEM_ACCEPTED) {
            accepted(reactor, ((struct accepted *)item)->fd);
            free(item);
        } else {
            take_mail((struct mail_ciphertext *)item);
        }
        item = next;
    }
}

/* ---- its life ---- */

static void *run(void *argument)
{
    struct reactor *reactor = argument;
    while (event_base_loop(reactor->base, reactor->more ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE) == 0) {
        deliver(reactor);
        while (reactor->unsent != NULL) {
            struct connection *c = reactor->unsent;
            reactor->unsent = c->next_unsent;
            c->unsent = false;
            flush(c);
        }
        reactor->more = !inbox_may_sleep(&reactor->inbox);
    }
    return NULL;
}

static int start_reactor(struct relay *relay, struct reactor *reactor)
{
    reactor->relay = relay;
    reactor->base = event_base_new();
    buffer_stock_init(&reactor->buffers, BUFFERS_SPARE);
    mail_stock_init(&reactor->mails, MAILS_MAX);
    reactor->read_buffer = malloc(READ_ROOM);
    if (reactor->base == NULL || reactor->read_buffer == NULL || inbox_init(&reactor->inbox) != 0) {
        return -1;
    }
    reactor->wake = event_new(reactor->base, reactor->inbox.wake_fd, EV_READ | EV_ET | EV_PERSIST, on_wake, reactor);
    if (reactor->wake == NULL || event_add(reactor->wake, NULL) != 0) {
        return -1;
    }
    return pthread_create(&reactor->thread, NULL, run, reactor) == 0 ? 0 : -1;
}

static void on_accept(evutil_socket_t listening, short what, void *argument)
{
    (void)what;
    struct relay *relay = argument;
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    const int fd = accept4(listening, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    struct accepted *item = calloc(1, sizeof *item);
    if (item == NULL) {
        close(fd);
        return;
    }
    item->head.kind = ITEM_ACCEPTED;
    item->fd = fd;
    /* Who come one after the other are a pair: they sit together, as kdcd's do in the end. */
    inbox_push(&relay->reactors[relay->next++ / 2 % relay->reactor_count].inbox, &item->head);
}

static void on_input_ended(evutil_socket_t fd, short what, void *argument)
{
    char byte;
    (void)what;
    struct relay *relay = argument;
    if (read(fd, &byte, 1) <= 0) {
        (void)event_base_loopbreak(relay->base);
    }
}

static int listen_anywhere(unsigned *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct relay *relay = state->input;
    if (key == 'r') {
        relay->reactor_count = (unsigned)strtoul(argument, NULL, 10);
        if (relay->reactor_count < 1 || relay->reactor_count > REACTORS_MAX) {
            argp_error(state, "--reactors is from 1 to %d", REACTORS_MAX);
        }
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static void parse(struct relay *relay, int argc, char **argv)
{
    static const struct argp_option table[] = { { "reactors", 'r', "N", 0, "Threads (1)", 0 },
                                                { NULL, 0, NULL, 0, NULL, 0 } };
    static const struct argp argp = { .options = table,
                                      .parser = parse_option,
                                      .doc = "Relays frames between pairs of connections, and does nothing else." };
    (void)argp_parse(&argp, argc, argv, 0, NULL, relay);
}

/* No clean-up at the end: the process is over, and its threads run until then. */
int main(int argc, char **argv)
{
    static struct relay relay = { .reactor_count = 1, .lock = PTHREAD_MUTEX_INITIALIZER };
    unsigned port = 0;
    parse(&relay, argc, argv);
    for (unsigned i = 0; i < relay.reactor_count; i++) {
        if (start_reactor(&relay, &relay.reactors[i]) != 0) {
            return 1;
        }
    }
    relay.base = event_base_new();
    const int listening = listen_anywhere(&port);
    if (relay.base == NULL || listening < 0) {
        return 1;
    }
    struct event *accepting = event_new(relay.base, listening, EV_READ | EV_PERSIST, on_accept, &relay);
    struct event *ending = event_new(relay.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input_ended, &relay);
    if (accepting == NULL || ending == NULL || event_add(accepting, NULL) != 0 || event_add(ending, NULL) != 0) {
        return 1;
    }
    printf("{\"server\": \"127.0.0.1:%u\", \"pid\": %d}\n", port, (int)getpid());
    (void)fflush(stdout);
    (void)event_base_dispatch(relay.base);
    _exit(0);
}
