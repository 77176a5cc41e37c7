#include "kdc/listening_socket.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int listening_socket(const struct listening_place *place, char error[LISTENING_SOCKET_ERROR_MAX])
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
    struct addrinfo *found = NULL;
    char port[8];
    const int yes = 1;
    (void)snprintf(port, sizeof port, "%u", place->port);
    const int unresolved = getaddrinfo(place->address, port, &hints, &found);
    if (unresolved != 0) {
        (void)snprintf(error, LISTENING_SOCKET_ERROR_MAX, "%s is not an address to listen on%s: %s", place->address,
                       place->purpose, gai_strerror(unresolved));
        return -1;
    }
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, (int)place->backlog) != 0) {
        (void)snprintf(error, LISTENING_SOCKET_ERROR_MAX, "can't listen%s on %s port %u: %s%s", place->purpose,
                       place->address, place->port, strerrordesc_np(errno),
                       errno == EADDRINUSE ? place->when_taken : "");
        if (fd >= 0) {
            close(fd);
        }
        freeaddrinfo(found);
        return -1;
    }
    freeaddrinfo(found);
    return fd;
}
