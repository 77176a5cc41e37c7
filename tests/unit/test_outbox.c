/* test_outbox.c: texts stay until they are received, in order, within their limits. */
#include "client/kdcchat.h"
#include "client/outbox.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static uint64_t add(struct outbox *outbox, const char *text)
{
    uint64_t number = 0;
    assert_int_equal(outbox_add(outbox, text, strlen(text), &number), KC_OK);
    return number;
}

static void send_next(struct outbox *outbox, uint64_t number)
{
    const struct outbox_text *text = outbox_next(outbox);
    assert_non_null(text);
    assert_int_equal(text->number, number);
    outbox_sent(outbox);
}

static void numbers_count_from_one_and_texts_go_in_order(void **state)
{
    (void)state;
    struct outbox outbox = { 0 };
    assert_null(outbox_next(&outbox));
    assert_int_equal(add(&outbox, "one"), 1);
    assert_int_equal(add(&outbox, "two"), 2);
    assert_int_equal(outbox_next(&outbox)->len, 3);
    assert_memory_equal(outbox_next(&outbox)->bytes, "one", 3);
    send_next(&outbox, 1);
    send_next(&outbox, 2);
    assert_null(outbox_next(&outbox));
    assert_int_equal(outbox.count, 2);
    assert_int_equal(outbox_clear(&outbox), 2);
    assert_int_equal(outbox.bytes, 0);
    assert_int_equal(add(&outbox, "three"), 3);
    assert_int_equal(outbox_clear(&outbox), 1);
}

static void a_receipt_drops_what_was_sent_up_to_it(void **state)
{
    (void)state;
    struct outbox outbox = { 0 };
    uint64_t number = 99;
    for (unsigned i = 0; i < 5; i++)
        (void)add(&outbox, "text");
    for (uint64_t n = 1; n <= 4; n++)
        send_next(&outbox, n);
    assert_int_equal(outbox_received(&outbox, 0, &number), 0);
    assert_int_equal(number, 99);
    assert_int_equal(outbox_received(&outbox, 2, &number), 2);
    assert_int_equal(number, 2);
    assert_int_equal(outbox_received(&outbox, 2, &number), 0);
    /* The fifth was never sent: nobody can have it. */
    assert_int_equal(outbox_received(&outbox, UINT64_MAX, &number), 2);
    assert_int_equal(number, 4);
    assert_int_equal(outbox.count, 1);
    assert_int_equal(outbox.under_way, 0);
    send_next(&outbox, 5);
    assert_int_equal(outbox_clear(&outbox), 1);
}

static void after_a_new_epoch_everything_goes_again(void **state)
{
    (void)state;
    struct outbox outbox = { 0 };
    uint64_t number = 0;
    for (unsigned i = 0; i < 3; i++)
        (void)add(&outbox, "text");
    send_next(&outbox, 1);
    send_next(&outbox, 2);
    outbox_rewind(&outbox);
    send_next(&outbox, 1);
    /* A receipt from before is for one that waits to go again. */
    assert_int_equal(outbox_received(&outbox, 2, &number), 2);
    assert_int_equal(outbox.under_way, 0);
    send_next(&outbox, 3);
    assert_int_equal(outbox.under_way, 1);
    assert_int_equal(outbox_clear(&outbox), 1);
}

static void the_window_opens_with_receipts(void **state)
{
    (void)state;
    struct outbox outbox = { 0 };
    uint64_t number = 0;
    for (unsigned i = 0; i < OUTBOX_WINDOW + 10; i++)
        (void)add(&outbox, "text");
    for (uint64_t n = 1; n <= OUTBOX_WINDOW; n++)
        send_next(&outbox, n);
    assert_null(outbox_next(&outbox));
    assert_int_equal(outbox_received(&outbox, 3, &number), 3);
    for (uint64_t n = 1; n <= 3; n++)
        send_next(&outbox, OUTBOX_WINDOW + n);
    assert_null(outbox_next(&outbox));
    (void)outbox_clear(&outbox);
}

static void too_many_texts_or_bytes_are_refused(void **state)
{
    (void)state;
    struct outbox outbox = { 0 };
    uint64_t number = 0;
    for (unsigned i = 0; i < OUTBOX_TEXTS_MAX; i++)
        (void)add(&outbox, "t");
    assert_int_equal(outbox_add(&outbox, "t", 1, &number), KC_OUTBOX_FULL);
    assert_int_equal(outbox_clear(&outbox), OUTBOX_TEXTS_MAX);

    char *text = calloc(1, KC_TEXT_MAX);
    assert_non_null(text);
    for (size_t i = 0; i < OUTBOX_BYTES_MAX / KC_TEXT_MAX; i++)
        assert_int_equal(outbox_add(&outbox, text, KC_TEXT_MAX, &number), KC_OK);
    uint64_t last = number;
    assert_int_equal(outbox_add(&outbox, "t", 1, &number), KC_OUTBOX_FULL);
    assert_int_equal(number, last);
    send_next(&outbox, OUTBOX_TEXTS_MAX + 1);
    assert_int_equal(outbox_received(&outbox, OUTBOX_TEXTS_MAX + 1, &number), 1);
    assert_int_equal(outbox_add(&outbox, "t", 1, &number), KC_OK);
    assert_int_equal(number, last + 1);
    (void)outbox_clear(&outbox);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_count_from_one_and_texts_go_in_order),
        cmocka_unit_test(a_receipt_drops_what_was_sent_up_to_it),
        cmocka_unit_test(after_a_new_epoch_everything_goes_again),
        cmocka_unit_test(the_window_opens_with_receipts),
        cmocka_unit_test(too_many_texts_or_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
