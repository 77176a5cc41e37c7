#include "kdc/store_internal.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#define IN_MAX 6
#define OUT_MAX 7
#define DEADLOCK_TRIES 3
#define IDLE_LOSS_MS 1000 /* a connection that was lost while idle fails its next call sooner than this */

static const struct {
    const char *sql;
    bool repeatable; /* twice does no harm, and gives the same answer */
} statements[STATEMENT_COUNT] = {
    [STATEMENT_SCHEMA_VERSION] = { "CALL kdc_schema_version()", true },
    [STATEMENT_USER_FIND] = { "CALL kdc_user_find(?)", true },
    [STATEMENT_USER_ADD] = { "CALL kdc_user_add(?, ?, ?)", false },
    [STATEMENT_USER_REHASH] = { "CALL kdc_user_rehash(?, ?, ?)", true },
    [STATEMENT_JOURNAL] = { "CALL kdc_journal(?)", false },
    [STATEMENT_ACCOUNT_CHANGES] = { "CALL kdc_account_changes(?)", true },
    [STATEMENT_USER_LIST] = { "CALL admin_user_list(?, ?, ?, ?, ?, ?)", true },
    [STATEMENT_USER_SET_HASH] = { "CALL admin_user_set_hash(?, ?)", true },
    [STATEMENT_USER_SET_STATE] = { "CALL admin_user_set_state(?, ?)", true },
    [STATEMENT_USER_DELETE] = { "CALL admin_user_delete(?)", false },
    [STATEMENT_USER_EXPORT] = { "CALL admin_user_export(?, ?, ?)", false },
    [STATEMENT_USER_IMPORT] = { "CALL admin_user_import(?, ?, ?)", false },
};

static enum store_result statement_prepare(struct store *store, enum statement statement)
{
    if (store->statements[statement] != NULL)
        return STORE_OK;
    const char *sql = statements[statement].sql;
    MYSQL_STMT *stmt = mysql_stmt_init(store->db);
    if (stmt == NULL)
        return store_fail(store, mysql_errno(store->db), mysql_error(store->db), sql);
    store->statements[statement] = stmt;
    if (mysql_stmt_prepare(stmt, sql, strlen(sql)) == 0)
        return STORE_OK;
    unsigned number = mysql_stmt_errno(stmt);
    char text[256];
    (void)snprintf(text, sizeof text, "%s", mysql_stmt_error(stmt));
    (void)mysql_stmt_close(stmt);
    store->statements[statement] = NULL;
    return store_fail(store, number, text, sql);
}

static void in_bind(const struct store_in *in, size_t count, MYSQL_BIND *binds, unsigned long *lens)
{
    for (size_t i = 0; i < count; i++) {
        if (in[i].text != NULL) {
            lens[i] = strlen(in[i].text);
            binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
                                     .buffer = (void *)(uintptr_t)in[i].text,
                                     .buffer_length = lens[i],
                                     .length = &lens[i] };
        } else {
            binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG,
                                     .buffer = (void *)(uintptr_t)&in[i].number,
                                     .is_unsigned = 1 };
        }
    }
}

