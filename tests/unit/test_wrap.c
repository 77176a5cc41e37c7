#include "cmocka_all.h"

#include "client/cli/wrap.h"

#include <stdlib.h>

static void assert_wrapped(const char *text, size_t columns, size_t used, const char *expected)
{
    char *rows = wrap_text(text, columns, used, "| ");
    assert_non_null(rows);
    assert_string_equal(rows, expected);
    free(rows);
}

static void what_fits_stays_as_it_is(void **state)
{
    (void)state;
    assert_wrapped("", 20, 0, "");
    assert_wrapped("one two  ", 20, 0, "one two  ");
    assert_wrapped("1234567890123456789", 20, 0, "1234567890123456789");
    assert_wrapped("12345678901234", 20, 5, "12345678901234");
}

static void rows_end_between_words(void **state)
{
    (void)state;
    assert_wrapped("one two three four five", 15, 0, "one two three\n| four five");
    assert_wrapped("one two three four five", 15, 4, "one two\n| three four\n| five");
    assert_wrapped("12345678901234 next", 15, 0, "12345678901234\n| next");
}

static void a_long_word_is_cut_where_the_row_ends(void **state)
{
    (void)state;
    assert_wrapped("a 12345678901234567890", 12, 0, "a\n| 123456789\n| 012345678\n| 90");
}

static void rows_are_counted_in_columns_and_clusters_stay_whole(void **state)
{
    (void)state;
    assert_wrapped("日本語日本語", 10, 0, "日本語日\n| 本語");
    assert_wrapped("123456789e\xCC\x81z", 11, 0, "123456789e\xCC\x81\n| z");
}

static void padding_never_reaches_a_new_row_without_its_margin(void **state)
{
    (void)state;
    assert_wrapped("hi            12:00:00 carol: forged", 15, 0, "hi\n| 12:00:00\n| carol:\n| forged");
    assert_wrapped("                                         x", 15, 0, "\n| \n| \n| x");
}

static void newlines_of_the_text_get_the_margin(void **state)
{
    (void)state;
    assert_wrapped("a\nb\n\nc", 20, 0, "a\n| b\n| \n| c");
    assert_wrapped("a\n1234567890 x", 12, 0, "a\n| 123456789\n| 0 x");
}

static void without_a_terminal_only_newlines_end_a_row(void **state)
{
    (void)state;
    assert_wrapped("1234567890 1234567890 1234567890\nx", 0, 7, "1234567890 1234567890 1234567890\n| x");
}

static void a_terminal_that_is_too_narrow_is_no_trouble(void **state)
{
    (void)state;
    assert_wrapped("123456789", 1, 50, "1234\n| 5678\n| 9");
    assert_wrapped("日本", 1, 50, "日本");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_stays_as_it_is),
        cmocka_unit_test(rows_end_between_words),
        cmocka_unit_test(a_long_word_is_cut_where_the_row_ends),
        cmocka_unit_test(rows_are_counted_in_columns_and_clusters_stay_whole),
        cmocka_unit_test(padding_never_reaches_a_new_row_without_its_margin),
        cmocka_unit_test(newlines_of_the_text_get_the_margin),
        cmocka_unit_test(without_a_terminal_only_newlines_end_a_row),
        cmocka_unit_test(a_terminal_that_is_too_narrow_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
