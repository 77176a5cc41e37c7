/*
 * protocol.h: every number of the protocol, version 1, in one place: frame and message types, reasons, limits, and the
 * shape of each message once it is decoded. docs/protocol.md tells the same story byte for byte; sections in comments
 * are that document's.
 *
 * The rest of wire/ in the document's order: codec.h (section 1); frame.h (2, and 3's frames); key_schedule.h and handshake.h
 * (3.3, 3), with handshake_client.c and handshake_server.c side by side; record.h (4); epoch.h (5); message.h (6); name.h
 * (what people type); reason.h (7).
 *
 * A decoded message lends its bytes: `struct bytes` points into the frame it came from and lives as long as that.
 */
#ifndef WIRE_PROTOCOL_H
#define WIRE_PROTOCOL_H

#include "crypto/dh.h"
#include "crypto/identity.h"
#include "crypto/kdf.h"
#include "crypto/suite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 1
#define PROTOCOL_NAME "kdc-chat v1" /* stands in front of everything that is hashed, signed or derived */
#define PROTOCOL_PORT 19268

/* Limits (section 2). Lengths in bytes; a frame's length field counts what follows it. */
#define FRAME_HEADER_LEN 4
#define FRAME_LEN_BEFORE_LOGIN 16384
#define FRAME_LEN_AFTER_LOGIN 65536
#define RECORD_TOGETHER_MAX \
    16344 /* of plaintext, in a record with more than one message: with the seal of any suite 16,384 at most */
#define HELLO_RANDOM_LEN 32
#define HELLO_SUITES_MAX 8
#define RETRY_GROUPS_MAX 8
#define TICKET_LEN_MAX 512 /* a resumption ticket, which has a byte at least */
#define NAME_LEN_MAX 32
#define PASSWORD_LEN_MIN 8
#define PASSWORD_LEN_MAX 72
#define CODE_LEN_MAX 64 /* an invitation's code, or one that was mailed */
#define EMAIL_LEN_MAX 254
#define PHONE_LEN_MAX 32 /* as it is typed */
#define TEXT_LEN_MAX 16384
#define LIST_ENTRIES_MAX 1000
#define CONVERSATION_WINDOW \
    32768 /* bytes under way in one direction of a conversation, and the message that passes it */
#define CONTENT_LEN_MAX (TEXT_LEN_MAX + 17) /* kind, instance, number, text */
#define MESSAGE_SEALED_MAX \
    ((CONTENT_LEN_MAX / 8 + 1) * 8 + SUITE_TAG_MAX) /* a message's ciphertext: padded, and the tag */

/* Plain frames (section 3): before the handshake is done, and never after it. */
enum frame_type {
    FRAME_CLIENT_HELLO = 1,
    FRAME_HELLO_RETRY = 2,
    FRAME_SERVER_HELLO = 3,
    FRAME_CLIENT_FINISH = 4,
    FRAME_ALERT = 5,
};

/* Messages inside records (section 6). */
enum message_type {
    MESSAGE_LOGIN = 16,
    MESSAGE_REGISTER = 17,
    MESSAGE_WELCOME = 18,
    MESSAGE_REFUSED = 19,
    MESSAGE_OPEN = 20,
    MESSAGE_GRANT = 21,
    MESSAGE_CIPHERTEXT = 22,
    MESSAGE_UNDELIVERED = 23,
    MESSAGE_PRESENCE = 24,
    MESSAGE_LIST = 25,
    MESSAGE_LIST_REPLY = 26,
    MESSAGE_WHO = 27,
    MESSAGE_WHO_REPLY = 28,
    MESSAGE_PING = 29,
    MESSAGE_PONG = 30,
    MESSAGE_CLOSE = 31,
    MESSAGE_CREDIT = 32,
    MESSAGE_ACTIVATE = 33,
    MESSAGE_CHANGE_PASSWORD = 34,
    MESSAGE_PASSWORD_CHANGED = 35,
    MESSAGE_LOGIN_CHANGING = 36,
    MESSAGE_DEACTIVATE = 37,
    MESSAGE_CODE_MAILED = 38,
};

