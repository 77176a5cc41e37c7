/* A backup's begin, and a restore: tables are made in a database beside ours and change places with it in one statement. */
#include "kdc/schema_sql.h"
#include "kdc/sql_split.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUDIT_SINCE 3       /* the migrations that made the audit log, ... */
#define AUDIT_ACTOR_SINCE 6 /* ... and its column of who did it */
/* More than what can have been given out since any backup. */
#define NUMBERS_LEFT_OUT 1000000

enum store_result schema_backup_begin(struct store *store, const char *actor, const char *shown, unsigned *number)
{
    bool exists = false;
    uint64_t newest = 0;
    char detail[256];
    enum store_result result = schema_connect(store);
    if (result == STORE_OK)
        result = schema_lock(store);
    if (result == STORE_OK)
        result = schema_database_exists(store, &exists);
    if (result == STORE_OK && !exists)
        result = schema_no_database(store);
    if (result == STORE_OK)
        result = schema_open(store, store->config.db_name);
    if (result == STORE_OK)
        result = schema_newest(store, &newest);
    if (result == STORE_OK && newest > store_schema_needed())
        result = schema_too_new(store, newest);
    *number = (unsigned)newest;
    (void)snprintf(detail, sizeof detail, "to %.200s", shown);
    /* Also in an earlier schema: a backup comes before an upgrade. */
    if (result == STORE_OK && newest >= AUDIT_ACTOR_SINCE)
        result = schema_run(store,
                            "INSERT INTO audit (time, event, user, source, actor, detail) VALUES (UTC_TIMESTAMP(3),"
                            " 'database backed up', '', 'kdc-admin', %s, %s)",
                            schema_string(store, actor).text, schema_string(store, detail).text);
    else if (result == STORE_OK && newest >= AUDIT_SINCE)
        result = schema_run(store,
                            "INSERT INTO audit (time, event, user, source, detail) VALUES (UTC_TIMESTAMP(3),"
                            " 'database backed up', '', 'kdc-admin', %s)",
                            schema_string(store, detail).text);
    return result;
}

/* ---- restore ---- */

enum store_result schema_restore_names(struct store *store, struct schema_restore *restore)
{
    static const char made[] = "_restoring";
    static const char old[] = "_replaced";
    const char *name = store->config.db_name;
    if (strlen(name) + sizeof made - 1 > SCHEMA_DATABASE_MAX) {
        (void)snprintf(store->error, sizeof store->error,
                       "the database's name is too long: a restore needs one with '%s' behind it", made);
        return STORE_BROKEN;
    }
    (void)snprintf(restore->made, sizeof restore->made, "%s%s", name, made);
    (void)snprintf(restore->old, sizeof restore->old, "%s%s", name, old);
    return STORE_OK;
}

static enum store_result database_drop(struct store *store, const char *name)
{
    return schema_run(store, "DROP DATABASE IF EXISTS %s", schema_identifier(name).text);
}

static enum store_result tables_count(struct store *store, const char *database, uint64_t *count)
{
    return schema_number(store, count,
                         "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s) +"
                         " (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = %s)",
                         schema_string(store, database).text, schema_string(store, database).text);
}

/* A table with a trigger can't change its place; and what an operator has made isn't dropped. */
static enum store_result triggers_refuse(struct store *store)
{
    uint64_t count = 0;
    enum store_result result =
        schema_number(store, &count, "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = %s",
                      schema_string(store, store->config.db_name).text);
    if (result != STORE_OK || count == 0)
        return result;
    (void)snprintf(store->error, sizeof store->error,
                   "tables of the database '%s' have triggers (SHOW TRIGGERS): drop them, and make them again "
                   "afterwards: a backup has none",
                   store->config.db_name);
    return STORE_BROKEN;
}

static enum store_result beside_make(struct store *store, const char *name)
{
    enum store_result result = database_drop(store, name); /* of one that was cut short */
    return result != STORE_OK ? result
                              : schema_run(store, "CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                                           schema_identifier(name).text);
}

enum store_result schema_restore_begin(struct store *store, bool replace, struct schema_restore *restore)
{
    uint64_t count = 0;
    uint64_t kept = 0;
    enum store_result result = schema_restore_names(store, restore);
    if (result == STORE_OK)
        result = schema_connect(store);
    if (result == STORE_OK)
        result = schema_lock(store);
    if (result == STORE_OK)
        result = tables_count(store, store->config.db_name, &count);
    if (result == STORE_OK && count > 0 && !replace) {
        (void)snprintf(store->error, sizeof store->error,
                       "there is something in the database '%s': to have the backup in its place, take --replace",
                       store->config.db_name);
        return STORE_EXISTS;
    }
    if (result == STORE_OK)
        result = triggers_refuse(store);
    /* Nothing but what a restore left there is ever dropped. */
    if (result == STORE_OK)
        result = tables_count(store, restore->old, &kept);
    if (result == STORE_OK && kept > 0 && count == 0) {
        (void)snprintf(
            store->error, sizeof store->error,
            "there is a database '%s' with what an earlier restore has replaced, and none in its place: look "
            "at it, and drop it if you don't need it",
            restore->old);
        return STORE_EXISTS;
    }
    if (result == STORE_OK)
        result = beside_make(store, restore->made);
    return result == STORE_OK ? beside_make(store, restore->old) : result;
}

static void change_ignore(void *context, const char *what, const char *name)
{
    (void)context;
    (void)what;
    (void)name;
}

/* What kdcd and clients hold from the time between the backup and now must not hold any more, and no number comes twice: every
 * account gets another epoch, which voids its tickets; conversations go on far behind the epochs that their people have had. */
static enum store_result numbers_move(struct store *store)
{
    static const char *const tables[] = { "users", "conversations" };
    enum store_result result = schema_run(store, "UPDATE users SET changed = SYSDATE(6)");
    if (result == STORE_OK)
        result = schema_run(store, "UPDATE conversations SET epoch = LEAST(epoch + %d, 4294967295)", NUMBERS_LEFT_OUT);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && result == STORE_OK; i++) {
        uint64_t next = 0;
        result = schema_number(store, &next, "SELECT IFNULL(MAX(id), 0) + 1 FROM %s", tables[i]);
        uint64_t given = 0;
        if (result == STORE_OK)
            result = schema_number(store, &given,
                                   "SELECT IFNULL(auto_increment, 0) FROM information_schema.tables"
                                   " WHERE table_schema = DATABASE() AND table_name = '%s'",
                                   tables[i]);
        next = (given > next ? given : next) + NUMBERS_LEFT_OUT;
        if (result == STORE_OK)
            result = schema_run(store, "ALTER TABLE %s AUTO_INCREMENT = %" PRIu64, tables[i], next);
    }
    return result;
}

