#include "crypto/secret.h"
#include "kdc/store_internal.h"

#include <stdio.h>
#include <string.h>

#define STATE_LEN_MAX 16

static const char *const state_words[] = {
    [USER_PENDING] = "pending", [USER_ACTIVE] = "active", [USER_LOCKED] = "locked", [USER_DISABLED] = "disabled"
};
#define STATE_COUNT (sizeof state_words / sizeof state_words[0])

const char *user_state_word(enum user_state state)
{
    return state_words[state];
}

int user_state_from_word(const char *word, enum user_state *state)
{
    for (size_t i = 0; i < STATE_COUNT; i++) {
        if (strcmp(word, state_words[i]) == 0) {
            *state = (enum user_state)i;
            return 0;
        }
    }
    return -1;
}

/* A row of kdc_user_find, admin_user_list or admin_user_export, and where the users go. */
struct reading {
    struct store_user user;
    char state[STATE_LEN_MAX];
    uint64_t must_change;
    bool bad_state;
    struct store_user *users;
    size_t max;
    size_t count;
};

static void user_read(void *context)
{
    struct reading *reading = context;
    if (user_state_from_word(reading->state, &reading->user.state) != 0) {
        reading->bad_state = true;
        return;
    }
    reading->user.must_change = reading->must_change != 0;
    if (reading->count < reading->max)
        reading->users[reading->count++] = reading->user;
}

static enum store_result users_call(struct store *store, enum statement statement, const struct store_in *in,
                                    size_t in_count, struct reading *reading)
{
    const struct store_out out[] = {
        { .number = &reading->user.id },
        { .text = reading->user.name.text, .size = sizeof reading->user.name.text },
        { .text = reading->user.hash, .size = sizeof reading->user.hash },
        { .text = reading->state, .size = sizeof reading->state },
        { .number = &reading->user.created },
        { .number = &reading->user.last_login },
        { .number = &reading->user.epoch },
        { .number = &reading->must_change, .optional = true },
        { .number = &reading->user.expires, .optional = true },
        { .text = reading->user.email.text, .size = sizeof reading->user.email.text, .optional = true },
        { .text = reading->user.phone.text, .size = sizeof reading->user.phone.text, .optional = true },
    };
    enum store_result result =
        store_call(store, statement, in, in_count, out, sizeof out / sizeof out[0], user_read, reading, NULL);
    secret_wipe(reading->user.hash, sizeof reading->user.hash);
    if (result == STORE_OK && reading->bad_state) {
        (void)snprintf(store->error, sizeof store->error, "the database has a user with the unknown state '%.15s'",
                       reading->state);
        return STORE_BROKEN;
    }
    return result;
}

enum store_result store_user_find(struct store *store, const struct name *name, struct store_user *user)
{
    const struct store_in in[] = { { .text = name->text } };
    struct reading reading = { .users = user, .max = 1 };
    enum store_result result = users_call(store, STATEMENT_USER_FIND, in, 1, &reading);
    if (result == STORE_OK && reading.count == 0)
        return STORE_NOT_FOUND;
    return result;
}

/* As LIKE has it, with | in front of what isn't meant. */
void store_pattern_take(const char *pattern, char like[2 * STORE_PATTERN_MAX + 1])
{
    size_t len = 0;
    for (size_t i = 0; pattern != NULL && pattern[i] != '\0' && i < STORE_PATTERN_MAX; i++) {
        if (strchr("%_|", pattern[i]) != NULL)
            like[len++] = '|';
        like[len++] = (char)(pattern[i] == '*' ? '%' : pattern[i] == '?' ? '_' : pattern[i]);
    }
    like[len] = '\0';
}

enum store_result store_user_list(struct store *store, const struct store_filter *filter, const struct name *after,
                                  struct store_user *users, size_t max, size_t *count)
{
    char like[2 * STORE_PATTERN_MAX + 1];
    store_pattern_take(filter->pattern, like);
    const struct store_in in[] = { { .text = after == NULL ? "" : after->text },
                                   { .text = filter->by_state ? state_words[filter->state] : "" },
                                   { .text = like },
                                   { .number = filter->login_before },
                                   { .number = filter->login_since },
                                   { .number = max } };
    struct reading reading = { .users = users, .max = max };
    enum store_result result = users_call(store, STATEMENT_USER_LIST, in, 6, &reading);
    *count = reading.count;
    return result;
}

enum store_result store_user_export(struct store *store, const enum user_state *state, const struct name *after,
                                    struct store_user *users, size_t max, size_t *count)
{
    const struct store_in in[] = { { .text = after == NULL ? "" : after->text },
                                   { .text = state == NULL ? "" : state_words[*state] },
                                   { .number = max } };
    struct reading reading = { .users = users, .max = max };
    enum store_result result = users_call(store, STATEMENT_USER_EXPORT, in, 3, &reading);
    *count = reading.count;
    return result;
}

/* For procedures that answer whether there was such a user. */
static enum store_result found_call(struct store *store, enum statement statement, const struct store_in *in,
                                    size_t in_count)
{
    uint64_t found = 0;
    const struct store_out out[] = { { .number = &found } };
    enum store_result result = store_call(store, statement, in, in_count, out, 1, NULL, NULL, NULL);
    return result == STORE_OK && found == 0 ? STORE_NOT_FOUND : result;
}