/* Why something was refused or ended (section 7): in `alert`, `refused` and `close`. reason.h gives the words. */
enum reason {
    REASON_NONE = 0, /* an orderly end */
    REASON_MALFORMED = 1,
    REASON_OUT_OF_ORDER = 2,
    REASON_TOO_LONG = 3,
    REASON_VERSION = 4,
    REASON_GROUP = 5,
    REASON_SUITE = 6,
    REASON_PUBLIC_VALUE = 7,
    REASON_CONFIRM = 8,
    REASON_RECORD = 9,
    REASON_DEADLINE = 10,
    REASON_BUSY = 11,
    REASON_UNAVAILABLE = 12,
    REASON_LOGIN_FAILED = 13,
    REASON_TRIES = 14,
    REASON_NAME = 15,
    REASON_PASSWORD_SHORT = 16,
    REASON_PASSWORD_LONG = 17,
    REASON_PASSWORD_NUL = 18,
    REASON_PASSWORD_UTF8 = 19,
    REASON_NAME_TAKEN = 20,
    REASON_ACCOUNT_LOCKED = 21,
    REASON_ACCOUNT_DISABLED = 22,
    REASON_ACCOUNT_PENDING = 23,
    REASON_REGISTRATION_CLOSED = 24,
    REASON_NO_SUCH_USER = 25,
    REASON_PEER_OFFLINE = 26,
    REASON_PEER_IS_SELF = 27,
    REASON_PEER_LOCKED = 28,
    REASON_NO_CONVERSATION = 29,
    REASON_TEXT_LENGTH = 30,
    REASON_TOO_MANY = 31,
    REASON_TAKEN_OVER = 32,
    REASON_SHUTTING_DOWN = 33,
    REASON_KICKED = 34,
    REASON_SILENT = 35,
    REASON_SLOW_READER = 36,
    REASON_INTERNAL = 37,
    REASON_MUST_CHANGE = 38,
    REASON_PASSWORD_COMMON = 39,
    REASON_PASSWORD_REUSED = 40,
    REASON_ACCOUNT_EXPIRED = 41,
    REASON_INVITATION = 42,
    REASON_EMAIL = 43,
    REASON_EMAIL_TAKEN = 44,
    REASON_PHONE = 45,
    REASON_PHONE_TAKEN = 46,
    REASON_CODE = 47,
    REASON_CODE_EXPIRED = 48,
    REASON_PENALTY = 49,
    REASON_NEW_PASSWORD = 50,
    REASON_ACCOUNT_RENAMED = 51,
    REASON_ACCOUNT_DELETED = 52,
    REASON_COUNT = 53,
};

enum presence { PRESENCE_OFFLINE = 0, PRESENCE_ONLINE = 1 };

struct bytes {
    const uint8_t *data;
    size_t len;
};

/* A user's name in its one canonical form: lower-case, NUL-terminated. name.h makes and checks it. */
struct name {
    char text[NAME_LEN_MAX + 1];
};

/* Section 3: the handshake's frames. */
struct client_hello {
    uint16_t version;
    uint8_t random[HELLO_RANDOM_LEN];
    uint16_t group;
    struct bytes dh_public;
    uint16_t suites[HELLO_SUITES_MAX]; /* in the client's order of preference */
    size_t suite_count;                /* 1 to HELLO_SUITES_MAX */
    bool resumes;                      /* a ticket is offered: then the two below */
    struct bytes ticket;               /* 1 to TICKET_LEN_MAX bytes, which only KDCs can read */
    uint8_t binder[SHA512_LEN];        /* shows that the client has the ticket's secret */
};

struct hello_retry {
    uint16_t groups[RETRY_GROUPS_MAX]; /* those that the KDC accepts, its preferred one first */
    size_t group_count;                /* 1 to RETRY_GROUPS_MAX */
};

struct server_hello {
    uint16_t version;
    uint8_t random[HELLO_RANDOM_LEN];
    uint16_t suite;
    bool resumed; /* the ticket's secret is in the keys */
    struct bytes dh_public;
    uint8_t identity[IDENTITY_PUBLIC_LEN];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    uint8_t confirm[SHA512_LEN];
};

struct client_finish {
    uint8_t confirm[SHA512_LEN];
};

struct alert {
    enum reason reason;
    uint32_t retry_after; /* seconds; 0: doesn't apply */
};

/* Section 6: messages. A request's number is chosen by the client (1 and up); the reply carries it back. */
struct message_credentials { /* login, and in front of others: bytes as they were typed; the KDC judges them */
    struct bytes name;
    struct bytes password; /* secret */
};

struct message_register {
    struct message_credentials credentials; /* first: the union's other members read it as such */
    struct bytes code;                      /* an invitation's; each of the three may be empty */
    struct bytes email;
    struct bytes phone;
};

struct message_activate {
    struct message_credentials credentials; /* first */
    struct bytes code;                      /* secret: that was mailed; empty: another one is to be mailed */
};

struct message_login_changing {             /* login, and another password from now on */
    struct message_credentials credentials; /* first */
    struct bytes new;                       /* secret */
};

