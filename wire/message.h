/*
 * message.h: the messages that travel inside records (docs/protocol.md section 6), to bytes and back. One table tells
 * each type's name, who may send it, and its codec.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "wire/codec.h"

enum role { ROLE_CLIENT, ROLE_KDC };

/* For logs: "open"; "unknown" for what is none. */
const char *message_type_name(unsigned type);

/* Bytes that the message takes (type and body); 0 when it is not a valid message. */
size_t message_len(const struct message *m);

/* Type and body into `w`. 0, or -1 when it doesn't fit or is not a valid message. */
int message_encode(const struct message *m, struct writer *w) __attribute__((warn_unused_result));

enum message_status {
    MESSAGE_OK = 0,
    MESSAGE_MALFORMED = -1,    /* not what message_encode could have produced */
    MESSAGE_OUT_OF_PLACE = -2, /* an unknown type, or one that `sender` doesn't send */
};

/* A whole message (type and body), sent by `sender`. `m` lends from `plain`; it is zero on failure. */
enum message_status message_decode(struct bytes plain, enum role sender, struct message *m)
    __attribute__((warn_unused_result));

/* The entries of a decoded list_reply, one a call, front first: 1 with *entry set, 0 at the end. The decoder has already
 * checked them all. Moves reply->encoded on; reply->count stays. */
int message_list_next(struct message_list_reply *reply, struct list_entry *entry);

/* What is inside a ciphertext message (section 5). As above. */
size_t content_len(const struct content *c);
int content_encode(const struct content *c, struct writer *w) __attribute__((warn_unused_result));
int content_decode(struct bytes plain, struct content *c) __attribute__((warn_unused_result));

#endif
