#include "kdc/listener.h"

#include "kdc/clock.h"
#include "kdc/listening_socket.h"
#include "kdc/log.h"
#include "kdc/reactor.h"
#include "wire/frame.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define REFUSED_MAX 64 /* sockets that stay open for a moment, so that their alert arrives */
#define REFUSED_MS 500
#define PAUSE_MS 100
#define RETRY_AFTER_MAX 8 /* seconds: who was refused together shouldn't come back together */
#define COMPLAIN_MS 1000  /* one line about refusals in so long */
/* Descriptors that clients may not take: for the refused, the control socket and who asks there, the database, the log,
 * files that are opened for a moment; and some for each thread. */
#define DESCRIPTORS_KEPT (REFUSED_MAX + 64)
#define DESCRIPTORS_OF_A_THREAD 2

struct listener {
    struct server *server;
    int fd;
    struct event *accept_event;
    struct event *pause_event;
    struct event *refused_event;
    char address[LISTENER_ADDRESS_MAX];
    unsigned fit; /* connections that there are descriptors for */
    int refused[REFUSED_MAX];
    size_t refused_count;
    size_t refused_old; /* of those: there for a turn of the timer already */
    uint64_t refused_total;
    uint64_t complained; /* monotonic, milliseconds */
};

static struct timeval milliseconds(unsigned ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
}

static void close_refused(struct listener *l, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(l->refused[i]);
    }
    l->refused_count -= count;
    memmove(l->refused, l->refused + count, l->refused_count * sizeof l->refused[0]);
    l->refused_old = l->refused_old > count ? l->refused_old - count : 0;
}

static void on_refused_timer(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct listener *l = argument;
    close_refused(l, l->refused_old);
    l->refused_old = l->refused_count;
    if (l->refused_count > 0) {
        const struct timeval interval = milliseconds(REFUSED_MS);
        (void)event_add(l->refused_event, &interval);
    }
}

/* The alert, and no more effort than that. */
static void refuse(struct listener *l, int fd, uint32_t dice)
{
    const struct alert alert = { .reason = REASON_BUSY, .retry_after = 1 + dice % RETRY_AFTER_MAX };
    struct buffer out;
    buffer_init(&out, 64);
    if (frame_put_alert(&out, &alert) == 0) {
        (void)!send(fd, buffer_data(&out), buffer_len(&out), MSG_NOSIGNAL);
    }
    buffer_clear(&out);
    (void)shutdown(fd, SHUT_WR);
    if (l->refused_count == REFUSED_MAX) {
        close_refused(l, 1);
    }
    l->refused[l->refused_count++] = fd;
    if (!event_pending(l->refused_event, EV_TIMEOUT, NULL)) {
        const struct timeval interval = milliseconds(REFUSED_MS);
        (void)event_add(l->refused_event, &interval);
    }
}

static void complain(struct listener *l, enum admission_verdict verdict)
{
    const uint64_t now = clock_monotonic_ms();
    l->refused_total++;
    counter_add(&l->server->refused_at_door[verdict], 1);
    if (l->complained == 0 || now - l->complained >= COMPLAIN_MS) {
        l->complained = now;
        log_line(LOG_WARN, "refused a connection", LOG_TEXT("cause", admission_verdict_name(verdict)),
                 LOG_NUMBER("refused_so_far", l->refused_total));
    }
}

static unsigned fewest(const struct listener *l)
{
    unsigned best = 0;
    int32_t best_load = INT32_MAX;
    for (unsigned i = 0; i < l->server->reactor_count; i++) {
        const int32_t load = atomic_load_explicit(&l->server->reactors[i]->load, memory_order_relaxed);
        if (load < best_load) {
            best = i;
            best_load = load;
        }
    }
    return best;
}

static void admit(struct listener *l, int fd, const struct sockaddr *address, socklen_t len)
{
    const struct config *config = &l->server->live->config;
    const unsigned most = config->connections_max < l->fit ? config->connections_max : l->fit;
    const struct admission_limits limits = { .connections_max = most,
                                             .before_login_max = config->connections_before_login_max,
                                             .per_source_max = config->connections_per_source_max };
    const struct admission_source source = admission_source_of(address);
    uint32_t dice;
    if (rng_fill(&rng_system, (uint8_t *)&dice, sizeof dice) != 0) {
        dice = 0;
    }
    const enum admission_verdict verdict = admission_enter(l->server->admission, &limits, &source, dice);
    if (verdict != ADMISSION_IN) {
        complain(l, verdict);
        refuse(l, fd, dice);
        return;
    }
    const unsigned number = fewest(l);
    if (reactor_accepted(l->server->reactors[number], fd, address, len, &source) != 0) {
        admission_leave(l->server->admission, &source, false);
        complain(l, ADMISSION_NO_MEMORY);
        close(fd);
    }
}

