/*
 * frame.h: where one frame ends and the next begins (docs/protocol.md section 2), and the plain frames of the handshake
 * as bytes (section 3).
 *
 * A frame is u32 length | length bytes. In a plain frame the first of those bytes is its type; after the handshake they
 * are a record's ciphertext and tag.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "wire/buffer.h"
#include "wire/protocol.h"

/* The longest frames of a handshake, with header. */
#define CLIENT_HELLO_MAX                                                                                      \
    (FRAME_HEADER_LEN + 1 + 2 + HELLO_RANDOM_LEN + 2 + 2 + DH_PUBLIC_MAX + 1 + 2 * HELLO_SUITES_MAX + 1 + 2 + \
     TICKET_LEN_MAX + SHA512_LEN)
#define HELLO_RETRY_MAX (FRAME_HEADER_LEN + 1 + 1 + 2 * RETRY_GROUPS_MAX)
#define SERVER_HELLO_MAX                                                                             \
    (FRAME_HEADER_LEN + 1 + 2 + HELLO_RANDOM_LEN + 2 + 1 + 2 + DH_PUBLIC_MAX + IDENTITY_PUBLIC_LEN + \
     IDENTITY_SIGNATURE_LEN + SHA512_LEN)
#define PLAIN_FRAME_MAX CLIENT_HELLO_MAX /* the longest of them all */

enum frame_status {
    FRAME_READY = 0,     /* a whole frame lies at the front */
    FRAME_MORE = 1,      /* not all of it is there yet */
    FRAME_TOO_LONG = -1, /* its length is over the limit: known from the first four bytes */
    FRAME_EMPTY = -2,    /* its length is zero */
};

/* Looks at the front of `data`. `limit` bounds the length field. Sets *frame_len to the whole frame's length with its
 * header when FRAME_READY, to what will be needed (at least FRAME_HEADER_LEN) when FRAME_MORE. */
enum frame_status frame_peek(const uint8_t *data, size_t len, size_t limit, size_t *frame_len)
    __attribute__((warn_unused_result));

/* A plain frame's name for logs ("client_hello"), "unknown" for what is none. */
const char *frame_type_name(unsigned type);

/* Encoders: append a whole frame with header to `out`. 0, or -1 when the buffer is full or a field is out of its bounds:
 * then nothing is appended. */
int frame_put_client_hello(struct buffer *out, const struct client_hello *m) __attribute__((warn_unused_result));
int frame_put_hello_retry(struct buffer *out, const struct hello_retry *m) __attribute__((warn_unused_result));
int frame_put_server_hello(struct buffer *out, const struct server_hello *m) __attribute__((warn_unused_result));
int frame_put_client_finish(struct buffer *out, const struct client_finish *m) __attribute__((warn_unused_result));
int frame_put_alert(struct buffer *out, const struct alert *m) __attribute__((warn_unused_result));

/* Decoders: `frame` is a whole frame with header. 0, or -1 when it is not exactly what the encoder could have produced
 * (type, lengths, flags, no trailing bytes, known reason, no suite offered twice; version, group and suite numbers are not
 * judged here): then *m is zero. */
int frame_get_client_hello(struct bytes frame, struct client_hello *m) __attribute__((warn_unused_result));
int frame_get_hello_retry(struct bytes frame, struct hello_retry *m) __attribute__((warn_unused_result));
int frame_get_server_hello(struct bytes frame, struct server_hello *m) __attribute__((warn_unused_result));
int frame_get_client_finish(struct bytes frame, struct client_finish *m) __attribute__((warn_unused_result));
int frame_get_alert(struct bytes frame, struct alert *m) __attribute__((warn_unused_result));

#endif
