/*
 * tdes_key.h: triple-DES key bundles (SP 800-67r2 section 3): K1, K2, K3 of 8 bytes each, odd parity in each
 * byte's lowest bit, three different keys, none of them weak or semi-weak.
 *
 * No state, any thread.
 */
#ifndef CRYPTO_TDES_KEY_H
#define CRYPTO_TDES_KEY_H

#include "crypto/rng.h"

#include <stdint.h>

#define TDES_KEY_LEN 24
#define TDES_BLOCK_LEN 8

/* Sets each byte's lowest bit so that the byte has an odd number of ones. */
void tdes_key_set_parity(uint8_t key[TDES_KEY_LEN]);

/* 0 for a bundle that may be used; -1 for wrong parity, a weak or semi-weak key, or two equal keys. */
int tdes_key_check(const uint8_t key[TDES_KEY_LEN]) __attribute__((warn_unused_result));

/* A fresh bundle (secret); draws again until tdes_key_check accepts. -1 without randomness: then `key` is zero. */
int tdes_key_generate(const struct rng *rng, uint8_t key[TDES_KEY_LEN]) __attribute__((warn_unused_result));

#endif
