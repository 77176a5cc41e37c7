/*
 * dh_fixed_base.h: powers of the generator 2 by a table. Private to crypto/dh.c.
 *
 * The exponent is read in windows of DH_WINDOW_BITS; for every window the table holds all that the window can
 * contribute, so that a power takes one multiplication per window and no squaring. Which entry is used decides
 * neither an address nor a branch: every entry of the window is read.
 *
 * The table holds nothing secret. Once built it is never changed nor freed. Any thread.
 */
#ifndef CRYPTO_DH_FIXED_BASE_H
#define CRYPTO_DH_FIXED_BASE_H

#include "crypto/dh.h"

#include <gmp.h>

#define DH_WINDOW_BITS 5

struct dh_fixed_base;

/* Builds the group's table unless it is there. `prime` is the group's prime, group->len / 8 limbs. -1 when memory is
 * out. */
int dh_fixed_base_build(const struct dh_group *group, const mp_limb_t *prime) __attribute__((warn_unused_result));

/* The group's table; NULL while it has not been built. */
const struct dh_fixed_base *dh_fixed_base_of(const struct dh_group *group) __attribute__((warn_unused_result));

/* Limbs of scratch that dh_fixed_base_power needs for a group of `limbs` limbs. */
size_t dh_fixed_base_scratch(size_t limbs);

/* power = 2^exponent mod p, fully reduced. `exponent` has the group's exponent_bits, in whole limbs; `scratch` is the
 * caller's, secret, and to be wiped by the caller. */
void dh_fixed_base_power(const struct dh_fixed_base *table, const mp_limb_t *prime, const mp_limb_t *exponent,
                         mp_limb_t *power, mp_limb_t *scratch);

#endif
