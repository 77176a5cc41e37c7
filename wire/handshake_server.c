/*
 * The KDC's side of the handshake, as docs/protocol.md section 3 has it:
 *
 *   client_hello     version; decodes
 *                    the group is accepted, else hello_retry, once
 *                    a suite in common
 *                    1 < y < p - 1
 *     (a ticket)     the KDC opens it, else not resumed
 *                    binder == HMAC(Expand(the ticket's secret, ...), SHA-512(transcript .. ticket))
 *                                                                         (so far: cheap, on the caller's thread)
 *   compute          random fresh; x, 2^x mod p fresh
 *                    Z    = y^x mod p                                     forget x
 *   server_hello     th   = SHA-512(transcript .. identity)
 *                    keys = Expand(Extract(th, Z), labels)                forget Z; resumed: Extract(th, Z | the
 *                                                                         ticket's secret), forget that
 *                    signature = Ed25519(identity, "... server signature" | 0 | th)
 *                    th_s = SHA-512(transcript .. signature);  confirm = HMAC(server_confirm, th_s)
 *                    th_c = SHA-512(transcript .. confirm)                -> wire, with handshake_server_reply
 *   client_finish    confirm == HMAC(client_confirm, th_c)                the keys go to the caller
 *
 * A frame changes the object only once all of it has held. What fails leaves the object dead and without secrets.
 */
#include "wire/handshake.h"

#include "crypto/secret.h"
#include "wire/frame.h"
#include "wire/handshake_peek.h"
#include "wire/key_schedule.h"

#include <string.h>

enum server_state {
    SERVER_NEW = 0, /* client_hello awaited */
    SERVER_HELLO,   /* a client_hello in order: to be computed */
    SERVER_REPLY,   /* computed: to be sent */
    SERVER_FINISH,  /* server_hello sent, client_finish awaited */
    SERVER_DONE,    /* keys handed over */
    SERVER_DEAD,
};

struct handshake_server {
    const struct handshake_policy *policy;
    const struct identity *identity;
    const struct handshake_tickets *tickets; /* NULL: none is taken */
    struct rng rng;
    enum server_state state;
    bool retried;
    struct transcript transcript;
    const struct dh_group *group; /* from SERVER_HELLO on, and the four below */
    const struct suite *suite;
    bool resumed;
    uint8_t ticket_secret[KDF_SECRET_LEN]; /* in SERVER_HELLO, when resumed */
    size_t hello_len;                      /* of the transcript: where the server_hello begins */
    enum reason computed;                  /* from SERVER_REPLY on, and all below */
    uint8_t th[SHA512_LEN];
    uint8_t confirm[SHA512_LEN]; /* what client_finish must say */
    struct key_schedule keys;
    struct bytes client_public; /* in SERVER_HELLO; lent from the transcript, until that grows */
};

struct handshake_server *handshake_server_new(const struct handshake_policy *policy, const struct identity *identity,
                                              const struct handshake_tickets *tickets, const struct rng *rng)
{
    struct handshake_server *server = secret_alloc(sizeof(*server));

    if (server == NULL)
        return NULL;
    server->policy = policy;
    server->identity = identity;
    server->tickets = tickets;
    server->rng = *rng;
    server->state = SERVER_NEW;
    if (transcript_init(&server->transcript) != 0)
        handshake_server_free(&server);
    return server;
}

void handshake_server_free(struct handshake_server **server)
{
    if (*server == NULL)
        return;
    transcript_clear(&(*server)->transcript);
    secret_free(server);
}

/* The end of the road, good or bad: nothing secret stays. */
static void forget(struct handshake_server *server, enum server_state state)
{
    secret_wipe(server->ticket_secret, sizeof(server->ticket_secret));
    secret_wipe(server->confirm, sizeof(server->confirm));
    secret_wipe(&server->keys, sizeof(server->keys));
    transcript_clear(&server->transcript);
    server->client_public = (struct bytes){ 0 };
    server->state = state;
}

static bool listed(const uint16_t *list, size_t count, uint16_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == id)
            return true;
    }
    return false;
}

/* The first of the client's suites that we accept; NULL when there is none. */
static const struct suite *choose_suite(const struct handshake_policy *policy, const struct client_hello *m)
{
    for (size_t i = 0; i < m->suite_count; i++) {
        const struct suite *suite = suite_by_id(m->suites[i]);
        if (suite != NULL && listed(policy->suites, policy->suite_count, suite->id))
            return suite;
    }
    return NULL;
}

/* hello_retry, once: into the transcript behind the hello that it answers, and from there onto the wire. */
static enum reason send_retry(struct handshake_server *server, struct bytes hello, struct buffer *out)
{
    const struct handshake_policy *policy = server->policy;
    struct hello_retry m = { .group_count = policy->group_count };

