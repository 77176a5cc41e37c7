/* What an operator does is put on record: by whom, on which machine. */
#include "kdc/admin/command.h"
#include "kdc/audit_events.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void admin_actor(char out[ADMIN_ACTOR_MAX])
{
    char host[65] = "";
    char texts[1024];
    struct passwd of_user;
    struct passwd *entry = NULL;
    if (getpwuid_r(getuid(), &of_user, texts, sizeof texts, &entry) != 0)
        entry = NULL;
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    (void)snprintf(out, ADMIN_ACTOR_MAX, "%.32s(%u)@%.64s", entry == NULL ? "" : entry->pw_name, (unsigned)getuid(),
                   host);
}

enum store_result admin_record(struct store *store, const char *event, const char *user, const char *detail)
{
    char actor[ADMIN_ACTOR_MAX];
    admin_actor(actor);
    const struct store_event one = {
        .event = event, .user = user, .source = "kdc-admin", .detail = detail, .actor = actor
    };
    return store_write(store, &(struct store_batch){ .events = &one, .event_count = 1 });
}

void admin_record_done(struct admin *admin, const char *event, const char *user, const char *detail)
{
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    if (store == NULL)
        (void)complain(EXIT_DONE, "that is done, but it isn't in the audit log: memory is out");
    else if (admin_record(store, event, user, detail) != STORE_OK)
        (void)complain(EXIT_DONE, "that is done, but it isn't in the audit log: %s", store_error(store));
    store_free(&store);
}
