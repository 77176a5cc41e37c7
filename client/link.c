/* link.c: one socket to the KDC, its timers, and when to come back. */
#include "client/session.h"

#include "wire/buffer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 10000
#define STEADY_MS 5000 /* a session that lived for so long makes the backoff start anew */
#define CLOSING_MS 2000
#define LOGIN_PATIENCE_MS 75000 /* docs/protocol.md section 6.1: attempts under penalty wait, a minute at most */
#define ADDRESS_MIN_MS 1000

static void try_next_address(struct kc_client *client);

static void set_timer(struct event *timer, uint64_t ms)
{
    struct timeval after = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
    (void)event_add(timer, &after);
}

void link_wake(struct kc_client *client)
{
    event_active(client->turn, EV_TIMEOUT, 0);
}

void link_pause(struct kc_client *client)
{
    (void)event_del(client->deadline);
}

void link_resume(struct kc_client *client)
{
    client->give_up_at = session_now(client) + client->timeout_ms;
    client->patient = false;
    if (client->link == LINK_UP)
        set_timer(client->deadline, client->timeout_ms);
}

static void close_socket(struct kc_client *client)
{
    if (client->readable != NULL)
        event_free(client->readable);
    if (client->writable != NULL)
        event_free(client->writable);
    client->readable = NULL;
    client->writable = NULL;
    if (client->fd >= 0)
        (void)close(client->fd);
    client->fd = -1;
    (void)event_del(client->deadline);
    (void)event_del(client->turn);
}

static void free_addresses(struct kc_client *client)
{
    if (client->addresses != NULL)
        freeaddrinfo(client->addresses);
    client->addresses = NULL;
    client->address_next = NULL;
}

/* ---- the end of a connection, and what comes after ---- */

