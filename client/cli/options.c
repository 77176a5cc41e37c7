#include "client/cli/options.h"

#include "client/kdcchat.h"
#include "crypto/dh.h"
#include "crypto/suite.h"
#include "wire/name.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- Judging values --- */

__attribute__((format(printf, 3, 4))) static bool fail(char *error, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, room, format, arguments);
    va_end(arguments);
    return false;
}

bool options_parse_server(const char *text, char *host, size_t host_room, uint16_t *port)
{
    const char *host_end;
    const char *rest;
    if (*text == '[') {
        text++;
        host_end = strchr(text, ']');
        if (host_end == NULL) {
            return false;
        }
        rest = host_end + 1;
    } else {
        const char *colon = strchr(text, ':');
        /* More than one colon without brackets is an IPv6 address. */
        bool bare_v6 = colon != NULL && strchr(colon + 1, ':') != NULL;
        host_end = colon == NULL || bare_v6 ? text + strlen(text) : colon;
        rest = host_end;
    }
    size_t host_len = (size_t)(host_end - text);
    if (host_len == 0 || host_len >= host_room) {
        return false;
    }
    unsigned long number = KC_DEFAULT_PORT;
    if (*rest == ':') {
        char *end;
        number = strtoul(rest + 1, &end, 10);
        if (rest[1] < '0' || rest[1] > '9' || *end != '\0') {
            return false;
        }
    } else if (*rest != '\0') {
        return false;
    }
    if (number == 0 || number > UINT16_MAX) {
        return false;
    }
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    *port = (uint16_t)number;
    return true;
}

static bool check_server(const char *value, char *error, size_t room)
{
    char host[sizeof((struct options *)0)->host];
    uint16_t port;
    return options_parse_server(value, host, sizeof host, &port) ||
           fail(error, room, "is no HOST:PORT (an IPv6 address with a port stands in brackets: [::1]:19268)");
}

static bool check_user(const char *value, char *error, size_t room)
{
    struct name name;
    return name_from_string(value, &name) == 0 ||
           fail(error, room, "is no user's name: 1 to 32 of a-z 0-9 . _ -, the first a letter or a digit");
}

static bool check_fingerprint(const char *value, char *error, size_t room)
{
    static const char prefix[] = "SHA256:";
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t prefix_len = sizeof prefix - 1;
    return (strncmp(value, prefix, prefix_len) == 0 && strlen(value) == KC_FINGERPRINT_LEN - 1 &&
            strspn(value + prefix_len, base64) == KC_FINGERPRINT_LEN - 1 - prefix_len) ||
           fail(error, room, "is no fingerprint: SHA256: and 43 characters of base64");
}

/* Each of a comma-separated list must be `known`. */
static bool check_list(const char *value, bool (*known)(const char *name), const char *what, char *error, size_t room)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return fail(error, room, "can't be looked at: no memory");
    }
    bool all_known = *copy != '\0' && copy[strlen(copy) - 1] != ',';
    char *position = copy;
    for (char *name = strsep(&position, ","); all_known && name != NULL; name = strsep(&position, ",")) {
        all_known = known(name);
    }
    free(copy);
    return all_known || fail(error, room, "names %s", what);
}

static bool known_group(const char *name)
{
    return dh_group_by_name(name) != NULL;
}

static bool known_suite(const char *name)
{
    return suite_by_name(name) != NULL;
}

static bool check_group(const char *value, char *error, size_t room)
{
    return check_list(value, known_group,
                      "a group that isn't one of ffdhe2048, ffdhe3072, ffdhe4096, ffdhe6144, ffdhe8192", error, room);
}

static bool check_suite(const char *value, char *error, size_t room)
{
    return check_list(value, known_suite,
                      "a suite that isn't one of chacha20-poly1305, aes-256-gcm, 3des-cbc-hmac-sha512", error, room);
}

static bool parse_switch(const char *value, bool *on)
{
    static const char *const yes[] = { "yes", "true", "on", "1" };
    static const char *const no[] = { "no", "false", "off", "0", "" };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(value, yes[i]) == 0) {
            *on = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcasecmp(value, no[i]) == 0) {
            *on = false;
            return true;
        }
    }
    return false;
}

static bool check_switch(const char *value, char *error, size_t room)
{
    bool on;
    return parse_switch(value, &on) || fail(error, room, "is neither yes nor no");
}

