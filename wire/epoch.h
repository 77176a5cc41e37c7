/*
 * epoch.h: one epoch of a conversation, as one of its two people holds it (docs/protocol.md section 5): the issued key
 * becomes one chain for each direction; each message takes a key from its chain, and the chain steps on by a one-way
 * function, so that a key that is used up can't be computed again.
 *
 * Secret memory. Thread: the one that owns the client.
 */
#ifndef WIRE_EPOCH_H
#define WIRE_EPOCH_H

#include "wire/protocol.h"

struct epoch;

/* From a grant that was handed to `self` (who must be its a or b). Copies; the caller wipes the grant's key. NULL when
 * memory is out or the grant makes no sense (self in neither place, a = b, unknown suite, a key that
 * suite_issued_key_check refuses). */
struct epoch *epoch_new(const struct message_grant *grant, const struct name *self) __attribute__((warn_unused_result));
void epoch_free(struct epoch **epoch); /* wipes, sets to NULL */

uint64_t epoch_conversation(const struct epoch *epoch);
uint32_t epoch_number(const struct epoch *epoch);
const struct suite *epoch_suite(const struct epoch *epoch);
uint64_t epoch_sent(const struct epoch *epoch); /* messages sealed so far */

/* Seals `content` as this side's next message: fills m->conversation, epoch, sequence, and m->sealed, which lends from
 * `room` (MESSAGE_SEALED_MAX bytes of the caller's). 0, or -1 when the content is not valid or memory is out. */
int epoch_seal(struct epoch *epoch, const struct content *content, uint8_t *room, struct message_ciphertext *m)
    __attribute__((warn_unused_result));

/* Opens the other side's next message. `plain` (MESSAGE_SEALED_MAX bytes of the caller's, wiped by it) holds what *content
 * lends. 0; -1 when it isn't that side's next message, or not authentic, or not well-formed: the epoch stays as
 * it was, but has lost its place: ask for a new one. */
int epoch_open(struct epoch *epoch, const struct message_ciphertext *m, uint8_t *plain, struct content *content)
    __attribute__((warn_unused_result));

/* Wipes the sending chain: an older epoch that is kept only for messages still on their way. */
void epoch_stop_sending(struct epoch *epoch);

#endif
