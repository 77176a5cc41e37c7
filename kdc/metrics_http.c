#include "kdc/metrics_http.h"

#include "kdc/clock.h"
#include "kdc/listening_socket.h"
#include "kdc/log.h"
#include "kdc/metrics_pages.h"
#include "kdc/priority.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define NICE 10 /* as the workers */
#define CONNECTIONS_MAX 16
#define BACKLOG 16
#define SECONDS_MAX 5 /* for a connection */
#define HEADERS_MAX 4096
#define BODY_MAX 1024 /* that is read, and thrown away */
#define PAUSE_MS 100
#define ENDING_MS 1
#define SWEEP_MS 200

/* A connection. */
struct visit {
    TAILQ_ENTRY(visit) all;
    struct bufferevent *stream; /* one reference is ours */
    uint64_t came;              /* monotonic milliseconds */
};
TAILQ_HEAD(visits, visit);

struct metrics_http {
    struct figures_taker *taker;
    pthread_t thread;
    bool runs; /* who made it */
    struct event_base *base;
    struct evhttp *evhttp;
    struct evconnlistener *listener;
    int end_fd; /* an eventfd: readable when the thread is to end */
    struct event *end_event;
    struct event *pause_event;
    struct event *sweep_event;
    struct visits visits; /* the oldest first */
    unsigned visit_count;
};

static void on_request(struct evhttp_request *request, void *argument)
{
    metrics_page_answer(argument, request);
}

/* ---- connections: so many, each for so long ---- */

/* evhttp tells nobody when it frees a connection. Then it has taken its callbacks away, and the reference that we hold is the
 * last. */
static bool is_over(const struct visit *visit)
{
    bufferevent_event_cb on_event = NULL;
    bufferevent_getcb(visit->stream, NULL, NULL, &on_event, NULL);
    return on_event == NULL;
}

static void forget(struct metrics_http *http, struct visit *visit)
{
    TAILQ_REMOVE(&http->visits, visit, all);
    http->visit_count--;
    (void)bufferevent_decref(visit->stream); /* closes, unless evhttp goes on with it */
    free(visit);
}

static void end_visit(const struct visit *visit)
{
    const int fd = bufferevent_getfd(visit->stream);
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR); /* evhttp sees its end, and lets go of it */
    }
}

