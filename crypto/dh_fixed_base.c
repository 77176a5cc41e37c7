/*
 * dh_fixed_base.c: powers of 2 by a table, in Montgomery form (R = 2^(64 * limbs)).
 *
 * Every prime of RFC 7919 ends in 64 ones. So -p^-1 mod 2^64 is 1, and each step of Montgomery's reduction takes
 * its multiplier directly from the number it reduces. The primes begin with 64 ones too, so that R mod p is R - p.
 *
 * Numbers between the steps are below R, not always below p: only the end result is reduced fully.
 */
#include "crypto/dh_fixed_base.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES ((size_t)1 << DH_WINDOW_BITS)
#define TABLE_ALIGNMENT 64

_Static_assert(GMP_NUMB_BITS == 64, "limbs of 64 bits");

struct dh_fixed_base {
    size_t limbs;
    size_t windows;
    /* [window][value][limb]: 2^(value * 2^(DH_WINDOW_BITS * window)), of window 0 as it is, of all others times R.
     * A product of one of each is thus the power itself. */
    mp_limb_t *entries;
};

static _Atomic(const struct dh_fixed_base *) tables[DH_GROUP_COUNT];
static pthread_mutex_t building = PTHREAD_MUTEX_INITIALIZER;

static mp_limb_t *entry(const struct dh_fixed_base *table, size_t window, size_t value)
{
    return table->entries + (window * ENTRIES + value) * table->limbs;
}

static size_t product_scratch(size_t limbs)
{
    return 2 * limbs + (size_t)mpn_sec_mul_itch((mp_size_t)limbs, (mp_size_t)limbs);
}

/* r = a * b / R mod p, below R; `r` may be `a` or `b`. */
static void product(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const mp_limb_t *prime, size_t limbs,
                    mp_limb_t *scratch)
{
    mp_size_t n = (mp_size_t)limbs;
    mp_limb_t *wide = scratch;
    mpn_sec_mul(wide, a, n, b, n, scratch + 2 * limbs);
    for (size_t i = 0; i < limbs; i++) {
        /* Makes limb i zero; the carry, due `limbs` further up, is kept in its place. */
        wide[i] = mpn_addmul_1(wide + i, prime, n, wide[i]);
    }
    mp_limb_t carry = mpn_add_n(r, wide + limbs, wide, n);
    mpn_cnd_sub_n(carry, r, r, prime, n);
}

static void fill(struct dh_fixed_base *table, const mp_limb_t *prime, mp_limb_t *scratch)
{
    size_t limbs = table->limbs;
    mp_limb_t *base = scratch, *work = scratch + limbs;

    for (size_t value = 0; value < ENTRIES; value++) {
        mp_limb_t *number = entry(table, 0, value);
        mpn_zero(number, (mp_size_t)limbs);
        number[value / GMP_NUMB_BITS] = (mp_limb_t)1 << value % GMP_NUMB_BITS;
    }
    mp_limb_t *one = entry(table, 1, 0);
    mpn_neg(one, prime, (mp_size_t)limbs);
    mpn_lshift(base, one, (mp_size_t)limbs, 1); /* 2 * R: R - p is short, nothing is shifted out */
    for (size_t window = 1; window < table->windows; window++) {
        for (unsigned i = 0; i < DH_WINDOW_BITS; i++) {
            product(base, base, base, prime, limbs, work);
        }
        mpn_copyi(entry(table, window, 0), one, (mp_size_t)limbs);
        for (size_t value = 1; value < ENTRIES; value++) {
            product(entry(table, window, value), entry(table, window, value - 1), base, prime, limbs, work);
        }
    }
}

static struct dh_fixed_base *table_new(const struct dh_group *group, const mp_limb_t *prime)
{
    size_t limbs = group->len / sizeof(mp_limb_t);
    struct dh_fixed_base *table = calloc(1, sizeof *table);
    mp_limb_t *scratch = calloc(limbs + product_scratch(limbs), sizeof *scratch);
    if (table == NULL || scratch == NULL) {
        goto fail;
    }
    table->limbs = limbs;
    table->windows = (group->exponent_bits + DH_WINDOW_BITS - 1) / DH_WINDOW_BITS;
    table->entries = aligned_alloc(TABLE_ALIGNMENT, table->windows * ENTRIES * limbs * sizeof(mp_limb_t));
    if (table->entries == NULL) {
        goto fail;
    }
    fill(table, prime, scratch);
    free(scratch);
    return table;

fail:
    free(scratch);
    free(table);
    return NULL;
}

const struct dh_fixed_base *dh_fixed_base_of(const struct dh_group *group)
{
    return atomic_load_explicit(&tables[group - dh_groups], memory_order_acquire);
}

int dh_fixed_base_build(const struct dh_group *group, const mp_limb_t *prime)
{
    pthread_mutex_lock(&building);
    const struct dh_fixed_base *table = dh_fixed_base_of(group);
    if (table == NULL) {
        table = table_new(group, prime);
        atomic_store_explicit(&tables[group - dh_groups], table, memory_order_release);
    }
    pthread_mutex_unlock(&building);
    return table != NULL ? 0 : -1;
}

size_t dh_fixed_base_scratch(size_t limbs)
{
    return limbs + product_scratch(limbs);
}

/* The exponent's bits of that window. */
static mp_limb_t window_of(const mp_limb_t *exponent, size_t window, unsigned bits)
{
    size_t at = window * DH_WINDOW_BITS;
    size_t shift = at % GMP_NUMB_BITS;
    mp_limb_t value = exponent[at / GMP_NUMB_BITS] >> shift;
    if (shift + DH_WINDOW_BITS > GMP_NUMB_BITS && (at / GMP_NUMB_BITS + 1) * GMP_NUMB_BITS < bits) {
        value |= exponent[at / GMP_NUMB_BITS + 1] << (GMP_NUMB_BITS - shift);
    }
    return value & (ENTRIES - 1);
}

void dh_fixed_base_power(const struct dh_fixed_base *table, const mp_limb_t *prime, const mp_limb_t *exponent,
                         mp_limb_t *power, mp_limb_t *scratch)
{
    size_t limbs = table->limbs;
    mp_size_t n = (mp_size_t)limbs;
    unsigned bits = (unsigned)(table->windows * DH_WINDOW_BITS);
    mp_limb_t *chosen = scratch, *work = scratch + limbs;

    mpn_sec_tabselect(power, entry(table, 0, 0), n, ENTRIES, (mp_size_t)window_of(exponent, 0, bits));
    for (size_t window = 1; window < table->windows; window++) {
        mpn_sec_tabselect(chosen, entry(table, window, 0), n, ENTRIES, (mp_size_t)window_of(exponent, window, bits));
        product(power, power, chosen, prime, limbs, work);
    }
    mp_limb_t borrow = mpn_sub_n(work, power, prime, n);
    mpn_cnd_sub_n(borrow ^ 1, power, power, prime, n);
}
