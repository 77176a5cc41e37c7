/* kdc-admin db ...: the database itself. */
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/audit_events.h"
#include "kdc/schema.h"

#include <stdio.h>
#include <string.h>

struct changes {
    bool json;
    json_t *list; /* when json */
    size_t count;
    char made[250]; /* for the audit log: the first ones */
};

static void change_tell(void *context, const char *what, const char *name)
{
    struct changes *changes = context;
    const bool kept = strcmp(what, SCHEMA_KEPT) == 0;
    const size_t len = strlen(changes->made);
    changes->count += kept ? 0 : 1;
    if (!kept && strcmp(what, "procedure") != 0)
        (void)snprintf(changes->made + len, sizeof changes->made - len, "%s%s %s", len == 0 ? "" : ", ", what, name);
    if (changes->json) {
        (void)json_array_append_new(changes->list, json_pack("{s:s, s:s}", "what", what, "name", name));
        return;
    }
    (void)printf(kept ? "%s " : "made the %s ", what);
    text_print(stdout, name);
    (void)printf(kept ? ": another one than ours is in its place\n" : "\n");
}

static enum exit_code schema_change_run(struct admin *admin,
                                        enum store_result (*change)(struct store *, schema_change *, void *))
{
    struct changes changes = { .json = admin->json, .list = json_array() };
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    enum exit_code code = EXIT_DONE;
    if (store == NULL || changes.list == NULL) {
        code = complain(EXIT_OTHER, "memory is out");
        goto out;
    }
    enum store_result result = change(store, change_tell, &changes);
    if (result != STORE_OK) {
        code = complain_store(store, result, "the database was not brought up to date");
        goto out;
    }
    if (changes.count > 0)
        admin_record_done(admin, AUDIT_DATABASE_CHANGED, "", changes.made);
    if (admin->json) {
        json_print(json_pack("{s:s, s:O}", "database", admin->config.db_name, "made", changes.list));
    } else {
        (void)printf("The database ");
        text_print(stdout, admin->config.db_name);
        (void)printf(" is %s.\n", changes.count == 0 ? "up to date: nothing was to be done" : "ready");
    }
out:
    json_decref(changes.list);
    store_free(&store);
    return code;
}

enum exit_code db_init(struct admin *admin)
{
    return schema_change_run(admin, schema_init);
}

/* ---- what a migration would run ---- */

struct pieces {
    bool json;
    json_t *list;
    size_t count;
};

/* For the mariadb client: so nothing of it is changed, but what could move a cursor. */
static void piece_tell(void *context, const char *what, const char *name, const char *sql)
{
    struct pieces *pieces = context;
    pieces->count++;
    if (pieces->json) {
        (void)json_array_append_new(pieces->list, json_pack("{s:s, s:s, s:s}", "what", what, "name", name, "sql", sql));
        return;
    }
    (void)printf("-- %s ", what);
    text_print(stdout, name);
    (void)printf("\n%s\n", sql);
}

static enum exit_code plan_print(struct admin *admin)
{
    struct pieces pieces = { .json = admin->json, .list = json_array() };
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    enum exit_code code = EXIT_DONE;
    const enum store_result result =
        store == NULL || pieces.list == NULL ? STORE_UNAVAILABLE : schema_plan(store, piece_tell, &pieces);
    if (store == NULL || pieces.list == NULL)
        code = complain(EXIT_OTHER, "memory is out");
    else if (result != STORE_OK)
        code = complain_store(store, result, "what is to be done can't be told");
    else if (admin->json)
        json_print(json_pack("{s:s, s:O}", "database", admin->config.db_name, "would_run", pieces.list));
    else if (pieces.count == 0)
        (void)puts("-- The database is up to date: nothing is to be done.");
    json_decref(pieces.list);
    store_free(&store);
    return code;
}

enum exit_code db_migrate(struct admin *admin)
{
    if ((admin->options & OPTION_DRY_RUN) != 0)
        return plan_print(admin);
    return schema_change_run(admin, schema_migrate);
}

/* What is to be said of the schema, and to be done. */
static const char *schema_word(const struct schema_status *status, const char **advice)
{
    *advice = NULL;
    if (!status->database) {
        *advice = "make it with: kdc-admin db init";
        return "missing";
    }
    if (status->number > status->needed) {
        *advice = "use the kdc-admin that it was made with, or a later one";
        return "newer";
    }
    if (status->number == status->needed && status->procedures_missing == 0)
        return "current";
    *advice =
        status->number == 0 ? "make it with: kdc-admin db init" : "bring it up to date with: kdc-admin db migrate";
    return status->number == 0 ? "empty" : "old";
}

static void status_print(struct admin *admin, const struct schema_status *status, const char *schema, const char *kdcd)
{
    struct table table = { .columns = 2 };
    table_add(&table, "database");
    table_add(&table, admin->config.db_name);
    table_add(&table, "server");
    table_add(&table, status->server);
    table_add(&table, "schema");
    table_add(&table, schema);
    table_add(&table, "schema number");
    table_add_number(&table, status->number);
    table_add(&table, "needed number");
    table_add_number(&table, status->needed);
    table_add(&table, "missing procedures");
    table_add_number(&table, status->procedures_missing);
    table_add(&table, "users");
    table_add_number(&table, status->users);
    table_add(&table, "conversations");
    table_add_number(&table, status->conversations);
    table_add(&table, "audit events");
    table_add_number(&table, status->audit);
    table_add(&table, "kdcd's account");
    table_add(&table, kdcd == NULL ? "works" : kdcd);
    table_print(&table);
}

enum exit_code db_status(struct admin *admin)
{
    struct schema_status status;
    const char *advice = NULL;
    enum exit_code code = EXIT_DONE;
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    struct store *as_kdcd = store_new(&admin->config, STORE_ACCOUNT_KDC);
    if (store == NULL || as_kdcd == NULL) {
        code = complain(EXIT_OTHER, "memory is out");
        goto out;
    }
    enum store_result result = schema_status_get(store, &status);
    if (result != STORE_OK) {
        code = complain_store(store, result, "the database's state can't be told");
        goto out;
    }
    const char *schema = schema_word(&status, &advice);
    const char *kdcd = store_connect(as_kdcd) == STORE_OK ? NULL : store_error(as_kdcd);
    if (admin->json)
        json_print(json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:s}", "database", admin->config.db_name,
                             "server", status.server, "schema", schema, "number", (int)status.number, "needed",
                             (int)status.needed, "procedures_missing", (int)status.procedures_missing, "users",
                             (json_int_t)status.users, "conversations", (json_int_t)status.conversations, "audit",
                             (json_int_t)status.audit, "account", kdcd == NULL ? "works" : kdcd));
    else
        status_print(admin, &status, schema, kdcd);
    if (advice != NULL)
        code = complain(status.number == 0 ? EXIT_NOT_FOUND : EXIT_OTHER, "the database is %s: %s", schema, advice);
    else if (kdcd != NULL)
        code = complain(EXIT_OTHER, "kdcd can't use the database: %s", kdcd);
out:
    store_free(&store);
    store_free(&as_kdcd);
    return code;
}
