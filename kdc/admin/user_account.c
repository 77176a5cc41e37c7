/* What all commands about one account begin and end with. */
#include "crypto/secret.h"
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

enum exit_code account_begin(struct admin *admin, struct account *account)
{
    account->store = NULL;
    if (admin->argument != NULL && name_from_string(admin->argument, &account->name) != 0)
        return complain(EXIT_REFUSED,
                        "'%s' can't be a user's name: 1 to 32 of a-z 0-9 . _ -, the first one a letter or digit",
                        admin->argument);
    account->store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    return account->store == NULL ? complain(EXIT_OTHER, "memory is out") : EXIT_DONE;
}

enum exit_code account_end(struct account *account, enum exit_code code)
{
    store_free(&account->store);
    return code;
}

enum exit_code account_failed(struct account *account, enum store_result result, const char *what)
{
    char text[128];
    if (result == STORE_NOT_FOUND)
        return complain(EXIT_NOT_FOUND, "there is no user %s", account->name.text);
    (void)snprintf(text, sizeof text, "user %s was not %s", account->name.text, what);
    return complain_store(account->store, result, text);
}

enum exit_code account_find(struct account *account, struct store_user *user)
{
    const enum store_result result = store_user_find(account->store, &account->name, user);
    secret_wipe(user->hash, sizeof user->hash);
    return result == STORE_OK ? EXIT_DONE : account_failed(account, result, "found");
}

/* An entry in the audit log. The deed is done: that it isn't in the log is worth a word, not a failure. */
static void audit(struct account *account, const struct account_deed *deed)
{
    if (admin_record(account->store, deed->event, account->name.text, deed->detail == NULL ? "" : deed->detail) !=
        STORE_OK)
        (void)complain(EXIT_DONE, "that is done, but it isn't in the audit log: %s", store_error(account->store));
}

static void tell(const struct account *account, const struct account_deed *deed)
{
    (void)printf("User %s is %s.\n", account->name.text, deed->done);
    if (deed->note != NULL)
        (void)puts(deed->note);
    if (deed->password != NULL)
        (void)printf("The password is %s\nIt isn't shown again.\n", deed->password);
}

static void tell_json(const struct account *account, const struct account_deed *deed, json_int_t ended)
{
    json_t *json =
        json_pack("{s:s, s:s, s:I}", "user", account->name.text, "done", deed->done, "sessions_ended", ended);
    if (json != NULL && deed->more != NULL)
        (void)json_object_update(json, deed->more);
    if (json != NULL && deed->password != NULL)
        (void)json_object_set_new(json, "password", json_string(deed->password));
    json_print(json);
}

enum exit_code account_done(struct admin *admin, struct account *account, const struct account_deed *deed)
{
    json_int_t ended = 0;
    enum exit_code code;
    audit(account, deed);
    if (!admin->json)
        tell(account, deed);
    code = live_refresh(admin, account->name.text); /* before the session is ended: or it would be back at once */
    if (deed->reason != NULL) {
        const enum exit_code end_code = live_end(admin, account->name.text, deed->reason, &ended);
        code = code == EXIT_DONE ? end_code : code;
    }
    if (admin->json)
        tell_json(account, deed, ended);
    json_decref(deed->more);
    return code;
}

enum exit_code expires_take(const char *text, uint64_t *ms)
{
    *ms = 0;
    if (text == NULL || strcmp(text, "never") == 0)
        return EXIT_DONE;
    if (time_parse(text, ms) != 0 || *ms == 0)
        return complain(
            EXIT_BAD_USAGE,
            "--expires takes a date such as 2026-11-20 or 2026-11-20T09:00:00Z, or never, not '%s': see kdc-admin --help",
            text);
    return EXIT_DONE;
}
