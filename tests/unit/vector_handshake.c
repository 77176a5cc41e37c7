/* The handshakes of the test vector. */
#include "tests/unit/fixed_rng.h"
#include "tests/unit/vector_internal.h"
#include "wire/frame.h"

#include <string.h>

/* Where the hellos have their public value. */
#define CLIENT_DH_AT (FRAME_HEADER_LEN + 1 + 2 + HELLO_RANDOM_LEN + 2 + 2)
#define SERVER_DH_AT (FRAME_HEADER_LEN + 1 + 2 + HELLO_RANDOM_LEN + 2 + 1 + 2)

static struct bytes take(struct buffer *b, uint8_t *room)
{
    size_t len = 0;
    if (frame_peek(buffer_data(b), buffer_len(b), FRAME_LEN_BEFORE_LOGIN, &len) != FRAME_READY || len > VECTOR_ROOM)
        return (struct bytes){ .data = room, .len = 0 };
    memcpy(room, buffer_data(b), len);
    buffer_consume(b, len);
    return (struct bytes){ .data = room, .len = len };
}

/* The private exponent behind a public value: drawn again from the same place of the same stream. */
static void exponent(struct vector *v, const struct person *p, const char *rng_name, size_t skip,
                     const struct dh_group *group, const uint8_t *public_value, const char *name,
                     uint8_t private_key[DH_PRIVATE_MAX])
{
    struct fixed_rng rng;
    uint8_t skipped[256], again[DH_PUBLIC_MAX];

    fixed_rng_init(&rng, rng_name);
    vector_check(v, skip <= sizeof(skipped) && rng_fill(&rng.rng, skipped, skip) == 0, "randomness");
    vector_check(v, dh_keypair(group, &rng.rng, private_key, again) == DH_OK, "key pair");
    vector_check(v, memcmp(again, public_value, group->len) == 0, "the exponent doesn't belong to the public value");
    vector_person_line(v, p, name, private_key, group->private_len);
}

/* Section 3.3, from the frames. `hello_len` bytes of `transcript` are in front of the server_hello. */
static void key_lines(struct vector *v, struct person *p, const uint8_t *transcript, size_t len,
                      const uint8_t *private_key, const uint8_t *kdc_public)
{
    const struct dh_group *group = p->keys.group;
    uint8_t th[64], th_s[64], th_c[64], z[DH_PUBLIC_MAX + 64], prk[64], key[64], signed_bytes[128];
    size_t ikm_len = group->len;
    const uint8_t *end = transcript + len; /* of the server_hello */

    sha512_hash(transcript, len - 128, th);
    sha512_hash(transcript, len - 64, th_s);
    sha512_hash(transcript, len, th_c);
    vector_check(v, dh_shared(group, private_key, kdc_public, group->len, z) == DH_OK, "shared secret");
    if (p->before != NULL) {
        memcpy(z + ikm_len, p->before->keys.resumption, 64);
        ikm_len += 64;
    }
    hmac_sha512(th, 64, z, ikm_len, prk);
    vector_person_line(v, p, "th", th, 64);
    vector_person_line(v, p, "th_s", th_s, 64);
    vector_person_line(v, p, "th_c", th_c, 64);
    vector_person_line(v, p, "z", z, group->len);
    sha512_hash(z, group->len, key);
    vector_person_line(v, p, "z_sha512", key, 64);
    vector_person_line(v, p, "prk", prk, 64);
    vector_check(v, memcmp(th, p->keys.transcript, 64) == 0, "th");

    vector_expand_label(prk, "client traffic", key);
    vector_person_line(v, p, "client_traffic", key, 64);
    vector_check(v, memcmp(key, p->keys.client_traffic, 64) == 0, "client_traffic");
    vector_expand_label(prk, "server traffic", key);
    vector_person_line(v, p, "server_traffic", key, 64);
    vector_check(v, memcmp(key, p->keys.server_traffic, 64) == 0, "server_traffic");
    vector_expand_label(prk, "exporter", key);
    vector_person_line(v, p, "exporter", key, 64);
    vector_check(v, memcmp(key, p->keys.exporter, 64) == 0, "exporter");
    vector_expand_label(prk, "resumption", key);
    vector_person_line(v, p, "resumption", key, 64);
    vector_check(v, memcmp(key, p->keys.resumption, 64) == 0, "resumption");

    int context = snprintf((char *)signed_bytes, sizeof(signed_bytes), "kdc-chat v1 server signature");
    memcpy(signed_bytes + context + 1, th, 64);
    vector_person_line(v, p, "signature_over", signed_bytes, (size_t)context + 1 + 64);
    vector_person_line(v, p, "signature", end - 128, 64);
    vector_check(v, identity_verify(v->identity->public_key, "kdc-chat v1 server signature", th, 64, end - 128) == 0,
                 "signature");

    uint8_t confirm[64];
    vector_expand_label(prk, "server confirm", key);
    hmac_sha512(key, 64, th_s, 64, confirm);
    vector_person_line(v, p, "server_confirm_key", key, 64);
    vector_person_line(v, p, "server_confirm", confirm, 64);
    vector_check(v, memcmp(confirm, end - 64, 64) == 0, "server_hello's confirm");
    vector_expand_label(prk, "client confirm", key);
    hmac_sha512(key, 64, th_c, 64, confirm);
    vector_person_line(v, p, "client_confirm_key", key, 64);
    vector_person_line(v, p, "client_confirm", confirm, 64);
}

