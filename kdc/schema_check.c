/* What this program relies on, looked at: tables and procedures against what it brings along, the server's settings, the clock. */
#include "kdc/clock.h"
#include "kdc/schema_sql.h"
#include "kdc/sql_split.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_APART_MS 2000

void schema_check_tell(struct schema_check *check, const char *what, enum schema_verdict verdict, const char *format,
                       ...)
{
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    check->told += verdict == SCHEMA_WELL ? 0 : 1;
    check->finding(check->context, what, verdict, detail);
}

/* When nothing was said of it since `told`. */
static void well_tell(struct schema_check *check, const char *what, size_t told, const char *detail)
{
    if (check->told == told)
        schema_check_tell(check, what, SCHEMA_WELL, "%s", detail);
}

/* ---- tables: facts (sql/schema_facts.sql) against sql/schema.txt ---- */

struct fact { /* "column", "users.name", "varchar(32) ..." */
    char *kind;
    char *name;
    char *text;
    bool expected;
};

struct facts {
    struct schema_check *check;
    struct fact *list;
    size_t count;
    size_t room;
    bool memory_out;
};

static void fact_add(void *context, const char *const *values)
{
    struct facts *facts = context;
    if (facts->count == facts->room) {
        const size_t room = facts->room == 0 ? 128 : 2 * facts->room;
        struct fact *list = reallocarray(facts->list, room, sizeof *list);
        if (list == NULL) {
            facts->memory_out = true;
            return;
        }
        facts->list = list;
        facts->room = room;
    }
    struct fact *fact = &facts->list[facts->count];
    *fact = (struct fact){ .kind = strdup(values[0]), .name = strdup(values[1]), .text = strdup(values[2]) };
    facts->count++;
    facts->memory_out = facts->memory_out || fact->kind == NULL || fact->name == NULL || fact->text == NULL;
}

/* A line of schema.txt: kind, name and text, with tabs between them. */
static void line_compare(struct facts *facts, const char *line, size_t len)
{
    char copy[512];
    char *rest = copy;
    if (len == 0 || len >= sizeof copy)
        return;
    memcpy(copy, line, len);
    copy[len] = '\0';
    const char *kind = strsep(&rest, "\t");
    const char *name = strsep(&rest, "\t");
    const char *text = rest;
    if (name == NULL || text == NULL)
        return;
    for (size_t i = 0; i < facts->count; i++) {
        struct fact *fact = &facts->list[i];
        if (strcmp(fact->kind, kind) != 0 || strcmp(fact->name, name) != 0)
            continue;
        fact->expected = true;
        if (strcmp(fact->text, text) != 0)
            schema_check_tell(facts->check, "tables", SCHEMA_WRONG, "%s %s is '%s', and should be '%s'", kind, name,
                              fact->text, text);
        return;
    }
    schema_check_tell(facts->check, "tables", SCHEMA_WRONG, "%s %s is missing (%s)", kind, name, text);
}

/* Of a table that isn't ours its columns and indexes aren't told. */
static bool in_strange_table(const struct facts *facts, const struct fact *fact)
{
    const size_t len = strcspn(fact->name, ".");
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *table = &facts->list[i];
        if (strcmp(table->kind, "table") == 0 && !table->expected && table != fact && strlen(table->name) == len &&
            strncmp(table->name, fact->name, len) == 0)
            return true;
    }
    return false;
}

static void facts_compare(struct facts *facts)
{
    const struct sql_file *file = schema_file("schema.txt");
    const char *end = file->text + file->len;
    const size_t told = facts->check->told;
    for (const char *line = file->text; line < end;) {
        const size_t len = strcspn(line, "\n");
        line_compare(facts, line, len);
        line += len + 1;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->list[i];
        if (!fact->expected && !in_strange_table(facts, fact))
            schema_check_tell(facts->check, "tables", SCHEMA_NOTED, "%s %s isn't ours", fact->kind, fact->name);
    }
    well_tell(facts->check, "tables", told, "as they should be");
}

static enum store_result tables_check(struct schema_check *check)
{
    struct facts facts = { .check = check };
    struct sql_split split;
    struct sql_statement statement;
    const struct sql_file *file = schema_file("schema_facts.sql");
    enum store_result result = STORE_BROKEN;
    sql_split_start(&split, file->text, file->len);
    if (sql_split_next(&split, &statement) == 1)
        result = schema_rows(check->store, statement.text, statement.len, fact_add, &facts);
    if (result == STORE_OK && facts.memory_out) {
        (void)snprintf(check->store->error, sizeof check->store->error, "memory is out");
        result = STORE_UNAVAILABLE;
    }
    if (result == STORE_OK)
        facts_compare(&facts);
    for (size_t i = 0; i < facts.count; i++) {
        free(facts.list[i].kind);
        free(facts.list[i].name);
        free(facts.list[i].text);
    }
    free(facts.list);
    return result;
}

/* ---- procedures ---- */

