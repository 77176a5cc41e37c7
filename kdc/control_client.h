/*
 * control_client.h: kdc-admin's side of the control protocol (control.h).
 *
 * Thread: one at a time for each connection. Blocks, up to the timeout.
 */
#ifndef KDC_CONTROL_CLIENT_H
#define KDC_CONTROL_CLIENT_H

#include <jansson.h>

#define CONTROL_ERROR_MAX 512

enum control_result {
    CONTROL_OK = 0,
    CONTROL_NOT_RUNNING = -1, /* nobody listens at that path */
    CONTROL_DENIED = -2,      /* no right to the socket, or kdcd turned us away */
    CONTROL_FAILED = -3,      /* answered with an error, with what isn't the protocol, or not in time */
};

/* Connects to `path`, sends `request` (lent; NULL fails: memory was out) as one line, and reads one line into *reply, an object
 * that the caller owns (json_decref). The whole takes at most `timeout_ms`. On failure *reply is NULL and `error` a sentence that
 * tells what happened, to which socket; for CONTROL_FAILED it holds kdcd's own words if it had any. */
enum control_result control_ask(const char *path, const json_t *request, int timeout_ms, json_t **reply,
                                char error[CONTROL_ERROR_MAX]) __attribute__((warn_unused_result));

#endif
