/* tdes_key.c: which triple-DES key bundles may be used. In constant time: the keys are secret. */
#include "crypto/tdes_key.h"

#include "crypto/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define SINGLE_LEN 8
#define KEY_BITS 0xfe /* of a byte; the rest is parity */
#define WEAK_COUNT 16

/* With these, encrypting twice gives the plaintext back: the first four each with itself (weak), the others in
 * pairs (semi-weak). SP 800-67r2 section 3.3.2. */
static const uint8_t weak_keys[WEAK_COUNT][SINGLE_LEN] = {
    { 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01 }, { 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe },
    { 0xe0, 0xe0, 0xe0, 0xe0, 0xf1, 0xf1, 0xf1, 0xf1 }, { 0x1f, 0x1f, 0x1f, 0x1f, 0x0e, 0x0e, 0x0e, 0x0e },
    { 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe }, { 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01 },
    { 0x1f, 0xe0, 0x1f, 0xe0, 0x0e, 0xf1, 0x0e, 0xf1 }, { 0xe0, 0x1f, 0xe0, 0x1f, 0xf1, 0x0e, 0xf1, 0x0e },
    { 0x01, 0xe0, 0x01, 0xe0, 0x01, 0xf1, 0x01, 0xf1 }, { 0xe0, 0x01, 0xe0, 0x01, 0xf1, 0x01, 0xf1, 0x01 },
    { 0x1f, 0xfe, 0x1f, 0xfe, 0x0e, 0xfe, 0x0e, 0xfe }, { 0xfe, 0x1f, 0xfe, 0x1f, 0xfe, 0x0e, 0xfe, 0x0e },
    { 0x01, 0x1f, 0x01, 0x1f, 0x01, 0x0e, 0x01, 0x0e }, { 0x1f, 0x01, 0x1f, 0x01, 0x0e, 0x01, 0x0e, 0x01 },
    { 0xe0, 0xfe, 0xe0, 0xfe, 0xf1, 0xfe, 0xf1, 0xfe }, { 0xfe, 0xe0, 0xfe, 0xe0, 0xfe, 0xf1, 0xfe, 0xf1 },
};

/* 1 when the byte has an odd number of ones, else 0. */
static uint8_t parity(uint8_t byte)
{
    byte = (uint8_t)(byte ^ byte >> 4);
    byte = (uint8_t)(byte ^ byte >> 2);
    byte = (uint8_t)(byte ^ byte >> 1);
    return byte & 1;
}

/* Whether two single keys are the same but for parity. */
static bool same_key(const uint8_t *a, const uint8_t *b)
{
    unsigned difference = 0;
    for (size_t i = 0; i < SINGLE_LEN; i++) {
        difference |= (unsigned)(a[i] ^ b[i]) & KEY_BITS;
    }
    return difference == 0;
}

void tdes_key_set_parity(uint8_t key[TDES_KEY_LEN])
{
    for (size_t i = 0; i < TDES_KEY_LEN; i++) {
        uint8_t bits = key[i] & KEY_BITS;
        key[i] = (uint8_t)(bits | (parity(bits) ^ 1));
    }
}

int tdes_key_check(const uint8_t key[TDES_KEY_LEN])
{
    const uint8_t *k1 = key, *k2 = key + SINGLE_LEN, *k3 = key + 2 * SINGLE_LEN;
    bool bad = false;
    for (size_t i = 0; i < TDES_KEY_LEN; i++) {
        bad |= parity(key[i]) == 0;
    }
    for (size_t i = 0; i < WEAK_COUNT; i++) {
        bad |= same_key(k1, weak_keys[i]);
        bad |= same_key(k2, weak_keys[i]);
        bad |= same_key(k3, weak_keys[i]);
    }
    bad |= same_key(k1, k2);
    bad |= same_key(k2, k3);
    bad |= same_key(k1, k3);
    return bad ? -1 : 0;
}

int tdes_key_generate(const struct rng *rng, uint8_t key[TDES_KEY_LEN])
{
    do {
        if (rng_fill(rng, key, TDES_KEY_LEN) != 0) {
            secret_wipe(key, TDES_KEY_LEN);
            return -1;
        }
        tdes_key_set_parity(key);
    } while (tdes_key_check(key) != 0);
    return 0;
}