static void sweep(struct metrics_http *http)
{
    const uint64_t now = clock_monotonic_ms();
    struct visit *next;
    for (struct visit *visit = TAILQ_FIRST(&http->visits); visit != NULL; visit = next) {
        next = TAILQ_NEXT(visit, all);
        if (is_over(visit)) {
            forget(http, visit);
        } else if (now - visit->came >= SECONDS_MAX * 1000) {
            end_visit(visit);
        }
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    sweep(argument);
}

static void pause_accepting(struct metrics_http *http, unsigned ms)
{
    const struct timeval pause = { .tv_usec = ms * 1000 };
    (void)evconnlistener_disable(http->listener);
    (void)event_add(http->pause_event, &pause);
}

/* For a connection that evhttp has accepted. NULL: memory is out; then evhttp makes one that we don't know of, or fails too. */
static struct bufferevent *on_visit(struct event_base *base, void *argument)
{
    struct metrics_http *http = argument;
    struct visit *visit = calloc(1, sizeof *visit);
    sweep(http);
    if (visit != NULL) {
        visit->stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    if (visit == NULL || visit->stream == NULL) {
        free(visit);
        return NULL;
    }
    if (http->visit_count >= CONNECTIONS_MAX) {
        end_visit(TAILQ_FIRST(&http->visits)); /* NOLINT(clang-analyzer-unix.Malloc) sweep took out what it freed */
        /* Whoever comes fast would keep us accepting, and the one that was ended from being let go of. */
        pause_accepting(http, 0);
    }
    bufferevent_incref(visit->stream);
    visit->came = clock_monotonic_ms();
    TAILQ_INSERT_TAIL(&http->visits, visit, all);
    http->visit_count++;
    return visit->stream;
}

/* No descriptors or no memory: without a pause we would spin. */
static void on_accept_failed(struct evconnlistener *listener, void *argument)
{
    (void)listener;
    pause_accepting(argument, PAUSE_MS);
}

static void on_pause_over(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct metrics_http *http = argument;
    sweep(http);
    if (http->visit_count > CONNECTIONS_MAX) { /* the one that was ended is still there */
        pause_accepting(http, ENDING_MS);
        return;
    }
    (void)evconnlistener_enable(http->listener);
}

/* ---- its life ---- */

static int listen_on(const struct config *config, char error[METRICS_HTTP_ERROR_MAX])
{
    _Static_assert(LISTENING_SOCKET_ERROR_MAX <= METRICS_HTTP_ERROR_MAX, "room for the socket's");
    const struct listening_place place = { .address = config->metrics_address,
                                           .port = config->metrics_port,
                                           .backlog = BACKLOG,
                                           .purpose = " for metrics",
                                           .when_taken = " (choose another [metrics] port)" };
    return listening_socket(&place, error);
}

static void on_end_wanted(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct metrics_http *http = argument;
    (void)event_base_loopbreak(http->base);
}

static void *run(void *argument)
{
    struct metrics_http *http = argument;
    priority_step_back(NICE);
    (void)event_base_dispatch(http->base);
    return NULL;
}

/* Takes fd over. */
static int make_evhttp(struct metrics_http *http, int fd)
{
    static const struct timeval interval = { .tv_usec = SWEEP_MS * 1000 };
    http->base = event_base_new();
    http->end_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    http->evhttp = http->base != NULL ? evhttp_new(http->base) : NULL;
    http->listener = http->evhttp != NULL ? evconnlistener_new(http->base, NULL, NULL,
                                                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
                                          : NULL;
    if (http->listener == NULL) {
        close(fd);
        return -1;
    }
    if (evhttp_bind_listener(http->evhttp, http->listener) == NULL) {
        evconnlistener_free(http->listener);
        return -1;
    }
    evconnlistener_set_error_cb(http->listener, on_accept_failed);
    evhttp_set_bevcb(http->evhttp, on_visit, http);
    evhttp_set_gencb(http->evhttp, on_request, http->taker);
    /* What we don't answer gets 405 from us, and not the library's 501. */
    evhttp_set_allowed_methods(http->evhttp, UINT16_MAX);
    evhttp_set_max_headers_size(http->evhttp, HEADERS_MAX);
    evhttp_set_max_body_size(http->evhttp, BODY_MAX);
    evhttp_set_timeout(http->evhttp, SECONDS_MAX);
    http->end_event = event_new(http->base, http->end_fd, EV_READ, on_end_wanted, http);
    http->pause_event = event_new(http->base, -1, 0, on_pause_over, http);
    http->sweep_event = event_new(http->base, -1, EV_PERSIST, on_sweep, http);
    return http->end_fd >= 0 && http->end_event != NULL && http->pause_event != NULL && http->sweep_event != NULL &&
                   event_add(http->end_event, NULL) == 0 && event_add(http->sweep_event, &interval) == 0
               ? 0
               : -1;
}

/* Signals are the main thread's. */
static int start_thread(struct metrics_http *http)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    http->runs = pthread_create(&http->thread, NULL, run, http) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return http->runs ? 0 : -1;
}

struct metrics_http *metrics_http_new(struct server *server, char error[METRICS_HTTP_ERROR_MAX])
{
    const struct config *config = &server->first->config;
    const int fd = listen_on(config, error);
    if (fd < 0) {
        return NULL;
    }
    struct metrics_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        (void)snprintf(error, METRICS_HTTP_ERROR_MAX, "no memory to serve metrics");
        close(fd);
        return NULL;
    }
    http->taker = figures_taker_new(server);
    http->end_fd = -1;
    TAILQ_INIT(&http->visits);
    if (make_evhttp(http, fd) != 0 || http->taker == NULL || start_thread(http) != 0) {
        (void)snprintf(error, METRICS_HTTP_ERROR_MAX, "no memory, descriptors or thread to serve metrics");
        metrics_http_free(&http);
        return NULL;
    }
    log_line(LOG_INFO, "serving metrics", LOG_TEXT("address", config->metrics_address),
             LOG_NUMBER("port", config->metrics_port));
    return http;
}

void metrics_http_drain(struct metrics_http *http)
{
    if (http != NULL) {
        figures_taker_stop(http->taker);
    }
}

void metrics_http_free(struct metrics_http **http)
{
    struct metrics_http *h = *http;
    const uint64_t one = 1;
    if (h == NULL) {
        return;
    }
    if (h->runs) {
        while (write(h->end_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
        pthread_join(h->thread, NULL);
    }
    if (h->evhttp != NULL) {
        evhttp_free(h->evhttp); /* with its listener and all connections */
    }
    while (!TAILQ_EMPTY(&h->visits)) {
        forget(h, TAILQ_FIRST(&h->visits)); /* NOLINT(clang-analyzer-unix.Malloc) it takes out what it frees */
    }
    struct event *events[] = { h->end_event, h->pause_event, h->sweep_event };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (h->base != NULL) {
        event_base_free(h->base); /* which runs what the freed connections have left to do */
    }
    if (h->end_fd >= 0) {
        close(h->end_fd);
    }
    figures_taker_free(&h->taker);
    free(h);
    *http = NULL;
}
