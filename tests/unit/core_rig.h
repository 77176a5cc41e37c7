/*
 * core_rig.h: a client's core, and around it a KDC and a peer made from wire/ and moved by hand, under a virtual
 * clock. Free of any test framework: what goes wrong is told by results.
 */
#ifndef TESTS_UNIT_CORE_RIG_H
#define TESTS_UNIT_CORE_RIG_H

#include "client/core.h"
#include "tests/unit/fixed_rng.h"
#include "wire/epoch.h"
#include "wire/message.h"
#include "wire/record.h"

#define RIG_EVENTS_MAX 8192
#define RIG_SESSION 7 /* the client's, by its welcome */
#define RIG_PEER_SESSION 8

/* An event, as far as tests look at it. */
struct rig_event {
    enum kc_event_type type;
    int error;
    unsigned retry_after;
    bool online;
    bool resumed;
    bool by_peer;
    uint64_t number;
    uint64_t conversation;
    uint32_t epoch;
    uint64_t since;
    size_t people_count;
    char peer[NAME_LEN_MAX + 1];
    char first[NAME_LEN_MAX + 1]; /* LIST: the first and the last name */
    char last[NAME_LEN_MAX + 1];
    char text[64]; /* the beginning of it */
    size_t text_len;
};

/* A message that the client sent; `m` lends from `plain`. */
struct rig_message {
    struct rig_message *next;
    struct message m;
    size_t plain_len;
    uint8_t plain[];
};

/* The KDC's tickets: a number each, and no more than the newest is known. */
struct rig_tickets {
    struct handshake_tickets handshake;
    bool gives; /* rig_welcome brings one */
    bool takes;
    uint32_t seconds;
    uint32_t given;    /* the newest */
    uint8_t number[4]; /* as bytes: the ticket */
    uint8_t secret[KDF_SECRET_LEN];
    uint8_t next[KDF_SECRET_LEN]; /* of the one that this connection's welcome brings */
    unsigned offered;             /* client_hellos with a ticket */
    bool newest;                  /* the last of them had the newest */
    bool resumed;                 /* the connection */
};

struct rig {
    uint64_t now;
    struct fixed_rng random;
    struct core *core;
    struct handshake_policy client_policy;
    enum core_identity judgement;
    void (*on_event)(struct rig *rig, const struct kc_event *event); /* NULL: only noted */

    struct handshake_policy kdc_policy;
    struct identity *identity;
    struct rig_tickets tickets;
    struct handshake_server *handshake;
    bool channel; /* the records below are there */
    struct record_half sending;
    struct record_half receiving;
    enum reason alert;  /* from the client */
    struct buffer wire; /* from the client, not yet taken apart */
    struct buffer reply;
    size_t flip;    /* not 0: a bit is flipped so many bytes before the end of the KDC's next portion */
    size_t portion; /* not 0: bytes arrive in portions of so many */

    struct rig_event events[RIG_EVENTS_MAX];
    size_t event_count;
    size_t event_at; /* the first that no test has looked at */
    size_t traced;
    bool trace_tells; /* a trace line held what it must not */
    char forbidden[64];

    struct rig_message *first, *last;
    struct rig_message *taken; /* lent to the test */
    bool broken;               /* the client sent what doesn't open or decode */

    uint16_t conversation_suite;
    struct epoch *peer; /* the peer's side of the newest epoch granted */
    size_t heard;       /* bytes of ciphertext messages that rig_peer_hears took and rig_give_back hasn't given back */
    uint8_t sealed[MESSAGE_SEALED_MAX];
    uint8_t plain[CONTENT_LEN_MAX + SUITE_OVERHEAD_MAX];
};

extern const char rig_password[];

/* NULL when memory is out. */
struct rig *rig_new(void);
void rig_free(struct rig **rig);

/* The transport comes up and the handshake runs as far as it goes. The result of the last call into the core. */
int rig_connect(struct rig *rig);
/* The transport goes away. */
void rig_cut(struct rig *rig);
/* What the client has to say is carried to the KDC: handshake frames are answered, messages are kept. */
int rig_carry(struct rig *rig);
/* A message from the KDC: the result of core_input; what the client answers is carried. */
int rig_tell(struct rig *rig, const struct message *m);
/* Any bytes as a message, sealed. */
int rig_tell_plain(struct rig *rig, const void *plain, size_t len);
/* Any bytes as a record's plaintext, sealed. */
int rig_tell_record(struct rig *rig, const void *plain, size_t len);
/* Several in one portion: in a record each, or in one together. */
int rig_tell_all(struct rig *rig, const struct message *m, size_t count);
int rig_tell_together(struct rig *rig, const struct message *m, size_t count);
/* One, put into rig->reply and not carried. */
void rig_say(struct rig *rig, const struct message *m);
/* The clock goes on, and whatever is due on the way happens. The first error of core_tick. */
int rig_wait(struct rig *rig, uint64_t ms);

/* The KDC alone, for a client that isn't the rig's: a new connection; bytes from it (answers are appended to
 * rig->reply, messages are kept). */
void rig_kdc_start(struct rig *rig);
void rig_kdc_take(struct rig *rig, const void *data, size_t len);

/* Login with rig_password, handshake, welcome: 0, or -1. */
int rig_login(struct rig *rig, const char *name);
int rig_welcome(struct rig *rig, const char *name);
struct message rig_welcome_message(const char *name);
/* The next message that the client sent, if it has this type: lent until the next call; NULL otherwise. */
const struct message *rig_take(struct rig *rig, enum message_type type);
bool rig_silent(const struct rig *rig); /* nothing waits */
/* The next event, if it has this type; NULL otherwise. Traces are counted only. */
const struct rig_event *rig_event(struct rig *rig, enum kc_event_type type);
bool rig_quiet(const struct rig *rig);

/* A grant with a fresh key; the peer's side of it becomes rig->peer. The result of core_input. */
int rig_grant(struct rig *rig, uint32_t request, uint64_t conversation, uint32_t epoch, const char *a, const char *b,
              const char *peer);
/* Takes the open that waits, grants it, takes the confirm, and lets the peer confirm: 0, or -1. */
int rig_open(struct rig *rig, uint64_t conversation, uint32_t epoch, const char *self, const char *peer);
/* The peer says something under rig->peer. */
int rig_peer_says(struct rig *rig, enum content_kind kind, uint64_t instance, uint64_t number, const char *text);
/* Credit for what the peer has heard. The result of core_input. */
int rig_give_back(struct rig *rig, uint64_t conversation);
/* The next message, opened by the peer: true, and *content lends from the rig. */
bool rig_peer_hears(struct rig *rig, struct content *content);

struct name rig_name(const char *text);

#endif
