/*
 * handshake_peek.h: what both sides of the handshake ask of a plain frame before they decode it. Private to wire/.
 */
#ifndef WIRE_HANDSHAKE_PEEK_H
#define WIRE_HANDSHAKE_PEEK_H

#include "wire/codec.h"

/* The frame's type; 0, which is no type, when it is too short to have one. */
static inline unsigned handshake_peek_type(struct bytes frame)
{
    return frame.len > FRAME_HEADER_LEN ? frame.data[FRAME_HEADER_LEN] : 0;
}

/* Whether a hello, of either side, says another version than ours: then nothing behind it may be taken for granted. */
static inline bool handshake_peek_other_version(struct bytes frame)
{
    struct reader r;

    reader_init(&r, frame.data, frame.len);
    (void)reader_u32(&r); /* length */
    (void)reader_u8(&r);  /* type */
    uint16_t version = reader_u16(&r);
    return !r.failed && version != PROTOCOL_VERSION;
}

#endif
