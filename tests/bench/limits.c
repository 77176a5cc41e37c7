#include "tests/bench/limits.h"

#include "tests/bench/measure.h"

#include <crypt.h>
#include <gmp.h>
#include <nettle/eddsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define POWERS 400
#define FIXED_POWERS 1000
#define SIGNATURES 2000
#define RECORDS 200000
#define SIGNED_LEN 100 /* about what the KDC signs */

/* ---- bcrypt ---- */

struct hasher {
    pthread_t thread;
    const char *setting;
    uint64_t until;
    uint64_t calls;
    uint64_t cpu_ns;
    uint64_t ended;
    int failed;
};

static void *hash(void *argument)
{
    struct hasher *hasher = argument;
    struct crypt_data *data = calloc(1, sizeof *data);
    const uint64_t before = thread_cpu_ns();
    do {
        if (data == NULL || crypt_rn("correct horse", hasher->setting, data, sizeof *data) == NULL) {
            hasher->failed = 1;
            break;
        }
        hasher->calls++;
        hasher->ended = clock_ns();
    } while (hasher->ended < hasher->until);
    hasher->cpu_ns = thread_cpu_ns() - before;
    free(data);
    return NULL;
}

int limits_bcrypt(unsigned cost, unsigned threads, double seconds, struct limits_bcrypt *limit)
{
    static struct hasher hashers[THREADS_MAX];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    uint64_t calls = 0;
    uint64_t cpu_ns = 0;
    int result = 0;
    *limit = (struct limits_bcrypt){ 0 };
    if (crypt_gensalt_rn("$2b$", cost, "0123456789abcdef", 16, setting, sizeof setting) == NULL) {
        return -1;
    }
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    const uint64_t start = clock_ns();
    unsigned running = 0;
    for (; running < threads; running++) {
        hashers[running] = (struct hasher){ .setting = setting, .until = start + (uint64_t)(seconds * 1e9) };
        if (pthread_create(&hashers[running].thread, NULL, hash, &hashers[running]) != 0) {
            result = -1;
            break;
        }
    }
    for (unsigned i = 0; i < running; i++) {
        (void)pthread_join(hashers[i].thread, NULL);
        if (hashers[i].failed != 0 || hashers[i].calls == 0) {
            result = -1;
            continue;
        }
        calls += hashers[i].calls;
        cpu_ns += hashers[i].cpu_ns;
        limit->per_s += (double)hashers[i].calls * 1e9 / (double)(hashers[i].ended - start);
    }
    limit->cpu_ms = calls > 0 ? (double)cpu_ns / 1e6 / (double)calls : 0;
    return result;
}

/* ---- the handshake's parts ---- */

static double milliseconds_each(uint64_t since, unsigned count)
{
    return (double)(thread_cpu_ns() - since) / 1e6 / count;
}

static double powm_sec_ms(const struct dh_group *group)
{
    mpz_t prime, base, exponent, power;
    gmp_randstate_t random;
    mpz_init_set_str(prime, group->prime_hex, 16);
    mpz_inits(base, exponent, power, NULL);
    gmp_randinit_default(random);
    mpz_urandomm(base, random, prime);
    mpz_urandomb(exponent, random, group->exponent_bits);
    mpz_setbit(exponent, group->exponent_bits - 1);
    const uint64_t before = thread_cpu_ns();
    for (unsigned i = 0; i < POWERS; i++) {
        mpz_powm_sec(power, base, exponent, prime);
    }
    const double result = milliseconds_each(before, POWERS);
    gmp_randclear(random);
    mpz_clears(prime, base, exponent, power, NULL);
    return result;
}

static void signature_ms(struct limits_handshake *limit)
{
    uint8_t seed[ED25519_KEY_SIZE];
    uint8_t public_key[ED25519_KEY_SIZE];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    uint8_t text[SIGNED_LEN] = { 0 };
    memset(seed, 1, sizeof seed); /* a key of nobody's */
    ed25519_sha512_public_key(public_key, seed);
    const uint64_t before = thread_cpu_ns();
    for (unsigned i = 0; i < SIGNATURES; i++) {
        ed25519_sha512_sign(public_key, seed, sizeof text, text, signature);
    }
    limit->sign_ms = milliseconds_each(before, SIGNATURES);
    const uint64_t verified = thread_cpu_ns();
    int whole = 1;
    for (unsigned i = 0; i < SIGNATURES; i++) {
        whole = ed25519_sha512_verify(public_key, sizeof text, text, signature) != 0 && whole != 0;
    }
    limit->verify_ms = whole != 0 ? milliseconds_each(verified, SIGNATURES) : 0;
}

