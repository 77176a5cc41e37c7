#include "kdc/store_internal.h"

#include "kdc/clock.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#define IN_MAX 10
#define OUT_MAX 12
#define LOCK_TRIES 3
#define LOCK_WAIT_LEAST_MS 1000
#define IDLE_LOSS_MS 1000 /* a connection that was lost while idle fails its next call sooner than this */

static const struct {
    const char *sql;
    bool repeatable; /* twice does no harm, and gives the same answer */
} statements[STATEMENT_COUNT] = {
    [STATEMENT_SCHEMA_VERSION] = { "CALL kdc_schema_version()", true },
    [STATEMENT_USER_FIND] = { "CALL kdc_user_find(?)", true },
    [STATEMENT_USER_REHASH] = { "CALL kdc_user_rehash(?, ?, ?)", true },
    [STATEMENT_USER_PASSWORD] = { "CALL kdc_user_password(?, ?, ?, ?)", true },
    [STATEMENT_USER_HISTORY] = { "CALL kdc_user_history(?, ?)", true },
    [STATEMENT_SOURCE_KNOWN] = { "CALL kdc_source_known(?, ?)", true },
    [STATEMENT_REGISTER] = { "CALL kdc_register(?, ?, ?, ?, ?, ?, ?)", false },
    [STATEMENT_CODE_NEW] = { "CALL kdc_code_new(?, ?, ?, ?, ?, ?)", false },
    [STATEMENT_CODE_USE] = { "CALL kdc_code_use(?, ?, ?)", false },
    [STATEMENT_UNACTIVATED_REMOVE] = { "CALL kdc_unactivated_remove(?, ?)", true },
    [STATEMENT_JOURNAL] = { "CALL kdc_journal(?)", false },
    [STATEMENT_ACCOUNT_CHANGES] = { "CALL kdc_account_changes(?)", true },
    [STATEMENT_AUDIT_EXPIRE] = { "CALL kdc_audit_expire(?, ?)", true },
    [STATEMENT_USER_LIST] = { "CALL admin_user_list(?, ?, ?, ?, ?, ?)", true },
    [STATEMENT_USER_SET_HASH] = { "CALL admin_user_set_hash(?, ?, ?, ?)", true },
    [STATEMENT_USER_SET_STATE] = { "CALL admin_user_set_state(?, ?)", true },
    [STATEMENT_USER_FREE] = { "CALL admin_user_free(?, ?)", false },
    [STATEMENT_USER_SET_MUST_CHANGE] = { "CALL admin_user_set_must_change(?)", true },
    [STATEMENT_USER_SET_EXPIRY] = { "CALL admin_user_set_expiry(?, ?)", true },
    [STATEMENT_USER_RENAME] = { "CALL admin_user_rename(?, ?)", false },
    [STATEMENT_USER_MAKE] = { "CALL admin_user_add(?, ?, ?, ?, ?, ?, ?)", false },
    [STATEMENT_USER_FIGURES] = { "CALL admin_user_figures(?, ?, ?)", true },
    [STATEMENT_USER_DELETE] = { "CALL admin_user_delete(?)", false },
    [STATEMENT_USER_EXPORT] = { "CALL admin_user_export(?, ?, ?)", false },
    [STATEMENT_USER_CONTACTS] = { "CALL admin_user_contacts(?)", true },
    [STATEMENT_USER_SET_CONTACT] = { "CALL admin_user_set_contact(?, ?, ?, ?)", true },
    [STATEMENT_INVITATION_NEW] = { "CALL admin_invitation_new(?, ?, ?, ?)", false },
    [STATEMENT_INVITATION_LIST] = { "CALL admin_invitation_list(?, ?)", true },
    [STATEMENT_INVITATION_REVOKE] = { "CALL admin_invitation_revoke(?)", true },
    [STATEMENT_USER_IMPORT] = { "CALL admin_user_import(?, ?, ?, ?)", false },
    [STATEMENT_AUDIT_LIST] = { "CALL admin_audit_list(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", true },
};

static enum store_result statement_prepare(struct store *store, enum statement statement)
{
    if (store->statements[statement] != NULL)
        return STORE_OK;
    const char *sql = statements[statement].sql;
    const uint64_t began = clock_monotonic_ms();
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
    return store_fail_late(store, number, text, sql, began, store->config.db_read_timeout);
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
    size_t required = out_count;
    while (required > 0 && out[required - 1].optional)
        required--;
    const size_t fields = mysql_stmt_field_count(stmt);
    if (fields < required || fields > out_count) {
        *wrong = "the result hasn't the columns that this program knows";
        return 0;
    }
    for (size_t i = fields; i < out_count; i++) {
        if (out[i].text != NULL)
            out[i].text[0] = '\0';
        else
            *out[i].number = 0;
    }
    out_count = fields;
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

/* One attempt, for the store's stats. */
static void call_begins(struct store *store)
{
    store->called_us = clock_monotonic_us();
    store_stats_now(store->stats, STORE_ACTIVITY_BUSY);
}

static void call_ends(struct store *store, bool answered)
{
    store_stats_called(store->stats, clock_monotonic_us() - store->called_us, answered);
    if (store->db != NULL)
        store_stats_now(store->stats, STORE_ACTIVITY_IDLE);
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
    unsigned tries = 0;
    const uint64_t patient_until = clock_monotonic_ms() + store_lock_patience(store) * UINT64_C(1000);
    bool reconnected = false;

    in_bind(in, in_count, binds, lens);
    for (;;) {
        bool fresh = store->db == NULL;
        enum store_result result = store_connect(store);
        if (result != STORE_OK)
            return result;
        store->last_call = (int)statement;
        uint64_t started = clock_monotonic_ms();
        call_begins(store);
        result = statement_prepare(store, statement);
        bool prepared = result == STORE_OK;
        if (prepared) {
            MYSQL_STMT *stmt = store->statements[statement];
            if (execute(stmt, binds, in_count, out, out_count, row, context, &count, &wrong) == 0) {
                call_ends(store, wrong == NULL);
                break;
            }
            unsigned number = mysql_stmt_errno(stmt);
            char text[256];
            (void)snprintf(text, sizeof text, "%s", mysql_stmt_error(stmt));
            result = store_fail_late(store, number, text, what, started, store->config.db_read_timeout);
            call_ends(store, false);
            /* Rolled back by the server as a whole. Its patience with a lock may be shorter than ours. */
            bool in_the_way = number == ER_LOCK_DEADLOCK || (number == ER_LOCK_WAIT_TIMEOUT && count == 0 &&
                                                             clock_monotonic_ms() + LOCK_WAIT_LEAST_MS < patient_until);
            if (in_the_way && ++tries < LOCK_TRIES)
                continue;
        }
        if (!prepared)
            call_ends(store, false);
        bool lost = result == STORE_UNAVAILABLE && store->last_call == -1;
        bool repeatable = !prepared || (statements[statement].repeatable && count == 0);
        if (!lost || fresh || reconnected || !repeatable || clock_monotonic_ms() - started > IDLE_LOSS_MS)
            return result;
        reconnected = true;
    }
    if (rows != NULL)
        *rows = count;
    store->unfit = false;
    if (wrong != NULL) {
        store->unfit = true; /* whatever it did, it would do again */
        (void)snprintf(store->error, sizeof store->error, "%s: %s", what, wrong);
        return STORE_BROKEN;
    }
    return STORE_OK;
}
