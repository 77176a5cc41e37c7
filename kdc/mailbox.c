#include "kdc/mailbox.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *mailbox)
{
    atomic_init(&mailbox->newest, NULL);
    atomic_init(&mailbox->awake, false);
    mailbox->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return mailbox->wake_fd < 0 ? -1 : 0;
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox->wake_fd >= 0) {
        close(mailbox->wake_fd);
        mailbox->wake_fd = -1;
    }
}

void mailbox_push(struct mailbox *mailbox, struct mailbox_item *item)
{
    struct mailbox_item *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        item->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, item, memory_order_seq_cst,
                                                    memory_order_relaxed));
    /* In one order with mailbox_may_sleep: either we see it sleep, or it sees our item. */
    if (newest == NULL && !atomic_load_explicit(&mailbox->awake, memory_order_seq_cst)) {
        const uint64_t one = 1;
        while (write(mailbox->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

struct mailbox_item *mailbox_take(struct mailbox *mailbox)
{
    /* The eventfd is emptied before the list is taken: a push in between wakes us once for nothing, never too seldom. */
    uint64_t count;
    while (read(mailbox->wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    return mailbox_collect(mailbox);
}

struct mailbox_item *mailbox_collect(struct mailbox *mailbox)
{
    struct mailbox_item *newest = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acq_rel);
    struct mailbox_item *oldest = NULL;
    while (newest != NULL) {
        struct mailbox_item *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void mailbox_stay_awake(struct mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->awake, true, memory_order_relaxed);
}

bool mailbox_may_sleep(struct mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->awake, false, memory_order_seq_cst);
    if (atomic_load_explicit(&mailbox->newest, memory_order_seq_cst) == NULL) {
        return true;
    }
    mailbox_stay_awake(mailbox);
    return false;
}
