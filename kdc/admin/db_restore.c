/* kdc-admin db restore: what db backup wrote, read and proved whole first; then made beside our database, and put in its place. */
#include "kdc/admin/db.h"
#include "kdc/admin/output.h"
#include "kdc/audit_events.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char failed[] = "nothing was restored";

struct backup {
    const char *shown; /* the file, as it is told */
    int fd;
    off_t procedures; /* where they begin, ... */
    off_t end;        /* ... and where they end */
    unsigned schema;
};

/* ---- the file ---- */

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t written = write(fd, data, len);
        if (written < 0)
            return false;
        data += written;
        len -= (size_t)written;
    }
    return true;
}

/* All of standard input, into a file that has no name. -1, and it has complained. */
static int standard_take(void)
{
    const char *folder = getenv("TMPDIR");
    char part[1 << 14];
    const int fd =
        open(folder == NULL || folder[0] == '\0' ? "/var/tmp" : folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ssize_t len = 0;
    while (fd >= 0 && (len = read(STDIN_FILENO, part, sizeof part)) > 0) {
        if (!write_all(fd, part, (size_t)len)) {
            len = -1;
            break;
        }
    }
    if (fd >= 0 && len == 0)
        return fd;
    (void)complain(EXIT_OTHER, "%s: standard input can't be kept in a temporary file ($TMPDIR): %s", failed,
                   strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* The digest of the first `end` bytes, as the last line has it. 0, or -1. */
static int digest_make(int fd, off_t end, char hex[2 * SHA512_DIGEST_SIZE + 1])
{
    static uint8_t part[1 << 16];
    uint8_t digest[SHA512_DIGEST_SIZE];
    struct sha512_ctx hash;
    off_t at = 0;
    sha512_init(&hash);
    while (at < end) {
        const size_t want = end - at < (off_t)sizeof part ? (size_t)(end - at) : sizeof part;
        const ssize_t len = pread(fd, part, want, at);
        if (len <= 0) {
            errno = len == 0 ? EIO : errno; /* it has become shorter */
            return -1;
        }
        sha512_update(&hash, (size_t)len, part);
        at += len;
    }
    sha512_digest(&hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return 0;
}

static bool number_behind(const char *text, const char *begin, unsigned long long *number)
{
    const size_t len = strlen(begin);
    if (strncmp(text, begin, len) != 0 || text[len] < '0' || text[len] > '9')
        return false;
    *number = strtoull(text + len, NULL, 10);
    return true;
}

/* Whether it is a whole backup. NULL, or what is wrong with it. */
static const char *backup_read(struct backup *backup)
{
    char first[128] = "";
    char last[BACKUP_LAST_LINE_LEN + 1] = "";
    char expected[BACKUP_LAST_LINE_LEN + 1];
    char hex[2 * SHA512_DIGEST_SIZE + 1];
    unsigned long long number = 0;
    unsigned long long procedures = 0;
    struct stat st;
    if (fstat(backup->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return "it isn't a regular file; - is standard input";
    const ssize_t len = pread(backup->fd, first, sizeof first - 1, 0);
    if (len < 0)
        return strerror(errno);
    if (strncmp(first, BACKUP_FIRST_LINE, sizeof BACKUP_FIRST_LINE - 1) != 0 ||
        !number_behind(first + sizeof BACKUP_FIRST_LINE - 1, "-- schema ", &number) || number > UINT_MAX)
        return "it isn't a backup that kdc-admin db backup made";
    backup->schema = (unsigned)number;
    backup->end = st.st_size - (off_t)BACKUP_LAST_LINE_LEN;
    if (backup->end <= 0 ||
        pread(backup->fd, last, BACKUP_LAST_LINE_LEN, backup->end) != (ssize_t)BACKUP_LAST_LINE_LEN ||
        !number_behind(last, "-- end of the backup: procedures at ", &procedures) ||
        procedures >= (unsigned long long)backup->end)
        return "it isn't whole: its end is missing";
    if (digest_make(backup->fd, backup->end, hex) != 0)
        return strerror(errno);
    (void)snprintf(expected, sizeof expected, BACKUP_LAST_LINE "%s\n", procedures, hex);
    if (strcmp(expected, last) != 0)
        return "it was changed or damaged: its SHA-512 is another";
    backup->procedures = (off_t)procedures;
    return NULL;
}

static enum exit_code backup_open(struct admin *admin, struct backup *backup)
{
    const bool standard = strcmp(admin->argument, "-") == 0;
    backup->shown = standard ? "standard input" : admin->argument;
    backup->fd = standard ? standard_take() : open(admin->argument, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (backup->fd < 0)
        return standard ? EXIT_OTHER
                        : complain(EXIT_OTHER, "%s: %s can't be read: %s", failed, backup->shown, strerror(errno));
    const char *wrong = backup_read(backup);
    return wrong == NULL ? EXIT_DONE : complain(EXIT_REFUSED, "%s: %s: %s", failed, backup->shown, wrong);
}

/* ---- the database ---- */

/* A part of the file, run in a database. */
static enum exit_code part_run(struct db_tool *tool, const struct backup *backup, off_t from, off_t to,
                               const char *database, const char *what)
{
    static char part[1 << 16];
    /* Another connection would lack what the backup has set for its session. Nothing is read from this machine's files. */
    const char *const arguments[] = { "--batch",          "--binary-mode",
                                      "--comments",       "--skip-reconnect",
                                      "--local-infile=0", "--default-character-set=utf8mb4",
                                      database,           NULL };
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return complain(EXIT_OTHER, "%s: %s", what, strerror(errno));
    enum exit_code code = db_tool_start(tool, arguments, pipe_fds[0], -1);
    (void)close(pipe_fds[0]);
    bool read_failed = false;
    while (code == EXIT_DONE && from < to) {
        const size_t want = to - from < (off_t)sizeof part ? (size_t)(to - from) : sizeof part;
        const ssize_t len = pread(backup->fd, part, want, from);
        read_failed = len <= 0;
        errno = len == 0 ? EIO : errno; /* it has become shorter */
        if (read_failed || !write_all(pipe_fds[1], part, (size_t)len))
            break; /* it has ended, and will tell why */
        from += len;
    }
    if (read_failed) { /* what is there of a statement must not be run */
        db_tool_close(tool);
        (void)close(pipe_fds[1]);
        return complain(EXIT_OTHER, "%s: %s can't be read: %s", what, backup->shown, strerror(errno));
    }
    (void)close(pipe_fds[1]);
    return code == EXIT_DONE ? db_tool_wait(tool, what) : code;
}

static bool confirmed(struct admin *admin)
{
    char answer[16] = "";
    (void)printf("Put the backup in the place of everything in the database ");
    text_print(stdout, admin->config.db_name);
    (void)printf("? What is there now is lost. [yes/no] ");
    (void)fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        (void)putchar('\n');
    return strcmp(answer, "yes\n") == 0;
}

static enum exit_code replace_ask(struct admin *admin)
{
    if ((admin->options & OPTION_REPLACE) == 0 || (admin->options & OPTION_YES) != 0)
        return EXIT_DONE;
    if (strcmp(admin->argument, "-") == 0 || !isatty(STDIN_FILENO))
        return complain(EXIT_REFUSED, "%s: without a terminal to ask, --replace takes --yes", failed);
    return confirmed(admin) ? EXIT_DONE : complain(EXIT_REFUSED, "%s", failed);
}

struct changes { /* what was made besides */
    bool json;
};

static void change_tell(void *context, const char *what, const char *name)
{
    const struct changes *changes = context;
    if (changes->json)
        return;
    (void)printf("made the %s ", what);
    text_print(stdout, name);
    (void)putchar('\n');
}

static enum exit_code restore_run(struct admin *admin, struct store *store, struct db_tool *tool,
                                  const struct backup *backup)
{
    static const char half[] = "the accounts are restored, but the rest isn't: see to what is told here, and then: "
                               "kdc-admin db init";
    struct schema_restore restore;
    struct changes changes = { .json = admin->json };
    enum store_result result = schema_restore_begin(store, (admin->options & OPTION_REPLACE) != 0, &restore);
    if (result == STORE_EXISTS)
        return complain(EXIT_EXISTS, "%s: %s", failed, store_error(store));
    if (result != STORE_OK)
        return complain_store(store, result, failed);
    enum exit_code code = part_run(tool, backup, 0, backup->procedures, restore.made, failed);
    if (code == EXIT_DONE && (result = schema_restore_swap(store, &restore)) != STORE_OK)
        code = complain_store(store, result, failed);
    if (code != EXIT_DONE) {
        schema_restore_drop(store, &restore);
        return code;
    }
    code = part_run(tool, backup, backup->procedures, backup->end, admin->config.db_name, half);
    if (code == EXIT_DONE && (result = schema_restore_end(store, &restore, change_tell, &changes)) != STORE_OK)
        code = complain_store(store, result, half);
    return code;
}

static enum exit_code restored_tell(struct admin *admin, const struct backup *backup)
{
    char detail[256];
    (void)snprintf(detail, sizeof detail, "from %.200s", backup->shown);
    admin_record_done(admin, AUDIT_DATABASE_RESTORED, "", detail);
    if (!admin->json) {
        (void)printf("The database ");
        text_print(stdout, admin->config.db_name);
        (void)puts(" is restored. Everybody logs in by password once. If kdcd runs, restart it.");
        return db_check_run(admin, NULL);
    }
    json_t *check = json_array();
    const enum exit_code code = db_check_run(admin, check);
    json_print(json_pack("{s:s, s:s, s:i, s:o}", "database", admin->config.db_name, "file", backup->shown, "schema",
                         (int)backup->schema, "check", check));
    return code;
}

enum exit_code db_restore(struct admin *admin)
{
    static const char *const names[] = { "mariadb", "mysql", NULL };
    struct backup backup = { .fd = -1 };
    struct db_tool tool;
    struct store *store = NULL;
    enum exit_code code = db_tool_open(admin, names, failed, &tool);
    if (code == EXIT_DONE)
        code = backup_open(admin, &backup);
    if (code == EXIT_DONE && backup.schema > schema_needed())
        code =
            complain(EXIT_REFUSED, "%s: %s has the schema number %u, and this program knows %u: take a later kdc-admin",
                     failed, backup.shown, backup.schema, schema_needed());
    if (code == EXIT_DONE)
        code = replace_ask(admin);
    if (code == EXIT_DONE && (store = store_new(&admin->config, STORE_ACCOUNT_ADMIN)) == NULL)
        code = complain(EXIT_OTHER, "memory is out");
    if (code == EXIT_DONE)
        code = restore_run(admin, store, &tool, &backup);
    store_free(&store); /* and with it the lock */
    if (code == EXIT_DONE)
        code = restored_tell(admin, &backup);
    db_tool_close(&tool);
    if (backup.fd >= 0)
        (void)close(backup.fd);
    return code;
}
