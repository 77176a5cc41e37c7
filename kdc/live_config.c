#include "kdc/live_config.h"

#include <stdlib.h>

struct live_config *live_config_new(const struct config *config, struct password_policy *passwords)
{
    struct live_config *live = malloc(sizeof *live);
    if (live != NULL) {
        atomic_init(&live->references, 1);
        live->config = *config;
        live->passwords = password_policy_ref(passwords);
    }
    return live;
}

struct live_config *live_config_hold(struct live_config *live)
{
    (void)atomic_fetch_add_explicit(&live->references, 1, memory_order_relaxed);
    return live;
}

void live_config_drop(struct live_config **live)
{
    if (*live != NULL && atomic_fetch_sub_explicit(&(*live)->references, 1, memory_order_acq_rel) == 1) {
        password_policy_unref(&(*live)->passwords);
        free(*live);
    }
    *live = NULL;
}
