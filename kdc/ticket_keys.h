/*
 * ticket_keys.h: the keys that resumption tickets (ticket.h, docs/protocol.md section 3.5) are sealed under.
 *
 * Time is cut into periods as long as a ticket may be used: period = seconds since 1970 / lifetime. Each has a key of its own, the
 * next one made from it by a one-way step:
 *
 *   key of period n + 1 = Expand(key of period n, "kdc-chat v1 next ticket key", 64)
 *
 * so a key that is gone can't be had again, and KDCs that were given copies of one file take each other's tickets. Two are live at a
 * time: the present period's, under which tickets are sealed, and the one before, under which they are still opened. A file keeps
 * the older of the two: one line, `PERIOD LIFETIME KEY` (decimal, decimal, 128 hexadecimal digits), mode 0600 and under the rules of
 * identity_file.h. It is made at the first start, and written anew when a period begins.
 *
 * Thread: ticket_keys_turn belongs to one thread at a time; the others may be called from any. Keys are in secret memory.
 */
#ifndef KDC_TICKET_KEYS_H
#define KDC_TICKET_KEYS_H

#include "crypto/kdf.h"
#include "crypto/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define TICKET_KEYS_ERROR_MAX 512
#define TICKET_KEY_LEN KDF_SECRET_LEN
/* A file that is older than so many periods is replaced instead of being stepped on: seconds of computing otherwise. */
#define TICKET_KEYS_STEPS_MAX 1000000

struct ticket_keys;

/* From a file, or from a key that only memory has (then nothing is written: for tests). `lifetime` in seconds, not 0;
 * `now` in seconds since 1970. */
enum ticket_keys_result {
    TICKET_KEYS_LOADED = 0,
    TICKET_KEYS_MADE = 1,  /* there was none: a fresh one was written */
    TICKET_KEYS_AHEAD = 2, /* the file is of a period that is yet to come, and used as it is: did the clock go back? */
    TICKET_KEYS_ANEW = 3,  /* the file was for another lifetime, or far too old: a fresh one was written in its place */
    TICKET_KEYS_KEPT = 4,  /* the file is right, but what it should hold by now can't be written; `error` tells */
    TICKET_KEYS_FAILED = -1 /* *keys is NULL, and `error` a sentence that names the file and tells what to do */
};
enum ticket_keys_result ticket_keys_load(const char *path, unsigned lifetime, uint64_t now, const struct rng *rng,
                                         struct ticket_keys **keys, char error[TICKET_KEYS_ERROR_MAX])
    __attribute__((warn_unused_result));
/* `key`: of the period before now's. NULL when memory is out. */
struct ticket_keys *ticket_keys_new(unsigned lifetime, uint64_t now, const uint8_t key[TICKET_KEY_LEN])
    __attribute__((warn_unused_result));
void ticket_keys_free(struct ticket_keys **keys); /* wipes, sets to NULL */

/* Seconds for which a ticket may be used. */
unsigned ticket_keys_lifetime(const struct ticket_keys *keys);

/* Steps on when a period has begun, and writes the file. 0: nothing was due, or all is done; 1: stepped, but the file can't be
 * written (`error`): the next start, or another KDC with this file, makes up for it. */
int ticket_keys_turn(struct ticket_keys *keys, uint64_t now, char error[TICKET_KEYS_ERROR_MAX])
    __attribute__((warn_unused_result));

/* The key to seal under, and its period. The caller wipes it. */
void ticket_keys_newest(struct ticket_keys *keys, uint64_t *period, uint8_t key[TICKET_KEY_LEN]);
/* The key of that period, if it is live. The caller wipes it. */
bool ticket_keys_find(struct ticket_keys *keys, uint64_t period, uint8_t key[TICKET_KEY_LEN])
    __attribute__((warn_unused_result));

#endif
