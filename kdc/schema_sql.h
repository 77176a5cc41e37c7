/*
 * schema_sql.h: plain SQL for schema.c and schema_account.c, the only places that have statements which aren't calls.
 */
#ifndef KDC_SCHEMA_SQL_H
#define KDC_SCHEMA_SQL_H

#include "kdc/schema.h"
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

/* `text` as an SQL string or a quoted name, with its quotes; for configured text of up to CONFIG_TEXT_MAX bytes. */
struct schema_quoted {
    char text[2 * CONFIG_TEXT_MAX + 3];
};
struct schema_quoted schema_string(struct store *store, const char *text);
struct schema_quoted schema_identifier(const char *text);

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

#endif
