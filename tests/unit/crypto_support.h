/* crypto_support.h: what the crypto room's tests share. For use inside a cmocka test. */
#ifndef TESTS_UNIT_CRYPTO_SUPPORT_H
#define TESTS_UNIT_CRYPTO_SUPPORT_H

#include "crypto/rng.h"

#include <stddef.h>
#include <stdint.h>

/* Hexadecimal text as bytes, at most `room`; returns how many. Anything else fails the test. */
size_t unhex(const char *text, uint8_t *bytes, size_t room);

/* Fails the test unless the `len` bytes are those of the hexadecimal text. */
void assert_hex(const uint8_t *bytes, size_t len, const char *text);

/* Fails the test unless all of the `len` bytes are `value`. */
void assert_all(const uint8_t *bytes, size_t len, uint8_t value);

/* Hands out `bytes`, in order; has no randomness once they are used up. */
struct scripted_rng {
    const uint8_t *bytes;
    size_t len;
};
struct rng scripted_rng(struct scripted_rng *script);

#endif
