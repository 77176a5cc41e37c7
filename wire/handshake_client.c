/*
 * The client's side of the handshake, as docs/protocol.md section 3 has it:
 *
 *   client_hello     x, 2^x mod p fresh; random fresh                      -> transcript, wire
 *     (a ticket)     binder = HMAC(Expand(the ticket's secret, ...), SHA-512(transcript .. ticket))
 *   hello_retry      another group that we allow, once; client_hello again
 *   server_hello     resumed only if a ticket was offered
 *                    1 < y < p - 1
 *                    th   = SHA-512(transcript .. identity)
 *                    Ed25519 verify(identity, "... server signature" | 0 | th)
 *                    Z    = y^x mod p                                      forget x
 *                    keys = Expand(Extract(th, Z), labels)                 forget Z; resumed: Extract(th, Z | the
 *                                                                          ticket's secret); forget that either way
 *                    th_s = SHA-512(transcript .. signature)
 *                    confirm == HMAC(server_confirm, th_s)
 *                    th_c = SHA-512(transcript .. confirm)
 *   (identity)       the caller judges it
 *   client_finish    HMAC(client_confirm, th_c)                            -> wire; the keys go to the caller
 *
 * A frame changes the object only once all of it has held. What fails leaves the object dead and without secrets.
 */
#include "wire/handshake.h"

#include "crypto/secret.h"
#include "wire/frame.h"
#include "wire/handshake_peek.h"
#include "wire/key_schedule.h"

#include <string.h>

enum client_state {
    CLIENT_NEW = 0,  /* nothing sent */
    CLIENT_HELLO,    /* client_hello sent, server_hello or hello_retry awaited */
    CLIENT_IDENTITY, /* server_hello verified, the caller judges */
    CLIENT_DONE,     /* client_finish sent, keys handed over */
    CLIENT_DEAD,
};

struct handshake_client {
    const struct handshake_policy *policy;
    struct rng rng;
    enum client_state state;
    bool retried;
    struct transcript transcript;
    uint8_t random[HELLO_RANDOM_LEN];
    uint8_t server_random[HELLO_RANDOM_LEN];
    uint8_t identity[IDENTITY_PUBLIC_LEN];
    const struct dh_group *group;        /* of the last client_hello */
    uint8_t private_key[DH_PRIVATE_MAX]; /* in CLIENT_HELLO */
    uint8_t ticket[TICKET_LEN_MAX];      /* offered in each client_hello, when ticket_len > 0 */
    size_t ticket_len;
    uint8_t ticket_secret[KDF_SECRET_LEN]; /* until the keys are there */
    const struct suite *suite;             /* from CLIENT_IDENTITY on, and all below */
    bool resumed;
    uint8_t th[SHA512_LEN];
    uint8_t confirm[SHA512_LEN]; /* what client_finish will say */
    struct key_schedule keys;    /* in CLIENT_IDENTITY */
};

struct handshake_client *handshake_client_new(const struct handshake_policy *policy, const struct rng *rng)
{
    struct handshake_client *client = secret_alloc(sizeof(*client));

    if (client == NULL)
        return NULL;
    client->policy = policy;
    client->rng = *rng;
    client->state = CLIENT_NEW;
    if (transcript_init(&client->transcript) != 0)
        handshake_client_free(&client);
    return client;
}

void handshake_client_free(struct handshake_client **client)
{
    if (*client == NULL)
        return;
    transcript_clear(&(*client)->transcript);
    secret_free(client);
}

/* The end of the road, good or bad: nothing secret stays. */
static void forget(struct handshake_client *client, enum client_state state)
{
    secret_wipe(client->private_key, sizeof(client->private_key));
    secret_wipe(client->ticket_secret, sizeof(client->ticket_secret));
    secret_wipe(client->confirm, sizeof(client->confirm));
    secret_wipe(&client->keys, sizeof(client->keys));
    transcript_clear(&client->transcript);
    client->state = state;
}

int handshake_client_offer(struct handshake_client *client, struct bytes ticket, const uint8_t secret[KDF_SECRET_LEN])
{
    if (client->state != CLIENT_NEW || ticket.len < 1 || ticket.len > TICKET_LEN_MAX)
        return -1;
    memcpy(client->ticket, ticket.data, ticket.len);
    client->ticket_len = ticket.len;
    memcpy(client->ticket_secret, secret, KDF_SECRET_LEN);
    return 0;
}

/* Over all up to the ticket of the client_hello that was encoded just now, with zeros for its binder. */
static void bind_ticket(struct handshake_client *client)
{
    uint8_t hash[SHA512_LEN], binder[SHA512_LEN];

    transcript_hash(&client->transcript, CUT_BINDER, hash);
    key_schedule_binder(client->ticket_secret, hash, binder);
    transcript_fill(&client->transcript, CUT_BINDER, binder);
}

