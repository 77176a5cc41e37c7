/*
 * figures_taker.h: takes figures for a thread that has stepped back (priority.h). Such a one mustn't hold a lock that a reactor may
 * have to wait for, and taking figures is taking every part's lock for a moment: so a thread of its own, which has not stepped
 * back, takes them while the other waits.
 *
 * Threads: figures_taker_figures and figures_taker_ready: one, and the same. The others: the main one.
 */
#ifndef KDC_FIGURES_TAKER_H
#define KDC_FIGURES_TAKER_H

#include "kdc/figures_take.h"

struct figures_taker;

/* NULL: no memory or no thread. */
struct figures_taker *figures_taker_new(struct server *server) __attribute__((warn_unused_result));
/* The server isn't looked at any more when it returns. */
void figures_taker_stop(struct figures_taker *taker);
void figures_taker_free(struct figures_taker **taker); /* sets to NULL; *taker may be NULL */

/* As figures_take, without rates, and figures_ready. False: it was stopped; then *figures is empty, and `why` says so. */
bool figures_taker_figures(struct figures_taker *taker, struct figures *figures);
bool figures_taker_ready(struct figures_taker *taker, char why[NOT_READY_MAX]);

#endif
