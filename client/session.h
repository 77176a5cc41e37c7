/*
 * session.h: struct kc_client, shared by the three files that make it: session.c (the public calls, the core's events,
 * who is trusted), session_options.c (what it is made with) and link.c (the socket, its timers, coming back). Private to
 * client/.
 *
 * What a call leads to happens in the next turn of the loop (link_wake): within a call itself come at most TRACE, and
 * LOGIN_REFUSED from kc_trust without a kc_login before. So the application may call everything but kc_free from
 * within an event.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/core.h"
#include "client/known_kdcs.h"

#include <event2/event.h>
#include <netdb.h>

#define READ_LEN 16384

enum link {
    LINK_IDLE,       /* before kc_connect, and after the end */
    LINK_CONNECTING, /* one of the addresses is being tried */
    LINK_UP,
    LINK_CLOSING, /* what is left goes out, then the end */
    LINK_WAITING, /* until the next try */
    LINK_PARKED,  /* the KDC didn't wait for a person's answer: goes on after kc_trust or kc_login */
};

struct kc_client {
    struct event_base *base;
    kc_event_fn fn;
    void *context;
    struct core *core;

    char *host;
    char *address; /* "host:port", as known_kdcs has it */
    uint16_t port;
    char *known_path; /* NULL: nothing is remembered */
    char wanted_fingerprint[KC_FINGERPRINT_LEN];
    bool reconnect;
    unsigned timeout_ms;
    bool patient; /* the deadline was moved on, because of a login that the KDC makes wait */

    /* The KDC's identity: this connection's, and the one that is trusted from the first time on. */
    uint8_t offered[IDENTITY_PUBLIC_LEN];
    uint8_t trusted[IDENTITY_PUBLIC_LEN];
    bool has_trusted;
    bool asked;       /* KC_EVENT_IDENTITY was handed out, and not yet answered */
    bool login_asked; /* likewise KC_EVENT_LOGIN_REFUSED */
    char fingerprint[KC_FINGERPRINT_LEN];
    char known_fingerprint[KC_FINGERPRINT_LEN];
    char detail[KNOWN_KDCS_ERROR_LEN];
    int judge_error; /* why the identity couldn't be judged */

    enum link link;
    int fd; /* -1: none */
    struct addrinfo *addresses;
    struct addrinfo *address_next;
    size_t addresses_left;
    struct event *readable; /* made for each socket */
    struct event *writable;
    struct event *turn;     /* the core's timer, and whatever a call has left to do */
    struct event *deadline; /* of the connection that is being made, or closed */
    struct event *retry;
    uint64_t give_up_at;
    uint64_t ready_at; /* 0: not on this connection */
    unsigned failures; /* in a row */
    int end_error;     /* while closing */
    bool leaving;      /* kc_disconnect was called, or kc_trust said no */
    uint8_t read_buffer[READ_LEN];
};

uint64_t session_now(void *context);
void session_emit(struct kc_client *client, const struct kc_event *event);

/* session_options.c. Judges the options, and copies what is kept of them: all but the policy, which is the core's, into the
 * client, whose pointers kc_free frees on failure too. KC_OK, KC_BAD_OPTION or KC_NO_MEMORY. */
int session_options_take(struct kc_client *client, const struct kc_options *options, struct handshake_policy *policy)
    __attribute__((warn_unused_result));

/* link.c. 0, or -1 when memory is out. */
int link_init(struct kc_client *client) __attribute__((warn_unused_result));
void link_free(struct kc_client *client);
void link_connect(struct kc_client *client);
/* The loop is to look after the core in its next turn. */
void link_wake(struct kc_client *client);
/* The deadline stands still while a person is asked, and goes on afterwards. */
void link_pause(struct kc_client *client);
void link_resume(struct kc_client *client);

#endif