    if (server->retried)
        return REASON_GROUP;
    memcpy(m.groups, policy->groups, policy->group_count * sizeof(m.groups[0]));
    if (transcript_add(&server->transcript, hello) != 0)
        return REASON_INTERNAL;
    size_t from = buffer_len(&server->transcript.bytes);
    if (frame_put_hello_retry(&server->transcript.bytes, &m) != 0)
        return REASON_INTERNAL;
    struct bytes frame = transcript_since(&server->transcript, from);
    if (buffer_append(out, frame.data, frame.len) != 0)
        return REASON_INTERNAL;
    server->retried = true;
    return REASON_NONE;
}

/* The ticket of the client_hello that was added last. One that we can't take is no fault of the client's; to offer one
 * without its secret is. */
static enum reason take_ticket(struct handshake_server *server, const struct client_hello *m, bool *resumed)
{
    uint8_t hash[SHA512_LEN], binder[SHA512_LEN];
    enum reason reason = REASON_NONE;

    *resumed = m->resumes && server->tickets != NULL &&
               server->tickets->open(server->tickets->context, m->ticket, server->ticket_secret);
    if (!*resumed) {
        secret_wipe(server->ticket_secret, sizeof(server->ticket_secret));
        return REASON_NONE;
    }
    transcript_hash(&server->transcript, CUT_BINDER, hash);
    key_schedule_binder(server->ticket_secret, hash, binder);
    if (!secret_equal(binder, m->binder, sizeof(binder)))
        reason = REASON_CONFIRM;
    secret_wipe(binder, sizeof(binder));
    return reason;
}

/* client_hello: all that can be said against it before anything is computed. */
static enum reason take_hello(struct handshake_server *server, struct bytes frame, struct buffer *out,
                              enum handshake_server_event *event)
{
    const struct handshake_policy *policy = server->policy;
    struct client_hello m;

    if (handshake_peek_type(frame) != FRAME_CLIENT_HELLO)
        return REASON_OUT_OF_ORDER;
    if (handshake_peek_other_version(frame))
        return REASON_VERSION;
    if (frame_get_client_hello(frame, &m) != 0)
        return REASON_MALFORMED;

    const struct dh_group *group = dh_group_by_id(m.group);
    if (group == NULL || !listed(policy->groups, policy->group_count, m.group)) {
        *event = HANDSHAKE_SERVER_RETRY;
        return send_retry(server, frame, out);
    }
    const struct suite *suite = choose_suite(policy, &m);
    if (suite == NULL)
        return REASON_SUITE;
    if (dh_public_check(group, m.dh_public.data, m.dh_public.len) != DH_OK)
        return REASON_PUBLIC_VALUE;

    /* The frame is the caller's: the public value is kept where the transcript has it. */
    size_t at = (size_t)(m.dh_public.data - frame.data);
    size_t from = buffer_len(&server->transcript.bytes);
    bool resumed;
    if (transcript_add(&server->transcript, frame) != 0)
        return REASON_INTERNAL;
    const enum reason refused = take_ticket(server, &m, &resumed);
    if (refused != REASON_NONE)
        return refused;
    struct bytes kept = transcript_since(&server->transcript, from);
    server->client_public = (struct bytes){ .data = kept.data + at, .len = m.dh_public.len };
    server->hello_len = from + kept.len;
    server->group = group;
    server->suite = suite;
    server->resumed = resumed;
    server->state = SERVER_HELLO;
    *event = HANDSHAKE_SERVER_COMPUTE;
    return REASON_NONE;
}

/* client_finish */
static enum reason take_finish(struct handshake_server *server, struct bytes frame, struct handshake_keys *keys)
{
    struct client_finish m;

    if (handshake_peek_type(frame) != FRAME_CLIENT_FINISH)
        return REASON_OUT_OF_ORDER;
    if (frame_get_client_finish(frame, &m) != 0)
        return REASON_MALFORMED;
    if (!secret_equal(m.confirm, server->confirm, sizeof(server->confirm)))
        return REASON_CONFIRM;

    keys->suite = server->suite;
    keys->group = server->group;
    memcpy(keys->client_traffic, server->keys.client_traffic, KDF_SECRET_LEN);
    memcpy(keys->server_traffic, server->keys.server_traffic, KDF_SECRET_LEN);
    memcpy(keys->exporter, server->keys.exporter, KDF_SECRET_LEN);
    memcpy(keys->resumption, server->keys.resumption, KDF_SECRET_LEN);
    memcpy(keys->transcript, server->th, SHA512_LEN);
    keys->resumed = server->resumed;
    forget(server, SERVER_DONE);
    return REASON_NONE;
}

enum handshake_server_event handshake_server_frame(struct handshake_server *server, struct bytes frame,
                                                   struct buffer *out, struct handshake_keys *keys, enum reason *reason)
{
    enum handshake_server_event event = HANDSHAKE_SERVER_DONE;

    switch (server->state) {
    case SERVER_NEW:
        *reason = take_hello(server, frame, out, &event);
        break;
    case SERVER_FINISH:
        *reason = take_finish(server, frame, keys);
        break;
    default:
        *reason = REASON_OUT_OF_ORDER;
        break;
    }
    if (*reason == REASON_NONE)
        return event;
    forget(server, SERVER_DEAD);
    return HANDSHAKE_SERVER_FAILED;
}

