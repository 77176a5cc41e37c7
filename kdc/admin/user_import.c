/* kdc-admin user import: reads all, checks all, hashes what must be hashed, and only then changes anything. */
#include "kdc/admin/user_import.h"
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct importing {
    struct admin *admin;
    const char *shown; /* the file, as it is told */
    struct import import;
    struct store *store;
};

/* ---- the file ---- */

static enum exit_code file_read(struct importing *importing, int fd, enum user_format format)
{
    struct import *import = &importing->import;
    struct import_source source;
    char error[IMPORT_ERROR_MAX] = "";
    if (source_open(&source, fd) != 0)
        return complain(EXIT_OTHER, "memory is out");
    int result = 0;
    if (source.error == 0 && format == FORMAT_CSV)
        result = import_read_csv(import, &source, error);
    else if (source.error == 0 && format == FORMAT_JSONL)
        import_read_jsonl(import, &source);
    else if (source.error == 0)
        import_read_htpasswd(import, &source);
    const int failed = source.error;
    source_close(&source);
    if (failed != 0)
        return complain(EXIT_OTHER, "%s can't be read: %s", importing->shown, strerror(failed));
    if (import->memory_out)
        return complain(EXIT_OTHER, "memory is out");
    if (result != 0)
        return complain(EXIT_REFUSED, "%s was not imported: %s", importing->shown, error);
    return EXIT_DONE;
}

