/* Text from the network on its way to a terminal. */
#include "client/cli/printable.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_printable(const char *text, size_t len, bool newlines, const char *expected)
{
    char *shown = printable(text, len, newlines);
    assert_non_null(shown);
    assert_string_equal(shown, expected);
    free(shown);
}

static void ordinary_text_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = { "",        "hello", "Grüße, 日本語, Ελλάδα", "e\xCC\x81", "👩\u200D👩\u200D👧",
                                         "\u00A0x", "אבג" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_printable(texts[i], strlen(texts[i]), false, texts[i]);
    }
}

static void c0_controls_and_delete_are_shown_as_pictures(void **state)
{
    (void)state;
    assert_printable("\033[2Jx\177", 6, false, "␛[2Jx␡");
    assert_printable("\0\a\b\r\033]0;t\a", 10, false, "␀␇␈␍␛]0;t␇");
    for (char c = 1; c < 0x20; c++) {
        char *shown = printable(&c, 1, false);
        for (const char *at = shown; *at != '\0'; at++) {
            assert_false((unsigned char)*at < 0x20 || *at == 0x7F);
        }
        free(shown);
    }
}

static void newlines_stay_only_when_asked_for(void **state)
{
    (void)state;
    assert_printable("a\nb", 3, true, "a\nb");
    assert_printable("a\nb", 3, false, "a␊b");
    assert_printable("a\r\nb\tc", 6, true, "a␍\nb    c");
}

static void c1_controls_are_named(void **state)
{
    (void)state;
    assert_printable("\xC2\x9B"
                     "31m",
                     5, false, "<U+009B>31m");
    for (unsigned c = 0x80; c < 0xA0; c++) {
        const char text[] = { '\xC2', (char)c };
        char expected[16];
        (void)snprintf(expected, sizeof expected, "<U+%04X>", c);
        assert_printable(text, 2, true, expected);
    }
}

static void what_turns_the_direction_of_writing_is_named(void **state)
{
    (void)state;
    /* NOLINTBEGIN(misc-misleading-bidirectional): it is what this is about */
    assert_printable("\u202Egnp.exe", 10, false, "<U+202E>gnp.exe");
    assert_printable("\u2066a\u2069\u200Fb\u061C", 13, false, "<U+2066>a<U+2069><U+200F>b<U+061C>");
    assert_printable("a\u2028b\u2029", 8, true, "a<U+2028>b<U+2029>");
    /* NOLINTEND(misc-misleading-bidirectional) */
}

static void bytes_that_are_no_utf8_are_replaced_one_by_one(void **state)
{
    (void)state;
    assert_printable("a\xFF\x80"
                     "b",
                     4, false, "a\uFFFD\uFFFDb");
    assert_printable("\xE6\x97", 2, false, "\uFFFD\uFFFD");           /* cut short */
    assert_printable("\xC0\x9B", 2, false, "\uFFFD\uFFFD");           /* an over-long escape character */
    assert_printable("\xED\xA0\x80", 3, false, "\uFFFD\uFFFD\uFFFD"); /* a surrogate */
}

static void every_byte_pair_is_safe(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        const char text[] = { (char)(pair >> 8), (char)(pair & 0xFF) };
        char *shown = printable(text, 2, false);
        for (const char *at = shown; *at != '\0'; at++) {
            assert_false((unsigned char)*at < 0x20 || *at == 0x7F);
            assert_false(at[0] == '\xC2' && (unsigned char)at[1] < 0xA0);
        }
        free(shown);
    }
}

static void width_is_in_columns(void **state)
{
    (void)state;
    assert_int_equal(text_width("abc", 3), 3);
    assert_int_equal(text_width("日本", strlen("日本")), 4);
    assert_int_equal(text_width("e\xCC\x81", 3), 1);
    assert_int_equal(text_width("→", strlen("→")), 1);
    assert_int_equal(text_width("❤\uFE0F", strlen("❤\uFE0F")), 2);
}

static void clusters_keep_together_what_is_one_character(void **state)
{
    (void)state;
    static const char family[] = "👩\u200D👩\u200D👧x";
    assert_int_equal(cluster_len("abc", 3), 1);
    assert_int_equal(cluster_len("", 0), 0);
    assert_int_equal(cluster_len("e\xCC\x81x", 4), 3);
    assert_int_equal(cluster_len(family, strlen(family)), strlen(family) - 1);
    assert_int_equal(cluster_len("\xFFz", 2), 1);
    assert_int_equal(cluster_len_before("xe\xCC\x81", 4), 3);
    assert_int_equal(cluster_len_before(family, strlen(family) - 1), strlen(family) - 1);
    assert_int_equal(cluster_len_before("a\nb", 2), 1);
    assert_int_equal(cluster_len_before("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_text_stays_as_it_is),
        cmocka_unit_test(c0_controls_and_delete_are_shown_as_pictures),
        cmocka_unit_test(newlines_stay_only_when_asked_for),
        cmocka_unit_test(c1_controls_are_named),
        cmocka_unit_test(what_turns_the_direction_of_writing_is_named),
        cmocka_unit_test(bytes_that_are_no_utf8_are_replaced_one_by_one),
        cmocka_unit_test(every_byte_pair_is_safe),
        cmocka_unit_test(width_is_in_columns),
        cmocka_unit_test(clusters_keep_together_what_is_one_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