/* client_hello: into the transcript, and from there onto the wire. */
static enum reason send_hello(struct handshake_client *client, const struct dh_group *group, struct buffer *out)
{
    const struct handshake_policy *policy = client->policy;
    size_t from = buffer_len(&client->transcript.bytes);
    uint8_t public_value[DH_PUBLIC_MAX];
    struct client_hello m = {
        .version = PROTOCOL_VERSION,
        .group = group->id,
        .dh_public = { .data = public_value, .len = group->len },
        .suite_count = policy->suite_count,
        .resumes = client->ticket_len > 0,
        .ticket = { .data = client->ticket, .len = client->ticket_len },
    };

    memcpy(m.suites, policy->suites, policy->suite_count * sizeof(m.suites[0]));
    /* The exponent goes straight to where it may be; every failure here is the object's end. */
    if (rng_fill(&client->rng, m.random, sizeof(m.random)) != 0 ||
        dh_keypair(group, &client->rng, client->private_key, public_value) != DH_OK ||
        frame_put_client_hello(&client->transcript.bytes, &m) != 0)
        return REASON_INTERNAL;
    if (m.resumes)
        bind_ticket(client);
    struct bytes frame = transcript_since(&client->transcript, from);
    if (buffer_append(out, frame.data, frame.len) != 0)
        return REASON_INTERNAL;

    memcpy(client->random, m.random, sizeof(m.random));
    client->group = group;
    client->state = CLIENT_HELLO;
    return REASON_NONE;
}

enum reason handshake_client_start(struct handshake_client *client, struct buffer *out)
{
    const struct handshake_policy *policy = client->policy;
    const struct dh_group *group = policy->group_count > 0 ? dh_group_by_id(policy->groups[0]) : NULL;
    enum reason reason = REASON_INTERNAL;

    if (client->state == CLIENT_NEW && group != NULL && policy->suite_count > 0 && policy->suite_count <= SUITE_COUNT)
        reason = send_hello(client, group, out);
    if (reason != REASON_NONE)
        forget(client, CLIENT_DEAD);
    return reason;
}

static bool listed(const uint16_t *list, size_t count, uint16_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == id)
            return true;
    }
    return false;
}

/* The first of the KDC's groups that we allow and that it hasn't just refused; NULL when there is none. */
static const struct dh_group *choose_group(const struct handshake_client *client, const struct hello_retry *m)
{
    const struct handshake_policy *policy = client->policy;

    for (size_t i = 0; i < m->group_count; i++) {
        const struct dh_group *group = dh_group_by_id(m->groups[i]);
        if (group != NULL && group != client->group && listed(policy->groups, policy->group_count, group->id))
            return group;
    }
    return NULL;
}

/* hello_retry */
static enum reason take_retry(struct handshake_client *client, struct bytes frame, struct buffer *out)
{
    struct hello_retry m;

    if (client->state != CLIENT_HELLO || client->retried)
        return REASON_OUT_OF_ORDER;
    if (frame_get_hello_retry(frame, &m) != 0)
        return REASON_MALFORMED;
    const struct dh_group *group = choose_group(client, &m);
    if (group == NULL)
        return REASON_GROUP;
    if (transcript_add(&client->transcript, frame) != 0)
        return REASON_INTERNAL;
    client->retried = true;
    return send_hello(client, group, out);
}

/* Z = y^x mod p, and the keys from it; `resumed`: from the ticket's secret, too. */
static enum reason derive_keys(const struct handshake_client *client, const struct server_hello *m,
                               const uint8_t th[SHA512_LEN], struct key_schedule *keys)
{
    const struct dh_group *group = client->group;
    size_t ikm_len = group->len;
    uint8_t *shared = secret_alloc(group->len + KDF_SECRET_LEN);
    enum reason reason = REASON_NONE;

    if (shared == NULL)
        return REASON_INTERNAL;
    switch (dh_shared(group, client->private_key, m->dh_public.data, m->dh_public.len, shared)) {
    case DH_OK:
        if (m->resumed) {
            memcpy(shared + ikm_len, client->ticket_secret, KDF_SECRET_LEN);
            ikm_len += KDF_SECRET_LEN;
        }
        key_schedule_derive(keys, th, shared, ikm_len);
        break;
    case DH_BAD_LENGTH:
    case DH_BAD_VALUE:
        reason = REASON_PUBLIC_VALUE;
        break;
    case DH_FAILED:
        reason = REASON_INTERNAL;
        break;
    }
    secret_free(&shared);
    return reason;
}

/* server_hello: cheap checks first, then the signature, then the key and the KDC's proof that it holds it too. */
static enum reason take_server_hello(struct handshake_client *client, struct bytes frame, bool *bad_signature)
{
    const struct handshake_policy *policy = client->policy;
    struct server_hello m;
    struct key_schedule keys = { 0 };
    uint8_t th[SHA512_LEN], hash[SHA512_LEN];
    uint8_t confirm[SHA512_LEN] = { 0 };
    enum reason reason;

