#include "tests/unit/sim_accounts.h"

#include "tests/unit/sim_internal.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

static const char mark[] = "plain:";

static bool gone(struct sim_accounts *a)
{
    sim_meanwhile(a->sim);
    const bool failed = !a->available || a->fails_next;
    a->fails_next = false;
    return failed;
}

static struct store_user *by_id(struct sim_accounts *a, uint64_t id)
{
    return id >= 1 && id <= a->count ? &a->users[id - 1] : NULL;
}

static enum store_result find(struct accounts *accounts, const struct name *name, struct store_user *user)
{
    struct sim_accounts *a = (struct sim_accounts *)accounts;
    memset(user, 0, sizeof *user);
    if (gone(a))
        return STORE_UNAVAILABLE;
    for (size_t i = 0; i < a->count; i++) {
        if (name_equal(&a->users[i].name, name)) {
            *user = a->users[i];
            return STORE_OK;
        }
    }
    return STORE_NOT_FOUND;
}

static enum store_result enroll(struct accounts *accounts, const struct store_registration *registration,
                                enum store_registered *outcome, uint64_t *id, uint64_t *epoch)
{
    struct sim_accounts *a = (struct sim_accounts *)accounts;
    struct store_user user;
    const enum store_result found = find(accounts, &registration->name, &user);
    if (found == STORE_UNAVAILABLE)
        return STORE_UNAVAILABLE;
    *outcome = found == STORE_OK ? REGISTERED_NAME_TAKEN : REGISTERED;
    if (found == STORE_OK)
        return STORE_OK;
    if (a->count == SIM_ACCOUNTS_MAX)
        return STORE_BROKEN;
    struct store_user *added = &a->users[a->count++];
    *added = (struct store_user){ .id = a->count, .name = registration->name, .state = USER_ACTIVE, .created = a->now };
    added->epoch = a->now * 1000;
    (void)snprintf(added->hash, sizeof added->hash, "%s", registration->hash);
    *id = added->id;
    *epoch = added->epoch;
    return STORE_OK;
}

static enum store_result rehash(struct accounts *accounts, uint64_t id, const char *from, const char *to)
{
    struct sim_accounts *a = (struct sim_accounts *)accounts;
    struct store_user *user = by_id(a, id);
    if (gone(a))
        return STORE_UNAVAILABLE;
    if (user == NULL || strcmp(user->hash, from) != 0)
        return STORE_NOT_FOUND;
    (void)snprintf(user->hash, sizeof user->hash, "%s", to);
    return STORE_OK;
}

static enum store_result set_password(struct accounts *accounts, uint64_t id, const char *from, const char *to,
                                      unsigned keep)
{
    (void)keep;
    const enum store_result result = rehash(accounts, id, from, to);
    struct sim_accounts *a = (struct sim_accounts *)accounts;
    if (result == STORE_OK)
        by_id(a, id)->epoch = a->now * 1000 > by_id(a, id)->epoch ? a->now * 1000 : by_id(a, id)->epoch + 1;
    return result;
}

static enum store_result history(struct accounts *accounts, uint64_t id, char (*hashes)[PASSWORD_HASH_LEN], size_t max,
                                 size_t *count)
{
    (void)id;
    (void)hashes;
    (void)max;
    *count = 0;
    return gone((struct sim_accounts *)accounts) ? STORE_UNAVAILABLE : STORE_OK;
}

static void issue(struct sim_accounts *a, struct store_issue *issue)
{
    const uint64_t low = issue->user_a < issue->user_b ? issue->user_a : issue->user_b;
    const uint64_t high = issue->user_a < issue->user_b ? issue->user_b : issue->user_a;
    if (low == high || by_id(a, low) == NULL || by_id(a, high) == NULL)
        return;
    issue->conversation = low * SIM_ACCOUNTS_MAX + high;
    issue->epoch = ++a->epochs[low - 1][high - 1];
    a->issued++;
}

static enum store_result write_batch(struct accounts *accounts, struct store_batch *batch)
{
    struct sim_accounts *a = (struct sim_accounts *)accounts;
    if (gone(a))
        return STORE_UNAVAILABLE;
    for (size_t i = 0; i < batch->issue_count; i++)
        issue(a, &batch->issues[i]);
    for (size_t i = 0; i < batch->event_count; i++) {
        struct store_user *user = by_id(a, batch->events[i].logged_in);
        if (user != NULL)
            user->last_login = a->now;
        a->audited++;
    }
    /* It is on record, but nobody knows yet. */
    sim_meanwhile(a->sim);
    return STORE_OK;
}

static enum store_result changes(struct accounts *accounts, uint64_t *since, store_changed *changed, void *context)
{
    struct sim_accounts *a = (struct sim_accounts *)accounts;
    if (!a->available)
        return STORE_UNAVAILABLE;
    for (size_t i = 0; i < a->count; i++) {
        if (a->users[i].epoch >= *since)
            changed(context, a->users[i].id, a->users[i].epoch, a->users[i].epoch / 1000);
    }
    *since = a->now * 1000;
    return STORE_OK;
}

static const char *error(struct accounts *accounts)
{
    (void)accounts;
    return "the simulated database is away";
}

static enum password_result hash(struct accounts *accounts, const char *password, unsigned cost,
                                 char out[PASSWORD_HASH_LEN])
{
    (void)accounts;
    (void)cost;
    if (strlen(password) + sizeof mark > PASSWORD_HASH_LEN)
        return PASSWORD_FAILED;
    (void)snprintf(out, PASSWORD_HASH_LEN, "%s%s", mark, password);
    return PASSWORD_MATCH;
}

static enum password_result verify(struct accounts *accounts, const char *password, const char *stored)
{
    (void)accounts;
    if (strncmp(stored, mark, sizeof mark - 1) != 0)
        return PASSWORD_BAD_HASH;
    return strcmp(stored + sizeof mark - 1, password) == 0 ? PASSWORD_MATCH : PASSWORD_MISMATCH;
}

static void verify_nobody(struct accounts *accounts, const char *password, unsigned cost)
{
    (void)accounts;
    (void)password;
    (void)cost;
}

static bool outdated(struct accounts *accounts, const char *stored, unsigned cost)
{
    (void)accounts;
    (void)stored;
    (void)cost;
    return false;
}

static bool tend(struct accounts *accounts)
{
    return ((struct sim_accounts *)accounts)->available;
}

void sim_accounts_set_state(struct sim_accounts *accounts, size_t index, enum user_state state, uint64_t now)
{
    struct store_user *user = &accounts->users[index];
    const uint64_t epoch = now * 1000;
    user->state = state;
    user->epoch = epoch > user->epoch ? epoch : user->epoch + 1;
}

void sim_accounts_init(struct sim_accounts *accounts, struct sim *sim)
{
    *accounts = (struct sim_accounts){
        .accounts = { .find = find,
                      .enroll = enroll,
                      .rehash = rehash,
                      .password = set_password,
                      .history = history,
                      .write = write_batch,
                      .changes = changes,
                      .error = error,
                      .hash = hash,
                      .verify = verify,
                      .verify_nobody = verify_nobody,
                      .outdated = outdated,
                      .tend = tend },
        .sim = sim,
        .available = true,
    };
}
