/*
 * exit_code.h: what kdc-admin's exit status tells. Part of the interface for scripts: numbers never change their
 * meaning.
 */
#ifndef KDC_ADMIN_EXIT_CODE_H
#define KDC_ADMIN_EXIT_CODE_H

enum exit_code {
    EXIT_DONE = 0,
    EXIT_OTHER =
        1, /* anything that isn't below: a bad configuration, a missing right, a schema to be brought up to date */
    EXIT_BAD_USAGE = 2,   /* no such command, option or number of arguments */
    EXIT_NOT_FOUND = 3,   /* no such user, no session of that user, no identity, no database */
    EXIT_EXISTS = 4,      /* there is one already */
    EXIT_DATABASE = 5,    /* the database can't be reached now */
    EXIT_NOT_RUNNING = 6, /* kdcd isn't running */
    EXIT_REFUSED = 7,     /* what was given isn't allowed: a name, a password, an answer that wasn't yes */
    EXIT_FOUND = 8,       /* a check has found something wrong */
};

struct exit_code_description {
    enum exit_code code;
    const char *doc; /* a line, for the help and the manual */
};

/* All of them, ended by one without a doc. */
extern const struct exit_code_description admin_exit_codes[];

#endif
