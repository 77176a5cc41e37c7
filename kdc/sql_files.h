/*
 * sql_files.h: every file under sql/, embedded at build time, so that the programs need no files beside them.
 *
 * The definitions are generated (scripts/embed-sql.sh). Constant; any thread.
 */
#ifndef KDC_SQL_FILES_H
#define KDC_SQL_FILES_H

#include <stddef.h>

struct sql_file {
    const char *name; /* relative to sql/: "migrations/0001_users.sql" */
    const char *text; /* the file's bytes, and a final NUL */
    size_t len;       /* bytes of text, without that NUL */
};

/* Sorted by name, byte by byte; ended by an entry whose name is NULL. */
extern const struct sql_file sql_files[];
extern const size_t sql_files_count; /* without that last entry */

#endif
