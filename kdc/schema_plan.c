/* What a migration would run, told instead of run. */
#include "kdc/schema_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan {
    struct store *store;
    bool bookkeeping; /* its tables are there */
    schema_piece *piece;
    void *context;
    size_t count;
};

static void piece_tell(struct plan *plan, const char *what, const char *name, const char *sql)
{
    plan->piece(plan->context, what, name, sql);
    plan->count++;
}

/* The file's text, and a line that takes note of it. */
static enum store_result file_tell(struct plan *plan, const struct sql_file *file, const char *what, const char *name,
                                   const char *note)
{
    char *text = NULL;
    if (asprintf(&text, "%s\n%s\n", file->text, note) < 0) {
        (void)snprintf(plan->store->error, sizeof plan->store->error, "memory is out");
        return STORE_UNAVAILABLE;
    }
    piece_tell(plan, what, name, text);
    free(text);
    return STORE_OK;
}

static enum store_result migration_plan(struct plan *plan, const struct sql_file *file)
{
    char name[100];
    char note[256];
    uint64_t applied = 0;
    const unsigned number = schema_migration_number(file, name);
    enum store_result result = STORE_OK;
    if (number == 0)
        return STORE_OK;
    if (plan->bookkeeping)
        result =
            schema_number(plan->store, &applied, "SELECT COUNT(*) FROM schema_migrations WHERE number = %u", number);
    if (result != STORE_OK || applied > 0)
        return result;
    (void)snprintf(note, sizeof note,
                   "INSERT INTO schema_migrations (number, name, applied) VALUES (%u, '%s', UTC_TIMESTAMP(3));", number,
                   name);
    return file_tell(plan, file, "migration", name, note);
}

static enum store_result procedure_plan(struct plan *plan, const struct sql_file *file)
{
    char name[65];
    char hex[SCHEMA_DIGEST_LEN];
    char note[768];
    bool exists = false;
    bool replaced = false;
    uint64_t same = 0;
    if (!schema_procedure_name(file, name))
        return STORE_OK;
    schema_digest(file, hex);
    enum store_result result = schema_procedure_exists(plan->store, name, &exists);
    if (result == STORE_OK && plan->bookkeeping)
        result = schema_number(plan->store, &same,
                               "SELECT COUNT(*) FROM schema_procedures WHERE name = '%s' AND digest = '%s'", name, hex);
    if (result == STORE_OK && exists && plan->bookkeeping)
        result = schema_procedure_replaced(plan->store, name, &replaced);
    if (result != STORE_OK || replaced || (exists && same > 0))
        return result;
    (void)snprintf(note, sizeof note,
                   SCHEMA_BODY_NOTE ";\nREPLACE INTO schema_procedures (name, digest, applied) VALUES ('%s', '%s', "
                                    "UTC_TIMESTAMP(3));",
                   name, name, name, hex);
    return file_tell(plan, file, "procedure", name, note);
}

/* A procedure that is made anew comes without rights. */
static enum store_result rights_plan(struct plan *plan)
{
    const struct sql_file *file = schema_file("grants.sql");
    const struct schema_account account = schema_account(plan->store);
    bool exists = false;
    enum store_result result = schema_account_exists(plan->store, &exists);
    if (result != STORE_OK || !exists || file == NULL)
        return result;
    char *text = schema_text_replace(file->text, file->len, "'kdc'@'localhost'", account.text);
    if (text == NULL)
        return STORE_UNAVAILABLE;
    piece_tell(plan, "rights", account.text, text);
    free(text);
    return STORE_OK;
}

static enum store_result contents_plan(struct plan *plan)
{
    uint64_t newest = 0;
    enum store_result result = schema_open(plan->store, plan->store->config.db_name);
    if (result == STORE_OK)
        result = schema_newest(plan->store, &newest);
    if (result == STORE_OK && newest > store_schema_needed())
        return schema_too_new(plan->store, newest);
    plan->bookkeeping = newest > 0;
    if (result == STORE_OK && !plan->bookkeeping)
        result = file_tell(plan, schema_file("bookkeeping.sql"), "bookkeeping", "schema_migrations", "");
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++)
        result = migration_plan(plan, file);
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++)
        result = procedure_plan(plan, file);
    return result == STORE_OK && plan->count > 0 ? rights_plan(plan) : result;
}

enum store_result schema_plan(struct store *store, schema_piece *piece, void *context)
{
    struct plan plan = { .store = store, .piece = piece, .context = context };
    bool exists = false;
    enum store_result result = schema_connect(store);
    if (result == STORE_OK)
        result = schema_database_exists(store, &exists);
    if (result == STORE_OK)
        result = exists ? contents_plan(&plan) : schema_no_database(store);
    store_disconnect(store);
    return result;
}
