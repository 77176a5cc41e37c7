/*
 * people.h: the people that the chat knows of: those that one talks with, and those who were seen online.
 */
#ifndef CLIENT_CLI_PEOPLE_H
#define CLIENT_CLI_PEOPLE_H

#include "client/kdcchat.h"

struct person {
    char name[KC_NAME_MAX + 1];
    bool written;      /* one has written to this person */
    bool wrote;        /* texts to this person aren't delivered yet */
    bool hinted;       /* the one at the terminal knows how to answer this person */
    bool open;         /* there is a conversation with a living epoch */
    bool online;       /* as far as we know */
    bool offline_told; /* the one at the terminal knows that this person is offline */
    bool asked;        /* an answer to /to or /rekey is awaited */
    bool who_asked;    /* ... to /who */
    uint32_t epoch;    /* the last one; 0: none yet */
};

struct people {
    struct person **list;
    size_t count;
};

/* NULL when there is nobody of that name. */
struct person *people_find(const struct people *people, const char *name);
/* Found or added; NULL when memory is out. It stays where it is. */
struct person *people_get(struct people *people, const char *name);
void people_free(struct people *people);

#endif
