/* kdc-admin user ...: accounts. */
#include "kdc/admin/user.h"
#include "crypto/secret.h"
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name that was given, and a store. Ended by end(). EXIT_DONE, or it has complained. */
struct account {
    struct name name;
    struct store *store;
};

static enum exit_code begin(struct admin *admin, struct account *account)
{
    account->store = NULL;
    if (admin->argument != NULL && name_from_string(admin->argument, &account->name) != 0)
        return complain(EXIT_REFUSED,
                        "'%s' can't be a user's name: 1 to 32 of a-z 0-9 . _ -, the first one a letter or digit",
                        admin->argument);
    account->store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    return account->store == NULL ? complain(EXIT_OTHER, "memory is out") : EXIT_DONE;
}

static enum exit_code end(struct account *account, enum exit_code code)
{
    store_free(&account->store);
    return code;
}

static enum exit_code store_failed(struct account *account, enum store_result result, const char *what)
{
    char text[128];
    if (result == STORE_NOT_FOUND)
        return complain(EXIT_NOT_FOUND, "there is no user %s", account->name.text);
    (void)snprintf(text, sizeof text, "user %s was not %s", account->name.text, what);
    return complain_store(account->store, result, text);
}

/* An entry in the audit log. The deed is done: that it isn't in the log is worth a word, not a failure. */
static void audit(struct account *account, const char *event)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "by operating system user %u", (unsigned)getuid());
    if (store_audit(account->store, event, account->name.text, "kdc-admin", detail) != STORE_OK)
        (void)complain(EXIT_DONE, "that is done, but it isn't in the audit log: %s", store_error(account->store));
}

/* What was done; kdcd is told, and the session ended, too, when there is a reason. */
static enum exit_code done(struct admin *admin, struct account *account, const char *event, const char *reason)
{
    json_int_t ended = 0;
    enum exit_code code;
    audit(account, event);
    if (!admin->json)
        (void)printf("User %s is %s.\n", account->name.text, strchr(event, ' ') + 1);
    code = live_refresh(admin, account->name.text); /* before the session is ended: or it would be back at once */
    if (reason != NULL) {
        const enum exit_code end_code = live_end(admin, account->name.text, reason, &ended);
        code = code == EXIT_DONE ? end_code : code;
    }
    if (admin->json)
        json_print(json_pack("{s:s, s:s, s:I}", "user", account->name.text, "done", strchr(event, ' ') + 1,
                             "sessions_ended", ended));
    return code;
}

/* A new password's hash. EXIT_DONE, or it has complained. */
static enum exit_code hash_ask(struct admin *admin, struct account *account, char hash[PASSWORD_HASH_LEN])
{
    char *password = NULL; /* secret */
    enum exit_code code = password_ask(admin, account->name.text, &password);
    if (code == EXIT_DONE && password_hash(password, admin->config.bcrypt_cost, &rng_system, hash) != PASSWORD_MATCH)
        code = complain(EXIT_OTHER, "the password can't be hashed: memory or randomness is out");
    secret_free(&password);
    return code;
}

enum exit_code user_add(struct admin *admin)
{
    struct account account;
    struct store_user user;
    char hash[PASSWORD_HASH_LEN];
    uint64_t id = 0;
    enum exit_code code = begin(admin, &account);
    if (code != EXIT_DONE)
        return code;
    /* Before anybody types a password in vain. */
    enum store_result result = store_user_find(account.store, &account.name, &user);
    secret_wipe(&user, sizeof user);
    if (result == STORE_NOT_FOUND) {
        code = hash_ask(admin, &account, hash);
        if (code != EXIT_DONE)
            return end(&account, code);
        result = store_user_add(account.store, &account.name, hash, USER_ACTIVE, &id);
        secret_wipe(hash, sizeof hash);
        if (result == STORE_OK)
            return end(&account, done(admin, &account, "user added", NULL));
    } else if (result == STORE_OK) {
        result = STORE_EXISTS;
    }
    if (result == STORE_EXISTS)
        return end(&account, complain(EXIT_EXISTS,
                                      "there is a user %s already: choose another name, or change the password with: "
                                      "kdc-admin user passwd %s",
                                      account.name.text, account.name.text));
    return end(&account, store_failed(&account, result, "added"));
}

json_t *user_json(const struct store_user *user)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)user->id, "name", user->name.text, "state",
                     user_state_word(user->state), "created", time_json(user->created), "last_login",
                     time_json(user->last_login));
}

