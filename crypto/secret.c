/*
 * secret.c: blocks for secrets, from pools that the threads share out between them.
 *
 * Each thread takes from one pool, the next in turn when it first asks; a program with fewer threads than pools has a
 * pool for each. So a thread that the scheduler holds back in the midst of it (kdcd's workers give way to its
 * reactors) holds up no other, except one that gives back a block to its pool in that very moment: a block goes back
 * to where it came from, whoever frees it.
 *
 * Short blocks are slots of slabs (secret_slabs.c). A longer one is mapped on its own, behind a page of bookkeeping.
 * Either way the bookkeeping of a block is found by clearing the low bits of its address.
 */
#include "crypto/secret.h"
#include "crypto/secret_pages.h"
#include "crypto/secret_slabs.h"

#include <stdatomic.h>
#include <string.h>

#define POOLS 16

static struct secret_pool pools[POOLS] = { [0 ... POOLS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };
static atomic_uint threads_seen;
static _Thread_local struct secret_pool *threads_pool; /* NULL: the thread hasn't asked yet */
static pthread_once_t fork_handlers = PTHREAD_ONCE_INIT;

static void lock_before_fork(void)
{
    for (size_t i = 0; i < POOLS; i++) {
        pthread_mutex_lock(&pools[i].lock);
    }
}

static void unlock_in_parent(void)
{
    for (size_t i = 0; i < POOLS; i++) {
        pthread_mutex_unlock(&pools[i].lock);
    }
}

static void unlock_in_child(void)
{
    for (size_t i = 0; i < POOLS; i++) {
        secret_pool_unlocked_by_fork(&pools[i]);
        pthread_mutex_unlock(&pools[i].lock);
    }
}

static void register_fork_handlers(void)
{
    /* Without memory for them only a child of a threaded program would notice. */
    (void)pthread_atfork(lock_before_fork, unlock_in_parent, unlock_in_child);
}

static struct secret_pool *pool_of_thread(void)
{
    if (threads_pool == NULL) {
        (void)pthread_once(&fork_handlers, register_fork_handlers);
        threads_pool = &pools[atomic_fetch_add_explicit(&threads_seen, 1, memory_order_relaxed) % POOLS];
    }
    return threads_pool;
}

static void *own_pages_alloc(struct secret_pool *pool, size_t len)
{
    if (len > SIZE_MAX / 2) {
        return NULL;
    }
    size_t pages = (len + SECRET_PAGE_LEN - 1) / SECRET_PAGE_LEN * SECRET_PAGE_LEN;
    struct secret_mapping *mapping = secret_pages_map(SECRET_PAGE_LEN, pages);
    if (mapping == NULL) {
        return NULL;
    }
    uint8_t *block = (uint8_t *)mapping + SECRET_PAGE_LEN;
    mapping->pool = pool;
    mapping->own_len = pages;
    mapping->own_locked = secret_pages_lock(block, pages);
    hide_block(block + len, pages - len);
    pthread_mutex_lock(&pool->lock);
    secret_mapping_list(mapping, &pool->own_blocks);
    pool->stats.used += pages;
    pool->stats.reserved += pages;
    pool->stats.locked += mapping->own_locked ? pages : 0;
    pthread_mutex_unlock(&pool->lock);
    return block;
}

static void own_pages_free(struct secret_mapping *mapping, uint8_t *block)
{
    struct secret_pool *pool = mapping->pool;
    size_t pages = mapping->own_len;
    show_block(block, pages);
    secret_wipe(block, pages);
    pthread_mutex_lock(&pool->lock);
    secret_mapping_unlist(mapping);
    pool->stats.used -= pages;
    pool->stats.reserved -= pages;
    pool->stats.locked -= mapping->own_locked ? pages : 0;
    pthread_mutex_unlock(&pool->lock);
    secret_pages_unmap(mapping, SECRET_PAGE_LEN, pages);
}

void *secret_alloc(size_t len)
{
    if (len == 0) {
        return NULL;
    }
    struct secret_pool *pool = pool_of_thread();
    return len > SECRET_SLOT_MAX ? own_pages_alloc(pool, len) : secret_slot_take(pool, len);
}

void secret_free(void *block)
{
    uint8_t *start;
    memcpy(&start, block, sizeof start);
    if (start == NULL) {
        return;
    }
    memset(block, 0, sizeof start);
    struct secret_mapping *mapping = secret_pages_start(start);
    if (mapping->own_len > 0) {
        own_pages_free(mapping, start);
    } else {
        secret_slot_give_back(mapping, start);
    }
}

void secret_wipe(void *data, size_t len)
{
    explicit_bzero(data, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    /* By words: Nettle's memeql_sec goes by bytes, which showed in the price of a record. */
    uint64_t difference = 0;
    const uint8_t *x = a, *y = b;
    for (; len >= sizeof difference; len -= sizeof difference) {
        uint64_t word, other;
        memcpy(&word, x, sizeof word);
        memcpy(&other, y, sizeof other);
        difference |= word ^ other;
        x += sizeof word;
        y += sizeof other;
    }
    for (; len > 0; len--) {
        difference |= (uint64_t)(*x++ ^ *y++);
    }
    /* The compiler may not learn early that they differ. */
    __asm__ volatile("" : "+r"(difference));
    return difference == 0;
}

struct secret_stats secret_stats(void)
{
    struct secret_stats sum = { 0 };
    for (size_t i = 0; i < POOLS; i++) {
        pthread_mutex_lock(&pools[i].lock);
        sum.used += pools[i].stats.used;
        sum.reserved += pools[i].stats.reserved;
        sum.locked += pools[i].stats.locked;
        pthread_mutex_unlock(&pools[i].lock);
    }
    return sum;
}
