/*
 * suite_stream.c: chacha20-poly1305 and aes-256-gcm, by Nettle.
 *
 * Nettle's own decrypt functions compute the tag and the plaintext in one go. We want the tag first, without
 * computing anything twice: the whole message goes through the part that authenticates (Nettle's `update`, meant for
 * associated data), its two lengths are then set in the context as `decrypt` would have counted them, and only a
 * message with the right tag meets the cipher. The contexts' fields are public; the published vectors in the tests
 * would show a Nettle that counts differently.
 */
#include "crypto/suite_internal.h"

#include "crypto/secret.h"

#include <nettle/chacha-poly1305.h>
#include <nettle/ctr.h>
#include <nettle/gcm.h>
#include <string.h>

#define TAG_LEN 16
#define NONCE_LEN 12

_Static_assert(CHACHA_POLY1305_NONCE_SIZE == NONCE_LEN && GCM_IV_SIZE == NONCE_LEN, "96-bit nonces");
_Static_assert(CHACHA_POLY1305_DIGEST_SIZE == TAG_LEN && GCM_DIGEST_SIZE == TAG_LEN, "128-bit tags");

static size_t sealed_len(size_t plain_len)
{
    return plain_len + TAG_LEN;
}

static void chacha_set_key_of(void *state, const uint8_t *key)
{
    chacha_poly1305_set_key((struct chacha_poly1305_ctx *)state, key);
}

static void chacha_begin(struct chacha_poly1305_ctx *context, const uint8_t *iv, const struct suite_message *message)
{
    uint8_t nonce[NONCE_LEN];
    suite_nonce(nonce, iv, sizeof nonce, message->sequence);
    chacha_poly1305_set_nonce(context, nonce);
    chacha_poly1305_update(context, message->ad_len, message->ad);
}

static void chacha_seal(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *plain,
                        size_t plain_len, uint8_t *out)
{
    struct chacha_poly1305_ctx *context = state;
    chacha_begin(context, iv, message);
    chacha_poly1305_encrypt(context, plain_len, out, plain);
    chacha_poly1305_digest(context, TAG_LEN, out + plain_len);
}

static int chacha_open(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *sealed,
                       size_t len, uint8_t *plain, size_t *plain_len)
{
    static const uint8_t zeros[POLY1305_BLOCK_SIZE];
    struct chacha_poly1305_ctx *context = state;
    uint8_t tag[TAG_LEN];
    if (len < TAG_LEN) {
        return -1;
    }
    size_t text_len = len - TAG_LEN;

    chacha_begin(context, iv, message);
    chacha_poly1305_update(context, -message->ad_len % POLY1305_BLOCK_SIZE, zeros);
    chacha_poly1305_update(context, text_len, sealed);
    context->auth_size = message->ad_len;
    context->data_size = text_len;
    chacha_poly1305_digest(context, sizeof tag, tag);
    bool good = secret_equal(tag, sealed + text_len, TAG_LEN);
    secret_wipe(tag, sizeof tag);
    if (!good) {
        return -1;
    }
    /* Setting the nonce has left the cipher at its second block, where the text begins (RFC 8439 section 2.8). */
    chacha_crypt32(&context->chacha, text_len, plain, sealed);
    *plain_len = text_len;
    return 0;
}

static void gcm_set_key_of(void *state, const uint8_t *key)
{
    gcm_aes256_set_key((struct gcm_aes256_ctx *)state, key);
}

static void gcm_begin(struct gcm_aes256_ctx *context, const uint8_t *iv, const struct suite_message *message)
{
    uint8_t nonce[NONCE_LEN];
    suite_nonce(nonce, iv, sizeof nonce, message->sequence);
    gcm_aes256_set_iv(context, sizeof nonce, nonce);
    gcm_aes256_update(context, message->ad_len, message->ad);
}

static void gcm_seal(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *plain,
                     size_t plain_len, uint8_t *out)
{
    struct gcm_aes256_ctx *context = state;
    gcm_begin(context, iv, message);
    gcm_aes256_encrypt(context, plain_len, out, plain);
    gcm_aes256_digest(context, TAG_LEN, out + plain_len);
}

static int gcm_open(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *sealed,
                    size_t len, uint8_t *plain, size_t *plain_len)
{
    struct gcm_aes256_ctx *context = state;
    uint8_t tag[TAG_LEN];
    if (len < TAG_LEN) {
        return -1;
    }
    size_t text_len = len - TAG_LEN;

    gcm_begin(context, iv, message);
    context->gcm.auth_size = 0; /* `update` fills the last block with zeros by itself, and wants to begin at one */
    gcm_aes256_update(context, text_len, sealed);
    context->gcm.auth_size = message->ad_len;
    context->gcm.data_size = text_len;
    gcm_aes256_digest(context, sizeof tag, tag);
    bool good = secret_equal(tag, sealed + text_len, TAG_LEN);
    secret_wipe(tag, sizeof tag);
    if (!good) {
        return -1;
    }
    /* GCM counts in the last 32 bits, this in all 128: the same, since the count begins at 2 and ends far below
     * 2^32. */
    ctr_crypt(&context->cipher, (nettle_cipher_func *)aes256_encrypt, GCM_BLOCK_SIZE, context->gcm.ctr.b, text_len,
              plain, sealed);
    *plain_len = text_len;
    return 0;
}

const struct suite_code suite_chacha20_poly1305 = {
    .state_len = sizeof(struct chacha_poly1305_ctx),
    .set_key = chacha_set_key_of,
    .sealed_len = sealed_len,
    .seal = chacha_seal,
    .open = chacha_open,
};

const struct suite_code suite_aes_256_gcm = {
    .state_len = sizeof(struct gcm_aes256_ctx),
    .set_key = gcm_set_key_of,
    .sealed_len = sealed_len,
    .seal = gcm_seal,
    .open = gcm_open,
};
