/*
 * secret_file.h: secrets in files: passwords that a person put there, and what the programs keep for themselves (the identity, the
 * tickets' key), read into secret memory.
 *
 * Any thread.
 */
#ifndef KDC_SECRET_FILE_H
#define KDC_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_FILE_ERROR_MAX 512
#define SECRET_FILE_MAX 1024 /* bytes of the first line */

/* The first line of what `fd` gives, or of the file at `path`, without its line end. It may hold NUL bytes; a NUL
 * follows.
 * *text is secret memory of the caller's (secret_free). 0, or -1 with `error` a sentence that names `path`: not
 * readable, a first line that is too long, or, when `private_only`, a file that users other than its owner and group
 * may read. */
int secret_file_read(const char *path, bool private_only, char **text, size_t *len, char error[SECRET_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));
int secret_fd_read(int fd, const char *path, char **text, size_t *len, char error[SECRET_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));

/* Opens a file in which a program keeps a secret of its own: it must be a regular one that belongs to the user who runs the
 * program (or to root; root reads anybody's) and that nobody else can read or write. `what` names the secret in sentences ("the identity"). A
 * descriptor for secret_fd_read, which the caller closes; SECRET_FILE_MISSING when there is no such file; -1 when it is refused;
 * both with `error`. */
#define SECRET_FILE_MISSING (-2)
int secret_file_open_own(const char *path, const char *what, char error[SECRET_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));

/* Makes the file at `path`, mode 0600, that holds `text` and a newline: complete or not at all. 0; 1 when there is one
 * already (untouched); -1 with `error`. */
int secret_file_make(const char *path, const char *text, char error[SECRET_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));
/* The same in place of the one that is there, if any: afterwards there is the old one or the new one. 0, or -1 with `error`. */
int secret_file_replace(const char *path, const char *text, char error[SECRET_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));

#endif