static bool check_number(const char *value, char *error, size_t room)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    return (*value >= '0' && *value <= '9' && *end == '\0' && errno == 0 && number > 0 && number <= 1000000000) ||
           fail(error, room, "is no number from 1 to 1000000000");
}

const struct option_description option_table[OPTION_ID_COUNT] = {
    [OPTION_SERVER] = { "server", 's', "HOST:PORT", "the KDC (default 127.0.0.1:19268)", "KDC_CHAT_SERVER",
                        "127.0.0.1:19268", check_server },
    [OPTION_USER] = { "user", 'u', "NAME", "log in as NAME; asked for when it isn't given", "KDC_CHAT_USER", NULL,
                      check_user },
    [OPTION_PASSWORD_FILE] = { "password-file", 'p', "FILE",
                               "the password is the first line of FILE; else it is asked for", "KDC_CHAT_PASSWORD_FILE",
                               NULL, NULL },
    [OPTION_FINGERPRINT] = { "fingerprint", 'f', "HASH",
                             "the KDC must have this fingerprint (SHA256:...), and is known from then on",
                             "KDC_CHAT_FINGERPRINT", NULL, check_fingerprint },
    [OPTION_GROUP] = { "group", 0, "LIST",
                       "groups for the key agreement, preferred ones first (default ffdhe3072,ffdhe4096)",
                       "KDC_CHAT_GROUP", NULL, check_group },
    [OPTION_SUITE] = { "suite", 0, "LIST",
                       "suites for the records, preferred ones first (default aes-256-gcm,chacha20-poly1305,"
                       "3des-cbc-hmac-sha512 where the processor computes AES, else the second first)",
                       "KDC_CHAT_SUITE", NULL, check_suite },
    [OPTION_KNOWN_KDCS] = { "known-kdcs", 0, "FILE", "where the KDCs' identities are remembered", "KDC_CHAT_KNOWN_KDCS",
                            NULL, NULL },
    [OPTION_DEBUG] = { "debug", 'd', NULL, "every frame by name and size on standard error; never a secret",
                       "KDC_CHAT_DEBUG", NULL, check_switch },
    [OPTION_CONFIG] = { "config", 'c', "FILE", "the configuration file (default $XDG_CONFIG_HOME/kdc-chat/config)",
                        "KDC_CHAT_CONFIG", NULL, NULL },
    [OPTION_JSON] = { "json", 'j', NULL, "listen, list: one JSON object per line", NULL, NULL, check_switch },
    [OPTION_ALL] = { "all", 'a', NULL, "listen: tell also who comes and goes, and what happens to the connection", NULL,
                     NULL, check_switch },
    [OPTION_COUNT] = { "count", 'n', "N", "listen: end after N texts", NULL, NULL, check_number },
    [OPTION_INVITE] = { "invite", 0, "CODE", "register: the invitation that the KDC's operator gave", NULL, NULL,
                        NULL },
    [OPTION_EMAIL] = { "email", 0, "ADDRESS", "register: an e-mail address, where the KDC asks for one", NULL, NULL,
                       NULL },
    [OPTION_PHONE] = { "phone", 0, "NUMBER", "register: a telephone number (+ and digits)", NULL, NULL, NULL },
    [OPTION_CODE] = { "code", 0, "CODE", "activate, deactivate: the code that was mailed", NULL, NULL, NULL },
    [OPTION_TIMEOUT] = { "timeout", 't', "S", "send, listen: give up after S seconds (send: 15)", NULL, NULL,
                         check_number },
    [OPTION_NEW_PASSWORD_FILE] = { "new-password-file", 0, "FILE",
                                   "passwd: the new password is the first line of FILE; else it is asked for", NULL,
                                   NULL, NULL },
};

/* --- Setting them --- */

bool options_set(struct options *options, enum option_id id, const char *value, const char *source, char *error,
                 size_t error_room)
{
    const struct option_description *description = &option_table[id];
    char why[200];
    if (description->check != NULL && !description->check(value, why, sizeof why)) {
        return fail(error, error_room, "%s: '%s' %s", source, value, why);
    }
    char *value_copy = strdup(value);
    char *source_copy = strdup(source);
    if (value_copy == NULL || source_copy == NULL) {
        free(value_copy);
        free(source_copy);
        return fail(error, error_room, "no memory");
    }
    free(options->value[id]);
    free(options->source[id]);
    options->value[id] = value_copy;
    options->source[id] = source_copy;
    return true;
}

struct file_reading {
    struct options *options;
    const char *path;
    char *error;
    size_t error_room;
};

