/*
 * control_commands.h: what the control protocol's commands do (control.h), apart from any socket.
 */
#ifndef KDC_CONTROL_COMMANDS_H
#define KDC_CONTROL_COMMANDS_H

#include "kdc/server.h"

/* The reply to one request: a line of JSON without its newline, which the caller frees; NULL when memory is out. `line`
 * needn't end in NUL. May wait for the database. Thread: control_server's. */
char *control_reply(struct server *server, const char *line, size_t len) __attribute__((warn_unused_result));
/* {"error": sentence}, likewise. */
char *control_error(const char *sentence) __attribute__((warn_unused_result));

#endif
