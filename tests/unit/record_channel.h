/*
 * record_channel.h: records from one end of a direction to the other, for the tests of wire/record.h. Fails the test (cmocka) on
 * anything unexpected.
 */
#ifndef TESTS_UNIT_RECORD_CHANNEL_H
#define TESTS_UNIT_RECORD_CHANNEL_H

#include "wire/message.h"
#include "wire/record.h"

#include <string.h>

#define LIMIT (4 * (size_t)FRAME_LEN_AFTER_LOGIN)

/* One direction: both its ends, and what is between them. */
struct channel {
    struct record_half sender;
    struct record_half receiver;
    struct buffer wire;
};

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){ .data = (const uint8_t *)text, .len = strlen(text) };
}

/* A traffic secret: that byte, and those that follow it. */
void channel_traffic(uint8_t start, uint8_t traffic[KDF_SECRET_LEN]);
/* Both ends under channel_traffic(1). */
void channel_open(struct channel *c, const struct suite *suite);
void channel_close(struct channel *c);

/* One message in a record of its own. The result of record_add. */
int channel_seal_one(struct record_half *sender, struct bytes message, struct buffer *out);
/* Seals one message and takes the frame off the wire; the caller frees it. */
uint8_t *channel_sealed(struct channel *c, struct bytes message, size_t *len);
/* Seals one message, and it arrives. */
void channel_pass(struct channel *c, struct bytes message);
/* A record is there, and the receiver opens it: *messages lends from the wire. */
void channel_open_next(struct channel *c, struct bytes *messages);
/* So that the wire needn't grow. */
void channel_make_room(struct channel *c);

/* Takes the next message out of an opened record's. */
void assert_next_message(struct bytes *messages, struct bytes message);
/* The receiver refuses that frame, and then everything. */
void assert_kills(struct channel *c, uint8_t *frame, size_t len);
/* The next record of the channel is the first under the key behind `traffic`, which is stepped on; the receiver agrees. */
void assert_renews(struct channel *c, uint8_t traffic[KDF_SECRET_LEN]);

#endif
