#include "client/cli/line_internal.h"

#include "client/cli/printable.h"
#include "client/cli/wrap.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char *const bracketed_paste_on = "\033[?2004h";
static const char *const bracketed_paste_off = "\033[?2004l";

bool line_is_interactive(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

static bool terminal_can_draw(void)
{
    const char *term = getenv("TERM");
    return term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

/* --- The terminal --- */

/* Writes it all at once, so that no half line is ever seen. Without a reader there is no use in going on. */
void line_write_out(struct line *line, struct evbuffer *out)
{
    while (evbuffer_get_length(out) > 0) {
        if (evbuffer_write(out, STDOUT_FILENO) >= 0 || errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            line->output_gone = true;
            event_active(line->again, 0, 0);
            break;
        }
        struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };
        (void)poll(&ready, 1, -1);
    }
    evbuffer_free(out);
}

static void add_string(struct evbuffer *out, const char *text)
{
    evbuffer_add(out, text, strlen(text));
}

static bool make_raw(struct line *line)
{
    if (tcgetattr(STDIN_FILENO, &line->saved) != 0) {
        return false;
    }
    struct termios raw = line->saved;
    /* Ctrl-C and Ctrl-Z are keys: as signals they would also meet a make or a script that started this program. */
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN | ISIG);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | IGNCR | ISTRIP);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

/* A plain prompt is printed in the next turn of the loop, when all that is to be said now is said. */
void line_want_prompt(struct line *line)
{
    if (line->prompting && !line->prompted) {
        event_active(line->again, 0, 0);
    }
}

void line_print_prompt(struct line *line)
{
    struct evbuffer *out = line->prompting && !line->prompted && !line->output_gone ? evbuffer_new() : NULL;
    if (out != NULL) {
        add_string(out, line->prompt);
        line->prompted = true;
        line_write_out(line, out);
    }
}

/* What is printed next begins a line of its own. */
void line_leave_prompt(struct line *line, struct evbuffer *out)
{
    if (line->prompted) {
        line->prompted = false;
        add_string(out, "\n");
    }
}

void line_draw(struct line *line)
{
    if (!line->raw) {
        return;
    }
    struct evbuffer *out = evbuffer_new();
    if (out != NULL) {
        line_editor_draw(line->editor, line->prompt, wrap_columns(), line->colour, out);
        line_write_out(line, out);
    }
}

void line_show(struct line *line)
{
    if (line->plain) {
        line->prompting = true;
        event_add(line->input, NULL);
        line_want_prompt(line);
        return;
    }
    if (!line->interactive || line->raw || !make_raw(line)) {
        return;
    }
    line->raw = true;
    event_add(line->input, NULL);
    struct evbuffer *out = evbuffer_new();
    if (out != NULL) {
        add_string(out, bracketed_paste_on);
        line_write_out(line, out);
    }
    line_draw(line);
}

void line_hide(struct line *line)
{
    if (!line->raw && !line->prompting) {
        return;
    }
    event_del(line->input);
    struct evbuffer *out = evbuffer_new();
    if (line->prompting) {
        line->prompting = false;
        if (out != NULL) {
            line_leave_prompt(line, out);
            line_write_out(line, out);
        }
        return;
    }
    line->raw = false;
    if (out != NULL) {
        line_editor_erase(line->editor, wrap_columns(), out);
        add_string(out, bracketed_paste_off);
        line_write_out(line, out);
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &line->saved);
}

static void on_resized(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    struct line *line = context;
    struct evbuffer *out = line->raw ? evbuffer_new() : NULL;
    if (out == NULL) {
        return;
    }
    line_editor_erase(line->editor, wrap_columns(), out);
    line_editor_draw(line->editor, line->prompt, wrap_columns(), line->colour, out);
    line_write_out(line, out);
}

/* By a signal: the shell gets its terminal as it was, and we ours when we go on. */
static void on_stopped(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    struct line *line = context;
    bool was_raw = line->raw;
    line_hide(line);
    (void)raise(SIGSTOP);
    if (was_raw) {
        line_show(line);
    }
}

/* --- Making and freeing --- */

