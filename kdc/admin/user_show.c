/* kdc-admin user show: an account, and what there is about it in the database and in a running kdcd. */
#include "crypto/secret.h"
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "kdc/store_registration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *user_json(const struct store_user *user)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:o, s:b, s:o}", "id", (json_int_t)user->id, "name", user->name.text,
                     "state", user_state_word(user->state), "created", time_json(user->created), "last_login",
                     time_json(user->last_login), "must_change", user->must_change, "expires",
                     time_json(user->expires));
}

struct showing {
    struct store_user user;
    char password[64]; /* what it is, without what could be guessed from */
    struct store_figures figures;
    struct email email;
    struct phone phone;
    bool running;    /* kdcd */
    json_t *session; /* as kdcd tells it; NULL: none */
};

/* "bcrypt, cost 12". */
static void hash_describe(const char *hash, char out[64])
{
    static const size_t prefix_len = sizeof "$2b$" - 1;
    if (password_hash_valid(hash))
        (void)snprintf(out, 64, "bcrypt, cost %lu", strtoul(hash + prefix_len, NULL, 10));
    else
        (void)snprintf(out, 64, "not a bcrypt hash: nobody can log in with it");
}

static enum exit_code gather(struct admin *admin, struct account *account, struct showing *s)
{
    enum store_result result = store_user_find(account->store, &account->name, &s->user);
    if (result != STORE_OK)
        return account_failed(account, result, "found");
    hash_describe(s->user.hash, s->password);
    secret_wipe(s->user.hash, sizeof s->user.hash);
    result = store_user_figures(account->store, &s->user, &s->figures);
    if (result != STORE_OK)
        return account_failed(account, result, "found");
    result = store_user_contacts(account->store, &account->name, &s->email, &s->phone);
    if (result != STORE_OK && result != STORE_NOT_FOUND) /* another application's: nobody knows here */
        return account_failed(account, result, "found");
    const enum exit_code code = live_session(admin, account->name.text, &s->session);
    s->running = code == EXIT_DONE;
    return code == EXIT_NOT_RUNNING ? EXIT_DONE : code;
}

static uint64_t since_of(const json_t *session)
{
    return (uint64_t)json_integer_value(json_object_get(session, "since"));
}

static void show_json(const struct showing *s)
{
    json_t *json = user_json(&s->user);
    json_t *sessions = s->running ? json_array() : json_null();
    if (s->session != NULL) {
        json_t *session = json_copy(s->session);
        (void)json_object_set_new(session, "since", time_json(since_of(s->session)));
        (void)json_array_append_new(sessions, session);
    }
    (void)json_object_set_new(json, "email", s->email.text[0] == '\0' ? json_null() : json_string(s->email.text));
    (void)json_object_set_new(json, "phone", s->phone.text[0] == '\0' ? json_null() : json_string(s->phone.text));
    (void)json_object_set_new(json, "password", json_string(s->password));
    (void)json_object_set_new(json, "failures", json_integer((json_int_t)s->figures.failures));
    (void)json_object_set_new(json, "sessions", sessions);
    (void)json_object_set_new(json, "conversations", json_integer((json_int_t)s->figures.conversations));
    (void)json_object_set_new(json, "keys_issued", json_integer((json_int_t)s->figures.keys_issued));
    json_print(json);
}

static void row(struct table *table, const char *title, const char *text)
{
    table_add(table, title);
    table_add(table, text);
}

static void row_number(struct table *table, const char *title, uint64_t number)
{
    table_add(table, title);
    table_add_number(table, number);
}

static void row_time(struct table *table, const char *title, uint64_t ms)
{
    char text[TIME_TEXT_LEN];
    time_text_short(ms, text);
    row(table, title, text);
}

static void row_session(struct table *table, const struct showing *s)
{
    char since[TIME_TEXT_LEN];
    char text[160];
    if (s->session == NULL) {
        row(table, "session", s->running ? "none" : "not known: kdcd isn't running");
        return;
    }
    const char *source = json_string_value(json_object_get(s->session, "source"));
    time_text_short(since_of(s->session), since);
    (void)snprintf(text, sizeof text, "since %s from %.64s", since, source == NULL ? "?" : source);
    row(table, "session", text);
}

static void show(const struct showing *s)
{
    struct table table = { .columns = 2 };
    char password[128];
    (void)snprintf(password, sizeof password, "%s%s", s->password,
                   s->user.must_change ? "; must be changed at the next login" : "");
    row(&table, "name", s->user.name.text);
    row(&table, "state", user_state_word(s->user.state));
    row_time(&table, "created", s->user.created);
    row_time(&table, "expires", s->user.expires);
    row_time(&table, "last login", s->user.last_login);
    row_number(&table, "failures since", s->figures.failures);
    row_session(&table, s);
    row_number(&table, "conversations", s->figures.conversations);
    row_number(&table, "keys issued", s->figures.keys_issued);
    row(&table, "e-mail", s->email.text[0] == '\0' ? "none" : s->email.text);
    row(&table, "telephone", s->phone.text[0] == '\0' ? "none" : s->phone.text);
    row(&table, "password", password);
    row_number(&table, "id", s->user.id);
    table_print(&table);
}

enum exit_code user_show(struct admin *admin)
{
    struct account account;
    struct showing s = { .session = NULL };
    enum exit_code code = account_begin(admin, &account);
    if (code == EXIT_DONE)
        code = gather(admin, &account, &s);
    if (code == EXIT_DONE && admin->json)
        show_json(&s);
    else if (code == EXIT_DONE)
        show(&s);
    json_decref(s.session);
    return account_end(&account, code);
}
