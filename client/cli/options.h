/*
 * options.h: what kdc-chat was told, and by whom: the command line before the environment ($KDC_CHAT_…) before the
 * configuration file before the defaults. One table (option_table) gives all four, and the help.
 *
 * The configuration file: `name = value` lines with the long options' names, no sections, '#' for comments.
 */
#ifndef CLIENT_CLI_OPTIONS_H
#define CLIENT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_id {
    OPTION_SERVER,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_FINGERPRINT,
    OPTION_GROUP,
    OPTION_SUITE,
    OPTION_KNOWN_KDCS,
    OPTION_DEBUG,
    OPTION_CONFIG,
    /* Of single commands; on the command line only. */
    OPTION_JSON,
    OPTION_ALL,
    OPTION_COUNT,
    OPTION_TIMEOUT,
    OPTION_INVITE,
    OPTION_EMAIL,
    OPTION_PHONE,
    OPTION_CODE,
    OPTION_NEW_PASSWORD_FILE,
    OPTION_ID_COUNT,
};

struct option_description {
    const char *name;     /* the long option, and the key in the configuration file */
    char letter;          /* the short option; 0: none */
    const char *argument; /* its name in the help; NULL: a switch */
    const char *doc;
    const char *environment; /* NULL: on the command line only */
    const char *fallback;    /* the default; NULL: none */
    /* NULL: anything goes. Else: true, or false with a sentence why not in error (without a final full stop). */
    bool (*check)(const char *value, char *error, size_t error_room);
};

/* By option_id. */
extern const struct option_description option_table[OPTION_ID_COUNT];

struct options {
    char *value[OPTION_ID_COUNT];  /* owned; NULL: not given, no default */
    char *source[OPTION_ID_COUNT]; /* owned: what to call it in a message, such as "--server" or "/home/a/config:3" */
    char host[256];                /* of OPTION_SERVER */
    uint16_t port;
};

/* All zero is a start. A value from the command line; false with a sentence in error. The switches take "yes". */
bool options_set(struct options *options, enum option_id id, const char *value, const char *source, char *error,
                 size_t error_room) __attribute__((warn_unused_result));
/* The other three sources, for what has no value yet. False with a sentence in error. */
bool options_complete(struct options *options, char *error, size_t error_room) __attribute__((warn_unused_result));
void options_free(struct options *options);

/* Whether a switch is on. */
bool options_on(const struct options *options, enum option_id id);
/* A number, or `fallback` when it wasn't given. */
unsigned long options_number(const struct options *options, enum option_id id, unsigned long fallback);

/* "host", "host:port", "[v6]", "[v6]:port", a bare v6 address. */
bool options_parse_server(const char *text, char *host, size_t host_room, uint16_t *port)
    __attribute__((warn_unused_result));

#endif
