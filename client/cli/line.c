#include "client/cli/line.h"

#include "client/cli/line_editor.h"

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
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80
#define READ_LEN 4096
/* Of a longer line from a pipe no more than this is handed over: far over what a text may be, so it is refused anyway. */
#define PIPE_LINE_MAX 65536

static const char *const bracketed_paste_on = "\033[?2004h";
static const char *const bracketed_paste_off = "\033[?2004l";

struct line {
    struct event_base *base;
    struct line_handler handler;
    struct event *input;
    struct event *again; /* hands over what was read before a pause */
    struct event *resized;
    struct event *stopped;
    struct evbuffer *read; /* read, and not looked at yet */
    bool interactive;
    bool colour;
    bool paused;
    bool at_end;                /* there is nothing more to read */
    bool ended;                 /* ... and the handler knows */
    bool skipping;              /* the rest of a line that was too long */
    bool output_gone;           /* nobody reads any more */
    bool put_back;              /* by the handler that is running */
    bool raw;                   /* the terminal is ours, and the prompt is drawn */
    struct line_editor *editor; /* interactive only */
    char *prompt;
    struct termios saved;
};

bool line_is_interactive(void)
{
    const char *term = getenv("TERM");
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

/* --- The terminal --- */

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return DEFAULT_COLUMNS;
    }
    return size.ws_col;
}

/* Writes it all at once, so that no half line is ever seen. Without a reader there is no use in going on. */
static void write_out(struct line *line, struct evbuffer *out)
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
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | IGNCR | ISTRIP);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void draw(struct line *line)
{
    if (!line->raw) {
        return;
    }
    struct evbuffer *out = evbuffer_new();
    if (out != NULL) {
        line_editor_draw(line->editor, line->prompt, terminal_columns(), line->colour, out);
        write_out(line, out);
    }
}

void line_show(struct line *line)
{
    if (!line->interactive || line->raw || !make_raw(line)) {
        return;
    }
    line->raw = true;
    event_add(line->input, NULL);
    struct evbuffer *out = evbuffer_new();
    if (out != NULL) {
        add_string(out, bracketed_paste_on);
        write_out(line, out);
    }
    draw(line);
}

