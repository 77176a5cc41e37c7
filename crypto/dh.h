/*
 * dh.h: finite-field Diffie-Hellman in the groups of RFC 7919, and in no others.
 *
 * A group is named by its TLS registry number (RFC 7919 section 3). Values on the wire are unsigned, big-endian
 * and exactly as long as the group's prime. Private exponents have the short lengths of RFC 7919 appendix A.
 * Powers take the same time for every exponent: mpn_sec_powm (GMP's constant-time mpz_powm_sec, less its choice of
 * memory) for a variable base; for the generator a table of its powers with constant-time selection, once
 * dh_group_prepare has built it. All numbers that depend on a secret, GMP's scratch included, are in secret memory,
 * and leave with a fixed width. What GMP's assembly kept in registers and stack frames is wiped.
 *
 * Thread: any. dh_group_prepare may be called by several threads at once; a table is never changed once built.
 */
#ifndef CRYPTO_DH_H
#define CRYPTO_DH_H

#include "crypto/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DH_PUBLIC_MAX 1024 /* bytes: ffdhe8192 */
#define DH_PRIVATE_MAX 50  /* bytes: 400 bits */
#define DH_GROUP_COUNT 5

enum dh_group_id {
    DH_FFDHE2048 = 0x0100,
    DH_FFDHE3072 = 0x0101,
    DH_FFDHE4096 = 0x0102,
    DH_FFDHE6144 = 0x0103,
    DH_FFDHE8192 = 0x0104,
};

struct dh_group {
    uint16_t id;            /* enum dh_group_id */
    const char *name;       /* "ffdhe3072" */
    size_t len;             /* bytes of the prime, of a public value and of a shared secret */
    unsigned exponent_bits; /* 225, 275, 325, 375, 400 */
    size_t private_len;     /* bytes: exponent_bits rounded up */
    const char *prime_hex;  /* the prime p, upper-case hexadecimal, 2 * len digits; the generator is 2 */
};

/* All five, smallest first. */
extern const struct dh_group dh_groups[DH_GROUP_COUNT];

/* The group of that number or name; NULL when there is none. */
const struct dh_group *dh_group_by_id(uint16_t id) __attribute__((warn_unused_result));
const struct dh_group *dh_group_by_name(const char *name) __attribute__((warn_unused_result));

/* Builds the table of the generator's powers, ahead of need. Safe to call again. -1 when memory is out. */
int dh_group_prepare(const struct dh_group *group) __attribute__((warn_unused_result));

enum dh_result {
    DH_OK = 0,
    DH_BAD_LENGTH = -1, /* not the group's length */
    DH_BAD_VALUE = -2,  /* not 1 < y < p - 1 */
    DH_FAILED = -3,     /* no randomness or no memory: ours, not the peer's fault */
};

/* Whether a peer's public value may be computed with: exact length and 1 < y < p - 1. */
enum dh_result dh_public_check(const struct dh_group *group, const uint8_t *public_value, size_t len)
    __attribute__((warn_unused_result));

/* A fresh key pair: `private_key` (group->private_len bytes, big-endian, secret, never zero or one) and
 * `public_value` = 2^private_key mod p (group->len bytes). DH_OK or DH_FAILED; on failure both are zero. */
enum dh_result dh_keypair(const struct dh_group *group, const struct rng *rng, uint8_t *private_key,
                          uint8_t *public_value) __attribute__((warn_unused_result));

/* `shared` (group->len bytes, secret, left-padded with zeros) = peer_public^private_key mod p. Checks
 * peer_public first, as dh_public_check does; on failure `shared` is zero. */
enum dh_result dh_shared(const struct dh_group *group, const uint8_t *private_key, const uint8_t *peer_public,
                         size_t peer_len, uint8_t *shared) __attribute__((warn_unused_result));

#endif
