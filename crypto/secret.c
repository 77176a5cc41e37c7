/*
 * secret.c: a small slab allocator over pages that are locked, not dumped and not inherited.
 *
 * Address space is taken in arenas of 1 MiB, aligned to their size. The first slab of an arena is given up for the
 * arena's own bookkeeping, which therefore never shares a page with secrets: it survives a fork, while the blocks
 * become zero, so that a child may go on calling us. The other 31 slabs (32 KiB each) are locked when first needed
 * and cut into slots of one size class. A longer block is mapped on its own, behind a page of bookkeeping, aligned
 * like an arena. Either way the bookkeeping of a block is found by clearing the low bits of its address.
 *
 * Blocks are wiped by their owner's thread before the lock is taken; a free slot is always zero, and handing one
 * out costs no clearing.
 */
#include "crypto/secret.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SECRET_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SECRET_ASAN 1
#endif
#endif

#ifdef SECRET_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define hide_block(start, len) ASAN_POISON_MEMORY_REGION((start), (len))
#define show_block(start, len) ASAN_UNPOISON_MEMORY_REGION((start), (len))
#define scan_for_pointers(start, len) __lsan_register_root_region((start), (len))
#define forget_pointers(start, len) __lsan_unregister_root_region((start), (len))
#else
#define hide_block(start, len) ((void)(start), (void)(len))
#define show_block(start, len) ((void)(start), (void)(len))
#define scan_for_pointers(start, len) ((void)(start), (void)(len))
#define forget_pointers(start, len) ((void)(start), (void)(len))
#endif

#define ARENA_LEN ((size_t)1 << 20)
#define SLAB_LEN ((size_t)1 << 15)
#define SLABS_PER_ARENA (ARENA_LEN / SLAB_LEN - 1)
#define PAGE_LEN ((size_t)4096) /* where pages are longer, madvise refuses, and secret_alloc gives NULL */
#define SLOT_STEP ((size_t)64)
#define BITMAP_WORDS (SLAB_LEN / SLOT_STEP / 64)
#define FINE_CLASSES 16 /* 64, 128, ... 1024 bytes */
#define COARSE_CLASSES 14
#define SPARE_SLABS 16 /* half a MiB: empty ones whose pages are kept for what comes next */
#define CLASS_COUNT (FINE_CLASSES + COARSE_CLASSES)

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

/* At the start of every arena and of every block mapped on its own; guarded by `lock`. */
struct arena {
    struct arena *next, **link; /* on the list `arenas` or `own_blocks` */
    size_t own_len;             /* of a block mapped on its own: bytes of its pages; else 0 */
    bool own_locked;
    uint32_t slabs_used;
    struct slab slabs[SLABS_PER_ARENA];
};

_Static_assert(sizeof(struct arena) <= PAGE_LEN, "an arena's bookkeeping fits its first page");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers = PTHREAD_ONCE_INIT;
static struct arena *arenas; /* guarded by `lock`, as the next three */
static struct arena *own_blocks;
static struct slab *with_free_slots[CLASS_COUNT];
static size_t spare_slabs; /* prepared, and of no class */
static struct secret_stats stats;

static void lock_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void unlock_in_child(void)
{
    /* Locks on memory are not inherited. */
    for (struct arena *arena = arenas; arena != NULL; arena = arena->next) {
        for (size_t i = 0; i < SLABS_PER_ARENA; i++) {
            arena->slabs[i].locked = false;
        }
    }
    for (struct arena *arena = own_blocks; arena != NULL; arena = arena->next) {
        arena->own_locked = false;
    }
    stats.locked = 0;
    pthread_mutex_unlock(&lock);
}

static void register_fork_handlers(void)
{
    /* Without memory for them only a child of a threaded program would notice. */
    (void)pthread_atfork(lock_before_fork, unlock_in_parent, unlock_in_child);
}

static struct arena *arena_of(const void *address)
{
    return (struct arena *)((uintptr_t)address & ~(uintptr_t)(ARENA_LEN - 1));
}

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

