/*
 * buffer.h: a queue of bytes on their way out (or gathering on their way in): grows at its end up to a limit, is consumed
 * at its front, and holds no memory while it is empty.
 *
 * For bytes that are public by then (frames, ciphertext). A plaintext that is sealed in place is here for a moment, so
 * memory is wiped before it is freed. Owned by one thread.
 *
 * A thread with many buffers, few of which hold anything at a time, gives them a stock: their memory comes from it and goes
 * back to it, so that filling and emptying them allocates nothing. Memory that goes back to a stock isn't wiped: such buffers
 * are for bytes that are public whenever the buffer is cleared or consumed.
 */
#ifndef WIRE_BUFFER_H
#define WIRE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#define BUFFER_STOCK_ROOM 8192 /* bytes of each piece of a stock's memory; a buffer that holds more takes its own */

/* Spare memory for buffers. Owned by their thread; outlives them. */
struct buffer_stock {
    struct buffer_spare *spare;
    size_t count; /* of spare ones */
    size_t least; /* of those, since the last trim */
    size_t max;
};

struct buffer {
    uint8_t *data; /* the first byte not consumed is data[start] */
    size_t start;
    size_t end;
    size_t room;
    size_t limit;               /* bytes that it may hold at most */
    struct buffer_stock *stock; /* lent; NULL: it has none */
};

/* Keeps at most `max` spare pieces; none at first. */
void buffer_stock_init(struct buffer_stock *stock, size_t max);
/* Frees those that haven't been needed since the last call: called now and then, it leaves nothing where nothing happens. */
void buffer_stock_trim(struct buffer_stock *stock);
void buffer_stock_clear(struct buffer_stock *stock); /* frees all */

/* Empty; no memory taken. */
void buffer_init(struct buffer *b, size_t limit);
void buffer_init_with(struct buffer *b, size_t limit, struct buffer_stock *stock);
/* Wipes and frees, or gives back to its stock, and leaves it empty with the same limit. */
void buffer_clear(struct buffer *b);
/* Room for `len` more bytes at the end, contiguous; NULL when that would pass the limit or memory is out. Nothing is
 * added before buffer_commit. */
uint8_t *buffer_reserve(struct buffer *b, size_t len) __attribute__((warn_unused_result));
/* The first `len` bytes of what was reserved last are now part of the buffer; 0 gives a reservation up. */
void buffer_commit(struct buffer *b, size_t len);
/* Reserve, copy, commit: 0, or -1 as buffer_reserve. */
int buffer_append(struct buffer *b, const void *data, size_t len) __attribute__((warn_unused_result));
/* What it holds, lent until the next call that changes it. */
const uint8_t *buffer_data(const struct buffer *b);
size_t buffer_len(const struct buffer *b);
/* Drops `len` bytes at the front (at most buffer_len); frees the memory when nothing is left. */
void buffer_consume(struct buffer *b, size_t len);

#endif
