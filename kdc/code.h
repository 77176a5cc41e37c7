/*
 * code.h: codes that people type: an invitation's, and those that are mailed to activate or deactivate an account. The
 * database has digests of them (SHA-512/256, FIPS 180-4) and never the codes.
 *
 * An invitation's code has 100 bits of randomness: a digest says nothing about it. A mailed one has six digits: whoever has
 * the digest finds it by trying, in no time. What keeps it is that it holds for minutes and for a few tries; its digest is
 * bound to the account and the purpose, so that one table made in advance isn't good for all.
 *
 * Any thread. Codes are secrets: callers wipe them.
 */
#ifndef KDC_CODE_H
#define KDC_CODE_H

#include "crypto/rng.h"
#include "wire/protocol.h"

#define CODE_MAILED_DIGITS 6
#define CODE_MAILED_ROOM (CODE_MAILED_DIGITS + 1)
#define CODE_INVITATION_ROOM (4 * 5 + 3 + 1) /* "XXXXX-XXXXX-XXXXX-XXXXX" */
#define CODE_DIGEST_ROOM 65                  /* hexadecimal */

enum code_purpose { CODE_ACTIVATE, CODE_DEACTIVATE };

/* "activate", "deactivate": as the database has it. */
const char *code_purpose_word(enum code_purpose purpose);

/* A fresh one, every value as likely. 0, or -1: there is no randomness. */
int code_mailed_make(const struct rng *rng, char code[CODE_MAILED_ROOM]) __attribute__((warn_unused_result));
/* Likewise, in Crockford's base 32: no I, L, O or U. */
int code_invitation_make(const struct rng *rng, char code[CODE_INVITATION_ROOM]) __attribute__((warn_unused_result));

/* The digest of what was typed; blanks and hyphens in it don't matter. 0, or -1: it can't be such a code. */
int code_mailed_digest(enum code_purpose purpose, uint64_t user, struct bytes typed, char digest[CODE_DIGEST_ROOM])
    __attribute__((warn_unused_result));
/* Nor does it matter whether letters are small, or O was typed for 0, or I or L for 1. */
int code_invitation_digest(struct bytes typed, char digest[CODE_DIGEST_ROOM]) __attribute__((warn_unused_result));

#endif
