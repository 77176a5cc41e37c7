#include "wire/message.h"
#include "wire/name.h"

#include <string.h>

size_t content_len(const struct content *c)
{
    switch (c->kind) {
    case CONTENT_CONFIRM:
        return 1;
    case CONTENT_TEXT:
        return 1 + 8 + 8 + c->text.len;
    case CONTENT_RECEIVED:
        return 1 + 8 + 8;
    }
    return 0;
}

/* Encoder and decoder refuse by the same rule. A text's number counts from 1, and so does what is received of them. */
static bool content_valid(const struct content *c)
{
    switch (c->kind) {
    case CONTENT_CONFIRM:
        return true;
    case CONTENT_TEXT:
        return c->number != 0 && text_valid(c->text);
    case CONTENT_RECEIVED:
        return c->number != 0;
    }
    return false;
}

int content_encode(const struct content *c, struct writer *w)
{
    if (!content_valid(c)) {
        writer_fail(w);
        return -1;
    }
    writer_u8(w, (uint8_t)c->kind);
    if (c->kind != CONTENT_CONFIRM) {
        writer_u64(w, c->instance);
        writer_u64(w, c->number);
    }
    if (c->kind == CONTENT_TEXT)
        writer_bytes(w, c->text.data, c->text.len);
    return writer_end(w);
}

int content_decode(struct bytes plain, struct content *c)
{
    struct reader r;
    memset(c, 0, sizeof(*c));
    reader_init(&r, plain.data, plain.len);
    c->kind = (enum content_kind)reader_u8(&r);
    if (c->kind != CONTENT_CONFIRM) {
        c->instance = reader_u64(&r);
        c->number = reader_u64(&r);
    }
    if (c->kind == CONTENT_TEXT)
        c->text = reader_rest(&r, 1, TEXT_LEN_MAX);
    if (reader_end(&r) != 0 || !content_valid(c)) {
        memset(c, 0, sizeof(*c));
        return -1;
    }
    return 0;
}
