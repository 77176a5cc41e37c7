/*
 * key_schedule.h: what both sides of the handshake compute alike (docs/protocol.md sections 3.3 and 3.5): the transcript,
 * its hash at three points of the server_hello and at one of a client_hello that offers a ticket, and the keys that come
 * out of it and the shared secret.
 *
 * Private to wire/. The transcript is public; `struct key_schedule` is secret and lives in its handshake's secret memory.
 */
#ifndef WIRE_KEY_SCHEDULE_H
#define WIRE_KEY_SCHEDULE_H

#include "wire/buffer.h"
#include "wire/protocol.h"

/* PROTOCOL_NAME, then the handshake's frames as they are on the wire. Our own are encoded straight into it. */
struct transcript {
    struct buffer bytes;
};

/* Where the hash stops: so many bytes before the end of the frame that was added last. A server_hello ends in
 * identity | signature | confirm, a client_hello that offers a ticket in ticket | binder. */
enum transcript_cut {
    CUT_IDENTITY = IDENTITY_SIGNATURE_LEN + SHA512_LEN, /* th: up to and including the identity */
    CUT_SIGNATURE = SHA512_LEN,                         /* th_s: ... the signature */
    CUT_CONFIRM = 0,                                    /* th_c: ... the confirm */
    CUT_BINDER = SHA512_LEN,                            /* up to and including the ticket */
};

/* 0, or -1 when memory is out. */
int transcript_init(struct transcript *t) __attribute__((warn_unused_result));
void transcript_clear(struct transcript *t); /* safe on a zeroed one */

/* Adds a frame of the peer's. 0, or -1 when memory is out or it can't be a handshake's. */
int transcript_add(struct transcript *t, struct bytes frame) __attribute__((warn_unused_result));

/* What lies behind the first `from` bytes: a frame of ours that was just encoded into t->bytes. Lent until it grows. */
struct bytes transcript_since(const struct transcript *t, size_t from);

/* SHA-512 of everything up to the cut; the frame that the cut is about must have been added last. */
void transcript_hash(const struct transcript *t, enum transcript_cut cut, uint8_t hash[SHA512_LEN]);

/* Overwrites the 64 bytes that begin at the cut (CUT_IDENTITY: the signature; CUT_SIGNATURE: the confirm; CUT_BINDER: the
 * binder): a hello is encoded with zeros there, since they depend on what is before them. */
void transcript_fill(struct transcript *t, enum transcript_cut cut, const uint8_t value[SHA512_LEN]);

struct key_schedule {
    uint8_t client_traffic[KDF_SECRET_LEN];
    uint8_t server_traffic[KDF_SECRET_LEN];
    uint8_t client_confirm[KDF_SECRET_LEN];
    uint8_t server_confirm[KDF_SECRET_LEN];
    uint8_t exporter[KDF_SECRET_LEN];
    uint8_t resumption[KDF_SECRET_LEN];
};

/* What the KDC's identity signs th under (identity_sign's context). */
extern const char key_schedule_signature_context[];

/* All keys from th and `ikm`: Z, the shared secret, and behind it the ticket's secret when resumed. Keeps neither. */
void key_schedule_derive(struct key_schedule *keys, const uint8_t th[SHA512_LEN], const uint8_t *ikm, size_t ikm_len);

/* binder = HMAC-SHA-512(Expand(the ticket's secret, binder), the hash at CUT_BINDER) */
void key_schedule_binder(const uint8_t ticket_secret[KDF_SECRET_LEN], const uint8_t hash[SHA512_LEN],
                         uint8_t binder[SHA512_LEN]);

/* confirm = HMAC-SHA-512(a confirm key, th_s or th_c) */
void key_schedule_confirm(const uint8_t confirm_key[KDF_SECRET_LEN], const uint8_t hash[SHA512_LEN],
                          uint8_t confirm[SHA512_LEN]);

#endif