struct message_change_password {
    uint32_t request;
    struct bytes old; /* secret */
    struct bytes new; /* secret */
};

struct message_password_changed {
    uint32_t request;
    uint32_t ticket_seconds; /* as in welcome */
    struct bytes ticket;     /* in place of the welcome's: for the same resumption secret */
};

struct message_deactivate {
    uint32_t request;
    struct bytes code; /* secret; empty: one is to be mailed */
};

struct message_code_mailed {
    uint32_t request;
};

struct message_welcome {
    uint64_t session;
    uint64_t time; /* the KDC's clock, milliseconds since 1970 UTC */
    struct name name;
    uint32_t rekey_messages; /* a new epoch after so many messages of one's own ... */
    uint32_t rekey_seconds;  /* ... or so many seconds */
    uint16_t ping_seconds;   /* a client silent for so long pings */
    uint32_t ticket_seconds; /* the ticket may be used for so long; 0 just when there is none */
    struct bytes ticket;     /* 0 to TICKET_LEN_MAX bytes; it stands for this handshake's resumption secret */
};

struct message_refused {
    uint32_t request; /* 0: login or register */
    enum reason reason;
    uint32_t retry_after; /* seconds; 0: doesn't apply */
};

struct message_open {
    uint32_t request;
    struct name peer;
};

struct message_grant {
    uint32_t request; /* of the one who opened; 0 in the other's grant */
    uint64_t conversation;
    uint32_t epoch;
    struct name a; /* who opened */
    struct name b;
    uint64_t session_a;
    uint64_t session_b;
    uint16_t suite;
    uint64_t time;    /* of issue, milliseconds since 1970 UTC */
    struct bytes key; /* secret: the issued conversation key, suite->issued_key_len bytes */
};

struct message_ciphertext {
    uint64_t conversation;
    uint32_t epoch;
    uint64_t sequence;
    struct bytes sealed;
};

struct message_undelivered {
    uint64_t conversation;
    uint32_t epoch;
    uint64_t sequence;
    enum reason reason;
};

struct message_presence {
    struct name name;
    enum presence presence;
};

struct message_list {
    uint32_t request;
    bool has_after;
    struct name after; /* names behind this one, when has_after */
};

struct list_entry {
    struct name name;
    uint64_t since; /* of the session, milliseconds since 1970 UTC */
};

struct message_list_reply {
    uint32_t request;
    bool more;
    size_t count;                     /* 0 to LIST_ENTRIES_MAX */
    const struct list_entry *entries; /* when encoding: lent by the caller */
    struct bytes encoded;             /* when decoding: for message_list_next */
};

struct message_who {
    uint32_t request;
    struct name name;
};

struct message_who_reply {
    uint32_t request;
    struct name name;
    enum presence presence;
    uint64_t since; /* online: of the session; offline: of the last login, 0 when there was none */
};

struct message_ping { /* ping and its pong */
    uint64_t token;
};

struct message_close {
    enum reason reason;
};

struct message_credit { /* the peer's connection has taken so much of what this client sent */
    uint64_t conversation;
    uint32_t bytes; /* of ciphertext messages, type and body; not 0 */
};

struct message {
    enum message_type type;
    union {
        struct message_credentials credentials;
        struct message_register registering;
        struct message_activate activate;
        struct message_welcome welcome;
        struct message_refused refused;
        struct message_open open;
        struct message_grant grant;
        struct message_ciphertext ciphertext;
        struct message_undelivered undelivered;
        struct message_presence presence;
        struct message_list list;
        struct message_list_reply list_reply;
        struct message_who who;
        struct message_who_reply who_reply;
        struct message_ping ping;
        struct message_close close;
        struct message_credit credit;
        struct message_login_changing login_changing;
        struct message_change_password change_password;
        struct message_password_changed password_changed;
        struct message_deactivate deactivate;
        struct message_code_mailed code_mailed;
    };
};

/* Section 5: what is inside a ciphertext message, once opened by the two people's clients. */
enum content_kind {
    CONTENT_CONFIRM = 1, /* the sender has taken this epoch */
    CONTENT_TEXT = 2,
    CONTENT_RECEIVED = 3, /* the sender's person has all texts up to this number */
};

struct content {
    enum content_kind kind;
    uint64_t instance; /* text: the sender's running client; received: the instance it answers */
    uint64_t number;   /* text: counts up from 1 within the instance; received: the last one that arrived */
    struct bytes text; /* text: UTF-8, 1 to TEXT_LEN_MAX bytes */
};

#endif
