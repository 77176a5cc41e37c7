#include "tests/unit/cmocka_all.h"
#include "tests/unit/kdc_world.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

static struct world *world_of(struct accounts *accounts)
{
    return (struct world *)((char *)accounts - offsetof(struct world, accounts));
}

static struct account *account_of(struct world *w, const struct name *name)
{
    for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
        if (w->table[i].used && name_equal(&w->table[i].user.name, name)) {
            return &w->table[i];
        }
    }
    return NULL;
}

static enum store_result find(struct accounts *accounts, const struct name *name, struct store_user *user)
{
    struct world *w = world_of(accounts);
    const struct account *account = account_of(w, name);
    if (w->database_gone) {
        return STORE_UNAVAILABLE;
    }
    if (account == NULL) {
        return STORE_NOT_FOUND;
    }
    *user = account->user;
    return STORE_OK;
}

/* A free place; NULL: there is none. */
static struct account *account_new(struct world *w, const struct name *name, const char *hash, uint64_t *id)
{
    for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
        if (!w->table[i].used) {
            w->table[i] = (struct account){ .used = true };
            w->table[i].user =
                (struct store_user){ .id = i + 1, .name = *name, .state = USER_ACTIVE, .epoch = 1000 + i };
            (void)snprintf(w->table[i].user.hash, PASSWORD_HASH_LEN, "%s", hash);
            *id = i + 1;
            return &w->table[i];
        }
    }
    return NULL;
}

static bool email_is_used(const struct world *w, const struct email *email)
{
    for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
        if (w->table[i].used && email->text[0] != '\0' && strcmp(w->table[i].email.text, email->text) == 0) {
            return true;
        }
    }
    return false;
}

static enum store_result enroll(struct accounts *accounts, const struct store_registration *registration,
                                enum store_registered *outcome, uint64_t *id, uint64_t *epoch)
{
    struct world *w = world_of(accounts);
    if (w->database_gone) {
        return STORE_UNAVAILABLE;
    }
    *outcome = account_of(w, &registration->name) != NULL ? REGISTERED_NAME_TAKEN : REGISTERED;
    if (registration->invitation[0] != '\0' && strcmp(registration->invitation, w->invitation) != 0) {
        *outcome = REGISTERED_NO_INVITATION;
    }
    if (registration->unique && email_is_used(w, &registration->email)) {
        *outcome = REGISTERED_EMAIL_TAKEN;
    }
    struct account *account =
        *outcome == REGISTERED ? account_new(w, &registration->name, registration->hash, id) : NULL;
    if (account != NULL) {
        account->user.state = registration->pending ? USER_PENDING : USER_ACTIVE;
        account->email = registration->email;
        *epoch = account->user.epoch;
        w->invitation[0] = '\0';
    }
    return STORE_OK;
}

/* One code of an account at a time, whatever for. */
static enum store_result code_new(struct accounts *accounts, const struct store_code *code,
                                  enum store_code_outcome *outcome, struct email *email, uint32_t *retry_after)
{
    struct world *w = world_of(accounts);
    struct account *account = &w->table[code->user - 1];
    if (w->database_gone) {
        return STORE_UNAVAILABLE;
    }
    *outcome = w->code_outcome;
    *retry_after = w->code_outcome == CODE_OUTCOME_MANY ? 600 : 0;
    if (*outcome == CODE_OUTCOME_OK) {
        *email = account->email;
        account->tries_left = code->tries;
        memcpy(account->digest, code->digest, sizeof account->digest);
    }
    return STORE_OK;
}

static enum store_result code_use(struct accounts *accounts, uint64_t user, enum code_purpose purpose,
                                  const char *digest, enum store_code_outcome *outcome, uint64_t *epoch)
{
    struct world *w = world_of(accounts);
    struct account *account = &w->table[user - 1];
    if (w->database_gone) {
        return STORE_UNAVAILABLE;
    }
    *outcome = account->tries_left == 0               ? CODE_OUTCOME_EXPIRED
               : strcmp(account->digest, digest) != 0 ? CODE_OUTCOME_WRONG
                                                      : CODE_OUTCOME_OK;
    if (*outcome == CODE_OUTCOME_WRONG) {
        account->tries_left--;
    }
    if (*outcome == CODE_OUTCOME_OK) {
        account->tries_left = 0;
        account->user.state = purpose == CODE_ACTIVATE ? USER_ACTIVE : USER_DISABLED;
        *epoch = account->user.epoch += 100;
    }
    return STORE_OK;
}

static enum store_result rehash(struct accounts *accounts, uint64_t id, const char *from, const char *to)
{
    char *hash = world_of(accounts)->table[id - 1].user.hash;
    if (strcmp(hash, from) != 0) {
        return STORE_NOT_FOUND;
    }
    (void)snprintf(hash, PASSWORD_HASH_LEN, "%s", to);
    return STORE_OK;
}