void line_hide(struct line *line)
{
    if (!line->raw) {
        return;
    }
    line->raw = false;
    event_del(line->input);
    struct evbuffer *out = evbuffer_new();
    if (out != NULL) {
        line_editor_erase(line->editor, terminal_columns(), out);
        add_string(out, bracketed_paste_off);
        write_out(line, out);
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
    line_editor_erase(line->editor, terminal_columns(), out);
    line_editor_draw(line->editor, line->prompt, terminal_columns(), line->colour, out);
    write_out(line, out);
}

/* Ctrl-Z: the shell gets its terminal as it was, and we ours when we go on. */
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

/* --- Input --- */

static void end(struct line *line)
{
    if (!line->ended) {
        line->ended = true;
        event_del(line->input);
        line->handler.end(line->handler.context, true);
    }
}

/* A finished line of the editor: taken off the screen, the handler prints what it wants to be seen of it. */
static void hand_over_edited(struct line *line)
{
    size_t len;
    const char *text = line_editor_text(line->editor, &len);
    char *copy = strndup(text, len);
    if (copy == NULL) {
        return;
    }
    line_editor_finish(line->editor);
    line->put_back = false;
    line->handler.line(line->handler.context, copy, strlen(copy));
    if (line->put_back) {
        line_editor_set(line->editor, copy, strlen(copy));
    }
    free(copy);
}

static void edit(struct line *line)
{
    unsigned char byte;
    bool changed = false;
    while (!line->ended && evbuffer_copyout(line->read, &byte, 1) == 1) {
        enum line_editor_result result = line_editor_byte(line->editor, byte);
        if (result == LINE_EDITOR_LINE && line->paused) {
            return; /* the byte stays, and with it what comes behind */
        }
        evbuffer_drain(line->read, 1);
        changed = changed || result != LINE_EDITOR_NOTHING;
        if (result == LINE_EDITOR_LINE) {
            hand_over_edited(line);
        } else if (result == LINE_EDITOR_END) {
            line->handler.end(line->handler.context, false);
        } else if (result == LINE_EDITOR_FULL) {
            (void)!write(STDOUT_FILENO, "\a", 1);
        } else if (result == LINE_EDITOR_CLEAR) {
            (void)!write(STDOUT_FILENO, "\033[H\033[2J", 7);
        }
    }
    if (changed) {
        draw(line);
    }
}

/* The first `len` bytes that were read, as a line. False: they weren't taken. */
static bool hand_over_piece(struct line *line, size_t len)
{
    char *text = malloc(len + 1);
    if (text == NULL) {
        return false;
    }
    evbuffer_copyout(line->read, text, len);
    text[len] = '\0';
    line->put_back = false;
    line->handler.line(line->handler.context, text, len);
    free(text);
    line->paused = line->paused || line->put_back;
    return !line->put_back;
}

static void hand_over_read(struct line *line)
{
    while (!line->paused && !line->ended) {
        size_t waiting = evbuffer_get_length(line->read);
        struct evbuffer_ptr newline = evbuffer_search(line->read, "\n", 1, NULL);
        size_t len = newline.pos >= 0 ? (size_t)newline.pos : waiting;
        if (newline.pos < 0 && waiting < PIPE_LINE_MAX && !line->at_end) {
            return;
        }
        if (newline.pos < 0 && waiting == 0) {
            end(line);
            return;
        }
        size_t used = len + (newline.pos >= 0 ? 1 : 0);
        if (!line->skipping && !hand_over_piece(line, len)) {
            return;
        }
        line->skipping = newline.pos < 0;
        evbuffer_drain(line->read, used);
    }
}

static void look_at_input(struct line *line)
{
    if (line->interactive) {
        edit(line);
    } else {
        hand_over_read(line);
    }
    /* Paused, so much may wait and no more: the writer of the pipe waits with us. */
    if (line->at_end || line->ended || evbuffer_get_length(line->read) > PIPE_LINE_MAX) {
        event_del(line->input);
    } else if (line->raw || !line->interactive) {
        event_add(line->input, NULL);
    }
}

static void on_input(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct line *line = context;
    int got = evbuffer_read(line->read, fd, READ_LEN);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (got <= 0) {
        line->at_end = true;
        if (line->interactive) { /* the terminal is gone */
            end(line);
            return;
        }
    }
    look_at_input(line);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct line *line = context;
    if (line->output_gone) {
        end(line);
    } else {
        look_at_input(line);
    }
}

void line_pause(struct line *line)
{
    line->paused = true;
}

void line_resume(struct line *line)
{
    if (line->paused) {
        line->paused = false;
        /* Not from here: a caller inside the handler would be called again. */
        event_active(line->again, 0, 0);
    }
}

void line_put_back(struct line *line)
{
    line->put_back = true;
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
    const char *no_color = getenv("NO_COLOR");
    line->colour = line->interactive && (no_color == NULL || *no_color == '\0');
    line->prompt = strdup("");
    line->read = evbuffer_new();
    line->input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, line);
    line->again = event_new(base, -1, 0, on_again, line);
    line->resized = evsignal_new(base, SIGWINCH, on_resized, line);
    line->stopped = evsignal_new(base, SIGTSTP, on_stopped, line);
    line->editor = line->interactive ? line_editor_new() : NULL;
    if (line->prompt == NULL || line->read == NULL || line->input == NULL || line->again == NULL ||
        line->resized == NULL || line->stopped == NULL || (line->interactive && line->editor == NULL) ||
        (line->interactive && (evsignal_add(line->resized, NULL) != 0 || evsignal_add(line->stopped, NULL) != 0))) {
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
    if (copy != NULL) {
        free(line->prompt);
        line->prompt = copy;
        draw(line);
    }
}

bool line_is_empty(const struct line *line)
{
    size_t len = 0;
    if (line->interactive) {
        line_editor_text(line->editor, &len);
    }
    return len == 0;
}

void line_clear(struct line *line)
{
    if (line->interactive) {
        line_editor_set(line->editor, "", 0);
        draw(line);
    }
}

/* Starts what is printed in place of the input line; print_end brings that back below. */
static struct evbuffer *print_start(struct line *line)
{
    struct evbuffer *out = evbuffer_new();
    if (out != NULL && line->raw) {
        line_editor_erase(line->editor, terminal_columns(), out);
    }
    return out;
}

static void print_end(struct line *line, struct evbuffer *out)
{
    if (line->raw) {
        line_editor_draw(line->editor, line->prompt, terminal_columns(), line->colour, out);
    }
    write_out(line, out);
}

void line_message(struct line *line, const char *time, const char *name, bool own, const char *text)
{
    struct evbuffer *out = print_start(line);
    if (out == NULL) {
        return;
    }
    if (line->colour) {
        evbuffer_add_printf(out, "\033[2m%s\033[0m %s%s:\033[0m %s\n", time, own ? "\033[32m" : "\033[1;36m", name,
                            text);
    } else {
        evbuffer_add_printf(out, "%s %s: %s\n", time, name, text);
    }
    print_end(line, out);
}

void line_notice(struct line *line, const char *format, ...)
{
    struct evbuffer *out = print_start(line);
    if (out == NULL) {
        return;
    }
    add_string(out, line->colour ? "\033[33m-- " : "-- ");
    va_list arguments;
    va_start(arguments, format);
    evbuffer_add_vprintf(out, format, arguments);
    va_end(arguments);
    add_string(out, line->colour ? "\033[0m\n" : "\n");
    print_end(line, out);
}

void line_trace(struct line *line, const char *text)
{
    struct evbuffer *out = print_start(line);
    if (out != NULL) {
        write_out(line, out);
    }
    fprintf(stderr, "%s\n", text);
    draw(line);
}
