#include "client/cli/line_editor.h"

#include "client/cli/printable.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MIN 8

struct line_editor {
    struct key_decoder keys;
    char text[LINE_LEN_MAX + 1]; /* NUL-terminated */
    size_t len;
    size_t cursor;                   /* in bytes, at the start of a cluster or at the end */
    size_t view;                     /* the first byte that is drawn, likewise */
    char *history[LINE_HISTORY_MAX]; /* the oldest first */
    size_t history_count;
    size_t history_at;  /* the line that is shown; history_count: the person's own */
    char *draft;        /* the person's own line while an older one is shown */
    char *yank;         /* what was erased last */
    size_t drawn_width; /* in columns, of what is on the terminal; the cursor is drawn_cursor columns in */
    size_t drawn_cursor;
};

struct line_editor *line_editor_new(void)
{
    return calloc(1, sizeof(struct line_editor));
}

void line_editor_free(struct line_editor **editor)
{
    if (*editor == NULL) {
        return;
    }
    for (size_t i = 0; i < (*editor)->history_count; i++) {
        free((*editor)->history[i]);
    }
    free((*editor)->draft);
    free((*editor)->yank);
    free(*editor);
    *editor = NULL;
}

const char *line_editor_text(const struct line_editor *editor, size_t *len)
{
    *len = editor->len;
    return editor->text;
}

void line_editor_set(struct line_editor *editor, const char *text, size_t len)
{
    if (len > LINE_LEN_MAX) {
        len = LINE_LEN_MAX;
    }
    memmove(editor->text, text, len);
    editor->text[len] = '\0';
    editor->len = len;
    editor->cursor = len;
    editor->view = 0;
}

/* --- Changing the text --- */

static enum line_editor_result insert(struct line_editor *editor, const char *text, size_t len)
{
    if (len > LINE_LEN_MAX - editor->len) {
        return LINE_EDITOR_FULL;
    }
    memmove(editor->text + editor->cursor + len, editor->text + editor->cursor, editor->len - editor->cursor + 1);
    memcpy(editor->text + editor->cursor, text, len);
    editor->len += len;
    editor->cursor += len;
    return LINE_EDITOR_CHANGED;
}

/* Removes the bytes from `start` to `end`; the cursor is then at `start`. */
static enum line_editor_result erase(struct line_editor *editor, size_t start, size_t end, bool keep)
{
    if (start == end) {
        return LINE_EDITOR_NOTHING;
    }
    if (keep) {
        free(editor->yank);
        editor->yank = strndup(editor->text + start, end - start);
    }
    memmove(editor->text + start, editor->text + end, editor->len - end + 1);
    editor->len -= end - start;
    editor->cursor = start;
    if (editor->view > start) {
        editor->view = start;
    }
    return LINE_EDITOR_CHANGED;
}

static size_t left_of(const struct line_editor *editor)
{
    return editor->cursor - cluster_len_before(editor->text, editor->cursor);
}

