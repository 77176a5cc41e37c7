#include "kdc/admin/output.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>

/* The next character of `text`, made harmless: *width is the columns that it takes. Returns its bytes in `text`. */
static size_t character_next(const char *text, const char **shown, size_t *shown_len, size_t *width)
{
    utf8proc_int32_t code = 0;
    utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
    utf8proc_category_t category = len <= 0 ? UTF8PROC_CATEGORY_CC : utf8proc_category(code);
    bool harmless = category != UTF8PROC_CATEGORY_CC && category != UTF8PROC_CATEGORY_CF &&
                    category != UTF8PROC_CATEGORY_CS && category != UTF8PROC_CATEGORY_CO &&
                    category != UTF8PROC_CATEGORY_CN && category != UTF8PROC_CATEGORY_ZL &&
                    category != UTF8PROC_CATEGORY_ZP;
    *shown = harmless ? text : "?";
    *shown_len = harmless ? (size_t)len : 1;
    *width = harmless ? (size_t)utf8proc_charwidth(code) : 1;
    return len <= 0 ? 1 : (size_t)len;
}

static size_t text_width(const char *text)
{
    size_t sum = 0;
    while (*text != '\0') {
        const char *shown;
        size_t len;
        size_t width;
        text += character_next(text, &shown, &len, &width);
        sum += width;
    }
    return sum;
}

void text_print(FILE *out, const char *text)
{
    while (*text != '\0') {
        const char *shown;
        size_t len;
        size_t width;
        text += character_next(text, &shown, &len, &width);
        (void)fwrite(shown, 1, len, out);
    }
}

static void memory_out(void)
{
    (void)fputs("kdc-admin: memory is out\n", stderr);
    exit(1);
}

void table_add(struct table *table, const char *text)
{
    if (table->count == table->room) {
        table->room = table->room == 0 ? 64 : table->room * 2;
        char **cells = reallocarray(table->cells, table->room, sizeof *cells);
        if (cells == NULL)
            memory_out();
        table->cells = cells;
    }
    char *copy = strdup(text);
    if (copy == NULL)
        memory_out();
    table->cells[table->count++] = copy;
}

void table_add_number(struct table *table, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    table_add(table, text);
}

static void row_print(const struct table *table, const char *const *cells, const size_t *widths)
{
    for (size_t i = 0; i < table->columns; i++) {
        text_print(stdout, cells[i]);
        if (i + 1 < table->columns)
            (void)printf("%*s", (int)(widths[i] - text_width(cells[i]) + 2), "");
    }
    (void)putchar('\n');
}

void table_print(struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX] = { 0 };
    if (table->columns == 0)
        return;
    for (size_t i = 0; i < table->columns; i++) {
        const size_t title = table->titles[i] == NULL ? 0 : strlen(table->titles[i]);
        widths[i] = title > table->widths[i] ? title : table->widths[i];
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t width = text_width(table->cells[i]);
        size_t *widest = &widths[i % table->columns];
        *widest = width > *widest ? width : *widest;
    }
    if (table->titles[0] != NULL)
        row_print(table, table->titles, widths);
    for (size_t i = 0; i + table->columns <= table->count; i += table->columns)
        row_print(table, (const char *const *)(table->cells + i), widths);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->count = table->room = 0;
}

void time_text(uint64_t ms, char out[TIME_TEXT_LEN])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL)
        memset(&utc, 0, sizeof utc);
    size_t len = strftime(out, TIME_TEXT_LEN - 8, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out + len, TIME_TEXT_LEN - len, ".%03uZ", (unsigned)(ms % 1000));
}

void time_text_short(uint64_t ms, char out[TIME_TEXT_LEN])
{
    if (ms == 0) {
        memcpy(out, "never", sizeof "never");
        return;
    }
    time_text(ms, out);
    memcpy(strrchr(out, '.'), "Z", sizeof "Z");
    *strchr(out, 'T') = ' ';
}

json_t *time_json(uint64_t ms)
{
    char text[TIME_TEXT_LEN];
    if (ms == 0)
        return json_null();
    time_text(ms, text);
    return json_string(text);
}

void json_put(FILE *out, json_t *json)
{
    char *text = json_dumps(json, JSON_ENSURE_ASCII | JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (text == NULL)
        memory_out();
    /* The one control character that jansson leaves as it is. */
    char *rest = text;
    for (char *part = strsep(&rest, "\x7f"); part != NULL; part = strsep(&rest, "\x7f"))
        (void)fprintf(out, "%s%s", part, rest == NULL ? "" : "\\u007f");
    free(text);
    json_decref(json);
}

void json_print(json_t *json)
{
    json_put(stdout, json);
    (void)putchar('\n');
}
