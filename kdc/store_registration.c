/* Who registers, codes that are mailed, contacts, invitations: the procedures, and words for what comes of them. */
#include "kdc/store_registration.h"
#include "kdc/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 16

/* The word's place among `words`; -1: it is none, and the database isn't what we think. */
static int word_find(struct store *store, const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] != NULL && strcmp(word, words[i]) == 0)
            return (int)i;
    }
    (void)snprintf(store->error, sizeof store->error, "a procedure answered with the unknown word '%.15s'", word);
    return -1;
}

/* For what must answer with one row. */
static enum store_result one_row(struct store *store, enum store_result result, const size_t *rows)
{
    if (result != STORE_OK || *rows == 1)
        return result;
    (void)snprintf(store->error, sizeof store->error, "a procedure answered with %zu rows instead of one", *rows);
    return STORE_BROKEN;
}

enum store_result store_register(struct store *store, const struct store_registration *registration,
                                 enum store_registered *outcome, uint64_t *id, uint64_t *epoch)
{
    static const char *const words[] = {
        [REGISTERED] = "",
        [REGISTERED_NO_INVITATION] = "invitation",
        [REGISTERED_NAME_TAKEN] = "name",
        [REGISTERED_EMAIL_TAKEN] = "email",
        [REGISTERED_PHONE_TAKEN] = "phone",
    };
    char refused[WORD_MAX] = "";
    size_t rows = 0;
    const struct store_in in[] = {
        { .text = registration->name.text },
        { .text = registration->hash },
        { .text = user_state_word(registration->pending ? USER_PENDING : USER_ACTIVE) },
        { .text = registration->email.text },
        { .text = registration->phone.text },
        { .number = registration->unique },
        { .text = registration->invitation },
    };
    const struct store_out out[] = { { .number = id },
                                     { .text = refused, .size = sizeof refused },
                                     { .number = epoch } };
    *id = *epoch = 0;
    enum store_result result =
        one_row(store, store_call(store, STATEMENT_REGISTER, in, 7, out, 3, NULL, NULL, &rows), &rows);
    if (result != STORE_OK)
        return result;
    const int word = word_find(store, refused, words, sizeof words / sizeof words[0]);
    *outcome = (enum store_registered)word;
    return word < 0 ? STORE_BROKEN : STORE_OK;
}

static const char *const code_words[] = {
    [CODE_OUTCOME_OK] = "ok",       [CODE_OUTCOME_QUIET] = "quiet", [CODE_OUTCOME_MANY] = "many",
    [CODE_OUTCOME_EMAIL] = "email", [CODE_OUTCOME_WRONG] = "wrong", [CODE_OUTCOME_EXPIRED] = "expired",
    [CODE_OUTCOME_STATE] = "state",
};
#define CODE_WORD_COUNT (sizeof code_words / sizeof code_words[0])

enum store_result store_code_new(struct store *store, const struct store_code *code, enum store_code_outcome *outcome,
                                 struct email *email, uint32_t *retry_after)
{
    char word[WORD_MAX] = "";
    uint64_t retry = 0;
    size_t rows = 0;
    const struct store_in in[] = {
        { .number = code->user },  { .text = code_purpose_word(code->purpose) },
        { .text = code->digest },  { .number = code->seconds },
        { .number = code->tries }, { .number = code->mails },
    };
    const struct store_out out[] = { { .text = word, .size = sizeof word },
                                     { .text = email->text, .size = sizeof email->text },
                                     { .number = &retry } };
    enum store_result result =
        one_row(store, store_call(store, STATEMENT_CODE_NEW, in, 6, out, 3, NULL, NULL, &rows), &rows);
    if (result != STORE_OK)
        return result;
    const int found = word_find(store, word, code_words, CODE_WORD_COUNT);
    *outcome = (enum store_code_outcome)found;
    *retry_after = (uint32_t)retry;
    return found < 0 ? STORE_BROKEN : STORE_OK;
}

enum store_result store_code_use(struct store *store, uint64_t user, enum code_purpose purpose, const char *digest,
                                 enum store_code_outcome *outcome, uint64_t *epoch)
{
    char word[WORD_MAX] = "";
    size_t rows = 0;
    const struct store_in in[] = { { .number = user }, { .text = code_purpose_word(purpose) }, { .text = digest } };
    const struct store_out out[] = { { .text = word, .size = sizeof word }, { .number = epoch } };
    enum store_result result =
        one_row(store, store_call(store, STATEMENT_CODE_USE, in, 3, out, 2, NULL, NULL, &rows), &rows);
    if (result != STORE_OK)
        return result;
    const int found = word_find(store, word, code_words, CODE_WORD_COUNT);
    *outcome = (enum store_code_outcome)found;
    return found < 0 ? STORE_BROKEN : STORE_OK;
}

enum store_result store_unactivated_remove(struct store *store, unsigned days, unsigned max, uint64_t *removed)
{
    const struct store_in in[] = { { .number = days }, { .number = max } };
    const struct store_out out[] = { { .number = removed } };
    *removed = 0;
    return store_call(store, STATEMENT_UNACTIVATED_REMOVE, in, 2, out, 1, NULL, NULL, NULL);
}

/* ---- contacts ---- */