static int on_file_entry(void *context, const char *section, const char *name, const char *value)
{
    struct file_reading *reading = context;
    if (*section != '\0') {
        return fail(reading->error, reading->error_room, "%s: [%s]: there are no sections here", reading->path,
                    section);
    }
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        const struct option_description *description = &option_table[id];
        if (description->environment == NULL || id == OPTION_CONFIG || strcmp(description->name, name) != 0) {
            continue;
        }
        if (reading->options->value[id] != NULL) {
            return 1;
        }
        char source[512];
        (void)snprintf(source, sizeof source, "%s: %s", reading->path, name);
        return options_set(reading->options, (enum option_id)id, value, source, reading->error, reading->error_room);
    }
    return fail(reading->error, reading->error_room, "%s: '%s' is no key of this file%s", reading->path, name,
                strcmp(name, "password") == 0 ? ": a password is read from a password-file only" : "");
}

static bool read_file(struct options *options, const char *path, bool must_exist, char *error, size_t error_room)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return (!must_exist && (errno == ENOENT || errno == ENOTDIR)) ||
               fail(error, error_room, "%s: %s", path, strerror(errno));
    }
    struct file_reading reading = { options, path, error, error_room };
    *error = '\0';
    int line = ini_parse_file(file, on_file_entry, &reading);
    bool broken = ferror(file) != 0; /* such as a directory */
    (void)fclose(file);
    if (broken) {
        return fail(error, error_room, "%s: can't be read", path);
    }
    if (line == 0) {
        return true;
    }
    return *error != '\0' ? false : fail(error, error_room, "%s: line %d is no NAME = VALUE", path, line);
}

/* A file's place in one of the person's XDG folders; NULL without a home, or without memory. */
static char *xdg_path(const char *variable, const char *below_home, const char *file)
{
    const char *folder = getenv(variable);
    const char *home = getenv("HOME");
    char *path = NULL;
    if (folder != NULL && *folder == '/') { /* relative ones don't count, says the XDG specification */
        return asprintf(&path, "%s/kdc-chat/%s", folder, file) < 0 ? NULL : path;
    }
    if (home == NULL || *home == '\0') {
        return NULL;
    }
    return asprintf(&path, "%s/%s/kdc-chat/%s", home, below_home, file) < 0 ? NULL : path;
}

static bool from_environment(struct options *options, char *error, size_t error_room)
{
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        const char *variable = option_table[id].environment;
        const char *value = variable != NULL ? getenv(variable) : NULL;
        if (value == NULL || *value == '\0' || options->value[id] != NULL) {
            continue;
        }
        char source[64];
        (void)snprintf(source, sizeof source, "$%s", variable);
        if (!options_set(options, (enum option_id)id, value, source, error, error_room)) {
            return false;
        }
    }
    return true;
}

static bool from_config(struct options *options, char *error, size_t error_room)
{
    if (options->value[OPTION_CONFIG] != NULL) {
        return read_file(options, options->value[OPTION_CONFIG], true, error, error_room);
    }
    char *path = xdg_path("XDG_CONFIG_HOME", ".config", "config");
    bool good = path == NULL || read_file(options, path, false, error, error_room);
    free(path);
    return good;
}

bool options_complete(struct options *options, char *error, size_t error_room)
{
    if (!from_environment(options, error, error_room) || !from_config(options, error, error_room)) {
        return false;
    }
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        if (options->value[id] == NULL && option_table[id].fallback != NULL &&
            !options_set(options, (enum option_id)id, option_table[id].fallback, "default", error, error_room)) {
            return false;
        }
    }
    if (options->value[OPTION_KNOWN_KDCS] == NULL) {
        options->value[OPTION_KNOWN_KDCS] = xdg_path("XDG_DATA_HOME", ".local/share", "known_kdcs");
    }
    return options_parse_server(options->value[OPTION_SERVER], options->host, sizeof options->host, &options->port) ||
           fail(error, error_room, "no server");
}

void options_free(struct options *options)
{
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        free(options->value[id]);
        free(options->source[id]);
    }
    memset(options, 0, sizeof *options);
}

bool options_on(const struct options *options, enum option_id id)
{
    bool on = false;
    return options->value[id] != NULL && parse_switch(options->value[id], &on) && on;
}

unsigned long options_number(const struct options *options, enum option_id id, unsigned long fallback)
{
    return options->value[id] != NULL ? strtoul(options->value[id], NULL, 10) : fallback;
}
