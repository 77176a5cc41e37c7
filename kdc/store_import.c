/* Many new accounts: as JSON, a thousand in one call (sql/procedures/admin_user_import.sql). */
#include "kdc/store_internal.h"

#include "crypto/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_LEN_MAX 512 /* of a name, a hash, a state, four numbers, two contacts, and what stands between them */

/* A number, or null for 0. */
static char *put_time(char *at, uint64_t ms)
{
    return ms == 0 ? stpcpy(at, "null") : at + sprintf(at, "%" PRIu64, ms);
}

static char *put_contact(char *at, const char *contact)
{
    return contact[0] == '\0' ? stpcpy(at, ",null") : at + sprintf(at, ",\"%.254s\"", contact);
}

/* Names, hashes and contacts have no character that JSON would escape. */
static char *rows_make(const struct store_import *users, size_t count)
{
    char *text = malloc(count * ROW_LEN_MAX + 3);
    if (text == NULL)
        return NULL;
    char *at = stpcpy(text, "[");
    for (size_t i = 0; i < count; i++) {
        at += sprintf(at, "%s[\"%.32s\",\"%.60s\",\"%s\",", i == 0 ? "" : ",", users[i].name.text, users[i].hash,
                      user_state_word(users[i].state));
        at = put_time(at, users[i].created);
        *at++ = ',';
        at = put_time(at, users[i].last_login);
        at = stpcpy(at, users[i].must_change ? ",1," : ",0,");
        at = put_time(at, users[i].expires);
        at = put_contact(at, users[i].email.text);
        at = put_contact(at, users[i].phone.text);
        *at++ = ']';
    }
    at[0] = ']';
    at[1] = '\0';
    return text;
}

struct taken {
    struct store_import *users;
    size_t count;
    uint64_t number; /* from 1 */
    char what[16];
};

static void taken_note(void *context)
{
    struct taken *taken = context;
    if (taken->number >= 1 && taken->number <= taken->count) {
        struct store_import *user = &taken->users[taken->number - 1];
        user->exists = true;
        (void)!store_taken_from_word(taken->what, &user->taken);
    }
}

static enum store_result import_call(struct store *store, const char *step, struct store_import *users, size_t count,
                                     const char *actor)
{
    struct taken taken = { .users = users, .count = count };
    const struct store_out out[] = { { .number = &taken.number }, { .text = taken.what, .size = sizeof taken.what } };
    for (size_t i = 0; i < count; i++)
        users[i].exists = false;
    char *rows = rows_make(users, count);
    if (rows == NULL) {
        (void)snprintf(store->error, sizeof store->error, "admin_user_import: memory is out");
        return STORE_BROKEN;
    }
    const struct store_in in[] = {
        { .text = step }, { .text = actor }, { .text = rows }, { .number = store->config.contact_unique }
    };
    enum store_result result =
        store_call(store, STATEMENT_USER_IMPORT, in, 4, out, count > 0 ? 2 : 0, taken_note, &taken, NULL);
    secret_wipe(rows, strlen(rows));
    free(rows);
    return result;
}

enum store_result store_import_check(struct store *store, struct store_import *users, size_t count)
{
    return import_call(store, "check", users, count, "");
}

enum store_result store_import_begin(struct store *store)
{
    return import_call(store, "begin", NULL, 0, "");
}

enum store_result store_import_add(struct store *store, struct store_import *users, size_t count, const char *actor)
{
    return import_call(store, "add", users, count, actor);
}

enum store_result store_import_commit(struct store *store)
{
    return import_call(store, "commit", NULL, 0, "");
}
