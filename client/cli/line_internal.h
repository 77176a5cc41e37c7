/*
 * line_internal.h: the parts of line.h among themselves: line.c (the terminal, and what is printed) and line_input.c.
 */
#ifndef CLIENT_CLI_LINE_INTERNAL_H
#define CLIENT_CLI_LINE_INTERNAL_H

#include "client/cli/line.h"
#include "client/cli/line_editor.h"

#include <event2/util.h>
#include <termios.h>

struct event;
struct evbuffer;

struct line {
    struct event_base *base;
    struct line_handler handler;
    struct event *input;
    struct event *again; /* hands over what was read before a pause */
    struct event *resized;
    struct event *stopped;
    struct evbuffer *read; /* read, and not looked at yet */
    bool interactive;      /* a person sits at a terminal */
    bool plain;            /* ... that can't be drawn on: the prompt is printed, and the terminal edits the line */
    bool prompting;        /* plain: the prompt is wanted */
    bool prompted;         /* plain: the cursor stands behind it */
    bool colour;
    bool paused;
    bool at_end;                /* there is nothing more to read */
    bool ended;                 /* ... and the handler knows */
    bool skipping;              /* the rest of a line that was too long */
    bool output_gone;           /* nobody reads any more */
    bool put_back;              /* by the handler that is running */
    bool raw;                   /* the terminal is ours, and the prompt is drawn */
    struct line_editor *editor; /* NULL when plain, or not interactive */
    char *prompt;
    struct termios saved;
};

/* --- line.c --- */

/* Writes and frees `out`. */
void line_write_out(struct line *line, struct evbuffer *out);
/* The line that is edited. */
void line_draw(struct line *line);
/* A plain prompt: printed in the next turn of the loop, when all that is to be said now is said. */
void line_want_prompt(struct line *line);
void line_print_prompt(struct line *line);
/* What is appended next begins a line of its own. */
void line_leave_prompt(struct line *line, struct evbuffer *out);

/* --- line_input.c --- */

/* Standard input has something. */
void line_on_input(evutil_socket_t fd, short what, void *context);
/* What was put off: lines that were read during a pause, the prompt, the end of a line whose output is gone. */
void line_on_again(evutil_socket_t fd, short what, void *context);

#endif
