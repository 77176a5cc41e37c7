/* Of an import: rows that want the same contact, where each may be one account's only. */
#include "kdc/admin/user_import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A row's, or empty. */
typedef const char *contact_of(const struct import_row *row);

static const char *email_of(const struct import_row *row)
{
    return row->user.email.text;
}

static const char *phone_of(const struct import_row *row)
{
    return row->user.phone.text;
}

/* As the database compares. */
static int compare(const void *a, const void *b, void *context)
{
    contact_of *const *contact = context;
    const struct import_row *const *one = a;
    const struct import_row *const *other = b;
    const int order = strcasecmp((*contact)(*one), (*contact)(*other));
    return order != 0 ? order : (*one)->line < (*other)->line ? -1 : (*one)->line > (*other)->line;
}

static void refuse_equal(struct import *import, struct import_row **rows, contact_of *contact, const char *what)
{
    size_t count = 0;
    for (size_t i = 0; i < import->count; i++) {
        if (!import->rows[i].refused && contact(&import->rows[i])[0] != '\0')
            rows[count++] = &import->rows[i];
    }
    qsort_r(rows, count, sizeof(struct import_row *), compare, &contact);
    const struct import_row *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (first != NULL && strcasecmp(contact(rows[i]), contact(first)) == 0)
            import_row_refuse(import, rows[i], "the %s %s is in line %" PRIu64 " already", what, contact(rows[i]),
                              first->line);
        else
            first = rows[i];
    }
}

void import_contacts_refuse(struct import *import)
{
    if (import->count == 0)
        return;
    struct import_row **rows = calloc(import->count, sizeof(struct import_row *));
    if (rows == NULL) {
        import->memory_out = true;
        return;
    }
    refuse_equal(import, rows, email_of, "e-mail address");
    refuse_equal(import, rows, phone_of, "telephone number");
    free(rows);
}
