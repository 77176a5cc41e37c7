/* Rows of an import: what is in order, and why what isn't is refused. */
#include "crypto/secret.h"
#include "kdc/admin/user_import.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COST_MIN 4
#define COST_AT 4 /* in "$2b$12$..." */
#define ROOM_MIN 1024

enum import_field import_field_by_name(struct bytes name)
{
    static const char *const names[FIELD_COUNT] = {
        [FIELD_NAME] = "name",
        [FIELD_HASH] = "hash",
        [FIELD_PASSWORD] = "password",
        [FIELD_STATE] = "state",
        [FIELD_CREATED] = "created",
        [FIELD_LAST_LOGIN] = "last_login",
        [FIELD_MUST_CHANGE] = "must_change",
        [FIELD_EXPIRES] = "expires",
        [FIELD_EMAIL] = "email",
        [FIELD_PHONE] = "phone",
    };
    size_t i = 0;
    while (i < FIELD_COUNT &&
           (strlen(names[i]) != name.len || strncasecmp(names[i], (const char *)name.data, name.len) != 0))
        i++;
    return (enum import_field)i;
}

void import_clear(struct import *import)
{
    for (size_t i = 0; i < import->count; i++)
        secret_free(&import->rows[i].password);
    for (size_t i = 0; i < import->refused_count; i++) {
        free(import->refused[i].name);
        free(import->refused[i].reason);
    }
    if (import->rows != NULL)
        secret_wipe(import->rows, import->count * sizeof *import->rows);
    free(import->rows);
    free(import->refused);
    free(import->by_name);
    *import = (struct import){ 0 };
}

/* ---- refused rows ---- */

__attribute__((format(printf, 4, 0))) static void refused_add(struct import *import, uint64_t line, const char *name,
                                                              const char *format, va_list arguments)
{
    if (import->refused_count == import->refused_room) {
        const size_t room = import->refused_room == 0 ? ROOM_MIN : 2 * import->refused_room;
        struct import_refused *refused = reallocarray(import->refused, room, sizeof *refused);
        if (refused == NULL) {
            import->memory_out = true;
            return;
        }
        import->refused = refused;
        import->refused_room = room;
    }
    struct import_refused one = { .line = line, .name = name == NULL ? NULL : strdup(name) };
    if (vasprintf(&one.reason, format, arguments) < 0 || (name != NULL && one.name == NULL)) {
        import->memory_out = true;
        free(one.name);
        return;
    }
    import->refused[import->refused_count++] = one;
}

void import_refuse(struct import *import, uint64_t line, const char *name, const char *format, ...)
{
    va_list arguments;
    import->line_count++;
    va_start(arguments, format);
    refused_add(import, line, name, format, arguments);
    va_end(arguments);
}

void import_row_refuse(struct import *import, struct import_row *row, const char *format, ...)
{
    va_list arguments;
    row->refused = true;
    secret_free(&row->password);
    va_start(arguments, format);
    refused_add(import, row->line, row->user.name.text, format, arguments);
    va_end(arguments);
}

static int line_compare(const void *a, const void *b)
{
    const struct import_refused *one = a;
    const struct import_refused *other = b;
    return one->line < other->line ? -1 : one->line > other->line;
}

void import_refused_sort(struct import *import)
{
    if (import->refused_count > 0)
        qsort(import->refused, import->refused_count, sizeof *import->refused, line_compare);
}

/* ---- names that the file has had ---- */

