#include "kdc/kdcd/group_tables.h"

#include "crypto/dh.h"
#include "kdc/log.h"
#include "kdc/priority.h"

#include <signal.h>

#define BUILDER_NICE 10 /* as the workers */

int group_tables_build(const struct handshake_policy *policy)
{
    for (size_t i = 0; i < policy->group_count; i++) {
        if (dh_group_prepare(dh_group_by_id(policy->groups[i])) != 0) {
            return -1;
        }
    }
    return 0;
}

static void *build(void *argument)
{
    const struct group_tables *tables = argument;
    priority_step_back(BUILDER_NICE);
    if (group_tables_build(&tables->policy) != 0) {
        log_event(LOG_WARN, "no memory for the tables of all groups: handshakes of some will take longer", NULL);
    }
    return NULL;
}

int group_tables_start(struct group_tables *tables, const struct handshake_policy *policy)
{
    tables->policy = *policy;
    if (dh_group_prepare(dh_group_by_id(policy->groups[0])) != 0) {
        return -1;
    }
    if (policy->group_count > 1) {
        sigset_t all;
        sigset_t before;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        tables->runs = pthread_create(&tables->thread, NULL, build, tables) == 0;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return 0;
}

void group_tables_end(struct group_tables *tables)
{
    if (tables->runs) {
        pthread_join(tables->thread, NULL);
        tables->runs = false;
    }
}
