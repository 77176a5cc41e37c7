/*
 * secret_slabs.c: a small slab allocator, once for each pool.
 *
 * Address space is taken in arenas of 1 MiB, aligned to their size. The first slab of an arena is given up for the
 * arena's own bookkeeping, which therefore never shares a page with secrets: it survives a fork, while the blocks
 * become zero, so that a child may go on calling us. The other 31 slabs (32 KiB each) are locked when first needed and
 * cut into slots of one size class.
 *
 * Blocks are wiped by their owner's thread before the lock is taken; a free slot is always zero, and handing one out
 * costs no clearing. A slab whose pages are being prepared or released has a class, so that nobody takes it for
 * another, but is on no list, so that nobody takes a slot of it: whoever does that holds no lock.
 */
#include "crypto/secret_slabs.h"
#include "crypto/secret_pages.h"

#include <string.h>

#define ARENA_LEN SECRET_PAGES_ALIGNED
#define SLAB_LEN SECRET_SLOT_MAX
#define SLABS_PER_ARENA (ARENA_LEN / SLAB_LEN - 1)
#define SLOT_STEP ((size_t)64)
#define BITMAP_WORDS (SLAB_LEN / SLOT_STEP / 64)
#define FINE_CLASSES 16 /* 64, 128, ... 1024 bytes */
#define COARSE_CLASSES (SECRET_CLASSES - FINE_CLASSES)
#define SPARE_SLABS 4 /* of a pool: empty ones whose pages are kept for what comes next */

/* Past 1 KiB: what a slab holds 24, 20, 16, 12, 10 ... 1 of. */
static const uint32_t coarse_len[COARSE_CLASSES] = { 1344, 1600, 2048, 2688, 3264,  3584,  4096,
                                                     4672, 5440, 6528, 8192, 10880, 16384, 32768 };

struct slab {
    struct slab *next, **link; /* on the list of its class that have free slots, or on no list */
    uint32_t slot_len;         /* 0: the slab belongs to no class */
    uint32_t slots;
    uint32_t used;
    bool locked;
    bool prepared; /* locking was tried */
    uint64_t taken[BITMAP_WORDS];
};

struct arena {
    struct secret_mapping mapping; /* the first: a pointer to the one is a pointer to the other */
    uint32_t slabs_used;
    struct slab slabs[SLABS_PER_ARENA];
};

_Static_assert(sizeof(struct arena) <= SECRET_PAGE_LEN, "an arena's bookkeeping fits its first page");

static size_t class_of(size_t len)
{
    if (len <= FINE_CLASSES * SLOT_STEP) {
        return (len - 1) / SLOT_STEP;
    }
    size_t i = 0;
    while (coarse_len[i] < len) {
        i++;
    }
    return FINE_CLASSES + i;
}

static size_t class_len(size_t class)
{
    return class < FINE_CLASSES ? (class + 1) * SLOT_STEP : coarse_len[class - FINE_CLASSES];
}

void secret_mapping_list(struct secret_mapping *mapping, struct secret_mapping **list)
{
    mapping->next = *list;
    mapping->link = list;
    if (mapping->next != NULL) {
        mapping->next->link = &mapping->next;
    }
    *list = mapping;
}

void secret_mapping_unlist(struct secret_mapping *mapping)
{
    *mapping->link = mapping->next;
    if (mapping->next != NULL) {
        mapping->next->link = mapping->link;
    }
}

static struct arena *first_arena(const struct secret_pool *pool)
{
    return (struct arena *)pool->arenas;
}

static struct arena *next_arena(const struct arena *arena)
{
    return (struct arena *)arena->mapping.next;
}

static struct arena *arena_of(const struct slab *slab)
{
    return secret_pages_start(slab);
}

static uint8_t *slab_start(const struct slab *slab)
{
    struct arena *arena = arena_of(slab);
    return (uint8_t *)arena + SLAB_LEN * (size_t)(1 + (slab - arena->slabs));
}

