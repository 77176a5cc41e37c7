/*
 * sim_memo.h: what makes a simulation fast and repeatable: randomness that can be had again, and slow results remembered.
 *
 * A program that links with --wrap for dh_keypair, dh_shared, identity_sign and identity_verify gets the real result of
 * each, computed the first time that its inputs come up. Streams belong to a participant and a connection, not to a schedule:
 * so the same inputs come up again and again.
 *
 * With --wrap for malloc and its kin, what is allocated and not yet freed is counted. Thread: one.
 */
#ifndef TESTS_UNIT_SIM_MEMO_H
#define TESTS_UNIT_SIM_MEMO_H

#include "crypto/rng.h"

#include <stddef.h>
#include <stdint.h>

/* The dice: from one seed, everything that a schedule leaves to chance. */
struct sim_dice {
    uint64_t state;
};

uint64_t sim_roll(struct sim_dice *dice);
/* 0 to below `sides`. */
uint32_t sim_below(struct sim_dice *dice, uint32_t sides);

/* A stream of bytes by its number. Draws of exactly four bytes are jitter, and come from the dice. */
struct sim_rng {
    struct rng rng; /* hand out &r->rng; it points back to r */
    uint64_t stream;
    uint64_t drawn;
    struct sim_dice *dice;
    struct sim_rng *instead; /* not NULL: draws from that one */
};

void sim_rng_init(struct sim_rng *r, uint64_t stream, struct sim_dice *dice);

/* Blocks of memory allocated and not freed; the memory of what is remembered doesn't count. */
long sim_allocated(void);

#endif
