/*
 * suite_internal.h: what a suite gives to suite.c. Private to crypto/.
 *
 * `state` is a suite's scheduled key, state_len bytes of secret memory, zero before set_key.
 */
#ifndef CRYPTO_SUITE_INTERNAL_H
#define CRYPTO_SUITE_INTERNAL_H

#include "crypto/suite.h"

/* A message's sequence number and associated data, as they come in through suite.h. */
struct suite_message {
    uint64_t sequence;
    const uint8_t *ad;
    size_t ad_len;
};

struct suite_code {
    size_t state_len; /* bytes */
    /* `key` is suite->key_len bytes and has been checked. */
    void (*set_key)(void *state, const uint8_t *key);
    size_t (*sealed_len)(size_t plain_len);
    /* As aead_seal and aead_open. */
    void (*seal)(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *plain,
                 size_t plain_len, uint8_t *out);
    int (*open)(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *sealed,
                size_t sealed_len, uint8_t *plain, size_t *plain_len);
};

extern const struct suite_code suite_chacha20_poly1305;
extern const struct suite_code suite_aes_256_gcm;
extern const struct suite_code suite_3des_cbc_hmac_sha512;

/* nonce = iv xor (sequence, big-endian, right-aligned); `len` bytes, at least 8. */
void suite_nonce(uint8_t *nonce, const uint8_t *iv, size_t len, uint64_t sequence);

#endif