struct arithmetic {
    pthread_t thread;
    const struct dh_group *group;
    struct limits_handshake each;
    int failed;
};

static void *compute(void *argument)
{
    struct arithmetic *own = argument;
    uint8_t exponent[DH_PRIVATE_MAX];
    uint8_t power[DH_PUBLIC_MAX];
    const uint64_t before = thread_cpu_ns();
    for (unsigned i = 0; i < FIXED_POWERS && own->failed == 0; i++) {
        own->failed = dh_keypair(own->group, &rng_system, exponent, power) != DH_OK;
    }
    own->each.fixed_base_ms = milliseconds_each(before, FIXED_POWERS);
    own->each.powm_sec_ms = powm_sec_ms(own->group);
    signature_ms(&own->each);
    return NULL;
}

int limits_handshake(const struct dh_group *group, unsigned threads, struct limits_handshake *limit)
{
    static struct arithmetic each[THREADS_MAX];
    unsigned running = 0;
    int result = dh_group_prepare(group);
    *limit = (struct limits_handshake){ 0 };
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    for (; running < threads && result == 0; running++) {
        each[running] = (struct arithmetic){ .group = group };
        if (pthread_create(&each[running].thread, NULL, compute, &each[running]) != 0) {
            result = -1;
            break;
        }
    }
    for (unsigned i = 0; i < running; i++) {
        (void)pthread_join(each[i].thread, NULL);
        result = each[i].failed != 0 ? -1 : result;
        limit->fixed_base_ms += each[i].each.fixed_base_ms / running;
        limit->powm_sec_ms += each[i].each.powm_sec_ms / running;
        limit->sign_ms += each[i].each.sign_ms / running;
        limit->verify_ms += each[i].each.verify_ms / running;
    }
    return result;
}

double limits_handshake_server_ms(const struct limits_handshake *limit)
{
    return limit->powm_sec_ms + limit->fixed_base_ms + limit->sign_ms;
}

double limits_handshake_client_ms(const struct limits_handshake *limit)
{
    return limit->powm_sec_ms + limit->fixed_base_ms + limit->verify_ms;
}

void limits_report_handshake(struct bench *bench, double server_cpu_ms)
{
    struct limits_handshake limit;
    if (limits_handshake(dh_group_by_name(bench->options->group), bench->target.workers, &limit) != 0) {
        fault(&bench->faults, "no threads or no memory for the arithmetic");
        return;
    }
    bench_number(bench, "limit", "powm_sec_ms", limit.powm_sec_ms);
    bench_number(bench, "limit", "fixed_base_ms", limit.fixed_base_ms);
    bench_number(bench, "limit", "sign_ms", limit.sign_ms);
    bench_number(bench, "limit", "server_cpu_ms_each", limits_handshake_server_ms(&limit));
    bench_ratio(bench, "cpu_to_arithmetic", server_cpu_ms, limits_handshake_server_ms(&limit));
}

/* ---- records ---- */

double limits_aead_us(const struct suite *suite, size_t len)
{
    static const uint8_t key_bytes[SUITE_KEY_MAX] = { 1,  2,  4,  7,  8,  11, 13, 14, 16, 19, 21, 22,
                                                      25, 26, 28, 31, 32, 35, 37, 38, 41, 42, 44, 47 };
    static const uint8_t iv[SUITE_IV_MAX] = { 0 };
    static const uint8_t ad[4] = { 0 };
    struct aead *aead = aead_new(suite, key_bytes, iv);
    uint8_t *plain = calloc(1, len + SUITE_OVERHEAD_MAX);
    uint8_t *sealed = calloc(1, len + SUITE_OVERHEAD_MAX);
    double result = 0;
    if (aead != NULL && plain != NULL && sealed != NULL) {
        bool whole = true;
        const uint64_t before = thread_cpu_ns();
        for (unsigned i = 0; i < RECORDS; i++) {
            size_t plain_len;
            aead_seal(aead, i, ad, sizeof ad, plain, len, sealed);
            whole = aead_open(aead, i, ad, sizeof ad, sealed, suite_sealed_len(suite, len), plain, &plain_len) == 0 &&
                    whole;
        }
        result = whole ? milliseconds_each(before, RECORDS) * 1e3 : 0;
    }
    aead_free(&aead);
    free(plain);
    free(sealed);
    return result;
}
