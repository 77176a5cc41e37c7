/* What comes in: keys for the editor, or lines. */
#include "client/cli/job.h"
#include "client/cli/line_internal.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_LEN 4096
/* Of a longer line from a pipe no more than this is handed over: far over what a text may be, so it is refused anyway. */
#define PIPE_LINE_MAX 65536

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
    line->handler.line(line->handler.context, copy, strlen(copy));
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
        } else if (result == LINE_EDITOR_INTERRUPT) {
            evbuffer_drain(line->read, evbuffer_get_length(line->read)); /* typed before it was looked at */
            (void)raise(SIGINT);
        } else if (result == LINE_EDITOR_STOP) {
            line_hide(line);
            job_stop();
            line_show(line);
        } else if (result == LINE_EDITOR_FULL) {
            (void)!write(STDOUT_FILENO, "\a", 1);
        } else if (result == LINE_EDITOR_CLEAR) {
            (void)!write(STDOUT_FILENO, "\033[H\033[2J", 7);
        }
    }
    if (changed) {
        line_draw(line);
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
    for (char *tab = text; line->plain && (tab = memchr(tab, '\t', len - (size_t)(tab - text))) != NULL;) {
        *tab = ' ';
    }
    line->prompted = false; /* the terminal has echoed the newline */
    line->put_back = false;
    line->handler.line(line->handler.context, text, len);
    free(text);
    line->paused = line->paused || line->put_back;
    line_want_prompt(line);
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
    if (line->editor != NULL) {
        edit(line);
    } else {
        hand_over_read(line);
    }
    /* Paused, so much may wait and no more: the writer of the pipe waits with us. */
    if (line->at_end || line->ended || evbuffer_get_length(line->read) > PIPE_LINE_MAX) {
        event_del(line->input);
    } else if (line->raw || line->prompting || !line->interactive) {
        event_add(line->input, NULL);
    }
}

void line_on_input(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct line *line = context;
    int got = evbuffer_read(line->read, fd, READ_LEN);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (got == 0 && line->plain) { /* Ctrl-D: the terminal goes on */
        struct evbuffer *out = evbuffer_new();
        if (out != NULL) {
            line_leave_prompt(line, out);
            line_write_out(line, out);
        }
        line->handler.end(line->handler.context, false);
        line_want_prompt(line);
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

void line_on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct line *line = context;
    if (line->output_gone) {
        end(line);
    } else {
        look_at_input(line);
        line_print_prompt(line);
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
