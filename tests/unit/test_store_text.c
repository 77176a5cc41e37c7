/* A text in a room that was reckoned beforehand: nothing is written past it, and a cut one is known as such. */
#include "kdc/store_internal.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static void pieces_stand_one_behind_the_other(void **state)
{
    (void)state;
    char room[8];
    struct store_text text = { .at = room, .left = sizeof room };
    store_text_add(&text, "[%d", 12);
    store_text_add(&text, ",%s]", "ab");
    assert_false(text.cut);
    assert_string_equal(room, "[12,ab]");
}

static void what_does_not_fit_is_not_written_and_nothing_behind_it(void **state)
{
    (void)state;
    char room[16];
    memset(room, '#', sizeof room);
    struct store_text text = { .at = room, .left = 8 };
    store_text_add(&text, "%s", "12345678"); /* with its NUL one too many */
    assert_true(text.cut);
    store_text_add(&text, "9");
    assert_true(text.cut);
    assert_string_equal(room, "1234567");
    assert_memory_equal(room + 8, "########", 8);
    struct store_text none = { .at = NULL };
    store_text_add(&none, "a");
    assert_true(none.cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_stand_one_behind_the_other),
        cmocka_unit_test(what_does_not_fit_is_not_written_and_nothing_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
