/*
 * control_server.h: kdcd's side of the control protocol (control.h): who, kick, status, on a UNIX socket.
 *
 * Thread: the main one, so that an operator's question is never in the way of a message.
 */
#ifndef KDC_CONTROL_SERVER_H
#define KDC_CONTROL_SERVER_H

#include "kdc/server.h"

#include <event2/event.h>

#define CONTROL_ERROR_MAX 512

struct control_server;

/* Listens on the configuration's control socket. A socket that nobody listens on any more is replaced. NULL with `error` a
 * sentence that names the path. */
struct control_server *control_server_new(struct server *server, struct event_base *base, char error[CONTROL_ERROR_MAX])
    __attribute__((warn_unused_result));
/* Closes, and removes the socket's file. Sets to NULL; *control may be NULL. */
void control_server_free(struct control_server **control);

#endif
