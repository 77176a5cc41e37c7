#include "kdc/control_server.h"

#include "kdc/control.h"
#include "kdc/control_commands.h"
#include "kdc/figures_take.h"
#include "kdc/log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define PAUSE_MS 100
#define CLIENT_TIMEOUT 60 /* seconds without a word, or without reading */

struct client {
    struct control_server *control;
    struct client *next;
    struct bufferevent *stream;
    bool closing; /* what is said is sent, then it ends */
};

struct control_server {
    struct server *server;
    pthread_t thread;
    bool runs; /* who made it */
    struct event_base *base;
    int fd;
    int end_fd; /* an eventfd: readable when the thread is to end */
    struct event *end_event;
    struct event *accept_event;
    struct event *pause_event;
    struct event *rates_event; /* each second */
    struct client *clients;
    size_t client_count;
    char path[CONFIG_TEXT_MAX];
};

static void destroy(struct client *client)
{
    bufferevent_free(client->stream);
    free(client);
}

static void drop(struct client *client)
{
    struct client **place = &client->control->clients;
    while (*place != client) {
        place = &(*place)->next;
    }
    *place = client->next;
    client->control->client_count--;
    destroy(client);
}

/* Sends and frees the text. */
static int say(struct client *client, char *text)
{
    if (text == NULL) {
        return -1;
    }
    const int sent = evbuffer_add_printf(bufferevent_get_output(client->stream), "%s\n", text);
    free(text);
    return sent < 0 ? -1 : 0;
}

static int too_long(struct client *client)
{
    client->closing = true;
    (void)bufferevent_disable(client->stream, EV_READ);
    return say(client, control_error("a request is too long"));
}

/* Answers the oldest request. The next one, and more input, not before the answer is sent: who only asks, and doesn't read,
 * costs one answer. */
static int answer_one(struct client *client)
{
    struct evbuffer *input = bufferevent_get_input(client->stream);
    size_t len;
    char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
    if (line == NULL) {
        return evbuffer_get_length(input) >= CONTROL_REQUEST_MAX ? too_long(client)
                                                                 : bufferevent_enable(client->stream, EV_READ);
    }
    if (len >= CONTROL_REQUEST_MAX) {
        free(line);
        return too_long(client);
    }
    (void)bufferevent_disable(client->stream, EV_READ);
    const int said = say(client, control_reply(client->control->server, line, len));
    free(line);
    return said;
}

static void on_request(struct bufferevent *stream, void *argument)
{
    (void)stream;
    struct client *client = argument;
    if (answer_one(client) != 0) {
        drop(client);
    }
}

static void on_sent(struct bufferevent *stream, void *argument)
{
    (void)stream;
    struct client *client = argument;
    if (client->closing || answer_one(client) != 0) {
        drop(client);
    }
}

static void on_end(struct bufferevent *stream, short what, void *argument)
{
    struct client *client = argument;
    /* Who closes its half after asking still gets the answer. */
    if ((what & BEV_EVENT_EOF) != 0 && evbuffer_get_length(bufferevent_get_output(stream)) > 0) {
        client->closing = true;
        return;
    }
    drop(client);
}

static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    if (peer.uid != 0 && peer.uid != geteuid()) {
        log_line(LOG_WARN, "refused a control connection", LOG_NUMBER("uid", peer.uid), LOG_NUMBER("pid", peer.pid));
        return false;
    }
    return true;
}

static void serve(struct control_server *control, int fd)
{
    const struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT };
    struct client *client = control->client_count < CLIENTS_MAX && may_ask(fd) ? calloc(1, sizeof *client) : NULL;
    if (client == NULL) {
        close(fd);
        return;
    }
    client->stream = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (client->stream == NULL) {
        close(fd);
        free(client);
        return;
    }
    client->control = control;
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
    bufferevent_setcb(client->stream, on_request, on_sent, on_end, client);
    bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_REQUEST_MAX);
    (void)bufferevent_set_timeouts(client->stream, &timeout, &timeout);
    if (bufferevent_enable(client->stream, EV_READ | EV_WRITE) != 0) {
        drop(client);
    }
}

static void on_accept(evutil_socket_t listening, short what, void *argument)
{
    (void)what;
    struct control_server *control = argument;
    // cppcheck-suppress nullPointer ; nobody wants the address
    const int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        serve(control, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        /* Readable all the while: without a pause we would spin. */
        const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };
        (void)event_del(control->accept_event);
        (void)event_add(control->pause_event, &pause);
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct control_server *control = argument;
    (void)event_add(control->accept_event, NULL);
}

