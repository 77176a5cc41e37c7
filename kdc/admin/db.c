/* kdc-admin db ...: the database itself. */
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/schema.h"

#include <stdio.h>

struct changes {
    bool json;
    json_t *list; /* when json */
    size_t count;
};

static void change_tell(void *context, const char *what, const char *name)
{
    struct changes *changes = context;
    changes->count++;
    if (changes->json) {
        (void)json_array_append_new(changes->list, json_pack("{s:s, s:s}", "what", what, "name", name));
        return;
    }
    (void)printf("made the %s ", what);
    text_print(stdout, name);
    (void)putchar('\n');
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

enum exit_code db_migrate(struct admin *admin)
{
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