    if (client->state != CLIENT_HELLO)
        return REASON_OUT_OF_ORDER;
    if (handshake_peek_other_version(frame))
        return REASON_VERSION;
    if (frame_get_server_hello(frame, &m) != 0)
        return REASON_MALFORMED;
    const struct suite *suite = suite_by_id(m.suite);
    if (suite == NULL || !listed(policy->suites, policy->suite_count, m.suite))
        return REASON_SUITE;
    if (m.resumed && client->ticket_len == 0)
        return REASON_MALFORMED;
    if (dh_public_check(client->group, m.dh_public.data, m.dh_public.len) != DH_OK)
        return REASON_PUBLIC_VALUE;
    if (transcript_add(&client->transcript, frame) != 0)
        return REASON_INTERNAL;

    /* th, signature */
    transcript_hash(&client->transcript, CUT_IDENTITY, th);
    if (identity_verify(m.identity, key_schedule_signature_context, th, sizeof(th), m.signature) != 0) {
        *bad_signature = true;
        return REASON_CONFIRM;
    }

    /* Z, keys */
    reason = derive_keys(client, &m, th, &keys);
    secret_wipe(client->private_key, sizeof(client->private_key));
    secret_wipe(client->ticket_secret, sizeof(client->ticket_secret));
    if (reason != REASON_NONE)
        goto out;

    /* th_s, the KDC's confirm */
    transcript_hash(&client->transcript, CUT_SIGNATURE, hash);
    key_schedule_confirm(keys.server_confirm, hash, confirm);
    if (!secret_equal(confirm, m.confirm, sizeof(confirm))) {
        reason = REASON_CONFIRM;
        goto out;
    }

    /* th_c, ours */
    transcript_hash(&client->transcript, CUT_CONFIRM, hash);
    key_schedule_confirm(keys.client_confirm, hash, client->confirm);
    memcpy(client->th, th, sizeof(th));
    memcpy(client->server_random, m.random, sizeof(m.random));
    memcpy(client->identity, m.identity, sizeof(m.identity));
    client->keys = keys;
    client->suite = suite;
    client->resumed = m.resumed;
    client->state = CLIENT_IDENTITY;

out:
    secret_wipe(&keys, sizeof(keys));
    secret_wipe(confirm, sizeof(confirm));
    return reason;
}

/* alert: it may also come while a person is still looking at the identity. */
static enum reason take_alert(const struct handshake_client *client, struct bytes frame,
                              struct handshake_failure *failure)
{
    struct alert m;

    if (client->state != CLIENT_HELLO && client->state != CLIENT_IDENTITY)
        return REASON_OUT_OF_ORDER;
    if (frame_get_alert(frame, &m) != 0)
        return REASON_MALFORMED;
    failure->from_peer = true;
    failure->retry_after = m.retry_after;
    return m.reason;
}

enum handshake_event handshake_client_frame(struct handshake_client *client, struct bytes frame, struct buffer *out,
                                            struct handshake_failure *failure)
{
    enum handshake_event event = HANDSHAKE_FAILED;

    *failure = (struct handshake_failure){ 0 };
    switch (handshake_peek_type(frame)) {
    case FRAME_HELLO_RETRY:
        failure->reason = take_retry(client, frame, out);
        event = HANDSHAKE_RETRIED;
        break;
    case FRAME_SERVER_HELLO:
        failure->reason = take_server_hello(client, frame, &failure->bad_signature);
        event = HANDSHAKE_IDENTITY;
        break;
    case FRAME_ALERT:
        failure->reason = take_alert(client, frame, failure);
        break;
    default:
        failure->reason = REASON_OUT_OF_ORDER;
        break;
    }
    if (failure->reason == REASON_NONE)
        return event;
    forget(client, CLIENT_DEAD);
    return HANDSHAKE_FAILED;
}

const uint8_t *handshake_client_identity(const struct handshake_client *client)
{
    return client->identity;
}

/* client_finish */
enum reason handshake_client_finish(struct handshake_client *client, struct buffer *out, struct handshake_keys *keys)
{
    struct client_finish m;
    enum reason reason = REASON_OUT_OF_ORDER;

    if (client->state != CLIENT_IDENTITY)
        goto dead;
    memcpy(m.confirm, client->confirm, sizeof(m.confirm));
    reason = REASON_INTERNAL;
    if (frame_put_client_finish(out, &m) != 0)
        goto dead;

    keys->suite = client->suite;
    keys->group = client->group;
    memcpy(keys->client_traffic, client->keys.client_traffic, KDF_SECRET_LEN);
    memcpy(keys->server_traffic, client->keys.server_traffic, KDF_SECRET_LEN);
    memcpy(keys->exporter, client->keys.exporter, KDF_SECRET_LEN);
    memcpy(keys->resumption, client->keys.resumption, KDF_SECRET_LEN);
    memcpy(keys->transcript, client->th, SHA512_LEN);
    keys->resumed = client->resumed;
    forget(client, CLIENT_DONE);
    return REASON_NONE;

dead:
    forget(client, CLIENT_DEAD);
    return reason;
}

const struct dh_group *handshake_client_group(const struct handshake_client *client)
{
    return client->group;
}

const uint8_t *handshake_client_random(const struct handshake_client *client)
{
    return client->random;
}

const uint8_t *handshake_client_server_random(const struct handshake_client *client)
{
    return client->server_random;
}
