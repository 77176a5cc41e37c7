#include "kdc/schema_sql.h"

#include "kdc/sql_split.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_COLUMNS_MAX 8

static enum store_result failed(struct store *store, const char *what)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", mysql_error(store->db));
    return store_fail(store, mysql_errno(store->db), text, what);
}

/* Sends a statement and drops whatever rows come; the first row's first value goes to *number unless that is NULL. */
static enum store_result sql_send(struct store *store, const char *sql, size_t len, uint64_t *number)
{
    char what[80];
    (void)snprintf(what, sizeof what, "%.*s", (int)strcspn(sql, "\n("), sql);
    if (mysql_real_query(store->db, sql, len) != 0)
        return failed(store, what);
    int next = 0;
    while (next == 0) {
        MYSQL_RES *rows = mysql_store_result(store->db);
        if (rows == NULL && mysql_field_count(store->db) > 0)
            return failed(store, what);
        MYSQL_ROW row = rows == NULL ? NULL : mysql_fetch_row(rows);
        if (number != NULL && row != NULL)
            *number = row[0] == NULL ? 0 : strtoull(row[0], NULL, 10);
        mysql_free_result(rows);
        next = mysql_next_result(store->db);
    }
    return next > 0 ? failed(store, what) : STORE_OK;
}

enum store_result schema_query(struct store *store, const char *sql, size_t len)
{
    return sql_send(store, sql, len, NULL);
}

enum store_result schema_rows(struct store *store, const char *sql, size_t len, schema_row *row, void *context)
{
    const char *values[SCHEMA_COLUMNS_MAX];
    char what[80];
    (void)snprintf(what, sizeof what, "%.*s", (int)strcspn(sql, "\n("), sql);
    MYSQL_RES *rows = mysql_real_query(store->db, sql, len) != 0 ? NULL : mysql_store_result(store->db);
    if (rows == NULL)
        return failed(store, what);
    const unsigned columns = mysql_num_fields(rows);
    for (MYSQL_ROW one = mysql_fetch_row(rows); one != NULL && columns <= SCHEMA_COLUMNS_MAX;
         one = mysql_fetch_row(rows)) {
        for (unsigned i = 0; i < columns; i++)
            values[i] = one[i] == NULL ? "" : one[i];
        row(context, values);
    }
    mysql_free_result(rows);
    return STORE_OK;
}

__attribute__((format(printf, 3, 0))) static enum store_result sql_format(struct store *store, uint64_t *number,
                                                                          const char *format, va_list arguments)
{
    char sql[SCHEMA_SQL_MAX];
    int len = vsnprintf(sql, sizeof sql, format, arguments);
    if (len < 0 || (size_t)len >= sizeof sql) {
        (void)snprintf(store->error, sizeof store->error, "a configured name is too long for a statement");
        return STORE_BROKEN;
    }
    return sql_send(store, sql, (size_t)len, number);
}

enum store_result schema_run(struct store *store, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    enum store_result result = sql_format(store, NULL, format, arguments);
    va_end(arguments);
    return result;
}

enum store_result schema_number(struct store *store, uint64_t *number, const char *format, ...)
{
    va_list arguments;
    *number = 0;
    va_start(arguments, format);
    enum store_result result = sql_format(store, number, format, arguments);
    va_end(arguments);
    return result;
}

char *schema_text_replace(const char *text, size_t len, const char *from, const char *to)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, from)) != NULL; at += strlen(from))
        count++;
    char *copy = malloc(len + count * strlen(to) + 1);
    char *out = copy;
    if (copy == NULL)
        return NULL;
    for (const char *at = strstr(text, from); at != NULL; at = strstr(text, from)) {
        out = (char *)mempcpy(out, text, (size_t)(at - text));
        out = stpcpy(out, to);
        text = at + strlen(from);
    }
    memcpy(out, text, strlen(text) + 1);
    return copy;
}

const struct sql_file *schema_file(const char *name)
{
    const struct sql_file *file = sql_files;
    while (file->name != NULL && strcmp(file->name, name) != 0)
        file++;
    return file->name == NULL ? NULL : file;
}

enum store_result schema_file_run(struct store *store, const char *name, const char *from, const char *to)
{
    const struct sql_file *file = schema_file(name);
    enum store_result result = STORE_OK;
    char *copy = NULL;
    struct sql_split split;
    struct sql_statement statement;
    if (file == NULL) {
        (void)snprintf(store->error, sizeof store->error, "sql/%s: this program was built without it", name);
        return STORE_BROKEN;
    }
    if (from != NULL && to != NULL && (copy = schema_text_replace(file->text, file->len, from, to)) == NULL) {
        (void)snprintf(store->error, sizeof store->error, "sql/%s: memory is out", name);
        return STORE_UNAVAILABLE;
    }
    sql_split_start(&split, copy == NULL ? file->text : copy, copy == NULL ? file->len : strlen(copy));
    int more = 1;
    while (result == STORE_OK && (more = sql_split_next(&split, &statement)) > 0)
        result = sql_send(store, statement.text, statement.len, NULL);
    if (more < 0) {
        (void)snprintf(store->error, sizeof store->error, "sql/%s: a statement isn't ended", name);
        result = STORE_BROKEN;
    } else if (result != STORE_OK) {
        char error[STORE_ERROR_MAX];
        (void)snprintf(error, sizeof error, "sql/%.60s: %.400s", name, store->error);
        memcpy(store->error, error, sizeof error);
    }
    free(copy);
    return result;
}

struct schema_quoted schema_string(struct store *store, const char *text)
{
    struct schema_quoted quoted = { "'" };
    size_t len = strnlen(text, CONFIG_TEXT_MAX);
    unsigned long written = mysql_real_escape_string(store->db, quoted.text + 1, text, len);
    memcpy(quoted.text + 1 + written, "'", 2);
    return quoted;
}

struct schema_quoted schema_identifier(const char *text)
{
    struct schema_quoted quoted = { "`" };
    char *out = quoted.text + 1;
    for (size_t i = 0; i < CONFIG_TEXT_MAX && text[i] != '\0'; i++) {
        if (text[i] == '`')
            *out++ = '`';
        *out++ = text[i];
    }
    memcpy(out, "`", 2);
    return quoted;
}
