/*
 * reactor.h: one event loop on one thread, and the connections that it owns. A connection belongs to one reactor at a time; it may
 * go to another once (reactor_move.c).
 *
 * What other threads have for it (new connections, those that come to sit here, jobs that are done, mail for its sessions, a new
 * configuration) comes through its inbox; what its own sessions post to each other through a list of its own, without a wake-up.
 * A turn of the loop is: wait; handle what happened; deliver the inbox and the own list; seal what has gathered for each
 * connection and send it in one write; let those go that are to sit elsewhere; free what has ended; wipe what ciphers have
 * left on the stack and in registers. While a turn lasts nobody wakes it: it looks into the inbox before it waits.
 *
 * Nothing is allocated for a message that is passed on: output gathers in memory of one stock, and goes to other reactors in mails
 * of another. What isn't needed for a while is given back, scheduled keys too (reactor_idle.c).
 *
 * struct reactor is for reactor*.c and connection*.c; everything in it belongs to the reactor's thread, unless a comment says
 * otherwise. The functions say from where they may be called.
 */
#ifndef KDC_REACTOR_H
#define KDC_REACTOR_H

#include "kdc/inbox.h"
#include "kdc/log_quota.h"
#include "kdc/server.h"
#include "kdc/session.h"
#include "kdc/timer_wheel.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/socket.h>

struct connection;
struct move;

/* Connections that begin in one turn: a crowd that comes at once waits for the sessions that are there, not they for it. Each takes
 * some ten microseconds. */
#define REACTOR_BEGIN_A_TURN 16

/* Room for one read behind the longest frame that may be waiting for its end. */
#define REACTOR_READ_LEN (FRAME_HEADER_LEN + FRAME_LEN_AFTER_LOGIN + 65536)

enum reactor_item { /* inbox_item.kind */
                    REACTOR_MAIL,
                    REACTOR_JOB,
                    REACTOR_ACCEPTED,
                    REACTOR_CALL,
                    REACTOR_KNOCK,
                    REACTOR_SLOT_BACK,
                    REACTOR_CONFIG,
                    REACTOR_DRAIN,
};

struct reactor_slot {
    struct connection *connection; /* NULL: free, or away */
    uint32_t generation;           /* of its present connection, or of the next */
    union {
        uint32_t next_free; /* while it is free */
        uint32_t warm;      /* while it is taken: 1 when its connection may hold scheduled keys (reactor_idle.c) */
        uint32_t seat;      /* while it is away: its connection sits with that reactor (reactor_move.c) */
    };
};

struct reactor {
    struct server *server;
    uint32_t number;
    pthread_t thread; /* the main thread's */
    struct event_base *base;
    struct event *wake;
    struct event *tick;
    struct inbox inbox;    /* any thread may push */
    struct inbox arrivals; /* connections that come from other reactors, which push; nobody sleeps at it */
    bool more;             /* at the turn's end there was something left in the inbox, or of what it had brought */
    struct inbox_item *own_oldest;
    struct inbox_item *own_newest;
    struct inbox_item *accepted_oldest; /* connections that wait for their turn */
    struct inbox_item *accepted_newest;
    struct session_host host;
    struct live_config *live;
    struct counters counters; /* any thread may read */
    struct buffer_stock buffers;
    struct mail_stock mails; /* any thread may give back */
    struct log_quota quota;
    struct timer_wheel wheel;
    uint64_t now;         /* monotonic, milliseconds: as of this event */
    uint8_t *read_buffer; /* REACTOR_READ_LEN bytes of secret memory: frames are opened in it */
    struct reactor_slot *slots;
    uint32_t slot_count;
    uint32_t first_free; /* slot_count: none */
    uint32_t next_idle;  /* slot where reactor_give_back goes on */
    uint32_t ticks;
    size_t connections;
    /* Connections here, on their way here, or asked to come, less those asked to leave; for a moment it may be below 0. Any thread. */
    _Atomic int32_t load;
    struct move **guests; /* connections that began elsewhere, by where (reactor_move.c); NULL: there never were any */
    uint32_t guest_buckets; /* a power of two, or 0 */
    uint32_t guest_count;
    struct connection *unsent;  /* have something to send at the end as of this event */
    struct connection *ended;   /* are freed at the end as of this event */
    struct connection *resumed; /* may read again, and have something kept to look at */
    struct move *moving;        /* of connections that were asked to sit elsewhere */
    uint64_t talked;            /* when it last passed a ciphertext on */
    uint64_t first_until;       /* it goes before others (priority.h) until then */
    bool first;                 /* it does */
    bool draining;
    uint64_t drain_until;
};

/* ---- from the main thread ---- */