struct routine {
    const struct sql_file *file;
    bool same;
};

/* The server keeps the body as it stands in the file. */
static void routine_compare(void *context, const char *const *values)
{
    struct routine *routine = context;
    struct sql_split split;
    struct sql_statement statement;
    const size_t len = strlen(values[0]);
    sql_split_start(&split, routine->file->text, routine->file->len);
    while (sql_split_next(&split, &statement) == 1) {
        if (len > 0 && statement.len > len && memcmp(statement.text + statement.len - len, values[0], len) == 0)
            routine->same = true;
    }
}

static enum store_result procedure_check(struct schema_check *check, const struct sql_file *file, const char *name)
{
    struct store *store = check->store;
    struct routine routine = { .file = file };
    char hex[SCHEMA_DIGEST_LEN];
    char sql[SCHEMA_SQL_MAX];
    bool exists = false;
    bool replaced = false;
    uint64_t made = 0;
    uint64_t noted = 0;
    schema_digest(file, hex);
    enum store_result result = schema_procedure_exists(store, name, &exists);
    if (result == STORE_OK && !exists) {
        schema_check_tell(check, "procedures", SCHEMA_WRONG, "%s is missing: make it with: kdc-admin db migrate", name);
        return STORE_OK;
    }
    if (result == STORE_OK)
        result = schema_number(store, &made,
                               "SELECT COUNT(*) FROM schema_procedures WHERE name = '%s' AND digest = '%s'", name, hex);
    if (result == STORE_OK)
        result = schema_procedure_replaced(store, name, &replaced);
    if (result != STORE_OK)
        return result;
    if (made == 0 && !replaced) {
        schema_check_tell(check, "procedures", SCHEMA_WRONG,
                          "%s is of another version: bring it up to date with: kdc-admin db migrate", name);
        return STORE_OK;
    }
    const int len =
        snprintf(sql, sizeof sql,
                 "SELECT routine_definition FROM information_schema.routines WHERE routine_schema = DATABASE()"
                 " AND routine_type = 'PROCEDURE' AND routine_name = '%s'",
                 name);
    result =
        schema_number(store, &noted, "SELECT COUNT(*) FROM schema_procedures WHERE name = '%s" SCHEMA_BODY "'", name);
    if (result == STORE_OK)
        result = schema_rows(store, sql, (size_t)len, routine_compare, &routine);
    if (result == STORE_OK && (replaced || (noted == 0 && !routine.same)))
        schema_check_tell(check, "procedures", SCHEMA_NOTED, "%s was replaced by an operator", name);
    return result;
}

static enum store_result procedures_check(struct schema_check *check)
{
    const size_t told = check->told;
    uint64_t lax = 0;
    enum store_result result = STORE_OK;
    for (const struct sql_file *file = sql_files; file->name != NULL && result == STORE_OK; file++) {
        char name[65];
        if (schema_procedure_name(file, name))
            result = procedure_check(check, file, name);
    }
    if (result == STORE_OK)
        result =
            schema_number(check->store, &lax,
                          "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = DATABASE()"
                          " AND (routine_name LIKE 'kdc|_%%' ESCAPE '|' OR routine_name LIKE 'admin|_%%' ESCAPE '|')"
                          " AND (sql_mode NOT LIKE '%%STRICT%%' OR security_type <> 'DEFINER')");
    if (result == STORE_OK && lax > 0)
        schema_check_tell(check, "procedures", SCHEMA_WRONG,
                          "%" PRIu64 " of them aren't SQL SECURITY DEFINER, or were made without a strict sql_mode",
                          lax);
    if (result == STORE_OK)
        well_tell(check, "procedures", told, "as they should be");
    return result;
}

/* ---- the server ---- */

