/* status_page.c: kdcd's figures as a page for people, in the sections and words of the one table (kdc/figures.h). */
#include "kdc/admin/output.h"
#include "kdc/admin/status.h"
#include "kdc/figures.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TITLE_WIDTH (STATUS_VALUES_AT - 2)
#define TEXT_MAX 64
#define OWNERS_TITLE "CONNECTION"

/* ---- values ---- */

static void seconds_text(double seconds, char out[TEXT_MAX])
{
    const uint64_t whole = seconds < 0 || seconds > 1e15 ? 0 : (uint64_t)seconds;
    if (seconds <= 0)
        (void)snprintf(out, TEXT_MAX, "0 s");
    else if (seconds < 1)
        (void)snprintf(out, TEXT_MAX, "%.*f ms", seconds < 0.01 ? 2 : seconds < 0.1 ? 1 : 0, seconds * 1000);
    else if (seconds < 60)
        (void)snprintf(out, TEXT_MAX, "%.1f s", seconds);
    else if (whole < 3600)
        (void)snprintf(out, TEXT_MAX, "%u min %u s", (unsigned)(whole / 60), (unsigned)(whole % 60));
    else if (whole < 86400)
        (void)snprintf(out, TEXT_MAX, "%u h %u min", (unsigned)(whole / 3600), (unsigned)(whole / 60 % 60));
    else
        (void)snprintf(out, TEXT_MAX, "%" PRIu64 " d %u h", whole / 86400, (unsigned)(whole / 3600 % 24));
}

static void bytes_text(double bytes, char out[TEXT_MAX])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(out, TEXT_MAX, "%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
}

static void number_text(const struct figure *figure, const json_t *value, char out[TEXT_MAX])
{
    const double number = json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
    switch (figure->unit) {
    case UNIT_YES_NO:
        (void)snprintf(out, TEXT_MAX, "%s", number != 0 ? "yes" : "no");
        break;
    case UNIT_SECONDS:
        seconds_text(number, out);
        break;
    case UNIT_BYTES:
        bytes_text(number, out);
        break;
    case UNIT_TIME: {
        char text[TIME_TEXT_LEN];
        time_text_short(number <= 0 || number > 1e11 ? 0 : (uint64_t)(number * 1000), text);
        (void)snprintf(out, TEXT_MAX, "%s", text);
        break;
    }
    case UNIT_PER_SECOND:
        (void)snprintf(out, TEXT_MAX, "%.1f", number);
        break;
    case UNIT_NUMBER:
        (void)snprintf(out, TEXT_MAX, "%.0f", number);
        break;
    }
}

/* How many, how long on average, and by when nearly all were done. */
static void histogram_text(const json_t *value, char out[TEXT_MAX * 3])
{
    const double count = json_number_value(json_object_get(value, "count"));
    const double sum = json_number_value(json_object_get(value, "sum_seconds"));
    char mean[TEXT_MAX];
    char most[TEXT_MAX] = "";
    const char *bound;
    json_t *below;
    if (count <= 0) {
        (void)snprintf(out, (size_t)TEXT_MAX * 3, "none yet");
        return;
    }
    seconds_text(sum / count, mean);
    json_object_foreach(json_object_get(value, "buckets"), bound, below)
    {
        if (100 * json_number_value(below) >= 99 * count) {
            seconds_text(strtod(bound, NULL), most);
            break;
        }
    }
    const bool beyond = most[0] == '\0' || strcmp(bound, "+Inf") == 0;
    (void)snprintf(out, (size_t)TEXT_MAX * 3, "%s on average; 99 of 100 %s %s", mean,
                   beyond ? "took longer than" : "within", beyond ? "10 s" : most);
}

static void value_print(FILE *out, const struct figure *figure, const json_t *value)
{
    char text[TEXT_MAX * 3];
    if (figure->kind == FIGURE_TEXT) {
        text_print(out, json_is_string(value) ? json_string_value(value) : "?");
        return;
    }
    if (figure->kind == FIGURE_HISTOGRAM)
        histogram_text(value, text);
    else
        number_text(figure, value, text);
    (void)fputs(text, out);
}

