/*
 * metrics_http.h: kdcd's figures (figures.h) and its readiness, by HTTP, for Prometheus and for whoever watches over kdcd.
 *
 *   GET /metrics   figures, text format 0.0.4
 *   GET /ready     200 when people can log in; else 503 with the reason in a line of text
 *   GET /live      200 as long as kdcd runs
 *
 * HEAD likewise. Nobody is asked who he is: [metrics] address is a loopback one unless the operator says otherwise. So little can
 * be had from us: few connections (who comes first makes room for who comes next), each for one short request and a few seconds.
 *
 * Thread: one of its own, with libevent's evhttp, which steps back behind those that people wait for. The functions: the main
 * one.
 */
#ifndef KDC_METRICS_HTTP_H
#define KDC_METRICS_HTTP_H

#include "kdc/server.h"

#define METRICS_HTTP_ERROR_MAX 512

struct metrics_http;

/* Listens as [metrics] says, on a port that isn't 0. NULL with `error` a sentence that names the address. */
struct metrics_http *metrics_http_new(struct server *server, char error[METRICS_HTTP_ERROR_MAX])
    __attribute__((warn_unused_result));
/* From now on everything but /live gets 503, and the server isn't looked at any more: to be called before server_drain. NULL: does
 * nothing. */
void metrics_http_drain(struct metrics_http *http);
void metrics_http_free(struct metrics_http **http); /* sets to NULL; *http may be NULL */

#endif
