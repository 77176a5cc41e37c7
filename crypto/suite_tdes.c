/* suite_tdes.c: 3des-cbc-hmac-sha512, encrypt-then-MAC, as suite.h describes it; the primitives are Nettle's. */
#include "crypto/suite_internal.h"

#include "crypto/secret.h"
#include "crypto/tdes_key.h"

#include <nettle/cbc.h>
#include <nettle/des.h>
#include <nettle/hmac.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>
#include <string.h>

#define BLOCK TDES_BLOCK_LEN
#define TAG_LEN 32
#define MAC_KEY_LEN 32
#define CHUNK (64 * BLOCK)

struct tdes_state {
    struct des3_ctx cipher;
    struct sha512_ctx mac_outer, mac_inner; /* HMAC's two hashes, just behind the key */
};

static size_t sealed_len(size_t plain_len)
{
    return (plain_len / BLOCK + 1) * BLOCK + TAG_LEN;
}

static void set_key(void *state, const uint8_t *key)
{
    struct tdes_state *keys = state;
    (void)des3_set_key(&keys->cipher, key); /* its answer is about weak keys, which were refused before */
    struct sha512_ctx working;
    hmac_set_key(&keys->mac_outer, &keys->mac_inner, &working, &nettle_sha512, MAC_KEY_LEN, key + TDES_KEY_LEN);
    secret_wipe(&working, sizeof working);
}

static void cbc_iv(struct tdes_state *keys, const uint8_t *iv, uint64_t sequence, uint8_t out[BLOCK])
{
    suite_nonce(out, iv, BLOCK, sequence);
    des3_encrypt(&keys->cipher, BLOCK, out, out);
}

/* HMAC of  ad | CBC IV | ciphertext | bit length of ad, cut to TAG_LEN. */
static void compute_tag(struct tdes_state *keys, const struct suite_message *message, const uint8_t *chain,
                        const uint8_t *text, size_t text_len, uint8_t tag[TAG_LEN])
{
    uint8_t ad_bits[8];
    for (size_t i = 0; i < sizeof ad_bits; i++) {
        ad_bits[i] = (uint8_t)((uint64_t)message->ad_len * 8 >> (56 - 8 * i));
    }
    struct sha512_ctx working = keys->mac_inner;
    sha512_update(&working, message->ad_len, message->ad);
    sha512_update(&working, BLOCK, chain);
    sha512_update(&working, text_len, text);
    sha512_update(&working, sizeof ad_bits, ad_bits);
    hmac_digest(&keys->mac_outer, &keys->mac_inner, &working, &nettle_sha512, TAG_LEN, tag);
    secret_wipe(&working, sizeof working);
}

static void seal(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *plain,
                 size_t plain_len, uint8_t *out)
{
    struct tdes_state *keys = state;
    uint8_t start[BLOCK], chain[BLOCK], last[BLOCK];
    size_t rest = plain_len % BLOCK;
    size_t whole = plain_len - rest;

    /* The padded last block first: `out` may be `plain`. */
    memset(last, (int)(BLOCK - rest), BLOCK);
    if (rest > 0) {
        memcpy(last, plain + whole, rest);
    }
    cbc_iv(keys, iv, message->sequence, start);
    memcpy(chain, start, BLOCK);
    cbc_encrypt(&keys->cipher, (nettle_cipher_func *)des3_encrypt, BLOCK, chain, whole, out, plain);
    cbc_encrypt(&keys->cipher, (nettle_cipher_func *)des3_encrypt, BLOCK, chain, BLOCK, out + whole, last);
    compute_tag(keys, message, start, out, whole + BLOCK, out + whole + BLOCK);
    secret_wipe(last, sizeof last);
}

/* Decrypts whole blocks. In steps, out of a copy of the ciphertext: in place Nettle would put the plaintext through
 * a buffer on its stack, which nobody wipes. */
static void decrypt(struct tdes_state *keys, uint8_t chain[BLOCK], const uint8_t *text, size_t len, uint8_t *plain)
{
    uint8_t copy[CHUNK];
    while (len > 0) {
        size_t step = len < CHUNK ? len : CHUNK;
        memcpy(copy, text, step);
        cbc_decrypt(&keys->cipher, (nettle_cipher_func *)des3_decrypt, BLOCK, chain, step, plain, copy);
        text += step;
        plain += step;
        len -= step;
    }
}

/* The length of the PKCS #7 padding at the end of `block`, 1 to 8, or 0 when it is not well-formed. */
static size_t padding_len(const uint8_t block[BLOCK])
{
    unsigned len = block[BLOCK - 1];
    unsigned wrong = (unsigned)(len < 1) | (unsigned)(len > BLOCK);
    for (unsigned i = 0; i < BLOCK; i++) {
        unsigned is_padding = (unsigned)(i + len >= BLOCK);
        wrong |= is_padding & (unsigned)(block[i] != len);
    }
    return wrong != 0 ? 0 : len;
}

static int open_sealed(void *state, const uint8_t *iv, const struct suite_message *message, const uint8_t *sealed,
                       size_t len, uint8_t *plain, size_t *plain_len)
{
    struct tdes_state *keys = state;
    uint8_t chain[BLOCK], last_chain[BLOCK], last[BLOCK], tag[TAG_LEN];
    if (len < BLOCK + TAG_LEN || (len - TAG_LEN) % BLOCK != 0) {
        return -1;
    }
    size_t text_len = len - TAG_LEN;
    size_t whole = text_len - BLOCK;

    cbc_iv(keys, iv, message->sequence, chain);
    compute_tag(keys, message, chain, sealed, text_len, tag);
    bool good = secret_equal(tag, sealed + text_len, TAG_LEN);
    secret_wipe(tag, sizeof tag);
    if (!good) {
        return -1;
    }

    /* The last block first: nothing may be written before its padding is known to be right. */
    memcpy(last_chain, whole > 0 ? sealed + whole - BLOCK : chain, BLOCK);
    decrypt(keys, last_chain, sealed + whole, BLOCK, last);
    size_t padding = padding_len(last);
    if (padding > 0) {
        decrypt(keys, chain, sealed, whole, plain);
        memcpy(plain + whole, last, BLOCK - padding);
        *plain_len = text_len - padding;
    }
    secret_wipe(last, sizeof last);
    return padding > 0 ? 0 : -1;
}

const struct suite_code suite_3des_cbc_hmac_sha512 = {
    .state_len = sizeof(struct tdes_state),
    .set_key = set_key,
    .sealed_len = sealed_len,
    .seal = seal,
    .open = open_sealed,
};
