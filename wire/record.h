/*
 * record.h: one direction of an authenticated channel (docs/protocol.md section 4): messages sealed into frames, in an order
 * that can't be changed. The sequence number is never on the wire; the frame's length is authenticated.
 *
 * A record carries one message or several, so that sealing and opening cost once for all that is said in one go. They
 * gather as plaintext at the end of the output, and record_seal, before the output is written, seals them where they are.
 * Until then nobody else adds to that buffer, consumes or clears it. The plaintext is never moved, and so never left
 * behind: when its buffer has to grow, what has gathered is sealed first.
 *
 * A key is renewed by the suite's limits (suite->key_records, key_bytes) on both sides at the same record, without a
 * message; sequence numbers go on counting. Thread: the one that owns the session; it wipes what sealing and opening leave
 * behind (secret_wipe_left_residue) before it waits or returns to code that isn't ours.
 */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include "wire/buffer.h"
#include "wire/protocol.h"

/* Secret memory (embed it in a struct from secret_alloc). */
struct record_half {
    const struct suite *suite; /* NULL: dead */
    uint8_t traffic[KDF_SECRET_LEN];
    struct aead *aead; /* the scheduled key; NULL: cooled, and scheduled again when it is needed */
    uint64_t sequence; /* of the next record */
    uint64_t records;  /* under this key */
    uint64_t bytes;    /* of plaintext, under this key */
    size_t gathered;   /* bytes of plaintext at the output's end, that record_seal will seal */
};

/* Takes a copy of the traffic secret. 0, or -1 when memory is out. */
int record_init(struct record_half *half, const struct suite *suite, const uint8_t traffic[KDF_SECRET_LEN])
    __attribute__((warn_unused_result));
/* Wipes; safe on a zeroed half. One that sends is sealed first, if something gathers in its output. */
void record_clear(struct record_half *half);

/* Gives the scheduled key back (4.5 KB under aes-256-gcm, 0.3 and 0.9 KB under the others), for a half that hasn't been used
 * for a while. The next record computes it anew from the traffic secret, which costs about a microsecond; nothing else
 * changes. Safe on a dead or cooled half; does nothing while messages gather. */
void record_cool(struct record_half *half);

/* Encodes `m` and adds it to the record that gathers at the end of `out`, or begins one; seals before that what would get
 * too long with it. 0; -1 when the buffer is full, memory is out, or the message is not valid: then it isn't added, and all
 * that was stays (but for a key renewal that failed: then the half is dead and every call fails). */
struct message;
int record_add_message(struct record_half *half, const struct message *m, struct buffer *out)
    __attribute__((warn_unused_result));

/* The same for a message (type and body) that is encoded already. */
int record_add(struct record_half *half, struct bytes message, struct buffer *out) __attribute__((warn_unused_result));

/* Seals what has gathered at the end of `out`, if anything has: it is a whole frame then. Can't fail. */
void record_seal(struct record_half *half, struct buffer *out);

/* Opens a whole frame (header included) in place. *messages lends from `frame`; record_next takes them apart. 0; -1 when it
 * isn't the next record of this direction: then the half is dead, since the channel can't go on. */
int record_open(struct record_half *half, uint8_t *frame, size_t len, struct bytes *messages)
    __attribute__((warn_unused_result));

/* Takes the first message (type and body, a byte at least; lent) off the front of an opened record. 0; -1 when there is no
 * whole one, or when a record of several is too long: malformed. So a record has one at least; behind the last,
 * messages->len is 0. */
int record_next(struct bytes *messages, struct bytes *message) __attribute__((warn_unused_result));

#endif
