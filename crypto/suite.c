/* suite.c: the table of suites, keys for them, and the way from a suite to its code. */
#include "crypto/suite.h"

#include "crypto/secret.h"
#include "crypto/suite_internal.h"
#include "crypto/tdes_key.h"

#include <stdalign.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define STREAM_RECORDS (UINT64_C(1) << 22)
#define STREAM_BYTES (UINT64_C(1) << 34)
/* Birthdays among 64-bit blocks: SP 800-67r2 section 3.3.1 allows 2^20 blocks, 8 MiB, to a bundle. Half of that in
 * plaintext, since up to a block of padding and one for the CBC IV come on top of every record (65536 of them: 1 MiB). */
#define TDES_RECORDS (UINT64_C(1) << 16)
#define TDES_BYTES (UINT64_C(1) << 22)

const struct suite suites[SUITE_COUNT] = {
    { .id = SUITE_CHACHA20_POLY1305,
      .name = "chacha20-poly1305",
      .key_len = 32,
      .iv_len = 12,
      .tag_len = 16,
      .issued_key_len = 32,
      .key_records = STREAM_RECORDS,
      .key_bytes = STREAM_BYTES },
    { .id = SUITE_AES_256_GCM,
      .name = "aes-256-gcm",
      .key_len = 32,
      .iv_len = 12,
      .tag_len = 16,
      .issued_key_len = 32,
      .key_records = STREAM_RECORDS,
      .key_bytes = STREAM_BYTES },
    { .id = SUITE_3DES_CBC_HMAC_SHA512,
      .name = "3des-cbc-hmac-sha512",
      .key_len = 56,
      .iv_len = 8,
      .tag_len = 32,
      .issued_key_len = TDES_KEY_LEN,
      .key_records = TDES_RECORDS,
      .key_bytes = TDES_BYTES },
};

/* In the order of `suites`. */
static const struct suite_code *const codes[SUITE_COUNT] = {
    &suite_chacha20_poly1305,
    &suite_aes_256_gcm,
    &suite_3des_cbc_hmac_sha512,
};

struct aead {
    const struct suite *suite;
    const struct suite_code *code;
    uint8_t iv[SUITE_IV_MAX];
    alignas(max_align_t) uint8_t state[]; /* code->state_len bytes */
};

static const struct suite_code *code_of(const struct suite *suite)
{
    return codes[suite - suites];
}

static bool processor_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__) && defined(HWCAP_AES)
    return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
    return false;
#endif
}

const char *suite_default_names(void)
{
    return processor_has_aes() ? "aes-256-gcm,chacha20-poly1305,3des-cbc-hmac-sha512"
                               : "chacha20-poly1305,aes-256-gcm,3des-cbc-hmac-sha512";
}

const struct suite *suite_by_id(uint16_t id)
{
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        if (suites[i].id == id) {
            return &suites[i];
        }
    }
    return NULL;
}

const struct suite *suite_by_name(const char *name)
{
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        if (strcmp(suites[i].name, name) == 0) {
            return &suites[i];
        }
    }
    return NULL;
}

size_t suite_sealed_len(const struct suite *suite, size_t plain_len)
{
    return code_of(suite)->sealed_len(plain_len);
}

struct aead *aead_new(const struct suite *suite, const uint8_t *key, const uint8_t *iv)
{
    const struct suite_code *code = code_of(suite);
    if (suite->id == SUITE_3DES_CBC_HMAC_SHA512 && tdes_key_check(key) != 0) {
        return NULL;
    }
    struct aead *aead = secret_alloc(sizeof *aead + code->state_len);
    if (aead == NULL) {
        return NULL;
    }
    aead->suite = suite;
    aead->code = code;
    memcpy(aead->iv, iv, suite->iv_len);
    code->set_key(aead->state, key);
    secret_wipe_residue();
    return aead;
}

struct aead *aead_derive(const struct suite *suite, const uint8_t secret[KDF_SECRET_LEN], const void *info,
                         size_t info_len)
{
    uint8_t material[SUITE_KEY_MAX + SUITE_IV_MAX] = { 0 };
    struct aead *aead = NULL;
    uint8_t *counted_info = secret_alloc(info_len + 1);
    if (counted_info == NULL) {
        return NULL;
    }
    if (info_len > 0) {
        memcpy(counted_info, info, info_len);
    }
    for (unsigned c = 0; c < 255; c++) {
        counted_info[info_len] = (uint8_t)c;
        hkdf_sha512_expand(secret, counted_info, info_len + 1, material, suite->key_len + suite->iv_len);
        if (suite->id == SUITE_3DES_CBC_HMAC_SHA512) {
            tdes_key_set_parity(material);
            if (tdes_key_check(material) != 0) {
                continue;
            }
        }
        aead = aead_new(suite, material, material + suite->key_len);
        break;
    }
    secret_wipe(material, sizeof material);
    secret_free(&counted_info);
    return aead;
}

void aead_free(struct aead **aead)
{
    secret_free(aead);
}

const struct suite *aead_suite(const struct aead *aead)
{
    return aead->suite;
}

void aead_seal(struct aead *aead, uint64_t sequence, const void *ad, size_t ad_len, const uint8_t *plain,
               size_t plain_len, uint8_t *out)
{
    const struct suite_message message = { .sequence = sequence, .ad = ad, .ad_len = ad_len };
    aead->code->seal(aead->state, aead->iv, &message, plain, plain_len, out);
    secret_leave_residue();
}

int aead_open(struct aead *aead, uint64_t sequence, const void *ad, size_t ad_len, const uint8_t *sealed,
              size_t sealed_len, uint8_t *plain, size_t *plain_len)
{
    const struct suite_message message = { .sequence = sequence, .ad = ad, .ad_len = ad_len };
    const int result = aead->code->open(aead->state, aead->iv, &message, sealed, sealed_len, plain, plain_len);
    secret_leave_residue();
    return result;
}

int suite_issue_key(const struct suite *suite, const struct rng *rng, uint8_t *key)
{
    if (suite->id == SUITE_3DES_CBC_HMAC_SHA512) {
        return tdes_key_generate(rng, key);
    }
    if (rng_fill(rng, key, suite->issued_key_len) != 0) {
        secret_wipe(key, suite->issued_key_len);
        return -1;
    }
    return 0;
}

int suite_issued_key_check(const struct suite *suite, const uint8_t *key, size_t len)
{
    if (len != suite->issued_key_len) {
        return -1;
    }
    return suite->id == SUITE_3DES_CBC_HMAC_SHA512 ? tdes_key_check(key) : 0;
}

void suite_nonce(uint8_t *nonce, const uint8_t *iv, size_t len, uint64_t sequence)
{
    memcpy(nonce, iv, len);
    for (size_t i = 0; i < sizeof sequence; i++) {
        nonce[len - 1 - i] ^= (uint8_t)(sequence >> 8 * i);
    }
}
