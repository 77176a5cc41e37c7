/*
 * identity.h: a long-term Ed25519 key (RFC 8032), and how people see it.
 *
 * Any thread. The seed is secret; the public key and the fingerprint are not. A program that holds an identity calls
 * secret_guard_gmp first: Hogweed computes in memory of GMP's.
 */
#ifndef CRYPTO_IDENTITY_H
#define CRYPTO_IDENTITY_H

#include "crypto/rng.h"

#include <stddef.h>
#include <stdint.h>

#define IDENTITY_SEED_LEN 32
#define IDENTITY_PUBLIC_LEN 32
#define IDENTITY_SIGNATURE_LEN 64
#define IDENTITY_FINGERPRINT_LEN 51 /* "SHA256:" and 43 characters of base64, and the final NUL */

/* Secret memory: made by identity_new or identity_from_seed, ended by identity_free. */
struct identity {
    uint8_t seed[IDENTITY_SEED_LEN];
    uint8_t public_key[IDENTITY_PUBLIC_LEN];
};

/* A fresh identity; NULL without randomness or memory. */
struct identity *identity_new(const struct rng *rng) __attribute__((warn_unused_result));

/* The identity of that seed (copied); NULL when memory is out. */
struct identity *identity_from_seed(const uint8_t seed[IDENTITY_SEED_LEN]) __attribute__((warn_unused_result));

/* Wipes and frees *identity, sets it to NULL; *identity may be NULL. */
void identity_free(struct identity **identity);

/* signature = Ed25519(identity, context | 0x00 | data). `context` is a string that names what is being signed, so
 * that a signature made for one purpose never serves another. 0; or -1 when memory is out (Ed25519 reads its message
 * twice, in one piece): then `signature` is zero. */
int identity_sign(const struct identity *identity, const char *context, const void *data, size_t len,
                  uint8_t signature[IDENTITY_SIGNATURE_LEN]) __attribute__((warn_unused_result));

/* 0 when `signature` is public_key's over context | 0x00 | data; -1 otherwise (or when memory is out). */
int identity_verify(const uint8_t public_key[IDENTITY_PUBLIC_LEN], const char *context, const void *data, size_t len,
                    const uint8_t signature[IDENTITY_SIGNATURE_LEN]) __attribute__((warn_unused_result));

/* "SHA256:…": base64 without padding of SHA-256 of the public key, as OpenSSH shows host keys. */
void identity_fingerprint(const uint8_t public_key[IDENTITY_PUBLIC_LEN], char out[IDENTITY_FINGERPRINT_LEN]);

#endif
