/*
 * inbox.h: what other threads have for a reactor: many producers, one consumer, first in first out.
 *
 * Pushing takes no lock. The consumer is woken through an eventfd, and only by the push that finds the inbox empty: a burst
 * costs one wake-up. Pushes of one thread arrive in their order; and if a push happens before another thread's, it
 * arrives before it.
 *
 * There are two ways to wait. Simply: poll wake_fd, and inbox_take when it is readable. Or without needless system calls:
 * wait for wake_fd's edges (EPOLLET), which needn't be read; say inbox_stay_awake after waiting, so that nobody wakes who is
 * awake; inbox_collect; and before waiting again inbox_may_sleep. A third is not to wait (inbox_init_silent): nobody is woken, and
 * inbox_collect is called when there is another reason to look.
 *
 * Thread: inbox_push and inbox_push_all from any; the rest from the consumer.
 */
#ifndef KDC_INBOX_H
#define KDC_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>

/* First member of everything that is sent through an inbox. */
struct inbox_item {
    struct inbox_item *next;
    unsigned kind; /* the consumer's business */
};

struct inbox {
    _Atomic(struct inbox_item *) newest;
    _Atomic bool awake; /* the consumer looks again before it waits */
    int wake_fd;
};

/* 0, or -1 when there is no eventfd to be had. */
int inbox_init(struct inbox *inbox) __attribute__((warn_unused_result));
void inbox_init_silent(struct inbox *inbox);
/* What is still inside is the caller's: take it first. */
void inbox_close(struct inbox *inbox);

void inbox_push(struct inbox *inbox, struct inbox_item *item);
/* Several at once, linked by next from the newest to the oldest: one wake-up for all. */
void inbox_push_all(struct inbox *inbox, struct inbox_item *newest, struct inbox_item *oldest);

/* Everything that is there, oldest first, linked by next; NULL when nothing is. Rearms the wake-up. */
struct inbox_item *inbox_take(struct inbox *inbox);

/* The same for a consumer that waits for edges: the eventfd is left alone. */
struct inbox_item *inbox_collect(struct inbox *inbox);
/* From now on no push wakes the consumer. */
void inbox_stay_awake(struct inbox *inbox);
/* True: the inbox is empty, and the next push wakes the consumer. False: there is something; it stays awake. */
bool inbox_may_sleep(struct inbox *inbox) __attribute__((warn_unused_result));

#endif
