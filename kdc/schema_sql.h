/*
 * schema_sql.h: plain SQL for schema.c and schema_account.c, the only places that have statements which aren't calls.
 */
#ifndef KDC_SCHEMA_SQL_H
#define KDC_SCHEMA_SQL_H

#include "kdc/schema.h"
#include "kdc/sql_files.h"
#include "kdc/store_internal.h"

#define SCHEMA_SQL_MAX 2048

/* One statement, made as printf does. */
enum store_result schema_run(struct store *store, const char *format, ...)
    __attribute__((warn_unused_result, format(printf, 2, 3)));
/* The one number that a query gives; NULL is 0. */
enum store_result schema_number(struct store *store, uint64_t *number, const char *format, ...)
    __attribute__((warn_unused_result, format(printf, 3, 4)));
/* All statements of an embedded file, in which every `from` becomes `to` (NULL: as it is). */
enum store_result schema_file_run(struct store *store, const char *name, const char *from, const char *to)
    __attribute__((warn_unused_result));

/* Told of each row of a query, whose values are lent; NULL is "". */
typedef void schema_row(void *context, const char *const *values);
/* A query of text that needs no room to be made. */
enum store_result schema_rows(struct store *store, const char *sql, size_t len, schema_row *row, void *context)
    __attribute__((warn_unused_result));
/* The text of an embedded file with every `from` replaced; the caller frees it. NULL when memory is out. */
char *schema_text_replace(const char *text, size_t len, const char *from, const char *to)
    __attribute__((warn_unused_result));

/* One statement of any length. */
enum store_result schema_query(struct store *store, const char *sql, size_t len) __attribute__((warn_unused_result));

/* `text` as an SQL string or a quoted name, with its quotes; for configured text of up to CONFIG_TEXT_MAX bytes. */
struct schema_quoted {
    char text[2 * CONFIG_TEXT_MAX + 3];
};
struct schema_quoted schema_string(struct store *store, const char *text);
struct schema_quoted schema_identifier(const char *text);

/* ---- schema.c ---- */
/* To the server, whether there is a database or not. */
enum store_result schema_connect(struct store *store) __attribute__((warn_unused_result));
/* One at a time works on a database: until the connection ends. */
enum store_result schema_lock(struct store *store) __attribute__((warn_unused_result));
enum store_result schema_database_exists(struct store *store, bool *exists) __attribute__((warn_unused_result));
enum store_result schema_database_make(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));
/* Say so, and give what is to be returned. */
enum store_result schema_no_database(struct store *store);
enum store_result schema_too_new(struct store *store, uint64_t number);
/* What follows works on this one. */
enum store_result schema_open(struct store *store, const char *database) __attribute__((warn_unused_result));
/* In the one that is open: the number of the newest migration; 0: none. */
enum store_result schema_newest(struct store *store, uint64_t *number) __attribute__((warn_unused_result));
/* Those that are missing in the one that is open, in which bookkeeping.sql has run. */
enum store_result schema_migrations_apply(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));
/* Opens the configured one, and makes everything in it. */
enum store_result schema_contents_make(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));
/* Again each time: a procedure that is made anew comes without rights. */
enum store_result schema_rights_grant(struct store *store) __attribute__((warn_unused_result));
/* "migrations/0001_accounts.sql": its number, 0 for other files; `name` becomes "0001_accounts". */
unsigned schema_migration_number(const struct sql_file *file, char name[100]);
/* "procedures/kdc_journal.sql": true, and `name` becomes "kdc_journal". */
bool schema_procedure_name(const struct sql_file *file, char name[65]);
enum store_result schema_procedure_exists(struct store *store, const char *name, bool *exists)
    __attribute__((warn_unused_result));
/* Whether another was put in the place of what we had made. (Ours comes back once that is dropped.) */
enum store_result schema_procedure_replaced(struct store *store, const char *name, bool *replaced)
    __attribute__((warn_unused_result));
/* What stands in schema_procedures beside a procedure's name: the digest of its body as the server had it when it was made. */
#define SCHEMA_BODY ":body"
#define SCHEMA_BODY_NOTE                                                                                            \
    "REPLACE INTO schema_procedures (name, digest, applied)"                                                        \
    " SELECT '%s" SCHEMA_BODY "', SHA2(routine_definition, 512), UTC_TIMESTAMP(3) FROM information_schema.routines" \
    " WHERE routine_schema = DATABASE() AND routine_name = '%s' AND routine_type = 'PROCEDURE'"
/* By which a procedure's file is known again. */
#define SCHEMA_DIGEST_LEN 129
void schema_digest(const struct sql_file *file, char hex[SCHEMA_DIGEST_LEN]);
/* The embedded file of that name; NULL: there is none. */
const struct sql_file *schema_file(const char *name);

/* ---- schema_backup.c ---- */
/* STORE_BROKEN: ours is too long for them. */
enum store_result schema_restore_names(struct store *store, struct schema_restore *restore)
    __attribute__((warn_unused_result));

/* ---- schema_account.c ---- */
/* kdcd's account as SQL writes it: 'kdc'@'localhost'. */
struct schema_account {
    char text[4 * CONFIG_TEXT_MAX];
};
struct schema_account schema_account(struct store *store);
enum store_result schema_account_exists(struct store *store, bool *exists) __attribute__((warn_unused_result));
/* Makes it, and sees to it that it has the password of the password file. */
enum store_result schema_account_make(struct store *store, schema_change *change, void *context)
    __attribute__((warn_unused_result));

/* ---- schema_check.c, schema_check_rights.c ---- */
struct schema_check {
    struct store *store;
    schema_finding *finding;
    void *context;
    size_t told; /* findings that aren't well */
};
void schema_check_tell(struct schema_check *check, const char *what, enum schema_verdict verdict, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));
enum store_result schema_check_rights(struct schema_check *check) __attribute__((warn_unused_result));

#endif
