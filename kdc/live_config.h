/*
 * live_config.h: the configuration in use, shared by those who look at it: never changed, freed with its last reference. A
 * reload makes another one; what began under the old one may keep it to its end.
 *
 * Thread: any; each reference belongs to one thread at a time.
 */
#ifndef KDC_LIVE_CONFIG_H
#define KDC_LIVE_CONFIG_H

#include "kdc/config.h"
#include "kdc/password_policy.h"

#include <stdatomic.h>

struct live_config {
    _Atomic unsigned references;
    struct config config;
    struct password_policy *passwords; /* counted; NULL: any password is taken */
};

/* A copy, with one reference; it holds `passwords` too. NULL when memory is out. */
struct live_config *live_config_new(const struct config *config, struct password_policy *passwords)
    __attribute__((warn_unused_result));
struct live_config *live_config_hold(struct live_config *live);
void live_config_drop(struct live_config **live); /* sets to NULL; *live may be NULL */

#endif