/* The ticket that the welcome of p->before brought. */
static bool open_ticket(void *context, struct bytes ticket, uint8_t secret[KDF_SECRET_LEN])
{
    const struct person *p = context;

    if (p->before == NULL || ticket.len != sizeof(p->before->ticket) ||
        memcmp(ticket.data, p->before->ticket, ticket.len) != 0)
        return false;
    memcpy(secret, p->before->keys.resumption, KDF_SECRET_LEN);
    return true;
}

static bool offer(struct handshake_client *client, const struct person *p)
{
    const struct person *before = p->before;

    return before == NULL ||
           handshake_client_offer(client, (struct bytes){ .data = before->ticket, .len = sizeof(before->ticket) },
                                  before->keys.resumption) == 0;
}

static bool same_keys(const struct handshake_keys *a, const struct handshake_keys *b)
{
    return a->suite == b->suite && a->group == b->group && a->resumed == b->resumed &&
           memcmp(a->client_traffic, b->client_traffic, KDF_SECRET_LEN) == 0 &&
           memcmp(a->server_traffic, b->server_traffic, KDF_SECRET_LEN) == 0 &&
           memcmp(a->exporter, b->exporter, KDF_SECRET_LEN) == 0 &&
           memcmp(a->resumption, b->resumption, KDF_SECRET_LEN) == 0 &&
           memcmp(a->transcript, b->transcript, SHA512_LEN) == 0;
}

/* Section 3.5, from the transcript, which ends with the client_hello. */
static void binder_lines(struct vector *v, const struct person *p, const uint8_t *transcript, size_t len)
{
    uint8_t hash[64], key[64], binder[64];

    vector_comment(v, "Section 3.5: from the first session's resumption.");
    sha512_hash(transcript, len - 64, hash);
    vector_expand_label(p->before->keys.resumption, "binder", key);
    hmac_sha512(key, 64, hash, 64, binder);
    vector_person_line(v, p, "binder_key", key, 64);
    vector_person_line(v, p, "binder_over", hash, 64);
    vector_person_line(v, p, "binder", binder, 64);
    vector_check(v, memcmp(binder, transcript + len - 64, 64) == 0, "binder");
}

