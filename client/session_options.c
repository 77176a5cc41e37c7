/* session_options.c: what the application wishes of a kc_client, judged and noted in it. */
#include "client/session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_GROUPS "ffdhe3072,ffdhe4096"
#define DEFAULT_TIMEOUT 15
#define TIMEOUT_MAX 3600

/* Numbers of the comma-separated names in `list`; the count, or 0 when one is unknown, twice, or there are none. */
static size_t parse_names(const char *list, uint16_t *numbers, size_t room, uint16_t (*number)(const char *name))
{
    size_t count = 0;
    while (list != NULL) {
        char name[32];
        const char *comma = strchr(list, ',');
        size_t len = comma == NULL ? strlen(list) : (size_t)(comma - list);
        if (len == 0 || len >= sizeof(name) || count == room)
            return 0;
        memcpy(name, list, len);
        name[len] = '\0';
        uint16_t found = number(name);
        for (size_t i = 0; i < count; i++) {
            if (numbers[i] == found)
                return 0;
        }
        if (found == 0)
            return 0;
        numbers[count++] = found;
        list = comma == NULL ? NULL : comma + 1;
    }
    return count;
}

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

static bool fingerprint_valid(const char *fingerprint)
{
    static const char prefix[] = "SHA256:";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strlen(fingerprint) == KC_FINGERPRINT_LEN - 1 && strncmp(fingerprint, prefix, sizeof(prefix) - 1) == 0 &&
           strspn(fingerprint + sizeof(prefix) - 1, digits) == KC_FINGERPRINT_LEN - sizeof(prefix);
}

static int parse_policy(const struct kc_options *options, struct handshake_policy *policy)
{
    const char *groups = options->groups == NULL ? DEFAULT_GROUPS : options->groups;
    const char *suites_text = options->suites == NULL ? suite_default_names() : options->suites;
    policy->group_count = parse_names(groups, policy->groups, DH_GROUP_COUNT, group_number);
    policy->suite_count = parse_names(suites_text, policy->suites, SUITE_COUNT, suite_number);
    return policy->group_count > 0 && policy->suite_count > 0 ? KC_OK : KC_BAD_OPTION;
}

static int copy_options(struct kc_client *client, const struct kc_options *options)
{
    const char *host = options->host == NULL ? DEFAULT_HOST : options->host;
    unsigned seconds = options->connect_timeout == 0 ? DEFAULT_TIMEOUT : options->connect_timeout;
    if (host[0] == '\0' || strlen(host) > 253 || strpbrk(host, " \t\r\n#") != NULL ||
        (options->fingerprint != NULL && !fingerprint_valid(options->fingerprint)))
        return KC_BAD_OPTION;
    client->port = options->port == 0 ? KC_DEFAULT_PORT : options->port;
    client->reconnect = options->reconnect;
    client->timeout_ms = 1000 * (seconds > TIMEOUT_MAX ? TIMEOUT_MAX : seconds);
    if (options->fingerprint != NULL)
        memcpy(client->wanted_fingerprint, options->fingerprint, KC_FINGERPRINT_LEN);
    client->host = strdup(host);
    if (options->known_kdcs != NULL)
        client->known_path = strdup(options->known_kdcs);
    /* An IPv6 address has colons of its own. */
    bool colons = strchr(host, ':') != NULL;
    int len =
        asprintf(&client->address, "%s%s%s:%u", colons ? "[" : "", host, colons ? "]" : "", (unsigned)client->port);
    if (len < 0)
        client->address = NULL;
    if (client->host == NULL || client->address == NULL || (options->known_kdcs != NULL && client->known_path == NULL))
        return KC_NO_MEMORY;
    for (char *c = client->address; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return KC_OK;
}

int session_options_take(struct kc_client *client, const struct kc_options *options, struct handshake_policy *policy)
{
    int error = parse_policy(options, policy);
    return error == KC_OK ? copy_options(client, options) : error;
}
