/*
 * dh.c: key pairs, checks and shared secrets.
 *
 * Everything secret is in limbs of secret memory that we own: mpn_sec_powm, the function that mpz_powm_sec calls,
 * takes its scratch from its caller. mpz_t would let GMP choose where secrets go.
 */
#include "crypto/dh.h"

#include "crypto/dh_fixed_base.h"
#include "crypto/secret.h"

#include <gmp.h>
#include <string.h>

#define LIMB_LEN sizeof(mp_limb_t)
#define PRIME_LIMBS_MAX (DH_PUBLIC_MAX / LIMB_LEN)
#define EXPONENT_LIMBS_MAX ((DH_PRIVATE_MAX + LIMB_LEN - 1) / LIMB_LEN)

_Static_assert(GMP_NAIL_BITS == 0 && LIMB_LEN == 8, "limbs of 64 bits, without nails");

/* One computation's numbers, in secret memory. */
struct workspace {
    mp_limb_t prime[PRIME_LIMBS_MAX];
    mp_limb_t base[PRIME_LIMBS_MAX];
    mp_limb_t power[PRIME_LIMBS_MAX];
    mp_limb_t exponent[EXPONENT_LIMBS_MAX];
    mp_limb_t scratch[];
};

static size_t limbs_of(const struct dh_group *group)
{
    return group->len / LIMB_LEN;
}

/* limbs = the big-endian number in `bytes`, the rest of `count` limbs zero. Time depends on the lengths alone. */
static void limbs_from_bytes(mp_limb_t *limbs, size_t count, const uint8_t *bytes, size_t len)
{
    mpn_zero(limbs, (mp_size_t)count);
    for (size_t i = 0; i < len; i++) {
        limbs[i / LIMB_LEN] |= (mp_limb_t)bytes[len - 1 - i] << 8 * (i % LIMB_LEN);
    }
}

static void limbs_to_bytes(const mp_limb_t *limbs, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[len - 1 - i] = (uint8_t)(limbs[i / LIMB_LEN] >> 8 * (i % LIMB_LEN));
    }
}

static void load_prime(const struct dh_group *group, mp_limb_t *prime)
{
    const char *digit = group->prime_hex;
    mpn_zero(prime, (mp_size_t)limbs_of(group));
    for (size_t i = limbs_of(group); i-- > 0;) {
        mp_limb_t limb = 0;
        for (size_t k = 0; k < 2 * LIMB_LEN; k++, digit++) {
            limb = limb << 4 | (mp_limb_t)(*digit <= '9' ? *digit - '0' : *digit - 'A' + 10);
        }
        prime[i] = limb;
    }
}

/* A workspace with the group's prime in it and that many limbs of scratch; NULL when memory is out. */
static struct workspace *workspace_new(const struct dh_group *group, size_t scratch)
{
    struct workspace *work = secret_alloc(sizeof *work + scratch * LIMB_LEN);
    if (work != NULL) {
        load_prime(group, work->prime);
    }
    return work;
}

static size_t powm_scratch(const struct dh_group *group)
{
    mp_size_t n = (mp_size_t)limbs_of(group);
    return (size_t)mpn_sec_powm_itch(n, group->exponent_bits, n);
}

/* power = base^exponent mod p */
static void powm(const struct dh_group *group, struct workspace *work)
{
    mp_size_t n = (mp_size_t)limbs_of(group);
    mpn_sec_powm(work->power, work->base, n, work->exponent, group->exponent_bits, work->prime, n, work->scratch);
}

int dh_group_prepare(const struct dh_group *group)
{
    mp_limb_t prime[PRIME_LIMBS_MAX];
    load_prime(group, prime);
    return dh_fixed_base_build(group, prime);
}

enum dh_result dh_public_check(const struct dh_group *group, const uint8_t *public_value, size_t len)
{
    if (len != group->len) {
        return DH_BAD_LENGTH;
    }
    mp_size_t n = (mp_size_t)limbs_of(group);
    mp_limb_t value[PRIME_LIMBS_MAX], last[PRIME_LIMBS_MAX];
    limbs_from_bytes(value, (size_t)n, public_value, len);
    load_prime(group, last);
    last[0] -= 1; /* p - 1: p is odd */

    bool above_one = value[0] > 1 || !mpn_zero_p(value + 1, n - 1);
    return above_one && mpn_cmp(value, last, n) < 0 ? DH_OK : DH_BAD_VALUE;
}

/* A private exponent of at most exponent_bits bits, and at least 2. */
static int draw_exponent(const struct dh_group *group, const struct rng *rng, uint8_t *private_key,
                         mp_limb_t exponent[EXPONENT_LIMBS_MAX])
{
    mp_limb_t rest;
    do {
        if (rng_fill(rng, private_key, group->private_len) != 0) {
            return -1;
        }
        private_key[0] &= (uint8_t)(0xff >> (8 * group->private_len - group->exponent_bits));
        limbs_from_bytes(exponent, EXPONENT_LIMBS_MAX, private_key, group->private_len);
        rest = exponent[0] >> 1;
        for (size_t i = 1; i < EXPONENT_LIMBS_MAX; i++) {
            rest |= exponent[i];
        }
    } while (rest == 0);
    return 0;
}

enum dh_result dh_keypair(const struct dh_group *group, const struct rng *rng, uint8_t *private_key,
                          uint8_t *public_value)
{
    const struct dh_fixed_base *table = dh_fixed_base_of(group);
    size_t scratch = table != NULL ? dh_fixed_base_scratch(limbs_of(group)) : powm_scratch(group);
    struct workspace *work = workspace_new(group, scratch);
    if (work == NULL || draw_exponent(group, rng, private_key, work->exponent) != 0) {
        secret_free(&work);
        secret_wipe(private_key, group->private_len);
        memset(public_value, 0, group->len);
        return DH_FAILED;
    }
    if (table != NULL) {
        dh_fixed_base_power(table, work->prime, work->exponent, work->power, work->scratch);
    } else {
        work->base[0] = 2;
        powm(group, work);
    }
    limbs_to_bytes(work->power, public_value, group->len);
    secret_free(&work);
    secret_wipe_residue();
    return DH_OK;
}

enum dh_result dh_shared(const struct dh_group *group, const uint8_t *private_key, const uint8_t *peer_public,
                         size_t peer_len, uint8_t *shared)
{
    enum dh_result result = dh_public_check(group, peer_public, peer_len);
    struct workspace *work = NULL;
    if (result == DH_OK) {
        work = workspace_new(group, powm_scratch(group));
        result = work != NULL ? DH_OK : DH_FAILED;
    }
    if (result != DH_OK) {
        memset(shared, 0, group->len);
        return result;
    }
    limbs_from_bytes(work->base, limbs_of(group), peer_public, peer_len);
    limbs_from_bytes(work->exponent, EXPONENT_LIMBS_MAX, private_key, group->private_len);
    powm(group, work);
    limbs_to_bytes(work->power, shared, group->len);
    secret_free(&work);
    secret_wipe_residue();
    return DH_OK;
}
