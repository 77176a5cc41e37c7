/*
 * pool.h: many clients in one thread: sockets, handshakes, records and logins by wire/'s own code, on one epoll. Against the
 * bare relay a pool does the same without handshake, records and login.
 *
 * What arrives goes to the pool's handler, which a mode sets. Anything that isn't expected (an alert, a refusal, a
 * connection that ends) is a fault and ends that session; unless the handler has a `failed`, which then judges it.
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include "tests/bench/bench.h"
#include "wire/handshake.h"
#include "wire/record.h"

enum session_state {
    SESSION_DOWN,
    SESSION_CONNECTING,
    SESSION_HANDSHAKE,
    SESSION_SECURED,  /* handshake done, not logged in */
    SESSION_CHECKING, /* login sent */
    SESSION_UP,       /* logged in; at the bare relay: it has told its number and its peer is there */
    SESSION_CLOSING,  /* close sent; the end is awaited */
    SESSION_STRANGER, /* connected, and nothing but a greeting said: frames go to handler->frame */
};

struct pool;

struct channel {
    struct record_half in;
    struct record_half out;
};

struct bench_session {
    struct pool *pool;
    uint32_t number; /* of its account, or of its place at the bare relay */
    enum session_state state;
    unsigned lives; /* counted when it goes down: a handler may connect it anew at once */
    int fd;
    bool wants_write;
    struct handshake_client *handshake;
    struct channel *channel; /* secret memory */
    struct buffer out;
    uint8_t *partial; /* the beginning of a frame */
    size_t partial_len;
    uint64_t began; /* of what is being waited for: clock_ns */
    struct name name;
    uint64_t id;           /* from the welcome */
    enum reason reason;    /* when it failed: the KDC's word, REASON_NONE when it gave none */
    uint32_t source;       /* the IPv4 address to connect from, in host order; 0: any */
    bool stranger;         /* connects to become SESSION_STRANGER */
    struct bytes greeting; /* of a stranger; lent */
    bool resumes;          /* offers its ticket, if it has one, and is then up without a login */
    bool resumed;          /* the KDC took it */
    size_t ticket_len;     /* 0: none */
    uint8_t ticket[TICKET_LEN_MAX];
    uint8_t resumption[KDF_SECRET_LEN]; /* the ticket's secret; of an account that exists to measure with */
    void *context;                      /* the mode's */
};

struct pool_handler {
    void (*secured)(struct bench_session *s);
    void (*up)(struct bench_session *s);
    void (*message)(struct bench_session *s, const struct message *m);
    void (*frame)(struct bench_session *s, struct bytes frame); /* to a stranger; from the bare relay,
                                                                 * without its length */
    void (*closed)(struct bench_session *s);                    /* after session_close, in order */
    void (*taken)(struct bench_session *s);  /* may be NULL: all that one read brought has been told */
    void (*failed)(struct bench_session *s); /* may be NULL: it is down by now; s->reason */
};

struct pool {
    const struct target *target;
    struct faults *faults;
    struct handshake_policy policy;
    const struct pool_handler *handler;
    void *context; /* the mode's */
    bool bare;
    bool registers;
    int epoll;
    bool shares_epoll;
    uint8_t *read_buffer;
    struct buffer_stock buffers; /* for what is sent */
    size_t open;                 /* sessions that aren't down */
};

/* 0; -1 when memory or descriptors are out, or the options name no group or suite. */
int pool_init(struct pool *pool, struct bench *bench, const struct target *target, bool bare)
    __attribute__((warn_unused_result));
/* One whose sessions are served by the other's turns, too. The other must outlive it. */
int pool_init_beside(struct pool *pool, struct bench *bench, const struct pool *other)
    __attribute__((warn_unused_result));
void pool_clear(struct pool *pool); /* its sessions must be down */

/* One turn: waits (at most until `deadline`, clock_ns) and handles what has come. */
void pool_turn(struct pool *pool, uint64_t deadline);
/* Turns until the condition holds: true. False at the deadline. */
bool pool_run(struct pool *pool, uint64_t deadline, bool (*condition)(const void *context), const void *context)
    __attribute__((warn_unused_result));

/* ---- session.c ---- */
void session_init(struct bench_session *s, struct pool *pool, uint32_t number);
/* Another account, while it is down. */
void session_set_account(struct bench_session *s, uint32_t number);
void session_connect(struct bench_session *s);
void session_login(struct bench_session *s);
/* Adds a message to what will be sent; session_send sends it. */
void session_add(struct bench_session *s, const struct message *m);
void session_add_plain(struct bench_session *s, struct bytes plain);
/* One write with all that was added. */
void session_send(struct bench_session *s);
/* A close, in order; handler->closed follows. At the bare relay: at once. */
void session_close(struct bench_session *s);
/* At once, without a word; nothing is told. */
void session_drop(struct bench_session *s);
/* The socket is ready. */
void session_ready(struct bench_session *s, uint32_t events);
/* A fault of this session: told, and the session dropped. */
void session_fault(struct bench_session *s, const char *what, const char *why);

/* Logs in `count` sessions, `concurrency` at a time, in their order; `up` is called for each as it is up. 0, or -1 when
 * that took longer than so many seconds or there was a fault. */
int pool_bring_up(struct pool *pool, struct bench_session **sessions, size_t count, size_t concurrency, double seconds,
                  enum session_state goal) __attribute__((warn_unused_result));
/* Closes them all and waits for it. */
void pool_bring_down(struct pool *pool, struct bench_session **sessions, size_t count);

#endif
