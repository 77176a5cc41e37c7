/* identity.c: Ed25519 by Hogweed, always with the name of the purpose in front of what is signed. */
#include "crypto/identity.h"

#include "crypto/secret.h"

#include <nettle/base64.h>
#include <nettle/eddsa.h>
#include <nettle/sha2.h>
#include <string.h>

#define FINGERPRINT_PREFIX "SHA256:"
#define FINGERPRINT_PREFIX_LEN (sizeof FINGERPRINT_PREFIX - 1)
#define FINGERPRINT_DIGITS (IDENTITY_FINGERPRINT_LEN - 1 - FINGERPRINT_PREFIX_LEN)

struct identity *identity_new(const struct rng *rng)
{
    struct identity *identity = secret_alloc(sizeof *identity);
    if (identity == NULL) {
        return NULL;
    }
    if (rng_fill(rng, identity->seed, sizeof identity->seed) != 0) {
        secret_free(&identity);
        return NULL;
    }
    ed25519_sha512_public_key(identity->public_key, identity->seed);
    secret_wipe_residue();
    return identity;
}

struct identity *identity_from_seed(const uint8_t seed[IDENTITY_SEED_LEN])
{
    struct identity *identity = secret_alloc(sizeof *identity);
    if (identity == NULL) {
        return NULL;
    }
    memcpy(identity->seed, seed, IDENTITY_SEED_LEN);
    ed25519_sha512_public_key(identity->public_key, identity->seed);
    secret_wipe_residue();
    return identity;
}

void identity_free(struct identity **identity)
{
    secret_free(identity);
}

/* context | 0x00 | data in one piece, *len_r bytes of secret memory; NULL when memory is out. */
static uint8_t *signed_bytes(const char *context, const void *data, size_t len, size_t *len_r)
{
    size_t context_len = strlen(context) + 1;
    if (len > SIZE_MAX - context_len) {
        return NULL;
    }
    uint8_t *bytes = secret_alloc(context_len + len);
    if (bytes == NULL) {
        return NULL;
    }
    memcpy(bytes, context, context_len);
    if (len > 0) {
        memcpy(bytes + context_len, data, len);
    }
    *len_r = context_len + len;
    return bytes;
}

int identity_sign(const struct identity *identity, const char *context, const void *data, size_t len,
                  uint8_t signature[IDENTITY_SIGNATURE_LEN])
{
    size_t bytes_len = 0;
    uint8_t *bytes = signed_bytes(context, data, len, &bytes_len);
    if (bytes == NULL) {
        memset(signature, 0, IDENTITY_SIGNATURE_LEN);
        return -1;
    }
    ed25519_sha512_sign(identity->public_key, identity->seed, bytes_len, bytes, signature);
    secret_wipe_residue();
    secret_free(&bytes);
    return 0;
}

int identity_verify(const uint8_t public_key[IDENTITY_PUBLIC_LEN], const char *context, const void *data, size_t len,
                    const uint8_t signature[IDENTITY_SIGNATURE_LEN])
{
    size_t bytes_len = 0;
    uint8_t *bytes = signed_bytes(context, data, len, &bytes_len);
    if (bytes == NULL) {
        return -1;
    }
    int good = ed25519_sha512_verify(public_key, bytes_len, bytes, signature);
    secret_free(&bytes);
    return good == 1 ? 0 : -1;
}

void identity_fingerprint(const uint8_t public_key[IDENTITY_PUBLIC_LEN], char out[IDENTITY_FINGERPRINT_LEN])
{
    struct sha256_ctx context;
    uint8_t hash[SHA256_DIGEST_SIZE];
    char digits[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE)];

    sha256_init(&context);
    sha256_update(&context, IDENTITY_PUBLIC_LEN, public_key);
    sha256_digest(&context, sizeof hash, hash);
    base64_encode_raw(digits, sizeof hash, hash);
    memcpy(out, FINGERPRINT_PREFIX, FINGERPRINT_PREFIX_LEN);
    memcpy(out + FINGERPRINT_PREFIX_LEN, digits, FINGERPRINT_DIGITS);
    out[IDENTITY_FINGERPRINT_LEN - 1] = '\0';
}
