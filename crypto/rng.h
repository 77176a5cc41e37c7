/*
 * rng.h: randomness, handed in.
 *
 * Whatever needs random bytes takes a `const struct rng *`. Programs hand in rng_system; tests hand in a
 * generator of their own, so that a whole exchange can be replayed.
 */
#ifndef CRYPTO_RNG_H
#define CRYPTO_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    /* Fills `len` bytes. Returns 0, or -1 when there is no randomness to be had: then nothing may go on. */
    int (*fill)(void *context, uint8_t *out, size_t len);
    void *context;
};

/* The kernel's generator: getrandom(2). Any thread. */
extern const struct rng rng_system;

/* Fills `len` bytes from `rng`; 0, or -1 as above. */
int rng_fill(const struct rng *rng, uint8_t *out, size_t len) __attribute__((warn_unused_result));

#endif
