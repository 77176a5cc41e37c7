/* secret_pages.c: what the kernel is asked for, so that pages are fit for secrets. */
#include "crypto/secret_pages.h"

#include <sys/mman.h>

#ifdef SECRET_ASAN
#include <sanitizer/lsan_interface.h>
#define scan_for_pointers(start, len) __lsan_register_root_region((start), (len))
#define forget_pointers(start, len) __lsan_unregister_root_region((start), (len))
#else
#define scan_for_pointers(start, len) ((void)(start), (void)(len))
#define forget_pointers(start, len) ((void)(start), (void)(len))
#endif

void *secret_pages_map(size_t head, size_t len)
{
    size_t room = head + len + SECRET_PAGES_ALIGNED;
    uint8_t *start = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    uint8_t *aligned = secret_pages_start(start + SECRET_PAGES_ALIGNED - 1);
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
    return aligned;
}

void secret_pages_unmap(void *mapping, size_t head, size_t len)
{
    uint8_t *secrets = (uint8_t *)mapping + head;
    forget_pointers(secrets, len);
    show_block(secrets, len);
    (void)munmap(mapping, head + len);
}

bool secret_pages_lock(void *start, size_t len)
{
    return mlock(start, len) == 0;
}

bool secret_pages_release(void *start, size_t len, bool *locked)
{
    if (*locked && munlock(start, len) != 0) {
        return false;
    }
    bool released = madvise(start, len, MADV_DONTNEED) == 0;
    *locked = *locked && !released && mlock(start, len) == 0;
    return released;
}