static void server_take(void *context, const char *const *values)
{
    struct schema_check *check = context;
    const bool mariadb = strstr(values[0], "MariaDB") != NULL;
    const unsigned long major = strtoul(values[0], NULL, 10);
    const char *dot = strchr(values[0], '.');
    const unsigned long minor = dot == NULL ? 0 : strtoul(dot + 1, NULL, 10);
    const bool enough = mariadb ? major > 10 || (major == 10 && minor >= 6) : major >= 8;
    schema_check_tell(check, "server", enough ? SCHEMA_WELL : SCHEMA_WRONG, "%s%s", values[0],
                      enough ? "" : ": it must be MariaDB 10.6, MySQL 8, or later");
    if (strcmp(values[1], "1") == 0 && strcmp(values[2], "STATEMENT") == 0)
        schema_check_tell(check, "binary log", SCHEMA_WRONG, "binlog_format is STATEMENT: set it to MIXED or ROW");
    else
        schema_check_tell(check, "binary log", SCHEMA_WELL, "%s%s",
                          strcmp(values[1], "1") == 0 ? "in the format " : "off",
                          strcmp(values[1], "1") == 0 ? values[2] : "");
    if (strcmp(values[3], "1") == 0)
        schema_check_tell(check, "durability", SCHEMA_WELL, "each commit is on disk");
    else
        schema_check_tell(
            check, "durability", SCHEMA_NOTED,
            "innodb_flush_log_at_trx_commit is %s: what was put on record last may be lost with the machine",
            values[3]);
    if (strtoull(values[4], NULL, 10) < 4194304)
        schema_check_tell(check, "packets", SCHEMA_WRONG, "max_allowed_packet is %s: a batch of records takes 4194304",
                          values[4]);
    if (strcmp(values[7], "0") != 0 && strcmp(values[7], "OFF") != 0)
        schema_check_tell(check, "read-only", SCHEMA_WRONG,
                          "the server is read-only: people log in, but no key is issued: SET GLOBAL read_only = 0, "
                          "or lead kdcd to the one that is writable");
    if (strcmp(values[5], "utf8mb4") == 0 && strcmp(values[6], "utf8mb4_bin") == 0)
        schema_check_tell(check, "characters", SCHEMA_WELL, "utf8mb4, utf8mb4_bin");
    else
        schema_check_tell(check, "characters", SCHEMA_WRONG,
                          "the database has %s, %s by default: ALTER DATABASE ... CHARACTER SET utf8mb4 COLLATE "
                          "utf8mb4_bin",
                          values[5], values[6]);
}

static enum store_result server_check(struct schema_check *check)
{
    static const char sql[] =
        "SELECT VERSION(), @@log_bin, @@GLOBAL.binlog_format, @@innodb_flush_log_at_trx_commit, @@max_allowed_packet,"
        " default_character_set_name, default_collation_name, @@GLOBAL.read_only"
        " FROM information_schema.schemata WHERE schema_name = DATABASE()";
    return schema_rows(check->store, sql, sizeof sql - 1, server_take, check);
}

static enum store_result clock_check(struct schema_check *check)
{
    uint64_t theirs = 0;
    const uint64_t before = clock_wall_ms();
    enum store_result result =
        schema_number(check->store, &theirs, "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000 AS UNSIGNED)");
    const uint64_t after = clock_wall_ms();
    if (result != STORE_OK)
        return result;
    const uint64_t apart = theirs < before ? before - theirs : theirs > after ? theirs - after : 0;
    schema_check_tell(check, "clock", apart > CLOCK_APART_MS ? SCHEMA_WRONG : SCHEMA_WELL,
                      "the database's is %" PRIu64 " ms %s this machine's%s", apart,
                      theirs < before ? "behind" : "ahead of", apart > CLOCK_APART_MS ? ": set both by NTP" : "");
    return STORE_OK;
}

/* Tables and procedures can be looked at only where the schema is this program's. */
static enum store_result contents_check(struct schema_check *check)
{
    uint64_t newest = 0;
    const unsigned needed = store_schema_needed();
    enum store_result result = schema_newest(check->store, &newest);
    if (result != STORE_OK)
        return result;
    if (newest != needed) {
        schema_check_tell(check, "schema", SCHEMA_WRONG, "number %" PRIu64 ", and this program needs %u: %s", newest,
                          needed,
                          newest < needed ? "bring it up to date with: kdc-admin db migrate"
                                          : "use the kdc-admin that it was made with, or a later one");
        return STORE_OK;
    }
    schema_check_tell(check, "schema", SCHEMA_WELL, "number %u", needed);
    result = tables_check(check);
    return result == STORE_OK ? procedures_check(check) : result;
}

/* Everybody's hashes stand in them, too. */
static enum store_result restores_check(struct schema_check *check)
{
    struct schema_restore restore;
    uint64_t left = 0;
    if (schema_restore_names(check->store, &restore) != STORE_OK)
        return STORE_OK; /* none can have been begun */
    enum store_result result = schema_number(
        check->store, &left, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN (%s, %s)",
        schema_string(check->store, restore.made).text, schema_string(check->store, restore.old).text);
    if (result == STORE_OK && left > 0)
        schema_check_tell(check, "restore", SCHEMA_NOTED,
                          "one was cut short, or is under way: the next one removes '%s' and '%s', or DROP DATABASE",
                          restore.made, restore.old);
    return result;
}

enum store_result schema_check(struct store *store, schema_finding *finding, void *context)
{
    struct schema_check check = { .store = store, .finding = finding, .context = context };
    bool exists = false;
    enum store_result result = schema_connect(store);
    if (result == STORE_OK)
        result = schema_database_exists(store, &exists);
    if (result == STORE_OK && !exists)
        result = schema_no_database(store);
    if (result == STORE_OK)
        result = schema_open(store, store->config.db_name);
    if (result == STORE_OK)
        result = server_check(&check);
    if (result == STORE_OK)
        result = contents_check(&check);
    if (result == STORE_OK)
        result = schema_check_rights(&check);
    if (result == STORE_OK)
        result = restores_check(&check);
    if (result == STORE_OK)
        result = clock_check(&check);
    store_disconnect(store);
    return result;
}
