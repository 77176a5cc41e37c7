#include "kdc/inbox.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int inbox_init(struct inbox *inbox)
{
    atomic_init(&inbox->newest, NULL);
    atomic_init(&inbox->awake, false);
    inbox->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return inbox->wake_fd < 0 ? -1 : 0;
}

void inbox_init_silent(struct inbox *inbox)
{
    atomic_init(&inbox->newest, NULL);
    atomic_init(&inbox->awake, true);
    inbox->wake_fd = -1;
}

void inbox_close(struct inbox *inbox)
{
    if (inbox->wake_fd >= 0) {
        close(inbox->wake_fd);
        inbox->wake_fd = -1;
    }
}

void inbox_push_all(struct inbox *inbox, struct inbox_item *newest, struct inbox_item *oldest)
{
    struct inbox_item *before = atomic_load_explicit(&inbox->newest, memory_order_relaxed);
    do {
        oldest->next = before;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->newest, &before, newest, memory_order_seq_cst,
                                                    memory_order_relaxed));
    /* In one order with inbox_may_sleep: either we see it sleep, or it sees our items. */
    if (before == NULL && !atomic_load_explicit(&inbox->awake, memory_order_seq_cst)) {
        const uint64_t one = 1;
        while (write(inbox->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

void inbox_push(struct inbox *inbox, struct inbox_item *item)
{
    inbox_push_all(inbox, item, item);
}

struct inbox_item *inbox_take(struct inbox *inbox)
{
    /* The eventfd is emptied before the list is taken: a push in between wakes us once for nothing, never too seldom. */
    uint64_t count;
    while (read(inbox->wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    return inbox_collect(inbox);
}

struct inbox_item *inbox_collect(struct inbox *inbox)
{
    struct inbox_item *newest = atomic_exchange_explicit(&inbox->newest, NULL, memory_order_acq_rel);
    struct inbox_item *oldest = NULL;
    while (newest != NULL) {
        struct inbox_item *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void inbox_stay_awake(struct inbox *inbox)
{
    atomic_store_explicit(&inbox->awake, true, memory_order_relaxed);
}

bool inbox_may_sleep(struct inbox *inbox)
{
    atomic_store_explicit(&inbox->awake, false, memory_order_seq_cst);
    if (atomic_load_explicit(&inbox->newest, memory_order_seq_cst) == NULL) {
        return true;
    }
    inbox_stay_awake(inbox);
    return false;
}
