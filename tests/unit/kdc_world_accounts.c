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

static enum store_result add(struct accounts *accounts, const struct name *name, const char *hash, uint64_t *id)
{
    struct world *w = world_of(accounts);
    for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
        if (!w->table[i].used) {
            w->table[i].used = true;
            w->table[i].user =
                (struct store_user){ .id = i + 1, .name = *name, .state = USER_ACTIVE, .epoch = 1000 + i };
            (void)snprintf(w->table[i].user.hash, PASSWORD_HASH_LEN, "%s", hash);
            *id = i + 1;
            return STORE_OK;
        }
    }
    return STORE_BROKEN;
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

static void take_event(struct world *w, const struct store_event *event)
{
    assert_null(strstr(event->detail, WORLD_PASSWORD));
    w->recorded++;
    (void)snprintf(w->last_recorded, sizeof w->last_recorded, "%s %s %s", event->event, event->user, event->detail);
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
                                     .add = add,
                                     .rehash = rehash,
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
    assert_int_equal(add(&w->accounts, &parsed, WORLD_PASSWORD, &id), STORE_OK);
    w->table[id - 1].user.state = state;
}