/* Half of it for certain, half by chance, so that a KDC that restarts doesn't meet everybody at once. */
static uint64_t backoff_ms(struct kc_client *client, unsigned retry_after)
{
    uint64_t ms = BACKOFF_MIN_MS;
    for (unsigned i = 0; i < client->failures && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    ms = ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
    uint32_t chance = 0;
    if (rng_fill(&rng_system, (uint8_t *)&chance, sizeof(chance)) != 0)
        chance = 0;
    ms = ms / 2 + chance % (ms / 2 + 1);
    uint64_t asked = UINT64_C(1000) * retry_after;
    if (asked > 0)
        ms += asked > 3600000 ? 3600000 : asked;
    return ms;
}

static void give_up(struct kc_client *client, int error)
{
    client->link = LINK_IDLE;
    client->leaving = false;
    client->asked = false;
    client->login_asked = false;
    client->failures = 0;
    (void)event_del(client->retry);
    core_forget_password(client->core);
    bool changed = error == KC_IDENTITY_CHANGED;
    session_emit(client, &(struct kc_event){
                             .type = KC_EVENT_DISCONNECTED,
                             .error = error,
                             .fingerprint = changed ? client->fingerprint : NULL,
                             .known_fingerprint = changed ? client->known_fingerprint : NULL,
                         });
}

/* There is no connection any more, or none could be made. */
static void after_connection(struct kc_client *client, int error, bool person_is_asked)
{
    unsigned retry_after = 0;
    bool may_return = core_may_return(client->core, error, &retry_after);
    if (client->ready_at != 0 && session_now(client) - client->ready_at >= STEADY_MS)
        client->failures = 0;
    client->ready_at = 0;

    if (client->leaving) {
        give_up(client, error == KC_IDENTITY_REFUSED ? error : KC_OK);
    } else if (person_is_asked && may_return) {
        client->link = LINK_PARKED;
    } else if (client->reconnect && core_was_ready(client->core) && may_return) {
        uint64_t ms = backoff_ms(client, retry_after);
        client->failures++;
        client->link = LINK_WAITING;
        set_timer(client->retry, ms);
        session_emit(client, &(struct kc_event){
                                 .type = KC_EVENT_DISCONNECTED,
                                 .error = error,
                                 .retry_after = retry_after,
                                 .retry_ms = ms == 0 ? 1 : (unsigned)ms,
                             });
    } else {
        give_up(client, error);
    }
}

static void end_connection(struct kc_client *client, int error)
{
    bool person_is_asked = client->asked || client->login_asked;
    if (client->judge_error != KC_OK && error == KC_IDENTITY_CHANGED)
        error = client->judge_error;
    close_socket(client);
    free_addresses(client);
    core_disconnected(client->core);
    after_connection(client, error, person_is_asked);
}

/* ---- reading and writing ---- */

/* False when the connection is gone. */
static bool flush(struct kc_client *client)
{
    struct buffer *output = core_output(client->core);
    while (buffer_len(output) > 0) {
        ssize_t n = send(client->fd, buffer_data(output), buffer_len(output), MSG_NOSIGNAL);
        if (n >= 0) {
            buffer_consume(output, (size_t)n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            (void)event_add(client->writable, NULL);
            return true;
        } else if (errno != EINTR) {
            return false;
        }
    }
    (void)event_del(client->writable);
    return true;
}

/* The core has nothing more to say than what waits in its output. */
static void start_closing(struct kc_client *client, int error)
{
    client->link = LINK_CLOSING;
    client->end_error = error;
    (void)event_del(client->readable);
    set_timer(client->deadline, CLOSING_MS);
}

/* After anything that may have changed the core: output, errors, timers. */
static void settle(struct kc_client *client, int error)
{
    if (client->link == LINK_UP && (error != KC_OK || core_state(client->core) == CORE_ENDED))
        start_closing(client, error);
    if (client->link != LINK_UP && client->link != LINK_CLOSING)
        return;
    bool there = flush(client);
    if (client->link == LINK_CLOSING) {
        if (!there || buffer_len(core_output(client->core)) == 0)
            end_connection(client, client->end_error);
        return;
    }
    if (!there) {
        end_connection(client, KC_CONNECTION_LOST);
        return;
    }
    uint64_t next = core_next_tick(client->core);
    uint64_t now = session_now(client);
    (void)event_del(client->turn);
    if (next != UINT64_MAX)
        set_timer(client->turn, next > now ? next - now : 0);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct kc_client *client = context;
    (void)fd;
    (void)what;
    if (client->link == LINK_UP)
        settle(client, core_tick(client->core));
    else if (client->leaving && client->link == LINK_CONNECTING)
        end_connection(client, KC_OK);
    else if (client->leaving && client->link != LINK_CLOSING)
        after_connection(client, client->end_error, false);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct kc_client *client = context;
    (void)what;
    ssize_t n = recv(fd, client->read_buffer, sizeof(client->read_buffer), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        end_connection(client, KC_CONNECTION_LOST);
        return;
    }
    int error = core_input(client->core, client->read_buffer, (size_t)n);
    if (core_ready(client->core) && client->ready_at == 0) {
        client->ready_at = session_now(client);
        (void)event_del(client->deadline);
    }
    settle(client, error);
}

static void connected(struct kc_client *client)
{
    client->link = LINK_UP;
    client->patient = false;
    free_addresses(client);
    uint64_t now = session_now(client);
    set_timer(client->deadline, client->give_up_at > now ? client->give_up_at - now : 0);
    if (event_add(client->readable, NULL) != 0) {
        end_connection(client, KC_NO_MEMORY);
        return;
    }
    settle(client, core_connected(client->core));
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct kc_client *client = context;
    (void)what;
    if (client->link == LINK_UP) {
        /* Texts may have waited for room. */
        settle(client, flush(client) ? core_tick(client->core) : KC_CONNECTION_LOST);
        return;
    }
    if (client->link == LINK_CLOSING) {
        settle(client, KC_OK);
        return;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        close_socket(client);
        try_next_address(client);
        return;
    }
    (void)event_del(client->writable);
    connected(client);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct kc_client *client = context;
    (void)fd;
    (void)what;
    if (client->link == LINK_CONNECTING) {
        close_socket(client);
        try_next_address(client);
    } else if (client->link == LINK_CLOSING) {
        end_connection(client, client->end_error);
    } else if (core_state(client->core) == CORE_LOGIN && !client->patient) {
        client->patient = true;
        set_timer(client->deadline, LOGIN_PATIENCE_MS);
    } else {
        end_connection(client, KC_UNREACHABLE);
    }
}

/* ---- connecting ---- */

/* A socket on its way to that address; false when that fails at once. */
static bool start_address(struct kc_client *client, const struct addrinfo *address)
{
    client->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (client->fd < 0)
        return false;
    int on = 1;
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client->readable = event_new(client->base, client->fd, EV_READ | EV_PERSIST, on_readable, client);
    client->writable = event_new(client->base, client->fd, EV_WRITE | EV_PERSIST, on_writable, client);
    if (client->readable == NULL || client->writable == NULL ||
        (connect(client->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) ||
        event_add(client->writable, NULL) != 0) {
        close_socket(client);
        return false;
    }
    return true;
}

/* Each address has its share of the time that is left. */
static void try_next_address(struct kc_client *client)
{
    while (client->address_next != NULL) {
        const struct addrinfo *address = client->address_next;
        uint64_t now = session_now(client);
        if (now >= client->give_up_at)
            break;
        uint64_t share = (client->give_up_at - now) / client->addresses_left;
        client->address_next = address->ai_next;
        client->addresses_left--;
        if (start_address(client, address)) {
            set_timer(client->deadline, share < ADDRESS_MIN_MS ? ADDRESS_MIN_MS : share);
            return;
        }
    }
    free_addresses(client);
    after_connection(client, KC_UNREACHABLE, false);
}

/* Numbers and names from /etc/hosts are there at once; a name server may keep the loop waiting. */
static int resolve(struct kc_client *client)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)client->port);
    free_addresses(client);
    if (getaddrinfo(client->host, port, &hints, &client->addresses) != 0) {
        client->addresses = NULL;
        return -1;
    }
    client->address_next = client->addresses;
    client->addresses_left = 0;
    for (const struct addrinfo *address = client->addresses; address != NULL; address = address->ai_next)
        client->addresses_left++;
    return 0;
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    struct kc_client *client = context;
    (void)fd;
    (void)what;
    client->link = LINK_CONNECTING;
    client->give_up_at = session_now(client) + client->timeout_ms;
    client->judge_error = KC_OK;
    if (resolve(client) != 0)
        after_connection(client, KC_BAD_ADDRESS, false);
    else
        try_next_address(client);
}

void link_connect(struct kc_client *client)
{
    if (client->link == LINK_CONNECTING || client->link == LINK_UP || client->link == LINK_CLOSING)
        return;
    client->link = LINK_CONNECTING;
    client->leaving = false;
    set_timer(client->retry, 0);
}

int link_init(struct kc_client *client)
{
    client->fd = -1;
    client->turn = event_new(client->base, -1, 0, on_turn, client);
    client->deadline = event_new(client->base, -1, 0, on_deadline, client);
    client->retry = event_new(client->base, -1, 0, on_retry, client);
    return client->turn == NULL || client->deadline == NULL || client->retry == NULL ? -1 : 0;
}

void link_free(struct kc_client *client)
{
    if (client->turn != NULL && client->deadline != NULL)
        close_socket(client);
    free_addresses(client);
    if (client->turn != NULL)
        event_free(client->turn);
    if (client->deadline != NULL)
        event_free(client->deadline);
    if (client->retry != NULL)
        event_free(client->retry);
}
