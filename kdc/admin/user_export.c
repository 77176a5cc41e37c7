/* kdc-admin user export: read and written part by part, all as it was at one moment. */
#include "crypto/secret.h"
#include "kdc/admin/command.h"
#include "kdc/admin/new_file.h"
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "kdc/audit_events.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_PART 1000 /* users asked for at once */

/* ---- its rows ---- */

/* A column of CSV (RFC 4180). */
static void column_put(FILE *out, const char *text, char end)
{
    if (text[strcspn(text, "\",\r\n")] == '\0') {
        (void)fprintf(out, "%s%c", text, end);
        return;
    }
    (void)fputc('"', out);
    for (; *text != '\0'; text++)
        (void)fprintf(out, "%s%c", *text == '"' ? "\"" : "", *text);
    (void)fprintf(out, "\"%c", end);
}

static const char *contact_or_null(const char *contact)
{
    return contact[0] == '\0' ? NULL : contact;
}

static void row_put(FILE *out, enum user_format format, const struct store_user *user)
{
    if (format == FORMAT_JSONL) {
        json_put(out, json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:o, s:s?, s:s?}", "name", user->name.text, "hash",
                                user->hash, "state", user_state_word(user->state), "created", time_json(user->created),
                                "last_login", time_json(user->last_login), "must_change", user->must_change, "expires",
                                time_json(user->expires), "email", contact_or_null(user->email.text), "phone",
                                contact_or_null(user->phone.text)));
        (void)fputc('\n', out);
        return;
    }
    char created[TIME_TEXT_LEN] = "";
    char last_login[TIME_TEXT_LEN] = "";
    char expires[TIME_TEXT_LEN] = "";
    if (user->created != 0)
        time_text(user->created, created);
    if (user->last_login != 0)
        time_text(user->last_login, last_login);
    if (user->expires != 0)
        time_text(user->expires, expires);
    column_put(out, user->name.text, ',');
    column_put(out, user->hash, ',');
    column_put(out, user_state_word(user->state), ',');
    column_put(out, created, ',');
    column_put(out, last_login, ',');
    column_put(out, user->must_change ? "true" : "false", ',');
    column_put(out, expires, ',');
    column_put(out, user->email.text, ',');
    column_put(out, user->phone.text, '\n');
}

static enum exit_code rows_write(struct store *store, FILE *out, enum user_format format, const enum user_state *state,
                                 uint64_t *sum)
{
    struct store_user *users = calloc(EXPORT_PART, sizeof *users);
    struct name after = { "" };
    size_t count = EXPORT_PART;
    enum exit_code code = EXIT_DONE;
    *sum = 0;
    if (users == NULL)
        return complain(EXIT_OTHER, "memory is out");
    if (format == FORMAT_CSV)
        (void)fputs("name,hash,state,created,last_login,must_change,expires,email,phone\n", out);
    while (count == EXPORT_PART && code == EXIT_DONE && !ferror(out)) {
        enum store_result result =
            store_user_export(store, state, *sum == 0 ? NULL : &after, users, EXPORT_PART, &count);
        if (result != STORE_OK) {
            code = complain_store(store, result, "the users can't be exported");
            break;
        }
        for (size_t i = 0; i < count; i++)
            row_put(out, format, &users[i]);
        *sum += count;
        after = count > 0 ? users[count - 1].name : after;
    }
    secret_wipe(users, EXPORT_PART * sizeof *users);
    free(users);
    return code;
}

/* ---- the command ---- */

/* On record before anything goes out: no hash leaves unseen. */
static enum exit_code export_record(struct store *store, const char *shown)
{
    char detail[256];
    (void)snprintf(detail, sizeof detail, "to %.200s", shown);
    enum store_result result = admin_record(store, AUDIT_USERS_EXPORTED, "", detail);
    return result == STORE_OK ? EXIT_DONE : complain_store(store, result, "the users can't be exported");
}

static enum exit_code export_run(struct admin *admin, struct store *store, enum user_format format,
                                 const enum user_state *state)
{
    const bool standard = admin->argument == NULL || strcmp(admin->argument, "-") == 0;
    uint64_t sum = 0;
    enum exit_code code = export_record(store, standard ? "standard output" : admin->argument);
    if (code != EXIT_DONE)
        return code;
    if (standard)
        return rows_write(store, stdout, format, state, &sum);
    FILE *out = new_file_make(admin->argument);
    if (out == NULL)
        return EXIT_OTHER;
    code = new_file_end(out, admin->argument, rows_write(store, out, format, state, &sum));
    if (code == EXIT_DONE && admin->json)
        json_print(json_pack("{s:I, s:s}", "exported", (json_int_t)sum, "file", admin->argument));
    else if (code == EXIT_DONE)
        (void)printf("%ju user%s exported to %s.\n", (uintmax_t)sum, sum == 1 ? " is" : "s are", admin->argument);
    return code;
}

enum exit_code user_export(struct admin *admin)
{
    enum user_state state = USER_ACTIVE;
    const char *path = admin->argument == NULL ? "-" : admin->argument;
    enum user_format format = user_format_choose(admin->format, path);
    if (format == FORMAT_NONE && admin->format == NULL && strcmp(path, "-") == 0)
        format = FORMAT_CSV;
    if (format != FORMAT_CSV && format != FORMAT_JSONL)
        return complain(EXIT_BAD_USAGE, "an export takes --format csv or jsonl%s: see kdc-admin --help",
                        admin->format == NULL ? ", or a file whose name ends so" : "");
    if (admin->state != NULL && user_state_from_word(admin->state, &state) != 0)
        return complain(EXIT_BAD_USAGE,
                        "--state takes pending, active, locked or disabled, not '%s': see kdc-admin --help",
                        admin->state);
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    if (store == NULL)
        return complain(EXIT_OTHER, "memory is out");
    const enum exit_code code = export_run(admin, store, format, admin->state == NULL ? NULL : &state);
    store_free(&store);
    return code;
}