static enum reason reason_of_dh(enum dh_result result)
{
    switch (result) {
    case DH_OK:
        return REASON_NONE;
    case DH_BAD_LENGTH:
    case DH_BAD_VALUE:
        return REASON_PUBLIC_VALUE;
    case DH_FAILED:
        break;
    }
    return REASON_INTERNAL;
}

/* x, 2^x, Z */
static enum reason exchange(struct handshake_server *server, uint8_t *public_value, uint8_t *shared)
{
    struct bytes y = server->client_public;
    uint8_t *private_key = secret_alloc(server->group->private_len);
    if (private_key == NULL)
        return REASON_INTERNAL;
    enum dh_result result = dh_keypair(server->group, &server->rng, private_key, public_value);
    if (result == DH_OK)
        result = dh_shared(server->group, private_key, y.data, y.len, shared);
    secret_free(&private_key);
    return reason_of_dh(result);
}

/* The two powers, the signature and both confirms; the server_hello is complete in the transcript afterwards. What it
 * leaves in the object counts for nothing unless it returns REASON_NONE. */
static enum reason compute(struct handshake_server *server)
{
    const struct dh_group *group = server->group;
    struct transcript *transcript = &server->transcript;
    uint8_t public_value[DH_PUBLIC_MAX];
    uint8_t signature[IDENTITY_SIGNATURE_LEN], confirm[SHA512_LEN], hash[SHA512_LEN];
    struct server_hello m = {
        .version = PROTOCOL_VERSION,
        .suite = server->suite->id,
        .resumed = server->resumed,
        .dh_public = { .data = public_value, .len = group->len },
    };
    size_t ikm_len = group->len;
    uint8_t *shared = secret_alloc(group->len + KDF_SECRET_LEN); /* Z, and behind it the ticket's secret */
    enum reason reason = REASON_INTERNAL;

    if (shared == NULL)
        goto out;
    memcpy(m.identity, server->identity->public_key, sizeof(m.identity));
    if (rng_fill(&server->rng, m.random, sizeof(m.random)) != 0)
        goto out;

    /* x, Z */
    reason = exchange(server, public_value, shared);
    if (reason != REASON_NONE)
        goto out;
    reason = REASON_INTERNAL;
    if (frame_put_server_hello(&transcript->bytes, &m) != 0)
        goto out;

    /* th, keys */
    transcript_hash(transcript, CUT_IDENTITY, server->th);
    if (server->resumed) {
        memcpy(shared + ikm_len, server->ticket_secret, KDF_SECRET_LEN);
        ikm_len += KDF_SECRET_LEN;
    }
    key_schedule_derive(&server->keys, server->th, shared, ikm_len);

    /* signature */
    if (identity_sign(server->identity, key_schedule_signature_context, server->th, sizeof(server->th), signature) != 0)
        goto out;
    transcript_fill(transcript, CUT_IDENTITY, signature);

    /* th_s, our confirm */
    transcript_hash(transcript, CUT_SIGNATURE, hash);
    key_schedule_confirm(server->keys.server_confirm, hash, confirm);
    transcript_fill(transcript, CUT_SIGNATURE, confirm);

    /* th_c, what the client's must be */
    transcript_hash(transcript, CUT_CONFIRM, hash);
    key_schedule_confirm(server->keys.client_confirm, hash, server->confirm);
    reason = REASON_NONE;

out:
    secret_free(&shared);
    return reason;
}

void handshake_server_compute(struct handshake_server *server)
{
    if (server->state != SERVER_HELLO)
        return;
    server->computed = compute(server);
    secret_wipe(server->ticket_secret, sizeof(server->ticket_secret));
    server->client_public = (struct bytes){ 0 };
    server->state = SERVER_REPLY;
}

/* server_hello */
enum reason handshake_server_reply(struct handshake_server *server, struct buffer *out)
{
    enum reason reason = REASON_INTERNAL;

    if (server->state != SERVER_REPLY)
        goto dead;
    reason = server->computed;
    if (reason != REASON_NONE)
        goto dead;
    struct bytes frame = transcript_since(&server->transcript, server->hello_len);
    if (buffer_append(out, frame.data, frame.len) != 0) {
        reason = REASON_INTERNAL;
        goto dead;
    }
    transcript_clear(&server->transcript); /* th_c was its last use */
    server->state = SERVER_FINISH;
    return REASON_NONE;

dead:
    forget(server, SERVER_DEAD);
    return reason;
}

bool handshake_server_resumed(const struct handshake_server *server)
{
    return server->resumed;
}

const struct dh_group *handshake_server_group(const struct handshake_server *server)
{
    return server->group;
}

const struct suite *handshake_server_suite(const struct handshake_server *server)
{
    return server->suite;
}
