/*
 * fixed_rng.h: randomness that can be had again: the stream of SHA-512("kdc-chat test vector" | name | u64 counter)
 * for counter = 0, 1, 2 ... (docs/protocol.md section 9). For tests and fuzzers alone.
 */
#ifndef TESTS_FIXED_RNG_H
#define TESTS_FIXED_RNG_H

#include "crypto/kdf.h"
#include "crypto/rng.h"

struct fixed_rng {
    struct rng rng; /* hand out &r->rng; it points back to r, which must stay where it is */
    const char *name;
    uint64_t drawn;   /* bytes so far */
    uint64_t fail_at; /* gives no more once so many are drawn; UINT64_MAX: never */
};

void fixed_rng_init(struct fixed_rng *r, const char *name);

#endif