struct line *line_new(struct event_base *base, const struct line_handler *handler)
{
    struct line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return NULL;
    }
    line->base = base;
    line->handler = *handler;
    line->paused = true;
    line->interactive = line_is_interactive();
    line->plain = line->interactive && !terminal_can_draw();
    bool editing = line->interactive && !line->plain;
    const char *no_color = getenv("NO_COLOR");
    line->colour = editing && (no_color == NULL || *no_color == '\0');
    line->prompt = strdup("");
    line->read = evbuffer_new();
    line->input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, line_on_input, line);
    line->again = event_new(base, -1, 0, line_on_again, line);
    line->resized = evsignal_new(base, SIGWINCH, on_resized, line);
    line->stopped = evsignal_new(base, SIGTSTP, on_stopped, line);
    line->editor = editing ? line_editor_new() : NULL;
    if (line->prompt == NULL || line->read == NULL || line->input == NULL || line->again == NULL ||
        line->resized == NULL || line->stopped == NULL || (editing && line->editor == NULL) ||
        (editing && (evsignal_add(line->resized, NULL) != 0 || evsignal_add(line->stopped, NULL) != 0))) {
        line_free(&line);
        return NULL;
    }
    return line;
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

void line_free(struct line **line)
{
    if (*line == NULL) {
        return;
    }
    line_hide(*line);
    free_event((*line)->input);
    free_event((*line)->again);
    free_event((*line)->resized);
    free_event((*line)->stopped);
    if ((*line)->read != NULL) {
        evbuffer_free((*line)->read);
    }
    line_editor_free(&(*line)->editor);
    free((*line)->prompt);
    free(*line);
    *line = NULL;
}

/* --- Output --- */

void line_set_prompt(struct line *line, const char *prompt)
{
    char *copy = strdup(prompt);
    if (copy == NULL) {
        return;
    }
    bool changed = strcmp(line->prompt, copy) != 0;
    free(line->prompt);
    line->prompt = copy;
    if (line->prompted && changed) {
        struct evbuffer *out = evbuffer_new();
        if (out != NULL) {
            line_leave_prompt(line, out);
            line_write_out(line, out);
        }
        line_want_prompt(line);
    }
    line_draw(line);
}

bool line_echoes(const struct line *line)
{
    return line->interactive && !line->plain;
}

bool line_is_empty(const struct line *line)
{
    size_t len = 0;
    if (line->editor != NULL) {
        line_editor_text(line->editor, &len);
    }
    return len == 0;
}

void line_clear(struct line *line)
{
    if (line->editor != NULL) {
        line_editor_set(line->editor, "", 0);
        line_draw(line);
    }
}

/* Starts what is printed in place of the input line; print_end brings that back below. */
static struct evbuffer *print_start(struct line *line)
{
    struct evbuffer *out = evbuffer_new();
    if (out != NULL && line->raw) {
        line_editor_erase(line->editor, wrap_columns(), out);
    } else if (out != NULL) {
        line_leave_prompt(line, out);
    }
    return out;
}

static void print_end(struct line *line, struct evbuffer *out)
{
    if (line->raw) {
        line_editor_draw(line->editor, line->prompt, wrap_columns(), line->colour, out);
    }
    line_write_out(line, out);
    line_want_prompt(line);
}

void line_message(struct line *line, const char *time, const char *name, bool own, const char *text)
{
    size_t used = strlen(time) + text_width(name, strlen(name)) + strlen(" : ");
    char *rows = wrap_text(text, wrap_columns(), used, WRAP_TEXT_MARGIN);
    struct evbuffer *out = rows != NULL ? print_start(line) : NULL;
    if (out != NULL) {
        if (line->colour) {
            evbuffer_add_printf(out, "\033[2m%s\033[0m %s%s:\033[0m ", time, own ? "\033[32m" : "\033[1;36m", name);
        } else {
            evbuffer_add_printf(out, "%s %s: ", time, name);
        }
        add_string(out, rows);
        add_string(out, "\n");
        print_end(line, out);
    }
    free(rows);
}

void line_notice(struct line *line, const char *format, ...)
{
    static const char mark[] = "-- ";
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
    }
    va_end(arguments);
    char *rows = text != NULL ? wrap_text(text, wrap_columns(), strlen(mark), "   ") : NULL;
    free(text);
    struct evbuffer *out = rows != NULL ? print_start(line) : NULL;
    if (out != NULL) {
        add_string(out, line->colour ? "\033[33m" : "");
        add_string(out, mark);
        add_string(out, rows);
        add_string(out, line->colour ? "\033[0m\n" : "\n");
        print_end(line, out);
    }
    free(rows);
}

void line_trace(struct line *line, const char *text)
{
    struct evbuffer *out = print_start(line);
    if (out != NULL) {
        line_write_out(line, out);
    }
    fprintf(stderr, "%s\n", text);
    line_draw(line);
    line_want_prompt(line);
}