enum store_result store_user_contacts(struct store *store, const struct name *name, struct email *email,
                                      struct phone *phone)
{
    size_t rows = 0;
    const struct store_in in[] = { { .text = name->text } };
    const struct store_out out[] = { { .text = email->text, .size = sizeof email->text },
                                     { .text = phone->text, .size = sizeof phone->text } };
    enum store_result result = store_call(store, STATEMENT_USER_CONTACTS, in, 1, out, 2, NULL, NULL, &rows);
    return result == STORE_OK && rows == 0 ? STORE_NOT_FOUND : result;
}

static enum store_result contact_set(struct store *store, const struct name *name, const char *kind,
                                     const char *contact, bool unique)
{
    static const char *const words[] = { "ok", "none", "taken" };
    static const enum store_result results[] = { STORE_OK, STORE_NOT_FOUND, STORE_EXISTS };
    char word[WORD_MAX] = "";
    const struct store_in in[] = {
        { .text = name->text }, { .text = kind }, { .text = contact }, { .number = unique }
    };
    const struct store_out out[] = { { .text = word, .size = sizeof word } };
    enum store_result result = store_call(store, STATEMENT_USER_SET_CONTACT, in, 4, out, 1, NULL, NULL, NULL);
    if (result != STORE_OK)
        return result;
    const int found = word_find(store, word, words, sizeof words / sizeof words[0]);
    return found < 0 ? STORE_BROKEN : results[found];
}

enum store_result store_user_set_email(struct store *store, const struct name *name, const struct email *email,
                                       bool unique)
{
    return contact_set(store, name, "email", email->text, unique);
}

enum store_result store_user_set_phone(struct store *store, const struct name *name, const struct phone *phone,
                                       bool unique)
{
    return contact_set(store, name, "phone", phone->text, unique);
}

/* ---- invitations ---- */

struct made {
    struct store_invitation *invitations;
    size_t count;
    uint64_t number; /* from 1 */
    uint64_t id;
};

static void made_note(void *context)
{
    const struct made *made = context;
    if (made->number >= 1 && made->number <= made->count)
        made->invitations[made->number - 1].id = made->id;
}

enum store_result store_invitations_make(struct store *store, struct store_invitation *invitations, size_t count,
                                         const char *note, const char *made_by, uint64_t expires)
{
    struct made made = { .invitations = invitations, .count = count };
    size_t rows = 0;
    const size_t room = count * (CODE_DIGEST_ROOM + 2) + 3; /* each with quotes and a comma */
    char *digests = malloc(room);
    struct store_text text = { .at = digests, .left = digests != NULL ? room : 0 };
    store_text_add(&text, "[");
    for (size_t i = 0; i < count; i++)
        store_text_add(&text, "%s\"%s\"", i == 0 ? "" : ",", invitations[i].digest);
    store_text_add(&text, "]");
    if (text.cut) {
        (void)snprintf(store->error, sizeof store->error, "memory is out");
        free(digests);
        return STORE_BROKEN;
    }
    const struct store_in in[] = { { .text = digests }, { .text = note }, { .text = made_by }, { .number = expires } };
    const struct store_out out[] = { { .number = &made.number }, { .number = &made.id } };
    enum store_result result = store_call(store, STATEMENT_INVITATION_NEW, in, 4, out, 2, made_note, &made, &rows);
    free(digests);
    return result;
}

struct listing {
    struct store_invitation one;
    struct store_invitation *invitations;
    size_t max;
    size_t count;
};

static void listing_note(void *context)
{
    struct listing *listing = context;
    if (listing->count < listing->max)
        listing->invitations[listing->count++] = listing->one;
}

enum store_result store_invitations_list(struct store *store, uint64_t after, struct store_invitation *invitations,
                                         size_t max, size_t *count)
{
    struct listing listing = { .invitations = invitations, .max = max };
    struct store_invitation *one = &listing.one;
    const struct store_in in[] = { { .number = after }, { .number = max } };
    const struct store_out out[] = {
        { .number = &one->id },
        { .text = one->note, .size = sizeof one->note },
        { .text = one->made_by, .size = sizeof one->made_by },
        { .number = &one->made },
        { .number = &one->expires },
        { .number = &one->used },
        { .text = one->used_by, .size = sizeof one->used_by },
        { .number = &one->revoked },
        { .text = one->state, .size = sizeof one->state },
    };
    enum store_result result =
        store_call(store, STATEMENT_INVITATION_LIST, in, 2, out, 9, listing_note, &listing, NULL);
    *count = listing.count;
    return result;
}

enum store_result store_invitation_revoke(struct store *store, uint64_t id)
{
    static const char *const words[] = { "revoked", "used", "none" };
    static const enum store_result results[] = { STORE_OK, STORE_EXISTS, STORE_NOT_FOUND };
    char word[WORD_MAX] = "";
    const struct store_in in[] = { { .number = id } };
    const struct store_out out[] = { { .text = word, .size = sizeof word } };
    enum store_result result = store_call(store, STATEMENT_INVITATION_REVOKE, in, 1, out, 1, NULL, NULL, NULL);
    if (result != STORE_OK)
        return result;
    const int found = word_find(store, word, words, sizeof words / sizeof words[0]);
    return found < 0 ? STORE_BROKEN : results[found];
}
