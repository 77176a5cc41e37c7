/*
 * kdc-admin db backup: what mariadb-dump writes of the tables, as they were at one moment, and of the procedures, with a line in
 * front that says what it is and one behind that proves it whole:
 *
 *   -- kdc-chat backup 1
 *   -- schema 6
 *   ... tables ...
 *   ... procedures: from the offset that the last line tells ...
 *   -- end of the backup: procedures at 00000000000000012345, SHA-512 of everything before this line
 *
 * Whoever made a procedure isn't in it: it belongs to the one who restores it.
 */
#include "kdc/admin/db.h"
#include "kdc/admin/new_file.h"
#include "kdc/admin/output.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char failed[] = "the backup was not made";

struct writing {
    FILE *out;
    struct sha512_ctx hash;
    unsigned long long sum; /* bytes */
};

static void put(struct writing *writing, const char *data, size_t len)
{
    sha512_update(&writing->hash, len, (const uint8_t *)data);
    writing->sum += len;
    (void)fwrite(data, 1, len, writing->out);
}

/* "CREATE DEFINER=`root`@`localhost` PROCEDURE ..." without who made it. */
static void line_put(struct writing *writing, const char *line, size_t len)
{
    static const char begin[] = "CREATE DEFINER=";
    const char *rest = strncmp(line, begin, sizeof begin - 1) == 0 ? strstr(line, " PROCEDURE `") : NULL;
    if (rest == NULL) {
        put(writing, line, len);
        return;
    }
    put(writing, "CREATE", sizeof "CREATE" - 1);
    put(writing, rest, len - (size_t)(rest - line));
}

static void all_put(struct writing *writing, FILE *in)
{
    static char part[1 << 16];
    size_t len;
    while ((len = fread(part, 1, sizeof part, in)) > 0 && !ferror(writing->out))
        put(writing, part, len);
}

static void lines_put(struct writing *writing, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getline(&line, &room, in)) > 0 && !ferror(writing->out))
        line_put(writing, line, (size_t)len);
    free(line);
}

/* One run of the program, with these arguments; what it writes goes through `take`. */
static enum exit_code part_write(struct db_tool *tool, const char *const *arguments, struct writing *writing,
                                 void (*take)(struct writing *writing, FILE *in))
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return complain(EXIT_OTHER, "%s: %s", failed, strerror(errno));
    enum exit_code code = db_tool_start(tool, arguments, -1, pipe_fds[1]);
    (void)close(pipe_fds[1]);
    FILE *in = fdopen(pipe_fds[0], "r");
    if (in == NULL) {
        (void)close(pipe_fds[0]);
        return complain(EXIT_OTHER, "memory is out");
    }
    if (code == EXIT_DONE)
        take(writing, in);
    (void)fclose(in); /* a program that still writes ends by that */
    if (code == EXIT_DONE && ferror(writing->out)) {
        db_tool_close(tool);
        return complain(EXIT_OTHER, "%s: the file can't be written: %s", failed, strerror(errno));
    }
    return code == EXIT_DONE ? db_tool_wait(tool, failed) : code;
}

static enum exit_code backup_write(struct admin *admin, struct db_tool *tool, unsigned number, FILE *out)
{
    const char *name = admin->config.db_name;
    const char *const tables[] = { "--single-transaction",
                                   "--skip-lock-tables",
                                   "--hex-blob",
                                   "--skip-triggers",
                                   "--skip-comments",
                                   "--skip-add-drop-table",
                                   "--default-character-set=utf8mb4",
                                   name,
                                   NULL };
    const char *const procedures[] = { "--routines",
                                       "--no-data",
                                       "--no-create-info",
                                       "--skip-triggers",
                                       "--skip-comments",
                                       "--default-character-set=utf8mb4",
                                       name,
                                       NULL };
    struct writing writing = { .out = out };
    uint8_t digest[SHA512_DIGEST_SIZE];
    char line[128];
    sha512_init(&writing.hash);
    put(&writing, BACKUP_FIRST_LINE, sizeof BACKUP_FIRST_LINE - 1);
    const int len = snprintf(line, sizeof line, BACKUP_SCHEMA_LINE, number);
    put(&writing, line, (size_t)len);
    enum exit_code code = part_write(tool, tables, &writing, all_put);
    const unsigned long long at = writing.sum;
    if (code == EXIT_DONE)
        code = part_write(tool, procedures, &writing, lines_put);
    if (code != EXIT_DONE)
        return code;
    sha512_digest(&writing.hash, sizeof digest, digest);
    (void)fprintf(out, BACKUP_LAST_LINE, at);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)fprintf(out, "%02x", digest[i]);
    (void)fputc('\n', out);
    return EXIT_DONE;
}

static enum exit_code backup_make(struct admin *admin, struct store *store, struct db_tool *tool)
{
    const bool standard = strcmp(admin->argument, "-") == 0;
    char actor[ADMIN_ACTOR_MAX];
    unsigned number = 0;
    admin_actor(actor);
    enum store_result result =
        schema_backup_begin(store, actor, standard ? "standard output" : admin->argument, &number);
    if (result != STORE_OK)
        return complain_store(store, result, failed);
    if (standard)
        return backup_write(admin, tool, number, stdout);
    FILE *out = new_file_make(admin->argument);
    if (out == NULL)
        return EXIT_OTHER;
    const enum exit_code code = new_file_end(out, admin->argument, backup_write(admin, tool, number, out));
    if (code == EXIT_DONE && admin->json) {
        json_print(json_pack("{s:s, s:s, s:i}", "database", admin->config.db_name, "file", admin->argument, "schema",
                             (int)number));
    } else if (code == EXIT_DONE) {
        (void)printf("All that is in the database ");
        text_print(stdout, admin->config.db_name);
        (void)printf(" is in ");
        text_print(stdout, admin->argument);
        (void)puts(".");
    }
    return code;
}

enum exit_code db_backup(struct admin *admin)
{
    static const char *const names[] = { "mariadb-dump", "mysqldump", NULL };
    struct db_tool tool;
    if (strcmp(admin->argument, "-") == 0 && admin->json)
        return complain(EXIT_BAD_USAGE, "a backup to standard output has no room for --json: see kdc-admin --help");
    enum exit_code code = db_tool_open(admin, names, failed, &tool);
    struct store *store = code == EXIT_DONE ? store_new(&admin->config, STORE_ACCOUNT_ADMIN) : NULL;
    if (code == EXIT_DONE)
        code = store == NULL ? complain(EXIT_OTHER, "memory is out") : backup_make(admin, store, &tool);
    db_tool_close(&tool);
    store_free(&store);
    return code;
}
