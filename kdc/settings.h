/*
 * settings.h: the one table of kdcd's configuration keys. config.c and setting_value.c read, check, compare and print by it.
 *
 * Constant; any thread.
 */
#ifndef KDC_SETTINGS_H
#define KDC_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

enum setting_type {
    SETTING_TEXT,         /* char[CONFIG_TEXT_MAX] */
    SETTING_PATH,         /* char[CONFIG_TEXT_MAX], taken as relative to the file's folder; empty stays empty */
    SETTING_SOCKET,       /* a path that fits into a sockaddr_un */
    SETTING_ADDRESS,      /* char[CONFIG_TEXT_MAX]: a numeric IPv4 or IPv6 address */
    SETTING_NUMBER,       /* unsigned, min to max */
    SETTING_GROUPS,       /* the groups of a struct handshake_policy: names, separated by commas */
    SETTING_SUITES,       /* its suites, likewise */
    SETTING_SUITE,        /* uint16_t: a suite's name */
    SETTING_REGISTRATION, /* enum config_registration, by its word in `choices` */
    SETTING_MAIL_TLS,     /* enum config_mail_tls, likewise */
    SETTING_LOG_FORMAT,   /* enum config_log_format, likewise */
    SETTING_LOG_LEVEL,    /* unsigned, likewise */
    SETTING_SWITCH,       /* bool, likewise: off, on */
    SETTING_NETWORKS,     /* struct networks: addresses and networks, separated by commas */
};

struct setting {
    const char *section;
    const char *key;
    enum setting_type type;
    size_t offset; /* in struct config */
    unsigned min;  /* of a SETTING_NUMBER */
    unsigned max;
    const char *const *choices; /* words by their number, ended by NULL; NULL for other types */
    const char *initial;        /* the default, as it would stand in the file */
    bool required;              /* may not be set to nothing */
    bool reloadable;            /* may differ in what SIGHUP loads */
    const char *doc;            /* lines for the sample */
};

struct setting_section {
    const char *name;
    const char *doc;
};

extern const struct setting settings[];
extern const size_t settings_count;
extern const struct setting_section setting_sections[]; /* in the sample's order */
extern const size_t setting_sections_count;

#endif