static enum store_result source_known(struct accounts *accounts, uint64_t id, const struct admission_source *source,
                                      bool *known)
{
    struct world *w = world_of(accounts);
    w->known_asked++;
    *known = false;
    for (size_t i = 0; i < w->known_count && i < WORLD_SOURCES; i++) {
        *known = *known || (w->known[i].user == id && admission_source_equal(&w->known[i].source, source));
    }
    return w->database_gone ? STORE_UNAVAILABLE : STORE_OK;
}

static enum store_result set_password(struct accounts *accounts, uint64_t id, const char *from, const char *to,
                                      unsigned keep)
{
    struct world *w = world_of(accounts);
    struct account *account = &w->table[id - 1];
    if (w->database_gone) {
        return STORE_UNAVAILABLE;
    }
    if (strcmp(account->user.hash, from) != 0 || account->user.state != USER_ACTIVE || account->foreign) {
        return STORE_NOT_FOUND;
    }
    memmove(account->history + 1, account->history, sizeof account->history - sizeof account->history[0]);
    (void)snprintf(account->history[0], PASSWORD_HASH_LEN, "%s", from);
    account->kept = account->kept < keep ? account->kept + 1 : keep;
    (void)snprintf(account->user.hash, PASSWORD_HASH_LEN, "%s", to);
    account->user.must_change = false;
    account->user.epoch += 1000;
    return STORE_OK;
}

static enum store_result history(struct accounts *accounts, uint64_t id, char (*hashes)[PASSWORD_HASH_LEN], size_t max,
                                 size_t *count)
{
    struct world *w = world_of(accounts);
    *count = 0;
    for (size_t i = 0; i < w->table[id - 1].kept && i < max; i++) {
        memcpy(hashes[(*count)++], w->table[id - 1].history[i], PASSWORD_HASH_LEN);
    }
    return w->database_gone ? STORE_UNAVAILABLE : STORE_OK;
}

static void take_event(struct world *w, const struct store_event *event)
{
    assert_null(strstr(event->detail, WORLD_PASSWORD));
    w->recorded++;
    (void)snprintf(w->last_recorded, sizeof w->last_recorded, "%s %s %s", event->event, event->user, event->detail);
    (void)snprintf(w->last_outcome, sizeof w->last_outcome, "%s", event->outcome != NULL ? event->outcome : "ok");
    if (event->logged_in != 0 && event->from.family != 0) {
        w->known[w->known_count % WORLD_SOURCES].user = event->logged_in;
        w->known[w->known_count++ % WORLD_SOURCES].source = event->from;
    }
    if (event->logged_in != 0) {
        w->table[event->logged_in - 1].user.last_login = w->time;
    }
}

static enum store_result write_batch(struct accounts *accounts, struct store_batch *batch)
{
    struct world *w = world_of(accounts);
    if (w->database_gone) {
        return STORE_UNAVAILABLE;
    }
    for (size_t i = 0; i < batch->issue_count; i++) {
        struct store_issue *issue = &batch->issues[i];
        const uint64_t a = issue->user_a;
        const uint64_t b = issue->user_b;
        const bool there = w->table[a - 1].used && w->table[b - 1].used;
        issue->conversation = !there ? 0 : a < b ? a * 100 + b : b * 100 + a;
        issue->epoch = ++w->epochs;
    }
    for (size_t i = 0; i < batch->event_count; i++) {
        take_event(w, &batch->events[i]);
    }
    return STORE_OK;
}

static const char *error_text(struct accounts *accounts)
{
    (void)accounts;
    return "gone";
}

static enum password_result hash_password(struct accounts *accounts, const char *password, unsigned cost,
                                          char hash[PASSWORD_HASH_LEN])
{
    (void)accounts;
    (void)cost;
    (void)snprintf(hash, PASSWORD_HASH_LEN, "%s", password);
    return PASSWORD_MATCH;
}

static enum password_result verify(struct accounts *accounts, const char *password, const char *hash)
{
    (void)accounts;
    return strcmp(password, hash) == 0 ? PASSWORD_MATCH : PASSWORD_MISMATCH;
}

static void verify_nobody(struct accounts *accounts, const char *password, unsigned cost)
{
    (void)password;
    world_of(accounts)->nobody_verified++;
    world_of(accounts)->nobody_work += UINT64_C(1) << cost;
}

static bool outdated(struct accounts *accounts, const char *hash, unsigned cost)
{
    (void)accounts;
    (void)hash;
    (void)cost;
    return false;
}

void world_fill_accounts(struct world *w)
{
    w->accounts = (struct accounts){ .find = find,
                                     .enroll = enroll,
                                     .code_new = code_new,
                                     .code_use = code_use,
                                     .rehash = rehash,
                                     .password = set_password,
                                     .history = history,
                                     .source_known = source_known,
                                     .write = write_batch,
                                     .error = error_text,
                                     .hash = hash_password,
                                     .verify = verify,
                                     .verify_nobody = verify_nobody,
                                     .outdated = outdated };
}

void world_add_account(struct world *w, const char *name, enum user_state state)
{
    struct name parsed;
    uint64_t id;
    assert_int_equal(name_from_string(name, &parsed), 0);
    assert_non_null(account_new(w, &parsed, WORLD_PASSWORD, &id));
    w->table[id - 1].user.state = state;
}
