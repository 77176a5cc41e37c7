/*
 * kdcchat.h: libkdcchat, the client's side of kdc-chat, for embedding: one user's session with a KDC and the
 * conversations in it.
 *
 * Give it an event_base (libevent 2.1), options and a function for events; call kc_login and kc_connect; run the loop.
 * The library connects, runs the handshake, logs in, opens conversations when they are needed, encrypts and decrypts,
 * keeps every text until the other person's client has it, and reconnects with a backoff when the connection is lost:
 * by the KDC's newest ticket, or by the password when that isn't taken. Both stay in locked memory for that, and nowhere
 * else. It knows nothing of terminals, prints nothing and never exits.
 *
 * Thread: a kc_client and its event_base belong to one thread. Calls may be made from inside the event function, except
 * kc_free. Strings and bytes in an event are lent for the length of the call. All text is UTF-8; names come out in
 * lower case. Lengths are in bytes, times in milliseconds since 1970 UTC. A host's name is looked up by getaddrinfo,
 * which keeps the loop waiting when a name server is slow: give an address where that matters.
 *
 * Nothing in a text is made safe for a terminal: an application that prints one replaces control characters first.
 */
#ifndef KDCCHAT_H
#define KDCCHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct kc_client;

#define KC_DEFAULT_PORT 19268
#define KC_TEXT_MAX 16384
#define KC_NAME_MAX 32
#define KC_FINGERPRINT_LEN 51 /* "SHA256:", 43 characters, NUL */

/* What went wrong: the protocol's reasons by number (docs/protocol.md section 7), and the client's own from 1000 on. */
enum kc_error {
    KC_OK = 0,
    KC_UNREACHABLE = 1000,      /* no connection could be made */
    KC_CONNECTION_LOST = 1001,  /* it ended without a close, or answered no ping */
    KC_IDENTITY_CHANGED = 1002, /* the KDC isn't the one that this client knows */
    KC_IDENTITY_REFUSED = 1003, /* kc_trust said no */
    KC_BAD_SIGNATURE = 1004,    /* the KDC couldn't prove its identity: somebody may stand in between */
    KC_BAD_CONFIRM = 1005,      /* the KDC doesn't hold the same key: somebody may stand in between */
    KC_BAD_ADDRESS = 1006,      /* the server's name can't be resolved */
    KC_NO_MEMORY = 1007,
    KC_KNOWN_KDCS = 1008,   /* the file of known KDCs can't be read or written */
    KC_BAD_NAME = 1009,     /* a name that is not allowed */
    KC_BAD_TEXT = 1010,     /* empty, over KC_TEXT_MAX, or not UTF-8 */
    KC_BAD_PASSWORD = 1011, /* not 8 to 72 bytes of UTF-8 */
    KC_OUTBOX_FULL = 1012,  /* too much waits for this person already */
    KC_BAD_OPTION = 1013,   /* an unknown group or suite, a fingerprint that is none */
    KC_NOT_READY = 1014,    /* not logged in */
    KC_PROTOCOL = 1015,     /* the KDC sent what it must not */
};

/* A short name ("peer_offline") and a sentence for a person; of any kc_error or protocol reason. */
const char *kc_error_name(int error);
const char *kc_error_text(int error);

struct kc_options {
    const char *host;        /* name or numeric address, IPv6 without brackets; NULL: 127.0.0.1 */
    uint16_t port;           /* 0: KC_DEFAULT_PORT */
    const char *known_kdcs;  /* path of the file of known KDCs; NULL: nothing is remembered */
    const char *fingerprint; /* "SHA256:…": the KDC must have it, and is remembered without asking; NULL: ask */
    const char *groups;      /* names, comma-separated, most preferred first; NULL: ffdhe3072,ffdhe4096 */
    const char *suites;      /* likewise; NULL: aes-256-gcm or chacha20-poly1305 first, whichever
                              * this processor is quicker at, then the other and 3des-cbc-hmac-sha512 */
    bool reconnect;          /* whether to come back by itself after a connection is lost */
    bool send_only; /* texts that arrive are neither taken nor acknowledged: they stay in their senders' outboxes */
    unsigned
        connect_timeout; /* seconds for connection, handshake and login together; 0: 15. A KDC may make a login wait
                               * (guessing costs time): that is given 75 more */
};

