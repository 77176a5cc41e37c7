/*
 * control_server.h: kdcd's side of the control protocol (control.h): who, kick, status, refresh, on a UNIX socket.
 *
 * Thread: one of its own, on which everything that is asked is answered, so that an operator's question is in nobody's way, also
 * while it waits for the database. control_server_new and control_server_free: the main one.
 */
#ifndef KDC_CONTROL_SERVER_H
#define KDC_CONTROL_SERVER_H

#include "kdc/server.h"

#define CONTROL_ERROR_MAX 512

struct control_server;

/* Listens on the configuration's control socket. A socket that nobody listens on any more is replaced. NULL with `error` a
 * sentence that names the path. */
struct control_server *control_server_new(struct server *server, char error[CONTROL_ERROR_MAX])
    __attribute__((warn_unused_result));
/* Closes, and removes the socket's file. Sets to NULL; *control may be NULL. */
void control_server_free(struct control_server **control);

#endif