/* Reads the rows of the result set that stands first. Sets *wrong when they aren't what the caller expects. */
static int rows_read(MYSQL_STMT *stmt, const struct store_out *out, size_t out_count, void (*row)(void *),
                     void *context, size_t *rows, const char **wrong)
{
    MYSQL_BIND binds[OUT_MAX] = { 0 };
    unsigned long lens[OUT_MAX] = { 0 };
    my_bool nulls[OUT_MAX] = { 0 };
    if (mysql_stmt_field_count(stmt) != out_count) {
        *wrong = "the result hasn't the columns that this program knows";
        return 0;
    }
    for (size_t i = 0; i < out_count; i++) {
        binds[i] =
            out[i].text != NULL
                ? (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING, .buffer = out[i].text, .buffer_length = out[i].size }
                : (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = out[i].number, .is_unsigned = 1 };
        binds[i].length = &lens[i];
        binds[i].is_null = &nulls[i];
    }
    if (mysql_stmt_bind_result(stmt, binds) != 0 || mysql_stmt_store_result(stmt) != 0)
        return -1;
    for (;;) {
        int fetched = mysql_stmt_fetch(stmt);
        if (fetched == MYSQL_NO_DATA)
            return 0;
        if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED)
            return -1;
        for (size_t i = 0; i < out_count; i++) {
            if (nulls[i] || (out[i].text != NULL && lens[i] >= out[i].size))
                *wrong = "a value of the result is missing or too long";
            else if (out[i].text != NULL)
                out[i].text[lens[i]] = '\0';
        }
        if (fetched == MYSQL_DATA_TRUNCATED && *wrong == NULL)
            *wrong = "a value of the result is out of range";
        if (*wrong == NULL && row != NULL)
            row(context);
        (*rows)++;
    }
}

/* Executes it and reads everything that comes. 0, or -1: the statement has the error. */
static int execute(MYSQL_STMT *stmt, MYSQL_BIND *binds, size_t in_count, const struct store_out *out, size_t out_count,
                   void (*row)(void *), void *context, size_t *rows, const char **wrong)
{
    bool first = true;
    int next = 0;
    *rows = 0;
    *wrong = NULL;
    if ((in_count > 0 && mysql_stmt_bind_param(stmt, binds) != 0) || mysql_stmt_execute(stmt) != 0)
        return -1;
    while (next == 0) {
        if (mysql_stmt_field_count(stmt) > 0) {
            if (first && out_count > 0 && rows_read(stmt, out, out_count, row, context, rows, wrong) != 0)
                return -1;
            first = false;
            (void)mysql_stmt_free_result(stmt);
        }
        next = mysql_stmt_next_result(stmt);
    }
    if (next > 0)
        return -1;
    if (first && out_count > 0)
        *wrong = "there was no result";
    return 0;
}

enum store_result store_call(struct store *store, enum statement statement, const struct store_in *in, size_t in_count,
                             const struct store_out *out, size_t out_count, void (*row)(void *context), void *context,
                             size_t *rows)
{
    MYSQL_BIND binds[IN_MAX] = { 0 };
    unsigned long lens[IN_MAX] = { 0 };
    const char *wrong = NULL;
    const char *what = statements[statement].sql;
    size_t count = 0;
    unsigned deadlocks = 0;
    bool reconnected = false;

    in_bind(in, in_count, binds, lens);
    for (;;) {
        bool fresh = store->db == NULL;
        enum store_result result = store_connect(store);
        if (result != STORE_OK)
            return result;
        uint64_t started = store_clock();
        result = statement_prepare(store, statement);
        bool prepared = result == STORE_OK;
        if (prepared) {
            MYSQL_STMT *stmt = store->statements[statement];
            if (execute(stmt, binds, in_count, out, out_count, row, context, &count, &wrong) == 0)
                break;
            unsigned number = mysql_stmt_errno(stmt);
            char text[256];
            (void)snprintf(text, sizeof text, "%s", mysql_stmt_error(stmt));
            result = store_fail(store, number, text, what);
            /* Rolled back by the server as a whole. */
            if (number == ER_LOCK_DEADLOCK && ++deadlocks < DEADLOCK_TRIES)
                continue;
        }
        bool lost = result == STORE_UNAVAILABLE && store->db == NULL;
        bool repeatable = !prepared || (statements[statement].repeatable && count == 0);
        if (!lost || fresh || reconnected || !repeatable || store_clock() - started > IDLE_LOSS_MS)
            return result;
        reconnected = true;
    }
    if (rows != NULL)
        *rows = count;
    if (wrong != NULL) {
        (void)snprintf(store->error, sizeof store->error, "%s: %s", what, wrong);
        return STORE_BROKEN;
    }
    return STORE_OK;
}
