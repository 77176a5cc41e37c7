/*
 * credentials.h: asking a person at the terminal, and the password: typed without being seen, or from a file.
 *
 * Questions go to the controlling terminal (/dev/tty), else to standard input if that is one; they block. The terminal's
 * settings are put back also when a signal ends or stops the program meanwhile.
 */
#ifndef CLIENT_CLI_CREDENTIALS_H
#define CLIENT_CLI_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

/* More than a password may have, so that one that is too long is told from one that was cut. */
#define PASSWORD_ROOM 256

/* Lives in secret memory (secret_alloc). */
struct password {
    size_t len;
    char bytes[PASSWORD_ROOM];
};

enum ask_result {
    ASK_OK,
    ASK_NO_TERMINAL,
    ASK_INTERRUPTED, /* by a signal, or the end of input */
    ASK_TOO_LONG,
};

/* Whether there is a terminal to ask at. */
bool ask_possible(void);
/* What stands before the answer is printed as it is. The answer without its newline, NUL-terminated. */
enum ask_result ask_line(const char *question, char *answer, size_t room);
/* Without echo. */
enum ask_result ask_password(const char *question, struct password *password);

/* The first line of the file, without its newline. Anybody else's right to read it is told on standard error. False with a
 * sentence in error. */
bool password_read_file(const char *path, struct password *password, char *error, size_t error_room)
    __attribute__((warn_unused_result));

#endif