enum store_result store_user_set_hash(struct store *store, uint64_t id, const char *hash, bool must_change,
                                      unsigned keep)
{
    const struct store_in in[] = { { .number = id }, { .text = hash }, { .number = must_change }, { .number = keep } };
    return found_call(store, STATEMENT_USER_SET_HASH, in, 4);
}

enum store_result store_user_password(struct store *store, uint64_t id, const char *from, const char *to, unsigned keep)
{
    const struct store_in in[] = { { .number = id }, { .text = from }, { .text = to }, { .number = keep } };
    return found_call(store, STATEMENT_USER_PASSWORD, in, 4);
}

struct history {
    char hash[PASSWORD_HASH_LEN];
    char (*hashes)[PASSWORD_HASH_LEN];
    size_t max;
    size_t count;
};

static void history_read(void *context)
{
    struct history *history = context;
    if (history->count < history->max)
        memcpy(history->hashes[history->count++], history->hash, PASSWORD_HASH_LEN);
}

enum store_result store_user_history(struct store *store, uint64_t id, char (*hashes)[PASSWORD_HASH_LEN], size_t max,
                                     size_t *count)
{
    struct history history = { .hashes = hashes, .max = max };
    const struct store_in in[] = { { .number = id }, { .number = max } };
    const struct store_out out[] = { { .text = history.hash, .size = sizeof history.hash } };
    enum store_result result = store_call(store, STATEMENT_USER_HISTORY, in, 2, out, 1, history_read, &history, NULL);
    secret_wipe(history.hash, sizeof history.hash);
    *count = history.count;
    return result;
}

int store_taken_from_word(const char *word, enum store_taken *taken)
{
    static const char *const words[] = {
        [STORE_TAKEN_NAME] = "name", [STORE_TAKEN_EMAIL] = "email", [STORE_TAKEN_PHONE] = "phone"
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *taken = (enum store_taken)i;
            return 0;
        }
    }
    return -1;
}

enum store_result store_user_make(struct store *store, const struct store_user *user, bool unique,
                                  enum store_taken *taken)
{
    uint64_t id = 0;
    char what[STATE_LEN_MAX] = "";
    const struct store_in in[] = {
        { .text = user->name.text }, { .text = user->hash },       { .number = user->must_change },
        { .number = user->expires }, { .text = user->email.text }, { .text = user->phone.text },
        { .number = unique },
    };
    const struct store_out out[] = { { .number = &id }, { .text = what, .size = sizeof what } };
    enum store_result result = store_call(store, STATEMENT_USER_MAKE, in, 7, out, 2, NULL, NULL, NULL);
    if (result != STORE_OK || id != 0)
        return result;
    *taken = STORE_TAKEN_NAME;
    (void)!store_taken_from_word(what, taken);
    return STORE_EXISTS;
}

enum store_result store_user_set_must_change(struct store *store, const struct name *name)
{
    const struct store_in in[] = { { .text = name->text } };
    return found_call(store, STATEMENT_USER_SET_MUST_CHANGE, in, 1);
}

enum store_result store_user_set_expiry(struct store *store, const struct name *name, uint64_t expires)
{
    const struct store_in in[] = { { .text = name->text }, { .number = expires } };
    return found_call(store, STATEMENT_USER_SET_EXPIRY, in, 2);
}

/* A procedure that answers 1, done; 0, there is no such account; 2, something stands against it. */
static enum store_result done_call(struct store *store, enum statement statement, const char *name, const char *other)
{
    uint64_t done = 0;
    const struct store_in in[] = { { .text = name }, { .text = other } };
    const struct store_out out[] = { { .number = &done } };
    enum store_result result = store_call(store, statement, in, 2, out, 1, NULL, NULL, NULL);
    if (result == STORE_OK && done != 1)
        return done == 0 ? STORE_NOT_FOUND : STORE_EXISTS;
    return result;
}

enum store_result store_user_rename(struct store *store, const struct name *name, const struct name *to)
{
    return done_call(store, STATEMENT_USER_RENAME, name->text, to->text);
}

enum store_result store_user_figures(struct store *store, const struct store_user *user, struct store_figures *figures)
{
    const struct store_in in[] = { { .number = user->id },
                                   { .text = user->name.text },
                                   { .number = user->last_login } };
    const struct store_out out[] = { { .number = &figures->conversations },
                                     { .number = &figures->keys_issued },
                                     { .number = &figures->failures },
                                     { .number = &figures->audit },
                                     { .number = &figures->passwords } };
    *figures = (struct store_figures){ 0 };
    return store_call(store, STATEMENT_USER_FIGURES, in, 3, out, 5, NULL, NULL, NULL);
}

enum store_result store_user_rehash(struct store *store, uint64_t id, const char *from, const char *to)
{
    const struct store_in in[] = { { .number = id }, { .text = from }, { .text = to } };
    return found_call(store, STATEMENT_USER_REHASH, in, 3);
}

enum store_result store_user_set_state(struct store *store, const struct name *name, enum user_state state)
{
    const struct store_in in[] = { { .text = name->text }, { .text = state_words[state] } };
    return found_call(store, STATEMENT_USER_SET_STATE, in, 2);
}

enum store_result store_user_free(struct store *store, const struct name *name, enum user_state other)
{
    return done_call(store, STATEMENT_USER_FREE, name->text, state_words[other]);
}

enum store_result store_user_delete(struct store *store, const struct name *name)
{
    const struct store_in in[] = { { .text = name->text } };
    return found_call(store, STATEMENT_USER_DELETE, in, 1);
}