/* ---- rows ---- */

static void title_print(FILE *out, const char *title)
{
    (void)fprintf(out, "  %-*s", TITLE_WIDTH, title);
}

static bool has_label(const struct figure *figure, const char *label)
{
    return figure->label != NULL && strcmp(figure->label, label) == 0;
}

/* "handshake 0, sql 0, password 3" */
static void words_print(FILE *out, const struct figure *figure, const json_t *object)
{
    const char *word;
    json_t *value;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)object, word, value)
    {
        const bool is_number = word[0] >= '0' && word[0] <= '9';
        (void)fprintf(out, "%s%s", first ? "" : ", ", is_number ? figure->label : "");
        (void)fputs(is_number ? " " : "", out);
        text_print(out, word);
        (void)fputs(is_number ? ": " : " ", out);
        value_print(out, figure, value);
        first = false;
    }
}

/* A line for each word that isn't 0; what they are together in front. */
static void causes_print(FILE *out, const struct figure *figure, const json_t *object)
{
    const char *word;
    json_t *value;
    double sum = 0;
    json_object_foreach((json_t *)(uintptr_t)object, word, value)
    {
        sum += json_number_value(value);
    }
    title_print(out, figure->title);
    (void)fprintf(out, "%.0f\n", sum);
    json_object_foreach((json_t *)(uintptr_t)object, word, value)
    {
        if (json_number_value(value) > 0) {
            title_print(out, "");
            (void)fprintf(out, "%-6.0f ", json_number_value(value));
            text_print(out, word);
            (void)fputc('\n', out);
        }
    }
}

static void figure_print(FILE *out, const struct figure *figure, const json_t *value)
{
    const char *word;
    json_t *one;
    char title[TEXT_MAX];
    if (figure->label == NULL) {
        title_print(out, figure->title);
        value_print(out, figure, value);
        (void)fputc('\n', out);
    } else if (!json_is_object(value)) {
        return;
    } else if (has_label(figure, "reason") || has_label(figure, "cause")) {
        causes_print(out, figure, value);
    } else if (figure->kind == FIGURE_HISTOGRAM) {
        json_object_foreach((json_t *)(uintptr_t)value, word, one)
        {
            (void)snprintf(title, sizeof title, "%s, ", figure->title);
            (void)fputs("  ", out);
            (void)fputs(title, out);
            text_print(out, word);
            const size_t used = strlen(title) + strlen(word);
            (void)fprintf(out, "%*s", used < TITLE_WIDTH ? (int)(TITLE_WIDTH - used) : 1, "");
            value_print(out, figure, one);
            (void)fputc('\n', out);
        }
    } else {
        title_print(out, figure->title);
        words_print(out, figure, value);
        (void)fputc('\n', out);
    }
}

/* ---- the table of connections: a row for each, a column for each figure that has one for each ---- */

static void cell_text(const struct figure *figure, const json_t *reply, const char *owner, char out[TEXT_MAX])
{
    const json_t *cell = json_object_get(json_object_get(reply, figure->name), owner);
    out[0] = '\0';
    if (figure->kind == FIGURE_TEXT)
        (void)snprintf(out, TEXT_MAX, "%s", json_is_string(cell) ? json_string_value(cell) : "");
    else if (cell != NULL)
        number_text(figure, cell, out);
}

static void cell_print(FILE *out, const char *text, size_t width)
{
    text_print(out, text);
    (void)fprintf(out, "%*s", strlen(text) < width ? (int)(width - strlen(text)) : 1, "");
}

/* As wide as what stands in it, and two. */
static size_t column_width(const struct figure *figure, const json_t *reply, const json_t *owners)
{
    size_t width = strlen(figure == NULL ? OWNERS_TITLE : figure->title);
    const char *owner;
    json_t *value;
    char text[TEXT_MAX];
    json_object_foreach((json_t *)(uintptr_t)owners, owner, value)
    {
        if (figure != NULL)
            cell_text(figure, reply, owner, text);
        const size_t len = strlen(figure == NULL ? owner : text);
        width = len > width ? len : width;
    }
    return width + 2;
}

