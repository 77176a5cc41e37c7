/* status_screen.c: kdcd's status on a terminal, refreshed in place. Each picture leaves in one write and overwrites the one
 * before, line by line: nothing flickers. What was on the screen is there again afterwards. */
#include "kdc/admin/output.h"
#include "kdc/admin/status.h"
#include "kdc/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

#define TIMEOUT_MS 2000 /* Ctrl-C isn't heard while kdcd is asked */

#define ENTER "\033[?1049h\033[?25l\033[H"
#define LEAVE "\033[?25h\033[?1049l"

struct screen {
    struct admin *admin;
    unsigned seconds;
    struct termios before;   /* the terminal's settings */
    bool has_keys;           /* and standard input is one */
    json_t *reply;           /* what kdcd said last; NULL: nothing yet */
    struct status_page page; /* of the reply, for so many columns */
    size_t columns;
    char trouble[CONTROL_ERROR_MAX]; /* empty: the reply is what kdcd says */
    bool is_running;                 /* where there is trouble */
    char time[TIME_TEXT_LEN];        /* of the reply */
    char trouble_time[TIME_TEXT_LEN];
    size_t top;  /* line of the page that is the first to be seen */
    size_t rows; /* of the page that can be seen */
};

static int write_all(const char *text, size_t len)
{
    while (len > 0) {
        const ssize_t written = write(STDOUT_FILENO, text, len);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
    return 0;
}

static int enter(const struct screen *screen)
{
    if (screen->has_keys) {
        struct termios keys = screen->before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
    }
    return write_all(ENTER, sizeof ENTER - 1);
}

static void leave(const struct screen *screen)
{
    (void)write_all(LEAVE, sizeof LEAVE - 1);
    if (screen->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

/* As much of a line as fits, and the rest of the row empty. */
static void row_print(FILE *out, const char *text, size_t columns)
{
    size_t used = 0;
    while (*text != '\0') {
        utf8proc_int32_t code = 0;
        const utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
        const size_t width = len > 0 ? (size_t)utf8proc_charwidth(code) : 1;
        if (len <= 0 || used + width > columns)
            break;
        (void)fwrite(text, 1, (size_t)len, out);
        used += width;
        text += len;
    }
    (void)fputs("\033[K", out);
}

static void head_print(FILE *out, const struct screen *screen, size_t columns)
{
    char line[512];
    char *clean = NULL;
    size_t len = 0;
    FILE *copy = open_memstream(&clean, &len);
    if (screen->trouble[0] != '\0')
        (void)snprintf(line, sizeof line, "%s  kdcd %s%s%s", screen->trouble_time,
                       screen->is_running ? "doesn't answer" : "isn't running",
                       screen->reply == NULL ? "" : "; as it was ", screen->reply == NULL ? "" : screen->time);
    else
        (void)snprintf(line, sizeof line, "%s  every %u s; q ends, up and down scroll", screen->time, screen->seconds);
    if (copy == NULL)
        return;
    text_print(copy, line);
    (void)fclose(copy);
    (void)fputs("\033[7m", out);
    row_print(out, clean, columns);
    (void)fputs("\033[0m", out);
    free(clean);
}

/* Anew for what was said, or for a window of another size. */
static int page_make(struct screen *screen, size_t columns)
{
    char *trouble = NULL;
    size_t len = 0;
    status_page_clear(&screen->page);
    screen->columns = columns;
    if (screen->reply != NULL)
        return status_page_make(screen->reply, columns, &screen->page);
    FILE *out = open_memstream(&trouble, &len);
    if (out == NULL)
        return -1;
    text_print(out, screen->trouble);
    const int made = fclose(out) == 0 ? status_page_add(&screen->page, trouble, columns) : -1;
    free(trouble);
    return made;
}

static int draw(struct screen *screen)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    char *text = NULL;
    size_t len = 0;
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const size_t rows = size.ws_row < 2 ? 2 : size.ws_row;
    const size_t columns = size.ws_col < 1 ? 80 : size.ws_col;
    screen->rows = rows - 1;
    if (columns != screen->columns && page_make(screen, columns) != 0)
        return -1;
    const size_t last = screen->page.count > screen->rows ? screen->page.count - screen->rows : 0;
    screen->top = screen->top > last ? last : screen->top;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return -1;
    (void)fputs("\033[H", out);
    head_print(out, screen, columns);
    for (size_t i = 0; i < screen->rows && screen->top + i < screen->page.count; i++) {
        (void)fputs("\r\n", out);
        row_print(out, screen->page.lines[screen->top + i], columns);
    }
    (void)fputs("\033[J", out);
    const bool whole = fclose(out) == 0;
    const int drawn = whole ? write_all(text, len) : -1;
    free(text);
    return drawn;
}

/* Asks kdcd. One that isn't there is told in the first row; what it said last stays below, or, if that is nothing, why. */
static void refresh(struct screen *screen)
{
    json_t *reply = NULL;
    const enum control_result result = status_ask(screen->admin, TIMEOUT_MS, &reply, screen->trouble);
    screen->columns = 0; /* the page is an old one */
    screen->is_running = result != CONTROL_NOT_RUNNING;
    time_text_short((uint64_t)time(NULL) * 1000, result == CONTROL_OK ? screen->time : screen->trouble_time);
    if (result == CONTROL_OK) {
        screen->trouble[0] = '\0';
        json_decref(screen->reply);
        screen->reply = reply;
    }
}

/* What was typed; true: it is to end. */
static bool keys_take(struct screen *screen)
{
    char keys[64];
    const ssize_t len = read(STDIN_FILENO, keys, sizeof keys - 1);
    if (len <= 0) {
        screen->has_keys = len < 0 && (errno == EAGAIN || errno == EINTR);
        return false;
    }
    keys[len] = '\0';
    const size_t page = screen->rows > 1 ? screen->rows - 1 : 1;
    for (const char *at = keys; *at != '\0'; at++) {
        if (*at == 'q' || *at == 'Q')
            return true;
        if (*at == 'k' || strncmp(at, "\033[A", 3) == 0 || strncmp(at, "\033OA", 3) == 0)
            screen->top -= screen->top > 0;
        else if (*at == 'j' || strncmp(at, "\033[B", 3) == 0 || strncmp(at, "\033OB", 3) == 0)
            screen->top++;
        else if (*at == 'b' || strncmp(at, "\033[5~", 4) == 0)
            screen->top -= screen->top > page ? page : screen->top;
        else if (*at == ' ' || strncmp(at, "\033[6~", 4) == 0)
            screen->top += page;
    }
    return false;
}

/* Until the next turn is due. 1: go on; 0: it is to end; -1: the terminal is gone. */
static int wait_turn(struct screen *screen, uint64_t next)
{
    for (uint64_t now = clock_monotonic_ms();; now = clock_monotonic_ms()) {
        const bool typed = status_wait(now < next ? (int)(next - now) : 0, screen->has_keys ? STDIN_FILENO : -1);
        const struct status_signals signals = status_signals_take();
        if (signals.ended || (typed && keys_take(screen)))
            return 0;
        if (signals.suspended) {
            leave(screen);
            status_suspend();
        }
        if ((signals.suspended || signals.resumed) && enter(screen) != 0)
            return -1;
        if ((typed || signals.suspended || signals.resumed || signals.resized) && draw(screen) != 0)
            return -1;
        if (clock_monotonic_ms() >= next)
            return 1;
    }
}

enum exit_code status_screen(struct admin *admin, unsigned seconds)
{
    struct screen screen = { .admin = admin, .seconds = seconds };
    int goes_on = 1;
    screen.has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.before) == 0;
    const bool had_keys = screen.has_keys;
    status_signals_begin();
    if (enter(&screen) != 0)
        goes_on = -1;
    while (goes_on > 0) {
        refresh(&screen);
        goes_on = draw(&screen) != 0 ? -1 : wait_turn(&screen, clock_monotonic_ms() + (uint64_t)seconds * 1000);
    }
    screen.has_keys = had_keys;
    leave(&screen);
    status_page_clear(&screen.page);
    json_decref(screen.reply);
    return goes_on < 0 ? complain(EXIT_OTHER, "the terminal can't be written to, or memory is out") : EXIT_DONE;
}
