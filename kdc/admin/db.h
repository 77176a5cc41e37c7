/*
 * db.h: what the files of kdc-admin db ... share: MariaDB's own programs, started with the account and the password of our
 * configuration.
 *
 * These stand in an option file in memory, which only the started program is given: neither in its arguments nor in its environment.
 */
#ifndef KDC_ADMIN_DB_H
#define KDC_ADMIN_DB_H

#include "kdc/admin/command.h"
#include "kdc/schema.h"

#include <limits.h>
#include <sys/types.h>

struct db_tool {
    char path[PATH_MAX];
    int options; /* the option file */
    int errors;  /* what it says */
    pid_t pid;   /* 0: it doesn't run */
};

/* `names`: of the program, the preferred one first, ended by NULL. EXIT_DONE, or it has complained after `what`. */
enum exit_code db_tool_open(struct admin *admin, const char *const *names, const char *what, struct db_tool *tool);
/* Starts it with these arguments (those of the option file come first), ended by NULL; `in` and `out` become its standard input and
 * output, -1: none. EXIT_DONE, or it has complained. */
enum exit_code db_tool_start(struct db_tool *tool, const char *const *arguments, int in, int out);
/* Until it ends. EXIT_DONE, or it has complained, after `what`, with what the program said. */
enum exit_code db_tool_wait(struct db_tool *tool, const char *what);
void db_tool_close(struct db_tool *tool);

/* ---- a backup's form: see db_backup.c ---- */
#define BACKUP_FIRST_LINE "-- kdc-chat backup 1\n"
#define BACKUP_SCHEMA_LINE "-- schema %u\n"
#define BACKUP_LAST_LINE "-- end of the backup: procedures at %020llu, SHA-512 "
#define BACKUP_LAST_LINE_LEN (sizeof "-- end of the backup: procedures at 12345678901234567890, SHA-512 " - 1 + 128 + 1)

/* The findings of db check as a table, or into `list`. EXIT_DONE, EXIT_FOUND when something is wrong, or it has complained. */
enum exit_code db_check_run(struct admin *admin, json_t *list);

#endif
