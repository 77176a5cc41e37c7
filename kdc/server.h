/*
 * server.h: kdcd's root: what its threads share. Made by server_new before any other thread runs, ended by server_free after
 * the last. Fields without a comment are set once and then only read.
 */
#ifndef KDC_SERVER_H
#define KDC_SERVER_H

#include "kdc/accounts_store.h"
#include "kdc/admission.h"
#include "kdc/directory.h"
#include "kdc/journal.h"
#include "kdc/live_config.h"
#include "kdc/rates.h"
#include "kdc/worker_pool.h"

struct reactor;
struct mailer;
struct upkeep;
struct ticket_keys;

struct server {
    struct live_config *first; /* that it was started with: what no reload changes is in here */
    struct live_config *live;  /* the newest; the main thread's */
    struct identity *identity;
    struct ticket_keys *tickets; /* NULL: none are given or taken */
    struct directory *directory;
    struct admission *admission;
    struct worker_pool *pool;
    struct account_changes *changes;
    struct mailer *mailer; /* lent, and set before anybody comes; NULL: nothing is mailed */
    struct penalties *penalties;
    struct penalties *registrations;
    struct penalties *openings;
    struct journal *journal;
    struct upkeep *upkeep;
    struct reactor **reactors;
    unsigned reactor_count;
    unsigned running; /* reactors whose threads run; the main thread's */
    unsigned worker_count;
    uint64_t started;              /* monotonic, milliseconds */
    _Atomic uint64_t next_session; /* any thread */
    struct database_state database;
    _Atomic unsigned workers_started;                          /* that ask the database */
    _Atomic uint64_t refused_at_door[ADMISSION_VERDICT_COUNT]; /* connections; written by the main thread */
    struct rates rates;                                        /* the control thread's */
    _Atomic bool draining;                                     /* nobody comes in any more; any thread */
};

/* Takes the identity and the tickets' keys (NULL: there are no tickets) over, also on failure. Reactors and workers run when it
 * returns. `passwords` is held as long as it is in use. NULL when memory, threads or file descriptors are out. */
struct server *server_new(const struct config *config, struct password_policy *passwords, struct identity *identity,
                          struct ticket_keys *tickets) __attribute__((warn_unused_result));

/* A new configuration for all (main thread). -1 when memory is out: then some reactors may have it. */
int server_reload(struct server *server, const struct config *config, struct password_policy *passwords)
    __attribute__((warn_unused_result));

/* Tells every client that we shut down, waits until all is sent or drain_seconds are over, ends all threads. Who looks at the
 * server from a thread of their own (figures_take) may go on until server_free. */
void server_drain(struct server *server);
/* After server_drain. Sets to NULL. */
void server_free(struct server **server);

/* Cores that this process may use. */
unsigned server_cores(void);

#endif
