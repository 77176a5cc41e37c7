/*
 * core_internal.h: what the files of the core share. Private to client/core*.c, requests.c and trace.c.
 *
 * One error ends a connection: core_fail notes it, and core_input or core_tick hands it to the host. Events are
 * handed out in the middle of the work, and the application may call back into the core from there: so no peer is
 * ever removed while `depth` isn't 0, and whoever handed out an event looks at the state again.
 */
#ifndef CLIENT_CORE_INTERNAL_H
#define CLIENT_CORE_INTERNAL_H

#include "client/core.h"
#include "client/outbox.h"
#include "wire/epoch.h"
#include "wire/message.h"
#include "wire/name.h"
#include "wire/record.h"

#define PEERS_MAX 1024  /* people that the core remembers */
#define INSTANCES_MAX 8 /* of one person's clients, the latest ones */
#define OPENS_MAX 16    /* open requests under way at once */
#define WHOS_MAX 16     /* who requests, likewise */
#define REQUESTS_MAX (OPENS_MAX + WHOS_MAX + 3)
#define LIST_NAMES_MAX 100000 /* names that one list gathers */
#define OPEN_TRIES_MAX 8      /* of one open that is answered by busy and the like */
#define OPEN_PAUSE_MS 1000    /* at least, between opens with one person that nobody asked for */
#define OUTPUT_LIMIT ((size_t)1 << 20)
#define OUTPUT_TEXT_LIMIT ((size_t)1 << 18) /* texts wait while more than this is to be sent */

/* Secret memory. */
struct credentials {
    struct name name;
    size_t password_len; /* 0: there are none */
    uint8_t password[PASSWORD_LEN_MAX];
    size_t next_len;                /* 0: none */
    uint8_t next[PASSWORD_LEN_MAX]; /* that the KDC was asked to take in its place, and hasn't said yet that it does */
    bool changing;                  /* asked so at the login */
    bool activates;                 /* a pending account */
    struct bytes code;              /* an invitation's, or one that was mailed; this and the next two lie in `words` */
    struct bytes email;
    struct bytes phone;
    uint8_t words[CODE_LEN_MAX + EMAIL_LEN_MAX + PHONE_LEN_MAX];
};

/* What a login is besides name and password. */
struct login_wish {
    const struct bytes *next; /* another password from then on; NULL: it stays as it is */
    bool make_account;
    bool activates;
    struct bytes code; /* lent, as the next two */
    struct bytes email;
    struct bytes phone;
};

/* What the KDC gave us to come back by (docs/protocol.md section 3.5). Secret memory; never on disk. */
struct resumption {
    uint8_t secret[KDF_SECRET_LEN]; /* of the ticket below */
    uint8_t next[KDF_SECRET_LEN];   /* of the one that this connection's welcome brings */
    uint8_t ticket[TICKET_LEN_MAX];
    size_t ticket_len; /* 0: there is none */
    uint64_t until;    /* now() from which on it is of no use */
};

/* Secret memory. */
struct channel {
    struct record_half sending;
    struct record_half receiving;
};

enum opening {
    OPENING_NO,
    OPENING_DUE,     /* at open_at */
    OPENING_ASKED,   /* an open is under way */
    OPENING_OFFLINE, /* the KDC will tell when the person is there */
};

/* What arrived from one running client of a person. */
struct arrival {
    uint64_t instance;
    uint64_t last;
    uint64_t used; /* core->uses when it was last used: the oldest gives way */
    bool receipt_due;
};

/* Somebody to talk with. */
struct peer {
    struct name name;
    uint64_t used; /* core->uses, likewise */

    uint64_t conversation;  /* as soon as newest_epoch isn't 0 */
    uint32_t newest_epoch;  /* the greatest that was ever taken; 0: none */
    struct epoch *epoch;    /* NULL: none, or dead */
    struct epoch *previous; /* for receiving only; NULL once the peer has confirmed the newest */
    bool confirm_due;       /* the newest epoch's confirm waits for credit */
    size_t in_flight;       /* bytes of this session's ciphertext messages that no credit has come for */
    bool repaired;          /* a new epoch was asked for because of a message under the newest */
    uint64_t rekey_at;      /* by age, and ... */
    uint64_t rekey_after;   /* ... by messages sent; UINT64_MAX: never */

