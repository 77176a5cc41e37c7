/* kdc-admin user lock, unlock, disable, enable, rename, delete. */
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "kdc/audit_events.h"
#include "wire/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- states ---- */

static enum exit_code state_set(struct admin *admin, enum user_state state, const struct account_deed *deed)
{
    struct account account;
    enum exit_code code = account_begin(admin, &account);
    if (code != EXIT_DONE)
        return account_end(&account, code);
    const enum store_result result = store_user_set_state(account.store, &account.name, state);
    return account_end(&account, result == STORE_OK ? account_done(admin, &account, deed)
                                                    : account_failed(&account, result, deed->done));
}

enum exit_code user_lock(struct admin *admin)
{
    return state_set(
        admin, USER_LOCKED,
        &(struct account_deed){ .event = AUDIT_USER_LOCKED, .done = "locked", .reason = "account_locked" });
}

enum exit_code user_disable(struct admin *admin)
{
    return state_set(
        admin, USER_DISABLED,
        &(struct account_deed){ .event = AUDIT_USER_DISABLED, .done = "disabled", .reason = "account_disabled" });
}

/* Back to active, but not from `other`, which somebody did for another reason. */
static enum exit_code state_free(struct admin *admin, enum user_state other, const char *command,
                                 const struct account_deed *deed)
{
    struct account account;
    enum exit_code code = account_begin(admin, &account);
    if (code != EXIT_DONE)
        return account_end(&account, code);
    const enum store_result result = store_user_free(account.store, &account.name, other);
    if (result == STORE_EXISTS)
        code = complain(EXIT_REFUSED, "user %s was not %s, but stays %s: see kdc-admin user %s", account.name.text,
                        deed->done, user_state_word(other), command);
    else if (result != STORE_OK)
        code = account_failed(&account, result, deed->done);
    else
        code = account_done(admin, &account, deed);
    return account_end(&account, code);
}

enum exit_code user_unlock(struct admin *admin)
{
    return state_free(admin, USER_DISABLED, "enable",
                      &(struct account_deed){ .event = AUDIT_USER_UNLOCKED, .done = "unlocked" });
}

enum exit_code user_enable(struct admin *admin)
{
    return state_free(admin, USER_LOCKED, "unlock",
                      &(struct account_deed){ .event = AUDIT_USER_ENABLED, .done = "enabled" });
}

/* ---- rename ---- */

static enum exit_code rename_to(struct admin *admin, struct account *account, const struct name *to)
{
    char detail[64];
    char done[64];
    const enum store_result result = store_user_rename(account->store, &account->name, to);
    if (result == STORE_EXISTS)
        return complain(EXIT_EXISTS, "user %s was not renamed: there is a user %s already", account->name.text,
                        to->text);
    if (result != STORE_OK)
        return account_failed(account, result, "renamed");
    /* Whoever looks for either name in the audit log finds the other. */
    (void)snprintf(detail, sizeof detail, "from %s", account->name.text);
    if (admin_record(account->store, AUDIT_USER_RENAMED, to->text, detail) != STORE_OK)
        (void)complain(EXIT_DONE, "that is done, but it isn't in the audit log: %s", store_error(account->store));
    (void)snprintf(detail, sizeof detail, "to %s", to->text);
    (void)snprintf(done, sizeof done, "renamed to %s", to->text);
    return account_done(admin, account,
                        &(struct account_deed){ .event = AUDIT_USER_RENAMED,
                                                .detail = detail,
                                                .done = admin->json ? "renamed" : done,
                                                .reason = "account_renamed",
                                                .more = json_pack("{s:s}", "name", to->text) });
}

enum exit_code user_rename(struct admin *admin)
{
    struct account account;
    struct name to;
    enum exit_code code = account_begin(admin, &account);
    if (code == EXIT_DONE && name_from_string(admin->second, &to) != 0)
        code = complain(EXIT_REFUSED,
                        "'%s' can't be a user's name: 1 to 32 of a-z 0-9 . _ -, the first one a letter or digit",
                        admin->second);
    else if (code == EXIT_DONE && name_equal(&account.name, &to))
        code = complain(EXIT_EXISTS, "user %s has that name already", to.text);
    else if (code == EXIT_DONE)
        code = rename_to(admin, &account, &to);
    return account_end(&account, code);
}

/* ---- delete ---- */

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* Whether the person says yes. Standard output may be a file. */
static bool confirmed(const char *name, const char *what)
{
    char answer[16] = "";
    (void)fprintf(stderr, "Delete user %s, with %s? This can't be undone. [yes/no] ", name, what);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        (void)fputc('\n', stderr);
    return strcmp(answer, "yes\n") == 0;
}

static enum exit_code delete_it(struct admin *admin, struct account *account)
{
    struct store_user user;
    struct store_figures figures;
    char what[160];
    char note[256];
    enum exit_code code = account_find(account, &user);
    if (code != EXIT_DONE)
        return code;
    enum store_result result = store_user_figures(account->store, &user, &figures);
    if (result != STORE_OK)
        return account_failed(account, result, "deleted");
    (void)snprintf(what, sizeof what,
                   "the records of %" PRIu64 " conversation%s (%" PRIu64 " key%s issued) and %" PRIu64
                   " earlier password%s",
                   figures.conversations, plural(figures.conversations), figures.keys_issued,
                   plural(figures.keys_issued), figures.passwords, plural(figures.passwords));
    (void)snprintf(note, sizeof note, "With it went %s. %" PRIu64 " entr%s of the audit log stay%s.", what,
                   figures.audit, figures.audit == 1 ? "y" : "ies", figures.audit == 1 ? "s" : "");
    if ((admin->options & OPTION_YES) == 0) {
        if (!isatty(STDIN_FILENO))
            return complain(EXIT_REFUSED, "user %s was not deleted: without a terminal to ask, it takes --yes",
                            account->name.text);
        if (!confirmed(account->name.text, what))
            return complain(EXIT_REFUSED, "user %s was not deleted", account->name.text);
    }
    result = store_user_delete(account->store, &account->name);
    if (result != STORE_OK)
        return account_failed(account, result, "deleted");
    return account_done(
        admin, account,
        &(struct account_deed){ .event = AUDIT_USER_DELETED,
                                .done = "deleted",
                                .reason = "account_deleted",
                                .note = note,
                                .more = json_pack("{s:I, s:I}", "conversations", (json_int_t)figures.conversations,
                                                  "keys_issued", (json_int_t)figures.keys_issued) });
}

enum exit_code user_delete(struct admin *admin)
{
    struct account account;
    enum exit_code code = account_begin(admin, &account);
    if (code == EXIT_DONE)
        code = delete_it(admin, &account);
    return account_end(&account, code);
}
