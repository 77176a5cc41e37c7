/*
 * suite.h: the authenticated ciphers (AEAD), by name and number, behind one interface.
 *
 *   chacha20-poly1305      RFC 8439; key 32, IV 12, tag 16
 *   aes-256-gcm            SP 800-38D; key 32, IV 12, tag 16
 *   3des-cbc-hmac-sha512   encrypt-then-MAC: three-key triple DES (SP 800-67r2) in CBC mode with PKCS #7
 *                          padding, HMAC-SHA-512 truncated to 32 bytes; key 24 + 32 (cipher, then MAC), IV 8, tag 32
 *
 * Nonces come from a 64-bit sequence number n that never repeats under one key:
 *   the stream suites use nonce = IV xor (n, big-endian, right-aligned), as RFC 8446 section 5.3;
 *   3des-cbc-hmac-sha512 uses the CBC IV = 3DES-encrypt(key, IV xor (n, big-endian)), unpredictable as SP 800-38A
 *   appendix C asks, and the tag covers  ad | CBC IV | ciphertext | bit length of ad (64 bits, big-endian).
 * The tag is checked in constant time before anything is decrypted.
 *
 * An `aead` is one key, scheduled; it lives in secret memory. Thread: an aead belongs to one thread at a time.
 *
 * aead_seal and aead_open leave traces of key stream and text on the stack and in registers. The caller's thread wipes them
 * before it waits or returns to code that isn't ours: secret_wipe_left_residue (crypto/secret.h), once for however many
 * calls. Every other function here wipes what it leaves itself.
 */
#ifndef CRYPTO_SUITE_H
#define CRYPTO_SUITE_H

#include "crypto/kdf.h"
#include "crypto/rng.h"

#include <stddef.h>
#include <stdint.h>

#define SUITE_COUNT 3
#define SUITE_KEY_MAX 56
#define SUITE_IV_MAX 12
#define SUITE_TAG_MAX 32
#define SUITE_OVERHEAD_MAX (SUITE_TAG_MAX + 8) /* the most that sealing adds: tag and padding */
#define SUITE_ISSUED_KEY_MAX 32

enum suite_id {
    SUITE_3DES_CBC_HMAC_SHA512 = 1,
    SUITE_CHACHA20_POLY1305 = 2,
    SUITE_AES_256_GCM = 3,
};

struct suite {
    uint16_t id;           /* enum suite_id */
    const char *name;      /* "chacha20-poly1305" */
    size_t key_len;        /* bytes of key material, the MAC's included */
    size_t iv_len;         /* bytes */
    size_t tag_len;        /* bytes */
    size_t issued_key_len; /* bytes of a conversation key issued for this suite: 24 or 32 */
    uint64_t key_records;  /* a key is renewed once it has sealed so many records ... */
    uint64_t key_bytes;    /* ... or so many bytes of plaintext, whichever is first */
};

/* In the order of the list above. */
extern const struct suite suites[SUITE_COUNT];

/* Their names, with commas between them, in the order in which a client of ours offers them where nobody has chosen.
 *
 * aes-256-gcm is first where the processor computes it (AES and carry-less multiplication; on AArch64, AES): a record of 150
 * bytes costs 0.12 us there, 0.74 under chacha20-poly1305 (Nettle 3.8, EPYC), which is first elsewhere, where AES by tables
 * is slower and its time may depend on the key. What speaks against aes-256-gcm is memory: its scheduled key is 4,400 bytes a
 * direction, 176 under chacha20-poly1305, so a session takes 9.2 KB more while it talks; a silent one gives that back
 * (record_cool). */
const char *suite_default_names(void);

/* NULL when there is none of that number or name. */
const struct suite *suite_by_id(uint16_t id) __attribute__((warn_unused_result));
const struct suite *suite_by_name(const char *name) __attribute__((warn_unused_result));

/* Bytes of ciphertext and tag for `plain_len` bytes of plaintext. */
size_t suite_sealed_len(const struct suite *suite, size_t plain_len);

struct aead; /* one key, scheduled; secret memory */

/* From a key (suite->key_len) and an IV (suite->iv_len). NULL when memory is out, or for a triple-DES key that
 * tdes_key_check refuses. The caller owns it and keeps ownership of the inputs. */
struct aead *aead_new(const struct suite *suite, const uint8_t *key, const uint8_t *iv)
    __attribute__((warn_unused_result));

/* Key and IV derived: HKDF-Expand(secret, info | c, key_len + iv_len) for c = 0, one byte. Triple-DES keys get odd
 * parity, and while tdes_key_check refuses them c counts up (at 255 the derivation fails: never in practice). */
struct aead *aead_derive(const struct suite *suite, const uint8_t secret[KDF_SECRET_LEN], const void *info,
                         size_t info_len) __attribute__((warn_unused_result));

/* Wipes and frees *aead, sets it to NULL; *aead may be NULL. */
void aead_free(struct aead **aead);

const struct suite *aead_suite(const struct aead *aead);

/* out = ciphertext | tag, suite_sealed_len(plain_len) bytes. `out` may be `plain` itself; no other overlap. */
void aead_seal(struct aead *aead, uint64_t sequence, const void *ad, size_t ad_len, const uint8_t *plain,
               size_t plain_len, uint8_t *out);

/* Opens `sealed` into `plain` (room for sealed_len bytes; may be `sealed` itself) and sets *plain_len.
 * 0, or -1 when it is not authentic or not well-formed: then nothing of the plaintext has been written. */
int aead_open(struct aead *aead, uint64_t sequence, const void *ad, size_t ad_len, const uint8_t *sealed,
              size_t sealed_len, uint8_t *plain, size_t *plain_len) __attribute__((warn_unused_result));

/* A fresh conversation key of suite->issued_key_len bytes (secret): for 3des-cbc-hmac-sha512 a triple-DES key
 * bundle as tdes_key_generate makes it, else plain random bytes. 0, or -1 without randomness. */
int suite_issue_key(const struct suite *suite, const struct rng *rng, uint8_t *key) __attribute__((warn_unused_result));

/* Whether `key` could have come from suite_issue_key: its length and, for triple DES, tdes_key_check. 0 or -1. */
int suite_issued_key_check(const struct suite *suite, const uint8_t *key, size_t len)
    __attribute__((warn_unused_result));

#endif
