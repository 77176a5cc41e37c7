#include "wire/codec.h"

#include <string.h>

void reader_init(struct reader *r, const void *data, size_t len)
{
    *r = (struct reader){ .data = data, .len = len };
}

/* The next `len` bytes, or NULL with the reader failed. `len` is not 0, so that NULL means only that. */
static const uint8_t *take(struct reader *r, size_t len)
{
    if (r->failed || len > r->len - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->data + r->at;
    r->at += len;
    return at;
}

static uint64_t take_uint(struct reader *r, size_t len)
{
    const uint8_t *at = take(r, len);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < len; i++)
        value = value << 8 | at[i];
    return value;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)take_uint(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)take_uint(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)take_uint(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return take_uint(r, 8);
}

struct bytes reader_bytes(struct reader *r, size_t len)
{
    if (len == 0)
        return (struct bytes){ .data = r->failed || r->data == NULL ? NULL : r->data + r->at, .len = 0 };
    const uint8_t *at = take(r, len);
    return (struct bytes){ .data = at, .len = at == NULL ? 0 : len };
}

void reader_copy(struct reader *r, void *out, size_t len)
{
    struct bytes from = reader_bytes(r, len);
    if (len == 0)
        return;
    if (from.data == NULL)
        memset(out, 0, len);
    else
        memcpy(out, from.data, len);
}

static struct bytes reader_bounded(struct reader *r, size_t len, size_t min, size_t max)
{
    if (len < min || len > max)
        r->failed = true;
    return reader_bytes(r, len);
}

struct bytes reader_vec8(struct reader *r, size_t min, size_t max)
{
    size_t len = reader_u8(r);
    return reader_bounded(r, len, min, max);
}

struct bytes reader_vec16(struct reader *r, size_t min, size_t max)
{
    size_t len = reader_u16(r);
    return reader_bounded(r, len, min, max);
}

struct bytes reader_rest(struct reader *r, size_t min, size_t max)
{
    return reader_bounded(r, r->len - r->at, min, max);
}

void reader_fail(struct reader *r)
{
    r->failed = true;
}

int reader_end(const struct reader *r)
{
    return r->failed || r->at != r->len ? -1 : 0;
}

void writer_init(struct writer *w, void *data, size_t room)
{
    *w = (struct writer){ .data = data, .room = room };
}

/* Counts `len` more bytes in; where they go, or NULL when they don't fit or are only counted. */
static uint8_t *claim(struct writer *w, size_t len)
{
    if (w->failed || len > w->room - w->len) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->data == NULL ? NULL : w->data + w->len;
    w->len += len;
    return at;
}

static void put_uint(struct writer *w, uint64_t value, size_t len)
{
    uint8_t *at = claim(w, len);
    for (size_t i = len; at != NULL && i > 0; i--) {
        at[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

void writer_u8(struct writer *w, uint8_t value)
{
    put_uint(w, value, 1);
}

void writer_u16(struct writer *w, uint16_t value)
{
    put_uint(w, value, 2);
}

void writer_u32(struct writer *w, uint32_t value)
{
    put_uint(w, value, 4);
}

void writer_u64(struct writer *w, uint64_t value)
{
    put_uint(w, value, 8);
}

void writer_bytes(struct writer *w, const void *data, size_t len)
{
    uint8_t *at = claim(w, len);
    if (at != NULL && len > 0)
        memcpy(at, data, len);
}

void writer_vec8(struct writer *w, const void *data, size_t len)
{
    if (len > UINT8_MAX)
        w->failed = true;
    writer_u8(w, (uint8_t)len);
    writer_bytes(w, data, len);
}

void writer_vec16(struct writer *w, const void *data, size_t len)
{
    if (len > UINT16_MAX)
        w->failed = true;
    writer_u16(w, (uint16_t)len);
    writer_bytes(w, data, len);
}

void writer_fail(struct writer *w)
{
    w->failed = true;
}

int writer_end(const struct writer *w)
{
    return w->failed ? -1 : 0;
}
