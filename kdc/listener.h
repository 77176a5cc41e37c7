/*
 * listener.h: the TCP socket that kdcd listens on, on the main thread: accepts, asks admission, and hands each connection to
 * the reactor that has the fewest. (One socket for all and not SO_REUSEPORT: that spreads by a hash, so unevenly, and lets a
 * second kdcd take the same port unnoticed.)
 *
 * Who is refused gets a plain `alert busy`. When descriptors run out, accepting pauses for a moment instead of spinning.
 * Thread: the main one.
 */
#ifndef KDC_LISTENER_H
#define KDC_LISTENER_H

#include "kdc/server.h"

#include <event2/event.h>

#define LISTENER_ADDRESS_MAX 64
#define LISTENER_ERROR_MAX 512

struct listener;

/* Listens; accepts as soon as the base's loop runs. NULL with `error` a sentence that names the address. */
struct listener *listener_new(struct server *server, struct event_base *base, char error[LISTENER_ERROR_MAX])
    __attribute__((warn_unused_result));
/* "127.0.0.1:19268", with the port that it really is. Lent. */
const char *listener_address(const struct listener *listener);
void listener_free(struct listener **listener); /* closes; sets to NULL; *listener may be NULL */

#endif
