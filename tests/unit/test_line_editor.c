/* The line that a person edits: keys in, and what a small terminal would then show. */
#include "client/cli/line_editor.h"
#include "client/cli/printable.h"
#include "tests/unit/cmocka_all.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define UP "\033[A"
#define DOWN "\033[B"
#define HOME "\033[H"
#define END "\033[F"

static int set_up(void **state)
{
    *state = line_editor_new();
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    line_editor_free((struct line_editor **)state);
    return 0;
}

/* Types it, finishing each line; returns the last result. */
static enum line_editor_result type(struct line_editor *editor, const char *keys)
{
    enum line_editor_result result = LINE_EDITOR_NOTHING;
    for (const char *at = keys; *at != '\0'; at++) {
        result = line_editor_byte(editor, (unsigned char)*at);
        if (result == LINE_EDITOR_LINE) {
            line_editor_finish(editor);
        }
    }
    return result;
}

static void assert_line(const struct line_editor *editor, const char *expected)
{
    size_t len;
    assert_string_equal(line_editor_text(editor, &len), expected);
    assert_int_equal(len, strlen(expected));
}

/* One row of a terminal that knows carriage return, "erase to the end" and styles. The cursor's column is returned, the row
 * without spaces at its end is in `row`. Fails when anything goes past the last column, or to another row. */
static size_t terminal_row(struct evbuffer *out, size_t columns, char *row, size_t room)
{
    char cells[200][16] = { "" };
    size_t cursor = 0;
    size_t len = evbuffer_get_length(out);
    const char *bytes = (const char *)evbuffer_pullup(out, -1);
    assert_true(columns < 200);
    for (size_t at = 0; at < len;) {
        if (bytes[at] == '\r') {
            cursor = 0;
            at++;
        } else if (bytes[at] == '\033') {
            assert_int_equal(bytes[at + 1], '[');
            at += 2;
            while ((bytes[at] >= '0' && bytes[at] <= '9') || bytes[at] == ';') {
                at++;
            }
            if (bytes[at] == 'K') {
                for (size_t i = cursor; i < columns; i++) {
                    cells[i][0] = '\0';
                }
            } else {
                assert_int_equal(bytes[at], 'm');
            }
            at++;
        } else {
            assert_true((unsigned char)bytes[at] >= 0x20);
            size_t cluster = cluster_len(bytes + at, len - at);
            size_t width = text_width(bytes + at, cluster);
            assert_true(cluster < sizeof cells[0] && cursor + width < columns);
            memcpy(cells[cursor], bytes + at, cluster);
            cells[cursor][cluster] = '\0';
            if (width == 2) {
                cells[cursor + 1][0] = '\0';
            }
            cursor += width;
            at += cluster;
        }
    }
    size_t row_len = 0;
    for (size_t i = 0; i < columns; i++) {
        size_t cell_len = strlen(cells[i]);
        assert_true(row_len + cell_len < room);
        memcpy(row + row_len, cells[i], cell_len);
        row_len += cell_len;
    }
    row[row_len] = '\0';
    return cursor;
}

static void assert_drawn(struct line_editor *editor, const char *prompt, size_t columns, const char *expected,
                         size_t cursor)
{
    struct evbuffer *out = evbuffer_new();
    char row[2000];
    line_editor_draw(editor, prompt, columns, false, out);
    size_t drawn_cursor = terminal_row(out, columns, row, sizeof row);
    assert_string_equal(row, expected);
    assert_int_equal(drawn_cursor, cursor);
    evbuffer_free(out);
}

static void typing_and_erasing_work_anywhere_in_the_line(void **state)
{
    struct line_editor *editor = *state;
    assert_int_equal(type(editor, "hello world"), LINE_EDITOR_CHANGED);
    assert_line(editor, "hello world");
    type(editor, LEFT LEFT LEFT "X");
    assert_line(editor, "hello woXrld");
    type(editor, "\177");
    assert_line(editor, "hello world");
    type(editor, "\033[3~");
    assert_line(editor, "hello wold");
    type(editor, HOME ">" END "<");
    assert_line(editor, ">hello wold<");
    type(editor, "\x01" RIGHT "\x04\x05\x02\x06.");
    assert_line(editor, ">ello wold<.");
    assert_int_equal(type(editor, END RIGHT), LINE_EDITOR_NOTHING);
    assert_int_equal(type(editor, "\x01\x08"), LINE_EDITOR_NOTHING);
}

