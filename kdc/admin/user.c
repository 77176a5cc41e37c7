/* kdc-admin user add, passwd, set: accounts and their passwords. */
#include "kdc/admin/user.h"
#include "crypto/secret.h"
#include "kdc/admin/output.h"
#include "kdc/audit_events.h"
#include "kdc/clock.h"
#include "kdc/store_registration.h"
#include "wire/reason.h"

#include <stdio.h>
#include <string.h>

/* ---- a new password ---- */

struct new_password {
    char *text; /* secret memory */
    bool generated;
    char hash[PASSWORD_HASH_LEN];
};

static void password_end(struct new_password *password)
{
    secret_free(&password->text);
    secret_wipe(password->hash, sizeof password->hash);
}

/* Shown once, when it is the account's. */
static const char *password_shown(const struct new_password *password)
{
    return password->generated ? password->text : NULL;
}

static enum exit_code password_take(struct admin *admin, const struct account *account, struct new_password *password)
{
    *password = (struct new_password){ .text = NULL };
    if (admin->password_file != NULL && (admin->options & OPTION_GENERATE) != 0)
        return complain(EXIT_BAD_USAGE, "either --generate or --password-file, not both: see kdc-admin --help");
    return password_ask(admin, &account->name, &password->text, &password->generated);
}

static enum exit_code password_make_hash(struct admin *admin, struct new_password *password)
{
    if (password_hash(password->text, admin->config.bcrypt_cost, &rng_system, password->hash) == PASSWORD_MATCH)
        return EXIT_DONE;
    return complain(EXIT_OTHER, "the password can't be hashed: memory or randomness is out");
}

/* Whether it is the present one or one of those that policy has kept. EXIT_DONE: no; or it has complained. */
static enum exit_code history_judge(struct admin *admin, struct account *account, const struct store_user *user,
                                    const struct new_password *password)
{
    char hashes[PASSWORD_HISTORY_MAX + 1][PASSWORD_HASH_LEN];
    size_t count = 0;
    bool used = false;
    if (admin->config.password_history == 0 || password->generated || (admin->options & OPTION_FORCE) != 0)
        return EXIT_DONE;
    const enum store_result result =
        store_user_history(account->store, user->id, hashes, admin->config.password_history, &count);
    memcpy(hashes[count++], user->hash, sizeof user->hash);
    for (size_t i = 0; i < count && result == STORE_OK && !used; i++)
        used = password_verify(password->text, hashes[i]) == PASSWORD_MATCH;
    secret_wipe(hashes, sizeof hashes);
    if (result != STORE_OK)
        return account_failed(account, result, "given another password");
    return used ? complain(EXIT_REFUSED, "the password for %s was not taken. %s", account->name.text,
                           reason_text(REASON_PASSWORD_REUSED))
                : EXIT_DONE;
}

/* ---- add ---- */

static enum exit_code taken(const struct account *account)
{
    return complain(EXIT_EXISTS,
                    "there is a user %s already: choose another name, or change the password with: "
                    "kdc-admin user passwd %s",
                    account->name.text, account->name.text);
}

static enum exit_code contact_taken(const struct account *account, bool email, const char *what)
{
    return complain(EXIT_EXISTS,
                    "user %s was not %s: another account has that %s, and registration.contact_unique is on",
                    account->name.text, what, email ? "e-mail address" : "telephone number");
}

/* Those that options give; "none" and no option: none. EXIT_DONE, or it has complained. */
static enum exit_code contacts_take(const struct admin *admin, struct email *email, struct phone *phone)
{
    const char *e = admin->email == NULL || strcmp(admin->email, "none") == 0 ? "" : admin->email;
    const char *p = admin->phone == NULL || strcmp(admin->phone, "none") == 0 ? "" : admin->phone;
    if (e[0] != '\0' && email_parse((struct bytes){ (const uint8_t *)e, strlen(e) }, email) != 0)
        return complain(EXIT_REFUSED, "'%s' can't be an e-mail address: give one such as alice@example.org, or none",
                        e);
    if (p[0] != '\0' && phone_parse((struct bytes){ (const uint8_t *)p, strlen(p) }, phone) != 0)
        return complain(EXIT_REFUSED, "'%s' can't be a telephone number: give + and 6 to 15 digits, or none", p);
    return EXIT_DONE;
}

static enum exit_code add(struct admin *admin, struct account *account, struct new_password *password)
{
    struct store_user user = { .name = account->name, .must_change = (admin->options & OPTION_MUST_CHANGE) != 0 };
    enum exit_code code = expires_take(admin->expires, &user.expires);
    if (code == EXIT_DONE && user.expires != 0 && user.expires <= clock_wall_ms())
        code = complain(EXIT_REFUSED, "user %s was not added: --expires %s is over already", account->name.text,
                        admin->expires);
    if (code != EXIT_DONE)
        return code;
    code = contacts_take(admin, &user.email, &user.phone);
    if (code != EXIT_DONE)
        return code;
    /* Before anybody types a password in vain. */
    struct store_user there;
    enum store_result result = store_user_find(account->store, &account->name, &there);
    secret_wipe(&there, sizeof there);
    if (result == STORE_OK)
        return taken(account);
    if (result != STORE_NOT_FOUND)
        return account_failed(account, result, "added");
    code = password_take(admin, account, password);
    if (code == EXIT_DONE)
        code = password_make_hash(admin, password);
    if (code != EXIT_DONE)
        return code;
    memcpy(user.hash, password->hash, sizeof user.hash);
    enum store_taken what = STORE_TAKEN_NAME;
    result = store_user_make(account->store, &user, admin->config.contact_unique, &what);
    secret_wipe(user.hash, sizeof user.hash);
    if (result == STORE_EXISTS)
        return what == STORE_TAKEN_NAME ? taken(account) : contact_taken(account, what == STORE_TAKEN_EMAIL, "added");
    if (result != STORE_OK)
        return account_failed(account, result, "added");
    return account_done(
        admin, account,
        &(struct account_deed){ .event = AUDIT_USER_ADDED, .done = "added", .password = password_shown(password) });
}

