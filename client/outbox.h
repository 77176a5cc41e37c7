/*
 * outbox.h: the texts to one person that aren't yet on the other side, in order, each under its number. A text stays
 * until the other side says that it has it; up to OUTBOX_WINDOW of them are under way at once, and after a new epoch
 * they start again from the first.
 *
 * Bounded in texts and bytes. What it held is wiped. Thread: the core's.
 */
#ifndef CLIENT_OUTBOX_H
#define CLIENT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_TEXTS_MAX 1000
#define OUTBOX_BYTES_MAX ((size_t)1 << 20)
#define OUTBOX_WINDOW 64

struct outbox_text {
    struct outbox_text *next;
    uint64_t number;
    size_t len;
    uint8_t bytes[];
};

struct outbox {
    struct outbox_text *first, *last;
    struct outbox_text *unsent; /* the first that wasn't sent under this epoch; NULL: all were */
    size_t count;
    size_t under_way; /* sent under this epoch */
    size_t bytes;
    uint64_t last_number; /* given out; 0: none yet */
    uint64_t last_sent;   /* the greatest number that was ever sent */
};

/* A zeroed outbox is an empty one. */

/* Copies the text and sets *number. KC_OK, KC_OUTBOX_FULL, KC_NO_MEMORY. */
int outbox_add(struct outbox *outbox, const void *text, size_t len, uint64_t *number)
    __attribute__((warn_unused_result));
/* The text to be sent next; NULL when there is none or the window is full. Lent. */
const struct outbox_text *outbox_next(const struct outbox *outbox);
/* That one was sent. */
void outbox_sent(struct outbox *outbox);
/* A new epoch: everything is to be sent again. */
void outbox_rewind(struct outbox *outbox);
/* The other side has all texts up to `number`: drops those of them that were sent. Returns how many, and the last
 * one's number in *number_r (untouched when there are none). */
size_t outbox_received(struct outbox *outbox, uint64_t number, uint64_t *number_r);
/* Drops all; returns how many. Numbers go on counting. */
size_t outbox_clear(struct outbox *outbox);

#endif
