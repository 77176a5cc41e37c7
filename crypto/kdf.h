/*
 * kdf.h: HMAC-SHA-512 (RFC 2104, FIPS 198-1) and HKDF-SHA-512 (RFC 5869).
 *
 * No state, no allocation; any thread. What is left on the stack is wiped. Lengths in bytes.
 */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#define SHA512_LEN 64
#define KDF_SECRET_LEN 64         /* a pseudo-random key of HKDF-SHA-512 */
#define KDF_EXPAND_MAX (255 * 64) /* RFC 5869 section 2.3 */

/* out = SHA-512(data) */
void sha512_hash(const void *data, size_t len, uint8_t out[SHA512_LEN]);

/* out = HMAC-SHA-512(key, data) */
void hmac_sha512(const uint8_t *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA512_LEN]);

/* prk = HKDF-Extract(salt, ikm). salt_len may be 0 (then RFC 5869's zero salt). `prk` may not overlap the inputs. */
void hkdf_sha512_extract(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                         uint8_t prk[KDF_SECRET_LEN]);

/* out = HKDF-Expand(prk, info, out_len), out_len at most KDF_EXPAND_MAX. `out` may overlap `prk`. */
void hkdf_sha512_expand(const uint8_t prk[KDF_SECRET_LEN], const void *info, size_t info_len, uint8_t *out,
                        size_t out_len);

#endif