/* FNV-1a: whoever makes up names that collide waits for themselves. */
static size_t name_hash(const struct name *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = name->text; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* Where the name is, or would be. */
static size_t *name_slot(struct import *import, const struct name *name)
{
    size_t at = name_hash(name) & (import->by_name_room - 1);
    while (import->by_name[at] != 0 && strcmp(import->rows[import->by_name[at] - 1].user.name.text, name->text) != 0)
        at = (at + 1) & (import->by_name_room - 1);
    return &import->by_name[at];
}

/* Room for one more row. 0, or -1: memory is out. */
static int room_make(struct import *import)
{
    if (import->count < import->room)
        return 0;
    const size_t room = import->room == 0 ? ROOM_MIN : 2 * import->room;
    struct import_row *rows = calloc(room, sizeof *rows);
    size_t *by_name = calloc(2 * room, sizeof *by_name);
    if (rows == NULL || by_name == NULL) {
        free(rows);
        free(by_name);
        import->memory_out = true;
        return -1;
    }
    if (import->rows != NULL) {
        memcpy(rows, import->rows, import->count * sizeof *rows);
        secret_wipe(import->rows, import->count * sizeof *import->rows); /* hashes */
    }
    free(import->rows);
    free(import->by_name);
    import->rows = rows;
    import->room = room;
    import->by_name = by_name;
    import->by_name_room = 2 * room;
    for (size_t i = 0; i < import->count; i++)
        *name_slot(import, &rows[i].user.name) = i + 1;
    return 0;
}

/* ---- fields; each gives why it is refused, or NULL ---- */

/* What frameworks write in front of a bcrypt hash. */
static struct bytes hash_bare(struct bytes hash)
{
    static const char *const fronts[] = { "bcrypt$$", "{bcrypt}$" };
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
        const size_t len = strlen(fronts[i]);
        if (hash.len > len && memcmp(hash.data, fronts[i], len) == 0)
            return (struct bytes){ .data = hash.data + len - 1, .len = hash.len - len + 1 };
    }
    return hash;
}

static const char *hash_take(struct bytes field, struct import_row *row)
{
    const struct bytes hash = hash_bare(field);
    char *text = row->user.hash;
    if (hash.len != PASSWORD_HASH_LEN - 1)
        return "the hash isn't bcrypt: $2a$, $2b$ or $2y$, and 60 characters";
    memcpy(text, hash.data, hash.len);
    text[hash.len] = '\0';
    const char tens = text[COST_AT];
    const char ones = text[COST_AT + 1];
    const bool digits = tens >= '0' && tens <= '9' && ones >= '0' && ones <= '9';
    const int cost = 10 * (tens - '0') + ones - '0';
    /* Looked at apart, so that one that is too dear is not told to be no hash. */
    memcpy(text + COST_AT, "10", 2);
    if (!digits || !password_hash_valid(text))
        return "the hash isn't bcrypt: $2a$, $2b$ or $2y$, and 60 characters";
    text[COST_AT] = tens;
    text[COST_AT + 1] = ones;
    _Static_assert(COST_MIN == 4 && PASSWORD_COST_MAX == 15, "as the sentence says");
    return cost < COST_MIN || cost > PASSWORD_COST_MAX ? "the hash's cost isn't from 4 to 15" : NULL;
}

static const char *password_take(const struct password_policy *policy, struct bytes field, struct import_row *row)
{
    const enum reason reason = password_policy_judge(policy, &row->user.name, field);
    if (reason == REASON_PASSWORD_SHORT && password_policy_min(policy) > PASSWORD_LEN_MIN)
        return "The password is shorter than policy.password_min";
    if (reason != REASON_NONE)
        return reason_text(reason);
    row->password = secret_alloc(field.len + 1);
    if (row->password != NULL)
        memcpy(row->password, field.data, field.len);
    return row->password == NULL ? "memory is out" : NULL;
}

/* As a C string; -1: too long, or with a NUL. */
static int text_take(struct bytes field, char text[64])
{
    if (field.len > 63 || memchr(field.data, '\0', field.len) != NULL)
        return -1;
    memcpy(text, field.data, field.len);
    text[field.len] = '\0';
    return 0;
}

static const char *flag_take(struct bytes field, bool *flag)
{
    static const char *const words[] = { "0", "false", "no", "1", "true", "yes" };
    char text[64];
    if (field.len == 0)
        return NULL;
    for (size_t i = 0; text_take(field, text) == 0 && i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *flag = i >= 3;
            return NULL;
        }
    }
    return "must_change isn't true or false";
}

