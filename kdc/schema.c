#include "kdc/schema.h"

#include "crypto/kdf.h"
#include "kdc/schema_sql.h"
#include "kdc/sql_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_SECONDS 60
#define STATEMENT_SECONDS 3600 /* a migration of a large table takes its time */
#define IDLE_SECONDS 604800    /* the lock is held while MariaDB's own programs work on a backup */

enum store_result schema_connect(struct store *store)
{
    store->without_database = true;
    store->config.db_read_timeout = STATEMENT_SECONDS;
    const enum store_result result = store_connect_server(store);
    return result == STORE_OK ? schema_run(store, "SET SESSION wait_timeout = %d", IDLE_SECONDS) : result;
}

enum store_result schema_lock(struct store *store)
{
    uint64_t taken = 0;
    enum store_result result =
        schema_number(store, &taken, "SELECT GET_LOCK(CONCAT('kdc-chat ', LEFT(SHA2(%s, 256), 40)), %d)",
                      schema_string(store, store->config.db_name).text, LOCK_SECONDS);
    if (result == STORE_OK && taken != 1) {
        (void)snprintf(store->error, sizeof store->error,
                       "another kdc-admin has been working on this database for %d seconds: wait until it is done",
                       LOCK_SECONDS);
        return STORE_UNAVAILABLE;
    }
    return result;
}

enum store_result schema_database_exists(struct store *store, bool *exists)
{
    uint64_t count = 0;
    enum store_result result =
        schema_number(store, &count, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = %s",
                      schema_string(store, store->config.db_name).text);
    *exists = count > 0;
    return result;
}

enum store_result schema_database_make(struct store *store, schema_change *change, void *context)
{
    bool exists = false;
    enum store_result result = schema_database_exists(store, &exists);
    if (result != STORE_OK || exists)
        return result;
    result = schema_run(store, "CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                        schema_identifier(store->config.db_name).text);
    if (result == STORE_OK)
        change(context, "database", store->config.db_name);
    return result;
}

unsigned schema_migration_number(const struct sql_file *file, char name[100])
{
    return sscanf(file->name, "migrations/%99[^.]", name) == 1 ? (unsigned)strtoul(name, NULL, 10) : 0;
}

enum store_result schema_too_new(struct store *store, uint64_t number)
{
    (void)snprintf(store->error, sizeof store->error,
                   "the database's schema has number %" PRIu64 ", which is newer than this program's %u: use the "
                   "kdc-admin that it was made with, or a later one",
                   number, store_schema_needed());
    return STORE_BROKEN;
}

enum store_result schema_migrations_apply(struct store *store, schema_change *change, void *context)
{
    uint64_t newest = 0;
    enum store_result result = schema_number(store, &newest, "SELECT MAX(number) FROM schema_migrations");
    if (result == STORE_OK && newest > store_schema_needed())
        return schema_too_new(store, newest);
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[100];
        uint64_t applied = 0;
        unsigned number = schema_migration_number(file, name);
        if (number == 0)
            continue;
        result = schema_number(store, &applied, "SELECT COUNT(*) FROM schema_migrations WHERE number = %u", number);
        if (result != STORE_OK || applied > 0)
            continue;
        result = schema_file_run(store, file->name, NULL, NULL);
        if (result == STORE_OK)
            result = schema_run(
                store, "INSERT INTO schema_migrations (number, name, applied) VALUES (%u, '%s', UTC_TIMESTAMP(3))",
                number, name);
        if (result == STORE_OK)
            change(context, "migration", name);
    }
    return result;
}

enum store_result schema_newest(struct store *store, uint64_t *number)
{
    uint64_t tables = 0;
    *number = 0;
    enum store_result result = schema_number(
        store, &tables,
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN "
        "('schema_migrations', 'schema_procedures')");
    return result != STORE_OK || tables != 2
               ? result
               : schema_number(store, number, "SELECT MAX(number) FROM schema_migrations");
}

bool schema_procedure_name(const struct sql_file *file, char name[65])
{
    return sscanf(file->name, "procedures/%64[^.]", name) == 1;
}

enum store_result schema_procedure_exists(struct store *store, const char *name, bool *exists)
{
    uint64_t count = 0;
    enum store_result result =
        schema_number(store, &count,
                      "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = %s"
                      " AND routine_name = '%s' AND routine_type = 'PROCEDURE'",
                      schema_string(store, store->config.db_name).text, name);
    *exists = count > 0;
    return result;
}

