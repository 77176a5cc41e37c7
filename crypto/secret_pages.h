/*
 * secret_pages.h: pages for secrets: locked, left out of core dumps, empty in a forked child. For secret.c and
 * secret_slabs.c.
 *
 * Every function is a system call or several: none is called by somebody who holds a lock. Each is for one owner of
 * the pages.
 */
#ifndef CRYPTO_SECRET_PAGES_H
#define CRYPTO_SECRET_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define SECRET_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SECRET_ASAN 1
#endif
#endif

/* For AddressSanitizer: what nobody may touch now. */
#ifdef SECRET_ASAN
#include <sanitizer/asan_interface.h>
#define hide_block(start, len) ASAN_POISON_MEMORY_REGION((start), (len))
#define show_block(start, len) ASAN_UNPOISON_MEMORY_REGION((start), (len))
#else
#define hide_block(start, len) ((void)(start), (void)(len))
#define show_block(start, len) ((void)(start), (void)(len))
#endif

#define SECRET_PAGE_LEN ((size_t)4096) /* where pages are longer, madvise refuses, and secret_pages_map gives NULL */
#define SECRET_PAGES_ALIGNED ((size_t)1 << 20)

/* Start of the mapping that `address` lies in the first SECRET_PAGES_ALIGNED bytes of. */
static inline void *secret_pages_start(const void *address)
{
    return (void *)((uintptr_t)address & ~(uintptr_t)(SECRET_PAGES_ALIGNED - 1));
}

/* Maps `head` bytes for bookkeeping, which a forked child keeps, and behind them `len` for secrets, all of them zero,
 * aligned to SECRET_PAGES_ALIGNED; both are whole pages. NULL when the kernel refuses. */
void *secret_pages_map(size_t head, size_t len) __attribute__((warn_unused_result));

/* Gives all of a mapping back; head and len as they were. */
void secret_pages_unmap(void *mapping, size_t head, size_t len);

/* Locks some of a mapping's pages; false when the kernel won't. */
bool secret_pages_lock(void *start, size_t len) __attribute__((warn_unused_result));

/* Gives some of a mapping's pages back to the system, keeping their addresses, which read as zero from then on: true.
 * Where the kernel won't, they stay: false. *locked says, before and after, whether they are locked. */
bool secret_pages_release(void *start, size_t len, bool *locked) __attribute__((warn_unused_result));

#endif
