/*
 * line_editor.h: one line of input that a person edits, drawn on one row of a terminal. Keys in, bytes for the terminal
 * out, no I/O. A line that is wider than the terminal scrolls sideways, so that it never takes a second row: whatever
 * is printed between two drawings can't tear it. A pasted text may hold newlines; they are drawn as a picture.
 */
#ifndef CLIENT_CLI_LINE_EDITOR_H
#define CLIENT_CLI_LINE_EDITOR_H

#include "client/cli/keys.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest line: a text of the longest kind with a name in front of it. */
#define LINE_LEN_MAX (16384 + 64)
#define LINE_HISTORY_MAX 200

struct evbuffer;
struct line_editor;

enum line_editor_result {
    LINE_EDITOR_NOTHING, /* nothing to see */
    LINE_EDITOR_CHANGED, /* to be drawn again */
    LINE_EDITOR_CLEAR,   /* the screen is to be cleared, and the line drawn again */
    LINE_EDITOR_FULL,    /* what was typed has no room */
    LINE_EDITOR_LINE,    /* a line is complete: line_editor_text, then line_editor_finish */
    LINE_EDITOR_END,     /* the person ended the input */
    LINE_EDITOR_INTERRUPT,
    LINE_EDITOR_STOP, /* the shell is wanted */
};

/* NULL when memory is out. */
struct line_editor *line_editor_new(void) __attribute__((warn_unused_result));
/* Frees it and sets *editor to NULL. */
void line_editor_free(struct line_editor **editor);

enum line_editor_result line_editor_byte(struct line_editor *editor, unsigned char byte);

/* What the line holds, NUL-terminated; lent until the next call. */
const char *line_editor_text(const struct line_editor *editor, size_t *len);
/* Takes the line into the history and starts an empty one. */
void line_editor_finish(struct line_editor *editor);
/* Replaces what the line holds, with the cursor at its end; cut at LINE_LEN_MAX. */
void line_editor_set(struct line_editor *editor, const char *text, size_t len);

/* Appends what draws the line at the cursor's row: the prompt (bold when `colour`), the part of the line around the
 * cursor, and the cursor in its place. `columns` is the terminal's width. */
void line_editor_draw(struct line_editor *editor, const char *prompt, size_t columns, bool colour,
                      struct evbuffer *out);
/* Appends what removes the line that was drawn last. `columns` is the terminal's width now: when that became less
 * since, the terminal has wrapped the line. */
void line_editor_erase(struct line_editor *editor, size_t columns, struct evbuffer *out);

#endif
