/*
 * wrap.h: long lines cut into rows of a terminal, by us and not by the terminal: each further row gets a margin, so that nothing
 * in a text can be padded until it looks like a line of its own.
 */
#ifndef CLIENT_CLI_WRAP_H
#define CLIENT_CLI_WRAP_H

#include <stddef.h>

/* In front of the further rows of a text from a person: below its time. */
#define WRAP_TEXT_MARGIN "         | "

/* Columns of the terminal at standard output; 0: there is none. */
size_t wrap_columns(void);

/* `text` (safe for a terminal, see printable.h) in rows of at most `columns`, cut behind a blank where there is one;
 * `used` columns of the first row are taken already. Further rows, and those behind a newline of the text, begin with
 * `margin`, and blanks at the end of a row are left out. `columns` of 0 cuts nothing. NULL when memory is out; the caller frees it. */
char *wrap_text(const char *text, size_t columns, size_t used, const char *margin)
    __attribute__((warn_unused_result, malloc));

#endif