/* ", `from`.`table` TO `to`.`table`" for each table of a database. */
struct renaming {
    FILE *out;
    const char *from;
    const char *to;
    size_t count;
};

static void table_rename_put(void *context, const char *const *values)
{
    struct renaming *renaming = context;
    const struct schema_quoted table = schema_identifier(values[0]);
    (void)fprintf(renaming->out, "%s %s.%s TO %s.%s", renaming->count == 0 ? "" : ",",
                  schema_identifier(renaming->from).text, table.text, schema_identifier(renaming->to).text, table.text);
    renaming->count++;
}

static enum store_result tables_rename_put(struct store *store, struct renaming *renaming)
{
    char sql[SCHEMA_SQL_MAX];
    const int len = snprintf(sql, sizeof sql,
                             "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type ="
                             " 'BASE TABLE' ORDER BY table_name",
                             schema_string(store, renaming->from).text);
    return schema_rows(store, sql, (size_t)len, table_rename_put, renaming);
}

/* All change places in one statement: before it and behind it there is a whole database. */
static enum store_result tables_swap(struct store *store, const struct schema_restore *restore)
{
    char *sql = NULL;
    size_t len = 0;
    struct renaming renaming = { .out = open_memstream(&sql, &len) };
    enum store_result result = STORE_UNAVAILABLE;
    if (renaming.out == NULL) {
        (void)snprintf(store->error, sizeof store->error, "memory is out");
        return result;
    }
    (void)fputs("RENAME TABLE", renaming.out);
    renaming.from = store->config.db_name;
    renaming.to = restore->old;
    result = tables_rename_put(store, &renaming);
    renaming.from = restore->made;
    renaming.to = store->config.db_name;
    if (result == STORE_OK)
        result = tables_rename_put(store, &renaming);
    (void)fclose(renaming.out);
    if (result == STORE_OK)
        result = schema_query(store, sql, len);
    free(sql);
    return result;
}

enum store_result schema_restore_swap(struct store *store, const struct schema_restore *restore)
{
    uint64_t number = 0;
    enum store_result result = schema_open(store, restore->made);
    if (result == STORE_OK)
        result = schema_newest(store, &number);
    if (result == STORE_OK && number == 0) {
        (void)snprintf(store->error, sizeof store->error, "the backup has no schema");
        result = STORE_BROKEN;
    }
    if (result == STORE_OK)
        result = schema_migrations_apply(store, change_ignore, NULL);
    if (result == STORE_OK)
        result = numbers_move(store);
    if (result == STORE_OK)
        result = schema_database_make(store, change_ignore, NULL);
    return result == STORE_OK ? tables_swap(store, restore) : result;
}

/* A backup of an earlier version has brought procedures that a migration since has removed: it ran beside them. */
static enum store_result procedures_remove(struct store *store)
{
    static const char begin[] = "DROP PROCEDURE IF EXISTS ";
    enum store_result result = schema_open(store, store->config.db_name);
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[100];
        struct sql_split split;
        struct sql_statement statement;
        if (schema_migration_number(file, name) == 0)
            continue;
        sql_split_start(&split, file->text, file->len);
        while (result == STORE_OK && sql_split_next(&split, &statement) > 0) {
            if (statement.len >= sizeof begin && strncmp(statement.text, begin, sizeof begin - 1) == 0)
                result = schema_query(store, statement.text, statement.len);
        }
    }
    return result;
}

enum store_result schema_restore_end(struct store *store, const struct schema_restore *restore, schema_change *change,
                                     void *context)
{
    enum store_result result = procedures_remove(store);
    if (result == STORE_OK)
        result = schema_contents_make(store, change, context);
    if (result == STORE_OK)
        result = schema_account_make(store, change, context);
    if (result == STORE_OK)
        result = schema_rights_grant(store);
    if (result == STORE_OK)
        result = database_drop(store, restore->made);
    return result == STORE_OK ? database_drop(store, restore->old) : result;
}

void schema_restore_drop(struct store *store, const struct schema_restore *restore)
{
    if (store->db != NULL && database_drop(store, restore->made) == STORE_OK)
        (void)!database_drop(store, restore->old);
}