/* What a hash is, without what could be guessed from: "bcrypt, cost 12". */
static void hash_describe(const char *hash, char out[64])
{
    static const size_t prefix_len = sizeof "$2b$" - 1;
    if (password_hash_valid(hash))
        (void)snprintf(out, 64, "bcrypt, cost %lu", strtoul(hash + prefix_len, NULL, 10));
    else
        (void)snprintf(out, 64, "not a bcrypt hash: nobody can log in with it");
}

enum exit_code user_show(struct admin *admin)
{
    struct account account;
    struct store_user user;
    char hash[64];
    char time[TIME_TEXT_LEN];
    enum exit_code code = begin(admin, &account);
    if (code != EXIT_DONE)
        return code;
    enum store_result result = store_user_find(account.store, &account.name, &user);
    if (result != STORE_OK)
        return end(&account, store_failed(&account, result, "found"));
    hash_describe(user.hash, hash);
    secret_wipe(user.hash, sizeof user.hash);
    if (admin->json) {
        json_t *json = user_json(&user);
        (void)json_object_set_new(json, "password", json_string(hash));
        json_print(json);
        return end(&account, EXIT_DONE);
    }
    struct table table = { .columns = 2 };
    table_add(&table, "name");
    table_add(&table, user.name.text);
    table_add(&table, "state");
    table_add(&table, user_state_word(user.state));
    table_add(&table, "created");
    time_text_short(user.created, time);
    table_add(&table, time);
    table_add(&table, "last login");
    time_text_short(user.last_login, time);
    table_add(&table, time);
    table_add(&table, "password");
    table_add(&table, hash);
    table_add(&table, "id");
    table_add_number(&table, user.id);
    table_print(&table);
    return end(&account, EXIT_DONE);
}

enum exit_code user_passwd(struct admin *admin)
{
    struct account account;
    struct store_user user;
    char hash[PASSWORD_HASH_LEN];
    enum exit_code code = begin(admin, &account);
    if (code != EXIT_DONE)
        return code;
    enum store_result result = store_user_find(account.store, &account.name, &user);
    secret_wipe(user.hash, sizeof user.hash);
    if (result == STORE_OK) {
        code = hash_ask(admin, &account, hash);
        if (code != EXIT_DONE)
            return end(&account, code);
        result = store_user_set_hash(account.store, user.id, hash);
        secret_wipe(hash, sizeof hash);
    }
    if (result != STORE_OK)
        return end(&account, store_failed(&account, result, "given another password"));
    return end(&account, done(admin, &account, "user given another password", "login_failed"));
}

static enum exit_code state_set(struct admin *admin, enum user_state state, const char *event, const char *reason)
{
    struct account account;
    enum exit_code code = begin(admin, &account);
    if (code != EXIT_DONE)
        return code;
    enum store_result result = store_user_set_state(account.store, &account.name, state);
    if (result != STORE_OK)
        return end(&account, store_failed(&account, result, strchr(event, ' ') + 1));
    return end(&account, done(admin, &account, event, reason));
}

enum exit_code user_lock(struct admin *admin)
{
    return state_set(admin, USER_LOCKED, "user locked", "account_locked");
}

enum exit_code user_unlock(struct admin *admin)
{
    return state_set(admin, USER_ACTIVE, "user unlocked", NULL);
}

/* Whether the person says yes. */
static bool confirmed(const char *name)
{
    char answer[16] = "";
    (void)printf("Delete user %s, with the records of their conversations? This can't be undone. [yes/no] ", name);
    (void)fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        (void)putchar('\n');
    return strcmp(answer, "yes\n") == 0;
}

enum exit_code user_delete(struct admin *admin)
{
    struct account account;
    struct store_user user;
    enum exit_code code = begin(admin, &account);
    if (code != EXIT_DONE)
        return code;
    enum store_result result = store_user_find(account.store, &account.name, &user);
    secret_wipe(&user, sizeof user);
    if (result == STORE_OK && (admin->options & OPTION_YES) == 0) {
        if (!isatty(STDIN_FILENO))
            return end(&account,
                       complain(EXIT_REFUSED, "user %s was not deleted: without a terminal to ask, it takes --yes",
                                account.name.text));
        if (!confirmed(account.name.text))
            return end(&account, complain(EXIT_REFUSED, "user %s was not deleted", account.name.text));
    }
    if (result == STORE_OK)
        result = store_user_delete(account.store, &account.name);
    if (result != STORE_OK)
        return end(&account, store_failed(&account, result, "deleted"));
    return end(&account, done(admin, &account, "user deleted", "login_failed"));
}