static void connections_print(FILE *out, const json_t *reply)
{
    const json_t *owners = json_object_get(reply, figure_table[FIGURE_CONNECTION_STATE].name);
    size_t widths[FIGURE_COUNT] = { 0 };
    const char *owner;
    json_t *value;
    char text[TEXT_MAX];
    if (!json_is_object(owners) || json_object_size(owners) == 0)
        return;
    const size_t first = column_width(NULL, reply, owners);
    (void)fputs("  ", out);
    cell_print(out, OWNERS_TITLE, first);
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        if (has_label(&figure_table[i], "connection")) {
            widths[i] = column_width(&figure_table[i], reply, owners);
            cell_print(out, figure_table[i].title, widths[i]);
        }
    }
    (void)fputc('\n', out);
    json_object_foreach((json_t *)(uintptr_t)owners, owner, value)
    {
        (void)fputs("  ", out);
        cell_print(out, owner, first);
        for (size_t i = 0; i < FIGURE_COUNT; i++) {
            if (widths[i] == 0)
                continue;
            cell_text(&figure_table[i], reply, owner, text);
            cell_print(out, text, widths[i]);
        }
        (void)fputc('\n', out);
    }
}

/* ---- what is wrong, before everything else ---- */

static const char *text_of(const json_t *reply, enum figure_id id)
{
    const char *text = json_string_value(json_object_get(reply, figure_table[id].name));
    return text != NULL ? text : "it doesn't say why";
}

static bool is_no(const json_t *reply, enum figure_id id)
{
    return json_is_false(json_object_get(reply, figure_table[id].name));
}

static void wrong_print(FILE *out, const json_t *reply)
{
    const bool failing = json_object_get(reply, figure_table[FIGURE_DATABASE_FAILING].name) != NULL;
    const struct {
        bool is_so;
        const char *what;
        enum figure_id why;
    } wrongs[] = {
        { is_no(reply, FIGURE_READY), "people can't log in", FIGURE_NOT_READY },
        { failing, "the database fails at something", FIGURE_DATABASE_FAILING },
        { is_no(reply, FIGURE_MAIL_UP), "the mail server takes no mails", FIGURE_MAIL_ERROR },
    };
    bool any = false;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        if (!wrongs[i].is_so)
            continue;
        (void)fprintf(out, "%s  %s: ", any ? "" : "Wrong now\n", wrongs[i].what);
        text_print(out, text_of(reply, wrongs[i].why));
        (void)fputc('\n', out);
        any = true;
    }
    (void)fputs(any ? "\n" : "", out);
}

/* ---- the page ---- */

static void reply_print(FILE *out, const json_t *reply)
{
    const char *section = "";
    wrong_print(out, reply);
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        const struct figure *figure = &figure_table[i];
        const json_t *value = json_object_get(reply, figure->name);
        if (value == NULL || i == FIGURE_NOT_READY || i == FIGURE_DATABASE_FAILING)
            continue; /* the last two have been said first */
        if (strcmp(section, figure->section) != 0) {
            (void)fprintf(out, "%s%s\n", section[0] == '\0' ? "" : "\n", figure->section);
            section = figure->section;
        }
        if (i == FIGURE_CONNECTION_STATE)
            connections_print(out, reply);
        if (!has_label(figure, "connection"))
            figure_print(out, figure, value);
    }
}

int status_page_make(const json_t *reply, size_t columns, struct status_page *page)
{
    char *text = NULL;
    size_t len = 0;
    int result = 0;
    *page = (struct status_page){ 0 };
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return -1;
    reply_print(out, reply);
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return -1;
    }
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); result == 0 && rest != NULL; line = strsep(&rest, "\n"))
        result = status_page_add(page, line, columns);
    free(text);
    return result;
}
