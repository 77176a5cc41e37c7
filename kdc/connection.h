/*
 * connection.h: one socket: the handshake, then records, and the session behind them.
 *
 *   HANDSHAKE -- client_hello --> COMPUTING (on a worker) --> HANDSHAKE -- client_finish --> SESSION
 *   any of these -- alert or close appended --> FLUSHING -- all sent --> LINGERING -- peer has closed --> DEAD
 *   any of these -- lost, or too slow -------------------------------------------------------------> DEAD
 *
 * Input goes through the reactor's one buffer; only the beginning of a frame whose end hasn't arrived is kept here, so an
 * idle connection holds no input memory, and a slow one what it has sent. Output gathers until the end of the reactor's
 * turn, in memory of the reactor's stock. One timer, whose meaning is the phase's. Thread: its reactor's; nobody's while it
 * moves.
 *
 * What a session that is logged in and silent takes, in bytes (x86-64, glibc), whatever its suite:
 *
 *    496  struct connection, of which libevent's struct event 128; with malloc's own 8, rounded up to 16, as the next two
 *    336  struct session
 *    192  the directory's entry, and its share of the buckets: 12
 *    256  struct channel: two traffic secrets and their counts, in secret memory
 *     64  what its tickets stand for, in secret memory
 *     32  libevent's entry for the descriptor; and 8 to 16 for each reactor in its table of descriptors
 *     26  the slot, in an array that doubles
 *
 * together about 1,430. One that has moved takes about 100 more: 64 of struct move, 8 to 16 of the guests' buckets, and the slot
 * where it began. Measured by kdc-bench idle, as growth of the RSS over 10,000 sessions: 1,500 under chacha20-poly1305; 3,110
 * under aes-256-gcm right after the last login, when some are still warm. A conversation adds about 104 (struct leg).
 *
 * While something goes over it, and for one to two seconds longer, it also holds two scheduled keys: 9,344 under
 * aes-256-gcm, 1,792 under 3des-cbc-hmac-sha512, 512 under chacha20-poly1305. connection_cool gives them back. The kernel's memory
 * for the socket isn't counted.
 */
#ifndef KDC_CONNECTION_H
#define KDC_CONNECTION_H

#include "kdc/reactor.h"
#include "wire/handshake.h"
#include "wire/record.h"

#include <event2/event_struct.h>

enum connection_phase {
    CONNECTION_HANDSHAKE,
    CONNECTION_COMPUTING,
    CONNECTION_SESSION,
    CONNECTION_FLUSHING,
    CONNECTION_LINGERING,
    CONNECTION_DEAD,
};

/* Secret memory. */
struct channel {
    struct record_half in;
    struct record_half out;
};

struct connection {
    struct reactor *reactor;
    struct session_ref ref; /* its place here; session_ref_of() of its session is another once it has moved */
    int fd;
    enum connection_phase phase;
    bool unsent;    /* on the reactor's list of that name */
    bool logged_in; /* left admission's count of those before login */
    bool held;      /* the session doesn't want to read */
    bool resumed;   /* on the reactor's list of that name */
    bool peer_done; /* end of input seen */
    bool warm;      /* its keys may be scheduled; as its slot says */
    bool delayed;   /* the session waits: the timer is for that, and the phase's deadline is looked at afterwards */
    struct event read_event;
    struct event *write_event; /* only while the socket is full */
    struct timer timer;
    uint64_t accepted;  /* monotonic, milliseconds; as all times here. Moved on by what the session had to wait */
    uint64_t heard;     /* last input */
    uint64_t spoken;    /* last output */
    uint64_t congested; /* since when too much waits; 0: it doesn't */
    size_t frame_limit;
    struct buffer out;
    uint8_t *partial; /* the beginning of a frame; while held, what was read and not yet looked at */
    size_t partial_len;
    size_t partial_room;
    struct handshake_server
        *handshake;             /* from the first whole frame until it is done; with the worker while computing */
    struct live_config *policy; /* that the handshake was begun under */
    struct connection_offer
        *offer;              /* the ticket that was offered in it (connection_handshake.c); NULL: none are taken */
    struct job *with_worker; /* a handshake's or a login's, until it comes home */
    struct move *move;       /* it was asked to sit elsewhere, or has come here so (reactor_move.c) */
    struct channel *channel;
    struct session *session;
    struct admission_source admission;
    char source[DIRECTORY_SOURCE_MAX];
    struct connection *next_unsent;
    struct connection *next_resumed;
    struct connection *next_ended;
};

/* Takes fd over, and the admission that was granted to it; closes and gives back both when memory is out. */
void connection_open(struct reactor *reactor, int fd, const struct sockaddr *address, socklen_t len,
                     const struct admission_source *admission);
void connection_free(struct connection *connection); /* the reactor's, once it is DEAD */

/* connection_input.c */
void connection_readable(struct connection *c);
/* The session wants to read again: takes what was kept meanwhile. */
void connection_resume(struct connection *c);
/* Whether reading is wanted, by all who have a say. */
void connection_update_reading(struct connection *c);

/* connection_handshake.c */
void connection_plain_frame(struct connection *c, struct bytes frame);
void connection_handshake_done(struct connection *c, struct job *job);
void connection_drop_offer(struct connection *c);

/* connection_output.c: what sessions send. It gathers in one record, as plaintext, until it is flushed or the connection
 * freed: before the turn's end. */
enum reason connection_send(struct connection *c, const struct message *m);
enum reason connection_send_plain(struct connection *c, struct bytes plain);
void connection_send_close(struct connection *c, enum reason reason);
void connection_mark_unsent(struct connection *c);
/* A record is about to be sealed or opened. */
void connection_warm(struct connection *c);
void connection_flush(struct connection *c);
/* Nothing in the output is plaintext then. */
void connection_seal(struct connection *c);

/* connection.c */
/* Gives its scheduled keys back if nothing has gone over it for so long: then true. */
bool connection_cool(struct connection *c, uint64_t after_ms);
/* Its output gathers in memory of its reactor's stock. */
void connection_use_stock(struct connection *c);
/* Its read_event's; `argument` is the connection. */
void connection_on_readable(evutil_socket_t fd, short what, void *argument);
/* Ends. */
/* Before the session: an alert, then FLUSHING. */
void connection_alert(struct connection *c, enum reason reason, uint32_t retry_after);
/* Nothing more is taken in; what has gathered is sent (or given up soon), then the socket closed. */
void connection_finish(struct connection *c);
/* At once, without a word. */
void connection_lost(struct connection *c, enum reason reason);
void connection_shut_down(struct connection *c);
void connection_timer(struct connection *c);
/* What its timer goes by has changed. */
void connection_rescheduled(struct connection *c);
void connection_logged_in(struct connection *c);
/* Calls session_delayed then. */
void connection_delay(struct connection *c, uint32_t ms);
void connection_log(const struct connection *c, enum log_level level, const char *event, enum reason reason);

#endif
