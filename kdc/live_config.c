#include "kdc/live_config.h"

#include <stdlib.h>

struct live_config *live_config_new(const struct config *config)
{
    struct live_config *live = malloc(sizeof *live);
    if (live != NULL) {
        atomic_init(&live->references, 1);
        live->config = *config;
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
        free(*live);
    }
    *live = NULL;
}
