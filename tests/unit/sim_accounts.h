/*
 * sim_accounts.h: accounts in memory, behind kdc/accounts.h: what the database is to the KDC, for simulations. It outlives a
 * restart of the KDC, can be made unavailable, and "hashes" a password by writing a mark in front of it. Thread: one.
 */
#ifndef TESTS_UNIT_SIM_ACCOUNTS_H
#define TESTS_UNIT_SIM_ACCOUNTS_H

#include "kdc/accounts.h"

#define SIM_ACCOUNTS_MAX 16

struct sim;

struct sim_accounts {
    struct accounts accounts; /* first: what jobs see */
    struct sim *sim;          /* other things happen while the database is asked */
    bool available;
    bool fails_next; /* the next call, and it alone, finds the database gone */
    uint64_t now;    /* the time of day */
    size_t count;
    struct store_user users[SIM_ACCOUNTS_MAX];
    uint32_t epochs[SIM_ACCOUNTS_MAX][SIM_ACCOUNTS_MAX]; /* issued, by the two accounts' ids less one, smaller first */
    uint64_t issued;
    uint64_t audited;
};

void sim_accounts_set_state(struct sim_accounts *accounts, size_t index, enum user_state state, uint64_t now);
void sim_accounts_init(struct sim_accounts *accounts, struct sim *sim);

#endif
