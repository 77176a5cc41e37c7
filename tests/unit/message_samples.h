/*
 * message_samples.h: a message of every type beside its bytes, for the tests of wire/message.h. Fails the test (cmocka) on anything
 * unexpected.
 */
#ifndef TESTS_UNIT_MESSAGE_SAMPLES_H
#define TESTS_UNIT_MESSAGE_SAMPLES_H

#include "wire/message.h"

#define ROOM 66000 /* for the longest */

extern const uint8_t some_bytes[ROOM];

/* A message, who sends it, and the same by hand (wire_bytes.h) from docs/protocol.md section 6. */
struct sample {
    const char *bytes;
    enum role sender;
    struct message m;
};

extern const struct sample samples[];
extern const size_t sample_count;

/* The bytes of a notation; how many. */
size_t by_hand(const char *notation, uint8_t room[ROOM]);
/* All that b's type has is as in a; of a list_reply's entries b's are taken out. */
void same_message(const struct message *a, struct message *b);

#endif
