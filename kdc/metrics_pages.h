/*
 * metrics_pages.h: the pages that metrics_http (metrics_http.h) serves. Thread: its.
 */
#ifndef KDC_METRICS_PAGES_H
#define KDC_METRICS_PAGES_H

#include "kdc/figures_taker.h"

#include <event2/http.h>

/* Answers a request, whatever it asks for. */
void metrics_page_answer(struct figures_taker *taker, struct evhttp_request *request);

#endif