enum exit_code user_add(struct admin *admin)
{
    struct account account;
    struct new_password password = { .text = NULL };
    enum exit_code code = account_begin(admin, &account);
    if (code == EXIT_DONE)
        code = add(admin, &account, &password);
    password_end(&password);
    return account_end(&account, code);
}

/* ---- passwd ---- */

static enum exit_code change(struct admin *admin, struct account *account, struct store_user *user,
                             struct new_password *password)
{
    const bool must_change = (admin->options & OPTION_MUST_CHANGE) != 0;
    enum store_result result = store_user_find(account->store, &account->name, user);
    if (result != STORE_OK)
        return account_failed(account, result, "given another password");
    enum exit_code code = password_take(admin, account, password);
    if (code == EXIT_DONE)
        code = history_judge(admin, account, user, password);
    if (code == EXIT_DONE)
        code = password_make_hash(admin, password);
    if (code != EXIT_DONE)
        return code;
    result = store_user_set_hash(account->store, user->id, password->hash, must_change, admin->config.password_history);
    if (result != STORE_OK)
        return account_failed(account, result, "given another password");
    return account_done(admin, account,
                        &(struct account_deed){ .event = AUDIT_USER_PASSWORD,
                                                .detail = must_change ? "to be changed at the next login" : NULL,
                                                .done = "given another password",
                                                .reason = must_change ? "must_change" : "new_password",
                                                .password = password_shown(password) });
}

enum exit_code user_passwd(struct admin *admin)
{
    struct account account;
    struct store_user user = { .id = 0 };
    struct new_password password = { .text = NULL };
    enum exit_code code = account_begin(admin, &account);
    if (code == EXIT_DONE)
        code = change(admin, &account, &user, &password);
    password_end(&password);
    secret_wipe(user.hash, sizeof user.hash);
    return account_end(&account, code);
}

/* ---- set ---- */

/* The new end takes effect on a session, too: at once if it is over. */
static enum exit_code set_expiry(struct admin *admin, struct account *account)
{
    char text[TIME_TEXT_LEN];
    char done[64];
    uint64_t expires = 0;
    enum exit_code code = expires_take(admin->expires, &expires);
    if (code != EXIT_DONE)
        return code;
    const enum store_result result = store_user_set_expiry(account->store, &account->name, expires);
    if (result != STORE_OK)
        return account_failed(account, result, "changed");
    time_text_short(expires, text);
    (void)snprintf(done, sizeof done, expires == 0 ? "made to expire never" : "made to expire at %s", text);
    const bool over = expires != 0 && expires <= clock_wall_ms();
    code = account_done(admin, account,
                        &(struct account_deed){ .event = AUDIT_USER_CHANGED,
                                                .detail = done,
                                                .done = done,
                                                .reason = over ? "account_expired" : NULL,
                                                .more = json_pack("{s:o}", "expires", time_json(expires)) });
    const enum exit_code told = over ? EXIT_DONE : live_expires(admin, account->name.text, expires);
    return code == EXIT_DONE ? told : code;
}

static enum exit_code set_must_change(struct admin *admin, struct account *account)
{
    const enum store_result result = store_user_set_must_change(account->store, &account->name);
    if (result != STORE_OK)
        return account_failed(account, result, "changed");
    return account_done(admin, account,
                        &(struct account_deed){ .event = AUDIT_USER_CHANGED,
                                                .detail = "must change the password at the next login",
                                                .done = "asked to change the password at the next login",
                                                .reason = "must_change" });
}

/* A session doesn't notice. */
static enum exit_code set_contact(struct admin *admin, struct account *account)
{
    struct email email = { "" };
    struct phone phone = { "" };
    const bool is_email = admin->email != NULL;
    char done[300];
    enum exit_code code = contacts_take(admin, &email, &phone);
    if (code != EXIT_DONE)
        return code;
    const bool unique = admin->config.contact_unique;
    const enum store_result result = is_email ? store_user_set_email(account->store, &account->name, &email, unique)
                                              : store_user_set_phone(account->store, &account->name, &phone, unique);
    if (result == STORE_EXISTS)
        return contact_taken(account, is_email, "changed");
    if (result != STORE_OK)
        return account_failed(account, result, "changed");
    const char *contact = is_email ? email.text : phone.text;
    (void)snprintf(done, sizeof done, "%s %s %s", contact[0] == '\0' ? "left without" : "reached by",
                   is_email ? "e-mail" : "telephone", contact[0] == '\0' ? "now" : contact);
    return account_done(
        admin, account,
        &(struct account_deed){ .event = AUDIT_USER_CHANGED,
                                .detail = is_email ? "another e-mail address" : "another telephone number",
                                .done = done });
}

enum exit_code user_set(struct admin *admin)
{
    struct account account;
    enum exit_code (*set)(struct admin *, struct account *) =
        admin->options == OPTION_EXPIRES                                   ? set_expiry
        : admin->options == OPTION_MUST_CHANGE                             ? set_must_change
        : admin->options == OPTION_EMAIL || admin->options == OPTION_PHONE ? set_contact
                                                                           : NULL;
    if (set == NULL)
        return complain(EXIT_BAD_USAGE,
                        "user set takes one of --expires, --must-change, --email and --phone: see kdc-admin --help");
    enum exit_code code = account_begin(admin, &account);
    if (code == EXIT_DONE)
        code = set(admin, &account);
    return account_end(&account, code);
}