/* Maps `head` bytes for bookkeeping and `len` for secrets, aligned to ARENA_LEN; NULL when the kernel refuses. */
static struct arena *map_pages(size_t head, size_t len)
{
    size_t room = head + len + ARENA_LEN;
    uint8_t *start = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    uint8_t *aligned = (uint8_t *)arena_of(start + ARENA_LEN - 1);
    size_t before = (size_t)(aligned - start);
    size_t after = room - before - head - len;
    if (before > 0) {
        (void)munmap(start, before);
    }
    if (after > 0) {
        (void)munmap(aligned + head + len, after);
    }
    uint8_t *secrets = aligned + head;
    if (madvise(secrets, len, MADV_DONTDUMP) != 0 || madvise(secrets, len, MADV_WIPEONFORK) != 0) {
        (void)munmap(aligned, head + len);
        return NULL;
    }
    scan_for_pointers(secrets, len);
    return (struct arena *)aligned;
}

static void unmap_pages(struct arena *arena, size_t head, size_t len)
{
    uint8_t *secrets = (uint8_t *)arena + head;
    forget_pointers(secrets, len);
    show_block(secrets, len);
    (void)munmap(arena, head + len);
}

static void list_arena(struct arena *arena, struct arena **list)
{
    arena->next = *list;
    arena->link = list;
    if (arena->next != NULL) {
        arena->next->link = &arena->next;
    }
    *list = arena;
}

static void unlist_arena(struct arena *arena)
{
    *arena->link = arena->next;
    if (arena->next != NULL) {
        arena->next->link = arena->link;
    }
}

static uint8_t *slab_start(const struct slab *slab)
{
    struct arena *arena = arena_of(slab);
    return (uint8_t *)arena + SLAB_LEN * (size_t)(1 + (slab - arena->slabs));
}

