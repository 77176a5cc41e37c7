/*
 * mailbox.h: what other threads have for a reactor: many producers, one consumer, first in first out.
 *
 * Pushing takes no lock. The consumer is woken through an eventfd, and only by the push that finds the mailbox empty: a burst
 * costs one wake-up. Pushes of one thread arrive in their order; and if a push happens before another thread's, it
 * arrives before it.
 *
 * There are two ways to wait. Simply: poll wake_fd, and mailbox_take when it is readable. Or without needless system calls:
 * wait for wake_fd's edges (EPOLLET), which needn't be read; say mailbox_stay_awake after waiting, so that nobody wakes who is
 * awake; mailbox_collect; and before waiting again mailbox_may_sleep.
 *
 * Thread: mailbox_push from any; the rest from the consumer.
 */
#ifndef KDC_MAILBOX_H
#define KDC_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

/* First member of everything that is sent through a mailbox. */
struct mailbox_item {
    struct mailbox_item *next;
    unsigned kind; /* the consumer's business */
};

struct mailbox {
    _Atomic(struct mailbox_item *) newest;
    _Atomic bool awake; /* the consumer looks again before it waits */
    int wake_fd;
};

/* 0, or -1 when there is no eventfd to be had. */
int mailbox_init(struct mailbox *mailbox) __attribute__((warn_unused_result));
/* What is still inside is the caller's: take it first. */
void mailbox_close(struct mailbox *mailbox);

void mailbox_push(struct mailbox *mailbox, struct mailbox_item *item);

/* Everything that is there, oldest first, linked by next; NULL when nothing is. Rearms the wake-up. */
struct mailbox_item *mailbox_take(struct mailbox *mailbox);

/* The same for a consumer that waits for edges: the eventfd is left alone. */
struct mailbox_item *mailbox_collect(struct mailbox *mailbox);
/* From now on no push wakes the consumer. */
void mailbox_stay_awake(struct mailbox *mailbox);
/* True: the mailbox is empty, and the next push wakes the consumer. False: there is something; it stays awake. */
bool mailbox_may_sleep(struct mailbox *mailbox) __attribute__((warn_unused_result));

#endif