static void words_and_ends_are_erased_and_come_back(void **state)
{
    struct line_editor *editor = *state;
    type(editor, "one two  three");
    type(editor, "\x17");
    assert_line(editor, "one two  ");
    type(editor, "\x17");
    assert_line(editor, "one ");
    type(editor, "\x19\x19");
    assert_line(editor, "one two  two  ");
    type(editor, HOME RIGHT "\x0B");
    assert_line(editor, "o");
    type(editor, "\x15");
    assert_line(editor, "");
    type(editor, "a bc d"
                 "\033b\033b"
                 "\033d");
    assert_line(editor, "a  d");
    type(editor, "\033[1;5D\033[1;5D\033f"
                 "!");
    assert_line(editor, "a!  d");
}

static void a_character_of_several_code_points_is_one(void **state)
{
    struct line_editor *editor = *state;
    type(editor, "ae\xCC\x81👩\u200D👩\u200D👧日");
    type(editor, LEFT LEFT "|");
    assert_line(editor, "ae\xCC\x81|👩\u200D👩\u200D👧日");
    type(editor, "\177\177");
    assert_line(editor, "a👩\u200D👩\u200D👧日");
    type(editor, "\033[3~");
    assert_line(editor, "a日");
}

static void broken_utf8_and_controls_never_get_into_the_line(void **state)
{
    struct line_editor *editor = *state;
    type(editor, "a\xC3"
                 "b\xFF\x80\xC0\x9B\xED\xA0\x80"
                 "c\xC2\x9B"
                 "d\x1C\x07\x1D"
                 "e");
    assert_line(editor, "abcde");
    type(editor, "\033[99;99;99;99;99;99;99;99;99~f\033[5Ag\033\033[Dh");
    assert_line(editor, "abcdefhg");
}

static void lines_come_back_from_the_history(void **state)
{
    struct line_editor *editor = *state;
    type(editor, "first\rsecond\nsecond\rdraft");
    type(editor, UP);
    assert_line(editor, "second");
    type(editor, UP);
    assert_line(editor, "first");
    assert_int_equal(type(editor, UP), LINE_EDITOR_NOTHING);
    type(editor, DOWN DOWN);
    assert_line(editor, "draft");
    assert_int_equal(type(editor, DOWN), LINE_EDITOR_NOTHING);
    type(editor, "\r\r" UP);
    assert_line(editor, "draft");
    for (int i = 0; i < LINE_HISTORY_MAX + 5; i++) {
        char line[20];
        (void)snprintf(line, sizeof line, "\x15line %d\r", i);
        type(editor, line);
    }
    for (int i = 0; i < LINE_HISTORY_MAX + 5; i++) {
        type(editor, UP);
    }
    assert_line(editor, "line 5");
}

static void a_paste_with_newlines_is_not_sent_by_itself(void **state)
{
    struct line_editor *editor = *state;
    enum line_editor_result result = type(editor, "\033[200~one\r\ntwo\r\tthree\n\x03\x15/quit\033[201~");
    assert_int_not_equal(result, LINE_EDITOR_LINE);
    assert_line(editor, "one\ntwo\n three\n/quit");
    assert_drawn(editor, "> ", 60, "> one↵two↵ three↵/quit", 22);
    assert_int_equal(type(editor, "\r"), LINE_EDITOR_LINE);
}

static void end_of_input_counts_on_an_empty_line_only(void **state)
{
    struct line_editor *editor = *state;
    assert_int_equal(type(editor, "\x04"), LINE_EDITOR_END);
    type(editor, "ab" HOME);
    assert_int_equal(type(editor, "\x04"), LINE_EDITOR_CHANGED);
    assert_line(editor, "b");
}

static void ctrl_c_and_ctrl_z_are_keys_and_leave_the_line_alone(void **state)
{
    struct line_editor *editor = *state;
    type(editor, "half a line");
    assert_int_equal(type(editor, "\x03"), LINE_EDITOR_INTERRUPT);
    assert_int_equal(type(editor, "\x1a"), LINE_EDITOR_STOP);
    assert_line(editor, "half a line");
    assert_int_equal(type(editor, "\033[200~\x03\x1a\033[201~"), LINE_EDITOR_NOTHING);
}

