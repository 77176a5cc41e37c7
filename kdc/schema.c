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

/* To the server, whether there is a database or not. */
static enum store_result server_connect(struct store *store)
{
    store->without_database = true;
    store->config.db_read_timeout = STATEMENT_SECONDS;
    return store_connect_server(store);
}

static enum store_result lock_take(struct store *store)
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

static enum store_result database_exists(struct store *store, bool *exists)
{
    uint64_t count = 0;
    enum store_result result =
        schema_number(store, &count, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = %s",
                      schema_string(store, store->config.db_name).text);
    *exists = count > 0;
    return result;
}

static enum store_result database_make(struct store *store, schema_change *change, void *context)
{
    bool exists = false;
    enum store_result result = database_exists(store, &exists);
    if (result != STORE_OK || exists)
        return result;
    result = schema_run(store, "CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                        schema_identifier(store->config.db_name).text);
    if (result == STORE_OK)
        change(context, "database", store->config.db_name);
    return result;
}

/* "migrations/0001_accounts.sql": its number, 0 for other files; `name` becomes "0001_accounts". */
static unsigned migration_number(const struct sql_file *file, char name[100])
{
    return sscanf(file->name, "migrations/%99[^.]", name) == 1 ? (unsigned)strtoul(name, NULL, 10) : 0;
}

static enum store_result migrations_apply(struct store *store, schema_change *change, void *context)
{
    uint64_t newest = 0;
    enum store_result result = schema_number(store, &newest, "SELECT MAX(number) FROM schema_migrations");
    if (result == STORE_OK && newest > store_schema_needed()) {
        (void)snprintf(store->error, sizeof store->error,
                       "the database's schema has number %" PRIu64 ", which is newer than this program's %u: use the "
                       "kdc-admin that it was made with, or a later one",
                       newest, store_schema_needed());
        return STORE_BROKEN;
    }
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[100];
        uint64_t applied = 0;
        unsigned number = migration_number(file, name);
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

static bool procedure_name(const struct sql_file *file, char name[65])
{
    return sscanf(file->name, "procedures/%64[^.]", name) == 1;
}

static enum store_result procedure_exists(struct store *store, const char *name, bool *exists)
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

/* One that is there and was made from this very file stays: also when an operator has put another in its place. */
static enum store_result procedure_make(struct store *store, const struct sql_file *file, const char *name,
                                        schema_change *change, void *context)
{
    uint8_t digest[SHA512_LEN];
    char hex[2 * SHA512_LEN + 1];
    bool exists = false;
    uint64_t same = 0;
    sha512_hash(file->text, file->len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    enum store_result result = procedure_exists(store, name, &exists);
    if (result == STORE_OK)
        result = schema_number(store, &same,
                               "SELECT COUNT(*) FROM schema_procedures WHERE name = '%s' AND digest = '%s'", name, hex);
    if (result != STORE_OK || (exists && same > 0))
        return result;
    result = schema_file_run(store, file->name, NULL, NULL);
    if (result == STORE_OK)
        result = schema_run(
            store, "REPLACE INTO schema_procedures (name, digest, applied) VALUES ('%s', '%s', UTC_TIMESTAMP(3))", name,
            hex);
    if (result == STORE_OK)
        change(context, "procedure", name);
    return result;
}

/* Everything inside the database. */
static enum store_result contents_make(struct store *store, schema_change *change, void *context)
{
    if (mysql_select_db(store->db, store->config.db_name) != 0)
        return store_fail(store, mysql_errno(store->db), mysql_error(store->db), "opening the database");
    enum store_result result = schema_file_run(store, "bookkeeping.sql", NULL, NULL);
    if (result == STORE_OK)
        result = migrations_apply(store, change, context);
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[65];
        if (procedure_name(file, name))
            result = procedure_make(store, file, name, change, context);
    }
    return result;
}

/* Again each time: a procedure that is made anew comes without rights. */
static enum store_result rights_grant(struct store *store)
{
    return schema_file_run(store, "grants.sql", "'kdc'@'localhost'", schema_account(store).text);
}

enum store_result schema_init(struct store *store, schema_change *change, void *context)
{
    enum store_result result = server_connect(store);
    if (result == STORE_OK)
        result = lock_take(store);
    if (result == STORE_OK)
        result = database_make(store, change, context);
    if (result == STORE_OK)
        result = contents_make(store, change, context);
    if (result == STORE_OK)
        result = schema_account_make(store, change, context);
    if (result == STORE_OK)
        result = rights_grant(store);
    store_disconnect(store); /* which gives the lock back */
    return result;
}

enum store_result schema_migrate(struct store *store, schema_change *change, void *context)
{
    bool exists = false;
    enum store_result result = server_connect(store);
    if (result == STORE_OK)
        result = lock_take(store);
    if (result == STORE_OK)
        result = database_exists(store, &exists);
    if (result == STORE_OK && !exists) {
        (void)snprintf(store->error, sizeof store->error,
                       "there is no database '%s' yet: make it with: kdc-admin db init", store->config.db_name);
        result = STORE_NOT_FOUND;
    }
    if (result == STORE_OK)
        result = contents_make(store, change, context);
    if (result == STORE_OK)
        result = schema_account_exists(store, &exists);
    if (result == STORE_OK && exists)
        result = rights_grant(store);
    store_disconnect(store);
    return result;
}

enum store_result schema_status_get(struct store *store, struct schema_status *status)
{
    memset(status, 0, sizeof *status);
    status->needed = store_schema_needed();
    enum store_result result = server_connect(store);
    if (result != STORE_OK)
        return result;
    (void)snprintf(status->server, sizeof status->server, "%s", mysql_get_server_info(store->db));
    result = database_exists(store, &status->database);
    if (result != STORE_OK || !status->database)
        return result;
    uint64_t bookkeeping = 0;
    result = schema_number(store, &bookkeeping,
                           "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = "
                           "'schema_migrations'",
                           schema_string(store, store->config.db_name).text);
    if (result != STORE_OK || bookkeeping == 0)
        return result;
    if (mysql_select_db(store->db, store->config.db_name) != 0)
        return store_fail(store, mysql_errno(store->db), mysql_error(store->db), "opening the database");
    uint64_t number = 0;
    result = schema_number(store, &number, "SELECT MAX(number) FROM schema_migrations");
    status->number = (unsigned)number;
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[65];
        bool exists = true;
        if (procedure_name(file, name))
            result = procedure_exists(store, name, &exists);
        status->procedures_missing += exists ? 0 : 1;
    }
    if (result == STORE_OK && status->number >= 1)
        result = schema_number(store, &status->users, "SELECT COUNT(*) FROM users");
    if (result == STORE_OK && status->number >= 2)
        result = schema_number(store, &status->conversations, "SELECT COUNT(*) FROM conversations");
    if (result == STORE_OK && status->number >= 3)
        result = schema_number(store, &status->audit, "SELECT COUNT(*) FROM audit");
    return result;
}