static void list_slab(struct slab *slab, size_t class)
{
    slab->next = with_free_slots[class];
    slab->link = &with_free_slots[class];
    if (slab->next != NULL) {
        slab->next->link = &slab->next;
    }
    with_free_slots[class] = slab;
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

static struct arena *arena_new(void)
{
    struct arena *arena = map_pages(SLAB_LEN, ARENA_LEN - SLAB_LEN);
    if (arena == NULL) {
        return NULL;
    }
    list_arena(arena, &arenas);
    return arena;
}

/* Gives an arena without used slabs back to the system. */
static void arena_end(struct arena *arena)
{
    for (size_t i = 0; i < SLABS_PER_ARENA; i++) {
        spare_slabs -= arena->slabs[i].prepared ? 1 : 0;
        stats.reserved -= arena->slabs[i].prepared ? SLAB_LEN : 0;
        stats.locked -= arena->slabs[i].locked ? SLAB_LEN : 0;
    }
    unlist_arena(arena);
    unmap_pages(arena, SLAB_LEN, ARENA_LEN - SLAB_LEN);
}

/* A slab of no class, preferring one whose pages are there already; NULL when memory is out. */
static struct slab *slab_find(void)
{
    struct slab *fresh = NULL;
    for (struct arena *arena = arenas; arena != NULL; arena = arena->next) {
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
    if (fresh == NULL) {
        struct arena *arena = arena_new();
        fresh = arena == NULL ? NULL : &arena->slabs[0];
    }
    return fresh;
}

static struct slab *slab_new(size_t class)
{
    struct slab *slab = slab_find();
    if (slab == NULL) {
        return NULL;
    }
    if (!slab->prepared) {
        slab->prepared = true;
        slab->locked = mlock(slab_start(slab), SLAB_LEN) == 0;
        stats.reserved += SLAB_LEN;
        stats.locked += slab->locked ? SLAB_LEN : 0;
        hide_block(slab_start(slab), SLAB_LEN);
    } else {
        spare_slabs--;
    }
    slab->slot_len = (uint32_t)class_len(class);
    slab->slots = (uint32_t)(SLAB_LEN / slab->slot_len);
    slab->used = 0;
    memset(slab->taken, 0, sizeof slab->taken);
    arena_of(slab)->slabs_used++;
    list_slab(slab, class);
    return slab;
}

/* Gives an empty slab's pages back to the system, keeping its addresses. Where the kernel won't, they stay. */
static void slab_release(struct slab *slab)
{
    uint8_t *start = slab_start(slab);
    if (slab->locked && munlock(start, SLAB_LEN) != 0) {
        return;
    }
    if (madvise(start, SLAB_LEN, MADV_DONTNEED) == 0) {
        slab->prepared = false;
        stats.reserved -= SLAB_LEN;
        spare_slabs--;
    }
    if (slab->locked && (!slab->prepared || mlock(start, SLAB_LEN) != 0)) {
        slab->locked = false;
        stats.locked -= SLAB_LEN;
    }
}

/* Takes an empty slab from its class. Its pages stay for the next class that needs a slab, unless there are enough of such, or
 * they are the last of an arena and another arena has slabs to spare. */
static void slab_end(struct slab *slab)
{
    struct arena *arena = arena_of(slab);
    unlist_slab(slab);
    slab->slot_len = 0;
    arena->slabs_used--;
    spare_slabs++;
    if (spare_slabs > SPARE_SLABS) {
        slab_release(slab);
    }
    if (arena->slabs_used > 0) {
        return;
    }
    for (struct arena *other = arenas; other != NULL; other = other->next) {
        if (other != arena && other->slabs_used < SLABS_PER_ARENA) {
            arena_end(arena);
            return;
        }
    }
}

static uint8_t *slot_take(size_t class)
{
    struct slab *slab = with_free_slots[class];
    if (slab == NULL) {
        slab = slab_new(class);
    }
    if (slab == NULL) {
        return NULL;
    }
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
    stats.used += slab->slot_len;
    return slab_start(slab) + (word * 64 + bit) * slab->slot_len;
}

static void slot_give_back(struct slab *slab, size_t slot)
{
    uint64_t bit = UINT64_C(1) << slot % 64;
    if ((slab->taken[slot / 64] & bit) == 0) {
        return;
    }
    slab->taken[slot / 64] &= ~bit;
    stats.used -= slab->slot_len;
    if (slab->used == slab->slots) {
        list_slab(slab, class_of(slab->slot_len));
    }
    slab->used--;
    if (slab->used == 0) {
        slab_end(slab);
    }
}

static void *own_pages_alloc(size_t len)
{
    if (len > SIZE_MAX / 2) {
        return NULL;
    }
    size_t pages = (len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN;
    struct arena *arena = map_pages(PAGE_LEN, pages);
    if (arena == NULL) {
        return NULL;
    }
    uint8_t *block = (uint8_t *)arena + PAGE_LEN;
    arena->own_len = pages;
    arena->own_locked = mlock(block, pages) == 0;
    hide_block(block + len, pages - len);
    pthread_mutex_lock(&lock);
    list_arena(arena, &own_blocks);
    stats.used += pages;
    stats.reserved += pages;
    stats.locked += arena->own_locked ? pages : 0;
    pthread_mutex_unlock(&lock);
    return block;
}

static void own_pages_free(struct arena *arena, uint8_t *block)
{
    size_t pages = arena->own_len;
    show_block(block, pages);
    secret_wipe(block, pages);
    pthread_mutex_lock(&lock);
    unlist_arena(arena);
    stats.used -= pages;
    stats.reserved -= pages;
    stats.locked -= arena->own_locked ? pages : 0;
    pthread_mutex_unlock(&lock);
    unmap_pages(arena, PAGE_LEN, pages);
}

void *secret_alloc(size_t len)
{
    if (len == 0) {
        return NULL;
    }
    (void)pthread_once(&fork_handlers, register_fork_handlers);
    if (len > SLAB_LEN) {
        return own_pages_alloc(len);
    }
    size_t class = class_of(len);
    pthread_mutex_lock(&lock);
    uint8_t *block = slot_take(class);
    pthread_mutex_unlock(&lock);
    if (block != NULL) {
        show_block(block, len);
    }
    return block;
}

void secret_free(void *block)
{
    uint8_t *start;
    memcpy(&start, block, sizeof start);
    if (start == NULL) {
        return;
    }
    memset(block, 0, sizeof start);
    struct arena *arena = arena_of(start);
    if (arena->own_len > 0) {
        own_pages_free(arena, start);
        return;
    }
    size_t offset = (size_t)(start - (uint8_t *)arena);
    struct slab *slab = &arena->slabs[offset / SLAB_LEN - 1];
    size_t slot_len = slab->slot_len; /* constant while a slot of the slab is taken: no lock needed to read it */
    show_block(start, slot_len);
    secret_wipe(start, slot_len);
    hide_block(start, slot_len);
    pthread_mutex_lock(&lock);
    slot_give_back(slab, offset % SLAB_LEN / slot_len);
    pthread_mutex_unlock(&lock);
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
    pthread_mutex_lock(&lock);
    struct secret_stats now = stats;
    pthread_mutex_unlock(&lock);
    return now;
}
