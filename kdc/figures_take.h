/*
 * figures_take.h: figures (figures.h) of a running server.
 *
 * Thread: any that isn't a reactor's: it asks all of them, opens files in /proc, and takes each part's lock for a moment. Between
 * server_new and server_free.
 */
#ifndef KDC_FIGURES_TAKE_H
#define KDC_FIGURES_TAKE_H

#include "kdc/figures.h"
#include "kdc/server.h"

/* `rates`: also those a second; for the thread that server->rates belongs to. The caller clears *figures. */
void figures_take(struct server *server, bool rates, struct figures *figures);

/* About once a second: notes what figures_take needs for rates. The thread of server->rates. */
void figures_note_rates(struct server *server);

#define NOT_READY_MAX 320

/* Whether people can log in now: the database answers and finds accounts, and there is room in the workers'
 * queue and for connections; else `why` is a sentence, clean
 * (figures.h). */
bool figures_ready(struct server *server, char why[NOT_READY_MAX]);

#endif
