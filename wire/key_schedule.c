#include "wire/key_schedule.h"

#include "crypto/secret.h"
#include "wire/frame.h"

#include <string.h>

/* The protocol's name, two client_hellos, a hello_retry and a server_hello, each as long as it can be. */
#define TRANSCRIPT_MAX (sizeof(PROTOCOL_NAME) - 1 + 2 * CLIENT_HELLO_MAX + HELLO_RETRY_MAX + SERVER_HELLO_MAX)

const char key_schedule_signature_context[] = PROTOCOL_NAME " server signature";

int transcript_init(struct transcript *t)
{
    buffer_init(&t->bytes, TRANSCRIPT_MAX);
    return buffer_append(&t->bytes, PROTOCOL_NAME, sizeof(PROTOCOL_NAME) - 1);
}

void transcript_clear(struct transcript *t)
{
    buffer_clear(&t->bytes);
}

int transcript_add(struct transcript *t, struct bytes frame)
{
    return buffer_append(&t->bytes, frame.data, frame.len);
}

struct bytes transcript_since(const struct transcript *t, size_t from)
{
    return (struct bytes){ .data = buffer_data(&t->bytes) + from, .len = buffer_len(&t->bytes) - from };
}

void transcript_hash(const struct transcript *t, enum transcript_cut cut, uint8_t hash[SHA512_LEN])
{
    sha512_hash(buffer_data(&t->bytes), buffer_len(&t->bytes) - (size_t)cut, hash);
}

void transcript_fill(struct transcript *t, enum transcript_cut cut, const uint8_t value[SHA512_LEN])
{
    memcpy(t->bytes.data + t->bytes.end - (size_t)cut, value, SHA512_LEN);
}

static void expand(const uint8_t prk[KDF_SECRET_LEN], const char *label, uint8_t key[KDF_SECRET_LEN])
{
    hkdf_sha512_expand(prk, label, strlen(label), key, KDF_SECRET_LEN);
}

void key_schedule_derive(struct key_schedule *keys, const uint8_t th[SHA512_LEN], const uint8_t *ikm, size_t ikm_len)
{
    uint8_t prk[KDF_SECRET_LEN];

    hkdf_sha512_extract(th, SHA512_LEN, ikm, ikm_len, prk);
    expand(prk, PROTOCOL_NAME " client traffic", keys->client_traffic);
    expand(prk, PROTOCOL_NAME " server traffic", keys->server_traffic);
    expand(prk, PROTOCOL_NAME " client confirm", keys->client_confirm);
    expand(prk, PROTOCOL_NAME " server confirm", keys->server_confirm);
    expand(prk, PROTOCOL_NAME " exporter", keys->exporter);
    expand(prk, PROTOCOL_NAME " resumption", keys->resumption);
    secret_wipe(prk, sizeof(prk));
}

void key_schedule_confirm(const uint8_t confirm_key[KDF_SECRET_LEN], const uint8_t hash[SHA512_LEN],
                          uint8_t confirm[SHA512_LEN])
{
    hmac_sha512(confirm_key, KDF_SECRET_LEN, hash, SHA512_LEN, confirm);
}

void key_schedule_binder(const uint8_t ticket_secret[KDF_SECRET_LEN], const uint8_t hash[SHA512_LEN],
                         uint8_t binder[SHA512_LEN])
{
    uint8_t binder_key[KDF_SECRET_LEN];

    expand(ticket_secret, PROTOCOL_NAME " binder", binder_key);
    hmac_sha512(binder_key, sizeof(binder_key), hash, SHA512_LEN, binder);
    secret_wipe(binder_key, sizeof(binder_key));
}
