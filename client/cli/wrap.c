#include "client/cli/wrap.h"

#include "client/cli/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80
/* So many columns of text a row has at least, also where the terminal is too narrow for that. */
#define ROOM_MIN 4

size_t wrap_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        return 0;
    }
    return size.ws_col > 0 ? size.ws_col : DEFAULT_COLUMNS;
}

/* Where the row that starts at `start` ends: before a newline, at the end, or where it would take more than `room`. */
static size_t row_end(const char *text, size_t len, size_t start, size_t room)
{
    size_t taken = 0;
    size_t behind_blank = start;
    size_t at = start;
    while (at < len && text[at] != '\n') {
        size_t cluster = cluster_len(text + at, len - at);
        size_t columns = text_width(text + at, cluster);
        if (columns > room - taken && at > start) {
            return text[at] == ' ' ? at + 1 : behind_blank > start ? behind_blank : at;
        }
        taken += columns < room - taken ? columns : room - taken;
        if (text[at] == ' ') {
            behind_blank = at + cluster;
        }
        at += cluster;
    }
    return at;
}

/* One column is left free: for the blank that a row may end with, and for terminals that go on at the last one. */
static size_t room_of(size_t columns, size_t used)
{
    if (columns == 0) {
        return SIZE_MAX;
    }
    return columns > used + ROOM_MIN + 1 ? columns - used - 1 : ROOM_MIN;
}

char *wrap_text(const char *text, size_t columns, size_t used, const char *margin)
{
    char *rows = NULL;
    size_t rows_len;
    FILE *out = open_memstream(&rows, &rows_len);
    if (out == NULL) {
        return NULL;
    }
    size_t len = strlen(text);
    size_t room = room_of(columns, used);
    for (size_t at = 0;;) {
        size_t end = row_end(text, len, at, room);
        size_t shown = end;
        while (end < len && shown > at && text[shown - 1] == ' ') {
            shown--;
        }
        (void)fwrite(text + at, 1, shown - at, out);
        if (end == len) {
            break;
        }
        fprintf(out, "\n%s", margin);
        room = room_of(columns, text_width(margin, strlen(margin)));
        at = end + (text[end] == '\n' ? 1 : 0);
    }
    bool good = ferror(out) == 0;
    if (fclose(out) != 0 || !good) {
        free(rows);
        return NULL;
    }
    return rows;
}