static void list_slab(struct secret_pool *pool, struct slab *slab)
{
    struct slab **list = &pool->with_free_slots[class_of(slab->slot_len)];
    slab->next = *list;
    slab->link = list;
    if (slab->next != NULL) {
        slab->next->link = &slab->next;
    }
    *list = slab;
}

static void unlist_slab(struct slab *slab)
{
    *slab->link = slab->next;
    if (slab->next != NULL) {
        slab->next->link = slab->link;
    }
    slab->next = NULL;
    slab->link = NULL;
}

/* The caller doesn't hold the lock. */
static struct arena *arena_new(struct secret_pool *pool)
{
    struct arena *arena = secret_pages_map(SLAB_LEN, ARENA_LEN - SLAB_LEN);
    if (arena != NULL) {
        arena->mapping.pool = pool;
    }
    return arena;
}

/* Takes an arena without used slabs out of the pool; the caller unmaps it. */
static void arena_leave(struct secret_pool *pool, struct arena *arena)
{
    for (size_t i = 0; i < SLABS_PER_ARENA; i++) {
        pool->spare_slabs -= arena->slabs[i].prepared ? 1 : 0;
        pool->stats.reserved -= arena->slabs[i].prepared ? SLAB_LEN : 0;
        pool->stats.locked -= arena->slabs[i].locked ? SLAB_LEN : 0;
    }
    secret_mapping_unlist(&arena->mapping);
}

/* A slab of no class, preferring one whose pages are there already; NULL when all are used. */
static struct slab *slab_find(const struct secret_pool *pool)
{
    struct slab *fresh = NULL;
    for (struct arena *arena = first_arena(pool); arena != NULL; arena = next_arena(arena)) {
        if (arena->slabs_used == SLABS_PER_ARENA) {
            continue;
        }
        for (size_t i = 0; i < SLABS_PER_ARENA; i++) {
            struct slab *slab = &arena->slabs[i];
            if (slab->slot_len == 0 && slab->prepared) {
                return slab;
            }
            if (slab->slot_len == 0 && fresh == NULL) {
                fresh = slab;
            }
        }
    }
    return fresh;
}

/* The caller holds the lock, which is given up for a while where pages are needed. */
static struct slab *slab_new(struct secret_pool *pool, size_t class)
{
    struct slab *slab = slab_find(pool);
    if (slab == NULL) {
        pthread_mutex_unlock(&pool->lock);
        struct arena *arena = arena_new(pool);
        pthread_mutex_lock(&pool->lock);
        if (arena == NULL) {
            return NULL;
        }
        secret_mapping_list(&arena->mapping, &pool->arenas);
        slab = &arena->slabs[0];
    }
    slab->slot_len = (uint32_t)class_len(class);
    slab->slots = (uint32_t)(SLAB_LEN / slab->slot_len);
    slab->used = 0;
    memset(slab->taken, 0, sizeof slab->taken);
    arena_of(slab)->slabs_used++;
    if (slab->prepared) {
        pool->spare_slabs--;
    } else {
        pthread_mutex_unlock(&pool->lock);
        bool locked = secret_pages_lock(slab_start(slab), SLAB_LEN);
        hide_block(slab_start(slab), SLAB_LEN);
        pthread_mutex_lock(&pool->lock);
        slab->prepared = true;
        slab->locked = locked;
        pool->stats.reserved += SLAB_LEN;
        pool->stats.locked += locked ? SLAB_LEN : 0;
    }
    list_slab(pool, slab);
    return slab;
}

/* Gives the pages of an empty slab that is on no list back to the system. The caller holds the lock, which is given up
 * for a while. */
static void slab_release(struct secret_pool *pool, struct slab *slab)
{
    bool locked = slab->locked;
    pthread_mutex_unlock(&pool->lock);
    bool released = secret_pages_release(slab_start(slab), SLAB_LEN, &locked);
    pthread_mutex_lock(&pool->lock);
    pool->stats.locked -= slab->locked && !locked ? SLAB_LEN : 0;
    pool->stats.reserved -= released ? SLAB_LEN : 0;
    slab->locked = locked;
    slab->prepared = !released;
}

