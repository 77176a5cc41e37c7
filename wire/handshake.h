/*
 * handshake.h: the handshake's two sides (docs/protocol.md section 3) as state machines without I/O. Frames in, frames
 * out; the result is one traffic secret for each direction, and each side's certainty that the other holds them too.
 *
 *   client                                   KDC
 *   handshake_client_start   -- client_hello -->   handshake_server_hello
 *                            <- hello_retry --     (at most once; a new client_hello follows)
 *                                                  handshake_server_compute   on a worker
 *   handshake_client_frame   <- server_hello --    handshake_server_reply
 *   (the caller judges the KDC's identity)
 *   handshake_client_finish  -- client_finish ->   handshake_server_finish
 *
 * A client that has a ticket from an earlier session may offer it (section 3.5). If the KDC takes it, the ticket's secret
 * goes into the keys beside the shared secret, and a handshake that completes has shown that both sides have it.
 *
 * Each frame is accepted once, in this order; after any failure the object accepts nothing more. The objects live in secret
 * memory. A private exponent is wiped once the shared secret is there, the shared secret and the ticket's once the keys are
 * derived.
 *
 * Thread: an object belongs to one thread at a time. handshake_server_compute is the one slow call of the server (two
 * powers and a signature): the caller may hand the object to another thread for it.
 */
#ifndef WIRE_HANDSHAKE_H
#define WIRE_HANDSHAKE_H

#include "wire/buffer.h"
#include "wire/protocol.h"

/* What the handshake leaves; secret. The caller owns it and wipes it (record_init copies what it needs). */
struct handshake_keys {
    const struct suite *suite;
    const struct dh_group *group;
    uint8_t client_traffic[KDF_SECRET_LEN]; /* client to KDC */
    uint8_t server_traffic[KDF_SECRET_LEN]; /* KDC to client */
    uint8_t exporter[KDF_SECRET_LEN];
    uint8_t resumption[KDF_SECRET_LEN]; /* the secret of the ticket that this session's welcome brings */
    uint8_t transcript[SHA512_LEN];     /* th: not secret, names this handshake */
    bool resumed;                       /* a ticket was taken: its secret is in all of the above */
};

/* What a side accepts; lent for the life of the handshake. Most preferred first. */
struct handshake_policy {
    uint16_t groups[DH_GROUP_COUNT];
    size_t group_count;
    uint16_t suites[SUITE_COUNT];
    size_t suite_count;
};

/* ---- the client's side ---- */
struct handshake_client;

/* Starts with groups[0] of the policy. NULL when memory or randomness is out. */
struct handshake_client *handshake_client_new(const struct handshake_policy *policy, const struct rng *rng)
    __attribute__((warn_unused_result));
void handshake_client_free(struct handshake_client **client); /* wipes, sets to NULL */

/* Offers a ticket in every client_hello: 1 to TICKET_LEN_MAX bytes, and the secret that goes with it. Both are copied. To
 * be called before handshake_client_start; 0, or -1 when it is too late or the ticket can't be one (nothing is offered). */
int handshake_client_offer(struct handshake_client *client, struct bytes ticket, const uint8_t secret[KDF_SECRET_LEN])
    __attribute__((warn_unused_result));

/* Appends the client_hello. REASON_NONE or REASON_INTERNAL. */
enum reason handshake_client_start(struct handshake_client *client, struct buffer *out)
    __attribute__((warn_unused_result));

enum handshake_event {
    HANDSHAKE_FAILED = -1, /* *reason tells; for an alert it is the KDC's, *retry_after too */
    HANDSHAKE_RETRIED = 0, /* the KDC wanted another group: a new client_hello was appended */
    HANDSHAKE_IDENTITY = 1 /* server_hello verified: judge handshake_client_identity, then finish or give up */
};

/* What went wrong, in the client's eyes or by the KDC's alert. */
struct handshake_failure {
    enum reason reason;
    bool from_peer;       /* the reason came in an alert (not authenticated) */
    uint32_t retry_after; /* seconds, with an alert */
    bool bad_signature;   /* the KDC's signature was wrong: somebody in between */
};

/* One whole plain frame from the KDC. */
enum handshake_event handshake_client_frame(struct handshake_client *client, struct bytes frame, struct buffer *out,
                                            struct handshake_failure *failure) __attribute__((warn_unused_result));

/* The KDC's identity, IDENTITY_PUBLIC_LEN bytes; valid after HANDSHAKE_IDENTITY. It has proved that it holds it. */
const uint8_t *handshake_client_identity(const struct handshake_client *client);

/* The identity was accepted: appends client_finish and fills `keys`. REASON_NONE or REASON_INTERNAL / OUT_OF_ORDER. */
enum reason handshake_client_finish(struct handshake_client *client, struct buffer *out, struct handshake_keys *keys)
    __attribute__((warn_unused_result));

/* For --debug: the group in use and both randoms (public). */
const struct dh_group *handshake_client_group(const struct handshake_client *client);
const uint8_t *handshake_client_random(const struct handshake_client *client);
const uint8_t *handshake_client_server_random(const struct handshake_client *client);

/* ---- the KDC's side ---- */
struct handshake_server;

/* How the KDC opens a ticket; lent for the object's life. */
struct handshake_tickets {
    void *context;
    /* True: the ticket is one of ours and may be used now; `secret` is then filled. Called from handshake_server_frame: cheap. */
    bool (*open)(void *context, struct bytes ticket, uint8_t secret[KDF_SECRET_LEN]);
};

/* `policy`, `identity` and `tickets` (NULL: takes none) are lent and must outlive the object. NULL when memory is out. */
struct handshake_server *handshake_server_new(const struct handshake_policy *policy, const struct identity *identity,
                                              const struct handshake_tickets *tickets, const struct rng *rng)
    __attribute__((warn_unused_result));
void handshake_server_free(struct handshake_server **server); /* wipes, sets to NULL */

enum handshake_server_event {
    HANDSHAKE_SERVER_FAILED = -1, /* *reason tells; the caller sends the alert and closes */
    HANDSHAKE_SERVER_RETRY = 0,   /* a hello_retry was appended */
    HANDSHAKE_SERVER_COMPUTE = 1, /* the hello is in order: call handshake_server_compute, then _reply */
    HANDSHAKE_SERVER_DONE = 2,    /* both sides hold the keys: *keys is filled */
};

/* One whole plain frame from the client: client_hello (twice at most) or client_finish, as the state demands. `keys` is
 * filled at HANDSHAKE_SERVER_DONE. Cheap: no power is computed here. */
enum handshake_server_event handshake_server_frame(struct handshake_server *server, struct bytes frame,
                                                   struct buffer *out, struct handshake_keys *keys, enum reason *reason)
    __attribute__((warn_unused_result));

/* The slow part; touches nothing but `server` (and its identity and rng, which must allow that thread). */
void handshake_server_compute(struct handshake_server *server);

/* Appends the server_hello once computed. REASON_NONE, REASON_PUBLIC_VALUE or REASON_INTERNAL. */
enum reason handshake_server_reply(struct handshake_server *server, struct buffer *out)
    __attribute__((warn_unused_result));

/* Whether the client's ticket was taken, and its binder right; false before the hello was in order. That the client has
 * more than a copy of somebody's client_hello is certain at HANDSHAKE_SERVER_DONE only. */
bool handshake_server_resumed(const struct handshake_server *server);

/* The group and suite agreed on; NULL before the hello was in order. */
const struct dh_group *handshake_server_group(const struct handshake_server *server);
const struct suite *handshake_server_suite(const struct handshake_server *server);

#endif
