#include "kdc/control_client.h"

#include "kdc/clock.h"
#include "kdc/control.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct asking {
    const char *path;
    char *error;
    int fd;
    int64_t deadline; /* monotonic milliseconds */
    char *data;       /* what has arrived */
    size_t len;
    size_t room;
};

static enum control_result failed(struct asking *asking, enum control_result result, const char *why)
{
    (void)snprintf(asking->error, CONTROL_ERROR_MAX, "kdcd's control socket %s: %s", asking->path, why);
    return result;
}

/* Waits until the socket is ready for `events`. */
static enum control_result ready_wait(struct asking *asking, short events)
{
    for (;;) {
        int64_t left = asking->deadline - (int64_t)clock_monotonic_ms();
        struct pollfd fd = { .fd = asking->fd, .events = events };
        int ready = left <= 0 ? 0 : poll(&fd, 1, (int)left);
        if (ready > 0)
            return CONTROL_OK;
        if (ready == 0)
            return failed(asking, CONTROL_FAILED, "no answer in time");
        if (errno != EINTR)
            return failed(asking, CONTROL_FAILED, strerror(errno));
    }
}

static enum control_result control_connect(struct asking *asking)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(asking->path) >= sizeof address.sun_path)
        return failed(asking, CONTROL_FAILED, "the path is too long for a socket");
    memcpy(address.sun_path, asking->path, strlen(asking->path) + 1);
    asking->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (asking->fd < 0)
        return failed(asking, CONTROL_FAILED, strerror(errno));
    while (connect(asking->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
            return failed(asking, CONTROL_NOT_RUNNING,
                          "kdcd doesn't listen there: it isn't running, or has another configuration");
        if (errno == EACCES || errno == EPERM)
            return failed(asking, CONTROL_DENIED, "permission denied: run this as root or as kdcd's user");
        if (errno != EINTR && errno != EAGAIN)
            return failed(asking, CONTROL_FAILED, strerror(errno));
        if ((int64_t)clock_monotonic_ms() >= asking->deadline)
            return failed(asking, CONTROL_FAILED, "no connection in time");
        const struct timespec pause = { .tv_nsec = 10000000 };
        (void)nanosleep(&pause, NULL);
    }
    return CONTROL_OK;
}

static enum control_result line_send(struct asking *asking, const char *line, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(asking->fd, line, len, MSG_NOSIGNAL);
        if (sent > 0) {
            line += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN) {
            enum control_result result = ready_wait(asking, POLLOUT);
            if (result != CONTROL_OK)
                return result;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return failed(asking, CONTROL_DENIED, "turned away: run this as root or as kdcd's user");
        } else if (errno != EINTR) {
            return failed(asking, CONTROL_FAILED, strerror(errno));
        }
    }
    return CONTROL_OK;
}

/* One line; its newline becomes a NUL. */
static enum control_result line_receive(struct asking *asking)
{
    for (;;) {
        if (asking->room - asking->len < 2) {
            size_t room = asking->room == 0 ? 4096 : asking->room * 2;
            char *data = room > CONTROL_REPLY_MAX ? NULL : realloc(asking->data, room);
            if (data == NULL)
                return failed(asking, CONTROL_FAILED, "the answer is too long");
            asking->data = data;
            asking->room = room;
        }
        ssize_t got = recv(asking->fd, asking->data + asking->len, asking->room - asking->len - 1, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return failed(asking, asking->len == 0 ? CONTROL_DENIED : CONTROL_FAILED,
                          asking->len == 0
                              ? "closed without an answer: run this as root or as kdcd's user, unless kdcd is "
                                "stopping"
                              : "closed in the middle of the answer");
        if (got > 0) {
            char *newline = memchr(asking->data + asking->len, '\n', (size_t)got);
            asking->len += (size_t)got;
            if (newline != NULL) {
                *newline = '\0';
                return CONTROL_OK;
            }
        } else if (errno == EAGAIN) {
            enum control_result result = ready_wait(asking, POLLIN);
            if (result != CONTROL_OK)
                return result;
        } else if (errno != EINTR) {
            return failed(asking, CONTROL_FAILED, strerror(errno));
        }
    }
}

enum control_result control_ask(
    const char *path, const json_t *request, int timeout_ms, json_t **reply,
    char error[CONTROL_ERROR_MAX]) /* NOLINT(readability-non-const-parameter) written to through `asking` */
{
    struct asking asking = {
        .path = path, .error = error, .fd = -1, .deadline = (int64_t)clock_monotonic_ms() + timeout_ms
    };
    enum control_result result = CONTROL_FAILED;
    json_error_t unreadable;
    const char *complaint = NULL;
    *reply = NULL;

    char *line = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    if (line == NULL) {
        (void)failed(&asking, CONTROL_FAILED, "memory is out");
        goto out;
    }
    size_t len = strlen(line);
    line[len] = '\n'; /* in the NUL's place: it is sent by its length */
    result = control_connect(&asking);
    if (result == CONTROL_OK)
        result = line_send(&asking, line, len + 1);
    if (result == CONTROL_OK)
        result = line_receive(&asking);
    if (result != CONTROL_OK)
        goto out;
    *reply = json_loads(asking.data, JSON_REJECT_DUPLICATES, &unreadable);
    if (!json_is_object(*reply))
        result = failed(&asking, CONTROL_FAILED, "what came is no answer");
    else if ((complaint = json_string_value(json_object_get(*reply, "error"))) != NULL)
        result = failed(&asking, CONTROL_FAILED, complaint);
out:
    if (result != CONTROL_OK) {
        json_decref(*reply);
        *reply = NULL;
    }
    if (asking.fd >= 0)
        (void)close(asking.fd);
    free(asking.data);
    free(line);
    return result;
}