/* Takes an empty slab from its class. Its pages stay for the next class that needs a slab, unless there are enough of
 * such. When it was the last that was used of its arena and another arena has slabs to spare, the result is the arena,
 * for the caller to unmap. The caller holds the lock, which may be given up for a while. */
static struct arena *slab_end(struct secret_pool *pool, struct slab *slab)
{
    struct arena *arena = arena_of(slab);
    unlist_slab(slab);
    if (pool->spare_slabs >= SPARE_SLABS) {
        slab_release(pool, slab);
    }
    pool->spare_slabs += slab->prepared ? 1 : 0;
    slab->slot_len = 0;
    arena->slabs_used--;
    if (arena->slabs_used > 0) {
        return NULL;
    }
    for (const struct arena *other = first_arena(pool); other != NULL; other = next_arena(other)) {
        if (other != arena && other->slabs_used < SLABS_PER_ARENA) {
            arena_leave(pool, arena);
            return arena;
        }
    }
    return NULL;
}

void *secret_slot_take(struct secret_pool *pool, size_t len)
{
    size_t class = class_of(len);
    uint8_t *block = NULL;
    pthread_mutex_lock(&pool->lock);
    struct slab *slab = pool->with_free_slots[class];
    if (slab == NULL) {
        slab = slab_new(pool, class);
    }
    if (slab != NULL) {
        size_t word = 0;
        while (slab->taken[word] == UINT64_MAX) {
            word++;
        }
        unsigned bit = (unsigned)__builtin_ctzll(~slab->taken[word]);
        slab->taken[word] |= UINT64_C(1) << bit;
        slab->used++;
        if (slab->used == slab->slots) {
            unlist_slab(slab);
        }
        pool->stats.used += slab->slot_len;
        block = slab_start(slab) + (word * 64 + bit) * slab->slot_len;
    }
    pthread_mutex_unlock(&pool->lock);
    if (block != NULL) {
        show_block(block, len);
    }
    return block;
}

void secret_slot_give_back(struct secret_mapping *mapping, uint8_t *block)
{
    struct arena *arena = (struct arena *)mapping, *ended = NULL;
    struct secret_pool *pool = mapping->pool;
    size_t offset = (size_t)(block - (uint8_t *)arena);
    struct slab *slab = &arena->slabs[offset / SLAB_LEN - 1];
    const size_t slot_len = slab->slot_len; /* constant while a slot of the slab is taken: no lock needed to read it */
    const size_t slot = offset % SLAB_LEN / slot_len;
    const uint64_t bit = UINT64_C(1) << slot % 64;
    show_block(block, slot_len);
    secret_wipe(block, slot_len);
    hide_block(block, slot_len);
    pthread_mutex_lock(&pool->lock);
    if ((slab->taken[slot / 64] & bit) != 0) {
        slab->taken[slot / 64] &= ~bit;
        pool->stats.used -= slot_len;
        if (slab->used == slab->slots) {
            list_slab(pool, slab);
        }
        slab->used--;
        if (slab->used == 0) {
            ended = slab_end(pool, slab);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (ended != NULL) {
        secret_pages_unmap(ended, SLAB_LEN, ARENA_LEN - SLAB_LEN);
    }
}

void secret_pool_unlocked_by_fork(struct secret_pool *pool)
{
    for (struct arena *arena = first_arena(pool); arena != NULL; arena = next_arena(arena)) {
        for (size_t i = 0; i < SLABS_PER_ARENA; i++) {
            arena->slabs[i].locked = false;
        }
    }
    for (struct secret_mapping *own = pool->own_blocks; own != NULL; own = own->next) {
        own->own_locked = false;
    }
    pool->stats.locked = 0;
}