static size_t right_of(const struct line_editor *editor)
{
    return editor->cursor + cluster_len(editor->text + editor->cursor, editor->len - editor->cursor);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static size_t word_left(const struct line_editor *editor)
{
    size_t at = editor->cursor;
    while (at > 0 && is_space(editor->text[at - 1])) {
        at--;
    }
    while (at > 0 && !is_space(editor->text[at - 1])) {
        at--;
    }
    return at;
}

static size_t word_right(const struct line_editor *editor)
{
    size_t at = editor->cursor;
    while (at < editor->len && is_space(editor->text[at])) {
        at++;
    }
    while (at < editor->len && !is_space(editor->text[at])) {
        at++;
    }
    return at;
}

static enum line_editor_result move_to(struct line_editor *editor, size_t cursor)
{
    if (cursor == editor->cursor) {
        return LINE_EDITOR_NOTHING;
    }
    editor->cursor = cursor;
    return LINE_EDITOR_CHANGED;
}

/* --- History --- */

static enum line_editor_result show_history(struct line_editor *editor, size_t at)
{
    if (editor->history_at == editor->history_count) {
        free(editor->draft);
        editor->draft = strndup(editor->text, editor->len);
    }
    editor->history_at = at;
    const char *text = at == editor->history_count ? editor->draft : editor->history[at];
    if (text == NULL) { /* memory was out for the draft */
        text = "";
    }
    line_editor_set(editor, text, strlen(text));
    return LINE_EDITOR_CHANGED;
}

static void remember(struct line_editor *editor)
{
    bool repeated = editor->history_count > 0 && strcmp(editor->history[editor->history_count - 1], editor->text) == 0;
    char *line = editor->len > 0 && !repeated ? strndup(editor->text, editor->len) : NULL;
    if (line == NULL) {
        return;
    }
    if (editor->history_count == LINE_HISTORY_MAX) {
        free(editor->history[0]);
        memmove(editor->history, editor->history + 1, (LINE_HISTORY_MAX - 1) * sizeof editor->history[0]);
        editor->history_count--;
    }
    editor->history[editor->history_count++] = line;
}

void line_editor_finish(struct line_editor *editor)
{
    remember(editor);
    editor->history_at = editor->history_count;
    free(editor->draft);
    editor->draft = NULL;
    line_editor_set(editor, "", 0);
}

/* --- Keys --- */

static enum line_editor_result moving_key(struct line_editor *editor, enum key key)
{
    switch (key) {
    case KEY_LEFT:
        return move_to(editor, left_of(editor));
    case KEY_RIGHT:
        return move_to(editor, right_of(editor));
    case KEY_WORD_LEFT:
        return move_to(editor, word_left(editor));
    case KEY_WORD_RIGHT:
        return move_to(editor, word_right(editor));
    case KEY_HOME:
        return move_to(editor, 0);
    case KEY_END:
        return move_to(editor, editor->len);
    case KEY_UP:
        return editor->history_at > 0 ? show_history(editor, editor->history_at - 1) : LINE_EDITOR_NOTHING;
    case KEY_DOWN:
        return editor->history_at < editor->history_count ? show_history(editor, editor->history_at + 1)
                                                          : LINE_EDITOR_NOTHING;
    default:
        return LINE_EDITOR_NOTHING;
    }
}

enum line_editor_result line_editor_byte(struct line_editor *editor, unsigned char byte)
{
    enum key key = key_decode(&editor->keys, byte);
    switch (key) {
    case KEY_NONE:
        return LINE_EDITOR_NOTHING;
    case KEY_TEXT:
        return insert(editor, editor->keys.text, editor->keys.text_len);
    case KEY_ENTER:
        return LINE_EDITOR_LINE;
    case KEY_BACKSPACE:
        return erase(editor, left_of(editor), editor->cursor, false);
    case KEY_CTRL_D:
        if (editor->len == 0) {
            return LINE_EDITOR_END;
        }
        return erase(editor, editor->cursor, right_of(editor), false);
    case KEY_DELETE:
        return erase(editor, editor->cursor, right_of(editor), false);
    case KEY_ERASE_TO_START:
        return erase(editor, 0, editor->cursor, true);
    case KEY_ERASE_TO_END:
        return erase(editor, editor->cursor, editor->len, true);
    case KEY_ERASE_WORD:
        return erase(editor, word_left(editor), editor->cursor, true);
    case KEY_ERASE_WORD_RIGHT:
        return erase(editor, editor->cursor, word_right(editor), true);
    case KEY_YANK:
        return editor->yank != NULL ? insert(editor, editor->yank, strlen(editor->yank)) : LINE_EDITOR_NOTHING;
    case KEY_CLEAR_SCREEN:
        return LINE_EDITOR_CLEAR;
    case KEY_CTRL_C:
        return LINE_EDITOR_INTERRUPT;
    case KEY_CTRL_Z:
        return LINE_EDITOR_STOP;
    default:
        return moving_key(editor, key);
    }
}

/* --- Drawing --- */

/* The cluster at `at` as it is drawn: its length in the text, its width, and (unless `out` is NULL) its bytes appended. */
static size_t draw_cluster(const char *text, size_t len, size_t at, size_t *width, struct evbuffer *out)
{
    size_t cluster = cluster_len(text + at, len - at);
    if (text[at] == '\n') {
        *width = 1;
        if (out != NULL) {
            evbuffer_add(out, "↵", strlen("↵"));
        }
        return cluster;
    }
    char *shown = printable(text + at, cluster, false);
    if (shown == NULL) {
        *width = 0;
        return cluster;
    }
    *width = text_width(shown, strlen(shown));
    if (out != NULL) {
        evbuffer_add(out, shown, strlen(shown));
    }
    free(shown);
    return cluster;
}

static size_t drawn_columns(const char *text, size_t len, size_t start, size_t end)
{
    size_t columns = 0;
    for (size_t at = start; at < end;) {
        size_t width;
        at += draw_cluster(text, len, at, &width, NULL);
        columns += width;
    }
    return columns;
}

/* Moves the view so that the cursor is inside, with a place for a mark at either end. */
static void scroll(struct line_editor *editor, size_t room)
{
    if (drawn_columns(editor->text, editor->len, 0, editor->len) < room) {
        editor->view = 0;
        return;
    }
    size_t inside = room - 2;
    if ((editor->view == 0 || editor->view < editor->cursor) &&
        drawn_columns(editor->text, editor->len, editor->view, editor->cursor) < inside) {
        return;
    }
    /* The cursor left the view: it comes to its middle. */
    size_t width = drawn_columns(editor->text, editor->len, 0, editor->cursor);
    size_t at = 0;
    while (width > inside / 2) {
        size_t columns;
        at += draw_cluster(editor->text, editor->len, at, &columns, NULL);
        width -= columns;
    }
    editor->view = at;
}

/* A prompt that would take more than half of the row loses its beginning. */
static size_t draw_prompt(const char *prompt, size_t columns, bool colour, struct evbuffer *out)
{
    size_t width = text_width(prompt, strlen(prompt));
    bool cut = width > columns / 2;
    while (width >= columns / 2 && cut && *prompt != '\0') {
        size_t cluster = cluster_len(prompt, strlen(prompt));
        width -= text_width(prompt, cluster);
        prompt += cluster;
    }
    evbuffer_add_printf(out, "\r%s%s%s%s", colour ? "\033[1m" : "", cut ? "…" : "", prompt, colour ? "\033[0m" : "");
    return width + (cut ? 1 : 0);
}

/* From the view to `end`, at most `room` columns; returns the columns taken. */
static size_t draw_text(const struct line_editor *editor, size_t end, size_t room, struct evbuffer *out)
{
    size_t columns = 0;
    if (editor->view > 0) {
        evbuffer_add(out, "<", 1);
        columns = 1;
    }
    for (size_t at = editor->view; at < end;) {
        size_t width;
        size_t cluster = draw_cluster(editor->text, editor->len, at, &width, NULL);
        bool last = at + cluster >= editor->len;
        if (columns + width + (last ? 0 : 1) > room) {
            evbuffer_add(out, ">", 1);
            return columns + 1;
        }
        draw_cluster(editor->text, editor->len, at, &width, out);
        columns += width;
        at += cluster;
    }
    return columns;
}

void line_editor_draw(struct line_editor *editor, const char *prompt, size_t columns, bool colour, struct evbuffer *out)
{
    if (columns < COLUMNS_MIN) {
        columns = COLUMNS_MIN;
    }
    size_t prompt_width = draw_prompt(prompt, columns, colour, out);
    size_t room = columns - prompt_width - 1;
    scroll(editor, room);
    editor->drawn_width = prompt_width + draw_text(editor, editor->len, room, out);
    editor->drawn_cursor = editor->drawn_width;
    evbuffer_add_printf(out, "\033[K");
    if (editor->cursor < editor->len) {
        /* What stands before the cursor once more, so that the cursor is where the terminal has put it, also when that
         * knows other widths than we. */
        draw_prompt(prompt, columns, colour, out);
        editor->drawn_cursor = prompt_width + draw_text(editor, editor->cursor, room, out);
    }
}

void line_editor_erase(struct line_editor *editor, size_t columns, struct evbuffer *out)
{
    size_t rows = columns > 0 && editor->drawn_width > columns ? editor->drawn_cursor / columns : 0;
    if (rows > 0) {
        evbuffer_add_printf(out, "\033[%zuA", rows);
    }
    evbuffer_add_printf(out, "\r\033[J");
    editor->drawn_width = 0;
    editor->drawn_cursor = 0;
}