    enum opening opening;
    uint64_t open_at;
    uint64_t opened_at; /* when an open was last sent; 0: never */
    unsigned open_tries;
    bool open_wanted; /* somebody asked for it by core_open */
    bool open_before; /* a conversation was open when the connection or the peer went */

    struct outbox outbox;
    struct arrival arrivals[INSTANCES_MAX];
    size_t arrival_count;
};

enum request_kind { REQUEST_OPEN, REQUEST_LIST, REQUEST_WHO, REQUEST_PASSWORD, REQUEST_DEACTIVATE };

struct request {
    uint32_t number;
    enum request_kind kind;
    struct name name;
};

struct requests {
    struct request under_way[REQUESTS_MAX];
    size_t count;
    uint32_t last_number;
    unsigned lists_wanted; /* core_list calls not yet answered */
    struct kc_person *people;
    struct name *names; /* what people[].name points into, once gathered */
    size_t people_count;
    size_t people_room;
};

struct core {
    struct core_host host;
    struct handshake_policy policy;
    bool tracing;
    bool send_only;
    unsigned depth; /* events being handed out */

    enum core_state state;
    int error;            /* why this connection ends; KC_OK while it doesn't */
    bool error_by_alert;  /* not authenticated */
    uint32_t retry_after; /* seconds, with the error */
    struct handshake_client *handshake;
    struct channel *channel;
    struct buffer input; /* the part of a frame that is there */
    struct buffer output;
    char fingerprint[IDENTITY_FINGERPRINT_LEN];
    const struct dh_group *group;
    const struct suite *suite;

    struct credentials *credentials;
    bool make_account;
    bool accepted; /* the KDC has taken these credentials before */
    struct resumption *resumption;
    bool offered;  /* the ticket, in the handshake that goes on */
    bool resuming; /* it was taken: the KDC welcomes or refuses without having been asked */
    struct name self;
    uint64_t session;
    uint64_t rekey_messages;
    uint64_t rekey_ms;

    uint64_t ping_ms;
    uint64_t last_sent;
    uint64_t last_received;
    bool ping_waits;
    uint64_t ping_token;
    uint64_t ping_sent;

    uint64_t instance;
    uint64_t uses;
    struct peer **peers;
    size_t peer_count;
    size_t peer_room;
    struct requests requests;
};

/* core.c */
uint64_t core_now(const struct core *core);
/* 0 to below `below`; 0 when there is no randomness: for jitter only. */
uint64_t core_random(const struct core *core, uint64_t below);
void core_emit(struct core *core, const struct kc_event *event);
void core_emit_peer(struct core *core, enum kc_event_type type, const struct name *peer, int error,
                    unsigned retry_after);
/* Ends the connection: the first error stays. */
void core_fail(struct core *core, int error);
/* The same, telling the KDC why. */
void core_fail_close(struct core *core, enum reason reason, int error);
/* Seals a message into the output, in a record of its own: a trace shows that. A failure ends the connection. */
bool core_put(struct core *core, const struct message *m);

/* core_handshake.c: a frame before there are records. */
void core_plain_frame(struct core *core, struct bytes frame);
/* The KDC gave the handshake up before it had our client_finish: an alert where its first record should be, which is longer than
 * any alert. False: it is none. */
bool core_late_alert(struct core *core, struct bytes frame);

/* core_resumption.c */
/* Offers the ticket in the handshake that is about to start, if there is one that may be used. */
void resumption_offer(struct core *core);
/* The handshake is done: whether the ticket was taken, and the secret of the next one. */
void resumption_judge(struct core *core, const struct handshake_keys *keys);
/* The ticket of a welcome, in place of the one before. */
void resumption_keep(struct core *core, const struct message_welcome *m);
/* The ticket of a password_changed, for the same handshake's secret. */
void resumption_replace(struct core *core, const struct message_password_changed *m);
/* The one that is there is of no use any more. */
void resumption_forget(struct core *core);
/* The connection is gone. */
void resumption_disconnected(struct core *core);

