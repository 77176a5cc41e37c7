/*
 * exit_code.h: how kdcd ends. With every code but 0 there is one line on stderr that says what and where.
 */
#ifndef KDC_KDCD_EXIT_CODE_H
#define KDC_KDCD_EXIT_CODE_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_OTHER = 1,         /* memory, threads or descriptors are out */
    EXIT_CODE_USAGE = 2,         /* the command line */
    EXIT_CODE_CONFIGURATION = 3, /* the configuration file */
    EXIT_CODE_LISTEN = 4,        /* a socket: the address is in use, or there is no right to it */
    EXIT_CODE_IDENTITY = 5,      /* the identity file, or the ticket file */
};

struct exit_code_description {
    enum exit_code code;
    const char *doc; /* a line, for the help and the manual */
};

/* All of them, ended by one without a doc. */
extern const struct exit_code_description kdcd_exit_codes[];

#endif
