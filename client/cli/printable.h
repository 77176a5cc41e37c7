/*
 * printable.h: text from the network made safe for a terminal, and how wide text is there.
 *
 * What could steer a terminal or mislead the eye is shown instead of obeyed: C0 controls and DEL as their pictures
 * (U+2400 and on), C1 controls, bidirectional controls and line separators as <U+009B>, bytes that are no UTF-8 as U+FFFD.
 * All else stays as it is. Nothing here depends on the locale.
 */
#ifndef CLIENT_CLI_PRINTABLE_H
#define CLIENT_CLI_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* `len` bytes made safe, NUL-terminated; NULL when memory is out. The caller frees it. A newline is shown as a picture as
 * well, unless `newlines`: then it stays. A tab becomes spaces. */
char *printable(const char *text, size_t len, bool newlines) __attribute__((warn_unused_result, malloc));

/* A cluster is what a person takes for one character: a letter with its accents, an emoji with its modifiers.
 * Its length in bytes at the start of `text`; at least 1 unless len is 0. Bytes that are no UTF-8 count one by one. */
size_t cluster_len(const char *text, size_t len);
/* The length of the last cluster of `text`. */
size_t cluster_len_before(const char *text, size_t len);
/* Columns that clusters take in a terminal; never less than what it really takes. */
size_t text_width(const char *text, size_t len);

#endif
