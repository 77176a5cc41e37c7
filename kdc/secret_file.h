/*
 * secret_file.h: a password that stands in a file, read into secret memory.
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

/* Makes the file at `path`, mode 0600, that holds `text` and a newline: complete or not at all. 0; 1 when there is one
 * already (untouched); -1 with `error`. */
int secret_file_make(const char *path, const char *text, char error[SECRET_FILE_ERROR_MAX])
    __attribute__((warn_unused_result));

#endif
