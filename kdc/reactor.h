/*
 * reactor.h: one event loop on one thread, and the connections that it owns.
 *
 * What other threads have for it (new connections, jobs that are done, mail for its sessions, a new configuration) comes
 * through its inbox; what its own sessions post to each other through a list of its own, without a wake-up. A turn of the loop is:
 * wait; handle what happened; deliver the inbox and the own list; seal what has gathered for each connection and send it in
 * one write; free what has ended; wipe what ciphers have left on the stack and in registers. While a turn lasts nobody wakes
 * it: it looks into the inbox before it waits.
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

/* Connections that begin in one turn: a crowd that comes at once waits for the sessions that are there, not they for it. Each takes
 * some ten microseconds. */
#define REACTOR_BEGIN_A_TURN 16

/* Room for one read behind the longest frame that may be waiting for its end. */
#define REACTOR_READ_LEN (FRAME_HEADER_LEN + FRAME_LEN_AFTER_LOGIN + 65536)

enum reactor_item { /* inbox_item.kind */
                    REACTOR_MAIL,
                    REACTOR_JOB,
                    REACTOR_ACCEPTED,
                    REACTOR_GUESTS,
                    REACTOR_GUEST_LEFT,
                    REACTOR_CONFIG,
                    REACTOR_DRAIN,
};

struct reactor_slot {
    struct connection *connection; /* NULL: free, or lent */
    uint32_t generation;           /* of its present connection, or of the next */
    union {
        uint32_t next_free; /* while it is free */
        uint32_t warm;      /* while it is taken: 1 when its connection may hold scheduled keys (reactor_idle.c) */
        uint32_t seat;      /* while it is lent: its connection sits with that reactor (reactor_move.c) */
    };
};

/* A connection that sits here and began elsewhere. */
struct guest {
    bool there;
    uint32_t generation; /* of the slot where it began */
    uint32_t slot;       /* here */
};

/* By the slot where it began. */
struct guest_list {
    struct guest *guests;
    uint32_t count;
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
    struct guest_list *guests;  /* of each reactor; NULL: there never were any */
    _Atomic uint32_t load;      /* connections that are here, or about to come: any thread */
    struct connection *unsent;  /* have something to send at the end as of this event */
    struct connection *ended;   /* are freed at the end as of this event */
    struct connection *resumed; /* may read again, and have something kept to look at */
    struct connection *moving;  /* were asked to sit elsewhere */
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

/* ---- from its own thread ---- */

/* A connection from the inbox (reactor_accepted.c): waits until those that came before it have begun; the next few of those
 * that wait begin; one of them never will. */
void reactor_let_wait(struct reactor *reactor, struct inbox_item *item);
void reactor_begin_some(struct reactor *reactor);
void reactor_turn_away(struct reactor *reactor, struct inbox_item *item);
/* One turn. False when it was the last: drained, or the loop has failed. */
bool reactor_turn(struct reactor *reactor);
/* The connection of that place; NULL when it is not there any more. */
struct connection *reactor_find(const struct reactor *reactor, const struct session_ref *ref);
/* A place for a connection: fills *ref. -1 when memory is out. */
int reactor_take_slot(struct reactor *reactor, struct connection *connection, struct session_ref *ref)
    __attribute__((warn_unused_result));
void reactor_release_slot(struct reactor *reactor, const struct session_ref *ref);
/* The connection sits elsewhere from now on, and is known by this place all the same; it has ended. */
void reactor_lend_slot(struct reactor *reactor, const struct session_ref *ref, uint32_t seat);
void reactor_take_slot_back(struct reactor *reactor, const struct session_ref *ref);
/* A connection that began at `home`, elsewhere, is in that slot of ours; -1 when memory is out. It isn't any more. All of them. */
int reactor_note_guest(struct reactor *reactor, const struct session_ref *home, uint32_t slot)
    __attribute__((warn_unused_result));
void reactor_forget_guest(struct reactor *reactor, const struct session_ref *home);
void reactor_free_guests(struct reactor *reactor);
/* The reactor that this session sits with, as far as is known here: ours, even if it isn't there any more, or another. */
uint32_t reactor_seat_of(const struct reactor *reactor, const struct session_ref *ref);
/* The connection of a session that sits here, or has come by now; NULL when it doesn't. */
struct connection *reactor_find_session(struct reactor *reactor, const struct session_ref *ref);

/* reactor_move.c: two who talk sit together. */
/* A conversation begins between our connection's session and another, which may have others already. */
void reactor_bring_together(struct connection *connection, const struct session_ref *peer, bool peer_is_free);
/* Takes MAIL_COME. */
void reactor_take_call(struct reactor *reactor, const struct mail_come *mail);
/* At a turn's end: those go that were asked to. */
void reactor_move_some(struct reactor *reactor);
/* Those that have come from other reactors are here from now on. */
void reactor_seat_guests(struct reactor *reactor);
/* One of ours has ended elsewhere. */
void reactor_guest_left(struct reactor *reactor, struct inbox_item *item);
/* Of a connection that ends: if it began elsewhere, its slot there is free. */
void reactor_send_home(struct connection *connection);
/* At the start of every callback: reads the clock into reactor->now, and from here to the turn's end nobody wakes us. */
void reactor_touch_clock(struct reactor *reactor);
/* The functions that sessions act through (reactor_host.c). */
void reactor_fill_host(struct reactor *reactor);
/* At each tick: gives back what hasn't been needed for a while (reactor_idle.c). */
void reactor_give_back(struct reactor *reactor);

#endif
