#include "wire/buffer.h"

#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 512 /* the first memory taken: most frames fit */

/* A piece of a stock's memory that no buffer has. */
struct buffer_spare {
    struct buffer_spare *next;
};

/* ---- stocks ---- */

void buffer_stock_init(struct buffer_stock *stock, size_t max)
{
    *stock = (struct buffer_stock){ .max = max };
}

static struct buffer_spare *take_spare(struct buffer_stock *stock)
{
    struct buffer_spare *spare = stock->spare;
    if (spare != NULL) {
        stock->spare = spare->next;
        stock->count--;
        if (stock->least > stock->count)
            stock->least = stock->count;
    }
    return spare;
}

void buffer_stock_trim(struct buffer_stock *stock)
{
    for (size_t idle = stock->least; idle > 0; idle--)
        free(take_spare(stock));
    stock->least = stock->count;
}

void buffer_stock_clear(struct buffer_stock *stock)
{
    while (stock->count > 0)
        free(take_spare(stock));
}

/* ---- buffers ---- */

void buffer_init(struct buffer *b, size_t limit)
{
    *b = (struct buffer){ .limit = limit };
}

void buffer_init_with(struct buffer *b, size_t limit, struct buffer_stock *stock)
{
    *b = (struct buffer){ .limit = limit, .stock = stock };
}

static uint8_t *take_room(struct buffer_stock *stock, size_t room)
{
    uint8_t *data = stock != NULL && room == BUFFER_STOCK_ROOM ? (uint8_t *)take_spare(stock) : NULL;
    return data != NULL ? data : malloc(room);
}

static void give_back(struct buffer_stock *stock, uint8_t *data, size_t room)
{
    if (stock == NULL) {
        secret_wipe(data, room);
        free(data);
    } else if (room == BUFFER_STOCK_ROOM && stock->count < stock->max) {
        struct buffer_spare *spare = (struct buffer_spare *)(void *)data;
        spare->next = stock->spare;
        stock->spare = spare;
        stock->count++;
    } else {
        free(data);
    }
}

void buffer_clear(struct buffer *b)
{
    if (b->data != NULL)
        give_back(b->stock, b->data, b->room);
    buffer_init_with(b, b->limit, b->stock);
}

/* Moves what it holds to new memory. Not realloc: that would leave the old bytes behind unwiped. */
static int move(struct buffer *b, size_t room)
{
    uint8_t *data = take_room(b->stock, room);
    if (data == NULL)
        return -1;
    size_t held = buffer_len(b);
    if (held > 0 && b->data != NULL)
        memcpy(data, b->data + b->start, held);
    buffer_clear(b);
    b->data = data;
    b->end = held;
    b->room = room;
    return 0;
}

/* At least `need` and twice as much as before, so that appending costs the same however long it gets; never more than
 * the limit, unless the limit is tiny. */
static size_t next_room(const struct buffer *b, size_t need)
{
    size_t room_min = b->stock != NULL ? BUFFER_STOCK_ROOM : ROOM_MIN;
    size_t room = b->room > SIZE_MAX / 2 ? SIZE_MAX : b->room * 2;
    if (room < room_min)
        room = room_min;
    while (room < need)
        room = room > SIZE_MAX / 2 ? need : room * 2;
    if (room > b->limit && b->limit >= ROOM_MIN)
        room = b->limit;
    return room;
}

uint8_t *buffer_reserve(struct buffer *b, size_t len)
{
    size_t held = buffer_len(b);
    if (held > b->limit || len > b->limit - held)
        return NULL;
    if (b->data != NULL && len <= b->room - b->end)
        return b->data + b->end;

    /* Moving to the front costs `held` bytes: worth it once as many have been consumed, or when there is no growing. */
    size_t need = held + len;
    if (b->data != NULL && need <= b->room && (b->start >= held || b->room >= b->limit)) {
        memmove(b->data, b->data + b->start, held);
        b->start = 0;
        b->end = held;
    } else if (move(b, next_room(b, need)) != 0) {
        return NULL;
    }
    return b->data + b->end;
}

void buffer_commit(struct buffer *b, size_t len)
{
    size_t left = b->room - b->end;
    b->end += len < left ? len : left;
    if (buffer_len(b) == 0)
        buffer_clear(b);
}

int buffer_append(struct buffer *b, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t *at = buffer_reserve(b, len);
    if (at == NULL)
        return -1;
    memcpy(at, data, len);
    buffer_commit(b, len);
    return 0;
}

const uint8_t *buffer_data(const struct buffer *b)
{
    return b->data == NULL ? NULL : b->data + b->start;
}

size_t buffer_len(const struct buffer *b)
{
    return b->end - b->start;
}

void buffer_consume(struct buffer *b, size_t len)
{
    size_t held = buffer_len(b);
    if (len >= held)
        buffer_clear(b);
    else
        b->start += len;
}
