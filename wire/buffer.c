#include "wire/buffer.h"

#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 512 /* the first memory taken: most frames fit */

void buffer_init(struct buffer *b, size_t limit)
{
    *b = (struct buffer){ .limit = limit };
}

void buffer_clear(struct buffer *b)
{
    if (b->data != NULL) {
        secret_wipe(b->data, b->room);
        free(b->data);
    }
    buffer_init(b, b->limit);
}

/* Moves what it holds to new memory. Not realloc: that would leave the old bytes behind unwiped. */
static int move(struct buffer *b, size_t room)
{
    uint8_t *data = malloc(room);
    if (data == NULL)
        return -1;
    size_t held = buffer_len(b);
    size_t limit = b->limit;
    if (held > 0 && b->data != NULL)
        memcpy(data, b->data + b->start, held);
    buffer_clear(b);
    *b = (struct buffer){ .data = data, .end = held, .room = room, .limit = limit };
    return 0;
}

/* At least `need` and twice as much as before, so that appending costs the same however long it gets; never more than
 * the limit, unless the limit is tiny. */
static size_t next_room(const struct buffer *b, size_t need)
{
    size_t room = b->room > SIZE_MAX / 2 ? SIZE_MAX : b->room * 2;
    if (room < ROOM_MIN)
        room = ROOM_MIN;
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
