/* status_lines.c: a page's lines: those that are too long for a terminal are broken at blanks, so that nothing is lost. */
#include "kdc/admin/status.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Takes as much of *text as fits into `columns` (at a blank, where there is one to break at) off its front. */
static char *line_take(char **text, size_t indent, size_t columns)
{
    char *at = *text;
    char *blank = NULL;
    size_t used = indent;
    while (*at != '\0') {
        utf8proc_int32_t code = 0;
        const utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &code);
        used += len > 0 ? (size_t)utf8proc_charwidth(code) : 1;
        if (used > columns && at > *text)
            break;
        if (*at == ' ' && at > *text && at[-1] != ' ')
            blank = at;
        at += len > 0 ? len : 1;
    }
    char *end = *at == '\0' || *at == ' ' || blank == NULL ? at : blank;
    char *line = NULL;
    if (asprintf(&line, "%*s%.*s", (int)indent, "", (int)(end - *text), *text) < 0)
        line = NULL;
    for (size_t len = line == NULL ? 0 : strlen(line); len > 0 && line[len - 1] == ' '; len--)
        line[len - 1] = '\0';
    *text = end + strspn(end, " ");
    return line;
}

static int line_add(struct status_page *page, char *line)
{
    char **lines = line == NULL ? NULL : reallocarray(page->lines, page->count + 1, sizeof *lines);
    if (lines == NULL) {
        free(line);
        return -1;
    }
    page->lines = lines;
    page->lines[page->count++] = line;
    return 0;
}

int status_page_add(struct status_page *page, char *text, size_t columns)
{
    const bool has_title = strlen(text) > STATUS_VALUES_AT && memcmp(text + STATUS_VALUES_AT - 2, "  ", 2) == 0;
    const bool in_values = has_title && columns >= (size_t)2 * STATUS_VALUES_AT;
    size_t indent = 0;
    do {
        if (line_add(page, line_take(&text, indent, columns == 0 ? SIZE_MAX : columns)) != 0) {
            status_page_clear(page);
            return -1;
        }
        indent = in_values ? STATUS_VALUES_AT : columns < 16 ? 0 : 4;
    } while (*text != '\0');
    return 0;
}

void status_page_clear(struct status_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->lines[i]);
    free(page->lines);
    *page = (struct status_page){ 0 };
}
