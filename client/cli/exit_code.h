/*
 * exit_code.h: what kdc-chat's exit status says, for scripts. Each cause has a number of its own.
 */
#ifndef CLIENT_CLI_EXIT_CODE_H
#define CLIENT_CLI_EXIT_CODE_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_OTHER = 1,        /* none of the others: memory, a file, a broken protocol */
    EXIT_CODE_USAGE = 2,        /* command line, environment or configuration file */
    EXIT_CODE_LOGIN = 3,        /* login refused: name, password, state of the account, too many tries */
    EXIT_CODE_PEER_OFFLINE = 4, /* the other person is not online */
    EXIT_CODE_NO_SUCH_USER = 5, /* there is no such user, or its account is not active */
    EXIT_CODE_UNREACHABLE = 6,  /* no connection to the KDC, or it was lost */
    EXIT_CODE_IDENTITY = 7,     /* the KDC's identity changed, was not trusted, or was not proved */
    EXIT_CODE_TIMEOUT = 8,      /* what was asked for did not happen in time */
    EXIT_CODE_REFUSED = 9,      /* input not allowed: name, password, text; name taken; registration closed */
    EXIT_CODE_BUSY = 10,        /* busy, or temporarily unavailable: try again later */
    EXIT_CODE_ENDED = 11,       /* taken over by another login, or kicked by the operator */
    EXIT_CODE_PENDING = 12,     /* a code was mailed, and must be given next: kdc-chat activate, deactivate */
    EXIT_CODE_INTERRUPTED = 130,
};

/* The exit code for a kc_error or a protocol reason. */
enum exit_code exit_code_of(int error);

struct exit_code_description {
    enum exit_code code;
    const char *doc; /* a line, for the help and the manual */
};

/* All of them, ended by one without a doc. */
extern const struct exit_code_description exit_code_table[];

#endif