/* No descriptors or no memory: a readable listener would spin. */
static void pause_accepting(struct listener *l, int error)
{
    const struct timeval interval = milliseconds(PAUSE_MS);
    const uint64_t now = clock_monotonic_ms();
    if (l->complained == 0 || now - l->complained >= COMPLAIN_MS) {
        l->complained = now;
        log_line(LOG_WARN, "can't accept connections for a moment", LOG_TEXT("cause", strerrordesc_np(error)));
    }
    (void)event_del(l->accept_event);
    (void)event_add(l->pause_event, &interval);
}

static void on_pause_over(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct listener *l = argument;
    (void)event_add(l->accept_event, NULL);
}

static void on_accept(evutil_socket_t listening, short what, void *argument)
{
    (void)what;
    struct listener *l = argument;
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        const int fd = accept4(listening, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(l, fd, (const struct sockaddr *)&address, len);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(l, errno);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: that was all */
        }
    }
}

static int listen_on(const struct config *config, char error[LISTENER_ERROR_MAX])
{
    _Static_assert(LISTENING_SOCKET_ERROR_MAX <= LISTENER_ERROR_MAX, "room for the socket's");
    const struct listening_place place = { .address = config->address,
                                           .port = config->port,
                                           .backlog = config->backlog,
                                           .purpose = "",
                                           .when_taken = " (is kdcd running already? see [listen] port)" };
    const int fd = listening_socket(&place, error);
    if (fd >= 0) {
        const int yes = 1; /* inherited by what is accepted */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    return fd;
}

static void describe(struct listener *l)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    char host[48];
    char port[8];
    if (getsockname(l->fd, (struct sockaddr *)&address, &len) == 0 &&
        getnameinfo((const struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(l->address, sizeof l->address, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    }
}

/* Who is in must never be in the way of the database's connections or of an operator. -1: there are too few for anybody. */
static int count_descriptors(struct listener *l, char error[LISTENER_ERROR_MAX])
{
    const struct server *server = l->server;
    const unsigned kept = DESCRIPTORS_KEPT + DESCRIPTORS_OF_A_THREAD * (server->reactor_count + server->worker_count);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT_MAX) {
        l->fit = UINT_MAX;
        return 0;
    }
    if (limit.rlim_cur <= kept) {
        (void)snprintf(error, LISTENER_ERROR_MAX,
                       "this process may open %u files only: that leaves none for connections; allow at least %u "
                       "(ulimit -n)",
                       (unsigned)limit.rlim_cur, kept + 1);
        return -1;
    }
    l->fit = (unsigned)limit.rlim_cur - kept;
    const unsigned wanted = server->live->config.connections_max;
    if (l->fit < wanted) {
        log_line(LOG_WARN, "there are fewer file descriptors than limits.connections asks for",
                 LOG_NUMBER("connections", l->fit), LOG_NUMBER("descriptors", limit.rlim_cur));
    }
    return 0;
}

struct listener *listener_new(struct server *server, struct event_base *base, char error[LISTENER_ERROR_MAX])
{
    struct listener *l = calloc(1, sizeof *l);
    if (l == NULL) {
        (void)snprintf(error, LISTENER_ERROR_MAX, "no memory for a listening socket");
        return NULL;
    }
    l->server = server;
    l->fd = count_descriptors(l, error) == 0 ? listen_on(&server->live->config, error) : -1;
    if (l->fd < 0) {
        free(l);
        return NULL;
    }
    describe(l);
    l->accept_event = event_new(base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
    l->pause_event = event_new(base, -1, 0, on_pause_over, l);
    l->refused_event = event_new(base, -1, 0, on_refused_timer, l);
    if (l->accept_event == NULL || l->pause_event == NULL || l->refused_event == NULL ||
        event_add(l->accept_event, NULL) != 0) {
        (void)snprintf(error, LISTENER_ERROR_MAX, "no memory for a listening socket");
        listener_free(&l);
    }
    return l;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

void listener_free(struct listener **listener)
{
    struct listener *l = *listener;
    if (l == NULL) {
        return;
    }
    struct event *events[] = { l->accept_event, l->pause_event, l->refused_event };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    close_refused(l, l->refused_count);
    close(l->fd);
    free(l);
    *listener = NULL;
}