enum kc_event_type {
    KC_EVENT_IDENTITY,      /* an unknown KDC: answer with kc_trust, now or later */
    KC_EVENT_READY,         /* logged in; `resumed` when after a reconnect */
    KC_EVENT_LOGIN_REFUSED, /* error (KC_NOT_READY: kc_login wasn't called yet); call kc_login, or give up */
    KC_EVENT_DISCONNECTED,  /* error; `retry_ms` until the next try, 0 when the library gives up */
    KC_EVENT_OPENED,        /* an epoch of a conversation with `peer` was taken */
    KC_EVENT_REFUSED, /* a request about `peer` (kc_open, kc_who, or a text that needed it) was refused: error; peer is
                            * NULL for kc_list. peer_offline: texts wait, and go when the peer comes. no_such_user,
                            * peer_is_self, peer_locked: texts that waited for the peer are discarded. busy,
                            * unavailable, too_many, internal: tried again in retry_after seconds; given up when that is 0,
                            * which it never is while texts wait */
    KC_EVENT_TEXT,    /* a text from `peer`; once each, in order */
    KC_EVENT_DELIVERED, /* all own texts to `peer` up to `number` are on the other side */
    KC_EVENT_PRESENCE,  /* `peer` came (online) or went */
    KC_EVENT_LIST,      /* the answer to kc_list */
    KC_EVENT_WHO,       /* the answer to kc_who: online, since */
    KC_EVENT_PASSWORD_CHANGED, /* the answer to kc_change_password: error KC_OK, or why not and retry_after; KC_CONNECTION_LOST:
                                * not known. Then whichever of the two holds is used to come back */
    KC_EVENT_DEACTIVATION, /* the answer to kc_deactivate: error KC_OK: a code was mailed; else why not, and retry_after. With the
                            * right code the account is disabled, and KC_EVENT_DISCONNECTED with account_disabled comes instead */
    KC_EVENT_TRACE, /* with kc_set_trace: `text` is a line about one frame or step; never a secret */
};

struct kc_person {
    const char *name;
    uint64_t since;
};

struct kc_event {
    enum kc_event_type type;
    int error;                     /* a kc_error or a protocol reason */
    unsigned retry_after;          /* seconds, with busy and unavailable */
    unsigned retry_ms;             /* DISCONNECTED */
    const char *fingerprint;       /* IDENTITY, READY, and DISCONNECTED for a changed identity (the new one) */
    const char *known_fingerprint; /* DISCONNECTED for a changed identity: the one that was known */
    const char *name;              /* READY: oneself */
    const char *group;             /* READY */
    const char *suite;             /* READY: of the records; OPENED: of the conversation */
    uint64_t session;              /* READY */
    bool resumed;                  /* READY */
    const char *peer;
    bool online;           /* PRESENCE, WHO */
    uint64_t since;        /* WHO: 0 when never */
    uint64_t conversation; /* OPENED, TEXT */
    uint32_t epoch;        /* OPENED, TEXT */
    bool by_peer;          /* OPENED: the other one asked for it */
    uint64_t sequence;     /* TEXT */
    uint64_t time;         /* TEXT: of arrival, by this machine's clock */
    uint64_t number;       /* DELIVERED */
    const char *text;      /* TEXT, TRACE: NUL-terminated as well (a text may hold NULs: see text_len) */
    size_t text_len;
    const struct kc_person *people; /* LIST, in the order of names */
    size_t people_count;
};

typedef void (*kc_event_fn)(void *context, struct kc_client *client, const struct kc_event *event);

/* Nothing happens before kc_connect. `options` and its strings are copied. NULL with *error set (KC_BAD_OPTION,
 * KC_NO_MEMORY). The caller owns the result; `base` must outlive it. */
struct kc_client *kc_new(struct event_base *base, const struct kc_options *options, kc_event_fn fn, void *context,
                         int *error);
/* Ends the connection at once, wipes and frees everything, sets *client to NULL. */
void kc_free(struct kc_client **client);

/* Whom to log in as; `make_account` registers instead. The password is copied into locked memory; the caller wipes
 * its own. Before kc_connect, or as the answer to KC_EVENT_LOGIN_REFUSED. The password is wiped when it was refused,
 * and when the library gives up; tickets likewise. KC_OK, KC_BAD_NAME, KC_BAD_PASSWORD; KC_NOT_READY while a login is under way or
 * done. */
int kc_login(struct kc_client *client, const char *name, const char *password, size_t password_len, bool make_account);

/* The same with another password from now on: the answer to KC_EVENT_LOGIN_REFUSED with must_change, or before kc_connect. */
int kc_login_changing(struct kc_client *client, const char *name, const char *password, size_t password_len,
                      const char *new_password, size_t new_len);

