/* Users line by line: JSON objects, or name:hash as htpasswd writes it. */
#include "crypto/secret.h"
#include "kdc/admin/user_import.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON lines ---- */

/* What is parsed holds passwords. */
static void *parse_alloc(size_t len)
{
    return secret_alloc(len);
}

static void parse_free(void *block)
{
    secret_free(&block);
}

/* Why the object can't be taken; NULL: its fields are in `fields`, lent. */
static const char *object_fields(json_t *object, struct bytes fields[FIELD_COUNT])
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return "it isn't a JSON object";
    json_object_foreach(object, key, value)
    {
        const enum import_field field =
            import_field_by_name((struct bytes){ .data = (const uint8_t *)key, .len = strlen(key) });
        if (field == FIELD_COUNT)
            return "it has a key other than name, hash, password, state, created, last_login, must_change, expires, email, phone";
        if (json_is_null(value))
            continue;
        if (json_is_boolean(value)) {
            fields[field] = json_is_true(value) ? (struct bytes){ (const uint8_t *)"true", 4 }
                                                : (struct bytes){ (const uint8_t *)"false", 5 };
            continue;
        }
        if (!json_is_string(value))
            return "one of its values is neither a string nor null (nor, of must_change, true or false)";
        fields[field] =
            (struct bytes){ .data = (const uint8_t *)json_string_value(value), .len = json_string_length(value) };
    }
    return NULL;
}

static void object_take(struct import *import, const struct record *record)
{
    struct bytes fields[FIELD_COUNT] = { { .len = 0 } };
    json_error_t error; /* quotes the line */
    json_t *object =
        json_loadb((const char *)record->fields[0].data, record->fields[0].len, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        import_refuse(import, record->line, NULL, "it isn't JSON, from column %d on", error.column);
    } else {
        const char *wrong = object_fields(object, fields);
        if (wrong != NULL)
            import_refuse(import, record->line, NULL, "%s", wrong);
        else
            import_take(import, record->line, fields);
    }
    json_decref(object);
    secret_wipe(&error, sizeof error);
}

/* ---- htpasswd ---- */

static void pair_take(struct import *import, const struct record *record)
{
    const struct bytes line = record->fields[0];
    struct bytes fields[FIELD_COUNT] = { { .len = 0 } };
    const uint8_t *colon = memchr(line.data, ':', line.len);
    if (line.data[0] == '#')
        return;
    if (colon == NULL) {
        import_refuse(import, record->line, NULL, "it isn't a name, a colon and a hash");
        return;
    }
    fields[FIELD_NAME] = (struct bytes){ .data = line.data, .len = (size_t)(colon - line.data) };
    fields[FIELD_HASH] = (struct bytes){ .data = colon + 1, .len = line.len - fields[FIELD_NAME].len - 1 };
    import_take(import, record->line, fields);
}

static void lines_read(struct import *import, struct import_source *source,
                       void (*take)(struct import *, const struct record *))
{
    struct record record;
    if (record_new(&record) != 0) {
        import->memory_out = true;
        return;
    }
    while (!import->memory_out && record_read_line(source, &record)) {
        if (record.wrong != NULL)
            import_refuse(import, record.line, NULL, "%s", record.wrong);
        else
            take(import, &record);
    }
    record_free(&record);
}

void import_read_jsonl(struct import *import, struct import_source *source)
{
    json_malloc_t alloc_before;
    json_free_t free_before;
    json_get_alloc_funcs(&alloc_before, &free_before);
    json_set_alloc_funcs(parse_alloc, parse_free);
    lines_read(import, source, object_take);
    json_set_alloc_funcs(alloc_before, free_before);
}

void import_read_htpasswd(struct import *import, struct import_source *source)
{
    lines_read(import, source, pair_take);
}