static enum exit_code file_take(struct importing *importing)
{
    struct admin *admin = importing->admin;
    const bool standard = strcmp(admin->argument, "-") == 0;
    const enum user_format format = user_format_choose(admin->format, admin->argument);
    importing->shown = standard ? "standard input" : admin->argument;
    if (format == FORMAT_NONE && admin->format != NULL)
        return complain(EXIT_BAD_USAGE, "there is no format '%s', but csv, jsonl, htpasswd: see kdc-admin --help",
                        admin->format);
    if (format == FORMAT_NONE)
        return complain(EXIT_BAD_USAGE,
                        "the name of %s doesn't tell its format: say it with --format; see kdc-admin --help",
                        importing->shown);
    const int fd = standard ? STDIN_FILENO : open(admin->argument, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return complain(EXIT_OTHER, "%s can't be read: %s", importing->shown, strerror(errno));
    const enum exit_code code = file_read(importing, fd, format);
    if (!standard)
        (void)close(fd);
    return code;
}

/* ---- the database ---- */

struct part { /* of the rows: those that one call takes */
    struct store_import users[STORE_IMPORT_MAX];
    struct import_row *rows[STORE_IMPORT_MAX];
    size_t count;
};

/* From row *next on, which moves behind them. */
static void part_fill(struct import *import, struct part *part, size_t *next)
{
    part->count = 0;
    for (; *next < import->count && part->count < STORE_IMPORT_MAX; ++*next) {
        struct import_row *row = &import->rows[*next];
        if (row->refused)
            continue;
        part->users[part->count] = row->user;
        part->rows[part->count++] = row;
    }
}

static void taken_refuse(struct import *import, struct import_row *row, const struct store_import *user)
{
    switch (user->taken) {
    case STORE_TAKEN_NAME:
        import_row_refuse(import, row, "there is a user %s already", user->name.text);
        break;
    case STORE_TAKEN_EMAIL:
        import_row_refuse(import, row, "another account has the e-mail address %s", user->email.text);
        break;
    case STORE_TAKEN_PHONE:
        import_row_refuse(import, row, "another account has the telephone number %s", user->phone.text);
        break;
    }
}

/* Asks (`actor` NULL) or adds, part by part. */
static enum store_result parts_send(struct importing *importing, const char *actor)
{
    struct part *part = calloc(1, sizeof *part);
    enum store_result result = STORE_OK;
    size_t next = 0;
    if (part == NULL) {
        importing->import.memory_out = true;
        return STORE_OK;
    }
    part_fill(&importing->import, part, &next);
    while (part->count > 0 && result == STORE_OK) {
        result = actor == NULL ? store_import_check(importing->store, part->users, part->count)
                               : store_import_add(importing->store, part->users, part->count, actor);
        for (size_t i = 0; i < part->count && result == STORE_OK; i++) {
            if (part->users[i].exists)
                taken_refuse(&importing->import, part->rows[i], &part->users[i]);
        }
        part_fill(&importing->import, part, &next);
    }
    free(part);
    return result;
}

/* Whether what was refused so far keeps all from being imported. */
static bool stopped(const struct importing *importing)
{
    return importing->import.refused_count > 0 && (importing->admin->options & OPTION_KEEP_GOING) == 0;
}

static enum exit_code existing_refuse(struct importing *importing)
{
    enum store_result result = store_connect(importing->store);
    if (importing->admin->config.contact_unique)
        import_contacts_refuse(&importing->import);
    if (result == STORE_OK)
        result = parts_send(importing, NULL);
    if (result != STORE_OK)
        return complain_store(importing->store, result, "nothing was imported");
    return importing->import.memory_out ? complain(EXIT_OTHER, "memory is out") : EXIT_DONE;
}

/* Ends with EXIT_DONE also when somebody else has taken a name meanwhile, and all is stopped. */
static enum exit_code all_add(struct importing *importing)
{
    char actor[ADMIN_ACTOR_MAX];
    admin_actor(actor);
    enum store_result result = store_import_begin(importing->store);
    if (result == STORE_OK)
        result = parts_send(importing, actor);
    if (result != STORE_OK)
        return complain_store(importing->store, result, "nothing was imported");
    if (importing->import.memory_out)
        return complain(EXIT_OTHER, "nothing was imported: memory is out");
    if (stopped(importing))
        return EXIT_DONE;
    result = store_import_commit(importing->store);
    if (result == STORE_UNAVAILABLE)
        return complain_store(importing->store, result,
                              "whether all users were imported or none isn't known: see with kdc-admin user list");
    return result == STORE_OK ? EXIT_DONE : complain_store(importing->store, result, "nothing was imported");
}

/* ---- what is told ---- */

static void refused_print(const struct importing *importing)
{
    for (size_t i = 0; i < importing->import.refused_count; i++)
        (void)complain(EXIT_REFUSED, "%s:%" PRIu64 ": %s", importing->shown, importing->import.refused[i].line,
                       importing->import.refused[i].reason);
}

static void report_print_json(const struct importing *importing, size_t imported)
{
    const struct import *import = &importing->import;
    json_t *refused = json_array();
    for (size_t i = 0; i < import->refused_count; i++)
        (void)json_array_append_new(refused,
                                    json_pack("{s:I, s:s?, s:s}", "line", (json_int_t)import->refused[i].line, "name",
                                              import->refused[i].name, "reason", import->refused[i].reason));
    json_print(json_pack("{s:I, s:I, s:b, s:o}", "rows", (json_int_t)import->line_count, "imported",
                         (json_int_t)imported, "dry_run", (importing->admin->options & OPTION_DRY_RUN) != 0, "refused",
                         refused));
}

static enum exit_code report(struct importing *importing)
{
    struct import *import = &importing->import;
    const bool dry = (importing->admin->options & OPTION_DRY_RUN) != 0;
    size_t taken = 0;
    for (size_t i = 0; i < import->count; i++)
        taken += import->rows[i].refused ? 0 : 1;
    taken = stopped(importing) ? 0 : taken;
    import_refused_sort(import);
    if (importing->admin->json)
        report_print_json(importing, dry ? 0 : taken);
    else
        refused_print(importing);
    if (!importing->admin->json && !stopped(importing))
        (void)printf("%zu user%s %s%s.\n", taken, taken == 1 ? "" : "s",
                     dry          ? "would be"
                     : taken == 1 ? "is"
                                  : "are",
                     " imported");
    if (import->refused_count == 0)
        return EXIT_DONE;
    return complain(EXIT_REFUSED, "%zu of %" PRIu64 " rows of %s %s refused%s", import->refused_count,
                    import->line_count, importing->shown, import->refused_count == 1 ? "is" : "are",
                    !stopped(importing) ? ""
                    : dry               ? ": nothing would be imported"
                                        : ": nothing was imported");
}

static enum exit_code import_run(struct importing *importing)
{
    enum exit_code code = file_take(importing);
    if (code == EXIT_DONE)
        code = existing_refuse(importing);
    if (code != EXIT_DONE)
        return code;
    if (!stopped(importing) && (importing->admin->options & OPTION_DRY_RUN) == 0) {
        if (import_hash(&importing->import, importing->admin->config.bcrypt_cost) != 0)
            return complain(EXIT_OTHER,
                            "nothing was imported: a password can't be hashed: memory or randomness is out");
        code = all_add(importing);
    }
    return code == EXIT_DONE ? report(importing) : code;
}

enum exit_code user_import(struct admin *admin)
{
    struct importing importing = { .admin = admin };
    struct password_policy *passwords = NULL;
    char error[CONFIG_ERROR_MAX];
    if ((admin->options & OPTION_FORCE) == 0) {
        passwords = password_policy_new(admin->config.password_min, admin->config.password_list, error, sizeof error);
        if (passwords == NULL)
            return complain(EXIT_OTHER, "nothing was imported: %s", error);
    }
    importing.import.passwords = passwords;
    importing.store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    const enum exit_code code =
        importing.store == NULL ? complain(EXIT_OTHER, "memory is out") : import_run(&importing);
    store_free(&importing.store);
    import_clear(&importing.import);
    password_policy_unref(&passwords);
    return code;
}