static void a_full_line_takes_no_more_and_loses_nothing(void **state)
{
    struct line_editor *editor = *state;
    char *text = malloc(LINE_LEN_MAX + 100);
    assert_non_null(text);
    memset(text, 'x', LINE_LEN_MAX + 99);
    text[LINE_LEN_MAX + 99] = '\0';
    line_editor_set(editor, text, LINE_LEN_MAX + 99);
    size_t len;
    (void)line_editor_text(editor, &len);
    assert_int_equal(len, LINE_LEN_MAX);
    assert_int_equal(type(editor, "y"), LINE_EDITOR_FULL);
    type(editor, "\177");
    assert_int_equal(type(editor, "é"), LINE_EDITOR_FULL);
    assert_int_equal(type(editor, "y"), LINE_EDITOR_CHANGED);
    free(text);
}

static void the_cursor_is_drawn_where_it_is(void **state)
{
    struct line_editor *editor = *state;
    assert_drawn(editor, "alice → bob> ", 60, "alice → bob> ", 13);
    type(editor, "日本 wörld");
    assert_drawn(editor, "alice → bob> ", 60, "alice → bob> 日本 wörld", 23);
    type(editor, LEFT LEFT);
    assert_drawn(editor, "alice → bob> ", 60, "alice → bob> 日本 wörld", 21);
    type(editor, HOME RIGHT);
    assert_drawn(editor, "alice → bob> ", 60, "alice → bob> 日本 wörld", 15);
}

static void a_long_line_scrolls_and_never_wraps(void **state)
{
    struct line_editor *editor = *state;
    type(editor, "0123456789abcdefghijABCDEFGHIJ");
    struct evbuffer *out = evbuffer_new();
    char row[200];
    line_editor_draw(editor, "> ", 20, false, out);
    size_t cursor = terminal_row(out, 20, row, sizeof row);
    assert_non_null(strstr(row, "> <"));
    assert_non_null(strstr(row, "HIJ"));
    assert_int_equal(cursor, strlen(row));
    evbuffer_free(out);
    type(editor, HOME);
    assert_drawn(editor, "> ", 20, "> 0123456789abcdef>", 2);
}

/* Whatever is typed on whatever terminal: one row, and the cursor inside. */
static void any_line_fits_any_terminal(void **state)
{
    struct line_editor *editor = *state;
    static const char *const pieces[] = { "a", "日",   "e\xCC\x81", "\xC3\xB6", " ",        LEFT, RIGHT, HOME,
                                          END, "\177", "\x17",      "\033b",    "👩\u200D👧", "b",  "c",   "\033[3~" };
    unsigned seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1103515245U + 12345U;
        type(editor, pieces[seed >> 16 & 15]);
        seed = seed * 1103515245U + 12345U;
        size_t columns = 9 + (seed >> 16) % 60;
        struct evbuffer *out = evbuffer_new();
        char row[2000];
        line_editor_draw(editor, "alice → 日本> ", columns, false, out);
        assert_true(terminal_row(out, columns, row, sizeof row) < columns);
        evbuffer_free(out);
    }
}

static void erasing_reaches_up_over_a_line_that_a_narrower_terminal_wrapped(void **state)
{
    struct line_editor *editor = *state;
    struct evbuffer *out = evbuffer_new();
    type(editor, "0123456789012345678901234567890123456789");
    line_editor_draw(editor, "> ", 80, false, out);
    evbuffer_drain(out, evbuffer_get_length(out));
    line_editor_erase(editor, 20, out);
    assert_int_equal(evbuffer_get_length(out), strlen("\033[2A\r\033[J"));
    assert_memory_equal(evbuffer_pullup(out, -1), "\033[2A\r\033[J", strlen("\033[2A\r\033[J"));
    evbuffer_drain(out, evbuffer_get_length(out));
    line_editor_erase(editor, 20, out); /* there is nothing any more */
    assert_memory_equal(evbuffer_pullup(out, -1), "\r\033[J", strlen("\r\033[J"));
    evbuffer_free(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(typing_and_erasing_work_anywhere_in_the_line),
        TEST(words_and_ends_are_erased_and_come_back),
        TEST(a_character_of_several_code_points_is_one),
        TEST(broken_utf8_and_controls_never_get_into_the_line),
        TEST(lines_come_back_from_the_history),
        TEST(a_paste_with_newlines_is_not_sent_by_itself),
        TEST(end_of_input_counts_on_an_empty_line_only),
        TEST(ctrl_c_and_ctrl_z_are_keys_and_leave_the_line_alone),
        TEST(a_full_line_takes_no_more_and_loses_nothing),
        TEST(the_cursor_is_drawn_where_it_is),
        TEST(a_long_line_scrolls_and_never_wraps),
        TEST(any_line_fits_any_terminal),
        TEST(erasing_reaches_up_over_a_line_that_a_narrower_terminal_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
