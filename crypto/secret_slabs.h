/*
 * secret_slabs.h: slots for blocks of up to SECRET_SLOT_MAX bytes, in pools that threads seldom share. For secret.c.
 *
 * A pool has a lock, which guards all of it and the bookkeeping of its mappings, and pages of its own. Somebody who
 * must not wait may need the lock while a thread that the scheduler holds back has it: so nothing is done under it but
 * bookkeeping, no system call and no wiping. A mapping of secret_pages.h stays in its pool for life, and so does a
 * block.
 */
#ifndef CRYPTO_SECRET_SLABS_H
#define CRYPTO_SECRET_SLABS_H

#include "crypto/secret.h"

#include <pthread.h>
#include <stdint.h>

#define SECRET_SLOT_MAX ((size_t)1 << 15)
#define SECRET_CLASSES 30 /* of lengths of slots */

struct slab;

/* At the start of every mapping: of an arena of slabs, and of a block that is mapped on its own. */
struct secret_mapping {
    struct secret_pool *pool;            /* constant */
    struct secret_mapping *next, **link; /* on one of the pool's lists */
    size_t own_len;                      /* constant; of a block on its own, bytes of its pages; of an arena 0 */
    bool own_locked;
};

/* Zero but for an initialised lock: an empty pool. */
struct secret_pool {
    pthread_mutex_t lock;
    struct secret_mapping *arenas;
    struct secret_mapping *own_blocks; /* secret.c's */
    struct slab *with_free_slots[SECRET_CLASSES];
    size_t spare_slabs; /* prepared, and of no class */
    struct secret_stats stats;
} __attribute__((aligned(64))); /* a processor's cache line, so that pools don't disturb each other */

/* Puts a mapping on a list, and takes it off. The caller holds the lock. */
void secret_mapping_list(struct secret_mapping *mapping, struct secret_mapping **list);
void secret_mapping_unlist(struct secret_mapping *mapping);

/* A zeroed block of 1 to SECRET_SLOT_MAX bytes out of the pool; NULL when memory is out. */
void *secret_slot_take(struct secret_pool *pool, size_t len) __attribute__((warn_unused_result));

/* Wipes the block and gives it back to the pool of its mapping, an arena; for any thread. */
void secret_slot_give_back(struct secret_mapping *mapping, uint8_t *block);

/* In a forked child: no page is locked there. The caller holds the lock. What another thread was taking or giving back
 * at the time of the fork stays aside in the child. */
void secret_pool_unlocked_by_fork(struct secret_pool *pool);

#endif
