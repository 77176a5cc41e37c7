/*
 * password.h: bcrypt, by libxcrypt's crypt_rn.
 *
 * Slow on purpose (cost 12: about 200 ms): call it from a worker, never from a reactor. Any thread. The scratch that
 * crypt_rn computes in is secret memory and wiped. Only kdc/ links this: clients never hash.
 */
#ifndef CRYPTO_PASSWORD_H
#define CRYPTO_PASSWORD_H

#include "crypto/rng.h"

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_HASH_LEN 61 /* "$2b$12$" and 53 characters, and the final NUL */
#define PASSWORD_COST_MIN 10 /* what policy may ask for */
#define PASSWORD_COST_MAX 15
#define PASSWORD_COST_DEFAULT 12

enum password_result {
    PASSWORD_MATCH = 0,
    PASSWORD_MISMATCH = 1,
    PASSWORD_BAD_HASH = -1, /* not a bcrypt hash ($2a$, $2b$, $2y$, cost 4 to 31): ours to mend */
    PASSWORD_FAILED = -2,   /* no memory, or no randomness */
};

/* `hash` = bcrypt of `password` (NUL-terminated, at most 72 bytes; longer is PASSWORD_FAILED, never cut), "$2b$", with a
 * fresh salt. `cost` from PASSWORD_COST_MIN to PASSWORD_COST_MAX. PASSWORD_MATCH (0) or PASSWORD_FAILED. */
enum password_result password_hash(const char *password, unsigned cost, const struct rng *rng,
                                   char hash[PASSWORD_HASH_LEN]) __attribute__((warn_unused_result));

/* Whether `password` belongs to `hash`. Compared in constant time. One of more than 72 bytes never does, and takes as
 * long. */
enum password_result password_verify(const char *password, const char *hash) __attribute__((warn_unused_result));

/* Whether `hash` is a bcrypt hash that password_verify could check. */
bool password_hash_valid(const char *hash) __attribute__((warn_unused_result));

/* Whether a matching password should be hashed anew: another cost than the policy's, or not "$2b$". */
bool password_hash_outdated(const char *hash, unsigned cost) __attribute__((warn_unused_result));

/* Takes as long as password_verify against a hash of that cost: for a user who doesn't exist. */
void password_verify_nobody(const char *password, unsigned cost);

#endif
