/*
 * networks.h: addresses as people write them, and the sources (admission.h) that they stand for. An IPv6 source is a /64: an
 * address or a longer prefix in it stands for all of it.
 *
 * Thread: any; nothing here has a state.
 */
#ifndef KDC_NETWORKS_H
#define KDC_NETWORKS_H

#include "kdc/admission.h"

#include <stddef.h>

#define NETWORKS_MAX 32
#define NETWORKS_WHY_MAX 128
#define SOURCE_TEXT_MAX 48 /* "2001:db8:0:1::/64" */
#define SOURCE_HEX_MAX 19  /* family and prefix, for the database */

struct networks {
    size_t count;
    struct {
        struct admission_source source;
        unsigned bits; /* of its prefix */
    } list[NETWORKS_MAX];
};

/* Numeric addresses, each with /BITS behind it or not, separated by commas; empty: none. 0; -1 with `why` a phrase for behind a
 * setting's name. */
int networks_parse(const char *text, struct networks *networks, char why[NETWORKS_WHY_MAX])
    __attribute__((warn_unused_result));
bool networks_hold(const struct networks *networks, const struct admission_source *source);

/* One address, or the /64 of a source as source_text writes it. -1: it is none. */
int source_parse(const char *text, struct admission_source *source) __attribute__((warn_unused_result));
void source_text(const struct admission_source *source, char out[SOURCE_TEXT_MAX]);
/* All of it, in hexadecimal; empty for what has no address. */
void source_hex(const struct admission_source *source, char out[SOURCE_HEX_MAX]);

#endif