/* core_login.c: the credentials are sent as soon as the channel is up; what the KDC says to them. */
void login_start(struct core *core);
int login_take(struct core *core, const char *name, struct bytes password, const struct login_wish *wish);
void login_welcome(struct core *core, const struct message_welcome *m);
void login_refused(struct core *core, const struct message_refused *m);
void login_forget(struct core *core);

/* core_password.c */
/* The one that was asked for is the password now. */
void password_take_next(struct core *core);
void password_forget_next(struct core *core);
void password_changed(struct core *core, const struct message_password_changed *m);
void password_refused(struct core *core, const struct message_refused *m);
/* The connection is gone. `asked`: before the answer. */
void password_disconnected(struct core *core, bool asked);

/* core_register.c */
void deactivate_mailed(struct core *core, const struct message_code_mailed *m);
void deactivate_refused(struct core *core, const struct message_refused *m);

/* core_dispatch.c: one message, and the frame of the record that carried it. */
void dispatch_message(struct core *core, struct bytes plain, struct bytes frame);

/* core_peer.c */
struct peer *peer_find(const struct core *core, const struct name *name);
struct peer *peer_by_conversation(const struct core *core, uint64_t conversation);
/* Found or added; NULL when there are too many or memory is out. */
struct peer *peer_get(struct core *core, const struct name *name);
void peers_free(struct core *core);
void peer_drop_epochs(struct peer *peer);
/* Opens: at `at` at the latest, unless one is under way. */
void peer_want_open(struct peer *peer, uint64_t at);
/* Not before the pause after the last open: for what the KDC or a peer could make us do again and again. */
uint64_t peer_calm(const struct core *core, const struct peer *peer);
/* Sends those that are due. */
void opens_run(struct core *core);
void opens_after_login(struct core *core);
void peer_open_refused(struct core *core, struct peer *peer, const struct message_refused *m);
void peer_presence(struct core *core, const struct message_presence *m);

/* core_conversation.c */
void conversation_grant(struct core *core, const struct message_grant *m);
void conversation_ciphertext(struct core *core, const struct message_ciphertext *m);
void conversation_undelivered(struct core *core, const struct message_undelivered *m);
void conversation_credit(struct core *core, const struct message_credit *m);
/* Asks for new epochs where the newest has served its time. */
void conversation_rekey_if_due(struct core *core, struct peer *peer);

/* core_sending.c */
/* The newest epoch's confirm, if it is due. False when the connection ends over it; true also when it has to wait, and
 * everything else behind it. */
bool conversation_confirm(struct core *core, struct peer *peer);
/* Sends receipts and texts that may go now. */
void conversation_flush(struct core *core, struct peer *peer);
void conversations_flush(struct core *core);
/* Sends the receipts that are due, and no texts. */
void conversations_acknowledge(struct core *core);
/* now() from which on there is something to send or a new epoch to ask for. */
uint64_t conversation_due(const struct core *core, const struct peer *peer);

/* requests.c */
/* A number for a new request; 0 when there are too many. */
uint32_t request_new(struct core *core, enum request_kind kind, const struct name *name);
size_t requests_count(const struct core *core, enum request_kind kind);
/* Takes the request with that number and kind out: true, and *taken is it. */
bool request_take(struct core *core, uint32_t number, struct request *taken);
void requests_forget(struct core *core);
void request_refused(struct core *core, const struct message_refused *m);
void request_list_reply(struct core *core, struct message_list_reply *m);
void request_who_reply(struct core *core, const struct message_who_reply *m);

/* trace.c: lines for people who want to see what happens. Each does nothing unless tracing is on. */
void trace_line(struct core *core, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A plain frame that was sent or has arrived. */
void trace_frame(struct core *core, bool sent, struct bytes frame);
/* A message, and the frame that carries it (`head`: its first bytes; frame_len: all of them). */
void trace_message(struct core *core, bool sent, const struct message *m, struct bytes head, size_t frame_len);
void trace_handshake_done(struct core *core, const struct handshake_keys *keys);
void trace_epoch(struct core *core, const struct message_grant *grant);

#endif
