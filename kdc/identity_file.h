/*
 * identity_file.h: the KDC's identity on disk: one line of 64 lower-case hexadecimal digits, the Ed25519 seed.
 *
 * The file must be a regular one that belongs to the user who runs the program (or to root; root reads anybody's)
 * and that nobody else can read or write: otherwise it is refused. It is made with mode 0600, complete or not at all; when two make it at once,
 * both end up with the one that was first. What is read of it lives in secret memory. Any thread.
 */
#ifndef KDC_IDENTITY_FILE_H
#define KDC_IDENTITY_FILE_H

#include "crypto/identity.h"

#define IDENTITY_FILE_ERROR_MAX 512

enum identity_file_result {
    IDENTITY_FILE_OK = 0,
    IDENTITY_FILE_MADE = 1,     /* there was none: a fresh one was written */
    IDENTITY_FILE_MISSING = -1, /* identity_file_load: no such file */
    IDENTITY_FILE_FAILED = -2,  /* can't be read or written, is no identity, or others can read it */
};

/* Sets *identity (the caller frees it with identity_free); on failure it is NULL and `error` a sentence that names the
 * file and tells what to do. IDENTITY_FILE_OK, MISSING or FAILED. */
enum identity_file_result identity_file_load(const char *path, struct identity **identity,
                                             char error[IDENTITY_FILE_ERROR_MAX]) __attribute__((warn_unused_result));

/* The same; makes the file if it is missing. IDENTITY_FILE_OK, MADE or FAILED. */
enum identity_file_result identity_file_load_or_make(const char *path, const struct rng *rng,
                                                     struct identity **identity, char error[IDENTITY_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));

#endif