void schema_digest(const struct sql_file *file, char hex[SCHEMA_DIGEST_LEN])
{
    uint8_t digest[SHA512_LEN];
    sha512_hash(file->text, file->len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

enum store_result schema_procedure_replaced(struct store *store, const char *name, bool *replaced)
{
    uint64_t count = 0;
    enum store_result result = schema_number(
        store, &count,
        "SELECT COUNT(*) FROM schema_procedures AS ours JOIN information_schema.routines AS there"
        " ON there.routine_schema = DATABASE() AND there.routine_name = '%s' AND there.routine_type = 'PROCEDURE'"
        " WHERE ours.name = '%s" SCHEMA_BODY
        "' AND CAST(ours.digest AS BINARY) <> CAST(SHA2(there.routine_definition, 512) AS BINARY)",
        name, name);
    *replaced = count > 0;
    return result;
}

static enum store_result body_note(struct store *store, const char *name)
{
    return schema_run(store, SCHEMA_BODY_NOTE, name, name);
}

/* One that is there and was made from this very file stays; and so does, whatever the file has become since, another that an
 * operator has put in its place. */
static enum store_result procedure_make(struct store *store, const struct sql_file *file, const char *name,
                                        schema_change *change, void *context)
{
    char hex[SCHEMA_DIGEST_LEN];
    bool exists = false;
    bool replaced = false;
    uint64_t same = 0;
    schema_digest(file, hex);
    enum store_result result = schema_procedure_exists(store, name, &exists);
    if (result == STORE_OK)
        result = schema_number(store, &same,
                               "SELECT COUNT(*) FROM schema_procedures WHERE name = '%s' AND digest = '%s'", name, hex);
    if (result == STORE_OK && exists)
        result = schema_procedure_replaced(store, name, &replaced);
    if (result == STORE_OK && replaced)
        change(context, SCHEMA_KEPT, name);
    if (result != STORE_OK || replaced || (exists && same > 0))
        return result;
    result = schema_file_run(store, file->name, NULL, NULL);
    if (result == STORE_OK)
        result = body_note(store, name);
    if (result == STORE_OK)
        result = schema_run(
            store, "REPLACE INTO schema_procedures (name, digest, applied) VALUES ('%s', '%s', UTC_TIMESTAMP(3))", name,
            hex);
    if (result == STORE_OK)
        change(context, "procedure", name);
    return result;
}

enum store_result schema_open(struct store *store, const char *database)
{
    return mysql_select_db(store->db, database) == 0
               ? STORE_OK
               : store_fail(store, mysql_errno(store->db), mysql_error(store->db), "opening the database");
}

enum store_result schema_contents_make(struct store *store, schema_change *change, void *context)
{
    enum store_result result = schema_open(store, store->config.db_name);
    if (result == STORE_OK)
        result = schema_file_run(store, "bookkeeping.sql", NULL, NULL);
    if (result == STORE_OK)
        result = schema_migrations_apply(store, change, context);
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[65];
        if (schema_procedure_name(file, name))
            result = procedure_make(store, file, name, change, context);
    }
    return result;
}

enum store_result schema_rights_grant(struct store *store)
{
    return schema_file_run(store, "grants.sql", "'kdc'@'localhost'", schema_account(store).text);
}

enum store_result schema_init(struct store *store, schema_change *change, void *context)
{
    enum store_result result = schema_connect(store);
    if (result == STORE_OK)
        result = schema_lock(store);
    if (result == STORE_OK)
        result = schema_database_make(store, change, context);
    if (result == STORE_OK)
        result = schema_contents_make(store, change, context);
    if (result == STORE_OK)
        result = schema_account_make(store, change, context);
    if (result == STORE_OK)
        result = schema_rights_grant(store);
    store_disconnect(store); /* which gives the lock back */
    return result;
}

enum store_result schema_no_database(struct store *store)
{
    (void)snprintf(store->error, sizeof store->error, "there is no database '%s' yet: make it with: kdc-admin db init",
                   store->config.db_name);
    return STORE_NOT_FOUND;
}

enum store_result schema_migrate(struct store *store, schema_change *change, void *context)
{
    bool exists = false;
    enum store_result result = schema_connect(store);
    if (result == STORE_OK)
        result = schema_lock(store);
    if (result == STORE_OK)
        result = schema_database_exists(store, &exists);
    if (result == STORE_OK && !exists) {
        result = schema_no_database(store);
    }
    if (result == STORE_OK)
        result = schema_contents_make(store, change, context);
    if (result == STORE_OK)
        result = schema_account_exists(store, &exists);
    if (result == STORE_OK && exists)
        result = schema_rights_grant(store);
    store_disconnect(store);
    return result;
}

unsigned schema_needed(void)
{
    return store_schema_needed();
}

static unsigned procedures_count(void)
{
    unsigned count = 0;
    char name[65];
    for (const struct sql_file *file = sql_files; file->name != NULL; file++)
        count += schema_procedure_name(file, name) ? 1 : 0;
    return count;
}

enum store_result schema_status_get(struct store *store, struct schema_status *status)
{
    memset(status, 0, sizeof *status);
    status->needed = store_schema_needed();
    status->procedures_missing = procedures_count(); /* all, as far as none is found */
    enum store_result result = schema_connect(store);
    if (result != STORE_OK)
        return result;
    (void)snprintf(status->server, sizeof status->server, "%s", mysql_get_server_info(store->db));
    result = schema_database_exists(store, &status->database);
    if (result != STORE_OK || !status->database)
        return result;
    uint64_t number = 0;
    result = schema_open(store, store->config.db_name);
    if (result == STORE_OK)
        result = schema_newest(store, &number);
    if (result != STORE_OK || number == 0)
        return result;
    status->number = (unsigned)number;
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[65];
        bool exists = false;
        if (schema_procedure_name(file, name))
            result = schema_procedure_exists(store, name, &exists);
        status->procedures_missing -= exists ? 1 : 0;
    }
    if (result == STORE_OK && status->number >= 1)
        result = schema_number(store, &status->users, "SELECT COUNT(*) FROM users");
    if (result == STORE_OK && status->number >= 2)
        result = schema_number(store, &status->conversations, "SELECT COUNT(*) FROM conversations");
    if (result == STORE_OK && status->number >= 3)
        result = schema_number(store, &status->audit, "SELECT COUNT(*) FROM audit");
    return result;
}