void vector_handshake(struct vector *v, struct person *p)
{
    static const struct handshake_policy kdc_policy = {
        .groups = { DH_FFDHE2048 },
        .group_count = 1,
        .suites = { SUITE_CHACHA20_POLY1305, SUITE_AES_256_GCM, SUITE_3DES_CBC_HMAC_SHA512 },
        .suite_count = 3,
    };
    struct fixed_rng client_rng, server_rng;
    struct buffer to_kdc, to_client;
    struct handshake_keys kdc_keys = { 0 };
    struct handshake_failure failure;
    enum reason reason = REASON_NONE;
    uint8_t transcript[VECTOR_ROOM], room[VECTOR_ROOM];
    size_t len = sizeof(PROTOCOL_NAME) - 1, hello_len = 0, client_skip = 0;
    const struct handshake_tickets tickets = { .context = p, .open = open_ticket };
    uint8_t private_key[DH_PRIVATE_MAX], kdc_private[DH_PRIVATE_MAX];

    fixed_rng_init(&client_rng, p->client_rng);
    fixed_rng_init(&server_rng, p->server_rng);
    buffer_init(&to_kdc, VECTOR_ROOM);
    buffer_init(&to_client, VECTOR_ROOM);
    memcpy(transcript, PROTOCOL_NAME, len);
    struct handshake_client *client = handshake_client_new(&p->policy, &client_rng.rng);
    struct handshake_server *server = handshake_server_new(&kdc_policy, v->identity, &tickets, &server_rng.rng);
    if (client == NULL || server == NULL || !offer(client, p) ||
        handshake_client_start(client, &to_kdc) != REASON_NONE) {
        vector_check(v, false, "handshake doesn't start");
        goto out;
    }

    struct bytes frame = take(&to_kdc, room);
    enum handshake_server_event event = handshake_server_frame(server, frame, &to_client, &kdc_keys, &reason);
    if (event == HANDSHAKE_SERVER_RETRY) {
        vector_comment(v, "The group isn't accepted: hello_retry, and another client_hello.");
        const struct dh_group *refused = handshake_client_group(client);
        vector_person_line(v, p, "refused_client_hello", frame.data, frame.len);
        exponent(v, p, p->client_rng, HELLO_RANDOM_LEN, refused, frame.data + CLIENT_DH_AT, "refused_client_private",
                 private_key);
        client_skip = HELLO_RANDOM_LEN + refused->private_len;
        memcpy(transcript + len, frame.data, frame.len);
        len += frame.len;
        frame = take(&to_client, room);
        vector_person_line(v, p, "hello_retry", frame.data, frame.len);
        memcpy(transcript + len, frame.data, frame.len);
        len += frame.len;
        vector_check(v, handshake_client_frame(client, frame, &to_kdc, &failure) == HANDSHAKE_RETRIED, "hello_retry");
        frame = take(&to_kdc, room);
        event = handshake_server_frame(server, frame, &to_client, &kdc_keys, &reason);
    }
    vector_check(v, event == HANDSHAKE_SERVER_COMPUTE, "client_hello");
    const struct dh_group *group = handshake_client_group(client);
    vector_comment(v, "client_hello, server_hello, client_finish: whole frames. Then the two private exponents.");
    vector_person_line(v, p, "client_hello", frame.data, frame.len);
    uint8_t client_public[DH_PUBLIC_MAX], kdc_public[DH_PUBLIC_MAX];
    memcpy(client_public, frame.data + CLIENT_DH_AT, group->len);
    memcpy(transcript + len, frame.data, frame.len);
    len += frame.len;
    hello_len = len;

    handshake_server_compute(server);
    vector_check(v, handshake_server_reply(server, &to_client) == REASON_NONE, "server_hello");
    frame = take(&to_client, room);
    vector_person_line(v, p, "server_hello", frame.data, frame.len);
    memcpy(kdc_public, frame.data + SERVER_DH_AT, group->len);
    memcpy(transcript + len, frame.data, frame.len);
    len += frame.len;
    vector_check(v, handshake_client_frame(client, frame, &to_kdc, &failure) == HANDSHAKE_IDENTITY,
                 "server_hello refused");
    vector_check(v, handshake_client_finish(client, &to_kdc, &p->keys) == REASON_NONE, "client_finish");
    frame = take(&to_kdc, room);
    vector_person_line(v, p, "client_finish", frame.data, frame.len);
    vector_check(v, handshake_server_frame(server, frame, &to_client, &kdc_keys, &reason) == HANDSHAKE_SERVER_DONE,
                 "client_finish refused");
    vector_check(v, same_keys(&kdc_keys, &p->keys), "the two sides' keys");
    vector_check(v, p->keys.resumed == (p->before != NULL), "resumed");
    if (v->failed)
        goto out;

    exponent(v, p, p->client_rng, client_skip + HELLO_RANDOM_LEN, group, client_public, "client_private", private_key);
    exponent(v, p, p->server_rng, HELLO_RANDOM_LEN, group, kdc_public, "kdc_private", kdc_private);
    if (p->before != NULL)
        binder_lines(v, p, transcript, hello_len);
    vector_comment(v, "Section 3.3.");
    key_lines(v, p, transcript, len, private_key, kdc_public);

out:
    handshake_client_free(&client);
    handshake_server_free(&server);
    buffer_clear(&to_kdc);
    buffer_clear(&to_client);
}
