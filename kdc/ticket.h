/*
 * ticket.h: a resumption ticket: who was logged in, sealed for whichever KDC sees it again (docs/protocol.md section 3.5).
 *
 *   ticket = u64 period | bytes[32] salt | sealed
 *   sealed = chacha20-poly1305 under derive(the period's key, "kdc-chat v1 ticket" | salt), sequence number 0, the 40 bytes before as
 *            associated data, of
 *            u64 user | u8 length of the name | bytes[32] name, filled up with zeros | u64 account's epoch | u64 issued |
 *            u64 expires | bytes[64] secret
 *
 * A ticket that comes in place of another has that one's time of issue: all of them end a lifetime after the password was given, so
 * nobody lives on a stolen one for longer; and when the account ends, if that is sooner. All are equally long, so that their
 * length says nothing about the name. No state; any thread.
 */
#ifndef KDC_TICKET_H
#define KDC_TICKET_H

#include "kdc/ticket_keys.h"
#include "wire/protocol.h"

#define TICKET_HEAD_LEN (8 + 32)
#define TICKET_PLAIN_LEN (8 + 1 + NAME_LEN_MAX + 8 + 8 + 8 + KDF_SECRET_LEN)
#define TICKET_LEN (TICKET_HEAD_LEN + TICKET_PLAIN_LEN + 16)
#define TICKET_AHEAD_MS 60000 /* how far another KDC's clock may be before ours */

/* Holds a secret: secret memory, or wiped. */
struct ticket {
    uint64_t user;
    struct name name;
    uint64_t epoch;                 /* the account's */
    uint64_t issued;                /* to somebody who gave the password: milliseconds since 1970 UTC */
    uint64_t expires;               /* the account: milliseconds since 1970 UTC; 0: never */
    uint8_t secret[KDF_SECRET_LEN]; /* the `resumption` of the handshake that its welcome followed */
};

/* 0, or -1 when memory or randomness is out. */
int ticket_seal(const struct ticket *ticket, struct ticket_keys *keys, const struct rng *rng, uint8_t out[TICKET_LEN])
    __attribute__((warn_unused_result));

/* Whole seconds for which it may be used from now on (milliseconds since 1970 UTC); 0: it may not. */
unsigned ticket_seconds_left(const struct ticket *ticket, const struct ticket_keys *keys, uint64_t now);

/* Opens one that was sealed under a key that is live, no longer ago than the keys' lifetime. `now` in milliseconds since 1970. 0, or
 * -1: then *ticket is empty. */
int ticket_open(struct bytes sealed, struct ticket_keys *keys, uint64_t now, struct ticket *ticket)
    __attribute__((warn_unused_result));

#endif
