#include "kdc/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS_V4 32u
#define BITS_V6 128u
#define BITS_V6_SOURCE 64u
#define BITS_V4_MAPPED 96u /* that come before the IPv4 address in ::ffff:192.0.2.1 */

/* `bits`: of the address as it was written. 0, or -1. */
static int address_parse(const char *text, struct admission_source *source, unsigned *bits)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        *source = admission_source_of((const struct sockaddr *)&v4);
        *bits = BITS_V4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        *source = admission_source_of((const struct sockaddr *)&v6);
        *bits = BITS_V6;
        return 0;
    }
    return -1;
}

static bool number_parse(const char *digits, unsigned max, unsigned *number)
{
    const size_t len = strlen(digits);
    if (len == 0 || len > 3 || strspn(digits, "0123456789") != len) {
        return false;
    }
    *number = (unsigned)strtoul(digits, NULL, 10);
    return *number <= max;
}

/* 0, or -1. */
static int network_parse(char *item, struct admission_source *source, unsigned *bits)
{
    char *slash = strchr(item, '/');
    unsigned written;
    if (slash != NULL) {
        *slash = '\0';
    }
    if (address_parse(item, source, &written) != 0) {
        return -1;
    }
    *bits = written;
    if (slash != NULL && !number_parse(slash + 1, written, bits)) {
        return -1;
    }
    if (source->family == 6) {
        *bits = *bits > BITS_V6_SOURCE ? BITS_V6_SOURCE : *bits;
    } else if (written == BITS_V6) {
        if (*bits < BITS_V4_MAPPED) {
            return -1; /* more than what is IPv4 */
        }
        *bits -= BITS_V4_MAPPED;
    }
    return 0;
}

int networks_parse(const char *text, struct networks *networks, char why[NETWORKS_WHY_MAX])
{
    networks->count = 0;
    while (*text != '\0') {
        char item[64];
        const size_t len = strcspn(text, ",");
        const char *from = text + strspn(text, " \t");
        size_t used = from >= text + len ? 0 : len - (size_t)(from - text);
        while (used > 0 && (from[used - 1] == ' ' || from[used - 1] == '\t')) {
            used--;
        }
        (void)snprintf(item, sizeof item, "%.*s", (int)used, from);
        if (networks->count == NETWORKS_MAX) {
            (void)snprintf(why, NETWORKS_WHY_MAX, "may have %d addresses at most", NETWORKS_MAX);
            return -1;
        }
        if (used >= sizeof item ||
            network_parse(item, &networks->list[networks->count].source, &networks->list[networks->count].bits) != 0) {
            (void)snprintf(why, NETWORKS_WHY_MAX, "has '%.*s', which is no address or network (192.0.2.0/24)",
                           (int)(used < 45 ? used : 45), from);
            return -1;
        }
        networks->count++;
        text += len;
        if (*text == ',' && *++text == '\0') {
            (void)snprintf(why, NETWORKS_WHY_MAX, "may not end in a comma");
            return -1;
        }
    }
    return 0;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    const unsigned bytes = bits / 8;
    const unsigned rest = bits % 8;
    return memcmp(a, b, bytes) == 0 && (rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0);
}

bool networks_hold(const struct networks *networks, const struct admission_source *source)
{
    for (size_t i = 0; i < networks->count; i++) {
        if (networks->list[i].source.family == source->family && source->family != 0 &&
            prefix_equal(networks->list[i].source.prefix, source->prefix, networks->list[i].bits)) {
            return true;
        }
    }
    return false;
}

int source_parse(const char *text, struct admission_source *source)
{
    char item[SOURCE_TEXT_MAX];
    unsigned bits;
    if (snprintf(item, sizeof item, "%s", text) >= (int)sizeof item || network_parse(item, source, &bits) != 0) {
        return -1;
    }
    return bits == (source->family == 6 ? BITS_V6_SOURCE : BITS_V4) ? 0 : -1;
}

void source_text(const struct admission_source *source, char out[SOURCE_TEXT_MAX])
{
    uint8_t address[16] = { 0 };
    memcpy(address, source->prefix, sizeof source->prefix);
    if (source->family == 0 ||
        inet_ntop(source->family == 6 ? AF_INET6 : AF_INET, address, out, SOURCE_TEXT_MAX) == NULL) {
        (void)snprintf(out, SOURCE_TEXT_MAX, "none");
        return;
    }
    if (source->family == 6) {
        const size_t len = strlen(out);
        (void)snprintf(out + len, SOURCE_TEXT_MAX - len, "/64");
    }
}

void source_hex(const struct admission_source *source, char out[SOURCE_HEX_MAX])
{
    out[0] = '\0';
    if (source->family != 0) {
        const uint8_t *p = source->prefix;
        (void)snprintf(out, SOURCE_HEX_MAX, "%02x%02x%02x%02x%02x%02x%02x%02x%02x", source->family, p[0], p[1], p[2],
                       p[3], p[4], p[5], p[6], p[7]);
    }
}
