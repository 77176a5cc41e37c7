/*
 * known_kdcs.h: the file in which a person's client keeps which identity it has seen under which server address.
 *
 * One line each: "HOST:PORT ed25519 KEY", KEY being the public key in 64 hexadecimal digits; empty lines and lines that
 * begin with '#' are kept as they are. A file with any other line is reported with that line's number, and never
 * written. The file is replaced as a whole (a new file, renamed), under a lock on its folder, with mode 0600; a missing
 * folder is made with mode 0700.
 *
 * Any thread.
 */
#ifndef CLIENT_KNOWN_KDCS_H
#define CLIENT_KNOWN_KDCS_H

#include "crypto/identity.h"

#define KNOWN_KDCS_ERROR_LEN 512

enum known_kdcs_result {
    KNOWN_KDCS_FAILED = -1, /* `error` holds a sentence: what, where, and what to do */
    KNOWN_KDCS_NONE = 0,    /* nothing is known under that address, or there is no file yet */
    KNOWN_KDCS_FOUND = 1,
};

/* The identity known under `address` ("host:port") into `key`. */
enum known_kdcs_result known_kdcs_find(const char *path, const char *address, uint8_t key[IDENTITY_PUBLIC_LEN],
                                       char error[KNOWN_KDCS_ERROR_LEN]) __attribute__((warn_unused_result));

/* Remembers `key` under `address`, in place of another one. 0, or -1 with `error`: then the file is as it was. */
int known_kdcs_put(const char *path, const char *address, const uint8_t key[IDENTITY_PUBLIC_LEN],
                   char error[KNOWN_KDCS_ERROR_LEN]) __attribute__((warn_unused_result));

#endif
