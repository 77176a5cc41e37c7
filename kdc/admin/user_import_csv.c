/* Users in CSV (RFC 4180). The first line names the columns. */
#include "kdc/admin/user_import.h"

#include <stdio.h>
#include <string.h>

struct columns {
    enum import_field fields[RECORD_FIELDS_MAX];
    size_t count;
};

static int columns_read(struct import_source *source, struct record *record, struct columns *columns,
                        char error[IMPORT_ERROR_MAX])
{
    static const char known[] = "name, hash, password, state, created, last_login, must_change, expires, email, phone";
    bool has[FIELD_COUNT] = { false };
    if (!record_read_csv(source, record)) {
        if (source->error == 0)
            (void)snprintf(error, IMPORT_ERROR_MAX, "it is empty: its first line must name the columns: %s", known);
        return -1;
    }
    for (size_t i = 0; i < record->count && record->wrong == NULL; i++) {
        const struct bytes name = i < RECORD_FIELDS_MAX ? record->fields[i] : (struct bytes){ .len = 0 };
        const enum import_field field = import_field_by_name(name);
        /* What isn't known may be a password: it isn't shown. */
        if (field == FIELD_COUNT || has[field]) {
            (void)snprintf(error, IMPORT_ERROR_MAX, "its first line must name the columns: %s; its column %zu is %s",
                           known, i + 1, field == FIELD_COUNT ? "none of these" : "there twice");
            return -1;
        }
        has[field] = true;
        columns->fields[columns->count++] = field;
    }
    if (record->wrong != NULL || !has[FIELD_NAME] || (!has[FIELD_HASH] && !has[FIELD_PASSWORD])) {
        (void)snprintf(error, IMPORT_ERROR_MAX,
                       "its first line must name the columns, at least name, and hash or password: %s",
                       record->wrong != NULL ? record->wrong : "not all of these are there");
        return -1;
    }
    return 0;
}

int import_read_csv(struct import *import, struct import_source *source, char error[IMPORT_ERROR_MAX])
{
    struct record record;
    struct columns columns = { .count = 0 };
    if (record_new(&record) != 0) {
        import->memory_out = true;
        return 0;
    }
    const int result = columns_read(source, &record, &columns, error);
    while (result == 0 && !import->memory_out && record_read_csv(source, &record)) {
        struct bytes fields[FIELD_COUNT] = { { .len = 0 } };
        if (record.wrong != NULL) {
            import_refuse(import, record.line, NULL, "%s", record.wrong);
        } else if (record.count != columns.count) {
            import_refuse(import, record.line, NULL, "it has %zu columns, the first line names %zu", record.count,
                          columns.count);
        } else {
            for (size_t i = 0; i < columns.count; i++)
                fields[columns.fields[i]] = record.fields[i];
            import_take(import, record.line, fields);
        }
    }
    record_free(&record);
    return result;
}