/* Doesn't run yet. NULL when memory or descriptors are out. */
struct reactor *reactor_new(struct server *server, uint32_t number, struct live_config *live)
    __attribute__((warn_unused_result));
/* -1 when there is no thread to be had. */
int reactor_start(struct reactor *reactor) __attribute__((warn_unused_result));
/* Once its thread has ended (if it ever ran): ends every connection that is left, telling the peers' sessions. */
void reactor_lose_connections(struct reactor *reactor);
/* Once its thread has ended and nothing posts to it any more. Sets to NULL; *reactor may be NULL. */
void reactor_free(struct reactor **reactor);
/* Closes every session (shutting_down) and ends the thread when all is sent, or after that many seconds. -1 when memory is
 * out. */
int reactor_drain(struct reactor *reactor, unsigned seconds) __attribute__((warn_unused_result));
void reactor_join(struct reactor *reactor);
/* -1 when memory is out. */
int reactor_reload(struct reactor *reactor, struct live_config *live) __attribute__((warn_unused_result));

/* ---- from any thread ---- */

/* A connection for it, which takes fd over and counts in its load. -1 when memory is out. */
int reactor_accepted(struct reactor *reactor, int fd, const struct sockaddr *address, socklen_t len,
                     const struct admission_source *source) __attribute__((warn_unused_result));
void reactor_job_done(struct reactor *reactor, struct job *job);
void reactor_mail(struct reactor *reactor, struct mail *mail);
/* Takes those of the mails that are for this reactor, in their order, and wakes it once. In the array they are NULL then, as those are
 * that others took before. */
void reactor_mail_many(struct reactor *reactor, struct mail **mails, size_t count);

/* ---- from its own thread ---- */

/* A connection from the inbox (reactor_accepted.c): waits until those that came before it have begun; the next few of those
 * that wait begin; one of them never will. */
void reactor_let_wait(struct reactor *reactor, struct inbox_item *item);
void reactor_begin_some(struct reactor *reactor);
void reactor_turn_away(struct reactor *reactor, struct inbox_item *item);
/* One turn. False when it was the last: drained, or the loop has failed. */
bool reactor_turn(struct reactor *reactor);
/* The connection in that slot of ours; NULL when it isn't there any more. Not for sessions, which may sit elsewhere:
 * reactor_find_session. */
struct connection *reactor_find(const struct reactor *reactor, const struct session_ref *ref);
/* A place for a connection: fills *ref. -1 when memory is out. */
int reactor_take_slot(struct reactor *reactor, struct connection *connection, struct session_ref *ref)
    __attribute__((warn_unused_result));
/* It has ended. */
void reactor_release_slot(struct reactor *reactor, const struct session_ref *ref);
/* It leaves for `seat`; the slot stays taken, and what is for it is passed on. */
void reactor_slot_away(struct reactor *reactor, const struct session_ref *ref, uint32_t seat);
/* It has ended there. */
void reactor_free_slot(struct reactor *reactor, const struct session_ref *ref);
/* Where what is for this session must go: if it began with us, where it is; else as the reference says. */
uint32_t reactor_seat_of(const struct reactor *reactor, const struct session_ref *ref);
/* At the start of every callback: reads the clock into reactor->now, and from here to the turn's end nobody wakes us. */
void reactor_touch_clock(struct reactor *reactor);
/* The functions that sessions act through (reactor_host.c). */
void reactor_fill_host(struct reactor *reactor);
/* At each tick: gives back what hasn't been needed for a while (reactor_idle.c). */
void reactor_give_back(struct reactor *reactor);

/* ---- reactor_move.c: two who talk sit together; from its own thread ---- */

/* The session of this connection opens a conversation with another. One of the two may move: later, not within this call. */
void reactor_bring_together(struct connection *connection, const struct directory_entry *peer);
/* Takes what another reactor's reactor_bring_together has sent. */
void reactor_take_call(struct reactor *reactor, struct inbox_item *item);
/* Those leave that were asked to; who has something to send, not before that. Between two events only. */
void reactor_move_some(struct reactor *reactor);
/* Those that have arrived are here from now on; at the latest when there is a knock. */
void reactor_seat_guests(struct reactor *reactor);
/* The connection of a session that sits here, or has arrived; NULL when it doesn't. */
struct connection *reactor_find_session(struct reactor *reactor, const struct session_ref *ref);
/* The connection ends: if it began elsewhere, the slot that it has there is told so, and takes that. */
void reactor_give_slot_back(struct connection *connection);
void reactor_take_slot_back(struct reactor *reactor, struct inbox_item *item);
/* Their table, once they are all gone. */
void reactor_drop_guests(struct reactor *reactor);

#endif
