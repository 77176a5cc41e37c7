/* Many new accounts: as JSON, a thousand in one call (sql/procedures/admin_user_import.sql). */
#include "kdc/store_internal.h"

#include "crypto/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_LEN_MAX 512 /* of a name, a hash, a state, four numbers, two contacts, and what stands between them */

/* A number, or null for 0. */
static void add_time(struct store_text *text, uint64_t ms)
{
    if (ms == 0)
        store_text_add(text, "null");
    else
        store_text_add(text, "%" PRIu64, ms);
}

static void add_contact(struct store_text *text, const char *contact)
{
    if (contact[0] == '\0')
        store_text_add(text, ",null");
    else
        store_text_add(text, ",\"%s\"", contact);
}

/* NULL: no memory, or not enough of it. Names, hashes and contacts have no character that JSON would escape. */
static char *rows_make(const struct store_import *users, size_t count)
{
    const size_t room = count * ROW_LEN_MAX + 3;
    char *rows = malloc(room);
    struct store_text text = { .at = rows, .left = room };
    if (rows == NULL)
        return NULL;
    store_text_add(&text, "[");
    for (size_t i = 0; i < count; i++) {
        store_text_add(&text, "%s[\"%s\",\"%s\",\"%s\",", i == 0 ? "" : ",", users[i].name.text, users[i].hash,
                       user_state_word(users[i].state));
        add_time(&text, users[i].created);
        store_text_add(&text, ",");
        add_time(&text, users[i].last_login);
        store_text_add(&text, users[i].must_change ? ",1," : ",0,");
        add_time(&text, users[i].expires);
        add_contact(&text, users[i].email.text);
        add_contact(&text, users[i].phone.text);
        store_text_add(&text, "]");
    }
    store_text_add(&text, "]");
    if (text.cut) {
        secret_wipe(rows, room);
        free(rows);
        return NULL;
    }
    return rows;
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
