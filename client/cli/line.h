/*
 * line.h: where lines come from and go to. On a terminal: a line editor at the bottom, and everything else printed above
 * it, so that nothing tears what is being typed. On a terminal that can't be drawn on (TERM is dumb or missing): a prompt, and
 * the terminal's own editing; what is printed meanwhile starts on a new line. Without one (a pipe, a file): lines as they
 * are, no prompt.
 *
 * Owns the terminal's settings while it is there and puts them back at line_free, and whenever the program is stopped
 * (Ctrl-Z). One for a program; belongs to the event_base's thread.
 */
#ifndef CLIENT_CLI_LINE_H
#define CLIENT_CLI_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct line;

struct line_handler {
    void *context;
    /* A line without its newline; NUL-terminated as well. Not called while paused. */
    void (*line)(void *context, const char *text, size_t len);
    /* The person wants to leave; `gone`: there is no more input. */
    void (*end)(void *context, bool gone);
};

/* True when a person sits at a terminal: standard input and output both. */
bool line_is_interactive(void);

/* Starts paused and hidden; nothing is read before. NULL when memory is out or the terminal doesn't answer. */
struct line *line_new(struct event_base *base, const struct line_handler *handler) __attribute__((warn_unused_result));
/* Removes the prompt, restores the terminal, frees, sets *line to NULL. */
void line_free(struct line **line);

/* While paused no line is handed over; on a terminal one can go on typing. */
void line_pause(struct line *line);
void line_resume(struct line *line);
/* In the handler, without a terminal: this line couldn't be taken now; it is handed over again after line_resume. */
void line_put_back(struct line *line);

/* Removes the prompt and restores the terminal, to ask something else; line_show brings it back. */
void line_hide(struct line *line);
void line_show(struct line *line);

/* What stands before the input; copied. Shown on a terminal only. */
void line_set_prompt(struct line *line, const char *prompt);
/* True when a line that was typed is taken off the screen: who wants to see it prints it. */
bool line_echoes(const struct line *line);
/* True when nothing is being typed, as far as we know. */
bool line_is_empty(const struct line *line);
/* Empties what is being typed. */
void line_clear(struct line *line);

/* These print whole lines, above the prompt; what they are given is made safe for a terminal by the caller. On a terminal
 * they are cut into rows (wrap.h). Colours are used on a terminal only, and never with NO_COLOR.
 * "14:03:05 bob: text"; `own` has another colour. */
void line_message(struct line *line, const char *time, const char *name, bool own, const char *text);
/* "-- " and the text. */
void line_notice(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To standard error. */
void line_trace(struct line *line, const char *text);

#endif