static void on_second(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct control_server *control = argument;
    figures_note_rates(control->server);
}

/* True when somebody listens there. A socket that nobody listens on is what a killed kdcd left: it is removed. */
static bool in_use(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    const int connected = connect(fd, (const struct sockaddr *)address, sizeof *address);
    const bool stale = connected != 0 && errno == ECONNREFUSED;
    close(fd);
    struct stat found;
    if (stale && lstat(address->sun_path, &found) == 0 && S_ISSOCK(found.st_mode)) {
        (void)unlink(address->sun_path);
    }
    return connected == 0;
}

static int listen_on(const char *path, char error[CONTROL_ERROR_MAX])
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        (void)snprintf(error, CONTROL_ERROR_MAX, "the control socket's path is too long: %s", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (in_use(&address)) {
        (void)snprintf(error, CONTROL_ERROR_MAX, "another kdcd listens on the control socket %s", path);
        return -1;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Never open to others, not even between bind and chmod. */
    const mode_t mask = umask(0177);
    const int bound = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof address);
    const int cause = errno;
    (void)umask(mask);
    if (bound != 0 || listen(fd, CLIENTS_MAX) != 0) {
        (void)snprintf(error, CONTROL_ERROR_MAX, "can't listen on the control socket %s: %s", path,
                       strerrordesc_np(bound != 0 ? cause : errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static void on_end_wanted(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct control_server *control = argument;
    (void)event_base_loopbreak(control->base);
}

static void *run(void *argument)
{
    struct control_server *control = argument;
    (void)event_base_dispatch(control->base);
    return NULL;
}

static int make_events(struct control_server *control)
{
    static const struct timeval second = { .tv_sec = 1 };
    control->base = event_base_new();
    control->end_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (control->base == NULL || control->end_fd < 0) {
        return -1;
    }
    control->accept_event = event_new(control->base, control->fd, EV_READ | EV_PERSIST, on_accept, control);
    control->pause_event = event_new(control->base, -1, 0, on_pause_over, control);
    control->end_event = event_new(control->base, control->end_fd, EV_READ, on_end_wanted, control);
    control->rates_event = event_new(control->base, -1, EV_PERSIST, on_second, control);
    if (control->accept_event == NULL || control->pause_event == NULL || control->end_event == NULL ||
        control->rates_event == NULL || event_add(control->accept_event, NULL) != 0 ||
        event_add(control->end_event, NULL) != 0 || event_add(control->rates_event, &second) != 0) {
        return -1;
    }
    return 0;
}

/* Signals are the main thread's. */
static int start_thread(struct control_server *control)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    control->runs = pthread_create(&control->thread, NULL, run, control) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return control->runs ? 0 : -1;
}

struct control_server *control_server_new(struct server *server, char error[CONTROL_ERROR_MAX])
{
    struct control_server *control = calloc(1, sizeof *control);
    if (control == NULL) {
        (void)snprintf(error, CONTROL_ERROR_MAX, "no memory for the control socket");
        return NULL;
    }
    const char *path = server->first->config.control_socket;
    control->server = server;
    control->end_fd = -1;
    control->fd = listen_on(path, error);
    if (control->fd < 0) {
        free(control);
        return NULL;
    }
    (void)snprintf(control->path, sizeof control->path, "%s", path);
    figures_note_rates(server); /* nothing has happened yet */
    if (make_events(control) != 0 || start_thread(control) != 0) {
        (void)snprintf(error, CONTROL_ERROR_MAX, "no memory, descriptors or thread for the control socket");
        control_server_free(&control);
    }
    return control;
}

static void end_thread(struct control_server *control)
{
    const uint64_t one = 1;
    if (control->runs) {
        while (write(control->end_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
        pthread_join(control->thread, NULL);
    }
}

void control_server_free(struct control_server **control)
{
    struct control_server *c = *control;
    if (c == NULL) {
        return;
    }
    end_thread(c);
    for (struct client *client = c->clients; client != NULL;) {
        struct client *next = client->next;
        destroy(client);
        client = next;
    }
    struct event *events[] = { c->accept_event, c->pause_event, c->end_event, c->rates_event };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (c->base != NULL) {
        event_base_free(c->base);
    }
    if (c->end_fd >= 0) {
        close(c->end_fd);
    }
    close(c->fd);
    (void)unlink(c->path);
    free(c);
    *control = NULL;
}
