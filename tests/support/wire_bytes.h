/*
 * wire_bytes.h: for tests of wire/: bytes written by hand, and what was decoded, encoded again.
 */
#ifndef TESTS_SUPPORT_WIRE_BYTES_H
#define TESTS_SUPPORT_WIRE_BYTES_H

#include "wire/buffer.h"
#include "wire/message.h"

/* Bytes from a notation for people: two hexadecimal digits are a byte, 'text' stands for itself, xx*n is n times the byte
 * xx, blanks are nothing. Returns how many; a notation that is wrong or doesn't fit into `room` gives SIZE_MAX. */
size_t bytes_from(const char *notation, uint8_t *out, size_t room) __attribute__((warn_unused_result));

/* Decodes `plain` as `sender`'s, and, if it is a message, encodes what came out into `again` (empty before). Returns the
 * decoder's answer. Memory that is out, or an encoder that refuses what was decoded, leaves `again` empty. */
enum message_status message_again(struct bytes plain, enum role sender, struct buffer *again)
    __attribute__((warn_unused_result));
/* The same for contents: 0 or -1 ... */
int content_again(struct bytes plain, struct buffer *again) __attribute__((warn_unused_result));
/* ... and for plain frames, by the type that `frame` claims to be. */
int frame_again(struct bytes frame, struct buffer *again) __attribute__((warn_unused_result));

/* Whether the buffer holds just these bytes. */
bool buffer_holds(const struct buffer *b, struct bytes bytes) __attribute__((warn_unused_result));

#endif
