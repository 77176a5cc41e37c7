/*
 * job.h: a piece of work that is too slow for a reactor: Diffie-Hellman, SQL, bcrypt.
 *
 * A job is a heap object (secret memory, if it carries secrets) of whoever submits it, with a struct job in front. It is run
 * on a worker and then goes home: to the reactor of the connection that asked for it. If that connection still lives,
 * `done` is called; `destroy` always is, and wipes. A job that was submitted belongs to the pool; its submitter may only
 * take it back (worker_pool_withdraw), and only until it has come home.
 *
 * A job that finds no room, or has to leave the queue for another source's, comes home without having run: `busy` is set,
 * and `done` tells the client to come back later.
 */
#ifndef KDC_JOB_H
#define KDC_JOB_H

#include "kdc/admission.h"
#include "kdc/inbox.h"
#include "kdc/session_ref.h"

#include <sys/queue.h>

enum job_class { /* in the order of precedence */
                 JOB_HANDSHAKE = 0,
                 JOB_SQL = 1,
                 JOB_PASSWORD = 2,
                 JOB_CLASS_COUNT = 3,
};

struct accounts;
struct job_line;

struct job {
    struct inbox_item item; /* the inbox's, on its way home */
    enum job_class class;
    /* On a worker; `accounts` is that worker's. Touches nothing but the job. */
    void (*run)(struct job *job, struct accounts *accounts);
    /* On the owner's thread. `owner`: for JOB_HANDSHAKE the connection, else its session. */
    void (*done)(struct job *job, void *owner);
    void (*destroy)(struct job *job);
    struct session_ref owner;       /* set by the host that submits it */
    struct admission_source source; /* likewise: between these the workers are fair */
    bool busy;                      /* it didn't run: there was no room for it, or nobody wanted it any more */
    uint32_t retry_after;           /* with busy: seconds */
    /* The pool's. */
    uint64_t queued;       /* microseconds, monotonic */
    _Atomic bool unwanted; /* withdrawn while somebody was at the queues */
    struct job_line *line; /* that it waits in; NULL: it doesn't wait */
    TAILQ_ENTRY(job) waiting;
};

#endif
