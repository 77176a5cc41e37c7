/*
 * control_penalties.h: the control protocol's penalties and penalties_clear (control.h).
 *
 * Thread: control_server's.
 */
#ifndef KDC_CONTROL_PENALTIES_H
#define KDC_CONTROL_PENALTIES_H

#include "kdc/server.h"

#include <jansson.h>

/* The reply, owned by the caller; NULL when memory is out. */
json_t *control_penalties(struct server *server, const json_t *request) __attribute__((warn_unused_result));
json_t *control_penalties_clear(struct server *server, const json_t *request) __attribute__((warn_unused_result));

#endif
