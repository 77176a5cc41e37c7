#include "kdc/setting_value.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

/* What is wrong with a value: a phrase that follows "section.key ". NULL: nothing. */
static const char *number_set(const struct setting *setting, const char *value, unsigned *out,
                              char why[SETTING_WHY_MAX])
{
    size_t len = strlen(value);
    unsigned long number = ULONG_MAX;
    if (len > 0 && len <= 10 && strspn(value, "0123456789") == len)
        number = strtoul(value, NULL, 10);
    if (number < setting->min || number > setting->max) {
        (void)snprintf(why, SETTING_WHY_MAX, "must be a number from %u to %u", setting->min, setting->max);
        return why;
    }
    *out = (unsigned)number;
    return NULL;
}

static const char *choice_find(const struct setting *setting, const char *value, unsigned *out,
                               char why[SETTING_WHY_MAX])
{
    (void)snprintf(why, SETTING_WHY_MAX, "must be one of:");
    for (unsigned i = 0; setting->choices[i] != NULL; i++) {
        if (strcasecmp(value, setting->choices[i]) == 0) {
            *out = i;
            return NULL;
        }
        size_t used = strlen(why);
        (void)snprintf(why + used, SETTING_WHY_MAX - used, " %s", setting->choices[i]);
    }
    return why;
}

/* A group's or suite's number by its name; 0 when there is none. */
static uint16_t group_number(const char *name)
{
    const struct dh_group *group = dh_group_by_name(name);
    return group == NULL ? 0 : group->id;
}

static uint16_t suite_number(const char *name)
{
    const struct suite *suite = suite_by_name(name);
    return suite == NULL ? 0 : suite->id;
}

/* A comma-separated list of names, each once. */
static const char *list_set(const char *value, uint16_t (*number_of)(const char *), uint16_t *out, size_t max,
                            size_t *count, char why[SETTING_WHY_MAX])
{
    char copy[CONFIG_TEXT_MAX];
    (void)snprintf(copy, sizeof copy, "%s", value);
    *count = 0;
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        item += strspn(item, " \t");
        item[strcspn(item, " \t")] = '\0';
        uint16_t number = number_of(item);
        if (number == 0) {
            (void)snprintf(why, SETTING_WHY_MAX, "has '%.40s', which is none of those that there are", item);
            return why;
        }
        for (size_t i = 0; i < *count; i++) {
            if (out[i] == number) {
                (void)snprintf(why, SETTING_WHY_MAX, "has %.40s twice", item);
                return why;
            }
        }
        if (*count == max)
            return "has too many names";
        out[(*count)++] = number;
    }
    return NULL;
}

static const char *text_set(const struct setting *setting, const char *folder, size_t folder_len, const char *value,
                            char out[CONFIG_TEXT_MAX])
{
    bool path = setting->type == SETTING_PATH || setting->type == SETTING_SOCKET;
    size_t len = strlen(value);
    size_t before = path && len > 0 && value[0] != '/' ? folder_len : 0;
    if (setting->required && len == 0)
        return "may not be empty";
    size_t room = setting->type == SETTING_SOCKET ? sizeof((struct sockaddr_un *)NULL)->sun_path : CONFIG_TEXT_MAX;
    if (before + len >= room)
        return setting->type == SETTING_SOCKET ? "is too long for the path of a socket (107 bytes with its folder)"
                                               : "is too long (255 bytes with its folder)";
    char copy[CONFIG_TEXT_MAX];
    memcpy(copy, folder, before);
    memcpy(copy + before, value, len + 1);
    if (setting->type == SETTING_ADDRESS) {
        struct in6_addr address;
        if (inet_pton(AF_INET, copy, &address) != 1 && inet_pton(AF_INET6, copy, &address) != 1)
            return "must be a numeric IPv4 or IPv6 address";
    }
    memcpy(out, copy, before + len + 1);
    return NULL;
}

const char *setting_value_set(struct config *config, const struct setting *setting, const char *path, const char *value,
                              char why[SETTING_WHY_MAX])
{
    unsigned char *at = (unsigned char *)config + setting->offset;
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    const char *wrong = NULL;
    unsigned number = 0;

    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_SOCKET:
    case SETTING_ADDRESS:
        return text_set(setting, path, folder_len, value, (char *)at);
    case SETTING_NUMBER:
        wrong = number_set(setting, value, &number, why);
        break;
    case SETTING_GROUPS:
        return list_set(value, group_number, config->handshake.groups, DH_GROUP_COUNT, &config->handshake.group_count,
                        why);
    case SETTING_SUITES:
        return list_set(value, suite_number, config->handshake.suites, SUITE_COUNT, &config->handshake.suite_count,
                        why);
    case SETTING_SUITE:
        if (suite_number(value) == 0)
            return "must be one of: 3des-cbc-hmac-sha512 chacha20-poly1305 aes-256-gcm";
        *(uint16_t *)(void *)at = suite_number(value);
        return NULL;
    case SETTING_NETWORKS:
        return networks_parse(value, (struct networks *)(void *)at, why) == 0 ? NULL : why;
    case SETTING_REGISTRATION:
    case SETTING_MAIL_TLS:
    case SETTING_LOG_FORMAT:
    case SETTING_LOG_LEVEL:
    case SETTING_SWITCH:
        wrong = choice_find(setting, value, &number, why);
        break;
    }
    if (wrong != NULL)
        return wrong;
    if (setting->type == SETTING_REGISTRATION)
        *(enum config_registration *)(void *)at = (enum config_registration)number;
    else if (setting->type == SETTING_MAIL_TLS)
        *(enum config_mail_tls *)(void *)at = (enum config_mail_tls)number;
    else if (setting->type == SETTING_LOG_FORMAT)
        *(enum config_log_format *)(void *)at = (enum config_log_format)number;
    else if (setting->type == SETTING_SWITCH)
        *(bool *)(void *)at = number != 0;
    else
        *(unsigned *)(void *)at = number;
    return NULL;
}

static size_t value_len(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_SOCKET:
    case SETTING_ADDRESS:
        return CONFIG_TEXT_MAX;
    case SETTING_GROUPS:
    case SETTING_SUITES:
        return sizeof(struct handshake_policy);
    case SETTING_SUITE:
        return sizeof(uint16_t);
    case SETTING_SWITCH:
        return sizeof(bool);
    case SETTING_NETWORKS:
        return sizeof(struct networks);
    case SETTING_NUMBER:
    case SETTING_REGISTRATION:
    case SETTING_MAIL_TLS:
    case SETTING_LOG_FORMAT:
    case SETTING_LOG_LEVEL:
        break;
    }
    return sizeof(unsigned);
}

bool setting_value_equal(const struct config *a, const struct config *b, const struct setting *setting)
{
    const char *of_a = (const char *)a + setting->offset;
    const char *of_b = (const char *)b + setting->offset;
    const size_t len = value_len(setting);
    return (len == CONFIG_TEXT_MAX ? strcmp(of_a, of_b) : memcmp(of_a, of_b, len)) == 0;
}