static const char *rest_take(const struct password_policy *policy, const struct bytes fields[FIELD_COUNT],
                             struct import_row *row)
{
    char text[64];
    if (fields[FIELD_HASH].len > 0 && fields[FIELD_PASSWORD].len > 0)
        return "it has both a hash and a password";
    if (fields[FIELD_HASH].len == 0 && fields[FIELD_PASSWORD].len == 0)
        return "it has neither a hash nor a password";
    row->user.state = USER_ACTIVE;
    if (fields[FIELD_STATE].len > 0 &&
        (text_take(fields[FIELD_STATE], text) != 0 || user_state_from_word(text, &row->user.state) != 0))
        return "its state isn't pending, active, locked or disabled";
    if (fields[FIELD_CREATED].len > 0 &&
        (text_take(fields[FIELD_CREATED], text) != 0 || time_parse(text, &row->user.created) != 0))
        return "created isn't a date such as 2026-11-20 or 2026-11-20T09:00:00Z";
    if (fields[FIELD_LAST_LOGIN].len > 0 &&
        (text_take(fields[FIELD_LAST_LOGIN], text) != 0 || time_parse(text, &row->user.last_login) != 0))
        return "last_login isn't a date such as 2026-11-20 or 2026-11-20T09:00:00Z";
    if (fields[FIELD_EXPIRES].len > 0 &&
        (text_take(fields[FIELD_EXPIRES], text) != 0 || time_parse(text, &row->user.expires) != 0))
        return "expires isn't a date such as 2026-11-20 or 2026-11-20T09:00:00Z";
    if (fields[FIELD_EMAIL].len > 0 && email_parse(fields[FIELD_EMAIL], &row->user.email) != 0)
        return "its email isn't an address such as alice@example.org";
    if (fields[FIELD_PHONE].len > 0 && phone_parse(fields[FIELD_PHONE], &row->user.phone) != 0)
        return "its phone isn't a number such as +49301234567";
    const char *wrong = flag_take(fields[FIELD_MUST_CHANGE], &row->user.must_change);
    if (wrong != NULL)
        return wrong;
    return fields[FIELD_HASH].len > 0 ? hash_take(fields[FIELD_HASH], row)
                                      : password_take(policy, fields[FIELD_PASSWORD], row);
}

/* What stands where the name should, for the report: cut, and only where it can't be a hash. */
static void name_refuse(struct import *import, uint64_t line, struct bytes field)
{
    char text[65];
    const int len = field.len < sizeof text ? (int)field.len : (int)sizeof text - 1;
    if (field.len == 0 || memchr(field.data, '\0', field.len) != NULL || memchr(field.data, '$', field.len) != NULL) {
        import_refuse(import, line, NULL, "%s", field.len == 0 ? "it has no name" : "that can't be a user's name");
        return;
    }
    (void)snprintf(text, sizeof text, "%.*s", len, (const char *)field.data);
    import_refuse(import, line, NULL, "'%s' can't be a user's name", text);
}

void import_take(struct import *import, uint64_t line, const struct bytes fields[FIELD_COUNT])
{
    struct name name;
    if (name_parse(fields[FIELD_NAME], &name) != 0) {
        name_refuse(import, line, fields[FIELD_NAME]);
        return;
    }
    if (room_make(import) != 0)
        return;
    size_t *slot = name_slot(import, &name);
    if (*slot != 0) {
        import_refuse(import, line, name.text, "%s is in line %" PRIu64 " already", name.text,
                      import->rows[*slot - 1].line);
        return;
    }
    struct import_row *row = &import->rows[import->count++];
    *row = (struct import_row){ .line = line, .user.name = name };
    *slot = import->count;
    import->line_count++;
    const char *wrong = rest_take(import->passwords, fields, row);
    if (wrong != NULL)
        import_row_refuse(import, row, "%s", wrong);
}
