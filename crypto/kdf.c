/* kdf.c: SHA-512, HMAC and HKDF by Nettle, with contexts that are wiped. */
#include "crypto/kdf.h"

#include "crypto/secret.h"

#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>

static const uint8_t zero_salt[SHA512_LEN];

/* Nettle's generic functions call back with an untyped context. */
static void update(void *context, size_t len, const uint8_t *data)
{
    hmac_sha512_update((struct hmac_sha512_ctx *)context, len, data);
}

static void digest(void *context, size_t len, uint8_t *out)
{
    hmac_sha512_digest((struct hmac_sha512_ctx *)context, len, out);
}

void sha512_hash(const void *data, size_t len, uint8_t out[SHA512_LEN])
{
    struct sha512_ctx context;
    sha512_init(&context);
    sha512_update(&context, len, data);
    sha512_digest(&context, SHA512_LEN, out);
    secret_wipe(&context, sizeof context);
    secret_wipe_residue();
}

void hmac_sha512(const uint8_t *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA512_LEN])
{
    struct hmac_sha512_ctx context;
    hmac_sha512_set_key(&context, key_len, key);
    hmac_sha512_update(&context, len, data);
    hmac_sha512_digest(&context, SHA512_LEN, out);
    secret_wipe(&context, sizeof context);
    secret_wipe_residue();
}

void hkdf_sha512_extract(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                         uint8_t prk[KDF_SECRET_LEN])
{
    struct hmac_sha512_ctx context;
    hmac_sha512_set_key(&context, salt_len > 0 ? salt_len : sizeof zero_salt, salt_len > 0 ? salt : zero_salt);
    hkdf_extract(&context, update, digest, SHA512_LEN, ikm_len, ikm, prk);
    secret_wipe(&context, sizeof context);
    secret_wipe_residue();
}

void hkdf_sha512_expand(const uint8_t prk[KDF_SECRET_LEN], const void *info, size_t info_len, uint8_t *out,
                        size_t out_len)
{
    struct hmac_sha512_ctx context;
    hmac_sha512_set_key(&context, KDF_SECRET_LEN, prk);
    hkdf_expand(&context, update, digest, SHA512_LEN, info_len, info, out_len, out);
    secret_wipe(&context, sizeof context);
    secret_wipe_residue();
}