/* What a KDC may ask of who registers: after KC_EVENT_LOGIN_REFUSED with `invitation` or `email`, try again with it. Each may be
 * NULL. */
struct kc_registration {
    const char *invitation; /* a code that its operator gave */
    const char *email;
    const char *phone; /* "+" and digits */
};
/* As kc_login with make_account. KC_EVENT_LOGIN_REFUSED with account_pending: the account is made, and a code is mailed, which
 * kc_activate wants. Also `invitation`, `email`, `phone`: one of these is too long. */
int kc_register(struct kc_client *client, const char *name, const char *password, size_t password_len,
                const struct kc_registration *registration);
/* As kc_login, of an account that is pending, with the code that was mailed. NULL or "": another one is to be mailed, which is
 * told by KC_EVENT_LOGIN_REFUSED with account_pending. KC_EVENT_LOGIN_REFUSED with `code`: it is another one; code_expired. */
int kc_activate(struct kc_client *client, const char *name, const char *password, size_t password_len,
                const char *code);
/* Gives one's account up. NULL or "": a code is to be mailed first. Ends in KC_EVENT_DEACTIVATION, or with the right code in
 * KC_EVENT_DISCONNECTED with account_disabled. KC_OK, KC_NOT_READY, `code`: too long; too_many (one at a time). */
int kc_deactivate(struct kc_client *client, const char *code);

/* Starts connecting, at once also while it waits to reconnect. Everything else is told by events. KC_OK, or
 * KC_KNOWN_KDCS: the file can't be read, and kc_detail says why. */
int kc_connect(struct kc_client *client);
/* The answer to KC_EVENT_IDENTITY. KC_OK; KC_NOT_READY when nothing was asked; KC_KNOWN_KDCS: trusted for as long as
 * this client lives, but it can't be remembered, and kc_detail says why. After a no: KC_OK, and then
 * KC_EVENT_DISCONNECTED. */
int kc_trust(struct kc_client *client, bool yes);
/* An orderly end: sends close, ends in KC_EVENT_DISCONNECTED with KC_OK and no retry. */
void kc_disconnect(struct kc_client *client);

/* A sentence about the last KC_KNOWN_KDCS: which file, which line; "" when there was none. */
const char *kc_detail(const struct kc_client *client);

/* Asks for a new epoch with `peer` (also for a new key in a conversation that there is already). Ends in
 * KC_EVENT_OPENED or KC_EVENT_REFUSED. KC_OK, KC_BAD_NAME, KC_NOT_READY, too_many (people, at once). */
int kc_open(struct kc_client *client, const char *peer);
/* Puts a text into the outbox for `peer`, opening the conversation if there is none. *number (may be NULL) names it in
 * KC_EVENT_DELIVERED. KC_OK, KC_BAD_NAME, KC_BAD_TEXT, KC_OUTBOX_FULL, KC_NO_MEMORY. It waits there while the peer
 * is offline or the connection is down. */
int kc_send(struct kc_client *client, const char *peer, const char *text, size_t len, uint64_t *number);
/* Texts that are not yet on the other side: of one person, or with NULL of all. */
size_t kc_undelivered(const struct kc_client *client, const char *peer);
/* Forgets the texts that wait for `peer`; returns how many. */
size_t kc_discard(struct kc_client *client, const char *peer);
/* Another password for oneself; the present one is asked for, since whoever holds a session needn't be who logged in. Ends in
 * KC_EVENT_PASSWORD_CHANGED. Both are copied into locked memory; the caller wipes its own. KC_OK, KC_BAD_PASSWORD, KC_NOT_READY,
 * too_many (one at a time). */
int kc_change_password(struct kc_client *client, const char *old_password, size_t old_len, const char *new_password,
                       size_t new_len);
/* Who is online; all of them, in one KC_EVENT_LIST. What was asked is forgotten when the connection is lost, as with
 * kc_who. KC_OK, KC_NOT_READY; kc_who: KC_BAD_NAME, too_many (at once), too. */
int kc_list(struct kc_client *client);
int kc_who(struct kc_client *client, const char *name);
/* The fingerprint of the KDC that this client is or was connected to; "" before. */
const char *kc_fingerprint(const struct kc_client *client);
/* Whether KC_EVENT_TRACE is wanted. */
void kc_set_trace(struct kc_client *client, bool on);
const char *kc_version(void);

#ifdef __cplusplus
}
#endif

#endif
