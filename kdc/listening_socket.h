/*
 * listening_socket.h: a TCP socket that listens, for listener.h and metrics_http.h. Thread: any.
 */
#ifndef KDC_LISTENING_SOCKET_H
#define KDC_LISTENING_SOCKET_H

#define LISTENING_SOCKET_ERROR_MAX 512

struct listening_place {
    const char *address; /* numbers, IPv4 or IPv6: no name is looked up */
    unsigned port;
    unsigned backlog;
    const char *purpose;    /* for the sentence: "", or " for metrics" */
    const char *when_taken; /* likewise: what to do when somebody else listens there, " (choose another port)" */
};

/* Non-blocking, and closed on exec; the caller's. -1 with `error` a sentence that names the address. */
int listening_socket(const struct listening_place *place, char error[LISTENING_SOCKET_ERROR_MAX])
    __attribute__((warn_unused_result));

#endif
